"""What the pipeline would make of a stored answer, without asking anybody.

Understood are bodies as the platforms send them, single items, and two ways of storing answers:
an object with ``status`` and ``body``, and a list of recorded exchanges with ``request`` and
``response``.
"""

import codecs
import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from aurastream.sources.errors import ConfigError, MalformedError, SourceError
from aurastream.sources.ports import Platform, Rejected
from aurastream.sources.wire import twitch, youtube
from aurastream.sources.wire.faults import twitch_fault, youtube_fault
from aurastream.sources.wire.pages import DecodedPage, PageDecoder, printable

__all__ = ["DecodedFile", "decode_stored"]

_ERROR: Final = 400
_GZIP: Final = b"\x1f\x8b"
_SINGLE: Final[Mapping[str, PageDecoder[Any]]] = {
    "youtube#video": youtube.VIDEOS,
    "youtube#searchResult": youtube.SEARCH,
    "youtube#channel": youtube.CHANNELS,
    "youtube#videoCategory": youtube.CATEGORIES,
}
# Keys that only one kind of Helix item has, the most telling first.
_HELIX_MARKS: Final = (
    ({"viewer_count"}, twitch.STREAMS),
    ({"vod_offset"}, twitch.CLIPS),
    ({"embed_url", "broadcaster_id"}, twitch.CLIPS),
    ({"broadcaster_language"}, twitch.TWITCH_CHANNELS),
    ({"broadcaster_type"}, twitch.USERS),
    ({"viewable"}, twitch.TWITCH_VIDEOS),
    ({"muted_segments"}, twitch.TWITCH_VIDEOS),
    ({"box_art_url"}, twitch.GAMES),
)


@dataclass(frozen=True, slots=True)
class DecodedFile:
    """What a stored answer is.

    Parameters
    ----------
    kind : str
        Dataset (``videos``, ``search``, ``channels``, ``categories``, ``streams``, ``top_games``,
        ``games``, ``clips``, ``twitch_videos``, ``twitch_channels``, ``users``), ``token``,
        ``validation``, ``empty`` (a Helix list without items), ``error``, ``unsupported`` (an
        answer the pipeline does not collect) or ``unreadable``.
    items : int
        Items accepted.
    rejected : tuple of Rejected
        Items for the quarantine.
    error_class : str or None
        Class of `aurastream.sources.errors`; None when the answer is good.
    message : str
        The error with its fix; '' when the answer is good.
    exchanges : tuple of DecodedFile
        One entry per exchange of a recording; the file as a whole is its last one, with the items
        and rejects of all.
    """

    kind: str
    items: int = 0
    rejected: tuple[Rejected, ...] = ()
    error_class: str | None = None
    message: str = ""
    exchanges: tuple["DecodedFile", ...] = ()


def decode_stored(platform: Platform, body: bytes, *, status: int | None = None) -> DecodedFile:
    """Say what the pipeline would make of a stored answer or error.

    Parameters
    ----------
    platform : {"youtube", "twitch"}
        Whose answer it is.
    body : bytes
        The stored file.
    status : int, optional
        HTTP status, where it is known and does not stand in the body.

    Returns
    -------
    DecodedFile
        Never raises for a strange body: that is kind ``unreadable``.

    Raises
    ------
    ConfigError
        For another platform.

    Examples
    --------
    >>> decode_stored("twitch", b'{"status":401,"message":"invalid access token"}').error_class
    'KeyInvalidError'
    >>> decode_stored("youtube", b"<html>").kind
    'unreadable'
    """
    if platform not in _READERS:
        raise ConfigError(f"Unknown platform {platform!r}.", fix="Use youtube or twitch.")
    body = body.removeprefix(codecs.BOM_UTF8)
    found = _parsed(body)
    if found is None:
        return _unreadable(_not_json(body), body)
    if isinstance(found, list) and found and all(map(_is_exchange, found)):
        return _recording(platform, found)
    headers: Mapping[str, str] = {}
    if isinstance(found, dict) and "body" in found and {"status", "source"} & found.keys():
        status = _said_status(found["status"]) if "status" in found else status
        headers = _headers(found.get("headers"))
        body = _as_bytes(found["body"])
    return _READERS[platform](body, status, headers, "")


def _youtube(body: bytes, status: int | None, headers: Mapping[str, str], _: str) -> DecodedFile:
    found = _parsed(body)
    fault = found.get("error") if isinstance(found, dict) else None
    if isinstance(fault, dict) or (status is not None and status >= _ERROR):
        code = fault.get("code") if isinstance(fault, dict) else None
        return _error(youtube_fault(_http_status(status or code), headers, body))
    kind = found.get("kind") if isinstance(found, dict) else None
    if not isinstance(found, dict) or not isinstance(kind, str):
        why = "The answer names no kind, so it is not one of YouTube's."
        if isinstance(found, dict) and isinstance(found.get("data"), list):
            why = "The answer names no kind, but has data: it looks like one of Twitch's."
        return _unreadable(why, body)
    if kind in youtube.KINDS:
        return _page(youtube.KINDS[kind], body)
    if kind in _SINGLE:
        return _accepted(_SINGLE[kind].kind, _SINGLE[kind].decode_item(body))
    return _unsupported(kind, found.get("items", []))


