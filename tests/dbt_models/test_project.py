"""The project as such: its own unit tests, its rules, and how it is run."""

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
import sqlparse
from dbt import compilation

from aurastream.operations import dbt_process
from aurastream.settings import REPO_ROOT
from aurastream.store.tables import metadata
from aurastream_assets.aggregation import project, runner
from aurastream_assets.aggregation.project import DbtProjectError, load_manifest, load_parsed
from aurastream_assets.aggregation.runner import DbtRunner
from tests.dbt_models.warehouse import DAYS, HOURS, Warehouse, at

_LOADED = """
import json, sys
import aurastream_assets.aggregation.rollups
print(json.dumps([name for name in sys.modules if name.split(".")[0] == "dbt"]))
"""


@pytest.fixture(scope="module")
def models() -> list[dict[str, Any]]:
    nodes = load_manifest()["nodes"].values()
    return [node for node in nodes if node["resource_type"] == "model"]


def test_the_models_own_unit_tests_pass(warehouse: Warehouse) -> None:
    # Its view reads a function that is made with it.
    warehouse.publish("intel_worker_state")
    results = warehouse.runner.test("test_type:unit")
    assert len(results) == len(load_manifest()["unit_tests"])
    assert [(r.name, r.message) for r in results if not r.passed] == []


def test_every_model_that_computes_something_has_a_unit_test(models: list[dict[str, Any]]) -> None:
    tested = {found["model"] for found in load_manifest()["unit_tests"].values()}
    # Models of the staging layer rename; one above it chooses two datasets of a tested model.
    plain = {node["name"] for node in models if node["fqn"][1] == "staging"} - {
        "stg_collection__twitch_streams",
        "stg_intelligence__latest_clip_leads",
        "stg_intelligence__latest_titles",
        "stg_intelligence__latest_window",
    }
    assert {node["name"] for node in models} - tested == plain | {"int_youtube_coverage"}


def test_every_model_and_every_column_is_described(models: list[dict[str, Any]]) -> None:
    assert [node["name"] for node in models if not node["description"]] == []
    assert [
        f"{node['name']}.{column['name']}"
        for node in models
        for column in node["columns"].values()
        if not column["description"]
    ] == []


def test_every_column_of_a_source_says_what_its_table_says() -> None:
    sources = load_manifest()["sources"].values()
    said = {
        f"{found['schema']}.{found['name']}": {
            column["name"]: column["description"] for column in found["columns"].values()
        }
        for found in sources
    }
    declared = {
        table: {column.name: column.comment for column in metadata.tables[table].columns}
        for table in said
    }
    assert len(said) >= 16
    assert said == declared


def test_every_table_has_a_contract_a_unique_grain_and_required_values(
    models: list[dict[str, Any]],
) -> None:
    tests = load_manifest()["nodes"].values()
    for node in models:
        if node["config"]["materialized"] == "ephemeral":
            continue
        assert node["config"]["contract"]["enforced"], node["name"]
        kinds = {
            test["test_metadata"]["name"]
            for test in tests
            if test["resource_type"] == "test" and test["attached_node"] == node["unique_id"]
        }
        assert {"unique_grain", "never_null", "accepted_ranges"} <= kinds, node["name"]


def test_every_rollup_replaces_its_partitions_and_knows_its_categories(
    models: list[dict[str, Any]],
) -> None:
    tests = [n for n in load_manifest()["nodes"].values() if n["resource_type"] == "test"]
    rollups = [
        node for node in models if node["config"]["materialized"] not in ("ephemeral", "view")
    ]
    assert len(rollups) >= 9
    for node in rollups:
        config = node["config"]
        assert config["materialized"] == "incremental"
        assert config["incremental_strategy"] == "partition_replace"
        assert config["meta"]["partition_by"] in node["columns"]
        if "category_key" not in node["columns"]:
            continue
        # Marts read these, so that a category which is not tracked is found here.
        [related] = [
            test["test_metadata"]["kwargs"]
            for test in tests
            if test["attached_node"] == node["unique_id"]
            and test["test_metadata"]["name"] == "relationships"
        ]
        assert related["column_name"] == "category_key"


