"""Pictures in asset metadata, where a person would rather look than read."""

import base64
from typing import Final

import dagster as dg
import numpy as np
import pandas as pd

from aurastream.core.pictures import Bar, Box, Part, bars, boxes, short_number

__all__ = [
    "as_markdown",
    "best_ideas",
    "competition_by_game",
    "most_viral",
    "nothing_to_draw",
    "opportunity_by_category",
    "top_viral",
    "usual_velocities",
    "velocity_distribution",
]

_ACCENT: Final = "#6366f1"
_CLASS_COLOURS: Final = {
    "VIRAL": "#ef4444",
    "RISING": "#f59e0b",
    "STABLE": "#6366f1",
    "FALLING": "#94a3b8",
    "UNKNOWN": "#cbd5e1",
}
_PARTS: Final = (
    ("trend_part", 0.4, "#ef4444", "what is trending"),
    ("velocity_part", 0.3, "#f59e0b", "speed against baseline"),
    ("ease_part", 0.3, "#10b981", "ease of competition"),
)
_HALVES: Final = (
    ("saturation_score", "#6366f1", "fewer streams than usual"),
    ("concentration_score", "#10b981", "viewers spread over many"),
)
_BANDS: Final = {"EASY": "#10b981", "MODERATE": "#f59e0b", "HARD": "#ef4444"}
_TOP: Final = 12


