"""The four-hour analyses as runs: from scored windows to rows, and never the same work twice."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest
from dagster import AssetKey

from aurastream.store.frames import FrameStore, Replace
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.graph.evidence import Clock, failed_checks, metadata_of, move

Run = Callable[..., dg.ExecuteInProcessResult]
FORMATS = AssetKey(["intelligence", "content_formats"])


def last_four_hours() -> datetime:
    """Return the start of the last four-hour window that is over."""
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    return now.replace(hour=now.hour - now.hour % 4) - FOUR_HOURS


@pytest.fixture
def window(run: Run, clock: Clock) -> datetime:
    """Score the half hour that ends a four-hour window; return the start of the longer one."""
    start = last_four_hours()
    last = move(clock, start + FOUR_HOURS - WINDOW)
    assert run("signal", first=last).success
    return start


def test_a_window_is_analysed_as_it_was_at_its_end(
    run: Run, store: FrameStore, window: datetime
) -> None:
    result = run("analyses", first=window)

    assert failed_checks(result) == set()
    formats = store.read("intelligence.content_formats")
    velocity = store.read("intelligence.video_velocity")
    assert set(formats["window_start"]) == {window}
    known = velocity[velocity["duration_s"].notna()]
    assert formats["video_count"].sum() == len(known)
    assert set(formats["category"]) == set(known["category"])


def test_the_same_window_twice_gives_the_same_rows(
    run: Run, store: FrameStore, window: datetime
) -> None:
    run("analyses", first=window)
    order = ["category", "duration_bucket"]
    first = store.read("intelligence.content_formats", order_by=order)

    run("analyses", first=window)

    assert store.read("intelligence.content_formats", order_by=order).equals(first)


def test_an_unchanged_category_is_carried_over_with_the_proof(
    run: Run, store: FrameStore, window: datetime
) -> None:
    run("analyses", first=window - FOUR_HOURS)
    velocity = store.read("intelligence.video_velocity")
    earlier = velocity.assign(window_start=velocity["window_start"] - FOUR_HOURS)
    grown = earlier["category"] == earlier["category"].min()
    earlier.loc[grown, "views"] -= 1
    span = earlier["window_start"].iloc[0].to_pydatetime()
    store.commit([Replace("intelligence.video_velocity", earlier, span, span + WINDOW)])
    run("analyses", first=window - FOUR_HOURS)

    result = run("analyses", first=window)

    said = metadata_of(result, FORMATS)
    categories = velocity["category"].nunique()
    assert (said["computed"], said["unchanged"]) == (1, categories - 1)
    mine = {"window_start": window, "dataset": "intelligence/content_formats"}
    inputs = store.read("operations.analysis_inputs", where=mine)
    carried = inputs[inputs["source_window"] == window - FOUR_HOURS]
    assert set(carried["category"]) == set(velocity["category"]) - {earlier["category"].min()}
    formats = store.read("intelligence.content_formats")
    alike = formats.drop(columns="window_start")[formats["category"].isin(carried["category"])]
    assert alike.duplicated(keep=False).all()


def test_a_range_of_windows_is_one_run_and_equals_its_windows_one_by_one(
    run: Run, store: FrameStore, window: datetime
) -> None:
    velocity = store.read("intelligence.video_velocity")
    for back in (1, 2):
        shifted = velocity.assign(window_start=velocity["window_start"] - back * FOUR_HOURS)
        shifted["views"] += shifted["views"] % (back + 1)
        span = shifted["window_start"].iloc[0].to_pydatetime()
        store.commit([Replace("intelligence.video_velocity", shifted, span, span + WINDOW)])
    order = ["window_start", "category", "duration_bucket"]
    windows = [window - 2 * FOUR_HOURS, window - FOUR_HOURS, window]
    for start in windows:
        run("analyses", first=start)
    one_by_one = store.read("intelligence.content_formats", order_by=order)

    run("analyses", first=windows[0], last=windows[-1])

    assert store.read("intelligence.content_formats", order_by=order).equals(one_by_one)
    assert len(set(one_by_one["window_start"])) == len(windows)


def test_a_window_without_videos_gives_no_rows_and_no_failure(run: Run, store: FrameStore) -> None:
    result = run("analyses", first=last_four_hours() - timedelta(days=2))

    assert result.success
    assert store.read("intelligence.content_formats").empty
