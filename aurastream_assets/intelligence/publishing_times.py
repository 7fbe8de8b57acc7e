"""When to publish."""

from datetime import timedelta
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core import publishing_times as core
from aurastream.store import readings, readings_audiences
from aurastream_assets.intelligence.analyses import analyse, analysis_asset
from aurastream_assets.intelligence.audience_plots import hours_of_the_week
from aurastream_assets.intelligence.video_versions import SCHEDULE, every_version, releases_of
from aurastream_assets.intelligence.windows import describe_last, last_window, window_ends
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["publishing_times"]

_SPAN: Final = timedelta(days=28)
# A video stands by the first of its rows of 24 to 36 hours: those before the span tell which.
_FIRST_ROWS: Final = timedelta(days=1)


@analysis_asset(
    key=asset_key("intelligence", "publishing_times"),
    code_version="3",
    ins={"videos": every_version(*SCHEDULE)},
    deps=[asset_key("intelligence", "video_velocity")],
)
def publishing_times(
    context: dg.AssetExecutionContext, store: Store, videos: pd.DataFrame
) -> Analysis:
    """Rate hours and days of publication in each category on its audience's clock; 1 is usual.

    Videos of four weeks are compared by their velocity at the age of a day. Best and worst are
    named only where the 95 % interval excludes 1 and at least five videos are behind it.
    """
    ends = window_ends(context)
    start = (ends[0] - FOUR_HOURS - _SPAN - _FIRST_ROWS).to_pydatetime()
    rows = readings_audiences.first_days(store.frames, start, ends[-1].to_pydatetime())
    known, refused = releases_of(rows, videos)
    counted = core.trailing(core.early_releases(known), as_of=ends, span=_SPAN)
    categories = readings.tracked_categories(store.frames)
    zones = dict(zip(categories["category"], categories["audience_timezone"], strict=True))
    counted = counted[["window_start", "category", "released_at", "velocity_per_hour"]]
    found = analyse(
        context,
        store,
        counted.assign(timezone=counted["category"].map(zones)),
        lambda new: core.publishing_times(new, timezones=zones),
        # Those of the windows before were refused there.
        refused=refused[refused["window_start"] >= ends[0] - FOUR_HOURS],
    )
    describe_last(context, hours=hours_of_the_week(last_window(context, found.rows)))
    return found
