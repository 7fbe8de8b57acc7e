import math
import re
import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.pictures import (
    Bar,
    Box,
    Interval,
    Part,
    bars,
    boxes,
    intervals,
    short_number,
)

SVG = "{http://www.w3.org/2000/svg}"


def _texts(svg: str) -> list[str]:
    return [t.text or "" for t in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 # ours


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (999, "999"),
        (1_000, "1k"),
        (1_440, "1.4k"),
        (99_999, "100k"),
        (1.25e6, "1.2M"),
        (3e9, "3B"),
        (999.5, "1k"),
        (999_499, "999k"),
        (999_500, "1M"),
    ],
)
def test_numbers_are_said_in_two_digits(value: float, said: str) -> None:
    assert short_number(value) == said


@given(st.floats(0.001, 1e11) | st.integers(0, 10**11) | st.sampled_from([999.4, 999.9, 999_999]))
def test_a_number_is_said_in_three_digits_at_most_and_near_enough(value: float) -> None:
    said = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)([kMB]?)", short_number(value))

    assert said is not None
    told = float(said[1]) * {"": 1, "k": 1e3, "M": 1e6, "B": 1e9}[said[2]]
    assert told == pytest.approx(value, rel=0.05)
    assert len(said[1].replace(".", "").lstrip("0")) <= 3
    assert not said[2] or value >= 999.5


@given(
    st.lists(
        st.lists(st.integers(0, 1000), min_size=1, max_size=3).filter(any), min_size=1, max_size=5
    )
)
def test_a_bar_is_as_long_as_its_share_of_the_longest(rows: list[list[int]]) -> None:
    svg = bars(
        [Bar(str(n), [Part(part, "red") for part in row]) for n, row in enumerate(rows)], title="T"
    )

    drawn = [
        r
        for r in ET.fromstring(svg).findall(f"{SVG}rect")  # noqa: S314 # ours
        if r.get("fill") == "red"
    ]
    widths = iter([float(r.attrib["width"]) for r in drawn])
    left = min(float(r.attrib["x"]) for r in drawn)
    longest = max(map(sum, rows))
    found = [[next(widths) for _ in row] for row in rows]
    span = max(map(sum, found))
    assert span > 300
    begin = iter([float(r.attrib["x"]) for r in drawn])
    for row, parts in zip(rows, found, strict=True):
        assert parts == [pytest.approx(part / longest * span, abs=0.3) for part in row]
        for n in range(len(row)):
            assert next(begin) - left == pytest.approx(sum(row[:n]) / longest * span, abs=0.3)


@given(st.lists(st.floats(0, 6), min_size=5, max_size=5).map(sorted))
def test_the_parts_of_a_box_stand_at_the_logarithms_of_their_values(powers: list[float]) -> None:
    wide = Box("wide", 1, 1, 1e3, 1e6, 1e6, "red")
    svg = boxes([wide, Box("own", *(10**power for power in powers), "blue")], title="T")

    root = ET.fromstring(svg)  # noqa: S314 # ours
    whole, own = (
        next(r for r in root.findall(f"{SVG}rect") if r.get("fill") == colour)
        for colour in ("red", "blue")
    )
    left, span = float(whole.attrib["x"]), float(whole.attrib["width"])
    low, p25, p50, p75, high = (left + span * power / 6 for power in powers)
    assert float(own.attrib["x"]) == pytest.approx(p25, abs=0.2)
    assert float(own.attrib["width"]) == pytest.approx(max(1.0, p75 - p25), abs=0.3)
    whiskers, median = [path.attrib["d"] for path in root.iter(f"{SVG}path")][-2:]
    starts = [float(x) for x in re.findall(r"M([\d.]+)", whiskers)]
    assert starts == [pytest.approx(x, abs=0.2) for x in (low, p75, low, high)]
    assert float(median[1:].split()[0]) == pytest.approx(p50, abs=0.2)


@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3).map(sorted), st.floats(0.1, 10))
def test_an_interval_lies_around_its_reference_by_logarithms(
    powers: list[float], reference: float
) -> None:
    wide = Interval("wide", 0.1 * reference, reference, 10 * reference, "red")
    own = Interval("own", *(reference * 10**power for power in powers), "blue")

    root = ET.fromstring(intervals([wide, own], title="T", reference=reference))  # noqa: S314 # ours

    lines = {
        path.attrib["stroke"]: [float(x) for x in re.findall(r"[MH]([\d.]+)", path.attrib["d"])]
        for path in root.iter(f"{SVG}path")
    }
    dots = {c.attrib["fill"]: float(c.attrib["cx"]) for c in root.iter(f"{SVG}circle")}
    (left, right), middle = lines["red"], dots["red"]
    assert middle == pytest.approx((left + right) / 2, abs=0.2)
    low, shown, high = (middle + power * (right - left) / 2 for power in powers)
    assert lines["blue"] == [pytest.approx(low, abs=0.3), pytest.approx(high, abs=0.3)]
    assert dots["blue"] == pytest.approx(shown, abs=0.3)


