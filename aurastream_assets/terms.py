"""What the policy mode forbids, taken out of the graph, and said where it was.

In strict mode no score of YouTube's counters may be computed. The assets stay in the graph as what
they are, without code: they cannot be materialized, and their description says why. Whatever reads
them goes with them; what is computed beside them and can be computed alone stays. Jobs that lose
everything fail at once with the reason; their schedules and sensors are off and give the reason in
place of a run. Views stay: the tables that they show are empty then.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import dagster as dg

from aurastream.operations.policy import declared_facts, forbidden_tables
from aurastream.operations.retention_rules import Limits

__all__ = ["NOTE", "Allowed", "apply_terms", "forbidden_keys"]

NOTE: Final = (
    "Not computed: policy_mode is strict, and YouTube's standard terms do not permit metrics made "
    "of its counters. Set AURASTREAM_POLICY_MODE=amended if your client was audited."
)
_VIEWED: Final = frozenset({"marts", "aggregation"})
_STANDING: Final = frozenset({"maintenance", "collection"})

Asset = dg.AssetsDefinition | dg.AssetSpec
Job = Any  # dagster's type of an unresolved asset job is not public


@dataclass(frozen=True, slots=True)
class Allowed:
    """The parts of the graph as the policy mode lets them be."""

    assets: list[Asset]
    checks: list[dg.AssetChecksDefinition]
    jobs: list[Job]
    schedules: list[dg.ScheduleDefinition]
    sensors: list[dg.SensorDefinition]


def apply_terms(
    limits: Limits,
    *,
    assets: Sequence[Asset],
    checks: Sequence[dg.AssetChecksDefinition],
    jobs: Iterable[Job],
    schedules: Sequence[dg.ScheduleDefinition],
    sensors: Sequence[dg.SensorDefinition],
) -> Allowed:
    """Return the graph without what the policy mode forbids."""
    forbidden = forbidden_keys(assets, limits)
    if not forbidden:
        return Allowed(list(assets), list(checks), list(jobs), list(schedules), list(sensors))
    remaining = [part for asset in assets for part in _parted(asset, forbidden)]
    described = [_described(asset, forbidden) for asset in remaining]
    known = list(jobs)
    empty = {job.name for job in known if _loses_everything(job, assets, forbidden)}
    return Allowed(
        assets=described,
        checks=[c for c in checks if not {key.asset_key for key in c.check_keys} & forbidden],
        jobs=[
            _refusing(job) if job.name in empty else _without(job, assets, forbidden)
            for job in known
        ],
        schedules=[_off_schedule(s) if s.job_name in empty else s for s in schedules],
        sensors=[_off_sensor(s) if s.job_name in empty else s for s in sensors],
    )


def forbidden_keys(assets: Iterable[Asset], limits: Limits) -> frozenset[dg.AssetKey]:
    """Return the assets that the mode forbids, and those that cannot be without them."""
    known = list(assets)
    found = {dg.AssetKey(name.split(".")) for name in forbidden_tables(limits)}
    found &= {key for asset in known for key in _keys(asset)}
    grown = True
    while grown and found:
        more = {key for asset in known for key in _lost_with(asset, found)}
        grown = not more <= found
        found |= more
    return frozenset(found)


def _lost_with(asset: Asset, found: Collection[dg.AssetKey]) -> set[dg.AssetKey]:
    """Return what of an asset cannot be computed without the keys found so far."""
    lost = set(_keys(asset) & set(found))
    if isinstance(asset, dg.AssetsDefinition) and asset.is_executable:
        lost |= {
            spec.key
            for spec in asset.specs
            if {dep.asset_key for dep in spec.deps} & set(found) and _follows(spec.key)
        }
        if lost and not asset.can_subset:
            lost = set(asset.keys)
    return {key for key in lost if _follows(key)}


def _follows(key: dg.AssetKey) -> bool:
    """Whether an asset holds values of its own: views, and what publishes documents, do not."""
    return ".".join(key.path) in declared_facts() and key.path[0] not in _STANDING


def _keys(asset: Asset) -> frozenset[dg.AssetKey]:
    return frozenset({asset.key} if isinstance(asset, dg.AssetSpec) else asset.keys)


def _parted(asset: Asset, forbidden: Collection[dg.AssetKey]) -> list[Asset]:
    """Return an asset as far as it may be computed, and the rest of it as what is known of it."""
    lost = _keys(asset) & set(forbidden)
    if not lost:
        return [asset]
    specs = [asset] if isinstance(asset, dg.AssetSpec) else list(asset.specs)
    left = _keys(asset) - lost
    if not left or isinstance(asset, dg.AssetSpec):
        return _as_specs(specs)
    checks = {key for key in asset.check_keys if key.asset_key in left}
    return [
        asset.subset_for(left, checks),
        *_as_specs([spec for spec in specs if spec.key in lost]),
    ]


def _as_specs(specs: Iterable[dg.AssetSpec]) -> list[Asset]:
    """Return assets as what is known of them, without the code that computes them."""
    return [
        spec.replace_attributes(
            description=f"**{NOTE}**\n\n{spec.description or ''}",
            tags={**spec.tags, "policy": "forbidden"},
            automation_condition=None,
            freshness_policy=None,
            skippable=False,
        )
        for spec in specs
    ]


def _described(asset: Asset, forbidden: Collection[dg.AssetKey]) -> Asset:
    """Say of a mart that shows forbidden tables that it is empty, or what of it is."""
    if isinstance(asset, dg.AssetSpec):
        return asset
    return asset.map_asset_specs(
        lambda spec: (
            spec.replace_attributes(
                description=f"**{_emptiness(spec, forbidden)} {NOTE}**\n\n{spec.description or ''}"
            )
            if not _follows(spec.key)
            and spec.key.path[0] in _VIEWED
            and {d.asset_key for d in spec.deps} & set(forbidden)
            else spec
        )
    )


def _emptiness(spec: dg.AssetSpec, forbidden: Collection[dg.AssetKey]) -> str:
    # What was collected has the names of what the scores are about, and no rows without them.
    other = {d.asset_key for d in spec.deps if d.asset_key.path[0] != "collection"} - set(forbidden)
    return "Without what is made of YouTube's counters." if other else "Empty."


def _kept(
    job: Job, assets: Sequence[Asset], forbidden: Collection[dg.AssetKey]
) -> frozenset[dg.AssetKey]:
    executable = {
        key
        for asset in assets
        if isinstance(asset, dg.AssetsDefinition) and asset.is_executable
        for key in asset.keys
    }
    return frozenset((job.selection.resolve(_definitions(assets)) & executable) - set(forbidden))


def _definitions(assets: Sequence[Asset]) -> list[dg.AssetsDefinition]:
    """Return assets in the form in which a selection can be resolved against them."""
    return [dg.AssetsDefinition(specs=[a]) if isinstance(a, dg.AssetSpec) else a for a in assets]


def _loses_everything(
    job: Job, assets: Sequence[Asset], forbidden: Collection[dg.AssetKey]
) -> bool:
    if not hasattr(job, "selection"):
        return False
    wanted: set[dg.AssetKey] = set(job.selection.resolve(_definitions(assets)))
    return bool(wanted & set(forbidden)) and not _kept(job, assets, forbidden)


def _without(job: Job, assets: Sequence[Asset], forbidden: Collection[dg.AssetKey]) -> Job:
    if not hasattr(job, "selection"):
        return job
    lost = job.selection.resolve(_definitions(assets)) & set(forbidden)
    if not lost:
        return job
    names = ", ".join(sorted(key.path[-1] for key in lost))
    return dg.define_asset_job(
        job.name,
        selection=job.selection - dg.AssetSelection.assets(*lost),
        config=job.config,
        tags=job.tags,
        description=f"{job.description} Without {names}: policy_mode is strict.",
    )


def _refusing(job: Job) -> dg.JobDefinition:
    """Return a job of the same name that says why it computes nothing."""

    @dg.op(name=f"{job.name}_is_forbidden", out=dg.Out(dg.Nothing), description=NOTE)
    def refuse() -> None:
        raise dg.Failure(NOTE, allow_retries=False)

    @dg.job(name=job.name, tags=job.tags, description=f"{NOTE} (Otherwise: {job.description})")
    def refused() -> None:
        refuse()

    return refused


def _off_schedule(schedule: dg.ScheduleDefinition) -> dg.ScheduleDefinition:
    def say(_context: dg.ScheduleEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(NOTE)

    return dg.ScheduleDefinition(
        name=schedule.name,
        job_name=schedule.job_name,
        cron_schedule=schedule.cron_schedule,
        execution_timezone=schedule.execution_timezone,
        execution_fn=say,
        default_status=dg.DefaultScheduleStatus.STOPPED,
        description=f"Off. {NOTE}",
    )


def _off_sensor(sensor: dg.SensorDefinition) -> dg.SensorDefinition:
    def say(_context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return dg.SkipReason(NOTE)

    return dg.SensorDefinition(
        name=sensor.name,
        job_name=sensor.job_name,
        evaluation_fn=say,
        minimum_interval_seconds=3600,
        default_status=dg.DefaultSensorStatus.STOPPED,
        description=f"Off. {NOTE}",
    )
