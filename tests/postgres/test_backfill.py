"""A backfill whose Postgres is killed under it: one line, and the same command goes on."""

import contextlib
import datetime as dt
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import pandas as pd
import psutil
import psycopg
import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.operations.backfill import BackfillError, backfill, outdated
from aurastream.operations.graph import Graph, KeyRange, missing_ranges
from aurastream.settings import Settings
from aurastream.store.archive_history import version_marks
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.frames import Append, FrameStore
from tests.conftest import fresh_database
from tests.filled_rows import filled_rows

CRAWLS = "operations.crawls"
HOUR = dt.datetime(2026, 11, 20, tzinfo=dt.UTC)
KEY = ("intelligence", "opportunity")
MODEL = ("intelligence", "viral_model")
BACKTEST = ("intelligence", "prediction_backtest")


class OneJob(Graph):
    """A graph of one job whose runs succeed at once; what happens in between is up to the test."""

    def __init__(self) -> None:
        super().__init__("http://127.0.0.1:1")
        self.launched: list[str] = []
        self.chosen: list[list[tuple[str, ...]]] = []
        self.meanwhile: Callable[[], None] = lambda: None
        self.versions: dict[str, str] = {}
        self.learned: set[str] = set()
        # Runs whose worker was killed, with those that the daemon queued in their place.
        self.replaced_by: dict[str, str | None] = {}

    def missing(
        self, key: Sequence[str], start: dt.datetime, end: dt.datetime, *, again: bool = False
    ) -> list[KeyRange]:
        if tuple(key) != KEY:
            return []
        return missing_ranges(self.partition_keys(key), [], start=start, end=end)

    def code_versions(self) -> dict[str, str]:
        return self.versions

    def assets_of(self, job: str) -> list[tuple[str, ...]]:
        if job != "rescore":
            return []
        scores = [tuple(asset.split("/")) for asset in self.versions if asset not in self.learned]
        return list(dict.fromkeys([KEY, *scores]))

    def partition_keys(self, key: Sequence[str]) -> list[str]:
        first, half = HOUR - dt.timedelta(days=7), dt.timedelta(minutes=30)
        return [f"{first + n * half:%Y-%m-%d-%H:%M}" for n in range(8 * 48)]

    def launch(self, job: str, *, assets: Iterable[Sequence[str]] = (), **_: object) -> str:
        self.launched.append(job)
        self.chosen.append([tuple(key) for key in assets])
        return f"run {len(self.launched)}"

    def ended(self, runs: Iterable[str], **_: object) -> Iterator[tuple[str, str]]:
        self.meanwhile()
        run = next(iter(runs))
        yield run, "FAILURE" if run in self.replaced_by else "SUCCESS"

    def replacement(self, run_id: str, *, timeout_s: float = 0) -> str | None:
        return self.replaced_by[run_id]

    def explain(self, run_id: str) -> str:
        return f"{run_id} said no."


@pytest.fixture
def server_url(mortal_postgres: EmbeddedPostgres) -> Iterator[str]:
    with fresh_database(mortal_postgres) as url:
        yield url


def test_a_backfill_whose_postgres_is_killed_ends_in_one_line_and_goes_on_at_once(
    mortal_postgres: EmbeddedPostgres, server_url: str, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=SecretStr(server_url), data_dir=tmp_path)
    graph = OneJob()
    end = HOUR + dt.timedelta(hours=2)

    def kill() -> None:
        # With its backends: one that is idle goes on to serve for a moment after its server.
        pid = mortal_postgres.server_pid()
        assert pid is not None
        server = psutil.Process(pid)
        everyone = [server, *server.children()]
        for process in everyone:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        psutil.wait_procs(everyone)

    graph.meanwhile = kill
    with pytest.raises(BackfillError, match="give the same command again") as error:
        backfill(settings, graph, HOUR, end, now=end, again=True)
    assert "\n" not in str(error.value)
    _wait_for(server_url)

    graph.meanwhile = lambda: None
    done = backfill(settings, graph, HOUR, end, now=end, again=True)

    assert (done.resumed, done.partitions) == (True, 4)
    assert graph.launched == ["rescore"], "the run that succeeded meanwhile is not repeated"


def test_a_run_that_the_daemon_replaces_is_waited_for(store: FrameStore, tmp_path: Path) -> None:
    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    graph, end = OneJob(), HOUR + dt.timedelta(hours=2)
    graph.replaced_by = {"run 1": "its replacement", "run 2": None}

    done = backfill(settings, graph, HOUR, end, now=end, again=True)
    [step] = store.read("maintenance.backfill_steps").to_dict("records")
    assert (done.partitions, step["run_id"], step["status"]) == (4, "its replacement", "DONE")
    assert graph.launched == ["rescore"]

    with pytest.raises(BackfillError, match=r"ended as FAILURE\. run 2 said no"):
        backfill(settings, graph, HOUR, end, now=end, again=True)


