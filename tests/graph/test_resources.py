"""The shells over sources and store: what they open, with what, and how they refuse."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import dagster as dg
import pytest

from aurastream.core.errors import SettingsError
from aurastream.settings import Settings
from aurastream.sources.errors import QuotaExhaustedError, TransientError
from aurastream.sources.ports import SystemClock
from aurastream.store.errors import StoreUnavailableError
from aurastream.store.frames import RetryPolicy
from aurastream.store.ledger import PostgresLedger
from aurastream_assets.definitions import build_defs
from resources.failures import failing_fast
from resources.platforms import Platforms, Session
from resources.store import Redis, Store


@pytest.fixture(autouse=True)
def nothing_runs_here(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path))


def _open_youtube(platforms: Platforms, database_url: str) -> None:
    store, redis = Store(postgres_url=database_url), Redis(url="redis://127.0.0.1:1/0")
    with (
        closing(store.frames),
        platforms.session(store) as session,
        platforms.youtube(session, redis, purpose="test", run_id="run"),
    ):
        pass


def test_without_keys_and_without_replay_nothing_is_collected(database_url: str) -> None:
    with pytest.raises(SettingsError, match="AURASTREAM_REPLAY_URL or the keys"):
        _open_youtube(Platforms(), database_url)


def test_live_collection_never_falls_back_to_replay(
    monkeypatch: pytest.MonkeyPatch, database_url: str
) -> None:
    monkeypatch.setenv("TWITCH_CLIENT_ID", "abcdefghijklmnopqrstuvwxyz0123")
    monkeypatch.setenv("TWITCH_CLIENT_SECRET", "abcdefghijklmnopqrstuvwxyz0123")
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "strict")
    monkeypatch.setenv("AURASTREAM_REPLAY_URL", "http://127.0.0.1:1")

    with pytest.raises(SettingsError, match="Set YOUTUBE_API_KEY"):
        _open_youtube(Platforms(), database_url)


def test_a_crawl_is_not_lost_because_the_quota_cannot_be_shown(
    free_port: Callable[[], int],
) -> None:
    url = f"postgresql://nobody@127.0.0.1:{free_port()}/none"
    with PostgresLedger(url, retry=RetryPolicy(total_s=0.0)) as ledger:
        assert Session(ledger, Settings.from_env(), SystemClock()).remaining() is None


def test_resources_show_no_password_in_their_configuration(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", "postgresql://me:hunter2@127.0.0.1/a")
    monkeypatch.setenv("AURASTREAM_REDIS_URL", "redis://:hunter2@127.0.0.1/0")
    resources = build_defs(environment="local").get_repository_def().get_top_level_resources()

    shown = {
        name: resource.config_schema.default_value
        for name, resource in resources.items()
        if resource.config_schema.default_provided
    }
    assert set(shown) == {"store", "redis", "platforms"}
    assert "hunter2" not in str(shown)


@pytest.mark.parametrize("error", [TransientError("down"), StoreUnavailableError("away")])
def test_what_may_pass_is_left_to_the_retry_policy(error: Exception) -> None:
    with pytest.raises(type(error)), failing_fast():
        raise error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (QuotaExhaustedError("Spent.", fix="Wait."), "Spent. Wait."),
        (SettingsError("No key.", fix="Set it."), "No key. Set it."),
        (KeyError("views"), "KeyError('views')"),
    ],
)
def test_what_will_not_pass_is_not_tried_again(error: Exception, said: str) -> None:
    with pytest.raises(dg.Failure) as raised, failing_fast():
        raise error

    assert raised.value.allow_retries is False
    assert raised.value.description == said
    assert raised.value.__cause__ is error
