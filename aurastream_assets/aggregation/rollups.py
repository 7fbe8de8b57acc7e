"""Hours, days and marts: dbt's models as assets, its tests as their checks.

A range of hours or days is one run and one dbt call. The rollups of the sources keep the sources'
table names; what their columns mean is in the dbt project, and from there in the graph.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

import dagster as dg

from aurastream.operations.policy import ended_before, limits_of
from aurastream.settings import Settings
from aurastream.store.purge import connect, first_day_left
from aurastream_assets.aggregation.column_lineage import ColumnLineage, columns_of_record
from aurastream_assets.aggregation.project import DbtProjectError, load_manifest
from aurastream_assets.aggregation.runner import DbtRunner, NodeResult
from aurastream_assets.aggregation.translator import TranslatedModel, Translator
from aurastream_assets.partitions import days, hours
from aurastream_assets.policies import RETRIES, SINGLE_RUN
from resources.store import Store

__all__ = ["ASSETS", "daily", "hourly", "marts"]

_STREAM_HOURS: Final = "intel_stream_hours"
_CODE_VERSION: Final = "dagster/code_version"  # tag of a materialization
_POOL: Final = "dbt"  # one dbt at a time, whoever asks

_translator: Final = Translator(load_manifest())
_HOURS: Final = tuple(_translator.model(n) for n in _translator.names("aggregation", "hours"))
_DAYS: Final = tuple(_translator.model(n) for n in _translator.names("aggregation", "days"))
_VIEWS: Final = tuple(
    _translator.model(name)
    for name in (*_translator.names("aggregation"), *_translator.names("marts"))
)

_TERMS: Final = "the platforms' terms have ended them"
_NOTHING_LEFT: Final = "the first crawl that is left is of that day"

_Events = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]


@dataclass(frozen=True, order=True)
class _Ended:
    """The moment before which rows are not made again, and why."""

    moment: datetime
    reason: str


def _declared(
    name: str, *models: TranslatedModel, partitions: dg.PartitionsDefinition[str] | None = None
) -> Callable[[Callable[..., _Events]], dg.AssetsDefinition]:
    return dg.multi_asset(
        name=name,
        specs=[model.spec for model in models],
        check_specs=[check for model in models for check in model.checks.values()],
        can_subset=True,
        pool=_POOL,
        retry_policy=RETRIES,
        partitions_def=partitions,
        backfill_policy=SINGLE_RUN if partitions else None,
    )


@_declared("aggregation__hours", *_HOURS, partitions=hours)
def hourly(context: dg.AssetExecutionContext, store: Store) -> _Events:
    """Roll hours up, every category and dataset of every hour in the run at once.

    Where the terms end streams after a day, but not what is made of them, the streams of these
    hours go into their day at once: the first of them are gone when the day is rolled up.
    """
    window = context.partition_time_window
    if limits_of(Settings.from_env()).outlives_streams:
        runner, ended = _runner(store), _ended(store, [_STREAM_HOURS], window.start)
        if ended:
            _run(runner, [_STREAM_HOURS])
        _run(runner, [_STREAM_HOURS], window.start, window.end, _moments(ended))
    yield from _built(context, store, _HOURS, window.start, window.end)


@_declared("aggregation__days", *_DAYS, partitions=days)
def daily(context: dg.AssetExecutionContext, store: Store) -> _Events:
    """Roll days up from their hours and, where a video must count once, from their windows."""
    window = context.partition_time_window
    # A day may be asked for before the first hour, whose table exists then and is empty.
    yield from _built(context, store, _DAYS, window.start, window.end, parents=_HOURS)


@_declared("marts", *_VIEWS)
def marts(context: dg.AssetExecutionContext, store: Store) -> _Events:
    """Define what analysts and the API read; these are views and always current."""
    yield from _built(context, store, _VIEWS, parents=[*_HOURS, *_DAYS])


ASSETS: Final = (hourly, daily, marts)


def _built(
    context: dg.AssetExecutionContext,
    store: Store,
    models: Sequence[TranslatedModel],
    start: datetime | None = None,
    end: datetime | None = None,
    *,
    parents: Sequence[TranslatedModel] = (),
) -> _Events:
    wanted = context.op_execution_context.selected_asset_keys
    wanted_checks = context.op_execution_context.selected_asset_check_keys
    names = [model.name for model in models if model.spec.key in wanted]
    tests = {
        name: check
        for model in models
        for name, check in model.checks.items()
        if check.key in wanted_checks
    }
    ended = _ended(store, names, start) if start is not None else {}
    runner = _runner(store)
    # A table that is created takes all rows of the range; one that is there can leave some out.
    if first := _unmade(context, store, [*parents, *(models if ended else ())]):
        _run(runner, first)
    results = {r.name: r for r in _run(runner, [*names, *tests], start, end, _moments(ended))}
    for model in models:
        if model.name in names:
            yield dg.MaterializeResult(
                asset_key=model.spec.key,
                metadata=_metadata(results[model.name], start, end, ended.get(model.name))
                | _lineage(model, results[model.name].sql, runner.work_dir),
            )
    for name, check in tests.items():
        yield _check_result(results[name], check)


def _run(
    runner: DbtRunner,
    names: Sequence[str],
    start: datetime | None = None,
    end: datetime | None = None,
    ended: Mapping[str, datetime] = MappingProxyType({}),
) -> list[NodeResult]:
    try:
        return runner.build(names, start=start, end=end, ended=ended)
    except DbtProjectError as error:
        raise dg.Failure(description=str(error), allow_retries=error.is_transient) from error


def _unmade(
    context: dg.AssetExecutionContext, store: Store, models: Sequence[TranslatedModel]
) -> list[str]:
    """Return the models whose table is not there, or was not made by the code as it is now."""
    with connect(store.frames.url) as connection:
        there = {
            name
            for (name,) in connection.execute(
                "select table_name from information_schema.tables"
                " where table_schema = 'aggregation'"
            )
        }
    return [
        model.name for model in models if model.name not in there or not _is_current(context, model)
    ]


def _is_current(context: dg.AssetExecutionContext, model: TranslatedModel) -> bool:
    newest = context.instance.get_latest_materialization_event(model.spec.key)
    made = newest.asset_materialization if newest is not None else None
    return made is not None and (made.tags or {}).get(_CODE_VERSION) == model.spec.code_version


def _ended(store: Store, names: Sequence[str], start: datetime) -> dict[str, _Ended]:
    """Return, by model, the moment after the start before which its rows are not to be made again.

    The platforms' terms have ended them, or nothing is left of what they were made of: rows that
    outlive the record would be replaced by nothing.
    """
    limits, now = limits_of(Settings.from_env()), datetime.now(UTC)
    terms = {name: ended_before(f"aggregation.{name}", limits, now) for name in names}
    found = {
        name: _Ended(moment, _TERMS)
        for name, moment in terms.items()
        if moment is not None and start < moment
    }
    with connect(store.frames.url) as connection:
        begun = first_day_left(connection)
    if begun is not None and start < begun:
        nothing = _Ended(begun, _NOTHING_LEFT)
        found = {name: max(nothing, found.get(name, nothing)) for name in names}
    return found


def _moments(ended: Mapping[str, _Ended]) -> dict[str, datetime]:
    return {name: found.moment for name, found in ended.items()}


def _runner(store: Store) -> DbtRunner:
    settings = Settings.from_env()
    return DbtRunner(store.postgres_url or settings.require_postgres(), settings.data_dir / "dbt")


def _lineage(model: TranslatedModel, sql: str, work_dir: Path) -> dict[str, Any]:
    columns = columns_of_record()
    for schema, relations in _translator.columns().items():
        columns.setdefault(schema, {}).update(relations)
    names = [c.name for c in model.spec.metadata["dagster/column_schema"].columns]
    found = ColumnLineage(work_dir, columns, _translator.assets()).of(
        model.name, str(model.spec.code_version), names, sql
    )
    return {} if found is None else {"dagster/column_lineage": found}


def _metadata(
    result: NodeResult, start: datetime | None, end: datetime | None, ended: _Ended | None
) -> dict[str, Any]:
    metadata: dict[str, Any] = {"dbt_seconds": round(result.seconds, 3)}
    if result.rows is not None:
        metadata["rows_in_run"] = result.rows
    if start is not None and end is not None:
        metadata["range"] = f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
    if ended is not None:
        metadata["past_their_time"] = (
            f"rows before {ended.moment:%Y-%m-%d %H:%M} UTC: {ended.reason}, so none was written"
        )
    return metadata


def _check_result(result: NodeResult, check: dg.AssetCheckSpec) -> dg.AssetCheckResult:
    return dg.AssetCheckResult(
        asset_key=check.asset_key,
        check_name=check.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR,
        description=result.message or None,
        metadata={"failing_rows": result.failures or 0},
    )
