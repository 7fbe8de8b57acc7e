"""What marts look up: the calls of an hour, the newest counters of a channel."""

from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_index(
        "ix_quota_ledger_reserved_at", "quota_ledger", ["reserved_at"], schema="operations"
    )
    op.create_index(
        "ix_youtube_channels_channel",
        "youtube_channels",
        ["channel_id", "observed_at"],
        schema="collection",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_index("ix_youtube_channels_channel", "youtube_channels", schema="collection")
    op.drop_index("ix_quota_ledger_reserved_at", "quota_ledger", schema="operations")
