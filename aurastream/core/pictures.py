"""Small pictures as SVG text: horizontal bars, boxes and intervals, one row per label.

A plotting library would take longer to import than everything else a half-hour run does, for three
pictures of a few rectangles. The text is set by the viewer's own fonts, so that titles in any
script are readable. Same input, same bytes.
"""

import math
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar
from xml.sax.saxutils import escape

from aurastream.core.errors import InvalidInputError

__all__ = ["Bar", "Box", "Interval", "Part", "bars", "boxes", "intervals", "short_number"]

_Row = TypeVar("_Row")

_WIDTH: Final = 660
_ROW: Final = 24
_TOP: Final = 40
_BOTTOM: Final = 24
_RIGHT: Final = 96
_CHAR: Final = 6.1  # mean width of a letter at 11 px
_LONGEST_LABEL: Final = 44
_EMOJI_CELLS: Final = 2.5
_FIRST_EMOJI: Final = 0x1F000
_AS_EMOJI: Final = "\ufe0f"
_JOINER: Final = "\u200d"

_INK: Final = "#1f2937"
_MUTED: Final = "#94a3b8"
_GRID: Final = "#e5e7eb"
_FONT: Final = "font-family='system-ui,-apple-system,Segoe UI,Roboto,Noto Sans,sans-serif'"


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a bar.

    Parameters
    ----------
    length : float
        In units of the axis, 0 or more.
    colour : str
        CSS colour.
    """

    length: float
    colour: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A labelled bar of one or several parts.

    Parameters
    ----------
    label : str
        On the left; long ones are cut.
    parts : sequence of Part
        From left to right.
    note : str
        On the right of the bar.
    """

    label: str
    parts: Sequence[Part]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A labelled five-number summary.

    Parameters
    ----------
    label : str
        On the left.
    low, p25, p50, p75, high : float
        In units of the axis, above 0, in this order.
    colour : str
        CSS colour.
    """

    label: str
    low: float
    p25: float
    p50: float
    p75: float
    high: float
    colour: str


@dataclass(frozen=True, slots=True)
class Interval:
    """A labelled ratio with its confidence interval.

    Parameters
    ----------
    label : str
        On the left.
    low, middle, high : float
        Above 0 and finite, in this order.
    colour : str
        CSS colour.
    note : str
        On the right.
    """

    label: str
    low: float
    middle: float
    high: float
    colour: str
    note: str = ""


# From here on three digits say the next thousand: 999.5 is 1k, and not 1000.
_ROUNDED_UP: Final = 0.9995


def short_number(value: float) -> str:
    """Return a count as a person says it.

    Parameters
    ----------
    value : float
        0 or more.

    Returns
    -------
    str
        Three digits at most, and k, M or B.

    Notes
    -----
    O(1).

    References
    ----------
    Ours: no source asks for pictures.

    Examples
    --------
    >>> [short_number(n) for n in (0, 950, 12_000, 3_440_000, 2e9)]
    ['0', '950', '12k', '3.4M', '2B']
    """
    for limit, suffix in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if value >= _ROUNDED_UP * limit:
            number = value / limit
            return f"{number:.0f}{suffix}" if number >= 10 else f"{number:.2g}{suffix}"  # noqa: PLR2004 # two digits either way
    return f"{value:.3g}"


def bars(
    rows: Sequence[Bar],
    *,
    title: str,
    legend: Sequence[tuple[str, str]] = (),
    longest: float | None = None,
) -> str:
    """Draw bars from the top down.

    Parameters
    ----------
    rows : sequence of Bar
        At least one.
    title : str
        Above the picture.
    legend : sequence of (str, str), optional
        Colour and meaning.
    longest : float, optional
        Length at the right end of the axis; by default that of the longest bar.

    Returns
    -------
    str
        An SVG document.

    Raises
    ------
    InvalidInputError
        When there is no row.

    Notes
    -----
    O(rows).

    References
    ----------
    Ours: no source asks for pictures.

    Examples
    --------
    >>> svg = bars([Bar("a <b>", [Part(3, "red")], "3")], title="Things")
    >>> svg.startswith("<svg"), "a &lt;b&gt;" in svg
    (True, True)
    """
    end = longest or max(sum(p.length for p in row.parts) for row in _some(rows)) or 1.0
    frame = _Frame([row.label for row in rows], title, legend)
    scale = frame.span / end
    out = frame.open([(tick, tick * scale) for tick in _ticks(end)])
    for index, row in enumerate(rows):
        x, y = float(frame.left), frame.row(index)
        for part in row.parts:
            width = max(0.0, part.length) * scale
            out.append(
                f"<rect x='{x:.1f}' y='{y + 4}' width='{width:.1f}' height='{_ROW - 9}' "
                f"fill='{part.colour}'/>"
            )
            x += width
        if row.note:
            out.append(f"<text x='{x + 5:.1f}' y='{y + 16}' {_INKED}>{escape(row.note)}</text>")
    return frame.close(out)


def boxes(rows: Sequence[Box], *, title: str) -> str:
    """Draw boxes with whiskers on a logarithmic axis, from the top down.

    Parameters
    ----------
    rows : sequence of Box
        At least one.
    title : str
        Above the picture.

    Returns
    -------
    str
        An SVG document.

    Raises
    ------
    InvalidInputError
        When there is no row, or one has a number that no logarithmic axis has a place for.

    Notes
    -----
    O(rows).

    References
    ----------
    Ours: no source asks for pictures. Tukey, J. W. (1977). Exploratory data analysis.
    Addison-Wesley.

    Examples
    --------
    >>> boxes([Box("a", 1, 10, 100, 1e3, 1e4, "blue")], title="Spread").count("<rect")
    2
    """
    for row in _some(rows):
        _require_places(row.label, row.low, row.p25, row.p50, row.p75, row.high)
    first = math.floor(math.log10(min(row.low for row in rows)))
    last = max(first + 1, math.ceil(math.log10(max(row.high for row in rows))))
    frame = _Frame([row.label for row in rows], title, ())
    scale = frame.span / (last - first)
    place: Callable[[float], float] = lambda value: (  # noqa: E731 # one line, used five times
        frame.left + (math.log10(value) - first) * scale
    )
    out = frame.open([(10.0**e, (e - first) * scale) for e in range(first, last + 1)])
    for index, row in enumerate(rows):
        y = frame.row(index)
        low, p25, p50, p75, high = (
            round(place(v), 1) for v in (row.low, row.p25, row.p50, row.p75, row.high)
        )
        middle = y + _ROW / 2 - 0.5
        out.append(
            f"<path d='M{low} {middle}H{p25}M{p75} {middle}H{high}M{low} {middle - 4}v8"
            f"M{high} {middle - 4}v8' stroke='{_MUTED}' fill='none'/>"
            f"<rect x='{p25}' y='{y + 4}' width='{max(1.0, p75 - p25):.1f}' height='{_ROW - 9}' "
            f"fill='{row.colour}'/>"
            f"<path d='M{p50} {y + 4}v{_ROW - 9}' stroke='white' stroke-width='2'/>"
        )
    return frame.close(out)


def intervals(
    rows: Sequence[Interval],
    *,
    title: str,
    reference: float = 1.0,
    legend: Sequence[tuple[str, str]] = (),
) -> str:
    """Draw intervals around a reference on a logarithmic axis, from the top down.

    The axis ends at twenty times the reference, and at a twentieth of it, at the latest; what
    reaches further is cut there.

    Parameters
    ----------
    rows : sequence of Interval
        At least one.
    title : str
        Above the picture.
    reference : float
        Where nothing differs; a line marks it.
    legend : sequence of (str, str), optional
        Colour and meaning.

    Returns
    -------
    str
        An SVG document.

    Raises
    ------
    InvalidInputError
        When there is no row, or one has a number that no logarithmic axis has a place for.

    Notes
    -----
    O(rows).

    References
    ----------
    Ours: no source asks for pictures.

    Examples
    --------
    >>> svg = intervals([Interval("a", 0.8, 1.2, 900.0, "red", "x1.2")], title="Lift")
    >>> svg.count("<circle"), ">20</text>" in svg, ">50</text>" in svg
    (1, True, False)
    """
    for row in _some(rows):
        _require_places(row.label, row.low, row.middle, row.high)
    reach = max(2.0, *(max(row.high / reference, reference / row.low) for row in rows))
    end = next(limit for limit in (2.0, 5.0, 10.0, _FURTHEST) if limit >= min(reach, _FURTHEST))
    frame = _Frame([row.label for row in rows], title, legend)
    scale = frame.span / (2 * math.log(end))

    def place(value: float) -> float:
        offset = math.log(min(max(value / reference, 1 / end), end)) + math.log(end)
        return round(frame.left + offset * scale, 1)

    steps = [1 / n for n in (20, 10, 5, 2) if n <= end] + [n for n in (1, 2, 5, 10, 20) if n <= end]
    out = frame.open([(reference * n, place(reference * n) - frame.left) for n in steps])
    bottom = frame.row(len(rows))
    out.append(f"<path d='M{place(reference)} {_TOP}V{bottom}' stroke='{_INK}'/>")
    for index, row in enumerate(rows):
        y = frame.row(index) + _ROW / 2 - 0.5
        low, middle, high = place(row.low), place(row.middle), place(row.high)
        out.append(
            f"<path d='M{low} {y}H{high}' stroke='{row.colour}' stroke-width='3'/>"
            f"<circle cx='{middle}' cy='{y}' r='4' fill='{row.colour}'/>"
            f"<text x='{frame.left + frame.span + 8}' y='{y + 4}' {_INKED}>"
            f"{escape(row.note)}</text>"
        )
    return frame.close(out)


def _some(rows: Sequence[_Row]) -> Sequence[_Row]:
    if not rows:
        raise InvalidInputError("A picture has no row.", fix="Draw it of one row at least.")
    return rows


def _require_places(label: str, *values: float) -> None:
    for value in values:
        if not 0.0 < value < math.inf:
            raise InvalidInputError(
                f"The row {label!r} of a picture on a logarithmic axis holds {value:g}.",
                fix="Leave the row out: only finite numbers above 0 have a place there.",
            )


_FURTHEST: Final = 20.0
_INKED: Final = f"font-size='11' fill='{_INK}'"


class _Frame:
    """Title, labels, grid and legend around the rows."""

    def __init__(
        self, labels: Sequence[str], title: str, legend: Sequence[tuple[str, str]]
    ) -> None:
        self._labels = [_shortened(label) for label in labels]
        self._title = title
        self._legend = legend
        self.left = 14 + math.ceil(_CHAR * max(_cells(label) for label in self._labels))
        self.span = _WIDTH - self.left - _RIGHT
        self._height = _TOP + _ROW * len(labels) + _BOTTOM + (18 if legend else 0)

    def row(self, index: int) -> int:
        return _TOP + _ROW * index

    def open(self, ticks: Sequence[tuple[float, float]]) -> list[str]:
        bottom = self.row(len(self._labels))
        out = [
            f"<svg xmlns='http://www.w3.org/2000/svg' width='{_WIDTH}' height='{self._height}'",
            f" viewBox='0 0 {_WIDTH} {self._height}' {_FONT}>",
            "<rect width='100%' height='100%' fill='white'/>",
            f"<text x='12' y='22' font-size='13' font-weight='600' fill='{_INK}'>",
            f"{escape(self._title)}</text>",
        ]
        for value, offset in ticks:
            x = round(self.left + offset, 1)
            out.append(
                f"<path d='M{x} {_TOP}V{bottom}' stroke='{_GRID}'/>"
                f"<text x='{x}' y='{bottom + 14}' font-size='10' fill='{_MUTED}' "
                f"text-anchor='middle'>{short_number(value)}</text>"
            )
        for index, label in enumerate(self._labels):
            out.append(
                f"<text x='{self.left - 7}' y='{self.row(index) + 16}' {_INKED} "
                f"text-anchor='end'>{escape(label)}</text>"
            )
        return out

    def close(self, out: list[str]) -> str:
        x, y = float(self.left), self._height - 8
        for colour, meaning in self._legend:
            out.append(
                f"<rect x='{x:.0f}' y='{y - 9}' width='10' height='10' fill='{colour}'/>"
                f"<text x='{x + 14:.0f}' y='{y}' {_INKED}>{escape(meaning)}</text>"
            )
            x += 30 + _CHAR * len(meaning)
        return "".join([*out, "</svg>"])


def _ticks(end: float) -> list[float]:
    """Return about five round values from 0 to the end of an axis."""
    step = 10 ** math.floor(math.log10(end / 4))
    step *= next(n for n in (1, 2, 5, 10) if end / (step * n) <= 6)  # noqa: PLR2004 # six at most
    return [n * step for n in range(int(end / step + 1e-9) + 1)]


def _cells(label: str) -> float:
    """Return about how many mean letters wide a label is, rather more than less.

    East Asian characters are two, capitals a little more than one, emoji two and a half, in
    whichever way a character became one; marks and joiners have no width of their own.
    """
    cells = 0.0
    last = 0.0
    for character in label:
        if character == _AS_EMOJI:
            cells += max(0.0, _EMOJI_CELLS - last)
            last = _EMOJI_CELLS
            continue
        last = _cell(character)
        cells += last
    return cells


def _cell(character: str) -> float:
    category = unicodedata.category(character)
    if category in ("Mn", "Me", "Cf"):
        return 0.0
    if category == "So" and ord(character) >= _FIRST_EMOJI:
        return _EMOJI_CELLS
    if unicodedata.east_asian_width(character) in "WF":
        return 2.0
    return 1.3 if category == "Lu" or character in "mw@%&" else 1.0


def _shortened(label: str) -> str:
    label = " ".join("".join(c if c.isprintable() else " " for c in label).split())
    if _cells(label) <= _LONGEST_LABEL:
        return label
    while _cells(label) > _LONGEST_LABEL - 1:
        label = label[:-1]
    return label.rstrip(f" {_JOINER}{_AS_EMOJI}") + "…"
