"""Every family of the core over real rows of the archive slice, to be shuffled and held golden."""

import itertools
from collections.abc import Callable
from datetime import timedelta
from functools import cache

import numpy as np
import pandas as pd

from aurastream.core.anomalies import viewer_anomalies
from aurastream.core.category_stats import category_stats
from aurastream.core.channel_outliers import channel_outliers
from aurastream.core.clip_velocity import (
    ClipHoursParams,
    ClipParams,
    clip_activity,
    clip_hours,
    clip_velocity,
)
from aurastream.core.competition import competition
from aurastream.core.continuity import chart_overlap
from aurastream.core.description_shares import description_intel
from aurastream.core.descriptions import mine_descriptions
from aurastream.core.difficulty import difficulty
from aurastream.core.formats import format_buckets, format_comparison
from aurastream.core.freshness import confidence, decayed, freshness_levels, should_refresh
from aurastream.core.hashes import STATISTICS, VIDEO_METADATA, group_hashes, metadata_hashes
from aurastream.core.hour_of_week import hour_of_week_map
from aurastream.core.idea_evidence import idea_evidence
from aurastream.core.idea_formats import IDEA_FORMATS, format_cues
from aurastream.core.idea_subjects import subjects, whole_phrases
from aurastream.core.ideas import video_ideas
from aurastream.core.keywords import keyword_scores, tag_scores
from aurastream.core.languages import (
    language_mix,
    regional,
    title_language_items,
    youtube_language_items,
)
from aurastream.core.lead_lag import LeadLagParams, clip_video_lead_lag
from aurastream.core.momentum import MomentumParams, momentum
from aurastream.core.opportunity import opportunity
from aurastream.core.planner import plan_games
from aurastream.core.premieres import premiere_performance
from aurastream.core.publishing_times import early_releases, publishing_times
from aurastream.core.releases import releases
from aurastream.core.thumbnails import describe_thumbnail, features_frame
from aurastream.core.thumbnails_lift import thumbnail_designs, thumbnail_lift, with_thumbnails
from aurastream.core.title_features import title_features, title_patterns
from aurastream.core.title_intel import title_intel
from aurastream.core.title_lift import title_lift
from aurastream.core.title_questions import asks
from aurastream.core.topic_evidence import topic_evidence
from aurastream.core.topics import lemma_sets, topics
from aurastream.core.unchanged import fingerprints, with_sources
from aurastream.core.velocity import VelocityParams, video_velocity
from aurastream.core.viral import viral_scores
from aurastream.core.words import words
from aurastream.replay.images import paint
from aurastream.sources.catalog import load_catalog
from tests.unit.core.archive_slice import (
    CHARTS,
    FIRST_DAY,
    archive,
    audience,
    crawls_of_a_month,
    ends,
    streams_of_a_day,
)

Frames = dict[str, pd.DataFrame]
NOTHING = pd.DataFrame()
DAY = timedelta(days=1)
_TOPIC = ["window_start", "category", "topic_rank"]
GAMES = pd.DataFrame(
    {
        "category": ["a full page", "a short list"],
        "twitch_game_id": ["g1", "g2"],
        "audience_timezone": ["Europe/Rome", "America/New_York"],
    }
)
CLIPPED = pd.DataFrame({"category": ["a", "b"], "twitch_game_id": ["gaming", "music"]})
# The archive has a snapshot a day: now is then the day since the last one.
DAILY = VelocityParams(
    window=DAY, trailing=timedelta(hours=30), min_span=timedelta(hours=10), max_span=2 * DAY
)
DAILY_CLIPS = ClipParams(
    window=DAY,
    max_age=DAY,
    omitted_for=timedelta(0),
    trailing=timedelta(hours=30),
    min_span=timedelta(hours=10),
    max_span=2 * DAY,
)
DAILY_CLIP_HOURS = ClipHoursParams(window=DAY, reach=timedelta(hours=30), reports=DAY)
DAILY_LEAD_LAG = LeadLagParams(window=DAY, longest_gap=timedelta(hours=30))
DAILY_MOMENTUM = MomentumParams(
    window=DAY, against=DAY, history=8 * DAY, min_changes=4, full_changes=8
)


def _streams(history: pd.DataFrame) -> pd.DataFrame:
    """Return the last crawl of two games: the largest real channels, and every tenth of them."""
    at = history["crawl_at"].max()
    viewers = np.concatenate([audience(100), audience()[::10]])
    return pd.DataFrame(
        {
            "crawl_at": at,
            "observed_at": at + pd.Timedelta(minutes=1),
            "game_id": np.repeat(["g1", "g2"], [100, viewers.size - 100]),
            "stream_id": [f"s{i}" for i in range(viewers.size)],
            "viewer_count": viewers,
        }
    )


