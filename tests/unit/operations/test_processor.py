import doctest
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from aurastream.operations import processor
from aurastream.operations.processor import faster_sort, one_thread

_ZEN_4 = """\
processor\t: 0
vendor_id\t: AuthenticAMD
cpu family\t: 25
flags\t\t: fpu sse2 avx2 avx512f avx512dq

processor\t: 1
vendor_id\t: AuthenticAMD
"""


def _cpuinfo(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "cpuinfo"
    file.write_text(text, encoding="ascii")
    return file


def test_the_examples_hold() -> None:
    assert doctest.testmod(processor).failed == 0


def test_a_processor_whose_wide_sort_is_slow_gets_the_other(tmp_path: Path) -> None:
    found = faster_sort({}, _cpuinfo(tmp_path, _ZEN_4))
    assert list(found) == ["NPY_DISABLE_CPU_FEATURES"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        _ZEN_4.replace("AuthenticAMD", "GenuineIntel"),
        _ZEN_4.replace(": 25", ": 26"),
        _ZEN_4.replace(" avx512f", ""),
    ],
)
def test_other_processors_are_left_to_numpy(tmp_path: Path, text: str) -> None:
    assert faster_sort({}, _cpuinfo(tmp_path, text)) == {}


def test_who_has_chosen_is_not_overruled(tmp_path: Path) -> None:
    chosen = {"NPY_DISABLE_CPU_FEATURES": ""}
    assert faster_sort(chosen, _cpuinfo(tmp_path, _ZEN_4)) == {}


def test_numpy_takes_the_choice_without_a_warning() -> None:
    choice = faster_sort({})
    if not choice:
        pytest.skip("There is nothing to choose for this processor.")
    subprocess.run(
        [sys.executable, "-W", "error", "-c", "import numpy; numpy.sort(numpy.arange(9.0))"],
        env={**os.environ, **choice},
        check=True,
    )


def test_a_process_that_is_told_so_keeps_its_linear_algebra_on_one_thread() -> None:
    asked = (
        "import json, numpy, sklearn.utils, threadpoolctl;"
        "print(json.dumps(threadpoolctl.threadpool_info()))"
    )
    free = {k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")}
    told = subprocess.run(
        [sys.executable, "-c", asked],
        env=free | one_thread(free),
        check=True,
        capture_output=True,
        text=True,
    )
    pools = json.loads(told.stdout)
    assert {pool["user_api"] for pool in pools} == {"blas", "openmp"}
    assert {pool["num_threads"] for pool in pools} == {1}
