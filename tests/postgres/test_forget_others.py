"""Forgetting somebody leaves everybody else as they were, on real channels and titles."""

import datetime as dt
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pyarrow.parquet as pq
import pytest
import redis
from pydantic import SecretStr

from aurastream.operations.archive import archive_month, compare_month, open_archive
from aurastream.operations.forget import forget
from aurastream.settings import REPO_ROOT, Settings
from aurastream.sources.catalog import load_catalog
from aurastream.store.errors import ArchiveError
from aurastream.store.frames import Append, FrameStore, Upsert, _prepare, _to_spool
from aurastream.store.purge import relations
from aurastream.store.spool import Spool
from aurastream.store.state import sync_categories

Rows = Callable[..., pd.DataFrame]
REAL = REPO_ROOT / "aurastream" / "replay" / "data" / "videos.parquet"
AT = dt.datetime(2026, 10, 20, 11, 55, tzinfo=dt.UTC)
NOW = dt.datetime(2026, 10, 20, 12, 30, tzinfo=dt.UTC)
OCTOBER = dt.date(2026, 10, 1)
VIDEOS, TRENDING = "collection.youtube_videos", "collection.youtube_trending"
SCORES, TOPICS = "intelligence.viral_scores", "intelligence.topic_intel"
STREAMS, CLIPS = "collection.twitch_streams", "collection.clip_radar"
LEAGUE = "UC2t5bjwHdUX4vM2g8TRDq5g"
CNN, OTHER_CNN = "UCStfhR2V58QkCCyq_8dlk6g", "UCupvZG-5ko_eiXAupbDfxWw"
TWO_LETTERS = "UCVowoCxv5-QvgVTuVWp5aXg"  # its name is ID
JAPANESE = "UC3paHuiZIgOmWLSWYdOyVLg"
CHANNELS = (LEAGUE, CNN, OTHER_CNN, TWO_LETTERS, JAPANESE)
# Titles that are words of ours, on top of the real ones.
WORDS = ("minecraft", "collection", "viral_scores", "Fortnite", "GTA VI", "🔥🔥 ✨", "12")


@pytest.fixture
def settings(database_url: str, redis_url: str, tmp_path: Path) -> Settings:
    return Settings(
        postgres_url=SecretStr(database_url), redis_url=SecretStr(redis_url), data_dir=tmp_path
    )


@pytest.fixture
def cache(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url) as client:
        yield client


def _real() -> pd.DataFrame:
    columns = ["video_id", "channel_id", "channel_title", "title"]
    found = pq.read_table(REAL, columns=columns).to_pandas()
    found = found[found["channel_id"].isin(CHANNELS)].groupby("channel_id").head(2)
    planted = [
        {
            "video_id": f"word{number}{place}xxxxx",
            "channel_id": channel,
            "channel_title": found.loc[found["channel_id"] == channel, "channel_title"].iloc[0],
            "title": word,
        }
        for number, word in enumerate(WORDS)
        for place, channel in enumerate((LEAGUE, JAPANESE))
        if (number % 2 == 0) == (channel == LEAGUE) or word in ("minecraft", "collection")
    ]
    return pd.concat([found, pd.DataFrame(planted)], ignore_index=True)


@pytest.fixture
def videos() -> pd.DataFrame:
    return _real()


