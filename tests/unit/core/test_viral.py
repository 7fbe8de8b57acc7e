from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core import kernels
from aurastream.core.category_stats import category_stats
from aurastream.core.errors import InvalidInputError
from aurastream.core.percentile import percentile_score
from aurastream.core.viral import viral_scores

Build = Callable[..., pd.DataFrame]
SCORES = ["viral_score", "views_score", "engagement_score", "decayed_score", "confidence_pct"]


def scored(velocity: pd.DataFrame) -> pd.DataFrame:
    return viral_scores(velocity, category_stats(velocity, default_baselines={}))


def test_a_video_is_scored_against_its_own_category(velocity_rows: Build) -> None:
    values = [float(i) for i in range(1, 41)]
    rows = pd.concat([velocity_rows(values), velocity_rows([1e6] * 40, category="music")])
    found = scored(rows)
    p = np.percentile(values, [25, 50, 75, 90])
    assert found["viral_score"].tolist()[:40] == percentile_score(values, *p).tolist()
    assert found["trend_class"].value_counts().to_dict() == {
        "STABLE": 60,
        "FALLING": 10,
        "RISING": 6,
        "VIRAL": 4,
    }
    assert found["viral_score"].tolist()[40:] == [50.0] * 40
    assert found["velocity_z"].tolist()[40:] == [0.0] * 40


def test_few_samples_lower_the_confidence_and_name_no_class(velocity_rows: Build) -> None:
    found = scored(velocity_rows([float(i) for i in range(15)], confidence=80.0))
    assert set(found["trend_class"]) == {"UNKNOWN"}
    assert found["confidence_pct"].tolist() == [40.0] * 15
    assert found["decayed_score"].tolist() == pytest.approx((found["viral_score"] * 0.4).tolist())
    assert set(found["sample_count"]) == {15}


def test_one_video_scores_the_middle_of_its_category(velocity_rows: Build) -> None:
    found = scored(velocity_rows([123.0])).iloc[0]
    assert (found["viral_score"], found["velocity_z"], found["trend_class"]) == (50, 0, "UNKNOWN")


def test_a_video_without_velocity_has_no_score_and_does_not_count(velocity_rows: Build) -> None:
    found = scored(velocity_rows([*map(float, range(25)), None]))
    last = found.iloc[-1]
    assert np.isnan(last["viral_score"])
    assert np.isnan(last["decayed_score"])
    assert np.isnan(last["velocity_z"])
    assert last["trend_class"] == "UNKNOWN"
    assert last["sample_count"] == 25
    assert last["views_score"] == 50.0


def test_a_category_without_statistics_is_unknown(velocity_rows: Build) -> None:
    rows = velocity_rows([1.0, 2.0])
    stats = category_stats(velocity_rows([1.0], category="music"), default_baselines={})
    found = viral_scores(rows, stats)
    assert found["viral_score"].isna().all()
    assert set(found["trend_class"]) == {"UNKNOWN"}
    assert found["confidence_pct"].tolist() == [0.0, 0.0]


@given(
    st.lists(st.none() | st.floats(0, 1e9) | st.sampled_from([1.0, 2.0]), min_size=1, max_size=60)
)
def test_scores_stay_in_range_and_follow_the_velocity(
    velocity_rows: Build, velocities: list[float | None]
) -> None:
    found = scored(velocity_rows(velocities))
    for column in SCORES:
        values = found[column].dropna()
        assert values.between(0, 100).all()
    known = found[found["viral_score"].notna()]
    order = np.argsort([v for v in velocities if v is not None], kind="stable")
    assert (np.diff(known["viral_score"].to_numpy()[order]) >= -1.5e-14).all()
    assert (known["decayed_score"] <= known["viral_score"]).all()


def test_rows_keep_their_order_and_their_scores_when_shuffled(velocity_rows: Build) -> None:
    rng = np.random.default_rng(8)
    rows = velocity_rows(list(rng.lognormal(5, 2, 60)))
    shuffled = rows.sample(frac=1, random_state=3)
    expected = scored(rows).set_index("video_id")
    found = scored(shuffled).set_index("video_id")
    assert found.index.tolist() == shuffled["video_id"].tolist()
    pd.testing.assert_frame_equal(found.loc[expected.index], expected, check_exact=True)


def test_the_compiled_path_gives_the_same_frame(
    velocity_rows: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("numba", reason="numba is not installed")
    rng = np.random.default_rng(9)
    rows = pd.concat(
        [velocity_rows(list(rng.lognormal(5, 2, 80)), category=c) for c in ("a", "b", "c")]
    )
    plain = scored(rows)
    monkeypatch.setattr(kernels, "WARM_ROWS", 0)
    monkeypatch.setattr(kernels, "COLD_ROWS", 0)
    pd.testing.assert_frame_equal(scored(rows), plain, check_exact=True)


def test_wrong_frames_are_refused_with_the_mend(velocity_rows: Build) -> None:
    rows = velocity_rows([1.0, 2.0])
    stats = category_stats(rows, default_baselines={})
    with pytest.raises(InvalidInputError, match="category_stats frame has no column 'views_p90'"):
        viral_scores(rows, stats.drop(columns="views_p90"))
    with pytest.raises(InvalidInputError, match="twice in one window"):
        viral_scores(rows, pd.concat([stats, stats]))
    with pytest.raises(InvalidInputError, match="holds -2"):
        viral_scores(rows.assign(views=-2), stats)
