"""The compiled twin of the plain counting in `aurastream.core.keywords`: same entries, same sums.

Importing this module costs 0.8 s and its first call compiles for some seconds (cached on disk
afterwards), so that nothing imports it at the top: `aurastream.core.keywords` decides.

It works on the code points of canonical text. Words are interned exactly: equal hashes are
compared letter by letter, so that no two words are ever taken for one. Terms grow word by word,
and only from parts that themselves are frequent enough, which is what makes it fast and small.
"""

# Mypy sees no type behind compiled functions.
# ruff: noqa: PLR0917 # compiled functions take positional arguments alone
# ruff: noqa: PLR2004, C901, PLR0912, PLR0915 # and are spelled out, as calls cost them
# mypy: disable-error-code="no-any-return"

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np
import numpy.typing as npt

from aurastream.core.words import (
    DROPPED,
    HAN,
    HIRAGANA,
    KATAKANA,
    MARK,
    WORD,
    CodePoints,
    flags_of,
    folded,
)

__all__ = ["canonical", "count_terms", "intern_words"]

Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
_FNV: Final = np.uint64(0xCBF29CE484222325)
_PRIME: Final = np.uint64(0x100000001B3)
_MIX: Final = np.uint64(0x9E3779B97F4A7C15)
_SHIFT: Final = np.uint64(29)


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    compiled: Callable[..., Any] = numba.njit(cache=True, nogil=True)(function)
    return compiled


_UNSPACED: Final = HAN | HIRAGANA | KATAKANA
_CHUNK: Final = 100_000


def canonical(texts: list[Any]) -> CodePoints:
    """Do what `aurastream.core.words.canonical` does, in one pass over the code points."""
    blocks = []
    for at in range(0, len(texts), _CHUNK):
        codes = folded(texts[at : at + _CHUNK])
        blocks.append(_canonical(codes, flags_of(codes)))
    return np.concatenate(blocks) if blocks else np.empty(0, dtype=np.uint32)


@_jit
def _canonical(codes: CodePoints, flags: npt.NDArray[np.uint16]) -> CodePoints:
    # A new script adds a blank before a character, so that the text may grow twofold.
    result = np.empty(2 * codes.size, dtype=np.uint32)
    n = 0
    is_inside = False
    is_pending = False
    last = 0
    for i in range(codes.size):
        flag = flags[i]
        if flag & DROPPED:
            continue
        if flag & WORD or (flag & MARK and is_inside):
            script = 0 if flag & MARK else flag & _UNSPACED
            if is_pending or (is_inside and flag & WORD and script != last):
                result[n] = 32
                n += 1
            is_pending = False
            is_inside = True
            last = script
            result[n] = codes[i]
            n += 1
        elif codes[i] == 10:
            result[n] = 10
            n += 1
            is_inside = False
            is_pending = False
        else:
            is_pending = is_pending or is_inside
            is_inside = False
    return result[:n].copy()


@_jit
def intern_words(
    codes: CodePoints, n_lines: int, n_words: int
) -> tuple[Codes, Integers, Integers, Integers, npt.NDArray[np.bool_]]:
    """Give the distinct words numbers in order of appearance.

    Returns the word numbers, where each line's words start, and where each distinct word starts
    and ends in ``codes``, and whether it is of ASCII digits alone.
    """
    capacity = 1024
    while capacity < 2 * n_words:
        capacity *= 2
    mask = np.uint64(capacity - 1)
    slots = np.full(capacity, -1, dtype=np.int32)
    ids = np.empty(n_words, dtype=np.int32)
    line_starts = np.empty(n_lines + 1, dtype=np.int64)
    starts = np.empty(n_words, dtype=np.int64)
    ends = np.empty(n_words, dtype=np.int64)
    n_found = 0
    at = 0
    line = 0
    line_starts[0] = 0
    begin = 0
    digest = _FNV
    for i in range(codes.size):
        code = codes[i]
        if code not in (10, 32):
            digest = (digest ^ np.uint64(code)) * _PRIME
            continue
        if i > begin:
            slot = ((digest ^ (digest >> _SHIFT)) * _MIX >> _SHIFT) & mask
            while True:
                held = slots[slot]
                if held < 0:
                    slots[slot] = n_found
                    starts[n_found] = begin
                    ends[n_found] = i
                    held = n_found
                    n_found += 1
                    break
                is_same = ends[held] - starts[held] == i - begin
                if is_same:
                    for k in range(i - begin):
                        if codes[starts[held] + k] != codes[begin + k]:
                            is_same = False
                            break
                if is_same:
                    break
                slot = (slot + np.uint64(1)) & mask
            ids[at] = held
            at += 1
        begin = i + 1
        digest = _FNV
        if code == 10:
            line += 1
            line_starts[line] = at
    is_number = np.ones(n_found, dtype=np.bool_)
    for w in range(n_found):
        for k in range(starts[w], ends[w]):
            is_number[w] &= 48 <= codes[k] <= 57
    return ids, line_starts, starts[:n_found].copy(), ends[:n_found].copy(), is_number


