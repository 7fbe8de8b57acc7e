"""Who looks at thumbnails: the port, the eyes of this machine, and a reader of words.

Colours, composition and hash are always computed here. Faces, words and what is in the picture can
be told by a vision model instead (`aurastream.sources.gemini`), if the operator wants that and may.
"""

import threading
from dataclasses import replace
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Protocol

from aurastream.core.errors import AuraStreamError
from aurastream.core.thumbnails import ThumbnailFeatures, describe_pixels
from aurastream.core.thumbnails_decode import DecodedThumbnail, DecodeLimits, decode_thumbnail
from aurastream.core.thumbnails_faces import one_thread

__all__ = [
    "LocalVision",
    "ReaderUnavailableError",
    "TextReader",
    "VisionProvider",
    "installed_reader",
]


class ReaderUnavailableError(AuraStreamError):
    """The reader of words is installed, but cannot be loaded; no picture is to blame."""


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
        """Return the words line by line, '' when there are none.

        Raises
        ------
        ReaderUnavailableError
            When no picture can be read.
        """


class LocalVision:
    """The eyes of this machine: the same bytes give the same answer, and nothing leaves it.

    Parameters
    ----------
    reader : TextReader, optional
        Asked for the words; without one ``text`` stays null. Whether there are any it sees for
        itself: the lettering that is counted otherwise misses some that it can read.
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
        return replace(found, text=self._reader.read(picture), vision_provider=self.name)


_PACKAGES: Final = ("rapidocr", "onnxruntime")
_DETECTOR: Final = "PP-OCRv6_det_small.onnx"
_RECOGNIZER: Final = "PP-OCRv6_rec_small.onnx"
_SURE: Final = 0.6


def installed_reader() -> TextReader | None:
    """Return the reader of words if its packages are there, else None.

    They are requirements of ours, but without them everything else works: words stay null. Nothing
    is loaded before the first picture is read.
    """
    if any(find_spec(name) is None for name in _PACKAGES):
        return None
    return _RapidReader()


class _RapidReader:
    """RapidOCR on one thread; its networks come inside its package, and nothing is downloaded.

    What is less than 60 % sure is left out. The same pixels give the same words.
    """

    name = "rapidocr"

    def __init__(self) -> None:
        self._engine: Any = None
        # Several pictures at once would take the memory of several.
        self._lock = threading.Lock()

    def read(self, picture: DecodedThumbnail) -> str:
        """Return the words line by line, from the top down."""
        with self._lock:
            if self._engine is None:
                self._engine = _engine()
            found = self._engine(picture.pixels[:, :, ::-1])
        return "\n".join(found.txts or ()).replace("\x00", "")


def _engine() -> Any:  # noqa: ANN401 # it has no types
    one_thread()
    try:
        rapidocr = import_module(_PACKAGES[0])
        networks = Path(str(rapidocr.__file__)).parent / "models"
        return rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.text_score": _SURE,
                # Words upside down are none in a thumbnail.
                "Global.use_cls": False,
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
                # By their paths: what is named otherwise would be downloaded where it is missing.
                "Det.model_path": str(networks / _DETECTOR),
                "Rec.model_path": str(networks / _RECOGNIZER),
                # By default pictures are enlarged, at seven times the cost.
                "Det.limit_type": "max",
                "Det.limit_side_len": DecodeLimits().working_side,
            }
        )
    except Exception as error:
        raise ReaderUnavailableError(
            f"The reader of words cannot be loaded ({type(error).__name__}: {error}).",
            fix="Run script/setup again, or set AURASTREAM_READ_THUMBNAILS=false.",
        ) from error
