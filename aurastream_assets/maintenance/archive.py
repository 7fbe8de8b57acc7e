"""The monthly archive: what the terms let us keep, as Parquet for ever (at most 36 months live)."""

from datetime import datetime

import dagster as dg

from aurastream.operations import archive as operations
from aurastream_assets.keys import asset_key
from aurastream_assets.maintenance.settings import settings_of
from aurastream_assets.partitions import months
from aurastream_assets.policies import RETRIES
from resources.store import Store

__all__ = ["archive", "is_what_the_record_has"]


@dg.asset(
    key=asset_key("maintenance", "archive"),
    code_version="1",
    partitions_def=months,
    tags={"worker": "intel_aggregation_daily"},
    retry_policy=RETRIES,
    kinds={"python", "parquet"},
)
def archive(context: dg.AssetExecutionContext, store: Store) -> dg.MaterializeResult[None]:
    """Write a month of every table that may be kept as Parquet, one file per table and day.

    zstd, hive-partitioned by month, with a manifest of row counts and checksums. Running it again
    gives the same files. Days that retention dropped meanwhile were archived when they went.
    """
    settings = settings_of(store)
    target = operations.open_archive(settings)
    month = datetime.strptime(context.partition_key, months.fmt).date()  # noqa: DTZ007 # a date
    done = operations.archive_month(settings, target, month)
    lines = ["| table | rows | MB | files | left out |", "|---|--:|--:|--:|---|"]
    lines += [
        f"| {d.name} | {d.rows} | {d.bytes / 1e6:.2f} | {len(d.files)} "
        f"| {', '.join(d.left_out) or '-'} |"
        for d in done
    ]
    return dg.MaterializeResult(
        metadata={
            "archive": target.url,
            "tables": len(done),
            "rows": sum(d.rows for d in done),
            "bytes": sum(d.bytes for d in done),
            "datasets": dg.MetadataValue.md("\n".join(lines)),
        }
    )


@dg.asset_check(
    asset=archive,
    description="Every day of the newest archived month that the record still has is equal there.",
)
def is_what_the_record_has(store: Store) -> dg.AssetCheckResult:
    """Compare the newest month, value by value."""
    settings = settings_of(store)
    target = operations.open_archive(settings)
    archived = target.months()
    if not archived:
        return dg.AssetCheckResult(passed=True, metadata={"archived_months": 0})
    compared = list(operations.compare_month(settings, target, archived[-1]))
    # A day that retention has dropped is no difference.
    differing = [c for c in compared if not c.is_equal and c.rows_found]
    return dg.AssetCheckResult(
        passed=not differing,
        metadata={
            "month": f"{archived[-1]:%Y-%m}",
            "days_compared": len(compared),
            "differing": ", ".join(f"{c.dataset} {c.day}" for c in differing) or "-",
        },
    )
