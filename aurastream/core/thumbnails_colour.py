"""The colours of a picture: how bright, how contrasty, how colourful, and which ones.

No figure has a better direction: `aurastream.core.thumbnails_lift` measures which go along with
faster videos. All take pixels as `aurastream.core.thumbnails_decode` gives them: RGB, eight bits.
"""

import re
import reprlib
from dataclasses import dataclass
from math import atan2, degrees, hypot, sqrt
from typing import Final

import numpy as np
import numpy.typing as npt

from aurastream.core.errors import InvalidInputError

__all__ = [
    "COLOUR_NAMES",
    "Tone",
    "colour_name",
    "luma",
    "oklab",
    "palette",
    "tone",
]

Floats = npt.NDArray[np.float64]
Pixels = npt.NDArray[np.uint8]

COLOUR_NAMES: Final = (
    "black",
    "white",
    "grey",
    "red",
    "orange",
    "yellow",
    "green",
    "cyan",
    "blue",
    "purple",
    "pink",
)
"""What `colour_name` may say."""


@dataclass(frozen=True, slots=True)
class Tone:
    """Light and colour of a whole picture.

    Parameters
    ----------
    brightness : float
        Mean luma, 0 black – 1 white.
    contrast : float
        Standard deviation of luma (RMS contrast), 0 flat – 0.5 half black, half white.
    saturation : float
        Mean of the S of HSV, 0 grey – 1.
    colourfulness : float
        Hasler and Süsstrunk's M3: 0 is grey, 33 moderately colourful, 82 and more highly so.
    """

    brightness: float
    contrast: float
    saturation: float
    colourfulness: float


def luma(pixels: Pixels) -> Floats:
    """Return how light each pixel is: Rec. 709 weights of the stored (gamma) values.

    Parameters
    ----------
    pixels : array of uint8
        (…, 3), RGB.

    Returns
    -------
    array of float
        (…), 0 black – 1 white.

    Notes
    -----
    O(pixels).

    References
    ----------
    ITU-R (2015). Recommendation BT.709-6. Parameter values for the HDTV standards for production
    and international programme exchange.

    Examples
    --------
    >>> luma(np.array([[[255, 255, 255], [0, 255, 0], [0, 0, 0]]], np.uint8)).round(4).tolist()
    [[1.0, 0.7152, 0.0]]
    >>> luma(np.zeros((0, 3), np.uint8)).tolist()
    []
    """
    r, g, b = (pixels[..., i].astype(np.float64) for i in range(3))
    found: Floats = (0.2126 * r + 0.7152 * g + 0.0722 * b) / 255.0
    return found


def tone(pixels: Pixels) -> Tone:
    """Return light and colour of a picture. O(pixels).

    Parameters
    ----------
    pixels : array of uint8
        (…, 3), RGB, at least one pixel.

    Returns
    -------
    Tone
        Brightness and saturation of 0–1, contrast of 0–0.5, colourfulness of 0 or more. Black has
        no saturation.

    References
    ----------
    Hasler, D. and Süsstrunk, S. (2003). Measuring colorfulness in natural images. SPIE 5007.

    Examples
    --------
    >>> half = np.zeros((2, 2, 3), np.uint8)
    >>> half[0] = 255
    >>> found = tone(half)
    >>> round(found.brightness, 9), round(found.contrast, 9), found.colourfulness
    (0.5, 0.5, 0.0)
    >>> tone(np.full((2, 2, 3), (255, 0, 0), np.uint8)).saturation
    1.0
    >>> tone(np.zeros((1, 1, 3), np.uint8))
    Tone(brightness=0.0, contrast=0.0, saturation=0.0, colourfulness=0.0)
    """
    light = luma(pixels)
    r, g, b = (pixels[..., i].astype(np.float64) for i in range(3))
    red_green, yellow_blue = r - g, (r + g) / 2.0 - b
    spread = hypot(float(red_green.std()), float(yellow_blue.std()))
    shift = hypot(float(red_green.mean()), float(yellow_blue.mean()))
    most = np.maximum(np.maximum(r, g), b)
    least = np.minimum(np.minimum(r, g), b)
    saturation = (most - least) / np.where(most == 0.0, 1.0, most)
    return Tone(
        # A sum of thousands of ones may come out a hair above one.
        brightness=min(1.0, float(light.mean())),
        contrast=min(0.5, float(light.std())),
        saturation=float(saturation.mean()),
        colourfulness=spread + 0.3 * shift,
    )


