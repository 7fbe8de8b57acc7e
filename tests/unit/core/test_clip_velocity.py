import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.clip_velocity import (
    ClipParams,
    clip_activity,
    clip_hours,
    clip_velocity,
)
from aurastream.core.errors import InvalidInputError
from aurastream.core.trend import TrendParams

SHARED = Path(__file__).resolve().parents[4] / "shared" / "data"
RECORDED = SHARED / "twitch_payloads" / "clips_2024_vod_offset_null.json"
OBSERVATIONS = SHARED / "youtube_trending"
DAY = pd.Timestamp("2026-01-10T00:00Z")
AS_OF = pd.DatetimeIndex(["2026-01-10T10:30Z"])
GAMES = pd.DataFrame({"category": ["minecraft", "apex"], "twitch_game_id": ["g1", "g2"]})

snapshots = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.integers(0, 40),  # crawl, a quarter of an hour apart
        st.integers(0, 1000),
    ),
    min_size=1,
    max_size=60,
)


def seen(*rows: tuple[str, str, int], created: str = "09:00", game: str = "g1") -> pd.DataFrame:
    """Rows of clip_radar on one day: clip, time of the crawl, views."""
    at = [pd.Timestamp(f"2026-01-10T{time}Z") for _, time, _ in rows]
    return pd.DataFrame(
        {
            "crawl_at": at,
            "observed_at": at,
            "game_id": game,
            "clip_id": [clip for clip, _, _ in rows],
            "view_count": [views for _, _, views in rows],
            "created_at": pd.Timestamp(f"2026-01-10T{created}Z"),
        }
    )


def one(frame: pd.DataFrame) -> Any:
    assert len(frame) == 1
    return frame.iloc[0]


def measured(*rows: tuple[str, str, int], **options: Any) -> Any:
    return one(clip_velocity(seen(*rows, **options), as_of=AS_OF, games=GAMES))


def test_velocity_is_the_gain_since_the_oldest_snapshot_of_the_last_hour() -> None:
    found = measured(
        ("a", "09:10", 1), ("a", "09:25", 100), ("a", "10:00", 140), ("a", "10:25", 160),
        created="06:00",
    )  # fmt: skip
    assert found["velocity_per_hour"] == 60.0
    assert (found["velocity_span_h"], found["velocity_basis"]) == (1.0, "crawls")
    assert found["lifetime_velocity_per_hour"] == pytest.approx(160 / (4 + 25 / 60))
    assert (found["views"], found["views_fell"]) == (160, False)


def test_a_young_clip_is_measured_from_its_making_and_is_half_an_hour_old_at_least() -> None:
    found = measured(("a", "10:20", 7), ("a", "10:25", 20), created="10:15")
    assert (found["velocity_per_hour"], found["velocity_span_h"]) == (40.0, 0.5)
    assert found["velocity_basis"] == "creation"
    assert found["age_h"] == pytest.approx(1 / 6)


def test_after_missed_crawls_the_reference_lies_further_back() -> None:
    found = measured(("a", "06:25", 0), ("a", "10:25", 40), created="05:00")
    assert (found["velocity_per_hour"], found["velocity_span_h"]) == (10.0, 4.0)


def test_an_old_clip_seen_once_has_no_velocity_now() -> None:
    found = measured(("a", "10:25", 40), created="03:00")
    assert np.isnan(found["velocity_per_hour"])
    assert pd.isna(found["velocity_basis"])
    assert found["lifetime_velocity_per_hour"] > 0


def test_a_fall_forgets_what_was_before_it() -> None:
    rows = [("a", "09:30", 500), ("a", "09:50", 300), ("a", "10:20", 330)]
    found = measured(*rows, created="06:00")
    assert (found["velocity_per_hour"], found["velocity_span_h"]) == (60.0, 0.5)
    assert found["views_fell"]

    # What the fall left behind is too short a time to say anything.
    found = measured(("a", "09:30", 500), ("a", "10:20", 330), created="06:00")
    assert found["views_fell"]
    assert np.isnan(found["velocity_per_hour"])


