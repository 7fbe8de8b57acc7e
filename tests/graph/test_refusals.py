"""What is left out of an impossible input: by row, by category, and in whose company."""

import json
import random
from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.channel_outliers import channel_outliers, usable_rows
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import codes_of, counters, each_once, group_keys, whole_numbers
from aurastream.core.releases import releases
from aurastream.core.title_intel import title_intel
from aurastream_assets.intelligence.refusals import (
    Frames,
    apart,
    each_for_itself,
    quarantined,
)
from aurastream_assets.intelligence.video_versions import releases_of

AT = pd.Timestamp("2026-11-20T00:00Z").as_unit("us")
LENGTH = timedelta(hours=4)


def videos(category: str, *views: float, at: pd.Timestamp = AT) -> pd.DataFrame:
    ids = [f"{category}{n}" for n in range(len(views))]
    return pd.DataFrame(
        {"window_start": at, "category": category, "video_id": ids, "views": list(views)}
    )


def checked(rows: pd.DataFrame) -> pd.DataFrame:
    counters(rows, "views", "videos")
    return rows


def test_of_every_window_and_category_exactly_the_impossible_rows_are_left_out() -> None:
    later = AT + LENGTH
    rows = pd.concat(
        [videos("a", 1, -1, 2), videos("b", 3, 4), videos("a", 5, 6, -7, -8, at=later)],
        ignore_index=True,
    )

    found, refused = each_for_itself(rows, checked)

    pd.testing.assert_frame_equal(found, rows[rows["views"] >= 0].reset_index(drop=True))
    told = quarantined(refused, "intelligence/x", LENGTH).sort_values(["occurred_at", "item_id"])
    assert told["item_id"].tolist() == ["a1", "a2", "a3"]
    assert told["occurred_at"].tolist() == [AT + LENGTH, later + LENGTH, later + LENGTH]
    assert [json.loads(raw)["row"]["views"] for raw in told["raw"]] == [-1, -7, -8]
    # Again, and in another order: the same rows with the same ids.
    _, again = each_for_itself(rows.iloc[::-1], checked)
    ids = quarantined(again, "intelligence/x", LENGTH)["quarantine_id"]
    assert set(ids) == set(told["quarantine_id"])


@pytest.mark.parametrize(
    ("column", "wrong"),
    [("window_start", 7), ("window_start", "soon"), ("category", "\ud800"), ("category", ["a"])],
)
def test_what_is_no_window_or_no_category_keeps_none_of_the_others(
    column: str, wrong: object
) -> None:
    rows = pd.concat([videos("a", 1, 2, 3), videos("b", 4)], ignore_index=True)
    held = [wrong if n == 1 else value for n, value in enumerate(rows[column])]
    spoilt = rows.assign(**{column: pd.Series(held, dtype="object")})

    found, refused = each_for_itself(spoilt, counted)

    pd.testing.assert_frame_equal(found, rows.drop(index=1).reset_index(drop=True))
    (told,) = quarantined(refused, "intelligence/x", LENGTH).to_dict("records")
    assert (told["item_id"], told["reason"]) == (
        "a1",
        "The row has no window_start or no category.",
    )


def counted(rows: pd.DataFrame) -> pd.DataFrame:
    group_keys((rows, "videos"))
    return rows


def test_what_is_wrong_with_no_rows_at_all_is_raised() -> None:
    with pytest.raises(InvalidInputError, match="'views'"):
        each_for_itself(videos("a", 1).drop(columns="views"), _need)


def _need(rows: pd.DataFrame) -> pd.DataFrame:
    if "views" not in rows:
        raise InvalidInputError("There is no column 'views'.")
    return rows


def test_nameless_rows_that_are_all_impossible_in_one_way_are_a_category_that_is() -> None:
    rows = pd.concat([videos("a", -1, -1, -1), videos("b", 1)], ignore_index=True)

    found, refused = each_for_itself(rows.drop(columns="video_id"), checked)

    assert found["category"].tolist() == ["b"]
    (told,) = quarantined(refused, "intelligence/x", LENGTH).to_dict("records")
    assert (told["item_id"], json.loads(told["raw"])) == ("a", {"category": "a"})


