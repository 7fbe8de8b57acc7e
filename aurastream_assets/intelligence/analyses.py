"""What every four-hour analysis shares: decorator, inputs, never computing twice, isolation."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import dagster as dg
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.unchanged import carried, fingerprints, with_sources
from aurastream_assets.intelligence.refusals import Frames, accepted_rows, quarantined, warn_of
from aurastream_assets.intelligence.windows import describe_last, describe_windows, window_length
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import four_hours
from aurastream_assets.policies import RETRIES, SINGLE_RUN, freshness_within
from resources.frame_io import Analysis
from resources.store import Store

__all__ = [
    "ANALYSIS_TAG",
    "analyse",
    "analyse_together",
    "analysis_asset",
    "analysis_of",
    "at_window_end",
]

_KEYS: Final = ["window_start", "category"]

ANALYSIS_TAG: Final = {"cadence": "four_hours"}
"""What the job that runs the whole layer selects by."""

analysis_asset: Final = partial(
    dg.asset,
    partitions_def=four_hours,
    backfill_policy=SINGLE_RUN,
    retry_policy=RETRIES,
    io_manager_key="frame_io",
    kinds={"python", "pandas", "postgres"},
    tags={**ANALYSIS_TAG, "worker": "creator_intel_worker"},
    freshness_policy=freshness_within(
        timedelta(hours=4, minutes=30), timedelta(hours=8, minutes=30)
    ),
)


def at_window_end(
    name: str, columns: Sequence[str], *, windows_before: int = 0, length: str = "4h"
) -> dg.AssetIn:
    """Declare what a half-hour dataset said at the end of each window as an input.

    Parameters
    ----------
    name : str
        Dataset of the intelligence stage, with half-hour windows.
    columns : sequence of str
        Columns to read; ``window_start`` becomes the start of the longer window.
    windows_before : int, optional
        How many windows before those of the run come along, for trends.
    length : str, optional
        Length of the longer window.
    """
    declared: dict[str, Any] = {"columns": list(columns), "every": length, "last": "30min"}
    if windows_before:
        declared["lookback"] = str(windows_before * pd.Timedelta(length))
    return dg.AssetIn(key=asset_key("intelligence", name), metadata=declared)


def analyse(
    context: dg.AssetExecutionContext,
    store: Store,
    frame: pd.DataFrame,
    compute: Callable[[pd.DataFrame], pd.DataFrame],
    *,
    names: Sequence[str] = (),
    moved_by: str = "",
    refused: pd.DataFrame | None = None,
) -> Analysis:
    """Compute what is new, and carry over what is the same as in the window before.

    Rows that `compute` refuses are left out and put in quarantine with the reason; all others are
    what they would be without them.

    Parameters
    ----------
    context : AssetExecutionContext
        Of a windowed asset.
    store : Store
        Where the window before the run lies.
    frame : DataFrame
        All that `compute` depends on, with ``window_start`` and ``category``. What it does not
        depend on must not be among the columns, or nothing will ever be unchanged.
    compute : callable
        From such rows to results with ``window_start`` and ``category``, each category and window
        for itself.
    names : sequence of str, optional
        Columns that are there only to name what is refused: `compute` does not depend on them.
    moved_by : str, optional
        What changes with nearly every window, for the metadata: why hardly anything is unchanged.
    refused : DataFrame, optional
        What was refused while `frame` was made (`each_for_itself`).
    """
    return analyse_together(
        context,
        store,
        {"videos": frame},
        lambda seen: compute(seen["videos"]),
        read=lambda seen: seen["videos"].drop(columns=list(names)),
        moved_by=moved_by,
        refused=refused,
    )


def analyse_together(
    context: dg.AssetExecutionContext,
    store: Store,
    frames: Frames,
    compute: Callable[[Frames], pd.DataFrame],
    *,
    read: Callable[[Frames], pd.DataFrame],
    moved_by: str = "",
    refused: pd.DataFrame | None = None,
) -> Analysis:
    """Do what `analyse` does for an analysis that rests on several frames.

    Parameters
    ----------
    context : AssetExecutionContext
        Of a windowed asset.
    store : Store
        Where the window before the run lies.
    frames : Mapping
        All with ``window_start`` and ``category``.
    compute : callable
        From such rows of some windows and categories to results.
    read : callable
        From the frames to all that `compute` depends on: what it returns is fingerprinted.
    moved_by : str, optional
        What changes with nearly every window, for the metadata: why hardly anything is unchanged.
    refused : DataFrame, optional
        What was refused while the frames were made.
    """
    before, known = _before(context, store)

    def news(seen: Frames) -> tuple[pd.DataFrame, Frames]:
        sources = with_sources(fingerprints(read(seen)), before)
        is_new = sources["source_window"] == sources["window_start"]
        new = sources.loc[is_new, _KEYS]
        return sources, {name: rows.merge(new, on=_KEYS) for name, rows in seen.items()}

    all_refused = [] if refused is None else [refused]
    sources, new = news(frames)
    try:
        computed = compute(new)
    except InvalidInputError:
        # In every window, new or not: each says what it had to leave out.
        frames, newly_refused = accepted_rows(frames, compute)
        all_refused.append(newly_refused)
        sources, new = news(frames)
        computed = compute(new)
    is_new = sources["source_window"] == sources["window_start"]
    taken = known[known["category"].isin(sources.loc[~is_new, "category"])] if len(known) else known
    rows = carried(pd.concat([taken, computed]) if len(taken) else computed, sources)
    if moved_by and is_new.any():
        describe_last(context, why_computed=moved_by)
    return analysis_of(context, rows, sources, all_refused)


def _before(
    context: dg.AssetExecutionContext, store: Store
) -> tuple[pd.DataFrame | None, pd.DataFrame]:
    """Return what the window before the run read, and what the same formula found in it.

    A category that was read and is not among the results was found to have none.
    """
    name = context.asset_key.to_user_string()
    version = context.assets_def.code_versions_by_key[context.asset_key]
    previous = context.partition_time_window.start - window_length(context)
    same_formula = {"window_start": previous, "dataset": name, "code_version": version}
    before = store.frames.read("operations.analysis_inputs", where=same_formula)
    if before.empty:
        return None, pd.DataFrame()
    known = store.frames.read(name.replace("/", "."), where={"window_start": previous})
    # A window without any result may be one whose results retention has dropped.
    return (None if known.empty else before), known


def analysis_of(
    context: dg.AssetExecutionContext,
    rows: pd.DataFrame,
    sources: pd.DataFrame,
    refused: Sequence[pd.DataFrame],
) -> Analysis:
    """Return results with their proof and refusals, and say so in the metadata.

    Parameters
    ----------
    context : AssetExecutionContext
        Of a windowed asset.
    rows : DataFrame
        Results of all windows.
    sources : DataFrame
        Where each comes from, as `with_sources` says it.
    refused : sequence of DataFrame
        What was refused, as `each_for_itself` says it.
    """
    told = [part for part in refused if len(part)]
    left_out = pd.concat(told, ignore_index=True) if told else pd.DataFrame()
    name = context.asset_key.to_user_string()
    is_new = sources["source_window"] == sources["window_start"]
    describe_windows(
        context,
        rows,
        computed=int(is_new.sum()),
        unchanged=int((~is_new).sum()),
        refused=len(left_out),
        inputs=dg.MetadataValue.md(_proof(sources)),
    )
    warn_of(context, left_out)
    version = context.assets_def.code_versions_by_key[context.asset_key]
    return Analysis(
        rows,
        sources.assign(dataset=name, code_version=version),
        quarantined(left_out, name, window_length(context)),
    )


def _proof(sources: pd.DataFrame) -> str:
    last = sources[sources["window_start"] == sources["window_start"].max()]
    lines = ["| category | rows read | fingerprint | computed in |", "|---|--:|---|---|"]
    lines += [
        f"| {row.category} | {row.input_rows} | `{row.input_hash}` "
        f"| {row.source_window:%m-%d %H:%M} |"
        for row in last.itertuples()
    ]
    return "\n".join(lines)
