"""Marts under eight analysts, an hour and 90 days of rollups: 1,000 games, hourly, 90 days.

Every mart, every function and every table of the dbt project is asked, the marts also as of an hour
ago. The baseline of a query is the limit that an analyst may feel, the baseline of a rollup the
time it may take; the ratio says how many times over ours fits into it.

Beside it the sources' tables answer what they can of the same questions, from the same rows under
the keys that the sources give them. That ratio is how many times as long they take; it is shown
and not demanded, for what they answer is less: no coverage, no uncertainty, no streams, no past.
Nor are the last part, the marts as of an hour ago after all of two weeks was computed again since,
and what a connection pays when it asks something for the first time.
"""

import datetime as dt
import multiprocessing
import random
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from itertools import repeat
from typing import Any, Self

import psycopg

from aurastream.store.urls import reader_url
from benchmarks._mart_record import (
    COLLECTION_HOURS,
    HOURS,
    INSIGHTS,
    RELATIONS,
    VIEWS,
    analyze,
    naive_layout,
    record,
    synthetic_days,
    synthetic_hours,
    synthetic_operations,
    synthetic_replacements,
    synthetic_windows,
)

_GAMES = 1000
_DAYS = 90
_VIDEOS = 50
_ANALYSTS = 8
_QUERIES = 40
_TURNS = 2
_LIMIT_S = 0.1
_HOUR_LIMIT_S = 10.0
_ROLLUP_LIMIT_S = 60.0

# How an analyst asks, where it is not simply for the rows of a game.
_WORDED = {
    "intel_collection_hours": "select hour_start, dataset, units, coverage_pct "
    "from aggregation.intel_collection_hours where %s <> '' order by hour_start",
    "posting_times": "select * from marts.posting_times where category_key = %s "
    "and language = 'all' order by index_low desc nulls last",
    "streaming_times": "select * from marts.streaming_times where category_key = %s "
    "and language = 'en' order by index_low desc nulls last",
    "competition_over_time": "select * from marts.competition_over_time where category_key = %s "
    "order by date",
    "trending_categories": "select * from marts.trending_categories "
    "where %s <> '' order by momentum_index desc nulls last limit 20",
    "intel_hourly_metrics": "select hour_start, viral_count, avg_views, coverage_pct "
    "from aggregation.intel_hourly_metrics where category_key = %s order by hour_start",
    "intel_regional_performance": "select * from aggregation.intel_regional_performance "
    "where category_key = %s "
    "and date = (select max(date) from aggregation.intel_regional_performance)",
}
_FUNCTIONS = {
    "get_optimal_duration": "select * from aggregation.get_optimal_duration(%s, 28)",
    "get_trending_categories": "select * from aggregation.get_trending_categories(7) "
    "where %s <> '' limit 20",
}
_AS_OF = "marts.{}_as_of(now() - interval '1 hour')"
# What the sources' tables can say to the same question.
_NAIVE = {
    "taking_off_now": """
        with marked as (
            select video_id, captured_at, view_count,
                   max(captured_at) over () as newest
            from naive.video_snapshots where category = %s
        ), paces as (
            select video_id,
                   max(view_count) filter (where captured_at = newest)
                   - max(view_count) filter (where captured_at = newest - interval '6 hours')
                       as now_gain,
                   max(view_count) filter (where captured_at = newest - interval '24 hours')
                   - max(view_count) filter (where captured_at = newest - interval '30 hours')
                       as before_gain
            from marked group by video_id
        )
        select percentile_cont(0.5) within group (order by ln((1.0 + now_gain) / (1 + before_gain)))
        from paces where now_gain >= 0 and before_gain >= 0
    """,
    "top_viral_videos": """
        select distinct on (video_id) *,
               view_count / greatest(
                   extract(epoch from captured_at - published_at) / 3600, 1
               ) as velocity
        from naive.video_snapshots
        where category = %s and captured_at > now() - interval '2 hours'
        order by video_id, captured_at desc limit 50
    """,
    "rising_channels": """
        select channel_id, count(distinct video_id), max(view_count)
        from naive.video_snapshots where category = %s
        group by channel_id order by 3 desc limit 20
    """,
    "posting_times": """
        select extract(isodow from hour_timestamp at time zone 'UTC') as day,
               extract(hour from hour_timestamp at time zone 'UTC') as hour,
               avg(avg_views) / avg(avg(avg_views)) over () as performance_index, count(*)
        from naive.intel_hourly_metrics where category_key = %s
        group by 1, 2 order by 3 desc nulls last
    """,
    "intel_hourly_metrics": "select hour_timestamp, viral_count, avg_views "
    "from naive.intel_hourly_metrics where category_key = %s order by hour_timestamp",
    "intel_regional_performance": "select * from naive.intel_regional_performance "
    "where category_key = %s "
    "and date = (select max(date) from naive.intel_regional_performance)",
    "get_optimal_duration": """
        select bucket_label, avg(performance_index), sum(video_count)
        from naive.intel_duration_performance
        where category_key = %s and date >= current_date - 28
        group by bucket_label having sum(video_count) >= 5 order by 2 desc
    """,
    "get_trending_categories": """
        select category_key, avg(avg_viral_count) * 10 + greatest(max(views_trend), 0) as score
        from naive.intel_daily_metrics
        where %s <> '' and date >= current_date - 7
        group by category_key order by 2 desc nulls last limit 20
    """,
}


