"""Whether what is said of formats, languages, releases and outliers can be believed."""

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
    window_checks,
)
from aurastream_assets.partitions import four_hours

__all__ = ["audience_checks"]

_WARN: Final = dg.AssetCheckSeverity.WARN
_WITHOUT_LENGTH_WARNS: Final = 0.3
_UNDETERMINED_WARNS: Final = 0.5
_UNDESCRIBED_WARNS: Final = 0.1
_WITHOUT_SCORE_WARNS: Final = 0.1

_IN_WINDOWS: Final = "window_start >= %(start)s and window_start < %(end)s"
# What the half hours that end together with the four-hour windows of the run know.
_AT_THE_ENDS: Final = """(
    select window_start - interval '210 minutes' as ends_in, v.*
    from intelligence.video_velocity v
    where window_start >= %(start)s and window_start < %(end)s
      and window_start + interval '30 minutes'
          = date_bin('4 hours', window_start + interval '30 minutes', timestamptz '2000-01-01Z')
)"""


def _coverage(table: str, which: str, what: str) -> QueryCheck:
    """Check that every category with such videos at a window's end has a row in it."""
    return QueryCheck(
        table,
        "coverage",
        f"Every category that had a video {what} has a row.",
        f"""
        select count(*) filter (where f.category is null) as missing, count(*) as expected
        from (
            select distinct ends_in as window_start, category from {_AT_THE_ENDS} v where {which}
        ) v
        left join (
            select distinct window_start, category from intelligence.{table} where {_IN_WINDOWS}
        ) f using (window_start, category)
        """,  # noqa: S608 # fragments of this module
        all_zero("missing"),
        _WARN,
    )


_FORMATS: Final = (
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
    _coverage("content_formats", "duration_s is not null", "of known length"),
    drift(
        "content_formats",
        "category duration_bucket",
        ratio_moved("performance_index", DOUBLED),
        both_above_zero("performance_index")
        + " and least(a.views_known_count, b.views_known_count) >= 5",
        "Few lengths do twice as well, or half, as in the window before.",
        every="4 hours",
    ),
    QueryCheck(
        "shorts_comparison",
        "range",
        "Counts fit together, ratios are not negative and rest on five videos on either side.",
        f"""
        select count(*) filter (
                   where shorts_known_count > shorts_count or longform_known_count > longform_count
               ) as too_many_known,
               count(*) filter (where shorts_performance_ratio < 0) as negative,
               count(*) filter (
                   where shorts_performance_ratio is not null
                     and least(shorts_known_count, longform_known_count) < 5
               ) as unfounded
        from intelligence.shorts_comparison where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        all_zero("too_many_known", "negative", "unfounded"),
    ),
    _coverage("shorts_comparison", "true", "at all"),
    QueryCheck(
        "shorts_comparison",
        "known_share",
        "Most videos have a length, so that it is known whether they are Shorts.",
        f"""
        select coalesce(sum(unknown_count), 0) as unknown,
               coalesce(sum(shorts_count + longform_count + unknown_count), 0) as videos
        from intelligence.shorts_comparison where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        lambda counts: counts["unknown"] <= _WITHOUT_LENGTH_WARNS * counts["videos"],
        _WARN,
    ),
    drift(
        "shorts_comparison",
        "category regime",
        ratio_moved("shorts_performance_ratio", TREBLED),
        both_above_zero("shorts_performance_ratio"),
        "Few ratios are three times, or a third, of those of the window before.",
        every="4 hours",
    ),
)

