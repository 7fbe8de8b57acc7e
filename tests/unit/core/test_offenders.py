"""Which items are left out: those that are impossible, and no others."""

import random

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.offenders import offenders

Integers = npt.NDArray[np.int64]


@given(st.integers(0, 60), st.data())
def test_exactly_the_impossible_items_are_found_in_few_attempts(
    n: int, data: st.DataObject
) -> None:
    items = np.array(data.draw(st.permutations(range(n))), dtype=np.int64)
    bad = data.draw(st.sets(st.sampled_from(range(n)), max_size=5)) if n else set()
    asked: list[frozenset[int]] = []

    def refusal(some: Integers) -> str | None:
        asked.append(frozenset(some.tolist()))
        found = sorted(bad & asked[-1])
        return f"{found[0]} cannot be" if found else None

    found = offenders(refusal, items)

    assert found == {item: f"{item} cannot be" for item in items.tolist() if item in bad}
    assert len(asked) == len(set(asked))
    assert len(asked) <= 1 + len(bad) * (2 * np.ceil(np.log2(max(n, 2))) + 1)


@given(st.lists(st.integers(0, 9), max_size=30))
def test_what_is_left_is_accepted_together_even_where_items_exclude_each_other(
    values: list[int],
) -> None:
    def refusal(some: Integers) -> str | None:
        chosen = [values[n] for n in some]
        return "twice" if len(chosen) > len(set(chosen)) else None

    found = offenders(refusal, np.arange(len(values)))

    left = [n for n in range(len(values)) if n not in found]
    assert refusal(np.array(left, dtype=np.int64)) is None
    # The first of its kind is believed.
    assert left == sorted({value: n for n, value in reversed(list(enumerate(values)))}.values())


@pytest.mark.parametrize(("n", "bad"), [(36_000, 100), (2_000, 180), (600, 400), (36_000, 300)])
def test_however_many_are_impossible_every_other_item_is_kept(n: int, bad: int) -> None:
    impossible = np.zeros(n, dtype=np.bool_)
    impossible[np.random.default_rng(7).choice(n, bad, replace=False)] = True
    asked: list[int] = []

    def refusal(some: Integers) -> str | None:
        asked.append(some.size)
        return "no" if impossible[some].any() else None

    found = offenders(refusal, np.arange(n))

    assert [*found] == np.flatnonzero(impossible).tolist()
    assert len(asked) <= 2 * bad * (np.log2(n / bad) + 2) + 2
    assert sum(asked) <= n * (np.log2(n) + 3)


@given(st.integers(1, 400), st.integers(8, 200), st.randoms(use_true_random=False))
def test_where_the_attempts_end_clean_parts_stay_and_others_go_as_a_whole(
    n: int, most_attempts: int, random: random.Random
) -> None:
    bad = {item for item in range(n) if random.random() < 0.3}
    asked = []
    clean: set[int] = set()

    def refusal(some: Integers) -> str | None:
        asked.append(some)
        if bad.intersection(some.tolist()):
            return "no."
        clean.update(some.tolist())
        return None

    found = offenders(refusal, np.arange(n), most_attempts=most_attempts)

    assert set(found) == set(range(n)) - clean
    assert bad <= set(found)
    assert len(asked) <= most_attempts + 1
    for item in set(found) - bad:
        assert "more than the attempts could tell apart" in found[item]


def test_a_second_block_is_tried_beside_what_was_accepted_of_the_first() -> None:
    def refusal(some: Integers) -> str | None:
        chosen = set(some.tolist())
        if -1 in chosen:
            return "never"
        return "alone" if chosen and 0 not in chosen else None

    assert offenders(refusal, np.array([-1, 0]), np.arange(1, 50)) == {-1: "never"}


def test_where_everything_excludes_everything_one_is_kept_or_the_search_ends() -> None:
    asked = []

    def refusal(some: Integers) -> str | None:
        asked.append(some)
        return "only one." if some.size > 1 else None

    found = offenders(refusal, np.arange(40), most_attempts=200)

    assert [*found] == [*range(1, 40)]
    assert len(asked) <= 200
    assert set(offenders(refusal, np.arange(4_000), most_attempts=100)) >= set(range(1, 4_000))
