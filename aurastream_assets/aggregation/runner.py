"""Running dbt inside this process: half a second instead of four for a subprocess.

dbt keeps its state in module globals, changes the working directory and reads its connection from
the environment. All three are put back after every call, and one call runs at a time.
"""

import importlib
import json
import os
import pickle
import tempfile
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from types import MappingProxyType, SimpleNamespace
from typing import Any, Final

import sqlalchemy as sa

from aurastream_assets.aggregation.project import PROJECT_DIR, DbtProjectError, load_parsed

__all__ = ["DbtRunner", "NodeResult"]

_LOCK: Final = threading.Lock()

_GLOBAL_FLAGS: Final = (
    *("--quiet", "--log-level", "none", "--log-level-file", "none", "--no-use-colors"),
    *("--no-version-check", "--no-send-anonymous-usage-stats"),
)
_PASSED: Final = frozenset({"success", "pass", "warn", "no-op"})


@dataclass(frozen=True, slots=True)
class NodeResult:
    """What became of one model or test.

    Attributes
    ----------
    name : str
        Name in dbt.
    kind : str
        ``model`` or ``test``.
    status : str
        dbt's word: success, pass, warn, fail, error or skipped.
    seconds : float
        Wall time.
    rows : int or None
        Rows a model wrote; None where the database does not say, as for views.
    failures : int or None
        Rows that failed a test.
    message : str
        dbt's or the database's message.
    sql : str
        What dbt ran, after all ephemeral models were put in.
    """

    name: str
    kind: str
    status: str
    seconds: float
    rows: int | None
    failures: int | None
    message: str
    sql: str = ""

    @property
    def passed(self) -> bool:
        """Whether it did what it should."""
        return self.status in _PASSED


