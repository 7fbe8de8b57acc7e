"""What SQL and the pure core both define, they define alike."""

from datetime import timedelta

import numpy as np
import pandas as pd
import pytest

from aurastream.core.competition import concentration_scores, saturation_scores
from aurastream.core.formats import format_buckets
from aurastream.core.languages import language_mix, twitch_language_items, youtube_language_items
from aurastream.core.premieres import premiere_performance
from aurastream.core.publishing_times import publishing_times
from aurastream.core.releases import ReleaseParams, releases
from tests.dbt_models.warehouse import DAYS, HOURS, Warehouse, at

_DAY = pd.Timestamp("2026-11-20", tz="UTC")
_ZONE = "America/New_York"
_VELOCITY = "lifetime_velocity_per_hour"


@pytest.fixture
def world(warehouse: Warehouse) -> tuple[Warehouse, pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """A day of one game: 160 videos with every kind of release, and three crawls of streams."""
    random = np.random.default_rng(7)
    warehouse.categories("gta", kind="game", twitch_game_id="1", audience_timezone=_ZONE)
    n = 160
    published = pd.Timestamp("2026-11-18 12:00", tz="UTC") + pd.to_timedelta(
        random.integers(0, 10, n) * 2, unit="h"
    )
    kinds = random.integers(0, 6, n)
    velocity = pd.DataFrame(
        {
            "window_start": pd.Timestamp("2026-11-20 12:00", tz="UTC"),
            "category": "gta",
            "video_id": [f"v{i:03d}" for i in range(n)],
            "observed_at": pd.Timestamp("2026-11-20 12:20", tz="UTC"),
            "published_at": published,
            "views": pd.array(np.where(random.random(n) < 0.1, None, random.integers(0, 10**6, n))),
            "duration_s": pd.array(
                np.where(random.random(n) < 0.1, None, random.choice([59, 60, 300, 900, 4000], n))
            ),
            "audio_language": random.choice(["en", "en-GB", "de", "und", "pt_BR"], n),
            "lifetime_velocity_per_hour": np.exp(random.normal(5, 1, n))
            * np.where(published.hour == 4, 20.0, 1.0),
        }
    )
    scheduled = published + pd.Timedelta("1h")
    videos = pd.DataFrame(
        {
            "video_id": velocity["video_id"],
            "metadata_hash": "h",
            "title": "A title",
            "first_observed_at": published + pd.Timedelta("5min"),
            "published_at": published,
            "live_state": np.select([kinds == 3, kinds == 4], ["live", "upcoming"], "none"),
            "scheduled_start_at": pd.Series(scheduled).where(np.isin(kinds, (2, 4))),
            "actual_start_at": pd.Series(
                scheduled + pd.to_timedelta(random.integers(-400, 4000, n), unit="s")
            ).where(np.isin(kinds, (2, 3))),
        }
    ).iloc[:-3]
    crawls = pd.to_datetime(["2026-11-20 12:01", "2026-11-20 12:06"], utc=True)
    streams = pd.DataFrame(
        [
            {
                "observed_at": crawl + pd.Timedelta("9s"),
                "crawl_at": crawl,
                "game_id": "1",
                "stream_id": f"s{i}",
                "viewer_count": int(random.integers(0, 5000)),
                "language": ["en", "es", "de", ""][i % 4],
            }
            for crawl in crawls
            for i in range(40)
        ]
    )
    for table, frame in (
        ("intelligence.video_velocity", velocity),
        ("collection.youtube_videos", videos),
        ("collection.twitch_streams", streams),
    ):
        plain = frame.astype(object).where(frame.notna(), None)
        warehouse.insert(table, *plain.to_dict("records"))
    warehouse.roll_hours("2026-11-20 00:00", "2026-11-21 00:00")
    warehouse.runner.build(list(DAYS), start=at("2026-11-20 00:00"), end=at("2026-11-21 00:00"))
    return warehouse, velocity.assign(window_start=_DAY), videos, streams


def _floats(values: object) -> np.ndarray:
    return pd.to_numeric(pd.Series(values)).to_numpy("float64")


def test_lengths(world: tuple[Warehouse, pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    warehouse, velocity, _, _ = world
    expected = format_buckets(velocity)
    found = pd.DataFrame(
        warehouse.rows(
            "select * from aggregation.intel_duration_performance where video_count > 0 "
            "order by bucket_min_seconds"
        )
    )
    assert found["bucket_label"].tolist() == expected["duration_bucket"].tolist()
    for column in ("video_count", "views_known_count", "is_optimal"):
        assert found[column].tolist() == expected[column].tolist()
    for column in ("avg_views", "performance_index"):
        np.testing.assert_allclose(_floats(found[column]), _floats(expected[column]), rtol=1e-12)


def test_languages(world: tuple[Warehouse, pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    warehouse, velocity, _, streams = world
    found = pd.DataFrame(
        warehouse.rows("select * from aggregation.intel_regional_performance order by 4")
    ).set_index("language_code")
    youtube = language_mix(youtube_language_items(velocity)).set_index("language")
    videos = found.loc[found["youtube_video_count"] > 0]
    assert videos["youtube_video_count"].to_dict() == youtube["item_count"].to_dict()
    assert videos["youtube_total_views"].to_dict() == youtube["viewer_total"].to_dict()

    # The core speaks of a crawl, a day of its crawls: shares over the viewers of all of them.
    games = pd.DataFrame({"category": ["gta"], "twitch_game_id": ["1"]})
    crawls = [
        language_mix(twitch_language_items(rows, as_of=pd.DatetimeIndex([end]), games=games))
        for end, rows in (
            (crawl + pd.Timedelta("1min"), rows) for crawl, rows in streams.groupby("crawl_at")
        )
    ]
    mix = pd.concat(crawls).groupby("language")[["item_count", "viewer_total"]].sum()
    live = found.loc[found["twitch_stream_samples"] > 0]
    assert live["twitch_stream_samples"].to_dict() == mix["item_count"].to_dict()
    share = mix["viewer_total"] / mix["viewer_total"].sum()
    assert live["market_share_percent"].to_dict() == pytest.approx((100 * share).to_dict())

    def index(viewers: pd.Series) -> float:
        return float((viewers**2).sum() / viewers.sum() ** 2)

    codes = streams["language"].replace("", "und")
    hhi = streams.groupby([codes, "crawl_at"])["viewer_count"].apply(index).groupby(level=0).mean()
    score = 0.5 * saturation_scores(
        mix["item_count"], mix["item_count"].sum() * share
    ) + 0.5 * concentration_scores(hhi.reindex(mix.index))
    np.testing.assert_allclose(live["competition_score"].loc[mix.index], score, rtol=1e-9)


def test_releases(world: tuple[Warehouse, pd.DataFrame, pd.DataFrame, pd.DataFrame]) -> None:
    warehouse, velocity, videos, _ = world
    out = releases(velocity, videos, params=ReleaseParams(window=timedelta(days=1)))
    expected = premiere_performance(out).iloc[0]
    [found] = warehouse.rows("select * from aggregation.intel_premiere_performance")
    for ours, theirs in {
        "premiere_count": "announced_count",
        "instant_count": "instant_count",
        "premiere_known_count": "announced_known_count",
        "instant_known_count": "instant_known_count",
        "live_count": "live_count",
        "upcoming_count": "upcoming_count",
        "overdue_count": "overdue_count",
        "unknown_count": "unknown_count",
        "delay_known_count": "delay_known_count",
        "premiere_avg_views": "announced_avg_views",
        "instant_avg_views": "instant_avg_views",
        "premiere_median_velocity": "announced_median_velocity",
        "instant_median_velocity": "instant_median_velocity",
        "performance_ratio": "performance_ratio",
    }.items():
        assert found[ours] == pytest.approx(expected[theirs], rel=1e-9), ours
    assert found["median_delay_seconds"] == pytest.approx(60 * expected["delay_median_min"])
    assert found["worst_delay_seconds"] == pytest.approx(60 * expected["delay_worst_min"])
    for ours, theirs in (("", "share"), ("_low", "low"), ("_high", "high")):
        assert found[f"on_time{ours}_percent"] == pytest.approx(
            100 * expected[f"on_time_{theirs}"], rel=1e-9
        )
    assert min(found[f"{kind}_count"] for kind in ("premiere", "live", "overdue", "unknown")) > 0


def test_hours_of_the_week(
    world: tuple[Warehouse, pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    warehouse, velocity, videos, _ = world
    out = releases(velocity, videos, params=ReleaseParams(window=timedelta(days=1)))
    age = velocity["observed_at"] - velocity["published_at"]
    a_day_old = (age >= pd.Timedelta("24h")) & (age < pd.Timedelta("36h"))
    # What has no metadata is no broadcast that we know of.
    instant = out["release_kind"].isin(["instant"]) | out["release_kind"].isna()
    chosen = out.loc[(a_day_old & instant).to_numpy()].assign(
        released_at=velocity["published_at"], velocity_per_hour=velocity[_VELOCITY]
    )
    warehouse.publish("posting_times")
    expected = publishing_times(chosen, timezones={"gta": _ZONE})
    expected = expected.loc[expected["grain"] == "hour_of_week"]
    found = pd.DataFrame(
        warehouse.rows(
            "select day_of_week * 24 + hour as slot, sample_count, performance_index as index, "
            "index_low, index_high from marts.posting_times "
            "where language = 'all' and sample_count > 0 order by 1"
        )
    )
    for column in ("slot", "sample_count"):
        assert found[column].tolist() == expected[column].tolist()
    for column in ("index", "index_low", "index_high"):
        np.testing.assert_allclose(
            _floats(found[column]), _floats(expected[column]), rtol=1e-6, err_msg=column
        )
    utc = publishing_times(chosen)
    utc = utc.loc[utc["grain"] == "hour_of_week"].sort_values(["index_low", "slot"])
    [row] = warehouse.rows("select best_times from aggregation.intel_premiere_performance")
    best = utc.loc[utc["is_best"]]
    assert len(best) == 1, "the world has an hour that stands out"
    assert row["best_times"][0]["hour_utc"] == best["hour"].item()
    assert row["best_times"][0]["day_of_week"] == best["dow"].item()


def test_every_data_test_holds_on_that_world(
    world: tuple[Warehouse, pd.DataFrame, pd.DataFrame, pd.DataFrame],
) -> None:
    warehouse, *_ = world
    results = warehouse.runner.build(warehouse.tests_of(HOURS, *DAYS))
    assert len(results) > 40
    assert [(r.name, r.message) for r in results if not r.passed] == []
    assert (
        at("2026-11-21 00:00")
        == warehouse.rows("select max(as_of) as as_of from aggregation.intel_premiere_performance")[
            0
        ]["as_of"]
    )
