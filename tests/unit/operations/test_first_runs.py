"""What a start plans, given what the graph says it has: asked over HTTP, as of the webserver."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from aurastream.operations.first_runs import PlannedRun, plan_backfill, plan_runs, ready
from aurastream.operations.graph import Graph

_NOW = datetime(2026, 11, 21, 3, 40, tzinfo=UTC)
_START = _NOW.replace(minute=0) - timedelta(days=2)
_MARTS = ("quota_status", "taking_off_now")


def _keys(step: timedelta, form: str) -> list[str]:
    first = datetime(2026, 11, 16, tzinfo=UTC)
    count = (_NOW - first) // step + 1
    return [(first + n * step).strftime(form) for n in range(count)]


_PARTITIONS = {
    "opportunity": _keys(timedelta(minutes=30), "%Y-%m-%d-%H:%M"),
    "competition": _keys(timedelta(minutes=30), "%Y-%m-%d-%H:%M"),
    "content_formats": _keys(timedelta(hours=4), "%Y-%m-%d-%H:%M"),
    "clip_hours": _keys(timedelta(hours=4), "%Y-%m-%d-%H:%M"),
    "thumbnail_intel": _keys(timedelta(hours=4), "%Y-%m-%d-%H:%M")[:-1],
    "prediction_backtest": _keys(timedelta(days=1), "%Y-%m-%d")[:-1],
    "intel_hourly_metrics": _keys(timedelta(hours=1), "%Y-%m-%d-%H:%M"),
    "intel_collection_hours": _keys(timedelta(hours=1), "%Y-%m-%d-%H:%M"),
    "intel_daily_metrics": _keys(timedelta(days=1), "%Y-%m-%d"),
    "intel_competition_days": _keys(timedelta(days=1), "%Y-%m-%d"),
}


# Besides the assets that speak for a job, one that speaks for none, and one without partitions.
_PARTITIONS["title_intel"] = _PARTITIONS["content_formats"]
_PARTITIONS["description_features"] = []
_JOBS = {
    "rescore": ("competition", "opportunity"),
    "analyses": ("clip_hours", "content_formats", "description_features", "title_intel"),
    "hourly_rollup": ("intel_collection_hours", "intel_hourly_metrics"),
    "daily_rollup": ("intel_competition_days", "intel_daily_metrics"),
    "learning": ("prediction_backtest",),
}


class Webserver:
    """What a webserver answers about a graph with this much materialized."""

    def __init__(self) -> None:
        self.collected: set[str] = set()
        self.done: dict[str, list[tuple[str, str]]] = {}
        self.published: dict[str, str] = {}
        self.forbidden: set[str] = set()

    def answer(self, query: str, variables: dict[str, Any]) -> dict[str, Any]:
        if "assetNodes" in query:
            job = variables["job"]["pipelineName"]
            if job in _JOBS:
                return {"assetNodes": [{"assetKey": {"path": ["x", n]}} for n in _JOBS[job]]}
            assert job == "publish_marts"
            return {"assetNodes": [self._mart(name) for name in _MARTS]}
        name = variables["key"]["path"][-1]
        if "partitionKeys" not in query:
            events = [{"timestamp": "1"}] if name in self.collected else []
            return {"assetNodeOrError": {"assetMaterializations": events}}
        ranges = [
            {"startKey": start, "endKey": end, "status": "MATERIALIZED"}
            for start, end in self.done.get(name, ())
        ]
        return {
            "assetNodeOrError": {
                "__typename": "AssetNode",
                "isMaterializable": name not in self.forbidden,
                "partitionKeys": _PARTITIONS[name],
                "assetPartitionStatuses": {"ranges": ranges} if _PARTITIONS[name] else {},
            }
        }

    def _mart(self, name: str) -> dict[str, Any]:
        version = self.published.get(name)
        tags = [{"key": "dagster/code_version", "value": version}]
        return {
            "assetKey": {"path": ["marts", name]},
            "opVersion": "v2",
            "assetMaterializations": [{"tags": tags}] if version else [],
        }

    def finish(self) -> None:
        self.collected = {"youtube_games", "twitch_streams", "clip_radar", "thumbnail_intel"}
        self.done = {name: [(keys[0], keys[-1])] for name, keys in _PARTITIONS.items() if keys}
        self.published = dict.fromkeys(_MARTS, "v2")


@pytest.fixture
def webserver() -> Webserver:
    return Webserver()


@pytest.fixture
def graph(webserver: Webserver) -> Iterator[Graph]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            body = json.dumps({"data": webserver.answer(asked["query"], asked["variables"])})
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        with closing(Graph(f"http://127.0.0.1:{server.server_port}")) as found:
            yield found
        server.shutdown()
        thread.join()


@pytest.fixture
def plan(graph: Graph) -> Callable[..., list[PlannedRun]]:
    return lambda marts=_MARTS, **more: plan_runs(
        graph, start=_START, now=_NOW, marts=marts, **more
    )


def test_a_first_start_plans_everything_that_the_history_has_no_result_of(
    plan: Callable[..., list[PlannedRun]],
) -> None:
    runs = {run.job: run for run in plan(marts=())}
    assert list(runs) == [
        *("rescore", "games_reconcile", "streams", "clips"),
        *("hourly_rollup", "analyses", "daily_rollup", "signal"),
        *("publish_marts", "thumbnails", "learning"),
    ]
    assert runs["thumbnails"].partition == "2026-11-20-20:00"
    assert runs["learning"].label == "learning, 2 partitions from 2026-11-19"
    scores, analyses, hours = (runs[j].keys for j in ("rescore", "analyses", "hourly_rollup"))
    assert scores is not None
    assert (scores.start, scores.end) == ("2026-11-19-03:00", "2026-11-21-03:00")
    assert analyses is not None
    assert (analyses.start, analyses.end) == ("2026-11-19-00:00", "2026-11-20-20:00")
    assert hours is not None
    assert (hours.end, runs["signal"].partition) == ("2026-11-21-02:00", "2026-11-21-03:30")


def test_a_run_begins_when_all_that_it_reads_has_ended(
    plan: Callable[..., list[PlannedRun]],
) -> None:
    runs = {run.job: run for run in plan(marts=())}
    waiting = list(runs.values())

    def begin(*ended: str) -> set[str]:
        for job in ended:
            running.remove(runs[job])
        begun = ready(waiting, running)
        running.extend(begun)
        for run in begun:
            waiting.remove(run)
        return {run.job for run in begun}

    running: list[PlannedRun] = []
    assert begin() == {"rescore", "games_reconcile", "streams", "clips", "learning"}
    assert begin("games_reconcile", "streams") == set()
    assert begin("rescore") == {"hourly_rollup", "analyses", "thumbnails"}
    assert begin("clips") == {"signal"}
    assert begin("hourly_rollup") == {"daily_rollup"}
    assert begin("analyses", "signal", "learning") == set()
    assert begin("daily_rollup") == {"publish_marts"}
    assert waiting == []


def test_a_start_in_strict_mode_computes_what_the_mode_permits(
    webserver: Webserver, plan: Callable[..., list[PlannedRun]]
) -> None:
    permitted = {"competition", "clip_hours", "intel_collection_hours", "intel_competition_days"}
    webserver.forbidden = set(_PARTITIONS) - permitted
    webserver.published = dict.fromkeys(_MARTS, "v2")
    assert [run.job for run in plan()] == [
        *("rescore", "games_reconcile", "streams", "clips"),
        *("hourly_rollup", "analyses", "daily_rollup", "signal"),
    ]


def test_a_start_that_finds_everything_in_place_runs_nothing(
    webserver: Webserver, plan: Callable[..., list[PlannedRun]]
) -> None:
    webserver.finish()
    assert plan() == []


def test_what_a_schedule_scored_of_the_present_without_a_collector_is_scored_again(
    webserver: Webserver, plan: Callable[..., list[PlannedRun]]
) -> None:
    webserver.finish()
    webserver.collected.remove("twitch_streams")
    assert plan() == [
        PlannedRun("streams"),
        PlannedRun("signal", partition="2026-11-21-03:30"),
    ]
    assert plan(platforms=["youtube"]) == []


@pytest.mark.parametrize(
    ("version", "marts"),
    [("v1", _MARTS), ("", _MARTS), ("v2", ("quota_status",))],
    ids=["another version", "never published", "a view is gone"],
)
def test_marts_that_are_not_those_of_the_code_are_published_again(
    webserver: Webserver,
    plan: Callable[..., list[PlannedRun]],
    version: str,
    marts: tuple[str, ...],
) -> None:
    webserver.finish()
    webserver.published["taking_off_now"] = version
    assert plan(marts=marts) == [PlannedRun("publish_marts")]


def test_gaps_of_one_stage_go_side_by_side_and_stages_one_after_another(
    webserver: Webserver, graph: Graph
) -> None:
    webserver.finish()
    windows = _PARTITIONS["opportunity"]
    webserver.done["opportunity"] = [
        (windows[0], "2026-11-20-03:00"),
        ("2026-11-20-05:00", "2026-11-20-09:00"),
        ("2026-11-20-11:00", windows[-1]),
    ]
    webserver.done["intel_daily_metrics"] = []
    webserver.done["prediction_backtest"] = [("2026-11-16", "2026-11-19")]
    groups = plan_backfill(graph, start=_START, end=_NOW)
    assert [[run.label for run in group] for group in groups] == [
        [
            "rescore, 3 partitions from 2026-11-20-03:30",
            "rescore, 3 partitions from 2026-11-20-09:30",
        ],
        ["daily_rollup, 2 partitions from 2026-11-19"],
        ["learning, 1 partition from 2026-11-20"],
    ]
    again = plan_backfill(graph, start=_START, end=_NOW, again=True)
    jobs = [group[0].job for group in again]
    assert jobs == ["rescore", "analyses", "hourly_rollup", "daily_rollup"]


def test_a_backfill_computes_what_one_asset_of_a_job_lacks(
    webserver: Webserver, graph: Graph
) -> None:
    webserver.finish()
    windows = _PARTITIONS["title_intel"]
    webserver.done["title_intel"] = [(windows[0], "2026-11-20-08:00")]
    webserver.done["clip_hours"] = [
        (windows[0], "2026-11-20-04:00"),
        ("2026-11-20-12:00", windows[-1]),
    ]
    [[run]] = plan_backfill(graph, start=_START, end=_NOW)
    assert run.label == "analyses, 4 partitions from 2026-11-20-08:00"