def test_every_row_that_can_be_read_carries_coverage_lag_and_as_of(
    models: list[dict[str, Any]],
) -> None:
    required = {"expected_samples", "received_samples", "coverage_pct", "lag_s", "as_of"}
    for node in models:
        if node["config"]["materialized"] != "ephemeral":
            assert required <= set(node["columns"]), node["name"]


def test_every_column_has_a_policy_class(models: list[dict[str, Any]]) -> None:
    classes = {"raw_meta", "raw_stat", "derived", "own", "ops"}
    for node in models:
        if node["config"]["materialized"] != "ephemeral":
            for column in node["columns"].values():
                assert column["config"]["meta"]["policy"] in classes, (node["name"], column)


def test_the_rollups_have_every_column_of_the_sources(models: list[dict[str, Any]]) -> None:
    columns = {node["name"]: set(node["columns"]) for node in models}
    assert columns["intel_hourly_metrics"] >= {
        *("id", "category_key", "hour_start", "video_count", "avg_views", "avg_engagement"),
        *("total_views", "viral_count", "rising_count", "avg_velocity", "max_velocity"),
        *("shorts_count", "shorts_avg_views", "longform_count", "longform_avg_views"),
        *("avg_duration_seconds", "optimal_duration_bucket", "language_distribution"),
        *("dominant_language", "created_at"),
    }
    assert columns["intel_daily_metrics"] >= {
        *("id", "category_key", "date", "total_videos_seen", "peak_viral_count"),
        *("avg_viral_count", "views_trend", "viral_trend", "engagement_trend", "best_hour_utc"),
        *("worst_hour_utc", "peak_views_hour_utc", "shorts_performance_ratio"),
        *("optimal_duration_range", "dominant_language", "language_diversity_score"),
        *("created_at",),
    }
    assert columns["intel_duration_performance"] >= {
        *("id", "category_key", "date", "bucket_label", "bucket_min_seconds"),
        *("bucket_max_seconds", "video_count", "avg_views", "avg_engagement", "total_views"),
        *("performance_index", "created_at"),
    }
    assert columns["intel_regional_performance"] >= {
        *("id", "category_key", "date", "language_code", "youtube_video_count"),
        *("youtube_avg_views", "youtube_total_views", "twitch_stream_count"),
        *("twitch_avg_viewers", "twitch_total_viewers", "competition_score"),
        *("opportunity_score", "market_share_percent", "created_at"),
    }
    assert columns["intel_premiere_performance"] >= {
        *("id", "category_key", "date", "premiere_count", "instant_count"),
        *("premiere_avg_views", "instant_avg_views", "performance_ratio", "best_times"),
        *("worst_times", "avg_delay_seconds", "on_time_percent", "created_at"),
    }
    assert columns["intel_worker_state"] >= {
        *("id", "task_name", "last_run", "last_success", "last_error"),
        *("consecutive_failures", "metadata", "updated_at"),
    }
    assert columns["intel_quota_log"] >= {
        *("id", "platform", "operation", "units_used", "units_remaining", "category_key"),
        *("metadata", "created_at"),
    }


def test_every_mart_and_rollup_has_a_reader_and_what_is_not_built_says_so(
    models: list[dict[str, Any]],
) -> None:
    exposures = {found["name"]: found for found in load_manifest()["exposures"].values()}
    read = {name for found in exposures.values() for name in found["depends_on"]["nodes"]}
    tables = {node["unique_id"] for node in models if node["config"]["materialized"] != "ephemeral"}
    assert tables - read == set()
    for name in ("delivery_api", "dashboard", "reports"):
        assert exposures[name]["maturity"] == "low"
        assert "not built" in exposures[name]["description"]


def test_a_changed_model_has_another_manifest(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "dbt_project.yml").write_text("name: aurastream\n")
    (tmp_path / "profiles.yml").write_text("")
    model = tmp_path / "models" / "a.sql"
    for module in (project, dbt_process):
        monkeypatch.setattr(module, "PROJECT_DIR", tmp_path)
    digests = []
    for sql in ("select 1", "select 2", "select 1"):
        model.write_text(sql)
        project.project_digest.cache_clear()
        digests.append(project.project_digest())
    project.project_digest.cache_clear()
    assert digests[0] == digests[2] != digests[1]