def questions() -> dict[str, str]:
    """Return a question to every table, view and function of the dbt project, by name."""
    asked: dict[str, str] = {}
    for schema, name, has_category in RELATIONS:
        where = "category_key = %s" if has_category else "%s <> ''"
        worded = _WORDED.get(name, f"select * from {schema}.{name} where {where}")  # noqa: S608 # ours
        asked[name] = worded
        if schema == "marts":
            asked[f"{name}_as_of"] = worded.replace(f"marts.{name}", _AS_OF.format(name))
    return asked | _FUNCTIONS


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure with ``n`` games, 1,000 by default."""
    games = n or _GAMES
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - dt.timedelta(days=_DAYS)
    with record(games) as (url, runner):
        hours = synthetic_hours(url, games=games, start=start, end=midnight)
        now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
        # The hour that is rolled up, the windows that a day ago is compared with, all by the hour.
        windows = [now - dt.timedelta(minutes=30)]
        windows += [now - dt.timedelta(hours=ago) for ago in range(1, 32)]
        synthetic_windows(url, games=games, videos=_VIDEOS, windows=windows, end=now)
        synthetic_operations(url, games=games, end=now)
        analyze(url)
        results = [
            _timed(
                "dbt run of one hour, with the load of dbt",
                games,
                _HOUR_LIMIT_S,
                lambda: runner.build(
                    [HOURS, COLLECTION_HOURS], start=now - dt.timedelta(hours=1), end=now
                ),
            ),
            _timed(
                "rollup of 90 days of hours into days",
                hours,
                _ROLLUP_LIMIT_S,
                lambda: runner.build(["intel_daily_metrics"], start=start, end=midnight),
            ),
        ]
        synthetic_days(url, games=games, start=start, end=midnight)
        runner.build([COLLECTION_HOURS], start=now - dt.timedelta(days=31), end=now)
        runner.build([INSIGHTS], start=midnight - dt.timedelta(days=31), end=midnight)
        runner.build(VIEWS)
        naive_layout(url)
        analyze(url)
        naive_s = _naive_rollup(url, games=games, days=_DAYS, end=midnight)
        results.append(_beside("rollup of 90 days", hours, results[1]["ours_s"], naive_s))
        results += _cleanup(url, hours)
        with _Analysts(url, games) as analysts:
            results += _compared(analysts, games)
            replaced = synthetic_replacements(url)
            analyze(url)
            return results + _computed_again(analysts, replaced)


def _naive_rollup(url: str, *, games: int, days: int, end: dt.datetime) -> float:
    """Roll some days up as the sources do, game by game and row by row; return seconds for all."""
    sample = [
        (game, (end - dt.timedelta(days=back)).date())
        for game in range(1, games + 1, max(games // 20, 1))
        for back in range(1, days + 1, 5)
    ]
    with psycopg.connect(url, autocommit=True, options="-c timezone=UTC") as connection:
        connection.execute("create table naive.days (like naive.intel_daily_metrics including all)")
        started = time.perf_counter()
        for game, day in sample:
            mine = f"game{game}", day, day + dt.timedelta(days=1)
            rows = connection.execute(
                "select * from naive.intel_hourly_metrics where category_key = %s "
                "and hour_timestamp >= %s and hour_timestamp < %s",
                mine,
            ).fetchall()
            before = connection.execute(
                "select * from naive.intel_daily_metrics where category_key = %s and date = %s",
                (mine[0], day - dt.timedelta(days=1)),
            ).fetchall()
            viral = sum(row[7] for row in rows) / max(len(rows), 1)
            connection.execute(
                "insert into naive.days values (%s, %s, %s, %s) on conflict (category_key, date) "
                "do update set avg_viral_count = excluded.avg_viral_count",
                (*mine[:2], viral, float(len(before))),
            )
        return (time.perf_counter() - started) * games * days / len(sample)


def _cleanup(url: str, rows: int) -> list[dict[str, Any]]:
    """Let the rules take a day of hours away, and put it back."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into maintenance.retention_rules (table_name, platforms, classes, mode, label, "
            "max_age_hours, decided_by, action, is_computed, reason, evaluated_at) values "
            "('aggregation.intel_hourly_metrics', '', '', 'amended', 'replay', 24 * 89, "
            "'operator', 'delete_rows', true, 'a benchmark', now())"
        )
        connection.execute(
            "insert into maintenance.archive (month, dataset, rows, bytes, files, content_sha256, "
            "schema_version, columns, left_out, path, archived_at) "
            "select date_trunc('month', hour_start at time zone 'UTC')::date, "
            "'aggregation.intel_hourly_metrics', count(*), 0, 0, '', 1, '{}', '{}', '', now() "
            "from aggregation.intel_hourly_metrics group by 1"
        )
        started = time.perf_counter()
        connection.execute("select * from aggregation.cleanup_intel_data()").fetchall()
        seconds = time.perf_counter() - started
        connection.rollback()
    return [_result("cleanup_intel_data()", rows, seconds, _ROLLUP_LIMIT_S, "allowed")]


