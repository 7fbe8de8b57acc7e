"""The model's life in the graph: too little history, trained, predicting, looked at again."""

import hashlib
import re
from base64 import b64decode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import pandas as pd
import pytest
from dagster import AssetKey

from aurastream.evaluation.model import ViralModel
from aurastream.store.frames import Append, FrameStore, Upsert
from aurastream_assets.partitions import days
from tests.graph.evidence import failed_checks, metadata_of

Learn = Callable[..., dg.ExecuteInProcessResult]
MODEL = AssetKey(["intelligence", "viral_model"])
PREDICTIONS = AssetKey(["intelligence", "viral_predictions"])
BACKTEST = AssetKey(["intelligence", "prediction_backtest"])
EVALUATIONS = AssetKey(["intelligence", "evaluations"])
HISTORY_DAYS = 24
VIDEOS_A_DAY = 40
FETCH = "00000000-0000-0000-0000-000000000001"


@pytest.fixture
def today() -> datetime:
    """Return the start of the last day that is over."""
    midnight = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight - timedelta(days=1)


def snapshots(last: datetime, length: int) -> dict[str, pd.DataFrame]:
    """Make days of charts in which videos with many comments take off and the rest disappear."""
    rng = np.random.default_rng(11)
    rows, videos, games = [], [], []
    for ago in range(length):
        noon = last - timedelta(days=ago) + timedelta(hours=12)
        for i in range(VIDEOS_A_DAY):
            video = f"v{ago:02d}-{i:02d}"
            views, comments = int(rng.lognormal(8, 1)), int(rng.lognormal(3, 1)) + 1
            videos.append(
                {
                    "video_id": video,
                    "first_observed_at": noon,
                    "channel_id": f"c{rng.integers(90)}",
                    "published_at": noon - timedelta(hours=float(rng.uniform(2, 40))),
                    "title": f"Title number {i}",
                    "is_minecraft": i % 4 == 0,
                }
            )
            seen = [(noon, views)]
            if comments > 40 and ago > 0:
                seen.append((noon + timedelta(days=1), views + comments * 1000))
            rows += [
                {"observed_at": at, "video_id": video, "views": count, "comments": comments}
                for at, count in seen
            ]
            if i % 4 == 0:
                games.append({"observed_at": noon, "video_id": video, "views": views})
    common = {"metadata_hash": "h", "fetch_id": FETCH}
    charts = pd.DataFrame(rows)
    charts = charts.assign(
        **common,
        chart="trending",
        region="US",
        rank=charts.groupby("observed_at").cumcount() + 1,
        likes=50,
        concurrent_viewers=None,
        crawl_at=charts["observed_at"],
    )
    tracked = pd.DataFrame(games)
    tracked = tracked.assign(
        **common,
        game="minecraft",
        likes=50,
        comments=None,
        concurrent_viewers=None,
        confidence=0.9,
        rule="title",
        classifier_version="1",
        discovered_by="chart",
        crawl_at=tracked["observed_at"],
    )
    known = pd.DataFrame(videos).drop(columns="is_minecraft")
    known = known.assign(
        metadata_hash="h", description="", channel_title="Somebody", category_id=20,
        duration_s=300, definition="hd", has_captions=False, is_licensed=True,
        default_language="en", audio_language="en", live_state="none", scheduled_start_at=None,
        actual_start_at=None, thumbnail_url=None, is_made_for_kids=False,
    )  # fmt: skip
    known["tags"] = [["one", "two"]] * len(known)
    known["topic_categories"] = [[]] * len(known)
    return {
        "collection.youtube_videos": known,
        "collection.youtube_trending": charts,
        "collection.youtube_games": tracked,
    }


def collected(store: FrameStore, last: datetime, length: int) -> None:
    store.commit([Append(name, frame) for name, frame in snapshots(last, length).items()])


