"""Keyword scores against plain Python with Counter.

Both compute the same: titles folded and cut into words, the terms of one to three words of every
category counted once per title and weighted by velocity, class-based tf-idf, the fifty best terms
of each category in a total order. The loops start from lists, read each title once and hold every
count in a Counter, as the sources' design does; ours starts from the frame that an asset has.
"""

import html
import itertools
import re
import unicodedata
from collections import Counter, defaultdict
from math import log1p
from typing import Any

import numpy as np
import pandas as pd

from aurastream.core import words
from aurastream.core.keywords import STOP_WORDS, KeywordParams, keyword_scores
from benchmarks.core_category_stats import interleaved, row

PARAMS = KeywordParams()
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_DECORATIONS = ("{}!", "[{}]", "{} | Official", "NEW: {}", "{} \N{FIRE}", "¿{}?", "{} &amp; more")
_JAPANESE = ("マイクラ", "実況", "最強", "ポケモン", "生放送", "カード", "女神", "攻略")
_ASCII = re.compile(r"[a-z0-9]+")
_APOSTROPHES = re.compile("['`]")


def sample(n: int, n_categories: int = 20, seed: int = 20_261_121) -> pd.DataFrame:
    """Return titles of Zipf-like words in Latin and other scripts, as real charts have them."""
    rng = np.random.default_rng(seed)
    size = max(2000, n // 4)
    lengths = rng.integers(2, 11, size)
    letters = rng.integers(0, 26, int(lengths.sum()))
    parts = np.split(letters, np.cumsum(lengths)[:-1])
    vocabulary = ["".join([_LETTERS[i] for i in part]) for part in parts]
    vocabulary[:12] = ["the", "a", "of", "é", "in", "to", "vs", "de", "2026", "i", "my", "gta"]
    weight = 1 / (np.arange(size) + 2.7)
    per_title = rng.integers(3, 15, n)
    drawn = rng.choice(size, int(per_title.sum()), p=weight / weight.sum())
    styles = rng.integers(0, 12, n)
    titles = []
    for numbers, style in zip(np.split(drawn, np.cumsum(per_title)[:-1]), styles, strict=True):
        title = " ".join([vocabulary[i] for i in numbers])
        title = title.upper() if style % 5 == 0 else title.capitalize()
        if style < len(_DECORATIONS):
            title = _DECORATIONS[style].format(title)
        elif style == 7:
            title = "【{}】{} {}".format(*(_JAPANESE[i % 8] for i in numbers[:3]), title)
        titles.append(title)
    return pd.DataFrame(
        {
            "window_start": pd.Timestamp("2026-03-01T10:00Z"),
            "category": [f"c{i:02d}" for i in rng.integers(0, n_categories, n)],
            "title": titles,
            "lifetime_velocity_per_hour": rng.lognormal(7, 2, n),
        }
    )


class _Translation(dict[int, str | None]):
    """What each character becomes, looked up once: itself, a gap, or nothing."""

    def __missing__(self, code: int) -> str | None:
        flag = int(words.flags_of(np.array([code], dtype=np.uint32))[0])
        value = None if flag & words.DROPPED else chr(code) if flag & words.WORD else " "
        self[code] = value
        return value


_TRANSLATION = _Translation()
_SCRIPTS = re.compile("[ぁ-ゖ]+|[ァ-ヺー]+|[一-龯々]+|[^ぁ-ゖァ-ヺー一-龯々]+")


def spoken(title: str) -> list[str]:
    """Return the words of a title that has no combining marks."""
    text = html.unescape(title)
    if text.isascii():
        return _ASCII.findall(_APOSTROPHES.sub("", text.lower()))
    text = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    found = text.translate(_TRANSLATION).split()
    return [part for word in found for part in (_SCRIPTS.findall(word) if word > "ぁ" else (word,))]


def terms(title: str) -> set[str]:
    """Return the words and phrases of a title that may be keywords."""
    all_words = spoken(title)
    found = set()
    for length in (1, 2, 3):
        for at in range(len(all_words) - length + 1):
            part = all_words[at : at + length]
            if part[0] in STOP_WORDS or part[-1] in STOP_WORDS:
                continue
            for word in part:
                weak = len(word) == 1 or (word.isascii() and word.isdigit())
                if not weak and word not in STOP_WORDS:
                    found.add(" ".join(part))
                    break
    return found


def loops(
    categories: list[str], titles: list[str], velocity: list[float]
) -> dict[str, list[tuple[str, float, int]]]:
    """Score everything with Counters."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    weights: dict[str, Counter[str]] = defaultdict(Counter)
    total: Counter[str] = Counter()
    for category, title, speed in zip(categories, titles, velocity, strict=True):
        found = terms(title)
        weight = 1 + log1p(speed)
        total[category] += weight  # type: ignore[assignment] # a Counter of floats
        counts[category].update(found)
        own = weights[category]
        for term in found:
            own[term] += weight  # type: ignore[assignment] # the same
    spread: Counter[str] = Counter()
    presences = [0, 0, 0, 0]
    for own in counts.values():
        for term, count in own.items():
            if count >= PARAMS.min_videos:
                spread[term] += count
                presences[term.count(" ") + 1] += count
    average = [p / len(counts) for p in presences]
    result = {}
    for category, own in counts.items():
        scored = []
        for term, count in own.items():
            if count >= PARAMS.min_videos:
                share = weights[category][term] / total[category]
                score = share * log1p(average[term.count(" ") + 1] / spread[term])
                scored.append((-score, term, count))
        scored.sort()
        result[category] = [(t, -s, c) for s, t, c in itertools.islice(scored, PARAMS.top)]
    return result


def _lists(videos: pd.DataFrame) -> tuple[list[str], list[str], list[float]]:
    return (
        videos["category"].tolist(),
        videos["title"].tolist(),
        videos["lifetime_velocity_per_hour"].tolist(),
    )


def check(videos: pd.DataFrame) -> None:
    """Assert that both name the same terms in the same order, with scores equal to 1e-6.

    Ours rounds a weight to 2⁻²⁰, so that scores that close may change places.
    """
    mine = keyword_scores(videos, params=PARAMS)
    slow = loops(*_lists(videos))
    for category, own in mine.groupby("category"):
        expected = slow[str(category)]
        np.testing.assert_allclose(own["score"], [s for _, s, _ in expected], rtol=1e-6)
        shared = set(own["term"]) & {t for t, _, _ in expected}
        edge = expected[-1][1] * (1 + 1e-6)
        assert {t for t, s, _ in expected if s > edge} <= shared
        counted = {t: c for t, _, c in expected}
        by_term = dict(zip(own["term"], own["video_count"], strict=True))
        assert all(by_term[t] == counted[t] for t in shared)


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Compare at the size of the product (400 titles) and at 100,000, or at n."""
    results = []
    if n is None:
        small = sample(400, 8)
        check(small)
        lists = _lists(small)
        medians = interleaved(
            {
                "ours": (lambda: keyword_scores(small, params=PARAMS), 31),
                "Counter": (lambda: loops(*lists), 31),
            }
        )
        results.append(row("core_keywords, product size", 400, "Counter", medians, 0.9))
    videos = sample(n or 100_000)
    check(videos)  # loads the compiled kernels
    lists = _lists(videos)
    medians = interleaved(
        {
            "ours": (lambda: keyword_scores(videos, params=PARAMS), 7),
            "Counter": (lambda: loops(*lists), 3),
        }
    )
    results.append(row("core_keywords", len(videos), "Counter", medians, 10.0))
    return results
