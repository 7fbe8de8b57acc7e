"""The examples in the docstrings run."""

import doctest
import importlib
import pkgutil

import pytest

import aurastream.evaluation

MODULES = sorted(m.name for m in pkgutil.iter_modules(aurastream.evaluation.__path__))


@pytest.mark.parametrize("name", MODULES)
def test_every_example_in_a_docstring_holds(name: str) -> None:
    module = importlib.import_module(f"aurastream.evaluation.{name}")
    assert doctest.testmod(module).failed == 0
    assert module.__all__ == sorted(
        module.__all__, key=lambda n: (not n.isupper(), not n[0].isupper(), n)
    )
