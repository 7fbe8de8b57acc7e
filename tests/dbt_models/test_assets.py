"""The rollups in the graph: partitions, checks and metadata of real materializations."""

import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import psycopg
import pytest

from aurastream_assets.aggregation import rollups
from aurastream_assets.aggregation.rollups import ASSETS, daily, hourly, marts
from aurastream_assets.aggregation.runner import DbtRunner, NodeResult
from aurastream_assets.partitions import days, hours
from resources.store import Store
from tests.dbt_models.warehouse import HOURS, Warehouse, at

_HOURLY = dg.AssetKey(["aggregation", "intel_hourly_metrics"])
_DAILY = dg.AssetKey(["aggregation", "intel_daily_metrics"])
_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.ephemeral() as ephemeral:
        yield ephemeral


@pytest.fixture
def materialize(
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path_factory.getbasetemp()))

    def run(asset: dg.AssetsDefinition, **options: Any) -> dg.ExecuteInProcessResult:
        return dg.materialize(
            [asset],
            resources={"store": Store(postgres_url=warehouse.url)},
            instance=instance,
            **options,
        )

    return run


@pytest.fixture(scope="module")
def last_days() -> list[str]:
    return days.get_partition_keys()[-3:]


def test_a_range_of_hours_is_one_run_with_an_event_per_hour(
    materialize: Any, warehouse: Warehouse
) -> None:
    warehouse.categories("music", "gaming")
    first, second, third = hours.get_partition_keys()[-5:-2]
    selection = dg.AssetSelection.assets(_HOURLY)
    tags = {_RANGE_START: first, _RANGE_END: third}
    result = materialize(hourly, tags=tags, selection=selection)
    events = result.asset_materializations_for_node("aggregation__hours")
    assert [event.partition for event in events] == [first, second, third]
    assert {event.metadata["rows_in_run"].value for event in events} == {6}
    assert len(warehouse.hours("gaming")) == 3


def test_tests_of_dbt_are_checks_of_the_asset(
    materialize: Any, warehouse: Warehouse, last_days: list[str]
) -> None:
    warehouse.categories("music")
    selection = dg.AssetSelection.assets(_DAILY)
    result = materialize(daily, partition_key=last_days[0], selection=selection)
    checks = {found.check_name: found for found in result.get_asset_check_evaluations()}
    assert set(checks) == {
        "categories_are_tracked",
        "grain_is_unique",
        "parts_fit_the_whole",
        "required_values_are_present",
        "values_are_in_range",
    }
    assert all(found.passed for found in checks.values())


def test_columns_lead_to_the_columns_they_are_made_of(
    materialize: Any, warehouse: Warehouse, last_days: list[str]
) -> None:
    warehouse.categories("music")
    key = dg.AssetKey(["aggregation", "intel_duration_performance"])
    selection = dg.AssetSelection.assets(key)
    # The second time from the file that the first has left.
    for partition in last_days[:2]:
        result = materialize(daily, partition_key=partition, selection=selection)
        [event] = result.asset_materializations_for_node("aggregation__days")
        found = event.metadata["dagster/column_lineage"].value.deps_by_column
        velocity = dg.AssetKey(["intelligence", "video_velocity"])
        assert dg.TableColumnDep(velocity, "views") in found["avg_views"]
        assert dg.TableColumnDep(_HOURLY, "received_samples") in found["coverage_pct"]
        assert {dep.asset_key for dep in found["category_key"]} <= {velocity, _HOURLY}


def test_every_column_of_every_model_has_a_lineage_that_can_be_read(
    materialize: Any, warehouse: Warehouse, last_days: list[str]
) -> None:
    warehouse.categories("music")
    materialize(hourly, partition_key=f"{last_days[0]}-00:00")
    results = [materialize(daily, partition_key=last_days[0]), materialize(marts)]
    events = [event for r in results for event in r.get_asset_materialization_events()]
    assert len(events) > 20
    for event in events:
        materialization = event.step_materialization_data.materialization
        found = materialization.metadata["dagster/column_lineage"].value.deps_by_column
        assert "as_of" in found, materialization.asset_key


def test_code_references_lead_to_the_sql_and_to_the_columns() -> None:
    for asset in ASSETS:
        for spec in asset.specs:
            sql, columns = spec.metadata["dagster/code_references"].code_references
            assert "select" in Path(sql.file_path).read_text()
            line = Path(columns.file_path).read_text().splitlines()[columns.line_number - 1]
            assert line == f"  - name: {spec.key.path[-1]}"


