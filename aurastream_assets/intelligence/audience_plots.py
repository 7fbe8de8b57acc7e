"""Pictures of formats, languages, releases and outliers in asset metadata."""

from typing import Final

import dagster as dg
import numpy as np
import pandas as pd

from aurastream.core.formats import DURATION_BUCKETS
from aurastream.core.heat_maps import Cell, heat_map
from aurastream.core.languages import UNDETERMINED
from aurastream.core.pictures import Bar, Part, bars, short_number
from aurastream_assets.intelligence.plots import as_markdown, nothing_to_draw

__all__ = [
    "diversity",
    "hours_of_the_week",
    "language_shares",
    "lengths",
    "most_outstanding",
    "outstanding",
    "punctuality",
    "shorts_ratios",
]

_ACCENT: Final = "#6366f1"
_PALE: Final = "#c7d2fe"
_GOOD: Final = "#10b981"
_GREY: Final = "#cbd5e1"
_COLOURS: Final = ("#6366f1", "#f59e0b", "#10b981", "#ef4444", "#06b6d4", "#a855f7", "#84cc16")
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_TOP: Final = 12


def lengths(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the index of each length as a heat map, categories from the top down.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.content_formats``.
    """
    known = rows[rows["performance_index"] > 0]
    if known.empty:
        return nothing_to_draw()
    cells = {
        (row["category"], row["duration_bucket"]): Cell(
            row["performance_index"],
            is_sure=row["views_known_count"] >= 5,  # noqa: PLR2004 # FormatParams.min_sample
            mark="★" if row["is_optimal"] else "",
        )
        for row in known.to_dict("records")
    }
    picture = heat_map(
        [
            (name, [cells.get((name, bucket)) for bucket in DURATION_BUCKETS])
            for name in sorted(known["category"].unique())
        ],
        DURATION_BUCKETS,
        title="Mean views of each length against the category's mean",
        note="red is more, blue is less, pale rests on fewer than five videos; ★ does best",
    )
    return as_markdown(picture, "Performance of lengths per category")


def shorts_ratios(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw mean views of Shorts over those of long-form videos, highest first.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.shorts_comparison``.
    """
    known = rows.dropna(subset=["shorts_performance_ratio"]).sort_values(
        ["shorts_performance_ratio", "category"], ascending=[False, True]
    )
    if known.empty:
        return nothing_to_draw()
    drawn = [
        Bar(
            f"{row['category']} ({row['shorts_known_count']} : {row['longform_known_count']})",
            [
                Part(
                    row["shorts_performance_ratio"],
                    _GOOD if row["shorts_performance_ratio"] >= 1 else _ACCENT,
                )
            ],
            f"×{row['shorts_performance_ratio']:.2g}",
        )
        for row in known.to_dict("records")
    ]
    picture = bars(drawn, title="Mean views of Shorts against long-form (videos in brackets)")
    return as_markdown(picture, "Shorts against long-form videos")


def language_shares(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the shares of the most common languages per category, as creators set them.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.language_mix``.
    """
    tagged = rows[rows["language_source"] == "tag"]
    if tagged.empty:
        return nothing_to_draw()
    determined = tagged[tagged["language"] != UNDETERMINED]
    common = (
        determined.groupby("language")["share"].sum().reset_index().sort_values(
            ["share", "language"], ascending=[False, True]
        )["language"].head(len(_COLOURS))
    ).tolist()  # fmt: skip
    colours = dict(zip(common, _COLOURS, strict=False))
    drawn = []
    for key, part in tagged.groupby(["category", "platform"], sort=True):
        share = part.set_index("language")["share"]
        parts = [Part(float(share.get(name, 0.0)), colour) for name, colour in colours.items()]
        unknown = float(share.get(UNDETERMINED, 0.0))
        other = max(0.0, 1.0 - unknown - sum(p.length for p in parts))
        drawn.append(
            Bar(
                " on ".join(map(str, key)),
                [*parts, Part(other, "#94a3b8"), Part(unknown, _GREY)],
                f"{int(part['item_count'].sum())} {'und' if unknown == 1 else ''}".strip(),
            )
        )
    legend = [(colour, name) for name, colour in colours.items()]
    picture = bars(
        drawn,
        title="Languages of videos and streams, as tagged",
        legend=[*legend, ("#94a3b8", "other"), (_GREY, UNDETERMINED)],
        longest=1.0,
    )
    return as_markdown(picture, "Shares of languages per category")


def diversity(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the diversity of languages per category and platform, most diverse first.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.regional_intel``.
    """
    known = rows[(rows["language_source"] == "tag") & rows["language_diversity"].notna()]
    known = known.sort_values(
        ["language_diversity", "category", "platform"], ascending=[False, True, True]
    )
    if known.empty:
        return nothing_to_draw()
    drawn = [
        Bar(
            f"{row['category']} on {row['platform']}",
            [Part(row["language_diversity"], _ACCENT)],
            f"{row['language_diversity']:.2f}, led by {_said(row['leading_market_language'])}",
        )
        for row in known.to_dict("records")
    ]
    picture = bars(drawn, title="Diversity of languages, 0 is one, 1 an even mix", longest=1.0)
    return as_markdown(picture, "Diversity of languages per category")


def punctuality(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw how many announced videos began on time, with the interval.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.premiere_intel``.
    """
    known = rows.dropna(subset=["on_time_share"]).sort_values(
        ["on_time_share", "category"], ascending=[False, True]
    )
    if known.empty:
        return nothing_to_draw()
    drawn = [
        Bar(
            f"{row['category']} ({row['delay_known_count']})",
            [
                Part(row["on_time_low"], _ACCENT),
                Part(row["on_time_high"] - row["on_time_low"], _PALE),
            ],
            f"{100 * row['on_time_share']:.0f} %",
        )
        for row in known.to_dict("records")
    ]
    picture = bars(
        drawn,
        title="Announced videos that began on time (starts in brackets)",
        legend=[(_ACCENT, "at least"), (_PALE, "at most, 95 % sure")],
        longest=1.0,
    )
    return as_markdown(picture, "Punctuality per category")


def hours_of_the_week(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the map of weekday and hour for the category with most videos.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.publishing_times``.
    """
    rows = rows[rows["grain"] == "hour_of_week"]
    if rows.empty:
        return nothing_to_draw()
    size = rows.groupby("category")["sample_count"].sum().reset_index()
    name = size.sort_values(["sample_count", "category"], ascending=[False, True]).iloc[0]
    own = rows[rows["category"] == name["category"]]
    marks = np.select([own["is_best"], own["is_worst"]], ["★", "✕"], "").tolist()
    cells = {
        (int(row["dow"]), int(row["hour"])): Cell(
            row["value"], is_sure=not np.isnan(row["index_low"]), mark=m
        )
        for row, m in zip(
            own.rename(columns={"index": "value"}).to_dict("records"), marks, strict=True
        )
    }
    picture = heat_map(
        [(day, [cells.get((dow, hour)) for hour in range(24)]) for dow, day in enumerate(_DAYS)],
        [str(hour) if hour % 3 == 0 else "" for hour in range(24)],
        title=f"{name['category']}: first-day velocity by hour of publication",
        note=f"{name['sample_count']} videos, {own['timezone'].iloc[0]}; red is faster; "
        "pale: fewer than five videos; ★ best, ✕ worst",
    )
    return as_markdown(picture, "Hours of the week by velocity")


def most_outstanding(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the videos of a window that stand out most from their channel, each once.

    Parameters
    ----------
    rows : DataFrame
        Rows of one window of ``intelligence.channel_outliers``.
    """
    known = rows[rows["outlier_score"] > 0].sort_values(
        ["outlier_score", "video_id", "category"], ascending=[False, True, True]
    )
    return known.drop_duplicates("video_id").head(_TOP)


def outstanding(rows: pd.DataFrame, titles: dict[str, str]) -> dg.MarkdownMetadataValue:
    """Draw the videos that stand out most.

    Parameters
    ----------
    rows : DataFrame
        What `most_outstanding` returned.
    titles : dict of str to str
        Titles by video id; the id stands in for a missing one.
    """
    if rows.empty:
        return nothing_to_draw()
    drawn = [
        Bar(
            titles.get(row["video_id"], row["video_id"]),
            [Part(max(0.0, float(np.log2(row["outlier_score"]))), _ACCENT)],
            f"×{short_number(row['outlier_score'])}",
        )
        for row in rows.to_dict("records")
    ]
    picture = bars(drawn, title="Velocity against the channel's usual, in doublings")
    return as_markdown(picture, "Videos that stand out from their channel")


def _said(language: object) -> str:
    return language if isinstance(language, str) else "unknown"
