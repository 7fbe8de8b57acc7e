"""Hashes, sources, searches and pictures against second implementations in plain Python."""

import datetime as dt
import hashlib
import itertools
import math
import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.crawls import moments
from aurastream.core.hashes import (
    STATISTICS,
    VIDEO_METADATA,
    Kinds,
    content_hash,
    group_hashes,
    metadata_hashes,
)
from aurastream.core.heat_maps import Cell, heat_map
from aurastream.core.offenders import offenders
from aurastream.core.unchanged import with_sources
from aurastream.core.value_hashes import row_hashes
from aurastream.core.week_maps import Week, weeks_of_cells
from tests.unit.core.archive_slice import crawls_of_a_month

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
SVG = "{http://www.w3.org/2000/svg}"
OF_KIND = {
    "text": st.none() | st.text(max_size=3),
    "texts": st.none() | st.lists(st.text(max_size=2), max_size=3),
    "integer": st.none() | st.integers(0, 2**62),
    "boolean": st.none() | st.booleans(),
    "time": st.none()
    | st.datetimes(dt.datetime(1971, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),  # noqa: DTZ001 # hypothesis attaches the zone
}
VIDEOS = st.lists(
    st.fixed_dictionaries({name: OF_KIND[kind] for name, kind in VIDEO_METADATA.items()}),
    min_size=1,
    max_size=3,
)


def _field(value: Any, kind: str) -> bytes:
    """Return a value as the documentation of the hashes has it: length before text, ~ for null."""
    if kind == "texts":
        written = b"".join(_field(text, "text") for text in value or [])
        return f"{len(written)}:".encode() + written
    if value is None:
        return b"~"
    if kind == "time":
        value = (value - EPOCH) // dt.timedelta(microseconds=1)
    told = str(int(value) if kind in {"boolean", "integer"} else value).encode()
    return f"{len(told)}:".encode() + told


def _row(row: dict[str, Any], kinds: Kinds) -> bytes:
    return b"".join(_field(row[name], kinds[name]) for name in sorted(kinds))


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _frame(rows: list[dict[str, Any]], kinds: Kinds) -> pd.DataFrame:
    """Return rows as objects, so that pandas takes no integer for a float."""
    return pd.DataFrame(
        {name: pd.Series([row[name] for row in rows], dtype=object) for name in kinds}
    )


@settings(max_examples=25)
@given(VIDEOS)
def test_the_version_of_a_video_is_what_hashlib_says_of_its_fields(
    rows: list[dict[str, Any]],
) -> None:
    found = metadata_hashes(_frame(rows, VIDEO_METADATA))

    assert found.tolist() == [_sha(_row(row, VIDEO_METADATA)) for row in rows]


COUNTERS = st.lists(
    st.fixed_dictionaries(
        {name: st.none() | st.integers(0, 2) for name in STATISTICS}
        | {"video_id": st.sampled_from("ab"), "chart": st.sampled_from("xyz")}
    ),
    max_size=8,
)


@settings(max_examples=40)
@given(COUNTERS)
def test_the_hash_of_a_group_is_what_hashlib_says_of_its_distinct_rows(
    rows: list[dict[str, Any]],
) -> None:
    expected = {
        chart: _sha(b"".join(sorted({_row(r, STATISTICS) for r in rows if r["chart"] == chart})))
        for chart in sorted({row["chart"] for row in rows})
    }
    frame = _frame(rows, STATISTICS).assign(chart=[row["chart"] for row in rows])

    assert group_hashes(frame, ["chart"], STATISTICS).to_dict() == expected
    whole = b"".join(sorted({_row(row, STATISTICS) for row in rows}))
    assert content_hash(frame, STATISTICS) == _sha(whole)


CELLS = st.sampled_from([0, 1, None, "1", "a", True])


@settings(max_examples=40)
@given(st.lists(st.tuples(CELLS, CELLS), max_size=8))
def test_rows_have_one_hash_exactly_when_kinds_and_values_are_equal_in_their_columns(
    rows: list[tuple[Any, Any]],
) -> None:
    frame = pd.DataFrame(rows, columns=["one", "other"], dtype=object)
    hashes = row_hashes(frame).tolist()

    for own, row in zip(hashes, rows, strict=True):
        for theirs, other in zip(hashes, rows, strict=True):
            is_same = all(type(a) is type(b) and a == b for a, b in zip(row, other, strict=True))
            assert (own == theirs) == is_same
    # A renamed column is another row.
    renamed = row_hashes(frame.rename(columns={"one": "third"})).tolist()
    assert not set(hashes) & set(renamed)


TOLD = st.dictionaries(
    st.tuples(st.integers(1, 5), st.sampled_from("ab")), st.sampled_from("xy"), max_size=10
)


@settings(max_examples=40)
@given(TOLD, st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")), st.integers(0, 9))
def test_the_source_of_a_window_is_found_by_going_back_one_by_one(
    told: dict[tuple[int, str], str], before: dict[str, str], seed: int
) -> None:
    day = pd.Timestamp("2026-11-20T00:00Z")

    def rows(found: dict[tuple[int, str], str]) -> pd.DataFrame:
        return pd.DataFrame(
            {
                "window_start": pd.DatetimeIndex([day + pd.Timedelta(hours=n) for n, _ in found]),
                "category": [name for _, name in found],
                "input_hash": list(found.values()),
            }
        )

    hours = sorted({hour for hour, _ in told})
    all_told = told | {(0, name): value for name, value in before.items()}
    expected = {}
    for (hour, name), value in told.items():
        at = hour
        while at != 0:
            earlier = ([0, *hours])[hours.index(at)]
            if all_told.get((earlier, name)) != value:
                break
            at = earlier
        expected[hour, name] = at
    given_rows = rows(told).sample(frac=1, random_state=seed)

    found = with_sources(given_rows, rows({(0, name): v for name, v in before.items()}))

    shown = zip(found["window_start"], found["category"], found["source_window"], strict=True)
    hour_of = {(at.hour, name): source.hour for at, name, source in shown}
    assert hour_of == expected
    assert found.index.tolist() == given_rows.index.tolist()


@given(
    st.integers(1, 7),
    st.lists(st.sets(st.integers(0, 6), min_size=1, max_size=3), max_size=5),
)
def test_what_is_left_is_the_first_of_the_largest_choices_that_are_accepted(
    n: int, excluded: list[set[int]]
) -> None:
    def refusal(some: npt.NDArray[np.int64]) -> str | None:
        chosen = set(some.tolist())
        return "no" if any(together <= chosen for together in excluded) else None

    accepted = [
        chosen
        for size in range(n + 1)
        for chosen in itertools.combinations(range(n), size)
        if refusal(np.array(chosen, dtype=np.int64)) is None
    ]
    whole = [
        chosen for chosen in accepted if not any(set(chosen) < set(other) for other in accepted)
    ]

    left = tuple(sorted(set(range(n)) - set(offenders(refusal, np.arange(n)))))

    assert left == min(whole)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.integers(-(10**9), 10**9)), max_size=8))
