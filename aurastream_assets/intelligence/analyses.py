"""What every four-hour analysis shares: decorator, inputs, never computing twice, isolation."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

import dagster as dg
import pandas as pd

from aurastream.core.unchanged import carried, fingerprints, with_sources
from aurastream_assets.intelligence.refusals import each_for_itself, quarantined, without
from aurastream_assets.intelligence.windows import describe_windows, window_length
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import four_hours
from aurastream_assets.policies import RETRIES, SINGLE_RUN, freshness_within
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["ANALYSIS_TAG", "analyse", "analysis_asset", "analysis_of", "at_window_end"]

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
    refused: pd.DataFrame | None = None,
) -> Analysis:
    """Compute what is new, and carry over what is the same as in the window before.

    A category whose rows `compute` refuses in a window is left out of it and put in quarantine with
    the reason; all others are what they would be without it.

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
    refused : DataFrame, optional
        What was refused while `frame` was made (`each_for_itself`).
    """
    name = context.asset_key.to_user_string()
    version = context.assets_def.code_versions_by_key[context.asset_key]
    previous = context.partition_time_window.start - window_length(context)
    same_formula = {"window_start": previous, "dataset": name, "code_version": version}
    before = store.frames.read("operations.analysis_inputs", where=same_formula)
    known = pd.DataFrame()
    if len(before):
        known = store.frames.read(name.replace("/", "."), where={"window_start": previous})
        before = before[before["category"].isin(known["category"])]
    sources = with_sources(fingerprints(frame), before)
    is_new = sources["source_window"] == sources["window_start"]
    new = sources.loc[is_new, ["window_start", "category"]]
    wanted = frame.merge(new, on=["window_start", "category"], how="inner")
    computed, newly_refused = each_for_itself(wanted, compute)
    sources = without(sources, newly_refused)
    is_new = sources["source_window"] == sources["window_start"]
    taken = known[known["category"].isin(sources.loc[~is_new, "category"])] if len(known) else known
    rows = carried(pd.concat([taken, computed]) if len(taken) else computed, sources)
    all_refused = newly_refused if refused is None else pd.concat([refused, newly_refused])
    return analysis_of(context, rows, sources, all_refused)


def analysis_of(
    context: dg.AssetExecutionContext,
    rows: pd.DataFrame,
    sources: pd.DataFrame,
    refused: pd.DataFrame,
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
    refused : DataFrame
        What was refused, as `each_for_itself` says it.
    """
    name = context.asset_key.to_user_string()
    is_new = sources["source_window"] == sources["window_start"]
    describe_windows(
        context,
        rows,
        computed=int(is_new.sum()),
        unchanged=int((~is_new).sum()),
        refused=len(refused),
        inputs=dg.MetadataValue.md(_proof(sources)),
    )
    for row in refused.itertuples():
        context.log.warning("%s in %s was refused: %s", row.category, row.window_start, row.reason)
    version = context.assets_def.code_versions_by_key[context.asset_key]
    return Analysis(
        rows,
        sources.assign(dataset=name, code_version=version),
        quarantined(refused, name, window_length(context)),
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