def test_of_two_answers_in_one_crawl_the_one_with_more_views_counts() -> None:
    rows = seen(("a", "09:50", 10), ("a", "10:20", 60), ("a", "10:20", 40), created="06:00")
    rows["observed_at"] += pd.to_timedelta([1, 1, 9], unit="s")
    for order in ([0, 1, 2], [2, 1, 0]):
        found = clip_velocity(rows.iloc[order], as_of=AS_OF, games=GAMES).iloc[0]
        assert (found["views"], found["views_fell"]) == (60, False)
        assert found["velocity_per_hour"] == pytest.approx(100.0)


def test_a_clip_that_one_page_left_out_is_still_there_and_an_old_one_is_gone() -> None:
    rows = pd.concat(
        [
            seen(("left out", "10:05", 5), ("gone", "09:30", 5), created="09:20"),
            seen(("new", "10:20", 5), created="10:10"),
        ]
    )
    found = clip_velocity(rows, as_of=AS_OF, games=GAMES)
    assert found["clip_id"].tolist() == ["left out", "new"]


def partial(*times: str) -> pd.DataFrame:
    starts = [pd.Timestamp(f"2026-01-10T{time}Z") for time in times]
    return pd.DataFrame({"category": "minecraft", "crawl_at": starts})


def test_a_crawl_that_got_a_part_ends_no_clip() -> None:
    rows = pd.concat(
        [
            seen(("gone", "08:55", 5), ("seen again", "09:40", 5), ("left out", "09:40", 5)),
            seen(("seen again", "10:20", 8)),
        ]
    )

    def there(*parts: str) -> dict[str, int]:
        found = clip_velocity(rows, as_of=AS_OF, games=GAMES, partial_crawls=partial(*parts))
        return dict(zip(found["clip_id"], found["views"], strict=True))

    assert there("10:20") == {"seen again": 8, "left out": 5}
    # A whole one ends what was not seen in the half hour before it.
    assert there() == {"seen again": 8}
    # Where none was whole, what was seen in the half hour before the window's last hour is there.
    assert there("08:55", "09:40", "10:20") == {"seen again": 8, "left out": 5}
    # Without so much as a part in the last hour there are no clips.
    late = clip_velocity(
        rows, as_of=AS_OF + pd.Timedelta("51min"), games=GAMES, partial_crawls=partial("10:20")
    )
    assert late.empty


def test_a_window_without_a_crawl_in_the_last_hour_has_no_clips() -> None:
    rows = seen(("a", "09:29", 5))
    assert clip_velocity(rows, as_of=AS_OF, games=GAMES).empty
    later = seen(("a", "10:30", 5))
    assert clip_velocity(later, as_of=AS_OF, games=GAMES).empty


def test_the_viral_clips_are_the_top_tenth_of_their_own_game_from_twenty_on() -> None:
    def game(n: int, name: str) -> pd.DataFrame:
        rows = [(f"{name}{i:02d}", "10:20", 10 * i) for i in range(n)]
        return seen(*rows, created="09:50", game=name)

    found = clip_velocity(pd.concat([game(20, "g1"), game(19, "g2")]), as_of=AS_OF, games=GAMES)
    viral = found[found["trend_class"] == "VIRAL"]
    assert viral["clip_id"].tolist() == ["g118", "g119"]
    assert set(found.loc[found["category"] == "apex", "trend_class"]) == {"UNKNOWN"}
    of_game = found[found["category"] == "minecraft"]
    p90 = np.percentile(of_game["velocity_per_hour"], 90)
    assert (of_game["velocity_per_hour"] >= p90).sum() == 2
    assert of_game["velocity_score"].is_monotonic_increasing
    sums = clip_activity(found).set_index("category")
    assert sums.loc["minecraft", ["clip_count", "viral_count"]].tolist() == [20, 2]
    assert pd.isna(sums.loc["apex", "viral_count"])
    assert sums.loc["minecraft", "views_gained_per_hour"] == of_game["velocity_per_hour"].sum()
    assert sums.loc["minecraft", "viral_share"] == pytest.approx(
        (180 + 190) / sum(range(0, 200, 10))
    )