@cache
def frames() -> Frames:
    """Return the frames that the families read: charts of two days, counters of all days."""
    tables = archive()
    velocity = video_velocity(
        tables["trending"], tables["games"], tables["videos"], as_of=ends()[3:5]
    )
    about = tables["videos"].drop(columns=["duration_s", "audio_language", "published_at"])
    joined = velocity.merge(about, on=["video_id", "channel_id"])
    stats = category_stats(velocity, default_baselines={})
    viral = viral_scores(velocity, stats)
    scored = joined.merge(
        viral[["window_start", "category", "video_id", "viral_score"]],
        on=["window_start", "category", "video_id"],
    )
    # The archive knows no schedules: every fifth video is told as one that was announced for its
    # publication and began up to sixteen minutes late.
    place = tables["videos"].index
    plan = tables["videos"]["published_at"].where(place % 5 == 0)
    versions = tables["videos"].assign(
        live_state="none",
        scheduled_start_at=plan,
        actual_start_at=plan + pd.to_timedelta(place % 17, unit="min"),
        description=tables["videos"]["title"],
        definition="hd",
        is_made_for_kids=False,
        topic_categories=None,
    )
    # No archive of clips exists; the counters of charting videos stand for theirs.
    charting = tables["trending"].drop_duplicates(["chart", "day", "video_id"])
    history = pd.concat([crawls_of_a_month("g1", 60.0), crawls_of_a_month("g2", 12.0)])
    return {
        "velocity": velocity,
        "joined": joined,
        "scored": scored,
        "stats": stats,
        "viral": viral,
        "versions": versions,
        "releases": releases(velocity, versions),
        "trending": tables["trending"],
        "games": tables["games"],
        "videos": tables["videos"],
        "history": history,
        "streams": _streams(history),
        "broadcasts": streams_of_a_day(),
        "clips": charting.assign(
            game_id=charting["chart"],
            clip_id=charting["video_id"],
            view_count=charting["views"],
            created_at=FIRST_DAY - pd.Timedelta(days=1),
        ),
        "features": mine_descriptions(versions).merge(versions, on=["video_id", "metadata_hash"]),
        "members": joined[["window_start", "category", "video_id", "metadata_hash"]],
        "topics": topics(keyword_scores(joined), names={}),
        "mix": language_mix(youtube_language_items(velocity)),
        "titled": joined.assign(platform="youtube", viewers=joined["views"]).head(300),
        **_clips_made(tables),
        **_thumbnails(scored),
        **_days(tables),
    }


def _clips_made(tables: Frames) -> Frames:
    """Return when charting videos were published, in the place of clips, and the crawls."""
    shown = tables["trending"].merge(tables["videos"][["video_id", "published_at"]], on="video_id")
    first = shown.groupby(["chart", "video_id", "published_at"], as_index=False)["crawl_at"].min()
    return {
        "made": first.set_axis(["category", "clip_id", "created_at", "first_crawl_at"], axis=1),
        "crawls": shown[["chart", "crawl_at"]]
        .drop_duplicates()
        .rename(columns={"chart": "category"}),
    }


def _thumbnails(scored: pd.DataFrame) -> Frames:
    """Return videos with what their thumbnails look like.

    The archive has no pictures: they are those that the replay paints, where real ones would be
    the same picture for the same series of a channel.
    """
    rows = scored[scored["category"].isin(CHARTS)].sort_values(
        ["category", "best_rank", "video_id"]
    )
    rows = rows.groupby(["window_start", "category"]).head(40)
    about = rows.drop_duplicates("video_id").set_index("video_id")["channel_id"]
    features = features_frame(
        {
            video: describe_thumbnail(paint(video if n % 4 else channel, 120, 90))
            for n, (video, channel) in enumerate(about.sort_index().items())
        }
    ).assign(first_seen_at=FIRST_DAY)
    return {
        "thumbnails": features,
        "looked_at": with_thumbnails(
            rows.assign(as_of=rows["window_start"] + pd.Timedelta("30min")), features
        ),
    }


def _days(tables: Frames) -> Frames:
    """Return statistics and opportunity of every day, each named by its start."""
    velocity = video_velocity(tables["trending"], NOTHING, tables["videos"], as_of=ends())
    velocity["window_start"] = velocity["window_start"].dt.floor("1D") - DAY
    stats = category_stats(velocity, default_baselines={})
    viral = viral_scores(velocity, stats)
    return {"daily_stats": stats, "daily_opportunity": opportunity(viral, stats, NOTHING)}


