"""Heat maps as SVG text: what is above the usual and what is below it, cell by cell.

The same rules as for `aurastream.core.pictures`: no plotting library, the viewer's own fonts, same
input, same bytes.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from xml.sax.saxutils import escape

from aurastream.core.errors import InvalidInputError

__all__ = ["Cell", "heat_map"]

_WIDTH: Final = 660
_TOP: Final = 52
_ROW: Final = 22
_LABEL: Final = 6.1  # mean width of a letter at 11 px
_INK: Final = "#1f2937"
_MUTED: Final = "#94a3b8"
_EMPTY: Final = "#f1f5f9"
_LOW: Final = (59, 130, 246)
_HIGH: Final = (239, 68, 68)
_LEAST_TINT: Final = 0.06
_UNSURE: Final = 0.35
_FONT: Final = "font-family='system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,sans-serif'"


@dataclass(frozen=True, slots=True)
class Cell:
    """One value of a heat map.

    Parameters
    ----------
    ratio : float
        To the usual: above 0, 1 is usual.
    is_sure : bool
        False draws it pale.
    mark : str
        One character in the middle, for example ``★``.
    """

    ratio: float
    is_sure: bool = True
    mark: str = ""


def heat_map(
    rows: Sequence[tuple[str, Sequence[Cell | None]]],
    columns: Sequence[str],
    *,
    title: str,
    furthest: float = 4.0,
    note: str = "",
) -> str:
    """Draw ratios as a grid: red above the usual, blue below, pale where unsure, grey where empty.

    Parameters
    ----------
    rows : sequence of (str, sequence of Cell or None)
        Labels with as many cells as there are columns, from the top down. At least one.
    columns : sequence of str
        Labels above; an empty one is left out.
    title : str
        Above the picture.
    furthest : float
        The ratio, and its inverse, at which a colour is full; above 1.
    note : str
        Below the picture.

    Returns
    -------
    str
        An SVG document.

    Raises
    ------
    InvalidInputError
        When there are no cells, a row has another length, or a ratio is not above 0.

    Notes
    -----
    O(cells).

    References
    ----------
    Ours: no source asks for pictures; the figures are those of #88.

    Examples
    --------
    >>> svg = heat_map([("Mon", [Cell(2.0, mark="★"), None])], ["0", "1"], title="Hours")
    >>> svg.startswith("<svg"), "★" in svg, svg.count("<rect")
    (True, True, 3)
    """
    if not rows or not columns or any(len(cells) != len(columns) for _, cells in rows):
        raise InvalidInputError("A heat map needs as many cells per row as columns.", fix="Count.")
    left = 14 + round(_LABEL * max(len(label) for label, _ in rows))
    step = (_WIDTH - left - 12) / len(columns)
    bottom = _TOP + _ROW * len(rows)
    height = bottom + (28 if note else 10)
    out = [
        f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{height}'",
        f" viewBox='0 0 {_WIDTH} {height}' {_FONT}>",
        "<rect width='100%' height='100%' fill='white'/>",
        f"<text x='12' y='22' font-size='13' font-weight='600' fill='{_INK}'>",
        f"{escape(title)}</text>",
    ]
    for place, name in enumerate(columns):
        if name:
            out.append(
                f"<text x='{left + step * (place + 0.5):.1f}' y='{_TOP - 6}' font-size='10' "
                f"fill='{_MUTED}' text-anchor='middle'>{escape(name)}</text>"
            )
    for index, (label, cells) in enumerate(rows):
        y = _TOP + _ROW * index
        out.append(
            f"<text x='{left - 7}' y='{y + 15}' font-size='11' fill='{_INK}' "
            f"text-anchor='end'>{escape(label)}</text>"
        )
        for place, cell in enumerate(cells):
            x = left + step * place
            out.append(
                f"<rect x='{x:.1f}' y='{y}' width='{step - 1:.1f}' height='{_ROW - 1}' "
                f"fill='{_colour(cell, furthest)}'/>"
            )
            if cell is not None and cell.mark:
                out.append(
                    f"<text x='{x + step / 2 - 0.5:.1f}' y='{y + 15}' font-size='12' "
                    f"fill='{_INK}' text-anchor='middle'>{escape(cell.mark)}</text>"
                )
    if note:
        out.append(
            f"<text x='{left}' y='{bottom + 18}' font-size='11' fill='{_MUTED}'>"
            f"{escape(note)}</text>"
        )
    return "".join([*out, "</svg>"])


def _colour(cell: Cell | None, furthest: float) -> str:
    if cell is None:
        return _EMPTY
    if not cell.ratio > 0:
        raise InvalidInputError(f"A ratio is {cell.ratio:g}.", fix="Ratios are above 0.")
    away = math.log(cell.ratio) / math.log(furthest)
    tint = max(_LEAST_TINT, min(1.0, abs(away))) * (1.0 if cell.is_sure else _UNSURE)
    full = _HIGH if away >= 0 else _LOW
    red, green, blue = (round(255 + (c - 255) * tint) for c in full)
    return f"#{red:02x}{green:02x}{blue:02x}"
