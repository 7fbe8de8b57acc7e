"""Titles whose language is known, judged as a whole and by an oracle."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aurastream.core.errors import InvalidInputError
from aurastream.core.languages import title_languages
from aurastream.evaluation.language import (
    Titles,
    evaluate_language,
    judge_language,
    language_titles,
)

Row = Callable[..., dict[str, object]]
SENTENCES = {
    "de": "Ich habe hundert Tage in dieser Welt überlebt und das ist dabei passiert Nummer {}",
    "en": "I survived one hundred days in this world and this is what happened number {}",
    "es": "Sobreviví cien días en este mundo y esto es lo que pasó con mi casa número {}",
    "ja": "この世界で百日間生き残った結果がこれです その{}",
}
OTHER_TITLE = "どこかの国の言葉"


@pytest.fixture
def babel(chart_row: Row, observation: Row, archive_at: Callable) -> Path:
    """Sixty days of titles in four languages; tags that disagree come with misleading titles."""
    rows = []
    for day in range(60):
        for number, (language, sentence) in enumerate(SENTENCES.items()):
            for i in range(2):
                name = f"{language}-{day}-{i}"
                rows.append(
                    chart_row(
                        name, day, title=sentence.format(day), channel_id=f"c{number}-{day % 7}",
                        default_language=language, audio_language=f"{language}-XX",
                        chart_rank=2 * number + i + 1,
                    )
                )  # fmt: skip
        rows.append(
            chart_row(
                f"torn-{day}", day, title=OTHER_TITLE, default_language="en",
                audio_language="fr", chart_rank=20,
            )
        )  # fmt: skip
        rows.append(
            chart_row(
                f"untold-{day}", day, title=OTHER_TITLE, default_language=None,
                audio_language=None, chart_rank=21,
            )
        )  # fmt: skip
    return archive_at(rows, [observation("x", 0, 1)])


def test_only_titles_whose_tags_agree_are_judged_and_each_once(babel: Path) -> None:
    learned, judged = language_titles(babel)
    assert OTHER_TITLE not in learned.titles + judged.titles
    assert set(learned.languages) == set(judged.languages) == set(SENTENCES)
    assert len(learned.titles) + len(judged.titles) == 60 * 8


def test_a_video_that_is_judged_is_not_in_the_other_split(babel: Path, tmp_path: Path) -> None:
    charts = pd.read_parquet(babel / "charts_test.parquet")
    late = tmp_path / "late"
    late.mkdir()
    charts[charts["snapshot_date"] >= "2026-02-01"].to_parquet(late / "charts_x.parquet")
    learned, judged = language_titles(babel, late)
    assert len(learned.titles) + len(judged.titles) == 60 * 8
    assert set(learned.titles).isdisjoint(judged.titles)
    with pytest.raises(InvalidInputError, match="Every video to learn from is also judged"):
        language_titles(babel, babel)


def test_a_language_has_300_titles_at_most_and_the_same_ones_every_time(
    babel: Path, chart_row: Row, tmp_path: Path
) -> None:
    rows = [
        chart_row(
            f"one-{language}-{i}", i % 60, title=SENTENCES[language].format(i), chart_rank=1,
            default_language=language, audio_language=language,
        )
        for language, size in (("en", 700), ("de", 90))
        for i in range(size)
    ]  # fmt: skip
    for name, ordered in (("once", rows), ("again", rows[::-1])):
        (tmp_path / name).mkdir()
        pd.DataFrame(ordered).to_parquet(tmp_path / name / "charts_x.parquet")
    _, first = language_titles(babel, tmp_path / "once")
    assert first.languages.count("en") == 300
    assert first.languages.count("de") == 90
    _, again = language_titles(babel, tmp_path / "again")
    assert first == again


def test_plain_sentences_are_told_and_one_method_is_declared(babel: Path) -> None:
    rows = evaluate_language(babel)
    (declared,) = (row for row in rows if row.primary)
    assert (declared.label, declared.split) == ("title language", "test")
    assert declared.f1 is not None
    assert declared.f1 > 0.9
    assert declared.ci_low is not None
    assert declared.ci_high is not None
    assert declared.ci_low <= declared.f1 <= declared.ci_high
    (always,) = (row for row in rows if row.split == "test" and "always" in row.method)
    assert always.recall == 0.25
    per_language = [row for row in rows if row.label.startswith("title language: ")]
    assert len(per_language) == 2 * len(SENTENCES)


def test_shuffled_tags_leave_chance(babel: Path) -> None:
    learned, judged = language_titles(babel)
    shuffled = np.random.default_rng(2).permutation(judged.languages).tolist()
    rows = judge_language(learned, Titles(judged.titles, shuffled, judged.channels))
    (declared,) = (row for row in rows if row.primary)
    assert declared.recall is not None
    assert declared.recall < 0.4


def test_figures_are_scikit_learns_macro_means(babel: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")

    learned, judged = language_titles(babel)
    found = title_languages(judged.titles)["title_language"].tolist()
    expected = metrics.precision_recall_fscore_support(
        judged.languages, found, labels=sorted(SENTENCES), average="macro", zero_division=0
    )[:3]
    (declared,) = (row for row in judge_language(learned, judged) if row.primary)
    assert (declared.precision, declared.recall, declared.f1) == pytest.approx(expected)


def test_an_archive_without_tags_is_refused(
    chart_row: Row, observation: Row, archive_at: Callable
) -> None:
    rows = [
        chart_row(f"v{day}", day, default_language=None, audio_language=None) for day in range(60)
    ]
    with pytest.raises(InvalidInputError, match="tags that agree, too few"):
        evaluate_language(archive_at(rows, [observation("x", 0, 1)]))


def test_recorded_titles_are_told_better_than_by_the_classifier_alone(recorded: Path) -> None:
    rows = {row.method: row for row in evaluate_language(recorded) if row.split == "test"
            and row.label == "title language"}  # fmt: skip
    declared = next(row for row in rows.values() if row.primary)
    alone = next(row for name, row in rows.items() if "classifier alone" in name)
    assert declared.n > 1500
    assert declared.f1 is not None
    assert alone.f1 is not None
    assert declared.f1 > alone.f1
    assert alone.recall == pytest.approx(0.68, abs=0.03)
