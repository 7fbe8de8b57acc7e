"""script/setup on machines that cannot run AuraStream: one line that says the mend."""

import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from aurastream.settings import REPO_ROOT

_TOOLS = ("dirname", "uname", "sh", "rm", "cat", "mkdir", "cp", "chmod", "grep")
# A Python whose environments hold a uv that writes down what it was asked.
_PYTHON = r"""case "$1" in
  -) cat > /dev/null; echo stamp ;;
  -c) case "$2" in *print*) echo 3.12 ;; esac ;;
  -m)
    if [ "$2" = venv ]; then
      mkdir -p .venv/bin
      cp "$0" .venv/bin/python
      printf '#!/bin/sh\necho "$@" >> uv.log\n' > .venv/bin/uv
      chmod +x .venv/bin/uv
    fi ;;
esac"""


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

    def run(python: str | None, stderr: int = subprocess.PIPE, *, python_variable: str = ""):
        if python is not None:
            (programs / "python3").write_text(f"#!/bin/sh\n{python}\n", encoding="utf-8")
            (programs / "python3").chmod(0o755)
        return subprocess.run(
            [checkout / "script" / "setup"],
            env={"PATH": str(programs), "HOME": str(tmp_path), "PYTHON": python_variable},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            check=False,
        )

    return run


def test_an_environment_whose_interpreter_is_gone_is_created_again(machine, tmp_path):
    environment = tmp_path / "checkout" / ".venv"

    assert "1/3 Creating the Python 3.12 environment" in machine(_PYTHON).stdout
    assert machine(_PYTHON).stdout == "", "what is there and current costs nothing"
    assert (environment / ".aurastream-runtime-stamp").is_file()
    (environment / "bin" / "python").unlink()
    (environment / "bin" / "python").symlink_to(tmp_path / "gone")

    again = machine(_PYTHON)

    assert again.returncode == 0, again.stderr
    assert "1/3 Creating the Python 3.12 environment" in again.stdout
    assert (environment / "bin" / "python").is_file()


def test_an_environment_whose_creation_was_interrupted_is_created_again(machine, tmp_path):
    environment = tmp_path / "checkout" / ".venv"
    assert machine(_PYTHON).returncode == 0
    for marker in environment.glob(".aurastream-*"):
        marker.unlink()
    # An interpreter without pip: venv makes the one first, and the other seconds later.
    without_pip = _PYTHON.replace("*print*)", "*'import pip'*) exit 1 ;; *print*)")
    (environment / "bin" / "python").write_text(f"#!/bin/sh\n{without_pip}\n", encoding="utf-8")

    again = machine(_PYTHON)

    assert again.returncode == 0, again.stderr
    assert "1/3 Creating the Python 3.12 environment" in again.stdout


def test_a_python_that_is_named_and_cannot_be_used_is_refused(machine):
    refused = machine(_PYTHON, python_variable="/nowhere/python3")
    assert refused.returncode == 1
    assert refused.stderr == (
        "PYTHON=/nowhere/python3 is no Python 3.11 to 3.13: name one that is, or unset it.\n"
    )


def test_who_watches_sees_the_progress_of_uv_and_a_log_gets_the_steps(machine, tmp_path):
    log = tmp_path / "checkout" / "uv.log"
    watching, terminal = os.openpty()
    try:
        assert machine(_PYTHON, stderr=terminal).returncode == 0
        assert "--quiet" not in log.read_text(encoding="utf-8")
        shutil.rmtree(tmp_path / "checkout" / ".venv")
        log.unlink()

        steps = machine(_PYTHON).stdout.splitlines()
    finally:
        os.close(watching)
        os.close(terminal)

    assert [step[:4] for step in steps] == ["1/3 ", "2/3 ", "3/3 "]
    assert "--quiet" in log.read_text(encoding="utf-8")


def _wheel(folder: Path, named: str, *metadata: str) -> str:
    """Write the wheel of a name and a version, and return its line of requirements."""
    name, _, version = named.partition("-")
    path = folder / f"{named}-py3-none-any.whl"
    files = {
        f"{named}.dist-info/METADATA": "\n".join(
            ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}", *metadata, ""]
        ),
        f"{named}.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\n",
    }
    record = f"{named}.dist-info/RECORD"
    with zipfile.ZipFile(path, "w") as wheel:
        for file, body in files.items():
            wheel.writestr(file, body)
        wheel.writestr(record, "".join(f"{file},,\n" for file in [*files, record]))
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


def test_where_uv_cannot_install_pip_does_extras_of_dependencies_included(tmp_path):
    checkout, wheels = tmp_path / "checkout", tmp_path / "wheels"
    for folder in (checkout / "script", checkout / "requirements", wheels):
        folder.mkdir(parents=True)
    shutil.copy(REPO_ROOT / "script" / "setup", checkout / "script" / "setup")
    lists = {
        "bootstrap": _wheel(wheels, "uv-1"),  # which holds no program
        "runtime": _wheel(wheels, "graph-1", "Requires-Dist: client[http]")
        + _wheel(wheels, "client-1", "Provides-Extra: http"),
    }
    _wheel(wheels, "client-2", "Provides-Extra: http")
    for name, text in lists.items():
        (checkout / "requirements" / f"{name}.txt").write_text(text, encoding="utf-8")

    done = subprocess.run(
        [checkout / "script" / "setup"],
        env={
            "PATH": os.environ["PATH"],
            "PYTHON": sys.executable,
            "HOME": str(tmp_path),
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(wheels),
        },
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    assert "uv could not install; trying pip" in done.stderr
    (site,) = (checkout / ".venv" / "lib").glob("python3.*/site-packages")
    assert {"graph-1.dist-info", "client-1.dist-info"} <= {path.name for path in site.iterdir()}


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
