"""A purge that is killed, held up or cannot archive first: the next one ends where it should."""

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import psycopg
import pytest
from pydantic import SecretStr

from aurastream.operations.archive import archive_month, open_archive, restore_month
from aurastream.operations.retention import examine, plan_retention, purge
from aurastream.settings import REPO_ROOT, Settings
from aurastream.store.errors import ArchiveError
from aurastream.store.frames import Append, FrameStore, Upsert

Rows = Callable[..., pd.DataFrame]
NOW = dt.datetime(2026, 11, 21, 3, 3, tzinfo=dt.UTC)
TRENDING, CRAWLS = "collection.youtube_trending", "operations.crawls"
STREAMS, VIDEOS = "collection.twitch_streams", "collection.youtube_videos"


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(
        postgres_url=SecretStr(database_url), data_dir=tmp_path / "data", retention_days=5
    )


@pytest.fixture
def filled(store: FrameStore, rows: Rows) -> FrameStore:
    """Ten days of three tables, and metadata versions that crawls confirmed or did not."""
    for age in range(10):
        at = NOW - dt.timedelta(days=age)
        seen = [{"video_id": "seen", "metadata_hash": "a"}]
        store.commit([Append(TRENDING, rows(TRENDING, seen, at=at))])
        store.commit([Append(CRAWLS, rows(CRAWLS, [{"category": "music"}], at=at))])
        store.commit([Append(STREAMS, rows(STREAMS, [{"stream_id": str(age)}], at=at))])
    old = NOW - dt.timedelta(days=9)
    versions = [
        {"video_id": "seen", "metadata_hash": "a"},
        {"video_id": "seen", "metadata_hash": "before"},
        {"video_id": "gone", "metadata_hash": "a"},
    ]
    store.commit([Upsert(VIDEOS, rows(VIDEOS, versions, at=old))])
    return store


def _left(store: FrameStore) -> dict[str, int]:
    return {name: len(store.read(name)) for name in (TRENDING, CRAWLS, STREAMS, VIDEOS)}


AFTER = {TRENDING: 6, CRAWLS: 6, STREAMS: 6, VIDEOS: 1}


def test_the_plan_says_what_then_goes_and_touches_nothing(
    settings: Settings, filled: FrameStore
) -> None:
    before = _left(filled)
    planned = {p.target: p for p in plan_retention(settings, NOW)}
    assert _left(filled) == before

    done = {p.what.target: p for p in purge(settings, NOW, run_id="a run")}

    assert _left(filled) == AFTER
    assert {t: p.items for t, p in planned.items()} == {t: p.what.items for t, p in done.items()}
    assert planned[TRENDING].reason == "retention_days is 5"
    assert planned[TRENDING].parts == done[TRENDING].what.parts
    assert plan_retention(settings, NOW) == []
    proofs = filled.read("maintenance.purges")
    assert (proofs["before_count"] - proofs["after_count"]).tolist() == proofs["items"].tolist()
    assert set(proofs["run_id"]) == {"a run"}


def test_the_steps_of_a_backfill_go_with_it_and_with_proof(
    settings: Settings, store: FrameStore
) -> None:
    old, young, gone = (f"0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f000{n}" for n in range(3))
    for backfill_id, age in ((old, 9), (young, 2)):
        asked_at = NOW - dt.timedelta(days=age)
        store.execute(
            "insert into maintenance.backfills (backfill_id, asked_at, range_start, range_end, "
            "assets, again, status, partitions, done, detail) values "
            f"('{backfill_id}', '{asked_at}', now(), now(), '{{}}', true, 'DONE', 2, 2, '')"
        )
    for backfill_id in (old, young, gone):
        store.execute(
            "insert into maintenance.backfill_steps (backfill_id, job, first_key, last_key, step, "
            f"partitions, status) select '{backfill_id}', 'rescore', n::text, '', n, 1, 'DONE' "
            "from generate_series(1, 2) n"
        )
    planned = {p.target: p.items for p in plan_retention(settings, NOW)}

    done = {p.what.target: (p.what.items, p.before, p.after) for p in purge(settings, NOW)}

    assert planned["maintenance.backfill_steps"] == 4
    assert done["maintenance.backfills"] == (1, 2, 1)
    assert done["maintenance.backfill_steps"] == (4, 6, 2)
    assert set(store.read("maintenance.backfill_steps")["backfill_id"]) == {young}
    assert plan_retention(settings, NOW) == []


