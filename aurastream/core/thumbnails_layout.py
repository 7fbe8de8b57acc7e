"""Where in a picture something happens: edges, what stands out, and a grid of nine fields.

The fields are numbered from left to right, then from top to bottom, and named by `FIELDS`. A grid
holds the share of each field in the whole picture, so that it sums to 1; an even picture has a
ninth everywhere. No figure has a better direction.
"""

from dataclasses import dataclass
from functools import cache
from math import sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from aurastream.core.errors import InvalidInputError
from aurastream.core.thumbnails_colour import luma, oklab

__all__ = ["FIELDS", "Layout", "edges", "entropy_bits", "field_at", "grid_shares", "layout"]

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

FIELDS: Final = (
    "top left",
    "top",
    "top right",
    "left",
    "centre",
    "right",
    "bottom left",
    "bottom",
    "bottom right",
)
_THIRDS: Final = 3
_EDGE: Final = 0.05
_SALIENCY_SIDE: Final = 160
_CROSSING_RADIUS: Final = 1 / 9


@dataclass(frozen=True, slots=True)
class Layout:
    """How a picture is composed.

    Parameters
    ----------
    edge_grid : tuple of float
        Share of each field in all edges, nine of 0–1 that sum to 1.
    saliency_grid : tuple of float
        Share of each field in what stands out from the picture's own mean colour.
    focus_field : str
        The field with the largest share of saliency; of equal ones the first.
    thirds_index : float
        Saliency around the four crossings of the lines of thirds, as a ratio to that of the whole
        picture: 1 is even, above 1 follows the rule of thirds. 0 or more.
    edge_density : float
        Share of pixels that lie on an edge, 0–1.
    entropy_bits : float
        Shannon entropy of 256 levels of luma, 0 flat – 8.
    clutter : float
        Geometric mean of edge density and entropy / 8: 0 empty – 1 crowded.
    """

    edge_grid: tuple[float, ...]
    saliency_grid: tuple[float, ...]
    focus_field: str
    thirds_index: float
    edge_density: float
    entropy_bits: float
    clutter: float


def layout(pixels: Pixels) -> Layout:
    """Return how a picture is composed. O(pixels).

    Parameters
    ----------
    pixels : array of uint8
        (height, width, 3), RGB, at least one pixel.

    Returns
    -------
    Layout
        Of an even picture the grids are a ninth everywhere, the focus is the first field, and the
        index of thirds is 1.

    Notes
    -----
    Saliency is the distance in OKLab between a pixel, blurred a little, and the mean of the
    picture (Achanta et al.), on at most 160 pixels a side.

    References
    ----------
    Achanta, R., Hemami, S., Estrada, F. and Süsstrunk, S. (2009). Frequency-tuned salient region
    detection. CVPR.

    Examples
    --------
    A red square in the upper left of a white picture:

    >>> picture = np.full((90, 160, 3), 255, np.uint8)
    >>> picture[5:25, 10:45] = (255, 0, 0)
    >>> found = layout(picture)
    >>> found.focus_field, round(sum(found.edge_grid), 9), found.edge_grid[8]
    ('top left', 1.0, 0.0)
    >>> flat = layout(np.full((90, 160, 3), 128, np.uint8))
    >>> flat.edge_density, flat.entropy_bits, flat.clutter, flat.thirds_index
    (0.0, 0.0, 0.0, 1.0)

    Of fields that stand out equally, the first is the focus:

    >>> picture = np.full((90, 90, 3), 255, np.uint8)
    >>> picture[40:50, 5:15] = picture[40:50, 75:85] = (255, 0, 0)
    >>> layout(picture).focus_field, flat.focus_field
    ('left', 'top left')
    """
    light = luma(pixels)
    strength = edges(light)
    density = float((strength > _EDGE).mean())
    bits = entropy_bits(light)
    stands_out = _saliency(pixels)
    saliency = grid_shares(stands_out)
    return Layout(
        edge_grid=grid_shares(strength),
        saliency_grid=saliency,
        # Rounded, so that fields that are equal but for the last bit are equal.
        focus_field=FIELDS[int(np.argmax(np.round(saliency, 9)))],
        thirds_index=_thirds_index(stands_out),
        edge_density=density,
        entropy_bits=bits,
        clutter=sqrt(density * bits / 8.0),
    )