_TO_LMS: Final = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB: Final = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_STORED: Final = np.arange(256) / 255.0
_LINEAR: Final = np.where(_STORED <= 0.04045, _STORED / 12.92, ((_STORED + 0.055) / 1.055) ** 2.4)  # noqa: PLR2004 # the sRGB transfer function


def oklab(pixels: Pixels) -> Floats:
    """Return pixels in OKLab, where equal distances look about equally large.

    Parameters
    ----------
    pixels : array of uint8
        (…, 3), RGB, sRGB's transfer function.

    Returns
    -------
    array of float
        (…, 3): L is 0 black – 1 white; a grows from green to red, about −0.23–0.28, b from
        blue to yellow, about −0.31–0.20.

    Notes
    -----
    O(pixels).

    References
    ----------
    Ottosson, B. (2020). A perceptual color space for image processing.

    Examples
    --------
    >>> (oklab(np.array([[255, 255, 255], [255, 0, 0]], np.uint8)).round(3) + 0.0).tolist()
    [[1.0, 0.0, 0.0], [0.628, 0.225, 0.126]]
    >>> oklab(np.zeros((0, 3), np.uint8)).shape
    (0, 3)
    """
    linear = _LINEAR[pixels]
    # Written out: a product of matrices may add in another order on another processor.
    lms = [linear[..., 0] * w[0] + linear[..., 1] * w[1] + linear[..., 2] * w[2] for w in _TO_LMS]
    l, m, s = (np.cbrt(channel) for channel in lms)  # noqa: E741 # the space's own names
    return np.stack([l * w[0] + m * w[1] + s * w[2] for w in _TO_LAB], axis=-1)


_STEP_BITS: Final = 4
_ROUNDS: Final = 12
_ONE_COLOUR: Final = 0.06


def palette(pixels: Pixels, count: int = 5) -> list[tuple[str, float]]:
    """Return the dominant colours with their shares, the most frequent first.

    Parameters
    ----------
    pixels : array of uint8
        (…, 3), RGB, at least one pixel.
    count : int
        How many colours at most, 1 or more.

    Returns
    -------
    list of (str, float)
        ``#rrggbb`` and its share, 0–1; the shares sum to 1. Fewer than ``count`` where the picture
        has no more: colours closer than 0.06 in OKLab are one. Equal shares by the colour's text.

    Notes
    -----
    k-means in OKLab over colours of four bits a channel, weighted by their pixels. It starts at the
    most frequent colour and goes on with the one that is farthest (times the root of its weight)
    from those chosen, so that nothing is drawn by lot: the same picture gives the same colours, in
    whatever order its pixels are. O(pixels + count · distinct colours).

    References
    ----------
    Lloyd, S. P. (1982). Least squares quantization in PCM. IEEE Transactions on Information Theory
    28(2). Ours are the start, which is nearly that of Gonzalez, T. F. (1985). Clustering to
    minimize the maximum intercluster distance. Theoretical Computer Science 38, and what is one
    colour.

    Examples
    --------
    >>> flag = np.array([[255, 0, 0]] * 6 + [[0, 0, 255]] * 3 + [[250, 2, 2]], np.uint8)
    >>> palette(flag)
    [('#fe0000', 0.7), ('#0000ff', 0.3)]

    Equally frequent ones come by their text, and ``count`` is the most there are:

    >>> palette(np.array([[255, 0, 0], [0, 0, 255]], np.uint8))
    [('#0000ff', 0.5), ('#ff0000', 0.5)]
    >>> palette(flag, count=1)[0][1]
    1.0
    """
    flat = pixels.reshape(-1, 3)
    r, g, b = (flat[:, i].astype(np.int64) for i in range(3))
    width = 8 - _STEP_BITS
    cell = ((r >> _STEP_BITS) << 2 * width) | ((g >> _STEP_BITS) << width) | (b >> _STEP_BITS)
    weight = np.bincount(cell, minlength=1 << 3 * width)
    used = np.flatnonzero(weight)
    sums = np.stack([np.bincount(cell, c, minlength=weight.size)[used] for c in (r, g, b)], axis=1)
    share = weight[used] / flat.shape[0]
    mean = sums / weight[used][:, None]
    place = oklab(np.rint(mean).astype(np.uint8))
    centres = _spread_out(place, share, count)
    label = np.zeros(used.size, dtype=np.int64)
    for _ in range(_ROUNDS):
        nearest = _distances(place, centres).argmin(axis=1)
        centres = _means(place, share, nearest, centres)
        if np.array_equal(nearest, label):
            break
        label = nearest
    label = _merged(centres)[nearest]
    found = []
    for number in np.unique(label).tolist():
        own = label == number
        total = float(share[own].sum())
        colour = np.rint((mean[own] * share[own][:, None]).sum(axis=0) / total).astype(int)
        found.append((total, "#{:02x}{:02x}{:02x}".format(*colour.tolist())))
    found.sort(key=lambda pair: (-pair[0], pair[1]))
    return [(name, part) for part, name in found]


