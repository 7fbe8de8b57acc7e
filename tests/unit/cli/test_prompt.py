"""What an operator reads at the prompt: refusals that help, and hints where nothing failed."""

import tomllib
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
import redis
from pydantic import SecretStr
from redis.backoff import NoBackoff
from redis.retry import Retry
from typer.testing import CliRunner

from aurastream import cli
from aurastream.cli import _spent_quotas, app
from aurastream.core.errors import InvalidInputError
from aurastream.operations.doctor import examine
from aurastream.settings import REPO_ROOT, Settings
from aurastream.store.embedded import EmbeddedPostgres
from aurastream.store.ledger import PostgresLedger


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--from", "2026-03-21", "--to", "2026-03-20"], "is not later than --from"),
        (["--from", "2026-03-21", "--to", "2026-03-21"], "name the day after"),
        (["--from", "2999-01-01"], "lies in the future"),
    ],
)
def test_a_stretch_that_cannot_be_is_no_stretch_where_nothing_is_missing(
    arguments: list[str], says: str
) -> None:
    done = CliRunner().invoke(app, ["backfill", *arguments])

    # What the guard of the command line ends with 2 for.
    assert isinstance(done.exception, InvalidInputError)
    assert says in str(done.exception)


def test_the_version_is_the_project_s() -> None:
    project = tomllib.loads((REPO_ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    done = CliRunner().invoke(app, ["--version"])
    assert (done.exit_code, done.output) == (0, f"aurastream {project['version']}\n")


@pytest.mark.parametrize("command", [["--help"], ["sql", "--help"], ["replay", "--help"]])
def test_every_help_looks_alike(command: list[str]) -> None:
    said = CliRunner().invoke(app, command).output
    assert "\nOptions:\n" in said
    assert "╭" not in said


def test_a_quota_that_is_used_up_is_named_where_everything_else_is_well(database_url: str) -> None:
    settings = Settings.from_env(use_running=False).model_copy(
        update={"postgres_url": SecretStr(database_url)}
    )

    def at_the_doctor() -> list[tuple[str, str]]:
        found = examine(lambda: settings)
        return [(each.level, each.detail) for each in found if each.name == "quota"]

    assert at_the_doctor() == [("ok", "none is used up")]
    assert _spent_quotas(settings, "youtube_worker_trending") == []
    with PostgresLedger(database_url) as ledger:
        ledger.mark_exhausted("videos.list", datetime.now(UTC))

    ((level, detail),) = at_the_doctor()
    (hint,) = _spent_quotas(settings, "youtube_worker_trending")

    assert level == "warning"
    for said in (detail, hint):
        assert said.startswith("youtube.default is used up until ")
        assert "nothing new is asked" in said
    assert _spent_quotas(settings, "twitch_streams_worker") == []


CHANNEL = "UC" + 22 * "a"
ASKING_THE_RECORD = [
    ["status"],
    ["quota"],
    ["categories"],
    ["documents"],
    ["migrate"],
    ["retention", "--plan"],
    ["archive", "--month", "2026-10"],
    ["diff", "intelligence/viral_scores", "--before", "1"],
    ["forget", "--channel", CHANNEL],
    ["sql", "select 1"],
]


@pytest.mark.parametrize("arguments", ASKING_THE_RECORD, ids=lambda arguments: arguments[0])
def test_without_a_server_a_command_says_so_in_one_line_and_soon(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    free_port: Callable[[], int],
) -> None:
    away = f"postgresql://nobody:secret@127.0.0.1:{free_port()}/none"
    for name, value in {
        "POSTGRES_URL": away,
        "READER_URL": away,
        "REDIS_URL": f"redis://127.0.0.1:{free_port()}",
        "DATA_DIR": str(tmp_path),
        "ARCHIVE_URL": str(tmp_path / "archive"),
    }.items():
        monkeypatch.setenv(f"AURASTREAM_{name}", value)
    monkeypatch.setattr(cli, "_PATIENCE_S", 0.0)

    assert cli._guard(lambda: app(arguments, standalone_mode=False)) == 1

    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "does not answer" in said
    assert "script/server" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    "arguments",
    [["diff", "intelligence/viral_scores", "--before", "1"], ["forget", "--channel", CHANNEL]],
    ids=lambda arguments: arguments[0],
)
def test_without_a_schema_a_command_says_how_to_get_one(
    arguments: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    postgres_server: EmbeddedPostgres,
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", postgres_server.url_of("postgres"))

    assert cli._guard(lambda: app(arguments, standalone_mode=False)) == 1

    said = capsys.readouterr().err
    assert len(said.splitlines()) == 1
    assert "aurastream migrate" in said


def test_redis_that_is_away_is_named_and_a_fault_of_the_program_is_not_hidden(
    capsys: pytest.CaptureFixture[str], free_port: Callable[[], int]
) -> None:
    once = Retry(NoBackoff(), 0)
    with closing(redis.Redis(port=free_port(), retry=once)) as away:
        assert cli._guard(away.ping) == 1
    assert capsys.readouterr().err.startswith("aurastream: Redis does not answer: ")
    with pytest.raises(ZeroDivisionError):
        cli._guard(lambda: 1 / 0)


def test_a_replay_that_is_away_is_named_as_one() -> None:
    settings = Settings.from_env(use_running=False).model_copy(
        update={"replay_url": "http://127.0.0.1:9"}
    )
    (away,) = [each for each in examine(lambda: settings) if each.name == "replay server"]
    assert "AURASTREAM_REPLAY_URL" in away.fix
