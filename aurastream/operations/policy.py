"""Which terms are in force, and the policy class of every column of the record.

Tables of ours are classified where they are declared, dbt's in the YAML beside each model. Neither
needs a database; `database_facts` asks one what is really there, so that a column nobody classified
is found.
"""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final

import sqlalchemy as sa
import yaml

from aurastream.operations.lineage import platforms_of
from aurastream.operations.retention_rules import Limits, TableFacts, rule_for
from aurastream.settings import REPO_ROOT, Settings
from aurastream.store.purge import Relation, relations
from aurastream.store.tables import metadata
from aurastream.store.writes import time_column

__all__ = [
    "EXEMPT_LABEL",
    "database_facts",
    "declared_facts",
    "ended_before",
    "forbidden_tables",
    "label_of",
    "limits_of",
]

EXEMPT_LABEL: Final = "replay"
_MODELS: Final = REPO_ROOT / "dbt_project" / "models"
_ROLLUPS: Final = "aggregation"  # the folder, and the schema, of the models that are kept as tables
# Where the first time of a row is not the one that says its age.
_TIME: Final = {"operations.heads": "seen_at", "operations.quota_ledger": "reserved_at"}


def limits_of(settings: Settings) -> Limits:
    """Return what the operator chose.

    A replay is exempt unless a mode was set, which it then obeys as live data would: a rehearsal.
    """
    return Limits(
        mode=settings.policy_mode or "exempt",
        retention=timedelta(days=settings.retention_days),
        keeps_twitch_aggregates=settings.keep_twitch_aggregates,
    )


def label_of(settings: Settings) -> str:
    """Return where the record's rows come from: live or replay."""
    return "live" if settings.live else EXEMPT_LABEL


@cache
def declared_facts() -> dict[str, TableFacts]:
    """Return every table that is declared here or in the dbt project, by name."""
    ours = (_facts_of(table) for table in metadata.sorted_tables)
    return {facts.name: facts for facts in (*ours, *_models())}


def database_facts(url: str) -> dict[str, TableFacts]:
    """Return the tables that a database really has, each column with its class or None."""
    declared = declared_facts()
    return {found.name: _merged(found, declared.get(found.name)) for found in relations(url)}


def forbidden_tables(limits: Limits) -> frozenset[str]:
    """Return the declared tables that the mode does not permit to be computed."""
    return frozenset(
        name for name, facts in declared_facts().items() if not rule_for(facts, limits).is_computed
    )


def ended_before(name: str, limits: Limits, now: datetime) -> datetime | None:
    """Return the moment before which the terms have ended a declared table's rows at ``now``.

    None where they set no limit, or permit none of its rows.
    """
    rule = rule_for(declared_facts()[name], limits)
    return rule.cutoff(now) if rule.decided_by == "terms" else None


def _merged(found: Relation, declared: TableFacts | None) -> TableFacts:
    known = declared.policies if declared else {}
    if found.name == "operations.alembic_version":
        known = {"version_num": "ops"}
    named = declared.time_column if declared else None
    facts = TableFacts(
        name=found.name,
        policies={name: known.get(name) for name in found.columns},
        time_column=named if named in found.columns else found.time_column,
        is_partitioned=found.is_partitioned,
        platforms=platforms_of(found.name),
    )
    kind = found.columns.get(facts.time_column or "")
    return replace(facts, is_daily=kind == "date")


def _facts_of(table: sa.Table) -> TableFacts:
    column = time_column(table)
    return TableFacts(
        name=table.fullname,
        policies={c.name: c.info.get("policy") for c in table.columns},
        time_column=_TIME.get(table.fullname, column.name if column is not None else None),
        is_partitioned="partition_by" in table.info,
        platforms=platforms_of(table.fullname),
    )


def _models() -> Iterator[TableFacts]:
    """Read the columns of dbt's models that are kept as tables: the rollups that are no views."""
    project = _read_yaml(_MODELS.parent / "dbt_project.yml")
    folders = project["models"]["aurastream"][_ROLLUPS]
    views = {
        path.stem
        for name, config in folders.items()
        if isinstance(config, dict) and config.get("+materialized") == "view"
        for path in (_MODELS / _ROLLUPS / name).rglob("*.sql")
    }
    for path in sorted((_MODELS / _ROLLUPS).rglob("_*__models.yml")):
        for model in _read_yaml(path)["models"]:
            if model["name"] not in views:
                yield _facts_of_model(_ROLLUPS, model)


def _read_yaml(path: Path) -> dict[str, Any]:
    # Every process that loads the graph pays for this; libyaml is ten times faster.
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    found: dict[str, Any] = yaml.load(path.read_text(encoding="utf-8"), Loader=loader)  # noqa: S506 # safe either way
    return found


def _facts_of_model(schema: str, model: dict[str, Any]) -> TableFacts:
    columns = {column["name"]: column for column in model["columns"]}
    keys = [
        name
        for constraint in model.get("constraints", ())
        if constraint["type"] == "primary_key"
        for name in constraint["columns"]
    ]
    timed = [n for n in (*keys, *columns) if str(columns[n].get("data_type")) in _TIMES]
    return TableFacts(
        name=f"{schema}.{model['name']}",
        policies={
            name: column.get("config", {}).get("meta", {}).get("policy")
            for name, column in columns.items()
        },
        time_column=timed[0] if timed else None,
        is_daily=bool(timed) and columns[timed[0]]["data_type"] == "date",
        platforms=platforms_of(f"{schema}.{model['name']}"),
    )


_TIMES: Final = frozenset({"date", "timestamp with time zone", "timestamptz"})
