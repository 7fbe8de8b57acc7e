"""Small real pictures for every thumbnail link, painted from the link itself.

The same link always gives the same picture. Each has what layout analysis looks for: a two-colour
background, up to two round shapes where faces would be, and bars where words would stand.
"""

import re
from functools import lru_cache
from io import BytesIO
from typing import Final

from aurastream.replay.hashing import mix_int

__all__ = ["YOUTUBE_SIZES", "paint", "parse_size"]

YOUTUBE_SIZES: Final = {
    "default": (120, 90),
    "mqdefault": (320, 180),
    "hqdefault": (480, 360),
    "sddefault": (640, 480),
    "maxresdefault": (1280, 720),
}
_SIZE: Final = re.compile(r"(\d{1,4})x(\d{1,4})\.(?:jpe?g|png)$")
_LARGEST: Final = 1920
_CACHED: Final = 512


def parse_size(path: str) -> tuple[int, int] | None:
    """Return the width and height at the end of a link, or None if there is none.

    Examples
    --------
    >>> parse_size("/ttv-boxart/33214-285x380.jpg")
    (285, 380)
    """
    found = _SIZE.search(path)
    if found is None:
        return None
    width, height = int(found[1]), int(found[2])
    return (width, height) if 0 < width <= _LARGEST and 0 < height <= _LARGEST else None


@lru_cache(maxsize=_CACHED)
def paint(name: str, width: int, height: int) -> bytes:
    """Return a JPEG.

    Parameters
    ----------
    name : str
        What the picture is of; decides everything in it but the size.
    width, height : int
        Size in pixels.
    """
    from PIL import Image, ImageDraw  # noqa: PLC0415 # a crawl needs none, and starts quicker

    draw = mix_int(int.from_bytes(name.encode()[:64], "big") % (1 << 61))
    top, bottom = _colour(draw), _colour(draw >> 24)
    image = Image.linear_gradient("L").resize((width, height))
    image = Image.composite(
        Image.new("RGB", (width, height), bottom), Image.new("RGB", (width, height), top), image
    )
    canvas = ImageDraw.Draw(image)
    for number in range(draw % 3):
        bits = mix_int(draw + number)
        size = height * (25 + bits % 25) // 100
        left, above = (
            (width - size) * (bits >> 8 & 63) // 64,
            (height - size) * (bits >> 16 & 63) // 64,
        )
        canvas.ellipse((left, above, left + size, above + size), fill=(224, 172, 105))
    for line in range(1 + (draw >> 50) % 3):
        bits = mix_int(draw + 100 + line)
        above = height * (55 + 14 * line) // 100
        wide = width * (30 + bits % 50) // 100
        left = (width - wide) * (bits >> 8 & 63) // 64
        canvas.rectangle((left, above, left + wide, above + height // 11), fill=_colour(bits >> 20))
    out = BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()


def _colour(bits: int) -> tuple[int, int, int]:
    return bits & 255, bits >> 8 & 255, bits >> 16 & 255
