"""The order of the rows cannot show in any result: compared bit by bit, on real rows."""

import pandas as pd
import pytest

from tests.unit.core.families import FAMILIES, frames


@pytest.mark.parametrize("family", FAMILIES)
def test_the_order_of_real_rows_does_not_show_in_the_last_bit(family: str) -> None:
    expected = FAMILIES[family](frames())
    assert len(expected) > 0
    for seed in (1, 2, 3):
        shuffled = {name: rows.sample(frac=1, random_state=seed) for name, rows in frames().items()}
        found = FAMILIES[family](shuffled)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
