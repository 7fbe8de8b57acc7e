"""The numpy and the compiled kernels are one specification: they agree in every bit."""

import math
import statistics
import subprocess
import sys

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core import kernels, kernels_numpy
from aurastream.core.kernels_numpy import GroupStatistics
from aurastream.core.trend import CLASS_NAMES

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


def described(
    module: object, codes: np.ndarray, n_groups: int, metrics: tuple[np.ndarray, ...]
) -> GroupStatistics:
    return module.group_statistics(  # type: ignore[attr-defined,no-any-return] # two twins
        codes, n_groups, metrics, fence_k=1.5, baseline_metric=0
    )


def assert_twins_agree(codes: np.ndarray, n_groups: int, metrics: tuple[np.ndarray, ...]) -> None:
    plain = described(kernels_numpy, codes, n_groups, metrics)
    fast = described(kernels_numba, codes, n_groups, metrics)
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
        one = described(kernels_numpy, codes, n_groups, metrics)
        other = described(kernels_numpy, codes[order], n_groups, tuple(m[order] for m in metrics))
    for name in GroupStatistics.__slots__:
        assert same_bits(getattr(one, name), getattr(other, name)), name


@given(st.lists(st.floats(0, 1e9), min_size=1, max_size=80))
def test_statistics_are_those_of_numpy_and_scipy(sample: list[float]) -> None:
    values = np.array(sample)
    found = described(kernels_numpy, np.zeros(values.size, dtype=np.int64), 1, (values,))
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


@given(st.lists(st.tuples(st.integers(0, 3), values), max_size=30))
def test_segments_are_sorted_as_a_list_of_pairs_is(pairs: list[tuple[int, float]]) -> None:
    known = sorted(pair for pair in pairs if not np.isnan(pair[1]))
    codes = np.array([code for code, _ in pairs], dtype=np.int64)

    found = kernels_numpy.sorted_segments(codes, np.array([v for _, v in pairs]), 5)

    of, ordered, counts, starts = (part.tolist() for part in found)
    assert list(zip(of, ordered, strict=True)) == known
    assert counts == [sum(code == group for code, _ in known) for group in range(5)]
    assert starts == [sum(code < group for code, _ in known) for group in range(5)]


LEVELS = st.sampled_from([0.0, 0.005, 1.0, 2.0, 3.0, 700.0])
FOURS = st.lists(LEVELS, min_size=4, max_size=4).map(sorted)
VELOCITIES = st.just(np.nan) | LEVELS | st.floats(0, 1e6)


def one_score(value: float, anchors: list[float], floor: float) -> float:
    """Score a value as the paper draws it; what is tied shares the mean of its ranks."""
    p90, ends = anchors[-1], [0.0, *anchors]
    scores = [0.0, 25.0, 50.0, 75.0, 90.0]
    tied = [score for score, anchor in zip(scores, ends, strict=True) if anchor == value]
    if np.isnan(value):
        return np.nan
    if anchors[0] == value == p90:
        return 50.0
    if tied:
        return (tied[0] + tied[-1]) / 2
    if value > p90:
        return 100 - 10 * math.exp(-(value - p90) / max(p90, floor))
    at = max(n for n, anchor in enumerate(ends) if anchor < value)
    below, above = scores[at : at + 2]
    return below + (above - below) * (value - ends[at]) / (ends[at + 1] - ends[at])


def one_class(value: float, anchors: list[float], *, known: bool) -> str:
    p25, _, p75, p90 = anchors
    if not known or np.isnan(value):
        return "UNKNOWN"
    if p25 == value == p75:
        return "STABLE"
    limits = ((p90, "VIRAL"), (p75, "RISING"), (p25, "STABLE"))
    return next((name for limit, name in limits if value >= limit), "FALLING")


