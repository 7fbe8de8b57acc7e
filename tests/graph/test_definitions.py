"""The graph as a whole: what it is made of is pinned, and the laws of the house hold."""

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import dagster as dg
import pytest
from dagster import AssetKey

from aurastream.store.document_schemas import KINDS
from aurastream.store.tables import metadata as tables
from aurastream_assets import jobs
from aurastream_assets.aggregation.project import load_manifest
from aurastream_assets.definitions import build_defs
from aurastream_assets.keys import OWNER, STAGES, WORKERS
from aurastream_assets.policies import apply_policies
from aurastream_assets.reporting.hot_documents import PUBLISHED_AFTER_CRAWLS
from schedules.collection import COLLECTION_SCHEDULES
from schedules.maintenance import MAINTENANCE_SCHEDULES
from schedules.rollups import ROLLUP_SCHEDULES

REPO_ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).parent / "snapshot.json"
DOCUMENTS = {
    AssetKey(["reporting", name])
    for name in ("hot_documents", "stream_documents", "clip_documents")
}
DECLARED = (*COLLECTION_SCHEDULES, *ROLLUP_SCHEDULES, *MAINTENANCE_SCHEDULES)


@pytest.fixture(scope="module")
def defs() -> dg.Definitions:
    return build_defs(environment="local")


def test_sensors_exist_where_they_are_declared_and_nowhere_else() -> None:
    def names(environment: str) -> set[str]:
        found = build_defs(environment=environment).get_repository_def()  # type: ignore[arg-type] # one of three
        return {sensor.name for sensor in found.sensor_defs}

    late = {"late_crawls", "late_hours", "late_analyses", "late_days", "unscored_windows"}
    assert names("local") == names("production") == late
    assert names("test") == set()


@pytest.fixture(scope="module")
def specs(defs: dg.Definitions) -> list[dg.AssetSpec]:
    return sorted(defs.resolve_all_asset_specs(), key=lambda spec: spec.key)


def _shape(defs: dg.Definitions) -> dict[str, object]:
    repository = defs.get_repository_def()
    graph = repository.asset_graph
    return {
        "assets": {
            key.to_user_string(): {
                "group": graph.get(key).group_name,
                "after": sorted(p.to_user_string() for p in graph.get(key).parent_keys),
                "partitions": _cron(graph.get(key).partitions_def),
                "checks": sorted(c.name for c in graph.get_check_keys_for_assets({key})),
            }
            for key in sorted(graph.get_all_asset_keys())
        },
        "jobs": {
            job.name: sorted(k.to_user_string() for k in job.asset_layer.executable_asset_keys)
            for job in sorted(repository.get_all_jobs(), key=lambda job: job.name)
            if not job.name.startswith("__")
        },
        "schedules": {
            schedule.job_name: schedule.cron_schedule
            for schedule in sorted(repository.schedule_defs, key=lambda s: s.job_name)
        },
        "sensors": sorted(sensor.name for sensor in repository.sensor_defs),
    }


def _cron(partitions: dg.PartitionsDefinition | None) -> str | None:
    return (
        partitions.cron_schedule
        if isinstance(partitions, dg.TimeWindowPartitionsDefinition)
        else None
    )


def test_the_graph_is_the_one_in_the_snapshot(defs: dg.Definitions) -> None:
    # To accept a change, write json.dumps(_shape(defs), indent=2) into the file and say why in the
    # commit message.
    assert _shape(defs) == json.loads(SNAPSHOT.read_text(encoding="utf-8"))


def test_every_key_is_the_address_of_its_table(specs: list[dg.AssetSpec]) -> None:
    models = {
        (node["schema"], node["name"])
        for node in load_manifest()["nodes"].values()
        if node["resource_type"] == "model"
    }
    strangers = [
        spec.key.to_user_string()
        for spec in specs
        if ".".join(spec.key.path) not in tables.tables
        and tuple(spec.key.path) not in models
        and spec.key not in DOCUMENTS  # they are in Redis
    ]

    assert strangers == []


