#!/usr/bin/env python3
"""Write docs/field-dictionary.md: every field of the platforms that is stored, and who uses it.

    script/field-dictionary [--check]

It comes from aurastream/sources/fields.py alone; the same source gives the same bytes.
"""

import argparse
import sys
from itertools import groupby
from pathlib import Path

REPO_ROOT = Path(__file__).resolve().parent.parent
# A script's own folder is on the path, the repository is not.
sys.path.insert(0, str(REPO_ROOT))

from aurastream.sources.fields import IDLE, SOURCE_FIELDS, USES  # noqa: E402 # see above

TARGET = REPO_ROOT / "docs" / "field-dictionary.md"

_HEAD = """\
# Field dictionary

Written by `script/field-dictionary` from `aurastream/sources/fields.py`. Do not edit it: change the
declaration there and run the script; tests compare it with what is really stored and read.

Each field of the platforms' answers that is stored, the columns it goes to, and the datasets,
documents and staging models that read them. Columns are described in the
[data dictionary](data-dictionary.md), what is computed from them in [metrics](metrics.md).
"""


def _users(columns: tuple[str, ...]) -> str:
    found = sorted(user for user, used in USES.items() if not used.isdisjoint(columns))
    reasons = sorted({IDLE[column] for column in columns if column in IDLE})
    return ", ".join([*(f"`{user}`" for user in found), *(f"_{reason}_" for reason in reasons)])


def render() -> str:
    """Return the document."""
    parts = [_HEAD]
    for endpoint, fields in groupby(SOURCE_FIELDS, key=lambda field: field.endpoint):
        parts += [
            f"## {endpoint}",
            "",
            "| field | stored in | used by |",
            "|---|---|---|",
            *(
                f"| `{field.path}` | {', '.join(f'`{c}`' for c in field.columns)} "
                f"| {_users(field.columns)} |"
                for field in fields
            ),
            "",
        ]
    return "\n".join(parts).rstrip() + "\n"


def main() -> int:
    """Write the file, or check it; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    options = parser.parse_args()
    text = render()
    if not options.check:
        TARGET.write_text(text, encoding="utf-8")
        return 0
    if TARGET.is_file() and TARGET.read_text(encoding="utf-8") == text:
        return 0
    sys.stderr.write("docs/field-dictionary.md is stale: run script/field-dictionary.\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
