"""Light and colour, against formulas written down a second time."""

import colorsys
import re
import statistics
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from aurastream.core.errors import InvalidInputError
from aurastream.core.thumbnails_colour import COLOUR_NAMES, colour_name, luma, oklab, palette, tone
from tests.unit.thumbnails.pictures import waves

PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3)))


@given(PICTURES)
def test_every_figure_stays_in_its_range(pixels: np.ndarray) -> None:
    found = tone(pixels)

    assert 0.0 <= found.brightness <= 1.0
    assert 0.0 <= found.contrast <= 0.5
    assert 0.0 <= found.saturation <= 1.0
    assert 0.0 <= found.colourfulness < 300.0


@given(PICTURES)
def test_they_are_the_figures_of_their_definitions(pixels: np.ndarray) -> None:
    rgb = pixels.reshape(-1, 3).tolist()
    light = [(0.2126 * r + 0.7152 * g + 0.0722 * b) / 255 for r, g, b in rgb]
    red_green = [r - g for r, g, _ in rgb]
    yellow_blue = [0.5 * (r + g) - b for r, g, b in rgb]
    spread = np.sqrt(np.var(red_green) + np.var(yellow_blue))
    shift = np.sqrt(np.mean(red_green) ** 2 + np.mean(yellow_blue) ** 2)

    found = tone(pixels)

    assert found.brightness == pytest.approx(np.mean(light))
    assert found.contrast == pytest.approx(statistics.pstdev(light), abs=1e-12)
    assert found.saturation == pytest.approx(
        np.mean([colorsys.rgb_to_hsv(r / 255, g / 255, b / 255)[1] for r, g, b in rgb])
    )
    assert found.colourfulness == pytest.approx(spread + 0.3 * shift)


@given(PICTURES)
def test_more_light_is_brighter_and_grey_has_no_colour(pixels: np.ndarray) -> None:
    lighter = np.maximum(pixels, 128)
    grey = np.repeat(pixels[..., :1], 3, axis=2)

    assert tone(lighter).brightness >= tone(pixels).brightness
    assert tone(grey).colourfulness == 0.0
    assert tone(grey).saturation == 0.0


@given(PICTURES, st.integers(1, 6), st.randoms(use_true_random=False))
def test_a_palette_does_not_depend_on_the_order_of_pixels(
    pixels: np.ndarray, count: int, order: object
) -> None:
    flat = pixels.reshape(-1, 3)
    places = list(range(len(flat)))
    order.shuffle(places)  # type: ignore[attr-defined] # a random.Random

    found = palette(flat, count)

    assert palette(flat[places], count) == found
    assert 1 <= len(found) <= count
    assert sum(share for _, share in found) == pytest.approx(1.0)
    assert [s for _, s in found] == sorted((s for _, s in found), reverse=True)


def test_a_flag_has_the_colours_of_its_stripes() -> None:
    flag = np.zeros((60, 90, 3), np.uint8)
    flag[:, :30], flag[:, 30:60], flag[:, 60:] = (0, 85, 164), (250, 250, 250), (239, 65, 53)
    flag[:20, :30] = (239, 65, 53)

    found = palette(flag)

    assert [name for name, _ in found] == ["#ef4135", "#fafafa", "#0055a4"]
    assert [share for _, share in found] == pytest.approx([4 / 9, 3 / 9, 2 / 9])


def test_the_centres_are_those_that_lloyd_would_leave_in_place() -> None:
    pixels = np.asarray(waves(5, (96, 54))).reshape(-1, 3)
    cells = (pixels.astype(int) >> 4) @ [256, 16, 1]
    means = np.array([pixels[cells == c].mean(axis=0) for c in np.unique(cells)])
    weight = np.bincount(np.searchsorted(np.unique(cells), cells))
    place = oklab(np.rint(means).astype(np.uint8))

    found = palette(pixels)
    centres = oklab(
        np.array([[int(n[i : i + 2], 16) for i in (1, 3, 5)] for n, _ in found], np.uint8)
    )
    nearest = ((place[:, None] - centres[None]) ** 2).sum(axis=2).argmin(axis=1)
    shares = np.bincount(nearest, weight) / weight.sum()

    # Means of RGB stand for means of OKLab here, which moves a border by a little.
    assert shares == pytest.approx([share for _, share in found], abs=0.03)


def test_oklab_agrees_with_its_published_values() -> None:
    known = {
        (0, 0, 0): (0.0, 0.0, 0.0),
        (255, 255, 255): (1.0, 0.0, 0.0),
        (255, 0, 0): (0.62796, 0.22486, 0.12585),
        (0, 255, 0): (0.86644, -0.23389, 0.17950),
        (0, 0, 255): (0.45201, -0.03246, -0.31153),
    }
    found = oklab(np.array([list(known)], np.uint8))[0]

    assert found == pytest.approx(np.array(list(known.values())), abs=2e-5)


@given(st.integers(0, 0xFFFFFF))
def test_every_colour_has_a_name(number: int) -> None:
    assert colour_name(f"#{number:06x}") in COLOUR_NAMES


@pytest.mark.parametrize(
    ("hexadecimal", "name"),
    [
        ("#8b0000", "red"),
        ("#ff69b4", "pink"),
        ("#ff1493", "pink"),
        ("#ff8c00", "orange"),
        ("#8b4513", "orange"),
        ("#ffd700", "yellow"),
        ("#32cd32", "green"),
        ("#40e0d0", "cyan"),
        ("#1e90ff", "blue"),
        ("#000080", "blue"),
        ("#800080", "purple"),
        ("#c0c0c0", "grey"),
        ("#f5f5f5", "white"),
        ("#101010", "black"),
    ],
)
def test_colours_are_called_what_people_call_them(hexadecimal: str, name: str) -> None:
    assert colour_name(hexadecimal) == name


@pytest.mark.parametrize(
    "malformed",
    [
        *("", "#", "#fff", "#fffff", "#fffffff", "#ffffffff", "ffffff", "#ggg000", "# fffff"),
        *(
            "#ffffff\n",
            " #ffffff",
            "#-fffff",
            "#+1+1+1",
            "#1_1_1_",
            "#\u0661\u0661\u0661000",
            "red",
        ),
    ],
)
def test_what_is_no_colour_has_no_name(malformed: str) -> None:
    with pytest.raises(InvalidInputError, match=r"is no colour\. Write it as #rrggbb\."):
        colour_name(malformed)


@given(st.text(max_size=9).filter(lambda text: not re.fullmatch("#[0-9a-fA-F]{6}", text)))
def test_any_other_text_is_refused_as_what_it_is(text: str) -> None:
    with pytest.raises(InvalidInputError):
        colour_name(text)


def test_luma_is_linear_in_the_stored_values() -> None:
    assert luma(np.full((1, 1, 3), 51, np.uint8)) == pytest.approx(0.2)


@given(PICTURES)
def test_luma_is_the_weighted_sum_of_the_recommendation_for_every_pixel(pixels: np.ndarray) -> None:
    found = luma(pixels)

    weights = (Fraction(2126, 10_000), Fraction(7152, 10_000), Fraction(722, 10_000))
    expected = [
        float(sum(w * int(part) for w, part in zip(weights, pixel, strict=True)) / 255)
        for pixel in pixels.reshape(-1, 3)
    ]
    assert found.shape == pixels.shape[:-1]
    assert found.ravel().tolist() == pytest.approx(expected, abs=1e-12)
    assert ((found >= 0) & (found <= 1)).all()
