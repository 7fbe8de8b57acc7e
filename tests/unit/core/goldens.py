"""Golden files: what every family, and every part of one, says of the archive slice.

They are small enough to be read. ``python -m tests.unit.core.goldens`` writes them anew; look at
the difference before you commit it.
"""

import json
import math
from pathlib import Path
from typing import Any

import pandas as pd

from tests.unit.core.families import FAMILIES, frames
from tests.unit.core.parts import PARTS

GOLDEN = {**FAMILIES, **PARTS}
FOLDER = Path(__file__).parent / "golden"
_SHOWN = 4
_DIGITS = 12


def _plain(value: Any) -> Any:
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, float):
        return None if math.isnan(value) else float(f"{value:.{_DIGITS}g}")
    return value


def golden(rows: pd.DataFrame) -> dict[str, Any]:
    """Return the size, each column by its sum or its counts, and some of the fullest rows."""
    columns: dict[str, Any] = {}
    for name, values in rows.items():
        known = values.dropna()
        told: dict[str, Any] = {"known": len(known)}
        if pd.api.types.is_numeric_dtype(values.dtype):
            told["sum"] = _plain(math.fsum(known.astype("float64")))
        elif isinstance(values.dtype, pd.StringDtype) and known.nunique() <= _SHOWN * 2:
            told["counts"] = _plain(known.value_counts().sort_index().to_dict())
        columns[str(name)] = told
    known_values = rows.notna().sum(axis=1).to_numpy()
    full = (known_values == known_values.max()).nonzero()[0]
    at = sorted({int(full[round(i * (full.size - 1) / (_SHOWN - 1))]) for i in range(_SHOWN)})
    picked = [_plain(row) for row in rows.iloc[at].to_dict("records")]
    return {
        "rows": len(rows),
        "columns": columns,
        "shown": dict(zip(map(str, at), picked, strict=True)),
    }


def path_of(family: str) -> Path:
    return FOLDER / f"{family}.json"


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for family, compute in GOLDEN.items():
        text = json.dumps(golden(compute(frames())), indent=1, ensure_ascii=False, sort_keys=True)
        path_of(family).write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
