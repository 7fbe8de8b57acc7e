"""Video ideas as a run: from the charts of the replayed platforms to what to make next."""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pandas as pd
from dagster import AssetKey

from aurastream.store.frames import FrameStore
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
