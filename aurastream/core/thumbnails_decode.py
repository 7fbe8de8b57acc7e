"""From the bytes of a thumbnail to pixels of one size, or to the reason why there are none.

What comes from outside may be anything: a web page, half a file, an animation, a picture of 20,000
by 20,000 that packs into a few kilobytes. The size is read from the header before anything is
unpacked, and every failure is a `ThumbnailRejectedError` with a `RejectionReason`, so that it
concerns one picture alone.

Pixels are RGB, eight bits, at most `DecodeLimits.working_side` on the longer side, black bars of
letterboxed pictures cut off, transparent parts on white, the first picture of an animation. The
same bytes give the same pixels: every step counts in integers.
"""

from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aurastream.core.errors import InvalidInputError

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = [
    "DecodeLimits",
    "DecodedThumbnail",
    "RejectionReason",
    "ThumbnailRejectedError",
    "decode_thumbnail",
    "without_bars",
]

Pixels = npt.NDArray[np.uint8]


class RejectionReason(StrEnum):
    """Why there are no features of a thumbnail."""

    MISSING = "missing"
    """The platform has none (any more): 404, 410, or an empty body."""
    UNREACHABLE = "unreachable"
    """The server failed, gave no file, or did not answer in time; it may do so another time."""
    FOREIGN_HOST = "foreign_host"
    """The address lies where no thumbnails are fetched from."""
    TOO_MANY_BYTES = "too_many_bytes"
    NOT_AN_IMAGE = "not_an_image"
    """Neither JPEG nor PNG, WebP or GIF."""
    TRUNCATED = "truncated"
    """The file ends too early."""
    CORRUPT = "corrupt"
    """The file begins as a picture and is none."""
    TOO_LONG_A_SIDE = "too_long_a_side"
    TOO_MANY_PIXELS = "too_many_pixels"
    TOO_SMALL = "too_small"
    TOO_NARROW = "too_narrow"
    """A strip, of which nothing is left at the size that is looked at."""
    UNREADABLE = "unreadable"
    """Something failed that should not have; the words say what."""
    UNREAD = "unread"
    """The words in it could not be read; everything else of it is known."""


class ThumbnailRejectedError(InvalidInputError):
    """A thumbnail cannot be looked at.

    Parameters
    ----------
    reason : RejectionReason
        Why.
    message : str
        The same in words, with the numbers.
    """

    def __init__(self, reason: RejectionReason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class DecodeLimits:
    """What is accepted, and how large the pixels are that are looked at.

    5 MB is the cap of the sources (#59). 4,096 pixels a side and 8.3 million in all let 4K pass;
    16 pixels a side are the least of a picture as it comes, and 9 of what is left of it at the size
    that is looked at, so that a grid of nine fields can be laid over both. All but the first are
    ours.
    """

    max_bytes: int = 5_000_000
    max_side: int = 4_096
    max_pixels: int = 3_840 * 2_160
    min_side: int = 16
    working_side: int = 480
    min_working_side: int = 9


DEFAULT: Final = DecodeLimits()


@dataclass(frozen=True, slots=True, eq=False)
class DecodedThumbnail:
    """Pixels to look at.

    Parameters
    ----------
    pixels : array of uint8
        (height, width, 3), RGB.
    width, height : int
        Of the picture as it came, bars included.
    image_format : str
        JPEG, PNG, WEBP or GIF.
    is_animated : bool
        Whether there are more pictures than the one that was looked at.
    """

    pixels: Pixels
    width: int
    height: int
    image_format: str
    is_animated: bool


_FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")
# A JPEG with others behind it, such as a second eye's or a gain map: they are no animation.
_SEVERAL: Final = "MPO"
_BEGINNINGS: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"RIFF")
_RIFF_HEADER: Final = 8


