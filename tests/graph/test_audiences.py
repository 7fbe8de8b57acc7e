"""Formats, languages, releases and outliers as runs on a real record, bad input among it."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest
from dagster import AssetKey

from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import FrameStore, Replace
from aurastream.store.tables import metadata as tables
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.conftest import fresh_database
from tests.graph.evidence import Clock, failed_checks, metadata_of, move

Run = Callable[..., dg.ExecuteInProcessResult]
FAMILY = (
    "content_formats",
    "shorts_comparison",
    "language_mix",
    "regional_intel",
    "premiere_intel",
    "publishing_times",
    "channel_outliers",
)


@dataclass(frozen=True)
class Scored:
    """A record in which the half hour that ends a four-hour window was scored."""

    database: str
    start: datetime


@pytest.fixture(scope="module")
def scored(prepare: Callable[..., str], replay_clock: Clock) -> Scored:
    """Score it once for all tests."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = now.replace(hour=now.hour - now.hour % 4) - FOUR_HOURS
    last = move(replay_clock, start + FOUR_HOURS - WINDOW)
    return Scored(prepare(lambda run: run("signal", last)), start)


@pytest.fixture
def database_url(postgres_server: EmbeddedPostgres, scored: Scored) -> Iterator[str]:
    """URL of a copy of the scored record."""
    with fresh_database(postgres_server, scored.database) as url:
        yield url


@pytest.fixture
def window(scored: Scored, clock: Clock) -> datetime:
    """The start of the four-hour window whose last half hour is the platforms' present."""
    move(clock, scored.start + FOUR_HOURS - WINDOW)
    return scored.start


def analyse(run: Run, window: datetime, **options: Any) -> dg.ExecuteInProcessResult:
    """Run the analyses of this family alone, with their checks."""
    family = [AssetKey(["intelligence", name]) for name in FAMILY]
    return run("analyses", first=window, asset_selection=family, **options)


def results(store: FrameStore) -> dict[str, pd.DataFrame]:
    """Return every row of the family, in a fixed order."""
    return {
        name: store.read(
            f"intelligence.{name}",
            order_by=[c.name for c in tables.tables[f"intelligence.{name}"].primary_key.columns],
        )
        for name in FAMILY
    }


def change(store: FrameStore, window: datetime, **columns: Any) -> pd.DataFrame:
    """Overwrite columns of the scored half hour, each by what it is given or computes."""
    rows = store.read("intelligence.video_velocity").assign(**columns)
    start = window + FOUR_HOURS - WINDOW
    store.commit([Replace("intelligence.video_velocity", rows, start, start + WINDOW)])
    return rows