@pytest.fixture
def filled(
    store: FrameStore, rows: Rows, cache: "redis.Redis", settings: Settings, videos: pd.DataFrame
) -> FrameStore:
    """What an installation knows of five real channels."""
    sync_categories(store, load_catalog().categories_frame())
    given: list[dict[str, Any]] = videos.to_dict("records")
    store.commit([Append(VIDEOS, rows(VIDEOS, given, at=AT))])
    store.commit([Append(TRENDING, rows(TRENDING, given, at=AT))])
    scored = [{**row, "category": "minecraft"} for row in given]
    store.commit([Append(SCORES, rows(SCORES, scored, at=AT))])
    topics = [
        {"category": "league_of_legends", "rank": 1, "topic": "league of legends"},
        {"category": "minecraft", "rank": 1, "topic": "minecraft", "lemmas": "たいち"},
    ]
    store.commit([Append(TOPICS, rows(TOPICS, topics, at=AT))])
    crawls = [
        {"dataset": "collection/youtube_trending", "category": name}
        for name in ("minecraft", "league_of_legends")
    ]
    store.commit([Append("operations.crawls", rows("operations.crawls", crawls, at=AT))])
    rejected = [
        {
            "quarantine_id": f"0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f{number:04d}",
            "item_id": row["video_id"],
            "raw": json.dumps({"id": row["video_id"], "snippet": {"title": row["title"]}}),
        }
        for number, row in enumerate(given)
    ]
    table = "operations.quarantine"
    store.commit([Append(table, rows(table, rejected, at=AT))])
    document = {
        "as_of": AT.isoformat(),
        "category": "minecraft",
        "videos": [{**row, "views": 1} for row in given],
    }
    cache.set("youtube:trending:minecraft", json.dumps(document, ensure_ascii=False))
    cache.set("intel:title:precomputed:minecraft", json.dumps({"topics": topics}))
    archive_month(settings, open_archive(settings), OCTOBER)
    lines = [
        f"| 1.0 | [{row['title']}](https://www.youtube.com/watch?v={row['video_id']}) | minecraft |"
        for row in given
    ]
    with psycopg.connect(store.url, autocommit=True) as connection:
        connection.execute("create table dagster.event_logs (id bigint primary key, event text)")
        connection.execute("create table dagster.asset_keys (asset_key text, tags text)")
        for number, line in enumerate(lines):
            event = {
                "__class__": "EventLogEntry",
                "asset_key": {"path": ["collection", "viral_scores"]},
                "partition": "minecraft",
                "metadata": {"top": {"__class__": "MarkdownMetadataEntryData", "md_str": line}},
            }
            connection.execute(
                "insert into dagster.event_logs values (%s, %s)", (number, json.dumps(event))
            )
        connection.execute(
            "insert into dagster.asset_keys values (%s, %s)",
            ('["collection", "viral_scores"]', '{"category": "minecraft"}'),
        )
    (settings.data_dir / "logs").mkdir()
    text = "".join(f"{line}\n" for line in lines)
    (settings.data_dir / "logs" / "code-server.log").write_text(text, encoding="utf-8")
    return store


def _units(settings: Settings, cache: "redis.Redis") -> dict[str, list[str]]:
    """Return everything there is: rows, objects of documents, events, lines of files."""
    units: dict[str, list[str]] = {}
    url = settings.require_postgres()
    names = [relation.name for relation in relations(url)]
    names += ["dagster.event_logs", "dagster.asset_keys"]
    with psycopg.connect(url, autocommit=True) as connection:
        for name in names:
            if not name.startswith(("maintenance.forgotten", "maintenance.archive")):
                found = connection.execute(f"select to_json(t)::text from {name} t").fetchall()
                units[name] = sorted(text for (text,) in found)
    for key in sorted(cache.scan_iter()):
        document = json.loads(cache.get(key))
        for field, value in document.items():
            parts = value if isinstance(value, list) else [value]
            units[f"{key.decode()}/{field}"] = [json.dumps(p, ensure_ascii=False) for p in parts]
    for path in sorted((settings.data_dir / "logs").rglob("*.log")):
        units[path.name] = path.read_text(encoding="utf-8").splitlines()
    archive = open_archive(settings)
    for dataset in archive.datasets():
        for path in archive.files(dataset):
            units[path] = [repr(row) for row in archive.read(path).to_pylist()]
    return units


@pytest.mark.parametrize("channel", [LEAGUE, CNN, TWO_LETTERS, JAPANESE])
def test_only_the_named_channel_goes_and_all_else_is_bit_identical(
    filled: FrameStore,
    settings: Settings,
    cache: "redis.Redis",
    videos: pd.DataFrame,
    channel: str,
) -> None:
    ids = {channel, *videos.loc[videos["channel_id"] == channel, "video_id"]}
    before = _units(settings, cache)

    done = forget(settings, channel, NOW)

    after = _units(settings, cache)
    assert (done.remaining, done.unsearched) == ({}, {})
    assert after.keys() == before.keys()
    # The catalogue is what the operator wrote: a rule may name a channel's id.
    assert after.pop("operations.categories") == before.pop("operations.categories")
    for target, units in before.items():
        untouched = [unit for unit in units if not any(found in unit for found in ids)]
        kept = [unit for unit in after[target] if "[forgotten]" not in unit]
        assert kept == untouched, target
        assert not any(found in unit for found in ids for unit in after[target]), target
    changed = [unit for units in after.values() for unit in units if "[forgotten]" in unit]
    assert changed
    compared = list(compare_month(settings, open_archive(settings), OCTOBER))
    assert compared
    assert all(comparison.is_equal for comparison in compared)


