"""Where the servers of a running installation are, for commands started beside it.

The file carries passwords, so only its owner may read it; it is replaced in one step and removed
when the installation stops.
"""

import json
import os
from collections.abc import Mapping
from pathlib import Path

from aurastream.settings import ENDPOINTS_FILE

__all__ = ["forget_endpoints", "remember_endpoints"]


def remember_endpoints(data_dir: Path, endpoints: Mapping[str, str]) -> None:
    """Write the endpoints file, readable by its owner alone."""
    data_dir.mkdir(parents=True, exist_ok=True)
    path = data_dir / ENDPOINTS_FILE
    draft = path.with_suffix(".new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(dict(endpoints), file, indent=1, sort_keys=True)
    draft.replace(path)


def forget_endpoints(data_dir: Path) -> None:
    """Remove the endpoints file; nothing happens when it is not there."""
    (data_dir / ENDPOINTS_FILE).unlink(missing_ok=True)