def test_a_moment_is_the_last_full_minute_of_its_crawl(pairs: list[tuple[int, int]]) -> None:
    crawl_at = np.array([began for began, _ in pairs], dtype=np.int64)
    observed = np.array([began + after for began, after in pairs], dtype=np.int64)
    expected = []
    for began, after in pairs:
        minutes = 0
        while (minutes + 1) * 60_000_000 <= after:
            minutes += 1
        expected.append(began + minutes * 60_000_000)

    found = moments(crawl_at, observed)

    assert found.tolist() == expected
    assert moments(crawl_at, found).tolist() == expected


SHADES = ("#f1f5f9", "#c7d2fe", "#a5b4fc", "#818cf8", "#4f46e5", "#312e81")


def _shown_hours(svg: str) -> tuple[dict[tuple[int, int], str], set[tuple[int, int]]]:
    """Return the colour of each cell by its place in pixels, and the places of the dots."""
    document = ET.fromstring(svg)  # noqa: S314 # ours
    cells = {}
    for path in document.iter(f"{SVG}path"):
        for corner in path.attrib["d"].split("M")[1:]:
            x, y = corner.partition("h")[0].split()
            assert (int(x), int(y)) not in cells
            cells[int(x), int(y)] = path.attrib["fill"]
    dots = {(int(c.attrib["cx"]), int(c.attrib["cy"])) for c in document.iter(f"{SVG}circle")}
    return cells, dots


LEVELS = st.none() | st.integers(-50, 50).map(float)