@pytest.mark.parametrize("is_named", [True, False])
@pytest.mark.parametrize(("n", "bad"), [(36_000, 90), (2_000, 180), (600, 400)])
def test_however_many_rows_are_impossible_the_others_of_the_category_are_kept(
    n: int, bad: int, *, is_named: bool
) -> None:
    views = np.ones(n)
    views[np.random.default_rng(7).choice(n, bad, replace=False)] = -1.0
    rows = pd.concat([videos("a", *views), videos("b", 1)], ignore_index=True)

    found, refused = each_for_itself(rows, checked if is_named else silent)

    kept = rows[rows["views"] > 0].reset_index(drop=True)
    pd.testing.assert_frame_equal(found, kept)
    assert sorted(refused["item_id"]) == sorted(rows.loc[rows["views"] < 0, "video_id"])


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_rows_that_the_checks_name_are_left_out_in_a_few_attempts_whatever_their_share(
    share: float,
) -> None:
    rng = np.random.default_rng(7)
    views = np.where(rng.random(12_000) < share, -np.arange(1.0, 12_001), 1.0)
    rows = pd.concat([videos("a", *views), videos("b", 1)], ignore_index=True)
    rows = pd.concat([rows, rows[rng.random(len(rows)) < share]])
    rows["rank"] = np.where(rng.random(len(rows)) < share / 2, 0.5, 1)
    asked = []

    def compute(some: pd.DataFrame) -> pd.DataFrame:
        asked.append(len(some))
        (codes,), _ = codes_of(some["video_id"])
        each_once(codes, some.index, "videos", "video")
        whole_numbers(some, "rank", "videos")
        return checked(some)

    found, refused = each_for_itself(rows, compute)

    assert len(asked) < 50
    is_possible = (rows["views"] >= 0) & (rows["rank"] == 1)
    assert sorted(found["video_id"]) == sorted(set(rows.loc[is_possible, "video_id"]))
    assert len(found) + len(refused) == len(rows)
    # Each with a reason of its own.
    reasons = refused["reason"]
    said = reasons[reasons.str.contains("'views'")].str.extract(r"holds -([\d.e+]+)\.")[0]
    of = refused.loc[said.index, "item_id"].str.removeprefix("a").astype("int64") + 1
    np.testing.assert_allclose(said.astype("float64"), of, rtol=1e-5)
    assert len(said) > 0.3 * share * len(rows)


FAULTS: dict[str, dict[str, object]] = {
    "possible": {},
    "views below zero": {"views": -1.0},
    "views beyond counting": {"views": 1e300},
    "no channel": {"channel_id": None},
    "half a character": {"video_id": "\ud800"},
    "speed without end": {"lifetime_velocity_per_hour": np.inf},
    "no window": {"window_start": None},
}


@settings(max_examples=15, deadline=None)
@given(st.lists(st.sampled_from([*FAULTS]), max_size=30), st.randoms())
def test_whichever_rows_are_impossible_the_others_are_scored_to_the_bit_as_without_them(
    faults: list[str], random: random.Random
) -> None:
    faults = ["possible", *faults]
    made = [
        {
            "window_start": AT,
            "category": "ab"[n % 2],
            "video_id": f"v{n}",
            "channel_id": f"c{n % 3}",
            "published_at": AT - timedelta(hours=n),
            "age_h": 1.0 + n,
            "views": 100.0 + n * n,
            "lifetime_velocity_per_hour": 7.0 * n,
        }
        | FAULTS[fault]
        for n, fault in enumerate(faults)
    ]
    columns = [*made[0]]
    types = dict.fromkeys(columns, object) | {"window_start": "datetime64[us, UTC]"}
    rows = pd.DataFrame(random.sample(made, len(made)), dtype=object).astype(types)

    def scored(some: pd.DataFrame) -> pd.DataFrame:
        return channel_outliers(usable_rows(some), usable_rows(some))

    found, refused = each_for_itself(rows, scored)

    kept = [row for row, fault in zip(made, faults, strict=True) if fault == "possible"]
    alone = scored(pd.DataFrame(kept, columns=columns, dtype=object).astype(types))
    pd.testing.assert_frame_equal(
        found.sort_values("video_id", ignore_index=True),
        alone.sort_values("video_id", ignore_index=True),
        check_exact=True,
    )
    assert len(refused) == len(made) - len(kept)


