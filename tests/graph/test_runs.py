"""Jobs of the graph, run whole against the replay server, a real Postgres and a real Redis."""

from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import redis as redis_client

from aurastream.operations.schedule_policy import window_of
from aurastream.store.frames import FrameStore
from aurastream_assets.keys import asset_key
from resources.store import Redis

Run = Callable[..., dg.ExecuteInProcessResult]


def _metadata(result: dg.ExecuteInProcessResult, key: dg.AssetKey) -> dict[str, object]:
    events = [e for e in result.get_asset_materialization_events() if e.asset_key == key]
    return {name: value.value for name, value in events[-1].materialization.metadata.items()}


def _failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    return {
        f"{e.asset_key.to_user_string()}:{e.check_name}": {
            name: value.value for name, value in e.metadata.items()
        }
        for e in result.get_asset_check_evaluations()
        if not e.passed
    }


def test_a_signal_run_goes_from_charts_to_hot_documents(
    run: Run, store: FrameStore, installation: dict[str, Redis]
) -> None:
    result = run("signal", first=window_of(datetime.now(UTC)))

    assert result.success
    assert _failed_checks(result) == {}
    trending = _metadata(result, asset_key("collection", "youtube_trending"))
    assert trending["rows"] == len(store.read("collection.youtube_trending")) > 0
    assert trending["quota_used"] == 8  # four charts in two regions, one unit each
    assert len(store.read("intelligence.viral_scores")) > 0
    client = redis_client.Redis.from_url(installation["redis"].url)
    assert client.dbsize() > 0
    client.close()


def test_a_crawl_of_charts_logs_the_videos_it_described(run: Run, store: FrameStore) -> None:
    result = run("signal", first=window_of(datetime.now(UTC)))

    videos = _metadata(result, asset_key("collection", "youtube_videos"))
    assert videos["rows"] == len(store.read("collection.youtube_videos", columns=["video_id"]))
    assert videos["written_by"] == "collection/youtube_trending"
