import os
import socket
from datetime import UTC, datetime

import pytest

from aurastream.core.errors import SettingsError
from aurastream.operations.doctor import _kept_ports, _variables, examine
from aurastream.operations.endpoints import forget_endpoints, remember_endpoints
from aurastream.settings import Settings, keep_to_ourselves, record_start, unknown_variables


@pytest.fixture(autouse=True)
def own_data_directory(clean_environment, monkeypatch, tmp_path):
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path))


def test_without_keys_a_replay_is_collected():
    settings = Settings.from_env()
    assert not settings.live
    assert settings.environment == "local"


def test_settings_are_read_again_when_the_environment_was_changed(monkeypatch):
    before = Settings.from_env()
    monkeypatch.setenv("AURASTREAM_RETENTION_DAYS", "7")
    assert Settings.from_env().retention_days == 7
    monkeypatch.delenv("AURASTREAM_RETENTION_DAYS")
    assert Settings.from_env() == before


def test_settings_of_the_same_environment_are_validated_once(monkeypatch):
    before = Settings.from_env()
    monkeypatch.setenv("AURASTREAM_RETENTION_DAYS", "7")
    first, second = Settings.from_env(), Settings.from_env()
    assert first is second
    assert first is not before


def test_a_key_under_its_customary_name_means_live_collection(monkeypatch):
    monkeypatch.setenv("YOUTUBE_API_KEY", "s3cr3t")
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "strict")
    settings = Settings.from_env()
    assert settings.live
    assert "s3cr3t" not in repr(settings)


def test_real_keys_demand_that_the_operator_chooses_a_policy(monkeypatch):
    monkeypatch.setenv("YOUTUBE_API_KEY", "key")
    with pytest.raises(SettingsError, match="AURASTREAM_POLICY_MODE"):
        Settings.from_env()


def test_half_a_twitch_credential_is_refused(monkeypatch):
    monkeypatch.setenv("TWITCH_CLIENT_ID", "id")
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "strict")
    with pytest.raises(SettingsError, match="TWITCH_CLIENT_SECRET together"):
        Settings.from_env()


def test_production_names_every_missing_setting_at_once(monkeypatch):
    monkeypatch.setenv("AURASTREAM_ENVIRONMENT", "production")
    with pytest.raises(SettingsError) as raised:
        Settings.from_env()
    for name in ("AURASTREAM_POSTGRES_URL", "AURASTREAM_REDIS_URL", "YOUTUBE_API_KEY"):
        assert name in str(raised.value)


def test_a_mistyped_environment_lists_the_choices(monkeypatch):
    monkeypatch.setenv("AURASTREAM_ENVIRONMENT", "prod")
    with pytest.raises(SettingsError, match="'local', 'test' or 'production'"):
        Settings.from_env()


def test_a_running_installation_is_found_through_its_endpoints(tmp_path):
    remember_endpoints(tmp_path, {"postgres_url": "postgresql://a:b@127.0.0.1:1/c"})
    assert Settings.from_env().require_postgres() == "postgresql://a:b@127.0.0.1:1/c"
    forget_endpoints(tmp_path)
    with pytest.raises(SettingsError, match="script/server"):
        Settings.from_env().require_postgres()


def test_only_the_owner_may_read_the_endpoints(tmp_path):
    remember_endpoints(tmp_path, {"redis_url": "redis://:secret@127.0.0.1:1/0"})
    (file,) = tmp_path.iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_an_explicit_url_wins_over_the_endpoints(monkeypatch, tmp_path):
    remember_endpoints(tmp_path, {"redis_url": "redis://127.0.0.1:1/0"})
    monkeypatch.setenv("AURASTREAM_REDIS_URL", "redis://127.0.0.1:2/0")
    assert Settings.from_env().require_redis() == "redis://127.0.0.1:2/0"


@pytest.mark.parametrize("text", ["{not json", "5", ""])
def test_a_damaged_endpoints_file_is_named_with_its_mend(tmp_path, text):
    (tmp_path / "endpoints.json").write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match=r"endpoints\.json .* Delete it"):
        Settings.from_env()
    assert Settings.from_env(use_running=False).postgres_url is None


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_the_endpoints_of_another_user_are_no_missing_installation(tmp_path):
    remember_endpoints(tmp_path, {"redis_url": "redis://127.0.0.1:1/0"})
    (tmp_path / "endpoints.json").chmod(0)
    with pytest.raises(SettingsError, match="the user who started it"):
        Settings.from_env()


def test_the_starting_program_does_not_believe_the_endpoints_of_a_killed_one(tmp_path):
    remember_endpoints(tmp_path, {"postgres_url": "postgresql://a:b@127.0.0.1:1/c"})
    assert Settings.from_env(use_running=False).postgres_url is None


