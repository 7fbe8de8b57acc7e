"""Small pictures in asset metadata, where a person would rather look than read.

matplotlib is imported when a picture is drawn and never through pyplot: no display, no global
state, and the graph loads without it.
"""

import base64
import io
from typing import TYPE_CHECKING, Final

import dagster as dg
import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["opportunity_by_category", "top_viral", "velocity_distribution"]

_INK: Final = "#1f2937"
_MUTED: Final = "#94a3b8"
_GRID: Final = "#e5e7eb"
_ACCENT: Final = "#6366f1"
_CLASS_COLOURS: Final = {
    "VIRAL": "#ef4444",
    "RISING": "#f59e0b",
    "STABLE": "#6366f1",
    "FALLING": "#94a3b8",
    "UNKNOWN": "#cbd5e1",
}
_TOP: Final = 12
_COLOURS: Final = 48


def velocity_distribution(velocity: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the spread of lifetime velocity per category, on a logarithmic axis.

    Parameters
    ----------
    velocity : DataFrame
        Rows of one window of ``intelligence.video_velocity``.
    """
    known = velocity[velocity["lifetime_velocity_per_hour"] > 0]
    if known.empty:
        return _nothing()
    values = known.groupby("category", sort=False)["lifetime_velocity_per_hour"]
    order = values.median().sort_values().index
    figure, axes = _canvas(len(order), "Views per hour since publication, by category")
    boxes = axes.boxplot(
        [np.log10(values.get_group(name).to_numpy()) for name in order],
        orientation="horizontal",
        widths=0.55,
        patch_artist=True,
        flierprops={"marker": ".", "markersize": 3, "markeredgecolor": _MUTED},
        medianprops={"color": "white", "linewidth": 1.6},
        whiskerprops={"color": _MUTED},
        capprops={"color": _MUTED},
    )
    for box in boxes["boxes"]:
        box.set(facecolor=_ACCENT, edgecolor=_ACCENT)
    axes.set_yticks(range(1, len(order) + 1), [f"{n}  ({len(values.get_group(n))})" for n in order])
    axes.xaxis.set_major_formatter(lambda exponent, _: _short(10**exponent))
    return _markdown(figure, "Distribution of lifetime velocity per category")


def top_viral(scores: pd.DataFrame, velocity: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the fastest videos among the most viral ones.

    Parameters
    ----------
    scores, velocity : DataFrame
        Rows of one window of ``intelligence.viral_scores`` and ``intelligence.video_velocity``.
    """
    rows = scores.dropna(subset=["viral_score"]).merge(
        velocity[["category", "video_id", "lifetime_velocity_per_hour"]],
        on=["category", "video_id"],
    )
    # A video that charts in several categories is one bar, in the category it shines most in.
    rows = rows.sort_values(
        ["decayed_score", "lifetime_velocity_per_hour", "video_id"], ascending=[False, False, True]
    ).drop_duplicates("video_id")
    rows = rows.head(_TOP)[::-1]
    if rows.empty:
        return _nothing()
    figure, axes = _canvas(len(rows), "Most viral now: views per hour")
    bars = axes.barh(
        range(len(rows)),
        rows["lifetime_velocity_per_hour"],
        color=[_CLASS_COLOURS[name] for name in rows["trend_class"]],
        height=0.66,
    )
    axes.bar_label(
        bars,
        [
            f"{score:.0f}  {name}"
            for score, name in zip(rows["viral_score"], rows["trend_class"], strict=True)
        ],
        padding=4,
        fontsize=7,
        color=_INK,
    )
    axes.set_yticks(
        range(len(rows)),
        [f"{v} · {c}" for v, c in zip(rows["video_id"], rows["category"], strict=True)],
    )
    axes.margins(x=0.18)
    axes.xaxis.set_major_formatter(lambda value, _: _short(value))
    return _markdown(figure, "Most viral videos of the window")


def opportunity_by_category(opportunity: pd.DataFrame) -> dg.MarkdownMetadataValue:
    """Draw the opportunity score of each category, stacked from its three weighted parts.

    Parameters
    ----------
    opportunity : DataFrame
        Rows of one window of ``intelligence.opportunity``.
    """
    rows = opportunity.dropna(subset=["opportunity_score"]).sort_values(
        ["opportunity_score", "category"]
    )
    if rows.empty:
        return _nothing()
    figure, axes = _canvas(len(rows), "Opportunity, 0 to 100, higher is better")
    left = np.zeros(len(rows))
    for part, weight, colour, label in (
        ("trend_part", 0.4, "#ef4444", "what is trending"),
        ("velocity_part", 0.3, "#f59e0b", "speed against baseline"),
        ("ease_part", 0.3, "#10b981", "ease of competition"),
    ):
        width = (weight * rows[part].fillna(0) * rows["peak_factor"]).to_numpy(dtype=float)
        axes.barh(range(len(rows)), width, left=left, height=0.62, color=colour, label=label)
        left += width
    for position, score in enumerate(rows["opportunity_score"]):
        axes.text(score + 1, position, f"{score:.0f}", va="center", fontsize=7, color=_INK)
    axes.set_yticks(range(len(rows)), rows["category"].tolist())
    axes.set_xlim(0, 100)
    axes.legend(fontsize=7, frameon=False, loc="lower right")
    return _markdown(figure, "Opportunity by category")


def _canvas(rows: int, title: str) -> tuple["Figure", "Axes"]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 # half a second
    from matplotlib.figure import Figure  # noqa: PLC0415 # the same

    figure = Figure(figsize=(6.4, 1.1 + 0.27 * rows), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.set_title(title, loc="left", fontsize=9, color=_INK, fontweight="bold")
    axes.tick_params(labelsize=7, length=0, labelcolor=_INK)
    axes.grid(axis="x", color=_GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in axes.spines.values():
        side.set_visible(False)
    return figure, axes


def _markdown(figure: "Figure", alt: str) -> dg.MarkdownMetadataValue:
    from PIL import Image  # noqa: PLC0415 # only where a picture is drawn

    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", facecolor="white")
    # Every half hour adds pictures to the event log: a palette makes them a third of the size.
    picture = Image.open(buffer).convert("RGB").quantize(_COLOURS)
    buffer = io.BytesIO()
    picture.save(buffer, format="png", optimize=True)
    encoded = base64.b64encode(buffer.getvalue()).decode("ascii")
    return dg.MetadataValue.md(f"![{alt}](data:image/png;base64,{encoded})")


def _nothing() -> dg.MarkdownMetadataValue:
    return dg.MetadataValue.md("_Nothing to draw: no category has a score in this window._")


def _short(value: float) -> str:
    """Return a count as a person says it: 950, 12k, 3.4M."""
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= limit:
            return f"{value / limit:.3g}{suffix}"
    return f"{value:.3g}"
