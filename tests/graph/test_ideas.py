"""Video ideas as a run: from the charts of the replayed platforms to what to make next."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
from dagster import AssetKey

from aurastream.store.frames import FrameStore, Replace
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.graph.evidence import Clock, failed_checks, metadata_of, move

Run = Callable[..., dg.ExecuteInProcessResult]
IDEAS = AssetKey(["intelligence", "video_ideas"])
ORDER = ["window_start", "category", "rank"]


def test_real_charts_become_ideas_with_evidence_and_the_same_ones_again(
    run: Run, store: FrameStore, clock: Clock
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    window = now.replace(hour=now.hour - now.hour % 4) - FOUR_HOURS
    assert run("signal", first=move(clock, window + FOUR_HOURS - WINDOW)).success

    result = run("analyses", first=window)

    assert failed_checks(result) == set()
    ideas = store.read("intelligence.video_ideas", order_by=ORDER)
    topics = store.read("intelligence.topic_intel")
    assert set(ideas["category"]) <= set(topics["category"])
    assert {"trending", "gaming"} <= set(ideas["category"])
    per_category = ideas.groupby("category").size()
    assert per_category.between(5, 10).all()
    velocity = store.read("intelligence.video_velocity")
    known = set(zip(velocity["category"], velocity["video_id"], strict=True))
    named = ideas[["category", "evidence_video_ids"]].explode("evidence_video_ids")
    assert set(named.itertuples(index=False, name=None)) <= known
    assert "| gaming |" in str(metadata_of(result, IDEAS)["best"])

    run("analyses", first=window)

    pd.testing.assert_frame_equal(
        store.read("intelligence.video_ideas", order_by=ORDER), ideas, check_exact=True
    )


def shift(store: FrameStore, name: str, start: datetime, length: timedelta) -> None:
    """Say of the window four hours later what is said of this one."""
    table = f"intelligence.{name}"
    rows = store.read(table, start=start, end=start + length)
    later = start + FOUR_HOURS
    moved = rows.assign(window_start=rows["window_start"] + FOUR_HOURS)
    store.commit([Replace(table, moved, later, later + length)])


def test_ideas_are_carried_over_with_the_proof_where_nothing_they_read_has_changed(
    run: Run, store: FrameStore, clock: Clock
) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    window = now.replace(hour=now.hour - now.hour % 4) - FOUR_HOURS
    before = window - FOUR_HOURS
    assert run("signal", first=move(clock, window - WINDOW)).success
    assert run("analyses", first=before).success
    for name in ("video_velocity", "viral_scores", "competition", "opportunity"):
        shift(store, name, window - WINDOW, WINDOW)
    for name in ("topic_intel", "content_formats"):
        shift(store, name, before, FOUR_HOURS)
    spoiled = {"category": "music", "window": window + FOUR_HOURS - WINDOW}
    store.execute(
        "update intelligence.opportunity set opportunity_score = opportunity_score / 2 "
        "where category = %(category)s and window_start = %(window)s",
        spoiled,
    )

    result = run("analyses", first=window, asset_selection=[IDEAS])

    said = metadata_of(result, IDEAS)
    seen = set(store.read("intelligence.video_velocity")["category"])
    # Where no topic is a subject it is known that there is no idea: that is carried over as well.
    # Whether a category is like that depends on the day of the archive.
    assert seen >= set(store.read("intelligence.video_ideas")["category"]) > {"music"}
    assert (said["computed"], said["unchanged"]) == (1, len(seen) - 1)
    assert "| music |" in str(said["inputs"])
    ideas = store.read("intelligence.video_ideas", order_by=ORDER)
    first, second = (
        ideas[ideas["window_start"] == at].drop(columns="window_start").reset_index(drop=True)
        for at in (before, window)
    )
    others = first["category"] != "music"
    assert others.any()
    pd.testing.assert_frame_equal(
        second[second["category"] != "music"].reset_index(drop=True),
        first[others].reset_index(drop=True),
        check_exact=True,
    )

    # What was carried over is, to the bit, what computing it gives.
    store.execute("delete from operations.analysis_inputs")
    result = run("analyses", first=window, asset_selection=[IDEAS])

    assert metadata_of(result, IDEAS)["unchanged"] == 0
    again = store.read("intelligence.video_ideas", order_by=ORDER)
    pd.testing.assert_frame_equal(again, ideas, check_exact=True)
