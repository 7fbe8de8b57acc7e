"""The honest protocol for opportunity: how open a cell of the charts will be next week.

Unit and newcomers are in `aurastream.evaluation.cells`. From week t alone the share of newcomers
among the videos of week t + 1 is predicted (label ``newcomer share``), and compared with
persistence, which answers the share of week t. Two more labels stand beside it. ``newcomer share,
within cells`` is about change alone: the cell's level and the week's are taken out of both sides.
The level of what was known is the cell's mean over earlier weeks, that of the outcome its mean over
later ones: a mean over the very weeks that are judged would hold each of them and so make a
correlation below 0 out of noise. ``newcomer speed`` is the velocity of the newcomers' first videos,
for which nothing is claimed and no method declared.

The declared model shrinks a cell's running mean towards the mean of all cells and corrects it by
what week t looked like. Memory, shrinkage and the weights of the correction come from the training
weeks alone. The split ``train`` is predicted week by week, each from the weeks before it; ``test``
are the weeks after the training, judged once. Intervals resample cells, and a gain is paired: both
predictions face the same cells.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.archives import Archive, load_charts, nothing_to_learn
from aurastream.evaluation.cells import CELL, consecutive, first_day_of, weekly_cells
from aurastream.evaluation.cohort import split_days
from aurastream.evaluation.results import EvaluationRow, Split

__all__ = [
    "RunningMean",
    "evaluate_opportunity",
    "judge_opportunity",
    "opportunity_pairs",
    "split_pairs",
]

Floats = npt.NDArray[np.float64]
Places = npt.NDArray[np.intp]

OPEN: Final = "newcomer share"
WITHIN: Final = "newcomer share, within cells"
SPEED: Final = "newcomer speed"
_MODEL: Final = "model: running mean of the cell, shrunk and corrected"
_PERSISTENCE: Final = "baseline: persistence"
_HALF_LIVES: Final = (1.0, 2.0, 3.0, 4.0, 6.0, 10.0)
_PSEUDO_VIDEOS: Final = (2.0, 5.0, 10.0, 20.0, 40.0)
_RIDGE: Final = 100.0
_CORRECTION: Final = ("log_videos", "log_velocity", "hhi")
_FEWEST_WEEKS: Final = 4
_FEWEST_PAIRS: Final = 30
_RESAMPLES: Final = 2000
_SEED: Final = 20260121
_TAILS: Final = (2.5, 97.5)
_WEEK_DAYS: Final = 7
_TINY: Final = 1e-12


@dataclass(frozen=True, slots=True)
class RunningMean:
    """A learned predictor of the newcomer share of the week to come.

    ``half_life`` weeks halve the weight of a week, ``pseudo_videos`` is how many videos the mean
    of all cells weighs, ``weights`` correct the result per standard deviation of a week's size,
    velocity and concentration.
    """

    half_life: float
    pseudo_videos: float
    centre: Floats
    scale: Floats
    weights: Floats
    offset: float

    @classmethod
    def fit(cls, pairs: pd.DataFrame) -> Self:
        """Learn from pairs of consecutive weeks."""
        actual = pairs["next_share"].to_numpy()
        half_life, pseudo = min(
            product(_HALF_LIVES, _PSEUDO_VIDEOS),
            key=lambda pair: float(np.mean((_shrunk(pairs, *pair) - actual) ** 2)),
        )
        seen = _seen(pairs)
        centre, scale = seen.mean(axis=0), np.maximum(seen.std(axis=0), 1e-9)
        design = (seen - centre) / scale
        rest = actual - _shrunk(pairs, half_life, pseudo)
        penalty = _RIDGE * np.eye(design.shape[1])
        weights = np.linalg.solve(design.T @ design + penalty, design.T @ (rest - rest.mean()))
        return cls(half_life, pseudo, centre, scale, weights, float(rest.mean()))

    def predict(self, pairs: pd.DataFrame) -> Floats:
        """Return the share expected a week later, 0–1; the columns of the outcome are not read."""
        corrected = (
            _shrunk(pairs, self.half_life, self.pseudo_videos)
            + self.offset
            + (_seen(pairs) - self.centre) / self.scale @ self.weights
        )
        return np.clip(corrected, 0.0, 1.0)

    def __str__(self) -> str:
        weights = zip(_CORRECTION, self.weights, strict=True)
        return (
            f"half-life {self.half_life:g} weeks, {self.pseudo_videos:g} pseudo-videos, "
            + ", ".join(f"{name} {weight:+.4f}" for name, weight in weights)
        )


def evaluate_opportunity(
    train: Path, test: Path | None = None, *, countries: Collection[str] = ()
) -> list[EvaluationRow]:
    """Judge the declared model, persistence and the scores of the sources by the protocol.

    Parameters
    ----------
    train : pathlib.Path
        Archive to learn from; alone, the weeks after the last training day of the viral protocol
        are judged.
    test : pathlib.Path, optional
        Another archive to judge; then everything in ``train`` trains, but for pairs that touch a
        cell's week which is judged.
    countries : collection of str
        The user's own countries; all of the archive's unless given.

    Raises
    ------
    InvalidInputError
        When an archive is not readable or too short, or leaves nothing to learn from.
    """
    return judge_opportunity(*opportunity_pairs(train, test, countries=countries))


def judge_opportunity(learned: pd.DataFrame, judged: pd.DataFrame) -> list[EvaluationRow]:
    """Judge every method on pairs of weeks that it did not learn from."""
    model = RunningMean.fit(learned)
    forward = _forward(learned)
    spans: tuple[tuple[pd.DataFrame, Floats, Split], ...] = (
        (forward[0], forward[1], "train"),
        (judged, model.predict(judged), "test"),
    )
    rows = []
    for pairs, predicted, split in spans:
        predictions = _simple(pairs)
        for method, guess in predictions.items():
            rows.append(_speed_row(pairs, guess, method, split))
        predictions[_MODEL] = predicted
        for method, guess in predictions.items():
            row = _open_row(pairs, guess, method, split)
            if method == _MODEL and split == "test":
                row = replace(row, primary=True, detail=str(model))
            rows += [row, _within_row(pairs, guess, method, split)]
    order = {OPEN: 0, WITHIN: 1, SPEED: 2}
    return sorted(rows, key=lambda row: order[row.label])


def opportunity_pairs(
    train: Path, test: Path | None = None, *, countries: Collection[str] = ()
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the consecutive weeks to learn from and those to judge, with each cell's past."""
    archive = load_charts(train, countries)
    if test is None:
        return split_pairs(archive)
    other = load_charts(test, countries)
    charts = other.charts
    if archive.last_day < other.first_day:
        charts = pd.concat([archive.charts, charts], ignore_index=True)
    judged = _with_past(charts)
    judged = judged[judged["week"].map(_outcome_start) >= other.first_day]
    learned = _with_past(archive.charts)
    own = learned[~_knows_outcomes(learned, judged)]
    if own.empty and not learned.empty:
        raise nothing_to_learn("pair of weeks")
    return _refuse_few(own, judged)


