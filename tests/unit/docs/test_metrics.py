"""The metrics glossary leaves no computed column out."""

import re
from pathlib import Path

import pytest

from aurastream.store.tables import metadata
from aurastream_assets.aggregation.project import load_manifest

REPO_ROOT = Path(__file__).resolve().parents[3]
# One page for what holds everywhere, and one per family beside it.
PAGES = (REPO_ROOT / "docs" / "metrics.md", *sorted((REPO_ROOT / "docs/metrics").glob("*.md")))
GLOSSARY = "\n".join(page.read_text(encoding="utf-8") for page in PAGES)
SECTIONS = dict(
    re.findall(r"^## `([a-z_.]+)`\n(.*?)(?=^## |\Z)", GLOSSARY, re.MULTILINE | re.DOTALL)
)


def _derived() -> dict[str, list[str]]:
    """Return the computed columns of each table, ours and dbt's."""
    found = {
        table.fullname: [c.name for c in table.columns if c.info["policy"] == "derived"]
        for table in metadata.sorted_tables
    }
    for node in load_manifest()["nodes"].values():
        if node["resource_type"] == "model" and node["config"]["materialized"] != "ephemeral":
            found[f"{node['schema']}.{node['name']}"] = [
                column["name"]
                for column in node["columns"].values()
                if column["config"]["meta"]["policy"] == "derived"
            ]
    return {name: columns for name, columns in found.items() if columns}


DERIVED = _derived()


@pytest.mark.parametrize("table", sorted(DERIVED))
def test_every_computed_column_is_explained_in_the_section_of_its_table(table: str) -> None:
    section = SECTIONS.get(table, "")

    assert [name for name in DERIVED[table] if f"`{name}`" not in section] == []


def test_the_glossary_explains_no_table_that_does_not_exist() -> None:
    assert set(SECTIONS) == set(DERIVED)


def test_the_modules_it_names_exist() -> None:
    named = re.findall(r"`((?:aurastream|dbt_project)/[\w/.]+)`", GLOSSARY)

    assert [path for path in named if not (REPO_ROOT / path).is_file()] == []
