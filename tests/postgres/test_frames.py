"""Frames in and out of a real Postgres."""

import datetime as dt
import uuid
from typing import Any

import adbc_driver_postgresql
import numpy as np
import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from adbc_driver_postgresql import dbapi
from psycopg.conninfo import conninfo_to_dict

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.errors import FrameMismatchError, StoreError
from aurastream.store.frames import Append, FrameStore, Replace, Upsert
from aurastream.store.tables import metadata
from tests.filled_rows import filled_rows

NOON = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
FETCH = "0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f0001"


def games(ids: list[str], *, at: dt.datetime = NOON, views: int = 10) -> pd.DataFrame:
    n = len(ids)
    return pd.DataFrame(
        {
            "observed_at": pd.to_datetime([at] * n, utc=True),
            "game": ["fortnite"] * n,
            "video_id": ids,
            "views": pd.array([views + i for i in range(n)], dtype="Int64"),
            "likes": pd.array([None] * n, dtype="Int64"),
            "comments": pd.array([3] * n, dtype="Int64"),
            "concurrent_viewers": pd.array([None] * n, dtype="Int64"),
            "confidence": [0.5] * n,
            "rule": ["title"] * n,
            "classifier_version": ["1"] * n,
            "discovered_by": ["chart"] * n,
            "metadata_hash": ["abc"] * n,
            "crawl_at": pd.to_datetime([at] * n, utc=True),
            "fetch_id": [FETCH] * n,
        }
    )


def videos(ids: list[str], title: str = "A title \U0001f3ae") -> pd.DataFrame:
    table = metadata.tables["collection.youtube_videos"]
    row = {column.name: None for column in table.columns} | {
        "metadata_hash": "h",
        "first_observed_at": pd.Timestamp(NOON),
        "title": title,
        "description": 'line\n"quoted"\t\\ end',
        "tags": ["b", "a, with comma", "ü"],
        "channel_id": "c",
        "channel_title": "channel",
        "topic_categories": [],
    }
    return pd.DataFrame([{**row, "video_id": video_id} for video_id in ids])


def quota(count: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "reservation_id": [str(uuid.UUID(int=i)) for i in range(count)],
            "platform": "youtube",
            "bucket": "units",
            "quota_date": dt.date(2026, 11, 20),
            "endpoint": "videos.list",
            "purpose": "test",
            "units_reserved": 5,
            "units_settled": None,
            "reserved_at": NOON,
            "settled_at": None,
        }
    )


def test_what_is_written_is_read_back_with_the_declared_types(store: FrameStore) -> None:
    store.commit([Append("collection.youtube_games", games(["b", "a"]))])
    found = store.read("collection.youtube_games", order_by=["video_id"])
    assert list(found["video_id"]) == ["a", "b"]
    assert str(found["observed_at"].dtype) == "datetime64[us, UTC]"
    assert str(found["views"].dtype) == "Int64"
    assert str(found["likes"].dtype) == "Int64"
    assert found["likes"].isna().all()
    assert str(found["confidence"].dtype) == "float64"
    assert found["fetch_id"].tolist() == [FETCH, FETCH]
    assert isinstance(found["video_id"].dtype, pd.StringDtype)


def test_text_survives_with_arrays_newlines_and_characters_outside_the_bmp(
    store: FrameStore,
) -> None:
    store.commit([Upsert("collection.youtube_videos", videos(["v"]))])
    row = store.read("collection.youtube_videos").iloc[0]
    assert row["title"] == "A title \U0001f3ae"
    assert row["description"] == 'line\n"quoted"\t\\ end'
    assert row["tags"] == ["b", "a, with comma", "ü"]
    assert row["topic_categories"] == []
    assert pd.isna(row["category_id"])