_LANGUAGES: Final = (
    QueryCheck(
        "language_mix",
        "range",
        "Shares lie between 0 and 1 and add up to 1 in each category, platform and source.",
        f"""
        select count(*) as groups,
               count(*) filter (where low < 0 or high > 1) as out_of_range,
               count(*) filter (where abs(shares - 1) > 1e-9) as not_whole,
               count(*) filter (where abs(markets - 1) > 1e-9) as market_not_whole
        from (
            select least(min(share), min(market_share)) as low,
                   greatest(max(share), max(market_share)) as high,
                   sum(share) as shares, sum(market_share) as markets
            from intelligence.language_mix where {_IN_WINDOWS}
            group by window_start, category, platform, language_source
        ) whole
        """,  # noqa: S608 # fragments of this module
        all_zero("out_of_range", "not_whole", "market_not_whole"),
    ),
    _coverage("language_mix", "true", "at all"),
    QueryCheck(
        "language_mix",
        "known_share",
        "Most videos and streams have a language; titles of videos tell theirs.",
        f"""
        select coalesce(sum(item_count) filter (where language_source = 'tag'), 0) as tagged,
               coalesce(sum(item_count) filter (
                   where language_source = 'tag' and language = 'und'), 0) as tag_unknown,
               coalesce(sum(item_count) filter (where language_source = 'title'), 0) as titled,
               coalesce(sum(item_count) filter (
                   where language_source = 'title' and language = 'und'), 0) as title_unknown
        from intelligence.language_mix where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        lambda counts: (
            counts["tag_unknown"] <= _UNDETERMINED_WARNS * counts["tagged"]
            and counts["title_unknown"] <= _UNDETERMINED_WARNS * counts["titled"]
        ),
        _WARN,
    ),
    QueryCheck(
        "language_mix",
        "drift",
        "In few mixes of 20 items or more have 40 % changed language since the window before.",
        f"""
        select count(*) as compared, count(*) filter (where changed > 0.4) as moved
        from (
            select sum(abs(coalesce(a.share, 0) - coalesce(b.share, 0))) / 2 as changed
            from (
                select *, window_start as at from intelligence.language_mix where {_IN_WINDOWS}
            ) a
            full join (
                select *, window_start + interval '4 hours' as at from intelligence.language_mix
                where window_start >= %(start)s::timestamptz - interval '4 hours'
                  and window_start < %(end)s::timestamptz - interval '4 hours'
            ) b using (at, category, platform, language_source, language)
            group by at, category, platform, language_source
            having sum(a.item_count) >= 20 and sum(b.item_count) >= 20
        ) mixes
        """,  # noqa: S608 # fragments of this module
        few_moved,
        _WARN,
    ),
    QueryCheck(
        "regional_intel",
        "range",
        "Shares and diversity lie between 0 and 1, and counts fit together.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where dominant_share not between 0 and 1
                      or leading_market_share not between 0 and 1
                      or language_diversity not between 0 and 1 or language_diversity = 'NaN'
               ) as out_of_range,
               count(*) filter (
                   where undetermined_count > item_count
                      or (language_diversity is null) <> (language_count = 0)
               ) as contradictory
        from intelligence.regional_intel where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        all_zero("out_of_range", "contradictory"),
    ),
    QueryCheck(
        "regional_intel",
        "coverage",
        "Every mix of languages has its summary, with as many items.",
        f"""
        select count(*) filter (where r.item_count is distinct from m.items) as different
        from (
            select window_start, category, platform, language_source, sum(item_count) as items
            from intelligence.language_mix where {_IN_WINDOWS} group by 1, 2, 3, 4
        ) m
        full join (select * from intelligence.regional_intel where {_IN_WINDOWS}) r
            using (window_start, category, platform, language_source)
        """,  # noqa: S608 # fragments of this module
        all_zero("different"),
    ),
    drift(
        "regional_intel",
        "category platform language_source",
        "abs(a.language_diversity - b.language_diversity) > 0.3",
        "least(a.item_count, b.item_count) >= 20 and a.language_diversity is not null "
        "and b.language_diversity is not null",
        "Few diversities moved by more than .3 since the window before.",
        every="4 hours",
    ),
)

_RELEASES: Final = (
    QueryCheck(
        "premiere_intel",
        "range",
        "Shares lie in their intervals, counts fit together, ratios rest on five videos each.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where on_time_low not between 0 and 1 or on_time_high not between 0 and 1
                      or on_time_share < on_time_low - 1e-9
                      or on_time_share > on_time_high + 1e-9
               ) as out_of_range,
               count(*) filter (
                   where announced_known_count > announced_count
                      or instant_known_count > instant_count
                      or delay_known_count > announced_count
                      or (on_time_share is null) <> (delay_known_count = 0)
               ) as contradictory,
               count(*) filter (
                   where performance_ratio < 0
                      or (performance_ratio is not null
                          and least(announced_known_count, instant_known_count) < 5)
               ) as unfounded
        from intelligence.premiere_intel where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        all_zero("out_of_range", "contradictory", "unfounded"),
    ),
    _coverage("premiere_intel", "true", "at all"),
    QueryCheck(
        "premiere_intel",
        "known_share",
        "Of nearly all videos it is known how they were released.",
        f"""
        select coalesce(sum(unknown_count), 0) as unknown,
               coalesce(sum(announced_count + instant_count + live_count + upcoming_count
                            + overdue_count + unknown_count), 0) as videos
        from intelligence.premiere_intel where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        lambda counts: counts["unknown"] <= _UNDESCRIBED_WARNS * counts["videos"],
        _WARN,
    ),
    drift(
        "premiere_intel",
        "category",
        "abs(a.on_time_share - b.on_time_share) > 0.25",
        "least(a.delay_known_count, b.delay_known_count) >= 10",
        "Few categories became more or less punctual by a quarter since the window before.",
        every="4 hours",
    ),
    QueryCheck(
        "publishing_times",
        "range",
        "Indices lie in their intervals, hours and days exist, one at most is best and one worst.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where index <= 0 or index < index_low - 1e-9 or index > index_high + 1e-9
                      or index = 'NaN' or index = 'Infinity'
               ) as out_of_range,
               count(*) filter (
                   where slot <> case grain when 'hour' then hour when 'weekday' then dow
                                            else 24 * dow + hour end
                      or hour not between 0 and 23 or dow not between 0 and 6
               ) as no_such_time,
               count(*) filter (
                   where (index_low is not null or is_distinct) and sample_count < 5
               ) as unfounded,
               (
                   select count(*) from (
                       select 1 from intelligence.publishing_times where {_IN_WINDOWS}
                       group by window_start, category, grain
                       having count(*) filter (where is_best) > 1
                           or count(*) filter (where is_worst) > 1
                   ) twice
               ) as two_extremes
        from intelligence.publishing_times where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        all_zero("out_of_range", "no_such_time", "unfounded", "two_extremes"),
    ),
    QueryCheck(
        "publishing_times",
        "known_share",
        "Categories of 70 videos or more, ten a day, have an interval for some day of the week.",
        f"""
        select count(*) filter (where videos >= 70) as expected,
               count(*) filter (where videos >= 70 and known = 0) as unknown
        from (
            select sum(sample_count) as videos, count(index_low) as known
            from intelligence.publishing_times where {_IN_WINDOWS} and grain = 'weekday'
            group by window_start, category
        ) categories
        """,  # noqa: S608 # fragments of this module
        all_zero("unknown"),
        _WARN,
    ),
    QueryCheck(
        "publishing_times",
        "coverage",
        "All three grains count the same videos.",
        f"""
        select count(*) as categories, count(*) filter (where not same) as different
        from (
            select min(videos) = max(videos) and count(*) = 3 as same
            from (
                select window_start, category, grain, sum(sample_count) as videos
                from intelligence.publishing_times where {_IN_WINDOWS} group by 1, 2, 3
            ) grains group by window_start, category
        ) categories
        """,  # noqa: S608 # fragments of this module
        all_zero("different"),
    ),
    drift(
        "publishing_times",
        "category grain slot",
        ratio_moved("index", DOUBLED),
        "least(a.sample_count, b.sample_count) >= 5",
        "Few hours and days do twice as well, or half, as in the window before.",
        every="4 hours",
    ),
)

