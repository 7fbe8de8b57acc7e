"""What goes over the wire: a request as handlers see it, an answer, and an error to raise."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl

import orjson

__all__ = ["Answer", "ApiError", "Query", "Request", "whole"]

_DIGITS: Final = 20  # more than any number has that means something here


class Query:
    """The parameters of a URL or form; a name may come more than once."""

    __slots__ = ("_values",)

    def __init__(self, text: str) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in parse_qsl(text, keep_blank_values=True):
            self.add(name, value)

    def add(self, name: str, value: str) -> None:
        """Add a value."""
        # Some clients write repeated parameters as name[].
        self._values.setdefault(name.removesuffix("[]"), []).append(value)

    def one(self, name: str, default: str = "") -> str:
        """Return the last value of a parameter."""
        values = self._values.get(name)
        return values[-1] if values else default

    def many(self, name: str) -> list[str]:
        """Return every value of a parameter as it came, empty ones dropped."""
        return [value for value in self._values.get(name, ()) if value]

    def listed(self, name: str) -> list[str]:
        """Return every value of a parameter that may be comma-separated, without repeats."""
        values = self._values.get(name, ())
        parts = (part.strip() for value in values for part in value.split(","))
        return list(dict.fromkeys(part for part in parts if part))

    def has(self, name: str) -> bool:
        """Return whether a parameter is there and not empty."""
        return bool(self.one(name))

    def items(self) -> Mapping[str, list[str]]:
        """Return all values by name."""
        return self._values


@dataclass(slots=True)
class Request:
    """One request.

    Parameters
    ----------
    method, path : str
        As they came.
    query : Query
        Parameters of the URL.
    headers : dict
        Header values by lower-case name.
    now : float
        The virtual moment, seconds since 1970.
    base : str
        URL of this server as the client wrote it, for links to thumbnails.
    body : bytes
        What was posted.
    quirks : frozenset of str
        Ids of the platform quirks that are switched on for this request.
    """

    method: str
    path: str
    query: Query
    headers: dict[str, str]
    now: float
    base: str
    body: bytes = b""
    quirks: frozenset[str] = frozenset()


@dataclass(slots=True)
class Answer:
    """One answer; the application adds date, length and encoding."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    media_type: str = "application/json; charset=utf-8"
    etag: str = ""

    @classmethod
    def json(cls, content: Any, status: int = 200) -> "Answer":  # noqa: ANN401 # any JSON
        """Return an answer with a JSON body."""
        return cls(status, orjson.dumps(content))


def whole(text: str) -> int | None:
    """Return the number that a text of digits stands for, None for any other text.

    Of a number that is longer than any limit the first digits do; Python refuses to read
    thousands of them.

    Examples
    --------
    >>> whole("0050"), whole("-1"), whole("9" * 5_000) == 10**20 - 1
    (50, None, True)
    """
    return int(text.lstrip("0")[:_DIGITS] or "0") if text.isdecimal() else None


class ApiError(Exception):
    """A handler refuses; the answer says it in the platform's words."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer
