"""The week as a picture: seven rows of twenty-four cells, as SVG text.

Cells of one shade are one path, so that a week takes two kilobytes: metadata of every run keeps
such pictures in the event log.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

import numpy as np
import numpy.typing as npt

__all__ = ["Week", "weeks_of_cells"]

_SHADES: Final = ("#f1f5f9", "#c7d2fe", "#a5b4fc", "#818cf8", "#4f46e5", "#312e81")
_UNKNOWN: Final = "#ffffff"
_PEAK: Final = "#f59e0b"
_CELL_W: Final = 15
_CELL_H: Final = 11
_LEFT: Final = 44
_TOP: Final = 34
_PANEL: Final = 7 * _CELL_H + 44
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_FONT: Final = "font-family='system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,sans-serif'"


@dataclass(frozen=True, slots=True)
class Week:
    """One labelled week.

    Parameters
    ----------
    label : str
        Above the cells.
    values : sequence of float
        168, Monday's first hour first; NaN is unknown.
    marked : sequence of bool
        168; marked hours have a dot.
    """

    label: str
    values: Sequence[float] | npt.NDArray[np.float64]
    marked: Sequence[bool] | npt.NDArray[np.bool_]


def weeks_of_cells(weeks: Sequence[Week], *, title: str) -> str:
    """Draw weeks from the top down, each shaded from its own lowest to its own highest value.

    Parameters
    ----------
    weeks : sequence of Week
        At least one.
    title : str
        Above the picture.

    Returns
    -------
    str
        An SVG document.

    Notes
    -----
    O(cells).

    References
    ----------
    Ours: no source asks for pictures; the weeks are those of #88 and C32.

    Examples
    --------
    >>> week = Week("a <game>", [float(hour) for hour in range(168)], [False] * 167 + [True])
    >>> svg = weeks_of_cells([week], title="Viewers")
    >>> svg.startswith("<svg"), "a &lt;game&gt;" in svg, svg.count("<path"), svg.count("<circle")
    (True, True, 6, 1)

    A flat week has one shade, an unknown one none:

    >>> flat = Week("flat", [1.0] * 168, [False] * 168)
    >>> unknown = Week("unknown", [float("nan")] * 168, [False] * 168)
    >>> weeks_of_cells([flat, unknown], title="").count("<path")
    2
    """
    width = _LEFT + 24 * _CELL_W + 12
    height = _TOP + _PANEL * len(weeks)
    out = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{width}' height='{height}' {_FONT}>",
        "<rect width='100%' height='100%' fill='white'/>",
        f"<text x='12' y='20' font-size='13' font-weight='600'>{escape(title)}</text>",
    ]
    for number, week in enumerate(weeks):
        out += _panel(week, _TOP + number * _PANEL)
    return "".join([*out, "</svg>"])


def _panel(week: Week, top: int) -> list[str]:
    values = np.asarray(week.values, dtype=np.float64)
    known = ~np.isnan(values)
    low = values[known].min() if known.any() else 0.0
    high = values[known].max() if known.any() else 0.0
    spread = high - low if high > low else 1.0
    level = np.full(values.size, -1)
    level[known] = np.minimum(
        (values[known] - low) / spread * len(_SHADES), len(_SHADES) - 1
    ).astype(np.int64)
    first = top + 16
    out = [f"<text x='12' y='{top + 10}' font-size='11'>{escape(week.label)}</text>"]
    for shade in range(-1, len(_SHADES)):
        cells = np.flatnonzero(level == shade).tolist()
        if cells:
            colour = _UNKNOWN if shade < 0 else _SHADES[shade]
            path = "".join(
                f"M{_LEFT + cell % 24 * _CELL_W} {first + cell // 24 * _CELL_H}"
                f"h{_CELL_W - 1}v{_CELL_H - 1}h{1 - _CELL_W}z"
                for cell in cells
            )
            out.append(f"<path d='{path}' fill='{colour}'/>")
    for cell in np.flatnonzero(np.asarray(week.marked, dtype=np.bool_)).tolist():
        x = _LEFT + cell % 24 * _CELL_W + _CELL_W // 2
        y = first + cell // 24 * _CELL_H + _CELL_H // 2
        out.append(f"<circle cx='{x}' cy='{y}' r='2' fill='{_PEAK}'/>")
    for row, day in enumerate(_DAYS):
        out.append(f"<text x='12' y='{first + row * _CELL_H + 9}' font-size='9'>{day}</text>")
    for hour in range(0, 24, 6):
        x = _LEFT + hour * _CELL_W
        out.append(f"<text x='{x}' y='{first + 7 * _CELL_H + 10}' font-size='9'>{hour}</text>")
    return out
