"""Pictures of titles, keywords, topics and descriptions in asset metadata."""

from collections.abc import Callable
from typing import Any, Final

import dagster as dg
import numpy as np
import pandas as pd

from aurastream.core.pictures import Bar, Interval, Part, bars, intervals
from aurastream_assets.intelligence.plots import as_markdown, nothing_to_draw

__all__ = ["description_habits", "lift_forest", "top_keywords", "top_topics"]

_TOP: Final = 20
_ACCENT: Final = "#6366f1"
_VERDICTS: Final = {"FASTER": "#10b981", "SLOWER": "#ef4444", "UNCLEAR": "#94a3b8"}
_TRENDS: Final = {
    "NEW": "#ef4444",
    "RISING": "#f59e0b",
    "STEADY": "#6366f1",
    "FALLING": "#94a3b8",
    "UNKNOWN": "#cbd5e1",
}
_HABITS: Final = (
    ("link_share", "a link"),
    ("social_link_share", "a link to a social network"),
    ("affiliate_link_share", "an affiliate link"),
    ("hashtag_share", "a hashtag"),
    ("chapter_share", "chapters"),
    ("timestamp_share", "a time"),
    ("disclosure_share", "a disclosure"),
    ("call_subscribe_share", "a call to subscribe"),
    ("caption_share", "captions"),
    ("declared_language_share", "a declared language"),
)


def lift_forest(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the surest lifts of a window with their confidence intervals.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.title_intel``.
    """
    known = rows[rows["lift"].notna() & (rows["ci_low"] > 0) & np.isfinite(rows["ci_high"])]
    known = known.sort_values(["q_value", "p_value", "category", "pattern"]).head(_TOP)
    if known.empty:
        return nothing_to_draw()
    known = known.sort_values(["lift", "category", "pattern"], ascending=[False, True, True])
    picture = intervals(
        [
            Interval(
                f"{row['category']}: {row['pattern']}",
                row["ci_low"],
                row["lift"],
                row["ci_high"],
                _VERDICTS.get(row["verdict"], _VERDICTS["UNCLEAR"]),
                f"×{row['lift']:.2f}",
            )
            for row in known.to_dict("records")
        ],
        title="Views per hour with the pattern / without it, 95 % interval, logarithmic",
        reference=1.0,
        legend=[(colour, verdict) for verdict, colour in _VERDICTS.items()],
    )
    return as_markdown(picture, "Lift of title patterns")


def top_keywords(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the keywords of a window that carry their categories most.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.keyword_scores``.
    """
    return _scored(
        rows[rows["kind"] == "title"],
        lambda row: f"{row['category']}: {row['term']}",
        title="Keywords of titles by score, higher carries more",
        alt="Top keywords",
    )


def top_topics(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the topics of a window that carry their categories most.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.topic_intel``.
    """
    return _scored(
        rows,
        lambda row: f"{row['category']}: {row['topic']} ({row['video_count']})",
        title="Topics by score, videos in brackets",
        alt="Top topics",
    )


def description_habits(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw how many videos have what, over all categories of a window.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.description_intel``.
    """
    if rows.empty:
        return nothing_to_draw()
    weights = rows["video_count"].to_numpy(dtype=np.float64)
    drawn_bars = []
    for column, meaning in _HABITS:
        shares = rows[column].to_numpy(dtype=np.float64)
        is_known = ~np.isnan(shares)
        if is_known.any():
            share = 100 * float(np.average(shares[is_known], weights=weights[is_known]))
            drawn_bars.append(Bar(meaning, [Part(share, _ACCENT)], f"{share:.0f} %"))
    if not drawn_bars:
        return nothing_to_draw()
    return as_markdown(
        bars(drawn_bars, title="Videos with …, in per cent", longest=100), "Habits of creators"
    )


def _scored(
    rows: pd.DataFrame, label: Callable[[dict[Any, Any]], str], *, title: str, alt: str
) -> dg.MarkdownMetadataValue:
    best = rows.sort_values(["score", "category", "rank"], ascending=[False, True, True])
    chosen = best.head(_TOP).to_dict("records")
    if not chosen:
        return nothing_to_draw()
    picture = bars(
        [
            Bar(
                label(row),
                [Part(row["score"], _TRENDS.get(row["trend"], _ACCENT))],
                str(row["trend"]).lower(),
            )
            for row in chosen
        ],
        title=title,
        legend=[(colour, trend.lower()) for trend, colour in _TRENDS.items()],
    )
    return as_markdown(picture, alt)
