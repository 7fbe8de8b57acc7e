"""One row per method, label and split: what an evaluation hands back."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

__all__ = ["EvaluationRow", "as_json_rows", "as_table"]

Split = Literal["train", "loso", "test"]

_DIGITS: Final = 4


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """The figures of one method on one label and one split.

    ``precision``, ``recall`` and ``f1`` lie in 0–1, higher is better, and so do ``ci_low`` and
    ``ci_high``, the ends of the 95 % interval of the headline figure. ``nab_score`` is 100 for a
    perfect detector, 0 for one that never speaks, and has no floor. ``correlation`` is Pearson's r;
    ``gain`` is what it exceeds that of persistence by on the same cells, ``error_reduction`` the
    share by which the squared error is lower, each with the ends of its own 95 % interval.
    ``calibration`` holds promised and real share of hits and the number of videos, bin by bin.
    ``method`` begins with its kind and a colon: ``rule``, ``model``, ``day two``, ``detector`` or
    ``baseline``. ``primary`` marks the method declared beforehand: one row per kind in a whole
    evaluation, on the headline label and the split that is judged, and never a baseline.
    """

    label: str
    method: str
    split: Split
    n: int
    precision: float | None = None
    recall: float | None = None
    f1: float | None = None
    ci_low: float | None = None
    ci_high: float | None = None
    primary: bool = False
    nab_score: float | None = None
    average_precision: float | None = None
    brier_skill: float | None = None
    calibration_error: float | None = None
    correlation: float | None = None
    squared_error: float | None = None
    gain: float | None = None
    gain_low: float | None = None
    gain_high: float | None = None
    error_reduction: float | None = None
    error_reduction_low: float | None = None
    error_reduction_high: float | None = None
    detail: str | None = None
    calibration: tuple[tuple[float, float, int], ...] | None = None


def as_json_rows(rows: Iterable[EvaluationRow]) -> list[dict[str, Any]]:
    """Return rows as JSON objects of the same keys; a field that does not apply is None.

    Examples
    --------
    >>> (row,) = as_json_rows([EvaluationRow("T2", "rule: x", "test", 10, f1=0.51234)])
    >>> row["f1"], row["nab_score"]
    (0.5123, None)
    """
    return [{name: _rounded(value) for name, value in asdict(row).items()} for row in rows]


def _rounded(value: Any) -> Any:  # noqa: ANN401 # any field of a row
    if isinstance(value, tuple):
        return [_rounded(part) for part in value]
    return round(value, _DIGITS) if isinstance(value, float) else value


def as_table(rows: Iterable[EvaluationRow]) -> tuple[list[str], list[list[str]]]:
    """Return the header and the cells of a table of rows; columns that are empty throughout go."""
    found = as_json_rows(rows)
    names = [
        name
        for name in EvaluationRow.__slots__
        if name != "calibration" and any(row[name] is not None for row in found)
    ]
    return names, [[_cell(row[name]) for name in names] for row in found]


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else ""
    return f"{value:.3f}" if isinstance(value, float) else str(value)
