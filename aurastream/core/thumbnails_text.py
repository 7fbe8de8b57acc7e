"""Lettering in a picture: how much of it words cover, and where. Not what they say.

Letters are spots of one lightness, of about the same height, side by side in a line. Such spots are
found as maximally stable regions, then gathered into lines; three letters make a line. What has the
same look is taken for text too (a fence, a row of windows), and handwriting that hangs together, or
words set on end, are missed.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from aurastream.core.thumbnails_faces import Box, covered_share, one_thread
from aurastream.core.thumbnails_layout import field_at

__all__ = ["Lettering", "lettering", "text_lines"]

Integers = npt.NDArray[np.int64]
Levels = npt.NDArray[np.uint8]

_DELTA: Final = 8
_LEAST_AREA: Final = 12
_MOST_AREA_SHARE: Final = 0.04
_LEAST_HEIGHT: Final = 7
_MOST_HEIGHT_SHARE: Final = 0.45
_MOST_LETTERS: Final = 600
_LETTERS: Final = 3


@dataclass(frozen=True, slots=True)
class Lettering:
    """The lines of text in a picture.

    Parameters
    ----------
    boxes : tuple of Box
        One per line; the largest first, of equally large ones the upper, then the left one.
    area_share : float
        Share of the picture that boxes cover, each pixel once, 0–1.
    field : str or None
        Where the middle of the largest line lies, see `aurastream.core.thumbnails_layout.FIELDS`;
        None without text.
    """

    boxes: tuple[Box, ...] = ()
    area_share: float = 0.0
    field: str | None = None

    @property
    def count(self) -> int:
        """Return how many lines there are, 0 or more."""
        return len(self.boxes)


def lettering(levels: Levels) -> Lettering:
    """Return the lines of text in a picture.

    Parameters
    ----------
    levels : array of uint8
        Luma, (height, width), 0–255.

    Returns
    -------
    Lettering
        No lines in a picture of fewer than 7 pixels on a side: no letter fits into it.

    Notes
    -----
    O(pixels + letters²), with at most 600 spots that look like letters.

    References
    ----------
    Matas, J., Chum, O., Urban, M. and Pajdla, T. (2002). Robust wide baseline stereo from maximally
    stable extremal regions. BMVC.

    Examples
    --------
    >>> from PIL import Image, ImageDraw, ImageFont
    >>> picture = Image.new("L", (480, 270), 40)
    >>> font = ImageFont.load_default(48)
    >>> ImageDraw.Draw(picture).text((30, 190), "LAST TO LEAVE", 250, font)
    >>> found = lettering(np.asarray(picture))
    >>> found.count, found.field
    (1, 'bottom')
    >>> lettering(np.full((270, 480), 128, np.uint8))
    Lettering(boxes=(), area_share=0.0, field=None)
    >>> lettering(np.full((1, 1), 128, np.uint8)).count
    0
    """
    height, width = levels.shape
    # The finder of regions wants three pixels a side, and no letter fits into fewer than these.
    boxes = text_lines(_spots(levels)) if min(height, width) >= _LEAST_HEIGHT else []
    if not boxes:
        return Lettering()
    left, top, wide, high = boxes[0]
    return Lettering(
        boxes=tuple(boxes),
        area_share=covered_share(boxes, height, width),
        field=field_at((left + wide / 2) / width, (top + high / 2) / height),
    )


def _spots(levels: Levels) -> Integers:
    """Return the boxes of regions that could be letters: (n, 4), each once, in a fixed order."""
    import cv2  # noqa: PLC0415 # a tenth of a second that loading the graph need not pay

    one_thread()
    height, width = levels.shape
    finder = cv2.MSER.create(
        delta=_DELTA, min_area=_LEAST_AREA, max_area=round(_MOST_AREA_SHARE * height * width)
    )
    regions, found = finder.detectRegions(levels)
    if not len(found):
        return np.empty((0, 4), dtype=np.int64)
    boxes = np.asarray(found, dtype=np.int64)
    fill = np.array([len(region) for region in regions]) / (boxes[:, 2] * boxes[:, 3])
    wide, high = boxes[:, 2], boxes[:, 3]
    is_letter = (high >= _LEAST_HEIGHT) & (high <= _MOST_HEIGHT_SHARE * height)
    is_letter &= (wide <= 2.0 * high) & (high <= 8.0 * wide)
    is_letter &= (fill >= 0.2) & (fill <= 0.97)  # noqa: PLR2004 # neither a hair nor a block
    inside = (boxes[:, 0] > 0) & (boxes[:, 1] > 0)
    inside &= (boxes[:, 0] + wide < width) & (boxes[:, 1] + high < height)
    return _without_echoes(np.unique(boxes[is_letter & inside], axis=0))


def _without_echoes(boxes: Integers) -> Integers:
    """Drop all but the largest of boxes that nearly coincide or lie within one another.

    A stable region is found at several levels, and the inside of an O is a region as well.
    """
    area = boxes[:, 2] * boxes[:, 3]
    order = np.lexsort((boxes[:, 0], boxes[:, 1], -area))[:_MOST_LETTERS]
    boxes, area = boxes[order], area[order]
    right, bottom = boxes[:, 0] + boxes[:, 2], boxes[:, 1] + boxes[:, 3]
    wide = np.minimum.outer(right, right) - np.maximum.outer(boxes[:, 0], boxes[:, 0])
    high = np.minimum.outer(bottom, bottom) - np.maximum.outer(boxes[:, 1], boxes[:, 1])
    shared = np.maximum(wide, 0) * np.maximum(high, 0)
    # Row i is the larger box, column j the smaller: most of j lies inside of i.
    is_echo = np.triu(shared > 0.7 * area[None, :], k=1)
    kept = np.ones(area.size, dtype=bool)
    for i in range(area.size):
        if kept[i]:
            kept &= ~is_echo[i]
    return boxes[kept]


def text_lines(spots: Integers) -> list[Box]:
    """Gather boxes of letters into lines.

    Parameters
    ----------
    spots : array of int
        (n, 4): left, top, width and height of what could be letters.

    Returns
    -------
    list of Box
        Around every three or more spots that form a line: neighbours are of about one height (a
        factor of 1.7), stand on about one level, and are at most 0.9 of their height apart; the
        whole is at least half again as long as high. The largest first, of equally large ones the
        upper, then the left one.

    Notes
    -----
    O(n²), vectorised.

    References
    ----------
    Ours, for the area of text in thumbnails (#89).

    Examples
    --------
    >>> text_lines(np.array([[0, 10, 8, 12], [10, 10, 8, 12], [20, 11, 8, 12], [90, 60, 8, 12]]))
    [(0, 10, 28, 13)]
    >>> line = np.array([[0, 10, 8, 12], [10, 10, 8, 12], [20, 10, 8, 12]])
    >>> text_lines(np.concatenate([line + [0, 50, 0, 0], line]))
    [(0, 10, 28, 12), (0, 60, 28, 12)]
    >>> text_lines(np.empty((0, 4), dtype=np.int64))
    []
    """
    if not len(spots):
        return []
    left, top, wide, high = spots.T.astype(np.float64)
    right, middle = left + wide, top + high / 2.0
    lower = np.minimum.outer(high, high)
    gap = np.maximum.outer(left, left) - np.minimum.outer(right, right)
    is_near = np.maximum.outer(high, high) <= 1.7 * lower
    is_near &= np.abs(np.subtract.outer(middle, middle)) <= 0.35 * lower
    is_near &= gap <= 0.9 * lower
    label = np.arange(len(spots))
    while True:
        # The smallest number among all neighbours, until it has reached the end of every line.
        least = np.where(is_near, label[None, :], len(spots)).min(axis=1)
        least = least[least]
        if np.array_equal(least, label):
            break
        label = least
    lines = []
    for number in np.unique(label).tolist():
        own = label == number
        if np.count_nonzero(own) < _LETTERS:
            continue
        x, y = int(left[own].min()), int(top[own].min())
        box = (x, y, int(right[own].max()) - x, int((top + high)[own].max()) - y)
        if box[2] >= 1.5 * box[3]:  # a line is longer than high
            lines.append(box)
    return sorted(lines, key=lambda box: (-box[2] * box[3], box[1], box[0]))
