"""Where the dbt project lies, and the manifest that the graph is described from.

The manifest's name carries a digest of everything it was made from, so that it is never stale: an
edited model has another digest, and the first load after the edit parses the project once (about
three seconds, in a process of its own, without a database). Every later load reads a file. It lies
in the project, or in the data directory where the project belongs to somebody else.
"""

import hashlib
import json
import re
import tempfile
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from aurastream.core.errors import AuraStreamError
from aurastream.operations.dbt_process import PROJECT_DIR, run_dbt
from aurastream.settings import Settings

__all__ = ["PROJECT_DIR", "DbtProjectError", "load_manifest", "manifest_path", "project_digest"]

_CACHE_DIR: Final = PROJECT_DIR / "target" / "manifests"
_SOURCE_FOLDERS: Final = ("models", "macros", "tests")
_SOURCE_SUFFIXES: Final = frozenset({".sql", ".yml", ".csv", ".md"})


# What Postgres and its driver say when the same statement may succeed in a while.
_TRANSIENT: Final = re.compile(
    r"connection refused|could not connect|connection to server|connection (was )?closed"
    r"|server closed the connection|terminating connection|connection reset|timeout expired"
    r"|the database system is|too many clients|deadlock detected|could not serialize"
    r"|lock timeout|could not resize|no space left",
    re.IGNORECASE,
)


class DbtProjectError(AuraStreamError):
    """The dbt project cannot be parsed, or a run of it failed."""

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed later, with nothing changed by us."""
        return _TRANSIENT.search(self.message) is not None


@cache
def project_digest() -> str:
    """Return a digest of every file of the project and of dbt's version."""
    digest = hashlib.sha256(version("dbt-core").encode())
    files = [PROJECT_DIR / "dbt_project.yml"]
    for folder in _SOURCE_FOLDERS:
        files += sorted((PROJECT_DIR / folder).rglob("*"))
    for path in files:
        if path.suffix in _SOURCE_SUFFIXES:
            digest.update(str(path.relative_to(PROJECT_DIR)).encode() + b"\0")
            digest.update(path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def manifest_path() -> Path:
    """Return where the manifest of the project as it is now lies, or will lie."""
    wanted = _in_project()
    if not wanted.is_file() and (beside := _in_data_directory()).is_file():
        return beside
    return wanted


def _in_project() -> Path:
    return _CACHE_DIR / f"{project_digest()}.json"


def _in_data_directory() -> Path:
    data = Settings.from_env(use_running=False).data_dir.resolve()
    return data / "dbt" / "manifests" / f"{project_digest()}.json"


def load_manifest() -> dict[str, Any]:
    """Read the manifest, parsing the project first when it changed.

    Returns
    -------
    dict
        dbt's manifest: ``nodes``, ``sources``, ``exposures`` and so on.

    Raises
    ------
    DbtProjectError
        When the project cannot be parsed; the message is dbt's.
    """
    if not manifest_path().is_file():
        _parse()
    manifest: dict[str, Any] = json.loads(manifest_path().read_text(encoding="utf-8"))
    return manifest


def _parse() -> None:
    """Parse into the project, or into the data directory where the project cannot be written."""
    try:
        _parse_into(_in_project())
    except OSError as error:
        try:
            _parse_into(_in_data_directory())
        except OSError:
            raise DbtProjectError(
                f"The manifest of {PROJECT_DIR.name} cannot be written: {error}.",
                fix=f"Make {_CACHE_DIR} writable, or parse as a user who may write it.",
            ) from error


def _parse_into(path: Path) -> None:
    """Parse in another process: dbt's import is slow and this one may never need it again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix="parse-") as scratch:
        done = run_dbt("parse", "--no-partial-parse", target=Path(scratch))
        made = Path(scratch) / "manifest.json"
        if done.returncode != 0 or not made.is_file():
            raise DbtProjectError(
                f"dbt cannot parse {PROJECT_DIR.name}: {_last_words(done.stdout)}",
                fix="Correct the model it names.",
            )
        # Another process may be doing the same; whoever comes last replaces equal bytes.
        made.replace(path)


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " ".join(lines[-8:])