def test_json_dates_and_numbers_survive(store: FrameStore) -> None:
    log = pd.DataFrame(
        {
            "observed_at": [pd.Timestamp(NOON)],
            "fetch_id": [FETCH],
            "platform": ["youtube"],
            "endpoint": ["videos.list"],
            "params": [{"chart": "mostPopular", "n": [1, 2]}],
            "status": [None],
            "outcome": ["ok"],
            "items": [np.int64(3)],
            "rejected": [0],
            "attempts": [1],
            "duration_ms": [12.5],
            "units": [1],
            "bucket": ["units"],
            "run_id": [None],
        }
    )
    store.commit([Append("operations.fetch_log", log), Append("operations.quota_ledger", quota())])
    found = store.read("operations.fetch_log").iloc[0]
    assert found["params"] == {"chart": "mostPopular", "n": [1, 2]}
    assert pd.isna(found["status"])
    ledger = store.read("operations.quota_ledger").iloc[0]
    assert ledger["quota_date"] == dt.date(2026, 11, 20)


def test_appending_the_same_rows_again_keeps_the_first(store: FrameStore) -> None:
    first = store.commit([Append("collection.youtube_games", games(["a", "b"], views=1))])
    again = store.commit([Append("collection.youtube_games", games(["a", "b", "c"], views=100))])
    assert (first[0].inserted, again[0].inserted, again[0].unchanged) == (2, 1, 2)
    found = store.read("collection.youtube_games", order_by="video_id")
    assert found["views"].tolist() == [1, 2, 102]


