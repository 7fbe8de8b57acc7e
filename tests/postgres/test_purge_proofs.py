"""A purge that is killed in the middle of a target: nothing goes unproved or unarchived."""

import datetime as dt
import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from aurastream.operations.archive import archive_month, compare_month, open_archive
from aurastream.operations.retention import purge
from aurastream.settings import REPO_ROOT, Settings
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore, Replace, Upsert
from aurastream.store.purge import connect, drop_days

Rows = Callable[..., pd.DataFrame]
NOW = dt.datetime(2026, 11, 21, 3, 3, tzinfo=dt.UTC)
OLD = dt.datetime(2026, 11, 12, 10, tzinfo=dt.UTC)
NOVEMBER = dt.date(2026, 11, 1)
TRENDING, STREAMS = "collection.youtube_trending", "collection.twitch_streams"
VIDEOS = "collection.youtube_videos"
SCORES, HISTORY = "intelligence.category_stats", "maintenance.score_history"


def _fill(store: FrameStore, rows: Rows) -> None:
    for age in range(10):
        at = NOW - dt.timedelta(days=age)
        seen = [{"video_id": name, "metadata_hash": "a"} for name in ("a", "b")]
        store.commit([Append(TRENDING, rows(TRENDING, seen, at=at))])
        store.commit([Append(STREAMS, rows(STREAMS, [{"stream_id": str(age)}], at=at))])
    gone = [{"video_id": name, "metadata_hash": "before"} for name in ("a", "b")]
    store.commit([Upsert(VIDEOS, rows(VIDEOS, gone, at=NOW - dt.timedelta(days=9)))])


def _settings(url: str, folder: Path) -> Settings:
    return Settings(postgres_url=SecretStr(url), data_dir=folder / "data", retention_days=5)


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return _settings(database_url, tmp_path)


@pytest.fixture
def clean(postgres_server: EmbeddedPostgres, rows: Rows, tmp_path: Path) -> Iterator[Settings]:
    """The same installation, which nobody will kill."""
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as admin:
        admin.execute("create database purged_cleanly template aurastream_template")
        try:
            url = postgres_server.url_of("purged_cleanly")
            with FrameStore(url) as store:
                _fill(store, rows)
            yield _settings(url, tmp_path / "clean")
        finally:
            admin.execute("drop database purged_cleanly with (force)")


