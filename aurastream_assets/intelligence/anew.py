"""What is computed anew in every window, because every window knows something else.

The four-hour analyses carry over what they found where what they read has not changed
(`analyses.analyse`). Here nothing can be the same twice: the scores are formulas of how old videos,
clips and crawls are at the window's end. So they say that they were computed, and why; a row that
is refused costs itself alone, as there.
"""

from collections.abc import Callable, Mapping
from datetime import timedelta

import dagster as dg
import pandas as pd

from aurastream_assets.intelligence.refusals import Frames, apart, quarantined, warn_of
from aurastream_assets.intelligence.windows import describe_last, window_ends, window_length
from resources.frame_io import Analysis

__all__ = ["compute_anew"]

_NONE = timedelta()


def compute_anew(
    context: dg.AssetExecutionContext,
    compute: Callable[[pd.DatetimeIndex, Frames], pd.DataFrame],
    frames: Frames,
    *,
    because: str,
    reach: timedelta | Mapping[str, timedelta] = _NONE,
) -> Analysis:
    """Compute the windows of the run; quarantine the rows that are refused, with the reason.

    Parameters
    ----------
    context : AssetExecutionContext
        Of a windowed asset.
    compute : callable
        From the ends of windows and the frames to results; raises `InvalidInputError`.
    frames : Mapping
        What it reads, by name.
    because : str
        Why no window can be taken over from the one before, for the metadata.
    reach : timedelta or Mapping
        How far before its start a window looks, as `refusals.apart` says.
    """
    length = window_length(context)
    rows, refused = apart(compute, frames, ends=window_ends(context), length=length, reach=reach)
    describe_last(context, computed=f"anew: {because}", refused=len(refused))
    warn_of(context, refused)
    name = context.asset_key.to_user_string()
    return Analysis(rows, refused=quarantined(refused, name, length))
