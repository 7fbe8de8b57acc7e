"""Forgetting a channel or a user, in every store, with a proof.

The order makes it safe to kill at any point: first the list of the denied, so that nothing new
arrives; then the copies (Dagster's metadata, files, hot documents, spool, archive); last the
record, and of it last the tables that say who somebody is. A second call finds what a killed one
left, and on a finished one nothing. What cannot be looked into is named; the rest is done.
"""

import datetime as dt
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

import psycopg
import pyarrow as pa
from psycopg.types.json import Jsonb

from aurastream.core.errors import AuraStreamError
from aurastream.operations.archive import open_archive, refresh_manifests
from aurastream.operations.policy import declared_facts
from aurastream.settings import Settings
from aurastream.store import purge_subject_rows as kept_rows
from aurastream.store import purge_subject_tables as tables
from aurastream.store.archive import Archive
from aurastream.store.archive_manifest import Manifests
from aurastream.store.errors import StoreError
from aurastream.store.purge import Relation, connect, relations
from aurastream.store.purge_denied import LOCK, hash_of
from aurastream.store.purge_subject import Search, Subject
from aurastream.store.purge_subject_dagster import in_dagster
from aurastream.store.purge_subject_documents import documented_names, in_documents
from aurastream.store.purge_subject_files import in_files
from aurastream.store.spool import Spool

__all__ = ["ForgetError", "Forgotten", "forget", "platform_of"]

_CHANNEL: Final = re.compile(r"UC[\w-]{22}")
_TEXTS: Final = frozenset({"text", "jsonb", "json", "text[]", "character varying", "bytea"})


class ForgetError(AuraStreamError):
    """It is not clear who is to be forgotten."""


@dataclass(frozen=True, slots=True)
class Forgotten:
    """What was done.

    Parameters
    ----------
    subject_hash : str
        Under which the proof is kept.
    platform : str
        youtube or twitch.
    counts : dict of str to int
        Rows, mentions and documents removed or blanked by this call, by ``store/target``.
    remaining : dict of str to int
        What a second search still found; empty when all is gone.
    unsearched : dict of str to str
        What could not be looked into, and why; empty when everything was.
    """

    subject_hash: str
    platform: str
    counts: dict[str, int]
    remaining: dict[str, int]
    unsearched: dict[str, str] = field(default_factory=dict)

    @property
    def is_complete(self) -> bool:
        """Whether everything was looked into and nothing was left."""
        return not self.remaining and not self.unsearched

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "subject_hash": self.subject_hash,
            "platform": self.platform,
            "counts": self.counts,
            "remaining": self.remaining,
            "unsearched": self.unsearched,
        }


def platform_of(identifier: str) -> str:
    """Return which platform an id belongs to.

    Raises
    ------
    ForgetError
        When it is the id of neither.

    Examples
    --------
    >>> platform_of("UCX6OQ3DkcsbYNE6H8uQQuVA"), platform_of("71092938")
    ('youtube', 'twitch')
    """
    if _CHANNEL.fullmatch(identifier):
        return "youtube"
    if identifier.isascii() and identifier.isdecimal():
        return "twitch"
    raise ForgetError(
        f"{identifier!r} is no id of a channel or a user.",
        fix="Give a YouTube channel id (UC and 22 more characters) or a Twitch user id (a number); "
        "a name may pass to somebody else.",
    )


def forget(
    settings: Settings, identifier: str, now: dt.datetime, *, names: Sequence[str] = ()
) -> Forgotten:
    """Remove everything about a channel or user, and never let it come back.

    Parameters
    ----------
    settings : Settings
        The installation.
    identifier : str
        YouTube channel id or Twitch user id.
    now : datetime
        Aware.
    names : sequence of str
        Names and titles to search by as well; the record may not know them any more.

    Raises
    ------
    ForgetError
        When the id is none.
    StoreError
        When the record does not answer; the call can be repeated.
    """
    platform = platform_of(identifier)
    archive = open_archive(settings)
    with connect(settings.require_postgres()) as connection:
        connection.execute("SET lock_timeout = '60s'")
        salt = _deny(connection, platform, identifier, now)
        hashed = hash_of(salt, platform, identifier)
        found = relations(settings.require_postgres())
        known = _Known(settings, connection, archive, found)
        subject = known.subject(Subject(platform, identifier), salt, hashed, names)
        _deny_items(connection, salt, hashed, subject)
        with connection.transaction():
            # Writers that have not seen the list end first.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        done = _Round(settings, connection, archive, subject, remove=True).run()
        left = _Round(settings, connection, archive, subject, remove=False).run()
        unsearched = {**done.unsearched, **left.unsearched}
        if not (subject.names or names or known.has_been_completed(hashed)):
            unsearched["names"] = (
                "No name of theirs is known any more, so texts were searched for ids only. "
                "Give the names with --name."
            )
        result = Forgotten(hashed, platform, done.counts, left.counts, unsearched)
        _prove(connection, result, now)
    return result


