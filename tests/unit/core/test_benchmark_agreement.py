"""The benchmarks' loops and pandas versions are independent oracles, so they run here small."""

import numpy as np
import pytest

from benchmarks import core_category_stats, core_scoring


@pytest.mark.parametrize(("n", "n_groups"), [(400, 8), (3000, 400)])
def test_loops_and_pandas_agree_with_the_kernels(n: int, n_groups: int) -> None:
    codes, metrics = core_category_stats.sample(n, n_groups)
    assert np.isnan(metrics[2]).any()
    core_category_stats.check(codes, n_groups, metrics)
    core_scoring.check(core_scoring.Case(n, n_groups))
