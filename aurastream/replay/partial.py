"""Google's partial responses: the ``fields`` parameter says which members of an answer are sent.

A selection such as ``etag,items(id,statistics/viewCount)`` names members by path; parentheses name
several below one, and ``*`` names all of them. A list is selected item by item.
"""

import re
from typing import Any, Final

import orjson

from aurastream.replay import youtube_errors as errors
from aurastream.replay.wire import Answer, ApiError
from aurastream.replay.youtube_world import etag

__all__ = ["narrowed"]

_TOKEN: Final = re.compile(r"[A-Za-z0-9_]+|[*,/()]")
_MOST: Final = 2_000  # characters; far above what all members of an answer need
_NESTED: Final = 50  # parentheses; each one inside another takes two calls to read

_Selection = dict[str, "_Selection"]


def narrowed(answer: Answer, fields: str) -> Answer:
    """Return an answer with nothing but the members that ``fields`` selects.

    Raises
    ------
    ApiError
        400 where the selection cannot be read, or names a member on its highest level that such
        an answer never has.
    """
    content = orjson.loads(answer.body)
    selection = _parse(fields)
    for name in selection:
        if name not in {*content, *_SOMETIMES, "*"}:
            raise _invalid(name)
    answer.body = orjson.dumps(_select(content, selection))
    answer.etag = etag(answer.body).decode()
    return answer


# Members of a listing that one answer has and another lacks.
_SOMETIMES: Final = frozenset(
    {"items", "nextPageToken", "prevPageToken", "pageInfo", "regionCode", "eventId", "visitorId"}
)


def _select(content: Any, selection: _Selection) -> Any:  # noqa: ANN401 # any JSON
    if not selection:
        return content
    if isinstance(content, list):
        return [_select(each, selection) for each in content if isinstance(each, dict)]
    rest = selection.get("*")
    chosen = {name: selection.get(name, rest) for name in content}
    return {
        name: _select(value, below)
        for name, value in content.items()
        # Nothing lies below a number or a text.
        if (below := chosen[name]) is not None and (not below or isinstance(value, dict | list))
    }


def _parse(text: str) -> _Selection:
    tokens = _TOKEN.findall(text)
    if len(text) > _MOST or text.count("(") > _NESTED or "".join(tokens) != text:
        raise _invalid(text[:100])
    tokens.reverse()
    found = _list(tokens, text)
    if tokens:
        raise _invalid(text)
    return found


def _list(tokens: list[str], text: str) -> _Selection:
    """Read ``path,path…``; two paths through one member are both of it."""
    found: _Selection = {}
    while True:
        _path(tokens, text, found)
        if not tokens or tokens[-1] != ",":
            return found
        tokens.pop()


def _path(tokens: list[str], text: str, into: _Selection) -> None:
    """Read ``name/name(…)``."""
    while True:
        name = tokens.pop() if tokens else ""
        if not name or name in ",/()":
            raise _invalid(text)
        into = into.setdefault(name, {})
        if not tokens or tokens[-1] not in "/(":
            return
        if tokens.pop() == "(":
            into |= _list(tokens, text)
            if not tokens or tokens.pop() != ")":
                raise _invalid(text)
            return


def _invalid(text: str) -> ApiError:
    return errors.parameter_error(
        "invalidParameter", f"Invalid field selection {text}", "fields", domain="global"
    )
