"""Whether what is said of titles, keywords, topics and descriptions can be believed."""

from typing import Final

import dagster as dg

from aurastream.core.descriptions import DESCRIPTION_SCHEMA, RULES_VERSION
from aurastream.core.title_features import PATTERNS
from aurastream.store.tables.texts import description_intel
from aurastream_assets.intelligence.query_checks import (
    QueryCheck,
    accepted,
    all_zero,
    few_moved,
    window_checks,
)
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import four_hours
from resources.store import Store

__all__ = ["description_features_complete", "text_checks"]

_WARN: Final = dg.AssetCheckSeverity.WARN
# A category of 20 titles with no pattern on ten of them is usual; nearly all unknown is not.
_UNKNOWN_LIFTS_WARN: Final = 0.95
_UNKNOWN_TRENDS_WARN: Final = 0.5
_DRIFTED_WARN: Final = 0.05
_RUN: Final = "window_start >= %(start)s and window_start < %(end)s"
_SHARES: Final = [c.name for c in description_intel.columns if c.name.endswith("_share")]
_MEDIANS: Final = [c.name for c in description_intel.columns if c.name.endswith("_p50")]

# The categories that had videos at the end of each window, and whether their texts were known.
_EXPECTED: Final = """
    select distinct v.ends_at - interval '4 hours' as window_start, v.category
    from (
        select window_start + interval '30 minutes' as ends_at, category, video_id
        from intelligence.video_velocity
        where window_start >= %(start)s and window_start < %(end)s
    ) v
    where v.ends_at = date_bin(interval '4 hours', v.ends_at, timestamptz '2000-01-01Z')
      and exists (select 1 from collection.youtube_videos t where t.video_id = v.video_id)
"""


def _coverage(table: str, description: str, *, per_category: int | None = None) -> QueryCheck:
    short = "false" if per_category is None else f"g.n <> {per_category}"
    return QueryCheck(
        table,
        "coverage",
        description,
        f"""
        select count(*) as expected, count(*) filter (where g.n is null) as missing,
               count(*) filter (where {short}) as incomplete
        from ({_EXPECTED}) e
        left join (
            select window_start, category, count(*) as n from intelligence.{table}
            where {_RUN} group by 1, 2
        ) g using (window_start, category)
        """,  # noqa: S608 # constants of this module
        all_zero("missing", "incomplete"),
        _WARN,
    )