def silent(rows: pd.DataFrame) -> pd.DataFrame:
    """Refuse what `checked` refuses, without a word about which row it is."""
    if (rows["views"] < 0).any():
        raise InvalidInputError("Views are below zero.")
    return rows


def test_a_category_of_which_every_row_is_impossible_is_told_once_where_no_row_can_be() -> None:
    rows = pd.concat([videos("a", *np.full(3_000, -1.0)), videos("b", 1)], ignore_index=True)

    found, refused = each_for_itself(rows, silent)
    _, each = each_for_itself(rows, checked)

    assert found["category"].tolist() == ["b"]
    (reason,) = refused["reason"]
    assert "one of 3,000, more than the attempts could tell apart" in reason
    assert sorted(each["item_id"]) == sorted(rows.loc[rows["views"] < 0, "video_id"])


@pytest.mark.parametrize(
    ("stats", "gone"),
    [({"a": 1.0, "b": 1.0}, []), ({"a": -1.0, "b": 1.0}, ["a"])],
)
def test_what_describes_other_rows_is_blamed_and_not_the_rows(
    stats: dict[str, float], gone: list[str]
) -> None:
    """A category's statistics are impossible only where a video is compared with them."""
    seen = pd.concat([videos("a", 1, 2, 3), videos("b", 4)], ignore_index=True)
    usual = pd.DataFrame({"window_start": AT, "category": [*stats], "mean": [*stats.values()]})

    def compared(_: pd.DatetimeIndex, frames: Frames) -> pd.DataFrame:
        both = frames["videos"].merge(frames["stats"], on="category", how="left")
        if (both["mean"] < 0).any():
            raise InvalidInputError("A mean is negative.")
        return both

    found, refused = apart(
        compared,
        {"videos": seen, "stats": usual},
        ends=pd.DatetimeIndex([AT + LENGTH]),
        length=LENGTH,
        reach=timedelta(),
    )

    assert found["video_id"].tolist() == seen["video_id"].tolist()
    assert refused["category"].tolist() == gone
    assert refused["item_id"].isna().all()


def test_rows_that_only_exclude_each_other_across_categories_cost_one_of_them() -> None:
    seen = pd.concat([videos("a", 1, 2), videos("b", 2, 3)], ignore_index=True)

    def once(_: pd.DatetimeIndex, frames: Frames) -> pd.DataFrame:
        if frames["videos"]["views"].duplicated().any():
            raise InvalidInputError("A number of views comes twice.")
        return frames["videos"]

    found, refused = apart(
        once,
        {"videos": seen},
        ends=pd.DatetimeIndex([AT + LENGTH]),
        length=LENGTH,
        reach=timedelta(),
    )

    assert sorted(found["views"]) == [1, 2, 3]
    assert refused["item_id"].tolist() in (["a1"], ["b0"])


def test_quarantine_tells_what_a_row_held_even_where_no_number_or_text_can_say_it() -> None:
    broken = "half \ud83d of it"
    rows = pd.DataFrame(
        {
            "window_start": AT,
            "category": "a",
            "video_id": pd.Series([None, "zero\0", broken, "fine"], dtype="object"),
            "views": [-np.inf, -1.0, -1e-12, 1.0],
            "tags": [["x", None], np.array(["y"]), None, None],
        }
    )

    found, refused = each_for_itself(rows, checked)

    assert found["video_id"].tolist() == ["fine"]
    told = quarantined(refused, "intelligence/x", LENGTH)
    assert sorted(told["item_id"]) == ["a", "half \\ud83d of it", "zero\\x00"]
    held = {
        own: json.loads(raw)["row"] for own, raw in zip(told["item_id"], told["raw"], strict=True)
    }
    assert [held[own]["views"] for own in sorted(held)] == ["-inf", -1e-12, -1.0]
    assert held["a"]["video_id"] is None
    assert held["a"]["tags"] == ["x", None]
    assert held["zero\\x00"]["window_start"] == "2026-11-20T00:00:00.000000Z"
    assert held["half \\ud83d of it"]["video_id"] == broken
    # All of it can be stored.
    assert "".join([*told["raw"], *told["item_id"], *told["reason"]]).encode()


