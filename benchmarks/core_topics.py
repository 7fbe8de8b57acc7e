"""Deduplication of topics against the pairwise comparison.

Both keep the same topics: sets of lemmas, best first, each compared with those kept so far by
Jaccard similarity. The pairwise version has its sets made beforehand and skips sets of unlike
size, which is the best that can be said for it. The growth is that of our
processor time from n to ten times n.
"""

import statistics
import time
from itertools import pairwise
from math import log10
from typing import Any

import numpy as np

from aurastream.core.topics import duplicate_of, lemma_sets
from benchmarks.core_category_stats import interleaved, row

SIMILARITY = 0.6


def sample(n: int, seed: int = 20_261_121) -> list[str]:
    """Return topics of one to six Zipf-like words, a quarter of them near an earlier one."""
    rng = np.random.default_rng(seed)
    size = max(500, n // 2)
    weight = 1 / (np.arange(size) + 2.7) ** 0.9
    lengths = rng.choice(6, n, p=(0.15, 0.3, 0.3, 0.15, 0.06, 0.04)) + 1
    drawn = rng.choice(size, int(lengths.sum()), p=weight / weight.sum())
    ends = [0, *np.cumsum(lengths).tolist()]
    found: list[list[str]] = []
    for at, (begin, end) in enumerate(pairwise(ends)):
        topic = [f"w{i}" for i in drawn[begin:end].tolist()]
        if at > 10 and at % 4 == 0:
            topic = [*reversed(found[at // 2]), *topic[:1]]
        found.append(topic)
    return [" ".join(topic) for topic in found]


def pairwise_version(sets: list[frozenset[str]]) -> list[int]:
    """Compare each set with every kept one."""
    kept: list[int] = []
    result = []
    for place, own in enumerate(sets):
        if not own:
            result.append(-1)
            continue
        found = place
        size = len(own)
        for other in kept:
            theirs = sets[other]
            if min(size, len(theirs)) < SIMILARITY * max(size, len(theirs)):
                continue
            common = len(own & theirs)
            if common + 1e-9 >= SIMILARITY * (size + len(theirs) - common):
                found = other
                break
        if found == place:
            kept.append(place)
        result.append(found)
    return result


def check(topics: list[str]) -> None:
    """Assert that both keep the same topics and merge the same ones."""
    sets = lemma_sets(topics)
    assert duplicate_of(sets, similarity=SIMILARITY).tolist() == pairwise_version(sets)


def processor_seconds(*cases: list[frozenset[str]]) -> list[float]:
    """Return the median processor time of each case, in turn: a busy machine is no growth."""
    seconds: list[list[float]] = [[] for _ in cases]
    for _ in range(7):
        for taken, sets in zip(seconds, cases, strict=True):
            start = time.process_time()
            duplicate_of(sets, similarity=SIMILARITY)
            taken.append(time.process_time() - start)
    return [statistics.median(taken) for taken in seconds]


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Compare at 10,000 topics, or at n, and measure the growth to ten times as many."""
    size = n or 10_000
    texts = sample(size)
    check(texts[:3000])
    sets, more = lemma_sets(texts), lemma_sets(sample(10 * size))
    medians = interleaved(
        {
            "ours": (lambda: duplicate_of(sets, similarity=SIMILARITY), 9),
            "pairwise": (lambda: pairwise_version(sets), 1),
        }
    )
    result = row("core_topics", size, "pairwise", medians, 30.0)
    few, many = processor_seconds(sets, more)
    exponent = log10(many / few)
    growth = {
        "name": "core_topics, growth exponent (lower is better)",
        "n": 10 * size,
        "ours_s": many,
        "baseline": f"ours at {size:,}",
        "baseline_s": few,
        "ratio": exponent,
        "goal": 1.2,
        "met": exponent <= 1.2,
    }
    return [result, growth]
