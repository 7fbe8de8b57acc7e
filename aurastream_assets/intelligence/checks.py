"""Whether the half-hour scores can be believed: one step checks all five tables."""

from typing import Final

import dagster as dg

from aurastream_assets.intelligence.query_checks import (
    TREBLED,
    QueryCheck,
    accepted,
    all_zero,
    both_above_zero,
    drift,
    ratio_moved,
    unrefused,
    window_checks,
)

__all__ = ["intelligence_checks"]

_UNKNOWN_SHARE_WARNS: Final = 0.5
_FALLEN_SHARE_WARNS: Final = 0.02


_RANGE_OF_VELOCITY: Final = QueryCheck(
    "video_velocity",
    "range",
    "Counters, ages, speeds and rates are not negative, ranks begin at 1, confidence is a share.",
    """
    select count(*) as rows,
           count(*) filter (
               where least(views, likes, comments, duration_s, region_count, velocity_now_n) < 0
                  or least(age_h, lifetime_velocity_per_hour, velocity_now_per_hour,
                           engagement_rate) < 0
                  or best_rank < 1 or velocity_now_span_h <= 0
           ) as negative,
           count(*) filter (
               where 'NaN' in (age_h, lifetime_velocity_per_hour, velocity_now_per_hour,
                               engagement_rate)
                  or 'Infinity' in (age_h, lifetime_velocity_per_hour, velocity_now_per_hour,
                                    engagement_rate)
           ) as no_number,
           count(*) filter (where confidence_pct not between 0 and 100) as out_of_range,
           count(*) filter (
               where (velocity_now_per_hour is null) <> (velocity_now_span_h is null)
                  or (lifetime_velocity_per_hour is not null
                      and (views is null or age_h is null))
           ) as unfounded
    from intelligence.video_velocity
    where window_start >= %(start)s and window_start < %(end)s
    """,
    all_zero("negative", "no_number", "out_of_range", "unfounded"),
)

_DRIFTS: Final = (
    drift(
        "video_velocity",
        "category video_id",
        ratio_moved("lifetime_velocity_per_hour", TREBLED),
        both_above_zero("lifetime_velocity_per_hour") + " and b.age_h >= 2",
        "Few videos are three times as fast, or a third, as half an hour before.",
    ),
    drift(
        "category_stats",
        "category",
        ratio_moved("velocity_p50", TREBLED),
        both_above_zero("velocity_p50") + " and least(a.sample_count, b.sample_count) >= 20",
        "In few categories of 20 videos is the usual velocity three times that, or a third, of "
        "half an hour before.",
    ),
    drift(
        "viral_scores",
        "category video_id",
        "abs(a.viral_score - b.viral_score) > 30",
        "a.viral_score is not null and b.viral_score is not null "
        "and least(a.sample_count, b.sample_count) >= 20",
        "Few scores moved by more than 30 points in half an hour.",
    ),
    drift(
        "competition",
        "category",
        "abs(a.ease_score - b.ease_score) > 25",
        "a.observed_at is not null and b.observed_at is not null",
        "Few games became easier or harder by more than 25 points in half an hour.",
    ),
    drift(
        "opportunity",
        "category",
        "abs(a.opportunity_score - b.opportunity_score) > 25",
        "a.opportunity_score is not null and b.opportunity_score is not null "
        "and a.peak_factor = b.peak_factor",
        "Few opportunities moved by more than 25 points in half an hour.",
    ),
)