@pytest.fixture
def history(store: FrameStore, today: datetime) -> FrameStore:
    collected(store, today, HISTORY_DAYS)
    return store


@pytest.fixture
def learn(graph: dg.Definitions, instance: dg.DagsterInstance) -> Learn:
    """Return a function that runs the night's job, or some of its assets, for a day."""

    def run(day: datetime, *keys: AssetKey, **config: object) -> dg.ExecuteInProcessResult:
        return graph.resolve_job_def("learning").execute_in_process(
            instance=instance,
            partition_key=day.strftime(days.fmt),
            asset_selection=list(keys) or None,
            run_config=config or None,
        )

    return run


def test_on_the_first_day_there_is_no_model_and_everything_says_so(
    learn: Learn, store: FrameStore, today: datetime
) -> None:
    result = learn(today)

    assert result.success
    assert failed_checks(result) == set()
    assert "No model yet" in str(metadata_of(result, MODEL)["state"])
    assert "no earlier predictions" in str(metadata_of(result, BACKTEST)["state"])
    assert metadata_of(result, EVALUATIONS)["state of viral"] == "No charts yet."
    for name in ("viral_model", "viral_predictions", "prediction_backtest", "evaluations"):
        assert store.read(f"intelligence.{name}").empty


def test_with_a_week_of_charts_the_plain_rule_speaks_without_a_model(
    learn: Learn, store: FrameStore, today: datetime
) -> None:
    collected(store, today, 7)

    result = learn(today, MODEL, PREDICTIONS)

    assert "a model needs" in str(metadata_of(result, MODEL)["state"])
    found = store.read("intelligence.viral_predictions")
    assert len(found) == VIDEOS_A_DAY
    assert found["probability"].isna().all()
    assert found["is_model_called"].isna().all()
    assert 0 < found["is_velocity_called"].sum() < VIDEOS_A_DAY / 3


def test_a_model_is_trained_on_what_is_settled_and_stored_as_it_is(
    learn: Learn, history: FrameStore, today: datetime
) -> None:
    first = learn(today, MODEL)
    (row,) = history.read("intelligence.viral_model").to_dict("records")
    learn(today, MODEL)
    (again,) = history.read("intelligence.viral_model").to_dict("records")

    assert failed_checks(first) == set()
    assert row == again
    assert row["trained_to"] <= pd.Timestamp(today) - pd.Timedelta(days=7)
    assert row["video_count"] == VIDEOS_A_DAY * (HISTORY_DAYS - 2 - 7)
    assert row["cross_average_precision"] > 3 * row["hit_count"] / row["video_count"]
    assert hashlib.sha256(row["model"]).hexdigest() == row["model_sha256"]
    assert ViralModel.from_bytes(row["model"]).to_bytes() == row["model"]
    assert row["points_table"]["lines"]


def test_what_comes_later_changes_no_model_and_no_prediction(
    learn: Learn, history: FrameStore, today: datetime
) -> None:
    day = today - timedelta(days=1)
    learn(day, MODEL, PREDICTIONS)
    before = [
        history.read(f"intelligence.{name}", order_by="window_start").to_dict("list")
        for name in ("viral_model", "viral_predictions")
    ]
    later = history.read("collection.youtube_trending", start=today)
    assert not later.empty
    changed = later.assign(views=later["views"] + 1_000_000_000, comments=1)
    done = history.commit([Upsert("collection.youtube_trending", changed)])[0]
    assert done.updated == len(later)

    learn(day, MODEL, PREDICTIONS)

    after = [
        history.read(f"intelligence.{name}", order_by="window_start").to_dict("list")
        for name in ("viral_model", "viral_predictions")
    ]
    assert str(before) == str(after)