def test_the_group_is_the_stage(specs: list[dg.AssetSpec]) -> None:
    for spec in specs:
        schema = spec.key.path[0]
        assert spec.group_name == ("aggregation" if schema == "marts" else schema)
        assert spec.group_name in STAGES


def test_every_asset_has_an_owner_a_worker_a_description_and_kinds(
    specs: list[dg.AssetSpec],
) -> None:
    for spec in specs:
        worker = WORKERS[spec.tags["worker"]]
        assert list(spec.owners) == [OWNER]
        assert worker.tags().items() <= spec.tags.items()
        assert spec.description, spec.key
        assert spec.kinds, spec.key


def test_every_materializable_asset_has_a_code_version(defs: dg.Definitions) -> None:
    graph = defs.get_repository_def().asset_graph

    assert [k for k in graph.materializable_asset_keys if not graph.get(k).code_version] == []


def test_every_table_is_described_column_by_column(specs: list[dg.AssetSpec]) -> None:
    for spec in specs:
        if spec.key in DOCUMENTS:
            continue
        schema = spec.metadata["dagster/column_schema"]
        schema = getattr(schema, "value", schema)
        assert schema.columns, spec.key
        assert all(column.description for column in schema.columns), spec.key


def test_every_dataset_that_is_collected_or_scored_has_a_freshness_policy(
    specs: list[dg.AssetSpec],
) -> None:
    without = {s.key.to_user_string(): s for s in specs if s.freshness_policy is None}

    # Dimensions follow their crawls; views are as fresh as what they show.
    assert {key for key, spec in without.items() if "view" not in spec.kinds} == {
        "collection/youtube_channels",
        "collection/youtube_videos",
    }


@pytest.mark.parametrize(
    ("keys", "awaited", "not_awaited"),
    [
        (
            {"TWITCH_CLIENT_ID": "client", "TWITCH_CLIENT_SECRET": "secret"},
            {"collection/twitch_streams", "reporting/stream_documents", "intelligence/competition"},
            {"collection/youtube_trending", "collection/youtube_games"},
        ),
        (
            {"YOUTUBE_API_KEY": "key"},
            {"collection/youtube_trending", "intelligence/clip_intel", "intelligence/competition"},
            {"collection/twitch_streams", "collection/clip_radar", "reporting/clip_documents"},
        ),
    ],
    ids=["twitch alone", "youtube alone"],
)
def test_nobody_waits_for_what_a_platform_without_keys_would_bring(
    monkeypatch: pytest.MonkeyPatch,
    keys: dict[str, str],
    awaited: set[str],
    not_awaited: set[str],
) -> None:
    for name, value in keys.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "amended")
    graph = build_defs(environment="local").resolve_asset_graph()
    found = {
        key.to_user_string()
        for key in graph.get_all_asset_keys()
        if graph.get(key).freshness_policy
    }

    assert awaited <= found
    assert not not_awaited & found


def test_a_source_that_dbt_calls_stale_is_stale_in_the_graph_as_soon(
    specs: list[dg.AssetSpec],
) -> None:
    # Dagster's own daemon judges these policies, so that nobody has to run `dbt source freshness`.
    charts, games, streams, clips = (
        f"collection/{name}"
        for name in ("youtube_trending", "youtube_games", "twitch_streams", "clip_radar")
    )
    written_with = {
        "collection/youtube_videos": [charts, games],
        "operations/crawls": [charts, games, streams, clips],
        "operations/quota_ledger": [charts, games, streams, clips],
    }
    fails_after = {
        spec.key.to_user_string(): spec.freshness_policy.fail_window.to_timedelta()
        for spec in specs
        if spec.freshness_policy is not None
    }
    limits = {
        f"{source['schema']}/{source['name']}": source["freshness"]["error_after"]
        for source in load_manifest()["sources"].values()
        if ((source["freshness"] or {}).get("error_after") or {}).get("count")
    }
    assert len(limits) > 8
    for name, limit in limits.items():
        allowed = timedelta(**{f"{limit['period']}s": limit["count"]})
        assert min(fails_after[key] for key in written_with.get(name, [name])) <= allowed, name