def test_short_and_foreign_names_go_where_they_stand_alone(
    filled: FrameStore, settings: Settings, cache: "redis.Redis"
) -> None:
    texts = {"text": 'said "たいち"', "other": 'said "たいちの部屋"', "label": "minecraft"}
    with psycopg.connect(filled.url, autocommit=True) as connection:
        connection.execute("insert into dagster.event_logs values (900, %s)", (json.dumps(texts),))
    cache.set("session:1", json.dumps({"name": "たいち", "views": 3}))
    cache.hset("session:2", "name", "たいち")
    log = settings.data_dir / "postgres" / "server.log"
    log.parent.mkdir()
    log.write_text("detail: title=たいち\nminecraft たいちの部屋\n", encoding="utf-8")

    assert forget(settings, JAPANESE, NOW).is_complete

    event = filled.query("select event from dagster.event_logs where id = 900")["event"].iloc[0]
    assert json.loads(event) == {**texts, "text": 'said "[forgotten]"'}
    assert json.loads(cache.get("session:1")) == {"name": "[forgotten]", "views": 3}
    assert not cache.exists("session:2")
    kept = log.read_text(encoding="utf-8").splitlines()
    assert kept == ["detail: title=[forgotte", "minecraft たいちの部屋"]


def test_a_user_is_followed_to_their_clips_and_found_in_what_was_rejected(
    filled: FrameStore, settings: Settings, rows: Rows
) -> None:
    theirs, others = {"broadcaster_id": "71092938"}, {"broadcaster_id": "5"}
    clips = [
        {**theirs, "clip_id": "OddClip-Xy_1", "title": "GG", "creator_id": "9"},
        {**others, "clip_id": "EvenClip-Zw_2", "title": "GG", "creator_id": "9"},
        {**others, "clip_id": "MadeClip-Qq_3", "title": "Wow!", "creator_id": "71092938"},
    ]
    filled.commit([Append(CLIPS, rows(CLIPS, clips, at=AT))])
    table = "intelligence.clip_intel"
    filled.commit([Append(table, rows(table, clips, at=AT))])
    raws = [
        '{"id": "1", "user_id": "71092938", "user_login": "rio',
        '{"id": "2", "user_id": "5", "title": "71092938 GG"}',
        "not JSON: user_id=71092938",
    ]
    rejected = [
        {"quarantine_id": f"1b9c2b3e-5df3-4a83-9c0a-6f6d6a1f000{n}", "item_id": None, "raw": raw}
        for n, raw in enumerate(raws)
    ]
    quarantine = "operations.quarantine"
    filled.commit([Append(quarantine, rows(quarantine, rejected, at=AT + dt.timedelta(hours=1)))])
    link = "[GG](https://clips.twitch.tv/OddClip-Xy_1) [GG](https://clips.twitch.tv/EvenClip-Zw_2)"
    with psycopg.connect(filled.url, autocommit=True) as connection:
        connection.execute("insert into dagster.event_logs values (901, %s)", (link,))

    assert forget(settings, "71092938", NOW).is_complete

    assert filled.read(CLIPS)["clip_id"].tolist() == ["EvenClip-Zw_2"]
    assert filled.read(table)["clip_id"].tolist() == ["EvenClip-Zw_2"]
    late = filled.query(
        "select raw from operations.quarantine where occurred_at > '2026-10-20 12:00Z' order by 1"
    )
    assert late["raw"].tolist() == ["not JSON: user_id=[forgotten]", raws[1]]
    event = filled.query("select event from dagster.event_logs where id = 901")["event"].iloc[0]
    assert "OddClip" not in event
    assert "EvenClip-Zw_2" in event
    again = rows(table, [{"clip_id": "OddClip-Xy_1"}], at=AT + dt.timedelta(hours=2))
    filled.commit([Append(table, again)])
    assert len(filled.read(table)) == 1


