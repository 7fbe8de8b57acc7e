"""What no algorithm can work on is refused by name, never by an accident of numpy or pandas."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from aurastream.core.competition import (
    as_known_before,
    competition,
    concentration_scores,
    saturation_scores,
)
from aurastream.core.description_shares import HABITS, description_intel
from aurastream.core.descriptions import mine_description, mine_descriptions
from aurastream.core.difficulty import difficulty, difficulty_bands
from aurastream.core.errors import InvalidInputError
from aurastream.core.hour_of_week import hour_of_week_map
from aurastream.core.idea_subjects import subjects, whole_phrases
from aurastream.core.ideas import video_ideas
from aurastream.core.intervals import wilson_interval
from aurastream.core.keywords import keyword_scores, tag_scores, usable_rows
from aurastream.core.languages import (
    language_mix,
    primary_languages,
    regional,
    title_language_items,
    title_languages,
)
from aurastream.core.lead_lag import cross_correlation
from aurastream.core.momentum import momentum, momentum_scores
from aurastream.core.opportunity import opportunity
from aurastream.core.percentile import percentile_score
from aurastream.core.planner import Plan, plan_games
from aurastream.core.premieres import on_time_share
from aurastream.core.publishing_times import early_releases
from aurastream.core.thumbnails_layout import field_at
from aurastream.core.thumbnails_lift import thumbnail_designs
from aurastream.core.thumbnails_similarity import hash_distance, similar_groups
from aurastream.core.title_features import title_features, title_patterns
from aurastream.core.title_intel import title_intel
from aurastream.core.title_lift import adjusted_p_values
from aurastream.core.topic_evidence import topic_evidence
from aurastream.core.topics import topics
from aurastream.core.unchanged import carried, fingerprints, with_sources
from aurastream.core.velocity import lifetime_velocity
from aurastream.core.viral import viral_scores

AT = pd.Timestamp("2026-03-01T10:00Z")
TOPIC = pd.DataFrame(
    {"window_start": [AT], "category": "g", "rank": 1, "topic": "boss", "lemmas": "boss"}
)
VIDEO = pd.DataFrame(
    {
        "window_start": [AT],
        "category": "g",
        "video_id": "a",
        "channel_id": "c",
        "title": "boss",
        "tags": None,
        "views": 1,
        "lifetime_velocity_per_hour": 1.0,
        "viral_score": 1.0,
        "confidence_pct": 1.0,
    }
)
EVIDENCE = pd.DataFrame(
    {"window_start": [AT], "category": "g", "topic_rank": 1, "video_id": "a", "duplicates": None}
)
STATS = pd.DataFrame(
    {"window_start": [AT], "category": "g", "velocity_mean": 1.0, "velocity_std": 1.0}
    | {
        f"{metric}_{anchor}": value
        for metric in ("views", "velocity", "engagement")
        for anchor, value in (("p25", 1.0), ("p50", 2.0), ("p75", 3.0), ("p90", 4.0))
    }
)
STATS_KNOWN = STATS.assign(sample_count=30, baseline_velocity_per_hour=1.0)
MEDIAN = STATS.assign(velocity_p50=1.0)
VIRAL = VIDEO.assign(trend_class="VIRAL", sample_count=30)
EASE = pd.DataFrame(
    {
        "window_start": [AT],
        "category": "g",
        "ease_score": 50.0,
        "is_peak": False,
        "confidence_pct": 50.0,
    }
)
GAME = pd.DataFrame({"category": ["g"], "twitch_game_id": "1", "audience_timezone": "Europe/Rome"})
HALF_PAST = AT + pd.Timedelta("30min")
NOTHING = pd.DataFrame()
NESTED = pd.Series([["boss", ["fight"]]], dtype=object)
LISTED = pd.Series([["boss"]], dtype=object)
ARRAY = pd.Series([np.array([1, 2])], dtype=object)
RANGE = pd.Series([range(3)], dtype=object)
COLUMN = pd.Series([pd.array([1])], dtype=object)
HALF = pd.Series(["\ud800"], dtype=object)


def of_term(value: Any) -> pd.DataFrame:
    return pd.DataFrame({"window_start": [AT], "category": "g", "score": 1.0, "term": [value]})


def mix() -> pd.DataFrame:
    return language_mix(title_language_items(VIDEO.assign(platform="youtube", viewers=1.0)))


MEMBER = pd.DataFrame(
    {"window_start": [AT], "category": "g", "video_id": "a", "metadata_hash": "1"}
)


def described(**columns: Any) -> pd.DataFrame:
    found = mine_descriptions(MEMBER.assign(description="#one http://a.example", duration_s=60.0))
    return description_intel(MEMBER, found.assign(**(dict.fromkeys(HABITS) | columns)))


def planned(**columns: Any) -> Plan:
    games = pd.DataFrame(
        {"category": ["g"], "priority": 1, "interval_minutes": 60, "max_videos": 50}
    )
    state = pd.DataFrame({"category": ["g"], "last_crawl_at": [AT], "unchanged_count": 0})
    asked = {"as_of": AT.to_pydatetime(), "available_units": 100}
    return plan_games(games.assign(**columns), state, **asked)


def viral(**stats: float) -> pd.DataFrame:
    return viral_scores(VIDEO.assign(engagement_rate=None), STATS.assign(**stats))


def rivals() -> pd.DataFrame:
    crawl = pd.DataFrame({"crawl_at": [AT], "game_id": "1", "live_count": 0, "viewer_total": 0})
    return competition(NOTHING, crawl, as_of=pd.DatetimeIndex([HALF_PAST]), games=GAME)


REFUSED: dict[str, Callable[[], Any]] = {
    "a video twice": lambda: video_ideas(TOPIC, pd.concat([VIDEO, VIDEO])),
    "a video without an id": lambda: video_ideas(TOPIC, VIDEO.assign(video_id=None)),
    "a hash of other letters": lambda: hash_distance("0" * 16, "zz"),
    "a point outside the picture": lambda: field_at(-0.1, 0.5),
    "a point nowhere": lambda: field_at(0.5, np.nan),
    "trials without end": lambda: wilson_interval([1.0], [np.inf]),
    "a negative lag": lambda: cross_correlation([1, 2], [1, 2], -2),
    "too few z-scores": lambda: momentum_scores([0.0]),
    "percentiles of another shape": lambda: percentile_score([1, 2], [1, 2, 3], 4, 5, 6),
    "a velocity that is a word": lambda: keyword_scores(
        VIDEO.assign(lifetime_velocity_per_hour="fast")
    ),
    "a negative index": lambda: concentration_scores([-1]),
    "an index above 1": lambda: concentration_scores([1.5]),
    "fewer streams than none": lambda: saturation_scores([-1], [1]),
    "a p-value of 2": lambda: adjusted_p_values([-1, 2]),
    "an unknown difficulty": lambda: difficulty_bands([np.nan]),
    "a tolerance below 0": lambda: on_time_share([1.0], tolerance_min=-1.0),
    "no tolerance": lambda: on_time_share([1.0], tolerance_min=np.nan),
    "views without end": lambda: lifetime_velocity([np.inf], [1.0]),
    "tags in tags": lambda: tag_scores(VIDEO.assign(tags=NESTED)),
    "tags in tags, row by row": lambda: usable_rows(VIDEO.assign(tags=NESTED)),
    "tags in tags of evidence": lambda: topic_evidence(
        TOPIC.assign(duplicates=None), VIDEO.assign(tags=NESTED)
    ),
    "tags in tags of ideas": lambda: video_ideas(TOPIC, VIDEO.assign(tags=NESTED)),
    "a title that is a list": lambda: keyword_scores(VIDEO.assign(title=LISTED)),
    "a title of patterns that is a list": lambda: title_intel(
        VIDEO.assign(title=LISTED, age_h=1.0)
    ),
    "a title of ideas that is a list": lambda: video_ideas(TOPIC, VIDEO.assign(title=LISTED)),
    "a term that is a list": lambda: topics(of_term(["boss"])),
    "a window of ideas that is a word": lambda: video_ideas(
        TOPIC, VIDEO.assign(window_start="soon")
    ),
    "a design that cannot be written": lambda: thumbnail_designs(
        VIDEO.assign(perceptual_hash=HALF)
    ),
    "a topic that is a list": lambda: video_ideas(TOPIC.assign(topic=LISTED), VIDEO),
    "half a surrogate pair for a name": lambda: keyword_scores(VIDEO.assign(category=HALF)),
    "a time that is a word": lambda: keyword_scores(VIDEO.assign(window_start="soon")),
    "no rank": lambda: video_ideas(TOPIC.assign(rank=None), VIDEO),
    "half a rank": lambda: difficulty(EVIDENCE.assign(topic_rank=1.5), VIDEO),
    "a percentile without end": lambda: viral(velocity_p90=np.inf),
    "percentiles that fall": lambda: viral(views_p50=9.0),
    "an opportunity beside two competitions": lambda: opportunity(
        VIRAL, STATS_KNOWN, pd.concat([EASE, EASE])
    ),
    "a difficulty beside two competitions": lambda: difficulty(
        EVIDENCE, VIDEO, pd.concat([EASE, EASE])
    ),
    "a difficulty of doubled videos": lambda: difficulty(EVIDENCE, pd.concat([VIDEO, VIDEO])),
    "a momentum of doubled statistics": lambda: momentum(
        pd.concat([MEDIAN, MEDIAN]), NOTHING, NOTHING, as_of=pd.DatetimeIndex([HALF_PAST])
    ),
    "a language without items": lambda: regional(mix().assign(item_count=0)),
    "a language of half an item": lambda: regional(mix().assign(item_count=0.5)),
    "a mix of no platform": lambda: regional(mix().assign(platform=None)),
    "a mix of no window": lambda: regional(mix().assign(window_start=None)),
    "a share that is a list": lambda: regional(mix().assign(share=LISTED)),
    "a language that is a list": lambda: regional(mix().assign(language=LISTED)),
    "views beyond all counting": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, views=1e300), STATS
    ),
    "half a surrogate pair for an id": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, video_id=HALF), STATS
    ),
    "views that are times": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, views=AT), STATS
    ),
    "views that are imaginary": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, views=1j), STATS
    ),
    "views that are an array": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, views=ARRAY), STATS
    ),
    "views that are a range": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, views=RANGE), STATS
    ),
    "views that are a column": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, views=COLUMN), STATS
    ),
    "a title that is a range": lambda: keyword_scores(VIDEO.assign(title=RANGE)),
    "a confidence without end": lambda: viral_scores(
        VIDEO.assign(engagement_rate=None, confidence_pct=np.inf), STATS
    ),
    "half a video for a sample": lambda: opportunity(
        VIRAL, STATS_KNOWN.assign(sample_count=30.5), EASE
    ),
    "a time that is a number": lambda: keyword_scores(VIDEO.assign(window_start=np.inf)),
    "a time that is an array": lambda: keyword_scores(VIDEO.assign(window_start=ARRAY)),
    "a column that comes twice": lambda: keyword_scores(
        pd.concat([VIDEO, VIDEO[["title"]]], axis=1)
    ),
    "a length of a title that is a word": lambda: title_patterns(
        title_features(["boss"]).assign(length_chars="long")
    ),
    "a truth about a title that is an array": lambda: title_patterns(
        title_features(["boss"]).assign(is_question=ARRAY)
    ),
    "links of descriptions that are not counted": lambda: described(link_count=None),
    "captions that are an array": lambda: described(has_captions=ARRAY),
    "hashtags of descriptions in lists of lists": lambda: described(hashtags=NESTED),
    "a game to plan every never": lambda: planned(interval_minutes=np.inf),
    "a game to plan of unknown size": lambda: planned(max_videos=None),
    "a game to plan with a list for a name": lambda: planned(category=LISTED),
    "a zone that cannot be written": lambda: hour_of_week_map(
        NOTHING, as_of=pd.DatetimeIndex([HALF_PAST]), games=GAME.assign(audience_timezone=HALF)
    ),
    "a game of no name": lambda: hour_of_week_map(
        NOTHING, as_of=pd.DatetimeIndex([HALF_PAST]), games=GAME.assign(category=LISTED)
    ),
    "fingerprints without a game": lambda: with_sources(TOPIC[["window_start"]]),
    "a window before without a fingerprint": lambda: with_sources(fingerprints(TOPIC), TOPIC),
    "results of no window": lambda: carried(VIDEO[["category"]], with_sources(fingerprints(TOPIC))),
    "sources of no window": lambda: carried(VIDEO, fingerprints(TOPIC)),
    "a topic without words": lambda: whole_phrases(TOPIC[["topic"]]),
    "a topic twice": lambda: subjects(pd.concat([TOPIC, TOPIC]), VIDEO.assign(topic_rank=1)),
    "a topic that nothing shows": lambda: subjects(TOPIC, VIDEO),
    "competition of another shape": lambda: as_known_before(TOPIC, TOPIC),
    "a window that was known twice": lambda: as_known_before(
        rivals(), pd.concat([rivals(), rivals()])
    ),
    "a release in no window": lambda: early_releases(
        VIDEO.assign(window_start=None, release_kind="instant", velocity_per_hour=1.0)
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_is_refused_with_advice(what: str) -> None:
    with pytest.raises(InvalidInputError) as caught:
        REFUSED[what]()
    assert caught.value.fix
    str(caught.value).encode()


def test_a_sample_that_nobody_counted_is_refused_by_its_row() -> None:
    stats = pd.concat([STATS_KNOWN, STATS_KNOWN.assign(category="h")], ignore_index=True)
    with pytest.raises(InvalidInputError) as caught:
        opportunity(VIRAL, stats.assign(sample_count=[30.0, None]), EASE)
    assert [*caught.value.rows] == [1]


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA, ""])
def test_a_missing_description_says_nothing(nothing: Any) -> None:
    assert mine_description(nothing) == mine_description("")


@pytest.mark.parametrize("nothing", [None, np.nan, pd.NA])
def test_a_missing_look_is_alone_whatever_kind_of_null_it_is(nothing: Any) -> None:
    assert similar_groups([nothing, "0000000000000001", nothing]).tolist() == [1, 0, 2]


def test_half_a_surrogate_pair_is_in_no_language() -> None:
    texts = ["\ud800", "an ordinary title about cooking"]
    assert title_languages(texts)["title_language"].tolist()[0] == "und"
    assert title_languages(texts).iloc[1].equals(title_languages(texts[1:]).iloc[0])
    assert primary_languages(["\ud800", "en-GB"]).tolist() == ["?", "en"]


def test_a_hashtag_that_is_no_text_is_none() -> None:
    mixed = pd.Series([["one", None, 7]], dtype=object)
    assert described(hashtags=mixed)["top_hashtags"].tolist() == [
        [{"term": "one", "video_count": 1}]
    ]


def test_windows_in_a_column_of_objects_are_the_same_windows() -> None:
    shown = TOPIC.astype({"window_start": "object"}), VIDEO.astype({"window_start": "object"})
    pd.testing.assert_frame_equal(video_ideas(*shown), video_ideas(TOPIC, VIDEO), check_exact=True)
