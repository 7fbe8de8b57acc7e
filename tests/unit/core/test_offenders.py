"""Which items are left out: those that are impossible, and no others."""

import numpy as np
import numpy.typing as npt
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

    assert found is not None
    left = [n for n in range(len(values)) if n not in found]
    assert refusal(np.array(left, dtype=np.int64)) is None
    # The first of its kind is believed.
    assert left == sorted({value: n for n, value in reversed(list(enumerate(values)))}.values())


def test_more_impossible_items_than_can_be_told_apart_are_not_named() -> None:
    assert (
        offenders(lambda some: "no" if some.size else None, np.arange(40), most_attempts=50) is None
    )
