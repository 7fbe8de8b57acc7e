"""Unusual audiences as runs: crawls of the replay, and what is known of streams and channels."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd

from aurastream.store.frames import Append, FrameStore
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW
from tests.graph.evidence import Clock, failed_checks, failure_of, newest_window

Run = Callable[..., dg.ExecuteInProcessResult]
KEY = asset_key("intelligence", "viewer_anomalies")
STEP = "intelligence__viewer_anomalies"


def _collect(run: Run, clock: Clock, window: datetime) -> None:
    """Collect streams every quarter of an hour, twice in the window before and twice in this."""
    for minutes in (-26, -11, 4, 19):
        clock.offset = window + timedelta(minutes=minutes) - datetime.now(UTC)
        assert run("streams").success


def _earlier(store: FrameStore, rows: pd.DataFrame, viewers: int) -> None:
    """Say that the streams had so many viewers at each of the five crawls before these."""
    before = [
        rows.assign(
            viewer_count=viewers,
            crawl_at=rows["crawl_at"] - timedelta(minutes=15 * step),
            observed_at=rows["observed_at"] - timedelta(minutes=15 * step),
        )
        for step in range(1, 6)
    ]
    store.commit([Append("collection.twitch_streams", pd.concat(before))])


def test_crawls_are_judged_once_each_and_settings_of_a_run_count(
    run: Run, store: FrameStore, clock: Clock
) -> None:
    window = newest_window()
    _collect(run, clock, window)
    crawls = store.read("collection.twitch_streams")
    # A stream that nobody saw before, and its channel's of an hour ago, which had far more viewers.
    late = crawls[crawls["crawl_at"] == crawls["crawl_at"].max()].head(1)
    _earlier(store, late.assign(stream_id="before"), viewers=900_000)
    store.commit(
        [
            Append(
                "collection.twitch_streams",
                late.assign(stream_id="young", observed_at=late["observed_at"] + WINDOW / 1e6),
            )
        ]
    )

    result = run("rescore", first=window - WINDOW, last=window)

    assert result.success
    assert {name for name in failed_checks(result) if "viewer_anomalies" in name} == set()
    found = store.read("intelligence.viewer_anomalies")
    streams = store.read("collection.twitch_streams")
    inside = streams[streams["crawl_at"] >= window - WINDOW]
    keys = ["crawl_at", "stream_id", "user_id"]
    assert sorted(found[keys].itertuples(index=False, name=None)) == sorted(
        inside[keys].itertuples(index=False, name=None)
    )
    assert (found["crawl_at"].dt.floor("30min") == found["window_start"]).all()
    young = found.set_index("stream_id").loc["young"]
    assert (young["direction"], young["baseline_source"]) == ("DROP", "channel")
    before = found.set_index("stream_id")
    # Nobody had been seen before the first crawl; afterwards most are known.
    first = found["crawl_at"] == crawls["crawl_at"].min()
    assert set(found.loc[first & (found["user_id"] != young["user_id"]), "direction"]) == {
        "UNKNOWN"
    }
    assert (found.loc[~first, "direction"] != "UNKNOWN").mean() > 0.9
    assert before["anomaly_score"].dropna().between(0, 100).all()
    said = metadata_of_last(result)
    last = found[found["window_start"] == window]
    assert said["drops"] == (last["direction"] == "DROP").sum() >= 1
    assert "data:image/svg+xml" in str(said["anomalies"])
    assert "young" in str(said["most_unusual"])

    changed = run(
        "rescore",
        first=window,
        run_config={
            "ops": {
                STEP: {
                    "config": {
                        "strategies": [
                            {"name": name, "enabled": False}
                            for name in ("zscore", "moving_average", "quantile")
                        ]
                    }
                }
            }
        },
    )

    assert changed.success
    again = store.read("intelligence.viewer_anomalies", start=window)
    assert set(again["strategy"].dropna()) == {"percent_change"}
    assert again["zscore_score"].isna().all()
    same = ["stream_id", "crawl_at", "percent_change_score"]
    pd.testing.assert_frame_equal(
        again[same].sort_values(same, ignore_index=True),
        last[same].sort_values(same, ignore_index=True),
        check_exact=True,
    )

    refused = run(
        "rescore",
        first=window,
        run_config={"ops": {STEP: {"config": {"strategies": [{"name": "arima"}]}}}},
        raise_on_error=False,
    )
    assert "There is no anomaly strategy 'arima'" in failure_of(refused, STEP)


def metadata_of_last(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    """Return what the materialization of the run's last window says."""
    events = [e for e in result.get_asset_materialization_events() if e.asset_key == KEY]
    newest = max(events, key=lambda e: str(e.partition))
    return {name: value.value for name, value in newest.materialization.metadata.items()}