def test_a_rejected_item_that_comes_again_costs_the_rest_of_its_write_no_second_try(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    item = filled_rows("operations.quarantine", [{"reason": "ambiguous"}])
    crawls = filled_rows("operations.crawls", [{"dataset": "collection/youtube_games"}])
    store.commit([Append("operations.quarantine", item)])
    copied: list[str] = []
    copy = dbapi.Cursor.adbc_ingest

    def ingest(cursor: dbapi.Cursor, name: str, *arguments: Any, **options: Any) -> Any:
        copied.append(name)
        return copy(cursor, name, *arguments, **options)

    monkeypatch.setattr(dbapi.Cursor, "adbc_ingest", ingest)
    again, crawl = store.commit(
        [Append("operations.quarantine", item), Append("operations.crawls", crawls)]
    )
    assert (again.inserted, again.unchanged, crawl.inserted) == (0, 1, 1)
    assert copied.count("crawls") == 1
    assert len(store.read("operations.quarantine")) == 1


def test_a_connection_does_not_begin_with_reading_about_every_partition(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    told: list[str] = []
    real = adbc_driver_postgresql.connect

    def connect(uri: str, *arguments: Any, **options: Any) -> Any:
        told.append(str(conninfo_to_dict(uri)["dbname"]))
        return real(uri, *arguments, **options)

    monkeypatch.setattr(adbc_driver_postgresql, "connect", connect)
    found = store.query("select current_database() as name")
    assert told == ["postgres"]
    assert found["name"].tolist() == [conninfo_to_dict(store.url)["dbname"]]


def test_an_account_that_may_not_connect_to_any_other_database_is_served_all_the_same(
    postgres_server: EmbeddedPostgres, database_url: str
) -> None:
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(postgres_server.url, autocommit=True) as admin:
        admin.execute("create role shut_in login password 'p'")
    try:
        shut_in = sa.make_url(database_url).set(username="shut_in", password="p")
        other = shut_in.set(database="postgres").render_as_string(hide_password=False)
        with pytest.raises(psycopg.OperationalError, match="permission denied for database"):
            psycopg.connect(other)
        with FrameStore(shut_in.render_as_string(hide_password=False)) as store:
            assert store.query("select current_database() as name")["name"].tolist() == [name]
    finally:
        with psycopg.connect(postgres_server.url, autocommit=True) as admin:
            admin.execute("drop role shut_in")


def test_an_upsert_replaces_every_column_and_counts_what_it_did(store: FrameStore) -> None:
    store.commit([Upsert("collection.youtube_videos", videos(["a", "b"]))])
    changed = pd.concat([videos(["a"]), videos(["b", "c"], title="new")], ignore_index=True)
    changed.loc[changed["video_id"] == "b", "channel_title"] = "renamed"
    result = store.commit([Upsert("collection.youtube_videos", changed)])[0]
    assert (result.inserted, result.updated, result.unchanged) == (1, 1, 1)
    row = store.read("collection.youtube_videos", where={"video_id": "b"}).iloc[0]
    assert (row["title"], row["channel_title"]) == ("new", "renamed")


def test_replacing_a_range_leaves_the_rest_and_is_repeatable(store: FrameStore) -> None:
    later = NOON + dt.timedelta(hours=1)
    store.commit(
        [
            Append("collection.youtube_games", games(["a", "b"])),
            Append("collection.youtube_games", games(["z"], at=later)),
        ]
    )
    for _ in range(2):
        result = store.commit(
            [Replace("collection.youtube_games", games(["c"], views=7), NOON, later)]
        )[0]
    assert (result.inserted, result.deleted) == (1, 1)
    assert store.read("collection.youtube_games")["video_id"].tolist() == ["z", "c"]


def test_a_part_of_a_range_is_replaced_and_the_rest_of_it_stays(store: FrameStore) -> None:
    def refusals(source: str, *items: str) -> pd.DataFrame:
        rows = {"item_id": list(items), "source": source, "occurred_at": NOON, "reason": ""}
        ids = [str(uuid.uuid5(uuid.NAMESPACE_URL, source + item)) for item in items]
        return pd.DataFrame({**rows, "quarantine_id": ids, "raw": "", "fetch_id": None})

    def replaced(rows: pd.DataFrame) -> Replace:
        span = (NOON, NOON + dt.timedelta(hours=1))
        return Replace("operations.quarantine", rows, *span, {"source": "mine"})

    store.commit([Append("operations.quarantine", refusals("another's", "a"))])
    for items, gone in ((["b", "c"], 0), (["d"], 2), ([], 1)):
        (result,) = store.commit([replaced(refusals("mine", *items))])
        assert (result.inserted, result.deleted) == (len(items), gone)
        found = store.read("operations.quarantine", order_by=["item_id"])
        assert found["item_id"].tolist() == ["a", *items]

    with pytest.raises(FrameMismatchError, match="only the rows whose source is 'mine'"):
        store.commit([replaced(refusals("another's", "e"))])
    with pytest.raises(FrameMismatchError, match="spool"):
        store.commit([replaced(refusals("mine"))], spool=True)


def test_an_empty_frame_clears_the_range_it_replaces(store: FrameStore) -> None:
    store.commit([Append("collection.youtube_games", games(["a"]))])
    nothing = games([])
    store.commit([Replace("collection.youtube_games", nothing, NOON, NOON + dt.timedelta(hours=1))])
    assert store.read("collection.youtube_games").empty


def test_all_operations_of_a_commit_happen_or_none(store: FrameStore) -> None:
    ledger = quota(2)
    with pytest.raises(StoreError):
        store.commit(
            [
                Append("collection.youtube_games", games(["a"])),
                Replace("operations.quota_ledger", ledger, NOON - dt.timedelta(days=1), NOON),
            ]
        )
    assert store.read("collection.youtube_games").empty


def test_reading_takes_columns_a_range_and_conditions(store: FrameStore) -> None:
    for hour in range(3):
        at = NOON + dt.timedelta(hours=hour)
        store.commit([Append("collection.youtube_games", games(["a", "b"], at=at, views=hour))])
    found = store.read(
        "collection.youtube_games",
        columns=["video_id", "views"],
        start=NOON + dt.timedelta(hours=1),
        end=NOON + dt.timedelta(hours=2),
        where={"video_id": ["a", "x'y"], "likes": None},
    )
    assert found.to_dict("list") == {"video_id": ["a"], "views": [1]}


def test_an_empty_result_has_the_same_types(store: FrameStore) -> None:
    empty = store.read("collection.youtube_games").dtypes.to_dict()
    store.commit([Append("collection.youtube_games", games(["a"]))])
    assert store.read("collection.youtube_games").dtypes.to_dict() == empty


def test_a_query_takes_parameters_and_percent_signs(store: FrameStore) -> None:
    found = store.query(
        "SELECT %(text)s::text AS t, 5 %% 3 AS m, %(at)s AS at, 'x' = ANY(%(many)s) AS among",
        {"text": "it's", "at": pd.Timestamp(NOON), "many": ["x", "y"]},
    )
    assert found.loc[0, "t"] == "it's"
    assert found.loc[0, "m"] == 2
    assert found.loc[0, "at"] == pd.Timestamp(NOON)
    assert bool(found.loc[0, "among"])


def test_unknown_and_missing_columns_are_named(store: FrameStore) -> None:
    frame = games(["a"]).rename(columns={"views": "veiws"})
    with pytest.raises(FrameMismatchError, match=r"lacks views and has the unknown veiws"):
        store.commit([Append("collection.youtube_games", frame)])


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("video_id", None, "video_id has 1 nulls"),
        ("views", 1.5, r"views \(float64\) does not fit int64"),
        ("fetch_id", "not-a-uuid", "fetch_id"),
        ("rule", 5, "rule"),
        ("observed_at", pd.Timestamp("2026-11-20"), "observed_at.*time zone"),
    ],
)
def test_a_value_that_does_not_fit_is_refused_with_its_column(
    store: FrameStore, column: str, value: object, message: str
) -> None:
    frame = games(["a"])
    frame[column] = [value]
    with pytest.raises(FrameMismatchError, match=message):
        store.commit([Append("collection.youtube_games", frame)])