ACTIVE = st.lists(
    st.tuples(
        st.sampled_from(["apex", "minecraft"]),
        st.integers(0, 1),  # window
        st.none() | st.integers(0, 500),  # velocity
        st.sampled_from(["VIRAL", "RISING", "UNKNOWN"]),
        st.none() | st.booleans(),  # whether the counter fell
        st.none() | st.integers(0, 100),  # confidence
        st.integers(0, 29),  # minute
    ),
    min_size=1,
    max_size=20,
)


@settings(max_examples=50)
@given(ACTIVE, st.integers(1, 4), st.randoms(use_true_random=False))
def test_activity_is_what_adding_the_clips_up_one_by_one_gives(
    rows: list[tuple[Any, ...]], least: int, random: Any
) -> None:
    start = pd.Timestamp("2026-01-10T10:00Z").as_unit("us")
    half = pd.Timedelta("30min")
    clips = pd.DataFrame(
        {
            "window_start": [start + n * half for _, n, *_ in rows],
            "category": [row[0] for row in rows],
            "observed_at": [start + row[1] * half + pd.Timedelta(minutes=row[6]) for row in rows],
            "trend_class": [row[3] for row in rows],
            "velocity_per_hour": pd.array([row[2] for row in rows], dtype="Float64"),
            "views_fell": pd.array([row[4] for row in rows], dtype="boolean"),
            "confidence_pct": pd.array([row[5] for row in rows], dtype="Float64"),
        }
    )
    params = ClipParams(trend=TrendParams(min_sample=least))

    found = clip_activity(clips, params=params)

    keys = sorted({(row[1], row[0]) for row in rows})
    assert len(found) == len(keys)
    for (window, category), line in zip(keys, found.to_dict("records"), strict=True):
        own = [row for row in rows if (row[1], row[0]) == (window, category)]
        speeds = [row[2] for row in own if row[2] is not None]
        hot = [row for row in own if row[3] == "VIRAL"]
        sure = [row[5] for row in own if row[5] is not None]
        p50, p90 = np.percentile(speeds, [50, 90]).tolist() if speeds else (np.nan, np.nan)
        enough = len(speeds) >= least
        share = sum(row[2] or 0 for row in hot) / sum(speeds) if sum(speeds) else np.nan
        assert (line.pop("window_start"), line.pop("category")) == (start + window * half, category)
        newest = start + window * half + pd.Timedelta(minutes=max(row[6] for row in own))
        assert line.pop("observed_at") == newest
        assert {
            name: np.nan if pd.isna(value) else value for name, value in line.items()
        } == pytest.approx(
            {
                "clip_count": len(own),
                "sample_count": len(speeds),
                "viral_count": len(hot) if enough else np.nan,
                "fell_count": sum(row[4] is True for row in own),
                "views_gained_per_hour": sum(speeds) if speeds else np.nan,
                "velocity_p50": p50,
                "velocity_p90": p90,
                "viral_share": share if enough else np.nan,
                "confidence_pct": sum(sure) / len(sure) if sure else 0.0,
            },
            nan_ok=True,
        )
    order = list(range(len(rows)))
    random.shuffle(order)
    again = clip_activity(clips.iloc[order], params=params)
    pd.testing.assert_frame_equal(again, found, check_exact=True)


