"""Time travel: what a mart says of a moment is what could be known then, whatever came later."""

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from aurastream.store.archive_history import keep_replaced, version_marks
from aurastream.store.frames import Replace
from aurastream.store.tables import metadata
from aurastream.store.urls import reader_url
from aurastream_assets.aggregation.project import load_manifest
from tests.dbt_models.warehouse import DAYS, Warehouse, at

_MARTS = sorted(
    node["name"]
    for node in load_manifest()["nodes"].values()
    if node["resource_type"] == "model" and node["schema"] == "marts"
)
_NOON = "2026-11-20 12:00"
_VIDEOS = ("a", "b", "c", "d", "e", "f")


def _half_hour(marts: Warehouse, window: str, views: int) -> None:
    """Score a window of one game and of its streams, as collection and intelligence do."""
    start = at(window)
    for n, video_id in enumerate(_VIDEOS):
        marts.video(
            window,
            video_id,
            category="gta",
            channel_id=f"channel {n}",
            views=views + n,
            duration_s=60 * n,
            velocity_now_per_hour=float(views),
            lifetime_velocity_per_hour=float(views * (n + 1)),
            published_at=start - timedelta(hours=25),
            trend_class="VIRAL" if n == 0 else "STABLE",
        )
    seen = start + timedelta(minutes=20)
    marts.insert(
        "intelligence.title_intel",
        {
            "window_start": start - timedelta(hours=3, minutes=30),
            "category": "gta",
            "lift": float(views) / 100,
            "ci_low": 0.5,
            "ci_high": 100.0,
        },
    )
    marts.insert(
        "intelligence.clip_video_lead_lag",
        {
            "window_start": start - timedelta(hours=3, minutes=30),
            "category": "gta",
            "p_value": 1 / views,
        },
    )
    marts.insert(
        "intelligence.opportunity",
        {"window_start": start, "category": "gta", "opportunity_score": 50.0, "viral_count": views},
    )
    marts.insert(
        "intelligence.competition",
        {
            "window_start": start,
            "category": "gta",
            "observed_at": seen,
            "live_count": views,
            "viewer_total": views,
            "hhi": 0.2,
        },
    )
    marts.insert(
        "collection.twitch_streams",
        {
            "observed_at": seen,
            "crawl_at": seen,
            "game_id": "1",
            "stream_id": "s",
            "viewer_count": views,
        },
    )
    marts.insert(
        "operations.crawls",
        *(
            {"crawl_at": seen, "observed_at": seen, "dataset": dataset, "category": "gta"}
            for dataset in ("collection/youtube_games", "collection/twitch_streams")
        ),
    )
    marts.insert(
        "operations.quota_ledger",
        {
            "reservation_id": f"00000000-0000-0000-0000-{int(start.timestamp()):012d}",
            "platform": "youtube",
            "bucket": "youtube.default",
            "endpoint": "videos.list",
            "purpose": "collection/youtube_games",
            "quota_date": start.date(),
            "units_reserved": 9,
            "units_settled": 1,
            "reserved_at": seen,
            "settled_at": seen + timedelta(minutes=15),
        },
    )


def _titles(marts: Warehouse, moment: str, title: str) -> None:
    marts.insert(
        "collection.youtube_videos",
        *(
            {
                "video_id": video_id,
                "metadata_hash": title,
                "title": title,
                "first_observed_at": at(moment),
            }
            for video_id in _VIDEOS
        ),
    )


@pytest.fixture
def marts(warehouse: Warehouse) -> Warehouse:
    """A game seen on two days, the second until noon."""
    warehouse.categories("gta", kind="game", twitch_game_id="1", interval_minutes=30)
    _titles(warehouse, "2026-11-19 08:00", "As it was called then")
    for window in ("2026-11-19 11:00", "2026-11-19 11:30", "2026-11-20 11:00", "2026-11-20 11:30"):
        _half_hour(warehouse, window, 100)
    warehouse.roll_hours("2026-11-19 00:00", "2026-11-20 12:00")
    warehouse.runner.build(list(DAYS), start=at("2026-11-19 00:00"), end=at("2026-11-20 00:00"))
    warehouse.publish(*_MARTS)
    return warehouse


def _known(marts: Warehouse, moment: str) -> dict[str, list[str]]:
    return {
        mart: sorted(
            str(row["t"])
            for row in marts.rows(
                f"select t::text as t from marts.{mart}_as_of('{moment}+00') as t"
            )
        )
        for mart in _MARTS
    }


def test_what_we_knew_then_is_unchanged_by_what_came_later(marts: Warehouse) -> None:
    then = _known(marts, _NOON)
    assert [mart for mart, rows in then.items() if not rows] == []

    _half_hour(marts, "2026-11-20 12:00", 9000)
    _half_hour(marts, "2026-11-20 12:30", 9000)
    _titles(marts, "2026-11-20 12:10", "Renamed")
    marts.insert(
        "operations.quota_exhaustion",
        {
            "platform": "youtube",
            "bucket": "youtube.default",
            "quota_date": at("2026-11-20 00:00").date(),
            "reported_at": at("2026-11-20 12:10"),
        },
    )
    marts.roll_hours("2026-11-20 12:00", "2026-11-20 13:00")
    marts.runner.build(list(DAYS), start=at("2026-11-20 00:00"), end=at("2026-11-21 00:00"))

    assert _known(marts, _NOON) == then
    later = _known(marts, "2026-11-21 00:00")
    assert [mart for mart in _MARTS if later[mart] == then[mart]] == []


