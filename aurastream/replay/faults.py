"""The fault switchboard: what goes wrong, where, when and how often. No dice.

A fault applies to a platform, to endpoints by pattern, to parameter values, to a key, between two
virtual moments; it lets the first ``skip`` matching requests pass and then strikes ``times`` of
them, or all. Two servers with the same faults and the same requests fail the same way.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any, Final

from aurastream.replay.fault_options import problem_of
from aurastream.replay.moments import parse_rfc3339, rfc3339
from aurastream.replay.quirks import QUIRKS
from aurastream.replay.wire import Request

__all__ = ["KINDS", "Fault", "FaultError", "Switchboard"]

_LEVELS: Final = 20  # far more than a fault needs; what has hundreds is read but not written
PLATFORMS: Final = ("any", "youtube", "twitch", "images")
# What each kind does, and its options with their defaults.
KINDS: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "latency": ("answer later", {"delay_ms": 1000}),
    "outage": ("close the connection without an answer", {}),
    "server_error": ("answer 5xx", {"status": 503, "retry_after_s": None}),
    "rate_limited": ("answer 429", {"retry_after_s": None}),
    "quota_exceeded": ("answer as if the day's quota were used up", {}),
    "invalid_key": ("refuse the key or client", {"old_style": False}),
    "forbidden": ("answer 403 that no retry mends", {"reason": "forbidden"}),
    "token_revoked": ("refuse tokens issued before the fault was set", {}),
    "token_rejected": ("refuse every token", {}),
    "malformed_json": ("answer 200 with a body that is no JSON", {}),
    "html_body": ("answer 200 with a web page, as a proxy would", {}),
    "truncated_body": ("close the connection in mid-body", {"share": 0.5}),
    "trickle": ("send the head, then the body a little at a time", {"bytes": 1, "delay_ms": 1000}),
    "malformed_item": (
        "change a field of items",
        {"index": 0, "path": "id", "value": None, "drop": False},
    ),
    "falling_views": ("lower every view count", {"factor": 0.5}),
    "hidden_counts": ("leave out likes and comments", {}),
    "future_publish": ("move publication into the future", {"hours": 24}),
    "duplicate_items": ("repeat the page's first item at its end", {}),
    "missing_items": ("drop items, as if deleted", {"every": 5}),
    "empty_answer": ("answer with no items", {}),
    "clock_skew": ("set the Date header off", {"seconds": 3600}),
    "quirk": ("behave as a documented quirk of Helix", {"id": ""}),
}
# What one platform alone has: the fault is about that one.
_OF_ONE: Final = {
    "quota_exceeded": "youtube",
    "token_revoked": "twitch",
    "token_rejected": "twitch",
    "quirk": "twitch",
}


class FaultError(ValueError):
    """A fault was described in a way that means nothing."""


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    platform : str
        ``youtube``, ``twitch`` (its token endpoints too), ``images`` or ``any``.
    endpoint : str
        Pattern of endpoint names, such as ``videos.*``, ``streams`` or ``*``.
    where : dict
        Parameter values a request must have.
    key : str
        API key or client id it applies to; empty for all.
    times : int or None
        How many more requests it strikes; None for all. 0 is of one that has fired, and is over.
    skip : int
        How many matching requests pass first.
    start, end : float or None
        Virtual moments between which it applies, the end excluded and after the start.
    options : dict
        See `KINDS`.
    """

    fault_id: int
    kind: str
    platform: str = "any"
    endpoint: str = "*"
    where: dict[str, str] = field(default_factory=dict)
    key: str = ""
    times: int | None = None
    skip: int = 0
    start: float | None = None
    end: float | None = None
    options: dict[str, Any] = field(default_factory=dict)
    fired: int = 0
    generation: int = 0

    def matches(self, platform: str, endpoint: str, request: Request, key: str) -> bool:
        """Return whether the fault is about a request, its counters aside."""
        if self.times == 0 or self.platform not in {"any", platform}:
            return False
        if not fnmatchcase(endpoint, self.endpoint) or (self.key and self.key != key):
            return False
        if self.start is not None and request.now < self.start:
            return False
        if self.end is not None and request.now >= self.end:
            return False
        return all(value in request.query.listed(name) for name, value in self.where.items())

    def strike(self) -> bool:
        """Count a matching request; return whether the fault strikes it."""
        if self.skip > 0:
            self.skip -= 1
            return False
        if self.times is not None:
            self.times -= 1
        self.fired += 1
        return True

    def describe(self) -> dict[str, Any]:
        """Return the fault as JSON, in the form it can be set again with."""
        return {
            "id": self.fault_id,
            "kind": self.kind,
            "platform": self.platform,
            "endpoint": self.endpoint,
            "where": self.where,
            "key": self.key,
            "times": self.times,
            "skip": self.skip,
            "start": None if self.start is None else rfc3339(self.start),
            "end": None if self.end is None else rfc3339(self.end),
            "options": self.options,
            "fired": self.fired,
        }


