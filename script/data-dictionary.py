#!/usr/bin/env python3
"""Write docs/data-dictionary.md (every table and view, column by column) and docs/tables.md.

    script/data-dictionary [--check]

The tables come from aurastream/store/tables, the rollups and marts from the dbt manifest;
neither needs a database. The same sources give the same bytes.
"""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

REPO_ROOT = Path(__file__).resolve().parent.parent
# A script's own folder is on the path, the repository is not.
sys.path.insert(0, str(REPO_ROOT))

from aurastream.store.diagram import mermaid  # noqa: E402 # see above
from aurastream.store.tables import SCHEMAS, metadata  # noqa: E402 # see above
from aurastream.store.tables.narrow import narrow_of  # noqa: E402 # see above
from aurastream_assets.aggregation.project import load_manifest  # noqa: E402 # the same

TARGET = REPO_ROOT / "docs" / "data-dictionary.md"
PICTURE = REPO_ROOT / "docs" / "tables.md"

_PICTURE_HEAD = """\
# Picture of the tables

Written by `script/data-dictionary` from `aurastream/store/tables` and the dbt project; a test
compares them. Each table shows its key and the columns that point elsewhere; all others are in the
[data dictionary](data-dictionary.md). There are no foreign keys in the database: partitions come
and go. In `aggregation` and `marts` a line leads from what a table is computed of to the table; in
the others, from the table a column points at.
"""

_HEAD = """\
# Data dictionary

Written by `script/data-dictionary` from `aurastream/store/tables` and the dbt project. Do not
edit it: change the column's description there and run the script; a test compares the two.

- Times are `timestamptz` in UTC. Suffixes: `_at` a moment, `_date` a day, `_count` a number of
  things, `_pct` 0–100, `_share` 0–1, `_per_hour` a rate; `is_` and `has_` are true or false.
- **Policy** is the class by which the platforms' terms treat a column: `raw_meta` titles, names,
  ids and descriptions; `raw_stat` counters of the platform; `derived` computed by us; `own` our
  decisions and settings; `ops` operational records.
- **Key** columns are in **bold**. *Null* says whether a column may be null.
- The role `aurastream_reader` reads everything here but `operations.quarantine.raw`, the salt of
  `maintenance.forgotten`, and `app`: [roles](roles.md). How tables belong together:
  [picture](tables.md).
- How each score is computed: [metrics](metrics.md).
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A row of a table's description."""

    name: str
    type: str
    is_null: bool
    is_key: bool
    policy: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or a view."""

    schema: str
    name: str
    meaning: str
    notes: Sequence[str]
    columns: Sequence[Column]


def declared() -> Iterator[Relation]:
    """Return the tables of the record."""
    dialect = postgresql.dialect()
    for table in metadata.sorted_tables:
        key = {column.name for column in table.primary_key.columns}
        by = table.info.get("partition_by")
        yield Relation(
            schema=str(table.schema),
            name=table.name,
            meaning=table.comment or "",
            notes=[
                *([f"Partitioned by day of `{by}`."] if by else []),
                *(["A view: rows are stored by number (ADR 12)."] if narrow_of(table) else []),
            ],
            columns=[_declared_column(column, dialect, key) for column in table.columns],
        )


def _declared_column(column: sa.Column[Any], dialect: sa.Dialect, key: set[str]) -> Column:
    return Column(
        name=column.name,
        type=_short(column.type.compile(dialect=dialect).lower()),
        is_null=bool(column.nullable),
        is_key=column.name in key,
        policy=column.info["policy"],
        meaning=column.comment or "",
    )


def modelled(manifest: Mapping[str, Any]) -> Iterator[Relation]:
    """Return the tables and views of dbt's models that stay in the database."""
    nodes = list(manifest["nodes"].values())
    present = _tested(nodes, "never_null")
    grain = _tested(nodes, "unique_grain")
    for node in nodes:
        kind = node["config"]["materialized"] if node["resource_type"] == "model" else "ephemeral"
        if kind == "ephemeral":
            continue
        name = node["unique_id"]
        by = node["config"]["meta"].get("partition_by")
        notes = ["A view, always current."] if kind == "view" else ["A table that dbt owns."]
        if by:
            notes.append(f"Replaced by ranges of `{by}`.")
        yield Relation(
            schema=node["schema"],
            name=node["name"],
            meaning=node["description"],
            notes=notes,
            columns=[
                Column(
                    name=column["name"],
                    type=_short(column["data_type"]),
                    is_null=column["name"] not in present[name] | grain[name],
                    is_key=column["name"] in grain[name],
                    policy=column["config"]["meta"]["policy"],
                    meaning=column["description"],
                )
                for column in node["columns"].values()
            ],
        )