def by_loops(
    rows: list[tuple[str, int, int]], end: int, params: ClipParams, partial: set[int]
) -> dict[str, float]:
    """Velocity of every clip in the window that ends at quarter `end`, clip by clip."""
    known: dict[str, dict[int, int]] = {}
    for clip, quarter, views in rows:
        if quarter < end:
            at = known.setdefault(clip, {})
            at[quarter] = max(at.get(quarter, 0), views)
    latest = max((q for shots in known.values() for q in shots), default=None)
    if latest is None or latest < end - 4:
        return {}
    whole = {q for shots in known.values() for q in shots} - partial
    since = min(latest, max({end - 4, *whole}))
    found = {}
    for clip, shots in known.items():
        moments = sorted(shots.items())
        newest, views = moments[-1]
        if newest < since - 2:
            continue
        # Every clip here was made at quarter 0, with no views, before the crawl of that quarter.
        line = [(0, 0), *moments]
        inside = [i for i, (q, _) in enumerate(line) if q >= newest - 4]
        reference = inside[0]
        if (
            newest - line[reference][0] == 0
            and reference > 0
            and newest - line[reference - 1][0] <= 24
        ):
            reference -= 1
        falls = [i for i in range(reference + 1, len(line)) if line[i][1] < line[i - 1][1]]
        if falls:
            reference = falls[-1]
        span = (newest - line[reference][0]) / 4
        if reference == 0:
            span = max(span, params.min_age_h)
        found[clip] = (views - line[reference][1]) / span if span else float("nan")
    return found


@given(snapshots, st.sets(st.integers(0, 40)))
@settings(max_examples=30)
def test_velocities_are_those_of_a_clip_by_clip_reckoning(
    rows: list[tuple[str, int, int]], partial: set[int]
) -> None:
    at = [DAY + pd.Timedelta(minutes=15 * quarter) for _, quarter, _ in rows]
    frame = pd.DataFrame(
        {
            "crawl_at": at,
            "observed_at": at,
            "game_id": "g1",
            "clip_id": [clip for clip, _, _ in rows],
            "view_count": [views for _, _, views in rows],
            "created_at": DAY,
        }
    )
    ends = pd.date_range(DAY + pd.Timedelta("30min"), periods=20, freq="30min")
    starts = [DAY + pd.Timedelta(minutes=15 * quarter) for quarter in partial]
    parts = pd.DataFrame({"category": "minecraft", "crawl_at": starts})
    found = clip_velocity(frame, as_of=ends, games=GAMES, partial_crawls=parts)
    for number, end in enumerate(ends, start=1):
        mine = found[found["window_start"] == end - pd.Timedelta("30min")]
        expected = by_loops(rows, 2 * number, ClipParams(), partial)
        assert dict(zip(mine["clip_id"], mine["velocity_per_hour"], strict=True)) == pytest.approx(
            expected, nan_ok=True
        )
    assert (found["velocity_per_hour"].dropna() >= 0).all()
    assert found["velocity_score"].dropna().between(0, 100).all()
    assert found["confidence_pct"].between(0, 100).all()

    few = ends[::4]
    found = clip_velocity(frame, as_of=few, games=GAMES)
    alone = [clip_velocity(frame, as_of=few[[i]], games=GAMES) for i in range(few.size)]
    filled = [part for part in alone if len(part)]
    if filled:
        pd.testing.assert_frame_equal(found, pd.concat(filled, ignore_index=True), check_exact=True)
    shuffled = clip_velocity(frame.sample(frac=1, random_state=3), as_of=few[::-1], games=GAMES)
    pd.testing.assert_frame_equal(shuffled, found, check_exact=True)


@given(st.integers(0, 500), st.integers(0, 500))
def test_more_views_never_are_a_lower_velocity(fewer: int, more: int) -> None:
    slow, fast = (
        measured(("a", "09:30", 0), ("a", "10:20", views), created="06:00")["velocity_per_hour"]
        for views in sorted((fewer, more))
    )
    assert slow <= fast


