"""Pictures of unusual audiences."""

from collections.abc import Sequence
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core.anomaly_strategies import StrategySetting
from aurastream.core.pictures import Bar, Part, bars
from aurastream_assets.intelligence.plots import as_markdown, nothing_to_draw

__all__ = ["anomalies_by_game", "most_unusual", "settings"]

_COLOURS: Final = {
    "SPIKE": "#ef4444",
    "DROP": "#6366f1",
    "USUAL": "#94a3b8",
    "UNKNOWN": "#e2e8f0",
}
_TOP: Final = 12


def anomalies_by_game(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw how many streams of each game spiked, dropped, were as usual or cannot be judged.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.viewer_anomalies``.
    """
    if rows.empty:
        return nothing_to_draw()
    counts = pd.crosstab(rows["category"], rows["direction"]).reindex(
        columns=list(_COLOURS), fill_value=0
    )
    called = counts["SPIKE"] + counts["DROP"]
    drawn = [
        Bar(
            str(game),
            [Part(float(counts.loc[game, name]), colour) for name, colour in _COLOURS.items()],
            f"{called[game]} of {counts.loc[game].sum()}",
        )
        for game in called.sort_values(ascending=False, kind="stable").index
    ]
    picture = bars(
        drawn,
        title="Samples of streams by what their viewers did",
        legend=[(colour, name) for name, colour in _COLOURS.items()],
    )
    return as_markdown(picture, "Unusual audiences by game")


def most_unusual(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Write down the streams that lie furthest from what is usual for them.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.viewer_anomalies``.
    """
    top = (
        rows[rows["anomaly_count"] > 0]
        .sort_values(
            ["anomaly_count", "anomaly_score", "viewers", "category", "stream_id", "crawl_at"],
            ascending=[False, False, False, True, True, True],
        )
        .head(_TOP)
    )
    if top.empty:
        return nothing_to_draw()
    lines = [
        "| game | stream | what | viewers | usual | by | agree |",
        "|---|---|---|--:|--:|---|--:|",
    ]
    lines += [
        f"| {row['category']} | {row['stream_id']} | {row['direction']} | {row['viewers']} "
        f"| {row['baseline_viewers']:.0f} ({row['baseline_source']}) | {row['strategy']} "
        f"| {row['anomaly_count']} of {row['known_count']} |"
        for row in top.to_dict("records")
    ]
    return dg.MetadataValue.md("\n".join(lines))


def settings(strategies: Sequence[StrategySetting]) -> dg.MarkdownMetadataValue:
    """Write down what was asked of each strategy.

    Parameters
    ----------
    strategies : sequence of StrategySetting
        As they were in force.
    """
    lines = ["| strategy | enabled | threshold | lookback |", "|---|---|--:|--:|"]
    lines += [
        f"| {one.name} | {'yes' if one.enabled else 'no'} | {one.threshold:g} | {one.lookback} |"
        for one in strategies
    ]
    return dg.MetadataValue.md("\n".join(lines))