def test_a_user_with_the_number_of_a_game_leaves_the_game_alone(
    filled: FrameStore, settings: Settings, rows: Rows, cache: "redis.Redis"
) -> None:
    number, top = "509658", "collection.twitch_top_games"
    game = [{"game_id": number, "game_name": "Just Chatting"}]
    filled.commit([Append(top, rows(top, game, at=AT))])
    streams = [
        {"game_id": number, "stream_id": "1", "user_id": number, "user_name": "Just Chatting"},
        {"game_id": number, "stream_id": "2", "user_id": "5", "user_name": "Five"},
    ]
    filled.commit([Append(STREAMS, rows(STREAMS, streams, at=AT))])
    params = [{"params": {"game_id": number, "user_id": f"5,{number}"}}]
    filled.commit([Append("operations.fetch_log", rows("operations.fetch_log", params, at=AT))])
    body = {"game": "just_chatting", "game_id": number, "streams": streams}
    cache.set(f"twitch:streams:{number}", json.dumps(body))
    with psycopg.connect(filled.url, autocommit=True) as connection:
        connection.execute(
            "insert into dagster.event_logs values (902, %s)",
            (f'"Just Chatting" is game {number}, user_id={number}',),
        )

    assert forget(settings, number, NOW).is_complete

    assert filled.read(STREAMS)["user_id"].tolist() == ["5"]
    assert filled.read(top)["game_name"].tolist() == ["Just Chatting"]
    assert filled.read("operations.fetch_log")["params"].iloc[0] == {
        "game_id": number,
        "user_id": "5,[forgotten]",
    }
    kept = json.loads(cache.get(f"twitch:streams:{number}"))
    assert kept == {**body, "streams": streams[1:]}
    event = filled.query("select event from dagster.event_logs where id = 902")["event"].iloc[0]
    assert event == f'"Just Chatting" is game {number}, user_id=[forgotten]'


def test_what_lies_within_objects_is_theirs_or_is_not(
    filled: FrameStore, settings: Settings, cache: "redis.Redis"
) -> None:
    theirs = {"channel_id": CNN, "title": "Breaking", "more": [{"title": "Within"}]}
    others = {"channel_id": OTHER_CNN, "title": "CNN", "rivals": [theirs, {"channel_id": "UCx"}]}
    cache.set("session:1", json.dumps(others))
    cache.set("session:2", json.dumps(theirs))
    event = {"__class__": "E", "name": "CNN", "data": {"first": theirs, "second": others}}
    with psycopg.connect(filled.url, autocommit=True) as connection:
        connection.execute("insert into dagster.event_logs values (903, %s)", (json.dumps(event),))
        connection.execute("insert into dagster.asset_keys values ('[\"cnn\"]', 'CNN')")

    assert forget(settings, CNN, NOW).is_complete

    blank = "[forgotten]"
    gone = {"channel_id": blank, "title": blank, "more": [{"title": blank}]}
    assert json.loads(cache.get("session:1")) == {**others, "rivals": [{"channel_id": "UCx"}]}
    assert json.loads(cache.get("session:2")) == gone
    found = filled.query("select event from dagster.event_logs where id = 903")["event"].iloc[0]
    within = {**others, "rivals": [gone, {"channel_id": "UCx"}]}
    assert json.loads(found) == {**event, "data": {"first": gone, "second": within}}
    keys = filled.query("select tags from dagster.asset_keys order by tags")["tags"].tolist()
    assert "CNN" in keys


