"""A worker that the daemon's queue started, killed while the platforms were answering it."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import psutil
import pytest

from aurastream.operations.graph import Graph
from tests.e2e.product import Product, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_200)]

_DATASET = "collection/twitch_streams"
_AT_A_TIME = 4  # requests of a crawl
_HELD_MS = 15_000  # shorter than a request's timeout

_NEWEST = f"select max(crawl_at) from operations.crawls where dataset = '{_DATASET}'"
_CRAWLS = f"""
select category, crawl_at, got, is_complete from operations.crawls
where dataset = '{_DATASET}' and crawl_at > %s
"""
_STREAMS = """
select crawl_at, count(*), count(distinct (game_id, stream_id))
from collection.twitch_streams where crawl_at > %s group by crawl_at
"""
# A reservation whose process died counts in full: its calls were made.
_UNITS = f"""
select coalesce(sum(coalesce(units_settled, units_reserved)), 0)::int,
       count(*) filter (where units_settled is null)
from operations.quota_ledger where purpose = '{_DATASET}'
"""
_FETCHED = "select count(*) from operations.fetch_log where run_id = %s"
_WORKER = """
select substring(event from 'Executing steps in process .pid: ([0-9]+)') from dagster.event_logs
where run_id = %s and event like '%%Executing steps in process%%'
"""
_REPLACED_BY = """
select run_id from dagster.run_tags where key = 'dagster/parent_run_id' and value = %s
"""


@contextmanager
def _held_streams(replay: str) -> Iterator[str]:
    """Let three requests for streams pass and hold the others; give the fault's address."""
    faults = f"{replay}/_replay/faults"
    fault = {
        "kind": "latency",
        "platform": "twitch",
        "endpoint": "streams",
        "skip": 3,
        "options": {"delay_ms": _HELD_MS},
    }
    number = httpx.post(faults, json=fault).raise_for_status().json()["id"]
    try:
        yield f"{faults}/{number}"
    finally:
        httpx.delete(f"{faults}/{number}").raise_for_status()


def _asked(replay: str) -> int:
    counts = httpx.get(f"{replay}/_replay/status").raise_for_status().json()["requests"]
    return sum(counts.get(name, 0) for name in ("twitch streams", "twitch games/top"))


def _worker_itself(worker: psutil.Process) -> psutil.Process:
    return worker


def _what_runs_are_forked_from(worker: psutil.Process) -> psutil.Process:
    prepared = worker.parent()
    assert prepared is not None
    assert "aurastream_assets.prepared" in " ".join(prepared.cmdline())
    return prepared


@pytest.mark.parametrize(
    "victim",
    [
        _worker_itself,
        pytest.param(
            _what_runs_are_forked_from,
            marks=pytest.mark.skipif(sys.platform != "linux", reason="runs are forked on Linux"),
        ),
    ],
)
def test_a_worker_killed_in_mid_crawl_is_replaced_and_nothing_is_lost_or_counted_twice(
    product: Product, victim: Callable[[psutil.Process], psutil.Process]
) -> None:
    replay, graph = product.endpoints["replay_url"], Graph(product.url)
    [(newest,)] = product.rows(_NEWEST)
    [(units, unsettled)] = product.rows(_UNITS)
    asked = _asked(replay)

    with _held_streams(replay) as fault:
        killed = graph.launch("streams")
        wait_until(
            lambda: httpx.get(fault).json()["fired"] >= _AT_A_TIME,
            within=180,
            what=lambda: f"a crawl that waits for answers, {graph.explain(killed)}",
        )
        [(pid,)] = product.rows(_WORKER, killed)
        worker = psutil.Process(int(pid))
        victim(worker).kill()
        worker.wait(timeout=30)

    [(_, status)] = graph.ended([killed], timeout_s=120)
    assert status == "FAILURE"
    [(replacement,)] = wait_until(
        lambda: product.rows(_REPLACED_BY, killed), within=120, what=lambda: "a second try"
    )
    [(_, status)] = graph.ended([replacement], timeout_s=300)
    assert status == "SUCCESS", graph.explain(replacement)
    graph.close()

    # A tick may have come between; each crawl is whole, and each stream in it once.
    crawls = product.rows(_CRAWLS, newest)
    assert {complete for *_, complete in crawls} == {True}
    found = {at: (rows, distinct) for at, rows, distinct in product.rows(_STREAMS, newest)}
    games = {category for category, *_ in crawls}
    assert len(games) == 8
    for at in {at for _, at, *_ in crawls}:
        of_crawl = {category: got for category, when, got, _ in crawls if when == at}
        assert of_crawl.keys() == games
        assert found[at] == (sum(of_crawl.values()),) * 2
    assert product.rows(_FETCHED, killed) == [(0,)]
    [(fetched,)] = product.rows(_FETCHED, replacement)
    assert fetched > len(games)

    # What the killed worker asked stays paid for, once; the replacement paid for its own.
    def paid_for() -> tuple[int, int]:
        [(units_now, unsettled_now)] = product.rows(_UNITS)
        return units_now - units, unsettled_now - unsettled

    wait_until(  # a scheduled crawl may be between paying and asking
        lambda: paid_for()[0] == _asked(replay) - asked,
        within=60,
        what=lambda: f"paid {paid_for()[0]} for {_asked(replay) - asked} requests",
    )
    assert 0 < paid_for()[1] <= 3 + _AT_A_TIME + 1
