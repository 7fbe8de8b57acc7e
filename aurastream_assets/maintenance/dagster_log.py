"""Dagster's own log, which Dagster never prunes: runs, their events and logs, and ticks.

Everything goes through the instance's API, so that run storage, event storage and files agree. The
newest materialization of each asset stays, whatever its age: an asset that is rarely materialized
must not look as if it never was.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Final

import dagster as dg

from aurastream.operations.retention import Planned, Purged
from aurastream.operations.retention_rules import RunAges

__all__ = ["NEVER_PRUNED", "gone_of", "prune_forbidden", "prune_runs", "prune_ticks"]

# Which months are archived is known from these runs alone.
NEVER_PRUNED: Final = frozenset({"archive"})

# Holds what is deleted inside: the proof names it before, and says that it went after.
Proving = Callable[[Purged], AbstractContextManager[object]]

_BATCH: Final = 500
_MOST: Final = 20_000  # per purge; the rest goes tomorrow
_PARTITION_TAGS: Final = ("dagster/partition", "dagster/asset_partition_range_start")
_TICK_AGE: Final = timedelta(days=30)
_FAILED: Final = frozenset({dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED})
_ENDED: Final = [dg.DagsterRunStatus.SUCCESS, *sorted(_FAILED, key=str)]


def prune_runs(
    instance: dg.DagsterInstance,
    ages: RunAges,
    now: datetime,
    *,
    keep_newest: bool = True,
    proving: Proving = nullcontext,
) -> Purged:
    """Delete the runs that are too old, oldest first, with their events and logs.

    Parameters
    ----------
    instance : DagsterInstance
        Where they are.
    ages : RunAges
        How old each kind may grow.
    now : datetime
        Aware.
    keep_newest : bool
        Whether the run of an asset's newest materialization stays. The terms know no such grace.
    proving : callable
        Writes the proof around the deletion.
    """
    cutoff = now - min(ages.plain, ages.failed, ages.partitioned)
    filters = dg.RunsFilter(statuses=_ENDED, created_before=cutoff)
    before = instance.get_runs_count(filters)
    kept = _newest_runs(instance) if keep_newest else frozenset()
    doomed = [
        record.dagster_run.run_id
        for record in _records(instance, filters)
        if record.dagster_run.run_id not in kept and _is_over_age(record, ages, now)
    ][:_MOST]
    proof = _proof("runs", "older than its kind may grow", cutoff, doomed, before)
    _delete_all(instance, doomed, proof, proving)
    return proof


def prune_forbidden(
    instance: dg.DagsterInstance,
    keys: Collection[dg.AssetKey],
    now: datetime,
    *,
    proving: Proving = nullcontext,
) -> Purged:
    """Delete every run that materialized an asset which the policy mode forbids."""
    doomed: set[str] = set()
    for key in sorted(keys):
        cursor: str | None = None
        while True:
            found = instance.fetch_materializations(key, limit=_BATCH, cursor=cursor)
            doomed |= {record.run_id for record in found.records if record.run_id}
            cursor = found.cursor
            if not found.has_more:
                break
    ended = _known(instance, doomed, statuses=_ENDED)
    del now
    proof = _proof(
        "runs of forbidden assets",
        "the policy mode forbids what they computed",
        None,
        sorted(doomed & ended),
        len(doomed),
    )
    _delete_all(instance, sorted(doomed & ended), proof, proving)
    return proof


def gone_of(instance: dg.DagsterInstance, run_ids: Collection[str]) -> set[str]:
    """Return those of some runs that are no longer there."""
    return set(run_ids) - _known(instance, run_ids)


def prune_ticks(instance: dg.DagsterInstance, now: datetime) -> None:
    """Delete the ticks of every schedule and sensor that are older than 30 days.

    The daemon prunes most of them sooner (`deploy/dagster.yaml`); this ends the others.
    """
    if instance.schedule_storage is None:
        return  # an instance that lives no longer than this process
    for state in instance.all_instigator_state():
        instance.purge_ticks(
            state.instigator_origin_id, state.selector_id, (now - _TICK_AGE).timestamp()
        )


def _known(
    instance: dg.DagsterInstance,
    run_ids: Collection[str],
    statuses: Sequence[dg.DagsterRunStatus] = (),
) -> set[str]:
    """Return those of some runs that are there; Dagster refuses to be asked about none."""
    if not run_ids:
        return set()
    return set(instance.get_run_ids(dg.RunsFilter(run_ids=sorted(run_ids), statuses=statuses)))


def _records(instance: dg.DagsterInstance, filters: dg.RunsFilter) -> Iterator[dg.RunRecord]:
    cursor: str | None = None
    while True:
        found = instance.get_run_records(filters, limit=_BATCH, cursor=cursor, ascending=True)
        yield from found
        if len(found) < _BATCH:
            return
        cursor = found[-1].dagster_run.run_id


def _is_over_age(record: dg.RunRecord, ages: RunAges, now: datetime) -> bool:
    run = record.dagster_run
    if run.job_name in NEVER_PRUNED:
        return False
    if any(tag in run.tags for tag in _PARTITION_TAGS):
        limit = ages.partitioned
    else:
        limit = ages.failed if run.status in _FAILED else ages.plain
    return bool(now - record.create_timestamp > limit)


def _newest_runs(instance: dg.DagsterInstance) -> frozenset[str]:
    newest = instance.get_latest_materialization_events(instance.all_asset_keys())
    return frozenset(event.run_id for event in newest.values() if event is not None)


def _delete_all(
    instance: dg.DagsterInstance, run_ids: Collection[str], proof: Purged, proving: Proving
) -> None:
    if run_ids:
        with proving(proof):
            for run_id in run_ids:
                _delete(instance, run_id)


def _delete(instance: dg.DagsterInstance, run_id: str) -> None:
    instance.compute_log_manager.delete_logs(prefix=[run_id])
    instance.delete_run(run_id)


def _proof(
    target: str, reason: str, cutoff: datetime | None, gone: list[str], before: int
) -> Purged:
    what = Planned("dagster", target, "delete_runs", reason, cutoff, len(gone), 0, tuple(gone))
    return Purged(what, before, before - len(gone))