def assert_same(found: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Compare bit by bit."""
    pd.testing.assert_frame_equal(
        found.reset_index(drop=True), expected.reset_index(drop=True), check_exact=True
    )


def assert_others_are_the_same(
    after: dict[str, pd.DataFrame], before: dict[str, pd.DataFrame], victim: str
) -> None:
    """Compare all but what YouTube says of a category, and what shares a channel with it."""
    outliers = before["channel_outliers"]
    channels = set(outliers.loc[outliers["category"] == victim, "channel_id"])

    def others(rows: pd.DataFrame) -> pd.DataFrame:
        gone = rows["category"] == victim
        if "platform" in rows:
            gone &= rows["platform"] == "youtube"
        if "channel_id" in rows:
            gone |= rows["channel_id"].isin(channels)
        return rows[~gone]

    for name in FAMILY:
        assert_same(others(after[name]), others(before[name]))


def test_a_window_is_told_of_by_every_analysis_and_all_checks_pass(
    run: Run, store: FrameStore, window: datetime
) -> None:
    run("streams")
    result = analyse(run, window)

    assert failed_checks(result) == set()
    found = results(store)
    velocity = store.read("intelligence.video_velocity")
    for name in set(FAMILY) - {"publishing_times"}:
        assert set(found[name]["window_start"]) == {window}
        assert set(velocity["category"]) - set(found[name]["category"]) <= {"movies"}
    # Others have nothing to draw yet: one crawl knows no channel, and no announced video here.
    for name in ("content_formats", "language_mix", "regional_intel"):
        said = metadata_of(result, AssetKey(["intelligence", name]))
        assert any("data:image/svg" in str(value) for value in said.values()), name
    assert len(found["channel_outliers"]) == len(velocity)
    mix = found["language_mix"]
    on_youtube = mix[mix["platform"] == "youtube"].groupby("language_source")["item_count"].sum()
    assert on_youtube.tolist() == [len(velocity), len(velocity)]


def test_a_video_that_is_refused_costs_itself_alone_and_is_quarantined_with_the_reason(
    run: Run, store: FrameStore, window: datetime
) -> None:
    analyse(run, window)
    before = results(store)
    rows = store.read("intelligence.video_velocity", order_by=["category", "video_id"])
    victim, bad = rows.loc[rows["views"].notna(), ["category", "video_id"]].iloc[0]
    theirs = {"victim": victim, "bad": bad}
    where = "where category = %(victim)s and video_id = %(bad)s"
    store.execute(f"update intelligence.video_velocity set views = -1 {where}", theirs)

    result = analyse(run, window)

    assert result.success
    after = results(store)
    quarantine = store.read("operations.quarantine")
    assert_others_are_the_same(after, before, victim)
    # The languages are summed up from what was not refused, and no video is a day old by chance.
    for name in set(FAMILY) - {"regional_intel", "publishing_times"}:
        assert metadata_of(result, AssetKey(["intelligence", name]))["refused"] == 1
        assert f"intelligence/{name}:accepted" in failed_checks(result)
        (row,) = quarantine[quarantine["source"] == f"intelligence/{name}"].to_dict("records")
        assert (row["item_id"], json.loads(row["raw"])["category"]) == (bad, victim)
        assert "'views'" in row["reason"]
        assert victim in set(after[name]["category"])

    store.execute(f"delete from intelligence.video_velocity {where}", theirs)
    analyse(run, window)

    # To the bit what is found without the video, and nothing is in quarantine any more.
    for name, expected in results(store).items():
        assert_same(after[name], expected)
    assert store.read("operations.quarantine").empty


def test_an_unknown_time_zone_costs_its_category_alone(
    run: Run, store: FrameStore, window: datetime
) -> None:
    day = timedelta(days=1, hours=6)
    change(store, window, age_h=30.0, published_at=lambda f: f["observed_at"] - day)
    analyse(run, window)
    before = results(store)["publishing_times"]
    victim = before["category"].min()
    store.execute(
        "update operations.categories set audience_timezone = 'Mars/X' where category = %(name)s",
        {"name": victim},
    )

    assert analyse(run, window).success

    assert_same(results(store)["publishing_times"], before[before["category"] != victim])
    (row,) = store.read("operations.quarantine").to_dict("records")
    assert (row["item_id"], "'Mars/X' is no time zone" in row["reason"]) == (victim, True)


@pytest.mark.parametrize("left", [0, 1, 2])
def test_a_category_with_hardly_a_video_is_described_and_not_judged(
    run: Run, store: FrameStore, window: datetime, left: int
) -> None:
    analyse(run, window)
    before = results(store)
    victim = before["content_formats"]["category"].min()
    rows = store.read("intelligence.video_velocity", order_by=["category", "video_id"])
    few = rows[rows["category"] == victim].head(left)
    start = window + FOUR_HOURS - WINDOW
    kept = pd.concat([rows[rows["category"] != victim], few])
    store.commit([Replace("intelligence.video_velocity", kept, start, start + WINDOW)])

    result = analyse(run, window)

    assert failed_checks(result) == set()
    after = results(store)
    assert_others_are_the_same(after, before, victim)
    for name, verdicts in {
        "shorts_comparison": ["shorts_performance_ratio"],
        "premiere_intel": ["performance_ratio"],
        "channel_outliers": ["outlier_score", "like_age_score"],
    }.items():
        own = after[name][after[name]["category"] == victim]
        assert len(own) == (left if name == "channel_outliers" else min(left, 1))
        assert own[verdicts].isna().all(axis=None)
    formats = after["content_formats"]
    assert not formats.loc[formats["category"] == victim, "is_optimal"].any()
    assert store.read("operations.quarantine").empty


def test_what_is_not_known_is_counted_apart_and_never_guessed(
    run: Run, store: FrameStore, window: datetime
) -> None:
    rows = change(store, window, duration_s=pd.NA, audio_language="und")

    result = analyse(run, window)

    assert failed_checks(result) == {
        "intelligence/language_mix:known_share",
        "intelligence/shorts_comparison:known_share",
    }
    found = results(store)
    assert found["content_formats"].empty
    assert found["shorts_comparison"]["unknown_count"].sum() == len(rows)
    assert found["shorts_comparison"]["shorts_performance_ratio"].isna().all()
    tagged = found["regional_intel"].query("platform == 'youtube' and language_source == 'tag'")
    assert set(tagged["dominant_language"]) == {"und"}
    assert tagged[["leading_market_language", "language_diversity"]].isna().all(axis=None)
    titled = found["regional_intel"].query("language_source == 'title'")
    assert (titled["language_count"] > 0).any()


def test_a_release_in_the_future_or_never_has_no_velocity_and_no_delay(
    run: Run, store: FrameStore, window: datetime
) -> None:
    rows = change(
        store,
        window,
        published_at=window + timedelta(days=3),
        age_h=None,
        lifetime_velocity_per_hour=None,
    )
    store.execute(
        """
        update collection.youtube_videos
        set published_at = %(later)s, live_state = 'upcoming', actual_start_at = null,
            scheduled_start_at = case when video_id < 'M' then %(later)s else %(long_ago)s end
        """,
        {"later": window + timedelta(days=3), "long_ago": window - timedelta(days=3)},
    )

    result = analyse(run, window)

    assert result.success
    assert not {check for check in failed_checks(result) if "range" in check or "cover" in check}
    found = results(store)
    premieres = found["premiere_intel"]
    waiting, overdue = premieres["upcoming_count"].sum(), premieres["overdue_count"].sum()
    assert waiting == (rows["video_id"] < "M").sum()
    assert overdue == (rows["video_id"] >= "M").sum()
    assert premieres[["on_time_share", "delay_median_min"]].isna().all(axis=None)
    assert found["publishing_times"].empty
    assert found["channel_outliers"]["outlier_score"].isna().all()


def test_a_range_of_windows_equals_its_windows_one_by_one(
    run: Run, store: FrameStore, window: datetime
) -> None:
    velocity = store.read("intelligence.video_velocity")
    scores = store.read("intelligence.viral_scores")
    for back in (1, 2, 3):
        earlier = back * FOUR_HOURS
        shifted = velocity.assign(
            window_start=velocity["window_start"] - earlier,
            observed_at=velocity["observed_at"] - earlier,
            published_at=velocity["observed_at"] - timedelta(hours=32),
            age_h=32.0 - 4 * back,
        )
        shifted["views"] -= shifted["views"] % (back + 1)
        start = shifted["window_start"].iloc[0].to_pydatetime()
        store.commit(
            [
                Replace("intelligence.video_velocity", shifted, start, start + WINDOW),
                Replace(
                    "intelligence.viral_scores",
                    scores.assign(window_start=start),
                    start,
                    start + WINDOW,
                ),
            ]
        )
    # The earlier windows know nothing of a video whose metadata came after them.
    store.execute(
        "update collection.youtube_videos set first_observed_at = first_observed_at - interval '1d'"
    )
    windows = [window - n * FOUR_HOURS for n in (3, 2, 1, 0)]
    for start in windows:
        assert analyse(run, start).success
    one_by_one = results(store)

    analyse(run, windows[0], last=windows[-1])

    for name, rows in results(store).items():
        assert_same(rows, one_by_one[name])
        assert set(rows["window_start"]) <= set(windows)
    assert len(set(results(store)["publishing_times"]["window_start"])) > 1

    # What is impossible in a window before is left out of every later one, and told in its own.
    store.execute(
        """
        update intelligence.video_velocity set views = -1
        where (category, video_id, window_start) in (
            select category, video_id, window_start from intelligence.video_velocity
            where window_start < %(window)s and age_h >= 24 and age_h < 36 limit 1
        )
        """,
        {"window": window},
    )
    key = [AssetKey(["intelligence", "publishing_times"])]
    assert run("analyses", first=window, asset_selection=key).success
    assert store.read("operations.quarantine").empty
