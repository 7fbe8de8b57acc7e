"""The browsable documentation of rollups and marts: one page that needs no network to be read.

dbt writes it from the same descriptions that Postgres, Dagster and the data dictionary show, with
the lineage as a picture. Where the record answers, types and row counts come from it; elsewhere
the page is built without them.
"""

from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Final

from aurastream.core.errors import AuraStreamError
from aurastream.operations.dbt_process import run_dbt
from aurastream.store.urls import sqlalchemy_url

__all__ = ["DocumentationError", "build_docs", "docs_server"]

_PAGE: Final = "static_index.html"


class DocumentationError(AuraStreamError):
    """The documentation cannot be built."""


def build_docs(directory: Path, postgres_url: str | None = None) -> Path:
    """Write the documentation as one page.

    Parameters
    ----------
    directory : pathlib.Path
        Where to write; created when missing.
    postgres_url : str, optional
        The record, as its owner. Without it the page lacks what only a database knows.

    Returns
    -------
    pathlib.Path
        The page.

    Raises
    ------
    DocumentationError
        When dbt fails; the message is dbt's.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if postgres_url is None:
        # The page is then of the project as it is parsed, and not as a database would run it.
        _dbt(directory, None, "parse", "--no-partial-parse")
        _dbt(directory, None, "docs", "generate", "--static", "--empty-catalog", "--no-compile")
    else:
        _dbt(directory, postgres_url, "docs", "generate", "--static")
    return (directory / _PAGE).replace(directory / "index.html")


def _dbt(directory: Path, postgres_url: str | None, *command: str) -> None:
    connection = _connection(postgres_url) if postgres_url else {}
    done = run_dbt(*command, target=directory, variables=connection)
    if done.returncode != 0:
        raise DocumentationError(
            f"dbt cannot write the documentation: {' '.join(done.stdout.split()[-60:])}",
            fix="Run script/gate, which names the model at fault.",
        )


def docs_server(page: Path, port: int = 0) -> ThreadingHTTPServer:
    """Return a server on loopback that shows the page and nothing else of the machine.

    Parameters
    ----------
    page : pathlib.Path
        The page, in a directory of its own.
    port : int
        Port; 0 finds a free one.
    """
    handler = partial(_Quiet, directory=str(page.parent))
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise DocumentationError(
            f"Port {port} cannot be listened on: {error.strerror}.",
            fix="Leave --port out, and a free one is chosen.",
        ) from error


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line per request."""

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name upstream
        pass


def _connection(postgres_url: str) -> dict[str, str]:
    url = sqlalchemy_url(postgres_url)
    return {
        "DBT_POSTGRES_HOST": url.host or "127.0.0.1",
        "DBT_POSTGRES_PORT": str(url.port or 5432),
        "DBT_POSTGRES_USER": url.username or "",
        "DBT_ENV_SECRET_POSTGRES_PASSWORD": str(url.password or ""),
        "DBT_POSTGRES_DBNAME": str(url.database),
    }
