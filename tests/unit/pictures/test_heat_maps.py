import xml.etree.ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.heat_maps import Cell, heat_map

SVG = "{http://www.w3.org/2000/svg}"


def fills(svg: str) -> list[str]:
    """Return the colours of the cells."""
    return [r.attrib["fill"] for r in ET.fromstring(svg).findall(f"{SVG}rect")][1:]  # noqa: S314 # ours


def channels(colour: str) -> tuple[int, int, int]:
    red, green, blue = (int(colour[i : i + 2], 16) for i in (1, 3, 5))
    return red, green, blue


@given(st.lists(st.floats(1e-9, 1e9), min_size=1, max_size=24))
def test_above_the_usual_is_red_below_it_blue(ratios: list[float]) -> None:
    names = [str(n) for n in range(len(ratios))]
    colours = fills(heat_map([("a", [Cell(r) for r in ratios])], names, title="T"))
    for ratio, colour in zip(ratios, colours, strict=True):
        red, _, blue = channels(colour)
        assert (red > blue) == (ratio >= 1)


@given(st.floats(1, 4), st.floats(1, 4))
def test_further_from_the_usual_is_deeper_and_what_is_unsure_paler(a: float, b: float) -> None:
    near, far = sorted((a, b))
    row = [Cell(near), Cell(far), Cell(far, is_sure=False)]
    light = [channels(c)[1] for c in fills(heat_map([("a", row)], ["0", "1", "2"], title="T"))]
    assert light[0] >= light[1]
    assert light[2] > light[1]


def test_labels_with_markup_are_shown_and_not_obeyed() -> None:
    svg = heat_map([("<b>", [Cell(1.0, mark="&")])], ["<i>"], title="<t>", note="<n>")
    texts = [t.text for t in ET.fromstring(svg).iter(f"{SVG}text")]  # noqa: S314 # ours
    assert texts == ["<t>", "<i>", "<b>", "&", "<n>"]


def test_an_empty_cell_is_neither() -> None:
    assert fills(heat_map([("a", [None])], [""], title="T")) == ["#f1f5f9"]


@pytest.mark.parametrize("rows", [[], [("a", [])], [("a", [Cell(0.0)])], [("a", [Cell(-1.0)])]])
def test_what_cannot_be_drawn_is_refused(rows: list[tuple[str, list[Cell | None]]]) -> None:
    with pytest.raises(InvalidInputError):
        heat_map(rows, ["0"], title="T")
