"""Formats, languages, releases and outliers as runs on a real record, bad input among it."""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
import pytest
from dagster import AssetKey

from aurastream.store.frames import FrameStore, Replace
from aurastream.store.tables import metadata as tables
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.graph.evidence import Clock, failed_checks, metadata_of, move

Run = Callable[..., dg.ExecuteInProcessResult]
FAMILY = ("content_formats",)


@pytest.fixture
def window(run: Run, clock: Clock) -> datetime:
    """Score the half hour that ends a four-hour window; return the start of the longer one."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    start = now.replace(hour=now.hour - now.hour % 4) - FOUR_HOURS
    assert run("signal", first=move(clock, start + FOUR_HOURS - WINDOW)).success
    return start


def results(store: FrameStore) -> dict[str, pd.DataFrame]:
    """Return every row of the family, in a fixed order."""
    return {
        name: store.read(
            f"intelligence.{name}",
            order_by=[c.name for c in tables.tables[f"intelligence.{name}"].primary_key.columns],
        )
        for name in FAMILY
    }


def change(store: FrameStore, window: datetime, **columns: object) -> pd.DataFrame:
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


def test_a_category_that_is_refused_costs_itself_alone_and_is_quarantined_with_the_reason(
    run: Run, store: FrameStore, window: datetime
) -> None:
    run("analyses", first=window)
    before = results(store)["content_formats"]
    victim = before["category"].min()
    change(store, window, views=lambda f: f["views"].where(f["category"] != victim, -1))

    result = run("analyses", first=window)
    run("analyses", first=window)

    assert result.success
    after = results(store)["content_formats"]
    assert_same(after, before[before["category"] != victim])
    assert metadata_of(result, AssetKey(["intelligence", "content_formats"]))["refused"] == 1
    assert "intelligence/content_formats:coverage" in failed_checks(result)
    (row,) = store.read(
        "operations.quarantine", where={"source": "intelligence/content_formats"}
    ).to_dict("records")
    assert row["item_id"] == victim
    assert "'views'" in row["reason"]