def split_pairs(archive: Archive) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the pairs to learn from and those to judge of one archive.

    Raises
    ------
    InvalidInputError
        When the archive is too short.
    """
    last = split_days(archive).train_end
    pairs = _with_past(archive.charts)
    starts = pairs["week"].map(_outcome_start)
    return _refuse_few(pairs[starts + _WEEK_DAYS - 1 <= last], pairs[starts > last])


def _knows_outcomes(learned: pd.DataFrame, judged: pd.DataFrame) -> npt.NDArray[np.bool_]:
    """Mark pairs in either week of which something is that is judged as an outcome."""
    outcomes = pd.MultiIndex.from_frame(judged[[*CELL, "week"]].assign(week=judged["week"] + 1))
    either = [
        pd.MultiIndex.from_frame(learned[[*CELL, "week"]].assign(week=learned["week"] + weeks))
        for weeks in (0, 1)
    ]
    known: npt.NDArray[np.bool_] = either[0].isin(outcomes) | either[1].isin(outcomes)
    return known


def _outcome_start(week: int) -> int:
    return first_day_of(week + 1)


def _refuse_few(learned: pd.DataFrame, judged: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    for pairs, name in ((learned, "train"), (judged, "judge")):
        if len(pairs) < _FEWEST_PAIRS or (
            name == "train" and pairs["week"].nunique() < _FEWEST_WEEKS
        ):
            raise InvalidInputError(
                f"There are {len(pairs)} pairs of consecutive weeks to {name}, too few to say "
                "anything.",
                fix="Give a longer archive or more countries.",
            )
    return learned.reset_index(drop=True), judged.reset_index(drop=True)


def _with_past(charts: pd.DataFrame) -> pd.DataFrame:
    """Add what earlier weeks said: weighted counts per half-life, and the mean of all cells."""
    cells = weekly_cells(charts)
    cells = cells.assign(log_videos=np.log(cells["videos"]))
    newcomers = (cells["newcomer_share"] * cells["videos"]).to_numpy()
    videos = cells["videos"].to_numpy(dtype="float64")
    weeks = cells["week"].to_numpy(dtype="int64")
    past: dict[str, Floats] = {}
    for half_life in _HALF_LIVES:
        seen, new = np.zeros(len(cells)), np.zeros(len(cells))
        for places in cells.groupby(CELL).indices.values():
            ago = weeks[places][:, None] - weeks[places][None, :]
            weight = np.where(ago >= 0, 0.5 ** (np.maximum(ago, 0) / half_life), 0.0)
            # Row by row: a product of matrices would round differently when later weeks come.
            seen[places] = [float(np.sum(row[row > 0] * videos[places][row > 0])) for row in weight]
            new[places] = [
                float(np.sum(row[row > 0] * newcomers[places][row > 0])) for row in weight
            ]
        past[f"seen_{half_life:g}"], past[f"new_{half_life:g}"] = seen, new
    by_week = pd.DataFrame({"new": newcomers, "videos": videos}).groupby(weeks).sum().cumsum()
    overall = (by_week["new"] / by_week["videos"]).to_dict()
    cells = cells.assign(**past, overall=cells["week"].map(overall))
    for name, values in _simple(cells).items():
        cells[f"usual of {name}"] = values
        grouped = cells.groupby(CELL)[f"usual of {name}"]
        cells[f"usual of {name}"] = (
            grouped.cumsum()
            .sub(cells[f"usual of {name}"])
            .div(grouped.cumcount().where(grouped.cumcount() > 0))
        )
    return consecutive(cells)


def _shrunk(pairs: pd.DataFrame, half_life: float, pseudo: float) -> Floats:
    new, seen = pairs[f"new_{half_life:g}"], pairs[f"seen_{half_life:g}"]
    found: Floats = ((new + pseudo * pairs["overall"]) / (seen + pseudo)).to_numpy()
    return found


def _seen(pairs: pd.DataFrame) -> Floats:
    return pairs[list(_CORRECTION)].to_numpy(dtype="float64")


def _forward(pairs: pd.DataFrame) -> tuple[pd.DataFrame, Floats]:
    """Predict each training week from the weeks before it, once there are enough of them."""
    parts, found = [], []
    for week in sorted(pairs["week"].unique())[_FEWEST_WEEKS - 1 :]:
        before, now = pairs[pairs["week"] < week], pairs[pairs["week"] == week]
        parts.append(now)
        found.append(RunningMean.fit(before).predict(now))
    return pd.concat(parts, ignore_index=True), np.concatenate(found)


def _simple(pairs: pd.DataFrame) -> dict[str, Floats]:
    velocity, hhi = pairs["log_velocity"].to_numpy(), pairs["hhi"].to_numpy()
    return {
        _PERSISTENCE: pairs["newcomer_share"].to_numpy(),
        "baseline: log velocity × (1 − HHI)": velocity * (1 - hhi),
        "baseline: log velocity": velocity,
        "baseline: HHI": hhi,
    }


def _open_row(pairs: pd.DataFrame, guess: Floats, method: str, split: Split) -> EvaluationRow:
    actual = pairs["next_share"].to_numpy()
    last = pairs["newcomer_share"].to_numpy()
    figures = {
        "correlation": lambda at: _correlation(guess[at], actual[at]),
        "gain": lambda at: _correlation(guess[at], actual[at]) - _correlation(last[at], actual[at]),
    }
    if method not in {_MODEL, _PERSISTENCE}:
        return _row(pairs, OPEN, method, split, figures)
    figures["error_reduction"] = lambda at: (
        1 - _error(guess[at], actual[at]) / max(_error(last[at], actual[at]), _TINY)
    )
    row = _row(pairs, OPEN, method, split, figures)
    return replace(row, squared_error=_error(guess, actual))


def _within_row(pairs: pd.DataFrame, guess: Floats, method: str, split: Split) -> EvaluationRow:
    pairs = pairs.assign(guess=guess).sort_values([*CELL, "week"], ignore_index=True)
    usual = pairs[f"usual of {_PERSISTENCE if method == _MODEL else method}"]
    later = _later_mean(pairs)
    known = (usual.notna() & later.notna()).to_numpy()
    week = pairs["week"][known]
    actual = _without_mean((pairs["next_share"] - later)[known], week)
    ours = _without_mean((pairs["guess"] - usual)[known], week)
    last = _without_mean((pairs["newcomer_share"] - pairs[f"usual of {_PERSISTENCE}"])[known], week)
    figures = {
        "correlation": lambda at: _correlation(ours[at], actual[at]),
        "gain": lambda at: _correlation(ours[at], actual[at]) - _correlation(last[at], actual[at]),
    }
    return _row(pairs[known], WITHIN, method, split, figures)


def _speed_row(pairs: pd.DataFrame, guess: Floats, method: str, split: Split) -> EvaluationRow:
    known = pairs["next_log_velocity"].notna().to_numpy()
    actual, ours = pairs["next_log_velocity"].to_numpy()[known], guess[known]
    figures = {"correlation": lambda at: _correlation(ours[at], actual[at])}
    return _row(pairs[known], SPEED, method, split, figures)


def _row(
    pairs: pd.DataFrame,
    label: str,
    method: str,
    split: Split,
    figures: Mapping[str, Callable[[Places], float]],
) -> EvaluationRow:
    """Compute figures of the correlation's kind, and their intervals over resampled cells."""
    cells = pairs.groupby(CELL).ngroup().to_numpy()
    places = [np.flatnonzero(cells == cell) for cell in range(int(cells.max()) + 1)]
    rng = np.random.default_rng(_SEED)
    resampled = [
        np.concatenate([places[i] for i in rng.integers(0, len(places), len(places))])
        for _ in range(_RESAMPLES)
    ]
    found: dict[str, Any] = {}
    for name, figure in figures.items():
        low, high = np.percentile([figure(at) for at in resampled], _TAILS).tolist()
        # The correlation is the headline: the interval without a name is its own.
        prefix = "ci" if name == "correlation" else name
        found |= {
            name: figure(np.arange(len(pairs))),
            f"{prefix}_low": low,
            f"{prefix}_high": high,
        }
    return EvaluationRow(label=label, method=method, split=split, n=len(pairs), **found)


def _error(left: Floats, right: Floats) -> float:
    return float(np.mean((left - right) ** 2))


def _correlation(left: Floats, right: Floats) -> float:
    """Return Pearson's r, 0 when one side does not vary."""
    x, y = left - left.mean(), right - right.mean()
    size = float(np.sqrt((x @ x) * (y @ y)))
    return float(x @ y) / size if size > 0 else 0.0


def _later_mean(pairs: pd.DataFrame) -> pd.Series:
    """Return the cell's mean outcome after each pair, which only a judge can know."""
    grouped = pairs.groupby(CELL)["next_share"]
    left = grouped.transform("size") - grouped.cumcount() - 1
    after = grouped.transform("sum") - grouped.cumsum()
    return after / left.where(left > 0)


def _without_mean(values: pd.Series, groups: pd.Series) -> Floats:
    return (values - values.groupby(groups).transform("mean")).to_numpy(dtype="float64")
