"""What may pass and what may not: an outage is waited for, a refused value is not."""

import contextlib
import datetime as dt
import socket
from collections.abc import Callable
from pathlib import Path

import adbc_driver_manager
import pandas as pd
import pyarrow as pa
import pytest
import sqlalchemy as sa

from aurastream.store.connections import ConnectionPool, is_connection_loss
from aurastream.store.frames import Append, FrameStore, RetryPolicy

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
ONCE = RetryPolicy(total_s=0.0)


def crawl(rows: Rows, name: str) -> Append:
    return Append("operations.crawls", rows("operations.crawls", [{"category": name}], at=AT))


def test_a_write_is_kept_while_nobody_resolves_the_server_s_name(
    rows: Rows, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody_knows(*_: object, **__: object) -> object:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", nobody_knows)
    url = "postgresql://owner:p@record.invalid/aurastream"
    with FrameStore(url, spool=tmp_path / "spool", retry=ONCE) as store:
        for name in ("a", "b"):
            (result,) = store.commit([crawl(rows, name)], spool=True)
            assert result.spooled
        assert store.spool is not None
        assert (len(store.spool), store.spool.aside()) == (2, [])


@pytest.mark.parametrize("wrong", [{"password": "changed"}, {"database": "elsewhere"}])
def test_what_was_kept_outlasts_a_password_or_a_name_that_does_not_fit(
    rows: Rows, database_url: str, tmp_path: Path, wrong: dict[str, str]
) -> None:
    url = sa.make_url(database_url).set(**wrong).render_as_string(hide_password=False)  # type: ignore[arg-type] # of several types
    with FrameStore(url, spool=tmp_path / "spool", retry=ONCE) as refused:
        for name in ("a", "b"):
            (result,) = refused.commit([crawl(rows, name)], spool=True)
            assert result.spooled
    with FrameStore(database_url, spool=tmp_path / "spool", retry=ONCE) as store:
        assert store.drain() == 2
        assert sorted(store.read("operations.crawls")["category"]) == ["a", "b"]


def test_a_value_that_cannot_be_written_down_is_no_lost_connection(database_url: str) -> None:
    far = pa.table({"at": pa.array([2**62], pa.timestamp("s"))})
    pool = ConnectionPool(database_url, application="test")
    with (
        contextlib.closing(pool),
        pytest.raises(adbc_driver_manager.OperationalError) as refused,
        pool.connection() as connection,
        connection.cursor() as cursor,
    ):
        cursor.adbc_ingest("far", far, mode="create")
    assert not is_connection_loss(refused.value)
