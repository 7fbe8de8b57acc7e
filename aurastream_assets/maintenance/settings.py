"""The installation's settings, with the servers that this run's own resources name."""

from pydantic import SecretStr

from aurastream.settings import Settings
from resources.store import Redis, Store

__all__ = ["settings_of"]


def settings_of(store: Store, redis: Redis | None = None) -> Settings:
    """Return the settings of a run.

    Parameters
    ----------
    store, redis : Store, Redis
        Whoever replaces them replaces the servers that maintenance works on.
    """
    servers: dict[str, object] = {"postgres_url": SecretStr(store.frames.url)}
    if redis is not None:
        servers["redis_url"] = SecretStr(redis.resolved_url())
    return Settings.from_env().model_copy(update=servers)
