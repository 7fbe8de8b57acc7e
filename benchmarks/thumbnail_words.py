"""Reading the words in a thumbnail, against RapidOCR as it comes out of its box.

Both read the same pictures on one thread. Its default enlarges a picture before it looks for
letters; ours reads it at the size that everything else of a thumbnail is looked at, and finds the
same words in these. Time is that of the processor, for one picture. The second row is memory: the
peak of a process that looks and reads against one that only looks. The goals are what ours may take
at most, seconds and MiB.
"""

import importlib
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from aurastream.core.thumbnails_decode import DecodedThumbnail, decode_thumbnail
from aurastream.sources.vision import LocalVision, installed_reader
from benchmarks._peak import peak_kib
from tests.unit.thumbnails.pictures import file_of, waves, words

_COUNT: Final = 12
_ROUNDS: Final = 2
_GOAL_S: Final = 0.25
_GOAL_MIB: Final = 512.0
_TITLES: Final = ("I SURVIVED\n100 DAYS", "World Record", "LAST TO LEAVE", "")


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Time both, and measure the memory."""
    memory = {name: _peak_mib(name) for name in ("read", "look")}
    files = _files(n or _COUNT)
    pictures = [decode_thumbnail(data) for data in files]
    reader = installed_reader()
    if reader is None:
        raise RuntimeError("rapidocr or onnxruntime is not installed; run script/setup")
    boxed = _out_of_the_box()
    for picture in pictures:  # loads both
        assert reader.read(picture) == boxed(picture)
    ours, theirs = [], []
    for _ in range(_ROUNDS):
        for picture in pictures:
            ours.append(_seconds(reader.read, picture))
            theirs.append(_seconds(boxed, picture))
    cpu = statistics.median(ours)
    return [
        _result(
            "CPU seconds of reading a thumbnail",
            len(pictures),
            (cpu, statistics.median(theirs)),
            "RapidOCR's default",
            _GOAL_S,
        ),
        _result(
            "MiB at the peak of reading thumbnails",
            len(pictures),
            (memory["read"], memory["look"]),
            "looking alone",
            _GOAL_MIB,
        ),
    ]


def _files(count: int) -> list[bytes]:
    found = []
    for number in range(count):
        picture = waves(number, (1280, 720))
        words(_TITLES[number % len(_TITLES)], 110, (60, 200), picture)
        found.append(file_of(picture, "JPEG", quality=85))
    return found


def _out_of_the_box() -> Callable[[DecodedThumbnail], str]:
    engine = importlib.import_module("rapidocr").RapidOCR(
        params={
            "Global.log_level": "critical",
            "Global.text_score": 0.6,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
        }
    )
    return lambda picture: "\n".join(engine(picture.pixels[:, :, ::-1]).txts or ())


def _seconds(read: Callable[[DecodedThumbnail], str], picture: DecodedThumbnail) -> float:
    started = time.process_time()
    read(picture)
    return time.process_time() - started


def _peak_mib(what: str) -> float:
    """Return the peak of a process of its own."""
    program = f"from benchmarks.thumbnail_words import look; look({what == 'read'})"
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return float(found.stdout)


def look(is_to_read: bool) -> None:  # noqa: FBT001 # the other half of _peak_mib
    """Look at pictures, print the peak of this process."""
    eyes = LocalVision(installed_reader() if is_to_read else None)
    for data in _files(_COUNT):
        eyes.look_at(data)
    print(peak_kib() / 2**10)


def _result(
    name: str, n: int, figures: tuple[float, float], baseline: str, goal: float
) -> dict[str, Any]:
    ours, theirs = figures
    return {
        "name": name,
        "n": n,
        "ours_s": ours,
        "baseline": baseline,
        "baseline_s": theirs,
        "ratio": theirs / ours,
        "goal": goal,
        "met": ours <= goal,
    }
