"""The record (Postgres) and the hot documents' server (Redis), as Dagster resources.

Both open lazily: building the graph touches no server. A URL carries a password, and Dagster shows
resource configuration in its UI; so the URLs stay empty there and come from the settings at the
moment of use. Tests and tools pass them in.
"""

from pathlib import Path

import dagster as dg
from pydantic import PrivateAttr

from aurastream.settings import Settings
from aurastream.store.frames import FrameStore

__all__ = ["Redis", "Store"]


class Store(dg.ConfigurableResource["Store"]):
    """Postgres, through frames."""

    postgres_url: str = ""
    spool_dir: str = ""

    _frames: FrameStore | None = PrivateAttr(default=None)

    @property
    def frames(self) -> FrameStore:
        """The open store; opened on first use."""
        if self._frames is None:
            if self.postgres_url:
                url, spool = self.postgres_url, self.spool_dir
            else:
                settings = Settings.from_env()
                url = settings.require_postgres()
                spool = self.spool_dir or str(settings.data_dir / "spool")
            self._frames = FrameStore(
                url, spool=Path(spool) if spool else None, application="aurastream-graph"
            )
        return self._frames

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:  # noqa: ARG002 # Dagster's signature
        """Close the connections that this run opened."""
        if self._frames is not None:
            self._frames.close()
            self._frames = None


class Redis(dg.ConfigurableResource["Redis"]):
    """Where the hot documents are published."""

    url: str = ""

    def resolved_url(self) -> str:
        """Return the configured URL, or the installation's own."""
        return self.url or Settings.from_env().require_redis()
