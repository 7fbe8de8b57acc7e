"""The operator's guide knows every setting, schedule, state and bucket."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from aurastream.core.quota import PROFILES
from aurastream.operations.states import HeadState
from aurastream.operations.workers import WORKER_JOBS
from aurastream.settings import Settings
from schedules.collection import COLLECTION_SCHEDULES
from schedules.rollups import ROLLUP_SCHEDULES

REPO_ROOT = Path(__file__).resolve().parents[3]
GUIDE = (REPO_ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
UNIT = REPO_ROOT / "deploy" / "systemd" / "aurastream.service"


def _section(title: str) -> str:
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    return str(found)


def _default(value: object) -> str | None:
    """Return how a default reads in the table; None where the table tells it in words."""
    if value is None or isinstance(value, Path):
        return None
    if isinstance(value, tuple):
        return ",".join(value)
    return f"{value:g}" if isinstance(value, float) else str(value)


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_is_listed_with_its_default(name: str) -> None:
    (row,) = re.findall(rf"^\| `{name}` \| (.*?) \|", _section("Settings"), re.MULTILINE)
    default = _default(Settings.model_fields[name].default)

    assert default is None or f"`{default}`" in row


def test_no_setting_is_listed_that_does_not_exist() -> None:
    listed = re.findall(r"^\| `(\w+)` \|", _section("Settings"), re.MULTILINE)

    assert set(listed) == set(Settings.model_fields)


@pytest.mark.parametrize(
    "declared",
    [d for d in (*COLLECTION_SCHEDULES, *ROLLUP_SCHEDULES) if "local" in d.environments],
    ids=lambda d: d.definition.name,
)
def test_every_scheduled_job_is_listed(declared: object) -> None:
    job = declared.definition.job_name  # type: ignore[attr-defined] # a DeclaredSchedule

    assert f"`{job}`" in GUIDE


def test_every_worker_that_can_be_run_once_is_named() -> None:
    assert [name for name in WORKER_JOBS if f"`{name}`" not in GUIDE] == []


def test_every_state_of_a_head_is_explained() -> None:
    assert [state for state in HeadState if f"| {state.value} |" not in GUIDE] == []


def test_every_bucket_of_the_platforms_is_named() -> None:
    buckets = {
        name
        for table in PROFILES["granular_2026"]
        for name, bucket in table.buckets.items()
        if bucket.platform in {"youtube", "twitch"}
    }

    assert [name for name in sorted(buckets) if f"`{name}`" not in GUIDE] == []


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    text = UNIT.read_text(encoding="utf-8").replace("/opt/aurastream", str(REPO_ROOT))
    unit = tmp_path / UNIT.name
    unit.write_text(text.replace("User=aurastream", "User=root"), encoding="utf-8")

    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert (done.returncode, done.stderr) == (0, "")
