"""The honest protocol for anomalies: leave one series out, with every choice inside the loop.

For each labelled series the whole setting of a detector (memories, bar, rest) is the one with the
best NAB score on the other series, out of one grid fixed beforehand; equal scores take the first
of the grid. What it then does on the series left out makes the split ``loso``. The split ``train``
is the setting fitted on all series and judged on the same ones: it proves little and is shown for
comparison. Given another set to judge, everything in ``train`` chooses and the other set is
``test``; a series that is also in the other set, by its name or by a stretch of its counts, is not
chosen on.

Detectors reckon in steps. A series at equal steps from which a stretch is missing is refused; one
that was never kept at equal steps (labels were drawn on it all the same) is judged, and every row
says where the most is missing.

Precision, recall and F1 count windows found against alerts outside windows. The interval is that
of the NAB score, over resampled series. One detector is declared: the two-speed EWMA.
"""

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import product
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.archives import nothing_to_learn, reason_of
from aurastream.evaluation.detectors import STRATEGIES, Setting, alerts, scores
from aurastream.evaluation.nab import NabCounts, NabSeries, nab_counts, nab_f1, nab_score
from aurastream.evaluation.results import EvaluationRow, Split

__all__ = ["LabelledSeries", "evaluate_anomalies", "load_nab"]

Floats = npt.NDArray[np.float64]

PRIMARY: Final = "two-speed EWMA"
_LABEL: Final = "NAB standard profile"
_FOLDER: Final = "realTweets"
_WINDOW_FILES: Final = ("windows.json", "combined_windows.json", "labels/combined_windows.json")
_RECENT: Final = (timedelta(minutes=15), timedelta(minutes=30), timedelta(hours=1))
_USUAL: Final = (timedelta(days=5), timedelta(days=10), timedelta(days=14))
_REST: Final = (timedelta(hours=12), timedelta(hours=24), timedelta(hours=36))
_BARS: Final[dict[str, Floats]] = {
    "two-speed EWMA": np.arange(2.0, 8.01, 0.25),
    "z-score": np.arange(2.0, 8.01, 0.25),
    "quantile": np.arange(0.8, 4.01, 0.1),
    "percent change": np.arange(0.25, 6.01, 0.25),
    "moving average": np.arange(2.0, 12.01, 0.5),
}
_CLOCK: Final = 400
_TEXTBOOK_Z: Final = 2.5
_RESAMPLES: Final = 2000
_TAILS: Final = (2.5, 97.5)
_FEWEST_SERIES: Final = 2
# Of fewer, resampling says how like each other they are, not what others would give.
_FEWEST_RESAMPLED: Final = 5
_FEWEST_POINTS: Final = 10
_STRETCH_POINTS: Final = 100
"""As many counts in a row do not recur by chance."""
_MISSING_STEPS: Final = 24
"""As many steps in a row may be missing: two hours of a series every five minutes."""
_UNEVEN_SHARE: Final = 0.01
"""A series with more steps of other lengths was never kept at equal steps."""


@dataclass(frozen=True, slots=True)
class LabelledSeries:
    """Counts at equal steps, and the windows in which something happened.

    ``remark`` says what is missing where steps are not equal, and is empty where they are.
    """

    name: str
    counts: Floats
    interval: timedelta
    labels: NabSeries
    remark: str = ""


def load_nab(folder: Path) -> list[LabelledSeries]:
    """Read labelled series in NAB's layout: ``windows.json`` and ``<kind>/<series>.csv[.gz]``.

    The counts of tweets (``realTweets``) are read when there are any, otherwise every series: other
    kinds of NAB are no audiences.

    Raises
    ------
    InvalidInputError
        When there are no windows or no labelled series.
    """
    windows = _windows(folder)
    found = []
    for key in sorted(windows):
        for root, suffix in product((folder, folder / "data"), ("", ".gz")):
            path = root / f"{key}{suffix}"
            if path.is_file():
                found.append(_series(path, key, windows[key]))
                break
    tweets = [series for series in found if series.name.startswith(f"{_FOLDER}/")]
    if not found:
        raise InvalidInputError(
            f"No labelled series in {folder}.", fix="Pass a folder in NAB's layout."
        )
    return tweets or found


def evaluate_anomalies(
    train: Path,
    test: Path | None = None,
    *,
    countries: Collection[str] = (),
) -> list[EvaluationRow]:
    """Judge the declared detector and the four named strategies by the protocol.

    Parameters
    ----------
    train : pathlib.Path
        Labelled series to choose settings on; alone, they are judged one by one, left out.
    test : pathlib.Path, optional
        Other labelled series, judged with the settings of all training series.
    countries : collection of str
        Series have none; anything here is refused.

    Raises
    ------
    InvalidInputError
        When series are missing or too few.
    """
    if countries:
        raise InvalidInputError("Labelled series have no countries.", fix="Omit --countries.")
    learned = load_nab(train)
    judged = None if test is None else load_nab(test)
    if judged is not None:
        known = {mark for series in judged for mark in _marks(series)}
        own = [series for series in learned if known.isdisjoint(_marks(series))]
        if not own:
            raise nothing_to_learn("series")
        learned = own
    if len(learned) < _FEWEST_SERIES:
        raise InvalidInputError(
            "One series cannot be left out of one.", fix="Give more labelled series."
        )
    rows = [row for name in STRATEGIES for row in _strategy(name, learned, judged)]
    shown = learned if judged is None else judged
    rows += _baselines(shown, "train" if judged is None else "test")
    remarks = [series.remark for series in [*learned, *(judged or [])] if series.remark]
    return (
        [replace(row, detail="; ".join([*filter(None, [row.detail]), *remarks])) for row in rows]
        if remarks
        else rows
    )


