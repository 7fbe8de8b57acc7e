"""The reads behind the hot documents: one set-based query per kind, for all categories at once."""

__all__ = [
    "CLIPS",
    "GAMES",
    "IDEAS",
    "LAST_FETCH",
    "STATS",
    "STREAMS",
    "TOP_GAMES",
    "TRENDING",
    "VIRAL",
    "VIRAL_CLIPS",
]

# The state of what ranks in the moment: the last complete crawl of each category of the hour before
# as_of, and else its last crawl of the day. What was missed since is carried forward, and labelled
# by its freshness.
_WHOLE_FIRST = "is_complete AND crawl_at >= %(as_of)s - interval '1 hour'"
_LATEST = f"""
WITH latest AS (
    SELECT DISTINCT ON (category, region) category, region, crawl_at
    FROM operations.crawls
    WHERE dataset = %(dataset)s AND got > 0
      AND crawl_at < %(as_of)s AND crawl_at >= %(as_of)s - interval '24 hours'
    ORDER BY category, region, ({_WHOLE_FIRST}) DESC, crawl_at DESC
)
"""  # noqa: S608 # fragments of this module
# The state of what adds up: it begins at the last complete crawl of each category and region (or
# the first of the day). What a partial crawl was not answered about is carried forward from there.
_STATES = """
WITH crawls AS (
    SELECT category, region, crawl_at, is_complete
    FROM operations.crawls
    WHERE dataset = %(dataset)s AND got > 0
      AND crawl_at < %(as_of)s AND crawl_at >= %(as_of)s - interval '24 hours'
),
states AS (
    SELECT category, region,
           coalesce(max(crawl_at) FILTER (WHERE is_complete), min(crawl_at)) AS since,
           max(crawl_at) AS until
    FROM crawls GROUP BY category, region
)
"""
# A crawl's rows are observed after its start; the bounds let the planner skip other days.
_SPAN = (
    "{t}.observed_at >= %(as_of)s - interval '25 hours' "
    "AND {t}.observed_at < %(as_of)s + interval '1 hour'"
)
# The rows since the oldest state, before they are joined to their own. The fence is for Postgres:
# it guesses that few rows match both, and would look up those of a whole day one by one.
_RECENT = f"""
recent AS MATERIALIZED (
    SELECT {{columns}} FROM collection.{{table}} t
    WHERE t.crawl_at >= (SELECT min(since) FROM {{states}})
      AND t.observed_at >= (SELECT min(since) FROM {{states}}) - interval '1 hour'
      AND {_SPAN.format(t="t")}
)
"""  # noqa: S608 # fragments of this module
_VIDEO = """
    v.title, v.channel_id, v.channel_title, v.published_at, v.duration_s, v.thumbnail_url
"""

TRENDING = f"""
{_STATES},
{_RECENT.format(table="youtube_trending", states="states", columns="t.*")},
rows AS (
    SELECT DISTINCT ON (t.chart, t.region, t.video_id) t.*
    FROM states l
    JOIN recent t
      ON t.chart = l.category AND t.region = l.region
     AND t.crawl_at BETWEEN l.since AND l.until
    ORDER BY t.chart, t.region, t.video_id, t.crawl_at DESC, t.rank
),
videos AS (
    SELECT chart, video_id, min(rank)::int AS best_rank,
           array_agg(region ORDER BY region) AS regions,
           max(views) AS views, max(likes) AS likes, max(comments) AS comments,
           max(concurrent_viewers) AS concurrent_viewers, max(observed_at) AS observed_at,
           (array_agg(metadata_hash ORDER BY observed_at DESC))[1] AS metadata_hash
    FROM rows GROUP BY chart, video_id
),
ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY chart ORDER BY best_rank, cardinality(regions) DESC, video_id) AS place
    FROM videos
)
SELECT r.chart AS name, r.observed_at, r.video_id, r.best_rank, r.regions, r.views, r.likes,
       r.comments, r.concurrent_viewers, {_VIDEO}
FROM ranked r
LEFT JOIN collection.youtube_videos v USING (video_id, metadata_hash)
WHERE r.place <= %(most)s
ORDER BY r.chart, r.place
"""  # noqa: S608 # fragments of this module

GAMES = f"""
{_STATES},
{_RECENT.format(table="youtube_games", states="states", columns="t.*")},
known AS (
    SELECT DISTINCT ON (g.game, g.video_id) g.*
    FROM states l
    JOIN recent g ON g.game = l.category AND g.crawl_at BETWEEN l.since AND l.until
    ORDER BY g.game, g.video_id, g.crawl_at DESC
),
ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY game ORDER BY views DESC NULLS LAST, video_id) AS place
    FROM known
)
SELECT r.game AS name, r.observed_at, r.video_id, r.confidence, r.views, r.likes, r.comments,
       r.concurrent_viewers, {_VIDEO}
FROM ranked r
LEFT JOIN collection.youtube_videos v USING (video_id, metadata_hash)
WHERE r.place <= %(most)s
ORDER BY r.game, r.place
"""  # noqa: S608 # fragments of this module