@_jit
def _find(
    slots: Codes, keys: Integers, key: int, mask: np.uint64, n_keys: int, touched: Integers
) -> int:
    """Return the number of a key in the table, entering it if it is new."""
    mixed = np.uint64(key) * _MIX
    slot = (mixed ^ (mixed >> _SHIFT)) & mask
    while True:
        held = slots[slot]
        if held < 0:
            slots[slot] = n_keys
            keys[n_keys] = key
            touched[n_keys] = np.int64(slot)
            return n_keys
        if keys[held] == key:
            return held
        slot = (slot + np.uint64(1)) & mask


@_jit
def count_terms(
    ids: Codes,
    line_starts: Integers,
    n_distinct: int,
    rows: Integers,
    group_starts: Integers,
    weights: Integers,
    strength: npt.NDArray[np.int8],
    min_videos: int,
) -> tuple[Integers, Codes, Integers, Integers]:
    """Count the frequent terms of one to three words in each group of titles.

    ``rows`` are titles group by group, ``group_starts`` where each group begins; ``strength`` is
    for each distinct word 0 for a stop word, 1 for one that is no term alone, else 2.

    Returns group, words (three columns, -1 where there is none), titles and summed weight of each
    term that ``min_videos`` titles of the group carry.
    """
    n_groups = group_starts.size - 1
    largest = 0
    total = 0
    for g in range(n_groups):
        size = 0
        for r in range(group_starts[g], group_starts[g + 1]):
            size += line_starts[rows[r] + 1] - line_starts[rows[r]]
        largest = max(largest, size)
        total += size
    capacity = 1024
    while capacity < 2 * largest:
        capacity *= 2
    mask = np.uint64(capacity - 1)
    slots = np.full(capacity, -1, dtype=np.int32)
    touched = np.empty(largest, dtype=np.int64)
    keys = np.empty(largest, dtype=np.int64)
    pair_keys = np.empty(largest, dtype=np.int64)
    # Per word, pair and triple of the group at hand: the last title that had it, titles, weight.
    word_seen = np.full(n_distinct, -1, dtype=np.int64)
    word_group = np.full(n_distinct, -1, dtype=np.int64)
    word_count = np.zeros(n_distinct, dtype=np.int64)
    word_weight = np.zeros(n_distinct, dtype=np.int64)
    seen = np.empty(largest, dtype=np.int64)
    count = np.empty(largest, dtype=np.int64)
    weight = np.empty(largest, dtype=np.int64)
    pair_count = np.empty(largest, dtype=np.int64)
    pair_at = np.empty(largest, dtype=np.int32)
    found = np.empty(largest, dtype=np.int64)
    room = 3 * (total // min_videos) + 3
    out_group = np.empty(room, dtype=np.int64)
    out_words = np.empty((room, 3), dtype=np.int32)
    out_count = np.empty(room, dtype=np.int64)
    out_weight = np.empty(room, dtype=np.int64)
    n_out = 0
    for g in range(n_groups):
        n_found = 0
        for r in range(group_starts[g], group_starts[g + 1]):
            row = rows[r]
            for p in range(line_starts[row], line_starts[row + 1]):
                w = ids[p]
                if word_group[w] != g:
                    word_group[w] = g
                    word_count[w] = 0
                    word_weight[w] = 0
                    word_seen[w] = -1
                    found[n_found] = w
                    n_found += 1
                if word_seen[w] != row:
                    word_seen[w] = row
                    word_count[w] += 1
                    word_weight[w] += weights[row]
        for k in range(n_found):
            w = found[k]
            if word_count[w] >= min_videos and strength[w] == 2:
                out_group[n_out] = g
                out_words[n_out, 0] = w
                out_words[n_out, 1] = -1
                out_words[n_out, 2] = -1
                out_count[n_out] = word_count[w]
                out_weight[n_out] = word_weight[w]
                n_out += 1
        # Pairs, remembering at each place which pair starts there.
        n_pairs = 0
        place = 0
        for r in range(group_starts[g], group_starts[g + 1]):
            row = rows[r]
            for p in range(line_starts[row], line_starts[row + 1]):
                pair_at[place] = -1
                if (
                    p + 1 < line_starts[row + 1]
                    and word_count[ids[p]] >= min_videos
                    and word_count[ids[p + 1]] >= min_videos
                ):
                    key = (np.int64(ids[p]) << 32) | np.int64(ids[p + 1])
                    k = _find(slots, pair_keys, key, mask, n_pairs, touched)
                    if k == n_pairs:
                        n_pairs += 1
                        seen[k] = -1
                        pair_count[k] = 0
                        weight[k] = 0
                    pair_at[place] = k
                    if seen[k] != row:
                        seen[k] = row
                        pair_count[k] += 1
                        weight[k] += weights[row]
                place += 1
        for k in range(n_pairs):
            slots[touched[k]] = -1
            a = pair_keys[k] >> 32
            b = pair_keys[k] & 0xFFFFFFFF
            if (
                pair_count[k] >= min_videos
                and strength[a] > 0
                and strength[b] > 0
                and strength[a] + strength[b] > 2
            ):
                out_group[n_out] = g
                out_words[n_out, 0] = a
                out_words[n_out, 1] = b
                out_words[n_out, 2] = -1
                out_count[n_out] = pair_count[k]
                out_weight[n_out] = weight[k]
                n_out += 1
        n_triples = 0
        place = 0
        for r in range(group_starts[g], group_starts[g + 1]):
            row = rows[r]
            for p in range(line_starts[row], line_starts[row + 1]):
                if (
                    p + 2 < line_starts[row + 1]
                    and pair_at[place] >= 0
                    and pair_at[place + 1] >= 0
                    and pair_count[pair_at[place]] >= min_videos
                    and pair_count[pair_at[place + 1]] >= min_videos
                ):
                    key = (np.int64(pair_at[place]) << 32) | np.int64(ids[p + 2])
                    k = _find(slots, keys, key, mask, n_triples, touched)
                    if k == n_triples:
                        n_triples += 1
                        seen[k] = -1
                        count[k] = 0
                        weight[k] = 0
                    if seen[k] != row:
                        seen[k] = row
                        count[k] += 1
                        weight[k] += weights[row]
                place += 1
        for k in range(n_triples):
            slots[touched[k]] = -1
            pair = pair_keys[keys[k] >> 32]
            a = pair >> 32
            b = pair & 0xFFFFFFFF
            c = keys[k] & 0xFFFFFFFF
            is_term = max(strength[a], strength[b], strength[c]) == 2
            if count[k] >= min_videos and strength[a] > 0 and strength[c] > 0 and is_term:
                out_group[n_out] = g
                out_words[n_out, 0] = a
                out_words[n_out, 1] = b
                out_words[n_out, 2] = c
                out_count[n_out] = count[k]
                out_weight[n_out] = weight[k]
                n_out += 1
    return (
        out_group[:n_out].copy(),
        out_words[:n_out].copy(),
        out_count[:n_out].copy(),
        out_weight[:n_out].copy(),
    )
