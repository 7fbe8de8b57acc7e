"""Which columns a model's columns are made of, read from the SQL that dbt ran.

Lineage goes through whatever is ephemeral, down to the tables that are assets. It is a function of
the model's code, so a file in dbt's directory keeps it until the code changes: an hour of rollups
should not pay for reading SQL.
"""

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import dagster as dg

from aurastream.store.tables import metadata as tables

__all__ = ["ColumnLineage", "columns_of_record"]

_DIALECT: Final = "postgres"

# Column to the table columns it is made of, each as (schema, table, column).
Sources = dict[str, list[tuple[str, str, str]]]


def columns_of_record() -> dict[str, dict[str, dict[str, str]]]:
    """Return schema, table and column with its type, for every table of the record."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for table in tables.sorted_tables:
        found.setdefault(str(table.schema), {})[table.name] = {
            column.name: "text" for column in table.columns
        }
    return found


class ColumnLineage:
    """Reads lineage, once per version of a model's code.

    Parameters
    ----------
    cache_dir : pathlib.Path
        Where what was read is kept; created when missing.
    columns : mapping
        Schema, table and column with its type, of every relation that a model may read.
    assets : collection of str
        Addresses of the relations that are assets, as ``schema.table``.
    """

    def __init__(
        self,
        cache_dir: Path,
        columns: Mapping[str, Mapping[str, Mapping[str, str]]],
        assets: Mapping[str, dg.AssetKey],
    ) -> None:
        self._cache_dir = cache_dir
        self._columns = columns
        self._assets = assets

    def of(
        self, name: str, code_version: str, columns: Sequence[str], sql: str
    ) -> dg.TableColumnLineage | None:
        """Return the lineage of a model's columns.

        Parameters
        ----------
        name : str
            Name of the model.
        code_version : str
            Version of its SQL; the same version gives the same lineage.
        columns : sequence of str
            Its columns.
        sql : str
            What dbt ran.

        Returns
        -------
        dagster.TableColumnLineage or None
            None where the SQL cannot be read: lineage is a help, and no run fails for it.
        """
        path = self._cache_dir / f"columns-{name}-{code_version}.json"
        sources = _kept(path)
        if sources is None:
            sources = self._read(columns, sql)
            if sources is None:
                return None
            self._keep(path, sources)
        return dg.TableColumnLineage(
            {
                column: [
                    dg.TableColumnDep(self._assets[f"{schema}.{table}"], of)
                    for schema, table, of in found
                    if f"{schema}.{table}" in self._assets
                ]
                for column, found in sources.items()
            }
        )

    def _read(self, columns: Sequence[str], sql: str) -> Sources | None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of one of its own parts that is going
            # A second of imports that a run with a warm cache does not pay.
            from sqlglot import exp, parse_one  # noqa: PLC0415 # as said
            from sqlglot.errors import SqlglotError  # noqa: PLC0415 # as said
            from sqlglot.lineage import lineage  # noqa: PLC0415 # as said

        try:
            tree = parse_one(sql, dialect=_DIALECT)
            for relation in tree.find_all(exp.Table):
                relation.set("catalog", None)  # the database's name says nothing
            schema = {s: {t: dict(c) for t, c in ts.items()} for s, ts in self._columns.items()}
            # Trimmed, each node would carry a copy of its query, which takes ten times as long.
            nodes = lineage(
                None, tree.sql(dialect=_DIALECT), schema, dialect=_DIALECT, trim_selects=False
            )
            found: Sources = {}
            for column in columns:
                leaves = {
                    (str(table.db), str(table.name), str(exp.to_column(node.name).name))
                    for node in nodes[column].walk()
                    if not node.downstream and (table := node.expression.find(exp.Table))
                }
                found[column] = sorted(leaf for leaf in leaves if leaf[0])
        except (SqlglotError, ValueError, KeyError, RecursionError):
            return None
        return found

    def _keep(self, path: Path, sources: Sources) -> None:
        self._cache_dir.mkdir(parents=True, exist_ok=True)
        scratch = path.with_suffix(".part")
        scratch.write_text(json.dumps(sources), encoding="utf-8")
        scratch.replace(path)  # two processes write the same


def _kept(path: Path) -> Sources | None:
    try:
        kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return {column: [(s, t, c) for s, t, c in found] for column, found in kept.items()}