STREAMS = f"""
{_LATEST}
SELECT s.game_id AS name, l.category AS game, s.observed_at, s.rank, s.stream_id, s.user_id,
       s.user_login, s.user_name, s.title, s.viewer_count, s.started_at, s.language, s.tags,
       s.is_mature
FROM latest l
JOIN operations.categories c ON c.category = l.category
JOIN collection.twitch_streams s
  ON s.game_id = c.twitch_game_id AND s.crawl_at = l.crawl_at AND {_SPAN.format(t="s")}
WHERE s.rank <= %(most)s
ORDER BY s.game_id, s.rank, s.stream_id
"""  # noqa: S608 # fragments of this module

TOP_GAMES = f"""
SELECT t.observed_at, t.rank, t.game_id, t.game_name
FROM collection.twitch_top_games t
WHERE {_SPAN.format(t="t")} AND t.crawl_at = (
    SELECT crawl_at FROM operations.crawls
    WHERE dataset = 'collection/twitch_top_games' AND got > 0
      AND crawl_at < %(as_of)s AND crawl_at >= %(as_of)s - interval '24 hours'
    ORDER BY ({_WHOLE_FIRST}) DESC, crawl_at DESC LIMIT 1
)
ORDER BY t.rank, t.game_id
"""  # noqa: S608 # fragments of this module

LAST_FETCH = """
SELECT crawl_at, max(observed_at) AS observed_at, count(*) AS games,
       bool_and(is_complete) AS is_complete
FROM operations.crawls
WHERE dataset = 'collection/twitch_streams'
  AND crawl_at < %(as_of)s AND crawl_at >= %(as_of)s - interval '24 hours'
GROUP BY crawl_at ORDER BY crawl_at DESC LIMIT 1
"""

_CLIP_COLUMNS = """t.crawl_at, t.observed_at, t.game_id, t.clip_id, t.title, t.broadcaster_id,
           t.broadcaster_name, t.video_id, t.view_count, t.language, t.created_at, t.duration_s,
           t.vod_offset_s, t.thumbnail_url"""
# What the crawls of an hour did not show is gone, however little of it each of them was answered.
# Clips are looked for over six hours: an older state would bring back what has gone since.
CLIPS = f"""
{_STATES},
spans AS (
    SELECT category, until, greatest(since, until - interval '6 hours', (
        SELECT max(crawl_at) FROM crawls c
        WHERE c.category = s.category AND c.crawl_at <= s.until - interval '1 hour'
    )) AS since
    FROM states s
),
{_RECENT.format(table="clip_radar", states="spans", columns=_CLIP_COLUMNS)},
known AS (
    SELECT DISTINCT ON (k.game_id, k.clip_id) l.category AS game, k.*
    FROM spans l
    JOIN operations.categories c ON c.category = l.category
    JOIN recent k ON k.game_id = c.twitch_game_id AND k.crawl_at BETWEEN l.since AND l.until
    ORDER BY k.game_id, k.clip_id, k.crawl_at DESC
),
ranked AS (
    SELECT *, row_number() OVER (
        PARTITION BY game_id ORDER BY view_count DESC, clip_id) AS place
    FROM known
)
SELECT game_id AS name, game, observed_at, clip_id, title, broadcaster_id, broadcaster_name,
       video_id, view_count, language, created_at, duration_s, vod_offset_s,
       thumbnail_url
FROM ranked WHERE place <= %(most)s
ORDER BY game_id, place
"""  # noqa: S608 # fragments of this module

