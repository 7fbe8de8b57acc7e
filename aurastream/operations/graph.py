"""Driving the running graph from outside, through the webserver's GraphQL API.

Runs that are launched here pass the same queue as everybody else's: they show in the UI, can be
re-executed there, and survive the process that asked for them.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx

from aurastream.core.errors import AuraStreamError

__all__ = ["Graph", "GraphAwayError", "GraphError", "KeyRange", "missing_ranges", "moment_of"]

_POLL_S: Final = 0.25
# Runs take seconds to minutes, and each question costs the webserver what they could use.
_RUNS_POLL_S: Final = 0.5
# How long a webserver may be silent to who waits for runs: they go on without it.
_SILENCE_S: Final = 300.0
# How long the daemon may take to queue what replaces a run.
_REPLACED_S: Final = 90.0
_SAID_S: Final = 5.0
# After Postgres was away, each connection that the webserver kept fails one question.
_ASKED_AGAIN_AFTER_S: Final = (0.25, 0.5, 1.0, 2.0)
_ENDED: Final = frozenset({"SUCCESS", "FAILURE", "CANCELED"})
_CODE_VERSION: Final = "dagster/code_version"
_IS_REPLACED: Final = "dagster/will_retry"
_REPLACED_BY: Final = "dagster/auto_retry_run_id"
_RANGE_START: Final = "dagster/asset_partition_range_start"
_RANGE_END: Final = "dagster/asset_partition_range_end"

_LOCATION: Final = """
query Location {
  workspaceOrError {
    ... on Workspace {
      locationEntries {
        name
        loadStatus
        locationOrLoadError { __typename ... on PythonError { message } }
      }
    }
    ... on PythonError { message }
  }
}
"""
_RELOAD: Final = """
mutation Reload($name: String!) {
  reloadRepositoryLocation(repositoryLocationName: $name) { __typename }
}
"""
_SCHEDULES: Final = """
query Schedules($repository: RepositorySelector!) {
  schedulesOrError(repositorySelector: $repository) {
    ... on Schedules {
      results {
        name
        scheduleState { status }
        futureTicks(limit: 1) { results { timestamp } }
      }
    }
    ... on PythonError { message }
    ... on RepositoryNotFoundError { message }
  }
}
"""
_LAUNCH: Final = """
mutation Launch($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on RunConfigValidationInvalid { errors { message } }
    ... on InvalidSubsetError { message }
    ... on PipelineNotFoundError { message }
    ... on UnauthorizedError { message }
  }
}
"""
_STATUS: Final = """
query Status($ids: [String!]!) {
  runsOrError(filter: {runIds: $ids}) {
    ... on Runs { results { runId status } }
    ... on PythonError { message }
  }
}
"""
_TAGS_OF: Final = """
query Tags($id: ID!) {
  runOrError(runId: $id) { ... on Run { tags { key value } } }
}
"""
_FAILURE: Final = """
query Failure($id: ID!) {
  runOrError(runId: $id) {
    ... on Run {
      eventConnection(limit: 1000) {
        events {
          __typename
          ... on ExecutionStepFailureEvent { stepKey error { message cause { message } } }
          ... on RunFailureEvent { message error { message } }
        }
      }
    }
  }
}
"""
_PARTITIONS: Final = """
query Partitions($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    __typename
    ... on AssetNode {
      isMaterializable
      partitionKeys
      assetPartitionStatuses {
        ... on TimePartitionStatuses { ranges { startKey endKey status } }
      }
    }
  }
}
"""
_VERSIONS: Final = """
query Versions($job: PipelineSelector!) {
  assetNodes(pipeline: $job) {
    assetKey { path }
    opVersion
    assetMaterializations(limit: 1) { tags { key value } }
  }
}
"""
_CODE_VERSIONS: Final = """
query CodeVersions {
  assetNodes { assetKey { path } opVersion }
}
"""
_NEWEST: Final = """
query Newest($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode { assetMaterializations(limit: 1) { timestamp } }
  }
}
"""


def _never() -> bool:
    return False


def _unheard(_: "GraphAwayError") -> None:
    pass


class GraphError(AuraStreamError):
    """The graph refused a request, or a run of it failed."""


class GraphAwayError(GraphError):
    """The webserver does not answer."""


@dataclass(frozen=True, slots=True)
class KeyRange:
    """Partition keys from ``start`` to ``end``, both included."""

    start: str
    end: str
    count: int


class Graph:
    """The graph behind one webserver.

    Parameters
    ----------
    url : str
        Base URL of the webserver.
    location : str
        Name of the code location.
    timeout_s : float
        Seconds to wait for an answer.
    on_silence : callable
        Given the error when the webserver stops answering while runs are waited for.
    """

    def __init__(
        self,
        url: str,
        *,
        location: str = "aurastream",
        timeout_s: float = 60,
        on_silence: Callable[["GraphAwayError"], None] = _unheard,
    ) -> None:
        # A proxy of the environment is for the world outside, never for servers of our own.
        is_here = httpx.URL(url).host in ("127.0.0.1", "localhost", "::1")
        self._client = httpx.Client(base_url=url, timeout=timeout_s, trust_env=not is_here)
        self._location = location
        self._on_silence = on_silence

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def wait_loaded(self, *, timeout_s: float, stopped: Callable[[], bool] = _never) -> None:
        """Wait until the webserver has loaded the code location.

        Raises
        ------
        GraphError
            When the location cannot be loaded, with Dagster's reason, or takes too long.
        """
        deadline = time.monotonic() + timeout_s
        while not self._is_loaded():
            if stopped() or time.monotonic() > deadline:
                raise GraphError(
                    f"Dagster has not loaded {self._location} within {timeout_s:g} s.",
                    fix="Look at the logs of code-server and webserver.",
                )
            time.sleep(_POLL_S)

    def _is_loaded(self) -> bool:
        workspace = self._ask(_LOCATION)["workspaceOrError"]
        for entry in workspace.get("locationEntries", ()):
            found = entry["locationOrLoadError"]
            if entry["name"] == self._location and entry["loadStatus"] == "LOADED" and found:
                if found["__typename"] == "PythonError":
                    if "DagsterUserCodeUnreachableError" in found["message"]:
                        # It looked before the code server listened, and would not look again.
                        self._ask(_RELOAD, name=self._location)
                        return False
                    raise GraphError(f"Dagster cannot load {self._location}: {found['message']}")
                return True
        return False

    def is_loaded(self) -> bool:
        """Whether the webserver serves the code location now.

        Raises
        ------
        GraphError
            When the location cannot be loaded, with Dagster's reason.
        """
        return self._is_loaded()

    def next_ticks(self) -> dict[str, datetime]:
        """Return when each schedule that is on ticks next, the soonest first."""
        repository = {
            "repositoryLocationName": self._location,
            "repositoryName": "__repository__",
        }
        answer = self._ask(_SCHEDULES, repository=repository)["schedulesOrError"]
        if "results" not in answer:
            raise GraphError(f"Dagster does not know its schedules: {answer.get('message')}")
        found = {
            str(schedule["name"]): datetime.fromtimestamp(tick["timestamp"], UTC)
            for schedule in answer["results"]
            if schedule["scheduleState"]["status"] == "RUNNING"
            for tick in schedule["futureTicks"]["results"]
        }
        return dict(sorted(found.items(), key=lambda item: (item[1], item[0])))

    def launch(
        self,
        job: str,
        *,
        partition: str | None = None,
        keys: KeyRange | None = None,
        tags: Mapping[str, str] | None = None,
        assets: Iterable[Sequence[str]] = (),
    ) -> str:
        """Queue one run and return its id.

        Parameters
        ----------
        job : str
            Name of the job.
        partition : str, optional
            One partition key.
        keys : KeyRange, optional
            A range of keys, all in this one run.
        tags : mapping of str to str, optional
            Further run tags.
        assets : iterable of sequence of str
            Only these of the job's assets; all by default.

        Raises
        ------
        GraphError
            With Dagster's reason.
        """
        all_tags = dict(tags or {})
        if partition is not None:
            all_tags["dagster/partition"] = partition
        if keys is not None:
            all_tags |= {_RANGE_START: keys.start, _RANGE_END: keys.end}
        selector: dict[str, Any] = dict(self._selector("jobName", job))
        chosen = [{"path": list(key)} for key in assets]
        if chosen:
            selector["assetSelection"] = chosen
        answer = self._ask(
            _LAUNCH,
            params={
                "selector": selector,
                "runConfigData": {},
                "executionMetadata": {
                    "tags": [{"key": key, "value": value} for key, value in all_tags.items()]
                },
            },
        )["launchRun"]
        if answer["__typename"] != "LaunchRunSuccess":
            reasons = [e["message"] for e in answer.get("errors", ())] or [answer.get("message")]
            raise GraphError(f"Dagster refuses the run of {job}: {'; '.join(map(str, reasons))}.")
        return str(answer["run"]["runId"])

    def ended(
        self,
        runs: Iterable[str],
        *,
        timeout_s: float,
        stopped: Callable[[], bool] = _never,
    ) -> Iterator[tuple[str, str]]:
        """Yield each run with its status as soon as it has ended.

        A webserver that is restarted, or too busy to answer, is asked again for five minutes.

        Raises
        ------
        GraphError
            When they take longer than ``timeout_s``, or ``stopped`` says that nobody waits.
        """
        waiting = list(runs)
        answered = time.monotonic()
        deadline = answered + timeout_s
        silent = False
        while waiting:
            try:
                answer = self._ask(_STATUS, ids=waiting)["runsOrError"]
            except GraphAwayError as error:
                if stopped() or time.monotonic() > min(deadline, answered + _SILENCE_S):
                    raise
                if not silent:
                    self._on_silence(error)
                silent = True
                time.sleep(_POLL_S)
                continue
            answered = time.monotonic()
            silent = False
            for run in answer.get("results", ()):
                if run["status"] in _ENDED:
                    waiting.remove(run["runId"])
                    yield run["runId"], run["status"]
            if not waiting:
                return
            if stopped():
                raise GraphError(f"Stopped while {len(waiting)} runs were under way.")
            if time.monotonic() > deadline:
                raise GraphError(
                    f"{len(waiting)} runs have not ended after {timeout_s:g} s.",
                    fix="Look at them in the Dagster UI under Runs.",
                )
            time.sleep(_RUNS_POLL_S)

    def replacement(self, run_id: str, *, timeout_s: float = _REPLACED_S) -> str | None:
        """Return the run that the daemon queues in the place of one that failed; None without one.

        A run whose worker was killed is replaced, one that failed by itself is not.
        """
        failed = time.monotonic()
        while True:
            tags = self._ask(_TAGS_OF, id=run_id)["runOrError"].get("tags", ())
            said = {tag["key"]: tag["value"] for tag in tags}
            if _REPLACED_BY in said:
                return str(said[_REPLACED_BY])
            # Dagster says that a run failed, and only then whether it will be replaced.
            patience = {"true": timeout_s, None: min(timeout_s, _SAID_S)}
            if time.monotonic() > failed + patience.get(said.get(_IS_REPLACED), 0):
                return None
            time.sleep(_POLL_S)

    def explain(self, run_id: str) -> str:
        """Return the first reason why a run failed, '' when it gives none."""
        run = self._ask(_FAILURE, id=run_id)["runOrError"]
        events = run.get("eventConnection", {}).get("events", ())
        for event in events:
            if event["__typename"] == "ExecutionStepFailureEvent" and event["error"]:
                error = event["error"].get("cause") or event["error"]
                return f"{event['stepKey']}: {error['message'].strip()}"
        for event in events:
            if event["__typename"] == "RunFailureEvent":
                return str((event.get("error") or event).get("message", "")).strip()
        return ""

    def is_materialized(self, key: Sequence[str]) -> bool:
        """Return whether an asset was ever materialized."""
        node = self._ask(_NEWEST, key={"path": list(key)})["assetNodeOrError"]
        return bool(node.get("assetMaterializations"))

    def currency(self, job: str) -> dict[tuple[str, ...], bool]:
        """Return, by key, whether an asset of a job was materialized by the code as it is now."""
        found: dict[tuple[str, ...], bool] = {}
        for node in self._ask(_VERSIONS, job=self._selector("pipelineName", job))["assetNodes"]:
            newest = [
                tag["value"]
                for event in node["assetMaterializations"]
                for tag in event["tags"]
                if tag["key"] == _CODE_VERSION
            ]
            found[tuple(node["assetKey"]["path"])] = newest == [node["opVersion"]]
        return found

    def code_versions(self) -> dict[str, str]:
        """Return which code version computes each asset now, by ``stage/table``."""
        nodes = self._ask(_CODE_VERSIONS)["assetNodes"]
        return {
            "/".join(node["assetKey"]["path"]): node["opVersion"]
            for node in nodes
            if node["opVersion"] is not None
        }

    def missing(
        self, key: Sequence[str], start: datetime, end: datetime, *, again: bool = False
    ) -> list[KeyRange]:
        """Return the partitions of an asset in [start, end) that are not materialized.

        With ``again``, all partitions there. None of an asset that has none, or that cannot be
        materialized, because the policy mode forbids it.
        """
        node = self._ask(_PARTITIONS, key={"path": list(key)})["assetNodeOrError"]
        if node["__typename"] != "AssetNode":
            raise GraphError(f"There is no asset {'/'.join(key)}.")
        if not node["partitionKeys"] or not node.get("isMaterializable", True):
            return []
        done = [
            (piece["startKey"], piece["endKey"])
            for piece in node["assetPartitionStatuses"]["ranges"]
            if piece["status"] == "MATERIALIZED" and not again
        ]
        return missing_ranges(node["partitionKeys"], done, start=start, end=end)

    def assets_of(self, job: str) -> list[tuple[str, ...]]:
        """Return the keys of the assets that a job materializes."""
        nodes = self._ask(_VERSIONS, job=self._selector("pipelineName", job))["assetNodes"]
        return [tuple(node["assetKey"]["path"]) for node in nodes]

    def partition_keys(self, key: Sequence[str]) -> list[str]:
        """Return the partition keys of an asset, in the order of time; none without partitions."""
        node = self._ask(_PARTITIONS, key={"path": list(key)})["assetNodeOrError"]
        return list(node.get("partitionKeys", ()))

    def partitioned_asset(self, job: str) -> tuple[str, ...]:
        """Return one of a job's assets that has partitions; they are alike within a job.

        Raises
        ------
        GraphError
            When none has.
        """
        for key in self.assets_of(job):
            if self.partition_keys(key):
                return key
        raise GraphError(f"No asset of {job} has partitions.")

    def window_length(self, key: Sequence[str]) -> timedelta:
        """Return how long one partition of an asset is."""
        first, second = (moment_of(name) for name in self.partition_keys(key)[:2])
        return second - first

    def _selector(self, name: str, job: str) -> dict[str, str]:
        return {
            "repositoryLocationName": self._location,
            "repositoryName": "__repository__",
            name: job,
        }

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:  # noqa: ANN401 # JSON
        # What may have begun something is asked once.
        pauses = () if query.lstrip().startswith("mutation") else _ASKED_AGAIN_AFTER_S
        try:
            for pause in (*pauses, None):
                response = self._client.post(
                    "/graphql", json={"query": query, "variables": variables}
                )
                if pause is None or response.status_code != httpx.codes.INTERNAL_SERVER_ERROR:
                    break
                time.sleep(pause)
            response.raise_for_status()
            answer = response.json()
        except (httpx.HTTPError, ValueError) as error:
            raise GraphAwayError(
                f"The Dagster webserver does not answer: {error}.",
                fix="Look at its log in the data directory.",
            ) from error
        if answer.get("errors"):
            raise GraphError(f"Dagster: {answer['errors'][0]['message']}")
        data: dict[str, Any] = answer["data"]
        return data


def missing_ranges(
    keys: Sequence[str],
    done: Iterable[tuple[str, str]],
    *,
    start: datetime,
    end: datetime,
) -> list[KeyRange]:
    """Return the stretches of consecutive keys in [start, end) that lie in no done range.

    Keys sort as text in the order of time, as all of ours do.

    Examples
    --------
    >>> from datetime import UTC, datetime
    >>> keys = ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04"]
    >>> start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 4, tzinfo=UTC)
    >>> missing_ranges(keys, [("2026-01-02", "2026-01-02")], start=start, end=end)
    [KeyRange(start='2026-01-01', end='2026-01-01', count=1), KeyRange(start='2026-01-03', \
end='2026-01-03', count=1)]
    """
    finished = list(done)
    ranges: list[KeyRange] = []
    stretch: list[str] = []
    for key in keys:
        moment = moment_of(key)
        wanted = start <= moment < end and not any(a <= key <= b for a, b in finished)
        if wanted:
            stretch.append(key)
        elif stretch:
            ranges.append(KeyRange(stretch[0], stretch[-1], len(stretch)))
            stretch = []
    if stretch:
        ranges.append(KeyRange(stretch[0], stretch[-1], len(stretch)))
    return ranges


def moment_of(key: str) -> datetime:
    """Read a partition key: a date, or a date with a time, in UTC.

    Raises
    ------
    GraphError
        When it is none.

    Examples
    --------
    >>> moment_of("2026-11-21-03:30").isoformat(), moment_of("2026-11-21").isoformat()
    ('2026-11-21T03:30:00+00:00', '2026-11-21T00:00:00+00:00')
    """
    text = key.replace("-", "", 2).replace(":", "").replace("T", "-").replace(" ", "-")
    for form in ("%Y%m%d-%H%M", "%Y%m%d"):
        try:
            return datetime.strptime(text, form).replace(tzinfo=UTC)
        except ValueError:
            continue
    raise GraphError(f"The partition key {key!r} is not a time.")
