"""script/setup on machines that cannot run AuraStream: one line that says the mend."""

import shutil
import subprocess

import pytest

from aurastream.settings import REPO_ROOT

_TOOLS = ("dirname", "uname", "sh", "rm", "cat")


@pytest.fixture
def machine(tmp_path):
    """A checkout and a PATH on which only the given python3 exists."""
    checkout = tmp_path / "checkout"
    (checkout / "script").mkdir(parents=True)
    shutil.copy(REPO_ROOT / "script" / "setup", checkout / "script" / "setup")
    shutil.copytree(REPO_ROOT / "requirements", checkout / "requirements")
    programs = tmp_path / "bin"
    programs.mkdir()
    for tool in _TOOLS:
        found = shutil.which(tool)
        assert found is not None
        (programs / tool).symlink_to(found)

    def run(python: str | None):
        if python is not None:
            (programs / "python3").write_text(f"#!/bin/sh\n{python}\n", encoding="utf-8")
            (programs / "python3").chmod(0o755)
        return subprocess.run(
            [checkout / "script" / "setup"],
            env={"PATH": str(programs), "HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_without_python_one_line_says_what_to_install(machine):
    done = machine(None)
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "Python 3.11 to 3.13" in done.stderr
    assert ("apt-get install" in done.stderr) or ("brew install" in done.stderr)


def test_a_python_that_is_too_old_is_not_used(machine):
    done = machine("exit 1")  # what `sys.exit(not (3, 11) <= version)` does there
    assert done.returncode == 1
    assert "Python 3.11 to 3.13" in done.stderr


def test_without_venv_one_line_says_the_package(machine):
    fake = 'case "$2" in *ensurepip*) exit 1 ;; *print*) echo 3.12 ;; esac\nexit 0'
    done = machine(fake)
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        "Python 3.12 lacks venv or ensurepip: apt-get install python3.12-venv"
    ]