def test_a_model_that_cannot_be_parsed_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("dbt_project.yml", "profiles.yml"):
        (tmp_path / name).write_text((project.PROJECT_DIR / name).read_text())
    (tmp_path / "models" / "staging").mkdir(parents=True)
    (tmp_path / "models" / "staging" / "broken.sql").write_text("select {{ ref('nowhere') }}")
    for module in (project, dbt_process):
        monkeypatch.setattr(module, "PROJECT_DIR", tmp_path)
    monkeypatch.setattr(project, "_CACHE_DIR", tmp_path / "target")
    project.project_digest.cache_clear()
    try:
        with pytest.raises(DbtProjectError, match="broken") as caught:
            load_manifest()
    finally:
        project.project_digest.cache_clear()
    assert "Correct the model" in str(caught.value)


def test_a_project_that_cannot_be_written_has_its_manifest_in_the_data_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    manifest, kept = load_manifest(), load_parsed()
    (tmp_path / "file").write_text("", encoding="utf-8")
    monkeypatch.setattr(project, "_CACHE_DIR", tmp_path / "file" / "manifests")

    def parsed(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        scratch = Path(command[command.index("--target-path") + 1])
        (scratch / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
        (scratch / "partial_parse.msgpack").write_bytes(kept)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", parsed)
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path / "data"))
    assert load_manifest() == manifest
    assert load_parsed() == kept
    assert project.manifest_path().is_relative_to(tmp_path / "data")

    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path / "file" / "data"))
    with pytest.raises(DbtProjectError, match=r"cannot be written.*Make .*manifests writable"):
        load_manifest()


def test_loading_the_assets_imports_neither_dbt_nor_a_driver_connection() -> None:
    load_manifest()  # present from here on, as after set-up
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            _LOADED,
        ],
        capture_output=True,
        text=True,
        check=True,
        cwd=REPO_ROOT,
    )
    assert json.loads(done.stdout) == []


def test_a_run_leaves_environment_and_working_directory_as_they_were(
    warehouse: Warehouse,
) -> None:
    environment, directory = dict(os.environ), Path.cwd()
    warehouse.categories("music")
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")
    assert dict(os.environ) == environment
    assert Path.cwd() == directory