_OUTLIERS: Final = (
    QueryCheck(
        "channel_outliers",
        "range",
        "Scores are not negative and rest on three other videos; viral scores are 0 to 100.",
        f"""
        select count(*) as rows,
               count(*) filter (
                   where outlier_score < 0 or like_age_score < 0
                      or outlier_score in ('NaN', 'Infinity')
                      or like_age_score in ('NaN', 'Infinity')
                      or viral_score not between 0 and 100
               ) as out_of_range,
               count(*) filter (
                   where (outlier_score is not null and channel_n < 3)
                      or (like_age_score is not null and like_age_n < 3)
               ) as unfounded
        from intelligence.channel_outliers where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        all_zero("out_of_range", "unfounded"),
    ),
    QueryCheck(
        "channel_outliers",
        "coverage",
        "Every video of the window's end has a row in each of its categories.",
        f"""
        select count(*) filter (where o.video_id is null) as missing,
               count(*) filter (where v.video_id is null) as unfounded
        from (select ends_in as window_start, category, video_id from {_AT_THE_ENDS} v) v
        full join (
            select window_start, category, video_id from intelligence.channel_outliers
            where {_IN_WINDOWS}
        ) o using (window_start, category, video_id)
        """,  # noqa: S608 # fragments of this module
        all_zero("missing", "unfounded"),
    ),
    QueryCheck(
        "channel_outliers",
        "known_share",
        "Nearly every video of a channel with three other known ones has a score.",
        f"""
        select count(*) as videos, count(*) filter (where outlier_score is null) as unknown,
               count(*) filter (where channel_n >= 3) as with_a_usual,
               count(*) filter (where channel_n >= 3 and outlier_score is null) as without_a_score
        from intelligence.channel_outliers where {_IN_WINDOWS}
        """,  # noqa: S608 # fragments of this module
        lambda counts: counts["without_a_score"] <= _WITHOUT_SCORE_WARNS * counts["with_a_usual"],
        _WARN,
    ),
    drift(
        "channel_outliers",
        "category video_id",
        ratio_moved("outlier_score", DOUBLED),
        both_above_zero("outlier_score"),
        "Few videos stand out twice as far, or half, as in the window before.",
        every="4 hours",
    ),
)

_ACCEPTED: Final = (
    *(
        accepted(table)
        for table in (
            "content_formats",
            "shorts_comparison",
            "premiere_intel",
            "publishing_times",
            "channel_outliers",
        )
    ),
    # The streams of a game are told of in the same table.
    accepted("language_mix"),
)

audience_checks = window_checks(
    "audience_checks",
    (*_FORMATS, *_LANGUAGES, *_RELEASES, *_OUTLIERS, *_ACCEPTED),
    description="Ranges, coverage, unknowns and drift of formats, languages, releases, outliers.",
    partitions_def=four_hours,
)
