"""dbt in a process of its own: its import is slow, and this process may never need it again."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final

from aurastream.settings import REPO_ROOT

__all__ = ["PROJECT_DIR", "run_dbt"]

PROJECT_DIR: Final = REPO_ROOT / "dbt_project"
_TIMEOUT_S: Final = 300


def run_dbt(
    *command: str, target: Path, variables: Mapping[str, str] = MappingProxyType({})
) -> "subprocess.CompletedProcess[str]":
    """Run a command of dbt on the project; that it failed is told by the exit code.

    Parameters
    ----------
    *command : str
        The command and its options.
    target : pathlib.Path
        Where dbt writes what it makes, and its logs.
    variables : mapping of str to str, optional
        Environment of the process beside our own, such as a connection.
    """
    return subprocess.run(  # noqa: S603 # our own interpreter, our own project
        [
            *(sys.executable, "-W", "ignore", "-m", "dbt.cli.main"),
            *("--no-use-colors", "--no-version-check", "--no-send-anonymous-usage-stats"),
            *("--log-level-file", "none", *command),
            *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)),
            *("--target-path", str(target), "--log-path", str(target)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=_TIMEOUT_S,
        cwd=PROJECT_DIR,
        env={**os.environ, **variables},
    )