def _patterns(titled: pd.DataFrame) -> pd.DataFrame:
    shown = title_patterns(title_features(titled["title"])).set_axis(titled.index)
    return pd.concat([titled, shown], axis=1)


def _title_words(f: Frames) -> pd.DataFrame:
    """Return what is read out of every fifth title: its words, features and kinds."""
    titles = pd.Series(sorted(f["videos"]["title"].unique())[::5], name="title", dtype="str")
    spoken = [words(title) for title in titles]
    told = pd.DataFrame(
        format_cues(titles), columns=[f"tells_{kind.name}" for kind in IDEA_FORMATS]
    )
    own = titles.to_frame().assign(
        words=[" ".join(line) for line in spoken],
        lemmas=[" ".join(sorted(found)) for found in lemma_sets(titles)],
        asks=[asks(line) for line in spoken],
    )
    return pd.concat([own, told, title_features(titles)], axis=1)


def _subjects(f: Frames) -> pd.DataFrame:
    whole = whole_phrases(f["topics"])
    found = idea_evidence(whole, f["joined"])
    shown = found.merge(f["joined"], on=["window_start", "category", "video_id"])
    kept = subjects(f["topics"], shown)
    return kept.merge(whole.rename(columns={"rank": "topic_rank"}), on=_TOPIC)


def _evidence(f: Frames) -> pd.DataFrame:
    said = f["topics"].reset_index(drop=True)
    return pd.concat([said, topic_evidence(said, f["joined"])], axis=1)


