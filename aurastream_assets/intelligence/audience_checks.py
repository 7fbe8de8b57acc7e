"""Whether what is said of formats, languages and releases can be believed."""

from typing import Final

import dagster as dg

from aurastream_assets.intelligence.query_checks import QueryCheck, all_zero, window_checks
from aurastream_assets.partitions import four_hours

__all__ = ["audience_checks"]

_CHECKS: Final = (
    QueryCheck(
        "content_formats",
        "range",
        "Counts fit together, indices are not negative, no category has two optimal lengths.",
        """
        select count(*) filter (where views_known_count > video_count) as too_many_known,
               count(*) filter (where performance_index < 0) as negative,
               count(*) - count(distinct (window_start, category, duration_bucket)) as repeated,
               (
                   select count(*) from (
                       select 1 from intelligence.content_formats
                       where window_start >= %(start)s and window_start < %(end)s and is_optimal
                       group by window_start, category having count(*) > 1
                   ) twice
               ) as two_optima
        from intelligence.content_formats
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("too_many_known", "negative", "repeated", "two_optima"),
    ),
    QueryCheck(
        "content_formats",
        "coverage",
        "Every category that had a video of known length has a row.",
        """
        select count(*) filter (where f.category is null) as missing, count(*) as expected
        from (
            select distinct ends_at - interval '4 hours' as window_start, category
            from (
                select window_start + interval '30 minutes' as ends_at, category
                from intelligence.video_velocity
                where duration_s is not null
                  and window_start >= %(start)s and window_start < %(end)s
            ) known
            where ends_at = date_bin(interval '4 hours', ends_at, timestamptz '2000-01-01Z')
        ) v
        left join (
            select distinct window_start, category from intelligence.content_formats
            where window_start >= %(start)s and window_start < %(end)s
        ) f using (window_start, category)
        """,
        all_zero("missing"),
        dg.AssetCheckSeverity.WARN,
    ),
)

audience_checks = window_checks(
    "audience_checks",
    _CHECKS,
    description="Ranges and coverage of the analyses of formats, languages and releases.",
    partitions_def=four_hours,
)
