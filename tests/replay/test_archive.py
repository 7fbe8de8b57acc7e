"""The slice of the archive that the project brings along."""

from importlib import resources

from aurastream.replay.archive import load_archive
from aurastream.replay.cycles import ARCHIVE_START, SPAN_DAYS
from aurastream.replay.moments import DAY


def test_it_has_two_months_of_charts_of_eight_countries() -> None:
    charts = load_archive().charts
    assert len(charts.regions) >= 8
    assert SPAN_DAYS >= 60
    for region in charts.regions:
        days = [(snapshot.at - ARCHIVE_START) // DAY for snapshot in charts.snapshots[region]]
        assert len(set(days) & set(range(SPAN_DAYS))) >= 60, region


def test_it_is_small() -> None:
    files = resources.files("aurastream.replay") / "data"
    sizes = {
        file.name: len(file.read_bytes())
        for file in files.iterdir()
        if file.name.endswith(".parquet")
    }
    assert {"videos.parquet", "charts.parquet", "observations.parquet"} <= set(sizes)
    assert sum(sizes.values()) < 8_000_000