def test_predictions_are_looked_at_again_per_game_on_what_really_happened(
    learn: Learn, history: FrameStore, today: datetime
) -> None:
    for ago in (7, 1):
        learn(today - timedelta(days=ago), MODEL, PREDICTIONS)

    result = learn(today, MODEL, PREDICTIONS, BACKTEST)

    assert failed_checks(result) == set()
    found = history.read("intelligence.prediction_backtest")
    whole = found[found["category"] == "all"].set_index(["method", "horizon_days"])
    assert set(found["category"]) == {"all", "minecraft", "other"}
    parts = found[found["category"] != "all"].groupby(["method", "horizon_days"])
    assert (parts["video_count"].sum() == whole["video_count"].sort_index()).all()
    # Comments decide what takes off: the model learned that, speed knows nothing of it.
    yesterday = whole.loc[("model", 1)]
    assert yesterday["predicted_to"] == pd.Timestamp(today - timedelta(days=1))
    assert yesterday["average_precision"] > whole.loc[("velocity", 1), "average_precision"]
    assert yesterday["hit_count"] > 0
    assert 0 <= yesterday["calibration_error"] <= 1
    said = metadata_of(result, BACKTEST)
    assert "svg" in str(said["calibration"])

    # With a day before it the course has another point, in the picture and in each game's row.
    yesterday = found.assign(window_start=found["window_start"] - timedelta(days=1))
    history.commit([Append("intelligence.prediction_backtest", yesterday)])
    later = metadata_of(learn(today, BACKTEST), BACKTEST)
    for told, points in ((said, 1), (later, 2)):
        rows = [line.split(" | ") for line in str(told["each_game"]).splitlines()[2:]]
        assert {row[0].removeprefix("| ") for row in rows} == {"all", "minecraft", "other"}
        assert {len(row[-2]) for row in rows} == {points}
        encoded = re.search(r"base64,([^)]*)", str(told["course_model_1d"]))
        assert encoded is not None
        drawn = b64decode(encoded[1])
        assert points <= drawn.count(b"<circle") <= 3 * points


def test_where_another_source_answers_the_record_begins_again(
    learn: Learn, history: FrameStore, today: datetime
) -> None:
    before = today - timedelta(days=3)
    learn(before, MODEL, PREDICTIONS)
    began = {"started_at": today - timedelta(days=2, minutes=-2), "lists": 32, "lists_kept": 0}
    start = pd.DataFrame([{"dataset": "collection/youtube_trending", **began}])
    start["previous_crawl_at"] = start["started_at"] - timedelta(minutes=30)
    history.commit([Append("operations.source_starts", start)])

    learn(before, MODEL, PREDICTIONS)
    second, third = (
        learn(day, MODEL, PREDICTIONS, BACKTEST) for day in (today - timedelta(days=1), today)
    )

    # Who was there already is not known yet, and then only of what another source says.
    assert "certain from the third day on" in str(metadata_of(second, PREDICTIONS)["state"])
    assert "a model needs" in str(metadata_of(third, MODEL)["state"])
    found = history.read("intelligence.viral_predictions").groupby("window_start")
    assert found.size().to_dict() == {pd.Timestamp(day): VIDEOS_A_DAY for day in (before, today)}
    assert found["probability"].count().to_dict() == {
        pd.Timestamp(before): VIDEOS_A_DAY,
        pd.Timestamp(today): 0,
    }
    # What became of those that were predicted before is not known either.
    assert "no earlier predictions" in str(metadata_of(second, BACKTEST)["state"])
    assert history.read("intelligence.prediction_backtest").empty