def _twitch(body: bytes, status: int | None, headers: Mapping[str, str], path: str) -> DecodedFile:
    found = _parsed(body)
    answer = found if isinstance(found, dict) else {}
    is_error = "message" in answer and "data" not in answer
    if is_error or (status is not None and status >= _ERROR):
        return _error(twitch_fault(_http_status(status or answer.get("status")), headers, body))
    if isinstance(answer.get("access_token"), str):
        return DecodedFile("token", 1)
    if isinstance(answer.get("data"), list):
        return _helix(answer["data"], body, path)
    if "client_id" in answer and "expires_in" in answer:
        return DecodedFile("validation", 1)
    if str(answer.get("kind")).startswith("youtube#"):
        return _unreadable(f"The answer is one of YouTube's: {answer['kind']}.", body)
    return _unreadable("The answer has neither data nor a token nor an error.", body)


def _helix(items: list[Any], body: bytes, path: str) -> DecodedFile:
    if path in twitch.BY_PATH:
        return _page(twitch.BY_PATH[path], body)
    if not items:
        return DecodedFile("empty")
    # One broken item may lack its marks, so the page is what most of its items are.
    votes: Counter[str] = Counter()
    decoders: dict[str, PageDecoder[Any]] = {}
    for item in items:
        keys = item.keys() if isinstance(item, dict) else set()
        for marks, decoder in _HELIX_MARKS:
            if marks <= keys:
                votes[decoder.kind] += 1
                decoders[decoder.kind] = decoder
                break
    if not votes:
        return _unsupported("a Helix list of this kind", items)
    return _page(decoders[votes.most_common(1)[0][0]], body)


_Reader = Callable[[bytes, int | None, Mapping[str, str], str], DecodedFile]
_READERS: Final[Mapping[str, _Reader]] = {"youtube": _youtube, "twitch": _twitch}


def _recording(platform: Platform, exchanges: list[dict[str, Any]]) -> DecodedFile:
    decoded = []
    for exchange in exchanges:
        response = exchange["response"]
        path = str(exchange["request"].get("uri", "")).partition("?")[0].partition("#")[0]
        decoded.append(
            _READERS[platform](
                _as_bytes(response.get("body")),
                _said_status(response.get("status")),
                _headers(response.get("headers")),
                path.rpartition("/helix/")[2],
            )
        )
    last = decoded[-1]
    return DecodedFile(
        kind=last.kind,
        items=sum(entry.items for entry in decoded if entry.kind == last.kind),
        rejected=tuple(item for entry in decoded for item in entry.rejected),
        error_class=last.error_class,
        message=last.message,
        exchanges=tuple(decoded),
    )


def _page(decoder: PageDecoder[Any], body: bytes) -> DecodedFile:
    try:
        page = decoder.decode(body, is_live=False)
    except MalformedError as error:
        return _unreadable(error.message, body)
    return _accepted(decoder.kind, page)


def _accepted(kind: str, page: DecodedPage) -> DecodedFile:
    return DecodedFile(kind, len(page), page.rejected)


def _error(error: SourceError) -> DecodedFile:
    return DecodedFile("error", error_class=type(error).__name__, message=str(error))


def _unsupported(what: str, items: object) -> DecodedFile:
    entries = items if isinstance(items, list) else []
    reason = f"AuraStream does not collect {what}"
    return DecodedFile(
        "unsupported",
        rejected=tuple(
            Rejected(_id_of(item), reason, printable(_as_bytes(item))) for item in entries
        ),
    )


def _not_json(body: bytes) -> str:
    text = body.strip()
    if not text:
        return "The file is empty."
    if text == b"null":
        return "The file says null: JSON without an answer."
    if body.startswith(_GZIP):
        return "The file is compressed; unpack it with gunzip first."
    return "The file is not JSON."


def _unreadable(why: str, body: bytes) -> DecodedFile:
    return DecodedFile(
        "unreadable",
        rejected=(Rejected(None, why, printable(body)),),
        error_class=MalformedError.__name__,
        message=f"{why} It goes to the quarantine whole.",
    )


def _id_of(item: object) -> str | None:
    found = item.get("id") if isinstance(item, dict) else None
    return found if isinstance(found, str) else None


def _is_exchange(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and isinstance(entry.get("request"), dict)
        and isinstance(entry.get("response"), dict)
    )


def _said_status(value: object) -> int | None:
    """Return a stored status, written as a number or as a text; None where it is neither."""
    try:
        return int(value) if isinstance(value, int | str) else None
    except ValueError:
        return None


def _http_status(value: object) -> int:
    """Return a status; an error body without one is at least a client error."""
    return value if isinstance(value, int) else _ERROR


def _headers(value: object) -> Mapping[str, str]:
    return {str(k): str(v) for k, v in value.items()} if isinstance(value, dict) else {}


def _as_bytes(value: object) -> bytes:
    if isinstance(value, str):
        return value.encode(errors="replace")
    return json.dumps(value).encode()


def _parsed(body: bytes) -> object:
    """Return what a body says; broken characters in one text need not hide the rest."""
    try:
        return json.loads(printable(body))
    except (ValueError, RecursionError):
        return None
