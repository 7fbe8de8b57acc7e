"""How the role of analysts is meant to be: its limits, and the password that lets it in.

They are kept here and in the settings of the installation, because Postgres lets every role change
what is written down at the role itself, its password among it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Self

import sqlalchemy as sa

from aurastream.settings import Settings
from aurastream.store.urls import READER_ROLE, reader_url

__all__ = ["DEFAULTS", "SEARCHED", "Reader"]

SEARCHED: Final = (
    "marts",
    "aggregation",
    "intelligence",
    "collection",
    "reporting",
    "operations",
)
DEFAULTS: Final = MappingProxyType(
    {
        "default_transaction_read_only": "on",
        "statement_timeout": "30s",
        # A transaction that is left open keeps retention from dropping what it has read.
        "idle_in_transaction_session_timeout": "60s",
        "transaction_timeout": "5min",
        "work_mem": "32MB",
        "max_parallel_workers_per_gather": "0",
        "temp_file_limit": "1GB",
        "search_path": ", ".join(SEARCHED),
    }
)
_MS: Final = {"": 1, "ms": 1, "s": 1_000, "min": 60_000, "h": 3_600_000}


@dataclass(frozen=True, slots=True)
class Reader:
    """What the role of analysts is held to.

    Parameters
    ----------
    url : str or None
        As the role on the owner's server; None where nobody told its password.
    limits : mapping
        Settings of the role, as Postgres writes them down.
    """

    url: str | None
    limits: Mapping[str, str] = field(default_factory=lambda: DEFAULTS)

    @classmethod
    def of(cls, owner_url: str) -> Self:
        """Return the role as it is when nothing is set."""
        return cls(_with_password(reader_url(owner_url)))

    @classmethod
    def from_settings(cls, settings: Settings) -> Self:
        """Return the role of an installation.

        Raises
        ------
        SettingsError
            When no Postgres is configured.
        """
        owner_url = settings.require_postgres()
        limits = MappingProxyType({**DEFAULTS, **dict(settings.reader_limits or ())})
        if settings.reader_url is None:
            return cls(_with_password(reader_url(owner_url)), limits)
        # Analysts may be sent to a replica or a pooler; a password is changed at the owner's.
        theirs = sa.make_url(settings.require_reader())
        if theirs.username != READER_ROLE:
            return cls(None, limits)
        there = sa.make_url(owner_url).set(username=READER_ROLE, password=theirs.password)
        return cls(_with_password(there.render_as_string(hide_password=False)), limits)

    @property
    def password(self) -> str | None:
        """Return the password that lets it in."""
        return None if self.url is None else str(sa.make_url(self.url).password)

    def milliseconds(self, name: str) -> int:
        """Return a time limit; 0 is none.

        Examples
        --------
        >>> Reader(None).milliseconds("transaction_timeout")
        300000
        """
        found = re.fullmatch(r"([0-9]+)(ms|s|min|h)?", self.limits.get(name, "0"))
        return 0 if found is None else int(found[1]) * _MS[found[2] or ""]


def _with_password(url: str) -> str | None:
    return url if sa.make_url(url).password else None
