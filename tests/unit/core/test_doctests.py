"""The examples in the docstrings are the specification of the edge cases, so they run."""

import doctest
import importlib
import pkgutil

import pytest

import aurastream.core

MODULES = sorted(m.name for m in pkgutil.iter_modules(aurastream.core.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_every_example_in_a_docstring_holds(name: str) -> None:
    module = importlib.import_module(f"aurastream.core.{name}")
    assert doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE).failed == 0


@pytest.mark.parametrize(
    "name", ["freshness", "percentile", "robust", "trend", "velocity", "competition", "opportunity"]
)
def test_every_public_function_of_a_score_shows_an_example(name: str) -> None:
    module = importlib.import_module(f"aurastream.core.{name}")
    found = doctest.DocTestFinder().find(module)
    assert [t.name for t in found if t.examples]