def test_a_window_counts_from_its_end_on(marts: Warehouse) -> None:
    def as_of(moment: str) -> Any:
        [row] = marts.rows(f"select as_of from marts.taking_off_now_as_of('{moment}+00')")
        return row["as_of"]

    assert as_of("2026-11-20 11:59:59") == at("2026-11-20 11:30")
    assert as_of("2026-11-20 12:00") == at("2026-11-20 12:00")
    assert as_of("2026-11-01 00:00") is None


def test_a_call_that_was_open_then_is_open_in_what_we_knew_then(marts: Warehouse) -> None:
    def status(moment: str) -> Any:
        [row] = marts.rows(
            "select used_units, open_units, coverage_pct "
            f"from marts.quota_status_as_of('{moment}+00')"
        )
        return row

    assert status("2026-11-20 11:25") == {"used_units": 9, "open_units": 9, "coverage_pct": 0}
    assert status("2026-11-20 11:40") == {"used_units": 1, "open_units": 0, "coverage_pct": 100}


def test_now_is_the_view(marts: Warehouse) -> None:
    # Rollups say the same of now as of this moment; only windows that are open differ.
    for mart in ("competition_over_time", "rising_channels", "format_performance"):
        rows = marts.rows(f"select * from marts.{mart}")
        assert rows
        assert rows == marts.rows(f"select * from marts.{mart}_as_of(now())")


def test_a_clock_that_jumped_ahead_does_not_become_the_present(marts: Warehouse) -> None:
    ahead = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) + timedelta(days=3)
    [before] = marts.rows("select as_of from marts.taking_off_now")
    _half_hour(marts, f"{ahead:%Y-%m-%d %H:%M}", 5)
    [after] = marts.rows("select as_of from marts.taking_off_now")
    assert after == before


def test_the_functions_are_described_and_open_to_analysts(marts: Warehouse) -> None:
    described = marts.rows(
        "select p.proname, obj_description(p.oid) as text from pg_proc as p "
        "where p.pronamespace = 'marts'::regnamespace"
    )
    assert {row["proname"] for row in described} == {f"{mart}_as_of" for mart in _MARTS}
    assert all(row["text"] for row in described)
    with psycopg.connect(reader_url(marts.url)) as connection:
        for mart in _MARTS:
            connection.execute(
                f"select * from marts.{mart}_as_of(now() - interval '1 day')"  # type: ignore[arg-type]
            )


def _scored_again(marts: Warehouse, table: str, window: str, **changed: Any) -> None:
    """Replace a window's scores by those of another code version, as the graph's writes do."""
    name, start = f"intelligence.{table}", at(window)
    end = start + timedelta(minutes=30)
    asset = f"intelligence/{table}"
    frame = marts.store.read(name, start=start, end=end)
    marts.store.commit([version_marks(asset, frame, "window_start", code_version="1", run_id=None)])
    keep_replaced(marts.store, metadata.tables[name], asset, (start, end), "2")
    again = frame.assign(**changed)
    marts.store.commit(
        [
            Replace(name, again, start, end),
            version_marks(asset, again, "window_start", code_version="2", run_id=None),
        ]
    )


def test_a_formula_that_changed_later_does_not_change_what_we_knew_then(marts: Warehouse) -> None:
    window = "2026-11-20 11:30"
    asked = "select * from marts.{}_as_of(now()) order by 1, 2"
    known = ("taking_off_now", "top_viral_videos")
    before = {mart: marts.rows(asked.format(mart)) for mart in known}
    [moment] = marts.rows("select clock_timestamp() as now")
    then = {
        mart: f"select * from marts.{mart}_as_of('{moment['now']}') order by 1, 2" for mart in known
    }

    _scored_again(marts, "opportunity", window, opportunity_score=99.0, viral_count=0)
    _scored_again(marts, "competition", window, ease_score=1.0)
    _scored_again(marts, "viral_scores", window, viral_score=1.0, trend_class="STABLE")

    [row] = marts.rows("select * from marts.taking_off_now")
    assert (row["opportunity_score"], row["ease_score"]) == (99, 1)
    assert {r["trend_class"] for r in marts.rows("select * from marts.top_viral_videos")} == {
        "STABLE"
    }
    for mart in known:
        answer = marts.rows(then[mart])
        assert answer
        assert [_without_coverage(r) for r in answer] == [
            _without_coverage(r) for r in before[mart]
        ]


def _without_coverage(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what counts the crawls of the last day, which moves with the moment."""
    return {name: value for name, value in row.items() if not name.endswith("_samples")}
