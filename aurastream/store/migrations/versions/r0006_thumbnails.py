"""What thumbnails look like, four-hour windows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "thumbnail_designs",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "rank", sa.Integer(), nullable=False, comment="place by number of videos, 1 is the top"
        ),
        sa.Column(
            "video_count",
            sa.Integer(),
            nullable=False,
            comment="videos that share the design, 2 or more",
        ),
        sa.Column("channel_count", sa.Integer(), nullable=False, comment="channels they come from"),
        sa.Column("video_ids", ARRAY(sa.Text()), nullable=False, comment="those videos"),
        sa.Column("fastest_video_id", sa.Text(), nullable=False, comment="the fastest of them"),
        sa.Column(
            "perceptual_hash",
            sa.Text(),
            nullable=False,
            comment="hash of the fastest one's thumbnail",
        ),
        sa.Column(
            "velocity_ratio",
            sa.Float(),
            nullable=True,
            comment="median velocity / that of the category; 1 is usual, higher is faster",
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "rank"),
        schema="intelligence",
        comment="Designs of thumbnails that several videos share, at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )
    op.create_table(
        "thumbnail_features",
        sa.Column("video_id", sa.Text(), nullable=False, comment="YouTube video id"),
        sa.Column("content_hash", sa.Text(), nullable=False, comment="sha256 prefix of the file"),
        sa.Column("thumbnail_url", sa.Text(), nullable=False, comment="where the file came from"),
        sa.Column(
            "first_seen_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when this file was first fetched",
        ),
        sa.Column(
            "checked_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the address last gave this file",
        ),
        sa.Column("etag", sa.Text(), nullable=True, comment="the server's name of this file"),
        sa.Column("byte_count", sa.Integer(), nullable=False, comment="size of the file"),
        sa.Column("image_format", sa.Text(), nullable=False, comment="JPEG, PNG, WEBP or GIF"),
        sa.Column("width", sa.Integer(), nullable=False, comment="pixels"),
        sa.Column("height", sa.Integer(), nullable=False, comment="pixels"),
        sa.Column(
            "is_animated", sa.Boolean(), nullable=False, comment="the first picture of several"
        ),
        sa.Column("brightness", sa.Float(), nullable=False, comment="mean luma, 0 black – 1 white"),
        sa.Column(
            "contrast", sa.Float(), nullable=False, comment="standard deviation of luma, 0–0.5"
        ),
        sa.Column(
            "saturation", sa.Float(), nullable=False, comment="mean saturation of HSV, 0 grey – 1"
        ),
        sa.Column(
            "colourfulness",
            sa.Float(),
            nullable=False,
            comment="Hasler–Süsstrunk, 0 grey, 82 highly colourful",
        ),
        sa.Column(
            "dominant_colour", sa.Text(), nullable=False, comment="most frequent colour, #rrggbb"
        ),
        sa.Column("colour_name", sa.Text(), nullable=False, comment="name of the leading colour"),
        sa.Column(
            "palette", JSONB(), nullable=False, comment="up to five colours with their shares"
        ),
        sa.Column(
            "edge_grid", JSONB(), nullable=False, comment="share of nine fields in all edges"
        ),
        sa.Column(
            "saliency_grid",
            JSONB(),
            nullable=False,
            comment="share of nine fields in what stands out",
        ),
        sa.Column(
            "focus_field",
            sa.Text(),
            nullable=False,
            comment="where most stands out; field of a grid of nine, for example top left",
        ),
        sa.Column(
            "thirds_index",
            sa.Float(),
            nullable=False,
            comment="saliency on the crossings of thirds; 1 is even",
        ),
        sa.Column(
            "edge_density", sa.Float(), nullable=False, comment="share of pixels on an edge, 0–1"
        ),
        sa.Column("entropy_bits", sa.Float(), nullable=False, comment="entropy of luma, 0–8 bits"),
        sa.Column("clutter", sa.Float(), nullable=False, comment="0 empty – 1 crowded"),
        sa.Column(
            "face_count",
            sa.Integer(),
            nullable=False,
            comment="upright faces that look at the camera",
        ),
        sa.Column(
            "face_area_share",
            sa.Float(),
            nullable=False,
            comment="share of the picture they cover, 0–1",
        ),
        sa.Column(
            "largest_face_share", sa.Float(), nullable=False, comment="share of the largest, 0–1"
        ),
        sa.Column(
            "face_field",
            sa.Text(),
            nullable=True,
            comment="where the largest is; field of a grid of nine, for example top left",
        ),
        sa.Column("text_line_count", sa.Integer(), nullable=False, comment="lines of text"),
        sa.Column(
            "text_area_share",
            sa.Float(),
            nullable=False,
            comment="share of the picture they cover, 0–1",
        ),
        sa.Column(
            "text_field",
            sa.Text(),
            nullable=True,
            comment="where the largest line is; field of a grid of nine, for example top left",
        ),
        sa.Column("text", sa.Text(), nullable=True, comment="the words, where somebody read them"),
        sa.Column(
            "composition", sa.Text(), nullable=True, comment="kind of composition, where named"
        ),
        sa.Column(
            "subjects", JSONB(), nullable=True, comment="what is in the picture, where named"
        ),
        sa.Column(
            "perceptual_hash", sa.Text(), nullable=False, comment="64 bits that stay in other sizes"
        ),
        sa.Column("vision_provider", sa.Text(), nullable=False, comment="who looked"),
        sa.Column("features_version", sa.Text(), nullable=False, comment="version of the formulas"),
        sa.PrimaryKeyConstraint("video_id", "content_hash"),
        schema="intelligence",
        comment="What each thumbnail looks like, once per video and file; the files are not kept.",
    )
    op.create_table(
        "thumbnail_intel",
        sa.Column(
            "window_start",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="start of the four-hour window; as_of is its end",
        ),
        sa.Column("category", sa.Text(), nullable=False, comment="chart category or tracked game"),
        sa.Column(
            "look", sa.Text(), nullable=False, comment="what a thumbnail may have, for example face"
        ),
        sa.Column("video_count", sa.Integer(), nullable=False, comment="videos of the category"),
        sa.Column(
            "known_count",
            sa.Integer(),
            nullable=False,
            comment="those whose thumbnail was looked at",
        ),
        sa.Column("look_count", sa.Integer(), nullable=False, comment="thumbnails with the look"),
        sa.Column(
            "look_share", sa.Float(), nullable=True, comment="their share of the known ones, 0–1"
        ),
        sa.Column(
            "viral_score_with", sa.Float(), nullable=True, comment="median viral score with it"
        ),
        sa.Column(
            "viral_score_without", sa.Float(), nullable=True, comment="median viral score without"
        ),
        sa.Column(
            "with_count", sa.Integer(), nullable=False, comment="compared videos with the look"
        ),
        sa.Column(
            "without_count", sa.Integer(), nullable=False, comment="compared videos without it"
        ),
        sa.Column(
            "cohort_count",
            sa.Integer(),
            nullable=False,
            comment="groups of alike videos they were compared in",
        ),
        sa.Column("cluster_count", sa.Integer(), nullable=False, comment="channels they come from"),
        sa.Column(
            "lift", sa.Float(), nullable=True, comment="ratio of velocities; 1 is no difference"
        ),
        sa.Column("ci_low", sa.Float(), nullable=True, comment="lower end of the lift's interval"),
        sa.Column("ci_high", sa.Float(), nullable=True, comment="upper end of the lift's interval"),
        sa.Column("p_value", sa.Float(), nullable=True, comment="0–1, lower is surer"),
        sa.Column("q_value", sa.Float(), nullable=True, comment="p_value after many tests, 0–1"),
        sa.Column(
            "verdict", sa.Text(), nullable=False, comment="FASTER, SLOWER, UNCLEAR or UNKNOWN"
        ),
        sa.PrimaryKeyConstraint("window_start", "category", "look"),
        schema="intelligence",
        comment="Which looks of thumbnails go along with faster videos, at the window's end.",
        postgresql_partition_by="RANGE (window_start)",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("thumbnail_intel", schema="intelligence")
    op.drop_table("thumbnail_features", schema="intelligence")
    op.drop_table("thumbnail_designs", schema="intelligence")
