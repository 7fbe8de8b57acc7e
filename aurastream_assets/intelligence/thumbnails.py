"""What thumbnails look like, and which looks go along with faster videos.

The one part of the intelligence that asks the outside world: pictures may not be kept, so they are
looked at as they come. Everything after the features is a pure function of them and the window.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final, cast

import dagster as dg
import httpx
import pandas as pd

from aurastream.core import thumbnails_lift as core
from aurastream.core.pictures import Bar, Part, bars
from aurastream.core.thumbnails import FEATURES_VERSION
from aurastream.settings import Settings
from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.collectors.thumbnails import collect_thumbnails
from aurastream.sources.gemini import gemini_vision
from aurastream.sources.thumbnails import PLATFORM_HOSTS, ThumbnailClient
from aurastream.sources.vision import LocalVision, TextReader, VisionProvider, installed_reader
from aurastream.store import readings_thumbnails as readings
from aurastream_assets.intelligence.analyses import analyse, analysis_asset, at_window_end
from aurastream_assets.intelligence.plots import as_markdown, nothing_to_draw
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS, newest_of
from aurastream_assets.policies import RETRIES, freshness_within
from resources.crawl_keeping import keep
from resources.failures import failing_fast
from resources.frame_io import Analysis
from resources.platforms import Platforms
from resources.store import Redis, Store

__all__ = [
    "thumbnail_checks",
    "thumbnail_designs",
    "thumbnail_features",
    "thumbnail_intel",
]

_WORKER: Final = {"worker": "thumbnail_intel_worker"}
_RECHECK_AFTER: Final = timedelta(hours=24)
_FRESHNESS: Final = freshness_within(timedelta(hours=4, minutes=30), timedelta(hours=8, minutes=30))


@dg.asset(
    key=asset_key("intelligence", "thumbnail_features"),
    code_version=FEATURES_VERSION,
    deps=[
        newest_of(asset_key("intelligence", "viral_scores")),
        asset_key("collection", "youtube_videos"),
    ],
    retry_policy=RETRIES,
    io_manager_key="frame_io",
    kinds={"python", "opencv", "postgres"},
    tags=_WORKER,
    freshness_policy=_FRESHNESS,
)
def thumbnail_features(
    context: dg.AssetExecutionContext, store: Store, redis: Redis, platforms: Platforms
) -> dg.MaterializeResult[None]:
    """Fetch the thumbnails that are new, look at each once, and keep the figures alone.

    Known ones are asked after once a day and only sent again when they changed. Of each category a
    limited number is fetched per run, chosen without regard to success; the others follow. Words
    are read in a few of each category per run, the most viral first; where nobody has read them
    yet they are null.
    """
    now = datetime.now(UTC)
    settings = platforms.settings()
    with failing_fast():
        vision = _vision(settings)
        reader = _reader(context, settings) if isinstance(vision, LocalVision) else None
        wanted = readings.wanted_thumbnails(
            store.frames,
            as_of=now,
            features_version=FEATURES_VERSION,
            per_category=settings.thumbnails_per_category,
            recheck_after=_RECHECK_AFTER,
            read_per_category=settings.thumbnails_read_per_run if reader else 0,
        )
        known = readings.known_thumbnails(store.frames, wanted["video_id"].tolist())
        coverage = readings.thumbnail_coverage(store.frames, now).iloc[0].to_dict()
        replay = _replay(settings, platforms)
        with ThumbnailClient(
            (replay,) if replay else PLATFORM_HOSTS,
            moved_to=replay,
            breaker=CircuitBreakers(redis.resolved_url()),
            run_id=context.run.run_id,
            max_connections=settings.max_parallel_requests,
        ) as client:
            result = collect_thumbnails(
                client,
                wanted=wanted,
                known=known,
                vision=vision,
                reader=reader,
                run_id=context.run.run_id,
                max_parallel=settings.max_parallel_requests,
                started_at=now,
            )
    how = keep(context, store, result)
    total, unread = (
        int(wanted[name].iloc[0]) if len(wanted) else 0 for name in ("wanted_total", "unread_total")
    )
    words = int(result.metadata["words_read"])
    if reader is not None and result.metadata["reader"] != reader.name:
        context.log.warning("Words are not read in this run: %s", result.metadata["reader"])
    return dg.MaterializeResult(
        data_version=dg.DataVersion(result.data_version),
        metadata={
            **result.metadata,
            **how,
            "videos_of_newest_window": int(coverage["videos"]),
            "known_before": int(coverage["known"]),
            "left_for_later_runs": (
                total - int(wanted["is_due"].sum()) + int(result.metadata["incomplete"])
            ),
            "to_read_in_later_runs": max(0, unread - words) if reader else 0,
            "sample": (
                f"at most {settings.thumbnails_per_category} new ones per category and run, by a "
                "hash of the video's id"
            ),
        },
    )


def _replay(settings: Settings, platforms: Platforms) -> str | None:
    """Return host and port of the replay server, None when the platforms themselves are asked."""
    replay = platforms.replay_url or settings.replay_url
    if replay and (platforms.replay_url or not settings.live):
        return httpx.URL(replay).netloc.decode("ascii")
    return None


def _vision(settings: Settings) -> VisionProvider:
    key = settings.gemini_api_key
    asked = gemini_vision(
        api_key=key.get_secret_value() if key else None,
        policy_mode=settings.policy_mode,
        model=settings.gemini_model,
        base_url=settings.gemini_base_url,
    )
    return asked or LocalVision()


def _reader(context: dg.AssetExecutionContext, settings: Settings) -> TextReader | None:
    if not settings.read_thumbnails:
        return None
    reader = installed_reader()
    if reader is None:
        context.log.warning(
            "Words in thumbnails are not read: rapidocr or onnxruntime is not installed. Run "
            "script/setup again, or set AURASTREAM_READ_THUMBNAILS=false."
        )
    return reader


_VELOCITY: Final = at_window_end(
    "video_velocity",
    [
        "window_start",
        "category",
        "video_id",
        "channel_id",
        "age_h",
        "best_rank",
        "lifetime_velocity_per_hour",
    ],
)
_FEATURES: Final = dg.AssetIn(
    key=asset_key("intelligence", "thumbnail_features"),
    metadata={"columns": ["video_id", "first_seen_at", "perceptual_hash", *core.LOOK_COLUMNS]},
)


@analysis_asset(
    key=asset_key("intelligence", "thumbnail_intel"),
    code_version="2",
    ins={
        "velocity": _VELOCITY,
        "viral": at_window_end(
            "viral_scores", ["window_start", "category", "video_id", "viral_score"]
        ),
        "features": _FEATURES,
    },
    tags=_WORKER,
)
def thumbnail_intel(
    context: dg.AssetExecutionContext,
    store: Store,
    velocity: pd.DataFrame,
    viral: pd.DataFrame,
    features: pd.DataFrame,
) -> Analysis:
    """Measure which looks of thumbnails go along with faster videos, in each category.

    The lift is a ratio of velocities among videos of about one age and rank, with its interval; it
    is a comparison, not an experiment.
    """
    scored = velocity.merge(viral, on=["window_start", "category", "video_id"], how="left")
    found = analyse(context, store, _at_windows(scored, features), core.thumbnail_lift)
    rows = found.rows
    last = rows[rows["window_start"] == context.partition_time_window.end - FOUR_HOURS]
    looks = last.drop_duplicates("category")
    context.add_asset_metadata(
        {
            "videos": int(looks["video_count"].sum()),
            "videos_with_thumbnail": int(looks["known_count"].sum()),
            "sure_looks": int(last["verdict"].isin(["FASTER", "SLOWER"]).sum()),
            "lifts": _lifts(last),
        },
        partition_key=context.partition_key_range.end,
    )
    return found


@analysis_asset(
    key=asset_key("intelligence", "thumbnail_designs"),
    code_version="1",
    ins={"velocity": _VELOCITY, "features": _FEATURES},
    tags=_WORKER,
)
def thumbnail_designs(
    context: dg.AssetExecutionContext,
    store: Store,
    velocity: pd.DataFrame,
    features: pd.DataFrame,
) -> Analysis:
    """List the designs of thumbnails that several videos of a category share."""
    columns = ["window_start", "category", "video_id", "channel_id", "lifetime_velocity_per_hour"]
    frame = _at_windows(velocity[columns], features)
    return analyse(context, store, frame[[*columns, "perceptual_hash"]], core.thumbnail_designs)


def _at_windows(videos: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    ended = videos.assign(as_of=videos["window_start"] + FOUR_HOURS)
    return core.with_thumbnails(ended, features).drop(columns="as_of")


_MOST: Final = 14
_COLOURS: Final = {"FASTER": "#10b981", "SLOWER": "#ef4444", "UNCLEAR": "#94a3b8"}


def _lifts(rows: pd.DataFrame) -> dg.MarkdownMetadataValue:
    known = rows[rows["lift"].notna()]
    if known.empty:
        return nothing_to_draw()
    known = known.sort_values(["q_value", "category", "look"], kind="stable").head(_MOST)
    drawn = [
        Bar(
            f"{row.category}: {row.look}",
            [Part(cast("float", row.lift), _COLOURS[str(row.verdict)])],
            f"×{row.lift:.2f} ({row.ci_low:.2f}–{row.ci_high:.2f})",
        )
        for row in known.itertuples()
    ]
    legend = [(colour, verdict.lower()) for verdict, colour in _COLOURS.items()]
    svg = bars(drawn, title="Velocity with a look / without it; 1 is no difference", legend=legend)
    return as_markdown(svg, "Lift of the looks of thumbnails, the surest first")


_UNKNOWN_SHARE_WARNS: Final = 0.5


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "coverage",
            asset=asset_key("intelligence", "thumbnail_features"),
            description="Most videos of the newest window have a thumbnail that was looked at, "
            "or wait for a later run; few were rejected.",
        ),
        dg.AssetCheckSpec(
            "range",
            asset=asset_key("intelligence", "thumbnail_features"),
            description="Shares lie between 0 and 1, and grids sum to 1.",
        ),
        dg.AssetCheckSpec(
            "range",
            asset=asset_key("intelligence", "thumbnail_intel"),
            description="Lifts lie within their intervals, shares and p-values between 0 and 1.",
        ),
        dg.AssetCheckSpec(
            "without_thumbnail",
            asset=asset_key("intelligence", "thumbnail_intel"),
            description="At least half of the videos of each category have a known thumbnail.",
        ),
        dg.AssetCheckSpec(
            "shared",
            asset=asset_key("intelligence", "thumbnail_designs"),
            description="Every design has two videos or more, each in one design of a category.",
        ),
    ],
    can_subset=True,
    description="Coverage, ranges and the share of videos without a thumbnail.",
)
def thumbnail_checks(
    context: dg.AssetCheckExecutionContext, store: Store
) -> Iterator[dg.AssetCheckResult]:
    """Ask the record what it holds after the write."""
    counts = readings.thumbnail_audit(store.frames, datetime.now(UTC))
    judged = {
        ("thumbnail_features", "coverage"): (
            counts["rejected"] <= _UNKNOWN_SHARE_WARNS * max(1, counts["videos"]),
            dg.AssetCheckSeverity.WARN,
        ),
        ("thumbnail_features", "range"): (not counts["features_out_of_range"], None),
        ("thumbnail_intel", "range"): (not counts["lifts_out_of_range"], None),
        ("thumbnail_intel", "without_thumbnail"): (
            not counts["thin_categories"],
            dg.AssetCheckSeverity.WARN,
        ),
        ("thumbnail_designs", "shared"): (not counts["designs_out_of_range"], None),
    }
    for key in sorted(context.selected_asset_check_keys):
        passed, severity = judged[key.asset_key.path[-1], key.name]
        yield dg.AssetCheckResult(
            passed=bool(passed),
            asset_key=key.asset_key,
            check_name=key.name,
            severity=severity or dg.AssetCheckSeverity.ERROR,
            metadata=counts,
        )
