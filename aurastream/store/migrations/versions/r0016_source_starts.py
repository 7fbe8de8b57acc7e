"""From when on another source answers is kept, so that nobody has to find it out again."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

_DATASET = "for example collection/youtube_trending"
_STARTED = "crawl to which another source answered"
_PREVIOUS = "the crawl that it was compared with"
_LISTS = "charts of regions that both crawls have"
_KEPT = "those of them that have a video in common"
_TABLE = "From when on another source answers: nothing is compared with what was there before."


def upgrade() -> None:
    """Apply the revision."""
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "source_starts",
        sa.Column("dataset", sa.Text, primary_key=True, comment=_DATASET),
        sa.Column("started_at", moment, primary_key=True, comment=_STARTED),
        sa.Column("previous_crawl_at", moment, nullable=False, comment=_PREVIOUS),
        sa.Column("lists", sa.Integer, nullable=False, comment=_LISTS),
        sa.Column("lists_kept", sa.Integer, nullable=False, comment=_KEPT),
        schema="operations",
        comment=_TABLE,
    )
    op.execute("GRANT SELECT ON operations.source_starts TO aurastream_reader")


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("source_starts", schema="operations")