def test_regions_are_a_list_with_commas(monkeypatch):
    monkeypatch.setenv("AURASTREAM_REGIONS", "US, GB,US")
    assert Settings.from_env().regions == ("US", "GB")


@pytest.mark.parametrize("value", ["XXX", "us", '["US"]', ","])
def test_what_is_no_region_is_refused_with_the_spelling_that_is_wanted(monkeypatch, value):
    monkeypatch.setenv("AURASTREAM_REGIONS", value)
    with pytest.raises(SettingsError, match="write US,GB,DE"):
        Settings.from_env()


def test_a_region_that_no_country_has_is_named_and_the_others_are_not(monkeypatch):
    monkeypatch.setenv("AURASTREAM_REGIONS", "XX,US,ZZ")
    with pytest.raises(SettingsError, match="regions: XX, ZZ is no list of regions") as raised:
        Settings.from_env()
    assert "United Kingdom" not in str(raised.value)
    monkeypatch.setenv("AURASTREAM_REGIONS", "UK")
    with pytest.raises(
        SettingsError, match=r"UK is no list of regions.* GB for the United Kingdom"
    ):
        Settings.from_env()


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("YOUTUBE_API_KEY", "youtube_api_key"),
        ("TWITCH_CLIENT_SECRET", "twitch_client_secret"),
        ("AURASTREAM_GEMINI_API_KEY", "gemini_api_key"),
    ],
)
def test_a_key_that_cannot_be_one_is_a_fault_without_its_value(
    tmp_path, free_port, variable, field
):
    nobody = f"http://127.0.0.1:{free_port()}"
    keys = {
        "youtube_api_key": "key\n",  # blanks around a key are taken off
        "twitch_client_id": "client",
        "twitch_client_secret": "secret",
    }

    def faults(**others):
        settings = Settings(
            data_dir=tmp_path,
            policy_mode="strict",
            youtube_base_url=nobody,
            twitch_base_url=nobody,
            **keys | others,
        )
        return [f for f in examine(lambda: settings) if f.name == "keys"]

    assert faults() == []
    (found,) = faults(**{field: "s3cr3t b"})
    assert found.level == "fault"
    assert found.detail.startswith(f"{variable} is empty or holds characters")
    assert f"Set {variable} again" in found.fix
    assert "s3cr3t" not in f"{found}"


def test_only_platforms_with_keys_are_asked_when_live(monkeypatch):
    assert Settings.from_env().platforms == {"youtube", "twitch"}
    monkeypatch.setenv("YOUTUBE_API_KEY", "s3cr3t")
    monkeypatch.setenv("AURASTREAM_POLICY_MODE", "strict")
    assert Settings.from_env().platforms == {"youtube"}


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("REDIS_URL", "foo", "redis_url: must begin with redis://"),
        ("POSTGRES_URL", "mysql://u:secret@h/d", "postgres_url: must begin with postgresql://"),
        ("REPLAY_URL", "127.0.0.1:80", "replay_url: must begin with http://"),
        (
            "POSTGRES_URL",
            "postgresql://u:secret/1@h/d",
            "in a password, : / .* are written %3A %2F",
        ),
        ("REDIS_URL", "redis://h:secret", "redis_url: names a port that is none"),
        ("READER_URL", "postgresql://h:65536/d", "a number from 1 to 65535"),
    ],
)
def test_what_is_no_url_of_that_server_is_refused_without_repeating_it(
    monkeypatch, name, value, words
):
    monkeypatch.setenv(f"AURASTREAM_{name}", value)
    with pytest.raises(SettingsError, match=words) as raised:
        Settings.from_env()
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("POSTGRES_URL", "postgresql://a:5432,b:5433/d"),
        ("POSTGRES_URL", "postgresql:///d?host=/run/postgresql"),
        ("REDIS_URL", "unix:///run/redis.sock"),
    ],
)
def test_the_other_ways_to_write_a_server_are_taken(monkeypatch, name, value):
    monkeypatch.setenv(f"AURASTREAM_{name}", value)
    assert getattr(Settings.from_env(), name.lower()).get_secret_value() == value


@pytest.mark.parametrize("name", ["REQUEST_TIMEOUT_S", "MAX_DATABASE_GB"])
@pytest.mark.parametrize("value", ["inf", "nan", "0"])
def test_a_limit_is_a_number(monkeypatch, name, value):
    monkeypatch.setenv(f"AURASTREAM_{name}", value)
    with pytest.raises(SettingsError, match=name.lower()):
        Settings.from_env()


@pytest.mark.parametrize("name", ["REPLAY_URL", "WEBSERVER_URL", "YOUTUBE_BASE_URL"])
@pytest.mark.parametrize("url", ["127.0.0.1:8000", "localhost:8000", "http://", "ftp://a.example"])
def test_an_address_without_scheme_or_host_is_refused(monkeypatch, name, url):
    monkeypatch.setenv(f"AURASTREAM_{name}", url)
    with pytest.raises(SettingsError, match=name.lower()):
        Settings.from_env(use_running=False)


