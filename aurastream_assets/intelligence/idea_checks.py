"""Whether ideas can be believed: in range, enough of them, and each with evidence that exists."""

from typing import Final

import dagster as dg

from aurastream_assets.intelligence.query_checks import (
    QueryCheck,
    accepted,
    all_zero,
    few_moved,
    window_checks,
)
from aurastream_assets.partitions import four_hours

__all__ = ["idea_checks"]

_CHECKS: Final = (
    QueryCheck(
        "video_ideas",
        "range",
        "Scores and parts lie between 0 and 100, ranks follow the scores.",
        """
        select count(*) filter (
                   where least(idea_score, demand_part, difficulty_score, opportunity_part,
                               format_part, confidence_pct) < 0
                      or greatest(idea_score, demand_part, difficulty_score, opportunity_part,
                                  format_part, confidence_pct) > 100
               ) as out_of_range,
               count(*) filter (where idea_score > better) as out_of_order
        from (
            select *, lag(idea_score) over (
                partition by window_start, category order by rank
            ) as better
            from intelligence.video_ideas
            where window_start >= %(start)s and window_start < %(end)s
        ) ideas
        """,
        all_zero("out_of_range", "out_of_order"),
    ),
    QueryCheck(
        "video_ideas",
        "enough",
        "A category with any idea has five of them, and no two are the same.",
        """
        select count(*) filter (where ideas < 5) as too_few,
               count(*) filter (where ideas <> different) as repeated
        from (
            select count(*) as ideas, count(distinct idea_id) as different
            from intelligence.video_ideas
            where window_start >= %(start)s and window_start < %(end)s
            group by window_start, category
        ) per_category
        """,
        all_zero("too_few", "repeated"),
    ),
    QueryCheck(
        "video_ideas",
        "evidence",
        "Every video named as evidence was scored at the end of the window, in the category.",
        """
        select count(*) filter (where v.video_id is null) as unknown, count(*) as named
        from (
            select window_start + interval '3 hours 30 minutes' as window_start, category,
                   unnest(evidence_video_ids) as video_id
            from intelligence.video_ideas
            where window_start >= %(start)s and window_start < %(end)s
        ) named
        left join intelligence.video_velocity v using (window_start, category, video_id)
        """,
        all_zero("unknown"),
    ),
    QueryCheck(
        "video_ideas",
        "drift",
        "Hardly a category has none of the topics left that its ideas had in the window before.",
        """
        with told as (
            select distinct window_start, category, topic from intelligence.video_ideas
            where window_start >= %(start)s::timestamptz - interval '4 hours'
              and window_start < %(end)s
        )
        select count(*) as compared, count(*) filter (where kept = 0) as moved
        from (
            select n.window_start, n.category, count(p.topic) as kept
            from told n
            left join told p
              on p.window_start = n.window_start - interval '4 hours'
             and p.category = n.category and p.topic = n.topic
            where n.window_start >= %(start)s and exists (
                select 1 from told b
                where b.window_start = n.window_start - interval '4 hours'
                  and b.category = n.category
            )
            group by 1, 2
        ) compared
        """,
        few_moved,
        dg.AssetCheckSeverity.WARN,
    ),
    accepted("video_ideas"),
)

idea_checks = window_checks(
    "idea_checks",
    _CHECKS,
    description="Range, number and evidence of the ideas.",
    partitions_def=four_hours,
)