def test_an_hour_is_known_when_a_complete_crawl_came_after_it_and_reaches_back() -> None:
    made = pd.DataFrame(
        {
            "category": "minecraft",
            "clip_id": list("abc"),
            "created_at": pd.to_datetime(
                ["2026-01-10T01:10Z", "2026-01-10T01:50Z", "2026-01-10T05:10Z"]
            ),
            "first_crawl_at": pd.to_datetime(
                ["2026-01-10T03:05Z", "2026-01-10T06:05Z", "2026-01-10T06:05Z"]
            ),
        }
    )
    crawls = pd.DataFrame(
        {
            "category": "minecraft",
            "crawl_at": pd.to_datetime(["2026-01-10T03:05Z", "2026-01-10T06:05Z"]),
        }
    )
    as_of = pd.DatetimeIndex(["2026-01-10T04:00Z", "2026-01-10T08:00Z"])
    found = clip_hours(made, crawls, as_of=as_of)
    told = {
        start: dict(zip(rows["hour_start"].dt.hour, rows["clip_count"], strict=True))
        for start, rows in found.groupby(found["window_start"].dt.hour)
    }
    # At 04:00 nobody had seen clip b; at 08:00 everybody has, and hours from 06:00 on are open.
    assert told[0] == {22: 0, 23: 0, 0: 0, 1: 1, 2: 0}
    assert told[4] == {0: 0, 1: 2, 2: 0, 3: 0, 4: 0, 5: 1}
    again = [clip_hours(made, crawls, as_of=as_of[[i]]) for i in (0, 1)]
    pd.testing.assert_frame_equal(found, pd.concat(again, ignore_index=True), check_exact=True)


_minutes = st.integers(-40, 60).map(lambda quarter: 15 * quarter)  # from midnight
_category = st.sampled_from(["apex", "minecraft"])


@settings(max_examples=60)
@given(
    st.lists(st.tuples(_category, _minutes, st.sampled_from([0, 5, 30, 300])), max_size=30),
    st.lists(st.tuples(_category, _minutes), max_size=12),
    st.lists(st.integers(0, 60), min_size=1, max_size=3, unique=True),
    st.randoms(use_true_random=False),
)
def test_hours_and_their_clips_are_those_of_looking_at_each_crawl_for_each_hour(
    clips: list[tuple[str, int, int]], crawled: list[tuple[str, int]], ends: list[int], shuffle: Any
) -> None:
    def at(minute: int) -> pd.Timestamp:
        return DAY + timedelta(minutes=minute)

    made = pd.DataFrame(
        [(c, str(n), at(m), at(m + later)) for n, (c, m, later) in enumerate(clips)],
        columns=["category", "clip_id", "created_at", "first_crawl_at"],
    )
    crawls = pd.DataFrame([(c, at(m)) for c, m in crawled], columns=["category", "crawl_at"])
    as_of = pd.DatetimeIndex([at(15 * end) for end in ends])
    told = {}
    for end in as_of:
        for ago in range(1, 9):
            start = end.floor("h") - timedelta(hours=ago)
            over = start + timedelta(hours=1)
            for category in ("apex", "minecraft"):
                if any(
                    c == category and over <= at(m) <= start + timedelta(hours=6) and at(m) < end
                    for c, m in crawled
                ):
                    told[end - timedelta(hours=4), category, start] = sum(
                        c == category and start <= at(m) < over and at(m + later) < end
                        for c, m, later in clips
                    )

    rows = shuffle.sample(range(len(made)), len(made))
    found = clip_hours(made.iloc[rows], crawls, as_of=as_of)

    keys = zip(found["window_start"], found["category"], found["hour_start"], strict=True)
    assert dict(zip(keys, found["clip_count"], strict=True)) == told
    assert len(found) == len(told)


def test_wrong_frames_are_refused_with_the_mend() -> None:
    rows = seen(("a", "10:20", 5))
    for broken, said in (
        (rows.drop(columns="view_count"), "no column 'view_count'"),
        (rows.assign(view_count=-2), "holds -2"),
        (rows.assign(view_count=np.nan), "'view_count'.*missing"),
        (rows.assign(clip_id=None), "'clip_id'.*missing"),
        (rows.assign(created_at=pd.NaT), "'created_at'"),
    ):
        with pytest.raises(InvalidInputError, match=said):
            clip_velocity(broken, as_of=AS_OF, games=GAMES)


