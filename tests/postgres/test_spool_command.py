"""What `aurastream spool` lists, and what it delivers."""

import datetime as dt
import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.core.errors import AuraStreamError
from aurastream.operations.doctor import examine
from aurastream.settings import Settings
from aurastream.store.errors import StoreError, StoreUnavailableError
from aurastream.store.frames import Append, FrameStore, RetryPolicy, Upsert
from aurastream.store.spool import Spool

Rows = Callable[..., pd.DataFrame]
AT = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


def state(rows: Rows, count: int) -> Upsert:
    table = "operations.collection_state"
    return Upsert(table, rows(table, [{"unchanged_count": count}]))


def crawl(rows: Rows, name: str) -> Append:
    return Append("operations.crawls", rows("operations.crawls", [{"category": name}], at=AT))


Command = Callable[..., tuple[int, str]]


@pytest.fixture
def command(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Return a function that runs `aurastream spool`, beside the database of this test."""
    monkeypatch.setenv("AURASTREAM_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", database_url)

    def run(*arguments: str) -> tuple[int, str]:
        done = CliRunner().invoke(app, ["spool", *arguments])
        if isinstance(done.exception, AuraStreamError):
            raise done.exception
        return done.exit_code, done.stdout

    return run


@pytest.mark.parametrize("arguments", [(), ("retry",)])
def test_an_empty_spool_is_a_sentence(command: Command, arguments: tuple[str, ...]) -> None:
    assert command(*arguments) == (
        0,
        "Nothing waits, and nothing is aside: every write is in the record.\n",
    )


def test_what_was_refused_is_listed_and_once_mended_delivered_in_its_place(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    command: Command,
    tmp_path: Path,
    *,
    refusing: Callable[[], None],
) -> None:
    with FrameStore(
        database_url, spool=tmp_path / "spool", retry=RetryPolicy(total_s=0.0)
    ) as store:
        with pytest.raises(StoreError):
            store.commit([state(rows, 1), crawl(rows, "bad")], spool=True)
        away.commit([state(rows, 2), crawl(rows, "later")], spool=True)

        status, said = command()
        assert status == 0
        refused, waits, advice = said.splitlines()
        listed = "operations.collection_state 1, operations.crawls 1"
        assert refused.startswith("1 aside, since ")
        assert f"{listed}: " in refused
        assert "no such crawl" in refused
        assert waits.startswith("2 waits, since ")
        assert waits.endswith(listed)
        assert "aurastream spool retry" in advice
        first, second = json.loads(command("--json")[1])
        assert (first["number"], first["is_aside"], second["is_aside"]) == (1, True, False)
        assert first["rows"] == {"operations.collection_state": 1, "operations.crawls": 1}
        kept_at = dt.datetime.fromisoformat(first["kept_at"])
        assert abs(dt.datetime.now(dt.UTC) - kept_at) < dt.timedelta(minutes=5)

        # Not mended yet: what can be is delivered, the other is aside again, under its number.
        status, said = command("retry")
        assert status == 1
        assert said.startswith("Delivered: 1 of 2 (rows: 2).\n1 aside, since ")
        assert store.read("operations.crawls")["category"].tolist() == ["later"]

        refusing()
        assert command("retry") == (0, "Delivered: 1 of 1 (rows: 2).\n")
        assert sorted(store.read("operations.crawls")["category"]) == ["bad", "later"]
        assert json.loads(command("--json")[1]) == []


def test_what_is_put_back_is_delivered_before_what_came_after_it(
    away: FrameStore,
    rows: Rows,
    database_url: str,
    command: Command,
    tmp_path: Path,
    *,
    refusing: Callable[[], None],
) -> None:
    with FrameStore(
        database_url, spool=tmp_path / "spool", retry=RetryPolicy(total_s=0.0)
    ) as store:
        with pytest.raises(StoreError):
            store.commit([state(rows, 1), crawl(rows, "bad")], spool=True)
        away.commit([state(rows, 2)], spool=True)
        refusing()

        status, said = command("retry", "--json")

        assert status == 0
        done = json.loads(said)
        assert [entry["number"] for entry in done["delivered"]] == [1, 2]
        assert done["left"] == []
        assert store.read("operations.collection_state")["unchanged_count"].tolist() == [2]


@pytest.mark.usefixtures("refusing")
def test_nothing_is_put_back_while_postgres_is_away(
    rows: Rows,
    database_url: str,
    command: Command,
    tmp_path: Path,
    *,
    free_port: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with (
        FrameStore(database_url, spool=tmp_path / "spool", retry=RetryPolicy(total_s=0.0)) as store,
        pytest.raises(StoreError),
    ):
        store.commit([crawl(rows, "bad")], spool=True)
    before = Spool(tmp_path / "spool").entries()
    away = f"postgresql://nobody:none@127.0.0.1:{free_port()}/none"
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", away)

    with pytest.raises(StoreUnavailableError, match=r"does not answer.*Start it"):
        command("retry")

    assert Spool(tmp_path / "spool").entries() == before


def test_a_damaged_entry_is_listed_with_what_is_wrong_and_stays_after_another_try(
    away: FrameStore, rows: Rows, command: Command, tmp_path: Path
) -> None:
    away.commit([crawl(rows, "a")], spool=True)
    (tmp_path / "spool" / "000000000001" / "manifest.json").write_text("{}")

    assert "1 waits" in command()[1]
    assert "rows: unknown: It is damaged: manifest.json" in command()[1]
    for _ in range(2):
        status, said = command("retry")
        assert status == 1
        assert "1 aside" in said
        assert "is damaged" in said
    assert len(Spool(tmp_path / "spool").aside()) == 1


def test_the_doctor_names_the_command_that_says_why(
    away: FrameStore, rows: Rows, command: Command, tmp_path: Path
) -> None:
    away.commit([crawl(rows, "a")], spool=True)
    (tmp_path / "spool" / "000000000001" / "manifest.json").unlink()
    command("retry")

    (found,) = [f for f in examine(lambda: Settings(data_dir=tmp_path)) if f.name == "spool"]

    assert (found.level, "put aside: 1" in found.detail) == ("fault", True)
    assert "`aurastream spool retry`" in found.fix
