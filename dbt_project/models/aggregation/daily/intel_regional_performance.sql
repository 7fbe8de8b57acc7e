with videos as (

    select * from {{ ref('int_video_days') }}
    where date < {{ date_end() }}

),

samples as (

    select * from {{ ref('int_stream_samples') }}

),

coverage as (

    select * from {{ ref('int_day_coverage') }}

),

youtube as (

    select
        category_key,
        date,
        language,
        count(*) as video_count,
        count(views) as views_known_count,
        avg(views) as avg_views,
        sum(views) as total_views
    from videos
    group by category_key, date, language

),

youtube_totals as (

    select
        category_key,
        date,
        avg(views) as avg_views,
        sum(views) as total_views
    from videos
    group by category_key, date

),

crawls as (

    select
        category_key,
        date,
        count(*) as crawl_count
    from {{ ref('int_stream_crawls') }}
    group by category_key, date

),

crawl_languages as (

    select
        category_key,
        date,
        crawl_at,
        language,
        count(*) as stream_count,
        sum(viewer_count) as viewer_total,
        sum(viewer_count::numeric * viewer_count)
        / nullif(sum(viewer_count)::numeric * sum(viewer_count), 0) as hhi
    from samples
    group by category_key, date, crawl_at, language

),

twitch as (

    select
        category_key,
        date,
        language,
        sum(stream_count) as stream_samples,
        sum(viewer_total) as viewer_samples,
        avg(hhi) as hhi
    from crawl_languages
    group by category_key, date, language

),

twitch_totals as (

    select
        category_key,
        date,
        sum(stream_count) as stream_samples,
        sum(viewer_total) as viewer_samples
    from crawl_languages
    group by category_key, date

),

streams as (

    select
        category_key,
        date,
        language,
        count(distinct stream_id) as stream_count
    from samples
    group by category_key, date, language

),

{% if is_incremental() %}
{{ days_with_more('crawls_before', 'twitch_crawl_count', 'crawls', 'crawl_count') }},

-- Of such a day the streams' side is that of before.
before as (

    select there.*
    from {{ this }} as there
    inner join crawls_before
        on
            there.category_key = crawls_before.category_key
            and there.date = crawls_before.date

),

{% endif -%}
languages as (

    select
        category_key,
        date,
        language
    from youtube

    union

    select
        category_key,
        date,
        language
    from twitch
    {% if is_incremental() %}

    union

    select
        category_key,
        date,
        language_code as language
    from before
    where twitch_stream_samples > 0
    {% endif %}

),

joined as (

    select
        coverage.category_key,
        coverage.date,
        coverage.received_samples,
        coverage.newest_observed_at,
        coalesce(languages.language, 'und') as language_code,
        youtube.video_count,
        youtube.views_known_count,
        youtube.avg_views,
        youtube.total_views,
        streams.stream_count,
        twitch.stream_samples,
        twitch.viewer_samples,
        twitch.hhi,
        crawls.crawl_count,
        -- Twitch's viewers where the category has any, else the videos' views.
        case
            when twitch_totals.viewer_samples > 0 then 'twitch'
            when youtube_totals.total_views > 0 then 'youtube'
        end as market_platform,
        coalesce(twitch.viewer_samples, 0)
        / nullif(twitch_totals.viewer_samples, 0) as twitch_share,
        coalesce(youtube.total_views, 0)
        / nullif(youtube_totals.total_views, 0) as youtube_share,
        -- Streams that the language's viewers would carry at the game's own ratio.
        twitch_totals.stream_samples * coalesce(twitch.viewer_samples, 0)
        / nullif(twitch_totals.viewer_samples, 0) as usual_samples,
        case
            when youtube.views_known_count >= 5
                then youtube.avg_views / nullif(youtube_totals.avg_views, 0)
        end as views_ratio
    from coverage
    left join languages
        on
            coverage.category_key = languages.category_key
            and coverage.date = languages.date
    left join youtube
        on
            languages.category_key = youtube.category_key
            and languages.date = youtube.date
            and languages.language = youtube.language
    left join youtube_totals
        on
            coverage.category_key = youtube_totals.category_key
            and coverage.date = youtube_totals.date
    left join twitch
        on
            languages.category_key = twitch.category_key
            and languages.date = twitch.date
            and languages.language = twitch.language
    left join twitch_totals
        on
            coverage.category_key = twitch_totals.category_key
            and coverage.date = twitch_totals.date
    left join crawls
        on
            coverage.category_key = crawls.category_key
            and coverage.date = crawls.date
    left join streams
        on
            languages.category_key = streams.category_key
            and languages.date = streams.date
            and languages.language = streams.language

),

