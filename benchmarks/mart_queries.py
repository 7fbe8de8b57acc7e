"""Marts under eight analysts, an hour and 90 days of rollups: 1,000 games, hourly, 90 days.

The baseline of a query is the limit that an analyst may feel, the baseline of a rollup the time it
may take; the ratio says how many times over ours fits into it.
"""

import datetime as dt
import random
import statistics
import threading
import time
from typing import Any

import psycopg

from aurastream.store.urls import reader_url
from benchmarks._mart_record import (
    HOURS,
    VIEWS,
    analyze,
    record,
    synthetic_days,
    synthetic_hours,
    synthetic_windows,
)

_GAMES = 1000
_DAYS = 90
_VIDEOS = 50
_ANALYSTS = 8
_QUERIES = 40
_LIMIT_S = 0.1
_HOUR_LIMIT_S = 10.0
_ROLLUP_LIMIT_S = 60.0

_QUESTIONS = {
    "taking_off_now": "select * from marts.taking_off_now where category_key = %s",
    "posting_times": "select * from marts.posting_times where category_key = %s "
    "and language = 'all' order by index_low desc nulls last",
    "streaming_times": "select * from marts.streaming_times where category_key = %s "
    "and language = 'en' order by index_low desc nulls last",
    "format_performance": "select * from marts.format_performance where category_key = %s",
    "rising_channels": "select * from marts.rising_channels where category_key = %s",
    "competition_over_time": "select * from marts.competition_over_time where category_key = %s "
    "order by date",
    "top_viral_videos": "select * from marts.top_viral_videos where category_key = %s",
    "series_coverage": "select * from marts.series_coverage where category_key = %s",
    "hours of a game": "select hour_start, viral_count, avg_views, coverage_pct "
    "from aggregation.intel_hourly_metrics where category_key = %s order by hour_start",
    "languages": "select * from aggregation.intel_regional_performance where category_key = %s "
    "and date = (select max(date) from aggregation.intel_regional_performance)",
    "get_optimal_duration": "select * from aggregation.get_optimal_duration(%s, 28)",
    "trending_categories (all games)": "select * from marts.trending_categories "
    "where %s <> '' order by momentum_index desc nulls last limit 20",
}


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Measure with ``n`` games, 1,000 by default."""
    games = n or _GAMES
    midnight = dt.datetime.now(dt.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    start = midnight - dt.timedelta(days=_DAYS)
    with record(games) as (url, runner):
        hours = synthetic_hours(url, games=games, start=start, end=midnight)
        now = dt.datetime.now(dt.UTC).replace(minute=0, second=0, microsecond=0)
        synthetic_windows(
            url, games=games, videos=_VIDEOS, start=now - dt.timedelta(hours=1), end=now
        )
        analyze(url)
        results = [
            _timed(
                "dbt run of one hour, with the load of dbt",
                games,
                _HOUR_LIMIT_S,
                lambda: runner.build([HOURS], start=now - dt.timedelta(hours=1), end=now),
            ),
            _timed(
                "rollup of 90 days of hours into days",
                hours,
                _ROLLUP_LIMIT_S,
                lambda: runner.build(["intel_daily_metrics"], start=start, end=midnight),
            ),
        ]
        synthetic_days(url, games=games, start=start, end=midnight)
        runner.build(VIEWS)
        analyze(url)
        return [*results, *_asked(url, games)]


def _timed(name: str, n: int, limit: float, call: Any) -> dict[str, Any]:  # noqa: ANN401 # any call
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - started)
    return _result(name, n, max(seconds), limit, "allowed")


def _asked(url: str, games: int) -> list[dict[str, Any]]:
    """Let eight analysts ask every question about games of their choice, all at once."""
    seconds: dict[str, list[float]] = {name: [] for name in _QUESTIONS}
    failures: list[Exception] = []

    def analyst(seed: int) -> None:
        chance = random.Random(seed)  # noqa: S311 # a choice of games, no secret
        try:
            with psycopg.connect(reader_url(url), autocommit=True) as connection:
                for _ in range(_QUERIES):
                    for name in chance.sample(list(_QUESTIONS), len(_QUESTIONS)):
                        game = f"game{chance.randint(1, games)}"
                        started = time.perf_counter()
                        connection.execute(_QUESTIONS[name], (game,)).fetchall()  # type: ignore[arg-type]
                        seconds[name].append(time.perf_counter() - started)
        except psycopg.Error as error:
            failures.append(error)

    threads = [threading.Thread(target=analyst, args=(seed,)) for seed in range(_ANALYSTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return [
        _result(f"p95 of 8 analysts: {name}", games, _p95(found), _LIMIT_S, "allowed")
        for name, found in seconds.items()
    ]


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
