"""Figures of thumbnails against second implementations: scipy, networkx, Pillow, plain loops."""

import hashlib
import math
from collections import Counter
from dataclasses import asdict

import networkx as nx
import numpy as np
import pytest
import scipy.fft
import scipy.ndimage
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image, ImageColor

from aurastream.core.thumbnails import describe_pixels, describe_thumbnail, features_frame
from aurastream.core.thumbnails_colour import COLOUR_NAMES, colour_name, oklab, palette, tone
from aurastream.core.thumbnails_decode import DecodedThumbnail, decode_thumbnail, without_bars
from aurastream.core.thumbnails_faces import faces
from aurastream.core.thumbnails_layout import FIELDS, field_at, grid_shares, layout
from aurastream.core.thumbnails_similarity import hash_distance, perceptual_hash
from aurastream.core.thumbnails_text import lettering, text_lines
from tests.unit.thumbnails.pictures import faces_on, file_of, waves, words

PICTURES = hnp.arrays(np.uint8, st.tuples(st.integers(16, 40), st.integers(16, 40), st.just(3)))
HASHES = st.integers(0, 2**64 - 1).map(lambda number: f"{number:016x}")


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_the_field_of_a_point_is_the_one_that_a_pixel_around_it_counts_for(
    height: int, width: int, data: st.DataObject
) -> None:
    height, width = 3 * height, 3 * width
    y, x = data.draw(st.integers(0, height - 1)), data.draw(st.integers(0, width - 1))
    picture = np.zeros((height, width))
    picture[y, x] = 1.0

    field = field_at((x + 0.5) / width, (y + 0.5) / height)

    assert grid_shares(picture)[FIELDS.index(field)] == 1.0


@settings(max_examples=25)
@given(PICTURES)
def test_a_layout_is_that_of_scipy_and_of_counting(pixels: np.ndarray) -> None:
    found = layout(pixels)
    light = pixels @ np.array([0.2126, 0.7152, 0.0722]) / 255.0
    across, down = (scipy.ndimage.sobel(light, axis=a, mode="mirror") / 8.0 for a in (1, 0))
    strength = np.hypot(across, down).round(12)
    gap = oklab(pixels) - oklab(pixels).mean(axis=(0, 1))
    for axis in (0, 1):
        gap = scipy.ndimage.convolve1d(gap, np.array([1, 4, 6, 4, 1]) / 16, axis, mode="nearest")
    stands_out = np.sqrt((gap**2).sum(axis=-1))
    stands_out[stands_out < 1e-6] = 0.0  # rounding
    height, width = light.shape
    crossings = [(a / 3, b / 3) for a in (1, 2) for b in (1, 2)]
    near = [
        value
        for (y, x), value in np.ndenumerate(stands_out)
        for at in [((x + 0.5) / width, (y + 0.5) / height)]
        if min(math.dist(at, crossing) for crossing in crossings) <= 1 / 9
    ]

    assert found.edge_grid == pytest.approx(grid_shares(strength), abs=1e-9)
    assert found.saliency_grid == pytest.approx(grid_shares(stands_out), abs=1e-4)
    largest = found.saliency_grid[FIELDS.index(found.focus_field)]
    assert largest == pytest.approx(max(found.saliency_grid), abs=1e-8)
    # Of a gradient that is 0.05 but for rounding, either side is right.
    low, high = ((strength > 0.05 + e).mean() for e in (1e-9, -1e-9))
    assert low <= found.edge_density <= high
    assert found.clutter == pytest.approx(math.sqrt(found.edge_density * found.entropy_bits / 8))
    if stands_out.mean() > 1e-4:
        assert found.thirds_index == pytest.approx(np.mean(near) / stands_out.mean(), rel=1e-3)


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 20), st.just(3))))
def test_oklab_leads_back_to_the_colours_it_came_from(pixels: np.ndarray) -> None:
    # The inverse that Ottosson published beside the way there.
    lab = oklab(pixels)
    to_lms = [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.2914855480],
    ]
    to_rgb = [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.7076147010],
    ]
    linear = (lab @ np.array(to_lms).T) ** 3 @ np.array(to_rgb).T
    stored = np.where(
        linear <= 0.0031308,
        linear * 12.92,
        1.055 * np.maximum(linear, 0.0031308) ** (1 / 2.4) - 0.055,
    )

    assert stored * 255 == pytest.approx(pixels.astype(float), abs=0.05)


