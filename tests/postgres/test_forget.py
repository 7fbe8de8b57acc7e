"""A channel or user that asked to be forgotten: gone from every store, and not coming back."""

import base64
import datetime as dt
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest
import redis
from pydantic import SecretStr

from aurastream.operations.archive import (
    archive_month,
    compare_month,
    open_archive,
    restore_month,
)
from aurastream.operations.forget import ForgetError, forget, platform_of
from aurastream.settings import Settings
from aurastream.sources.etags import SharedEtags
from aurastream.store.archive import Archive
from aurastream.store.frames import Append, FrameStore, Replace, Upsert
from aurastream.store.purge_denied import LOCK
from aurastream.store.purge_subject import MENTIONS
from aurastream.store.tables import metadata
from aurastream.store.urls import reader_url

Rows = Callable[..., pd.DataFrame]
THEIRS, OTHERS = "UCtheirs-channel-0000000", "UCothers-channel-0000000"
VIDEO, OTHER_VIDEO = "theirvideo1", "othervideo1"
TITLE = "My “very own” title — ✨"
AT = dt.datetime(2026, 10, 20, 11, 55, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 10, 20, 12, 30, tzinfo=dt.UTC)
TRENDING, VIDEOS = "collection.youtube_trending", "collection.youtube_videos"
SCORES, STREAMS = "intelligence.viral_scores", "collection.twitch_streams"


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        postgres_url=SecretStr(database_url), redis_url=SecretStr(redis_url), data_dir=tmp_path
    )


