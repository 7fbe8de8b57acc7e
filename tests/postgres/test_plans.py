"""What two weeks of freshly written rows cost to read: rows touched, as Postgres counted them.

No time is measured. Postgres explains every statement that the readings send; the rows that all
parts of a plan touched, times how often, have to stay a small multiple of the rows there are. A
join that takes a fresh partition for an empty one misses that by a factor of hundreds.
"""

import datetime as dt
import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from psycopg import sql

from aurastream.store import (
    readings,
    readings_audiences,
    readings_clips,
    readings_continuity,
    readings_models,
    state,
)
from aurastream.store.documents import build_documents
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore
from aurastream.store.readings_texts import text_versions

Rows = Callable[..., pd.DataFrame]

END = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
START = END - dt.timedelta(days=14)
DAY, FOUR_HOURS = dt.timedelta(days=1), dt.timedelta(hours=4)
GAMES = [f"game{number}" for number in range(8)]
VIDEOS = 8  # of each game in each window, and of each chart in each crawl
# Sorting, grouping and joining what was read once touches each row a few times more.
TIMES_TOUCHED = 40

READINGS: dict[str, Callable[[FrameStore], object]] = {
    "continuity": lambda s: readings_continuity.games_continuity(s, START + DAY, END),
    "lists": lambda s: state.last_lists(s, END),
    "views of games": lambda s: readings_clips.game_video_views(s, START, END),
    "clips": lambda s: readings_clips.clips_made(s, START, END),
    "first days": lambda s: readings_audiences.first_days(s, START, END),
    "channels": lambda s: readings_audiences.channel_history(s, START, END),
    "streams": lambda s: readings.stream_totals(s, START, END),
    "candidates": lambda s: readings.game_candidates(s, as_of=END),
    "days of charts": lambda s: readings_models.chart_days(s, START, END),
    "days of counters": lambda s: readings_models.counter_days(s, START, END),
    "games of videos": lambda s: readings_models.games_of_videos(s, START, END),
    "texts": lambda s: text_versions(
        s, [START + n * FOUR_HOURS for n in range(1, 85)], length=FOUR_HOURS
    ),
    "documents": lambda s: list(build_documents(s, END, label="replay")),
}


@pytest.fixture
def explained(
    store: FrameStore, rows: Rows, postgres_server: EmbeddedPostgres
) -> Iterator[Callable[[Callable[[FrameStore], object]], list[dict[str, Any]]]]:
    """Return a function that gives the plans, with what they did, of all that a reading asks."""
    _fill(store, rows)
    with psycopg.connect(store.url, autocommit=True) as connection:
        name = sql.Identifier(connection.info.dbname)
        for setting, value in {
            "session_preload_libraries": "auto_explain",
            "auto_explain.log_min_duration": "0",
            "auto_explain.log_analyze": "on",
            "auto_explain.log_timing": "off",
            "auto_explain.log_format": "json",
            "log_error_verbosity": "terse",
            "statement_timeout": "120s",  # what would hang is to fail
        }.items():
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET {} = {}").format(
                    name, sql.Identifier(*setting.split(".")), sql.Literal(value)
                )
            )

    with FrameStore(store.url) as reader:

        def explain(read: Callable[[FrameStore], object]) -> list[dict[str, Any]]:
            known = postgres_server.log_path.stat().st_size
            read(reader)
            with postgres_server.log_path.open(encoding="utf-8") as log:
                log.seek(known)
                found = re.findall(
                    r"plan:\n(\t?\{.*?\n\t?\})$", log.read(), re.DOTALL | re.MULTILINE
                )
            return [json.loads(plan, strict=False) for plan in found]

        yield explain


