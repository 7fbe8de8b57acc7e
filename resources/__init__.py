"""Dagster shells over aurastream.sources and aurastream.store."""