@settings(max_examples=30)
@given(st.lists(LEVELS, min_size=168, max_size=168), st.sets(st.integers(0, 167), max_size=4))
def test_each_hour_of_a_week_has_a_cell_and_the_shade_of_its_sixth_of_the_range(
    values: list[float | None], marked: set[int]
) -> None:
    known = [value for value in values if value is not None]
    week = Week(
        "w",
        [math.nan if value is None else value for value in values],
        [hour in marked for hour in range(168)],
    )

    cells, dots = _shown_hours(weeks_of_cells([week], title="T"))

    columns, rows = (sorted({place[axis] for place in cells}) for axis in (0, 1))
    assert (len(cells), len(columns), len(rows)) == (168, 24, 7)
    for hour, value in enumerate(values):
        colour = cells[columns[hour % 24], rows[hour // 24]]
        if value is None:
            assert colour == "#ffffff"
        else:
            spread = (max(known) - min(known)) or 1.0
            level = SHADES.index(colour)
            share = (value - min(known)) / spread * 6
            assert level <= share + 1e-9
            assert level == 5 or share < level + 1 + 1e-9
    for x, y in dots:
        column = max(n for n, left in enumerate(columns) if left <= x)
        row = max(n for n, top in enumerate(rows) if top <= y)
        assert row * 24 + column in marked
    assert len(dots) == len(marked)


def test_golden_week_of_a_real_audience() -> None:
    crawls = crawls_of_a_month().set_index("crawl_at")["viewer_total"]
    week = crawls[crawls.index >= pd.Timestamp("2026-02-02T00:00Z")].iloc[: 7 * 24]

    cells, _ = _shown_hours(
        weeks_of_cells([Week("g1", week.to_numpy(), [False] * 168)], title="Viewers")
    )

    shades = "".join(
        str(SHADES.index(cells[place])) for place in sorted(cells, key=lambda p: p[::-1])
    )
    assert [shades[day * 24 : day * 24 + 24] for day in range(7)] == [
        "310000000000000111122355",
        "310000000000000011111244",
        "310000000000000011111245",
        "310000000000000111111355",
        "310000000000000111111255",
        "310000000000000111111245",
        "310000000000000111222355",
    ]


ROWS = st.integers(1, 3).flatmap(
    lambda width: st.lists(
        st.lists(
            st.none()
            | st.builds(Cell, st.floats(0.01, 100.0), st.booleans(), st.sampled_from(["", "★"])),
            min_size=width,
            max_size=width,
        ),
        min_size=1,
        max_size=3,
    )
)


@settings(max_examples=50)
@given(ROWS, st.floats(1.5, 10.0))
def test_a_heat_map_has_a_cell_per_value_and_the_tint_of_its_logarithm(
    rows: list[list[Cell | None]], furthest: float
) -> None:
    names = [str(n) for n in range(len(rows[0]))]
    svg = heat_map(
        [(f"row {n}", r) for n, r in enumerate(rows)], names, title="T", furthest=furthest
    )
    found = ET.fromstring(svg).findall(f"{SVG}rect")[1:]  # noqa: S314 # ours
    places = [(float(r.attrib["y"]), float(r.attrib["x"])) for r in found]

    assert places == sorted(set(places))
    flat = [cell for row in rows for cell in row]
    for rectangle, cell in zip(found, flat, strict=True):
        colour = rectangle.attrib["fill"]
        if cell is None:
            assert colour == "#f1f5f9"
            continue
        tint = min(1.0, max(0.06, abs(math.log(cell.ratio, furthest))))
        tint *= 1.0 if cell.is_sure else 0.35
        full = (239, 68, 68) if cell.ratio >= 1 else (59, 130, 246)
        for place, channel in zip((1, 3, 5), full, strict=True):
            shown = int(colour[place : place + 2], 16)
            assert shown == pytest.approx(255 - (255 - channel) * tint, abs=0.51)
    assert svg.count("★") == sum(cell is not None and cell.mark == "★" for cell in flat)


def test_golden_heat_map_of_a_real_day() -> None:
    viewers = crawls_of_a_month()["viewer_total"].to_numpy()[:24]
    cells = [Cell(float(ratio)) for ratio in viewers[::4] / np.median(viewers)]

    svg = heat_map([("g1", cells)], [str(hour) for hour in range(0, 24, 4)], title="Viewers")

    found = [r.attrib["fill"] for r in ET.fromstring(svg).findall(f"{SVG}rect")[1:]]  # noqa: S314 # ours
    assert found == ["#ef4444", "#3b82f6", "#3b82f6", "#97bdfa", "#f69292", "#f26c6c"]
