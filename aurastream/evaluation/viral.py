"""The honest protocol for viral detection, end to end.

Unit and cohort are in `aurastream.evaluation.cohort`, outcomes in `labels`, what may be known in
`features`. Rules, models and thresholds learn from the training videos alone; the rows of the
split ``train`` are cross-validated over channels, those of ``test`` are judged once. Intervals
resample channels. One rule (the points table), one model and one day-two model are declared
primary, on the headline label T2 alone, whatever the others reach.
"""

import zlib
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.archives import Archive, load_archive, nothing_to_learn
from aurastream.evaluation.cohort import (
    OUTCOME_DAYS,
    cohort_mask,
    first_sightings,
    split_days,
)
from aurastream.evaluation.features import day_one, documents, next_day
from aurastream.evaluation.labels import LABELS, hits, outcomes
from aurastream.evaluation.metrics import (
    average_precision,
    best_threshold,
    brier_skill,
    calibration_bins,
    calibration_error,
    score_by_channel,
)
from aurastream.evaluation.model import FOLDS, Training, ViralModel, cross_predictions
from aurastream.evaluation.results import EvaluationRow, Split
from aurastream.evaluation.rules import learn_points
from aurastream.evaluation.versions import LABEL

__all__ = ["Sample", "evaluate_viral", "judge_viral", "split_samples", "viral_samples"]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Method = Callable[["Sample", "Sample", str], Iterator[EvaluationRow]]

_DECILE: Final = 0.9
_RANDOM_SHARE: Final = 0.1
_COUNTRIES: Final = 3
_FEWEST_VIDEOS: Final = 50


@dataclass(frozen=True, slots=True)
class Sample:
    """The judged videos of one split: features, the next day, texts, outcomes, hits, channels."""

    features: pd.DataFrame
    next_day: pd.DataFrame
    texts: pd.Series
    outcome: pd.DataFrame
    truth: dict[str, Bools]
    channels: npt.NDArray[np.object_]
    videos: pd.Series


def evaluate_viral(
    train: Path, test: Path | None = None, *, countries: Collection[str] = ()
) -> list[EvaluationRow]:
    """Judge rules, the model and the day-two model by the protocol.

    Parameters
    ----------
    train : pathlib.Path
        Archive to learn from; alone, its last part is judged and the two weeks before are unused.
    test : pathlib.Path, optional
        Another archive to judge; then everything in ``train`` trains, but for videos that are
        judged.
    countries : collection of str
        The user's own countries; all of the archive's unless given.

    Raises
    ------
    InvalidInputError
        When an archive is not readable or too short, or leaves nothing to learn from.
    """
    learned, judged = viral_samples(train, test, countries=countries)
    return judge_viral(learned, judged)


def judge_viral(
    learned: Sample, judged: Sample, *, labels: Collection[str] = LABELS
) -> list[EvaluationRow]:
    """Judge every method on videos that it did not learn from."""
    methods: tuple[Method, ...] = (_baselines, _points, _model, _day_two)
    return [row for label in labels for method in methods for row in method(learned, judged, label)]


def viral_samples(
    train: Path, test: Path | None = None, *, countries: Collection[str] = ()
) -> tuple[Sample, Sample]:
    """Return the videos to learn from and the videos to judge."""
    archive = load_archive(train, countries)
    if test is None:
        return split_samples(archive)
    other = load_archive(test, countries)
    judged = _sample(other, *_described(other, earlier=archive))
    rows, features = _described(archive)
    # A video that is judged may not be learned from, whatever else the archives share.
    own = ~rows["video_id"].isin(judged.videos).to_numpy()
    inside = cohort_mask(rows, archive)
    if inside.any() and not (inside & own).any():
        raise nothing_to_learn("video")
    return _refuse_few(_sample(archive, rows, features, inside & own), judged)


def split_samples(archive: Archive, *, outcome_days: int = OUTCOME_DAYS) -> tuple[Sample, Sample]:
    """Return the videos to learn from and those to judge of one archive, days apart.

    Raises
    ------
    InvalidInputError
        When the archive is too short.
    """
    split = split_days(archive, outcome_days=outcome_days)
    rows, features = _described(archive)
    inside = cohort_mask(rows, archive, outcome_days=outcome_days)
    learned, judged = (
        _sample(archive, rows, features, (part & inside).to_numpy())
        for part in (rows["day"] <= split.train_end, rows["day"] >= split.test_start)
    )
    return _refuse_few(learned, judged)


def _refuse_few(learned: Sample, judged: Sample) -> tuple[Sample, Sample]:
    for sample, name in ((learned, "train"), (judged, "judge")):
        if len(sample.videos) < _FEWEST_VIDEOS:
            raise InvalidInputError(
                f"There are {len(sample.videos)} videos to {name}, too few to say anything.",
                fix="Give a longer archive, another one, or more countries.",
            )
    return learned, judged


