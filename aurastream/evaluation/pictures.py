"""Pictures of an evaluation as SVG text, in the manner of `aurastream.core.pictures`."""

import datetime as dt
import math
import re
from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import escape

from aurastream.core.pictures import Bar, Part, bars
from aurastream.evaluation.results import EvaluationRow

__all__ = ["calibration", "course", "draw", "ranking", "spark"]

Bins = Sequence[tuple[float, float, int]]
Course = Sequence[tuple[dt.date, float]]

_SIDE: Final = 320
_LEFT: Final = 52
_TOP: Final = 40
_BOTTOM: Final = 66
_RIGHT: Final = 20
_INK: Final = "#1f2937"
_MUTED: Final = "#94a3b8"
_GRID: Final = "#e5e7eb"
_FONT: Final = "font-family='system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,sans-serif'"
_COLOURS: Final = ("#6366f1", "#f59e0b", "#10b981")
_KINDS: Final = {
    "rule": "#f59e0b",
    "model": "#6366f1",
    "day two": "#10b981",
    "detector": "#6366f1",
    "baseline": "#94a3b8",
}
_LEVELS: Final = "▁▂▃▄▅▆▇█"
_WIDE: Final = 560
_HEADLINES: Final = ("nab_score", "correlation", "f1")
_HEADLINE_NAMES: Final = {"nab_score": "NAB score", "correlation": "correlation", "f1": "F1"}


def draw(kind: str, rows: Sequence[EvaluationRow]) -> dict[str, str]:
    """Return the pictures of an evaluation by name: a ranking per label, calibration per label.

    Labels on which no declared method is compared with another are left out, and so is what was
    learned from.
    """
    found = {}
    judged = [row for row in rows if row.split == _judged_split(rows)]
    declared = {row.method for row in judged if row.primary}
    for label in dict.fromkeys(row.label for row in judged if row.method in declared):
        own = [row for row in judged if row.label == label]
        if len(own) == 1:
            continue
        name = re.sub(r"\W+", "-", label.lower()).strip("-")
        found[name] = ranking(own, title=f"{kind}: {label}")
        curves = {row.method.split(":")[0]: row.calibration for row in own if row.calibration}
        if curves:
            found[f"{name}-calibration"] = calibration(
                curves, title=f"{kind}: {label}, promised and real share of hits"
            )
    return found


def ranking(rows: Sequence[EvaluationRow], *, title: str) -> str:
    """Draw the headline of every method, best first, with its interval in the note.

    Parameters
    ----------
    rows : sequence of EvaluationRow
        At least one, of one label and split.
    title : str
        Above the picture.

    Examples
    --------
    >>> svg = ranking([EvaluationRow("T2", "rule: x", "test", 9, f1=0.5)], title="viral: T2")
    >>> "rule: x" in svg, "0.50" in svg
    (True, True)
    """
    headline = next(
        name for name in _HEADLINES if any(getattr(row, name) is not None for row in rows)
    )
    known = [
        (float(getattr(row, headline)), row) for row in rows if getattr(row, headline) is not None
    ]
    known.sort(key=lambda pair: (-pair[0], pair[1].method))
    digits = 1 if headline == "nab_score" else 2
    drawn = []
    for value, row in known:
        note = f"{value:.{digits}f}"
        if row.ci_low is not None and row.ci_high is not None:
            note += f" [{row.ci_low:.{digits}f}, {row.ci_high:.{digits}f}]"
        colour = _KINDS.get(row.method.split(":")[0], _MUTED)
        drawn.append(Bar(row.method, [Part(max(value, 0.0), colour)], note))
    longest = 100.0 if headline == "nab_score" else 1.0
    return bars(
        drawn, title=f"{title} ({_HEADLINE_NAMES[headline]}, 95 % interval)", longest=longest * 1.05
    )


def calibration(curves: Mapping[str, Bins], *, title: str) -> str:
    """Draw how often what was promised came true; on the diagonal, promises are kept.

    Parameters
    ----------
    curves : mapping of str to bins
        Promised share, real share and number of videos, bin by bin, for up to three methods.
    title : str
        Above the picture.

    Examples
    --------
    >>> svg = calibration({"model": [(0.1, 0.2, 5), (0.9, 0.8, 5)]}, title="Kept")
    >>> svg.startswith("<svg"), svg.count("<circle")
    (True, 2)
    """
    width, height = _LEFT + _SIDE + _RIGHT, _TOP + _SIDE + _BOTTOM
    bottom = _TOP + _SIDE
    out = _opened(width, height, title)
    for tick in range(0, 101, 20):
        x, y = _LEFT + tick / 100 * _SIDE, bottom - tick / 100 * _SIDE
        out.append(
            f"<path d='M{x:.1f} {_TOP}V{bottom}M{_LEFT} {y:.1f}H{_LEFT + _SIDE}' stroke='{_GRID}'/>"
            f"<text x='{x:.1f}' y='{bottom + 15}' font-size='10' fill='{_MUTED}' "
            f"text-anchor='middle'>{tick} %</text>"
            f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' font-size='10' fill='{_MUTED}' "
            f"text-anchor='end'>{tick} %</text>"
        )
    out.append(
        f"<path d='M{_LEFT} {bottom}L{_LEFT + _SIDE} {_TOP}' stroke='{_MUTED}' "
        "stroke-dasharray='4 4'/>"
        f"<text x='{_LEFT + _SIDE / 2}' y='{bottom + 32}' font-size='11' fill='{_INK}' "
        "text-anchor='middle'>promised</text>"
    )
    for (_, bins), colour in zip(curves.items(), _COLOURS, strict=False):
        out += _line(
            [(_LEFT + promised * _SIDE, bottom - real * _SIDE) for promised, real, _ in bins],
            colour,
        )
    return "".join([*out, *_legend(list(curves), height), "</svg>"])


