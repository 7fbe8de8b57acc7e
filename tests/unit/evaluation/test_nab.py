"""The scorer against what NAB published, and against its own definition by hand."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aurastream.evaluation.nab import NabSeries, nab_counts, nab_f1, nab_score, probation

NAB = Path(__file__).resolve().parents[4] / "shared" / "data" / "nab"


def alerts_at(points: int, *places: int) -> np.ndarray:
    found = np.zeros(points, dtype=bool)
    found[list(places)] = True
    return found


SERIES = NabSeries(1000, [(400, 499), (700, 799)])


def test_silence_is_0_and_the_left_edge_of_every_window_is_100() -> None:
    assert nab_score([nab_counts(SERIES, alerts_at(1000))]) == 0.0
    assert nab_score([nab_counts(SERIES, alerts_at(1000, 400, 700))]) == 100.0


def test_later_alerts_pay_less_and_further_ones_in_a_window_pay_nothing() -> None:
    early, late = (nab_counts(SERIES, alerts_at(1000, p)) for p in (410, 490))
    assert early.gained > late.gained > -1.0
    assert nab_counts(SERIES, alerts_at(1000, 410, 411, 490)) == early


def test_an_alert_outside_costs_most_far_from_a_window() -> None:
    near, far, before = (nab_counts(SERIES, alerts_at(1000, p)).gained for p in (501, 690, 200))
    assert near > far > -2.11
    assert before == pytest.approx(-2.11)


def test_nothing_counts_in_probation() -> None:
    assert probation(1000) == 150
    assert nab_counts(SERIES, alerts_at(1000, *range(150))).false_alerts == 0
    assert nab_counts(NabSeries(1000, [(10, 90)]), alerts_at(1000, 50)).windows == 0


def test_windows_found_and_false_alerts_make_the_f1() -> None:
    counts = nab_counts(SERIES, alerts_at(1000, 410, 420, 600))
    assert nab_f1([counts]) == (0.5, 0.5, 0.5)


def test_the_published_score_of_windowed_gaussian_comes_out_of_its_recorded_scores() -> None:
    folder = NAB / "published_windowedGaussian"
    if not folder.is_dir():
        pytest.skip(f"no recorded scores at {folder}")
    windows = json.loads((NAB / "windows.json").read_text(encoding="utf-8"))
    counts = []
    for path in sorted(folder.glob("*.csv.gz")):
        frame = pd.read_csv(path, parse_dates=["timestamp"])
        place = pd.Series(frame.index, index=frame["timestamp"])
        edges = [
            (int(place[pd.Timestamp(a)]), int(place[pd.Timestamp(b)]))
            for a, b in windows[f"realTweets/{path.name.removesuffix('.gz')}"]
        ]
        alerts = (frame["anomaly_score"] >= 1.0).to_numpy()
        counts.append(nab_counts(NabSeries(len(frame), edges), alerts))
    assert len(counts) == 5
    assert nab_score(counts) == pytest.approx(64.8, abs=0.05)