_OF_COMPETITION: Final = (
    QueryCheck(
        "competition",
        "coverage",
        "Every game whose streams were found in the day before is observed, or was refused.",
        f"""
        with windows as (
            select generate_series(
                %(start)s::timestamptz,
                %(end)s::timestamptz - interval '30 minutes',
                interval '30 minutes'
            ) as window_start
        ), expected as (
            select distinct w.window_start, c.category
            from windows w
            join operations.crawls c
              on c.crawl_at < w.window_start + interval '30 minutes'
             and c.crawl_at >= w.window_start + interval '30 minutes' - interval '24 hours'
            join operations.categories g
              on g.category = c.category and g.kind = 'game' and g.is_enabled
            where c.dataset = 'collection/twitch_streams' and c.got > 0
        )
        select count(*) as expected, count(*) filter (
                   where n.observed_at is null and {unrefused("competition", "e")}
               ) as missing
        from expected e
        left join (
            select window_start, category, observed_at from intelligence.competition
            where window_start >= %(start)s and window_start < %(end)s
        ) n using (window_start, category)
        """,  # noqa: S608 # a fragment of ours
        all_zero("missing"),
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "competition",
        "known_share",
        "Of most games crawled for nine days it is known how many streams are usual at the hour.",
        """
        select count(*) as expected,
               count(*) filter (where n.baseline_live_count is null) as unknown
        from intelligence.competition n
        where n.window_start >= %(start)s and n.window_start < %(end)s
          and n.observed_at is not null and exists (
              select 1 from operations.crawls c
              where c.dataset = 'collection/twitch_streams' and c.category = n.category
                and c.is_complete and c.crawl_at < n.window_start - interval '9 days'
                and c.crawl_at >= n.window_start - interval '10 days'
          )
        """,
        lambda counts: counts["unknown"] <= _UNKNOWN_SHARE_WARNS * counts["expected"],
        dg.AssetCheckSeverity.WARN,
    ),
)

