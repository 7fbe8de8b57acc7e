"""Which pictures look alike: a perceptual hash, and groups of hashes that differ little.

A hash is 64 bits that say where in the picture the coarse waves of light are above the usual, so
that another size, quality or a little more light leave it nearly as it is; colour does not count.
Two hashes differ by 0–64 bits; chance alone makes it about 32, the same design 0–8.

Groups are found through an index, not pairwise. Hashes that differ by at most d bits agree in at
least two of d + 2 bands of bits, so it is enough to compare those that share two bands.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from itertools import combinations, pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import is_missing

__all__ = ["SimilarityParams", "hash_distance", "perceptual_hash", "similar_groups"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]

_SIDE: Final = 32
_WAVES: Final = 8
_BITS: Final = 64
_HASH: Final = re.compile("[0-9a-f]{16}")


@dataclass(frozen=True, slots=True)
class SimilarityParams:
    """How many bits two hashes of one design may differ by: 8 of 64 are ours, 0–15 possible."""

    max_distance: int = 8


DEFAULT: Final = SimilarityParams()


def perceptual_hash(light: Floats) -> str:
    """Return the hash of a picture as 16 hexadecimal digits.

    Parameters
    ----------
    light : array of float
        Luma, (height, width), 0–1.

    Returns
    -------
    str
        The first bit is 0, for it would tell the brightness; the other 63 tell which coefficients
        of the cosine transform are above their median. A flat picture is all zeros.

    Notes
    -----
    The mean of 32 × 32 fields, then the 8 × 8 slowest waves. O(pixels).

    References
    ----------
    Zauner, C. (2010). Implementation and benchmarking of perceptual image hash functions.
    Master's thesis, Upper Austria University of Applied Sciences: the hash by cosine transform.

    Examples
    --------
    >>> picture = np.random.default_rng(1).random((9, 16)).repeat(20, 0).repeat(20, 1)
    >>> darker = perceptual_hash(picture[::2, ::2] * 0.9)
    >>> hash_distance(perceptual_hash(picture), darker)
    0
    >>> hash_distance(perceptual_hash(picture), perceptual_hash(picture[:, ::-1])) > 16
    True
    >>> perceptual_hash(np.ones((20, 20)))
    '0000000000000000'
    """
    waves = _cosines() @ _fields(light) @ _cosines().T
    # What is below rounding is no wave: a flat picture has none.
    flat = np.where(np.abs(waves) < 1e-9, 0.0, waves).ravel()  # noqa: PLR2004 # as said
    is_above = flat > np.median(flat[1:])
    is_above[0] = False
    return np.packbits(is_above).tobytes().hex()


def _fields(light: Floats) -> Floats:
    """Return the means of 32 × 32 fields; a field that is smaller than a pixel takes that pixel."""
    for axis in (0, 1):
        length = light.shape[axis]
        edges = np.linspace(0.0, length, _SIDE + 1)
        first = np.minimum(edges[:-1].astype(np.int64), length - 1)
        last = np.maximum(np.ceil(edges[1:] - 1e-9).astype(np.int64), first + 1)
        sums = np.concatenate(
            [np.zeros_like(np.take(light, [0], axis)), np.cumsum(light, axis=axis)], axis=axis
        )
        total = np.take(sums, last, axis) - np.take(sums, first, axis)
        shape = (-1, 1) if axis == 0 else (1, -1)
        light = total / (last - first).reshape(shape)
    return light


@cache
def _cosines() -> Floats:
    k, n = np.arange(_WAVES)[:, None], np.arange(_SIDE)[None, :]
    return np.cos(np.pi * k * (2 * n + 1) / (2 * _SIDE))


def hash_distance(one: str, other: str) -> int:
    """Return by how many bits two hashes differ.

    Parameters
    ----------
    one, other : str
        16 hexadecimal digits each, as `perceptual_hash` returns them.

    Returns
    -------
    int
        0 the same – 64 every bit, the same in either order.

    Raises
    ------
    InvalidInputError
        When a text is not hexadecimal.

    Notes
    -----
    O(1).

    References
    ----------
    Hamming, R. W. (1950). Error detecting and error correcting codes. Bell System Technical Journal
    29(2).

    Examples
    --------
    >>> hash_distance("00000000000000ff", "000000000000000f")
    4
    >>> hash_distance("0" * 16, "f" * 16), hash_distance("0" * 16, "0" * 16)
    (64, 0)
    """
    try:
        return (int(one, 16) ^ int(other, 16)).bit_count()
    except ValueError as error:
        raise InvalidInputError(
            f"A perceptual hash is not hexadecimal: {error}.", fix="Take it from `perceptual_hash`."
        ) from None


def similar_groups(hashes: Iterable[Any], *, params: SimilarityParams = DEFAULT) -> Integers:
    """Return the number of each hash's group of hashes that look alike.

    Parameters
    ----------
    hashes : iterable of str
        16 hexadecimal digits each; anything else but null is an error. A null is alone.
    params : SimilarityParams
        How much they may differ.

    Returns
    -------
    array of int
        One number per hash. Two are in one group when a chain of hashes leads from one to the
        other in steps of at most ``max_distance`` bits. Groups are numbered from 0 by their
        smallest hash, nulls come last in the order given, so that the numbers of the hashes do not
        depend on their order.

    Raises
    ------
    InvalidInputError
        When a hash is none, or the distance is not 0–15.

    Notes
    -----
    O(d² · n log n + pairs that share two bands).

    References
    ----------
    Bands of bits as in Manku, G. S., Jain, A. and Das Sarma, A. (2007). Detecting near-duplicates
    for web crawling. WWW. Ours are the distance and the chains.

    Examples
    --------
    >>> similar_groups(["ffff000000000000", "0000000000000001", "fffe000000000000"]).tolist()
    [1, 0, 1]
    >>> similar_groups([None, "0000000000000001", None]).tolist()
    [1, 0, 2]
    >>> similar_groups([]).tolist()
    []
    """
    if not 0 <= params.max_distance <= 15:  # noqa: PLR2004 # beyond it bands say nothing
        raise InvalidInputError(
            f"max_distance is {params.max_distance}.", fix="Choose 0 to 15 of the 64 bits."
        )
    values, is_known = _parsed(list(hashes))
    distinct, place = np.unique(values[is_known], return_inverse=True)
    one, other = _near_pairs(distinct, params.max_distance)
    group = _components(distinct.size, one, other)
    result = np.empty(is_known.size, dtype=np.int64)
    result[is_known] = group[place]
    count = int(group.max()) + 1 if group.size else 0
    result[~is_known] = count + np.arange(np.count_nonzero(~is_known))
    return result


def _parsed(hashes: list[Any]) -> tuple[Hashes, npt.NDArray[np.bool_]]:
    values = np.zeros(len(hashes), dtype=np.uint64)
    is_known = np.zeros(len(hashes), dtype=bool)
    for i, text in enumerate(hashes):
        if is_missing(text):
            continue
        if not isinstance(text, str) or _HASH.fullmatch(text) is None:
            raise InvalidInputError(
                f"{text!r} is no perceptual hash.", fix="Pass what perceptual_hash returns."
            )
        values[i] = int(text, 16)
        is_known[i] = True
    return values, is_known


def _near_pairs(hashes: Hashes, distance: int) -> tuple[Integers, Integers]:
    """Return the pairs of distinct hashes that differ by at most ``distance`` bits."""
    ones, others = [np.empty(0, dtype=np.int64)], [np.empty(0, dtype=np.int64)]
    if distance > 0:
        edges = np.linspace(0, _BITS, distance + 3).round().astype(int).tolist()
        bands = [
            (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
            for low, high in pairwise(edges)
        ]
        for first, second in combinations(bands, 2):
            for left, right in _sharing(first << np.uint64(32) | second):
                is_near = np.bitwise_count(hashes[left] ^ hashes[right]) <= distance
                ones.append(left[is_near])
                others.append(right[is_near])
    return np.concatenate(ones), np.concatenate(others)


_AT_ONCE: Final = 1 << 20


def _sharing(keys: Hashes) -> Iterable[tuple[Integers, Integers]]:
    """Yield the pairs of places with the same value, about a million at a time."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    ends = np.searchsorted(ordered, ordered, side="right")
    later = ends - np.arange(ordered.size) - 1
    bound = np.concatenate([[0], np.cumsum(later)])
    start = 0
    while start < ordered.size:
        # At least one place, however many partners it has.
        stop = int(np.searchsorted(bound, bound[start] + _AT_ONCE, side="right")) - 1
        stop = min(max(stop, start + 1), ordered.size)
        count = later[start:stop]
        left = np.repeat(np.arange(start, stop), count)
        offset = np.arange(count.sum()) - np.repeat(bound[start:stop] - bound[start], count)
        yield order[left], order[left + 1 + offset]
        start = stop


def _components(size: int, one: Integers, other: Integers) -> Integers:
    """Return the number of each place's connected part: smallest labels spread, paths are cut."""
    label = np.arange(size)
    while True:
        least = np.minimum(label[one], label[other])
        spread = label.copy()
        np.minimum.at(spread, label[one], least)
        np.minimum.at(spread, label[other], least)
        while True:
            shorter = spread[spread]
            if np.array_equal(shorter, spread):
                break
            spread = shorter
        if np.array_equal(spread, label):
            break
        label = spread
    found: Integers = np.unique(label, return_inverse=True)[1].astype(np.int64)
    return found
