"""Counter-based random numbers and reversible identifiers.

Nothing in the replay world draws from a stateful generator: every number is a hash of what it
belongs to (a channel, a day, a slot), so that any moment can be asked for in any order and always
answers the same.
"""

import base64
import hashlib
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["base64_id", "digest_id", "id_number", "mix", "mix_int", "uniform", "unmix_int"]

_MASK: Final = (1 << 64) - 1
_GOLDEN: Final = 0x9E3779B97F4A7C15
_MULTIPLY_1: Final = 0xBF58476D1CE4E5B9
_MULTIPLY_2: Final = 0x94D049BB133111EB
_INVERSE_1: Final = pow(_MULTIPLY_1, -1, 1 << 64)
_INVERSE_2: Final = pow(_MULTIPLY_2, -1, 1 << 64)
_TO_UNIT: Final = 2.0**-53


def mix(values: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Scramble 64-bit numbers (the splitmix64 finaliser); a bijection.

    Parameters
    ----------
    values : array of uint64
        Any numbers.

    Returns
    -------
    array of uint64
        As many numbers, distinct where the input was.
    """
    out = values + np.uint64(_GOLDEN)
    out = (out ^ (out >> np.uint64(30))) * np.uint64(_MULTIPLY_1)
    out = (out ^ (out >> np.uint64(27))) * np.uint64(_MULTIPLY_2)
    scrambled: NDArray[np.uint64] = out ^ (out >> np.uint64(31))
    return scrambled


def mix_int(value: int) -> int:
    """Scramble one 64-bit number exactly as `mix` does.

    Examples
    --------
    >>> unmix_int(mix_int(20261121))
    20261121
    """
    out = (value + _GOLDEN) & _MASK
    out = ((out ^ (out >> 30)) * _MULTIPLY_1) & _MASK
    out = ((out ^ (out >> 27)) * _MULTIPLY_2) & _MASK
    return out ^ (out >> 31)


def unmix_int(value: int) -> int:
    """Undo `mix_int`."""
    out = value ^ (value >> 31) ^ (value >> 62)
    out = (out * _INVERSE_2) & _MASK
    out = out ^ (out >> 27) ^ (out >> 54)
    out = (out * _INVERSE_1) & _MASK
    out = out ^ (out >> 30) ^ (out >> 60)
    return (out - _GOLDEN) & _MASK


def uniform(seed: int, *keys: ArrayLike) -> NDArray[np.float64]:
    """Return one number in [0, 1) for each combination of keys.

    Parameters
    ----------
    seed : int
        What the number is for; different seeds give independent numbers.
    *keys : array_like of int
        What the number belongs to; broadcast against each other.

    Returns
    -------
    array of float64
        Uniform on [0, 1), the same for the same seed and keys for ever.
    """
    state: NDArray[np.uint64] = np.full(1, mix_int(seed), dtype=np.uint64)
    for key in keys:
        state = mix(state ^ np.asarray(key).astype(np.int64).astype(np.uint64))
    unit: NDArray[np.float64] = (state >> np.uint64(11)).astype(np.float64) * _TO_UNIT
    return unit


def base64_id(number: int, size: int = 8) -> str:
    """Write a number as URL-safe base64 without padding; 8 bytes give 11 characters."""
    return base64.urlsafe_b64encode(number.to_bytes(size, "big")).rstrip(b"=").decode("ascii")


def id_number(text: str) -> int | None:
    """Read an 11-character id back into its number, or None if it is no such id."""
    try:
        raw = base64.b64decode(text + "=", altchars=b"-_", validate=True)
    except ValueError:
        return None
    number = int.from_bytes(raw, "big")
    return number if len(raw) == 8 and base64_id(number) == text else None  # noqa: PLR2004 # bytes


def digest_id(size: int, *parts: Any) -> str:  # noqa: ANN401 # anything with a stable str()
    """Return URL-safe base64 of a digest of the parts, `size` bytes long."""
    raw = hashlib.blake2b("\x1f".join(map(str, parts)).encode(), digest_size=size).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode("ascii")
