"""Changing a formula: what scores were before is kept, and the difference can be asked for."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from aurastream.store.errors import StoreError
from aurastream.store.frames import FrameStore
from aurastream.store.version_diffs import compare_versions
from aurastream_assets.partitions import half_hours
from resources.frame_io import frame_io

ASSET = "intelligence/category_stats"
KEY = dg.AssetKey(["intelligence", "category_stats"])
TABLE = "intelligence.category_stats"
FIRST = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=3)
WINDOWS = [FIRST + timedelta(minutes=30) * n for n in range(4)]


def _rows(windows: list[datetime], factor: float) -> pd.DataFrame:
    from aurastream.store.tables import metadata  # noqa: PLC0415 # only here

    columns = [c.name for c in metadata.tables[TABLE].columns]
    frame = pd.DataFrame(index=range(2 * len(windows)), columns=columns, dtype=object)
    frame["window_start"] = pd.to_datetime([w for w in windows for _ in range(2)], utc=True)
    frame["category"] = ["gaming", "music"] * len(windows)
    frame["sample_count"], frame["outlier_count"] = 10, 0
    frame["baseline_source"] = "default"
    frame["baseline_velocity_per_hour"] = [100.0 * factor, 7.0] * len(windows)
    return frame


@pytest.fixture
def score(
    installation: dict[str, object], instance: dg.DagsterInstance
) -> Callable[..., dg.ExecuteInProcessResult]:
    """Return a function that scores windows with a version of the formula."""

    def run(version: str, factor: float, windows: list[datetime] = WINDOWS) -> Any:
        @dg.asset(
            key=KEY,
            code_version=version,
            partitions_def=half_hours,
            backfill_policy=dg.BackfillPolicy.single_run(),
            io_manager_key="frame_io",
        )
        def formula() -> pd.DataFrame:
            return _rows(windows, factor)

        keys = [w.strftime(half_hours.fmt) for w in (windows[0], windows[-1])]
        return dg.materialize(
            [formula],
            resources={"store": installation["store"], "frame_io": frame_io},
            instance=instance,
            tags={
                "dagster/asset_partition_range_start": keys[0],
                "dagster/asset_partition_range_end": keys[1],
            },
        )

    return run


def test_a_changed_formula_says_how_far_scores_moved(
    score: Callable[..., Any], store: FrameStore
) -> None:
    score("1", 1.0)
    score("2", 1.5)

    found = compare_versions(store, ASSET, "1")

    moved = {c.column: c for c in found.columns}
    baseline = moved["baseline_velocity_per_hour"]
    assert (baseline.compared, baseline.changed) == (8, 4)
    assert (baseline.mean_change, baseline.max_abs_change) == (25.0, 50.0)
    assert moved["sample_count"].changed == 0
    assert moved["baseline_source"].mean_change is None
    assert {m.row_key for m in found.movers} == {'{"category": "gaming"}'}
    assert [(m.before, m.after) for m in found.movers] == [(100.0, 150.0)] * 4


def test_the_same_version_again_keeps_nothing(score: Callable[..., Any], store: FrameStore) -> None:
    score("1", 1.0)
    score("1", 1.0)

    assert store.read("maintenance.score_history").empty
    with pytest.raises(StoreError, match="Versions that were kept: none"):
        compare_versions(store, ASSET, "1")


def test_a_second_change_keeps_both_versions_and_a_part_only_where_it_was_scored(
    score: Callable[..., Any], store: FrameStore
) -> None:
    score("1", 1.0)
    score("2", 2.0, WINDOWS[:2])
    score("3", 3.0)

    (first,) = [c for c in compare_versions(store, ASSET, "1").columns if c.mean_change]
    (second,) = [c for c in compare_versions(store, ASSET, "2").columns if c.mean_change]
    assert (first.compared, first.mean_abs_change) == (8, 100.0)
    assert (second.compared, second.mean_abs_change) == (4, 50.0)
    with pytest.raises(StoreError, match=r"1 \(4 windows\), 2 \(2 windows\)"):
        compare_versions(store, ASSET, "0")


def test_rows_and_their_version_are_written_together(
    score: Callable[..., Any], store: FrameStore
) -> None:
    score("1", 1.0)
    score("2", 2.0, WINDOWS[:1])

    marks = store.read("maintenance.window_versions", order_by="window_start")
    assert marks["code_version"].tolist() == ["2", "1", "1", "1"]
    assert marks["asset"].unique().tolist() == [ASSET]
