"""What a crawl brought, kept by the asset that crawled."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest

from aurastream.sources.collectors.result import CrawlResult
from aurastream.sources.errors import KeyInvalidError, TransientError
from aurastream.store.frames import FrameStore
from aurastream_assets.keys import asset_key
from resources.crawl_keeping import keep
from resources.store import Store

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)


def _games(crawl_at: datetime, *, count: int) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "observed_at": pd.Series([crawl_at + timedelta(seconds=1)] * count),
            "game_id": [str(n) for n in range(count)],
            "rank": pd.array(range(1, count + 1), dtype="Int64"),
            "game_name": "a game",
            "crawl_at": pd.Series([crawl_at] * count),
            "fetch_id": "00000000-0000-0000-0000-000000000001",
        }
    )


def _result(error: Exception | None = None) -> CrawlResult:
    crawl_at = MIDNIGHT + timedelta(hours=4)
    return CrawlResult(
        dataset="collection/twitch_top_games",
        frames={
            "collection.twitch_top_games": _games(crawl_at, count=3 if error is None else 0),
            "operations.collection_state": pd.DataFrame(
                {
                    "dataset": ["collection/twitch_top_games"],
                    "category": ["top"],
                    "last_crawl_at": [crawl_at],
                    "membership_hash": ["h"],
                    "unchanged_count": [0],
                    "failure_count": [0 if error is None else 1],
                }
            ),
        },
        metadata={"rows": 3},
        membership_hash="m",
        stats_hash="s",
        is_complete=error is None,
        crawl_at=crawl_at,
        error=error,  # type: ignore[arg-type] # a SourceError
    )


def _collect(store: FrameStore, result: CrawlResult) -> dg.ExecuteInProcessResult:
    @dg.asset(key=asset_key("collection", "twitch_top_games"))
    def crawl(context: dg.AssetExecutionContext, store: Store) -> None:
        keep(context, store, result)

    resources = {"store": Store(postgres_url=store.url)}
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize([crawl], resources=resources, instance=instance, raise_on_error=False)


def test_a_crawl_is_stored_whole_and_twice_is_once(store: FrameStore) -> None:
    for _ in range(2):
        assert _collect(store, _result()).success

    assert len(store.read("collection.twitch_top_games")) == 3
    assert store.read("operations.collection_state")["category"].tolist() == ["top"]


@pytest.mark.parametrize(
    "error", [TransientError("The host is down."), KeyInvalidError("The key is wrong.")]
)
def test_a_crawl_that_brought_nothing_leaves_its_trace_and_fails(
    store: FrameStore, error: Exception
) -> None:
    result = _collect(store, _result(error))

    assert not result.success
    assert store.read("operations.collection_state")["failure_count"].tolist() == [1]