class DbtRunner:
    """Builds models of the project in one database.

    Parameters
    ----------
    postgres_url : str
        ``postgresql://`` URL of the database, as its owner.
    work_dir : pathlib.Path
        Where dbt may keep its cache and its scratch files; created when missing. Several processes
        may share it.
    """

    def __init__(self, postgres_url: str, work_dir: Path) -> None:
        self._url = sa.make_url(postgres_url)
        self._work_dir = work_dir

    @property
    def work_dir(self) -> Path:
        """Where caches are kept."""
        return self._work_dir

    def build(
        self,
        names: Sequence[str],
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        ended: Mapping[str, datetime] = MappingProxyType({}),
    ) -> list[NodeResult]:
        """Build models and run tests, exactly those that are named.

        Parameters
        ----------
        names : sequence of str
            Names of models and data tests.
        start, end : datetime, optional
            The range [start, end) whose partitions are replaced, with a timezone. Without it the
            rollups are created where they are missing, and no row of theirs changes.
        ended : mapping of str to datetime, optional
            By model, the moment before which its rows are not to be made again: in a table that is
            there, none of them is written or touched.

        Returns
        -------
        list of NodeResult
            In the order in which they ran. Failed tests are among them; a failed model raises.

        Raises
        ------
        DbtProjectError
            When a model fails, with the database's message.
        ValueError
            When the range has no timezone, or does not begin before it ends.
        """
        variables: dict[str, Any] = {} if start is None or end is None else _range(start, end)
        if ended:
            variables["ended"] = {name: moment.isoformat() for name, moment in ended.items()}
        return self._checked(
            self._invoke(
                "build",
                *("--indirect-selection", "empty", "--exclude-resource-type", "unit_test"),
                *("--vars", json.dumps(variables)),
                *("--select", *names),
            )
        )

    def test(self, *selection: str) -> list[NodeResult]:
        """Run tests by dbt's selection syntax, for example ``test_type:unit``."""
        return self._checked(self._invoke("test", "--select", *selection))

    def freshness(self) -> list[NodeResult]:
        """Compare each source's newest row with its limits.

        Returns
        -------
        list of NodeResult
            One per source that has limits: pass, warn or error; a source without any row is a
            ``runtime error``.
        """
        return self._invoke("source freshness")

    def _invoke(self, command: str, *arguments: str) -> list[NodeResult]:
        # Imported here: a second of dbt that loading the graph need not pay.
        with _LOCK, warnings.catch_warnings(), _working_directory_kept():
            warnings.simplefilter("ignore")  # dbt's own; it is not ours to mend
            from dbt.cli.main import dbtRunner  # noqa: PLC0415 # see above

            _spare()
            manifest = self._manifest()
            try:
                self._work_dir.mkdir(parents=True, exist_ok=True)
                with (
                    tempfile.TemporaryDirectory(
                        dir=self._work_dir, prefix="run-", ignore_cleanup_errors=True
                    ) as scratch,
                    _environment(self._connection()),
                ):
                    done: Any = dbtRunner(manifest=manifest).invoke(
                        [
                            *_GLOBAL_FLAGS,
                            *command.split(),
                            *self._paths(scratch),
                            *("--no-write-json", "--no-partial-parse"),
                            *arguments,
                        ]
                    )
            except OSError as error:
                raise DbtProjectError(
                    f"dbt cannot work in {self._work_dir}: {error}.",
                    fix="Make the data directory writable, or set AURASTREAM_DATA_DIR.",
                ) from error
        if done.result is None:
            raise DbtProjectError(f"dbt {command} did not run: {done.exception}")
        return [_result(found) for found in done.result.results]

    def _manifest(self) -> Any:  # noqa: ANN401 # dbt ships no types
        """Return the project as it was parsed, which is of no database yet, in this database.

        A new one for each call: dbt compiles into it, and would not compile the same model twice.
        """
        manifest = pickle.loads(_parsed())  # noqa: S301 # our own, made in this process
        name = self._url.database
        for node in (*manifest.nodes.values(), *manifest.sources.values()):
            if node.relation_name:
                node.relation_name = node.relation_name.replace(
                    f'"{node.database}"', f'"{name}"', 1
                )
            node.database = name
        manifest.build_flat_graph()  # what models see as `graph`; the last step of dbt's parsing
        return manifest

    def _paths(self, target: str) -> tuple[str, ...]:
        return (
            *("--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)),
            *("--target-path", target, "--log-path", target),
        )

    def _connection(self) -> dict[str, str]:
        return {
            "DBT_POSTGRES_HOST": self._url.host or "127.0.0.1",
            "DBT_POSTGRES_PORT": str(self._url.port or 5432),
            "DBT_POSTGRES_USER": self._url.username or "",
            "DBT_ENV_SECRET_POSTGRES_PASSWORD": str(self._url.password or ""),
            "DBT_POSTGRES_DBNAME": str(self._url.database),
        }

    def _checked(self, results: list[NodeResult]) -> list[NodeResult]:
        broken = [r for r in results if r.status == "error"]
        if broken:
            raise DbtProjectError(
                "; ".join(f"{r.name}: {' '.join(r.message.split())}" for r in broken)
            )
        return results


@cache
def _parsed() -> bytes:
    """Return the project as it was parsed, in a form of which copies are quickly made."""
    from dbt.contracts.graph.manifest import Manifest  # noqa: PLC0415 # see DbtRunner._invoke
    from dbt.parser.manifest import extended_mashumuro_decoder  # noqa: PLC0415 # likewise

    try:
        manifest = Manifest.from_msgpack(load_parsed(), decoder=extended_mashumuro_decoder)
    except Exception:  # noqa: BLE001 # half a file after a power failure, and whatever dbt then says
        manifest = Manifest.from_msgpack(
            load_parsed(again=True), decoder=extended_mashumuro_decoder
        )
    return pickle.dumps(manifest, protocol=pickle.HIGHEST_PROTOCOL)


@cache
def _spare() -> None:
    """Spare calls what dbt does in each and nothing here has a use for: a quarter of their time.

    It reads the sources of all callers to name the adapter of a flag, looks through all that is
    installed for plugins, sums its graph up in a file of the scratch directory, and groups what it
    injects ephemeral models into, of which it wants the first keyword.
    """
    # As modules of no type: dbt and sqlparse ship some, which know nothing of being changed.
    flags, plugins, compilation, sqlparse = map(
        _module, ("dbt_common.behavior_flags", "dbt.plugins", "dbt.compilation", "sqlparse")
    )
    manager = plugins.PluginManager
    flags.BehaviorFlagRendered._default_source = staticmethod(lambda: "Unknown")  # noqa: SLF001
    manager.get_prefixed_modules = staticmethod(cache(manager.get_prefixed_modules))
    compilation.Linker.get_graph_summary = lambda _linker, _manifest: {}
    compilation.sqlparse = SimpleNamespace(
        parse=lambda sql: tuple(sqlparse.engine.FilterStack().run(sql)),
        sql=sqlparse.sql,
        tokens=sqlparse.tokens,
    )


def _module(name: str) -> Any:  # noqa: ANN401 # see above
    return importlib.import_module(name)


def _range(start: datetime, end: datetime) -> dict[str, str]:
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError(
            "A range of partitions needs a timezone: dbt would read it in the server's."
        )
    if start >= end:
        raise ValueError(f"A range begins before it ends; {start} to {end} does not.")
    return {"start": start.isoformat(), "end": end.isoformat()}


def _result(found: Any) -> NodeResult:  # noqa: ANN401 # dbt ships no types
    rows = found.adapter_response.get("rows_affected")
    return NodeResult(
        name=str(found.node.name),
        kind=str(found.node.resource_type),
        status=str(found.status),
        seconds=float(found.execution_time),
        rows=int(rows) if rows is not None and rows >= 0 else None,
        failures=found.failures,
        message=str(found.message or ""),
        sql=str(getattr(found.node, "compiled_code", None) or ""),
    )


@contextmanager
def _working_directory_kept() -> Iterator[None]:
    before = Path.cwd()
    try:
        yield
    finally:
        os.chdir(before)


@contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set variables for as long as dbt reads them; the password stays in no other place."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