@settings(max_examples=40)
@given(
    st.lists(st.tuples(FOURS, FOURS, st.booleans(), st.floats(0, 1)), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 2), VELOCITIES, VELOCITIES, st.floats(0, 100)), max_size=8),
    st.lists(st.tuples(st.floats(-5, 5), st.just(0.0) | st.floats(0.1, 9)), min_size=3, max_size=3),
)
@pytest.mark.parametrize("is_compiled", [False, True])
def test_each_row_is_scored_classed_and_decayed_as_it_would_be_by_itself(
    is_compiled: bool,  # noqa: FBT001 # a case of the table
    groups: list[tuple[list[float], list[float], bool, float]],
    rows: list[tuple[int, float, float, float]],
    moments: list[tuple[float, float]],
) -> None:
    codes = np.array([code % len(groups) for code, *_ in rows], dtype=np.int64)
    mean, std = np.array(moments[: len(groups)]).T
    velocity, views, freshness = np.array([row[1:] for row in rows]).reshape(-1, 3).T.copy()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "WARM_ROWS", 0 if is_compiled else 1_000)
        found = kernels.score_rows(
            codes,
            (velocity, views),
            anchors=np.array([[[0.0, *one], [0.0, *other]] for one, other, *_ in groups]),
            floors=np.array([1.0, 0.01]),
            mean=mean,
            std=std,
            known=np.array([known for *_, known, _ in groups]),
            sureness=np.array([sure for *_, sure in groups]),
            freshness=freshness,
        )
        counted = kernels.class_counts(codes, found.trend, len(groups))

    classes = []
    for at, code in enumerate(codes.tolist()):
        fast, seen, known, sure = groups[code]
        scores = one_score(velocity[at], fast, 1.0), one_score(views[at], seen, 0.01)
        assert found.scores[:, at].tolist() == pytest.approx(scores, abs=1e-9, nan_ok=True)
        classes.append((code, one_class(velocity[at], fast, known=known)))
        assert CLASS_NAMES[found.trend[at]] == classes[-1][1]
        z = (velocity[at] - mean[code]) / std[code] if std[code] > 0 else velocity[at] * 0
        assert found.z[at] == pytest.approx(z, nan_ok=True)
        assert found.confidence[at] == freshness[at] * sure
        decayed = scores[0] * freshness[at] * sure / 100
        assert found.decayed[at] == pytest.approx(decayed, abs=1e-9, nan_ok=True)
    for code, names in enumerate(counted.tolist()):
        assert names == [classes.count((code, name)) for name in CLASS_NAMES]


@pytest.mark.parametrize("is_compiled", [False, True])
@given(st.lists(st.tuples(st.integers(0, 2), st.just(np.nan) | st.integers(0, 9)), max_size=20))
def test_a_group_is_described_as_it_would_be_by_itself(
    is_compiled: bool,  # noqa: FBT001 # a case of the table
    pairs: list[tuple[int, float]],
) -> None:
    codes = np.array([code for code, _ in pairs], dtype=np.int64)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernels, "WARM_ROWS", 0 if is_compiled else 1_000)
        found = kernels.group_statistics(codes, 4, (np.array([v for _, v in pairs], float),))

    for group in range(4):
        own = sorted(v for code, v in pairs if code == group and not np.isnan(v))
        assert found.count[0, group] == len(own)
        if not own:
            assert np.isnan(
                [found.mean[0, group], found.std[0, group], found.baseline[group]]
            ).all()
            assert np.isnan(found.percentiles[:, 0, group]).all()
            continue
        p25, p50, p75, p90 = np.percentile(own, [25, 50, 75, 90]).tolist()
        assert found.percentiles[:, 0, group].tolist() == pytest.approx([p25, p50, p75, p90])
        reach = 1.5 * (p75 - p25) if len(own) >= 4 else np.inf
        kept = [v for v in own if p25 - reach <= v <= p75 + reach]
        assert found.outlier_count[0, group] == len(own) - len(kept)
        assert found.mean[0, group] == pytest.approx(statistics.fmean(kept))
        assert found.std[0, group] == pytest.approx(statistics.pstdev(kept), abs=1e-9)
        middle = [v for v in own if p25 <= v <= p75] or own
        assert found.baseline[group] == statistics.median(middle)


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