def test_threads_take_turns(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.roll_hours("2026-11-20 00:00", "2026-11-20 01:00")
    errors: list[Exception] = []

    def roll(hour: int) -> None:
        try:
            warehouse.roll_hours(f"2026-11-20 {hour:02d}:00", f"2026-11-20 {hour + 1:02d}:00")
        except Exception as error:  # noqa: BLE001 # reported by the assertion below
            errors.append(error)

    threads = [threading.Thread(target=roll, args=(hour,)) for hour in range(1, 4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert len(warehouse.hours()) == 4


def test_scratch_files_are_gone_after_the_run_and_hold_no_password(
    warehouse: Warehouse, warehouse_url: str, tmp_path: Path
) -> None:
    runner = DbtRunner(warehouse_url, tmp_path / "dbt")
    warehouse.categories("music")
    runner.build(["intel_hourly_metrics"], start=at("2026-11-20 10:00"), end=at("2026-11-20 11:00"))
    assert [
        path.name for path in (tmp_path / "dbt").iterdir() if path.name.startswith("run-")
    ] == []
    password = str(sa.make_url(warehouse_url).password).encode()
    for path in (tmp_path / "dbt").rglob("*"):
        if path.is_file():
            assert password not in path.read_bytes(), path.name


def test_a_project_that_was_parsed_runs_in_any_database_without_being_parsed_again(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    load_parsed()  # present from here on, as after set-up
    monkeypatch.setattr(project, "run_dbt", lambda *_, **__: pytest.fail("parsed again"))
    (hour,) = DbtRunner(database_url, tmp_path / "dbt").build(["intel_hourly_metrics"])
    name = sa.make_url(database_url).database
    assert f'"{name}"."intelligence"."video_velocity"' in hour.sql
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select from aggregation.intel_hourly_metrics").fetchall() == []


def test_what_is_kept_of_a_parsed_project_and_cannot_be_read_is_made_again(
    monkeypatch: pytest.MonkeyPatch, database_url: str, tmp_path: Path
) -> None:
    kept = project.manifest_path()
    broken = tmp_path / kept.name
    broken.write_text(kept.read_text(encoding="utf-8"), encoding="utf-8")
    broken.with_suffix(".msgpack").write_bytes(load_parsed()[:1000])
    monkeypatch.setattr(project, "_CACHE_DIR", tmp_path)
    runner._parsed.cache_clear()
    assert DbtRunner(database_url, tmp_path / "dbt").build(["intel_hourly_metrics"])
    assert len(load_parsed()) > 1000


def test_a_call_does_not_do_what_nobody_reads(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse.categories("music")
    day = {"start": at("2026-11-20"), "end": at("2026-11-21")}
    warehouse.runner.build(["intel_hourly_metrics"], **day)
    for spared in ("inspect.stack", "pkgutil.iter_modules", "sqlparse.engine.grouping.group"):
        monkeypatch.setattr(spared, lambda *_, called=spared: pytest.fail(called))

    (hour,) = warehouse.runner.build(["intel_hourly_metrics"], **day)

    assert "__dbt__cte__" in hour.sql  # where there is nothing to inject, nothing is parsed


def test_ephemeral_models_are_put_where_dbt_would_put_them(
    warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    day = {"start": at("2026-11-20"), "end": at("2026-11-21")}
    built = warehouse.runner.build([HOURS, *DAYS, *warehouse.tests_of(HOURS, *DAYS)], **day)
    ctes = [compilation.InjectedCTE(id="a", sql=" a as (\nselect 1\n)")]
    texts = [node.sql for node in built]
    texts += [*(f"-- said\n{text}" for text in texts), "with recursive b as (select 1) select 2"]
    found = [compilation.inject_ctes_into_sql(text, ctes) for text in texts]

    monkeypatch.setattr(compilation, "sqlparse", sqlparse)

    assert found == [compilation.inject_ctes_into_sql(text, ctes) for text in texts]
    assert len(set(found)) > len(DAYS)


def test_a_server_that_does_not_answer_is_an_error_that_says_so(
    warehouse_url: str, tmp_path: Path, free_port: Any
) -> None:
    away = sa.make_url(warehouse_url).set(port=free_port()).render_as_string(hide_password=False)
    runner = DbtRunner(away, tmp_path / "dbt")
    with pytest.raises(DbtProjectError, match=r"(?i)connection refused") as caught:
        runner.build(["intel_hourly_metrics"])
    assert caught.value.is_transient


def test_a_database_error_names_the_model_and_leaves_the_old_rows(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-20 10:00", views=5)
    warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")
    before = warehouse.checksum("aggregation.intel_hourly_metrics")

    warehouse.video("2026-11-20 10:30", "huge", views=2**62)
    warehouse.video("2026-11-20 10:30", "huger", views=2**62)
    with pytest.raises(DbtProjectError, match=r"intel_hourly_metrics: .*out of range") as caught:
        warehouse.roll_hours("2026-11-20 10:00", "2026-11-20 11:00")
    assert not caught.value.is_transient
    assert warehouse.checksum("aggregation.intel_hourly_metrics") == before


def test_a_bare_build_changes_no_row(warehouse: Warehouse) -> None:
    warehouse.categories("music")
    warehouse.video("2026-11-20 10:00", views=5)
    warehouse.roll_days("2026-11-20 00:00", "2026-11-21 00:00")
    before = [
        warehouse.checksum(f"aggregation.intel_{grain}_metrics") for grain in ("hourly", "daily")
    ]
    warehouse.runner.build(["intel_hourly_metrics", "intel_daily_metrics"])
    assert [
        warehouse.checksum(f"aggregation.intel_{grain}_metrics") for grain in ("hourly", "daily")
    ] == before


def test_a_range_that_is_no_range_is_refused(warehouse: Warehouse) -> None:
    with pytest.raises(ValueError, match="timezone"):
        warehouse.runner.build(
            ["intel_hourly_metrics"],
            start=datetime(2026, 11, 20),  # noqa: DTZ001 # the point of the test
            end=datetime(2026, 11, 21, tzinfo=UTC),
        )
    with pytest.raises(ValueError, match="before"):
        warehouse.runner.build(
            ["intel_hourly_metrics"], start=at("2026-11-21 00:00"), end=at("2026-11-20 00:00")
        )