def _state(settings: Settings) -> dict[str, str]:
    """Return checksums of the record, the archive and the proofs."""
    with psycopg.connect(settings.require_postgres()) as connection:
        found = {}
        for table in (TRENDING, STREAMS, VIDEOS):
            query = sql.SQL("select md5(string_agg(t::text, '|' order by t::text)) from {} t")
            row = connection.execute(query.format(sql.Identifier(*table.split(".")))).fetchone()
            assert row is not None
            found[table] = str(row[0])
        # Single rows have no size of their own, so that theirs is an estimate.
        found["proofs"] = str(
            connection.execute(
                "select purge_id, purged_at, store, target, action, reason, mode, cutoff, items,"
                " case when action <> 'delete_rows' then bytes end, before_count, after_count,"
                " array(select p from unnest(parts) p order by p) from maintenance.purges"
                " order by store, target, action"
            ).fetchall()
        )
    root = settings.data_dir / "archive"
    for path in sorted(root.rglob("*")):
        if path.is_file():
            found[str(path.relative_to(root))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def _purge_and_die(settings: Settings, where: str, at: int) -> None:
    """Purge in a process that is killed at the n-th call of a function, just before or after."""
    module, _, rest = where.partition(":")
    name, _, moment = rest.partition(":")
    program = f"""
import datetime, importlib, os, pathlib, signal
from pydantic import SecretStr
from aurastream.operations.retention import purge
from aurastream.settings import Settings
owner = importlib.import_module({module!r})
*path, name = {name!r}.split(".")
for part in path:
    owner = getattr(owner, part)
real, calls = getattr(owner, name), []
def counting(*args, **options):
    calls.append(1)
    if len(calls) == {at} and {moment!r} == "before":
        os.kill(os.getpid(), signal.SIGKILL)
    found = real(*args, **options)
    if len(calls) == {at}:
        os.kill(os.getpid(), signal.SIGKILL)
    return found
setattr(owner, name, counting)
settings = Settings(
    postgres_url=SecretStr({settings.require_postgres()!r}),
    data_dir=pathlib.Path({str(settings.data_dir)!r}),
    retention_days=5,
    policy_mode={settings.policy_mode!r},
)
purge(settings, datetime.datetime.fromisoformat({NOW.isoformat()!r}))
"""
    killed = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=REPO_ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr


PROOF = "aurastream.store.purge_proofs:Proof"


@pytest.mark.parametrize(
    ("where", "at"),
    [
        (f"{PROOF}.note:before", 3),
        (f"{PROOF}.note:after", 6),
        (f"{PROOF}.close:before", 1),
        ("aurastream.store.archive:Archive.write:after", 2),
    ],
)
def test_a_purge_killed_within_a_target_ends_as_one_that_was_not(
    settings: Settings, clean: Settings, store: FrameStore, rows: Rows, *, where: str, at: int
) -> None:
    _fill(store, rows)
    purge(clean, NOW)

    _purge_and_die(settings, where, at)
    assert _state(settings) != _state(clean)
    purge(settings, NOW)

    assert _state(settings) == _state(clean)


@pytest.mark.parametrize(
    ("where", "at"),
    [
        ("aurastream.store.archive:Archive.remove:after", 2),
        ("aurastream.store.archive:Archive.remove:after", 4),
        (f"{PROOF}.fulfil:before", 1),
    ],
)
def test_files_that_went_before_a_kill_are_proved_by_the_next_purge(
    settings: Settings, clean: Settings, store: FrameStore, rows: Rows, *, where: str, at: int
) -> None:
    _fill(store, rows)
    both = []
    for each in (settings, clean):
        archive_month(each, open_archive(each), NOVEMBER)
        both.append(each.model_copy(update={"policy_mode": "amended"}))
    killed, unharmed = both
    purge(unharmed, NOW)

    _purge_and_die(killed, where, at)
    purge(killed, NOW)

    assert open_archive(killed).files(STREAMS) == []
    # Which moment a month was archived at is not what this is about.
    assert _state(killed) == _state(unharmed)


@pytest.fixture
def filled(store: FrameStore, rows: Rows) -> FrameStore:
    _fill(store, rows)
    return store


def _archived(settings: Settings, table: str) -> pd.DataFrame:
    archive = open_archive(settings)
    return archive.read(archive.path_of(table, OLD.date())).to_pandas()


def test_rows_that_came_after_their_day_was_archived_are_archived_before_it_goes(
    settings: Settings, filled: FrameStore, rows: Rows
) -> None:
    archive_month(settings, open_archive(settings), NOVEMBER)
    late = rows(TRENDING, [{"video_id": "late"}], at=OLD)
    filled.commit([Append(TRENDING, late)])

    purge(settings, NOW)

    assert set(_archived(settings, TRENDING)["video_id"]) == {"a", "b", "late"}
    assert filled.read(TRENDING)["observed_at"].min() > pd.Timestamp(OLD)
    # The manifest knows the new file: comparing does not call it damaged.
    assert any(list(compare_month(settings, open_archive(settings), NOVEMBER)))


def test_rows_that_came_after_their_day_was_dropped_are_added_to_the_archive(
    settings: Settings, filled: FrameStore, rows: Rows
) -> None:
    purge(settings, NOW)
    filled.forget_partitions()
    late = rows(TRENDING, [{"video_id": "late"}], at=OLD)
    filled.commit([Append(TRENDING, late)])

    archive_month(settings, open_archive(settings), NOVEMBER)
    assert set(_archived(settings, TRENDING)["video_id"]) == {"a", "b", "late"}

    purge(settings, NOW + dt.timedelta(days=1))
    assert set(_archived(settings, TRENDING)["video_id"]) == {"a", "b", "late"}


def test_a_window_that_was_scored_again_is_archived_as_it_is_now(
    settings: Settings, store: FrameStore, rows: Rows
) -> None:
    window = (OLD, OLD + dt.timedelta(minutes=30))
    before = rows(SCORES, [{"category": "a"}, {"category": "b"}], at=OLD)
    store.commit([Replace(SCORES, before, *window)])
    archive_month(settings, open_archive(settings), NOVEMBER)
    store.commit([Replace(SCORES, before[before["category"] == "b"], *window)])

    purge(settings, NOW)

    assert _archived(settings, SCORES)["category"].tolist() == ["b"]


def test_a_day_that_somebody_wrote_to_after_it_was_archived_stays(
    filled: FrameStore,
) -> None:
    with connect(filled.url) as connection:
        assert drop_days(connection, TRENDING, [OLD.date()], archived={OLD.date(): 1}).parts == ()
        assert len(drop_days(connection, TRENDING, [OLD.date()], archived={OLD.date(): 2}).parts)


def test_earlier_versions_of_scores_made_of_twitch_end_after_a_day(
    settings: Settings, filled: FrameStore
) -> None:
    for asset in ("intelligence/competition", "intelligence/viral_scores"):
        for hours in (2, 30):
            filled.execute(
                f"insert into {HISTORY} values ('{NOW - dt.timedelta(hours=hours)}',"
                f" '{asset}', '1', '{{}}', '{{}}', now())"
            )

    purge(settings.model_copy(update={"policy_mode": "amended"}), NOW)

    left = filled.read(HISTORY)["asset"].tolist()
    assert sorted(left) == [
        "intelligence/competition",
        "intelligence/viral_scores",
        "intelligence/viral_scores",
    ]