def _marks(series: LabelledSeries) -> set[str | bytes]:
    """Return what a series is known again by: its name, and every stretch of uneven counts."""
    found: set[str | bytes] = {series.name}
    size = min(_STRETCH_POINTS, series.counts.size)
    changes = np.concatenate([[0], np.cumsum(np.diff(series.counts) != 0)])
    for first in range(series.counts.size - size + 1):
        # A quiet stretch is the same in many series.
        if changes[first + size - 1] - changes[first] >= size // 5:
            found.add(series.counts[first : first + size].tobytes())
    return found


def _strategy(
    name: str, learned: Sequence[LabelledSeries], judged: Sequence[LabelledSeries] | None
) -> list[EvaluationRow]:
    grid = [
        Setting(name, recent, usual, float(bar), rest)
        for recent, usual, bar, rest in product(_RECENT, _USUAL, _BARS[name], _REST)
    ]
    table = [_counts(series, grid) for series in learned]
    everything = range(len(learned))
    chosen = _best(table, everything)
    method = f"detector: {name}"
    is_primary = name == PRIMARY
    fitted = [counts[chosen] for counts in table]
    left_out = [table[i][_best(table, [j for j in everything if j != i])] for i in everything]
    detail = str(grid[chosen])
    rows = [
        _row(method, "train", fitted, detail=detail),
        _row(method, "loso", left_out, primary=is_primary and judged is None),
    ]
    if judged is not None:
        found = [_counts(series, [grid[chosen]])[0] for series in judged]
        rows.append(_row(method, "test", found, primary=is_primary, detail=detail))
    return rows


def _counts(series: LabelledSeries, grid: Sequence[Setting]) -> list[NabCounts]:
    known: dict[tuple[timedelta, timedelta], Floats] = {}
    found = []
    for setting in grid:
        memory = (setting.recent, setting.usual)
        if memory not in known:
            known[memory] = scores(
                series.counts,
                setting.strategy,
                interval=series.interval,
                recent=setting.recent,
                usual=setting.usual,
            )
        rest = round(setting.rest / series.interval)
        found.append(nab_counts(series.labels, alerts(known[memory], bar=setting.bar, rest=rest)))
    return found


def _best(table: Sequence[Sequence[NabCounts]], series: Collection[int]) -> int:
    gained = np.array([[counts.gained for counts in table[i]] for i in series])
    return int(gained.sum(axis=0).argmax())


def _baselines(series: Sequence[LabelledSeries], split: Split) -> list[EvaluationRow]:
    clock = [
        nab_counts(one.labels, np.arange(one.counts.size) % _CLOCK == _CLOCK - 1) for one in series
    ]
    textbook = []
    for one in series:
        window = pd.Series(one.counts).rolling(
            max(2, round(timedelta(hours=1) / one.interval)), min_periods=2
        )
        spread = window.std().to_numpy()
        with np.errstate(invalid="ignore", divide="ignore"):
            z = (one.counts - window.mean().to_numpy()) / spread
            textbook.append(nab_counts(one.labels, np.abs(z) > _TEXTBOOK_Z))
    return [
        _row(f"baseline: a clock, every {_CLOCK} steps", split, clock),
        _row(f"baseline: abs(z) of the last hour > {_TEXTBOOK_Z}, every point", split, textbook),
    ]


def _row(
    method: str,
    split: Split,
    counts: Sequence[NabCounts],
    *,
    primary: bool = False,
    detail: str | None = None,
) -> EvaluationRow:
    precision, recall, f1 = nab_f1(counts)
    rng = np.random.default_rng(len(counts))
    low = high = None
    if len(counts) >= _FEWEST_RESAMPLED:
        drawn = [
            nab_score([counts[i] for i in rng.integers(0, len(counts), len(counts))])
            for _ in range(_RESAMPLES)
        ]
        low, high = np.percentile(drawn, _TAILS).tolist()
    else:
        remark = f"no interval: {len(counts)} series are fewer than {_FEWEST_RESAMPLED}"
        detail = "; ".join(filter(None, [detail, remark]))
    return EvaluationRow(
        label=_LABEL,
        method=method,
        split=split,
        n=sum(count.windows for count in counts),
        precision=precision,
        recall=recall,
        f1=f1,
        ci_low=low,
        ci_high=high,
        primary=primary,
        nab_score=nab_score(counts),
        detail=detail,
    )


