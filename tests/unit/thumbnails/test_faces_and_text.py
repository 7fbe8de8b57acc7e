"""Faces and words that were put there are found where they were put."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from aurastream.core.thumbnails_faces import covered_share, faces
from aurastream.core.thumbnails_text import lettering, text_lines
from tests.unit.thumbnails.pictures import SKINS, faces_on, waves, words

BOXES = st.lists(
    st.tuples(st.integers(0, 30), st.integers(0, 20), st.integers(1, 12), st.integers(1, 12)),
    max_size=8,
)


def grey(image: Image.Image) -> np.ndarray:
    return np.asarray(image.convert("L"))


def plain() -> Image.Image:
    return Image.new("RGB", (480, 270), (60, 110, 170))


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize(
    ("box", "field"),
    [((180, 60, 130), "centre"), ((10, 10, 80), "top left"), ((330, 90, 150), "right")],
)
def test_a_face_is_found_where_it_is(
    box: tuple[int, int, int], field: str, skin: tuple[int, int, int]
) -> None:
    left, top, side = box
    found = faces(grey(faces_on(plain(), [box], skin)))

    assert found.count == 1
    assert found.field == field
    x, y, wide, high = found.boxes[0]
    assert abs(x + wide / 2 - left - side / 2) < 0.1 * side
    assert abs(y + high / 2 - top - side / 2) < 0.1 * side
    assert found.area_share == found.largest_share == wide * high / (480 * 270)
    assert found.largest_share == pytest.approx(side * side / (480 * 270), rel=0.35)


@pytest.mark.parametrize("skin", SKINS)
@pytest.mark.parametrize("ground", [(20, 20, 30), (128, 128, 128), (225, 225, 215)])
def test_a_face_is_found_before_a_dark_and_before_a_bright_ground(
    ground: tuple[int, int, int], skin: tuple[int, int, int]
) -> None:
    picture = faces_on(Image.new("RGB", (480, 270), ground), [(180, 60, 130)], skin)

    assert faces(grey(picture)).count == 1


def test_faces_are_counted_and_the_largest_comes_first() -> None:
    found = faces(grey(faces_on(plain(), [(20, 40, 90), (180, 20, 90), (330, 100, 140)])))

    assert found.count == 3
    assert found.field == "right"
    areas = [wide * high for _, _, wide, high in found.boxes]
    assert areas == sorted(areas, reverse=True)
    assert found.largest_share < found.area_share <= sum(areas) / (480 * 270)


@pytest.mark.parametrize("seed", range(8))
def test_clouds_have_no_faces_and_no_words(seed: int) -> None:
    clouds = grey(waves(seed))

    assert faces(clouds).count == 0
    assert lettering(clouds).count == 0


def test_a_picture_too_small_for_a_face_has_none() -> None:
    assert faces(np.full((16, 300), 90, np.uint8)).count == 0


@given(BOXES)
def test_the_covered_share_counts_each_pixel_once(boxes: list[tuple[int, int, int, int]]) -> None:
    inside = {
        (x, y)
        for left, top, wide, high in boxes
        for x in range(left, min(40, left + wide))
        for y in range(top, min(30, top + high))
    }

    assert covered_share(boxes, 30, 40) == pytest.approx(len(inside) / 1200)


@pytest.mark.parametrize(
    ("text", "size", "at"),
    [
        ("I SURVIVED 100 DAYS", 40, (20, 60)),
        ("HUGE NEWS", 80, (20, 150)),
        ("a small caption in a corner", 18, (230, 240)),
        ("FIRST LINE\nSECOND LINE", 40, (100, 80)),
    ],
)
@pytest.mark.parametrize("ground", [plain, lambda: waves(11)], ids=["plain", "clouds"])
def test_words_are_found_with_about_the_area_they_cover(
    text: str, size: int, at: tuple[int, int], ground: object
) -> None:
    picture = ground()  # type: ignore[operator] # a function without arguments
    before = lettering(grey(picture))
    share = words(text, size, at, picture)

    found = lettering(grey(picture))

    assert before.count == 0
    assert found.count == 1 + text.count("\n")
    assert 0.5 * share < found.area_share < 1.7 * share


def test_the_field_of_the_words_is_that_of_the_largest_line() -> None:
    picture = plain()
    words("tiny words", 16, (10, 10), picture)
    words("LARGE WORDS", 50, (100, 200), picture)

    assert lettering(grey(picture)).field == "bottom"


def test_a_face_is_no_word_and_a_word_is_no_face() -> None:
    face = faces_on(plain(), [(180, 60, 130)])
    lettered = plain()
    words("WORDS ALONE", 60, (20, 90), lettered)

    assert lettering(grey(face)).count == 0
    assert faces(grey(lettered)).count == 0


def test_any_number_of_threads_finds_the_same() -> None:
    pictures = []
    for seed in range(12):
        picture = faces_on(waves(seed), [(40 + 20 * seed, 70, 110)])
        words("SAME EVERYWHERE", 32, (30, 20), picture)
        pictures.append(grey(picture))
    alone = [(faces(p), lettering(p)) for p in pictures]

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda p: (faces(p), lettering(p)), pictures * 2))

    assert together == alone * 2
    assert all(people.count == 1 and text.count for people, text in alone)


SPOTS = st.lists(
    st.tuples(st.integers(0, 200), st.integers(0, 100), st.integers(2, 20), st.integers(7, 25)),
    max_size=14,
    unique=True,
)


@given(SPOTS, st.randoms(use_true_random=False))
def test_lines_do_not_depend_on_the_order_of_the_letters(
    spots: list[tuple[int, int, int, int]], order: object
) -> None:
    shuffled = list(spots)
    order.shuffle(shuffled)  # type: ignore[attr-defined] # a random.Random
    one, other = (np.array(s, dtype=np.int64).reshape(-1, 4) for s in (spots, shuffled))

    assert text_lines(one) == text_lines(other)


@given(SPOTS)
def test_every_line_lies_around_three_letters_at_least(
    spots: list[tuple[int, int, int, int]],
) -> None:
    for left, top, wide, high in text_lines(np.array(spots, dtype=np.int64).reshape(-1, 4)):
        inside = [
            s
            for s in spots
            if s[0] >= left
            and s[1] >= top
            and s[0] + s[2] <= left + wide
            and s[1] + s[3] <= top + high
        ]
        assert len(inside) >= 3
