"""Whether what is said of unusual audiences can be believed."""

from typing import Final

import dagster as dg

from aurastream_assets.intelligence.query_checks import (
    QueryCheck,
    accepted,
    all_zero,
    unrefused,
    window_checks,
)

__all__ = ["anomaly_checks"]

_FLOOD_WARNS: Final = 0.3
_FEW: Final = 20

_CHECKS: Final = (
    QueryCheck(
        "viewer_anomalies",
        "range",
        "Scores lie between 0 and 100, and every crawl lies in its window.",
        """
        select count(*) filter (
                   where anomaly_score not between 0 and 100 or anomaly_score = 'NaN'
                      or zscore_score not between 0 and 100
                      or percent_change_score not between 0 and 100
                      or moving_average_score not between 0 and 100
                      or quantile_score not between 0 and 100
               ) as out_of_range,
               count(*) filter (where viewers < 0 or baseline_viewers < 0) as negative,
               count(*) filter (
                   where crawl_at < window_start or crawl_at >= window_start + interval '30 minutes'
               ) as elsewhere
        from intelligence.viewer_anomalies
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("out_of_range", "negative", "elsewhere"),
    ),
    QueryCheck(
        "viewer_anomalies",
        "agreement",
        "Score, direction, deviation and the strategies' own scores say the same.",
        """
        select count(*) filter (
                   where (direction = 'UNKNOWN') <> (anomaly_score is null)
                      or (direction = 'UNKNOWN') <> (known_count = 0)
                      or (anomaly_score is null) <> (strategy is null)
               ) as unfounded,
               count(*) filter (
                   where (direction in ('SPIKE', 'DROP')) <> (anomaly_count > 0)
                      or direction in ('SPIKE', 'DROP') <> coalesce(anomaly_score >= 50, false)
                      or direction = 'SPIKE' and z <= 0 or direction = 'DROP' and z >= 0
               ) as contradictory,
               count(*) filter (
                   where anomaly_score <> greatest(
                       zscore_score, percent_change_score, moving_average_score, quantile_score
                   )
                      or known_count <> num_nonnulls(
                       zscore_score, percent_change_score, moving_average_score, quantile_score
                   )
               ) as miscounted
        from intelligence.viewer_anomalies
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("unfounded", "contradictory", "miscounted"),
    ),
    QueryCheck(
        "viewer_anomalies",
        "coverage",
        "Every game whose streams were found in a window has streams in it, or was refused.",
        f"""
        with expected as (
            select distinct
                date_bin('30 minutes', c.crawl_at, timestamptz '2000-01-01Z') as window_start,
                c.category
            from operations.crawls c
            where c.dataset = 'collection/twitch_streams' and c.got > 0
              and c.crawl_at >= %(start)s and c.crawl_at < %(end)s
        ), got as (
            select distinct window_start, category from intelligence.viewer_anomalies
            where window_start >= %(start)s and window_start < %(end)s
        )
        select count(*) as expected,
               count(*) filter (
                   where g.category is null and {unrefused("viewer_anomalies", "e")}
               ) as missing
        from expected e left join got g using (window_start, category)
        """,  # noqa: S608 # a fragment of ours
        all_zero("missing"),
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "viewer_anomalies",
        "known_share",
        "Of a stream that was seen within the half hour before, something is known.",
        """
        select count(*) as seen_before,
               count(*) filter (where a.direction = 'UNKNOWN') as unknown
        from intelligence.viewer_anomalies a
        where a.window_start >= %(start)s and a.window_start < %(end)s and a.viewers is not null
          and exists (
              select 1 from intelligence.viewer_anomalies b
              where b.window_start >= a.window_start - interval '30 minutes'
                and b.window_start <= a.window_start
                and b.category = a.category and b.stream_id = a.stream_id
                and b.crawl_at >= a.crawl_at - interval '30 minutes' and b.crawl_at < a.crawl_at
                and b.viewers is not null
          )
        """,
        all_zero("unknown"),
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "viewer_anomalies",
        "rare",
        "At most three in ten of the streams that can be judged are called unusual.",
        """
        select count(*) filter (where direction <> 'UNKNOWN') as known,
               count(*) filter (where direction in ('SPIKE', 'DROP')) as called
        from intelligence.viewer_anomalies
        where window_start >= %(start)s and window_start < %(end)s
        """,
        lambda counts: counts["known"] < _FEW or counts["called"] <= _FLOOD_WARNS * counts["known"],
        dg.AssetCheckSeverity.WARN,
    ),
    accepted("viewer_anomalies"),
)

anomaly_checks = window_checks(
    "anomaly_checks",
    _CHECKS,
    description="Ranges, agreement and coverage of unusual audiences in the windows of the run.",
)
