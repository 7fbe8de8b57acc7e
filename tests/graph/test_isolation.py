"""One impossible row costs itself alone, in every score and every analysis."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import FrameStore
from aurastream.store.tables import metadata as tables
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.conftest import fresh_database
from tests.graph.evidence import Clock, failed_checks, metadata_of, move

Run = Callable[..., dg.ExecuteInProcessResult]
_GAME_OF = "(select twitch_game_id from operations.categories where category = %(victim)s)"


@dataclass(frozen=True)
class Poison:
    """What makes a row impossible for an asset, and what takes the row out of its way."""

    asset: str
    spoil: str
    remove: str
    reason: str
    is_slow: bool = False
    is_charted: bool = False  # the category is a chart, not a game
    is_own: bool = False  # the row is what the asset knows of the category
    kept: tuple[str, ...] = ()  # what the asset says of each item that no sibling can change


def row(asset: str, table: str, column: str, **options: Any) -> Poison:
    """Return the poison of one row: a column of it is below zero."""
    owner: str = options.pop("owner", "category = %(victim)s")
    key = ", ".join(c.name for c in tables.tables[table].primary_key.columns)
    newest = tables.tables[table].info["partition_by"]
    last = f"select {key} from {table} where {owner} order by {newest} desc, {key} limit 1"
    return Poison(
        asset,
        f"update {table} set {column} = -1 where ({key}) in ({last})",
        f"delete from {table} where {owner} and {column} = -1",
        options.pop("reason", "-1"),
        **options,
    )


def zone(asset: str, **options: Any) -> Poison:
    """Return the poison of a clock that nobody has."""
    return Poison(
        asset,
        "update operations.categories set audience_timezone = 'Mars/X' where category = %(victim)s",
        "update operations.categories set is_enabled = false where category = %(victim)s",
        "'Mars/X' is no time zone",
        is_own=True,
        **options,
    )


POISONS = [
    row(
        "video_velocity",
        "collection.youtube_trending",
        "views",
        owner="chart = %(victim)s",
        reason="'views' of the youtube_trending frame holds -1",
        is_charted=True,
        kept=("views", "lifetime_velocity_per_hour", "observed_at"),
    ),
    row("category_stats", "intelligence.video_velocity", "views"),
    row(
        "viral_scores", "intelligence.video_velocity", "views", kept=("viral_score", "views_score")
    ),
    row("opportunity", "intelligence.viral_scores", "sample_count"),
    row("momentum", "intelligence.category_stats", "velocity_p50", is_own=True),
    row("competition", "collection.twitch_streams", "viewer_count", owner=f"game_id = {_GAME_OF}"),
    zone("competition"),
    row("clip_intel", "collection.clip_radar", "view_count", owner=f"game_id = {_GAME_OF}"),
    row(
        "viewer_anomalies",
        "collection.twitch_streams",
        "viewer_count",
        owner=f"game_id = {_GAME_OF}",
        kept=("viewers", "anomaly_score", "direction"),
    ),
    row("clip_activity", "intelligence.clip_intel", "velocity_per_hour"),
    row(
        "hour_of_week_map",
        "operations.crawls",
        "viewer_total",
        owner="category = %(victim)s and dataset = 'collection/twitch_streams'",
        is_slow=True,
        is_own=True,
    ),
    zone("hour_of_week_map", is_slow=True),
    row("clip_video_lead_lag", "intelligence.clip_hours", "clip_count", is_slow=True),
    Poison(
        "video_ideas",
        """
        insert into intelligence.competition
        select made.* from intelligence.competition c,
               jsonb_populate_record(
                   c, jsonb_build_object('category', %(victim)s::text, 'ease_score', -1)
               ) made
        where c.category = 'minecraft'
        """,
        "delete from intelligence.competition where category = %(victim)s",
        "between 0 and 100",
        is_slow=True,
        is_charted=True,
    ),
]


@dataclass(frozen=True)
class Scored:
    """A record whose last window was collected, scored and analysed."""

    database: str
    last: datetime


@pytest.fixture(scope="module")
def scored(prepare: Callable[..., str], replay_clock: Clock) -> Scored:
    """Collect and score the last half hour of a four-hour window, once for all tests."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    last = now.replace(hour=now.hour - now.hour % 4) - WINDOW

    def steps(run: Callable[..., None]) -> None:
        move(replay_clock, last)
        replay_clock.offset -= timedelta(minutes=15)
        run("clips")
        replay_clock.offset += timedelta(minutes=15)
        run("clips")
        run("streams")
        run("signal", last)
        # Which videos play a game is found among those that chart.
        run("games")
        run("rescore", last)
        run("analyses", last + WINDOW - FOUR_HOURS)

    return Scored(prepare(steps), last)


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, scored: Scored) -> Iterator[str]:
    """URL of a copy of the scored record."""
    with fresh_database(postgres_server, scored.database) as url:
        yield url


@pytest.fixture
def last(scored: Scored, clock: Clock) -> datetime:
    """The start of the scored window, which is the platforms' present."""
    return move(clock, scored.last)


