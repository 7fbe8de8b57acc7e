"""Frozen, typed settings: the only reader of the environment.

Every process gets its settings here, once, at its start. A process that is started beside a
running installation (``aurastream sql`` in another shell) finds the embedded servers through the
endpoints file that the installation keeps in its data directory.
"""

import difflib
import json
import os
import re
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    AwareDatetime,
    Field,
    SecretStr,
    TypeAdapter,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from aurastream.core.errors import SettingsError

__all__ = [
    "ENDPOINTS_FILE",
    "REPO_ROOT",
    "Environment",
    "PolicyMode",
    "Settings",
    "keep_to_ourselves",
    "record_start",
    "unknown_variables",
]

Environment = Literal["local", "test", "production"]
PolicyMode = Literal["strict", "amended"]

REPO_ROOT = Path(__file__).resolve().parent.parent
ENDPOINTS_FILE = "endpoints.json"

_DURATION = re.compile(r"[0-9]{1,9}(ms|s|min|h)?")
_SIZE = re.compile(r"[1-9][0-9]{0,8}(kB|MB|GB)")
# What an operator may decide of the role of analysts, and how it is written.
_READER_LIMITS = {
    "statement_timeout": _DURATION,
    "idle_in_transaction_session_timeout": _DURATION,
    "transaction_timeout": _DURATION,
    "work_mem": _SIZE,
    "temp_file_limit": _SIZE,
    "max_parallel_workers_per_gather": re.compile("[0-9]{1,3}"),
}
_LOOPBACK = ("127.0.0.1", "localhost", "::1")
_OWN_DATABASES = ("AURASTREAM_POSTGRES_URL", "AURASTREAM_READER_URL")
# What others call a setting, where its own name does not resemble it.
_OTHERWISE = {
    "DATABASE_URL": "POSTGRES_URL",
    "DB_URL": "POSTGRES_URL",
    "PG_URL": "POSTGRES_URL",
    "DSN": "POSTGRES_URL",
    "CACHE_URL": "REDIS_URL",
    "VALKEY_URL": "REDIS_URL",
    "DAGSTER_URL": "WEBSERVER_URL",
}
_KEYS = {
    "youtube_api_key": "YOUTUBE_API_KEY",
    "twitch_client_id": "TWITCH_CLIENT_ID",
    "twitch_client_secret": "TWITCH_CLIENT_SECRET",
}


