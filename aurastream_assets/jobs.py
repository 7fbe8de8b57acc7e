"""Jobs: what is launched together, how long it may take, how urgent it is.

Every job carries ``dagster/max_runtime``: nothing else frees a run whose worker and code server
both died. The executor is the in-process default of the definitions: steps are few and fat.
"""

from typing import Final

import dagster as dg

from aurastream_assets.keys import WORKERS, Stage, asset_key

__all__ = [
    "BATCH",
    "JOBS",
    "analyses",
    "archive",
    "clips",
    "daily_rollup",
    "expire",
    "games",
    "games_reconcile",
    "hourly_rollup",
    "learning",
    "publish",
    "publish_marts",
    "rescore",
    "retention",
    "signal",
    "streams",
    "thumbnails",
]


def _tags(worker: str) -> dict[str, str]:
    row = WORKERS[worker]
    return {
        **row.tags(),
        "dagster/max_runtime": str(row.timeout_s),
        "dagster/priority": str(row.priority),
    }


BATCH: Final = {"aura/class": "batch", "dagster/priority": "-10"}
"""What can wait: it has two slots of four, and goes behind what a person or the clock asks for."""


def _assets(stage: Stage, *names: str) -> dg.AssetSelection:
    return dg.AssetSelection.assets(*(asset_key(stage, name) for name in names))


_SCORES: Final = _assets(
    "intelligence",
    "video_velocity",
    "category_stats",
    "viral_scores",
    "competition",
    "opportunity",
    "clip_intel",
    "clip_activity",
    "momentum",
    "viewer_anomalies",
)

_VIDEOS: Final = asset_key("collection", "youtube_videos")

signal: Final = dg.define_asset_job(
    "signal",
    selection=_assets("collection", "youtube_trending")
    | _SCORES
    | _assets("reporting", "hot_documents")
    # Written by the crawl of the charts, so it is looked at together with it.
    | dg.AssetSelection.checks_for_assets(_VIDEOS),
    tags=_tags("youtube_worker_trending"),
    description="Collect the charts, score the window they lie in, publish the hot documents.",
)

rescore: Final = dg.define_asset_job(
    "rescore",
    selection=_SCORES,
    tags=_tags("creator_intel_worker") | BATCH,
    description="Score a range of windows again from stored snapshots, in one run.",
)

analyses: Final = dg.define_asset_job(
    "analyses",
    selection=dg.AssetSelection.tag("cadence", "four_hours"),
    tags=_tags("creator_intel_worker"),
    description="The slow intelligence of one four-hour window, or of a range in one run.",
)

thumbnails: Final = dg.define_asset_job(
    "thumbnails",
    selection=_assets("intelligence", "thumbnail_features", "thumbnail_intel", "thumbnail_designs"),
    tags=_tags("thumbnail_intel_worker"),
    description="Look at new thumbnails, and at what they have in common in four hours.",
)

publish: Final = dg.define_asset_job(
    "publish",
    selection=_assets("reporting", "hot_documents"),
    tags=_tags("creator_intel_worker"),
    description="Rebuild the hot documents from the record, for example after Redis was lost.",
)

games: Final = dg.define_asset_job(
    "games",
    selection=_assets("collection", "youtube_games"),
    tags=_tags("youtube_worker_games"),
    description="Refresh the videos of those games that the planner finds due.",
)

games_reconcile: Final = dg.define_asset_job(
    "games_reconcile",
    selection=_assets("collection", "youtube_games"),
    config={"ops": {"collection__youtube_games": {"config": {"reconcile": True}}}},
    tags=_tags("youtube_worker_games"),
    description="Refresh and re-classify the videos of every game, due or not.",
)

streams: Final = dg.define_asset_job(
    "streams",
    selection=_assets("collection", "twitch_streams", "twitch_top_games")
    | _assets("reporting", "stream_documents"),
    tags=_tags("twitch_streams_worker"),
    description="Collect and publish the top streams of every tracked game, and the top games.",
)

clips: Final = dg.define_asset_job(
    "clips",
    selection=_assets("collection", "clip_radar") | _assets("reporting", "clip_documents"),
    tags=_tags("clip_radar_worker"),
    description="Collect and publish the newest clips of every tracked game with their views.",
)

hourly_rollup: Final = dg.define_asset_job(
    "hourly_rollup",
    selection=_assets("aggregation", "intel_hourly_metrics", "intel_collection_hours"),
    tags=_tags("intel_aggregation_hourly"),
    description="Roll one hour of scores and crawls up, or a range of hours in one run.",
)

daily_rollup: Final = dg.define_asset_job(
    "daily_rollup",
    selection=_assets(
        "aggregation",
        "intel_daily_metrics",
        "intel_duration_performance",
        "intel_regional_performance",
        "intel_premiere_performance",
        "intel_channel_days",
        "intel_posting_hours",
        "intel_stream_hours",
        "intel_competition_days",
        "intel_insight_days",
    ),
    tags=_tags("intel_aggregation_daily"),
    description="Roll one day up into every table of days, or a range of days in one run.",
)

learning: Final = dg.define_asset_job(
    "learning",
    selection=_assets(
        "intelligence", "viral_model", "viral_predictions", "prediction_backtest", "evaluations"
    ),
    tags=_tags("creator_intel_worker") | BATCH,
    description="Train on a day's record, predict its new videos, look at earlier predictions.",
)

publish_marts: Final = dg.define_asset_job(
    "publish_marts",
    selection=dg.AssetSelection.key_prefixes(["marts"])
    | _assets("aggregation", "intel_quota_log", "intel_worker_state"),
    tags=_tags("intel_aggregation_hourly"),
    description="Define the views that analysts and the API read; needed when a model changed.",
)


_PURGES: Final = _assets("maintenance", "purges")

retention: Final = dg.define_asset_job(
    "retention",
    selection=_PURGES,
    tags=_tags("intel_aggregation_daily"),
    description="Make the partitions of the days to come, take away what is over age.",
)

expire: Final = dg.define_asset_job(
    "expire",
    selection=_PURGES,
    config={"ops": {"maintenance__purges": {"config": {"hourly_only": True}}}},
    tags=_tags("intel_aggregation_hourly"),
    description="Take away what the terms let us keep for a day only.",
)

archive: Final = dg.define_asset_job(
    "archive",
    selection=_assets("maintenance", "archive"),
    tags=_tags("intel_aggregation_daily") | BATCH,
    description="Write a month of what may be kept as Parquet.",
)


JOBS: Final = (
    signal,
    rescore,
    analyses,
    thumbnails,
    publish,
    games,
    games_reconcile,
    streams,
    clips,
    hourly_rollup,
    daily_rollup,
    learning,
    publish_marts,
    retention,
    expire,
    archive,
)
