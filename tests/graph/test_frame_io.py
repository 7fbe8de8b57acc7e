"""Frames through the I/O manager, to and from a real Postgres."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest

from aurastream.store.frames import Append, FrameStore
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import WINDOW, half_hours
from aurastream_assets.policies import SINGLE_RUN
from resources.frame_io import frame_io
from resources.store import Store

MIDNIGHT = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=2)


def _key(moment: datetime) -> str:
    return moment.strftime(half_hours.fmt)


def _games(crawl_at: datetime, *, count: int = 1) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "observed_at": pd.Series([crawl_at + timedelta(seconds=1)] * count),
            "game_id": [str(n) for n in range(count)],
            "rank": pd.array(range(1, count + 1), dtype="Int64"),
            "game_name": "a game",
            "crawl_at": pd.Series([crawl_at] * count),
            "fetch_id": "00000000-0000-0000-0000-000000000001",
        }
    )


top_games_spec = dg.AssetSpec(
    asset_key("collection", "twitch_top_games"),
    metadata={"dagster/io_manager_key": "frame_io"},
)


@dg.asset(
    key=asset_key("intelligence", "competition"),
    ins={
        "games": dg.AssetIn(
            key=asset_key("collection", "twitch_top_games"),
            metadata={"columns": ["crawl_at", "rank"], "lookback": "1h"},
        )
    },
    partitions_def=half_hours,
    backfill_policy=SINGLE_RUN,
    io_manager_key="frame_io",
)
def competition(context: dg.AssetExecutionContext, games: pd.DataFrame) -> pd.DataFrame:
    """Report what was loaded through columns that the table happens to have."""
    assert list(games.columns) == ["crawl_at", "rank"]
    window = context.partition_time_window
    starts = pd.date_range(window.start, window.end - WINDOW, freq=WINDOW, unit="us")
    return pd.DataFrame(
        {
            "window_start": starts,
            "category": "fortnite",
            "live_count": len(games),
            "viewer_total": 0,
            "baseline_n": 0,
            "saturation_score": 50.0,
            "concentration_score": 50.0,
            "ease_score": 50.0,
            "is_peak": False,
            "peak_source": "fixed",
            "confidence_pct": 100.0,
        }
    ).assign(
        observed_at=pd.Series([games["crawl_at"].max()] * len(starts), dtype="datetime64[us, UTC]"),
        baseline_live_count=float("nan"),
        baseline_low=float("nan"),
        baseline_high=float("nan"),
        hhi=float("nan"),
        hhi_lower=float("nan"),
        hhi_upper=float("nan"),
        concentration_band=None,
    )


@pytest.fixture
def resources(database_url: str) -> dict[str, object]:
    return {"store": Store(postgres_url=database_url), "frame_io": frame_io}


def _materialize(
    resources: dict[str, object], *, first: datetime, last: datetime | None = None
) -> dg.ExecuteInProcessResult:
    tags = (
        {
            "dagster/asset_partition_range_start": _key(first),
            "dagster/asset_partition_range_end": _key(last),
        }
        if last
        else {}
    )
    with dg.DagsterInstance.ephemeral() as instance:
        return dg.materialize(
            [top_games_spec, competition],
            selection=[competition.key],
            partition_key=None if last else _key(first),
            tags=tags,
            resources=resources,
            instance=instance,
        )


def _seen(store: FrameStore) -> dict[datetime, int]:
    rows = store.read("intelligence.competition", order_by="window_start")
    return {
        t.to_pydatetime(): int(n)
        for t, n in zip(rows["window_start"], rows["live_count"], strict=True)
    }


def test_an_input_brings_the_declared_columns_of_its_lookback(
    resources: dict[str, object], store: FrameStore
) -> None:
    noon = MIDNIGHT + timedelta(hours=12)
    for minutes in (-61, -59, -1, 29, 50):
        store.commit(
            [Append("collection.twitch_top_games", _games(noon + timedelta(minutes=minutes)))]
        )

    _materialize(resources, first=noon)

    # An hour back, to the window's end and as much further as a crawl may take.
    assert _seen(store) == {noon: 3}


def test_a_range_of_windows_is_one_read_and_one_write(
    resources: dict[str, object], store: FrameStore
) -> None:
    store.commit([Append("collection.twitch_top_games", _games(MIDNIGHT + timedelta(hours=3)))])

    _materialize(resources, first=MIDNIGHT, last=MIDNIGHT + timedelta(hours=5))

    assert _seen(store) == {MIDNIGHT + WINDOW * n: 1 for n in range(11)}


def test_writing_a_window_again_replaces_it_and_nothing_else(
    resources: dict[str, object], store: FrameStore
) -> None:
    _materialize(resources, first=MIDNIGHT, last=MIDNIGHT + timedelta(hours=1))
    store.commit([Append("collection.twitch_top_games", _games(MIDNIGHT, count=7))])

    _materialize(resources, first=MIDNIGHT + WINDOW)

    assert _seen(store) == {MIDNIGHT: 0, MIDNIGHT + WINDOW: 7, MIDNIGHT + 2 * WINDOW: 0}


def test_windows_that_the_terms_have_ended_are_not_written_again(
    resources: dict[str, object], store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    recent = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "amended")

    result = _materialize(resources, first=recent - timedelta(days=1), last=recent)

    # Streams end after a day, an hour and a quarter before that for the purge.
    told = result.asset_materializations_for_node("intelligence__competition")[-1]
    assert max(_seen(store)) == recent
    assert len(_seen(store)) + told.metadata["rows_past_their_time"].value == 49
    assert min(_seen(store)) > datetime.now(UTC) - timedelta(days=1)

    monkeypatch.setenv("AURASTREAM_KEEP_TWITCH_AGGREGATES", "true")
    _materialize(resources, first=recent - timedelta(days=1), last=recent)
    assert len(_seen(store)) == 49