def edges(light: Floats) -> Floats:
    """Return the strength of the edge at each pixel: an eighth of Sobel's gradient of luma.

    The border is mirrored without repeating its pixels.

    Parameters
    ----------
    light : array of float
        Luma, (height, width), 0–1.

    Returns
    -------
    array of float
        (height, width): 0 flat – √5/4, about 0.56, the steepest that nine pixels can show; a
        straight edge from black to white is 0.5 and one across the corners 0.53. A picture of one
        row or column is even in the other direction.

    Notes
    -----
    O(pixels).

    References
    ----------
    Sobel, I. and Feldman, G. (1968). A 3 × 3 isotropic gradient operator for image processing.
    Talk at the Stanford Artificial Intelligence Project.

    Examples
    --------
    >>> edges(np.array([[0.0, 0.0, 1.0, 1.0]] * 3)).round(3)[1].tolist()
    [0.0, 0.5, 0.5, 0.0]
    >>> edges(np.array([[0, 0, 1], [0, 0, 1], [0, 1, 1]], float))[1, 1].round(3).item()
    0.559
    >>> edges(np.ones((1, 1))).tolist()
    [[0.0]]
    """
    p = np.pad(light, 1, mode="reflect")
    columns = p[:-2] + 2.0 * p[1:-1] + p[2:]
    rows = p[:, :-2] + 2.0 * p[:, 1:-1] + p[:, 2:]
    found: Floats = np.hypot(columns[:, 2:] - columns[:, :-2], rows[2:] - rows[:-2]) / 8.0
    return found


def entropy_bits(light: Floats) -> float:
    """Return the Shannon entropy of luma in 256 levels.

    Parameters
    ----------
    light : array of float
        Luma, of any shape, 0–1.

    Returns
    -------
    float
        Bits: 0 one level alone – 8 all levels equally often. 0 without a pixel.

    Notes
    -----
    O(pixels).

    References
    ----------
    Shannon, C. E. (1948). A mathematical theory of communication. Bell System Technical Journal 27.

    Examples
    --------
    >>> entropy_bits(np.array([[0.0, 1.0]])), entropy_bits(np.ones((2, 2)))
    (1.0, 0.0)
    >>> entropy_bits(np.arange(256) / 255), entropy_bits(np.zeros((0, 0)))
    (8.0, 0.0)
    """
    levels = np.bincount(np.rint(light.ravel() * 255.0).astype(np.int64), minlength=256)
    share = levels[levels > 0] / light.size
    return max(0.0, -float((share * np.log2(share)).sum()))


def grid_shares(values: Floats) -> tuple[float, ...]:
    """Return the share of each of the nine fields in the sum.

    A pixel belongs to the field that its centre lies in; with fewer than three pixels on a side,
    each counts for a part of the fields it lies in.

    Parameters
    ----------
    values : array of float
        (height, width), 0 or more, no NaN. At least one pixel.

    Returns
    -------
    tuple of float
        Nine of 0–1 that sum to 1, in the order of `FIELDS`; a ninth each where all is 0.

    Notes
    -----
    O(pixels).

    References
    ----------
    Ours, for the layout grid of thumbnails (#89).

    Examples
    --------
    >>> picture = np.zeros((6, 6))
    >>> picture[0, 0], picture[5, 5] = 3.0, 1.0
    >>> grid_shares(picture)
    (0.75, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.25)
    >>> [round(share, 3) for share in grid_shares(np.array([[1.0, 0.0, 1.0]]))]
    [0.167, 0.0, 0.167, 0.167, 0.0, 0.167, 0.167, 0.0, 0.167]
    >>> set(grid_shares(np.zeros((6, 6)))) == {1 / 9}
    True
    """
    for axis in (0, 1):
        if values.shape[axis] < _THIRDS:
            values = values.repeat(_THIRDS, axis=axis)
    height, width = values.shape
    by_rows = np.add.reduceat(values, _starts(height), axis=0)
    sums = np.add.reduceat(by_rows, _starts(width), axis=1)
    total = float(sums.sum())
    if total <= 0.0:
        return (1.0 / 9.0,) * 9
    return tuple((sums / total).ravel().tolist())