def test_a_failing_test_fails_its_check_and_not_the_run(
    materialize: Any, warehouse: Warehouse
) -> None:
    warehouse.categories("roblox", kind="game")
    warehouse.insert(
        "intelligence.opportunity",
        {"window_start": at("2026-11-20 10:00"), "category": "roblox", "opportunity_score": 140.0},
    )
    result = materialize(marts)
    assert result.success
    failed = [found for found in result.get_asset_check_evaluations() if not found.passed]
    assert [(found.asset_key.path[-1], found.check_name) for found in failed] == [
        ("taking_off_now", "values_are_in_range")
    ]
    assert failed[0].metadata["failing_rows"].value == 1


def test_marts_can_be_published_one_by_one(materialize: Any, warehouse: Warehouse) -> None:
    key = dg.AssetKey(["marts", "quota_status"])
    result = materialize(marts, selection=dg.AssetSelection.assets(key))
    assert [event.asset_key for event in result.asset_materializations_for_node("marts")] == [key]
    assert warehouse.rows("select * from marts.quota_status") == []


def test_a_day_can_be_rolled_up_before_any_hour(
    materialize: Any, warehouse: Warehouse, last_days: list[str]
) -> None:
    warehouse.categories("music")
    assert materialize(daily, partition_key=last_days[0]).success
    assert [row["coverage_pct"] for row in warehouse.days()] == [0]


def test_rollups_below_are_made_where_they_are_not_those_of_this_code_and_not_again(
    materialize: Any, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, last_days: list[str]
) -> None:
    warehouse.categories("music")
    materialize(hourly, partition_key=f"{last_days[0]}-00:00")
    made: list[set[str]] = []
    build = DbtRunner.build

    def building(runner: DbtRunner, names: Sequence[str], **options: Any) -> list[NodeResult]:
        made.append(set(names))
        return build(runner, names, **options)

    monkeypatch.setattr(DbtRunner, "build", building)
    one = dg.AssetSelection.assets(dg.AssetKey(["aggregation", "intel_premiere_performance"]))
    materialize(daily, partition_key=last_days[0], selection=one)
    assert [HOURS in names for names in made] == [False]

    made.clear()
    with monkeypatch.context() as patch:
        patch.setattr(rollups, "_CODE_VERSION", "another")
        materialize(daily, partition_key=last_days[0], selection=one)
    assert [HOURS in names for names in made] == [True, False]

    made.clear()
    with psycopg.connect(warehouse.url) as connection:
        connection.execute(f"drop table aggregation.{HOURS} cascade")
    materialize(daily, partition_key=last_days[0], selection=one)
    assert [HOURS in names for names in made] == [True, False]
    assert warehouse.has(f"aggregation.{HOURS}")


def test_a_failing_model_fails_the_run_with_the_databases_words(
    materialize: Any, warehouse: Warehouse
) -> None:
    warehouse.categories("music")
    key = hours.get_partition_keys()[-3]
    window = hours.time_window_for_partition_key(key)
    for video_id in ("huge", "huger"):
        warehouse.video(f"{window.start:%Y-%m-%d %H:%M}", video_id, views=2**62)
    # No retry: the same rows would overflow again.
    with pytest.raises(dg.Failure, match="out of range"):
        materialize(hourly, partition_key=key)


def test_assets_follow_the_naming_law_and_carry_their_worker() -> None:
    specs = {spec.key: spec for asset in ASSETS for spec in asset.specs}
    assert {_HOURLY, _DAILY} <= set(specs)
    for key, spec in specs.items():
        assert spec.group_name == "aggregation"
        assert spec.metadata["dagster/table_name"] == ".".join(key.path)
        assert spec.tags["worker"].startswith("intel_aggregation_")
        assert spec.description
        assert spec.code_version
        schema = spec.metadata["dagster/column_schema"]
        assert all(column.description for column in schema.columns), key
    assert hourly.backfill_policy == daily.backfill_policy == dg.BackfillPolicy.single_run()
    assert {asset.op.pool for asset in ASSETS} == {"dbt"}


def test_lineage_goes_through_staging_to_the_scores() -> None:
    # With the rollup of what was collected, which looks at the books that the crawls keep.
    assert {key.path[-1] for key in hourly.dependency_keys} == {
        *("video_velocity", "viral_scores"),
        *("youtube_trending", "youtube_games", "twitch_streams", "clip_radar"),
    }
    assert _HOURLY in daily.dependency_keys
    taking_off = dg.AssetKey(["marts", "taking_off_now"])
    [spec] = [spec for spec in marts.specs if spec.key == taking_off]
    assert {dep.asset_key.path[-1] for dep in spec.deps} == {
        "competition",
        "opportunity",
        "video_velocity",
        "youtube_videos",
    }


def test_loading_the_graph_gives_no_warning() -> None:
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        dg.Definitions.validate_loadable(
            dg.Definitions(
                assets=[*ASSETS], resources={"store": Store()}, executor=dg.in_process_executor
            )
        )
    assert [str(warning) for warning in said] == []
