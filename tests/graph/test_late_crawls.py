"""A crawl that waited in the spool, through the whole graph: its windows are scored again."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg

from aurastream.operations.graph import moment_of
from aurastream.operations.schedule_policy import window_of
from aurastream.store.frames import Append, FrameStore, RetryPolicy
from resources.store import Store
from sensors.late_data import late_crawls

Run = Callable[..., dg.ExecuteInProcessResult]
STREAMS, SCORED = "collection.twitch_streams", "intelligence.competition"
IMPATIENT = RetryPolicy(total_s=0.2, first_pause_s=0.01, longest_pause_s=0.05)


def _live(store: FrameStore, window: datetime) -> int:
    found = store.read(SCORED, start=window, end=window + timedelta(minutes=30))
    return int(found["live_count"].fillna(0).sum())


def test_a_crawl_that_waited_in_the_spool_reaches_the_scores_of_its_window(
    run: Run,
    instance: dg.DagsterInstance,
    store: FrameStore,
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    assert run("streams").success
    then = datetime.now(UTC) - timedelta(hours=4)
    window = window_of(then)
    crawl = store.read(STREAMS)
    crawl = crawl.assign(observed_at=then, crawl_at=then)
    spool = tmp_path / "late"
    nowhere = f"postgresql://nobody:none@127.0.0.1:{free_port()}/none"
    away = FrameStore(nowhere, spool=spool, retry=IMPATIENT)
    away.commit([Append(STREAMS, crawl)], spool=True)
    assert run("rescore", first=window).success
    assert _live(store, window) == 0

    with FrameStore(store.url, spool=spool) as again:
        assert again.drain() == 1
    # The window in which it came has to be over.
    store.execute("update maintenance.deliveries set delivered_at = delivered_at - interval '1 h'")
    with dg.build_sensor_context(
        instance=instance, resources={"store": Store(postgres_url=store.url)}
    ) as context:
        (request,) = late_crawls.evaluate_tick(context).run_requests or []
    first, last = (
        moment_of(request.tags[f"dagster/asset_partition_range_{end}"]) for end in ("start", "end")
    )
    assert first == window
    assert run("rescore", first=first, last=last).success

    assert _live(store, window) > 0
    with dg.build_sensor_context(
        instance=instance, resources={"store": Store(postgres_url=store.url)}
    ) as context:
        assert not late_crawls.evaluate_tick(context).run_requests
