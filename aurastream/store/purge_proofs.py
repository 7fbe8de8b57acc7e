"""The proof of a purge, written so that no kill can part it from what it proves.

Rows of the record go piece by piece, and each piece adds itself to the proof in its own
transaction. Files and documents know no transactions: the proof names them before they go, and
says how many went when they are gone; one that names more than went is finished by the next purge.
A call that is repeated with the same moment goes on with the same proof.
"""

import datetime as dt
import uuid
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

import psycopg

from aurastream.store.purge import Doomed

__all__ = ["Headline", "Proof", "Purges", "Unfinished", "purges_of", "unfinished"]

_MOST_NAMED: Final = 100
_IDS: Final = uuid.UUID("7f1c8f0e-9d2b-4a53-8f5e-6b0a4c3d2e10")


@dataclass(frozen=True, slots=True)
class Headline:
    """What a proof says before anything went; see ``maintenance.purges``."""

    purged_at: dt.datetime
    store: str
    target: str
    action: str
    reason: str
    mode: str
    cutoff: dt.datetime | None
    run_id: str | None

    @property
    def purge_id(self) -> str:
        """Return the id, the same for the same call."""
        return str(
            uuid.uuid5(
                _IDS, f"{self.purged_at.isoformat()} {self.store} {self.target} {self.action}"
            )
        )


@dataclass(slots=True)
class Proof:
    """One row of ``maintenance.purges`` as it grows.

    Parameters
    ----------
    connection : psycopg.Connection
        The one that purges.
    headline : Headline
        What, why and when.
    before : int
        Items before the first piece went.
    gone : Doomed
        What went in this call.
    """

    connection: psycopg.Connection
    headline: Headline
    before: int
    gone: Doomed = field(default_factory=Doomed)

    def note(self, piece: Doomed) -> None:
        """Add a piece that goes; call it in the transaction that takes it away."""
        self._grow(items=piece.rows, size=piece.bytes, parts=piece.parts, left=-piece.rows)
        self.gone = Doomed(
            self.gone.rows + piece.rows,
            self.gone.bytes + piece.bytes,
            (*self.gone.parts, *piece.parts),
        )

    def announce(self, parts: Sequence[str], size: int) -> None:
        """Name what will go, before it goes."""
        self._grow(items=0, size=size, parts=parts, left=0)

    def fulfil(self, parts: Sequence[str], size: int) -> None:
        """Say that what was announced has gone.

        Files keep their names for good; of documents and runs, of which thousands go, some do.
        """
        most = None if self.headline.store == "archive" else _MOST_NAMED
        self.connection.execute(
            "UPDATE maintenance.purges SET items = items + %s, after_count = after_count - %s, "
            "parts = parts[1:coalesce(%s, cardinality(parts))] WHERE purge_id = %s",
            (len(parts), len(parts), most, self.headline.purge_id),
        )
        self.gone = Doomed(len(parts), size, tuple(parts))

    def close(self, after: int) -> None:
        """Write down how many are left, counted again."""
        self.connection.execute(
            "UPDATE maintenance.purges SET after_count = %s WHERE purge_id = %s",
            (after, self.headline.purge_id),
        )

    def _grow(self, *, items: int, size: int, parts: Sequence[str], left: int) -> None:
        head = self.headline
        self.connection.execute(
            "INSERT INTO maintenance.purges AS p (purge_id, purged_at, store, target, action, "
            "reason, mode, cutoff, items, bytes, parts, before_count, after_count, run_id) "
            "VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) "
            "ON CONFLICT (purge_id) DO UPDATE SET items = p.items + excluded.items, "
            "bytes = p.bytes + excluded.bytes, parts = p.parts || excluded.parts, "
            "after_count = p.after_count - excluded.items",
            (
                head.purge_id,
                head.purged_at,
                head.store,
                head.target,
                head.action,
                head.reason,
                head.mode,
                head.cutoff,
                items,
                size,
                list(parts),
                self.before,
                self.before + left,
                head.run_id,
            ),
        )


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A proof that names files or documents which may still be there."""

    purge_id: str
    store: str
    target: str
    parts: tuple[str, ...]

    def settle(self, connection: psycopg.Connection, gone: Collection[str]) -> None:
        """Let the proof name what is gone, and nothing else; without any, there was no purge."""
        parts = [part for part in self.parts if part in gone]
        if not parts:
            connection.execute(
                "DELETE FROM maintenance.purges WHERE purge_id = %s", (self.purge_id,)
            )
            return
        connection.execute(
            "UPDATE maintenance.purges SET parts = %s, items = %s, bytes = bytes * %s / %s, "
            "after_count = before_count - %s WHERE purge_id = %s",
            (parts, len(parts), len(parts), len(self.parts), len(parts), self.purge_id),
        )


def unfinished(
    connection: psycopg.Connection, stores: Collection[str] = ("archive", "redis")
) -> list[Unfinished]:
    """Return the proofs of purges that were interrupted among files, documents or runs."""
    rows = connection.execute(
        "SELECT purge_id::text, store, target, parts FROM maintenance.purges "
        "WHERE store = ANY(%s) AND items < cardinality(parts) ORDER BY purged_at, 1",
        (list(stores),),
    ).fetchall()
    return [Unfinished(key, store, target, tuple(parts)) for key, store, target, parts in rows]


@dataclass(frozen=True, slots=True)
class Purges:
    """Which days of a table were purged before, wholly or in part.

    Parameters
    ----------
    parts : frozenset of str
        Partitions that were dropped.
    cutoff : datetime or None
        The latest moment before which rows were deleted.
    was_emptied : bool
        Whether all rows went at some time.
    """

    parts: frozenset[str] = frozenset()
    cutoff: dt.datetime | None = None
    was_emptied: bool = False

    def touched(self, table: str, day: dt.date) -> bool:
        """Whether rows of a day may have gone."""
        midnight = dt.datetime(day.year, day.month, day.day, tzinfo=dt.UTC)
        return (
            self.was_emptied
            or f"{table}_p{day:%Y%m%d}" in self.parts
            or (self.cutoff is not None and self.cutoff > midnight)
        )


def purges_of(connection: psycopg.Connection, table: str) -> Purges:
    """Return what the proofs say of a table."""
    row = connection.execute(
        "SELECT coalesce(array_agg(DISTINCT part) FILTER (WHERE part IS NOT NULL), '{}'), "
        "max(cutoff) FILTER (WHERE action = 'delete_rows'), "
        "coalesce(bool_or(action = 'empty'), false) "
        "FROM maintenance.purges LEFT JOIN LATERAL unnest(parts) AS part ON true "
        "WHERE store = 'table' AND target = %s",
        (table,),
    ).fetchone()
    if row is None:
        return Purges()
    return Purges(frozenset(row[0]), row[1], bool(row[2]))