def _timed(name: str, n: int, limit: float, call: Any) -> dict[str, Any]:  # noqa: ANN401 # any call
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return _result(name, n, max(seconds), limit, "allowed")


def _compared(analysts: "_Analysts", games: int) -> list[dict[str, Any]]:
    """Ask ours and the sources' layout in turns, so that the machine is the same to both."""
    ours, naive = questions(), _NAIVE
    seconds: dict[str, list[float]] = {name: [] for name in ours}
    naive_seconds: dict[str, list[float]] = {name: [] for name in naive}
    firsts: list[float] = []
    for turn in range(_TURNS):
        for name, found in analysts.ask(ours).items():
            seconds[name] += [s for mine in found for s in mine]
            firsts += [mine[0] for mine in found] if turn == 0 else []
        for name, found in analysts.ask(naive).items():
            naive_seconds[name] += [s for mine in found for s in mine]
    limits = [
        _result(f"p95 of 8 analysts: {name}", games, _p95(found), _LIMIT_S, "allowed")
        for name, found in seconds.items()
    ]
    # The server reads what it has to know of each table once for each connection.
    first = _shown("p95 of what a connection asks for the first time", games, _p95(firsts))
    return [
        *limits,
        first,
        *(
            _beside(name, games, _p95(seconds[name]), _p95(found))
            for name, found in naive_seconds.items()
        ),
    ]


def _computed_again(analysts: "_Analysts", replaced: int) -> list[dict[str, Any]]:
    """Ask the marts of the past that has to be read from what was replaced since."""
    past = {name: query for name, query in questions().items() if name.endswith("_as_of")}
    return [
        _shown(f"computed again since: {name}", replaced, _p95([s for mine in found for s in mine]))
        for name, found in analysts.ask(past).items()
    ]


class _Analysts:
    """Eight of them, who stay connected, each a process.

    Threads of one would wait for its lock, which no two analysts share.
    """

    def __init__(self, url: str, games: int) -> None:
        context = multiprocessing.get_context("spawn")
        everyone = context.Barrier(_ANALYSTS)
        self._pool = ProcessPoolExecutor(
            _ANALYSTS, context, initializer=_connect, initargs=(reader_url(url), everyone)
        )
        self._games, self._asked = games, 0

    def ask(self, asked: dict[str, str]) -> dict[str, list[list[float]]]:
        """Ask every question about games of their choice, all at once; seconds of each analyst."""
        seeds = range(self._asked, self._asked + _ANALYSTS)
        self._asked += _ANALYSTS
        sessions = list(self._pool.map(_session, repeat(asked), repeat(self._games), seeds))
        return {name: [session[name] for session in sessions] for name in asked}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown()


_own: dict[str, Any] = {}


def _connect(url: str, everyone: Any) -> None:  # noqa: ANN401 # a barrier of a start method
    _own["everyone"] = everyone
    _own["connection"] = psycopg.connect(url, autocommit=True)


def _session(asked: dict[str, str], games: int, seed: int) -> dict[str, list[float]]:
    """Ask each question some times over, in an order of one's own; return the seconds."""
    _own["everyone"].wait(timeout=60)
    chance = random.Random(seed)  # noqa: S311 # a choice of games
    seconds: dict[str, list[float]] = {name: [] for name in asked}
    for _ in range(_QUERIES // _TURNS):
        for name in chance.sample(list(asked), len(asked)):
            game = f"game{chance.randint(1, games)}"
            started = time.perf_counter()
            _own["connection"].execute(asked[name], (game,)).fetchall()
            seconds[name].append(time.perf_counter() - started)
    return seconds


def _shown(name: str, n: int, seconds: float) -> dict[str, Any]:
    return {**_result(name, n, seconds, _LIMIT_S, "allowed"), "goal": None, "met": None}


def _beside(name: str, n: int, ours: float, naive: float) -> dict[str, Any]:
    shown = _result(f"{name}, beside it", n, ours, naive, "naive layout")
    return {**shown, "goal": None, "met": None}


def _p95(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]


def _result(name: str, n: int, ours: float, limit: float, baseline: str) -> dict[str, Any]:
    return {
        "name": name,
        "n": n,
        "ours_s": ours,
        "baseline": baseline,
        "baseline_s": limit,
        "ratio": limit / ours,
        "goal": 1.0,
        "met": ours <= limit,
    }
