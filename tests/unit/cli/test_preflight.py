import httpx
import pytest
from pydantic import SecretStr

from aurastream.operations.preflight import preflight
from aurastream.replay.server import background
from aurastream.settings import Settings
from aurastream.sources.errors import KeyInvalidError, MalformedError
from aurastream.store.frames import FrameStore


@pytest.fixture
def platform(tmp_path):
    with background() as url:
        yield (
            url,
            Settings(
                data_dir=tmp_path,
                youtube_api_key="key",
                twitch_client_id="client",
                twitch_client_secret="secret",
                policy_mode="strict",
                youtube_base_url=url,
                twitch_base_url=url,
                twitch_auth_url=url,
            ),
        )


def test_good_keys_pass_in_silence_and_the_questions_are_paid_for(platform, database_url, capsys):
    _, settings = platform
    assert preflight(settings.model_copy(update={"postgres_url": SecretStr(database_url)})) == []
    assert capsys.readouterr() == ("", "")
    with FrameStore(database_url) as store:
        paid = store.read("operations.quota_ledger", order_by="platform")
    assert paid["platform"].tolist() == ["twitch", "youtube"]
    assert paid["units_settled"].tolist() == [1, 1]
    assert set(paid["purpose"]) == {"operations/preflight"}


@pytest.mark.parametrize(
    ("fault", "error", "says"),
    [
        ("invalid_key", KeyInvalidError, "YOUTUBE_API_KEY"),
        ("html_body", MalformedError, "not a categories list"),
    ],
)
def test_a_refused_key_and_a_stranger_are_said_before_anything_is_collected(
    platform, fault, error, says
):
    url, settings = platform
    fault = {"kind": fault, "platform": "youtube"}
    httpx.post(f"{url}/_replay/faults", json=fault).raise_for_status()
    with pytest.raises(error, match=says):
        preflight(settings)


@pytest.mark.parametrize("fault", ["outage", "server_error", "rate_limited"])
def test_a_platform_that_is_down_for_now_is_named_and_the_other_is_asked(platform, fault):
    url, settings = platform
    fault = {"kind": fault, "platform": "youtube"}
    httpx.post(f"{url}/_replay/faults", json=fault).raise_for_status()
    (said,) = preflight(settings)
    assert url.removeprefix("http://") in said or "YouTube" in said
    assert httpx.get(f"{url}/_replay/status").json()["requests"]["twitch games/top"] == 1


def test_a_spent_quota_is_no_refusal(platform):
    url, settings = platform
    fault = {"kind": "quota_exceeded", "platform": "youtube"}
    number = httpx.post(f"{url}/_replay/faults", json=fault).raise_for_status().json()["id"]
    preflight(settings)
    met = httpx.get(f"{url}/_replay/faults/{number}").raise_for_status().json()
    assert met["fired"] == 1  # it was refused, and what is spent is not asked for again