def test_a_title_with_markup_is_shown_and_not_obeyed() -> None:
    svg = bars([Bar("<script>alert('&')</script>", [Part(1, "red")])], title="T")

    assert "<script>alert('&')</script>" in _texts(svg)


@given(
    st.lists(
        st.tuples(st.text(max_size=80), st.floats(0, 1e12), st.text(max_size=10)),
        min_size=1,
        max_size=15,
    )
)
def test_any_label_and_any_length_make_a_document(rows: list[tuple[str, float, str]]) -> None:
    svg = bars([Bar(label, [Part(n, "red")], "note") for label, n, _ in rows], title="T")

    assert ET.fromstring(svg).tag == f"{SVG}svg"  # noqa: S314 # ours
    assert len(svg.split("<rect")) == len(rows) + 2


def test_long_labels_are_cut_and_east_asian_ones_count_double() -> None:
    cut = [
        text
        for text in _texts(bars([Bar("x" * 90, []), Bar("字" * 90, [])], title="T"))
        if text.endswith("…")
    ]

    assert [len(text) for text in cut] == [44, 22]


@pytest.mark.parametrize(
    "label",
    ["\U0001f525" * 40, "❤\ufe0f" * 40, "WHAT A GOAL " * 9, "👩\u200d👩\u200d👧 " * 20, "abc" * 30],
)
def test_a_label_of_any_letters_begins_inside_the_picture(label: str) -> None:
    drawn = next(
        t
        for t in ET.fromstring(bars([Bar(label, [])], title="T")).iter(f"{SVG}text")  # noqa: S314 # ours
        if t.get("text-anchor") == "end"
    )

    text = drawn.text or ""
    assert text.endswith("…")
    assert not text[:-1].endswith(("\u200d", "\ufe0f"))
    # Widths at 11 px in the fonts of the systems we know, the widest of each kind.
    emoji = sum(c >= "\U0001f000" or c == "\ufe0f" for c in text)
    capitals = sum(c.isupper() for c in text)
    others = sum(c.islower() or c == " " for c in text)
    assert float(drawn.attrib["x"]) >= 15 * emoji + 7.7 * capitals + 5.9 * others + 6


def test_all_bars_empty_is_still_a_picture() -> None:
    assert "0" in _texts(bars([Bar("nothing", [Part(0, "red")])], title="T"))


@given(st.lists(st.floats(1e-3, 1e9), min_size=5, max_size=5))
def test_a_box_of_any_numbers_lies_inside_the_picture(values: list[float]) -> None:
    low, p25, p50, p75, high = sorted(values)
    svg = boxes([Box("a", low, p25, p50, p75, high, "blue")], title="T")

    box = ET.fromstring(svg).findall(f"{SVG}rect")[1]  # noqa: S314 # ours
    assert 0 <= float(box.attrib["x"]) <= 660
    assert float(box.attrib["width"]) >= 1


def test_the_same_rows_make_the_same_bytes() -> None:
    row = Bar("a", [Part(3, "red"), Part(2, "blue")], "5")

    assert bars([row], title="T") == bars([row], title="T")


@given(
    st.lists(
        st.tuples(
            st.text(max_size=80),
            st.lists(st.floats(1e-9, 1e9), min_size=3, max_size=3).map(sorted),
        ),
        min_size=1,
        max_size=15,
    )
)
def test_intervals_stay_in_the_picture_and_keep_their_order(
    rows: list[tuple[str, list[float]]],
) -> None:
    svg = intervals([Interval(label, *ends, "red", "x") for label, ends in rows], title="T")

    root = ET.fromstring(svg)  # noqa: S314 # ours
    circles = [float(c.attrib["cx"]) for c in root.iter(f"{SVG}circle")]
    lines = [
        [float(x) for x in re.findall(r"[MH]([\d.]+)", path.attrib["d"])]
        for path in root.iter(f"{SVG}path")
        if path.attrib.get("stroke-width") == "3"
    ]
    assert len(circles) == len(lines) == len(rows)
    for middle, (low, high) in zip(circles, lines, strict=True):
        assert 0 < low <= middle <= high < float(root.attrib["width"])


@pytest.mark.parametrize("value", [0.0, -1.0, math.inf, math.nan])
def test_a_number_without_a_place_on_a_logarithmic_axis_is_refused_by_its_row(value: float) -> None:
    with pytest.raises(InvalidInputError, match="The row 'gta' of a picture"):
        boxes([Box("gta", value, 1.0, 2.0, 3.0, 4.0, "blue")], title="Spread")
    with pytest.raises(InvalidInputError, match="The row 'gta' of a picture"):
        intervals([Interval("gta", 0.5, 1.0, value, "blue")], title="Lift")


def test_a_picture_of_nothing_is_refused() -> None:
    for draw in (bars, boxes, intervals):
        with pytest.raises(InvalidInputError, match="has no row"):
            draw([], title="Nothing")
