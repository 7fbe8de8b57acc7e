"""What no import contract sees: a clock, a file, chance or a console, reached through a value."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from aurastream.settings import REPO_ROOT

_CORE = REPO_ROOT / "aurastream" / "core"
# Methods that read a clock, whoever has them: datetime, date, pandas' Timestamp.
_CLOCKS = {"now", "today", "utcnow"}
_STAMPS = {"Timestamp", "to_datetime", "datetime64"}
_FILES = {"read_text", "read_bytes", "write_text", "write_bytes", "read_csv", "read_parquet"}
_FILES |= {"fromfile", "tofile", "memmap", "exists", "iterdir", "to_parquet", "urlopen"}
_BUILT_IN = {"open", "print", "input", "exec", "eval"}
# A generator that nobody gave a seed, or one that all share.
_CHANCE = {"default_rng", "RandomState", "seed"}
_SHARED = "np.random."


def _says_now(call: ast.Call) -> bool:
    return any(isinstance(a, ast.Constant) and a.value in ("now", "today") for a in call.args)


def _impure(source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called, has_arguments = node.func, bool(node.args or node.keywords)
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        is_built_in = isinstance(called, ast.Name) and name in _BUILT_IN
        is_chance = (
            not has_arguments
            if name in _CHANCE
            else ast.unparse(called).removeprefix("numpy").startswith((_SHARED, ".random."))
        )
        is_clock = name in _CLOCKS or (name in _STAMPS and _says_now(node))
        if is_clock or name in _FILES or is_built_in or is_chance:
            yield f"line {node.lineno}: {ast.unparse(node)}"


@pytest.mark.parametrize(
    "path", sorted(_CORE.rglob("*.py")), ids=lambda path: path.relative_to(_CORE).as_posix()
)
def test_an_algorithm_asks_no_clock_no_file_no_console_and_no_chance(path: Path) -> None:
    assert list(_impure(path.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "datetime.now(UTC)",
        "dt.date.today()",
        "pd.Timestamp.utcnow()",
        "open('a')",
        "Path('a').read_text()",
        "pd.Timestamp('now')",
        "np.datetime64('today')",
        "np.random.default_rng()",
        "np.random.random(3)",
        "numpy.random.shuffle(rows)",
        "print(1)",
    ],
)
def test_what_is_impure_is_seen(source: str) -> None:
    assert len(list(_impure(source))) == 1


def test_what_is_given_is_not_taken_for_it() -> None:
    assert list(_impure("Image.open(BytesIO(data)); default_rng(7); delta(minutes=1)")) == []
