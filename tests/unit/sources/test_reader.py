"""The words in a picture are read on this machine, the same ones every time."""

import importlib.util
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from importlib.machinery import ModuleSpec
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from aurastream.core.thumbnails_decode import DecodedThumbnail, decode_thumbnail
from aurastream.sources import vision
from aurastream.sources.vision import (
    LocalVision,
    ReaderUnavailableError,
    TextReader,
    installed_reader,
)
from tests.unit.thumbnails.pictures import animation, faces_on, file_of, waves, words


@pytest.fixture(scope="module")
def reader() -> TextReader:
    found = installed_reader()
    assert found is not None, "rapidocr and onnxruntime are requirements"
    return found


def lettered(text: str, size: int, at: tuple[int, int], seed: int = 3) -> bytes:
    picture = waves(seed, (1280, 720))
    words(text, size, at, picture)
    return file_of(picture, "JPEG", quality=85)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("LAST TO LEAVE", 130),
        ("I SURVIVED\n100 DAYS", 150),
        ("World Record", 90),
        ("$1 vs $1,000", 110),
        ("episode 12, the end of it all", 60),
    ],
)
def test_drawn_words_are_read_line_by_line(reader: TextReader, text: str, size: int) -> None:
    found = LocalVision(reader).look_at(lettered(text, size, (60, 200)))

    assert found.text is not None
    # Gaps between words are a matter of the typeface.
    assert found.text.replace(" ", "").splitlines() == text.replace(" ", "").splitlines()
    assert found.vision_provider == "local+rapidocr"


def test_a_picture_without_words_has_none(reader: TextReader) -> None:
    pictures = [
        file_of(waves(1, (640, 360))),
        file_of(Image.new("RGB", (480, 270), "navy")),
        file_of(faces_on(waves(2, (640, 360)), [(120, 60, 200)])),
        animation(),
    ]

    assert [LocalVision(reader).look_at(data).text for data in pictures] == [""] * 4


def test_the_same_picture_gives_the_same_words_whoever_reads_beside_it(reader: TextReader) -> None:
    files = [lettered(f"CHAPTER {n}", 120, (80, 100 + 40 * n), seed=n) for n in range(4)]
    alone = [LocalVision(reader).look_at(data).text for data in files]

    with ThreadPoolExecutor(3) as pool:
        together = list(pool.map(lambda d: LocalVision(reader).look_at(d).text, files[::-1]))

    assert together == alone[::-1]


@settings(max_examples=12)
@given(st.integers(9, 480), st.integers(9, 480), st.integers(0, 9))
def test_a_picture_of_any_shape_can_be_read(
    reader: TextReader, width: int, height: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)

    picture = DecodedThumbnail(pixels, width, height, "PNG", is_animated=False)

    assert isinstance(reader.read(picture), str)


def test_nothing_is_downloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> socket.socket:
        raise AssertionError("the reader went to the network")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setattr(socket, "create_connection", refuse)
    fresh = installed_reader()

    assert fresh is not None
    assert fresh.read(decode_thumbnail(lettered("OFFLINE", 150, (60, 200)))) == "OFFLINE"


@pytest.mark.parametrize("missing", ["rapidocr", "onnxruntime"])
def test_without_its_packages_there_is_no_reader(
    monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    def find(name: str) -> ModuleSpec | None:
        return None if name == missing else importlib.util.find_spec(name)

    monkeypatch.setattr(vision, "find_spec", find)

    assert installed_reader() is None


def test_a_reader_that_cannot_be_loaded_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(name: str) -> ModuleType:
        raise ImportError(f"{name} wants another library of C")

    monkeypatch.setattr(vision, "import_module", fail)
    fresh = installed_reader()

    assert fresh is not None
    with pytest.raises(ReaderUnavailableError, match="wants another library") as caught:
        fresh.read(decode_thumbnail(animation()))
    assert "script/setup" in caught.value.fix


def test_nothing_of_it_is_loaded_before_the_first_picture() -> None:
    program = (
        "import sys; from aurastream.sources.vision import installed_reader; "
        "assert installed_reader(); print(*sys.modules)"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    loaded = {name.partition(".")[0] for name in found.stdout.split()}
    assert "aurastream" in loaded
    assert not loaded & {"rapidocr", "onnxruntime", "cv2"}