def decode_thumbnail(data: bytes, limits: DecodeLimits = DEFAULT) -> DecodedThumbnail:
    """Unpack a thumbnail, within limits.

    Parameters
    ----------
    data : bytes
        The file, whatever it is.
    limits : DecodeLimits
        What is accepted.

    Returns
    -------
    DecodedThumbnail
        With pixels of at least ``min_working_side`` and at most ``working_side`` a side.

    Raises
    ------
    ThumbnailRejectedError
        With its reason; never anything else.

    Notes
    -----
    O(pixels). A JPEG is unpacked at a half, a quarter or an eighth of its size where that is still
    larger than what is looked at.

    References
    ----------
    Worker audit, the cap of 5 MB (#59). Ours are the other limits and the size that is looked at.

    Examples
    --------
    >>> from io import BytesIO
    >>> from PIL import Image
    >>> file = BytesIO()
    >>> Image.new("RGB", (1280, 720), "red").save(file, "PNG")
    >>> found = decode_thumbnail(file.getvalue())
    >>> found.pixels.shape, found.width, found.pixels[0, 0].tolist()
    ((270, 480, 3), 1280, [255, 0, 0])
    >>> web = BytesIO()
    >>> Image.new("RGB", (1280, 720), "red").save(web, "WEBP")
    >>> for data in (b"", b"<html>", file.getvalue()[:200], web.getvalue()[:-1]):
    ...     try:
    ...         decode_thumbnail(data)
    ...     except ThumbnailRejectedError as error:
    ...         print(error.reason)
    missing
    not_an_image
    truncated
    truncated
    """
    if not data:
        raise ThumbnailRejectedError(RejectionReason.MISSING, "The thumbnail is empty.")
    if len(data) > limits.max_bytes:
        raise ThumbnailRejectedError(
            RejectionReason.TOO_MANY_BYTES,
            f"The thumbnail has {len(data):,} bytes; {limits.max_bytes:,} are accepted.",
        )
    image = _opened(data)
    width, height = image.size
    _check_size(width, height, limits)
    try:
        # Only JPEG can be unpacked at a fraction of its size; for others this does nothing.
        image.draft("RGB", (limits.working_side, limits.working_side))
        image.load()
        _check_size(*image.size, limits)
        pixels = _shrunk(_in_rgb(image), limits.working_side)
        _check_strip(width, height, pixels, limits)
    except ThumbnailRejectedError:
        raise
    except Exception as error:  # decoders of hostile bytes raise whatever they like
        raise _broken(error, data) from error
    is_several = image.format == _SEVERAL
    return DecodedThumbnail(
        pixels=pixels,
        width=width,
        height=height,
        image_format="JPEG" if is_several else str(image.format),
        is_animated=bool(getattr(image, "is_animated", False)) and not is_several,
    )


