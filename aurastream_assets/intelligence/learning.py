"""What the assets that learn share: days, the record as an archive, and pictures in metadata."""

import base64
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.evaluation.archives import Archive, of_frames
from aurastream.store import readings_models
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW_DAYS, days
from aurastream_assets.policies import RETRIES
from resources.store import Store

__all__ = ["SNAPSHOTS", "daily_asset", "day_number", "day_start", "picture", "record_until"]

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


def record_until(store: Store, end: datetime) -> Archive | None:
    """Return what the record knew at ``end`` in the shape of an archive; None without charts.

    It looks back as far as snapshots may be kept. Nothing at or after ``end`` is read.
    """
    start = end - timedelta(days=WINDOW_DAYS)
    charts = readings_models.chart_days(store.frames, start, end)
    if charts.empty:
        return None
    return of_frames(charts, readings_models.counter_days(store.frames, start, end))


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