def test_the_spool_is_searched_and_still_delivers_what_is_left(
    filled: FrameStore, settings: Settings, rows: Rows
) -> None:
    spool = Spool(settings.data_dir / "spool")
    late = AT + dt.timedelta(hours=1)
    both = [{"video_id": "v-cnn", "channel_id": CNN, "title": "Breaking"}]
    both.append({"video_id": "v-other", "channel_id": OTHER_CNN, "title": "Breaking"})
    for _ in range(2):
        spool.append([_to_spool(_prepare(Upsert(VIDEOS, rows(VIDEOS, both, at=late))))])
    aside = spool.directory / "aside" / "000000000001-abc"
    aside.parent.mkdir()
    (spool.directory / "000000000001").rename(aside)
    assert b"v-cnn" in next(aside.glob("*.arrow")).read_bytes()

    assert forget(settings, CNN, NOW).is_complete

    bodies = [path.read_bytes() for path in spool.directory.rglob("*.arrow")]
    assert len(bodies) == 2
    assert all(b"v-cnn" not in body and b"v-other" in body for body in bodies)
    with FrameStore(filled.url, spool=spool.directory) as spooling:
        assert spooling.drain() == 1
    assert "v-other" in set(filled.read(VIDEOS)["video_id"])


def test_a_name_that_nobody_knows_any_more_is_said_and_can_be_given(
    filled: FrameStore, settings: Settings
) -> None:
    log = settings.data_dir / "dbt" / "dbt.log"
    log.parent.mkdir()
    log.write_text('title="MrBeast"\n', encoding="utf-8")

    unknown = forget(settings, "71092938", NOW)
    assert unknown.remaining == {}
    assert unknown.unsearched.keys() == {"names"}
    assert not unknown.is_complete
    assert filled.read("maintenance.forgotten")["completed_at"].isna().all()

    assert forget(settings, "71092938", NOW, names=["MrBeast"]).is_complete
    assert "MrBeast" not in log.read_text(encoding="utf-8")


def test_what_cannot_be_searched_is_named_and_everything_else_is_done(
    filled: FrameStore, settings: Settings
) -> None:
    archive = open_archive(settings)
    broken = archive.files(SCORES)[0]
    (Path(archive.url) / broken).write_bytes(b"PAR1 no longer")
    (settings.data_dir / "logs" / "old.zip").write_bytes(b"PK")
    with psycopg.connect(filled.url, autocommit=True) as connection:
        connection.execute("create table app.notes (id bigint primary key, note text)")

    done = forget(settings, LEAGUE, NOW)

    assert done.remaining == {}
    assert done.unsearched.keys() == {
        f"archive/{broken}",
        "files/logs/old.zip",
        "table/app.notes.note",
    }
    assert not done.is_complete
    assert LEAGUE not in set(filled.read(VIDEOS)["channel_id"])
    kept = archive.read(archive.files(VIDEOS)[0])
    assert LEAGUE not in kept.column("channel_id").to_pylist()


def test_a_large_file_is_blanked_in_its_place(filled: FrameStore, settings: Settings) -> None:
    log = settings.data_dir / "dagster" / "logs" / "large.log"
    log.parent.mkdir(parents=True)
    with log.open("wb") as file:
        for _ in range(13):
            file.write((b"y" * 79 + b"\n") * 100_000)
        file.write(f"channel {LEAGUE}\n".encode())
    size = log.stat().st_size
    assert size > 100_000_000

    assert forget(settings, LEAGUE, NOW).is_complete

    assert log.stat().st_size == size
    with log.open("rb") as file:
        file.seek(-40, 2)
        assert file.read().splitlines()[-1] == b"channel [forgotten]............."


def test_damage_is_not_laundered_by_forgetting_somebody_else(
    filled: FrameStore, settings: Settings
) -> None:
    archive = open_archive(settings)
    path = archive.files(SCORES)[0]
    rows = archive.read(path)
    place = rows.schema.get_field_index("confidence_pct")
    notes = json.loads(rows.schema.metadata[b"aurastream"])
    forged = rows.set_column(place, rows.schema.field(place), [[99.0] * rows.num_rows])
    archive.write(path, forged, notes)
    damaged = (Path(archive.url) / path).read_bytes()

    done = forget(settings, LEAGUE, NOW)

    assert done.unsearched.keys() == {f"archive/{path}"}
    assert (Path(archive.url) / path).read_bytes() == damaged
    with pytest.raises(ArchiveError, match="checksum"):
        list(compare_month(settings, archive, OCTOBER, datasets=[SCORES]))
