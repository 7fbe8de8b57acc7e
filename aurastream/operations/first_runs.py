"""Materializing the whole graph for the first time, through its own queue.

Collection is asked once for the present; everything after it is computed for every window of the
loaded history that has no result yet. A range of windows is one run, so that it takes seconds; a
run begins as soon as what it reads is there. A start that was interrupted continues where it was,
because only what is missing is planned.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import groupby
from typing import Final

from aurastream.operations.graph import Graph, GraphError, KeyRange
from aurastream.operations.schedule_policy import window_of

__all__ = [
    "PLANNED",
    "READS",
    "PlannedRun",
    "history_start",
    "plan_backfill",
    "plan_runs",
    "ready",
    "run_all",
]

PLANNED: Final = {"aura/planned": "true"}
"""Tag of the runs of a start or a backfill, which computes what follows from them by itself."""

READS: Final[Mapping[str, tuple[str, ...]]] = {
    "signal": ("rescore", "games_reconcile", "streams", "clips"),
    "analyses": ("rescore",),
    "hourly_rollup": ("rescore",),
    "daily_rollup": ("rescore", "hourly_rollup"),
    "publish_marts": ("signal", "analyses", "hourly_rollup", "daily_rollup"),
    "thumbnails": ("rescore",),
}
"""What each job reads of what the others write; what was collected is there before all of them."""

_KEY: Final = "%Y-%m-%d-%H:%M"
_TIMEOUT_S: Final = 900.0
# Two processors, and a run that waits for the database; more would be in one another's way.
_AT_ONCE: Final = 3
_MARTS_JOB: Final = "publish_marts"
# It looks at the newest window alone: once at first, then kept up by its schedule.
_NEWEST_JOB: Final = "thumbnails"
_NEWEST: Final = ("intelligence", "thumbnail_intel")
# What speaks for a job, and what does where the policy mode forbids that.
_LAST: Final = {
    "rescore": (("intelligence", "opportunity"), ("intelligence", "competition")),
    "analyses": (("intelligence", "content_formats"), ("intelligence", "clip_hours")),
    "hourly_rollup": (
        ("aggregation", "intel_hourly_metrics"),
        ("aggregation", "intel_collection_hours"),
    ),
    "daily_rollup": (
        ("aggregation", "intel_daily_metrics"),
        ("aggregation", "intel_competition_days"),
    ),
    "learning": (("intelligence", "prediction_backtest"),),
}
_COLLECTORS: Final = {
    "games_reconcile": ("youtube", "youtube_games"),
    "streams": ("twitch", "twitch_streams"),
    "clips": ("twitch", "clip_radar"),
}


@dataclass(frozen=True, slots=True)
class PlannedRun:
    """One run of a job: of everything, of one partition, or of a range of them."""

    job: str
    partition: str | None = None
    keys: KeyRange | None = None

    @property
    def weight(self) -> int:
        """Return how many partitions it materializes, 1 or more."""
        return self.keys.count if self.keys else 1

    @property
    def label(self) -> str:
        """Return what to call it on a terminal."""
        if self.keys is None:
            return self.job
        many = "s" if self.keys.count > 1 else ""
        return f"{self.job}, {self.keys.count} partition{many} from {self.keys.start}"


def plan_runs(
    graph: Graph,
    *,
    start: datetime,
    now: datetime,
    platforms: Collection[str] = ("youtube", "twitch"),
    marts: Collection[str] = (),
) -> list[PlannedRun]:
    """Plan the runs that bring the graph up to date.

    Parameters
    ----------
    graph : Graph
        The running graph.
    start : datetime
        Beginning of the stored history.
    now : datetime
        The present.
    platforms : collection of str
        The platforms that can be asked.
    marts : collection of str
        Names of the marts that the record has.

    Returns
    -------
    list of PlannedRun
        First what most others wait for.
    """
    window = window_of(now)
    youtube = "youtube" in platforms
    scores, analyses, hours, days, lessons = _stages(graph, start, window, _missing)
    # What was collected once is kept up by its schedule.
    collectors = [
        PlannedRun(job)
        for job, (platform, name) in _COLLECTORS.items()
        if platform in platforms and not graph.is_materialized(("collection", name))
    ]
    # A schedule may have scored the open window, without what these bring.
    is_due = youtube and (collectors or _missing(graph, "rescore", window, now))
    return [
        *scores,
        *collectors,
        *hours,
        *analyses,
        *days,
        *([PlannedRun("signal", partition=window.strftime(_KEY))] if is_due else []),
        *([PlannedRun(_MARTS_JOB)] if _must_publish(graph, marts) else []),
        *((*_newest(graph, window), *lessons) if youtube else ()),
    ]


def plan_backfill(
    graph: Graph, *, start: datetime, end: datetime, again: bool = False
) -> list[list[PlannedRun]]:
    """Plan the runs that compute scores, rollups and what is learned of [start, end).

    What was learned is not computed again: it rests on the 30 days before it, which go.

    Parameters
    ----------
    graph : Graph
        The running graph.
    start, end : datetime
        The stretch of time; windows, hours and days that end after ``end`` are left out.
    again : bool
        Also compute what is materialized already.
    """
    find = partial(_missing, again=True) if again else _lacking
    stages = _stages(graph, start, end, find)
    return [stage for stage in (stages[:-1] if again else stages) if stage]


_Find = Callable[[Graph, str, datetime, datetime], list[KeyRange]]


def _stages(graph: Graph, start: datetime, end: datetime, find: _Find) -> list[list[PlannedRun]]:
    """Return the runs of scores, of analyses, of hours, of days and of what is learned."""
    hour = end.replace(minute=0, second=0, microsecond=0)
    # A first day that is cut off by the start of the history says so in its coverage.
    first_day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    # A window is analysed as it was at its end, so its beginning may lie before the history's.
    first_window, last_window = (m.replace(hour=m.hour - m.hour % 4) for m in (start, hour))
    stages = (
        ("rescore", start, window_of(end)),
        ("analyses", first_window, last_window),
        ("hourly_rollup", start, hour),
        ("daily_rollup", first_day, hour.replace(hour=0)),
        ("learning", first_day, hour.replace(hour=0)),
    )
    return [
        [PlannedRun(job, keys=keys) for keys in find(graph, job, first, last)]
        for job, first, last in stages
    ]


def _missing(
    graph: Graph, job: str, start: datetime, end: datetime, *, again: bool = False
) -> list[KeyRange]:
    """Return what a job has to compute, by the last of its assets that the terms permit."""
    for asset in _LAST[job]:
        if found := graph.missing(asset, start, end, again=again):
            return found
    return []


def _lacking(graph: Graph, job: str, start: datetime, end: datetime) -> list[KeyRange]:
    """Return what any asset of a job lacks: one that failed, or is new, keeps none from the end."""
    found = {
        keys: asset for asset in graph.assets_of(job) for keys in graph.missing(asset, start, end)
    }
    known = graph.partition_keys(next(iter(found.values()))) if found else []
    stretches = groupby(known, lambda key: any(keys.start <= key <= keys.end for keys in found))
    names = [list(stretch) for is_lacking, stretch in stretches if is_lacking]
    return [KeyRange(keys[0], keys[-1], len(keys)) for keys in names]


def _newest(graph: Graph, end: datetime) -> list[PlannedRun]:
    """Return the run of the last window that is over, of what never ran."""
    if graph.is_materialized(_NEWEST):
        return []
    # A window is over when the next has begun.
    missing = graph.missing(_NEWEST, end - timedelta(days=2), end)
    return [PlannedRun(_NEWEST_JOB, partition=keys.end) for keys in missing[-1:]]


def _must_publish(graph: Graph, marts: Collection[str]) -> bool:
    """Return whether the record lacks a mart, or has one of other code."""
    current = graph.currency(_MARTS_JOB)
    return any(not is_current or key[-1] not in marts for key, is_current in current.items())


def ready(waiting: Sequence[PlannedRun], running: Iterable[PlannedRun]) -> list[PlannedRun]:
    """Return the runs that may begin, in their order: nothing that they read is yet to come.

    Parameters
    ----------
    waiting, running : sequence of PlannedRun
        What was not begun, and what was begun and has not ended.

    Examples
    --------
    >>> scores, hours, marts = map(PlannedRun, ("rescore", "hourly_rollup", "publish_marts"))
    >>> [run.job for run in ready([hours, PlannedRun("clips"), scores], [])]
    ['clips', 'rescore']
    >>> ready([hours], [scores])
    []
    >>> [run.job for run in ready([hours, marts], [])]
    ['hourly_rollup']
    """
    to_come = {run.job for run in (*waiting, *running)}
    return [run for run in waiting if not to_come.intersection(READS.get(run.job, ()))]


def run_all(
    graph: Graph,
    runs: Sequence[PlannedRun],
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> Iterator[PlannedRun]:
    """Run each as soon as what it reads is there; yields each once it has succeeded.

    Raises
    ------
    GraphError
        When a run failed, with the first reason it gave.
    """
    waiting = list(runs)
    running: dict[str, PlannedRun] = {}
    while waiting or running:
        for run in ready(waiting, running.values())[: _AT_ONCE - len(running)]:
            waiting.remove(run)
            run_id = graph.launch(run.job, partition=run.partition, keys=run.keys, tags=PLANNED)
            running[run_id] = run
        run_id, status = next(graph.ended(running, timeout_s=_TIMEOUT_S, stopped=stopped))
        run = running.pop(run_id)
        if status != "SUCCESS":
            raise GraphError(
                f"The run of {run.label} ended as {status}. {graph.explain(run_id)}",
                fix="Its log is in the Dagster UI under Runs.",
            )
        yield run


def history_start(now: datetime, days: int) -> datetime:
    """Return where a history of so many days begins."""
    return (now - timedelta(days=days)).replace(minute=0, second=0, microsecond=0)
