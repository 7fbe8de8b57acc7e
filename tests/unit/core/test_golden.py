"""What every family says of real rows is what it said when somebody last looked at it."""

import cProfile
import importlib
import inspect
import json
import pkgutil
from dataclasses import dataclass
from types import CodeType
from typing import Any

import pytest

import aurastream.core
from tests.unit.core.families import frames
from tests.unit.core.goldens import FOLDER, GOLDEN, golden, path_of

# They have no rows to speak of: the twins of kernels in numba, held to those in numpy to the bit by
# tests of their own; what refuses or shows for callers; two parts of looking at faces, of which
# the family keeps what they come to.
_OF_NO_ROWS = {
    *("kernels_numba.class_counts", "kernels_numba.group_statistics", "kernels_numba.score_rows"),
    *("keywords_numba.canonical", "keywords_numba.count_terms", "keywords_numba.intern_words"),
    *("arrays.unfit", "frames.empty_frame", "frames.rivals", "frames.shown"),
    *("thumbnails_faces.covered_share", "thumbnails_faces.one_thread"),
}


def near(found: Any, expected: Any, where: str = "") -> list[str]:
    """Return where two trees differ; floats may by the rounding of another processor."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if found.keys() != expected.keys():
            return [f"{where}: {sorted(found.keys() ^ expected.keys())}"]
        return [e for key in expected for e in near(found[key], expected[key], f"{where}/{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(found, expected, strict=True))
        return [e for i, (one, other) in pairs for e in near(one, other, f"{where}/{i}")]
    if isinstance(expected, float) and isinstance(found, float):
        expected = pytest.approx(expected, rel=1e-9, abs=1e-12)
    return [] if found == expected else [f"{where}: {found!r} is not {expected!r}"]


@dataclass(frozen=True)
class Said:
    """What the families said, each its golden figures or why it has none, and who spoke."""

    figures: dict[str, dict[str, Any] | Exception]
    spoke: set[CodeType]


@pytest.fixture(scope="module")
def said() -> Said:
    """Let every family speak once, before whoever listens.

    The profiler notes who is called, without a line of Python for each of millions of calls.
    """
    figures: dict[str, dict[str, Any] | Exception] = {}
    with cProfile.Profile(builtins=False) as heard:
        found = frames.__wrapped__()
        for family, compute in GOLDEN.items():
            try:
                figures[family] = golden(compute(found))
            except Exception as error:  # noqa: BLE001 # it is raised in the test of this family
                figures[family] = error
    codes = {call.code for call in heard.getstats() if isinstance(call.code, CodeType)}
    return Said(figures, codes)


@pytest.mark.parametrize("family", GOLDEN)
def test_golden_figures_of_real_rows(family: str, said: Said) -> None:
    figures = said.figures[family]
    if isinstance(figures, Exception):
        raise figures
    expected = json.loads(path_of(family).read_text(encoding="utf-8"))
    assert near(json.loads(json.dumps(figures)), expected) == []


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(GOLDEN)


def test_every_public_function_speaks_in_a_golden_file(said: Said) -> None:
    names = public_functions()
    spoke = {names[code] for code in said.spoke if code in names}

    assert set(names.values()) >= _OF_NO_ROWS
    assert set(names.values()) - spoke - _OF_NO_ROWS == set()


def public_functions() -> dict[CodeType, str]:
    found: dict[CodeType, str] = {}
    for info in pkgutil.iter_modules(aurastream.core.__path__):
        module = importlib.import_module(f"aurastream.core.{info.name}")
        for name in getattr(module, "__all__", ()):
            function = inspect.unwrap(getattr(module, name))
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                found[function.__code__] = f"{info.name}.{name}"
    return found


def test_a_figure_that_moved_is_found() -> None:
    assert near({"a": [1.0, 2]}, {"a": [1.0 + 1e-6, 2]}) == ["/a/0: 1.0 is not 1.000001 ± 1.0e-09"]
    assert near({"a": [1, 2]}, {"a": [1, 3]}) == ["/a/1: 2 is not 3"]
