"""The honest protocol for languages: whether a title tells the one its creator declared.

Truth is the primary language of videos whose default tag and audio tag agree; every other video is
left out, because nobody knows what its title is in. Of each of the nine languages with the most
such videos, 300 titles are judged at most, chosen by a hash of the video, so that English does not
decide alone. Every video is judged once, however often it charts.

Nothing is trained here. The detector's thresholds and its list of candidates are fixed in
`aurastream.core.languages`; they were written with titles of the recorded archive at hand, so that
an archive of other days says more. The split ``train`` are the videos first charted before the
viral protocol's training ends, ``test`` those first charted after it, or another archive whole.

Precision, recall and F1 are means over the languages. With as many titles of each, the mean recall
is the share of titles that were called rightly; a title that is not called counts against recall
alone. Intervals resample channels.
"""

import importlib
import zlib
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.languages import (
    UNDETERMINED,
    LanguageParams,
    primary_languages,
    title_languages,
)
from aurastream.evaluation.archives import Archive, load_charts, nothing_to_learn
from aurastream.evaluation.cohort import OUTCOME_DAYS, split_days
from aurastream.evaluation.results import EvaluationRow, Split

__all__ = ["Titles", "evaluate_language", "judge_language", "language_titles", "split_titles"]

Codes = npt.NDArray[np.intp]
Floats = npt.NDArray[np.float64]

LABEL: Final = "title language"
_PRIMARY: Final = "detector: script, then classifier"
_LANGUAGES: Final = 9
_TITLES: Final = 300
_FEWEST_TITLES: Final = 50
_FEWEST_OF_A_LANGUAGE: Final = 20
_RESAMPLES: Final = 1000
_AT_ONCE: Final = 100  # of these, so that memory does not grow with them
_SEED: Final = 20260121
_TAILS: Final = (2.5, 97.5)


@dataclass(frozen=True, slots=True)
class Titles:
    """Titles whose language is known, and the channels they are of."""

    titles: list[str]
    languages: list[str]
    channels: list[str]


def evaluate_language(
    train: Path, test: Path | None = None, *, countries: Collection[str] = ()
) -> list[EvaluationRow]:
    """Judge the declared detector, its parts and two baselines by the protocol.

    Parameters
    ----------
    train : pathlib.Path
        Archive whose later videos are judged when there is no other.
    test : pathlib.Path, optional
        Another archive to judge; its videos leave the split ``train``.
    countries : collection of str
        The user's own countries; all of the archive's unless given.

    Raises
    ------
    InvalidInputError
        When an archive is not readable or has too few titles whose language is known.
    """
    return judge_language(*language_titles(train, test, countries=countries))


def judge_language(learned: Titles, judged: Titles) -> list[EvaluationRow]:
    """Judge every method on both splits."""
    common = max(sorted(set(learned.languages)), key=learned.languages.count)
    methods: dict[str, Callable[[list[str]], list[str]]] = {
        _PRIMARY: lambda titles: _called(titles, LanguageParams()),
        "detector: the same, made to answer": lambda titles: _called(
            titles, LanguageParams(min_letters=1, min_confidence=0.0)
        ),
        "baseline: script alone": _by_script,
        "baseline: classifier alone, all its languages": _by_classifier,
        f"baseline: always {common}": lambda titles: [common] * len(titles),
    }
    rows = []
    spans: tuple[tuple[Titles, Split], ...] = ((learned, "train"), (judged, "test"))
    for titles, split in spans:
        for method, answer in methods.items():
            found = answer(titles.titles)
            row = _row(titles, found, method, split)
            is_declared = method == _PRIMARY and split == "test"
            rows.append(replace(row, primary=is_declared))
            if method == _PRIMARY:
                rows += [
                    _row_of(titles, found, method, split, language)
                    for language in sorted(set(titles.languages))
                ]
    return rows


def language_titles(
    train: Path, test: Path | None = None, *, countries: Collection[str] = ()
) -> tuple[Titles, Titles]:
    """Return the titles of both splits whose language is known, no video in both."""
    archive = load_charts(train, countries)
    if test is None:
        return split_titles(archive)
    other = load_charts(test, countries)
    rows = _once(archive.charts)
    own = rows[~rows["video_id"].isin(other.charts["video_id"])]
    if own.empty:
        raise nothing_to_learn("video")
    return _refuse_few(_sample(own), _sample(_once(other.charts)))


def split_titles(archive: Archive, *, outcome_days: int = OUTCOME_DAYS) -> tuple[Titles, Titles]:
    """Return the titles of both splits of one archive.

    Raises
    ------
    InvalidInputError
        When the archive is too short.
    """
    rows = _once(archive.charts)
    last = split_days(archive, outcome_days=outcome_days).train_end
    return _refuse_few(_sample(rows[rows["day"] <= last]), _sample(rows[rows["day"] > last]))


def _refuse_few(learned: Titles, judged: Titles) -> tuple[Titles, Titles]:
    for sample, name in ((learned, "train"), (judged, "judge")):
        if len(sample.titles) < _FEWEST_TITLES:
            raise InvalidInputError(
                f"Of the videos to {name}, {len(sample.titles)} have default and audio tags that "
                "agree, too few to say anything.",
                fix="Give a longer archive or more countries.",
            )
    return learned, judged