@dataclass(frozen=True, slots=True)
class _Known:
    """What the stores know of somebody."""

    settings: Settings
    connection: psycopg.Connection
    archive: Archive
    found: Sequence[Relation]

    def subject(self, subject: Subject, salt: str, hashed: str, given: Sequence[str]) -> Subject:
        """Return the subject with everything it is recognised by."""
        platform, identifier = subject.platform, subject.identifier
        ids = tables.known_ids(self.connection, platform, identifier, self.found)
        names = tables.known_names(self.connection, platform, identifier, self.found)
        names.setdefault("given", set()).update(given)
        denied = self._denied_items(hashed)
        for table, rows in self._kept():
            more, named = kept_rows.learned(
                table, rows, identifier, is_youtube=platform == "youtube"
            )
            ids |= more
            for column, values in named.items():
                names.setdefault(column, set()).update(values)
            item = "video_id" if platform == "youtube" else "clip_id"
            if denied and item in rows.schema.names:
                items = rows.column(item).unique().to_pylist()
                ids |= {v for v in items if v and hash_of(salt, platform, str(v)) in denied}
        if platform == "youtube":
            subject = replace(subject, videos=frozenset(ids))
        else:
            subject = replace(subject, clips=frozenset(ids))
        if self.settings.redis_url is not None:
            try:
                for column, value in documented_names(self.settings.require_redis(), subject):
                    names.setdefault(column, set()).add(value)
            except StoreError:
                pass  # said when it is searched
        words = tables.vocabulary(self.connection, self.found)
        distinct = {
            name
            for values in names.values()
            for name in map(str.strip, values)
            if name and name.casefold() not in words
        }
        logins = {login.lower() for login in names.get("user_login", ()) if login.strip()}
        return replace(
            subject,
            is_word=identifier in words,
            logins=frozenset(logins),
            names=frozenset(distinct),
            ambiguous=frozenset(
                tables.ambiguous_names(self.connection, distinct, identifier, self.found)
            ),
        )

    def has_been_completed(self, hashed: str) -> bool:
        """Whether an earlier call left nothing, when the names were still known."""
        row = self.connection.execute(
            "SELECT completed_at IS NOT NULL FROM maintenance.forgotten WHERE subject_hash = %s",
            (hashed,),
        ).fetchone()
        return bool(row and row[0])

    def _denied_items(self, hashed: str) -> frozenset[str]:
        rows = self.connection.execute(
            "SELECT item_hash FROM maintenance.forgotten_items WHERE subject_hash = %s", (hashed,)
        ).fetchall()
        return frozenset(str(item) for (item,) in rows)

    def _kept(self) -> Iterator[tuple[str, pa.Table]]:
        """Yield what lies outside the record; what cannot be read is said when it is searched."""
        waiting: list[tuple[str, pa.Table]] = []

        def note(table: str, rows: pa.Table) -> pa.Table:
            waiting.append((table, rows))
            return rows

        Spool(_spool(self.settings)).revise(note)
        yield from waiting
        try:
            yield from kept_rows.archived_tables(self.archive, Search())
        except StoreError:
            return


