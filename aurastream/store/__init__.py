"""Postgres tables, frame transport, Redis documents and the embedded servers."""
