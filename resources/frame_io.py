"""The one I/O manager: frames go to, and come from, the table that the asset key names.

Writing a partitioned asset replaces its window (or its whole range of windows, in a single-run
backfill) in one transaction; an unpartitioned frame is appended. Crawls are not written here: an
asset that crawls keeps what it got itself (`resources.crawl_keeping`).

Reading is declared where the input is declared::

    dg.AssetIn(key=..., metadata={"columns": ["crawl_at", "views"], "lookback": "24h"})

reads those columns from ``lookback`` before the first window of the run to the end of its last one,
in one query, however many windows the run covers. Longer windows look at what shorter ones said at
their end::

    dg.AssetIn(key=..., metadata={"columns": [...], "every": "4h", "last": "30min"})

reads, of each four-hour window of the run, the half-hour window that ends with it, under the start
of the longer window; with ``lookback`` as many windows before them as fit into it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd

from aurastream.operations.policy import ended_before, limits_of
from aurastream.settings import Settings
from aurastream.store.archive_history import keep_replaced, version_marks
from aurastream.store.frames import Append, FrameStore, Replace, Upsert, WriteOp
from aurastream.store.tables import metadata as tables
from resources.store import Store

__all__ = ["Analysis", "FrameIO", "frame_io", "table_name"]

# A crawl belongs to the window it began in, but its last answers may come after the window's end.
# All rows of a crawl are read or none; the algorithms select crawls by their start.
_LONGEST_CRAWL = timedelta(minutes=15)


@dataclass(frozen=True)
class Analysis:
    """What an analysis found, and what belongs to it.

    Parameters
    ----------
    rows : DataFrame
        What it found.
    inputs : DataFrame, optional
        Fingerprints of what it read (operations.analysis_inputs); none where nothing can be
        taken over from another window.
    refused : DataFrame, optional
        What it could not work on, and why (operations.quarantine).
    """

    rows: pd.DataFrame
    inputs: pd.DataFrame = field(default_factory=pd.DataFrame)
    refused: pd.DataFrame = field(default_factory=pd.DataFrame)


class FrameIO(dg.IOManager):
    """Stores what assets return and loads what they declare as inputs.

    It reads and writes through the run's own ``store`` resource, so that a run has one set of
    connections, and whoever replaces the store replaces it for the frames as well.
    """

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame | Analysis) -> None:
        """Write a frame or an analysis in one transaction."""
        table = table_name(context.asset_key)
        rows = obj.rows if isinstance(obj, Analysis) else obj
        writes: list[WriteOp] = [Append(table, rows)]
        if context.has_asset_partitions:
            windows, end = _windows(context), context.asset_partitions_time_window.end
            windows, rows = _within_terms(context, table, windows, rows)
            writes = []
            if len(windows):
                start = windows[0].to_pydatetime()
                _keep_replaced(context, table, start, end)
                writes.append(Replace(table, rows, start, end))
                writes += _version_marks(context, table, windows, rows)
        if isinstance(obj, Analysis):
            writes += _beside(context, obj)
        _frames(context).commit(writes)
        context.add_output_metadata({"rows_in_run": len(rows)})

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """Read the declared columns of the upstream table, for the windows of this run."""
        declared: Mapping[str, Any] = context.definition_metadata
        table = table_name(context.asset_key)
        start, end = self._span(context, table)
        lookback = declared.get("lookback")
        if start is not None and lookback is not None:
            start = start - pd.Timedelta(str(lookback)).to_pytimedelta()
        columns = declared.get("columns")
        chosen = list(columns) if columns else None
        if "every" in declared and start is not None and end is not None:
            return _at_window_ends(_frames(context), table, chosen, (start, end), declared)
        return _frames(context).read(table, columns=chosen, start=start, end=end)

    def _span(
        self, context: dg.InputContext, table: str
    ) -> tuple[datetime | None, datetime | None]:
        if "partition_by" not in tables.tables[table].info:
            return None, None  # a dimension: every version of every item
        if context.has_asset_partitions:
            window = context.asset_partitions_time_window
            return window.start, window.end
        # An unpartitioned upstream: the windows are those that the reading step is scoring.
        step = context.step_context
        if not step.has_partitions:
            return None, None
        window = step.partition_time_window
        return window.start, window.end + _LONGEST_CRAWL


def _at_window_ends(
    frames: FrameStore,
    table: str,
    columns: list[str] | None,
    span: tuple[datetime, datetime],
    declared: Mapping[str, Any],
) -> pd.DataFrame:
    """Read the short windows that end together with the long ones, under the long ones' start."""
    every, last = pd.Timedelta(str(declared["every"])), pd.Timedelta(str(declared["last"]))
    name = tables.tables[table].info["partition_by"]
    ends = pd.date_range(span[0] + every, span[1], freq=every, unit="us")
    found = frames.read(
        table,
        columns=columns,
        start=span[0],
        end=span[1],
        where={name: [end.to_pydatetime() for end in ends - last]},
    )
    if name in found:
        found[name] += last - every
    return found


