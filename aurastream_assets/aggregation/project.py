"""Where the dbt project lies, and what is kept of it once it was parsed.

That is the manifest, which the graph is described from, and the same in dbt's own form, which runs
are given. Their names carry a digest of everything they were made from, so that they are never
stale: an edited model has another digest, and the first load after the edit parses the project once
(about four seconds, in a process of its own, without a database). Every later load reads a file.
They lie in the project, or in the data directory where the project belongs to somebody else.
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

__all__ = [
    "PROJECT_DIR",
    "DbtProjectError",
    "load_manifest",
    "load_parsed",
    "manifest_path",
    "project_digest",
]

_CACHE_DIR: Final = PROJECT_DIR / "target" / "manifests"
_SOURCE_FOLDERS: Final = ("models", "macros", "tests")
_SOURCE_SUFFIXES: Final = frozenset({".sql", ".yml", ".csv", ".md"})
# Their macros are in what dbt parses, beside the project's own.
_PACKAGES: Final = (
    *("dbt-core", "dbt-adapters", "dbt-postgres"),
    *("dbt-common", "dbt-semantic-interfaces", "mashumaro"),  # what it is written by
)
_PARSED: Final = ".msgpack"


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
    """Return a digest of every file of the project and of dbt's versions."""
    digest = hashlib.sha256(" ".join(map(version, _PACKAGES)).encode())
    files = [PROJECT_DIR / "dbt_project.yml", PROJECT_DIR / "profiles.yml"]
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
    if not _is_whole(wanted) and _is_whole(beside := _in_data_directory()):
        return beside
    return wanted


def _is_whole(path: Path) -> bool:
    return path.is_file() and path.with_suffix(_PARSED).is_file()


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
    manifest: dict[str, Any] = json.loads(_made().read_text(encoding="utf-8"))
    return manifest


def load_parsed(*, again: bool = False) -> bytes:
    """Read the manifest as dbt keeps it for itself, parsing the project first when it changed.

    Parameters
    ----------
    again : bool
        Parse the project in any case: what is kept cannot be read.

    Returns
    -------
    bytes
        MessagePack, for ``Manifest.from_msgpack``.

    Raises
    ------
    DbtProjectError
        When the project cannot be parsed; the message is dbt's.
    """
    if again:
        _parse()
    return _made().with_suffix(_PARSED).read_bytes()


def _made() -> Path:
    """Return the path of the manifest, once it and its other form are there."""
    if not _is_whole(manifest_path()):
        _parse()
    return manifest_path()


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
        made, parsed = Path(scratch) / "manifest.json", Path(scratch) / "partial_parse.msgpack"
        if done.returncode != 0 or not (made.is_file() and parsed.is_file()):
            raise DbtProjectError(
                f"dbt cannot parse {PROJECT_DIR.name}: {_last_words(done.stdout)}",
                fix="Correct the model it names.",
            )
        # Another process may be doing the same; whoever comes last replaces the same content. The
        # manifest goes last: where it is, the other is.
        parsed.replace(path.with_suffix(_PARSED))
        made.replace(path)


def _last_words(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    return " ".join(lines[-8:])
