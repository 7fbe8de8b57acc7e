"""Collected rows that waited in a spool say so when they reach the record."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from aurastream.store.deliveries import DELIVERIES, deliveries_of
from aurastream.store.frames import Append, FrameStore, RetryPolicy

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
IMPATIENT = RetryPolicy(total_s=0.2, first_pause_s=0.01, longest_pause_s=0.05)
STREAMS, CRAWLS = "collection.twitch_streams", "operations.crawls"


@pytest.fixture
def away(tmp_path: Path, free_port: Callable[[], int]) -> FrameStore:
    """A store whose server is not there."""
    return FrameStore(
        f"postgresql://nobody:none@127.0.0.1:{free_port()}/none",
        spool=tmp_path / "spool",
        retry=IMPATIENT,
    )


def test_a_delivery_says_which_rows_came_late(
    away: FrameStore, rows: Rows, database_url: str, tmp_path: Path
) -> None:
    streams = pd.concat(
        rows(STREAMS, [{"stream_id": str(n)}], at=AT + dt.timedelta(minutes=n)) for n in (0, 3)
    )
    away.commit([Append(STREAMS, streams), Append(CRAWLS, rows(CRAWLS, [{}], at=AT))], spool=True)
    before = dt.datetime.now(dt.UTC)

    with FrameStore(database_url, spool=tmp_path / "spool") as store:
        assert store.drain() == 1

        (found,) = deliveries_of(store.read(DELIVERIES))
        assert store.read(DELIVERIES)["table_name"].tolist() == [STREAMS]
        assert len(store.read(STREAMS)) == 2
    assert (found.first_at, found.last_at) == (AT, AT + dt.timedelta(minutes=3))
    assert before <= found.delivered_at <= dt.datetime.now(dt.UTC)


def test_what_is_written_at_once_is_no_delivery(store: FrameStore, rows: Rows) -> None:
    store.commit([Append(STREAMS, rows(STREAMS, [{"stream_id": "a"}], at=AT))])

    assert store.read(DELIVERIES).empty
