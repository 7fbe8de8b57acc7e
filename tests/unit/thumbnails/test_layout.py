"""Composition, against scipy and against pictures whose composition is known."""

import numpy as np
import pytest
import scipy.ndimage
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aurastream.core.thumbnails_colour import luma
from aurastream.core.thumbnails_layout import (
    FIELDS,
    edges,
    entropy_bits,
    field_at,
    grid_shares,
    layout,
)
from tests.unit.thumbnails.pictures import waves, words

LIGHT = hnp.arrays(
    np.float64,
    st.tuples(st.integers(3, 20), st.integers(3, 20)),
    elements=st.integers(0, 255).map(lambda level: level / 255),
)
PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(16, 40), st.integers(16, 40), st.just(3)))


@given(LIGHT)
def test_edges_are_those_of_scipy(light: np.ndarray) -> None:
    across, down = (scipy.ndimage.sobel(light, axis=a, mode="mirror") / 8.0 for a in (1, 0))

    assert edges(light) == pytest.approx(np.hypot(across, down), abs=1e-12)


@given(LIGHT)
def test_entropy_is_that_of_scipy(light: np.ndarray) -> None:
    counts = np.unique(np.rint(light * 255), return_counts=True)[1]

    assert entropy_bits(light) == pytest.approx(scipy.stats.entropy(counts, base=2), abs=1e-9)


@given(LIGHT)
def test_shares_of_the_fields_are_sums_over_them(values: np.ndarray) -> None:
    expected = np.zeros(9)
    height, width = values.shape
    for (y, x), value in np.ndenumerate(values):
        row = sum(y >= round(height * part / 3) for part in (1, 2))
        column = sum(x >= round(width * part / 3) for part in (1, 2))
        expected[row * 3 + column] += value
    total = expected.sum()

    assert grid_shares(values) == pytest.approx(expected / total if total else np.full(9, 1 / 9))


@given(PICTURES)
def test_every_figure_stays_in_its_range(pixels: np.ndarray) -> None:
    found = layout(pixels)

    assert sum(found.edge_grid) == pytest.approx(1.0)
    assert sum(found.saliency_grid) == pytest.approx(1.0)
    assert found.focus_field in FIELDS
    assert found.thirds_index >= 0.0
    assert 0.0 <= found.edge_density <= 1.0
    assert 0.0 <= found.entropy_bits <= 8.0
    assert 0.0 <= found.clutter <= 1.0


@given(PICTURES)
def test_a_mirrored_picture_has_a_mirrored_grid(pixels: np.ndarray) -> None:
    height, width = (length // 3 * 3 for length in pixels.shape[:2])
    pixels = pixels[:height, :width]
    one, other = layout(pixels), layout(pixels[:, ::-1])

    mirrored = np.array(other.edge_grid).reshape(3, 3)[:, ::-1].ravel()
    assert mirrored == pytest.approx(one.edge_grid)
    assert other.edge_density == one.edge_density
    assert other.entropy_bits == pytest.approx(one.entropy_bits)


@pytest.mark.parametrize("field", FIELDS)
def test_the_focus_is_where_the_only_thing_is(field: str) -> None:
    row, column = divmod(FIELDS.index(field), 3)
    picture = np.full((180, 320, 3), 230, np.uint8)
    picture[row * 60 + 15 : row * 60 + 45, column * 106 + 30 : column * 106 + 76] = (200, 20, 20)

    found = layout(picture)

    assert found.focus_field == field
    assert max(found.edge_grid) == found.edge_grid[FIELDS.index(field)] > 0.9


def test_things_on_the_crossings_of_thirds_raise_the_index_and_one_in_the_middle_lowers_it() -> (
    None
):
    crossing, middle = (np.full((180, 320, 3), 230, np.uint8) for _ in range(2))
    for y in (60, 120):
        for x in (107, 213):
            crossing[y - 12 : y + 12, x - 12 : x + 12] = 20
    middle[78:102, 148:172] = 20

    assert layout(crossing).thirds_index > 1.5
    assert layout(middle).thirds_index < 1.0


def test_words_and_noise_make_a_picture_more_crowded() -> None:
    plain = waves(7)
    lettered = plain.copy()
    words("A LOT OF WORDS\nON A PICTURE\nOF CLOUDS", 44, (20, 40), lettered)
    noise = np.random.default_rng(8).integers(0, 256, (270, 480, 3)).astype(np.uint8)

    crowded = [layout(np.asarray(p)).clutter for p in (plain, lettered, noise)]

    assert crowded == sorted(crowded)
    assert crowded[0] < 0.2
    assert crowded[2] > 0.8


def test_a_point_on_the_border_belongs_to_a_field() -> None:
    assert [field_at(x, 0.0) for x in (0.0, 1 / 3, 2 / 3, 1.0)] == [
        "top left",
        "top",
        "top right",
        "top right",
    ]


def test_a_picture_of_sixteen_pixels_has_a_composition() -> None:
    tiny = np.random.default_rng(9).integers(0, 256, (16, 16, 3)).astype(np.uint8)

    assert layout(tiny).edge_density == pytest.approx(float((edges(luma(tiny)) > 0.05).mean()))


@given(st.integers(1, 12), st.integers(1, 700), st.integers(0, 9))
def test_a_strip_of_any_length_has_a_layout_that_turns_with_it(
    short: int, long: int, seed: int
) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (short, long, 3), dtype=np.uint8)

    lying, standing = layout(pixels), layout(pixels.transpose(1, 0, 2))

    for one, other in (
        (lying.edge_grid, standing.edge_grid),
        (lying.saliency_grid, standing.saliency_grid),
    ):
        assert sum(one) == pytest.approx(1.0)
        assert np.reshape(one, (3, 3)) == pytest.approx(np.reshape(other, (3, 3)).T, abs=1e-9)
    assert lying.thirds_index == pytest.approx(standing.thirds_index)