def field_at(x: float, y: float) -> str:
    """Return the field of a point.

    Parameters
    ----------
    x : float
        Share of the width, 0 left – 1 right.
    y : float
        Share of the height, 0 top – 1 bottom.

    Returns
    -------
    str
        One of `FIELDS`. A point on a line of thirds lies to the right of it, or below it.

    Raises
    ------
    InvalidInputError
        When the point lies outside the picture.

    Notes
    -----
    O(1).

    References
    ----------
    Ours, for the layout grid of thumbnails (#89).

    Examples
    --------
    >>> field_at(0.1, 0.1), field_at(0.5, 0.5), field_at(1.0, 0.5)
    ('top left', 'centre', 'right')
    >>> field_at(1 / 3, 0.0), field_at(1 / 3, 2 / 3)
    ('top', 'bottom')
    """
    if not (0.0 <= x <= 1.0 and 0.0 <= y <= 1.0):
        raise InvalidInputError(
            f"The point ({x:g}, {y:g}) lies outside the picture.", fix="Pass shares of its sides."
        )
    column, row = (min(_THIRDS - 1, int(place * _THIRDS)) for place in (x, y))
    return FIELDS[row * _THIRDS + column]


def _starts(length: int) -> list[int]:
    return [round(length * part / _THIRDS) for part in range(_THIRDS)]


def _saliency(pixels: Pixels) -> Floats:
    step = max(1, -(-max(pixels.shape[:2]) // _SALIENCY_SIDE))
    # A strip keeps a pixel for each field across, however long it is.
    steps = [max(1, min(step, length // _THIRDS)) for length in pixels.shape[:2]]
    place = oklab(_averaged(pixels, steps[0], steps[1]))
    gap = place - place.mean(axis=(0, 1))
    blurred = np.stack([_blurred(gap[..., i]) for i in range(3)], axis=-1)
    found: Floats = np.sqrt((blurred**2).sum(axis=-1))
    # What differs by less than rounding does not stand out.
    return np.where(found < 1e-6, 0.0, found)  # noqa: PLR2004 # far below a level of any channel


def _averaged(pixels: Pixels, down: int, across: int) -> Pixels:
    count = down * across
    if count == 1:
        return pixels
    rows, columns = pixels.shape[0] // down, pixels.shape[1] // across
    whole = pixels[: rows * down, : columns * across]
    total = whole.reshape(rows, down, columns, across, 3).sum(axis=(1, 3), dtype=np.int64)
    mean: Pixels = ((total + count // 2) // count).astype(np.uint8)
    return mean


def _blurred(values: Floats) -> Floats:
    """Return the binomial blur of five by five."""
    for axis in (0, 1):
        pad = [(2, 2) if a == axis else (0, 0) for a in (0, 1)]
        p = np.pad(values, pad, mode="edge")
        n = values.shape[axis]
        parts = [np.take(p, range(i, i + n), axis=axis) for i in range(5)]
        values = (parts[0] + 4.0 * parts[1] + 6.0 * parts[2] + 4.0 * parts[3] + parts[4]) / 16.0
    return values


@cache
def _near_crossings(height: int, width: int) -> npt.NDArray[np.bool_]:
    x = (np.arange(width) + 0.5) / width
    y = (np.arange(height) + 0.5) / height
    near_x = np.minimum(np.abs(x - 1 / 3), np.abs(x - 2 / 3))
    near_y = np.minimum(np.abs(y - 1 / 3), np.abs(y - 2 / 3))
    is_near: npt.NDArray[np.bool_] = np.hypot(near_x[None], near_y[:, None]) <= _CROSSING_RADIUS
    return is_near


def _thirds_index(stands_out: Floats) -> float:
    whole = float(stands_out.mean())
    is_near = _near_crossings(*stands_out.shape)
    if whole <= 0.0 or not is_near.any():
        return 1.0
    return float(stands_out[is_near].mean()) / whole