def _sorted(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort what has a row per row given, in the order given."""
    keys = ("window_start", "category", "rank" if "rank" in rows else "video_id")
    return rows.sort_values([key for key in keys if key in rows], ignore_index=True)


def _freshness(f: Frames) -> pd.DataFrame:
    """Return what every score of a day is worth four hours after each hour of that day."""
    rows = f["viral"].merge(f["velocity"], on=["window_start", "category", "video_id"])
    rows = rows[rows["window_start"] == rows["window_start"].min()].sort_values("video_id")
    rows = rows[rows["category"] == "music"].reset_index(drop=True)
    asked = rows["window_start"] + pd.to_timedelta(rows.index, unit="h")
    age = ((asked - rows["observed_at"]) / pd.Timedelta(hours=1)).to_numpy()
    levels = freshness_levels(age)
    return pd.DataFrame(
        {
            "video_id": rows["video_id"],
            "age_h": age,
            "level": levels,
            "should_refresh": should_refresh(levels),
            "confidence_pct": confidence(age),
            "decayed_score": decayed(rows["viral_score"], confidence(age)),
        }
    )


def _plan(f: Frames) -> pd.DataFrame:
    """Return the plan for the tracked games four hours after the last crawl of the archive."""
    catalog = load_catalog().categories_frame()
    crawled = f["games"].groupby("game", as_index=False)["crawl_at"].max()
    state = crawled.set_axis(["category", "last_crawl_at"], axis=1).assign(unchanged_count=0)
    return plan_games(
        catalog[catalog["kind"] == "game"],
        state,
        as_of=f["games"]["crawl_at"].max() + timedelta(hours=4),
        available_units=12,
    ).games


def _charted(f: Frames) -> pd.DataFrame:
    """Return what was on each chart of each day: texts and whole numbers, which nobody rounds."""
    rows = f["trending"].rename(columns={"crawl_at": "window_start", "chart": "category"})
    return rows[["window_start", "category", "region", "rank", "video_id", "title", "views"]]


def _overlaps(f: Frames) -> pd.DataFrame:
    """Return what the lists of each day have in common with those of the day before."""
    days = [day for _, day in f["trending"].groupby("day")]
    found = [chart_overlap(now, before) for before, now in itertools.pairwise(days)]
    return pd.DataFrame(found).assign(starts_over=[overlap.starts_over for overlap in found])


def _metadata(f: Frames) -> pd.DataFrame:
    """Return the version of every video, all columns of which are real that the archive has."""
    rows = f["versions"].sort_values("video_id", ignore_index=True)
    rows = rows.reindex(columns=["video_id", *VIDEO_METADATA])
    return rows[["video_id"]].assign(metadata_hash=metadata_hashes(rows))


_TWITCH_END = pd.DatetimeIndex([crawls_of_a_month()["crawl_at"].max().ceil("30min")])
_DAY_ENDS = pd.date_range(FIRST_DAY + DAY / 2, periods=6, freq="2h")
FAMILIES: dict[str, Callable[[Frames], pd.DataFrame]] = {
    "video_velocity": lambda f: video_velocity(
        f["trending"], f["games"], f["videos"], as_of=ends()[3:5]
    ),
    "velocity_now": lambda f: video_velocity(
        f["trending"], f["games"], f["videos"], as_of=ends()[3:6], params=DAILY
    ),
    "freshness": _freshness,
    "category_stats": lambda f: category_stats(f["velocity"], default_baselines={}),
    "viral_scores": lambda f: _sorted(viral_scores(f["velocity"], f["stats"])),
    "opportunity": lambda f: opportunity(f["viral"], f["stats"], NOTHING),
    "momentum": lambda f: momentum(
        f["daily_stats"],
        f["daily_opportunity"],
        NOTHING,
        as_of=ends().floor("1D"),
        params=DAILY_MOMENTUM,
    ),
    "competition": lambda f: competition(
        f["streams"], f["history"], as_of=_TWITCH_END, games=GAMES
    ),
    "hour_of_week_map": lambda f: hour_of_week_map(f["history"], as_of=_TWITCH_END, games=GAMES),
    "channel_outliers": lambda f: _sorted(channel_outliers(f["velocity"], f["velocity"])),
    "title_words": _title_words,
    "title_lift": lambda f: title_lift(_patterns(f["joined"])),
    "title_intel": lambda f: title_intel(f["joined"]),
    "keyword_scores": lambda f: keyword_scores(f["joined"]),
    "tag_scores": lambda f: tag_scores(f["joined"]),
    "topics": lambda f: topics(keyword_scores(f["joined"]), names={}),
    "topic_evidence": lambda f: _sorted(_evidence(f)),
    "idea_evidence": lambda f: idea_evidence(f["topics"], f["joined"]),
    "difficulty": lambda f: difficulty(idea_evidence(f["topics"], f["joined"]), f["joined"]),
    "subjects": _subjects,
    "video_ideas": lambda f: video_ideas(f["topics"], f["scored"]),
    "format_buckets": lambda f: format_buckets(f["velocity"]),
    "format_comparison": lambda f: format_comparison(f["velocity"]),
    "language_mix": lambda f: language_mix(youtube_language_items(f["velocity"])),
    "title_languages": lambda f: language_mix(title_language_items(f["titled"])),
    "regional": lambda f: regional(f["mix"]),
    "releases": lambda f: _sorted(releases(f["velocity"], f["versions"])),
    "premiere_performance": lambda f: premiere_performance(f["releases"]),
    "early_releases": lambda f: early_releases(f["releases"]),
    "publishing_times": lambda f: publishing_times(f["releases"]),
    "description_intel": lambda f: description_intel(f["members"], f["features"]),
    "clip_velocity": lambda f: clip_velocity(
        f["clips"], as_of=ends()[4:6], games=CLIPPED, params=DAILY_CLIPS
    ),
    "viewer_anomalies": lambda f: viewer_anomalies(f["broadcasts"], as_of=_DAY_ENDS, games=GAMES),
    "clip_activity": lambda f: clip_activity(
        clip_velocity(f["clips"], as_of=ends()[4:6], games=CLIPPED, params=DAILY_CLIPS)
    ),
    "clip_hours": lambda f: clip_hours(
        f["made"], f["crawls"], as_of=ends(), params=DAILY_CLIP_HOURS
    ),
    "clip_video_lead_lag": lambda f: clip_video_lead_lag(
        clip_hours(f["made"], f["crawls"], as_of=ends(), params=DAILY_CLIP_HOURS),
        f["trending"].rename(columns={"chart": "category"}),
        as_of=ends()[-2:],
        params=DAILY_LEAD_LAG,
    ),
    "chart_overlap": _overlaps,
    "plan_games": _plan,
    "metadata_hashes": _metadata,
    "group_hashes": lambda f: (
        group_hashes(f["trending"].assign(concurrent_viewers=None), ["chart", "day"], STATISTICS)
        .rename("stats_hash")
        .reset_index()
    ),
    "fingerprints": lambda f: with_sources(fingerprints(_charted(f))),
    "thumbnail_features": lambda f: f["thumbnails"].sort_values("video_id", ignore_index=True),
    "thumbnail_lift": lambda f: thumbnail_lift(f["looked_at"]),
    "thumbnail_designs": lambda f: thumbnail_designs(f["looked_at"]),
}