@pytest.fixture
def cache(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def _crawl(rows: Rows, at: dt.datetime = AT) -> list[Append]:
    return [
        Append(
            VIDEOS,
            rows(
                VIDEOS,
                [
                    {"video_id": VIDEO, "channel_id": THEIRS, "title": TITLE, "metadata_hash": "a"},
                    {"video_id": OTHER_VIDEO, "channel_id": OTHERS, "metadata_hash": "b"},
                ],
                at=at,
            ),
        ),
        Append(TRENDING, rows(TRENDING, [{"video_id": VIDEO}, {"video_id": OTHER_VIDEO}], at=at)),
    ]


def _encoded(drawn: str) -> str:
    return base64.b64encode(drawn.encode()).decode()


@pytest.fixture
def filled(store: FrameStore, rows: Rows, cache: "redis.Redis", settings: Settings) -> FrameStore:
    """What an installation knows of the channel, in every store."""
    store.commit(_crawl(rows))
    store.commit([Append(SCORES, rows(SCORES, [{"video_id": VIDEO}, {"video_id": OTHER_VIDEO}]))])
    call = [{"params": {"id": f"{OTHER_VIDEO},{VIDEO}"}}]
    store.commit([Append("operations.fetch_log", rows("operations.fetch_log", call, at=AT))])
    streams = [{"user_id": "71092938", "stream_id": "1"}, {"user_id": "5", "stream_id": "71092938"}]
    store.commit([Append(STREAMS, rows(STREAMS, streams, at=AT))])
    document = {
        "as_of": NOW.isoformat(),
        "videos": [
            {"video_id": VIDEO, "title": TITLE},
            {"video_id": OTHER_VIDEO, "title": f"like {TITLE}"},
        ],
    }
    cache.set("youtube:trending:music", json.dumps(document), ex=1000)
    archive_month(settings, open_archive(settings), dt.date(2026, 10, 1))
    picture = _encoded(f"<svg><text>{TITLE}</text></svg>")
    texts = {
        "markdown": f"![x](data:image/svg+xml;base64,{picture})",
        "link": f"[a](https://www.youtube.com/watch?v={VIDEO})",
        "other": "nothing of theirs",
    }
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("create table dagster.event_logs (id bigint primary key, event text)")
        connection.execute("insert into dagster.event_logs values (1, %s)", (json.dumps(texts),))
    logs = settings.data_dir / "logs"
    logs.mkdir()
    (logs / "head.log").write_text(f"scored {VIDEO}\nand {OTHER_VIDEO}\n", encoding="utf-8")
    return store


@pytest.mark.parametrize("words_in_postgres", [0, 20])
def test_every_store_lets_go_of_the_channel_and_of_nobody_else(
    filled: FrameStore,
    settings: Settings,
    cache: "redis.Redis",
    *,
    words_in_postgres: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aurastream.store.purge_subject._MOST_IN_POSTGRES", words_in_postgres)
    done = forget(settings, THEIRS, NOW)

    assert done.remaining == {}
    for table in (TRENDING, VIDEOS, SCORES):
        assert filled.read(table)["video_id"].tolist() == [OTHER_VIDEO], table
    asked = filled.read("operations.fetch_log")["params"].iloc[0]
    assert asked == {"id": f"{OTHER_VIDEO},[forgotten]"}
    document = json.loads(cache.get("youtube:trending:music"))
    assert document["videos"] == [{"video_id": OTHER_VIDEO, "title": f"like {TITLE}"}]
    assert 0 < cache.ttl("youtube:trending:music") <= 1000
    blank_picture = _encoded("<svg><text>[forgotten]</text></svg>")
    events = filled.query("select event from dagster.event_logs")["event"].iloc[0]
    assert json.loads(events) == {
        "markdown": f"![x](data:image/svg+xml;base64,{blank_picture})",
        "link": "[a](https://www.youtube.com/watch?v=[forgotten])",
        "other": "nothing of theirs",
    }
    log = (settings.data_dir / "logs" / "head.log").read_text(encoding="utf-8")
    assert log == f"scored [forgotten]\nand {OTHER_VIDEO}\n"
    assert {target.partition("/")[0] for target in done.counts} == {
        "table",
        "redis",
        "archive",
        "dagster",
        "files",
    }


def test_an_answer_kept_with_its_etag_goes_whole_if_it_names_the_channel(
    filled: FrameStore, settings: Settings, cache: "redis.Redis", redis_url: str
) -> None:
    kept = SharedEtags(redis_url, "https://platform.example")
    kept.put("about them", "one", json.dumps({"items": [{"id": VIDEO}]}).encode())
    kept.put("about others", "two", json.dumps({"items": [{"id": OTHER_VIDEO}]}).encode())

    done = forget(settings, THEIRS, NOW)

    assert done.remaining == {}
    assert kept.get("about them") is None
    assert kept.get("about others") is not None
    kept.close()


def test_the_archive_is_rewritten_and_its_manifest_holds(
    filled: FrameStore, settings: Settings
) -> None:
    forget(settings, THEIRS, NOW)

    archive = open_archive(settings)
    kept = archive.read(archive.files(TRENDING)[0])
    assert kept.column("video_id").to_pylist() == [OTHER_VIDEO]
    compared = list(compare_month(settings, archive, dt.date(2026, 10, 1)))
    assert compared
    assert all(c.is_equal for c in compared)


def test_a_restore_from_a_copy_of_the_archive_does_not_bring_them_back(
    filled: FrameStore, settings: Settings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    copy = tmp_path_factory.mktemp("backup") / "archive"
    shutil.copytree(settings.data_dir / "archive", copy)
    forget(settings, THEIRS, NOW)
    tables, october = [TRENDING, "collection.youtube_videos"], dt.date(2026, 10, 1)

    proved = restore_month(settings, Archive(str(copy)), october, datasets=tables)

    assert proved
    assert all(day.is_equal for day in proved)
    for table in tables:
        assert VIDEO not in set(filled.read(table)["video_id"])


def test_lists_of_ids_are_blanked_in_record_and_archive_alike(
    filled: FrameStore, settings: Settings, rows: Rows
) -> None:
    table = "intelligence.topic_intel"
    lists = [c.name for c in metadata.tables[table].columns if c.name in MENTIONS]
    given = [
        {"category": "music", **{key: [OTHER_VIDEO, VIDEO] for key in lists}},
        {"category": "other", **{key: [] for key in lists}},
    ]
    filled.commit([Append(table, rows(table, given, at=AT))])
    archive = open_archive(settings)
    archive_month(settings, archive, dt.date(2026, 10, 1))

    assert forget(settings, THEIRS, NOW).remaining == {}

    assert lists
    for name in lists:
        assert filled.read(table, order_by="category")[name].tolist() == [
            [OTHER_VIDEO, "[forgotten]"],
            [],
        ]
    compared = compare_month(settings, archive, dt.date(2026, 10, 1), datasets=[table])
    assert [c.is_equal for c in compared] == [True]


def test_a_later_crawl_does_not_bring_the_channel_back(
    filled: FrameStore, settings: Settings, rows: Rows
) -> None:
    forget(settings, THEIRS, NOW)

    filled.commit(_crawl(rows, AT + dt.timedelta(hours=1)))
    new = rows(VIDEOS, [{"video_id": "newvideo001", "channel_id": THEIRS}])
    filled.commit(
        [Upsert(VIDEOS, new), Append(TRENDING, rows(TRENDING, [{"video_id": "newvideo001"}]))]
    )
    window = dt.datetime(2026, 11, 20, 11, 30, tzinfo=dt.UTC)
    late = rows(SCORES, [{"video_id": VIDEO}, {"video_id": OTHER_VIDEO}], at=window)
    filled.commit([Replace(SCORES, late, window, window + dt.timedelta(minutes=30))])

    for table in (TRENDING, VIDEOS, SCORES):
        assert set(filled.read(table)["video_id"]) == {OTHER_VIDEO}, table


def test_what_waits_in_the_spool_is_left_out_when_it_is_delivered(
    filled: FrameStore, settings: Settings, rows: Rows, tmp_path: Path
) -> None:
    with FrameStore(filled.url, spool=tmp_path / "spool") as spooling:
        assert spooling.spool is not None
        from aurastream.store.frames import _prepare, _to_spool  # noqa: PLC0415 # what a crawl does

        late = _crawl(rows, AT + dt.timedelta(hours=2))
        spooling.spool.append([_to_spool(_prepare(op)) for op in late])
        forget(settings, THEIRS, NOW)
        assert spooling.drain() == 1

    assert set(filled.read(TRENDING)["video_id"]) == {OTHER_VIDEO}


def test_asking_twice_finds_nothing_more_and_keeps_the_proof(
    filled: FrameStore, settings: Settings
) -> None:
    first = forget(settings, THEIRS, NOW)
    second = forget(settings, THEIRS, NOW + dt.timedelta(days=1))

    assert second.counts == {}
    proof = filled.read("maintenance.forgotten").iloc[0]
    assert proof["subject_hash"] == first.subject_hash
    assert (proof["requests"], proof["remaining"], proof["completed_at"]) == (2, 0, NOW)
    assert proof["counts"] == first.counts
    assert THEIRS not in json.dumps([proof["subject_hash"], proof["counts"]])


def test_a_call_that_was_cut_off_is_finished_by_the_next(
    filled: FrameStore, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr("aurastream.store.purge_subject_tables.in_tables", fail)
        with pytest.raises(KeyboardInterrupt):
            forget(settings, THEIRS, NOW)
    assert VIDEO in set(filled.read(TRENDING)["video_id"])

    assert forget(settings, THEIRS, NOW).remaining == {}
    assert set(filled.read(TRENDING)["video_id"]) == {OTHER_VIDEO}


def test_a_twitch_user_is_found_by_the_columns_that_name_users(
    filled: FrameStore, settings: Settings
) -> None:
    done = forget(settings, "71092938", NOW)

    assert filled.read(STREAMS)["user_id"].tolist() == ["5"]
    assert done.counts == {f"archive/{STREAMS}": 1, f"table/{STREAMS}": 1}
    assert len(filled.read(VIDEOS)) == 2


def test_forgetting_waits_for_a_write_that_has_not_seen_the_list(
    filled: FrameStore, settings: Settings
) -> None:
    done = threading.Event()

    def ask() -> None:
        forget(settings, THEIRS, NOW)
        done.set()

    with psycopg.connect(filled.url) as writer:
        writer.execute("select pg_advisory_xact_lock_shared(%s)", (LOCK,))
        asking = threading.Thread(target=ask)
        asking.start()
        waiting = "select 1 from pg_locks where locktype = 'advisory' and not granted"
        with psycopg.connect(filled.url, autocommit=True) as watcher:
            while not watcher.execute(waiting).fetchone():
                assert asking.is_alive()
        assert not done.is_set()
        writer.rollback()
    asking.join()
    assert done.is_set()


def test_readers_see_the_proof_and_not_the_salt(filled: FrameStore, settings: Settings) -> None:
    forget(settings, THEIRS, NOW)

    with psycopg.connect(reader_url(filled.url), autocommit=True) as reader:
        assert reader.execute("select requests from maintenance.forgotten").fetchone() == (1,)
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            reader.execute("select salt from maintenance.forgotten")


@pytest.mark.parametrize("identifier", ["@handle", "UCshort", "", "71092938x", "x' or 1=1"])
def test_what_is_no_id_is_refused(identifier: str) -> None:
    with pytest.raises(ForgetError, match="no id"):
        platform_of(identifier)
