"""What is written: titles, descriptions, keywords and topics, four-hour windows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_TABLES = (
    "title_intel",
    "keyword_scores",
    "topic_intel",
    "description_features",
    "description_intel",
)


def _create_title_intel() -> None:
    op.create_table(
        "title_intel",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "pattern", sa.Text(), nullable=False, comment="pattern of titles, for example question"
        ),
        sa.Column(
            "title_count", sa.Integer(), nullable=False, comment="videos whose title is known"
        ),
        sa.Column(
            "pattern_count",
            sa.Integer(),
            nullable=False,
            comment="those whose title shows the pattern",
        ),
        sa.Column(
            "pattern_share", sa.Float(), nullable=False, comment="pattern_count / title_count, 0–1"
        ),
        sa.Column(
            "with_count",
            sa.Integer(),
            nullable=False,
            comment="titles with the pattern in cohorts that have both kinds",
        ),
        sa.Column(
            "without_count",
            sa.Integer(),
            nullable=False,
            comment="titles without it in those cohorts",
        ),
        sa.Column(
            "cohort_count",
            sa.Integer(),
            nullable=False,
            comment="such cohorts of equal age and rank",
        ),
        sa.Column("cluster_count", sa.Integer(), nullable=False, comment="channels in them"),
        sa.Column(
            "lift",
            sa.Float(),
            nullable=True,
            comment="views per hour with it / without it, within cohorts; above 1 is faster",
        ),
        sa.Column("ci_low", sa.Float(), nullable=True, comment="lower end of its 95 % interval"),
        sa.Column("ci_high", sa.Float(), nullable=True, comment="upper end of its 95 % interval"),
        sa.Column(
            "p_value", sa.Float(), nullable=True, comment="of a lift of 1, 0–1, lower is surer"
        ),
        sa.Column(
            "q_value", sa.Float(), nullable=True, comment="p adjusted for all patterns tested"
        ),
        sa.Column(
            "verdict", sa.Text(), nullable=False, comment="FASTER, SLOWER, UNCLEAR or UNKNOWN"
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "pattern"),
        schema="intelligence",
        comment="Patterns of titles in each category: how common, and which go along with speed.",
        postgresql_partition_by="RANGE (window_start)",
    )


def _create_keyword_scores() -> None:
    op.create_table(
        "keyword_scores",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("kind", sa.Text(), nullable=False, comment="title or tag: where the term stands"),
        sa.Column("rank", sa.Integer(), nullable=False, comment="place by score, 1 is the top"),
        sa.Column(
            "term",
            sa.Text(),
            nullable=False,
            comment="one to three words of titles, or a tag, folded",
        ),
        sa.Column("word_count", sa.SmallInteger(), nullable=False, comment="its words"),
        sa.Column("video_count", sa.Integer(), nullable=False, comment="videos that have it"),
        sa.Column("sample_count", sa.Integer(), nullable=False, comment="videos of the category"),
        sa.Column(
            "weight_share",
            sa.Float(),
            nullable=False,
            comment="share of the category's weight, 0–1",
        ),
        sa.Column(
            "score",
            sa.Float(),
            nullable=False,
            comment="class-based tf-idf, 0 or more, higher carries more",
        ),
        sa.Column(
            "prior_video_count",
            sa.Integer(),
            nullable=True,
            comment="videos that had it in the window before",
        ),
        sa.Column(
            "prior_sample_count",
            sa.Integer(),
            nullable=True,
            comment="videos of the category in the window before",
        ),
        sa.Column(
            "trend_z",
            sa.Float(),
            nullable=True,
            comment="z of the change of share, above 0 is rising",
        ),
        sa.Column(
            "trend", sa.Text(), nullable=False, comment="NEW, RISING, STEADY, FALLING or UNKNOWN"
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "kind", "term"),
        schema="intelligence",
        comment="Words, phrases and tags that carry each category, and which are on the rise.",
        postgresql_partition_by="RANGE (window_start)",
    )


def _create_topic_intel() -> None:
    op.create_table(
        "topic_intel",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column("rank", sa.Integer(), nullable=False, comment="place by score, 1 is the top"),
        sa.Column(
            "topic", sa.Text(), nullable=False, comment="the best of the terms that are this topic"
        ),
        sa.Column(
            "lemmas",
            sa.Text(),
            nullable=False,
            comment="its words without plural, by which it is told apart",
        ),
        sa.Column(
            "score",
            sa.Float(),
            nullable=False,
            comment="of the best term, 0 or more, higher carries more",
        ),
        sa.Column(
            "trend",
            sa.Text(),
            nullable=False,
            comment="of the best term: NEW, RISING, STEADY, FALLING, UNKNOWN",
        ),
        sa.Column(
            "duplicate_count",
            sa.Integer(),
            nullable=False,
            comment="other terms that are the same topic",
        ),
        sa.Column(
            "duplicates", ARRAY(sa.Text()), nullable=False, comment="those terms, best first"
        ),
        sa.Column(
            "video_count", sa.Integer(), nullable=False, comment="videos whose title or tags say it"
        ),
        sa.Column("title_count", sa.Integer(), nullable=False, comment="those whose title says it"),
        sa.Column(
            "velocity_p50_per_hour",
            sa.Float(),
            nullable=True,
            comment="median lifetime velocity of its videos, views per hour",
        ),
        sa.Column(
            "evidence_video_ids",
            ARRAY(sa.Text()),
            nullable=False,
            comment="its fastest videos, at most 10 YouTube ids",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "rank"),
        schema="intelligence",
        comment="Topics of each category, each idea once, with the videos they rest on.",
        postgresql_partition_by="RANGE (window_start)",
    )


def _create_description_features() -> None:
    op.create_table(
        "description_features",
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column(
            "metadata_hash",
            sa.Text(),
            nullable=False,
            comment="metadata version (collection.youtube_videos)",
        ),
        sa.Column(
            "rules_version", sa.Text(), nullable=False, comment="version of the rules that read it"
        ),
        sa.Column(
            "first_observed_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when this metadata version was first seen",
        ),
        sa.Column(
            "character_count", sa.Integer(), nullable=False, comment="characters, 10,000 at most"
        ),
        sa.Column("line_count", sa.Integer(), nullable=False, comment="lines that are not blank"),
        sa.Column("link_count", sa.Integer(), nullable=False, comment="links"),
        sa.Column(
            "affiliate_link_count",
            sa.Integer(),
            nullable=False,
            comment="links of the class affiliate",
        ),
        sa.Column(
            "community_link_count",
            sa.Integer(),
            nullable=False,
            comment="links of the class community",
        ),
        sa.Column(
            "music_link_count", sa.Integer(), nullable=False, comment="links of the class music"
        ),
        sa.Column(
            "other_link_count", sa.Integer(), nullable=False, comment="links of the class other"
        ),
        sa.Column(
            "shop_link_count", sa.Integer(), nullable=False, comment="links of the class shop"
        ),
        sa.Column(
            "shortened_link_count",
            sa.Integer(),
            nullable=False,
            comment="links of the class shortened",
        ),
        sa.Column(
            "social_link_count", sa.Integer(), nullable=False, comment="links of the class social"
        ),
        sa.Column(
            "support_link_count", sa.Integer(), nullable=False, comment="links of the class support"
        ),
        sa.Column(
            "youtube_link_count", sa.Integer(), nullable=False, comment="links of the class youtube"
        ),
        sa.Column(
            "link_domains", ARRAY(sa.Text()), nullable=False, comment="domains linked to, each once"
        ),
        sa.Column("hashtag_count", sa.Integer(), nullable=False, comment="different hashtags"),
        sa.Column(
            "hashtags",
            ARRAY(sa.Text()),
            nullable=False,
            comment="hashtags in lower case, each once",
        ),
        sa.Column(
            "is_overtagged",
            sa.Boolean(),
            nullable=False,
            comment="more than 60 hashtags, so that YouTube ignores all",
        ),
        sa.Column("timestamp_count", sa.Integer(), nullable=False, comment="times such as 1:05"),
        sa.Column(
            "chapter_count",
            sa.Integer(),
            nullable=False,
            comment="chapters that YouTube shows; 0 or at least 3",
        ),
        sa.Column(
            "chapter_fault",
            sa.Text(),
            nullable=True,
            comment="why a list of times makes no chapters, for example no_zero_start",
        ),
        sa.Column(
            "disclosures", ARRAY(sa.Text()), nullable=False, comment="kinds of disclosures found"
        ),
        sa.Column(
            "calls_to_action",
            ARRAY(sa.Text()),
            nullable=False,
            comment="kinds of calls to action found",
        ),
        sa.PrimaryKeyConstraint("video_id", "metadata_hash", "rules_version"),
        schema="intelligence",
        comment="What each version of a description holds, read once per version of the rules.",
    )


def _create_description_intel() -> None:
    op.create_table(
        "description_intel",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "video_count", sa.Integer(), nullable=False, comment="videos whose description is known"
        ),
        sa.Column(
            "described_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with any text, 0–1",
        ),
        sa.Column(
            "character_count_p50",
            sa.Float(),
            nullable=False,
            comment="median number of characters of a video",
        ),
        sa.Column(
            "line_count_p50",
            sa.Float(),
            nullable=False,
            comment="median number of lines of a video",
        ),
        sa.Column(
            "link_share", sa.Float(), nullable=False, comment="share of the videos with a link, 0–1"
        ),
        sa.Column(
            "link_count_p50",
            sa.Float(),
            nullable=False,
            comment="median number of links of a video",
        ),
        sa.Column(
            "affiliate_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class affiliate, 0–1",
        ),
        sa.Column(
            "community_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class community, 0–1",
        ),
        sa.Column(
            "music_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class music, 0–1",
        ),
        sa.Column(
            "other_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class other, 0–1",
        ),
        sa.Column(
            "shop_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class shop, 0–1",
        ),
        sa.Column(
            "shortened_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class shortened, 0–1",
        ),
        sa.Column(
            "social_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class social, 0–1",
        ),
        sa.Column(
            "support_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class support, 0–1",
        ),
        sa.Column(
            "youtube_link_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a link of the class youtube, 0–1",
        ),
        sa.Column("link_counts", JSONB(), nullable=False, comment="links by class: {class: links}"),
        sa.Column(
            "chapter_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with chapters that YouTube shows, 0–1",
        ),
        sa.Column(
            "chapter_fault_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with times that make no chapters, 0–1",
        ),
        sa.Column(
            "timestamp_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a time such as 1:05, 0–1",
        ),
        sa.Column(
            "hashtag_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with a hashtag, 0–1",
        ),
        sa.Column(
            "hashtag_count_p50",
            sa.Float(),
            nullable=False,
            comment="median number of hashtags of a video",
        ),
        sa.Column(
            "overtagged_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with more than 60 hashtags, 0–1",
        ),
        sa.Column(
            "disclosure_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with any disclosure, 0–1",
        ),
        sa.Column(
            "disclosure_affiliate_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that disclose affiliate, 0–1",
        ),
        sa.Column(
            "disclosure_paid_promotion_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that disclose paid_promotion, 0–1",
        ),
        sa.Column(
            "disclosure_promo_code_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that disclose promo_code, 0–1",
        ),
        sa.Column(
            "disclosure_sponsor_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that disclose sponsor, 0–1",
        ),
        sa.Column(
            "call_to_action_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos with any call to action, 0–1",
        ),
        sa.Column(
            "call_comment_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that call to comment, 0–1",
        ),
        sa.Column(
            "call_follow_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that call to follow, 0–1",
        ),
        sa.Column(
            "call_join_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that call to join, 0–1",
        ),
        sa.Column(
            "call_like_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that call to like, 0–1",
        ),
        sa.Column(
            "call_notifications_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that call to notifications, 0–1",
        ),
        sa.Column(
            "call_share_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that call to share, 0–1",
        ),
        sa.Column(
            "call_subscribe_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that call to subscribe, 0–1",
        ),
        sa.Column(
            "top_hashtags",
            JSONB(),
            nullable=False,
            comment="hashtags: [{term, video_count}], most frequent first",
        ),
        sa.Column(
            "top_domains",
            JSONB(),
            nullable=False,
            comment="domains linked to: [{term, video_count}], most frequent first",
        ),
        sa.Column(
            "tag_count_p50", sa.Float(), nullable=False, comment="median number of tags of a video"
        ),
        sa.Column(
            "hd_share",
            sa.Float(),
            nullable=True,
            comment="share of the videos in HD, of those that say, 0–1",
        ),
        sa.Column(
            "caption_share",
            sa.Float(),
            nullable=True,
            comment="share of the videos with captions, of those that say, 0–1",
        ),
        sa.Column(
            "licensed_share",
            sa.Float(),
            nullable=True,
            comment="share of the videos with licensed content, of those that say, 0–1",
        ),
        sa.Column(
            "made_for_kids_share",
            sa.Float(),
            nullable=True,
            comment="share of the videos made for kids, of those that say, 0–1",
        ),
        sa.Column(
            "declared_language_share",
            sa.Float(),
            nullable=False,
            comment="share of the videos that declare the language of their text, 0–1",
        ),
        sa.Column(
            "top_platform_topics",
            JSONB(),
            nullable=False,
            comment="YouTube's own topics: [{term, video_count}], most frequent first",
        ),
        sa.PrimaryKeyConstraint("window_start", "category"),
        schema="intelligence",
        comment="What creators of each category write into descriptions, and what they fill in.",
        postgresql_partition_by="RANGE (window_start)",
    )


def upgrade() -> None:
    """Apply the revision."""
    _create_title_intel()
    _create_keyword_scores()
    _create_topic_intel()
    _create_description_features()
    _create_description_intel()


def downgrade() -> None:
    """Undo the revision."""
    for name in reversed(_TABLES):
        op.drop_table(name, schema="intelligence")