def test_the_same_key_twice_in_a_frame_is_refused(store: FrameStore) -> None:
    with pytest.raises(FrameMismatchError, match="same key twice"):
        store.commit([Append("collection.youtube_games", games(["a", "a"]))])


def test_rows_outside_the_replaced_range_are_refused(store: FrameStore) -> None:
    with pytest.raises(FrameMismatchError, match="outside the range"):
        store.commit(
            [
                Replace(
                    "collection.youtube_games",
                    games(["a"]),
                    NOON + dt.timedelta(hours=1),
                    NOON + dt.timedelta(hours=2),
                )
            ]
        )


def test_a_partition_dropped_behind_our_back_is_made_again(store: FrameStore) -> None:
    store.commit([Append("collection.youtube_games", games(["a"]))])
    store.execute("DROP TABLE collection.youtube_games_p20261120")
    store.commit([Append("collection.youtube_games", games(["b"]))])
    assert store.read("collection.youtube_games")["video_id"].tolist() == ["b"]


def test_a_write_of_many_rows_lets_postgres_know_their_number_at_once(store: FrameStore) -> None:
    known = "select reltuples from pg_class where relname = 'youtube_games_p20261120'"
    store.commit([Append("collection.youtube_games", games(["a"]))])
    few = store.query(known)
    store.commit(
        [Append("collection.youtube_games", games([f"b{number:05d}" for number in range(10_000)]))]
    )
    many = store.query(known)
    assert few["reltuples"].tolist() == [-1.0]
    assert many["reltuples"].tolist() == [10_001.0]


def test_no_write_leaves_a_warning_in_the_servers_log(
    store: FrameStore, postgres_server: EmbeddedPostgres
) -> None:
    known = postgres_server.log_path.stat().st_size
    state = pd.DataFrame(
        {
            "dataset": ["collection/youtube_games"],
            "category": ["roblox"],
            "last_crawl_at": [pd.Timestamp("2026-11-20T10:00Z")],
            "membership_hash": ["m"],
            "unchanged_count": [0],
            "failure_count": [0],
        }
    )
    for _ in range(2):  # staged, copied and moved within one transaction of one kept connection
        store.commit([Upsert("operations.collection_state", state)])

    with postgres_server.log_path.open(encoding="utf-8") as log:
        log.seek(known)
        assert "there is already a transaction in progress" not in log.read()
    assert len(store.read("operations.collection_state")) == 1
