import statistics
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.channel_outliers import (
    CHANNEL_OUTLIER_SCHEMA,
    ChannelOutlierParams,
    channel_outliers,
    leave_one_out_medians,
    usable_rows,
)
from aurastream.core.errors import InvalidInputError
from aurastream.core.formats import RegimeBreak

CHARTS = (
    Path(__file__).resolve().parents[4]
    / "shared/data/youtube_trending/charts_8c_2025-12-10_2026-04-30.parquet"
)
START = pd.Timestamp("2026-01-10T10:00Z")


def row(video: str, views: float | None = 100, *, hours: float = 0, age: float | None = 10, **more):
    window = START + pd.Timedelta(hours=hours)
    born = more.get("published", window - pd.Timedelta(hours=age or 0))
    speed = None if views is None or age is None else views / max(0.5, age)
    return {
        "window_start": window,
        "video_id": video,
        "channel_id": more.get("channel", "c"),
        "published_at": born,
        "age_h": age,
        "views": views,
        "lifetime_velocity_per_hour": more.get("speed", speed),
    }


def frame(*rows: dict[str, object]) -> pd.DataFrame:
    made = pd.DataFrame(list(rows))
    for column in ("age_h", "views", "lifetime_velocity_per_hour"):
        made[column] = made[column].astype("Float64")
    made["published_at"] = pd.to_datetime(made["published_at"], utc=True)
    return made


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.one_of(st.just(float("nan")), st.integers(0, 50).map(float))
        ),
        max_size=40,
    )
)
def test_the_median_of_the_others_is_that_of_the_statistics_module(rows) -> None:
    group = np.array([g for g, _ in rows], dtype=np.int64)
    values = np.array([v for _, v in rows], dtype=np.float64)
    medians, n = leave_one_out_medians(group, values)
    for at, (own, _) in enumerate(rows):
        others = [v for j, (g, v) in enumerate(rows) if j != at and g == own and not np.isnan(v)]
        assert n[at] == len(others)
        expected = statistics.median(others) if others else float("nan")
        assert medians[at] == pytest.approx(expected, nan_ok=True)


def oracle(rows: pd.DataFrame, window, video: str, params: ChannelOutlierParams):
    """The definition in words, one video at a time."""
    visible = rows[rows["window_start"] <= window].sort_values("window_start", kind="stable")
    newest = visible.groupby("video_id").tail(1).set_index("video_id")
    mine = newest.loc[video]
    siblings = newest[
        (newest["channel_id"] == mine["channel_id"])
        & (newest.index != video)
        & (newest["published_at"] >= window - params.recent)
    ]
    speeds = siblings["lifetime_velocity_per_hour"].dropna().tolist()
    views = []
    for sibling in siblings.index:
        own = visible[(visible["video_id"] == sibling)].dropna(subset=["age_h", "views"])
        apart = np.abs(np.log(own["age_h"].astype(float) / float(mine["age_h"])))
        if len(own) and apart.min() <= np.log(params.age_factor):
            best = own.loc[apart.idxmin()]
            views.append(best["views"] * mine["age_h"] / best["age_h"])
    return speeds, views, mine


def check(found: pd.DataFrame, rows: pd.DataFrame, params: ChannelOutlierParams) -> None:
    for one in found.itertuples():
        speeds, views, mine = oracle(rows, one.window_start, one.video_id, params)
        assert (one.channel_n, one.like_age_n) == (len(speeds), len(views))
        for values, value, score in (
            (speeds, mine["lifetime_velocity_per_hour"], one.outlier_score),
            (views, mine["views"], one.like_age_score),
        ):
            usual = statistics.median(values) if len(values) >= params.min_videos else 0
            if usual > 0 and not pd.isna(value):
                assert score == pytest.approx(value / usual, rel=1e-9)
            else:
                assert np.isnan(score)


def test_scores_are_those_of_the_definition_over_many_windows() -> None:
    random = np.random.default_rng(3)
    rows = []
    for video in range(40):
        born = START - pd.Timedelta(hours=float(np.exp(random.uniform(3, 8))))
        for hours in sorted(random.choice(60, 6, replace=False) / 2):
            at = START + pd.Timedelta(hours=float(hours))
            age = (at - born) / pd.Timedelta(hours=1)
            seen = float(random.integers(0, 10**6)) if random.random() > 0.05 else None
            rows.append(
                row(
                    f"v{video:02d}",
                    seen,
                    hours=float(hours),
                    age=age,
                    published=born,
                    channel=f"c{video % 5}",
                )
            )
    made = frame(*rows)
    params = ChannelOutlierParams()
    found = channel_outliers(made)
    assert len(found) == len(made)
    assert found["outlier_score"].notna().sum() > 100
    assert found["like_age_score"].notna().sum() > 20
    check(found, made, params)


