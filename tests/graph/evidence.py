"""What a run left behind: its own account of itself, the record, and the hot documents."""

from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

import dagster as dg
import pandas as pd
import redis
import sqlalchemy as sa

from aurastream.operations.schedule_policy import window_of
from aurastream.store import audit
from aurastream.store.document_schemas import Document
from aurastream.store.documents import Miss, read
from aurastream.store.frames import FrameStore
from aurastream.store.tables import metadata as tables
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW

SCORES = ("video_velocity", "category_stats", "viral_scores", "competition", "opportunity")
TRENDING = asset_key("collection", "youtube_trending")
_LATE_IN_IT = timedelta(minutes=25)


class Clock(Protocol):
    """The replay server's present."""

    offset: timedelta

    def now(self) -> datetime: ...


def newest_window() -> datetime:
    """Return the start of the last window that is over, so that no test straddles its end."""
    return window_of(datetime.now(UTC)) - WINDOW


def move(clock: Clock, window: datetime) -> datetime:
    """Move the platforms' present to late in a window, when it is collected; return its start."""
    clock.offset = window + _LATE_IN_IT - datetime.now(UTC)
    return window


def metadata_of(
    result: dg.ExecuteInProcessResult, key: dg.AssetKey = TRENDING
) -> dict[str, object]:
    """Return what a run's materialization of an asset says."""
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == key]
    return {name: value.value for name, value in event.materialization.metadata.items()}


def failed_checks(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return ``asset:check`` of every check that did not pass."""
    return {
        f"{e.asset_key.to_user_string()}:{e.check_name}"
        for e in result.get_asset_check_evaluations()
        if not e.passed
    }


def failure_of(result: dg.ExecuteInProcessResult, step: str) -> str:
    """Return what a failed step says."""
    (event,) = [e for e in result.all_events if e.is_step_failure and e.step_key == step]
    data = event.step_failure_data
    return f"{data.user_failure_data.description if data.user_failure_data else data.error}"


def retries_of(result: dg.ExecuteInProcessResult) -> int:
    """Return how often a step of the run was started again."""
    return sum(e.is_step_restarted for e in result.all_events)


def scores(store: FrameStore, window: datetime | None = None) -> dict[str, pd.DataFrame]:
    """Return every score of one window or of all, in a fixed order."""
    return {
        name: store.read(
            f"intelligence.{name}",
            start=window,
            end=window and window + WINDOW,
            order_by=[c.name for c in tables.tables[f"intelligence.{name}"].primary_key.columns],
        )
        for name in SCORES
    }


def assert_same_scores(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    """Compare scores bit by bit."""
    for name in SCORES:
        pd.testing.assert_frame_equal(found[name], expected[name], check_exact=True)


def assert_nothing_is_counted_twice(store: FrameStore) -> None:
    """No item stands twice in a crawl, and each category counts each of its videos once."""
    for audited in audit.AUDITED.values():
        items = ", ".join(("crawl_at", *audited.item))
        repeated = store.query(
            f"SELECT {items} FROM {audited.table} GROUP BY {items} HAVING count(*) > 1"
        )
        assert repeated.empty, repeated
    counted = store.query(
        """
        SELECT s.window_start, s.category, s.sample_count, count(distinct v.video_id) AS videos
        FROM intelligence.category_stats s
        JOIN intelligence.video_velocity v USING (window_start, category)
        GROUP BY 1, 2, 3
        """
    )
    assert (counted["sample_count"] == counted["videos"]).all(), counted


def assert_every_number_is_one(store: FrameStore) -> None:
    """No score is NaN or infinite: what is unknown is null."""
    for name in SCORES:
        table = tables.tables[f"intelligence.{name}"]
        floats = [c.name for c in table.columns if isinstance(c.type, sa.Float)]
        odd = " OR ".join(f"{column} IN ('NaN', 'Infinity', '-Infinity')" for column in floats)
        found = store.query(f"SELECT * FROM {table.fullname} WHERE {odd}")
        assert found.empty, found


def documents(redis_url: str) -> dict[str, Document]:
    """Return every hot document; each has to be what its schema says."""
    counts = audit.hot_documents(redis_url, datetime.now(UTC))
    assert counts["unreadable"] == counts["immortal"] == 0, counts
    with redis.Redis.from_url(redis_url) as client:
        found: dict[str, Any] = {
            key.decode(): read(client, key.decode()) for key in client.scan_iter(count=1000)
        }
    return {key: value for key, value in found.items() if not isinstance(value, Miss)}