def test_a_version_of_metadata_is_as_old_as_its_last_confirmation(
    settings: Settings, filled: FrameStore
) -> None:
    purge(settings, NOW)

    kept = filled.read(VIDEOS)
    assert kept[["video_id", "metadata_hash"]].to_numpy().tolist() == [["seen", "a"]]


def test_days_that_the_operator_lets_go_are_archived_first(
    settings: Settings, filled: FrameStore
) -> None:
    purge(settings, NOW)

    archive = open_archive(settings)
    assert [path.rpartition("/")[2] for path in archive.files(TRENDING)] == [
        f"2026-11-{day}.parquet" for day in (12, 13, 14, 15)
    ]


def test_days_that_cannot_be_archived_stay_unless_the_terms_let_them_go(
    settings: Settings, filled: FrameStore
) -> None:
    settings.data_dir.mkdir(parents=True)
    blocked = settings.data_dir / "archive"
    blocked.write_text("a file where the folder should be", encoding="utf-8")
    before = _left(filled)

    with pytest.raises(ArchiveError, match="archive"):
        purge(settings, NOW)
    assert _left(filled)[TRENDING] == before[TRENDING]

    live = settings.model_copy(update={"policy_mode": "amended"})
    with pytest.raises(ArchiveError, match="archive"):
        purge(live, NOW)
    assert _left(filled)[STREAMS] == 1
    blocked.unlink()
    purge(live, NOW)
    assert _left(filled)[TRENDING] == AFTER[TRENDING]


@pytest.mark.parametrize("after", [1, 2])
def test_a_killed_purge_is_finished_by_the_next(
    settings: Settings, filled: FrameStore, after: int
) -> None:
    killed = _purge_and_die(settings, after)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert _left(filled) != AFTER
    assert len(filled.read("maintenance.purges")) == after

    purge(settings, NOW)

    assert _left(filled) == AFTER
    assert examine(settings, NOW).over_age == ()


def test_a_day_that_is_being_read_stays_for_the_next_time(
    settings: Settings, filled: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("aurastream.store.purge._LOCK_TIMEOUT", "50ms")
    with psycopg.connect(filled.url) as reader:
        reader.execute(f"select count(*) from {TRENDING}_p20261112")
        purge(settings, NOW)
        assert _left(filled) == AFTER | {TRENDING: 7}

    purge(settings, NOW)
    assert _left(filled) == AFTER


def test_a_clock_that_jumps_takes_nothing_or_what_can_be_put_back(
    settings: Settings, filled: FrameStore
) -> None:
    before = {name: filled.read(name, order_by="observed_at") for name in (TRENDING, CRAWLS)}
    year = dt.timedelta(days=400)

    assert purge(settings, NOW - year) == []
    assert {name: len(filled.read(name)) for name in before} == dict.fromkeys(before, 10)
    purge(settings, NOW + year)
    assert {name: len(filled.read(name)) for name in before} == dict.fromkeys(before, 0)

    archive, month = open_archive(settings), NOW.date().replace(day=1)
    archive_month(settings, archive, month)
    assert all(day.is_equal for day in restore_month(settings, archive, month))
    for name, rows in before.items():
        pd.testing.assert_frame_equal(filled.read(name, order_by="observed_at"), rows)


def _purge_and_die(settings: Settings, after: int) -> subprocess.CompletedProcess[str]:
    """Purge in a process that is killed when so many targets are done."""
    program = f"""
import datetime, os, pathlib, signal
from pydantic import SecretStr
from aurastream.operations.retention import purge
from aurastream.settings import Settings
done = []
def count(_purged):
    done.append(1)
    if len(done) == {after}:
        os.kill(os.getpid(), signal.SIGKILL)
settings = Settings(
    postgres_url=SecretStr({settings.require_postgres()!r}),
    data_dir=pathlib.Path({str(settings.data_dir)!r}),
    retention_days=5,
)
purge(settings, datetime.datetime.fromisoformat({NOW.isoformat()!r}), on_purge=count)
"""
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=REPO_ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
