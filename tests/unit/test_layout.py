"""The layout is a promise: packages come from here, and the folders have the names they have."""

import importlib
from pathlib import Path

import pytest

import aurastream_assets
from aurastream_assets.keys import STAGES

REPO_ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("aurastream", "aurastream_assets", "resources", "sensors", "schedules")


@pytest.mark.parametrize("name", PACKAGES)
def test_each_package_is_ours_and_not_a_namesake_from_site_packages(name: str) -> None:
    origin = Path(str(importlib.import_module(name).__file__)).resolve()

    assert origin == REPO_ROOT / name / "__init__.py"


@pytest.mark.parametrize("name", ["resources", "sensors", "schedules"])
def test_the_generic_packages_export_nothing_from_their_init(name: str) -> None:
    tree = (REPO_ROOT / name / "__init__.py").read_text(encoding="utf-8")

    assert "import" not in tree


def test_every_stage_is_a_folder_of_the_graph() -> None:
    root = Path(str(aurastream_assets.__file__)).parent

    assert {p.parent.name for p in root.glob("*/__init__.py")} == set(STAGES)


def test_no_test_folder_shadows_a_library() -> None:
    folders = {p.name for p in (REPO_ROOT / "tests").iterdir() if p.is_dir()}

    assert not folders & {"dagster", "dbt", "redis"}


def test_dagster_modules_keep_their_annotations_real() -> None:
    offenders = [
        str(path.relative_to(REPO_ROOT))
        for folder in ("aurastream_assets", "resources", "sensors", "schedules")
        for path in (REPO_ROOT / folder).rglob("*.py")
        if "from __future__ import annotations" in path.read_text(encoding="utf-8")
    ]

    assert offenders == []
