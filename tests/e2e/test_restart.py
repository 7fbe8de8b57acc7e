"""Stopping with Ctrl-C, and starting again on what is there."""

import psycopg
import pytest

from aurastream.store.embedded import EmbeddedPostgres
from tests.e2e.product import Product, wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1_200)]

_CRAWLS = "select dataset, category, region, crawl_at from operations.crawls"
# Each call has an id of its own: what is loaded again is asked for again.
_CALLS = "select fetch_id from operations.fetch_log where observed_at <= %s"
_SNAPSHOTS = "select count(*), sum(views) from collection.youtube_trending where crawl_at <= %s"
_SCORES = "select count(*) from intelligence.viral_scores"


def test_a_code_server_killed_during_the_first_start_is_started_again_and_the_start_succeeds(
    product: Product,
) -> None:
    assert "code-server ended" in product.printed
    assert "Best opportunities right now" in product.printed


def test_a_head_that_is_killed_is_started_again(product: Product) -> None:
    [head] = product.heads()
    head.kill()
    wait_until(
        lambda: (
            "head ended" in product.printed
            and [other.pid != head.pid for other in product.heads()] == [True]
        ),
        within=60,
        what=lambda: f"another head. It printed:\n{product.printed}",
    )
    assert [other.is_running() for other in product.heads()] == [True]


def test_the_start_after_a_kill_ends_what_was_left_and_goes_on(product: Product) -> None:
    crawls, scores = set(product.rows(_CRAWLS)), product.rows(_SCORES)
    before = {process.pid for process in product.processes()}

    product.kill()
    product.start()

    assert before.isdisjoint(process.pid for process in product.processes())
    assert crawls <= set(product.rows(_CRAWLS))
    assert product.rows(_SCORES) >= scores > [(0,)]
    assert len(product.heads()) == 1


def test_after_ctrl_c_nothing_is_left_and_a_second_start_loads_nothing_twice_and_minds_its_terms(
    product: Product,
) -> None:
    assert product.rows(_SCORES) > [(0,)]
    crawls = set(product.rows(_CRAWLS))
    newest = dict(product.rows("select dataset, max(crawl_at) from operations.crawls group by 1"))
    until = newest["collection/youtube_trending"]
    snapshots = product.rows(_SNAPSHOTS, until)
    calls = set(product.rows(_CALLS, until))

    assert product.stop() == 0
    assert "Stopping." in product.printed
    _expect_nothing_left(product)

    done = product.up_once(AURASTREAM_POLICY_MODE="strict")

    assert done.returncode == 0, done.stderr
    assert "Most viral right now: not computed, policy_mode is strict." in done.stdout
    assert "Quota of the current Pacific day" in done.stdout
    _expect_nothing_left(product)
    with (
        EmbeddedPostgres(product.data / "postgres") as server,
        psycopg.connect(server.url) as connection,
    ):
        crawls_now = set(connection.execute(_CRAWLS).fetchall())
        calls_now = set(connection.execute(_CALLS, [until]).fetchall())
        snapshots_now = connection.execute(_SNAPSHOTS, [until]).fetchall()
        scores_now = connection.execute(_SCORES).fetchall()
        terms = connection.execute("select policy_mode from operations.installation").fetchall()
        failed = connection.execute(
            "select pipeline_name from dagster.runs where status <> 'SUCCESS'"
            " and pipeline_name in ('retention', 'signal')"
        ).fetchall()
    assert crawls <= crawls_now, "no crawl was lost"
    assert calls == calls_now, "nothing was asked again"
    added = {(row[0], row[3]) for row in crawls_now - crawls}
    assert all(crawl_at > newest[dataset] for dataset, crawl_at in added), "only the gap was loaded"
    assert snapshots_now == snapshots
    assert (scores_now, terms, failed) == ([(0,)], [("strict",)], [])


def _expect_nothing_left(product: Product) -> None:
    # The guardians of the servers see their parent gone and follow within a moment.
    wait_until(
        lambda: not product.processes(),
        within=60,
        what=lambda: f"the end of {[p.info for p in product.processes()]}",
    )
    assert not (product.data / "endpoints.json").exists()
