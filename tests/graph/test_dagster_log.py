"""Dagster's own log within its limits, through Dagster's own API."""

from datetime import UTC, datetime, timedelta
from functools import partial

import dagster as dg
import pytest
from pydantic import SecretStr

from aurastream.operations.retention import proving
from aurastream.operations.retention_rules import Limits, run_ages
from aurastream.settings import Settings
from aurastream.store.frames import FrameStore
from aurastream.store.purge import connect
from aurastream.store.purge_proofs import unfinished
from aurastream_assets.maintenance.dagster_log import gone_of, prune_forbidden, prune_runs

AGES = run_ages(Limits("exempt", timedelta(days=30)))
KEY = dg.AssetKey(["collection", "thing"])
DAYS = dg.DailyPartitionsDefinition(start_date="2026-11-01")


@dg.asset(key=KEY)
def thing() -> None:
    """Something that is collected again and again."""


@dg.asset(key=["intelligence", "score"], partitions_def=DAYS)
def score() -> None:
    """Something computed for a day."""


@dg.op
def fail() -> None:
    raise ValueError("no")


@dg.job
def failing() -> None:
    fail()


def _later(days: int) -> datetime:
    return datetime.now(UTC) + timedelta(days=days)


def _ids(instance: dg.DagsterInstance) -> set[str]:
    return {run.run_id for run in instance.get_runs()}


def test_old_runs_go_with_their_events_and_the_newest_of_an_asset_stays(
    instance: dg.DagsterInstance,
) -> None:
    old, new = (dg.materialize([thing], instance=instance).run_id for _ in range(2))
    assert instance.all_logs(old)

    done = prune_runs(instance, AGES, _later(8))

    assert _ids(instance) == {new}
    assert instance.all_logs(old) == []
    event = instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.run_id == new
    assert (done.what.items, done.what.parts, done.before, done.after) == (1, (old,), 2, 1)


def test_nothing_that_is_young_goes(instance: dg.DagsterInstance) -> None:
    dg.materialize([thing], instance=instance)
    dg.materialize([thing], instance=instance)

    assert prune_runs(instance, AGES, _later(6)).what.items == 0
    assert len(_ids(instance)) == 2


def test_a_run_of_a_partition_stays_until_its_partitions_have_rolled_away(
    instance: dg.DagsterInstance,
) -> None:
    for key in ("2026-11-01", "2026-11-02"):
        dg.materialize([score], instance=instance, partition_key=key)

    assert prune_runs(instance, AGES, _later(39)).what.items == 0
    assert instance.get_materialized_partitions(score.key) == {"2026-11-01", "2026-11-02"}
    assert prune_runs(instance, AGES, _later(41)).what.items == 1


def test_a_failed_run_stays_for_a_month(instance: dg.DagsterInstance) -> None:
    failing.execute_in_process(instance=instance, raise_on_error=False)

    assert prune_runs(instance, AGES, _later(29)).what.items == 0
    assert prune_runs(instance, AGES, _later(31)).what.items == 1


def test_the_terms_know_no_grace_for_the_newest(instance: dg.DagsterInstance) -> None:
    dg.materialize([thing], instance=instance)
    live = run_ages(Limits("amended", timedelta(days=30)))

    assert prune_runs(instance, live, _later(30), keep_newest=False).what.items == 1
    assert _ids(instance) == set()


def test_runs_of_forbidden_assets_go_at_once(instance: dg.DagsterInstance) -> None:
    kept = dg.materialize([thing], instance=instance).run_id
    dg.materialize([score], instance=instance, partition_key="2026-11-01")

    assert prune_forbidden(instance, [score.key], _later(0)).what.items == 1
    assert _ids(instance) == {kept}


def test_where_no_forbidden_asset_was_ever_materialized_nothing_goes(
    instance: dg.DagsterInstance,
) -> None:
    kept = dg.materialize([thing], instance=instance).run_id

    assert prune_forbidden(instance, [score.key], _later(0)).what.items == 0
    assert gone_of(instance, []) == set()
    assert _ids(instance) == {kept}


def test_runs_that_went_before_a_kill_are_proved_by_the_next_purge(
    instance: dg.DagsterInstance, store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = [dg.materialize([thing], instance=instance).run_id for _ in range(4)]
    settings = Settings(postgres_url=SecretStr(store.url))
    delete, deleted = instance.delete_run, []

    def die_at_the_second(run_id: str) -> None:
        if deleted:
            raise KeyboardInterrupt
        deleted.append(run_id)
        delete(run_id)

    with connect(store.url) as connection:
        first = partial(proving, connection, settings, _later(8), run_id="first")
        with monkeypatch.context() as patch:
            patch.setattr(instance, "delete_run", die_at_the_second)
            with pytest.raises(KeyboardInterrupt):
                prune_runs(instance, AGES, _later(8), proving=first)

        for proof in unfinished(connection, ["dagster"]):
            proof.settle(connection, gone_of(instance, proof.parts))
        second = partial(proving, connection, settings, _later(9), run_id="second")
        prune_runs(instance, AGES, _later(9), proving=second)

    proofs = store.read("maintenance.purges", order_by="purged_at")
    assert proofs["items"].tolist() == [1, 2]
    assert sorted(run for parts in proofs["parts"] for run in parts) == sorted(runs[:3])
    assert (proofs["before_count"] - proofs["after_count"]).tolist() == [1, 2]
