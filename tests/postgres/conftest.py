"""Rows for the store's tests, and servers that are away or refuse."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import psycopg
import pytest

from aurastream.store.frames import FrameStore, RetryPolicy
from tests.filled_rows import filled_rows

Rows = Callable[..., pd.DataFrame]


@pytest.fixture
def rows() -> Rows:
    """Return a function that fills in what a test does not care about, by the columns' types."""
    return filled_rows


@pytest.fixture
def away(tmp_path: Path, free_port: Callable[[], int]) -> FrameStore:
    """A store whose server is not there."""
    return FrameStore(
        f"postgresql://nobody:none@127.0.0.1:{free_port()}/none",
        spool=tmp_path / "spool",
        retry=RetryPolicy(total_s=0.2, first_pause_s=0.01, longest_pause_s=0.05),
    )


@pytest.fixture
def refusing(database_url: str) -> Iterator[Callable[[], None]]:
    """Let the server refuse crawls of "bad" for good; return a function that mends it."""
    with psycopg.connect(database_url, autocommit=True) as admin:
        admin.execute(
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
            "$$BEGIN IF new.category = 'bad' THEN RAISE EXCEPTION 'no such crawl' "
            "USING ERRCODE = 'check_violation'; END IF; RETURN new; END$$"
        )
        admin.execute(
            "CREATE TRIGGER refuse BEFORE INSERT ON operations.crawls "
            "FOR EACH ROW EXECUTE FUNCTION refuse()"
        )

        def mend() -> None:
            admin.execute("DROP TRIGGER refuse ON operations.crawls")

        yield mend