def _opened(data: bytes) -> "Image":
    from PIL import Image, UnidentifiedImageError  # noqa: PLC0415 # loading the graph needs none

    try:
        return Image.open(BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError as error:
        if _is_cut_off(data):
            raise _broken(error, data) from error
        if data.startswith(_BEGINNINGS):
            raise ThumbnailRejectedError(
                RejectionReason.CORRUPT, "The thumbnail's header cannot be read."
            ) from error
        raise ThumbnailRejectedError(
            RejectionReason.NOT_AN_IMAGE, "The thumbnail is neither JPEG nor PNG, WebP or GIF."
        ) from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ThumbnailRejectedError(RejectionReason.TOO_MANY_PIXELS, str(error)) from error
    except Exception as error:  # as above
        raise _broken(error, data) from error


def _check_size(width: int, height: int, limits: DecodeLimits) -> None:
    if max(width, height) > limits.max_side:
        raise ThumbnailRejectedError(
            RejectionReason.TOO_LONG_A_SIDE,
            f"The thumbnail is {width} × {height}; {limits.max_side} a side are accepted.",
        )
    if width * height > limits.max_pixels:
        raise ThumbnailRejectedError(
            RejectionReason.TOO_MANY_PIXELS,
            f"The thumbnail has {width * height:,} pixels; {limits.max_pixels:,} are accepted.",
        )
    if min(width, height) < limits.min_side:
        raise ThumbnailRejectedError(
            RejectionReason.TOO_SMALL,
            f"The thumbnail is {width} × {height}; {limits.min_side} a side are needed.",
        )


def _check_strip(width: int, height: int, pixels: Pixels, limits: DecodeLimits) -> None:
    if min(pixels.shape[:2]) < limits.min_working_side:
        left = f"{pixels.shape[1]} × {pixels.shape[0]}"
        raise ThumbnailRejectedError(
            RejectionReason.TOO_NARROW,
            f"The thumbnail is {width} × {height}, without black bars and at the size that is "
            f"looked at {left}; {limits.min_working_side} a side are needed.",
        )


def _is_cut_off(data: bytes) -> bool:
    """Return whether a WebP is shorter than it says; its decoder does not tell why it fails."""
    is_webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return is_webp and len(data) < _RIFF_HEADER + int.from_bytes(data[4:_RIFF_HEADER], "little")


def _broken(error: Exception, data: bytes) -> ThumbnailRejectedError:
    words = str(error).lower()
    is_short = "truncated" in words or "incomplete" in words or _is_cut_off(data)
    if isinstance(error, EOFError) or is_short:
        return ThumbnailRejectedError(RejectionReason.TRUNCATED, "The thumbnail ends too early.")
    return ThumbnailRejectedError(
        RejectionReason.CORRUPT, f"The thumbnail cannot be unpacked ({type(error).__name__})."
    )


def _in_rgb(image: "Image") -> "Image":
    from PIL import Image  # noqa: PLC0415 # loading the graph needs none

    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if image.mode in {"RGBA", "LA", "PA", "RGBa", "La"} or "transparency" in image.info:
        layered = image.convert("RGBA")
        ground = Image.new("RGBA", layered.size, "white")
        return Image.alpha_composite(ground, layered).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def _shrunk(image: "Image", side: int) -> Pixels:
    from PIL import Image  # noqa: PLC0415 # loading the graph needs none

    pixels = np.asarray(image)
    whole = without_bars(pixels)
    if whole.shape != pixels.shape:
        image = Image.fromarray(whole)
    longest = max(image.size)
    if longest > side:
        width, height = (max(1, round(length * side / longest)) for length in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)
    return np.ascontiguousarray(np.asarray(image))


_BAR_LEVEL: Final = 24
_BAR_SHARE: Final = 0.3


def without_bars(pixels: Pixels) -> Pixels:
    """Return a picture without the black bars above and below it, or beside it.

    The smaller sizes of YouTube's thumbnails are 4:3 with bars, the largest are not; without this,
    channels without the largest size would seem to love black. Bars are rows (or columns) with no
    channel of any pixel above 24 of 255, as many on one side as on the other give or take two, and
    at most 30 % of the picture on each side.

    Parameters
    ----------
    pixels : array of uint8
        (height, width, 3).

    Returns
    -------
    array of uint8
        A view. A picture that is black all over is returned whole.

    Notes
    -----
    O(pixels).

    References
    ----------
    Ours: no source says what to do about the bars of letterboxed thumbnails.

    Examples
    --------
    >>> import numpy as np
    >>> picture = np.full((360, 480, 3), 200, np.uint8)
    >>> picture[:45] = picture[-45:] = 8
    >>> without_bars(picture).shape
    (270, 480, 3)
    >>> picture[:45] = 200  # a dark lower third is no bar
    >>> without_bars(picture).shape
    (360, 480, 3)
    >>> without_bars(np.zeros((360, 480, 3), np.uint8)).shape
    (360, 480, 3)
    """
    for axis in (0, 1):
        # Along one long axis at a time: a maximum over three channels is slow in numpy.
        lines = pixels.reshape(pixels.shape[0], -1).T if axis == 0 else pixels
        lightest = lines.max(axis=0).reshape(pixels.shape[axis], -1).max(axis=1)
        is_light = lightest > _BAR_LEVEL
        if not is_light.any():
            return pixels
        first = int(is_light.argmax())
        last = int(is_light[::-1].argmax())
        if min(first, last) > 0 and abs(first - last) <= 2 and first <= _BAR_SHARE * is_light.size:  # noqa: PLR2004 # rounding of either bar
            part = slice(first, is_light.size - last)
            pixels = pixels[part] if axis == 0 else pixels[:, part]
    return pixels
