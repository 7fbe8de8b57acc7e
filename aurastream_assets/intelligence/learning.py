"""What the assets that learn share: days, the record as an archive, and pictures in metadata."""

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

import dagster as dg
import pandas as pd
import sqlalchemy as sa

from aurastream.evaluation.archives import Archive, of_frames, possible_rows
from aurastream.store import readings_models
from aurastream.store.columns import empty_frame
from aurastream.store.frames import FrameStore
from aurastream.store.readings_continuity import source_starts
from aurastream_assets.intelligence.refusals import of_nobody, quarantined, warn_of
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW_DAYS, days
from aurastream_assets.policies import RETRIES, SINGLE_RUN
from resources.store import Store

__all__ = [
    "SNAPSHOTS",
    "Day",
    "Record",
    "daily_asset",
    "day_number",
    "day_start",
    "days_of",
    "picture",
    "together",
]

SNAPSHOTS: Final = [
    asset_key("collection", "youtube_trending"),
    asset_key("collection", "youtube_games"),
    asset_key("collection", "youtube_videos"),
]

daily_asset: Final = partial(
    dg.asset,
    partitions_def=days,
    backfill_policy=SINGLE_RUN,
    retry_policy=RETRIES,
    io_manager_key="frame_io",
)

_EPOCH: Final = pd.Timestamp(0, tz="UTC")


@dataclass(frozen=True, slots=True)
class Day:
    """One day of a run: its partition's key, and the days since 1970 until it."""

    key: str
    number: int

    @property
    def start(self) -> pd.Timestamp:
        """Return the midnight that begins it."""
        return day_start(self.number)

    @property
    def end(self) -> pd.Timestamp:
        """Return the midnight that ends it: nothing from then on is known."""
        return day_start(self.number + 1)


def days_of(context: dg.AssetExecutionContext) -> Iterator[Day]:
    """Return the days of a run, the oldest first, because later ones look at what it found."""
    window = context.partition_time_window
    first, after = day_number(window.start), day_number(window.end)
    return (Day(day_start(n).strftime(days.fmt), n) for n in range(first, after))


class Record:
    """What the record knew at the end of each day of a run, read once for all of them.

    Of each day nothing after its end is shown, and nothing from before another source answered: of
    videos that were there then nobody knows what became of them, or who was there already. Rows
    with a number that there cannot be are left out and kept for the quarantine: they must not keep
    all other videos from being learned from.

    Parameters
    ----------
    context : AssetExecutionContext
        The run.
    store : Store
        Where the snapshots are.
    look_back : int
        Days that are shown, the day itself among them; by default as long as snapshots may be kept.
    """

    def __init__(
        self, context: dg.AssetExecutionContext, store: Store, *, look_back: int = WINDOW_DAYS
    ) -> None:
        self._context = context
        self._look_back = look_back
        self._frames = store.frames
        window = context.partition_time_window
        self._start = window.start - timedelta(days=look_back - 1)
        self._starts = source_starts(store.frames, self._start, window.end)
        self._read: dict[str, pd.DataFrame] = {}
        self._refused: list[pd.DataFrame] = []

    def until(self, day: Day) -> Archive | None:
        """Return charts and counters as an archive; without charts there is none."""
        charts = self._seen("charts", readings_models.chart_days, day)
        counters = self.counters_until(day)
        return None if charts.empty or counters.empty else of_frames(charts, counters)

    def counters_until(self, day: Day) -> pd.DataFrame:
        """Return the last counters of each day and video."""
        return self._seen("counters", readings_models.counter_days, day)

    def begin_of(self, day: Day) -> pd.Timestamp:
        """Return from when on the record is shown at a day."""
        begin = day_start(day.number - self._look_back + 1)
        starts = self._starts[self._starts < day.end]
        return max(begin, starts[-1]) if len(starts) else begin

    @property
    def refused(self) -> pd.DataFrame:
        """Return what was left out of the days that were asked for, as rows of the quarantine."""
        length = timedelta(days=1)
        dataset = self._context.asset_key.to_user_string()
        rows = [quarantined(part, dataset, length) for part in self._refused if len(part)]
        if not rows:
            return pd.DataFrame(columns=["quarantine_id"])
        return pd.concat(rows, ignore_index=True).drop_duplicates("quarantine_id")

    def _seen(
        self,
        name: str,
        read: Callable[[FrameStore, datetime, datetime], pd.DataFrame],
        day: Day,
    ) -> pd.DataFrame:
        """Return the possible rows of the days until this one, and say how many are not."""
        frame = self._read.get(name)
        if frame is None:
            window = self._context.partition_time_window
            frame = self._read[name] = read(self._frames, self._start, window.end)
        begin = self.begin_of(day)
        is_seen = (frame["fetched_at"] >= begin) & (frame["snapshot_date"] <= day.key)
        kept, reasons = possible_rows(frame[is_seen].reset_index(drop=True))
        refused = of_nobody(name, frame[is_seen], reasons, day.start)
        warn_of(self._context, refused)
        self._context.add_asset_metadata({f"refused {name}": len(refused)}, partition_key=day.key)
        self._refused.append(refused)
        return kept


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


def together(found: list[pd.DataFrame], table: sa.Table) -> pd.DataFrame:
    """Return what the days of a run have found, as one frame of the table."""
    filled = [frame for frame in found if len(frame)]
    return pd.concat(filled, ignore_index=True) if filled else empty_frame(table)
