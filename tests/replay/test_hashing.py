"""Numbers and ids that are hashes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from aurastream.replay.hashing import base64_id, id_number, mix, mix_int, uniform, unmix_int
from aurastream.replay.names import display_name, login, user_number

NUMBERS = st.integers(0, 2**64 - 1)


@given(NUMBERS)
def test_scrambling_can_be_undone_and_is_the_same_for_arrays(number: int) -> None:
    assert unmix_int(mix_int(number)) == number
    assert int(mix(np.array([number], dtype=np.uint64))[0]) == mix_int(number)


@given(NUMBERS)
def test_an_id_gives_its_number_back(number: int) -> None:
    text = base64_id(number)
    assert len(text) == 11
    assert id_number(text) == number


@given(st.text(max_size=15))
def test_no_text_breaks_reading_an_id(text: str) -> None:
    number = id_number(text)
    assert number is None or base64_id(number) == text


def test_uniform_numbers_are_uniform_and_independent() -> None:
    first, second = uniform(1, np.arange(50_000)), uniform(2, np.arange(50_000))
    assert abs(first.mean() - 0.5) < 0.01
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.02
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.02
    assert np.histogram(first, 10)[0].min() > 4_700
    assert uniform(1, 7)[0] == uniform(1, np.arange(10))[7]


def test_people_have_different_logins() -> None:
    assert len({login(number) for number in range(1 << 16)}) == 1 << 16
    assert len({user_number(channel) for channel in range(1 << 16)}) == 1 << 16
    assert all(display_name(number, "ko") for number in range(0, 1 << 16, 997))
