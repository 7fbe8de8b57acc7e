"""What the options of faults may be, checked when a fault is set.

A value of the wrong type would otherwise come to light in every answer that the fault spoils.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["OPTIONS", "problem_of", "typed"]

_YEARS: Final = 10
_NAMES: Final = 20  # JSON is not written hundreds of levels deep
_HOURS: Final = _YEARS * 365.0 * 24.0


@dataclass(frozen=True, slots=True)
class _Option:
    """What a value has to be, in words, as a check, and as an example."""

    words: str
    accepts: Callable[[Any], bool]
    example: object


def _number(low: float, high: float) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:  # noqa: ANN401 # any JSON
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        return is_number and math.isfinite(value) and low <= value <= high

    return accepts


def _whole(low: int, high: int) -> Callable[[Any], bool]:
    def accepts(value: Any) -> bool:  # noqa: ANN401 # any JSON
        return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high

    return accepts


def _one_of(*accepts: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: any(each(value) for each in accepts)


def _is_text(value: Any) -> bool:  # noqa: ANN401 # any JSON
    return isinstance(value, str) and value != ""


def _is_path(value: Any) -> bool:  # noqa: ANN401 # any JSON
    return _is_text(value) and value.count(".") < _NAMES


def _is_switch(value: Any) -> bool:  # noqa: ANN401 # any JSON
    return isinstance(value, bool)


OPTIONS: Final[Mapping[str, _Option]] = {
    "delay_ms": _Option("a number from 0 to 3600000", _number(0, 3_600_000), 1000),
    "status": _Option("a whole number from 500 to 599", _whole(500, 599), 503),
    "retry_after_s": _Option(
        "a whole number from 0 to 86400, or null",
        _one_of(_whole(0, 86_400), lambda value: value is None),
        30,
    ),
    "old_style": _Option("true or false", _is_switch, example=True),
    "reason": _Option("a text", _is_text, "forbidden"),
    "share": _Option("a number from 0 to 1", _number(0, 1), 0.5),
    "bytes": _Option("a whole number from 1 to 1000000", _whole(1, 1_000_000), 1),
    "index": _Option(
        'the place of an item from 0 on, or "all"',
        _one_of(_whole(0, 1_000_000), lambda value: value == "all"),
        0,
    ),
    "path": _Option(
        f"at most {_NAMES} names with points between them", _is_path, "statistics.viewCount"
    ),
    "value": _Option("any JSON", lambda _value: True, 7),
    "drop": _Option("true or false", _is_switch, example=True),
    "factor": _Option("a number from 0 to 1000", _number(0, 1000), 0.5),
    "hours": _Option("a number of hours, ten years at most", _number(-_HOURS, _HOURS), 24),
    "every": _Option("a whole number from 1 on", _whole(1, 1_000_000), 5),
    "seconds": _Option(
        "a number of seconds, ten years at most", _number(-_HOURS * 3600, _HOURS * 3600), 3600
    ),
    "id": _Option("the id of a quirk", _is_text, "401_bodies"),
}


def problem_of(kind: str, name: str, value: Any) -> str:  # noqa: ANN401 # any JSON
    """Return what is wrong with an option's value; empty when nothing is.

    Examples
    --------
    >>> problem_of("missing_items", "every", 0)
    'Option every of missing_items is a whole number from 1 on, not 0; for example every=5.'
    >>> problem_of("latency", "delay_ms", 20)
    ''
    """
    option = OPTIONS[name]
    if option.accepts(value):
        return ""
    return (
        f"Option {name} of {kind} is {option.words}, not {value!r}; "
        f"for example {typed(name, option.example)}."
    )


def typed(name: str, value: Any) -> str:  # noqa: ANN401 # any JSON
    """Return an option as one types it; an example where it is left out by default.

    Examples
    --------
    >>> typed("status", 503), typed("retry_after_s", None), typed("reason", "forbidden")
    ('status=503', 'retry_after_s=30', 'reason=forbidden')
    """
    shown = OPTIONS[name].example if value is None else value
    return f"{name}={shown if isinstance(shown, str) else json.dumps(shown)}"
