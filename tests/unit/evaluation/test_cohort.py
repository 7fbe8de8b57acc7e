from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.archives import load_archive
from aurastream.evaluation.cohort import cohort_mask, first_sightings, split_days

Row = Callable[..., dict[str, object]]
Write = Callable[[list[dict[str, object]], list[dict[str, object]]], Path]

FIRST = pd.Timestamp("2026-01-01T03:00Z")


@pytest.fixture
def cohort_of(observation: Row, archive_at: Write) -> Callable[[list[dict[str, object]]], set[str]]:
    def videos(charts: list[dict[str, object]]) -> set[str]:
        archive = load_archive(archive_at(charts, [observation("x", 0, 1)]))
        rows = first_sightings(archive)
        return set(rows["video_id"][cohort_mask(rows, archive)])

    return videos


def test_only_young_recorded_videos_with_a_certain_start_and_a_known_end_count(
    chart_row: Row, cohort_of: Callable[[list[dict[str, object]]], set[str]]
) -> None:
    old = chart_row("old", 5, published_at=FIRST + pd.Timedelta(days=2, hours=23))
    charts = [
        chart_row("start", 0),
        chart_row("too-early", 1),
        chart_row("first-day", 2),
        chart_row("live", 5, is_live=True),
        chart_row("no-duration", 5, duration_s=0),
        old,
        chart_row("last-day", 16),
        chart_row("too-late", 17),
        chart_row("end", 30),
    ]
    assert cohort_of(charts) == {"first-day", "last-day"}


def test_a_video_is_judged_once_at_its_first_sighting(chart_row: Row, archive_at: Write) -> None:
    charts = [
        chart_row("v", 3, country="GB", chart_rank=4, views=7),
        chart_row("v", 3, country="US", chart_rank=9, views=8),
        chart_row("v", 4, country="IN", chart_rank=1, views=99),
        chart_row("end", 30),
    ]
    archive = load_archive(
        archive_at(charts, [chart_row("v", 3) | {"n_countries_110": 1, "best_rank": 1}])
    )
    row = first_sightings(archive).set_index("video_id").loc["v"]
    assert (row["views"], row["own_countries"], row["mean_rank"]) == (7, 2, 6.5)
    assert (row["rank_GB"], row["rank_US"]) == (4, 9)


def test_the_split_of_the_recorded_span_is_the_protocols_own(recorded: Path) -> None:
    archive = load_archive(recorded)
    rows = first_sightings(archive)
    split = split_days(archive)
    inside = cohort_mask(rows, archive)
    assert split.train_end == archive.first_day + 90  # 2026-03-10
    assert split.test_start == archive.first_day + 105  # 2026-03-25
    assert int((inside & (rows["day"] >= split.test_start)).sum()) == 5363


def test_a_short_archive_is_refused(chart_row: Row, observation: Row, archive_at: Write) -> None:
    charts = [chart_row("a", 0), chart_row("b", 20)]
    archive = load_archive(archive_at(charts, [observation("a", 0, 1)]))
    with pytest.raises(InvalidInputError, match="too few to train"):
        split_days(archive)


def test_a_folder_without_charts_and_unknown_countries_are_refused(
    tmp_path: Path, chart_row: Row, observation: Row, archive_at: Write
) -> None:
    with pytest.raises(InvalidInputError, match="No charts_"):
        load_archive(tmp_path / "nowhere")
    folder = archive_at([chart_row("a", 0)], [observation("a", 0, 1)])
    with pytest.raises(InvalidInputError, match="no charts of FR"):
        load_archive(folder, ["FR"])


def test_a_file_that_is_no_parquet_or_lacks_columns_is_named(tmp_path: Path, crowd: Path) -> None:
    (crowd / "charts_zz.parquet").write_bytes(b"not parquet")
    with pytest.raises(InvalidInputError, match=r"charts_zz\.parquet is no readable"):
        load_archive(crowd)
