"""Postgres refuses a crawl for good, when its quota is spent already."""

from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psycopg
import pytest

from aurastream.store.frames import FrameStore
from aurastream_assets.definitions import build_defs
from aurastream_assets.keys import asset_key
from resources.store import Store
from tests.graph.evidence import assert_nothing_is_counted_twice, failure_of, retries_of

_STREAMS = "collection.twitch_streams"
_CRAWL = [asset_key("collection", name) for name in ("twitch_streams", "twitch_top_games")]

Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def graph(installation: dict[str, object], store: FrameStore, tmp_path: Path) -> dg.Definitions:
    """The graph, with a spool."""
    kept = Store(postgres_url=store.url, spool_dir=str(tmp_path / "spool"))
    return build_defs(environment="local", resource_overrides={**installation, "store": kept})


def _calls(store: FrameStore) -> int:
    """Return how many calls were paid for."""
    ledger = store.read("operations.quota_ledger")
    assert ledger["units_settled"].notna().all()
    return len(ledger)


def test_a_crawl_that_is_refused_for_good_fails_once_and_what_it_paid_for_is_kept_aside(
    run: Run, store: FrameStore, tmp_path: Path
) -> None:
    with psycopg.connect(store.url, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN RAISE EXCEPTION 'no such crawl' USING ERRCODE = 'check_violation'; END$$"
        )
        admin.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON operations.crawls "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

        result = run("streams", asset_selection=_CRAWL, raise_on_error=False)

        assert not result.success
        failed = [event.step_key for event in result.all_events if event.is_step_failure]
        assert len(failed) == 1
        assert "no such crawl" in failure_of(result, str(failed[0]))
        assert retries_of(result) == 0
        assert store.read(_STREAMS).empty
        with FrameStore(store.url, spool=tmp_path / "spool") as kept:
            assert kept.spool is not None
            (entry,) = kept.spool.entries()
            assert entry.is_aside
            assert "no such crawl" in entry.reason
            # Each call that was paid for is in it: none was made a second time.
            assert entry.rows["operations.fetch_log"] == _calls(store) > 0

            admin.execute("DROP TRIGGER refuse ON operations.crawls")
            kept.spool.put_back()
            assert kept.drain() == 1
    assert len(store.read(_STREAMS)) == entry.rows[_STREAMS] > 0
    assert_nothing_is_counted_twice(store)
