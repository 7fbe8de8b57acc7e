"""The record within its limits: days made before they are needed, and dropped when over age.

A write makes the day that it lacks by itself. Made ahead, the first write after midnight waits for
nobody, and a server whose disk is full says so days before collection needs the room.
"""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

import dagster as dg

from aurastream.operations import retention
from aurastream.operations.policy import forbidden_tables, limits_of
from aurastream.operations.retention_rules import run_ages
from aurastream.settings import Settings
from aurastream.store import purge as store_purge
from aurastream.store.partitions import days_between, ensure_partitions, existing_days
from aurastream.store.purge_proofs import unfinished
from aurastream.store.tables import PARTITIONED
from aurastream_assets.keys import asset_key
from aurastream_assets.maintenance import dagster_log
from aurastream_assets.maintenance.settings import settings_of
from aurastream_assets.policies import RETRIES
from resources.store import Redis, Store

__all__ = [
    "DAYS_AHEAD",
    "PurgeConfig",
    "columns_are_classified",
    "database_size",
    "days_are_made",
    "nothing_is_over_age",
    "purges",
]

DAYS_AHEAD: Final = 7
_MOST_NAMED: Final = 20
_GIGABYTE: Final = 1_000_000_000


class PurgeConfig(dg.Config):
    """How much of the rules a run applies."""

    hourly_only: bool = False
    """Only what a daily purge would come too late for, and nothing of Dagster's own log."""


@dg.asset(
    key=asset_key("maintenance", "purges"),
    code_version="1",
    tags={"worker": "intel_aggregation_daily"},
    retry_policy=RETRIES,
    kinds={"python", "postgres", "parquet", "redis"},
)
def purges(
    context: dg.AssetExecutionContext, config: PurgeConfig, store: Store, redis: Redis
) -> dg.MaterializeResult[None]:
    """Make the days to come, take away what is over age, and write the proof of it.

    What goes and why is decided by the policy class of each column, `policy_mode` and
    `retention_days`; `aurastream retention --plan` says it beforehand. Days that only the
    operator's limit lets go are archived first. Covers tables, the Parquet archive, the hot
    documents, and Dagster's runs with their events and logs.
    """
    now = datetime.now(UTC)
    settings = settings_of(store, redis)
    created: list[str] = []
    if not config.hourly_only:
        with store_purge.connect(store.frames.url) as connection:
            # First: a reader that holds an old day must not cost us the new ones.
            created = ensure_partitions(connection, now, now + timedelta(days=DAYS_AHEAD))
    try:
        done = retention.purge(
            settings, now, run_id=context.run.run_id, hourly_only=config.hourly_only
        )
    finally:
        store.frames.forget_partitions()
    if not config.hourly_only:
        done += _prune_dagster(context, settings, now)
    return dg.MaterializeResult(metadata=_metadata(settings, created, done))


@dg.asset_check(asset=purges, description="No row of any table is older than its rule allows.")
def nothing_is_over_age(store: Store, redis: Redis) -> dg.AssetCheckResult:
    """Compare the oldest row of each table with its rule."""
    found = retention.examine(settings_of(store, redis), datetime.now(UTC)).over_age
    return dg.AssetCheckResult(
        passed=not found,
        metadata={"over_age": "; ".join(found[:_MOST_NAMED]) or "-", "tables": len(found)},
    )


@dg.asset_check(asset=purges, description="Every column of every table has a policy class.")
def columns_are_classified(store: Store, redis: Redis) -> dg.AssetCheckResult:
    """Look for columns that no rule could be made for."""
    found = retention.examine(settings_of(store, redis), datetime.now(UTC)).unclassified
    return dg.AssetCheckResult(
        passed=not found,
        metadata={"unclassified": ", ".join(found[:_MOST_NAMED]) or "-", "columns": len(found)},
    )


@dg.asset_check(asset=purges, description="The database is smaller than max_database_gb.")
def database_size(store: Store, redis: Redis) -> dg.AssetCheckResult:
    """Watch the size of the database, and who takes the room."""
    settings = settings_of(store, redis)
    sizes = retention.examine(settings, datetime.now(UTC)).sizes
    return dg.AssetCheckResult(
        passed=sizes["database"] <= settings.max_database_gb * _GIGABYTE,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={f"{name}_mb": round(size / 1e6, 1) for name, size in sorted(sizes.items())},
    )


@dg.asset_check(
    asset=purges,
    description="The days to come are made: the daily purge goes on, and not the hourly one alone.",
)
def days_are_made(store: Store) -> dg.AssetCheckResult:
    """Look whether a table lacks today or tomorrow, which were made days ago, or by a start."""
    now = datetime.now(UTC)
    wanted = set(days_between(now, now + timedelta(days=1)))
    with store_purge.connect(store.frames.url) as connection:
        lacking = [
            table.fullname for table in PARTITIONED if wanted - existing_days(connection, table)
        ]
    return dg.AssetCheckResult(
        passed=not lacking,
        severity=dg.AssetCheckSeverity.WARN,  # a write makes the day that it lacks
        metadata={"lacking": ", ".join(lacking[:_MOST_NAMED]) or "-", "tables": len(lacking)},
    )


def _prune_dagster(
    context: dg.AssetExecutionContext, settings: Settings, now: datetime
) -> list[retention.Purged]:
    limits = limits_of(settings)
    instance = context.instance
    dagster_log.prune_ticks(instance, now)
    keep_newest = limits.mode == "exempt"
    forbidden = [dg.AssetKey(name.split(".")) for name in forbidden_tables(limits)]
    with store_purge.connect(settings.require_postgres()) as connection:
        for proof in unfinished(connection, ["dagster"]):
            proof.settle(connection, dagster_log.gone_of(instance, proof.parts))
        proving = partial(retention.proving, connection, settings, now, run_id=context.run.run_id)
        done = [
            dagster_log.prune_runs(
                instance, run_ages(limits), now, keep_newest=keep_newest, proving=proving
            )
        ]
        if forbidden:
            done.append(dagster_log.prune_forbidden(instance, forbidden, now, proving=proving))
    return [purged for purged in done if purged.what.items]


def _metadata(
    settings: Settings, created: list[str], done: list[retention.Purged]
) -> dict[str, dg.MetadataValue | int | str]:
    dropped = [part for p in done if p.what.action == "drop_partitions" for part in p.what.parts]
    lines = ["| store | target | items | before | after | why |", "|---|---|--:|--:|--:|---|"]
    lines += [
        f"| {p.what.store} | {p.what.target} | {p.what.items} | {p.before} | {p.after} "
        f"| {p.what.reason} |"
        for p in done
    ]
    return {
        "mode": limits_of(settings).mode,
        "retention_days": settings.retention_days,
        "partitions_created": len(created),
        "partitions_dropped": len(dropped),
        "dropped": ", ".join(dropped[:_MOST_NAMED]) or "-",
        "items_purged": sum(p.what.items for p in done),
        "purges": dg.MetadataValue.md("\n".join(lines)),
    }
