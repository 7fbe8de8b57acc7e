"""Alembic migrations of the record."""
