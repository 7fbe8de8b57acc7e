"""Which collected rows reached the record late."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import UUID

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "deliveries",
        sa.Column(
            "delivered_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the rows reached the record",
        ),
        sa.Column(
            "delivery_id",
            UUID(as_uuid=False),
            nullable=False,
            comment="one delivery of one table",
        ),
        sa.Column("table_name", sa.Text(), nullable=False, comment="schema.table of the rows"),
        sa.Column(
            "first_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform gave the oldest of them",
        ),
        sa.Column(
            "last_at",
            sa.TIMESTAMP(timezone=True),
            nullable=False,
            comment="when the platform gave the newest of them",
        ),
        sa.PrimaryKeyConstraint("delivered_at", "delivery_id"),
        schema="maintenance",
        comment="Collected rows that waited in a spool: their windows are scored again.",
    )


def downgrade() -> None:
    """Undo the revision."""
    op.drop_table("deliveries", schema="maintenance")