def _once(charts: pd.DataFrame) -> pd.DataFrame:
    return charts.sort_values(["day", "video_id"]).drop_duplicates("video_id")


def _sample(rows: pd.DataFrame) -> Titles:
    default = primary_languages(rows["default_language"])
    audio = primary_languages(rows["audio_language"])
    known = (default == audio) & (default != UNDETERMINED)
    rows = rows[known].assign(language=default[known])
    counts = rows["language"].value_counts().to_dict()
    names = sorted(counts, key=lambda name: (-counts[name], name))[:_LANGUAGES]
    chosen = rows[
        rows["language"].isin([name for name in names if counts[name] >= _FEWEST_OF_A_LANGUAGE])
    ]
    places = chosen["video_id"].map(lambda name: zlib.crc32(name.encode()))
    chosen = chosen.assign(place=places).sort_values(["language", "place", "video_id"])
    chosen = chosen.groupby("language").head(_TITLES)
    return Titles(
        chosen["title"].fillna("").tolist(),
        chosen["language"].tolist(),
        chosen["channel_id"].tolist(),
    )


def _called(titles: list[str], params: LanguageParams) -> list[str]:
    found: list[str] = title_languages(titles, params=params)["title_language"].tolist()
    return found


def _by_script(titles: list[str]) -> list[str]:
    found = title_languages(titles)
    return found["title_language"].where(found["method"] == "script", UNDETERMINED).tolist()


def _by_classifier(titles: list[str]) -> list[str]:
    # Imported here: reading the model takes longer than most commands.
    classifier = importlib.import_module("py3langid")
    return [str(classifier.classify(title)[0]) for title in titles]


def _row(titles: Titles, found: list[str], method: str, split: Split) -> EvaluationRow:
    names = sorted(set(titles.languages))
    truth, guess = _coded(titles.languages, names), _coded(found, names)
    channels = np.unique(titles.channels, return_inverse=True)[1].astype(np.intp)
    size = int(channels.max()) + 1
    # Per channel and language: called rightly, called, true. A resample adds channels up.
    right, called = truth == guess, guess >= 0
    table = np.stack(
        [
            _tally(channels[right], truth[right], size, len(names)),
            _tally(channels[called], guess[called], size, len(names)),
            _tally(channels, truth, size, len(names)),
        ],
        axis=1,
    )
    low, high = np.percentile(_resampled(table), _TAILS).tolist()
    precision, recall, f1 = (float(mean[0]) for mean in _means(table.sum(axis=0, keepdims=True)))
    return EvaluationRow(
        label=LABEL,
        method=method,
        split=split,
        n=len(found),
        precision=precision,
        recall=recall,
        f1=f1,
        ci_low=low,
        ci_high=high,
        detail=f"{sum(name != UNDETERMINED for name in found) / len(found):.1%} called; "
        f"languages {', '.join(names)}",
    )


def _row_of(
    titles: Titles, found: list[str], method: str, split: Split, language: str
) -> EvaluationRow:
    """Return the figures of one language, without an interval."""
    truth = np.array([name == language for name in titles.languages])
    guess = np.array([name == language for name in found])
    both, called, true = int((truth & guess).sum()), int(guess.sum()), int(truth.sum())
    return EvaluationRow(
        label=f"{LABEL}: {language}",
        method=method,
        split=split,
        n=true,
        precision=both / called if called else 0.0,
        recall=both / true,
        f1=2 * both / (called + true),
    )


def _resampled(table: Floats) -> Floats:
    """Return F1 of as many resamples of the channels."""
    rng = np.random.default_rng(_SEED)
    size = len(table)
    drawn = []
    for count in (_AT_ONCE,) * (_RESAMPLES // _AT_ONCE):
        # How often each resample drew each channel: a bincount of each row.
        places = rng.integers(0, size, (count, size)) + np.arange(count)[:, None] * size
        times = np.bincount(places.ravel(), minlength=count * size).reshape(count, size)
        drawn.append(_means(np.tensordot(times.astype("float64"), table, axes=1))[2])
    return np.concatenate(drawn)


def _means(tables: Floats) -> tuple[Floats, Floats, Floats]:
    """Return mean precision, recall and F1 over the languages that occur, of each table."""
    right, called, true = np.moveaxis(tables, 1, 0)
    occurs = true > 0
    with np.errstate(invalid="ignore"):
        each = (np.nan_to_num(right / called), right / true, 2 * right / (called + true))
    precision, recall, f1 = (np.where(occurs, one, 0.0).sum(axis=1) for one in each)
    count = occurs.sum(axis=1)
    return precision / count, recall / count, f1 / count


def _tally(channels: Codes, languages: Codes, channel_count: int, language_count: int) -> Floats:
    places = channels * language_count + languages
    found: Floats = np.bincount(places, minlength=channel_count * language_count).astype("float64")
    return found.reshape(channel_count, language_count)


def _coded(names: list[str], known: list[str]) -> Codes:
    code: dict[str, Any] = {name: i for i, name in enumerate(known)}
    return np.array([code.get(name, -1) for name in names], dtype=np.intp)