def _described(
    archive: Archive, *, earlier: Archive | None = None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return first sightings and their features; an earlier archive is their past, if it is one."""
    rows = first_sightings(archive)
    if earlier is None or earlier.last_day >= archive.first_day:
        return rows, day_one(rows, archive.charts)
    past = first_sightings(earlier)
    both = pd.concat([past, rows], ignore_index=True)
    charts = pd.concat([earlier.charts, archive.charts], ignore_index=True)
    features = day_one(both, charts).iloc[len(past) :].reset_index(drop=True)
    return rows, features


def _sample(
    archive: Archive, rows: pd.DataFrame, features: pd.DataFrame, part: Bools | None = None
) -> Sample:
    inside = cohort_mask(rows, archive) if part is None else part
    judged = rows[inside].reset_index(drop=True)
    outcome = outcomes(judged, archive.observations)
    return Sample(
        features=features[inside].reset_index(drop=True),
        next_day=next_day(judged, archive.observations),
        texts=documents(judged),
        outcome=outcome,
        truth={label: hits(outcome[label], judged["category_id"]) for label in LABELS},
        channels=judged["channel_id"].to_numpy(dtype=object),
        videos=judged["video_id"],
    )


def _row(sample: Sample, label: str, method: str, split: Split, guess: Bools) -> EvaluationRow:
    score = score_by_channel(sample.truth[label], guess, sample.channels)
    return EvaluationRow(
        label=label,
        method=method,
        split=split,
        n=guess.size,
        precision=score.precision,
        recall=score.recall,
        f1=score.f1,
        ci_low=score.ci_low,
        ci_high=score.ci_high,
    )


def _baselines(learned: Sample, judged: Sample, label: str) -> Iterator[EvaluationRow]:
    chance = np.array([zlib.crc32(name.encode()) / 2**32 for name in judged.videos])
    yield _row(judged, label, "baseline: random 10 %", "test", chance < _RANDOM_SHARE)
    for feature in ("velocity", "views"):
        bars = learned.features.groupby("category")[feature].quantile(_DECILE)
        called = judged.features[feature] > judged.features["category"].map(bars)
        name = f"baseline: {feature} > p90 of its category"
        yield _row(judged, label, name, "test", called.to_numpy())
    wide = judged.features["own_countries"] >= _COUNTRIES
    yield _row(
        judged,
        label,
        f"baseline: in ≥ {_COUNTRIES} own countries on the first day",
        "test",
        wide.to_numpy(),
    )


def _points(learned: Sample, judged: Sample, label: str) -> Iterator[EvaluationRow]:
    name = "rule: points table"
    truth = learned.truth[label]
    fold = np.array([zlib.crc32(str(c).encode()) % FOLDS for c in learned.channels])
    called = np.zeros(truth.size, dtype=bool)
    for k in range(FOLDS):
        held = fold == k
        if truth[~held].any() and held.any():
            table = learn_points(learned.features[~held], truth[~held])
            called[held] = table.calls(learned.features[held])
    yield _row(learned, label, name, "train", called)
    table = learn_points(learned.features, truth)
    row = _row(judged, label, name, "test", table.calls(judged.features))
    yield replace(row, primary=label == LABEL, detail=str(table))


def _model(learned: Sample, judged: Sample, label: str) -> Iterator[EvaluationRow]:
    name = "model: gradient-boosted trees and words"
    yield from _learned(learned, judged, label, name, days=1)


def _day_two(learned: Sample, judged: Sample, label: str) -> Iterator[EvaluationRow]:
    name = "day two: gradient-boosted trees, told the next day's counters"
    yield from _learned(learned, judged, label, name, days=2)


def _learned(
    learned: Sample, judged: Sample, label: str, name: str, *, days: int
) -> Iterator[EvaluationRow]:
    def known(sample: Sample) -> pd.DataFrame:
        if days == 1:
            return sample.features
        return pd.concat([sample.features, sample.next_day], axis=1)

    training = Training(
        known(learned),
        learned.texts,
        learned.outcome[label].to_numpy(),
        learned.truth[label],
        learned.channels,
    )
    crossed = cross_predictions(training)
    bar = best_threshold(training.truth, crossed)
    yield _judged(learned, label, name, "train", probability=crossed, bar=bar)
    model = ViralModel.fit(training)
    found = model.probability(known(judged), judged.texts)
    row = _judged(judged, label, name, "test", probability=found, bar=bar)
    yield replace(row, primary=label == LABEL)


def _judged(
    sample: Sample, label: str, name: str, split: Split, *, probability: Floats, bar: float
) -> EvaluationRow:
    truth = sample.truth[label]
    return replace(
        _row(sample, label, name, split, probability >= bar),
        average_precision=average_precision(truth, probability),
        brier_skill=brier_skill(truth, probability),
        calibration_error=calibration_error(truth, probability),
        calibration=calibration_bins(truth, probability),
        detail=f"called from probability {bar:.4f}",
    )
