"""Rows for the store's tests."""

from collections.abc import Callable

import pandas as pd
import pytest

from tests.filled_rows import filled_rows

Rows = Callable[..., pd.DataFrame]


@pytest.fixture
def rows() -> Rows:
    """Return a function that fills in what a test does not care about, by the columns' types."""
    return filled_rows