def test_every_materializable_asset_has_a_check(defs: dg.Definitions) -> None:
    graph = defs.get_repository_def().asset_graph
    checked = {c.asset_key for c in graph.asset_check_keys}

    assert {k.to_user_string() for k in graph.materializable_asset_keys - checked} - {
        "marts/quota_status"
    } == set()


def test_each_upstream_has_a_pool_of_its_own(defs: dg.Definitions) -> None:
    pools = {
        key.to_user_string(): asset.op.pool
        for asset in defs.get_repository_def().assets_defs_by_key.values()
        if asset.is_executable
        for key in asset.keys
        if asset.op.pool
    }

    assert {name: pools[name] for name in pools if name.startswith("collection")} == {
        "collection/youtube_trending": "youtube",
        "collection/youtube_games": "youtube",
        "collection/twitch_streams": "twitch",
        "collection/twitch_top_games": "twitch",
        "collection/clip_radar": "twitch",
    }
    assert {pool for name, pool in pools.items() if name.startswith("aggregation")} == {"dbt"}


@pytest.mark.parametrize("job", jobs.JOBS, ids=lambda job: job.name)
def test_every_job_ends_by_itself(job: dg.JobDefinition) -> None:
    tags = job.tags or {}

    assert int(tags["dagster/max_runtime"]) == int(tags["timeout_s"]) > 0
    assert int(tags["dagster/priority"]) >= 0 or tags["aura/class"] == "batch"


@pytest.mark.parametrize(
    "job", [j for j in jobs.JOBS if j is not jobs.retention], ids=lambda job: job.name
)
def test_every_job_of_assets_knows_its_worker(job: dg.JobDefinition) -> None:
    tags = job.tags or {}
    worker = WORKERS[tags["worker"]]

    assert tags["dagster/max_runtime"] == str(worker.timeout_s)
    waits = tags.get("aura/class") == "batch"  # behind what a person or the clock asks for
    assert tags["dagster/priority"] == ("-10" if waits else str(worker.priority))


@pytest.mark.parametrize("declared", DECLARED, ids=lambda d: d.definition.name)
def test_every_schedule_declares_where_it_exists_and_runs_there(declared: object) -> None:
    assert declared.environments == {"local", "production"}
    assert declared.definition.default_status is dg.DefaultScheduleStatus.RUNNING
    assert declared.definition.execution_timezone == "UTC"


def test_no_schedule_exists_in_the_test_environment() -> None:
    repository = build_defs(environment="test").get_repository_def()

    assert list(repository.schedule_defs) == []


def test_no_two_schedules_share_a_minute() -> None:
    minutes: list[int] = []
    for declared in DECLARED:
        if declared.definition.job_name == jobs.archive.name:
            continue  # once a month, at an hour of its own
        minute, hour = str(declared.definition.cron_schedule).split()[:2]
        del hour
        if minute.startswith("2-57/5"):
            minutes += range(2, 58, 5)
        else:
            minutes += [int(m) for m in minute.split(",")]

    assert len(minutes) == len(set(minutes))
    assert 0 not in minutes


