"""How a check asks the store: by one SQL aggregate over the windows of the run, after the write.

Each query looks at the windows [start, end) of the run (or at the newest window when a person
clicks "execute" without one) and returns one row of counts. Windows whose rows the terms have ended
are not looked at: nothing of them may be written, so that nothing of them is missing.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import dagster as dg

from aurastream.operations.policy import ended_before, limits_of
from aurastream.settings import Settings
from aurastream.store import readings
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS, WINDOW, four_hours, half_hours
from resources.store import Store

__all__ = [
    "DOUBLED",
    "TREBLED",
    "Counts",
    "QueryCheck",
    "accepted",
    "all_zero",
    "both_above_zero",
    "drift",
    "few_moved",
    "ratio_moved",
    "unrefused",
    "window_checks",
]

Counts = dict[str, Any]

DOUBLED: Final = math.log(2)
TREBLED: Final = math.log(3)
_MOVED_WARNS: Final = 0.1


@dataclass(frozen=True, slots=True)
class QueryCheck:
    """A query over the windows [start, end) and what its one row must say."""

    table: str
    name: str
    description: str
    sql: str
    passes: Callable[[Counts], bool]
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR

    @property
    def spec(self) -> dg.AssetCheckSpec:
        """What the graph knows of the check."""
        return dg.AssetCheckSpec(
            self.name, asset=asset_key("intelligence", self.table), description=self.description
        )


def all_zero(*names: str) -> Callable[[Counts], bool]:
    """Return a condition that holds when the named counts are all zero."""
    return lambda counts: all(not counts[name] for name in names)


def accepted(table: str) -> QueryCheck:
    """Check that nothing was refused: what was left out is in quarantine, with the reason.

    Parameters
    ----------
    table : str
        Dataset of the intelligence stage. What it refused in a window is replaced with the
        window's results, so that what was mended is accepted again.
    """
    return QueryCheck(
        table,
        "accepted",
        "Nothing was refused for impossible input; operations.quarantine says what, and why.",
        f"""
        select count(*) as refused from operations.quarantine q
        where q.source = 'intelligence/{table}'
          and q.occurred_at > %(start)s and q.occurred_at <= %(end)s
        """,  # noqa: S608 # the name of a table of ours
        all_zero("refused"),
        dg.AssetCheckSeverity.WARN,
    )


def few_moved(counts: Counts) -> bool:
    """Whether at most a tenth moved; one always may: a single small category is no drift."""
    return bool(counts["moved"] <= 1 + _MOVED_WARNS * counts["compared"])


def drift(
    table: str,
    keys: str,
    moved: str,
    comparable: str,
    description: str,
    *,
    every: str = "30 minutes",
) -> QueryCheck:
    """Check that few values moved far since the window before; a is now, b is before.

    Parameters
    ----------
    table : str
        Dataset of the intelligence stage.
    keys : str
        Columns that, with the window, say which rows are of the same thing.
    moved, comparable : str
        Conditions on a and b: what is far, and of which rows it can be asked.
    description : str
        What is to hold.
    every : str, optional
        Length of its windows.
    """
    before = f"{{}}::timestamptz - interval '{every}'"
    return QueryCheck(
        table,
        "drift",
        description,
        f"""
        select count(*) as compared, count(*) filter (where {moved}) as moved
        from (
            select * from intelligence.{table}
            where window_start >= %(start)s and window_start < %(end)s
        ) a
        join (
            select * from intelligence.{table}
            where window_start >= {before.format("%(start)s")}
              and window_start < {before.format("%(end)s")}
        ) b on b.window_start = a.window_start - interval '{every}'
           and ({", ".join(f"a.{key}" for key in keys.split())})
             = ({", ".join(f"b.{key}" for key in keys.split())})
        where {comparable}
        """,  # noqa: S608 # names and conditions of ours
        few_moved,
        dg.AssetCheckSeverity.WARN,
    )


def ratio_moved(column: str, far: float) -> str:
    """Return the condition that a value is further from the one before than a factor e**far."""
    return f"abs(ln(a.{column} / b.{column})) > {far}"


def both_above_zero(column: str) -> str:
    """Return the condition that `ratio_moved` can be asked."""
    return f"a.{column} > 0 and b.{column} > 0"


def unrefused(table: str, of: str, *, every: str = "30 minutes") -> str:
    """Return the condition that nothing of a row's category was refused: `accepted` warns of it.

    Parameters
    ----------
    table : str
        The dataset that would have refused it.
    of : str
        Name of the row in the query, with ``window_start`` and ``category``.
    every : str, optional
        Length of its windows.
    """
    return f"""not exists (
        select 1 from operations.quarantine q
        where q.source = 'intelligence/{table}'
          and (q.item_id = {of}.category
               or starts_with(q.raw, '{{"category": ' || to_json({of}.category)::text))
          and q.occurred_at = {of}.window_start + interval '{every}'
    )"""  # noqa: S608 # names of ours


def window_checks(
    name: str,
    checks: Sequence[QueryCheck],
    *,
    description: str,
    partitions_def: dg.TimeWindowPartitionsDefinition = half_hours,
) -> dg.AssetChecksDefinition:
    """Make one step of checks over tables with the same windows."""

    @dg.multi_asset_check(
        name=name,
        specs=[check.spec for check in checks],
        can_subset=True,
        description=description,
    )
    def step(context: dg.AssetCheckExecutionContext, store: Store) -> Iterator[dg.AssetCheckResult]:
        selected = context.selected_asset_check_keys
        first_windows = {
            table: _first_within_terms(table, partitions_def)
            for table in {check.table for check in checks if check.spec.key in selected}
        }
        for check in checks:
            if check.spec.key not in selected:
                continue
            start, end = _windows(context, store, check.table, partitions_def)
            start = max(start, first_windows[check.table])
            if start >= end:
                yield dg.AssetCheckResult(
                    asset_key=check.spec.asset_key,
                    check_name=check.name,
                    passed=True,
                    severity=check.severity,
                    metadata={"windows": "none: all are past their time by the terms"},
                )
                continue
            row = store.frames.query(check.sql, {"start": start, "end": end}).iloc[0]
            counts = {str(column): int(value) for column, value in row.items()}
            yield dg.AssetCheckResult(
                asset_key=check.spec.asset_key,
                check_name=check.name,
                passed=check.passes(counts),
                severity=check.severity,
                metadata={**counts, "windows": f"{start.isoformat()} to {end.isoformat()}"},
            )

    return step


def _windows(
    context: dg.AssetCheckExecutionContext,
    store: Store,
    table: str,
    partitions_def: dg.TimeWindowPartitionsDefinition,
) -> tuple[datetime, datetime]:
    if context.has_partition_key or context.has_partition_key_range:
        keys = context.partition_key_range
        return (
            partitions_def.time_window_for_partition_key(keys.start).start,
            partitions_def.time_window_for_partition_key(keys.end).end,
        )
    newest = readings.newest(store.frames, f"intelligence.{table}", "window_start") or datetime.now(
        UTC
    ) - _length(partitions_def)
    return newest, newest + _length(partitions_def)


def _first_within_terms(table: str, partitions_def: dg.TimeWindowPartitionsDefinition) -> datetime:
    """Return the first window whose rows may be there now."""
    ended = ended_before(f"intelligence.{table}", limits_of(Settings.from_env()), datetime.now(UTC))
    if ended is None:
        return datetime.min.replace(tzinfo=UTC)
    length = _length(partitions_def)
    return ended + (datetime.min.replace(tzinfo=UTC) - ended) % length


def _length(partitions_def: dg.TimeWindowPartitionsDefinition) -> timedelta:
    return FOUR_HOURS if partitions_def == four_hours else WINDOW