_CHECKS: Final = (
    QueryCheck(
        "title_intel",
        "range",
        "Shares lie between 0 and 1, lifts within their intervals, adjusted p not below p.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where pattern_share not between 0 and 1 or pattern_count > title_count
                      or pattern_share = 'NaN'
               ) as bad_share,
               count(*) filter (
                   where lift <= 0 or lift = 'NaN' or lift < ci_low - 1e-9 or lift > ci_high + 1e-9
               ) as bad_lift,
               count(*) filter (
                   where p_value not between 0 and 1 or q_value not between 0 and 1
                      or q_value < p_value - 1e-9
               ) as bad_p,
               count(*) filter (where (verdict = 'UNKNOWN') <> (lift is null)) as bad_verdict
        from intelligence.title_intel where {_RUN}
        """,  # noqa: S608 # constants of this module
        all_zero("bad_share", "bad_lift", "bad_p", "bad_verdict"),
    ),
    _coverage(
        "title_intel",
        "Every category that had videos has all patterns.",
        per_category=len(PATTERNS),
    ),
    QueryCheck(
        "title_intel",
        "known_share",
        "Not nearly all lifts are unknown for want of titles to compare.",
        f"""
        select count(*) as rows, count(*) filter (where verdict = 'UNKNOWN') as unknown
        from intelligence.title_intel where {_RUN}
        """,  # noqa: S608 # the same
        lambda counts: counts["unknown"] <= _UNKNOWN_LIFTS_WARN * counts["rows"],
        _WARN,
    ),
    QueryCheck(
        "title_intel",
        "drift",
        "In categories of 20 titles, hardly a pattern's share moved by a quarter in one window.",
        f"""
        select count(*) as compared,
               count(*) filter (where abs(n.pattern_share - p.pattern_share) > 0.25) as moved
        from intelligence.title_intel n
        join intelligence.title_intel p
          on p.window_start = n.window_start - interval '4 hours'
         and p.category = n.category and p.pattern = n.pattern
        where n.{_RUN.replace("and window_start", "and n.window_start")}
          and p.window_start >= %(start)s::timestamptz - interval '4 hours'
          and p.window_start < %(end)s
          and least(n.title_count, p.title_count) >= 20
        """,  # noqa: S608 # the same
        lambda counts: counts["moved"] <= _DRIFTED_WARN * counts["compared"],
        _WARN,
    ),
    QueryCheck(
        "keyword_scores",
        "range",
        "Ranks are gapless, counts fit together, scores are not negative and fall with the rank.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where score < 0 or score = 'NaN' or weight_share not between 0 and 1
                      or video_count > sample_count or prior_video_count > prior_sample_count
                      or trend_z = 'NaN'
               ) as out_of_range,
               count(*) filter (where rank <> place) as misranked,
               count(*) filter (where score > better + 1e-12) as disordered
        from (
            select *, row_number() over one as place, lag(score) over one as better
            from intelligence.keyword_scores where {_RUN}
            window one as (partition by window_start, category, kind order by rank)
        ) ranked
        """,  # noqa: S608 # the same
        all_zero("out_of_range", "misranked", "disordered"),
    ),
    QueryCheck(
        "keyword_scores",
        "coverage",
        "Every category of ten videos has a keyword.",
        f"""
        select count(*) as expected, count(*) filter (where k.category is null) as missing
        from (
            select distinct window_start, category from intelligence.title_intel
            where {_RUN} and title_count >= 10
        ) t
        left join (
            select distinct window_start, category from intelligence.keyword_scores where {_RUN}
        ) k using (window_start, category)
        """,  # noqa: S608 # the same
        all_zero("missing"),
        _WARN,
    ),
    QueryCheck(
        "keyword_scores",
        "known_share",
        "Most terms that had a window before them have a trend.",
        f"""
        select count(*) filter (where prior_sample_count is not null) as rows,
               count(*) filter (
                   where trend = 'UNKNOWN' and prior_sample_count is not null
               ) as unknown
        from intelligence.keyword_scores where {_RUN}
        """,  # noqa: S608 # the same
        lambda counts: counts["unknown"] <= _UNKNOWN_TRENDS_WARN * counts["rows"],
        _WARN,
    ),
    QueryCheck(
        "keyword_scores",
        "drift",
        "Of the ten best terms of a window, every category keeps one in the window after it.",
        """
        with best as (
            select window_start, category, kind, term from intelligence.keyword_scores
            where window_start >= %(start)s::timestamptz - interval '4 hours'
              and window_start < %(end)s and rank <= 10 and sample_count >= 20
        ), compared as (
            select n.window_start, n.category, n.kind, count(p.term) as kept
            from best n
            left join best p
              on p.window_start = n.window_start - interval '4 hours'
             and p.category = n.category and p.kind = n.kind and p.term = n.term
            where n.window_start >= %(start)s and exists (
                select 1 from best b
                where b.window_start = n.window_start - interval '4 hours'
                  and b.category = n.category and b.kind = n.kind
            )
            group by 1, 2, 3
        )
        select count(*) as compared, count(*) filter (where kept = 0) as replaced from compared
        """,
        lambda counts: counts["replaced"] <= _DRIFTED_WARN * counts["compared"],
        _WARN,
    ),
    QueryCheck(
        "topic_intel",
        "range",
        "Ranks are gapless, no idea comes twice, counts fit together.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where score < 0 or title_count > video_count or velocity_p50_per_hour < 0
                      or duplicate_count <> cardinality(duplicates)
               ) as out_of_range,
               count(*) filter (where rank <> place) as misranked,
               count(*) filter (where again > 1) as repeated
        from (
            select *,
                   row_number() over (partition by window_start, category order by rank) as place,
                   row_number() over (partition by window_start, category, lemmas) as again
            from intelligence.topic_intel where {_RUN}
        ) ranked
        """,  # noqa: S608 # the same
        all_zero("out_of_range", "misranked", "repeated"),
    ),
    QueryCheck(
        "topic_intel",
        "evidence",
        "Every topic names videos, and only such as were in its category in the window.",
        f"""
        select count(*) as named, count(*) filter (where v.video_id is null) as strangers,
               (
                   select count(*) from intelligence.topic_intel
                   where {_RUN} and cardinality(evidence_video_ids) = 0
               ) as without
        from (
            select window_start, category, unnest(evidence_video_ids) as video_id
            from intelligence.topic_intel where {_RUN}
        ) e
        left join intelligence.video_velocity v
          on v.window_start = e.window_start + interval '210 minutes'
         and v.window_start >= %(start)s and v.window_start < %(end)s
         and v.category = e.category and v.video_id = e.video_id
        """,  # noqa: S608 # the same
        all_zero("strangers", "without"),
    ),
    QueryCheck(
        "topic_intel",
        "coverage",
        "Every category with five keywords has a topic.",
        f"""
        select count(*) as expected, count(*) filter (where t.category is null) as missing
        from (
            select window_start, category from intelligence.keyword_scores
            where {_RUN} group by 1, 2 having count(*) >= 5
        ) k
        left join (
            select distinct window_start, category from intelligence.topic_intel where {_RUN}
        ) t using (window_start, category)
        """,  # noqa: S608 # the same
        all_zero("missing"),
        _WARN,
    ),
    QueryCheck(
        "topic_intel",
        "drift",
        "Of the ten best topics of a window, hardly a category loses all in the window after it.",
        """
        with best as (
            select window_start, category, lemmas from intelligence.topic_intel
            where window_start >= %(start)s::timestamptz - interval '4 hours'
              and window_start < %(end)s and rank <= 10
        ), compared as (
            select n.window_start, n.category, count(p.lemmas) as kept
            from best n
            left join best p
              on p.window_start = n.window_start - interval '4 hours'
             and p.category = n.category and p.lemmas = n.lemmas
            where n.window_start >= %(start)s and exists (
                select 1 from best b
                where b.window_start = n.window_start - interval '4 hours'
                  and b.category = n.category
            )
            group by 1, 2
        )
        select count(*) as compared, count(*) filter (where kept = 0) as moved from compared
        """,
        few_moved,
        _WARN,
    ),
    QueryCheck(
        "description_intel",
        "range",
        "Shares lie between 0 and 1, medians are not negative, parts are not above the whole.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where {" or ".join(f"{n} not between 0 and 1 or {n} = 'NaN'" for n in _SHARES)}
               ) as bad_share,
               count(*) filter (
                   where {" or ".join(f"{n} < 0 or {n} = 'NaN'" for n in _MEDIANS)}
               ) as negative,
               count(*) filter (
                   where greatest({
            ", ".join(n for n in _SHARES if n.endswith("_link_share"))
        }) > link_share
                      or chapter_share > timestamp_share or video_count < 1
               ) as above_the_whole
        from intelligence.description_intel where {_RUN}
        """,  # noqa: S608 # the same
        all_zero("bad_share", "negative", "above_the_whole"),
    ),
    _coverage("description_intel", "Every category that had videos has a row."),
    QueryCheck(
        "description_intel",
        "known_share",
        "No category of 20 videos lost all its descriptions from one window to the next.",
        """
        select count(*) as rows,
               count(*) filter (where n.described_share = 0) as without,
               count(*) filter (where n.described_share = 0 and p.described_share > 0) as lost
        from intelligence.description_intel n
        left join intelligence.description_intel p
          on p.window_start = n.window_start - interval '4 hours' and p.category = n.category
         and p.window_start >= %(start)s::timestamptz - interval '4 hours'
         and p.window_start < %(end)s and p.video_count >= 20
        where n.window_start >= %(start)s and n.window_start < %(end)s
        """,
        all_zero("lost"),
        _WARN,
    ),
    QueryCheck(
        "description_intel",
        "drift",
        "In categories of 20 videos, hardly a habit moved by a quarter in one window.",
        f"""
        select 4 * count(*) as compared,
               coalesce(sum({
            " + ".join(
                f"(abs(n.{name} - p.{name}) > 0.25)::int"
                for name in ("link_share", "hashtag_share", "disclosure_share", "chapter_share")
            )
        }), 0) as moved
        from intelligence.description_intel n
        join intelligence.description_intel p
          on p.window_start = n.window_start - interval '4 hours' and p.category = n.category
        where n.window_start >= %(start)s and n.window_start < %(end)s
          and p.window_start >= %(start)s::timestamptz - interval '4 hours'
          and p.window_start < %(end)s
          and least(n.video_count, p.video_count) >= 20
        """,  # noqa: S608 # the same
        lambda counts: counts["moved"] <= _DRIFTED_WARN * counts["compared"],
        _WARN,
    ),
)