def velocity_distribution(velocity: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the spread of lifetime velocity per category, fastest first.

    Parameters
    ----------
    velocity : DataFrame
        Rows of one window of ``intelligence.video_velocity``.
    """
    known = velocity[velocity["lifetime_velocity_per_hour"] > 0]
    rows = []
    for name, values in known.groupby("category")["lifetime_velocity_per_hour"]:
        low, p25, p50, p75, high = np.quantile(values.to_numpy(), [0, 0.25, 0.5, 0.75, 1]).tolist()
        rows.append(Box(f"{name} ({len(values)})", low, p25, p50, p75, high, _ACCENT))
    if not rows:
        return nothing_to_draw()
    rows.sort(key=lambda box: box.p50, reverse=True)
    return as_markdown(
        boxes(rows, title="Views per hour since publication (videos in brackets)"),
        "Distribution of lifetime velocity per category",
    )


def most_viral(scores: pd.DataFrame, velocity: pd.DataFrame) -> pd.DataFrame:
    """Return the most viral videos of a window, each once, in the category it shines most in.

    Parameters
    ----------
    scores, velocity : DataFrame
        Rows of one window of ``intelligence.viral_scores`` and ``intelligence.video_velocity``.
    """
    rows = scores.dropna(subset=["viral_score"]).merge(
        velocity[["category", "video_id", "lifetime_velocity_per_hour"]],
        on=["category", "video_id"],
    )
    rows = rows.sort_values(
        ["decayed_score", "lifetime_velocity_per_hour", "video_id"], ascending=[False, False, True]
    )
    return rows.drop_duplicates("video_id").head(_TOP)


def top_viral(rows: pd.DataFrame, titles: dict[str, str]) -> dg.MarkdownMetadataValue:
    """Draw the most viral videos, with links to them.

    Parameters
    ----------
    rows : DataFrame
        What `most_viral` returned.
    titles : dict of str to str
        Titles by video id; the id stands in for a missing one.
    """
    if rows.empty:
        return nothing_to_draw()
    drawn, links = [], ["| score | video | category | views/h |", "|--:|---|---|--:|"]
    for row in rows.to_dict("records"):
        video, score, trend = row["video_id"], row["viral_score"], row["trend_class"]
        title, speed = titles.get(video, video), float(row["lifetime_velocity_per_hour"])
        drawn.append(Bar(title, [Part(speed, _CLASS_COLOURS[trend])], f"{score:.0f} {trend}"))
        links.append(
            f"| {score:.1f} | [{_plain(title)}](https://www.youtube.com/watch?v={video}) "
            f"| {row['category']} | {short_number(speed)} |"
        )
    picture = bars(drawn, title="Most viral now: views per hour")
    return as_markdown(picture, "Most viral videos of the window", *links)


def opportunity_by_category(opportunity: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the opportunity score of each category, stacked from its three weighted parts.

    Parameters
    ----------
    opportunity : DataFrame
        Rows of one window of ``intelligence.opportunity``.
    """
    known = opportunity.dropna(subset=["opportunity_score"]).sort_values(
        ["opportunity_score", "category"], ascending=[False, True]
    )
    if known.empty:
        return nothing_to_draw()
    rows = [
        Bar(
            str(row["category"]),
            [
                Part(weight * float(np.nan_to_num(row[part])) * float(row["peak_factor"]), colour)
                for part, weight, colour, _ in _PARTS
            ],
            f"{row['opportunity_score']:.0f}",
        )
        for row in known.to_dict("records")
    ]
    picture = bars(
        rows,
        title="Opportunity, 0 to 100, higher is better",
        legend=[(colour, meaning) for *_, colour, meaning in _PARTS],
        longest=100,
    )
    return as_markdown(picture, "Opportunity by category")


def usual_velocities(stats: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw what velocities are usual in each category, fastest first.

    Parameters
    ----------
    stats : DataFrame
        Rows of one window of ``intelligence.category_stats``.
    """
    ordered = stats.sort_values(["velocity_p50", "category"], ascending=[False, True])
    rows, table = [], ["| category | videos | baseline, views/h | from |", "|---|--:|--:|---|"]
    for row in ordered.to_dict("records"):
        p25, p50, p75, p90 = (float(row[f"velocity_p{p}"]) for p in (25, 50, 75, 90))
        name, count = row["category"], row["sample_count"]
        baseline = short_number(float(row["baseline_velocity_per_hour"]))
        table.append(f"| {name} | {count} | {baseline} | {row['baseline_source']} |")
        if p25 > 0:  # the axis is logarithmic
            # Percentiles are all there is: the whisker on the left begins with the box.
            rows.append(Box(f"{name} ({count})", p25, p25, p50, p75, p90, _ACCENT))
    if not rows:
        return nothing_to_draw()
    title = "Views per hour: middle half, median, and up to the 90th percentile"
    return as_markdown(boxes(rows, title=title), "Usual velocity per category", *table)


def competition_by_game(competition: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw how easy it is to be seen in each game, stacked from its two halves, easiest first.

    Parameters
    ----------
    competition : DataFrame
        Rows of one window of ``intelligence.competition``; games without an observation are left
        out.
    """
    seen = competition[competition["observed_at"].notna()].sort_values(
        ["ease_score", "category"], ascending=[False, True]
    )
    if seen.empty:
        return nothing_to_draw()
    rows = [
        Bar(
            f"{row['category']} ({row['live_count']} live)",
            [Part(float(row[half]) / 2, colour) for half, colour, _ in _HALVES],
            f"{row['ease_score']:.0f}",
        )
        for row in seen.to_dict("records")
    ]
    picture = bars(
        rows,
        title="Ease of competition, 0 to 100, higher is easier",
        legend=[(colour, meaning) for _, colour, meaning in _HALVES],
        longest=100,
    )
    return as_markdown(picture, "Ease of competition by game")


def best_ideas(ideas: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the best idea of each category, and write down how sure and how hard it is.

    Parameters
    ----------
    ideas : DataFrame
        Rows of one window of ``intelligence.video_ideas``.
    """
    best = ideas[ideas["rank"] == 1].sort_values(
        ["idea_score", "category"], ascending=[False, True]
    )
    if best.empty:
        return nothing_to_draw()
    rows, table = (
        [],
        ["| category | idea | score | confidence | difficulty |", "|---|---|--:|--:|---|"],
    )
    for row in best.to_dict("records"):
        name, score, band = row["category"], float(row["idea_score"]), row["difficulty_band"]
        concept = str(row["concept"])
        rows.append(Bar(f"{name}: {concept}", [Part(score, _BANDS[band])], f"{score:.0f}"))
        table.append(
            f"| {name} | {_plain(concept)} | {score:.0f} | {row['confidence_pct']:.0f} % | {band} |"
        )
    picture = bars(
        rows,
        title="Best idea of each category, 0 to 100, higher is better",
        legend=[(colour, band.lower()) for band, colour in _BANDS.items()],
        longest=100,
    )
    return as_markdown(picture, "Best idea of each category", *table)


def as_markdown(svg: str, alt: str, *below: str) -> dg.MarkdownMetadataValue:
    """Return a picture as metadata, with lines of Markdown below it."""
    encoded = base64.b64encode(svg.encode()).decode("ascii")
    lines = [f"![{alt}](data:image/svg+xml;base64,{encoded})", "", *below]
    return dg.MetadataValue.md("\n".join(lines).rstrip())


def nothing_to_draw() -> dg.MarkdownMetadataValue:
    """Return what stands where a picture would have nothing on it."""
    return dg.MetadataValue.md("_Nothing to draw: no category has a score in this window._")


def _plain(title: str) -> str:
    """Return a title that cannot end a cell or a link, nor begin markup."""
    return "".join(f"\\{c}" if c in r"\`*_[]<>|~#" else c for c in " ".join(title.split()))