def _keep_replaced(context: dg.OutputContext, table: str, start: datetime, end: datetime) -> None:
    """Keep what another code version computed of these windows, for `aurastream diff`."""
    version = context.asset_spec.code_version
    if version is not None:
        asset = context.asset_key.to_user_string()
        kept = keep_replaced(_frames(context), tables.tables[table], asset, (start, end), version)
        if kept:
            context.add_output_metadata({"rows_of_other_versions_kept": kept})


def _windows(context: dg.OutputContext) -> pd.DatetimeIndex:
    """Return the start of each window of the run."""
    span, count = context.asset_partitions_time_window, len(context.asset_partition_keys)
    length = (span.end - span.start) / count
    return pd.date_range(span.start, periods=count, freq=length, unit="us")


def _within_terms(
    context: dg.OutputContext, table: str, windows: pd.DatetimeIndex, rows: pd.DataFrame
) -> tuple[pd.DatetimeIndex, pd.DataFrame]:
    """Leave out windows that the terms have ended: the purge takes their rows, with its proof."""
    ended = ended_before(table, limits_of(Settings.from_env()), datetime.now(UTC))
    column = tables.tables[table].info.get("partition_by")
    if ended is None or column is None:
        return windows, rows
    within = rows[rows[column] >= pd.Timestamp(ended)]
    if len(within) < len(rows):
        context.add_output_metadata({"rows_past_their_time": len(rows) - len(within)})
    return windows[windows >= pd.Timestamp(ended)], within


def _version_marks(
    context: dg.OutputContext, table: str, windows: pd.DatetimeIndex, rows: pd.DataFrame
) -> list[WriteOp]:
    """Return the write that says which code version computed the windows."""
    version = context.asset_spec.code_version
    column = tables.tables[table].info.get("partition_by")
    if version is None or column is None:
        return []
    starts = pd.Series(rows[column])
    return [
        version_marks(
            context.asset_key.to_user_string(),
            windows,
            starts,
            code_version=version,
            run_id=context.step_context.run_id,
        )
    ]


def _beside(context: dg.OutputContext, found: Analysis) -> list[WriteOp]:
    """Return the writes of what belongs to an analysis, in the place of what an older run said."""
    beside = {
        "operations.analysis_inputs": (
            found.inputs,
            {"dataset": context.asset_key.to_user_string()},
        ),
        "operations.quarantine": (found.refused, {"source": context.asset_key.to_user_string()}),
    }
    if not context.has_asset_partitions:
        return [Upsert(table, rows) for table, (rows, _) in beside.items() if len(rows)]
    window = context.asset_partitions_time_window
    writes: list[WriteOp] = []
    for table, (rows, only) in beside.items():
        if table == "operations.analysis_inputs" and not len(rows.columns):
            continue  # computed anew in every window: there never was a proof
        # What is refused is so at a window's end, after the last instant of the one before it.
        late = timedelta(microseconds=table == "operations.quarantine")
        frame = rows if len(rows) else _no_rows(table)
        writes.append(Replace(table, frame, window.start + late, window.end + late, only))
    return writes


def _no_rows(table: str) -> pd.DataFrame:
    return pd.DataFrame(columns=[column.name for column in tables.tables[table].columns])


@dg.io_manager(required_resource_keys={"store"}, description=FrameIO.__doc__)
def frame_io() -> FrameIO:
    """Return the I/O manager of every table."""
    return FrameIO()


def _frames(context: dg.OutputContext | dg.InputContext) -> FrameStore:
    store: Store = context.resources.store
    return store.frames


def table_name(key: dg.AssetKey) -> str:
    """Return ``schema.table`` of an asset key."""
    return ".".join(key.path)
