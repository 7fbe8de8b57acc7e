"""Charts between daily snapshots."""

import numpy as np
import pytest

from aurastream.replay.archive import load_archive
from aurastream.replay.moments import DAY, HOUR

ARCHIVE = load_archive()
CHARTS = ARCHIVE.charts


def test_the_slice_holds_ten_weeks_of_eight_countries() -> None:
    assert CHARTS.regions == ("BR", "DE", "FR", "GB", "IN", "JP", "MX", "US")
    for snapshots in CHARTS.snapshots.values():
        assert len(snapshots) == 70
        assert all(48 <= day.videos.size <= 50 for day in snapshots)
        gaps = np.diff([day.at for day in snapshots])
        assert (gaps > 20 * HOUR).all()
        assert (gaps < 28 * HOUR).all()


@pytest.mark.parametrize("region", CHARTS.regions)
def test_at_a_snapshot_the_chart_is_that_snapshot(region: str) -> None:
    for day in CHARTS.snapshots[region][::7]:
        assert CHARTS.at(region, day.at).tolist() == day.videos.tolist()


@pytest.mark.parametrize("region", CHARTS.regions)
def test_the_chart_changes_a_little_at_a_time_and_shows_nothing_unpublished(region: str) -> None:
    first, second = CHARTS.snapshots[region][20:22]
    before = first.videos.tolist()
    arrivals = 0
    for moment in range(first.at, second.at + 1, 1800):
        chart = CHARTS.at(region, moment)
        assert 48 <= chart.size <= 50
        assert np.unique(chart).size == chart.size
        assert (ARCHIVE.published[chart] <= moment).all()
        fresh = set(chart.tolist()) - set(before)
        arrivals += len(fresh)
        assert len(fresh) <= 8
        before = chart.tolist()
    assert arrivals >= len(set(second.videos.tolist()) - set(first.videos.tolist()))


def test_before_the_first_and_after_the_last_snapshot_the_chart_stands_still() -> None:
    days = CHARTS.snapshots["US"]
    late = CHARTS.at("US", days[-1].at + 20 * HOUR)
    assert late.tolist() == days[-1].videos.tolist()
    early = CHARTS.at("US", days[0].at - HOUR)
    assert set(early.tolist()) <= set(days[0].videos.tolist())


def test_the_mix_of_categories_is_the_recorded_one() -> None:
    start = CHARTS.snapshots["US"][0].at
    rows = np.concatenate(
        [CHARTS.at(region, start + n * DAY / 3) for region in CHARTS.regions for n in range(180)]
    )
    shares = {each: np.mean(ARCHIVE.categories[rows] == each) for each in (1, 10, 20, 24)}
    assert shares == {
        20: pytest.approx(0.36, abs=0.04),
        10: pytest.approx(0.34, abs=0.04),
        24: pytest.approx(0.16, abs=0.04),
        1: pytest.approx(0.08, abs=0.04),
    }
