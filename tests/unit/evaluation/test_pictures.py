"""Pictures of results are whole SVG documents that hold what they should."""

import datetime as dt
import math
from xml.etree import ElementTree as ET

from aurastream.evaluation.pictures import calibration, course, draw, ranking
from aurastream.evaluation.results import EvaluationRow, as_json_rows, as_table

ROWS = [
    EvaluationRow("T2", "baseline: <b>", "test", 9, f1=0.2, ci_low=0.1, ci_high=0.3),
    EvaluationRow("T2", "model: trees", "train", 9, f1=0.6),
    EvaluationRow(
        "T2", "model: trees", "test", 9, f1=0.7, ci_low=0.6, ci_high=0.8, primary=True,
        calibration=((0.1, 0.2, 5), (0.9, 0.8, 4)),
    ),
    EvaluationRow("T2: de", "model: trees", "test", 9, f1=0.4),
]  # fmt: skip


def texts(svg: str) -> str:
    return " ".join(ET.fromstring(svg).itertext())  # noqa: S314 # our own


def test_each_declared_label_is_ranked_and_calibrated_on_what_was_judged() -> None:
    found = draw("viral", ROWS)
    assert set(found) == {"t2", "t2-calibration"}
    said = texts(found["t2"])
    assert said.index("model: trees") < said.index("baseline: <b>")
    assert "0.70 [0.60, 0.80]" in said
    assert "0.60 " not in said.replace("[0.60", "")
    assert found["t2-calibration"].count("<circle") == 2


def test_points_above_the_diagonal_came_true_more_often_than_promised() -> None:
    root = ET.fromstring(calibration({"m": [(0.2, 0.9, 1)]}, title="x"))  # noqa: S314 # our own
    (circle,) = root.iter("{http://www.w3.org/2000/svg}circle")
    x, y = float(circle.get("cx", "nan")), float(circle.get("cy", "nan"))
    assert (x - 52) / 320 == 0.2
    assert (360 - y) / 320 == 0.9


def test_a_course_has_a_point_per_day_on_which_a_share_is_known() -> None:
    days = [dt.date(2026, 11, n) for n in (1, 3, 21)]
    shares = {"recall": [0.5, math.nan, 1.0], "precision": [math.nan, math.nan, math.nan]}
    svg = course(
        {name: list(zip(days, own, strict=True)) for name, own in shares.items()}, title="x"
    )
    circles = ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}circle")  # noqa: S314 # our own
    places = [(float(c.get("cx", "nan")), float(c.get("cy", "nan"))) for c in circles]
    assert places == [(52.0, 120.0), (612.0, 40.0)]
    assert "2026-11-01" in texts(svg)
    assert "2026-11-21" in texts(svg)
    assert "precision" in texts(svg)


def test_negative_headlines_have_no_bar_but_a_number() -> None:
    rows = [EvaluationRow("NAB", "detector: x", "loso", 3, nab_score=-12.0, f1=0.5)]
    assert "-12.0" in texts(ranking(rows, title="anomalies"))


def test_bins_are_in_the_json_and_not_in_the_table() -> None:
    assert as_json_rows(ROWS)[2]["calibration"] == [[0.1, 0.2, 5], [0.9, 0.8, 4]]
    names, cells = as_table(ROWS)
    assert "calibration" not in names
    assert all(len(row) == len(names) for row in cells)
