"""What is written: titles, descriptions, keywords and topics, four-hour windows."""

from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from aurastream.store.tables.declare import (
    CATEGORY,
    FOUR_HOURS,
    Timestamp,
    column,
    metadata,
    partitioned,
)

_LINK_CLASSES: Final = (
    "affiliate",
    "community",
    "music",
    "other",
    "shop",
    "shortened",
    "social",
    "support",
    "youtube",
)
_DISCLOSURES: Final = ("affiliate", "paid_promotion", "promo_code", "sponsor")
_CALLS: Final = ("comment", "follow", "join", "like", "notifications", "share", "subscribe")
_TOP: Final = "[{term, video_count}], most frequent first"


def _count(name: str, comment: str) -> sa.Column[Any]:
    return column(name, sa.Integer, "derived", comment)


def _share(name: str, what: str, *, null: bool = False) -> sa.Column[Any]:
    return column(name, sa.Float, "derived", f"share of the videos {what}, 0–1", null=null)


def _median(name: str, what: str) -> sa.Column[Any]:
    return column(name, sa.Float, "derived", f"median {what} of a video")


title_intel = partitioned(
    "title_intel",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("pattern", sa.Text, "derived", "pattern of titles, for example question", key=True),
    _count("title_count", "videos whose title is known"),
    _count("pattern_count", "those whose title shows the pattern"),
    column("pattern_share", sa.Float, "derived", "pattern_count / title_count, 0–1"),
    _count("with_count", "titles with the pattern in cohorts that have both kinds"),
    _count("without_count", "titles without it in those cohorts"),
    _count("cohort_count", "such cohorts of equal age and rank"),
    _count("cluster_count", "channels in them"),
    column(
        "lift",
        sa.Float,
        "derived",
        "views per hour with it / without it, within cohorts; above 1 is faster",
        null=True,
    ),
    column("ci_low", sa.Float, "derived", "lower end of its 95 % interval", null=True),
    column("ci_high", sa.Float, "derived", "upper end of its 95 % interval", null=True),
    column("p_value", sa.Float, "derived", "of a lift of 1, 0–1, lower is surer", null=True),
    column("q_value", sa.Float, "derived", "p adjusted for all patterns tested", null=True),
    column("verdict", sa.Text, "derived", "FASTER, SLOWER, UNCLEAR or UNKNOWN"),
    comment="Patterns of titles in each category: how common, and which go along with speed.",
)

keyword_scores = partitioned(
    "keyword_scores",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("kind", sa.Text, "derived", "title or tag: where the term stands", key=True),
    column("rank", sa.Integer, "derived", "place by score, 1 is the top"),
    column("term", sa.Text, "derived", "one to three words of titles, or a tag, folded", key=True),
    column("word_count", sa.SmallInteger, "derived", "its words"),
    _count("video_count", "videos that have it"),
    _count("sample_count", "videos of the category"),
    column("weight_share", sa.Float, "derived", "share of the category's weight, 0–1"),
    column("score", sa.Float, "derived", "class-based tf-idf, 0 or more, higher carries more"),
    column(
        "prior_video_count",
        sa.Integer,
        "derived",
        "videos that had it in the window before",
        null=True,
    ),
    column(
        "prior_sample_count",
        sa.Integer,
        "derived",
        "videos of the category in the window before",
        null=True,
    ),
    column(
        "trend_z", sa.Float, "derived", "z of the change of share, above 0 is rising", null=True
    ),
    column("trend", sa.Text, "derived", "NEW, RISING, STEADY, FALLING or UNKNOWN"),
    comment="Words, phrases and tags that carry each category, and which are on the rise.",
)

