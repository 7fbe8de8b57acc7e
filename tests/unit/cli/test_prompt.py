"""What an operator reads at the prompt: refusals that help, and hints where nothing failed."""

import tomllib
from datetime import UTC, datetime

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from aurastream.cli import _spent_quotas, app
from aurastream.core.errors import InvalidInputError
from aurastream.operations.doctor import examine
from aurastream.settings import REPO_ROOT, Settings
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


def test_a_replay_that_is_away_is_named_as_one() -> None:
    settings = Settings.from_env(use_running=False).model_copy(
        update={"replay_url": "http://127.0.0.1:9"}
    )
    (away,) = [each for each in examine(lambda: settings) if each.name == "replay server"]
    assert "AURASTREAM_REPLAY_URL" in away.fix
