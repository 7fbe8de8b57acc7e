"""The order of the rows cannot show in any result: compared bit by bit, on real rows."""

from collections.abc import Callable
from functools import cache

import pandas as pd
import pytest

from aurastream.core.category_stats import category_stats
from aurastream.core.channel_outliers import channel_outliers
from aurastream.core.competition import competition
from aurastream.core.description_shares import description_intel
from aurastream.core.descriptions import mine_descriptions
from aurastream.core.formats import format_buckets, format_comparison
from aurastream.core.hour_of_week import hour_of_week_map
from aurastream.core.ideas import video_ideas
from aurastream.core.keywords import keyword_scores, tag_scores
from aurastream.core.languages import (
    language_mix,
    regional,
    title_language_items,
    youtube_language_items,
)
from aurastream.core.momentum import momentum
from aurastream.core.opportunity import opportunity
from aurastream.core.premieres import premiere_performance
from aurastream.core.publishing_times import early_releases, publishing_times
from aurastream.core.releases import releases
from aurastream.core.title_features import title_features, title_patterns
from aurastream.core.title_intel import title_intel
from aurastream.core.title_lift import title_lift
from aurastream.core.topic_evidence import topic_evidence
from aurastream.core.topics import topics
from aurastream.core.velocity import video_velocity
from aurastream.core.viral import viral_scores
from tests.unit.core.archive_slice import archive, crawls_of_a_month, ends

Frames = dict[str, pd.DataFrame]
NOTHING = pd.DataFrame()


@cache
def real() -> Frames:
    """Return the frames that the families read, of two days of real charts."""
    tables = archive()
    velocity = video_velocity(
        tables["trending"], tables["games"], tables["videos"], as_of=ends()[3:5]
    )
    about = tables["videos"].drop(columns=["duration_s", "audio_language", "published_at"])
    joined = velocity.merge(about, on=["video_id", "channel_id"])
    stats = category_stats(velocity, default_baselines={})
    viral = viral_scores(velocity, stats)
    # Every fifth video is told as if it had been announced six hours before it came out.
    plan = tables["videos"]["published_at"].where(tables["videos"].index % 5 == 0)
    schedule = tables["videos"].assign(
        live_state="none",
        scheduled_start_at=plan,
        actual_start_at=plan + pd.Timedelta(minutes=7),
        description=tables["videos"]["title"],
        definition="hd",
        is_made_for_kids=False,
        topic_categories=None,
    )
    scored = joined.merge(
        viral[["window_start", "category", "video_id", "viral_score"]],
        on=["window_start", "category", "video_id"],
    )
    return {
        "velocity": velocity,
        "joined": joined,
        "scored": scored,
        "stats": stats,
        "viral": viral,
        "versions": schedule,
        "releases": releases(velocity, schedule),
        "trending": tables["trending"],
        "games": tables["games"],
        "videos": tables["videos"],
        "history": crawls_of_a_month(),
        "features": mine_descriptions(schedule).merge(schedule, on=["video_id", "metadata_hash"]),
        "members": joined[["window_start", "category", "video_id", "metadata_hash"]],
        "topics": topics(keyword_scores(joined), names={}),
        "mix": language_mix(youtube_language_items(velocity)),
    }


def streams() -> pd.DataFrame:
    """Return the last crawls of a game as streams of 10, 20, 30 … viewers."""
    rows = crawls_of_a_month().tail(2)
    rows = rows.loc[rows.index.repeat(rows["live_count"].astype(int))].reset_index(drop=True)
    number = rows.groupby("crawl_at").cumcount()
    return rows.assign(
        observed_at=rows["crawl_at"],
        stream_id=number.map("s{}".format),
        viewer_count=10 * (number + 1),
    )


def with_patterns(f: Frames) -> pd.DataFrame:
    shown = title_patterns(title_features(f["joined"]["title"])).set_axis(f["joined"].index)
    return pd.concat([f["joined"], shown], axis=1)


def sorted_rows(rows: pd.DataFrame) -> pd.DataFrame:
    """Sort what has a row per row given, in the order given."""
    keys = ("window_start", "category", "rank" if "rank" in rows else "video_id")
    return rows.sort_values([key for key in keys if key in rows], ignore_index=True)


def evidence(f: Frames) -> pd.DataFrame:
    said = f["topics"].reset_index(drop=True)
    return pd.concat([said, topic_evidence(said, f["joined"])], axis=1)


GAME = pd.DataFrame(
    {"category": ["g"], "twitch_game_id": ["g1"], "audience_timezone": ["Europe/Rome"]}
)
END = pd.DatetimeIndex(crawls_of_a_month()["crawl_at"].tail(1).dt.ceil("30min"))
FAMILIES: dict[str, Callable[[Frames], pd.DataFrame]] = {
    "video_velocity": lambda f: video_velocity(
        f["trending"], f["games"], f["videos"], as_of=ends()[3:5]
    ),
    "category_stats": lambda f: category_stats(f["velocity"], default_baselines={}),
    "viral_scores": lambda f: sorted_rows(viral_scores(f["velocity"], f["stats"])),
    "opportunity": lambda f: opportunity(f["viral"], f["stats"], NOTHING),
    "momentum": lambda f: momentum(f["stats"], NOTHING, NOTHING, as_of=ends()[3:5]),
    "competition": lambda f: competition(
        streams().sample(frac=1, random_state=len(f)), f["history"], as_of=END, games=GAME
    ),
    "hour_of_week_map": lambda f: hour_of_week_map(f["history"], as_of=END, games=GAME),
    "channel_outliers": lambda f: sorted_rows(channel_outliers(f["velocity"], f["velocity"])),
    "title_lift": lambda f: title_lift(with_patterns(f)),
    "title_intel": lambda f: title_intel(f["joined"]),
    "keyword_scores": lambda f: keyword_scores(f["joined"]),
    "tag_scores": lambda f: tag_scores(f["joined"]),
    "topics": lambda f: topics(keyword_scores(f["joined"]), names={}),
    "topic_evidence": lambda f: sorted_rows(evidence(f)),
    "video_ideas": lambda f: video_ideas(f["topics"], f["scored"]),
    "format_buckets": lambda f: format_buckets(f["velocity"]),
    "format_comparison": lambda f: format_comparison(f["velocity"]),
    "language_mix": lambda f: language_mix(youtube_language_items(f["velocity"])),
    "regional": lambda f: regional(f["mix"]),
    "title_languages": lambda f: language_mix(
        title_language_items(
            f["joined"].assign(platform="youtube", viewers=f["joined"]["views"]).head(300)
        )
    ),
    "releases": lambda f: sorted_rows(releases(f["velocity"], f["versions"])),
    "premiere_performance": lambda f: premiere_performance(f["releases"]),
    "early_releases": lambda f: early_releases(f["releases"]),
    "publishing_times": lambda f: publishing_times(f["releases"]),
    "description_intel": lambda f: description_intel(f["members"], f["features"]),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_the_order_of_real_rows_does_not_show_in_the_last_bit(family: str) -> None:
    given = dict(real())
    if family == "title_languages":
        given["joined"] = given["joined"].head(300)
    expected = FAMILIES[family](given)
    assert len(expected) > 0
    for seed in (1, 2, 3):
        shuffled = {name: rows.sample(frac=1, random_state=seed) for name, rows in given.items()}
        found = FAMILIES[family](shuffled)
        pd.testing.assert_frame_equal(found, expected, check_exact=True)
