"""Every test of dbt, which is a check of its asset, fails on rows that cannot be."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import psycopg
from psycopg import sql

from aurastream_assets.aggregation.project import load_manifest
from aurastream_assets.definitions import build_defs
from tests.dbt_models.warehouse import COLLECTION_HOURS, DAYS, HOURS, Warehouse

# What a number, a text and so on may not be: below every range, in no list, in no other table.
_NONSENSE = {
    "boolean": True,
    "date": "2000-01-01",
    "text": "nonsense",
    "timestamp with time zone": "2000-01-01Z",
    "jsonb": "{}",
}
_CONTRADICTIONS: dict[str, dict[str, Any]] = {
    "intel_duration_performance": {"views_known_count": 2, "video_count": 1},
    "intel_regional_performance": {"twitch_stream_count": 2, "twitch_stream_samples": 1},
    "intel_premiere_performance": {
        "on_time_percent": 5, "on_time_low_percent": 10, "on_time_high_percent": 20,
    },
    "intel_channel_days": {"breakout_count": 2, "video_count": 1},
    "intel_posting_hours": {"video_count_by_hour": [1], "video_count": 1},
    "intel_stream_hours": {"crawl_count_by_hour": [1]},
    "intel_competition_days": {"peak_viewer_total": 1, "avg_viewer_total": 2},
    "intel_hourly_metrics": {"viral_count": 2, "rising_count": 0, "video_count": 1},
    "intel_collection_hours": {"settled_count": 2, "call_count": 1},
    "intel_daily_metrics": {"shorts_count": 2, "longform_count": 0, "total_videos_seen": 1},
    "posting_times": {"performance_index": 5, "index_low": 1, "index_high": 2},
    "streaming_times": {"performance_index": 5, "index_low": 1, "index_high": 2},
    "format_performance": {"performance_index": 5, "index_low": 1, "index_high": 2},
    "title_patterns": {"lift": 5, "ci_low": 1, "ci_high": 2},
    "clip_lead": {"relation": "UNKNOWN", "lag_h": 1},
    "stream_rankings": {"peak_viewer_count_24h": 1, "viewer_count": 2},
    "taking_off_now": {"matched_count": 1, "is_taking_off": True},
}  # fmt: skip


def models() -> dict[str, str]:
    """Return the models that are tested, with their schemas."""
    nodes = load_manifest()["nodes"]
    tested = {n["attached_node"] for n in nodes.values() if n["resource_type"] == "test"}
    return {nodes[name]["name"]: nodes[name]["schema"] for name in tested}


def nonsense(kind: str) -> Any:
    is_list = kind.endswith("[]")
    found = _NONSENSE.get(kind.removesuffix("[]"), -7)
    return [found] if is_list else found


@contextmanager
def spoilt(connection: psycopg.Connection, schema: str, name: str) -> Iterator[None]:
    """Put rows that cannot be in the place of a table or view, until the block ends."""
    own, aside = sql.Identifier(schema, name), sql.Identifier(f"{name}__aside")
    found = connection.execute(
        "select attname, format_type(atttypid, null), relkind from pg_attribute "
        "join pg_class on pg_class.oid = attrelid "
        "where attrelid = %s::regclass and attnum > 0 and not attisdropped",
        (f"{schema}.{name}",),
    ).fetchall()
    thing = sql.SQL("view" if found[0][2] == "v" else "table")
    connection.execute(sql.SQL("alter {} {} rename to {}").format(thing, own, aside))
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(column), sql.SQL(kind)) for column, kind, _ in found
    )
    connection.execute(sql.SQL("create table {} ({})").format(own, columns))
    nothing = dict.fromkeys(column for column, _, _ in found)
    impossible = {column: nonsense(kind) for column, kind, _ in found}
    for row in (nothing, impossible, impossible, nothing | _CONTRADICTIONS.get(name, {})):
        values = sql.SQL(", ").join(sql.Placeholder() * len(row))
        connection.execute(
            sql.SQL("insert into {} values ({})").format(own, values), list(row.values())
        )
    yield
    connection.execute(sql.SQL("drop table {}").format(own))
    connection.execute(
        sql.SQL("alter {} {} rename to {}").format(
            thing, sql.Identifier(schema, f"{name}__aside"), sql.Identifier(name)
        )
    )


def test_every_test_fails_on_what_cannot_be(warehouse: Warehouse) -> None:
    tested = models()
    warehouse.publish(*(tested.keys() - {HOURS, COLLECTION_HOURS, *DAYS}))
    with psycopg.connect(warehouse.url, autocommit=True) as connection, ExitStack() as aside:
        for name, schema in tested.items():
            aside.enter_context(spoilt(connection, schema, name))
        results = warehouse.runner.test("test_type:data")

    assert [result.name for result in results if result.passed] == []
    graph = build_defs().resolve_asset_graph()
    checks = {
        f"{key.asset_key.path[-1]}__{key.name}"
        for key in graph.asset_check_keys
        if key.asset_key.path[0] in {"aggregation", "marts"}
    }
    assert checks == {result.name for result in results}