def _distances(points: Floats, centres: Floats) -> Floats:
    gap = points[:, None, :] - centres[None, :, :]
    squares: Floats = gap[..., 0] ** 2 + gap[..., 1] ** 2 + gap[..., 2] ** 2
    return squares


def _spread_out(points: Floats, share: Floats, count: int) -> Floats:
    """Return starting points: the most frequent, then always the one that is worst served."""
    chosen = [int(share.argmax())]
    nearest = _distances(points, points[chosen]).ravel()
    while len(chosen) < min(count, points.shape[0]):
        worst = int((nearest * np.sqrt(share)).argmax())
        if nearest[worst] == 0.0:
            break
        chosen.append(worst)
        nearest = np.minimum(nearest, _distances(points, points[[worst]]).ravel())
    found: Floats = points[chosen]
    return found


def _means(points: Floats, share: Floats, label: npt.NDArray[np.int64], old: Floats) -> Floats:
    weight = np.bincount(label, share, minlength=old.shape[0])
    sums = [np.bincount(label, share * points[:, i], minlength=old.shape[0]) for i in range(3)]
    safe = np.where(weight > 0.0, weight, 1.0)
    return np.where((weight > 0.0)[:, None], np.stack(sums, axis=1) / safe[:, None], old)


def _merged(centres: Floats) -> npt.NDArray[np.int64]:
    """Return for each centre the first one that looks the same."""
    is_near = _distances(centres, centres) < _ONE_COLOUR**2
    found: npt.NDArray[np.int64] = is_near.argmax(axis=1)
    return found


_GREY: Final = 0.045
_BLACK: Final = 0.28
_WHITE: Final = 0.88
_HUES: Final = (
    (12.0, "pink"),
    (43.0, "red"),
    (80.0, "orange"),
    (122.0, "yellow"),
    (168.0, "green"),
    (222.0, "cyan"),
    (285.0, "blue"),
    (335.0, "purple"),
    (360.0, "pink"),
)
_HEXADECIMAL: Final = re.compile("#[0-9A-Fa-f]{6}")


def colour_name(hexadecimal: str) -> str:
    """Return the name of a colour, by lightness, chroma and hue in OKLab.

    Parameters
    ----------
    hexadecimal : str
        ``#rrggbb``, in small letters or capitals.

    Returns
    -------
    str
        One of `COLOUR_NAMES`. A hue on the border of two names has the latter's.

    Raises
    ------
    InvalidInputError
        When it is not ``#`` and six hexadecimal digits.

    Notes
    -----
    O(1).

    References
    ----------
    Ours are the borders of the names, in the space of Ottosson, B. (2020). A perceptual color space
    for image processing.

    Examples
    --------
    >>> [colour_name(c) for c in ("#000000", "#ffffff", "#808080", "#ff0000", "#ffa500")]
    ['black', 'white', 'grey', 'red', 'orange']
    >>> [colour_name(c) for c in ("#ffff00", "#00a000", "#00ffff", "#2040ff", "#8020c0")]
    ['yellow', 'green', 'cyan', 'blue', 'purple']
    >>> colour_name("#FF80C0"), colour_name("#000020")
    ('pink', 'black')
    >>> colour_name("#fffff")
    Traceback (most recent call last):
    aurastream.core.errors.InvalidInputError: '#fffff' is no colour. Write it as #rrggbb.
    """
    if _HEXADECIMAL.fullmatch(hexadecimal) is None:
        raise InvalidInputError(
            f"{reprlib.repr(hexadecimal)} is no colour.", fix="Write it as #rrggbb."
        )
    rgb = np.array([[int(hexadecimal[i : i + 2], 16) for i in (1, 3, 5)]], dtype=np.uint8)
    lightness, a, b = oklab(rgb)[0].tolist()
    if sqrt(a * a + b * b) < _GREY:
        if lightness < _BLACK:
            return "black"
        return "white" if lightness > _WHITE else "grey"
    if lightness < _BLACK / 2.0:
        return "black"
    hue = degrees(atan2(b, a)) % 360.0
    return next(name for end, name in _HUES if hue < end)
