"""The forgotten stay forgotten: rows of theirs are left out of every write.

Their ids are known by salted hashes only (``maintenance.forgotten`` for channels and users,
``maintenance.forgotten_items`` for their videos and clips). A write looks the list up in its own
transaction, under a lock that forgetting waits for: either the write ends before the search for the
forgotten begins, or it sees the list.
"""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ITEMS", "LOCK", "PLATFORM_OF", "Denied", "find_denied", "hash_of", "without_denied"]

# "forget" as one 64-bit number: writers share it, forgetting takes it alone.
LOCK: Final = 0x666F72676574
# Columns that say whose a row is, and on which platform. A video's id leads to its channel.
PLATFORM_OF: Final = {
    "channel_id": "youtube",
    "user_id": "twitch",
    "broadcaster_id": "twitch",
    "creator_id": "twitch",
}
# Their things, by the column that names one: a video's id leads to its channel, a clip's to a user.
ITEMS: Final = {"video_id": "youtube", "clip_id": "twitch"}


class _Cursor(Protocol):
    def execute(self, operation: str, /) -> object: ...
    def fetchall(self) -> Sequence[Sequence[object]]: ...


@dataclass(frozen=True, slots=True)
class Denied:
    """Hashed ids that no write may bring back; empty for most installations."""

    salt: str = ""
    hashes: frozenset[str] = frozenset()

    def has(self, platform: str, identifier: str) -> bool:
        """Whether somebody asked that this be forgotten."""
        return hash_of(self.salt, platform, identifier) in self.hashes


def hash_of(salt: str, platform: str, identifier: str) -> str:
    """Return the hash under which an id is denied.

    Examples
    --------
    >>> hash_of("a", "twitch", "123") == hash_of("b", "twitch", "123")
    False
    """
    return hashlib.sha256(f"{salt}:{platform}:{identifier}".encode()).hexdigest()


def find_denied(cursor: _Cursor) -> Denied:
    """Return who is denied, as of the transaction of a cursor, which then holds back forgetting."""
    cursor.execute(f"SELECT 1 FROM (SELECT pg_advisory_xact_lock_shared({LOCK})) AS x")  # noqa: S608 # ours
    cursor.fetchall()
    cursor.execute(
        "SELECT salt, subject_hash FROM maintenance.forgotten "
        "UNION ALL SELECT '', item_hash FROM maintenance.forgotten_items"
    )
    rows = cursor.fetchall()
    if not rows:
        return Denied()
    salt = next(str(salt) for salt, _ in rows if salt)
    return Denied(salt, frozenset(str(found) for _, found in rows))


def without_denied(
    rows: Sequence[pa.Table], denied: Denied
) -> tuple[list[pa.Table], frozenset[str]]:
    """Leave the rows of the denied out of the tables of one write.

    Parameters
    ----------
    rows : sequence of pyarrow.Table
        All of the write: who a video belongs to may stand in one of them alone.
    denied : Denied
        Who.

    Returns
    -------
    list of pyarrow.Table, frozenset of str
        The tables without them, and the ids of their videos and clips that were left out.
    """
    if not denied.hashes:
        return list(rows), frozenset()
    items: dict[str, set[str]] = {name: set() for name in ITEMS}
    first_pass: list[pa.Table] = []
    for table in rows:
        kept = table
        for column in PLATFORM_OF.keys() & set(table.column_names):
            mask = _denied_mask(kept.column(column), PLATFORM_OF[column], denied)
            for item in ITEMS.keys() & set(kept.column_names):
                if ITEMS[item] == PLATFORM_OF[column]:
                    items[item] |= set(kept.filter(mask).column(item).to_pylist())
            kept = kept.filter(pc.invert(mask))
        first_pass.append(kept)
    left = [_without_items(table, denied, items) for table in first_pass]
    return left, frozenset().union(*items.values())


def _without_items(
    table: pa.Table, denied: Denied, items: Mapping[str, Collection[str]]
) -> pa.Table:
    for name, found in items.items():
        if name not in table.column_names:
            continue
        column = table.column(name)
        mask = _denied_mask(column, ITEMS[name], denied)
        if found:
            mask = pc.or_(mask, pc.is_in(column, value_set=pa.array(sorted(found))))
        table = table.filter(pc.invert(mask))
    return table


def _denied_mask(column: pa.ChunkedArray, platform: str, denied: Denied) -> pa.Array:
    distinct = [value for value in pc.unique(column).to_pylist() if value]
    found = [value for value in distinct if denied.has(platform, str(value))]
    return pc.fill_null(pc.is_in(column, value_set=pa.array(found, pa.string())), False)  # noqa: FBT003 # Arrow's
