"""The numpy and the compiled kernels are one specification: they agree in every bit."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core import kernels, kernels_numpy
from aurastream.core.kernels_numpy import GroupStatistics

kernels_numba = pytest.importorskip(
    "aurastream.core.kernels_numba", reason="numba is not installed"
)

FLOORS = np.array([1.0, 1.0, 0.01])

values = st.one_of(
    st.floats(0, 1e12),
    st.integers(0, 5).map(float),  # ties and flat groups
    st.just(np.nan),
    st.sampled_from([-0.0, 5e-324, 1e300]),
)


@st.composite
def cases(draw: st.DrawFn) -> tuple[np.ndarray, int, tuple[np.ndarray, ...]]:
    n_groups = draw(st.integers(1, 5))
    n = draw(st.integers(0, 120))
    codes = draw(st.lists(st.integers(0, n_groups - 1), min_size=n, max_size=n))
    metrics = tuple(
        np.array(draw(st.lists(values, min_size=n, max_size=n)), dtype=np.float64) for _ in range(3)
    )
    return np.array(codes, dtype=np.int64), n_groups, metrics


def same_bits(one: np.ndarray, other: np.ndarray) -> bool:
    """Equal in every bit, where all NaNs are one."""
    if one.dtype.kind == "f":
        one, other = (np.where(np.isnan(x), 0x7FF8, x + 0.0) for x in (one, other))
        # + 0.0 keeps every value but turns -0.0 into 0.0.
    return one.shape == other.shape and np.ascontiguousarray(one).tobytes() == (
        np.ascontiguousarray(other).tobytes()
    )


def statistics(
    module: object, codes: np.ndarray, n_groups: int, metrics: tuple[np.ndarray, ...]
) -> GroupStatistics:
    return module.group_statistics(  # type: ignore[attr-defined,no-any-return] # two twins
        codes, n_groups, metrics, fence_k=1.5, baseline_metric=0
    )


def assert_twins_agree(codes: np.ndarray, n_groups: int, metrics: tuple[np.ndarray, ...]) -> None:
    plain = statistics(kernels_numpy, codes, n_groups, metrics)
    fast = statistics(kernels_numba, codes, n_groups, metrics)
    for name in GroupStatistics.__slots__:
        assert same_bits(getattr(plain, name), getattr(fast, name)), name
    anchors = np.zeros((n_groups, 3, 5))
    anchors[:, :, 1:] = plain.percentiles.transpose(2, 1, 0)
    facts = {
        "anchors": anchors,
        "floors": FLOORS,
        "mean": plain.mean[0],
        "std": plain.std[0],
        "known": plain.count[0] >= 20,
        "sureness": np.minimum(1.0, plain.count[0] / 30),
        "freshness": np.linspace(0, 100, codes.size),
    }
    one = kernels_numpy.score_rows(codes, metrics, **facts)
    other = kernels_numba.score_rows(codes, metrics, **facts)
    for name in ("scores", "trend", "z", "decayed", "confidence"):
        assert same_bits(getattr(one, name), getattr(other, name)), name
    sure = kernels_numpy.score_rows(
        codes, metrics, **(facts | {"freshness": np.full(codes.size, 100.0)})
    )
    assert not (sure.decayed > sure.scores[0]).any()
    counted = kernels_numpy.class_counts(codes, one.trend, n_groups)
    assert counted.sum() == codes.size
    assert same_bits(counted, kernels_numba.class_counts(codes, one.trend, n_groups))


@settings(max_examples=150)
@given(cases())
def test_both_kernels_give_the_same_bits(
    case: tuple[np.ndarray, int, tuple[np.ndarray, ...]],
) -> None:
    with np.errstate(over="ignore", invalid="ignore"):  # squares of 1e300
        assert_twins_agree(*case)


@pytest.mark.parametrize(("n", "n_groups"), [(60_000, 40), (60_000, 30_000)])
def test_both_kernels_give_the_same_bits_for_many_rows(n: int, n_groups: int) -> None:
    rng = np.random.default_rng(3)
    codes = (rng.random(n) ** 3 * n_groups).astype(np.int64)
    views = np.floor(rng.lognormal(9, 2, n))
    engagement = rng.beta(2, 40, n)
    engagement[rng.random(n) < 0.1] = np.nan
    assert_twins_agree(codes, n_groups, (views / rng.exponential(30, n), views, engagement))


def test_read_only_input_is_as_good_as_any() -> None:
    rng = np.random.default_rng(4)
    codes = rng.integers(0, 3, 500)
    metrics = tuple(rng.random(500) for _ in range(3))
    metrics[1].flags.writeable = False
    codes.flags.writeable = False
    assert_twins_agree(codes, 3, metrics)


@given(cases(), st.randoms())
def test_the_order_of_the_rows_does_not_matter(
    case: tuple[np.ndarray, int, tuple[np.ndarray, ...]], random: "np.random.Generator"
) -> None:
    codes, n_groups, metrics = case
    order = list(range(codes.size))
    random.shuffle(order)
    with np.errstate(over="ignore", invalid="ignore"):
        one = statistics(kernels_numpy, codes, n_groups, metrics)
        other = statistics(kernels_numpy, codes[order], n_groups, tuple(m[order] for m in metrics))
    for name in GroupStatistics.__slots__:
        assert same_bits(getattr(one, name), getattr(other, name)), name


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=80))
def test_statistics_are_those_of_numpy_and_scipy(sample: list[float]) -> None:
    values = np.array(sample)
    found = statistics(kernels_numpy, np.zeros(values.size, dtype=np.int64), 1, (values,))
    expected = np.percentile(values, [25, 50, 75, 90], method="linear")
    assert found.percentiles[:, 0, 0] == pytest.approx(expected, rel=1e-14)
    reach = 1.5 * scipy.stats.iqr(values) if values.size >= 4 else np.inf
    low, high = found.percentiles[[0, 2], 0, 0] + [-reach, reach]
    clean = values[(values >= low) & (values <= high)]
    assert found.outlier_count[0, 0] == values.size - clean.size
    assert found.mean[0, 0] == pytest.approx(clean.mean(), rel=1e-12)
    assert found.std[0, 0] == pytest.approx(clean.std(), rel=1e-9, abs=1e-6)
    p25, p75 = found.percentiles[[0, 2], 0, 0]
    middle = values[(values >= p25) & (values <= p75)]
    expected_baseline = np.median(middle if middle.size else values)
    assert found.baseline[0] == pytest.approx(expected_baseline, rel=1e-12)


def test_many_rows_take_the_compiled_path_and_few_do_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert kernels._kernels(kernels.WARM_ROWS) is kernels_numba  # it is loaded already
    assert kernels._kernels(kernels.WARM_ROWS - 1) is kernels_numpy
    monkeypatch.delitem(sys.modules, "aurastream.core.kernels_numba")
    assert kernels._kernels(kernels.COLD_ROWS - 1) is kernels_numpy


def test_without_numba_numpy_does_it_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "aurastream.core.kernels_numba", None)
    monkeypatch.setattr(kernels, "WARM_ROWS", 0)
    found = kernels.group_statistics(np.zeros(2, dtype=np.int64), 1, (np.array([1.0, 3.0]),))
    assert found.mean[0, 0] == 2.0


def test_the_small_path_never_imports_the_compiler() -> None:
    program = (
        "import sys, numpy as np, pandas as pd\n"
        "from aurastream.core.category_stats import category_stats\n"
        "from aurastream.core.viral import viral_scores\n"
        "from aurastream.core import competition, opportunity, velocity\n"
        "w = pd.Timestamp('2026-01-01', tz='UTC')\n"
        "v = pd.DataFrame({'window_start': w, 'category': 'c',\n"
        "  'video_id': [str(i) for i in range(400)], 'views': np.arange(400),\n"
        "  'lifetime_velocity_per_hour': np.arange(400.0), 'engagement_rate': .1,\n"
        "  'confidence_pct': 100.0})\n"
        "assert len(viral_scores(v, category_stats(v, default_baselines={}))) == 400\n"
        "assert 'numba' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=180)