scored as (

    select
        *,
        -- As it is kept: a score of before takes its place, and what is made of both is made alike.
        (
            case
                when stream_samples > 0
                    then
                        0.5 * {{ saturation_score('stream_samples', 'usual_samples') }}
                        + 0.5 * {{ concentration_score('hhi') }}
            end
        )::double precision as competition_score,
        100 * views_ratio / (1 + views_ratio) as demand_score,
        (viewer_samples / nullif(stream_samples, 0))::double precision as avg_viewers,
        round(viewer_samples / crawl_count)::bigint as viewer_total,
        (
            100
            * case market_platform
                when 'twitch' then twitch_share
                when 'youtube' then youtube_share
            end
        )::double precision as market_share
    from joined

),

settled as (
    {% if is_incremental() %}

    select
        scored.category_key,
        scored.date,
        scored.language_code,
        scored.video_count,
        scored.views_known_count,
        scored.avg_views,
        scored.total_views,
        scored.demand_score,
        scored.received_samples,
        scored.newest_observed_at,
        case
            when crawls_before.category_key is null then scored.stream_count
            else before.twitch_stream_count
        end as stream_count,
        case
            when crawls_before.category_key is null then scored.stream_samples
            else before.twitch_stream_samples
        end as stream_samples,
        case
            when crawls_before.category_key is null then scored.avg_viewers
            else before.twitch_avg_viewers
        end as avg_viewers,
        case
            when crawls_before.category_key is null then scored.viewer_total
            else before.twitch_total_viewers
        end as viewer_total,
        case
            when crawls_before.category_key is null then scored.competition_score
            else before.competition_score
        end as competition_score,
        coalesce(crawls_before.crawl_count, scored.crawl_count) as crawl_count,
        case
            when max(before.market_share_platform) over by_day = 'twitch'
                then coalesce(before.market_share_percent, 0)
            else scored.market_share
        end as market_share,
        case
            when max(before.market_share_platform) over by_day = 'twitch' then 'twitch'
            else scored.market_platform
        end as market_platform
    from scored
    left join crawls_before
        on
            scored.category_key = crawls_before.category_key
            and scored.date = crawls_before.date
    left join before
        on
            scored.category_key = before.category_key
            and scored.date = before.date
            and scored.language_code = before.language_code
    window by_day as (partition by scored.category_key, scored.date)
    {% else %}

    select * from scored
    {% endif %}

),

final as (

    select
        -- ids
        {{ day_id('settled', ['settled.language_code']) }} as id,
        settled.category_key,
        settled.date,
        settled.language_code,

        -- the sources' columns
        coalesce(settled.video_count, 0)::integer as youtube_video_count,
        settled.avg_views::double precision as youtube_avg_views,
        coalesce(settled.total_views, 0)::bigint as youtube_total_views,
        coalesce(settled.stream_count, 0)::integer as twitch_stream_count,
        settled.avg_viewers as twitch_avg_viewers,
        coalesce(settled.viewer_total, 0)::bigint as twitch_total_viewers,
        settled.competition_score,
        (
            (coalesce(settled.demand_score, 0) + coalesce(settled.competition_score, 0))
            / nullif(num_nonnulls(settled.demand_score, settled.competition_score), 0)
        )::double precision as opportunity_score,
        settled.market_share as market_share_percent,
        {{ end_of_day('settled.date') }} as created_at,

        -- what the scores rest on
        settled.market_platform as market_share_platform,
        coalesce(settled.views_known_count, 0)::integer as youtube_views_known_count,
        coalesce(settled.stream_samples, 0)::integer as twitch_stream_samples,
        coalesce(settled.crawl_count, 0)::integer as twitch_crawl_count,

        -- coverage, lag, as of
        {{ day_coverage_columns('settled') }}
    from settled

)

select * from final
