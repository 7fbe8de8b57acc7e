"""Whether an instance of Dagster is the one in the record, by its server and not by a spelling."""

from types import SimpleNamespace
from typing import Any, cast

import dagster as dg
import psycopg
import pytest

from aurastream.store.urls import dagster_url
from aurastream_assets.instances import why_not


def stored_in(url: str) -> dg.DagsterInstance:
    """Return as much of an instance as is asked for: where its rows are."""
    storage: Any = SimpleNamespace(postgres_url=dagster_url(url))
    return cast("dg.DagsterInstance", SimpleNamespace(run_storage=storage))


def test_a_server_is_the_same_in_every_zone_and_style_of_dates(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    elsewhere = database_url.replace("127.0.0.1", "localhost")
    said = f"{elsewhere}?options=-cdatestyle%3DGerman%20-ctimezone%3DAsia/Tokyo"
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", said)
    assert why_not(stored_in(database_url)) is None


@pytest.mark.parametrize(
    "url",
    [
        "postgresql:///record",
        "postgresql:///record?host=/nowhere/a",
        "postgresql://%2Fnowhere%2Fa/record",
    ],
)
def test_the_same_socket_is_the_same_server_and_nobody_asks_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", url)
    assert why_not(stored_in(url)) is None


def test_another_socket_may_be_another_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", "postgresql:///record?host=/nowhere/a")
    with pytest.raises(psycopg.OperationalError, match="/nowhere/b"):
        why_not(stored_in("postgresql:///record?host=/nowhere/b"))
