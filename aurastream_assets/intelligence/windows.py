"""What every windowed asset shares: the window ends it computes for, and what it tells of them."""

from datetime import timedelta
from functools import partial
from typing import Final

import dagster as dg
import pandas as pd

from aurastream_assets.partitions import FOUR_HOURS, WINDOW, four_hours, half_hours
from aurastream_assets.policies import RETRIES, SINGLE_RUN, freshness_within

__all__ = [
    "HALF_HOURLY",
    "describe_last",
    "describe_windows",
    "last_window",
    "window_ends",
    "window_length",
    "windowed_asset",
]

HALF_HOURLY: Final = freshness_within(timedelta(minutes=40), timedelta(hours=1))
"""How old what is scored every half hour may be."""

windowed_asset: Final = partial(
    dg.asset,
    partitions_def=half_hours,
    backfill_policy=SINGLE_RUN,
    retry_policy=RETRIES,
    io_manager_key="frame_io",
    kinds={"python", "pandas", "postgres"},
)


def window_length(context: dg.AssetExecutionContext) -> timedelta:
    """Return how long one window of the running asset is."""
    return FOUR_HOURS if context.assets_def.partitions_def == four_hours else WINDOW


def window_ends(context: dg.AssetExecutionContext) -> pd.DatetimeIndex:
    """Return ``as_of`` of every window in this run, in time order."""
    window, length = context.partition_time_window, window_length(context)
    return pd.date_range(window.start + length, window.end, freq=length, unit="us")


def last_window(context: dg.AssetExecutionContext, frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the run's last window."""
    is_last = frame["window_start"] == context.partition_time_window.end - window_length(context)
    rows: pd.DataFrame = frame.loc[is_last]
    return rows


def describe_windows(
    context: dg.AssetExecutionContext, frame: pd.DataFrame, **last_only: object
) -> None:
    """Attach metadata: totals to every window, pictures and row count to the last one alone.

    A range of windows is logged window by window, and each event carries its metadata in full; a
    picture per event would fill the event log with copies of itself.
    """
    ends = window_ends(context)
    context.add_asset_metadata({"windows_in_run": len(ends)})
    last = last_window(context, frame)
    context.add_asset_metadata(
        {
            "dagster/partition_row_count": len(last),
            "categories": int(last["category"].nunique()),
            **last_only,
        },
        partition_key=context.partition_key_range.end,
    )


def describe_last(context: dg.AssetExecutionContext, **metadata: object) -> None:
    """Attach metadata to the last window alone: pictures, above all."""
    context.add_asset_metadata(metadata, partition_key=context.partition_key_range.end)