def computed(store: FrameStore, asset: str) -> pd.DataFrame:
    """Return every row of an asset, in a fixed order."""
    table = f"intelligence.{asset}"
    key = [column.name for column in tables.tables[table].primary_key.columns]
    return store.read(table, order_by=key)


def others(rows: pd.DataFrame, victim: str) -> pd.DataFrame:
    return rows[rows["category"] != victim].reset_index(drop=True)


def siblings(rows: pd.DataFrame, columns: list[str], item: str) -> pd.DataFrame:
    """Return what is said of all items but one."""
    return rows.loc[rows[columns[1]] != item, columns].reset_index(drop=True)


@pytest.mark.parametrize("poison", POISONS, ids=lambda p: f"{p.asset}-{p.spoil.split()[1]}")
def test_one_impossible_row_costs_itself_alone_and_is_quarantined_with_the_reason(
    run: Run, store: FrameStore, last: datetime, poison: Poison
) -> None:
    job, window = ("analyses", last + WINDOW - FOUR_HOURS) if poison.is_slow else ("rescore", last)

    def again() -> dg.ExecuteInProcessResult:
        return run(job, first=window, asset_selection=[asset_key("intelligence", poison.asset)])

    before = computed(store, poison.asset)
    victim = "gaming" if poison.is_charted else "minecraft"
    assert {victim} < set(before["category"])
    store.execute(poison.spoil, {"victim": victim})

    result = again()

    assert result.success
    said = metadata_of(result, asset_key("intelligence", poison.asset))
    assert str(said["computed"]).startswith("anew: ") or "unchanged" in said
    after = computed(store, poison.asset)
    (refused,) = store.read("operations.quarantine").to_dict("records")
    assert refused["source"] == f"intelligence/{poison.asset}"
    assert poison.reason in refused["reason"]
    rejected = json.loads(refused["raw"])
    assert rejected["category"] == victim
    assert refused["item_id"] in {victim, *map(str, rejected["row"].values())}
    assert said["refused"] == 1
    warned = [e for e in result.get_asset_check_evaluations() if not e.passed]
    assert failed_checks(result) >= {f"intelligence/{poison.asset}:accepted"}
    assert {e.severity for e in warned} == {dg.AssetCheckSeverity.WARN}
    # Its siblings are there, and other categories are as they were.
    assert (victim in set(after["category"])) != poison.is_own
    pd.testing.assert_frame_equal(others(after, victim), others(before, victim), check_exact=True)
    if poison.kept:
        item = next(name for name in ("video_id", "stream_id") if name in before)
        said_of = (["category", item, *poison.kept], refused["item_id"])
        pd.testing.assert_frame_equal(
            siblings(after, *said_of), siblings(before, *said_of), check_exact=True
        )
        assert len(siblings(after, *said_of)) > 0.9 * len(before)

    store.execute(poison.remove, {"victim": victim})
    result = again()

    # To the bit what is found without the row.
    pd.testing.assert_frame_equal(after, computed(store, poison.asset), check_exact=True)
    assert metadata_of(result, asset_key("intelligence", poison.asset))["refused"] == 0
    assert store.read("operations.quarantine").empty


def test_a_range_refuses_what_its_windows_refuse_one_by_one(
    run: Run, store: FrameStore, clock: Clock, last: datetime
) -> None:
    windows = [last, last + WINDOW]
    clock.offset += WINDOW
    assert run("streams").success
    assert run("signal", first=windows[1]).success
    before = computed(store, "viral_scores")
    store.execute(
        """
        update intelligence.video_velocity set views = -1
        where window_start = %(window)s and category = 'minecraft'
        """,
        {"window": windows[1]},
    )
    key = [asset_key("intelligence", "viral_scores")]

    run("rescore", first=windows[0], last=windows[1], asset_selection=key)

    gone = (before["category"] == "minecraft") & (before["window_start"] == windows[1])
    assert gone.sum() > 1
    found = computed(store, "viral_scores")
    pd.testing.assert_frame_equal(found, before[~gone].reset_index(drop=True), check_exact=True)
    refused = store.read("operations.quarantine")
    for window in windows:
        run("rescore", first=window, asset_selection=key)
    pd.testing.assert_frame_equal(computed(store, "viral_scores"), found, check_exact=True)
    pd.testing.assert_frame_equal(store.read("operations.quarantine"), refused)


def test_a_record_that_was_mended_is_accepted_again(
    run: Run, store: FrameStore, last: datetime
) -> None:
    key = [asset_key("intelligence", "category_stats")]
    spoil = "update intelligence.video_velocity set views = %(views)s where category = 'music'"
    store.execute(spoil, {"views": -1})
    refused = run("rescore", first=last, asset_selection=key)
    assert "intelligence/category_stats:accepted" in failed_checks(refused)
    store.execute(spoil, {"views": 1})

    result = run("rescore", first=last, asset_selection=key)

    assert failed_checks(result) == set()
    assert store.read("operations.quarantine").empty