_CHECKS: Final = (
    _RANGE_OF_VELOCITY,
    *_DRIFTS,
    *_OF_COMPETITION,
    QueryCheck(
        "video_velocity",
        "coverage",
        "Every chart and game that was crawled in the day before a window has videos in it.",
        """
        with windows as (
            select generate_series(
                %(start)s::timestamptz,
                %(end)s::timestamptz - interval '30 minutes',
                interval '30 minutes'
            ) as window_start
        ), expected as (
            select distinct w.window_start, c.category
            from windows w
            join operations.crawls c
              on c.crawl_at < w.window_start + interval '30 minutes'
             and c.crawl_at >= w.window_start + interval '30 minutes' - interval '24 hours'
            where c.dataset in ('collection/youtube_trending', 'collection/youtube_games')
              and c.got > 0
        ), got as (
            select distinct window_start, category from intelligence.video_velocity
            where window_start >= %(start)s and window_start < %(end)s
        )
        select count(*) as expected, count(g.category) as got
        from expected e left join got g using (window_start, category)
        """,
        lambda counts: counts["got"] == counts["expected"],
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "video_velocity",
        "monotone_views",
        "Views only grow: fallen counters give no velocity, and are rare.",
        """
        select count(*) as rows,
               count(*) filter (where views_fell) as fell,
               count(*) filter (where velocity_now_per_hour < 0) as negative,
               count(*) filter (where views_fell and velocity_now_per_hour is not null) as kept
        from intelligence.video_velocity
        where window_start >= %(start)s and window_start < %(end)s
        """,
        lambda counts: (
            not counts["negative"]
            and not counts["kept"]
            and counts["fell"] <= _FALLEN_SHARE_WARNS * counts["rows"]
        ),
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "category_stats",
        "ordered_percentiles",
        "Percentiles are in order, deviations are not negative, baselines are above zero.",
        """
        select count(*) as rows,
               count(*) filter (
                   where views_p25 > views_p50 or views_p50 > views_p75 or views_p75 > views_p90
                      or velocity_p25 > velocity_p50 or velocity_p50 > velocity_p75
                      or velocity_p75 > velocity_p90
                      or engagement_p25 > engagement_p50 or engagement_p50 > engagement_p75
                      or engagement_p75 > engagement_p90
               ) as disordered,
               count(*) filter (
                   where views_std < 0 or velocity_std < 0 or engagement_std < 0
               ) as negative_std,
               count(*) filter (where baseline_velocity_per_hour <= 0) as no_baseline
        from intelligence.category_stats
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("disordered", "negative_std", "no_baseline"),
    ),
    QueryCheck(
        "category_stats",
        "coverage",
        "Every category with videos in a window has exactly one row of statistics, or was refused.",
        f"""
        select count(*) filter (
                   where s.category is null and {unrefused("category_stats", "v")}
               ) as missing,
               count(*) filter (where v.category is null) as unfounded,
               count(*) filter (
                   where s.sample_count <> v.videos and {unrefused("category_stats", "v")}
               ) as miscounted
        from (
            select window_start, category, count(*) as videos from intelligence.video_velocity
            where window_start >= %(start)s and window_start < %(end)s group by 1, 2
        ) v
        full join (
            select window_start, category, sample_count from intelligence.category_stats
            where window_start >= %(start)s and window_start < %(end)s
        ) s using (window_start, category)
        """,  # noqa: S608 # a fragment of ours
        all_zero("missing", "unfounded", "miscounted"),
    ),
    QueryCheck(
        "viral_scores",
        "range",
        "Scores lie between 0 and 100; a video without velocity has no score.",
        """
        select count(*) as rows,
               count(*) filter (
                   where viral_score not between 0 and 100 or viral_score = 'NaN'
                      or views_score not between 0 and 100 or engagement_score not between 0 and 100
                      or decayed_score not between 0 and 100
                      or confidence_pct not between 0 and 100
               ) as out_of_range
        from intelligence.viral_scores
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("out_of_range"),
    ),
    QueryCheck(
        "viral_scores",
        "known_share",
        "Most videos lie in categories large enough to be classed.",
        """
        select count(*) as rows, count(*) filter (where trend_class = 'UNKNOWN') as unknown
        from intelligence.viral_scores
        where window_start >= %(start)s and window_start < %(end)s
        """,
        lambda counts: counts["unknown"] <= _UNKNOWN_SHARE_WARNS * counts["rows"],
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "competition",
        "range",
        "Scores lie between 0 and 100, and concentration between its bounds.",
        """
        select count(*) as rows,
               count(*) filter (
                   where saturation_score not between 0 and 100
                      or concentration_score not between 0 and 100
                      or ease_score not between 0 and 100
                      or confidence_pct not between 0 and 100
               ) as out_of_range,
               count(*) filter (
                   where hhi not between 0 and 1 or hhi < hhi_lower - 1e-9 or hhi > hhi_upper + 1e-9
               ) as out_of_bounds
        from intelligence.competition
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("out_of_range", "out_of_bounds"),
    ),
    QueryCheck(
        "opportunity",
        "range",
        "Scores and their parts lie between 0 and 100.",
        """
        select count(*) as rows,
               count(*) filter (
                   where opportunity_score not between 0 and 100 or opportunity_score = 'NaN'
                      or trend_part not between 0 and 100 or velocity_part not between 0 and 100
                      or ease_part not between 0 and 100 or confidence_pct not between 0 and 100
               ) as out_of_range
        from intelligence.opportunity
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("out_of_range"),
    ),
    QueryCheck(
        "opportunity",
        "coverage",
        "Every category with statistics in a window has an opportunity, or was refused.",
        f"""
        select count(*) filter (
                   where o.category is null and {unrefused("opportunity", "s")}
               ) as missing,
               count(*) filter (where s.category is null) as unfounded
        from (
            select window_start, category from intelligence.category_stats
            where window_start >= %(start)s and window_start < %(end)s
        ) s
        full join (
            select window_start, category from intelligence.opportunity
            where window_start >= %(start)s and window_start < %(end)s
        ) o using (window_start, category)
        """,  # noqa: S608 # a fragment of ours
        all_zero("missing"),
    ),
    *(
        accepted(table)
        for table in (
            "video_velocity",
            "category_stats",
            "viral_scores",
            "competition",
            "opportunity",
        )
    ),
)


intelligence_checks = window_checks(
    "intelligence_checks",
    _CHECKS,
    description="Ranges, order, coverage and the share of unknowns in the windows of the run.",
)