_ACCEPTED: Final = tuple(
    accepted(table)
    for table in ("title_intel", "keyword_scores", "topic_intel", "description_intel")
)

text_checks = window_checks(
    "text_checks",
    (*_CHECKS, *_ACCEPTED),
    description="Ranges, coverage, unknowns and drift of the analyses of texts.",
    partitions_def=four_hours,
)

_NEGATIVE: Final = " or ".join(
    f"{name} < 0" for name in DESCRIPTION_SCHEMA if name.endswith("_count")
)


@dg.asset_check(
    asset=asset_key("intelligence", "description_features"),
    name="complete",
    description="Every version was read by the newest rules; no count is negative.",
)
def description_features_complete(store: Store) -> dg.AssetCheckResult:
    """Count versions without features, and features that cannot be."""
    row = store.frames.query(
        f"""
        select (select count(*) from collection.youtube_videos) as versions,
               (
                   select count(*) from collection.youtube_videos v
                   where not exists (
                       select 1 from intelligence.description_features f
                       where f.video_id = v.video_id and f.metadata_hash = v.metadata_hash
                         and f.rules_version = %(version)s
                   )
               ) as unread,
               (
                   select count(*) from intelligence.description_features
                   where {_NEGATIVE} or chapter_count in (1, 2)
               ) as impossible
        """,  # noqa: S608 # constants of this module
        {"version": RULES_VERSION},
    ).iloc[0]
    counts = {str(name): int(value) for name, value in row.items()}
    return dg.AssetCheckResult(
        passed=not counts["impossible"] and not counts["unread"],
        # Crawls that came in meanwhile are read the next time.
        severity=dg.AssetCheckSeverity.ERROR if counts["impossible"] else _WARN,
        metadata=counts,
    )
