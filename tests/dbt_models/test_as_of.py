"""Time travel: what a mart says of a moment is what could be known then, whatever came later."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import psycopg
import pytest
import sqlalchemy as sa
from psycopg import sql
from psycopg.types.json import Jsonb

from aurastream.store.archive_history import keep_replaced, version_marks
from aurastream.store.embedded import EmbeddedPostgres
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


def _half_hour(marts: Warehouse, window: str, views: int, *, is_late: bool = False) -> None:
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
    if is_late:
        marts.insert(
            "maintenance.deliveries",
            *(
                {
                    "delivered_at": datetime.now(UTC),
                    "delivery_id": uuid.uuid4(),
                    "table_name": f"collection.{table}",
                    "first_at": seen,
                    "last_at": seen,
                }
                for table in ("youtube_games", "twitch_streams")
            ),
        )
        return
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
def marts(
    warehouse: Warehouse,
    postgres_server: EmbeddedPostgres,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Warehouse]:
    """A game seen on two days, the second until noon; built once and copied for each test.

    The copy has the name of the original, which stands in every statement of dbt's.
    """
    name = str(sa.make_url(warehouse.url).database)
    built = f"{name}_of_two_days"
    warehouse.store.close()
    with psycopg.connect(postgres_server.url_of("postgres"), autocommit=True) as admin:
        there = admin.execute("select from pg_database where datname = %s", [built]).fetchone()
        if there is None:
            fresh = Warehouse(warehouse.url, warehouse.runner.work_dir)
            _build(fresh)
            fresh.store.close()
            _copy(admin, name, built)
        else:
            _copy(admin, built, name)
    found = Warehouse(warehouse.url, tmp_path_factory.getbasetemp() / "dbt")
    yield found
    found.store.close()


def _copy(admin: psycopg.Connection, name: str, copy: str) -> None:
    for statement in ("drop database if exists {} with (force)", "create database {} template {}"):
        admin.execute(sql.SQL(statement).format(sql.Identifier(copy), sql.Identifier(name)))


def _build(warehouse: Warehouse) -> None:
    warehouse.categories("gta", kind="game", twitch_game_id="1", interval_minutes=30)
    _titles(warehouse, "2026-11-19 08:00", "As it was called then")
    for window in ("2026-11-19 11:00", "2026-11-19 11:30", "2026-11-20 11:00", "2026-11-20 11:30"):
        _half_hour(warehouse, window, 100)
    warehouse.roll_hours("2026-11-19 00:00", "2026-11-20 12:00")
    warehouse.runner.build(list(DAYS), start=at("2026-11-19 00:00"), end=at("2026-11-20 00:00"))
    warehouse.publish(*_MARTS)


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
    # Before the record nothing is known, as of then.
    assert as_of("2026-11-01 00:00") == at("2026-11-01 00:00")


def test_a_call_that_was_open_then_is_open_in_what_we_knew_then(marts: Warehouse) -> None:
    def status(moment: str) -> Any:
        [row] = marts.rows(
            "select used_units, open_units, coverage_pct "
            f"from marts.quota_status_as_of('{moment}+00')"
        )
        return row

    assert status("2026-11-20 11:25") == {"used_units": 9, "open_units": 9, "coverage_pct": 0}
    assert status("2026-11-20 11:40") == {"used_units": 1, "open_units": 0, "coverage_pct": 100}


@pytest.mark.parametrize(
    ("table", "over"),
    [
        ("aggregation.intel_hourly_metrics", "as_of"),
        ("aggregation.intel_daily_metrics", "as_of"),
        ("intelligence.title_intel", "window_start + interval '4 hours'"),
    ],
)
def test_a_table_of_then_ends_with_the_moment(marts: Warehouse, table: str, over: str) -> None:
    def ends(source: str) -> list[Any]:
        return [
            r["at"] for r in marts.rows(f"select distinct {over} as at from {source} order by 1")
        ]

    found = ends(table)

    assert ends(f"{table}_as_of('{found[0]}'::timestamptz - interval '1 second')") == []
    assert ends(f"{table}_as_of('{found[0]}')") == found[:1]
    assert ends(f"{table}_as_of('{found[-1]}')") == found
    assert ends(f"{table}_as_of('infinity')") == found


def test_now_is_the_view(marts: Warehouse) -> None:
    # Rollups say the same of now as of this moment; only windows that are open differ.
    for mart in ("competition_over_time", "rising_channels", "format_performance"):
        asked = "select to_jsonb(t) as row from marts.{} as t order by 1"
        rows = marts.rows(asked.format(mart))
        assert rows
        assert rows == marts.rows(asked.format(f"{mart}_as_of(now())"))


def test_the_order_in_which_rows_lie_moves_no_mart_by_a_bit(marts: Warehouse) -> None:
    values = (1e6, 0.1, 1 / 3, 0.7, 1e-3, 2 / 7, 123.456, 1.1)
    lengths, paces = "aggregation.intel_duration_performance", "intelligence.video_velocity"
    marts.rows(f"update {lengths} set views_known_count = 5, received_samples = 1 returning 1")
    # Days of one length, and videos of one window.
    days = (
        "select to_jsonb(t) || jsonb_build_object('id', t.id + n, 'date', t.date - n, "
        "'performance_index', value, 'avg_engagement', value / 1e6) as row "
        f"from {lengths} as t, generate_series(1, {len(values)}) as n, "
        f"lateral (select (array{list(values)}::float[])[n] as value) as v "
        f"where t.date = (select max(date) from {lengths})"
    )
    videos = (
        "select to_jsonb(t) || jsonb_build_object('velocity_now_per_hour', "
        f"(array{list(values)}::float[])[ascii(video_id) - 96]) as row from {paces} as t"
    )
    kept = {lengths: marts.rows(days), paces: marts.rows(videos)}

    def answers(*, backwards: bool) -> list[dict[str, Any]]:
        with psycopg.connect(marts.url) as connection:
            for table, rows in kept.items():
                connection.execute(f"delete from {table}")
                into = f"insert into {table} select * from jsonb_populate_record(null::{table}, %s)"
                for row in rows[::-1] if backwards else rows:
                    connection.execute(into, [Jsonb(row["row"])])
        return marts.rows(
            "select to_jsonb(t) as row from marts.format_performance as t union all "
            f"select to_jsonb(t) from marts.taking_off_now_as_of('{_NOON}+00') as t order by 1"
        )

    forwards = answers(backwards=False)
    assert len(forwards) > 1
    assert answers(backwards=True) == forwards


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
            # The ends of time would take an hour by hour count for ever.
            for moment in ("now() - interval '1 day'", "'infinity'", "'-infinity'"):
                connection.execute(f"select * from marts.{mart}_as_of({moment})")


def _scored_again(
    marts: Warehouse,
    table: str,
    window: str,
    *,
    version: int = 2,
    rows: pd.DataFrame | None = None,
    **changed: Any,
) -> None:
    """Replace a window's scores by those of another code version, as the graph's writes do."""
    name, start = f"intelligence.{table}", at(window)
    end = start + timedelta(minutes=30)
    asset = f"intelligence/{table}"
    frame = marts.store.read(name, start=start, end=end)
    before, after = str(version - 1), str(version)
    windows = pd.DatetimeIndex([start])
    marts.store.commit(
        [version_marks(asset, windows, frame["window_start"], code_version=before, run_id=None)]
    )
    keep_replaced(marts.store, metadata.tables[name], asset, (start, end), after)
    again = frame.assign(**changed) if rows is None else rows
    marts.store.commit(
        [
            Replace(name, again, start, end),
            version_marks(asset, windows, again["window_start"], code_version=after, run_id=None),
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


def test_what_streams_were_stays_where_no_score_of_videos_is_permitted(marts: Warehouse) -> None:
    with psycopg.connect(marts.url, autocommit=True) as connection:
        connection.execute("truncate intelligence.opportunity")
    [moment] = marts.rows("select clock_timestamp() as now")
    then = f"select ease_score from marts.taking_off_now_as_of('{moment['now']}')"
    before = marts.rows(then)

    _scored_again(marts, "competition", "2026-11-20 11:30", ease_score=1.0)

    assert marts.rows("select ease_score from marts.taking_off_now") == [{"ease_score": 1.0}]
    assert marts.rows(then) == before != [{"ease_score": 1.0}]


def _without_coverage(row: dict[str, Any]) -> dict[str, Any]:
    """Leave out what counts the crawls of the last day, which moves with the moment."""
    return {name: value for name, value in row.items() if not name.endswith("_samples")}


_OF_ROLLUPS = (
    "competition_over_time",
    "format_performance",
    "posting_times",
    "quota_cost_per_insight",
    "rising_channels",
    "series_coverage",
    "streaming_times",
    "trending_categories",
)


def test_a_late_hour_changes_today_and_not_what_we_knew_before(warehouse: Warehouse) -> None:
    def answers(moment: datetime) -> dict[str, list[dict[str, Any]]]:
        """Return what each mart says as of a moment, without what tells the time."""
        found = {
            mart: warehouse.rows(f"select * from marts.{mart}_as_of('{moment.isoformat()}')")
            for mart in _OF_ROLLUPS
        }
        found["get_trending_categories"] = warehouse.rows(
            f"select * from aggregation.get_trending_categories(7, '{moment.isoformat()}')"
        )
        clock = {"as_of", "lag_s"}
        return {
            mart: sorted(
                ({k: v for k, v in row.items() if k not in clock} for row in rows), key=str
            )
            for mart, rows in found.items()
        }

    def now() -> datetime:
        [row] = warehouse.rows("select clock_timestamp() as now")
        return datetime.fromisoformat(str(row["now"]))

    def roll() -> None:
        warehouse.roll_hours(*span)
        warehouse.runner.build(list(DAYS), start=at(span[0]), end=at(span[1]))

    # A day is over that has its evening only: the collector of the morning stood still.
    today = datetime.now(UTC).date()
    day = today - timedelta(days=2)
    span = (f"{day} 00:00", f"{day + timedelta(days=1)} 00:00")
    warehouse.categories("gta", kind="game", twitch_game_id="1", interval_minutes=30)
    _half_hour(warehouse, f"{day} 20:00", 100)
    roll()
    warehouse.publish(*_OF_ROLLUPS)
    before = now()
    known = answers(before)
    assert {mart for mart in _OF_ROLLUPS if not known[mart]} == set()

    # What waited in the spool is delivered: another hour of the same videos, and a channel.
    _half_hour(warehouse, f"{day} 08:00", 900, is_late=True)
    _half_hour(warehouse, f"{day} 20:30", 900, is_late=True)
    warehouse.video(f"{day} 20:30", "g", category="gta", channel_id="late", trend_class="VIRAL")
    roll()
    assert answers(before) == known
    between = now()
    today_says = answers(between)
    unchanged = {mart for mart in known if today_says[mart] == known[mart]}
    assert unchanged == {"series_coverage"}, "it counts hours and days, and these were there"
    assert {"late"} == {row["channel_id"] for row in today_says["rising_channels"]} - {
        row["channel_id"] for row in known["rising_channels"]
    }

    # Rolled up again with nothing new, nothing is kept again; taken back, all three moments stand.
    kept = "select count(*) as n from maintenance.score_history"
    rows_kept = warehouse.rows(kept)
    assert rows_kept[0]["n"] > 0
    roll()
    assert warehouse.rows(kept) == rows_kept
    warehouse.replace_window(f"{day} 20:30")
    roll()
    assert answers(before) == known
    assert answers(between) == today_says
    assert answers(now())["rising_channels"] != today_says["rising_channels"]


def test_a_day_of_which_all_rows_went_and_came_back_was_empty_in_between(
    warehouse: Warehouse,
) -> None:
    day = datetime.now(UTC).date() - timedelta(days=2)
    window = f"{day} 20:00"
    warehouse.categories("gta", kind="game", twitch_game_id="1", interval_minutes=30)
    asked = "select channel_id from aggregation.intel_channel_days{} order by channel_id"
    answers: dict[str, list[str]] = {}

    def seen(moment: str = "") -> list[str]:
        rows = warehouse.rows(asked.format(f"_as_of('{moment}')" if moment else ""))
        return [row["channel_id"] for row in rows]

    for channels in (["a"], [], ["a"], ["b"], []):
        warehouse.replace_window(window)
        for channel in channels:
            warehouse.video(window, channel, category="gta", channel_id=channel)
        warehouse.runner.build(
            list(DAYS), start=at(f"{day} 00:00"), end=at(f"{day} 00:00") + timedelta(days=1)
        )
        assert seen() == channels
        [moment] = warehouse.rows("select clock_timestamp() as now")
        answers[str(moment["now"])] = channels

    assert {moment: seen(moment) for moment in answers} == answers


_of_analyses = pytest.mark.parametrize(
    ("table", "mart", "column"),
    [
        ("title_intel", "title_patterns", "lift"),
        ("clip_video_lead_lag", "clip_lead", "p_value"),
    ],
)


@_of_analyses
def test_an_analysis_of_another_version_does_not_change_what_we_knew_then(
    marts: Warehouse, table: str, mart: str, column: str
) -> None:
    asked = f"select * from marts.{mart}"
    [before] = marts.rows(asked)
    [moment] = marts.rows("select clock_timestamp() as now")
    _scored_again(marts, table, f"{at('2026-11-20 08:00'):%Y-%m-%d %H:%M}", **{column: 0.9})
    [after] = marts.rows(asked)
    [then] = marts.rows(f"{asked}_as_of('{moment['now']}')")
    assert after[column] == 0.9
    assert then == before != after


@_of_analyses
def test_each_of_several_versions_of_several_windows_is_what_was_known_in_its_time(
    marts: Warehouse, table: str, mart: str, column: str
) -> None:
    first, second, third = (f"2026-11-20 {hour}:00" for hour in ("00", "04", "08"))
    for n, window in enumerate((first, second)):
        marts.insert(
            f"intelligence.{table}",
            {"window_start": at(window), "category": "gta", column: 0.1 * (n + 1)},
        )
    windows = f"select window_start, category, {column} from intelligence.{table}"
    by_window = " order by window_start, category"
    answers: dict[str, tuple[Any, Any]] = {}

    def remember() -> None:
        [moment] = marts.rows("select clock_timestamp() as now")
        answers[str(moment["now"])] = (
            marts.rows(windows + by_window),
            marts.rows(f"select * from marts.{mart}"),
        )

    remember()
    for version, window, value in (
        (2, first, 0.21),
        (2, third, 0.22),
        (3, third, 0.33),
        (3, first, 0.31),
        (4, third, 0.44),
    ):
        _scored_again(marts, table, window, version=version, **{column: value})
        remember()
    # One finds nothing, the next the same as before.
    there = marts.store.read(f"intelligence.{table}", start=at(third))
    _scored_again(marts, table, third, version=5, rows=there.head(0))
    remember()
    _scored_again(marts, table, third, version=6, rows=there)
    remember()
    _scored_again(marts, table, third, version=7, **{column: 0.77})
    remember()

    assert len({str(rows) for rows, _ in answers.values()}) == 8
    for moment, (rows, answer) in answers.items():
        assert marts.rows(f"{windows}_as_of('{moment}'){by_window}") == rows
        if len(rows) == 3:  # Which window is the newest is asked of the table as it is now.
            assert marts.rows(f"select * from marts.{mart}_as_of('{moment}')") == answer
