"""What the assets that learn share: days, the record as an archive, and pictures in metadata."""

import base64
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.evaluation.archives import Archive, of_frames, possible_rows
from aurastream.store import readings_models
from aurastream_assets.intelligence.refusals import of_nobody, quarantined, warn_of
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW_DAYS, days
from aurastream_assets.policies import RETRIES
from resources.store import Store

__all__ = [
    "SNAPSHOTS",
    "counters_between",
    "daily_asset",
    "day_number",
    "day_start",
    "picture",
    "record_until",
]

SNAPSHOTS: Final = [
    asset_key("collection", "youtube_trending"),
    asset_key("collection", "youtube_games"),
    asset_key("collection", "youtube_videos"),
]

daily_asset: Final = partial(
    dg.asset,
    partitions_def=days,
    retry_policy=RETRIES,
    io_manager_key="frame_io",
)

_EPOCH: Final = pd.Timestamp(0, tz="UTC")


def record_until(
    context: dg.AssetExecutionContext, store: Store
) -> tuple[Archive | None, pd.DataFrame]:
    """Return what the record knew at the run's end as an archive, and what it cannot have known.

    It looks back as far as snapshots may be kept. Nothing after the end is read. There is no
    archive without charts. Rows with a number that there cannot be are left out and returned for
    the quarantine: they must not keep all other videos from being learned from.
    """
    end = context.partition_time_window.end
    start = end - timedelta(days=WINDOW_DAYS)
    charts, refused = _possible(
        context, "charts", readings_models.chart_days(store.frames, start, end)
    )
    counters, of_counters = counters_between(context, store, start, end)
    told = pd.concat([refused, of_counters], ignore_index=True).drop_duplicates("quarantine_id")
    archive = None if charts.empty or counters.empty else of_frames(charts, counters)
    return archive, told


def counters_between(
    context: dg.AssetExecutionContext, store: Store, start: datetime, end: datetime
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the last counters of each day in [start, end), and those that there cannot be."""
    found = readings_models.counter_days(store.frames, start, end)
    return _possible(context, "counters", found)


def _possible(
    context: dg.AssetExecutionContext, name: str, frame: pd.DataFrame
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Part the rows from those for the quarantine, and say how many those are."""
    kept, reasons = possible_rows(frame)
    window = context.partition_time_window
    refused = of_nobody(name, frame, reasons, window.start)
    warn_of(context, refused)
    context.add_output_metadata({f"refused {name}": len(refused)})
    dataset = context.asset_key.to_user_string()
    rows = quarantined(refused, dataset, window.end - window.start)
    return kept, rows if len(rows) else pd.DataFrame(columns=["quarantine_id"])


def day_number(moment: datetime) -> int:
    """Return days since 1970."""
    return (pd.Timestamp(moment) - _EPOCH).days


def day_start(day: int) -> pd.Timestamp:
    """Return the midnight that begins a day since 1970."""
    return (_EPOCH + pd.Timedelta(days=day)).as_unit("us")


def picture(svg: str, alt: str) -> dg.MarkdownMetadataValue:
    """Return an SVG as metadata that the UI shows."""
    encoded = base64.b64encode(svg.encode()).decode("ascii")
    return dg.MetadataValue.md(f"![{alt}](data:image/svg+xml;base64,{encoded})")