@dataclass(slots=True)
class _Round:
    """One search of every store."""

    settings: Settings
    connection: psycopg.Connection
    archive: Archive
    subject: Subject
    remove: bool
    total: Search = field(default_factory=Search)
    is_whole: bool = True

    def run(self) -> Search:
        """Look everywhere, the record last; a store that does not answer stops no other."""
        self._look("dagster", self._in_dagster)
        self._look("files", self._in_files)
        if self.settings.redis_url is not None:
            self._look("redis", self._in_documents)
        self._look("spool", self._in_spool)
        self._look("archive", self._in_archive)
        self._look("table", self._in_tables)
        return self.total

    def _look(self, store: str, search_in: Callable[[Search], None]) -> None:
        search = Search()
        try:
            search_in(search)
        except StoreError as error:
            self.is_whole = False
            self.total.cannot(store, error)
        for target, count in sorted(search.counts.items()):
            self.total.add(f"{store}/{target}", count)
        for target, reason in sorted(search.unsearched.items()):
            self.total.cannot(f"{store}/{target}", reason)

    def _in_dagster(self, search: Search) -> None:
        in_dagster(self.connection, self.subject, search, remove=self.remove)

    def _in_files(self, search: Search) -> None:
        data = self.settings.data_dir
        others = [data / "postgres" / "pgdata", data / "redis" / "data", _spool(self.settings)]
        if self.settings.archive_url is None:
            others.append(data / "archive")
        in_files(data, self.subject, search, remove=self.remove, skip=others)

    def _in_documents(self, search: Search) -> None:
        in_documents(self.settings.require_redis(), self.subject, search, remove=self.remove)

    def _in_spool(self, search: Search) -> None:
        kept_rows.in_spool(Spool(_spool(self.settings)), self.subject, search, remove=self.remove)

    def _in_archive(self, search: Search) -> None:
        manifests = Manifests(self.archive)
        try:
            kept_rows.in_archive(self.archive, manifests, self.subject, search, remove=self.remove)
        finally:
            refresh_manifests(self.settings, self.archive, manifests)

    def _in_tables(self, search: Search) -> None:
        found = relations(self.settings.require_postgres())
        for relation in found:
            for column in _undeclared(relation):
                search.cannot(f"{relation.name}.{column}", "nobody declared what it holds")
        # Without them, the next call could not search a store that does not answer now.
        kept = tables.LAST if self.remove and not self.is_whole else ()
        reached = [relation for relation in found if relation.name not in kept]
        tables.in_tables(self.connection, self.subject, reached, search, remove=self.remove)


def _spool(settings: Settings) -> Path:
    return settings.data_dir / "spool"


def _undeclared(relation: Relation) -> list[str]:
    """Return the columns that may hold anything, for nobody said what they hold."""
    declared = declared_facts().get(relation.name)
    known = declared.policies if declared else {}
    if relation.name == "operations.alembic_version":
        known = {"version_num": "ops"}
    return [
        name
        for name, kind in relation.columns.items()
        if known.get(name) is None and kind in _TEXTS
    ]


def _deny(connection: psycopg.Connection, platform: str, identifier: str, now: dt.datetime) -> str:
    """Put the subject on the list; returns the installation's salt, made with the first entry."""
    with connection.transaction():
        connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        row = connection.execute("SELECT salt FROM maintenance.forgotten LIMIT 1").fetchone()
        salt = str(row[0]) if row else secrets.token_hex(16)
        connection.execute(
            "INSERT INTO maintenance.forgotten (subject_hash, platform, salt, first_asked_at, "
            "last_asked_at, requests, counts) VALUES (%s, %s, %s, %s, %s, 1, '{}') "
            "ON CONFLICT (subject_hash) DO UPDATE SET last_asked_at = excluded.last_asked_at, "
            "requests = forgotten.requests + 1",
            (hash_of(salt, platform, identifier), platform, salt, now, now),
        )
    return salt


def _deny_items(
    connection: psycopg.Connection, salt: str, subject_hash: str, subject: Subject
) -> None:
    items: Iterable[str] = subject.videos | subject.clips
    rows = [(hash_of(salt, subject.platform, item), subject_hash) for item in items]
    if rows:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO maintenance.forgotten_items (item_hash, subject_hash) "
                "VALUES (%s, %s) ON CONFLICT DO NOTHING",
                rows,
            )


def _prove(connection: psycopg.Connection, result: Forgotten, now: dt.datetime) -> None:
    with connection.transaction():
        row = connection.execute(
            "SELECT counts FROM maintenance.forgotten WHERE subject_hash = %s FOR UPDATE",
            (result.subject_hash,),
        ).fetchone()
        before: dict[str, int] = row[0] if row else {}
        total = {
            target: before.get(target, 0) + result.counts.get(target, 0)
            for target in sorted({*before, *result.counts})
        }
        connection.execute(
            "UPDATE maintenance.forgotten SET counts = %(total)s, remaining = %(left)s, "
            "completed_at = CASE WHEN %(left)s = 0 AND (completed_at IS NULL OR %(found)s) "
            "THEN %(now)s ELSE completed_at END WHERE subject_hash = %(subject)s",
            {
                "total": Jsonb(total),
                "left": sum(result.remaining.values()) + len(result.unsearched),
                "found": bool(result.counts),
                "now": now,
                "subject": result.subject_hash,
            },
        )
