"""The record: schemas, tables, comments and the read-only role's rights."""

from alembic import op

from aurastream.store.tables import SCHEMAS, metadata

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# Raw API bodies and what belongs to people are not for analysts.
_HIDDEN_COLUMNS = {"operations.quarantine": {"raw"}}
_OPEN_SCHEMAS = tuple(name for name in SCHEMAS if name not in {"app", "operations"})


def upgrade() -> None:
    """Apply the revision."""
    # Dagster keeps its own tables in a schema of the same database.
    for name in (*SCHEMAS, "dagster"):
        op.execute(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
    metadata.create_all(op.get_bind(), checkfirst=False)
    for name in _OPEN_SCHEMAS:
        op.execute(f'GRANT USAGE ON SCHEMA "{name}" TO aurastream_reader')
        op.execute(f'GRANT SELECT ON ALL TABLES IN SCHEMA "{name}" TO aurastream_reader')
        op.execute(
            f'ALTER DEFAULT PRIVILEGES IN SCHEMA "{name}" '
            "GRANT SELECT ON TABLES TO aurastream_reader"
        )
    op.execute("GRANT USAGE ON SCHEMA operations TO aurastream_reader")
    for table in metadata.sorted_tables:
        if table.schema != "operations":
            continue
        hidden = _HIDDEN_COLUMNS.get(table.fullname, set())
        shown = ", ".join(f'"{c.name}"' for c in table.columns if c.name not in hidden)
        op.execute(f"GRANT SELECT ({shown}) ON {table.fullname} TO aurastream_reader")


def downgrade() -> None:
    """Undo the revision."""
    for name in reversed(SCHEMAS):
        if name != "operations":  # holds the version table, which Alembic still needs
            op.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE')
    for table in reversed(metadata.sorted_tables):
        if table.schema == "operations":
            op.execute(f"DROP TABLE IF EXISTS {table.fullname} CASCADE")