# What each kind of document tells of, and where that comes from.
OBSERVED_BY = {
    "last_fetch": "collection/twitch_streams",
    "streams": "collection/twitch_streams",
    "top_games": "collection/twitch_top_games",
    "competition": "collection/twitch_streams",
    "clips": "collection/clip_radar",
    "viral_clips": "intelligence/clip_intel",
    "trending": "collection/youtube_trending",
    "games": "collection/youtube_games",
    "viral": "intelligence/viral_scores",
    "title": "intelligence/title_intel",
    "video_ideas": "intelligence/video_ideas",
    "format": "intelligence/content_formats",
    "category_stats": "intelligence/category_stats",
    "baseline": "intelligence/category_stats",
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_document_is_renewed_before_it_is_stale(
    kind: str, defs: dg.Definitions
) -> None:
    publishers = {"reporting/hot_documents"} | {
        asset for asset, kinds in PUBLISHED_AFTER_CRAWLS.items() if kind in kinds
    }

    assert _longest_pause({OBSERVED_BY[kind]}, defs) <= KINDS[kind].fresh_for
    assert _longest_pause(publishers, defs) <= KINDS[kind].fresh_for


def _longest_pause(assets: set[str], defs: dg.Definitions) -> timedelta:
    """Return the longest time in two days in which no schedule launches any of these assets."""
    ticks: set[str] = set()
    start, fmt = datetime(2026, 11, 21, tzinfo=UTC), "%Y-%m-%dT%H:%M"
    for schedule in defs.get_repository_def().schedule_defs:
        job = defs.resolve_job_def(schedule.job_name)
        if assets & {key.to_user_string() for key in job.asset_layer.executable_asset_keys}:
            cron = dg.TimeWindowPartitionsDefinition(
                start=start,
                end=start + timedelta(days=2),
                cron_schedule=str(schedule.cron_schedule),
                fmt=fmt,
            )
            ticks |= set(cron.get_partition_keys())
    assert ticks, f"nothing launches {assets}"
    ordered = [datetime.strptime(tick, fmt).replace(tzinfo=UTC) for tick in sorted(ticks)]
    return max(after - before for before, after in pairwise(ordered))


def test_each_build_is_a_fresh_graph() -> None:
    assert build_defs(environment="local") is not build_defs(environment="local")


def test_an_asset_that_breaks_the_naming_law_is_refused() -> None:
    with pytest.raises(ValueError, match="breaks the naming law"):
        apply_policies(dg.AssetSpec(["scores", "viral"]))


def test_an_asset_without_a_worker_is_refused() -> None:
    with pytest.raises(ValueError, match="has no worker"):
        apply_policies(dg.AssetSpec(["intelligence", "nobody"]))


def test_the_graph_loads_without_any_server_or_setting(tmp_path: Path) -> None:
    program = (
        "import socket\n"
        "def refuse(*_): raise AssertionError('the graph reached for the network')\n"
        "socket.socket.connect = refuse\n"
        "from aurastream_assets.definitions import defs\n"
        "defs.get_repository_def().load_all_definitions()\n"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        cwd=REPO_ROOT,
        env={"PATH": "", "HOME": str(tmp_path), "AURASTREAM_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr


def _said_after_loading(program: str, home: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", f"import aurastream_assets.definitions\n{program}"],
        cwd=REPO_ROOT,
        env={"PATH": "", "HOME": str(home), "AURASTREAM_DATA_DIR": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def test_loading_the_graph_imports_nothing_heavy(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "heavy = {'numba', 'scipy', 'sklearn', 'matplotlib', 'cv2', 'PIL', 'onnxruntime',\n"
        "         'dbt', 'dagster_dbt', 'jinja2', 'sqlglot', 'duckdb', 'limits', 's3fs',\n"
        "         'httpcore', 'h2', 'starlette', 'typer', 'alembic', 'dagster_postgres'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    assert _said_after_loading(program, tmp_path) == "[]"


def test_what_loading_the_graph_made_is_never_looked_through_for_garbage(tmp_path: Path) -> None:
    # Least of all at the end of the process, where it took a second.
    program = (
        "import gc\n"
        "from aurastream_assets.definitions import defs\n"
        "looked_at = {id(kept) for kept in gc.get_objects()}\n"
        "print(id(defs) in looked_at, gc.isenabled())\n"
    )
    assert _said_after_loading(program, tmp_path) == "False True"


def test_dagster_validates_the_workspace(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(Path(sys.executable).parent / "dagster"), "definitions", "validate"],
        cwd=REPO_ROOT,
        env={"PATH": "", "HOME": str(tmp_path), "AURASTREAM_DATA_DIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