def test_a_range_of_days_in_one_run_finds_what_a_run_for_each_of_them_does(
    learn: Learn,
    graph: dg.Definitions,
    instance: dg.DagsterInstance,
    history: FrameStore,
    today: datetime,
) -> None:
    nights = [today - timedelta(days=ago) for ago in (8, 1, 0)]
    names = ("viral_model", "viral_predictions", "prediction_backtest")
    keys = [AssetKey(["intelligence", name]) for name in names]

    def found() -> list[str]:
        tables = (history.read(f"intelligence.{n}", start=nights[1]) for n in names)
        return [str(t.sort_values([*t.columns[:4]]).to_dict("list")) for t in tables]

    said = [learn(night, *keys) for night in nights]
    expected = found()
    changed = history.read("intelligence.prediction_backtest", start=nights[1])
    history.commit([Upsert("intelligence.prediction_backtest", changed.assign(precision=1.0))])
    assert found() != expected

    result = graph.resolve_job_def("learning").execute_in_process(
        instance=instance,
        asset_selection=keys,
        tags={
            "dagster/asset_partition_range_start": nights[1].strftime(days.fmt),
            "dagster/asset_partition_range_end": nights[2].strftime(days.fmt),
        },
    )

    assert failed_checks(result) == set()
    assert found() == expected
    events = {
        (event.asset_key, event.partition): event.materialization.metadata
        for event in result.get_asset_materialization_events()
    }
    for night, alone in zip(nights[1:], said[1:], strict=True):
        for key in keys:
            told = events[key, night.strftime(days.fmt)]
            of_run = {"rows_in_run"}
            assert {name: value.value for name, value in told.items() if name not in of_run} == {
                name: value for name, value in metadata_of(alone, key).items() if name not in of_run
            }


def test_the_record_is_judged_by_the_protocols_and_an_archive_on_request(
    learn: Learn, history: FrameStore, today: datetime
) -> None:
    result = learn(today, EVALUATIONS)

    assert failed_checks(result) == set()
    said = metadata_of(result, EVALUATIONS)
    assert said["state of viral"] == "judged"
    assert "too few" in str(said["state of opportunity"])
    found = history.read("intelligence.evaluations")
    declared = found[found["is_primary"] & (found["kind"] == "viral")]
    assert sorted(method.split(":")[0] for method in declared["method"]) == [
        "day two", "model", "rule",
    ]  # fmt: skip
    assert set(declared["label"]) == {"T2"}
    by_method = declared.set_index(declared["method"].str.split(":").str[0])["f1"]
    assert by_method["model"] > 0.3
    assert (found["archive"] == "record").all()
    assert any(name.startswith("viral t2") for name in said)


def test_a_run_that_is_given_an_unusable_archive_says_what_to_do(
    learn: Learn, store: FrameStore, today: datetime, tmp_path: object
) -> None:
    config = {"intelligence__evaluations": {"config": {"archives": {"viral": str(tmp_path)}}}}

    with pytest.raises(Exception, match="Pass the folder that holds"):
        learn(today, EVALUATIONS, ops=config)


def test_a_counter_that_cannot_be_costs_itself_alone_and_is_quarantined(
    learn: Learn, history: FrameStore, today: datetime
) -> None:
    names = ("viral_model", "viral_predictions", "prediction_backtest", "evaluations")
    learn(today - timedelta(days=1), MODEL, PREDICTIONS)
    assert learn(today).success
    expected = [str(history.read(f"intelligence.{n}").to_dict("list")) for n in names]
    bad = {"below zero": -1, "beyond all": 2**60}
    for table in ("collection.youtube_trending", "collection.youtube_videos"):
        last = history.read(table).tail(len(bad)).assign(video_id=list(bad))
        if "views" in last:
            noon = today + timedelta(hours=12)
            last = last.assign(views=list(bad.values()), observed_at=noon, crawl_at=noon)
        history.commit([Append(table, last)])

    result = learn(today)

    assert result.success
    assert [str(history.read(f"intelligence.{n}").to_dict("list")) for n in names] == expected
    refused = history.read("operations.quarantine")
    told = refused.groupby("source")["item_id"].agg(lambda ids: sorted(set(ids))).to_dict()
    assert told == {f"intelligence/{name}": sorted(bad) for name in names}
    assert set(refused["reason"]) == {
        "There cannot be a views of -1.",
        "There cannot be a views of 1.15292e+18.",
    }
    assert metadata_of(result, MODEL)["refused charts"] == len(bad)
