"""Looks, their lift and shared designs, on videos whose truth is known."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.thumbnails_lift import (
    LOOK_COLUMNS,
    LOOKS,
    THUMBNAIL_DESIGNS_SCHEMA,
    THUMBNAIL_LIFT_SCHEMA,
    looks,
    thumbnail_designs,
    thumbnail_lift,
    with_thumbnails,
)
from aurastream.core.title_lift import title_lift
from aurastream.store.tables import table_for

WINDOW = pd.Timestamp("2026-03-01T08:00Z").as_unit("us")


def videos(n: int = 400, seed: int = 1, **columns: Any) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    hashes = [f"{int(h):016x}" for h in rng.integers(0, 2**62, n)]
    frame = pd.DataFrame(
        {
            "window_start": WINDOW,
            "category": np.where(np.arange(n) % 2, "gaming", "music"),
            "video_id": [f"v{i:04}" for i in range(n)],
            "channel_id": [f"c{i % 60}" for i in range(n)],
            "age_h": rng.uniform(1, 200, n),
            "best_rank": rng.integers(1, 51, n),
            "lifetime_velocity_per_hour": np.exp(rng.normal(8, 0.4, n)),
            "viral_score": rng.uniform(0, 100, n),
            "perceptual_hash": pd.array(hashes, dtype="str"),
            "face_count": rng.integers(0, 3, n),
            "largest_face_share": rng.uniform(0, 0.3, n),
            "text_area_share": rng.uniform(0, 0.3, n),
            "brightness": rng.uniform(0, 1, n),
            "contrast": rng.uniform(0, 0.5, n),
            "saturation": rng.uniform(0, 1, n),
            "colourfulness": rng.uniform(0, 120, n),
            "clutter": rng.uniform(0, 1, n),
            "thirds_index": rng.uniform(0.5, 2, n),
            "focus_field": rng.choice(["top left", "centre", "bottom right"], n),
            "colour_name": rng.choice(["red", "blue", "grey"], n),
        }
    )
    return frame.assign(**columns)


def test_the_columns_are_those_of_the_tables() -> None:
    for name, schema in (
        ("thumbnail_intel", THUMBNAIL_LIFT_SCHEMA),
        ("thumbnail_designs", THUMBNAIL_DESIGNS_SCHEMA),
    ):
        assert [c.name for c in table_for(("intelligence", name)).columns] == list(schema)


def test_a_look_that_doubles_velocity_is_found_and_the_others_are_not() -> None:
    frame = videos(1_200)
    has_face = frame["face_count"] >= 1
    faster = frame["lifetime_velocity_per_hour"] * np.where(has_face, 2.0, 1.0)

    found = thumbnail_lift(frame.assign(lifetime_velocity_per_hour=faster))

    faces = found[found["look"] == "face"]
    assert (faces["verdict"] == "FASTER").all()
    assert ((faces["ci_low"] < 2.0) & (faces["ci_high"] > 2.0)).all()
    unrelated = found[~found["look"].isin(["face", "several_faces"])]
    assert unrelated["verdict"].isin(["FASTER", "SLOWER"]).mean() < 0.06


def test_the_lift_is_that_of_the_method_for_titles() -> None:
    frame = videos()
    expected = title_lift(frame.assign(**looks(frame)), patterns=LOOKS)

    found = thumbnail_lift(frame)

    for name in ("lift", "ci_low", "ci_high", "p_value", "q_value", "with_count"):
        assert found[name].tolist() == pytest.approx(expected[name].tolist(), nan_ok=True)


def test_counts_and_medians_are_those_of_counting() -> None:
    frame = videos(101)
    frame.loc[::7, ["perceptual_hash"]] = None
    frame.loc[3, "viral_score"] = np.nan

    found = thumbnail_lift(frame).set_index(["category", "look"])

    for category, own in frame.groupby("category"):
        known = own[own["perceptual_hash"].notna()]
        row = found.loc[(category, "several_faces")]
        with_it = known[known["face_count"] > 1]
        assert row["video_count"] == len(own)
        assert row["known_count"] == len(known)
        assert row["look_count"] == len(with_it)
        assert row["look_share"] == pytest.approx(len(with_it) / len(known))
        assert row["viral_score_with"] == pytest.approx(with_it["viral_score"].median())
        bright = known["brightness"] > known["brightness"].median()
        assert found.loc[(category, "bright"), "look_count"] == bright.sum()


def test_without_a_single_thumbnail_every_look_is_unknown() -> None:
    frame = with_thumbnails(
        videos(20).drop(columns=["perceptual_hash", *LOOK_COLUMNS]).assign(as_of=WINDOW),
        pd.DataFrame(),
    )

    found = thumbnail_lift(frame)

    assert len(found) == 2 * len(LOOKS)
    assert (found["verdict"] == "UNKNOWN").all()
    assert (found["known_count"] == 0).all()
    assert found["lift"].isna().all()
    assert thumbnail_designs(frame).empty


def test_a_category_of_one_video_has_rows() -> None:
    found = thumbnail_lift(videos(1))

    assert found["verdict"].unique().tolist() == ["UNKNOWN"]
    assert found["video_count"].unique().tolist() == [1]


@given(st.integers(1, 60), st.randoms(use_true_random=False))
def test_the_order_of_the_videos_does_not_matter(n: int, order: Any) -> None:
    frame = videos(n, seed=n)
    places = list(range(n))
    order.shuffle(places)

    pd.testing.assert_frame_equal(thumbnail_lift(frame.iloc[places]), thumbnail_lift(frame))
    pd.testing.assert_frame_equal(thumbnail_designs(frame.iloc[places]), thumbnail_designs(frame))


@given(st.integers(1, 80))
def test_shares_counts_and_scores_stay_in_their_range(n: int) -> None:
    found = thumbnail_lift(videos(n, seed=n))

    assert found["look_share"].between(0, 1).all()
    assert (found["look_count"] <= found["known_count"]).all()
    assert (found["known_count"] <= found["video_count"]).all()
    scores = pd.concat([found["viral_score_with"], found["viral_score_without"]]).dropna()
    assert scores.between(0, 100).all()
    assert set(found["verdict"]) <= {"FASTER", "SLOWER", "UNCLEAR", "UNKNOWN"}


def test_designs_are_listed_by_size_with_their_fastest_video() -> None:
    frame = videos(40, category="music")
    frame.loc[:4, "perceptual_hash"] = "00000000000000ff"
    frame.loc[5:6, "perceptual_hash"] = ["ffff000000000000", "fffe000000000000"]
    frame.loc[2, "lifetime_velocity_per_hour"] = 1e9

    found = thumbnail_designs(frame)

    assert found["rank"].tolist() == [1, 2]
    assert found["video_count"].tolist() == [5, 2]
    assert found["video_ids"].tolist() == [[f"v{i:04}" for i in range(5)], ["v0005", "v0006"]]
    assert found["fastest_video_id"].tolist()[0] == "v0002"
    usual = frame["lifetime_velocity_per_hour"].median()
    assert found["velocity_ratio"].iloc[0] == pytest.approx(
        frame["lifetime_velocity_per_hour"][:5].median() / usual
    )


def test_designs_of_different_categories_and_windows_are_different_designs() -> None:
    frame = videos(4, perceptual_hash="00000000000000ff")
    later = frame.assign(window_start=WINDOW + pd.Timedelta("4h"))

    found = thumbnail_designs(pd.concat([frame, later], ignore_index=True))

    assert found["video_count"].tolist() == [2, 2, 2, 2]
    assert found["category"].tolist() == ["gaming", "music"] * 2


def test_a_changed_thumbnail_counts_from_when_it_was_first_seen() -> None:
    hours = pd.to_datetime([f"2026-03-01T{h:02}:00Z" for h in (4, 8, 12)]).as_unit("us")
    features = pd.DataFrame({"video_id": "a", "first_seen_at": hours[:2]}).assign(
        perceptual_hash=["0" * 16, "f" * 16], **dict.fromkeys(LOOK_COLUMNS, 1)
    )
    windows = pd.DataFrame({"video_id": ["a", "b", "a", "a"], "as_of": hours[[2, 2, 1, 0]]})

    found = with_thumbnails(windows, features)["perceptual_hash"]

    assert found.fillna("-").tolist() == ["f" * 16, "-", "0" * 16, "0" * 16]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InvalidInputError, match="perceptual_hash"):
        thumbnail_lift(videos(3).drop(columns="perceptual_hash"))


@pytest.mark.parametrize(
    ("columns", "wrong"),
    [
        ({"window_start": "soon"}, "window_start"),
        ({"colour_name": pd.Series([["red"]] * 3, dtype=object)}, "colour_name"),
        ({"brightness": pd.Series(["dark", 1.0, 1.0], dtype=object)}, "brightness"),
    ],
)
def test_what_is_no_look_is_refused(columns: dict[str, Any], wrong: str) -> None:
    with pytest.raises(InvalidInputError, match=wrong):
        looks(videos(3, **columns))


@pytest.mark.parametrize(
    ("video", "file"),
    [
        ({"as_of": None}, {}),
        ({"video_id": pd.Series([["v"]], dtype=object)}, {}),
        ({}, {"first_seen_at": "soon"}),
        ({}, {"perceptual_hash": pd.Series(["\ud800"], dtype=object)}),
    ],
)
def test_thumbnails_of_no_time_or_no_name_are_refused(
    video: dict[str, Any], file: dict[str, Any]
) -> None:
    shown = videos(1)
    seen = shown[["video_id"]].assign(as_of=WINDOW)
    with pytest.raises(InvalidInputError):
        with_thumbnails(seen.assign(**video), shown.assign(first_seen_at=WINDOW).assign(**file))
