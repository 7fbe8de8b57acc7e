"""From dbt's manifest to asset specs: one function per concern.

A model is an asset when its table can be read by name: the rollups and the marts. What lies between
them and the sources (staging, intermediate) is part of their SQL, and lineage goes through it.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import dagster as dg

from aurastream_assets.aggregation.project import PROJECT_DIR
from aurastream_assets.keys import OWNER, WORKERS, asset_key
from aurastream_assets.policies import freshness_within

__all__ = ["TranslatedModel", "Translator"]

# Of the house's stages, marts belong to this one; their schema and first key part are their own,
# because the role that analysts and the API use reads that schema.
_GROUP: Final = "aggregation"
_TEST_NAME_SEPARATOR: Final = "__"

Node = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TranslatedModel:
    """A model as the graph sees it.

    Attributes
    ----------
    name : str
        Name of the model, which is also its table's.
    spec : dagster.AssetSpec
        The asset.
    checks : mapping of str to dagster.AssetCheckSpec
        dbt's data tests of the model, by the test's name in dbt.
    """

    name: str
    spec: dg.AssetSpec
    checks: Mapping[str, dg.AssetCheckSpec]


class Translator:
    """Reads a manifest.

    Parameters
    ----------
    manifest : mapping
        dbt's manifest, as `aurastream_assets.aggregation.project.load_manifest` returns it.
    """

    def __init__(self, manifest: Mapping[str, Any]) -> None:
        self._nodes: Mapping[str, Node] = manifest["nodes"]
        self._sources: Mapping[str, Node] = manifest["sources"]
        self._macros: Mapping[str, Node] = manifest["macros"]
        self._project: str = manifest["metadata"]["project_name"]

    def model(self, name: str) -> TranslatedModel:
        """Return one model.

        Raises
        ------
        KeyError
            When the project has no such model, or it is ephemeral.
        """
        node = self._nodes[f"model.{self._project}.{name}"]
        if node["config"]["materialized"] == "ephemeral":
            raise KeyError(name)
        return TranslatedModel(name=name, spec=self._spec(node), checks=self._checks(node))

    def names(self, schema: str, partitions: str | None = None) -> list[str]:
        """Return the names of the models in a schema, sorted.

        Parameters
        ----------
        schema : str
            Postgres schema.
        partitions : str, optional
            ``hours`` or ``days``; without it the models that have no partitions, the views.
        """
        return sorted(
            node["name"]
            for node in self._nodes.values()
            if node["resource_type"] == "model"
            and node["schema"] == schema
            and node["config"]["materialized"] != "ephemeral"
            and _partitions(node) == partitions
        )

    def columns(self) -> dict[str, dict[str, dict[str, str]]]:
        """Return schema, table and column with its type, of every model that can be read."""
        found: dict[str, dict[str, dict[str, str]]] = {}
        for node in self._nodes.values():
            if node["resource_type"] == "model" and node["config"]["materialized"] != "ephemeral":
                found.setdefault(node["schema"], {})[node["name"]] = {
                    name: column["data_type"] for name, column in node["columns"].items()
                }
        return found

    def assets(self) -> dict[str, dg.AssetKey]:
        """Return the key of every relation that is an asset, by its address."""
        relations = [
            *(s for s in self._sources.values() if s["config"]["meta"].get("is_asset")),
            *(
                n
                for n in self._nodes.values()
                if n["resource_type"] == "model" and n["config"]["materialized"] != "ephemeral"
            ),
        ]
        return {f"{node['schema']}.{node['name']}": self._key(node) for node in relations}

    def _spec(self, node: Node) -> dg.AssetSpec:
        return dg.AssetSpec(
            key=self._key(node),
            deps=self._deps(node),
            description=node["description"],
            metadata=self._metadata(node),
            group_name=_GROUP,
            code_version=self._code_version(node),
            owners=[OWNER],
            tags=self._tags(node),
            kinds=self._kinds(node),
            freshness_policy=self._freshness(node),
        )

    def _key(self, node: Node) -> dg.AssetKey:
        return dg.AssetKey([node["schema"], node["name"]])

    def _deps(self, node: Node) -> list[dg.AssetDep]:
        """Return the nearest assets above a model, through whatever is ephemeral.

        What looks at nothing but our own books depends on those who keep them.
        """
        assets = sorted(self._nearest_assets(node), key=lambda parent: str(parent["unique_id"]))
        return [
            dg.AssetDep(self._key(parent), partition_mapping=self._partition_mapping(node, parent))
            for parent in assets
        ] or [dg.AssetDep(asset_key("collection", name)) for name in sorted(self._writers(node))]

    def _writers(self, node: Node) -> set[str]:
        """Return which crawls write the sources of a model that are no assets."""
        found: set[str] = set()
        for unique_id in node["depends_on"]["nodes"]:
            if unique_id in self._sources:
                found |= set(self._sources[unique_id]["config"]["meta"].get("written_by", ()))
            elif self._nodes[unique_id]["config"]["materialized"] == "ephemeral":
                found |= self._writers(self._nodes[unique_id])
        return found

    def _nearest_assets(self, node: Node) -> list[Node]:
        found: dict[str, Node] = {}
        for unique_id in node["depends_on"]["nodes"]:
            if unique_id in self._sources:
                source = self._sources[unique_id]
                if source["config"]["meta"].get("is_asset"):
                    found[unique_id] = source
            elif self._nodes[unique_id]["config"]["materialized"] == "ephemeral":
                found |= {p["unique_id"]: p for p in self._nearest_assets(self._nodes[unique_id])}
            else:
                found[unique_id] = self._nodes[unique_id]
        return list(found.values())

    def _partition_mapping(self, node: Node, parent: Node) -> dg.PartitionMapping | None:
        """Say which partitions of a parent matter; hours and days follow from the clock."""
        if _partitions(node) is None and _partitions(parent) is not None:
            return dg.LastPartitionMapping()  # a mart speaks of the newest state
        return None

    def _metadata(self, node: Node) -> dict[str, Any]:
        return {
            "dagster/table_name": f"{node['schema']}.{node['name']}",
            "dagster/column_schema": self._column_schema(node),
            "dbt_file": f"{PROJECT_DIR.name}/{node['original_file_path']}",
            "dagster/code_references": self._code_references(node),
        }

    def _code_references(self, node: Node) -> dg.CodeReferencesMetadataValue:
        """Lead from the graph to the model's SQL and to what its columns mean."""
        described = str(node["patch_path"]).partition("://")[2]
        return dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(
                    file_path=str(PROJECT_DIR / path), line_number=line, label=label
                )
                for path, line, label in (
                    (node["original_file_path"], 1, "SQL"),
                    (described, _line_of(PROJECT_DIR / described, node["name"]), "columns"),
                )
            ]
        )

    def _column_schema(self, node: Node) -> dg.TableSchema:
        keys = {
            column
            for constraint in node["constraints"]
            if constraint["type"] == "primary_key"
            for column in constraint["columns"]
        }
        return dg.TableSchema(
            columns=[
                dg.TableColumn(
                    name=column["name"],
                    type=column["data_type"],
                    description=column["description"],
                    constraints=dg.TableColumnConstraints(
                        nullable=column["name"] not in keys
                        and not any(c["type"] == "not_null" for c in column["constraints"]),
                        unique=False,
                    ),
                    tags={"policy": column["config"]["meta"]["policy"]},
                )
                for column in node["columns"].values()
            ],
            constraints=dg.TableConstraints(
                other=[f"primary key ({', '.join(sorted(keys))})"] if keys else []
            ),
        )

    def _tags(self, node: Node) -> dict[str, str]:
        return WORKERS[node["config"]["meta"]["worker"]].tags()

    def _kinds(self, node: Node) -> set[str]:
        materialized = node["config"]["materialized"]
        return {"dbt", "postgres", "view" if materialized == "view" else "table"}

    def _freshness(self, node: Node) -> dg.FreshnessPolicy | None:
        """Warn when a day is missing, fail at the second; a view is as fresh as what it shows."""
        if _partitions(node) != "days":
            return None
        return freshness_within(timedelta(hours=25), timedelta(hours=49))

    def _code_version(self, node: Node) -> str:
        """Return a digest of the SQL of the model, of all ephemeral models in it, of our macros."""
        digest = hashlib.sha256()
        for source in sorted(self._sql(node)):
            digest.update(source.encode() + b"\0")
        for macro in sorted(
            m["macro_sql"] for m in self._macros.values() if m["package_name"] == self._project
        ):
            digest.update(macro.encode() + b"\0")
        return digest.hexdigest()[:12]

    def _sql(self, node: Node) -> Iterator[str]:
        yield node["raw_code"]
        for unique_id in node["depends_on"]["nodes"]:
            parent = self._nodes.get(unique_id)
            if parent is not None and parent["config"]["materialized"] == "ephemeral":
                yield from self._sql(parent)

    def _checks(self, node: Node) -> dict[str, dg.AssetCheckSpec]:
        return {
            test["name"]: dg.AssetCheckSpec(
                name=test["name"].removeprefix(f"{node['name']}{_TEST_NAME_SEPARATOR}"),
                asset=self._key(node),
                description=test["description"],
                metadata={"test": test["test_metadata"]["name"]},
            )
            for test in sorted(self._nodes.values(), key=lambda found: str(found["name"]))
            if test["resource_type"] == "test" and test.get("attached_node") == node["unique_id"]
        }


def _line_of(path: Path, name: str) -> int:
    """Return the line on which a model's description begins."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return next((n for n, line in enumerate(lines, 1) if line == f"  - name: {name}"), 1)


def _partitions(node: Node) -> str | None:
    found: str | None = node["config"]["meta"].get("partitions")
    return found
