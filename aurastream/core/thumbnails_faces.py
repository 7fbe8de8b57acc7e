"""Faces in a picture: how many, how large, and where; never whose.

The cascade of Viola and Jones that comes inside OpenCV's wheel looks for upright faces that look at
the camera. It misses profiles, masks, faces tilted by more than about 20 degrees and those under a
tenth of the picture's height, more often misses very dark faces in little light, and now and then
takes something else for a face: a picture with ``count`` 1 is likely, not sure, to show a person.
"""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import numpy.typing as npt

from aurastream.core.thumbnails_layout import field_at

if TYPE_CHECKING:
    import cv2

__all__ = ["Box", "Faces", "covered_share", "faces", "one_thread"]

Levels = npt.NDArray[np.uint8]
Box = tuple[int, int, int, int]
"""Left, top, width and height in pixels."""

_CASCADE: Final = "haarcascade_frontalface_alt2.xml"
_SCALE: Final = 1.1
_NEIGHBOURS: Final = 4
_LEAST_SHARE: Final = 0.1
_LEAST_SIDE: Final = 20
_SEARCHED_SIDE: Final = 320


@dataclass(frozen=True, slots=True)
class Faces:
    """The faces of a picture.

    Parameters
    ----------
    boxes : tuple of Box
        The largest first; of equally large ones the upper, then the left one.
    area_share : float
        Share of the picture that boxes cover, each pixel once, 0–1.
    largest_share : float
        That of the largest box alone, 0–1.
    field : str or None
        Where the middle of the largest face lies, see `aurastream.core.thumbnails_layout.FIELDS`;
        None without a face.
    """

    boxes: tuple[Box, ...] = ()
    area_share: float = 0.0
    largest_share: float = 0.0
    field: str | None = None

    @property
    def count(self) -> int:
        """Return how many there are, 0 or more."""
        return len(self.boxes)


def faces(levels: Levels) -> Faces:
    """Return the faces of a picture. O(pixels · scales).

    Parameters
    ----------
    levels : array of uint8
        Luma, (height, width), 0–255.

    Returns
    -------
    Faces
        Without boxes where there is nothing to search: once shrunk to at most 320 pixels on the
        longer side, the picture has fewer than 20 on a side, or is narrower than a tenth of its
        height.

    References
    ----------
    Viola, P. and Jones, M. (2001). Rapid object detection using a boosted cascade of simple
    features. CVPR.

    Examples
    --------
    >>> faces(np.full((270, 480), 128, np.uint8))
    Faces(boxes=(), area_share=0.0, largest_share=0.0, field=None)
    >>> faces(np.full((1, 1), 128, np.uint8)).count
    0
    """
    import cv2  # noqa: PLC0415 # a tenth of a second that loading the graph need not pay

    height, width = levels.shape
    scale = max(1.0, max(height, width) / _SEARCHED_SIDE)
    size = (round(width / scale), round(height / scale))
    least = max(_LEAST_SIDE, round(_LEAST_SHARE * size[1]))
    if min(size) < least:
        return Faces()
    cascade = _cascade()
    searched = cv2.resize(levels, size, interpolation=cv2.INTER_AREA) if scale > 1.0 else levels
    # Light is evened out from place to place: over the whole picture, a bright ground would take
    # the contrast away from dark faces before it.
    evened = cv2.createCLAHE(clipLimit=2.0, tileGridSize=(8, 8)).apply(searched)
    found = cascade.detectMultiScale(
        evened,
        scaleFactor=_SCALE,
        minNeighbors=_NEIGHBOURS,
        minSize=(least, least),
    )
    boxes = [_at_scale(box, scale, (height, width)) for box in found]
    if not boxes:
        return Faces()
    boxes.sort(key=lambda box: (-box[2] * box[3], box[1], box[0]))
    left, top, wide, high = boxes[0]
    return Faces(
        boxes=tuple(boxes),
        area_share=covered_share(boxes, height, width),
        largest_share=wide * high / (width * height),
        field=field_at((left + wide / 2) / width, (top + high / 2) / height),
    )


def _at_scale(found: Sequence[int], scale: float, shape: tuple[int, int]) -> Box:
    x, y, wide, high = (round(int(length) * scale) for length in found)
    return x, y, min(wide, shape[1] - x), min(high, shape[0] - y)


def covered_share(boxes: list[Box], height: int, width: int) -> float:
    """Return the share of a picture that boxes cover.

    Parameters
    ----------
    boxes : list of Box
        None of which begins left of the picture or above it; what lies beyond its other sides does
        not count.
    height, width : int
        Of the picture in pixels, 1 or more.

    Returns
    -------
    float
        0 nothing – 1 all of it; each pixel counts once.

    Notes
    -----
    O(pixels + the pixels of all boxes).

    References
    ----------
    Ours, for the layout of thumbnails (#89).

    Examples
    --------
    >>> covered_share([(0, 0, 2, 2), (1, 1, 2, 2)], 4, 4)
    0.4375
    >>> covered_share([(0, 0, 2, 2), (0, 0, 2, 2)], 4, 4), covered_share([(3, 3, 9, 9)], 4, 4)
    (0.25, 0.0625)
    >>> covered_share([], 4, 4)
    0.0
    """
    is_covered = np.zeros((height, width), dtype=bool)
    for left, top, wide, high in boxes:
        is_covered[top : top + high, left : left + wide] = True
    return float(is_covered.mean())


@cache
def one_thread() -> None:
    """Keep OpenCV to the calling thread: pictures are shared out, not parts of one.

    Its order of finds, and so what overlapping finds become, would depend on the threads.
    """
    import cv2  # noqa: PLC0415 # loading the graph needs none

    cv2.setNumThreads(1)
    cv2.ocl.setUseOpenCL(False)


_own = threading.local()


def _cascade() -> "cv2.CascadeClassifier":
    """Return this thread's cascade: one may not be used by two threads at once."""
    import cv2  # noqa: PLC0415 # loading the graph needs none

    one_thread()
    if not hasattr(_own, "cascade"):
        _own.cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / _CASCADE))
    cascade: cv2.CascadeClassifier = _own.cascade
    return cascade
