"""Real charts through the whole chain: golden rows, and an independent recomputation."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats

from aurastream.core.category_stats import category_stats
from aurastream.core.opportunity import opportunity
from aurastream.core.velocity import video_velocity
from aurastream.core.viral import viral_scores

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"
CHARTS = DATA / "charts_8c_2025-12-10_2026-04-30.parquet"

pytestmark = pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")

DAYS = ("2026-03-01", "2026-03-02", "2026-03-03")
AS_OF = pd.DatetimeIndex([f"{day}T08:00Z" for day in DAYS])


@pytest.fixture(scope="module")
def archive() -> pd.DataFrame:
    rows = pd.read_parquet(CHARTS)
    rows = rows[rows["snapshot_date"].isin(DAYS)]
    rows["crawl_at"] = rows.groupby("snapshot_date")["fetched_at"].transform("min")
    for column in ("views", "likes", "comments"):  # 0 means missing in this archive
        rows[column] = rows[column].astype("Int64").mask(rows[column] == 0)
    return rows.assign(
        observed_at=rows["fetched_at"],
        first_observed_at=rows["fetched_at"],
        region=rows["country"],
        rank=rows["chart_rank"],
        metadata_hash=rows["video_id"] + rows["title"] + rows["published_at"].astype(str),
    )


@pytest.fixture(scope="module")
def chain(archive: pd.DataFrame) -> dict[str, pd.DataFrame]:
    trending = pd.concat(
        [
            archive.assign(chart="trending"),
            archive[archive["category_id"] == "20"].assign(chart="gaming"),
            archive[archive["category_id"] == "10"].assign(chart="music"),
        ]
    )
    named = archive["title"].str.contains("minecraft", case=False)
    velocity = video_velocity(
        trending, archive[named].assign(game="minecraft"), archive, as_of=AS_OF
    )
    stats = category_stats(velocity, default_baselines={"minecraft": 4000.0})
    viral = viral_scores(velocity, stats)
    return {
        "velocity": velocity,
        "stats": stats,
        "viral": viral,
        "opportunity": opportunity(viral, stats, pd.DataFrame()),
    }


def test_every_charting_video_is_there_once(
    archive: pd.DataFrame, chain: dict[str, pd.DataFrame]
) -> None:
    velocity = chain["velocity"]
    charted = velocity[velocity["category"] == "trending"]
    expected = archive.groupby("snapshot_date")["video_id"].nunique()
    assert charted.groupby("window_start").size().tolist() == expected.tolist()
    regions = archive.groupby(["snapshot_date", "video_id"])["country"].nunique()
    assert sorted(charted["region_count"]) == sorted(regions)
    assert (velocity["velocity_now_n"] == 0).all()  # one snapshot a day says nothing about now
    assert (velocity["lifetime_velocity_per_hour"].dropna() > 0).all()
    assert velocity["lifetime_velocity_per_hour"].isna().sum() == velocity["views"].isna().sum()
    assert velocity["engagement_rate"].dropna().between(0, 1).all()


def test_statistics_are_those_of_numpy_and_scipy(chain: dict[str, pd.DataFrame]) -> None:
    groups = chain["velocity"].groupby(["window_start", "category"])
    for row in chain["stats"].itertuples():
        group = groups.get_group((row.window_start, row.category))
        values = group["lifetime_velocity_per_hour"].dropna()
        p25, p50, p75, p90 = np.percentile(values, [25, 50, 75, 90])
        found = (row.velocity_p25, row.velocity_p50, row.velocity_p75, row.velocity_p90)
        assert found == pytest.approx((p25, p50, p75, p90), rel=1e-15)
        reach = 1.5 * scipy.stats.iqr(values)
        clean = values[values.between(p25 - reach, p75 + reach)]
        assert row.velocity_mean == pytest.approx(clean.mean(), rel=1e-12)
        assert row.velocity_std == pytest.approx(clean.std(ddof=0), rel=1e-12)
        assert row.outlier_count == len(values) - len(clean)


def test_scores_rank_as_percentiles_of_score_do(chain: dict[str, pd.DataFrame]) -> None:
    merged = chain["viral"].merge(
        chain["velocity"][["window_start", "category", "video_id", "lifetime_velocity_per_hour"]]
    )
    for _, whole in merged.groupby(["window_start", "category"]):
        if len(whole) < 100:
            continue
        group = whole.dropna(subset="viral_score")
        values = group["lifetime_velocity_per_hour"]
        ranks = [scipy.stats.percentileofscore(values, v, kind="mean") for v in values]
        inside = group["viral_score"].between(20, 90).to_numpy()
        # Straight lines between four percentiles stay near the true rank.
        assert np.abs(group["viral_score"].to_numpy() - ranks)[inside].max() < 12
        shares = group["trend_class"].value_counts(normalize=True)
        assert shares["VIRAL"] == pytest.approx(0.10, abs=0.01)
        assert shares["FALLING"] == pytest.approx(0.25, abs=0.01)


def test_golden_rows(chain: dict[str, pd.DataFrame]) -> None:
    stats = chain["stats"].set_index(["window_start", "category"])
    window = pd.Timestamp("2026-03-02T07:30Z")
    assert {
        category: [
            int(row.sample_count),
            int(row.outlier_count),
            round(row.velocity_p50, 6),
            round(row.velocity_mean, 6),
            round(row.engagement_p90, 9),
            row.baseline_source,
        ]
        for category, row in stats.loc[window].iterrows()
    } == GOLDEN_STATS
    viral = chain["viral"]
    gaming = viral[(viral["window_start"] == window) & (viral["category"] == "gaming")]
    top = gaming.sort_values(["viral_score", "video_id"], ascending=[False, True]).head(3)
    assert [
        [r.video_id, r.trend_class, round(r.viral_score, 6), round(r.velocity_z, 6)]
        for r in top.itertuples()
    ] == GOLDEN_TOP
    chances = chain["opportunity"].set_index(["window_start", "category"]).loc[window]
    assert {
        c: None if np.isnan(s) else round(s, 6) for c, s in chances["opportunity_score"].items()
    } == GOLDEN_CHANCES


GOLDEN_STATS = {
    "gaming": [139, 13, 13574.887892, 16861.887585, 0.104328544, "dynamic"],
    "minecraft": [15, 1, 18901.32608, 20637.819381, 0.088857848, "default"],
    "music": [104, 15, 5124.479992, 6386.489247, 0.118919221, "dynamic"],
    "trending": [309, 32, 8595.869723, 11536.875407, 0.111763568, "dynamic"],
}
GOLDEN_TOP = [
    ["ZpGSJVgTbxs", "VIRAL", 100.0, 129.687504],
    ["XrAoDZLZZ1g", "VIRAL", 99.947118, 25.544449],
    ["WaJWwbl-Uck", "VIRAL", 98.979625, 12.875176],
]
GOLDEN_CHANCES = {"gaming": 73.632074, "minecraft": None, "music": 73.69406, "trending": 75.132126}