# The newest window of the last hour: an older one says nothing of what runs away now.
VIRAL_CLIPS = f"""
WITH latest AS (
    SELECT category, max(window_start) AS window_start, max(observed_at) AS observed_at
    FROM intelligence.clip_activity
    WHERE window_start < %(as_of)s AND window_start >= %(as_of)s - interval '1 hour'
    GROUP BY category
),
viral AS (
    SELECT i.*, row_number() OVER (
        PARTITION BY i.category ORDER BY i.velocity_per_hour DESC, i.clip_id) AS place
    FROM latest l
    JOIN intelligence.clip_intel i
      ON i.window_start = l.window_start AND i.category = l.category AND i.trend_class = 'VIRAL'
     AND i.window_start < %(as_of)s AND i.window_start >= %(as_of)s - interval '1 hour'
)
SELECT g.twitch_game_id AS name, l.category AS game, l.observed_at, l.window_start,
       a.sample_count, v.clip_id, k.title, k.broadcaster_id, k.broadcaster_name, k.video_id,
       v.views AS view_count, k.language, v.created_at, k.duration_s, k.vod_offset_s,
       k.thumbnail_url, v.velocity_per_hour, v.velocity_span_h, v.velocity_basis, v.velocity_score,
       v.confidence_pct
FROM latest l
JOIN intelligence.clip_activity a
  ON a.window_start = l.window_start AND a.category = l.category
 AND a.window_start < %(as_of)s AND a.window_start >= %(as_of)s - interval '1 hour'
JOIN operations.categories g ON g.category = l.category
LEFT JOIN viral v ON v.category = l.category AND v.place <= %(most)s
LEFT JOIN collection.clip_radar k
  ON k.clip_id = v.clip_id AND k.game_id = g.twitch_game_id AND k.observed_at = v.observed_at
 AND {_SPAN.format(t="k")}
ORDER BY g.twitch_game_id, v.place
"""  # noqa: S608 # fragments of this module

_WINDOWS = """
    SELECT DISTINCT ON (category) * FROM intelligence.{table}
    WHERE window_start < %(as_of)s AND window_start >= %(as_of)s - interval '24 hours'
    ORDER BY category, window_start DESC
"""

# Scores are as fresh as the newest snapshot they rest on: a window that carries an old crawl
# forward must not look new.
STATS = f"""
WITH latest AS ({_WINDOWS.format(table="category_stats")})
SELECT latest.*, w.observed_at
FROM latest
LEFT JOIN LATERAL (
    SELECT max(observed_at) AS observed_at FROM intelligence.video_velocity v
    WHERE v.window_start = latest.window_start AND v.category = latest.category
) w ON true
"""  # noqa: S608 # fragments of this module

# Four-hour windows are analysed after their end.
IDEAS = """
WITH latest AS (
    SELECT category, max(window_start) AS window_start FROM intelligence.video_ideas
    WHERE window_start <= %(as_of)s - interval '4 hours'
      AND window_start >= %(as_of)s - interval '28 hours'
    GROUP BY category
)
SELECT i.category AS name, i.window_start, i.window_start + interval '4 hours' AS observed_at,
       i.rank, i.idea_id, i.topic, i.format, i.concept, i.hook, i.idea_score, i.confidence_pct,
       i.difficulty_score, i.difficulty_band, i.duration_bucket, i.tags, i.evidence_count,
       i.evidence_video_ids
FROM latest l
JOIN intelligence.video_ideas i USING (category, window_start)
WHERE i.window_start >= %(as_of)s - interval '28 hours'
ORDER BY i.category, i.rank
"""

VIRAL = """
WITH latest AS (
    SELECT category, max(window_start) AS window_start FROM intelligence.category_stats
    WHERE window_start < %(as_of)s AND window_start >= %(as_of)s - interval '24 hours'
    GROUP BY category
),
scored AS (
    SELECT s.*, count(*) FILTER (WHERE s.trend_class = 'VIRAL') OVER one AS viral_count,
           count(*) FILTER (WHERE s.trend_class = 'RISING') OVER one AS rising_count,
           row_number() OVER (PARTITION BY s.category
               ORDER BY s.decayed_score DESC NULLS LAST, s.video_id) AS place
    FROM latest l
    JOIN intelligence.viral_scores s
      ON s.window_start = l.window_start AND s.category = l.category
     AND s.window_start >= %(as_of)s - interval '24 hours' AND s.window_start < %(as_of)s
    WINDOW one AS (PARTITION BY s.category)
)
SELECT s.category AS name, s.window_start, s.sample_count, s.viral_count, s.rising_count,
       s.video_id, s.trend_class, s.viral_score, s.decayed_score, s.confidence_pct,
       w.observed_at, w.velocity_now_per_hour, w.lifetime_velocity_per_hour, w.views,
       w.channel_id,
       v.title, v.channel_title, v.thumbnail_url
FROM scored s
LEFT JOIN intelligence.video_velocity w
  ON w.window_start = s.window_start AND w.category = s.category AND w.video_id = s.video_id
 AND w.window_start >= %(as_of)s - interval '24 hours' AND w.window_start < %(as_of)s
LEFT JOIN LATERAL (
    SELECT title, channel_title, thumbnail_url FROM collection.youtube_videos
    WHERE video_id = s.video_id ORDER BY (first_observed_at <= %(as_of)s) DESC,
          first_observed_at DESC LIMIT 1
) v ON true
WHERE s.place <= %(most)s
ORDER BY s.category, s.place
"""
