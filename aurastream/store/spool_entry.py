"""What an entry of the spool says of itself, without its rows being read."""

import datetime as dt
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["ASIDE", "LATE", "MANIFEST", "REASON", "SpoolEntry", "described", "number_of"]

ASIDE: Final = "aside"
MANIFEST: Final = "manifest.json"
REASON: Final = "reason.txt"
LATE: Final = "late"
"""Empty file of an entry that was aside and put back."""


@dataclass(frozen=True, slots=True)
class SpoolEntry:
    """A write in the spool.

    Parameters
    ----------
    number : int
        Its place in the order.
    path : Path
        Its directory.
    is_aside : bool
        Whether nobody could deliver it; else it waits.
    kept_at : datetime
        When it came into the spool.
    rows : mapping
        Rows by table; empty where the entry is damaged.
    reason : str
        In one line, why it is aside, or what is wrong with it; empty where nothing is.
    """

    number: int
    path: Path
    is_aside: bool
    kept_at: dt.datetime
    rows: Mapping[str, int]
    reason: str


def number_of(path: Path) -> str:
    """Return the number in an entry's name; nothing where it is no entry's name."""
    number = path.name.partition("-")[0]
    return number if number.isdigit() else ""


def described(path: Path) -> SpoolEntry | None:
    """Return what an entry says of itself; None where it has been delivered meanwhile.

    Raises
    ------
    OSError
        When it cannot be read now.
    """
    rows: dict[str, int] = {}
    reason = ""
    try:
        kept_at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
        manifest = json.loads((path / MANIFEST).read_bytes())
        # Older entries do not say when they were written; their directory does.
        if said := manifest.get("kept_at"):
            kept_at = dt.datetime.fromisoformat(said)
        for item in manifest["ops"]:
            rows[item["table"]] = rows.get(item["table"], 0) + item["rows"]
    except FileNotFoundError:
        if not path.exists():
            return None
        reason = f"It is damaged: {MANIFEST} is missing."
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        rows, reason = {}, f"It is damaged: {MANIFEST} cannot be understood ({error!r})."
    is_aside = path.parent.name == ASIDE
    if is_aside and (path / REASON).exists():
        reason = (path / REASON).read_text(encoding="utf-8")
    return SpoolEntry(int(number_of(path)), path, is_aside, kept_at, rows, " ".join(reason.split()))
