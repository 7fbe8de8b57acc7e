"""Whether what is said of clips, of the week and of momentum can be believed."""

from typing import Final

import dagster as dg

from aurastream_assets.intelligence.query_checks import (
    DOUBLED,
    TREBLED,
    QueryCheck,
    accepted,
    all_zero,
    both_above_zero,
    drift,
    few_moved,
    ratio_moved,
    unrefused,
    window_checks,
)
from aurastream_assets.partitions import four_hours

__all__ = ["clip_checks", "rhythm_checks"]

_FALLEN_SHARE_WARNS: Final = 0.02
_UNKNOWN_SHARE_WARNS: Final = 0.5

_HALF_HOURLY: Final = (
    QueryCheck(
        "clip_intel",
        "range",
        "Velocities are not negative, scores lie between 0 and 100, viral clips have a velocity.",
        """
        select count(*) as rows,
               count(*) filter (
                   where velocity_per_hour < 0 or lifetime_velocity_per_hour < 0
                      or age_h < 0 or velocity_span_h <= 0
               ) as negative,
               count(*) filter (
                   where velocity_score not between 0 and 100
                      or confidence_pct not between 0 and 100
               ) as out_of_range,
               count(*) filter (
                   where trend_class = 'VIRAL'
                     and (velocity_per_hour is null or sample_count < 20)
               ) as unfounded
        from intelligence.clip_intel
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("negative", "out_of_range", "unfounded"),
    ),
    QueryCheck(
        "clip_intel",
        "monotone_views",
        "Views of clips rarely fall.",
        """
        select count(*) as rows, count(*) filter (where views_fell) as fell
        from intelligence.clip_intel
        where window_start >= %(start)s and window_start < %(end)s
        """,
        lambda counts: counts["fell"] <= _FALLEN_SHARE_WARNS * counts["rows"],
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "clip_intel",
        "coverage",
        "Every game whose clips were found within the hour before a window's end has clips in it.",
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
             and c.crawl_at >= w.window_start - interval '30 minutes'
            where c.dataset = 'collection/clip_radar' and c.got > 0
        ), got as (
            select distinct window_start, category from intelligence.clip_intel
            where window_start >= %(start)s and window_start < %(end)s
        )
        select count(*) as expected, count(g.category) as got
        from expected e left join got g using (window_start, category)
        """,
        lambda counts: counts["got"] == counts["expected"],
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "clip_activity",
        "adds_up",
        "Every game with clips has one row that counts them all, or was refused.",
        f"""
        select count(*) filter (
                   where a.category is null and {unrefused("clip_activity", "c")}
               ) as missing,
               count(*) filter (where c.category is null) as unfounded,
               count(*) filter (
                   where (a.clip_count <> c.clips
                          or coalesce(a.viral_count, c.viral) <> c.viral
                          or a.viral_share not between 0 and 1)
                     and {unrefused("clip_activity", "c")}
               ) as miscounted
        from (
            select window_start, category, count(*) as clips,
                   count(*) filter (where trend_class = 'VIRAL') as viral
            from intelligence.clip_intel
            where window_start >= %(start)s and window_start < %(end)s group by 1, 2
        ) c
        full join (
            select * from intelligence.clip_activity
            where window_start >= %(start)s and window_start < %(end)s
        ) a using (window_start, category)
        """,  # noqa: S608 # a fragment of ours
        all_zero("missing", "unfounded", "miscounted"),
    ),
    QueryCheck(
        "momentum",
        "range",
        "Scores lie between 0 and 100 and say the same as their direction.",
        """
        select count(*) as rows,
               count(*) filter (
                   where momentum_score not between 0 and 100 or momentum_score = 'NaN'
                      or confidence_pct not between 0 and 100
                      or abs(velocity_z) > 4 or abs(viral_z) > 4 or abs(viewers_z) > 4
               ) as out_of_range,
               count(*) filter (
                   where (momentum_score is null) <> (direction = 'UNKNOWN')
                      or (direction = 'GAINING' and momentum_score <= 50)
                      or (direction = 'LOSING' and momentum_score >= 50)
               ) as contradictory
        from intelligence.momentum
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("out_of_range", "contradictory"),
    ),
    QueryCheck(
        "momentum",
        "known_share",
        "Most categories with three days of a past have a momentum.",
        """
        with past as (
            select category, min(window_start) as since from intelligence.category_stats
            where window_start >= %(start)s::timestamptz - interval '15 days'
              and window_start < %(end)s
            group by 1
        )
        select count(*) as expected, count(*) filter (where m.direction = 'UNKNOWN') as unknown
        from intelligence.momentum m
        join past p using (category)
        join intelligence.category_stats s
          on s.category = m.category and s.window_start = m.window_start - interval '24 hours'
         and s.window_start >= %(start)s::timestamptz - interval '24 hours'
        where m.window_start >= %(start)s and m.window_start < %(end)s
          and m.window_start >= p.since + interval '3 days'
        """,
        lambda counts: counts["unknown"] <= _UNKNOWN_SHARE_WARNS * counts["expected"],
        dg.AssetCheckSeverity.WARN,
    ),
    drift(
        "clip_intel",
        "category clip_id",
        ratio_moved("lifetime_velocity_per_hour", TREBLED),
        both_above_zero("lifetime_velocity_per_hour") + " and b.age_h >= 1 and b.views >= 20",
        "Few clips gathered views three times as fast, or a third, as half an hour before.",
    ),
    drift(
        "clip_activity",
        "category",
        ratio_moved("views_gained_per_hour", TREBLED),
        both_above_zero("views_gained_per_hour")
        + " and least(a.sample_count, b.sample_count) >= 20",
        "In few games of 20 clips do they gain three times, or a third, of half an hour before.",
    ),
    drift(
        "momentum",
        "category",
        "abs(a.momentum_score - b.momentum_score) > 40",
        "a.momentum_score is not null and b.momentum_score is not null",
        "Few categories turned by more than 40 points in half an hour.",
    ),
    *(accepted(table) for table in ("clip_intel", "clip_activity", "momentum")),
)

_FOUR_HOURLY: Final = (
    QueryCheck(
        "clip_hours",
        "range",
        "Only full hours that were over are told of, each once, and no count is negative.",
        """
        select count(*) filter (where clip_count < 0) as negative,
               count(*) filter (where hour_start <> date_trunc('hour', hour_start)) as odd,
               count(*) filter (
                   where hour_start + interval '1 hour' > window_start + interval '4 hours'
               ) as early
        from intelligence.clip_hours
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("negative", "odd", "early"),
    ),
    QueryCheck(
        "clip_video_lead_lag",
        "range",
        "What is believed lies beyond chance, and what is not known says nothing.",
        """
        select count(*) as rows,
               count(*) filter (
                   where correlation not between -1 and 1 or band not between 0 and 1
                      or p_value not between 0 and 1 or lag_h not between -12 and 12
               ) as out_of_range,
               count(*) filter (
                   where relation in ('LEADS', 'FOLLOWS', 'TOGETHER') and abs(correlation) <= band
                      or relation = 'LEADS' and lag_h <= 0
                      or relation = 'FOLLOWS' and lag_h >= 0
                      or (relation = 'UNKNOWN') <> (lag_h is null)
               ) as contradictory
        from intelligence.clip_video_lead_lag
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("out_of_range", "contradictory"),
    ),
    QueryCheck(
        "hour_of_week_map",
        "range",
        "Every game's week has 168 hours, and estimates lie within their intervals.",
        """
        select count(*) as rows,
               count(*) filter (
                   where viewers_expected not between viewers_low and viewers_high
                      or live_expected not between live_low and live_high
                      or viewers_low < 0 or live_low < 0
               ) as out_of_range,
               count(*) - 168 * count(distinct (window_start, category)) as incomplete
        from intelligence.hour_of_week_map
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("out_of_range", "incomplete"),
    ),
    QueryCheck(
        "hour_of_week_map",
        "same_as_competition",
        "Competition took its peak hours from the week as it was known when the window began.",
        """
        select count(*) as compared,
               count(*) filter (where m.peak_source <> c.peak_source) as other_source,
               count(*) filter (
                   where m.peak_source = c.peak_source and m.is_peak <> c.is_peak
               ) as other_peak
        from intelligence.hour_of_week_map m
        join intelligence.competition c
          on c.category = m.category and c.window_start = m.next_start_at
         and c.window_start = m.window_start + interval '4 hours'
        where m.window_start >= %(start)s and m.window_start < %(end)s
        """,
        all_zero("other_source", "other_peak"),
    ),
    QueryCheck(
        "clip_hours",
        "drift",
        "Hours that a window tells of again hardly ever count differently.",
        """
        select count(*) as compared,
               count(*) filter (
                   where abs(a.clip_count - b.clip_count) > greatest(2, 0.1 * b.clip_count)
               ) as moved
        from intelligence.clip_hours a
        join intelligence.clip_hours b
          on b.window_start = a.window_start - interval '4 hours'
         and b.category = a.category and b.hour_start = a.hour_start
        where a.window_start >= %(start)s and a.window_start < %(end)s
          and b.window_start >= %(start)s::timestamptz - interval '4 hours'
          and b.window_start < %(end)s::timestamptz - interval '4 hours'
        """,
        few_moved,
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "clip_video_lead_lag",
        "coverage",
        "Every game of which clips were counted has a row, or was refused.",
        f"""
        select count(*) as expected, count(*) filter (
                   where r.category is null
                     and {unrefused("clip_video_lead_lag", "c", every="4 hours")}
               ) as missing
        from (
            select distinct window_start, category from intelligence.clip_hours
            where window_start >= %(start)s and window_start < %(end)s
        ) c
        left join intelligence.clip_video_lead_lag r using (window_start, category)
        """,  # noqa: S608 # a fragment of ours
        all_zero("missing"),
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "clip_video_lead_lag",
        "known_share",
        "Of most games with 84 hours of clips and of videos it is known whether one leads.",
        """
        select count(*) as expected, count(*) filter (where relation = 'UNKNOWN') as unknown
        from intelligence.clip_video_lead_lag
        where window_start >= %(start)s and window_start < %(end)s
          and clip_hours >= 84 and video_hours >= 84
        """,
        lambda counts: counts["unknown"] <= _UNKNOWN_SHARE_WARNS * counts["expected"],
        dg.AssetCheckSeverity.WARN,
    ),
    drift(
        "clip_video_lead_lag",
        "category",
        "a.relation <> b.relation and 'NONE' not in (a.relation, b.relation) "
        "or a.common_hours < b.common_hours - 24",
        "a.relation <> 'UNKNOWN' and b.relation <> 'UNKNOWN'",
        "In few games did the one that leads change, or a day of hours go, in four hours.",
        every="4 hours",
    ),
    drift(
        "hour_of_week_map",
        "category hour_of_week",
        ratio_moved("viewers_expected", DOUBLED),
        both_above_zero("viewers_expected") + " and least(a.viewers_n, b.viewers_n) >= 2",
        "For few hours of the week are twice as many viewers expected, or half, as before.",
        every="4 hours",
    ),
    *(accepted(table) for table in ("hour_of_week_map", "clip_video_lead_lag")),
)

clip_checks = window_checks(
    "clip_checks",
    _HALF_HOURLY,
    description="Ranges, coverage and sums of clips and momentum in the windows of the run.",
)

rhythm_checks = window_checks(
    "rhythm_checks",
    _FOUR_HOURLY,
    description="Ranges and agreement of clips per hour, lead and lag, and the week.",
    partitions_def=four_hours,
)
