"""Nothing of tomorrow may reach a first-day feature, whatever tomorrow holds."""

import operator
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aurastream.evaluation.archives import load_archive
from aurastream.evaluation.channels import channel_history
from aurastream.evaluation.cohort import first_sightings
from aurastream.evaluation.features import day_one, next_day
from aurastream.evaluation.references import trailing_percentiles

Row = Callable[..., dict[str, object]]


def features_until(folder: Path, day: int) -> pd.DataFrame:
    archive = load_archive(folder)
    charts = archive.charts[archive.charts["day"] <= archive.first_day + day]
    rows = first_sightings(archive)
    rows = rows[rows["day"] <= archive.first_day + day]
    return day_one(rows, charts).set_index(rows["video_id"])


def test_features_do_not_change_when_the_future_is_cut_off(crowd: Path) -> None:
    whole, cut = features_until(crowd, 59), features_until(crowd, 30)
    assert len(cut) == 31 * 12
    pd.testing.assert_frame_equal(whole.loc[cut.index], cut, check_exact=True)


def test_a_future_rewritten_at_random_changes_no_earlier_feature(crowd: Path) -> None:
    before = features_until(crowd, 30)
    charts = pd.read_parquet(crowd / "charts_test.parquet")
    later = charts["snapshot_date"] > "2026-01-31"
    charts.loc[later, ["views", "likes", "comments"]] = 10**9
    charts.loc[later, "channel_id"] = "c1"
    charts.to_parquet(crowd / "charts_test.parquet")
    pd.testing.assert_frame_equal(
        features_until(crowd, 59).loc[before.index], before, check_exact=True
    )


def test_hidden_counters_are_null_and_missing_the_first_hour_divides_by_one(
    chart_row: Row,
) -> None:
    row = chart_row("v", 3, likes=0, comments=0, views=900)
    rows = pd.DataFrame([row]).assign(day=3, age_h=0.5, own_countries=1, mean_rank=10.0)
    found = day_one(rows, rows).iloc[0]
    assert found["velocity"] == 900.0
    assert found[["likes", "comments", "likes_per_view", "comments_per_hour"]].isna().all()


def test_the_history_of_a_channel_ends_the_day_before(chart_row: Row) -> None:
    charts = pd.DataFrame(
        [
            chart_row("a", 1, channel_id="c", views=100),
            chart_row("a", 2, channel_id="c", views=800),
            chart_row("b", 2, channel_id="c", views=50, chart_rank=3, country="GB"),
            chart_row("v", 5, channel_id="c", views=400),
            chart_row("w", 6, channel_id="c", views=10**9),
            chart_row("x", 5, channel_id="other"),
        ]
    ).assign(day=[1, 2, 2, 5, 6, 5])
    rows = charts[charts["video_id"].isin(["v", "x"])]
    known, unknown = channel_history(rows, charts).to_dict("records")
    assert known["channel_videos"] == 2
    assert known["channel_rows"] == 3
    assert known["channel_days"] == 2
    assert known["channel_today"] == 1
    assert known["channel_best_rank"] == 3
    assert known["channel_views_max"] == 800
    assert known["channel_days_since"] == 3
    assert known["channel_growth_max"] == np.log(8)
    assert known["views_over_channel_max"] == np.log(400) - np.log(800)
    assert unknown["channel_rows"] == 0
    assert np.isnan(unknown["channel_best_rank"])
    assert np.isnan(unknown["views_over_channel_mean"])


def test_trailing_percentiles_forget_after_four_weeks() -> None:
    days = np.array([0, 27, 28], dtype="int64")
    found = trailing_percentiles(
        days, np.zeros(3, dtype="int64"), pd.DataFrame({"v": [9.0, 5.0, 5.0]})
    )
    assert found["v"].tolist() == [0.5, 0.25, 0.5]


def test_day_two_knows_the_next_day_and_says_when_it_saw_nothing(
    chart_row: Row, observation: Row
) -> None:
    rows = pd.DataFrame([chart_row("v", 0), chart_row("w", 0)]).assign(day=0)
    seen = pd.DataFrame([observation("v", 1, 3400), observation("w", 2, 10**6)]).assign(day=[1, 2])
    found = next_day(rows, seen)
    assert found["next_velocity"].tolist()[0] == 100.0
    assert found["next_seen"].tolist() == [1.0, 0.0]
    assert found.loc[1, "next_views":"next_velocity"].isna().all()


TITLES = [
    "",
    " ",
    "a",
    "Été 100% ÉTÉ",
    "٣ tests ٣٣",
    "  two\u2003words\n",
    "🎮🎮 WIN!",
    "[a](b)【c】|\uff5c",
    "é\u0301",
]


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(TITLES) | st.text(max_size=8), min_size=1, max_size=6))
def test_characters_of_titles_are_counted_as_python_counts_them(
    chart_row: Row, titles: list[str]
) -> None:
    rows = pd.DataFrame([chart_row(f"v{n}", 3, title=title) for n, title in enumerate(titles)])
    found = day_one(
        rows.assign(day=3, age_h=0.5, own_countries=1, mean_rank=10.0), rows.assign(day=3)
    )
    expected = {
        "title_words": [len(re.findall(r"\S+", title)) for title in titles],
        "title_digits": [len(re.findall(r"\d", title)) for title in titles],
        "title_pipes": [sum(c in "|\uff5c" for c in title) for title in titles],
        "title_brackets": [sum(c in "([【" for c in title) for title in titles],
        "title_capitals": [
            sum(c.isupper() for c in title) / max(1, sum(c.isalpha() for c in title))
            for title in titles
        ],
        "title_foreign": [sum(ord(c) > 127 for c in t) / max(1, len(t)) for t in titles],
        "title_emoji": [sum(ord(c) > 0xFFFF for c in title) for title in titles],
    }
    for name, values in expected.items():
        assert found[name].tolist() == values, name


@given(
    st.lists(
        st.tuples(st.integers(0, 70), st.integers(0, 2), st.integers(0, 4) | st.none()), max_size=40
    )
)
def test_a_trailing_percentile_is_the_mid_rank_among_its_own_four_weeks(
    rows: list[tuple[int, int, int | None]],
) -> None:
    days, groups = (np.array([row[i] for row in rows], dtype="int64") for i in (0, 1))
    values = pd.Series([row[2] for row in rows], dtype="float64")

    found = trailing_percentiles(days, groups, pd.DataFrame({"v": values}))["v"]

    for n, (day, group, value) in enumerate(rows):
        known = [v for d, g, v in rows if g == group and day - 28 < d <= day and v is not None]
        if value is None:
            assert np.isnan(found[n])
        else:
            less, upto = (sum(f(v, value) for v in known) for f in (operator.lt, operator.le))
            assert found[n] == (less + upto) / (2 * len(known))