@pytest.mark.skipif(not RECORDED.is_file(), reason=f"no answer at {RECORDED}")
def test_golden_velocity_of_a_recorded_clip() -> None:
    recorded = json.loads(RECORDED.read_text(encoding="utf-8"))
    item = next(iter(_clips(recorded)))
    created = pd.Timestamp(item["created_at"])
    at = created + pd.Timedelta("50min")
    rows = pd.DataFrame(
        {
            "crawl_at": [at],
            "observed_at": [at],
            "game_id": [item["game_id"]],
            "clip_id": [item["id"]],
            "view_count": [item["view_count"]],
            "created_at": [created],
        }
    )
    games = pd.DataFrame({"category": ["game"], "twitch_game_id": [item["game_id"]]})
    found = one(clip_velocity(rows, as_of=pd.DatetimeIndex([at.ceil("30min")]), games=games))
    assert found["velocity_per_hour"] == pytest.approx(item["view_count"] / (50 / 60))


def _clips(node: Any) -> Any:
    if isinstance(node, dict):
        if "view_count" in node and "created_at" in node:
            yield node
        for value in node.values():
            yield from _clips(value)
    elif isinstance(node, list):
        for value in node:
            yield from _clips(value)


@pytest.mark.skipif(not OBSERVATIONS.is_dir(), reason=f"no archive at {OBSERVATIONS}")
def test_golden_gains_and_falls_of_real_counters() -> None:
    """No archive of clips exists; counters of videos fall and are counted again as clips' are."""
    (path,) = OBSERVATIONS.glob("observations_*.parquet")
    rows = pd.read_parquet(path, columns=["video_id", "snapshot_date", "fetched_at", "views"])
    rows = rows[rows["snapshot_date"].between("2026-03-01", "2026-03-10")]
    rows = pd.DataFrame(
        {
            "crawl_at": rows.groupby("snapshot_date")["fetched_at"].transform("min"),
            "observed_at": rows["fetched_at"],
            "game_id": "g1",
            "clip_id": rows["video_id"],
            "view_count": rows["views"],
            "created_at": pd.Timestamp("2026-02-01T00:00Z"),
        }
    )
    daily = ClipParams(
        window=timedelta(days=1),
        max_age=timedelta(days=1),
        omitted_for=timedelta(0),
        trailing=timedelta(hours=30),
        min_span=timedelta(hours=10),
        max_span=timedelta(days=7),
    )
    ends = pd.date_range("2026-03-02T12:00Z", "2026-03-10T12:00Z", freq="1D")
    found = clip_velocity(rows, as_of=ends, games=GAMES, params=daily)
    last = found[found["window_start"] == ends[-1] - pd.Timedelta("1D")].set_index("clip_id")
    steps = rows.sort_values("crawl_at").groupby("clip_id")["view_count"].diff()
    assert found["views_fell"].sum() >= (steps < 0).sum() > 0
    assert len(last) == rows.loc[rows["crawl_at"] == rows["crawl_at"].max(), "clip_id"].nunique()
    assert {
        clip: [round(float(last.loc[clip, name]), 6) for name in GOLDEN_COLUMNS] for clip in GOLDEN
    } == GOLDEN
    assert last["trend_class"].value_counts().to_dict() == GOLDEN_CLASSES


GOLDEN_COLUMNS = ["velocity_per_hour", "velocity_span_h", "velocity_score"]
GOLDEN = {
    "b68HETiNO98": [220961.056859, 23.865278, 99.999998],
    "pvAJ6NnPdMA": [204381.572484, 23.865278, 99.999992],
    "0PXrrkuI_0Y": [5101.822753, 23.865, 62.875956],
}
GOLDEN_CLASSES = {"UNKNOWN": 257, "STABLE": 234, "FALLING": 117, "RISING": 71, "VIRAL": 47}


@pytest.mark.parametrize("lacking", ["category", "crawl_at"])
def test_crawls_that_do_not_say_of_what_or_when_are_refused(lacking: str) -> None:
    at = pd.Timestamp("2026-01-10T02:00Z")
    made = pd.DataFrame(
        {"category": ["gta"], "clip_id": "c", "created_at": at, "first_crawl_at": at}
    )
    crawls = pd.DataFrame({"category": ["gta"], "crawl_at": at}).drop(columns=lacking)

    with pytest.raises(InvalidInputError, match=lacking):
        clip_hours(made, crawls, as_of=pd.DatetimeIndex(["2026-01-10T04:00Z"]))