def test_a_request_that_is_refused_leaves_the_unfinished_one_to_be_continued(
    store: FrameStore, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    graph, end = OneJob(), HOUR + dt.timedelta(hours=2)
    graph.replaced_by = {"run 1": None}
    with pytest.raises(BackfillError, match="ended as FAILURE"):
        backfill(settings, graph, HOUR, end, now=end, again=True)

    with pytest.raises(BackfillError, match="No job computes intelligence/oportunity"):
        backfill(settings, graph, HOUR, end, now=end, assets=["intelligence/oportunity"])

    assert backfill(settings, graph, HOUR, end, now=end, again=True).resumed


def test_what_is_learned_is_computed_where_it_is_missing_and_never_again(
    store: FrameStore, tmp_path: Path
) -> None:
    class Learning(OneJob):
        def assets_of(self, job: str) -> list[tuple[str, ...]]:
            return [MODEL] if job == "learning" else super().assets_of(job)

        def missing(
            self, key: Sequence[str], start: dt.datetime, end: dt.datetime, *, again: bool = False
        ) -> list[KeyRange]:
            if tuple(key) not in (MODEL, BACKTEST):
                return []
            return [KeyRange("2026-11-19", "2026-11-20", 2)]

        def partition_keys(self, key: Sequence[str]) -> list[str]:
            return ["2026-11-18", "2026-11-19", "2026-11-20", "2026-11-21"]

    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    span = HOUR, HOUR + dt.timedelta(hours=1)
    named = ["/".join(MODEL)]
    for assets in (named, []):
        graph = Learning()
        done = backfill(settings, graph, *span, now=HOUR, assets=assets)
        assert (done.partitions, graph.launched) == (2, ["learning"])
    assert backfill(settings, Learning(), *span, now=HOUR, again=True).partitions == 0
    with pytest.raises(BackfillError, match="rests on the 30 days before, which may have gone"):
        backfill(settings, Learning(), *span, now=HOUR, assets=named, again=True)
    with pytest.raises(BackfillError, match="No job computes collection/youtube_trending"):
        backfill(settings, Learning(), *span, now=HOUR, assets=["collection/youtube_trending"])


def test_an_asset_that_lacks_windows_is_computed_without_those_that_have_them(
    store: FrameStore, tmp_path: Path
) -> None:
    class OneLacks(OneJob):
        def assets_of(self, job: str) -> list[tuple[str, ...]]:
            return [("intelligence", "viral_scores"), KEY] if job == "rescore" else []

    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    graph, end = OneLacks(), HOUR + dt.timedelta(hours=1)
    backfill(settings, graph, HOUR, end, now=end)
    backfill(settings, graph, HOUR, end, now=end, again=True)
    assert graph.chosen == [[KEY], []]


def test_an_asset_without_windows_is_refused(store: FrameStore, tmp_path: Path) -> None:
    texts = ("intelligence", "description_features")

    class Texts(OneJob):
        def assets_of(self, job: str) -> list[tuple[str, ...]]:
            return [texts, KEY] if job == "rescore" else []

        def partition_keys(self, key: Sequence[str]) -> list[str]:
            return [] if tuple(key) == texts else super().partition_keys(key)

    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    with pytest.raises(BackfillError, match="No job computes intelligence/description_features"):
        backfill(settings, Texts(), HOUR, None, now=HOUR, assets=["/".join(texts)])


def test_an_asset_that_the_policy_mode_forbids_is_refused_with_the_mode(
    store: FrameStore, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path, policy_mode="strict")
    scores = ["intelligence/viral_scores"]
    with pytest.raises(BackfillError, match=r"mode strict, .*viral_scores may not be"):
        backfill(settings, OneJob(), HOUR, None, now=HOUR, assets=scores)


def test_a_backfill_that_ended_is_no_longer_under_way_though_its_session_lingers(
    store: FrameStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    lingering: list[psycopg.Connection] = []

    def linger(connection: psycopg.Connection) -> None:
        lingering.append(connection)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Connection, "close", linger)
        backfill(settings, OneJob(), HOUR, HOUR + dt.timedelta(hours=1), now=HOUR)
    assert lingering
    try:
        found = backfill(settings, OneJob(), HOUR, HOUR + dt.timedelta(hours=1), now=HOUR)
        assert not found.resumed
    finally:
        for connection in lingering:
            connection.close()


def test_what_lies_before_the_first_crawl_is_not_computed(
    store: FrameStore, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    graph, week = OneJob(), dt.timedelta(days=7)
    crawl = filled_rows(CRAWLS, [{"category": "music"}], at=HOUR + dt.timedelta(hours=5))
    store.commit([Append(CRAWLS, crawl)])

    before = backfill(settings, graph, HOUR - week, HOUR, now=HOUR, again=True)
    assert (before.partitions, before.changes, graph.launched) == (0, (), [])

    end = HOUR + dt.timedelta(hours=2)
    across = backfill(settings, graph, HOUR - week, end, now=end, again=True)
    assert (across.partitions, graph.launched) == (4, ["rescore"])


def test_windows_of_a_code_version_that_was_replaced_are_counted_by_asset(
    store: FrameStore, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    graph, day = OneJob(), dt.timedelta(days=1)
    graph.versions = {
        "intelligence/opportunity": "2",
        "intelligence/momentum": "1",
        "intelligence/viral_model": "2",
    }
    graph.learned = {"intelligence/viral_model"}
    half_hours = pd.date_range(HOUR, periods=4, freq="30min")
    for asset in graph.versions:
        starts = half_hours.to_series()
        store.commit([version_marks(asset, half_hours, starts, code_version="1", run_id=None)])

    def counted(start: dt.datetime, *assets: str) -> dict[str, int]:
        return outdated(settings, graph, start, HOUR + day, now=HOUR + day, assets=assets)

    assert counted(HOUR) == {"intelligence/opportunity": 4}
    assert counted(half_hours[2].to_pydatetime()) == {"intelligence/opportunity": 2}
    assert counted(HOUR, "intelligence/momentum") == {}


def test_windows_that_no_backfill_computes_again_are_not_counted_as_outdated(
    store: FrameStore, tmp_path: Path
) -> None:
    settings = Settings(postgres_url=SecretStr(store.url), data_dir=tmp_path)
    live = settings.model_copy(update={"policy_mode": "amended"})
    graph, day = OneJob(), dt.timedelta(days=1)
    graph.versions = {"intelligence/competition": "2", "intelligence/viral_scores": "2"}
    hours = pd.date_range(HOUR, periods=4, freq="1h")
    for asset in graph.versions:
        store.commit([version_marks(asset, hours, hours.to_series(), code_version="1", run_id="")])

    def counted(settings: Settings, now: dt.datetime) -> list[int]:
        found = outdated(settings, graph, HOUR - day, HOUR + day, now=now)
        return [found.get(asset, 0) for asset in graph.versions]

    assert counted(settings, HOUR + day) == [4, 4]
    # The terms end Twitch's after a day; the purge takes what is over age within the next hour.
    assert counted(live, HOUR + day) == [2, 4]
    assert counted(live, HOUR + 2 * day) == [0, 4]

    crawl = filled_rows(CRAWLS, [{"category": "music"}], at=HOUR + day)
    store.commit([Append(CRAWLS, crawl)])
    assert counted(settings, HOUR + day) == [0, 0]


def test_a_backfill_without_again_says_what_another_code_version_computed(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Current(OneJob):
        def __init__(self, *_: object, **__: object) -> None:
            super().__init__()
            self.versions = {"intelligence/opportunity": "2"}

        def missing(self, *_: object, **__: object) -> list[KeyRange]:
            return []

    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr("aurastream.operations.graph.Graph", Current)
    monkeypatch.setattr(Settings, "require_webserver", lambda _: "http://127.0.0.1:1")
    crawl = filled_rows(CRAWLS, [{"category": "music"}], at=HOUR)
    windows = pd.date_range(HOUR, periods=4, freq="30min")
    marks = version_marks(
        "intelligence/opportunity", windows, windows.to_series(), code_version="1", run_id=None
    )
    store.commit([Append(CRAWLS, crawl), marks])
    asked = ["backfill", "--from", "2026-11-20", "--to", "2026-11-21"]

    told = CliRunner().invoke(app, asked)
    as_json = CliRunner().invoke(app, [*asked, "--json"])

    assert "Nothing is missing there." in told.stdout, told.output
    assert (
        "Another code version computed 4 windows there: 4 of intelligence/opportunity. "
        "With --again they are computed with what the code says now" in told.stdout
    )
    assert json.loads(as_json.stdout)["outdated"] == {"intelligence/opportunity": 4}


def _wait_for(url: str) -> None:
    while True:
        try:
            psycopg.connect(url, connect_timeout=2).close()
        except psycopg.OperationalError:
            continue
        return
