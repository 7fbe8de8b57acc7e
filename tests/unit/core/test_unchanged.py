"""Fingerprints of what an analysis reads: equal exactly when the rows are."""

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.unchanged import carried, fingerprints, with_sources

START = pd.Timestamp("2026-11-20", tz="UTC").as_unit("us")
FOUR_HOURS = pd.Timedelta(hours=4)
ROWS = st.lists(
    st.tuples(st.integers(0, 2), st.sampled_from("ab"), st.integers(0, 3), st.text(max_size=2)),
    max_size=12,
)


def frame(rows: list[tuple[int, str, int, str]]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex(
                [START + n * FOUR_HOURS for n, *_ in rows], tz="UTC"
            ).as_unit("us"),
            "category": pd.array([row[1] for row in rows], dtype="str"),
            "views": pd.array([row[2] for row in rows], dtype="Int64"),
            "title": [row[3] for row in rows],
        }
    )


def groups(rows: list[tuple[int, str, int, str]]) -> dict[tuple[int, str], list[tuple[int, str]]]:
    found: dict[tuple[int, str], list[tuple[int, str]]] = {}
    for n, category, views, title in rows:
        found.setdefault((n, category), []).append((views, title))
    return {key: sorted(value) for key, value in sorted(found.items())}


@given(ROWS, st.integers(0, 99))
def test_groups_have_equal_fingerprints_exactly_when_their_rows_are_equal(
    rows: list[tuple[int, str, int, str]], seed: int
) -> None:
    found = fingerprints(frame(rows).sample(frac=1, random_state=seed))
    expected = groups(rows)
    assert found["input_rows"].tolist() == [len(value) for value in expected.values()]
    hashes = found["input_hash"].tolist()
    for one, own in zip(hashes, expected.values(), strict=True):
        for other, theirs in zip(hashes, expected.values(), strict=True):
            assert (one == other) == (own == theirs)


@given(ROWS)
def test_what_is_carried_is_what_would_have_been_computed(
    rows: list[tuple[int, str, int, str]],
) -> None:
    def compute(part: pd.DataFrame) -> pd.DataFrame:
        sums = part.groupby(["window_start", "category"])["views"].sum()
        return sums.astype("int64").reset_index()

    whole = frame(rows)
    sources = with_sources(fingerprints(whole))
    new = sources[sources["source_window"] == sources["window_start"]]
    needed = whole.merge(new[["window_start", "category"]], on=["window_start", "category"])

    result = carried(compute(needed), sources)

    pd.testing.assert_frame_equal(result, compute(whole), check_dtype=False)


def test_a_category_that_was_absent_for_a_window_is_new() -> None:
    rows = frame([(0, "a", 1, ""), (2, "a", 1, ""), (0, "b", 1, ""), (1, "b", 1, "")])
    sources = with_sources(fingerprints(rows)).set_index(["category", "window_start"])
    assert sources.loc[("a", START + 2 * FOUR_HOURS), "source_window"] == START + 2 * FOUR_HOURS
    assert sources.loc[("b", START + FOUR_HOURS), "source_window"] == START


def test_the_window_before_the_run_is_a_source_as_well() -> None:
    found = fingerprints(frame([(1, "a", 1, ""), (2, "a", 1, ""), (1, "b", 1, "")]))
    before = fingerprints(frame([(0, "a", 1, ""), (0, "b", 2, "")]))

    sources = with_sources(found, before)

    assert sources["source_window"].tolist() == [START, START + FOUR_HOURS, START]


def test_lists_nulls_and_numbers_that_look_alike_are_told_apart() -> None:
    one = frame([(0, "a", 1, "")])
    values: list[object] = [["x", "y"], ["x y"], None, "x", []]
    kinds = [one.assign(tags=pd.Series([value], dtype="object")) for value in values]
    kinds.append(one.assign(tags=np.array([np.nan])))
    assert len({fingerprints(kind)["input_hash"].iloc[0] for kind in kinds}) == len(kinds)
