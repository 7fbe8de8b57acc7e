"""A subject in Redis: objects about them go, mentions are blanked, keys that name them go whole."""

import time
import zlib
from collections.abc import Iterator
from typing import Any, Final

import orjson
import redis

from aurastream.store.document_schemas import kind_of
from aurastream.store.purge_documents import redis_client
from aurastream.store.purge_subject import NAMES, OWNERS, Search, Subject
from aurastream.store.purge_subject_tables import emptied

__all__ = ["documented_names", "in_documents"]

# Fields of prose; the others hold keys, categories, terms and numbers.
_PATIENCE: Final = 600  # tenths of a second
_PROSE: Final = frozenset({"text", "message", "markdown", "description", "concept", "hook"})


def documented_names(url: str, subject: Subject) -> Iterator[tuple[str, str]]:
    """Yield field and value of the titles and names that documents give a subject."""
    with redis_client(url) as client:
        for key in client.scan_iter(count=1000, _type="STRING"):
            document = _json(client.get(key))
            if document is not None:
                yield from _names_in(document, subject)


def in_documents(url: str, subject: Subject, search: Search, *, remove: bool) -> None:
    """Count, and remove, what Redis says of a subject, by key; documents keep their end."""
    with redis_client(url) as client:
        for key in client.scan_iter(count=1000):
            target = key.decode("utf-8", "backslashreplace")
            kind: Any = client.type(key)
            if kind_of(target) is None and subject.blanked(target, with_names=False)[1]:
                search.add(target, 1)
                if remove:
                    client.delete(key)
            elif kind == b"string":
                search.add(target, _string(client, key, subject, remove=remove))
            elif kind != b"none":
                _structure(client, (key, target, kind), subject, search, remove=remove)
        if remove and search.counts:
            _forget_history(client, search)


def _forget_history(client: "redis.Redis", search: Search) -> None:
    """Have Redis write its log of writes anew, where it keeps one: it holds what documents said."""
    try:
        if not client.info("persistence").get("aof_enabled"):
            return
        client.bgrewriteaof()
        for _ in range(_PATIENCE):
            found = client.info("persistence")
            if not (found["aof_rewrite_in_progress"] or found["aof_rewrite_scheduled"]):
                return
            time.sleep(0.1)
        search.cannot("append-only file", "it is still being rewritten")
    except redis.ResponseError as error:
        search.cannot("append-only file", str(error))


def _string(client: "redis.Redis", key: bytes, subject: Subject, *, remove: bool) -> int:
    body = client.get(key)
    if not isinstance(body, bytes):
        return 0
    answer = _unpacked(body)
    if answer is not None:
        # Whole, because what is left would no longer be the answer its etag stands for.
        found = subject.blanked(answer)[1]
        if found and remove:
            client.delete(key)
        return found
    document = _json(body)
    if document is not None:
        changed, found = _cleaned(document, subject)
        written = orjson.dumps(changed)
    else:
        text, found = subject.blanked(body.decode("utf-8", "surrogateescape"))
        written = text.encode("utf-8", "surrogateescape")
    if found and remove:
        client.set(key, written, keepttl=True)
    return found


def _unpacked(body: bytes) -> str | None:
    """Return the answer that is kept, packed, with its etag; None of anything else."""
    _, _, packed = body.partition(b"\0")
    try:
        return zlib.decompress(packed).decode("utf-8", "surrogateescape")
    except zlib.error:
        return None


def _structure(
    client: "redis.Redis",
    where: tuple[bytes, str, bytes],
    subject: Subject,
    search: Search,
    *,
    remove: bool,
) -> None:
    """Look into what we never write: a hash, list, set or stream that names them goes whole."""
    key, target, kind = where
    reading: dict[bytes, Any] = {
        b"hash": lambda: client.hgetall(key),
        b"list": lambda: client.lrange(key, 0, -1),
        b"set": lambda: client.smembers(key),
        b"zset": lambda: client.zrange(key, 0, -1),
        b"stream": lambda: client.xrange(key),
    }
    if kind not in reading:
        search.cannot(target, f"a {kind.decode()} cannot be read")
        return
    found = sum(
        subject.blanked(text)[1] or _cleaned(_json(text.encode()), subject)[1]
        for text in _texts(reading[kind]())
    )
    search.add(target, found)
    if found and remove:
        client.delete(key)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, bytes):
        yield value.decode("utf-8", "backslashreplace")
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _texts(pair)
    elif isinstance(value, list | tuple | set):
        for item in value:
            yield from _texts(item)


def _json(body: object) -> Any | None:  # noqa: ANN401 # JSON
    if not isinstance(body, bytes):
        return None
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    return found if isinstance(found, dict | list) else None


def _names_in(value: object, subject: Subject) -> Iterator[tuple[str, str]]:
    if isinstance(value, list):
        for item in value:
            yield from _names_in(item, subject)
    elif isinstance(value, dict):
        if subject.owns(value):
            yield from ((k, v) for k, v in value.items() if k in NAMES and isinstance(v, str))
        for item in value.values():
            yield from _names_in(item, subject)


def _cleaned(value: Any, subject: Subject, name: str = "") -> tuple[Any, int]:  # noqa: ANN401 # JSON
    """Return JSON without the objects that are about a subject, and how many places changed.

    What says that it is about somebody else keeps its texts, whatever they say.
    """
    if isinstance(value, list):
        kept = [item for item in value if not _is_about(item, subject, name)]
        parts = [_cleaned(item, subject, name) for item in kept]
        return [p for p, _ in parts], len(value) - len(kept) + sum(n for _, n in parts)
    if isinstance(value, dict):
        is_theirs = subject.owns(value)
        if is_theirs:
            return emptied(value)
        pairs = {
            field: (item, 0)
            if is_theirs is False and not isinstance(item, dict | list)
            else _cleaned(item, subject, field)
            for field, item in value.items()
        }
        return {k: v for k, (v, _) in pairs.items()}, sum(n for _, n in pairs.values())
    return _leaf(value, subject, name) if isinstance(value, str) else (value, 0)


def _leaf(value: str, subject: Subject, name: str) -> tuple[str, int]:
    if name in OWNERS or name.endswith("_id"):
        return value, 0  # whose an object is was asked of the object
    is_prose = name in NAMES or name in _PROSE
    if value.isdecimal() and not is_prose:
        return value, 0
    return subject.blanked(value, with_names=is_prose)


def _is_about(item: object, subject: Subject, name: str) -> bool:
    if isinstance(item, dict):
        return bool(subject.owns(item))
    if not isinstance(item, str) or not item:
        return False
    kind = OWNERS.get(name.removeprefix("evidence_").removesuffix("s"))
    return item in (subject.ids[kind] if kind else subject.all_ids - {subject.identifier})