@pytest.mark.parametrize("key", ["window_start", "category"])
def test_a_row_without_window_or_category_costs_itself_alone(key: str) -> None:
    rows = pd.concat([videos("a", 1, 2, -3), videos("b", 4)], ignore_index=True)
    rows.loc[1, key] = None

    def keyed(some: pd.DataFrame) -> pd.DataFrame:
        if some[["window_start", "category"]].isna().to_numpy().any():
            raise InvalidInputError("A row has no window or category.")
        return checked(some)

    found, refused = each_for_itself(rows, keyed)

    assert found["video_id"].tolist() == ["a0", "b0"]
    told = quarantined(refused, "intelligence/x", LENGTH).set_index("item_id")
    assert sorted(told.index) == ["a1", "a2"]
    assert told.loc["a1", "reason"] == "The row has no window_start or no category."
    assert told["occurred_at"].tolist() == [AT + LENGTH] * 2
    assert json.loads(str(told.loc["a1", "raw"]))["row"][key] is None


@pytest.mark.parametrize("rank", [np.inf, -1.0, 1e300, Decimal("sNaN"), "first"])
def test_a_rank_that_cannot_be_costs_its_video_alone(rank: object) -> None:
    rows = videos("a", 1, 2, 3).assign(
        channel_id=["x", "y", "z"],
        title="boss",
        age_h=1.0,
        lifetime_velocity_per_hour=1.0,
        best_rank=[1.0, rank, 3.0],
    )

    found, refused = each_for_itself(rows, title_intel)

    kept = rows.drop(index=1).astype({"best_rank": np.float64})
    pd.testing.assert_frame_equal(found, title_intel(kept), check_exact=True)
    assert refused["item_id"].tolist() == ["a1"]
    assert "best_rank" in refused["reason"].item()
    json.loads(quarantined(refused, "intelligence/x", LENGTH)["raw"].item())


def test_where_no_row_has_a_window_there_is_nothing_to_compute() -> None:
    with pytest.raises(InvalidInputError, match="No row has both"):
        each_for_itself(videos("a", -1).assign(window_start=None), checked)


def test_rows_of_nobody_stay_unless_they_are_impossible_themselves() -> None:
    games = pd.DataFrame({"category": ["a"], "twitch_game_id": ["1"]})
    streams = pd.DataFrame(
        {
            "game_id": ["1", "1", "2", "2"],
            "stream_id": ["a0", "a1", "x0", "x1"],
            "observed_at": AT,
            "views": [1.0, -1.0, 2.0, -2.0],
        }
    )

    found, refused = apart(
        lambda _, frames: checked(frames["streams"]),
        {"games": games, "streams": streams},
        ends=pd.DatetimeIndex([AT + LENGTH]),
        length=LENGTH,
        reach=timedelta(),
    )

    assert found["stream_id"].tolist() == ["a0", "x0"]
    told = refused.set_index("item_id")["category"].to_dict()
    assert told == {"a1": "a", "x1": "nobody"}


def test_an_impossible_version_costs_itself_and_is_told_where_its_video_is_seen() -> None:
    later = AT + LENGTH
    rows = pd.concat([videos("a", 1, 2, -3), videos("b", 4), videos("a", 5, 6, at=later)])
    rows = rows.assign(observed_at=later, lifetime_velocity_per_hour=1.0)
    versions = pd.DataFrame(
        {
            "video_id": ["a0", "a0", "b0", "z"],
            "metadata_hash": ["1", "2", "3", "4"],
            "first_observed_at": [AT, pd.NaT, AT, pd.NaT],
            "live_state": "none",
            "published_at": AT,
            "scheduled_start_at": pd.NaT,
            "actual_start_at": pd.NaT,
        }
    )

    found, refused = releases_of(rows, versions)

    expected = releases(rows[rows["views"] >= 0], versions[versions["first_observed_at"].notna()])
    pd.testing.assert_frame_equal(found, expected)
    told = quarantined(refused, "intelligence/x", LENGTH)
    assert told["item_id"].tolist() == ["a0", "a0", "a2"]
    assert told["occurred_at"].tolist() == [AT + LENGTH, later + LENGTH, AT + LENGTH]
    assert "first_observed_at" in told["reason"].iloc[0]
    with pytest.raises(InvalidInputError, match="metadata_hash"):
        releases_of(rows, versions.drop(columns="metadata_hash"))
