"""Whether a crawl got what was to be expected, and what is said when nobody can know."""

from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta

import dagster as dg
import pandas as pd
import pytest

from aurastream.operations.history import HistoryLoader
from aurastream.operations.history_plan import Step
from aurastream.settings import Settings
from aurastream.store import audit
from aurastream.store.frames import FrameStore
from aurastream.store.state import last_complete_counts, last_complete_starts
from aurastream.store.writes import Append
from aurastream_assets.collection.checks import collection_checks
from aurastream_assets.keys import asset_key

Run = Callable[..., dg.ExecuteInProcessResult]
Check = Callable[[], dg.AssetCheckEvaluation]
DATASET = "collection/twitch_streams"
AT = datetime(2026, 11, 20, 12, 4, tzinfo=UTC)


def _store_crawl(
    store: FrameStore,
    got: Mapping[str, int],
    expected: Mapping[str, int] | None = None,
    *,
    at: datetime = AT,
    is_complete: bool = True,
) -> None:
    games = list(got)
    frame = pd.DataFrame(
        {
            "crawl_at": at,
            "dataset": DATASET,
            "category": games,
            "region": "",
            "observed_at": at,
            "expected": pd.array([(expected or {}).get(game) for game in games], dtype="Int64"),
            "got": list(got.values()),
            "rejected": 0,
            "is_complete": is_complete,
            "reason": "" if is_complete else "transient",
            "membership_hash": "",
            "stats_hash": "",
            "viewer_total": None,
        }
    )
    store.commit([Append("operations.crawls", frame)])


@pytest.fixture
def check(installation: dict[str, object], instance: dg.DagsterInstance) -> Check:
    """Return a function that checks the coverage of the last crawl of streams."""
    key = dg.AssetCheckKey(asset_key("collection", "twitch_streams"), "coverage")
    defs = dg.Definitions(
        asset_checks=[collection_checks],
        jobs=[dg.define_asset_job("check", dg.AssetSelection.checks(key))],
        resources=installation,
    )

    def evaluate() -> dg.AssetCheckEvaluation:
        result = defs.resolve_job_def("check").execute_in_process(instance=instance)
        (evaluation,) = result.get_asset_check_evaluations()
        return evaluation

    return evaluate


def test_a_crawl_that_got_too_little_fails(store: FrameStore, check: Check) -> None:
    # A surplus of one game makes up for no other.
    _store_crawl(store, {"roblox": 10, "gta": 100}, {"roblox": 50, "gta": 50})

    evaluation = check()

    assert not evaluation.passed
    assert evaluation.metadata["coverage_pct"].value == 60.0
    assert evaluation.metadata["unknown"].value == 0


def test_what_is_unknown_is_left_out_and_not_taken_for_covered(
    store: FrameStore, check: Check
) -> None:
    _store_crawl(store, {"roblox": 10, "gta": 100}, {"roblox": 50})

    evaluation = check()

    assert not evaluation.passed
    assert evaluation.metadata["coverage_pct"].value == 20.0
    assert evaluation.metadata["unknown"].value == 1
    assert "not known of 1 of 2 parts" in str(evaluation.description)


def test_a_crawl_of_which_nothing_is_known_passes_and_says_so(
    store: FrameStore, check: Check
) -> None:
    _store_crawl(store, {"roblox": 10, "gta": 100})

    evaluation = check()

    assert evaluation.passed
    assert "not known of any part" in str(evaluation.description)
    assert "coverage_pct" not in evaluation.metadata
    assert evaluation.metadata["unknown"].value == 2


def test_an_incomplete_crawl_fails_whatever_is_known(store: FrameStore, check: Check) -> None:
    _store_crawl(store, {"roblox": 10}, is_complete=False)

    assert not check().passed


def test_only_recent_complete_crawls_say_what_to_expect(store: FrameStore) -> None:
    hour = timedelta(hours=1)
    _store_crawl(store, {"roblox": 40, "gta": 90}, at=AT - 2 * hour)
    _store_crawl(store, {"roblox": 42}, at=AT - hour)
    _store_crawl(store, {"roblox": 3}, at=AT - hour / 2, is_complete=False)
    _store_crawl(store, {"valorant": 60}, at=AT - 25 * hour)
    _store_crawl(store, {"roblox": 99}, at=AT)

    assert last_complete_counts(store, DATASET, AT) == {"roblox": 42, "gta": 90}


def test_only_complete_crawls_say_since_when_a_game_is_known(store: FrameStore) -> None:
    hour = timedelta(hours=1)
    _store_crawl(store, {"roblox": 40, "gta": 90}, at=AT - 2 * hour)
    _store_crawl(store, {"roblox": 42}, at=AT - hour)
    _store_crawl(store, {"roblox": 3}, at=AT - hour / 2, is_complete=False)
    _store_crawl(store, {"valorant": 60}, at=AT - 15 * 24 * hour)
    _store_crawl(store, {"roblox": 99}, at=AT)

    known = last_complete_starts(store, DATASET, AT)

    assert known == {"roblox": AT - hour, "gta": AT - 2 * hour}


def test_the_second_crawl_of_streams_knows_what_to_expect(run: Run, store: FrameStore) -> None:
    # Two hours ago, so that the crawl that follows is another one.
    games = store.read("operations.categories", where={"kind": "game"})["category"]
    _store_crawl(store, dict.fromkeys(games, 7), at=datetime.now(UTC) - timedelta(hours=2))

    result = run("streams")

    last = audit.last_crawl(store, DATASET)
    assert last is not None
    counts = audit.coverage(store, DATASET, last)
    assert (counts["unknown"], counts["expected"]) == (0, 7 * counts["parts"])
    top = audit.coverage(store, "collection/twitch_top_games", last)
    assert (top["unknown"], top["expected"]) == (1, 0)
    assert [e.check_name for e in result.get_asset_check_evaluations() if not e.passed] == []


@pytest.mark.usefixtures("installation")
def test_a_loaded_history_knows_what_to_expect(
    store: FrameStore, replay_server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=3)
    times = [start, start + timedelta(minutes=15)]

    with closing(HistoryLoader(Settings.from_env(), store, replay_server)) as loader:
        loader.load([Step(at, "twitch_streams") for at in times])

    crawls = store.read("operations.crawls", order_by=["crawl_at", "category"])
    first, second = (crawls[crawls["crawl_at"] == at].set_index("category") for at in times)
    assert first["expected"].isna().all()
    assert second["expected"].astype(int).to_dict() == first["got"].clip(upper=100).to_dict()