def _windows(folder: Path) -> dict[str, list[list[str]]]:
    for name in _WINDOW_FILES:
        path = folder / name
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise InvalidInputError(
                    f"{path.name} is no JSON: {error}", fix="Fetch it again."
                ) from error
            return _checked_windows(found, path.name)
    raise InvalidInputError(
        f"No {_WINDOW_FILES[0]} in {folder}.", fix="Pass a folder in NAB's layout."
    )


def _checked_windows(found: object, name: str) -> dict[str, list[list[str]]]:
    """Return windows by series, each a first and a last moment."""
    whole: dict[str, list[list[str]]] = {}
    try:
        for key, windows in dict(found).items():  # type: ignore[call-overload] # that is the question
            edges = [(pd.Timestamp(first), pd.Timestamp(last)) for first, last in windows]
            whole[str(key)] = [[str(first), str(last)] for first, last in edges]
    except (TypeError, ValueError) as error:
        raise InvalidInputError(
            f"{name} holds something else than windows by series: {reason_of(error)}",
            fix="Pass a folder in NAB's layout.",
        ) from error
    return whole


def _series(path: Path, name: str, windows: Sequence[Sequence[str]]) -> LabelledSeries:
    try:
        frame = pd.read_csv(path)
        frame = frame.assign(
            timestamp=pd.to_datetime(frame["timestamp"]), value=pd.to_numeric(frame["value"])
        )
    except KeyError as error:
        raise InvalidInputError(
            f"{path.name} lacks timestamp or value.", fix="Pass a file in NAB's layout."
        ) from error
    except (OSError, ValueError, EOFError) as error:
        raise InvalidInputError(
            f"{path.name} is no readable series: {reason_of(error)}", fix="Fetch it again."
        ) from error
    if len(frame) < _FEWEST_POINTS or frame[["timestamp", "value"]].isna().any(axis=None):
        raise InvalidInputError(
            f"{path.name} has empty cells, or fewer than {_FEWEST_POINTS} points.",
            fix="Pass whole series at equal steps.",
        )
    counts = frame["value"].to_numpy(dtype="float64")
    wrong = np.flatnonzero((counts < 0) | np.isinf(counts))
    if wrong.size:
        raise InvalidInputError(
            f"{path.name} has a value that no count can be: {counts[wrong[0]]:g} in row "
            f"{wrong[0] + 1}; rows like it: {wrong.size}.",
            fix="Correct it to a number from 0 up.",
        )
    moments = pd.DatetimeIndex(frame["timestamp"])
    step, remark = _steps(moments, name)
    edges = sorted(_points_of(moments, first, last, name) for first, last in windows)
    return LabelledSeries(
        name=name,
        counts=counts,
        interval=step,
        labels=NabSeries(len(frame), edges),
        remark=remark,
    )


def _points_of(moments: pd.DatetimeIndex, first: str, last: str, name: str) -> tuple[int, int]:
    """Return the first and the last point of a window.

    Raises
    ------
    InvalidInputError
        When the series has no point in it, so that no detector could find it, or its times and the
        window's do not compare.
    """
    edges = pd.DatetimeIndex([first, last])
    if edges.hasnans or edges.tz != moments.tz:
        raise InvalidInputError(
            f"A window of {name} from {first} to {last} is written otherwise than its times.",
            fix="Give both with a time zone, or both without.",
        )
    begin = int(moments.searchsorted(edges[0]))
    end = int(moments.searchsorted(edges[1], side="right")) - 1
    if begin > end:
        raise InvalidInputError(
            f"{name} has no point in its window from {first} to {last}.",
            fix="Correct the window, or leave it out.",
        )
    return begin, end


def _steps(moments: pd.DatetimeIndex, name: str) -> tuple[timedelta, str]:
    """Return the usual step of a series, and what is to be said of the others."""
    steps = (moments[1:] - moments[:-1]).to_numpy()
    usual = np.sort(steps)[steps.size // 2]
    still = np.timedelta64(0, "ns")
    if steps.min() < still or usual == still:
        at = moments[int(steps.argmin())]
        raise InvalidInputError(
            f"{name} does not go forward in time after {at}.", fix="Sort the series by timestamp."
        )
    step = pd.Timedelta(usual).to_pytimedelta()
    missing = np.maximum(np.rint(steps / usual).astype("int64") - 1, 0)
    if not missing.any():
        return step, ""
    place = int(missing.argmax())
    said = (
        f"{name} lacks {missing[place]} points in a row between {moments[place]} and "
        f"{moments[place + 1]}, {missing.sum()} in all"
    )
    is_uneven = np.mean(steps != usual) > _UNEVEN_SHARE
    if missing[place] > _MISSING_STEPS and not is_uneven:
        raise InvalidInputError(f"{said}.", fix="Pass whole series at equal steps.")
    return step, said
