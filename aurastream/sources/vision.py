"""Who looks at thumbnails: the port, the eyes of this machine, and a reader of words.

Colours, composition and hash are always computed here. Faces, words and what is in the picture can
be told by a vision model instead (`aurastream.sources.gemini`), if the operator wants that and may.
"""

import threading
from dataclasses import replace
from importlib.util import find_spec
from typing import Any, Final, Protocol

from aurastream.core.thumbnails import ThumbnailFeatures, describe_pixels
from aurastream.core.thumbnails_decode import DecodedThumbnail, DecodeLimits, decode_thumbnail

__all__ = ["LocalVision", "TextReader", "VisionProvider", "installed_reader"]


class VisionProvider(Protocol):
    """Somebody who tells what a thumbnail looks like; several threads may ask at once."""

    @property
    def name(self) -> str:
        """Return who looks, as it stands in ``vision_provider``."""

    def look_at(self, data: bytes) -> ThumbnailFeatures:
        """Return what a file looks like.

        Raises
        ------
        aurastream.core.thumbnails_decode.ThumbnailRejectedError
            When it is no picture within the limits.
        aurastream.sources.errors.SourceError
            When whoever looks could not be asked.
        """


class TextReader(Protocol):
    """Somebody who reads the words in a picture; several threads may ask at once."""

    @property
    def name(self) -> str:
        """Return who reads."""

    def read(self, picture: DecodedThumbnail) -> str:
        """Return the words line by line, '' when there are none."""


class LocalVision:
    """The eyes of this machine: the same bytes give the same answer, and nothing leaves it.

    Parameters
    ----------
    reader : TextReader, optional
        Asked for the words of those pictures that have any; without one ``text`` stays null.
    limits : DecodeLimits, optional
        What is accepted.
    """

    def __init__(
        self, reader: TextReader | None = None, limits: DecodeLimits | None = None
    ) -> None:
        self._reader = reader
        self._limits = limits or DecodeLimits()

    @property
    def name(self) -> str:
        """Return ``local``, with the reader if there is one."""
        return "local" if self._reader is None else f"local+{self._reader.name}"

    def look_at(self, data: bytes) -> ThumbnailFeatures:
        """Return what a file looks like."""
        picture = decode_thumbnail(data, self._limits)
        found = describe_pixels(data, picture)
        if self._reader is None:
            return found
        words = self._reader.read(picture) if found.text_line_count else ""
        return replace(found, text=words, vision_provider=self.name)


_RAPID_OCR: Final = "rapidocr_onnxruntime"
_SURE: Final = 0.6


def installed_reader() -> TextReader | None:
    """Return the optional reader of words if its package is there, else None.

    It is no requirement of ours: with its runtime it weighs 40 MB, wants another build of OpenCV
    and Python before 3.13, and takes about half a second for a picture, twenty times as long as
    everything else.
    """
    if find_spec(_RAPID_OCR) is None:
        return None
    return _RapidReader()


class _RapidReader:
    """RapidOCR on one thread; its models come inside its package."""

    name = "rapidocr"

    def __init__(self) -> None:
        from importlib import import_module  # noqa: PLC0415 # optional, and slow to load

        self._engine: Any = import_module(_RAPID_OCR).RapidOCR(
            intra_op_num_threads=1, inter_op_num_threads=1
        )
        # It keeps the scale of the picture at hand in itself.
        self._lock = threading.Lock()

    def read(self, picture: DecodedThumbnail) -> str:
        """Return the words line by line, from the top down."""
        with self._lock:
            found, _ = self._engine(picture.pixels[:, :, ::-1], use_cls=False)
        lines = [(box[0][1], box[0][0], words) for box, words, sure in found or [] if sure >= _SURE]
        return "\n".join(words for _, _, words in sorted(lines)).replace("\x00", "")
