"""What every family says of real rows is what it said when somebody last looked at it."""

import json
from typing import Any

import pytest

from tests.unit.core.families import FAMILIES, frames
from tests.unit.core.goldens import FOLDER, golden, path_of


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


@pytest.mark.parametrize("family", FAMILIES)
def test_golden_figures_of_real_rows(family: str) -> None:
    expected = json.loads(path_of(family).read_text(encoding="utf-8"))
    assert near(json.loads(json.dumps(golden(FAMILIES[family](frames())))), expected) == []


def test_no_golden_file_is_left_over() -> None:
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FAMILIES)


def test_a_figure_that_moved_is_found() -> None:
    assert near({"a": [1.0, 2]}, {"a": [1.0 + 1e-6, 2]}) == ["/a/0: 1.0 is not 1.000001 ± 1.0e-09"]
    assert near({"a": [1, 2]}, {"a": [1, 3]}) == ["/a/1: 2 is not 3"]