class Settings(BaseSettings):
    """Everything an operator may set, each from ``AURASTREAM_<NAME>`` in the environment.

    The three platform keys are read from their customary names as well (``YOUTUBE_API_KEY``,
    ``TWITCH_CLIENT_ID``, ``TWITCH_CLIENT_SECRET``).
    """

    model_config = SettingsConfigDict(
        env_prefix="AURASTREAM_", frozen=True, extra="ignore", env_ignore_empty=True
    )

    environment: Environment = "local"
    data_dir: Path = REPO_ROOT / ".aurastream"
    postgres_url: SecretStr | None = Field(
        default=None, description="postgresql://user:password@host:port/database of the record"
    )
    reader_url: SecretStr | None = Field(
        default=None, description="the same database as the read-only role aurastream_reader"
    )
    reader_limits: Annotated[tuple[tuple[str, str], ...] | None, NoDecode] = Field(
        default=None,
        description="other limits of that role, as statement_timeout=60s,work_mem=64MB",
    )
    redis_url: SecretStr | None = None
    replay_url: str | None = Field(
        default=None, description="base URL of a running replay server; used when keys are absent"
    )
    webserver_url: str | None = Field(
        default=None, description="base URL of the running Dagster webserver"
    )

    youtube_api_key: SecretStr | None = None
    twitch_client_id: SecretStr | None = None
    twitch_client_secret: SecretStr | None = None
    youtube_base_url: str = "https://youtube.googleapis.com"
    twitch_base_url: str = "https://api.twitch.tv"
    twitch_auth_url: str = "https://id.twitch.tv"

    gemini_api_key: SecretStr | None = Field(
        default=None,
        description="lets a Gemini model look at thumbnails; takes effect in policy_mode amended",
    )
    gemini_base_url: str = "https://generativelanguage.googleapis.com"
    gemini_model: str = "gemini-2.5-flash"
    thumbnails_per_category: int = Field(default=40, ge=0, le=10_000)
    read_thumbnails: bool = Field(default=True, description="read the words in thumbnails")
    thumbnails_read_per_run: int = Field(
        default=3,
        ge=0,
        le=10_000,
        description="thumbnails of each category whose words are read in a run, most viral first",
    )

    policy_mode: PolicyMode | None = Field(
        default=None,
        description="how YouTube and Twitch terms are applied; required with real keys",
    )
    quota_profile: Literal["granular_2026", "legacy_units"] = "granular_2026"
    regions: Annotated[tuple[str, ...], NoDecode] = Field(
        default=("US", "GB", "IN", "DE", "JP", "BR", "FR", "MX"),
        description="ISO 3166-1 alpha-2 codes, separated by commas",
    )
    request_timeout_s: float = Field(default=20.0, gt=0, allow_inf_nan=False)
    max_parallel_requests: int = Field(default=4, ge=1, le=32)
    retention_days: int = Field(default=30, ge=2, le=3650)
    record_start: AwareDatetime | None = Field(
        default=None, description="no partition before it is offered; script/server sets it"
    )
    keep_twitch_aggregates: bool = Field(
        default=False, description="whether Twitch allowed category aggregates beyond 24 hours"
    )
    archive_url: str | None = Field(
        default=None, description="folder, or s3://bucket/prefix, of the monthly Parquet archive"
    )
    archive_options: SecretStr | None = Field(
        default=None, description="JSON object of fsspec options for the archive's store"
    )
    max_database_gb: float = Field(default=50.0, gt=0, allow_inf_nan=False)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    @classmethod
    def from_env(cls, *, use_running: bool = True) -> Self:
        """Read the environment, fill in the endpoints of a running installation, validate.

        Parameters
        ----------
        use_running : bool
            Off for the program that starts the servers itself: the endpoints file may be that of
            an installation that was killed.

        Raises
        ------
        SettingsError
            Naming every setting that is missing, malformed or contradictory, and its mend.
        """
        try:
            settings = cls._read(frozenset(os.environ.items()))
            return settings._with_running_endpoints() if use_running else settings  # noqa: SLF001 # its own
        except ValidationError as error:
            lines = [
                # What concerns several settings at once names them itself.
                "".join(f"{'.'.join(map(str, item['loc']))}: " for _ in item["loc"][:1])
                + item["msg"].removeprefix("Value error, ")
                for item in error.errors()
            ]
            raise SettingsError(
                "Settings are not usable: " + "; ".join(lines) + ".",
                fix="Correct the AURASTREAM_… variables; `aurastream doctor` checks them.",
            ) from error

    @classmethod
    @lru_cache(maxsize=1)
    def _read(cls, _environment: frozenset[tuple[str, str]]) -> Self:
        """Read the environment as it is; a run asks for its settings thirty times."""
        overrides: dict[str, object] = {
            field: os.environ[name]
            for field, name in _KEYS.items()
            if os.environ.get(name) and not os.environ.get(f"AURASTREAM_{field.upper()}")
        }
        return cls(**overrides)  # type: ignore[arg-type] # pydantic coerces the strings

    @field_validator("redis_url")
    @classmethod
    def _require_redis_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _require_scheme(value.get_secret_value(), "redis", "rediss", "unix")
        return value

    @field_validator("postgres_url", "reader_url")
    @classmethod
    def _require_postgres_scheme(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None:
            _require_scheme(value.get_secret_value(), "postgresql", "postgres")
        return value

    @field_validator("reader_limits", mode="before")
    @classmethod
    def _split_reader_limits(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        pairs = [item.partition("=") for item in value.split(",") if item.strip()]
        found = {name.strip(): limit.strip() for name, _, limit in pairs}
        wrong = [
            name
            for name, limit in found.items()
            if name not in _READER_LIMITS or not _READER_LIMITS[name].fullmatch(limit)
        ]
        if wrong:
            raise ValueError(
                f"{', '.join(wrong)} is no limit that can be set so: write "
                f"statement_timeout=60s,work_mem=64MB; there are {', '.join(_READER_LIMITS)}"
            )
        return tuple(sorted(found.items()))

    @field_validator(
        "replay_url",
        "webserver_url",
        "youtube_base_url",
        "twitch_base_url",
        "twitch_auth_url",
        "gemini_base_url",
    )
    @classmethod
    def _require_web_address(cls, value: str | None) -> str | None:
        if value is not None:
            _require_scheme(value, "http", "https")
            if not urlsplit(value).hostname:
                raise ValueError("names no host: write http://host:port")
        return value

    @field_validator("regions", mode="before")
    @classmethod
    def _split_regions(cls, value: object) -> object:
        if not isinstance(value, str):
            return value
        codes = [code.strip() for code in value.split(",") if code.strip()]
        known = _countries()
        wrong = [code for code in codes if code not in known]
        if wrong or not codes:
            raise ValueError(
                f"{', '.join(wrong) or 'nothing'} is no list of regions: write US,GB,DE, each as"
                f" ISO 3166-1 has it{', and GB for the United Kingdom' if 'UK' in wrong else ''}"
            )
        return tuple(dict.fromkeys(codes))

    @model_validator(mode="after")
    def _check_consistency(self) -> Self:
        problems: list[str] = []
        if self.live and self.policy_mode is None:
            problems.append(
                "policy_mode must be chosen when real API keys are configured: set "
                "AURASTREAM_POLICY_MODE to 'strict' (no derived YouTube scores, 30-day data) or "
                "'amended' (your client was audited under the Analytics & Reporting amendment)"
            )
        if (self.twitch_client_id is None) != (self.twitch_client_secret is None):
            problems.append("set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET together, or neither")
        if self.environment == "production":
            problems += [
                f"{name} is required in production: set AURASTREAM_{name.upper()}"
                for name in ("postgres_url", "redis_url")
                if getattr(self, name) is None
            ]
            if not self.live:
                problems.append(
                    "production collects live data: set YOUTUBE_API_KEY, TWITCH_CLIENT_ID and "
                    "TWITCH_CLIENT_SECRET, or run with AURASTREAM_ENVIRONMENT=local"
                )
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _with_running_endpoints(self) -> Self:
        """Fill unset URLs from the endpoints file; an explicit setting always wins."""
        path = self.data_dir / ENDPOINTS_FILE
        if self.environment == "production" or not path.is_file():
            return self
        try:
            found = dict(json.loads(path.read_text(encoding="utf-8")))
        except OSError as error:
            raise SettingsError(
                f"{path} says where the running installation is, but cannot be read: "
                f"{error.strerror}.",
                fix="Work as the user who started it, or set AURASTREAM_POSTGRES_URL.",
            ) from error
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"{path} does not say where the running installation is: {error}.",
                fix="Delete it and start script/server again.",
            ) from error
        return self.with_endpoints({k: v for k, v in found.items() if isinstance(v, str)})

    def with_endpoints(self, found: Mapping[str, str]) -> Self:
        """Return these settings with unset URLs filled in; a URL that is set stays."""
        update: dict[str, object] = {
            name: SecretStr(found[name])
            for name in ("postgres_url", "reader_url", "redis_url")
            if name in found and getattr(self, name) is None
        }
        for name in ("replay_url", "webserver_url"):
            if name in found and getattr(self, name) is None:
                update[name] = found[name]
        return self.model_copy(update=update)

    @property
    def live(self) -> bool:
        """Whether real platform keys are configured, so that nothing is replayed."""
        return self.youtube_api_key is not None or self.twitch_client_id is not None

    @property
    def platforms(self) -> frozenset[Literal["youtube", "twitch"]]:
        """The platforms that can be asked: both in a replay, those with keys when live."""
        found: set[Literal["youtube", "twitch"]] = set()
        if not self.live or self.youtube_api_key is not None:
            found.add("youtube")
        if not self.live or self.twitch_client_id is not None:
            found.add("twitch")
        return frozenset(found)

    def require_postgres(self) -> str:
        """Return the Postgres URL or say how to get one."""
        return _required(self.postgres_url, "Postgres", "AURASTREAM_POSTGRES_URL")

    def require_redis(self) -> str:
        """Return the Redis URL or say how to get one."""
        return _required(self.redis_url, "Redis", "AURASTREAM_REDIS_URL")

    def require_reader(self) -> str:
        """Return the URL of the read-only role or say how to get one."""
        return _required(self.reader_url, "read-only Postgres", "AURASTREAM_READER_URL")

    def require_webserver(self) -> str:
        """Return the URL of the Dagster webserver or say how to get one."""
        if self.webserver_url is None:
            raise SettingsError(
                "No Dagster webserver is configured and none is running here.",
                fix="Start one with script/server, or set AURASTREAM_WEBSERVER_URL.",
            )
        return self.webserver_url


def record_start() -> datetime | None:
    """Return where the record begins, for what is defined before the settings are read.

    Raises
    ------
    SettingsError
        When ``AURASTREAM_RECORD_START`` is no moment.
    """
    text = os.environ.get("AURASTREAM_RECORD_START")
    try:
        return TypeAdapter(AwareDatetime).validate_python(text) if text else None
    except ValidationError as error:
        raise SettingsError(
            f"AURASTREAM_RECORD_START is no moment with a time zone: {text!r}.",
            fix="Write 2026-11-07T15:00:00Z, or unset it.",
        ) from error


def keep_to_ourselves(environment: MutableMapping[str, str] = os.environ) -> None:
    """Keep what is meant for the world outside away from the servers that we start ourselves.

    Proxies are for other hosts: loopback is added to ``no_proxy``, where a proxy is named. What
    libpq reads (``PGSSLMODE``, ``PGSERVICE``, …) is of other databases, and goes unless one of the
    operator's own is named. Both are passed on to whatever this process starts.
    """
    if any(name.lower().endswith("_proxy") for name in environment):
        kept = environment.get("no_proxy") or environment.get("NO_PROXY") or ""
        hosts = [host for host in map(str.strip, kept.split(",")) if host]
        if "*" not in hosts:
            hosts += [host for host in _LOOPBACK if host not in hosts]
        # gRPC reads only the former; of a program that reads both, nobody knows which one wins.
        environment["no_proxy"] = environment["NO_PROXY"] = ",".join(hosts)
    if not any(environment.get(name) for name in _OWN_DATABASES):
        for name in [name for name in environment if name.startswith("PG")]:
            del environment[name]


def unknown_variables() -> dict[str, str]:
    """Return the ``AURASTREAM_…`` variables that no setting reads, each with the nearest that is.

    Returns
    -------
    dict
        Variable to the most similar known one; '' where none is similar.
    """
    prefix = str(Settings.model_config["env_prefix"])
    known = sorted(name.upper() for name in Settings.model_fields)
    given = {
        name: name.upper().removeprefix(prefix)
        for name in sorted(os.environ)
        if name.upper().startswith(prefix)
    }
    # The prefix is left out of the comparison: with it everything resembles everything.
    nearest = {
        name: difflib.get_close_matches(rest, [*known, *_OTHERWISE], n=1)
        for name, rest in given.items()
        if rest not in known
    }
    return {
        name: f"{prefix}{_OTHERWISE.get(found[0], found[0])}" if found else ""
        for name, found in nearest.items()
    }


@lru_cache(maxsize=1)
def _countries() -> frozenset[str]:
    """Return the two-letter codes of ISO 3166-1; the time zone database keeps a table of them."""
    table = files("tzdata").joinpath("zoneinfo", "iso3166.tab").read_text(encoding="utf-8")
    return frozenset(line[:2] for line in table.splitlines() if not line.startswith("#"))


def _required(value: SecretStr | None, what: str, variable: str) -> str:
    if value is None:
        raise SettingsError(
            f"No {what} server is configured and none is running here.",
            fix=f"Start one with script/server, or set {variable}.",
        )
    return value.get_secret_value()


def _require_scheme(url: str, *schemes: str) -> None:
    """Refuse what is no such URL; the value is not repeated, because it may hold a password."""
    parts = urlsplit(url)
    if parts.scheme not in schemes:
        raise ValueError(f"must begin with {' or '.join(f'{scheme}://' for scheme in schemes)}")
    if "," in parts.netloc:
        return  # several hosts, as libpq takes them
    try:
        has_port = parts.port != 0
    except ValueError:
        has_port = False
    if not has_port:
        raise ValueError(
            "names a port that is none: write a number from 1 to 65535; in a password, : / ? # @ "
            "are written %3A %2F %3F %23 %40"
        )