@given(st.randoms())
def test_the_order_of_rows_and_a_split_into_history_do_not_matter(random) -> None:
    made = frame(
        *(row(f"v{i}", 100 * (i + 1), hours=h, age=10 + h + i) for i in range(6) for h in (0, 1, 2))
    )
    whole = channel_outliers(made)
    order = list(range(len(made)))
    random.shuffle(order)
    pd.testing.assert_frame_equal(channel_outliers(made.iloc[order]), whole)
    last = made["window_start"] == made["window_start"].max()
    alone = channel_outliers(made[last], made[~last])
    expected = whole[whole["window_start"] == whole["window_start"].max()].reset_index(drop=True)
    pd.testing.assert_frame_equal(alone, expected)


def test_the_future_is_not_known() -> None:
    now = [row(f"v{i}", 100) for i in range(4)]
    later = [row(f"v{i}", 10**9, hours=5, age=15) for i in range(4)]
    only_now = channel_outliers(frame(*now))
    both = channel_outliers(frame(*now, *later))
    pd.testing.assert_frame_equal(both.head(4), only_now)


@given(st.lists(st.integers(1, 10**6), min_size=4, max_size=12), st.integers(2, 9))
def test_more_views_never_stand_out_less_and_scale_does_not_matter(views, factor) -> None:
    found = channel_outliers(frame(*(row(f"v{i:02d}", v) for i, v in enumerate(views))))
    order = np.argsort(views, kind="stable")
    scores = found["outlier_score"].to_numpy()[order]
    assert (np.diff(scores) >= -1e-9).all()
    scaled = channel_outliers(frame(*(row(f"v{i:02d}", factor * v) for i, v in enumerate(views))))
    assert scaled["outlier_score"].tolist() == pytest.approx(found["outlier_score"].tolist())


def test_a_video_in_two_categories_is_one_video() -> None:
    once = frame(*(row(f"v{i}", 100 * (i + 1)) for i in range(4)))
    twice = pd.concat([once, once.assign(category="gta")])
    pd.testing.assert_frame_equal(channel_outliers(twice), channel_outliers(once))


def test_old_videos_nameless_channels_and_too_few_give_no_score() -> None:
    old = START - pd.Timedelta(days=91)
    found = channel_outliers(
        frame(row("a", 500), *(row(f"o{i}", 100, published=old) for i in range(5)))
    ).set_index("video_id")
    assert found.loc["a", "channel_n"] == 0
    assert np.isnan(found.loc["a", "outlier_score"])
    nameless = channel_outliers(frame(*(row(f"v{i}", 100, channel="") for i in range(5))))
    assert (nameless["channel_n"] == 0).all()
    zero = channel_outliers(frame(*(row(f"v{i}", 0) for i in range(5))))
    assert zero["outlier_score"].isna().all()
    assert zero["like_age_score"].isna().all()
    unknown = channel_outliers(frame(row("x", None), *(row(f"v{i}", 100) for i in range(3))))
    assert unknown["channel_n"].tolist() == [2, 2, 2, 3]
    assert np.isnan(unknown["outlier_score"].iloc[3])


def test_nothing_in_gives_nothing_out_in_the_right_shape() -> None:
    unpublished = row("a", None, age=None, published=None)
    for found in (
        channel_outliers(pd.DataFrame()),
        channel_outliers(frame(row("a"))),
        channel_outliers(frame(unpublished)),
        channel_outliers(frame(row("a")), pd.DataFrame()),
    ):
        assert {c: str(t) for c, t in found.dtypes.items()} == dict(CHANNEL_OUTLIER_SCHEMA)