@given(
    st.lists(st.sampled_from(["#ff0000", "#00ff00", "#0000ff", "#ffffff", "#000000"]), min_size=1)
)
def test_a_palette_of_five_colours_is_how_often_each_was_used(used: list[str]) -> None:
    pixels = np.array([ImageColor.getrgb(name) for name in used], np.uint8)
    counted = sorted(Counter(used).items(), key=lambda pair: (-pair[1], pair[0]))

    found = palette(pixels)

    assert [name for name, _ in found] == [name for name, _ in counted]
    assert [share for _, share in found] == pytest.approx([n / len(used) for _, n in counted])


def test_the_named_colours_of_the_web_are_called_what_their_names_say() -> None:
    told = {
        name: word.replace("gray", "grey")
        for name, value in ImageColor.colormap.items()
        for word in (*COLOUR_NAMES, "gray")
        if isinstance(value, str) and name.endswith(word)
    }
    others = {n: colour_name(ImageColor.colormap[n]) for n in told}

    assert len(told) > 60
    # What lies between two names, is nearly white, or is called after a wine or a flower.
    assert {n: other for n, other in others.items() if other != told[n]} == {
        **dict.fromkeys(("aliceblue", "lightcyan", "lightyellow"), "white"),
        **dict.fromkeys(("cadetblue", "lightblue", "lightseagreen", "powderblue"), "cyan"),
        **dict.fromkeys(("darkslateblue", "mediumslateblue", "slateblue"), "purple"),
        **dict.fromkeys(("mediumvioletred", "palevioletred"), "pink"),
        "greenyellow": "green",
        "lightsteelblue": "grey",
        "navajowhite": "orange",
    }


@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 9))
def test_a_small_picture_is_looked_at_pixel_by_pixel(width: int, height: int, seed: int) -> None:
    drawn = np.random.default_rng(seed).integers(30, 256, (height, width, 3), dtype=np.uint8)

    assert np.array_equal(decode_thumbnail(file_of(Image.fromarray(drawn))).pixels, drawn)


def test_a_large_picture_is_looked_at_by_the_means_of_its_blocks() -> None:
    drawn = np.asarray(waves(6, (960, 60)).point(lambda level: max(level, 30)))
    means = drawn.reshape(30, 2, 480, 2, 3).mean(axis=(1, 3))

    found = decode_thumbnail(file_of(Image.fromarray(drawn))).pixels

    assert np.abs(found - means).max() <= 1.0


@settings(max_examples=60)
@given(
    st.tuples(*[st.integers(0, 8)] * 4),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(0, 24),
)
def test_bars_are_those_that_a_person_would_count(
    sides: tuple[int, int, int, int], height: int, width: int, level: int
) -> None:
    top, bottom, left, right = sides
    picture = np.full((top + height + bottom, left + width + right, 3), level, np.uint8)
    picture[top : top + height, left : left + width] = 200
    expected = picture
    if min(top, bottom) > 0 and abs(top - bottom) <= 2 and top <= 0.3 * picture.shape[0]:
        expected = expected[top : top + height]
    if min(left, right) > 0 and abs(left - right) <= 2 and left <= 0.3 * picture.shape[1]:
        expected = expected[:, left : left + width]

    found = without_bars(picture)

    assert np.array_equal(found, expected)
    assert np.array_equal(without_bars(picture.transpose(1, 0, 2)), expected.transpose(1, 0, 2))


@settings(max_examples=30)
@given(st.integers(1, 3), st.integers(1, 3), st.integers(0, 10_000))
def test_a_hash_is_which_of_the_slow_waves_of_scipy_are_above_their_median(
    down: int, across: int, seed: int
) -> None:
    light = np.random.default_rng(seed).random((32 * down, 32 * across))
    fields = light.reshape(32, down, 32, across).mean(axis=(1, 3))
    waves_of = scipy.fft.dctn(fields, type=2)[:8, :8].ravel()
    median = np.median(waves_of[1:])
    bits = "0" + "".join("1" if wave > median else "0" for wave in waves_of[1:])

    assert perceptual_hash(light) == f"{int(bits, 2):016x}"


@given(st.integers(0, 10_000), st.floats(0.2, 1.0), st.floats(0.0, 0.3))
def test_less_contrast_and_more_light_leave_the_hash_as_it_is(
    seed: int, contrast: float, light: float
) -> None:
    picture = np.random.default_rng(seed).random((32, 48))

    assert perceptual_hash(picture * contrast + light) == perceptual_hash(picture)


@given(HASHES, HASHES, HASHES)
def test_distances_are_counted_bit_by_bit_and_a_detour_is_never_shorter(
    one: str, other: str, third: str
) -> None:
    bits = [f"{int(text, 16):064b}" for text in (one, other)]

    found = hash_distance(one, other)

    assert found == sum(a != b for a, b in zip(*bits, strict=True)) == hash_distance(other, one)
    assert found <= hash_distance(one, third) + hash_distance(third, other)