def _fill(store: FrameStore, rows: Rows) -> None:
    """Write two weeks as a first start does: each dataset in few writes of many rows."""
    windows = pd.date_range(START, END, freq="30min", inclusive="left", unit="us")
    window, game, video = (
        part.ravel()
        for part in np.meshgrid(
            np.arange(len(windows)), np.arange(len(GAMES)), np.arange(VIDEOS), indexing="ij"
        )
    )
    # A third of a game's videos is replaced every day.
    number = video + game * 10_000 + np.where(video % 3 == 0, window // 48 * 100, 0)
    at, name = windows[window], np.array(GAMES, dtype=object)[game]
    ids = np.char.add("v", number.astype(str)).astype(object)
    views = 1_000 + window * 10

    def many(table: str, **columns: Any) -> Append:
        count = len(next(iter(columns.values())))
        blank = rows(table, [{}])
        return Append(
            table, blank.loc[np.zeros(count, dtype=int)].reset_index(drop=True).assign(**columns)
        )

    versions = np.unique(ids)
    crawls = pd.date_range(START, END, freq="15min", inclusive="left", unit="us")
    games = rows(
        "operations.categories",
        [{"category": g, "kind": "game", "twitch_game_id": f"id-{g}"} for g in GAMES],
    ).assign(audience_timezone="Europe/Berlin")
    store.commit([Append("operations.categories", games)])
    store.commit([many("collection.youtube_videos", video_id=versions, metadata_hash="h",
                       first_observed_at=pd.Timestamp(START), category_id=20)])  # fmt: skip
    store.commit([many("intelligence.video_velocity", window_start=at, category=name,
                       video_id=ids, channel_id=np.char.add("c", (number % 500).astype(str)),
                       observed_at=at, age_h=window % 60 * 1.0, views=views)])  # fmt: skip
    store.commit([many("intelligence.viral_scores", window_start=at, category=name,
                       video_id=ids)])  # fmt: skip
    store.commit([many("collection.youtube_trending", observed_at=at, crawl_at=at, chart=name,
                       region="US", video_id=ids, views=views, metadata_hash="h")])  # fmt: skip
    store.commit([many("collection.youtube_games", observed_at=at, crawl_at=at, game=name,
                       video_id=ids, views=views, metadata_hash="h")])  # fmt: skip
    store.commit([many("collection.clip_radar", observed_at=at, crawl_at=at, created_at=at,
                       game_id=np.char.add("id-", name.astype(str)), clip_id=ids)])  # fmt: skip
    # What is little at a time comes without anybody counting it.
    for each in np.array_split(crawls, 14):
        for dataset in ("twitch_streams", "youtube_trending", "youtube_games", "clip_radar"):
            category = np.tile(GAMES, len(each))
            store.commit([many("operations.crawls", crawl_at=np.repeat(each, len(GAMES)),
                               category=category, region="US", got=60,
                               # Of one game nothing is ever complete.
                               is_complete=category != GAMES[0],
                               dataset=f"collection/{dataset}")])  # fmt: skip
    cells = pd.MultiIndex.from_product([windows, GAMES], names=["window_start", "category"])
    for table in ("category_stats", "opportunity", "competition"):
        store.commit([many(f"intelligence.{table}", window_start=cells.get_level_values(0),
                           category=cells.get_level_values(1))])  # fmt: skip


def test_two_weeks_right_after_they_were_written_are_read_in_proportion_to_their_rows(
    explained: Callable[[Callable[[FrameStore], object]], list[dict[str, Any]]],
) -> None:
    one_table = 14 * 48 * len(GAMES) * VIDEOS
    touched = {}
    for name, read in READINGS.items():
        plans = explained(read)
        assert plans, name
        touched[name] = max(sum(_touched(plan["Plan"])) for plan in plans) / one_table
    assert max(touched.values()) < TIMES_TOUCHED, touched
    assert touched["continuity"] > 1  # it did read what was written


def _touched(node: dict[str, Any]) -> Iterator[float]:
    """Yield, for each part of a plan, the rows it looked at in all its rounds together."""
    looked_at = node["Actual Rows"] + sum(
        count for name, count in node.items() if name.startswith("Rows Removed by")
    )
    yield max(looked_at, 1) * node["Actual Loops"]
    for part in node.get("Plans", ()):
        yield from _touched(part)