class Switchboard:
    """The faults that are set.

    Parameters
    ----------
    endpoints : sequence of tuple
        Platform and name of each endpoint that there is; a fault of none of them is refused.
    """

    def __init__(self, endpoints: Sequence[tuple[str, str]]) -> None:
        self.faults: dict[int, Fault] = {}
        self._endpoints = endpoints
        self._next = 1

    def add(self, content: Any) -> Fault:  # noqa: ANN401 # any JSON, checked here
        """Set a fault.

        Parameters
        ----------
        content : dict
            ``kind`` and what `Fault` takes; ``start`` and ``end`` in RFC 3339. For a quirk,
            ``{"quirk": ID}`` is enough.

        Raises
        ------
        FaultError
            Saying what is wrong and what would be right.
        """
        fault = self._parsed(content, self._next)
        self.faults[fault.fault_id] = fault
        self._next += 1
        return fault

    def replace(self, contents: Any) -> list[Fault]:  # noqa: ANN401 # any JSON, checked here
        """Set these faults and no others; on an error, change nothing."""
        if not isinstance(contents, list):
            raise FaultError("Send a JSON list of faults.")
        faults = [self._parsed(content, self._next + n) for n, content in enumerate(contents)]
        self._next += len(faults)
        self.faults = {fault.fault_id: fault for fault in faults}
        return faults

    def update(self, fault_id: int, content: Any) -> Fault:  # noqa: ANN401 # any JSON
        """Put a fault in the place of another one.

        Raises
        ------
        KeyError
            If there is no such fault.
        """
        generation = self.faults[fault_id].generation
        fault = self._parsed(content, fault_id)
        fault.generation = generation
        self.faults[fault_id] = fault
        return fault

    def matching(self, platform: str, endpoint: str, request: Request, key: str) -> Iterator[Fault]:
        """Yield the faults about a request, oldest first; the caller lets them strike."""
        for fault in list(self.faults.values()):
            if fault.matches(platform, endpoint, request, key):
                yield fault

    def _parsed(self, content: Any, fault_id: int) -> Fault:  # noqa: ANN401 # any JSON
        fault = _parse(content, fault_id)
        _require_able(fault, self._endpoints)
        return fault


def _parse(content: Any, fault_id: int) -> Fault:  # noqa: ANN401 # any JSON
    if not isinstance(content, dict):
        raise FaultError("A fault is a JSON object.")
    if not _is_shallow(content, _LEVELS):
        raise FaultError(f"A fault has {_LEVELS} levels at most.")
    given = dict(content)
    if "quirk" in given:
        given |= {"kind": "quirk", "options": {"id": given.pop("quirk")}}
    kind = given.pop("kind", None)
    _one_of("kind", kind, KINDS)
    platform = _platform(kind, given.pop("platform", "any"))
    options = given.pop("options", None) or {}
    known = KINDS[kind][1]
    if not isinstance(options, dict):
        raise FaultError("options is a JSON object.")
    for name in options:
        _one_of(f"option of {kind}", name, known)
        if problem := problem_of(kind, name, options[name]):
            raise FaultError(problem)
    options = known | options
    if kind == "quirk":
        _one_of("quirk", options["id"], QUIRKS)
    where = given.pop("where", None) or {}
    if not isinstance(where, dict):
        raise FaultError('where is a JSON object, for example {"game_id": "33214"}.')
    fault = Fault(
        fault_id=fault_id,
        kind=kind,
        platform=platform,
        endpoint=str(given.pop("endpoint", "*")),
        where={str(name): str(value) for name, value in where.items()},
        key=str(given.pop("key", "")),
        times=_count("times", given.pop("times", None)),
        skip=_count("skip", given.pop("skip", 0)) or 0,
        start=_when("start", given.pop("start", None)),
        end=_when("end", given.pop("end", None)),
        options=options,
        fired=_count("fired", given.pop("fired", None)) or 0,
    )
    unknown = sorted(set(given) - {"id"})
    if unknown:
        raise FaultError(
            f"Unknown {', '.join(unknown)}; a fault has {', '.join(fault.describe())}."
        )
    return fault


def _platform(kind: str, platform: Any) -> str:  # noqa: ANN401 # any JSON
    """Return the platform a fault is about: that of its kind, where one alone has such."""
    _one_of("platform", platform, PLATFORMS)
    only = _OF_ONE.get(kind, platform)
    if platform not in {"any", only}:
        raise FaultError(f"{kind} is of {only} alone, and strikes nothing of {platform}.")
    return str(only)


def _require_able(fault: Fault, endpoints: Sequence[tuple[str, str]]) -> None:
    """Refuse a fault that no request can ever match."""
    known = [name for platform, name in endpoints if fault.platform in {"any", platform}]
    if not any(fnmatchcase(name, fault.endpoint) for name in known):
        raise FaultError(
            f"No endpoint of platform {fault.platform} matches {fault.endpoint!r:.80}; "
            f"there are {', '.join(known)}."
        )
    if fault.times == 0 and not fault.fired:
        raise FaultError("times 0 strikes nothing: write a whole number from 1 on, or null.")
    if fault.start is not None and fault.end is not None and fault.end <= fault.start:
        raise FaultError(
            f"end {rfc3339(fault.end)} is not after start {rfc3339(fault.start)}: "
            "there is no moment between them to strike in."
        )


def _is_shallow(value: Any, levels: int) -> bool:  # noqa: ANN401 # any JSON
    """Return whether JSON has so many levels at most."""
    if not isinstance(value, dict | list):
        return True
    below = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_shallow(each, levels - 1) for each in below)


def _one_of(what: str, value: Any, choices: Iterable[str]) -> None:  # noqa: ANN401 # any JSON
    if value not in tuple(choices):
        raise FaultError(f"{value!r} is no {what}; choose one of {', '.join(choices)}.")


def _count(name: str, value: Any) -> int | None:  # noqa: ANN401 # any JSON
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise FaultError(f"{name} is a whole number that is not negative, or null.")
    return value


def _when(name: str, value: Any) -> float | None:  # noqa: ANN401 # any JSON
    if value is None:
        return None
    try:
        return parse_rfc3339(str(value))
    except ValueError as error:
        raise FaultError(f"{name} is a moment such as 2026-11-21T06:00:00Z.") from error
