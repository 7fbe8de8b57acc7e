"""What the pipeline would make of stored API answers: the report behind ``aurastream decode``."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from aurastream.sources.decode import decode_stored
from aurastream.sources.ports import Platform

__all__ = ["decode_files"]


def decode_files(platform: Platform, files: Iterable[Path]) -> list[dict[str, Any]]:
    """Decode each file as the collectors would.

    Returns
    -------
    list of dict
        Per file: ``file``, ``kind``, ``items`` (accepted), ``rejected`` (item_id and reason of
        each), ``error_class`` (name of the error an error body stands for, else null), ``message``.
        A file that cannot be read has the kind ``unreadable``.
    """
    report: list[dict[str, Any]] = []
    for path in files:
        entry: dict[str, Any] = {"file": str(path)}
        try:
            body = path.read_bytes()
        except OSError as error:
            entry |= {
                "kind": "unreadable",
                "items": 0,
                "rejected": [],
                "error_class": None,
                "message": error.strerror or str(error),
            }
        else:
            decoded = decode_stored(platform, body)
            entry |= {
                "kind": decoded.kind,
                "items": decoded.items,
                "rejected": [
                    {"item_id": item.item_id, "reason": item.reason} for item in decoded.rejected
                ],
                "error_class": decoded.error_class,
                "message": decoded.message,
            }
        report.append(entry)
    return report