def test_what_concerns_several_settings_is_not_called_settings_twice(monkeypatch):
    monkeypatch.setenv("YOUTUBE_API_KEY", "k")
    with pytest.raises(SettingsError, match=r"^Settings are not usable: policy_mode must be"):
        Settings.from_env(use_running=False)


def test_a_misspelt_variable_is_named_with_the_one_that_was_meant(monkeypatch):
    monkeypatch.setenv("AURASTREAM_POSTGERS_URL", "x")
    monkeypatch.setenv("AURASTREAM_DATABASE_URL", "x")
    monkeypatch.setenv("AURASTREAM_XYZZY", "x")
    monkeypatch.setenv("AURASTREAM_REGIONS", "US")
    assert unknown_variables() == {
        "AURASTREAM_DATABASE_URL": "AURASTREAM_POSTGRES_URL",
        "AURASTREAM_POSTGERS_URL": "AURASTREAM_POSTGRES_URL",
        "AURASTREAM_XYZZY": "",
    }
    said = {f.detail: (f.level, f.fix) for f in _variables()}
    assert said["AURASTREAM_POSTGERS_URL is no setting, so that it has no effect"] == (
        "warning",
        "Did you mean AURASTREAM_POSTGRES_URL?",
    )


def test_what_is_meant_for_the_world_outside_does_not_reach_our_own_servers():
    others = {"https_proxy": "http://proxy:3128", "PGSSLMODE": "require", "PGSERVICE": "cloud"}

    alone = dict(others)
    keep_to_ourselves(alone)
    loopback = "127.0.0.1,localhost,::1"
    assert alone == {
        "https_proxy": "http://proxy:3128",
        "no_proxy": loopback,
        "NO_PROXY": loopback,
    }
    keep_to_ourselves(alone)
    assert alone["no_proxy"] == loopback

    own = others | {"AURASTREAM_POSTGRES_URL": "postgresql://db.example/x", "NO_PROXY": ".lan, ::1"}
    keep_to_ourselves(own)
    assert own.items() >= others.items()
    assert own["no_proxy"] == own["NO_PROXY"] == ".lan,::1,127.0.0.1,localhost"

    everything, nothing = {"http_proxy": "p", "no_proxy": "*"}, {"PATH": "/bin"}
    for environment in (everything, nothing):
        keep_to_ourselves(environment)
    assert everything == {"http_proxy": "p", "no_proxy": "*", "NO_PROXY": "*"}
    assert nothing == {"PATH": "/bin"}


@pytest.mark.parametrize("name", ["postgres", "redis"])
def test_a_server_that_is_away_is_a_fault_with_its_mend(monkeypatch, tmp_path, free_port, name):
    url = {"postgres": "postgresql", "redis": "redis"}[name] + f"://127.0.0.1:{free_port()}/0"
    settings = Settings(data_dir=tmp_path, **{f"{name}_url": url})
    (found,) = [f for f in examine(lambda: settings) if f.name == name]
    assert found.level == "fault"
    assert "does not answer" in found.detail
    assert "script/server" in found.fix


def test_a_port_of_the_last_start_that_somebody_else_has_taken_is_named(tmp_path, free_port):
    mine = free_port()
    (tmp_path / "webserver.port").write_text("none")
    (tmp_path / "replay.port").write_text(str(mine))

    def ports(**running):
        found = _kept_ports(Settings(data_dir=tmp_path, **running))
        return [(f.level, f.detail) for f in found]

    assert ports() == [("ok", f"{mine} is kept for the replay server")]
    with socket.create_server(("127.0.0.1", mine)):
        [(level, detail)] = ports()
        assert level == "warning"
        assert f"Port {mine} for the replay server is taken by" in detail
        assert f"process {os.getpid()}" in detail
        # It may be our own that runs.
        assert ports(replay_url=f"http://127.0.0.1:{mine}")[0][0] == "ok"
        # With keys no replay is started.
        assert ports(youtube_api_key="key", policy_mode="strict") == []


def test_where_the_record_begins_is_a_moment_with_a_time_zone(monkeypatch):
    assert record_start() is None
    monkeypatch.setenv("AURASTREAM_RECORD_START", "2026-11-07T15:00:00Z")
    assert (
        record_start() == Settings.from_env().record_start == datetime(2026, 11, 7, 15, tzinfo=UTC)
    )
    monkeypatch.setenv("AURASTREAM_RECORD_START", "last week")
    with pytest.raises(SettingsError, match=r"AURASTREAM_RECORD_START .* Write 2026"):
        record_start()
