"""A crawl of Twitch that got only a part is not taken for the whole: scores and documents stay."""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pandas as pd
import pytest

from aurastream.core.freshness import confidence
from aurastream.store.document_schemas import ClipsDocument, CompetitionDocument, StreamsDocument
from aurastream.store.frames import FrameStore
from aurastream_assets.partitions import WINDOW
from resources.store import Redis
from tests.graph.evidence import Clock, documents, failed_checks, move, newest_window

Run = Callable[..., dg.ExecuteInProcessResult]
Fault = Callable[..., None]
LATER = timedelta(minutes=3)


@pytest.fixture
def redis_of(installation: dict[str, Redis]) -> str:
    return installation["redis"].url


def in_part(fault: Fault) -> None:
    """Let every list of streams and of clips end after its first page."""
    fault("quirk", platform="twitch", options={"id": "short_pages_dead_cursor"})
    fault(
        "quirk",
        platform="twitch",
        endpoint="clips",
        options={"id": "invalid_cursor_400_mid_crawl"},
    )


def competition(store: FrameStore) -> pd.DataFrame:
    return store.read("intelligence.competition", order_by=["window_start", "category"])


def test_a_part_that_comes_after_the_whole_changes_neither_scores_nor_documents(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, *, redis_of: str
) -> None:
    window = move(clock, newest_window())
    for job in ("streams", "clips"):
        run(job)
    run("signal", first=window)
    scored, served = competition(store), documents(redis_of)
    clips = store.read("intelligence.clip_intel", order_by="clip_id")
    in_part(fault)
    clock.offset += LATER

    for job in ("streams", "clips"):
        assert run(job).success
    result = run("signal", first=window)

    assert failed_checks(result) == set()
    crawls = store.read("operations.crawls", order_by="crawl_at")
    crawls = crawls[crawls["dataset"].isin(["collection/twitch_streams", "collection/clip_radar"])]
    before, after = (
        crawls[crawls["is_complete"] == whole].groupby("dataset")["got"].sum()
        for whole in (True, False)
    )
    assert (after < before).all()
    assert scored["live_count"].max() == 100
    pd.testing.assert_frame_equal(competition(store), scored, check_exact=True)
    again = store.read("intelligence.clip_intel", order_by="clip_id")
    assert set(again["clip_id"]) >= set(clips["clip_id"]) > set()

    now = documents(redis_of)
    streams = {key: d for key, d in served.items() if isinstance(d, StreamsDocument)}
    assert max(len(document.streams) for document in streams.values()) == 100
    for key, document in streams.items():
        found = now[key]
        assert isinstance(found, StreamsDocument)
        assert (found.streams, found.observed_at) == (document.streams, document.observed_at)
    for key, document in served.items():
        found = now[key]
        if isinstance(document, ClipsDocument):
            assert isinstance(found, ClipsDocument)
            assert len(found.clips) >= len(document.clips) > 0
        if isinstance(document, CompetitionDocument):
            assert isinstance(found, CompetitionDocument)
            assert found.live_count == document.live_count
            assert found.ease_score == document.ease_score


def test_a_part_counts_while_there_is_nothing_else_and_says_that_it_says_less(
    run: Run, fault: Fault, store: FrameStore, clock: Clock, *, redis_of: str
) -> None:
    window = move(clock, newest_window())
    in_part(fault)

    run("streams")
    run("signal", first=window)

    found = competition(store).dropna(subset="observed_at")
    assert found["live_count"].max() == 50
    assert (found["saturation_score"] == 50).all()
    age_h = (window + WINDOW - found["observed_at"]) / pd.Timedelta("1h")
    assert found["confidence_pct"].tolist() == pytest.approx((confidence(age_h) / 2).tolist())
    documented = documents(redis_of)
    assert any(isinstance(document, StreamsDocument) for document in documented.values())
