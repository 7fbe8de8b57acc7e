"""One database for this folder, emptied before each test."""

from collections.abc import Iterator

import psycopg
import pytest

from aurastream.store.embedded import EmbeddedPostgres
from tests.dbt_models.warehouse import COLLECTION_HOURS, DAYS, HOURS, SOURCES, Warehouse

_DATABASE = "dbt_models"
_RECORDS = (
    "maintenance.score_history",
    "maintenance.window_versions",
    "maintenance.deliveries",
)


@pytest.fixture(scope="session")
def warehouse_url(postgres_server: EmbeddedPostgres) -> str:
    """One database for all tests of this folder: dbt then parses the project once."""
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as admin:
        admin.execute(f"drop database if exists {_DATABASE} with (force)")
        admin.execute(f"create database {_DATABASE} template aurastream_template")
    return postgres_server.url_of(_DATABASE)


@pytest.fixture
def warehouse(warehouse_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Warehouse]:
    """Empty source tables and empty rollups."""
    found = Warehouse(warehouse_url, tmp_path_factory.getbasetemp() / "dbt")
    # Emptied and not dropped: making them, and the views that read them, is what takes dbt seconds.
    rollups = [f"aggregation.{name}" for name in (HOURS, COLLECTION_HOURS, *DAYS)]
    emptied = [*SOURCES, *filter(found.has, rollups), *_RECORDS]
    with psycopg.connect(warehouse_url, autocommit=True) as connection:
        connection.execute(f"truncate {', '.join(emptied)}")
    yield found
    found.store.close()