def course(curves: Mapping[str, Course], *, title: str) -> str:
    """Draw shares over the days on which they were published.

    Parameters
    ----------
    curves : mapping of str to course
        Day and share, 0–1, by day, for up to three figures; shares that are NaN are left out.
    title : str
        Above the picture.

    Examples
    --------
    >>> days = [dt.date(2026, 11, 20), dt.date(2026, 11, 21)]
    >>> svg = course({"recall": [(days[0], 0.5), (days[1], 0.75)]}, title="Kept")
    >>> svg.startswith("<svg"), svg.count("<circle"), "2026-11-20" in svg
    (True, 2, True)
    >>> course({"recall": []}, title="Nothing yet").count("<circle")
    0
    """
    width, height = _LEFT + _WIDE + _RIGHT, _TOP + _SIDE // 2 + _BOTTOM
    bottom = _TOP + _SIDE // 2
    known = {
        name: [(day, share) for day, share in points if not math.isnan(share)]
        for name, points in curves.items()
    }
    days = sorted({day for points in known.values() for day, _ in points})
    out = _opened(width, height, title)
    for tick in range(0, 101, 25):
        y = bottom - tick / 100 * (bottom - _TOP)
        out.append(
            f"<path d='M{_LEFT} {y:.1f}H{_LEFT + _WIDE}' stroke='{_GRID}'/>"
            f"<text x='{_LEFT - 6}' y='{y + 4:.1f}' font-size='10' fill='{_MUTED}' "
            f"text-anchor='end'>{tick} %</text>"
        )
    if days:
        span = max((days[-1] - days[0]).days, 1)
        for day, anchor in {days[0]: "start", days[-1]: "end"}.items():
            x = _LEFT + (day - days[0]).days / span * _WIDE
            out.append(
                f"<text x='{x:.1f}' y='{bottom + 15}' font-size='10' fill='{_MUTED}' "
                f"text-anchor='{anchor if len(days) > 1 else 'start'}'>{day}</text>"
            )
        for points, colour in zip(known.values(), _COLOURS, strict=False):
            out += _line(
                [
                    (_LEFT + (day - days[0]).days / span * _WIDE, bottom - share * (bottom - _TOP))
                    for day, share in points
                ],
                colour,
            )
    return "".join([*out, *_legend(list(curves), height), "</svg>"])


def spark(shares: Sequence[float]) -> str:
    """Return shares, 0–1, as one letter each, the higher the more; a dot where there is none.

    Examples
    --------
    >>> spark([0.0, 0.5, float("nan"), 1.0]), spark([])
    ('▁▅·█', '')
    """
    return "".join(
        "·" if math.isnan(share) else _LEVELS[min(int(share * len(_LEVELS)), len(_LEVELS) - 1)]
        for share in shares
    )


def _opened(width: int, height: int, title: str) -> list[str]:
    return [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}'",
        f" viewBox='0 0 {width} {height}' {_FONT}>",
        "<rect width='100%' height='100%' fill='white'/>",
        f"<text x='12' y='22' font-size='13' font-weight='600' fill='{_INK}'>",
        f"{escape(title)}</text>",
    ]


def _line(places: Sequence[tuple[float, float]], colour: str) -> list[str]:
    if not places:
        return []
    line = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
    return [
        f"<path d='M{line}' stroke='{colour}' stroke-width='1.5' fill='none'/>",
        *(f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.5' fill='{colour}'/>" for x, y in places),
    ]


def _legend(names: Sequence[str], height: int) -> list[str]:
    out, x = [], float(_LEFT)
    for name, colour in zip(names, _COLOURS, strict=False):
        out.append(
            f"<rect x='{x:.0f}' y='{height - 18}' width='10' height='10' fill='{colour}'/>"
            f"<text x='{x + 14:.0f}' y='{height - 9}' font-size='11' fill='{_INK}'>"
            f"{escape(name)}</text>"
        )
        x += 34 + 6.1 * len(name)
    return out


def _judged_split(rows: Sequence[EvaluationRow]) -> str:
    return next((row.split for row in rows if row.primary), "test")