def _tested(nodes: Sequence[Mapping[str, Any]], test: str) -> dict[str, set[str]]:
    """Return for each model the columns that a generic test of ours is about."""
    found: dict[str, set[str]] = {n["unique_id"]: set() for n in nodes}
    for node in nodes:
        about = node.get("test_metadata")
        if about and about["name"] == test:
            kwargs = about["kwargs"]
            columns = kwargs.get("columns") or kwargs["arguments"]["columns"]
            found[node["attached_node"]] |= set(columns)
    return found


def _short(name: str) -> str:
    return name.replace("timestamp with time zone", "timestamptz")


def render(relations: Sequence[Relation]) -> str:
    """Return the document."""
    order = {schema: place for place, schema in enumerate(SCHEMAS)}
    by_schema: dict[str, list[Relation]] = {}
    for relation in sorted(relations, key=lambda r: (order[r.schema], r.name)):
        by_schema.setdefault(relation.schema, []).append(relation)
    parts = [_HEAD]
    for schema, found in by_schema.items():
        links = " · ".join(f"[{r.name}](#{r.schema}{r.name})" for r in found)
        parts.append(f"- `{schema}`: {links}")
    for schema, found in by_schema.items():
        parts.append(f"\n## {schema}")
        parts += [_described(relation) for relation in found]
    return "\n".join(parts).rstrip() + "\n"


def _described(relation: Relation) -> str:
    lines = [
        f"\n### `{relation.schema}.{relation.name}`",
        "",
        " ".join([relation.meaning, *relation.notes]),
        "",
        "| column | type | null | policy | meaning |",
        "|---|---|---|---|---|",
    ]
    for column in relation.columns:
        name = f"**`{column.name}`**" if column.is_key else f"`{column.name}`"
        null = "yes" if column.is_null else "no"
        meaning = " ".join(column.meaning.split()).replace("|", r"\|")
        lines.append(f"| {name} | {column.type} | {null} | {column.policy} | {meaning} |")
    return "\n".join(lines)


def pictures(manifest: Mapping[str, Any]) -> str:
    """Return the document with a picture of each schema's tables."""
    drawn = {str(t.schema): mermaid(metadata, str(t.schema)) for t in metadata.tables.values()}
    relations = list(modelled(manifest))
    for schema in sorted({relation.schema for relation in relations}):
        drawn[schema] = _modelled_picture(
            [r for r in relations if r.schema == schema], manifest, schema
        )
    parts = [
        f"\n## {schema}\n\n```mermaid\n{drawn[schema]}\n```"
        for schema in sorted(drawn, key=SCHEMAS.index)
    ]
    return "\n".join([_PICTURE_HEAD.rstrip("\n"), *parts]) + "\n"


def _modelled_picture(
    relations: Sequence[Relation], manifest: Mapping[str, Any], schema: str
) -> str:
    lines = ["erDiagram"]
    for relation in sorted(relations, key=lambda found: found.name):
        lines.append(f"    {schema}_{relation.name} {{")
        for column in relation.columns:
            if column.is_key:
                kind = {"timestamptz": "timestamp"}.get(column.type, column.type)
                lines.append(f"        {kind.replace(' ', '_')} {column.name} PK")
        lines.append("    }")
    for relation in sorted(relations, key=lambda found: found.name):
        lines += [
            f"    {origin} ||--o{{ {schema}_{relation.name} : feeds"
            for origin in sorted(_origins(manifest, f"model.aurastream.{relation.name}"))
        ]
    return "\n".join(lines)


def _origins(manifest: Mapping[str, Any], name: str) -> set[str]:
    """Return the tables and views that a model is computed of, through what leaves no table."""
    found: set[str] = set()
    for parent in manifest["nodes"][name]["depends_on"]["nodes"]:
        node = manifest["nodes"].get(parent) or manifest["sources"][parent]
        if node["config"].get("materialized") == "ephemeral":
            found |= _origins(manifest, parent)
        else:
            found.add(f"{node['schema']}_{node['name']}")
    return found


def main() -> int:
    """Write the files, or check them; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, fail when stale")
    options = parser.parse_args()
    manifest = load_manifest()
    texts = {TARGET: render([*declared(), *modelled(manifest)]), PICTURE: pictures(manifest)}
    stale = [p for p, t in texts.items() if not p.is_file() or p.read_text(encoding="utf-8") != t]
    for path in stale:
        if options.check:
            sys.stderr.write(f"docs/{path.name} is stale: run script/data-dictionary.\n")
        else:
            path.write_text(texts[path], encoding="utf-8")
    return int(options.check and bool(stale))


if __name__ == "__main__":
    sys.exit(main())