SPOTS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(0, 40), st.integers(2, 20), st.integers(7, 25)),
    max_size=14,
    unique=True,
)


@given(SPOTS)
def test_lines_are_the_connected_parts_that_networkx_finds(
    spots: list[tuple[int, int, int, int]],
) -> None:
    graph = nx.Graph()
    graph.add_nodes_from(range(len(spots)))
    for i, (left, top, wide, high) in enumerate(spots):
        for j, (x, y, w, h) in enumerate(spots):
            least = min(high, h)
            is_level = abs((top + high / 2) - (y + h / 2)) <= 0.35 * least
            is_beside = max(left, x) - min(left + wide, x + w) <= 0.9 * least
            if is_level and is_beside and max(high, h) <= 1.7 * least:
                graph.add_edge(i, j)
    lines = []
    for part in nx.connected_components(graph):
        own = [spots[i] for i in part]
        left, top = min(s[0] for s in own), min(s[1] for s in own)
        right, bottom = max(s[0] + s[2] for s in own), max(s[1] + s[3] for s in own)
        if len(own) >= 3 and right - left >= 1.5 * (bottom - top):
            lines.append((left, top, right - left, bottom - top))

    found = text_lines(np.array(spots, dtype=np.int64).reshape(-1, 4))

    assert found == sorted(lines, key=lambda box: (-box[2] * box[3], box[1], box[0]))


def _drawn() -> Image.Image:
    picture = faces_on(waves(12, (480, 270)), [(40, 40, 150)])
    words("SAID IN WORDS", 40, (120, 215), picture)
    return picture


def test_a_description_is_what_its_parts_say_of_the_same_pixels() -> None:
    data = file_of(_drawn(), "JPEG", quality=90)
    picture = decode_thumbnail(data)
    pixels = picture.pixels
    light = pixels.astype(float) @ [0.2126, 0.7152, 0.0722] / 255
    levels = np.rint(light * 255).astype(np.uint8)
    told = asdict(describe_pixels(data, picture))

    assert told == asdict(describe_thumbnail(data))
    assert told["content_hash"] == hashlib.sha256(data).hexdigest()[:16]
    assert (told["byte_count"], told["width"], told["height"]) == (len(data), 480, 270)
    for part in (tone(pixels), layout(pixels)):
        for name, value in asdict(part).items():
            assert told[name] == value, name
    assert list(told["palette"]) == palette(pixels)
    assert told["perceptual_hash"] == perceptual_hash(light)
    people, text = faces(levels), lettering(levels)
    assert people.count == text.count == 1
    assert (told["face_count"], told["face_area_share"], told["largest_face_share"]) == (
        people.count,
        people.area_share,
        people.largest_share,
    )
    assert (told["text_line_count"], told["text_area_share"]) == (text.count, text.area_share)
    assert (told["face_field"], told["text_field"]) == (people.field, text.field)


@settings(max_examples=30)
@given(
    st.lists(
        st.sampled_from(["#dc1414", "#1428c8", "#787878", "#101010"]), min_size=24, max_size=24
    )
)
@example(["#dc1414"] * 2 + ["#787878"] * 22)
@example(["#dc1414"] + ["#787878"] * 23)
def test_the_leading_colour_is_the_most_frequent_one_that_is_no_grey(used: list[str]) -> None:
    pixels = np.array([ImageColor.getrgb(name) for name in used], np.uint8).repeat(12, axis=0)
    square = pixels.reshape(24, 12, 3).repeat(2, axis=1)
    names = {"#dc1414": "red", "#1428c8": "blue", "#787878": "grey", "#101010": "black"}
    counted = Counter(names[name] for name in used)
    noticed = {n: c for n, c in counted.items() if n in {"red", "blue"} and c / 24 >= 0.05}
    best = noticed or counted

    found = describe_pixels(b"", DecodedThumbnail(square, 24, 24, "PNG", is_animated=False))

    assert found.colour_name == min(best, key=lambda name: (-best[name], name))


def test_a_frame_has_a_row_per_picture_and_a_column_per_figure() -> None:
    found = {
        name: describe_thumbnail(file_of(picture))
        for name, picture in {"b": _drawn(), "a": waves(3, (64, 36))}.items()
    }

    frame = features_frame(found, name="clip_id")

    assert frame["clip_id"].tolist() == ["b", "a"]
    for row, features in zip(frame.to_dict("records"), found.values(), strict=True):
        for name, value in asdict(features).items():
            if value is None:
                assert row[name] is None or math.isnan(row[name]), name
            elif name == "palette":
                assert row[name] == [list(pair) for pair in value]
            else:
                assert row[name] == (list(value) if isinstance(value, tuple) else value), name