topic_intel = partitioned(
    "topic_intel",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("rank", sa.Integer, "derived", "place by score, 1 is the top", key=True),
    column("topic", sa.Text, "derived", "the best of the terms that are this topic"),
    column("lemmas", sa.Text, "derived", "its words without plural, by which it is told apart"),
    column("score", sa.Float, "derived", "of the best term, 0 or more, higher carries more"),
    column("trend", sa.Text, "derived", "of the best term: NEW, RISING, STEADY, FALLING, UNKNOWN"),
    _count("duplicate_count", "other terms that are the same topic"),
    column("duplicates", ARRAY(sa.Text), "derived", "those terms, best first"),
    _count("video_count", "videos whose title or tags say it"),
    _count("title_count", "those whose title says it"),
    column(
        "velocity_p50_per_hour",
        sa.Float,
        "derived",
        "median lifetime velocity of its videos, views per hour",
        null=True,
    ),
    column(
        "evidence_video_ids",
        ARRAY(sa.Text),
        "raw_meta",
        "its fastest videos, at most 10 YouTube ids",
    ),
    comment="Topics of each category, each idea once, with the videos they rest on.",
    identity=("category", "lemmas"),
    label="topic",
)

description_features = sa.Table(
    "description_features",
    metadata,
    column("video_id", sa.Text, "raw_meta", "YouTube video id", key=True),
    column(
        "metadata_hash", sa.Text, "ops", "metadata version (collection.youtube_videos)", key=True
    ),
    column("rules_version", sa.Text, "ops", "version of the rules that read it", key=True),
    column("first_observed_at", Timestamp, "ops", "when this metadata version was first seen"),
    _count("character_count", "characters, 10,000 at most"),
    _count("line_count", "lines that are not blank"),
    _count("link_count", "links"),
    *(_count(f"{name}_link_count", f"links of the class {name}") for name in _LINK_CLASSES),
    column("link_domains", ARRAY(sa.Text), "raw_meta", "domains linked to, each once"),
    _count("hashtag_count", "different hashtags"),
    column("hashtags", ARRAY(sa.Text), "raw_meta", "hashtags in lower case, each once"),
    column(
        "is_overtagged", sa.Boolean, "derived", "more than 60 hashtags, so that YouTube ignores all"
    ),
    _count("timestamp_count", "times such as 1:05"),
    _count("chapter_count", "chapters that YouTube shows; 0 or at least 3"),
    column(
        "chapter_fault",
        sa.Text,
        "derived",
        "why a list of times makes no chapters, for example no_zero_start",
        null=True,
    ),
    column("disclosures", ARRAY(sa.Text), "derived", "kinds of disclosures found"),
    column("calls_to_action", ARRAY(sa.Text), "derived", "kinds of calls to action found"),
    schema="intelligence",
    comment="What each version of a description holds, read once per version of the rules.",
)

description_intel = partitioned(
    "description_intel",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    _count("video_count", "videos whose description is known"),
    _share("described_share", "with any text"),
    _median("character_count_p50", "number of characters"),
    _median("line_count_p50", "number of lines"),
    _share("link_share", "with a link"),
    _median("link_count_p50", "number of links"),
    *(_share(f"{name}_link_share", f"with a link of the class {name}") for name in _LINK_CLASSES),
    column("link_counts", JSONB, "derived", "links by class: {class: links}"),
    _share("chapter_share", "with chapters that YouTube shows"),
    _share("chapter_fault_share", "with times that make no chapters"),
    _share("timestamp_share", "with a time such as 1:05"),
    _share("hashtag_share", "with a hashtag"),
    _median("hashtag_count_p50", "number of hashtags"),
    _share("overtagged_share", "with more than 60 hashtags"),
    _share("disclosure_share", "with any disclosure"),
    *(_share(f"disclosure_{name}_share", f"that disclose {name}") for name in _DISCLOSURES),
    _share("call_to_action_share", "with any call to action"),
    *(_share(f"call_{name}_share", f"that call to {name}") for name in _CALLS),
    column("top_hashtags", JSONB, "derived", f"hashtags: {_TOP}"),
    column("top_domains", JSONB, "derived", f"domains linked to: {_TOP}"),
    _median("tag_count_p50", "number of tags"),
    _share("hd_share", "in HD, of those that say", null=True),
    _share("caption_share", "with captions, of those that say", null=True),
    _share("licensed_share", "with licensed content, of those that say", null=True),
    _share("made_for_kids_share", "made for kids, of those that say", null=True),
    _share("declared_language_share", "that declare the language of their text"),
    column("top_platform_topics", JSONB, "derived", f"YouTube's own topics: {_TOP}"),
    comment="What creators of each category write into descriptions, and what they fill in.",
)
