"""Thumbnails through the whole graph: pictures of the replay server, the record, the checks."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import httpx
import pytest

from aurastream.core.thumbnails_lift import LOOKS
from aurastream.sources.breaker import CircuitBreakers
from aurastream.store.frames import FrameStore
from aurastream_assets.partitions import four_hours
from tests.graph.conftest import VirtualClock

FEATURES = dg.AssetKey(["intelligence", "thumbnail_features"])
Run = Callable[..., dg.ExecuteInProcessResult]


@pytest.fixture
def window(clock: VirtualClock) -> datetime:
    """The four hours that ended last."""
    now = clock.now()
    ended = now.replace(hour=now.hour - now.hour % 4, minute=0, second=0, microsecond=0)
    return ended - timedelta(hours=4)


@pytest.fixture
def look(run: Run, graph: dg.Definitions, instance: dg.DagsterInstance, window: datetime) -> Run:
    """Return a function that runs the job of the thumbnails over the last four hours."""

    def look_at_them(**options: object) -> dg.ExecuteInProcessResult:
        return graph.resolve_job_def("thumbnails").execute_in_process(
            instance=instance,
            partition_key=window.strftime(four_hours.fmt),
            **options,  # type: ignore[arg-type] # passed on
        )

    return look_at_them


@pytest.fixture
def scored(
    run: Run, clock: VirtualClock, window: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The charts as they were at the end of the window, collected and scored."""
    monkeypatch.setenv("AURASTREAM_THUMBNAILS_PER_CATEGORY", "6")
    last = window + timedelta(hours=3, minutes=30)
    clock.offset = last + timedelta(minutes=10) - datetime.now(UTC)
    assert run("signal", first=last).success


def materialized(result: dg.ExecuteInProcessResult) -> dict[str, object]:
    (event,) = [e for e in result.get_asset_materialization_events() if e.asset_key == FEATURES]
    return {name: m.value for name, m in event.materialization.metadata.items()}


@pytest.mark.usefixtures("scored")
def test_new_thumbnails_are_looked_at_once_and_kept_as_figures(
    look: Run, store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    # To be read, a known picture would be sent again.
    monkeypatch.setenv("AURASTREAM_READ_THUMBNAILS", "false")
    first, second = (materialized(look()) for _ in range(2))

    rows = store.read("intelligence.thumbnail_features")
    assert len(rows) == first["rows"] + second["rows"]
    assert rows["video_id"].is_unique
    assert rows["brightness"].between(0, 1).all()
    assert 6 <= first["wanted"] <= 4 * 6
    # What was seen is not asked for again: the second run takes up what the first left.
    assert second["known_before"] == first["rows"]
    assert second["left_for_later_runs"] < first["left_for_later_runs"]


@pytest.mark.usefixtures("scored")
def test_each_category_has_a_row_per_look_and_the_checks_pass(
    look: Run, store: FrameStore, window: datetime
) -> None:
    result = look()

    rows = store.read("intelligence.thumbnail_intel")
    assert (rows["window_start"] == window).all()
    assert rows.groupby("category").size().unique().tolist() == [len(LOOKS)]
    assert rows["known_count"].max() >= 6
    failed = [
        e.check_name
        for e in result.get_asset_check_evaluations()
        if not e.passed and e.severity is dg.AssetCheckSeverity.ERROR
    ]
    assert failed == []
    looked = [
        f"{e.asset_key.path[-1]}:{e.check_name}" for e in result.get_asset_check_evaluations()
    ]
    assert sorted(looked) == [
        "thumbnail_designs:accepted",
        "thumbnail_designs:shared",
        "thumbnail_features:coverage",
        "thumbnail_features:range",
        "thumbnail_intel:accepted",
        "thumbnail_intel:drift",
        "thumbnail_intel:range",
        "thumbnail_intel:without_thumbnail",
    ]


@pytest.mark.usefixtures("scored")
def test_a_server_that_fails_costs_its_own_pictures_alone(
    look: Run, store: FrameStore, fault: Callable[..., None]
) -> None:
    fault("html_body", platform="images", times=3)
    found = materialized(look())

    refused = store.read("operations.quarantine")
    refused = refused[refused["source"] == "intelligence/thumbnail_features"]
    assert found["rejected"] == len(refused) == 3
    assert refused["reason"].str.startswith("not_an_image: ").all()
    assert len(store.read("intelligence.thumbnail_features")) == found["wanted"] - 3


@pytest.mark.usefixtures("scored")
def test_a_thumbnail_that_was_refused_is_not_tried_again_within_a_day(
    look: Run, store: FrameStore, fault: Callable[..., None], replay_server: str
) -> None:
    fault("html_body", platform="images")
    everything = materialized(look())
    httpx.delete(f"{replay_server}/_replay/faults").raise_for_status()

    again = materialized(look())

    refused = set(store.read("operations.quarantine")["item_id"].dropna())
    seen = set(store.read("intelligence.thumbnail_features")["video_id"])
    assert everything["rejected"] == everything["wanted"]
    assert again["rejected"] == 0
    assert not refused & seen


@pytest.mark.usefixtures("scored")
def test_a_host_that_was_down_for_a_while_locks_no_thumbnail_out(
    look: Run, store: FrameStore, fault: Callable[..., None], replay_server: str, redis_url: str
) -> None:
    fault("server_error", platform="images")
    down = materialized(look())
    httpx.delete(f"{replay_server}/_replay/faults").raise_for_status()
    # The minute for which the host is left alone is over.
    CircuitBreakers(redis_url).close(httpx.URL(replay_server).netloc.decode())

    up = materialized(look())

    refused = store.read("operations.quarantine")
    refused = refused[refused["source"] == "intelligence/thumbnail_features"]
    assert down["rows"] == up["rejected"] == up["left_for_later"] == 0
    assert len(refused) == down["rejected"]
    assert refused["reason"].str.endswith("answered 503.").all()
    assert down["left_for_later"] == down["wanted"] - down["rejected"] > 0
    assert down["incomplete"] == down["wanted"]
    assert up["rows"] == len(store.read("intelligence.thumbnail_features")) == up["wanted"] > 0


@pytest.mark.usefixtures("scored")
def test_words_are_read_a_few_in_each_run_until_all_are(
    look: Run, store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_THUMBNAILS_READ_PER_RUN", "2")
    first = materialized(look())
    after_first = store.read("intelligence.thumbnail_features")["text"]
    monkeypatch.setenv("AURASTREAM_THUMBNAILS_READ_PER_RUN", "100")
    monkeypatch.setenv("AURASTREAM_THUMBNAILS_PER_CATEGORY", "0")
    second = materialized(look())

    after_second = store.read("intelligence.thumbnail_features")
    assert first["reader"] == "rapidocr"
    assert 2 <= first["words_read"] == after_first.notna().sum() < len(after_first)
    assert first["to_read_in_later_runs"] == after_first.isna().sum() == second["words_read"]
    assert len(after_second) == len(after_first)
    assert after_second["text"].notna().all()
    assert (after_second["vision_provider"] == "local+rapidocr").all()
    assert second["to_read_in_later_runs"] == 0


@pytest.mark.usefixtures("scored")
def test_words_are_not_read_where_that_is_not_wanted(
    look: Run, store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_READ_THUMBNAILS", "false")

    found = materialized(look())

    assert found["words_read"] == found["to_read_in_later_runs"] == 0
    assert store.read("intelligence.thumbnail_features")["text"].isna().all()
