"""Every public function of the core says what goes in, what comes out, what it costs and whence."""

import doctest
import importlib
import inspect
import pkgutil
import re
from collections.abc import Callable
from typing import Any

import pytest

import aurastream.core

# Compiled twins of functions that are documented where they are called from (`kernels`, `words`,
# `keywords`); doctest cannot look into compiled code, and tests compare the twins bit by bit.
TWINS = {"kernels_numba", "keywords_numba"}

# Frames at the border hold no formula: they check and cast columns, and raise errors that say what
# to mend. Their cost is that of the library call inside.
BORDER = {"frames"}

# A decoded picture has pixels: what has none is rejected when it is read.
PIXELS = {"pixels", "light", "levels"}

FUNCTIONS = {
    f"{found.name}.{name}": getattr(module, name)
    for found in pkgutil.iter_modules(aurastream.core.__path__)
    if found.name not in TWINS | BORDER
    for module in (importlib.import_module(f"aurastream.core.{found.name}"),)
    for name in getattr(module, "__all__", ())
    if inspect.isfunction(getattr(module, name))
}

COMPLEXITY = re.compile(r"\bO\(")
DEMAND = re.compile(r"#\d+|\bC\d+")
PAPER = re.compile(r"\b(1[89]|20)\d\d\b")
OWN = re.compile(r"\bOurs\b")
DATA = re.compile(r"DataFrame|Series|DatetimeIndex|ndarray|array_like|Iterable|Sequence|frozenset")
EMPTY = re.compile(
    r"""\[\]|""|\[:0\]|head\(0\)|DataFrame\(\)|frozenset\(\)|(zeros|empty)\(\(?0|DatetimeIndex\(\[\]"""
)


def sections(function: Callable[..., Any]) -> dict[str, str]:
    """Split a docstring as numpydoc does: a title over dashes begins a section."""
    text = inspect.getdoc(function) or ""
    parts = re.split(r"^(\w[\w ]*)\n-{3,}$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def faults(function: Callable[..., Any]) -> set[str]:
    """Return what the docstring of a function lacks."""
    found = sections(function)
    signature = inspect.signature(function)
    missing = set()
    told = re.findall(r"^(\S[^:\n]*)(?: :|$)", found.get("Parameters", ""), flags=re.MULTILINE)
    named = {name.strip().lstrip("*") for line in told for name in line.split(",")}
    missing |= {f"parameter {name}" for name in signature.parameters if name not in named}
    missing |= {f"no parameter {name}" for name in named - set(signature.parameters)}
    if signature.return_annotation not in (None, "None") and "Returns" not in found:
        missing.add("Returns")
    if not doctest.DocTestParser().get_examples(found.get("Examples", "")):
        missing.add("Examples")
    first = next(iter(signature.parameters.values()), None)
    is_data = first is not None and bool(DATA.search(str(first.annotation)))
    has_some = "At least one" in found.get("Parameters", "") or set(signature.parameters) & PIXELS
    if is_data and not has_some and not EMPTY.search(found.get("Examples", "")):
        missing.add("empty input")
    if not COMPLEXITY.search(inspect.getdoc(function) or ""):
        missing.add("complexity")
    source = found.get("References", "")
    if not (DEMAND.search(source) or PAPER.search(source) or OWN.search(source)):
        missing.add("source")
    return missing


@pytest.mark.parametrize("name", sorted(FUNCTIONS))
def test_a_public_function_is_documented_like_a_statistic_of_scipy(name: str) -> None:
    assert faults(FUNCTIONS[name]) == set()


def test_a_bare_function_is_found_wanting() -> None:
    def bare(values: list[float]) -> float:
        """Return something."""
        return values[0]

    assert faults(bare) == {"parameter values", "Returns", "Examples", "complexity", "source"}