def test_bad_input_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidInputError, match="views"):
        channel_outliers(frame(row("a", -1)))
    with pytest.raises(InvalidInputError, match="channel_id"):
        channel_outliers(frame(row("a")).drop(columns="channel_id"))
    with pytest.raises(InvalidInputError, match="channel_id"):
        channel_outliers(frame(row("a", channel=None)))
    with pytest.raises(InvalidInputError, match="history"):
        channel_outliers(frame(row("a")), pd.DataFrame({"video_id": ["b"]}))
    for bad in ({"min_videos": 0}, {"age_factor": 1.0}, {"min_age_h": 0.0}):
        with pytest.raises(InvalidInputError):
            ChannelOutlierParams(**bad)


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_real_channels_score_as_the_definition_says() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[(rows["views"] > 0) & rows["snapshot_date"].between("2026-03-01", "2026-03-20")]
    busy = rows.groupby("channel_id")["video_id"].nunique().nlargest(5).index
    rows = rows[rows["channel_id"].isin(busy)].sort_values("country")
    rows = rows.drop_duplicates(["snapshot_date", "video_id"])
    age = (rows["fetched_at"] - rows["published_at"]) / pd.Timedelta(hours=1)
    made = rows.assign(
        window_start=pd.to_datetime(rows["snapshot_date"], utc=True) + pd.Timedelta(hours=7.5),
        age_h=age.clip(lower=0.5),
        lifetime_velocity_per_hour=rows["views"] / age.clip(lower=0.5),
    )
    found = channel_outliers(made)
    assert found["outlier_score"].notna().sum() > 50
    check(found, made, ChannelOutlierParams())


def test_what_was_seen_long_before_the_window_does_not_count() -> None:
    old = frame(*(row(f"o{i}", hours=-24 * 30, age=10) for i in range(3)))
    new = frame(row("new", hours=0), row("twin", hours=0))
    assert channel_outliers(new, old)["channel_n"].tolist() == [1, 1]
    longer = ChannelOutlierParams(memory=pd.Timedelta(days=31))
    assert channel_outliers(new, old, params=longer)["channel_n"].tolist() == [4, 4]


def test_what_was_counted_otherwise_does_not_count() -> None:
    change = RegimeBreak(
        at=START.to_pydatetime(), name="x", affects="views", is_confirmed=True, note=""
    )
    before = [row(video, 100, hours=-1) for video in "abc"]
    after = [row(video, 900, hours=1) for video in "defg"]
    known = ChannelOutlierParams(breaks=(change,))

    def told(params: ChannelOutlierParams) -> pd.DataFrame:
        found = channel_outliers(frame(*before, *after), params=params)
        return found[found["window_start"] > START]

    assert told(known)["channel_n"].tolist() == [3] * 4
    assert told(known)["outlier_score"].tolist() == [1.0] * 4
    assert told(known)["like_age_n"].tolist() == [3] * 4
    for other in ((), (replace(change, affects="format"),)):
        assert told(ChannelOutlierParams(breaks=other))["channel_n"].tolist() == [6] * 4
    early = channel_outliers(frame(*before, *after), params=ChannelOutlierParams(min_videos=2))
    cut = channel_outliers(
        frame(*before, *after), params=ChannelOutlierParams(min_videos=2, breaks=(change,))
    )
    is_early = early["window_start"] < START
    pd.testing.assert_frame_equal(early[is_early], cut[is_early])


SPOILT = st.fixed_dictionaries(
    {},
    optional={
        "views": st.sampled_from([0, -1, None, 1e101]),
        "age_h": st.sampled_from([0.0, -0.5, None]),
        "lifetime_velocity_per_hour": st.sampled_from([0.0, -1.0, np.inf, None]),
        "channel_id": st.sampled_from(["", None, ["c"]]),
        "video_id": st.sampled_from(["x", None]),
        "window_start": st.sampled_from([None, START]),
        "published_at": st.sampled_from([None, START, "soon"]),
    },
)
FITS = {
    "views": (0, None),
    "age_h": (0.0, None),
    "lifetime_velocity_per_hour": (0.0, None),
    "channel_id": ("",),
    "video_id": ("x",),
    "window_start": (START,),
    "published_at": (None, START),
}


@given(SPOILT, SPOILT)
def test_rows_are_usable_where_they_can_be_scored(one, other) -> None:
    rows = pd.DataFrame([row("a") | one, row("b") | other]).astype(object)

    def outcome(work):
        try:
            return work(rows)
        except InvalidInputError as error:
            return error.message

    found = outcome(usable_rows)

    fits = all(value in FITS[name] for told in (one, other) for name, value in told.items())
    assert (found is rows) == fits
    assert isinstance(outcome(channel_outliers), str) == (not fits)


def test_rows_that_would_be_refused_are_refused_before() -> None:
    rows = frame(row("a"), row("b", views=None, age=None))
    assert usable_rows(rows) is rows
    for column in ("views", "age_h", "lifetime_velocity_per_hour"):
        with pytest.raises(InvalidInputError, match=column):
            usable_rows(rows.assign(**{column: -1.0}))
    with pytest.raises(InvalidInputError, match="time zone"):
        usable_rows(rows.assign(published_at=pd.Timestamp("2026-01-01")))
