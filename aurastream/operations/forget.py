"""Forgetting a channel or a user, in every store, with a proof.

The order makes it safe to kill at any point: first the list of the denied, so that nothing new
arrives; then the copies (Dagster's metadata, logs, hot documents, archive); last the record, whose
``collection.youtube_videos`` says whose a video was. A second call finds what a killed one left,
and on a finished one nothing.
"""

import datetime as dt
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import psycopg
import pyarrow.compute as pc
from psycopg.types.json import Jsonb

from aurastream.core.errors import AuraStreamError
from aurastream.operations.archive import open_archive, refresh_manifests
from aurastream.settings import Settings
from aurastream.store import purge_subject as stores
from aurastream.store.archive import Archive
from aurastream.store.purge import connect, relations
from aurastream.store.purge_denied import LOCK, hash_of
from aurastream.store.purge_subject import Subject

__all__ = ["ForgetError", "Forgotten", "forget", "platform_of"]

_CHANNEL: Final = re.compile(r"UC[\w-]{22}")


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
    """

    subject_hash: str
    platform: str
    counts: dict[str, int]
    remaining: dict[str, int]

    def as_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "subject_hash": self.subject_hash,
            "platform": self.platform,
            "counts": self.counts,
            "remaining": self.remaining,
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


def forget(settings: Settings, identifier: str, now: dt.datetime) -> Forgotten:
    """Remove everything about a channel or user, and never let it come back.

    Parameters
    ----------
    settings : Settings
        The installation.
    identifier : str
        YouTube channel id or Twitch user id.
    now : datetime
        Aware.

    Raises
    ------
    ForgetError
        When the id is none.
    StoreError
        When a store does not answer; what was reached is gone, and the call can be repeated.
    """
    platform = platform_of(identifier)
    archive = open_archive(settings)
    with connect(settings.require_postgres()) as connection:
        connection.execute("SET lock_timeout = '60s'")
        salt = _deny(connection, platform, identifier, now)
        subject = _subject(settings, connection, archive, identifier)
        hashed = hash_of(salt, platform, identifier)
        _deny_videos(connection, salt, hashed, subject.videos)
        with connection.transaction():
            # Writers that have not seen the list end first.
            connection.execute("SELECT pg_advisory_xact_lock(%s)", (LOCK,))
        counts = _everywhere(settings, connection, archive, subject, remove=True)
        remaining = _everywhere(settings, connection, archive, subject, remove=False)
        _prove(connection, hashed, counts, remaining, now)
    return Forgotten(hashed, platform, counts, remaining)


def _everywhere(
    settings: Settings,
    connection: psycopg.Connection,
    archive: Archive,
    subject: Subject,
    *,
    remove: bool,
) -> dict[str, int]:
    url = settings.require_postgres()
    folders = [settings.data_dir / "dagster" / "storage", settings.data_dir / "logs"]
    counts = {"dagster": stores.in_dagster(connection, subject, remove=remove)}
    counts["files"] = stores.in_files(folders, subject, remove=remove)
    if settings.redis_url is not None:
        counts["redis"] = stores.in_documents(settings.require_redis(), subject, remove=remove)
    counts["archive"] = stores.in_archive(archive, subject, remove=remove)
    if remove and counts["archive"]:
        refresh_manifests(settings, archive)
    counts["table"] = stores.in_tables(connection, subject, relations(url), remove=remove)
    return {
        f"{store}/{target}": count
        for store, found in counts.items()
        for target, count in sorted(found.items())
    }


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


def _deny_videos(
    connection: psycopg.Connection, salt: str, subject_hash: str, videos: Iterable[str]
) -> None:
    rows = [(hash_of(salt, "youtube", video), subject_hash) for video in videos]
    if rows:
        with connection.transaction(), connection.cursor() as cursor:
            cursor.executemany(
                "INSERT INTO maintenance.forgotten_items (item_hash, subject_hash) "
                "VALUES (%s, %s) ON CONFLICT DO NOTHING",
                rows,
            )


def _subject(
    settings: Settings, connection: psycopg.Connection, archive: Archive, identifier: str
) -> Subject:
    platform = platform_of(identifier)
    names = stores.names_of(connection, platform, identifier)
    videos: set[str] = set()
    if platform == "youtube":
        found = relations(settings.require_postgres())
        videos = stores.videos_of(connection, identifier, found)
        videos |= _archived_videos(archive, identifier)
    return Subject(platform, identifier, frozenset(videos), frozenset(names))


def _archived_videos(archive: Archive, channel: str) -> set[str]:
    """Return the channel's videos that only the archive knows any more."""
    videos: set[str] = set()
    for dataset in archive.datasets():
        for path in archive.files(dataset):
            if not {"video_id", "channel_id"} <= set(archive.schema(path).names):
                break  # the files of a table are alike
            rows = archive.read(path)
            theirs = rows.filter(pc.equal(rows.column("channel_id"), channel))
            videos |= set(theirs.column("video_id").to_pylist())
    return videos


def _prove(
    connection: psycopg.Connection,
    subject_hash: str,
    counts: dict[str, int],
    remaining: dict[str, int],
    now: dt.datetime,
) -> None:
    with connection.transaction():
        row = connection.execute(
            "SELECT counts FROM maintenance.forgotten WHERE subject_hash = %s FOR UPDATE",
            (subject_hash,),
        ).fetchone()
        before: dict[str, int] = row[0] if row else {}
        total = {
            target: before.get(target, 0) + counts.get(target, 0)
            for target in sorted({*before, *counts})
        }
        connection.execute(
            "UPDATE maintenance.forgotten SET counts = %(total)s, remaining = %(left)s, "
            "completed_at = CASE WHEN %(left)s = 0 AND (completed_at IS NULL OR %(found)s) "
            "THEN %(now)s ELSE completed_at END WHERE subject_hash = %(subject)s",
            {
                "total": Jsonb(total),
                "left": sum(remaining.values()),
                "found": bool(counts),
                "now": now,
                "subject": subject_hash,
            },
        )
