"""Pictures of clips, of the week, and of what gains momentum."""

from typing import Final

import dagster as dg
import numpy as np
import pandas as pd

from aurastream.core.pictures import Bar, Box, Part, bars, boxes, short_number
from aurastream.core.week_maps import Week, weeks_of_cells
from aurastream_assets.intelligence.plots import as_markdown, nothing_to_draw

__all__ = ["clip_activity", "clip_velocities", "momentum_by_category", "relations", "weeks"]

_ACCENT: Final = "#6366f1"
_HOT: Final = "#ef4444"
_DIRECTIONS: Final = {
    "GAINING": "#10b981",
    "STEADY": "#94a3b8",
    "LOSING": "#ef4444",
    "UNKNOWN": "#cbd5e1",
}


def clip_velocities(clips: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the spread of clip velocity per game, fastest first.

    Parameters
    ----------
    clips : DataFrame
        Rows of one window of ``intelligence.clip_intel``.
    """
    moving = clips[clips["velocity_per_hour"] > 0]
    rows = []
    for name, values in moving.groupby("category")["velocity_per_hour"]:
        low, p25, p50, p75, high = np.quantile(values.to_numpy(), [0, 0.25, 0.5, 0.75, 1]).tolist()
        rows.append(Box(f"{name} ({len(values)})", low, p25, p50, p75, high, _ACCENT))
    if not rows:
        return nothing_to_draw()
    rows.sort(key=lambda box: box.p50, reverse=True)
    return as_markdown(
        boxes(rows, title="Views gained per hour (clips that gain any, in brackets)"),
        "Distribution of clip velocity per game",
    )


def clip_activity(activity: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the views that the clips of each game gain together, and the part of the viral ones.

    Parameters
    ----------
    activity : DataFrame
        Rows of one window of ``intelligence.clip_activity``.
    """
    known = activity[activity["views_gained_per_hour"] > 0].sort_values(
        ["views_gained_per_hour", "category"], ascending=[False, True]
    )
    if known.empty:
        return nothing_to_draw()
    rows = []
    for row in known.to_dict("records"):
        gained, share = float(row["views_gained_per_hour"]), row["viral_share"]
        viral = gained * (0.0 if np.isnan(share) else float(share))
        parts = [Part(viral, _HOT), Part(gained - viral, _ACCENT)]
        rows.append(Bar(str(row["category"]), parts, short_number(gained)))
    picture = bars(
        rows,
        title="Views per hour that clips gain",
        legend=[(_HOT, "viral clips"), (_ACCENT, "all others")],
    )
    return as_markdown(picture, "Views per hour that clips gain, by game")


def relations(found: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Write down what is known of each game's clips and videos.

    Parameters
    ----------
    found : DataFrame
        Rows of one window of ``intelligence.clip_video_lead_lag``.
    """
    if found.empty:
        return nothing_to_draw()
    lines = [
        "| game | clips | lag, hours | r | chance finds | p | hours | resolution |",
        "|---|---|--:|--:|--:|--:|--:|--:|",
    ]
    for row in found.to_dict("records"):
        known = row["relation"] != "UNKNOWN"
        said = (
            f"{row['lag_h']:+d} ({row['lag_low_h']:+d} … {row['lag_high_h']:+d}) "
            f"| {row['correlation']:.2f} | {row['band']:.2f} | {row['p_value']:.3f}"
            if known
            else "| | |"
        )
        sharp = row["resolution_h"]
        lines.append(
            f"| {row['category']} | {row['relation']} | {said} | {row['common_hours']} "
            f"| {'' if np.isnan(sharp) else format(sharp, '.1f')} |"
        )
    return dg.MetadataValue.md("\n".join(lines))


def weeks(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the week of each game, its peak hours with a dot.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.hour_of_week_map``.
    """
    panels = []
    for name, week in rows.groupby("category", sort=True):
        ordered = week.sort_values("hour_of_week")
        source = ordered["peak_source"].iloc[0]
        panels.append(
            Week(
                f"{name}, peak hours {source}, {ordered['days_known'].iloc[0]} days known",
                ordered["viewers_expected"].to_numpy(dtype=np.float64),
                ordered["is_peak"].to_numpy(dtype=np.bool_),
            )
        )
    if not panels:
        return nothing_to_draw()
    picture = weeks_of_cells(panels, title="Usual viewers by hour of the audience's week")
    return as_markdown(picture, "Usual viewers by hour of the audience's week")


def momentum_by_category(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the momentum of each category, 50 is as usual.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.momentum``.
    """
    known = rows.dropna(subset=["momentum_score"]).sort_values(
        ["momentum_score", "category"], ascending=[False, True]
    )
    if known.empty:
        return nothing_to_draw()
    drawn = [
        Bar(
            str(row["category"]),
            [Part(float(row["momentum_score"]), _DIRECTIONS[row["direction"]])],
            f"{row['momentum_score']:.0f} {row['direction']}",
        )
        for row in known.to_dict("records")
    ]
    picture = bars(drawn, title="Momentum, 50 is as usual, higher is gaining", longest=100)
    return as_markdown(picture, "Momentum by category")
