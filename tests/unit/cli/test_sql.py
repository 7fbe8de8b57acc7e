import contextlib
import csv
import io
import json
import os
import subprocess
import sys
from datetime import UTC, datetime

import pytest
from rich.console import Console
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.operations.answer_view import AnswerView
from aurastream.operations.query import Answer, QueryError, ask, render, text_rows
from aurastream.store.urls import reader_url


@pytest.fixture
def reader(database_url):
    return reader_url(database_url)


def test_an_answer_keeps_names_types_and_nulls(reader):
    answer = ask(reader, "select 1 as one, null::text as nothing, 'a,\"b' as text")
    assert answer.columns == ("one", "nothing", "text")
    assert answer.rows == [(1, None, 'a,"b')]
    assert json.loads(render(answer, "json")) == [{"one": 1, "nothing": None, "text": 'a,"b'}]
    assert list(csv.reader(io.StringIO(render(answer, "csv")))) == [
        ["one", "nothing", "text"],
        ["1", "", 'a,"b'],
    ]


@pytest.mark.parametrize(
    "statement",
    [
        "delete from operations.categories",
        "create table public.mine (a int)",
        "set default_transaction_read_only = off",
    ],
)
def test_nothing_can_be_written(reader, database_url, statement):
    before = ask(database_url, "select count(*) from operations.categories").rows
    with contextlib.suppress(QueryError):
        ask(reader, statement)
    assert ask(database_url, "select count(*) from operations.categories").rows == before
    with pytest.raises(QueryError):
        ask(reader, "create table public.mine (a int)")


def test_two_statements_at_once_are_refused(reader):
    with pytest.raises(QueryError, match="one at a time"):
        ask(reader, "select 1; select 2")


@pytest.mark.parametrize("statement", ["", " ; ", "-- a remark"])
def test_nothing_is_no_question(reader, statement):
    with pytest.raises(QueryError, match=r"is empty\. For example: aurastream sql"):
        ask(reader, statement)


def test_a_copy_is_refused_in_our_words_alone(reader, caplog):
    with pytest.raises(QueryError, match="--csv"):
        ask(reader, "copy (select 1) to stdout")
    assert caplog.records == []


def test_postgres_s_words_and_ours_are_two_sentences(reader):
    with pytest.raises(QueryError, match=r"^division by zero\. Correct the statement;"):
        ask(reader, "select 1/0")
    with pytest.raises(QueryError, match=r'at or near "nonsense"\nLINE 1: nonsense\n +\^\n'):
        ask(reader, "nonsense")


def test_brackets_and_colons_are_printed_as_they_are(reader, monkeypatch):
    monkeypatch.setenv("AURASTREAM_READER_URL", reader)
    title = "Song [Official Video] [/b] [red] :fire:"
    printed = CliRunner().invoke(app, ["sql", f"select '{title}' as \"[/a] [link]\""])
    assert printed.exit_code == 0, printed.output
    assert title in printed.output
    assert "[/a] [link]" in printed.output


def test_what_a_program_reads_is_one_line_a_row_however_wide(reader, monkeypatch):
    monkeypatch.setenv("AURASTREAM_READER_URL", reader)
    wide = ", ".join(f"repeat('{letter}', 200) as {letter}" for letter in "abcdef")
    shown = CliRunner().invoke(app, ["sql", f"select {wide}"])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[1].split() == [letter * 200 for letter in "abcdef"]


@pytest.mark.parametrize(
    ("width", "expected"),
    [
        (40, ["game    viewers", "Roblox  1200", "–       7"]),
        (15, ["game    viewers", "Roblox  1200", "–       7"]),
        (
            14,
            [
                *("1 " + "─" * 12, "game     Roblo", "         x", "viewers  1200"),
                *("2 " + "─" * 12, "game     –", "viewers  7"),
            ],
        ),
    ],
)
def test_a_table_wider_than_the_terminal_is_shown_row_by_row(width, expected):
    printed = io.StringIO()
    answer = Answer(("game", "viewers"), [("Roblox", 1200), (None, 7)])
    Console(file=printed, width=width).print(AnswerView(answer))
    assert [line.rstrip() for line in printed.getvalue().splitlines()] == expected


def test_a_slow_question_ends_at_its_timeout(reader):
    with pytest.raises(QueryError, match=r"longer than 0\.2 s"):
        ask(reader, "select pg_sleep(30)", timeout_s=0.2)


@pytest.mark.parametrize("ends", ["pg_cancel_backend", "pg_terminate_backend"])
def test_a_question_that_a_head_ended_is_told_of_the_limits_of_the_role(reader, ends):
    with pytest.raises(QueryError, match=r"before its 30 s were over\..*READER_LIMITS") as raised:
        ask(reader, f"select {ends}(pg_backend_pid()), pg_sleep(30)")
    assert "longer than" not in str(raised.value)


def test_a_mart_that_is_not_there_yet_says_when_it_will_be(reader):
    with pytest.raises(QueryError, match=r'"marts\.nothing" does not exist') as raised:
        ask(reader, "select * from marts.nothing")
    assert "end of the first start" in str(raised.value)


def test_a_wrong_statement_gives_postgres_s_own_words(reader):
    with pytest.raises(QueryError, match='column "nothing" does not exist'):
        ask(reader, "select nothing")


@pytest.mark.parametrize("table", ["operations.quarantine", "dagster.runs"])
def test_raw_bodies_and_dagster_s_tables_are_not_for_analysts(reader, table):
    with pytest.raises(QueryError, match=r"permission denied|does not exist"):
        ask(reader, f"select * from {table}")


def test_who_asks_for_raw_bodies_is_told_which_columns_are_open(reader):
    with pytest.raises(QueryError, match="denied") as caught:
        ask(reader, "select * from operations.quarantine")
    assert "Only its column raw is closed" in caught.value.fix
    question = caught.value.fix.split("`")[1]
    assert ask(reader, question).columns[-1] == "reason"
    with pytest.raises(QueryError, match="denied") as caught:
        ask(reader, "select pg_read_file('/etc/passwd')")
    assert "docs/roles.md" in caught.value.fix


def test_a_server_that_is_away_is_named_with_what_to_do(free_port):
    with pytest.raises(QueryError, match="does not answer") as caught:
        ask(f"postgresql://nobody:none@127.0.0.1:{free_port()}/none", "select 1")
    assert "script/server" in caught.value.fix


def test_a_wrong_statement_says_where_the_columns_are_listed(reader):
    with pytest.raises(QueryError, match="nonsense") as caught:
        ask(reader, "select nonsense")
    assert "data-dictionary" in caught.value.fix


def test_small_shares_keep_their_digits_on_a_terminal():
    numbers = (0.0034128, 0.000012, 0.25, 1234.5678, -98765432.1, 0.0, float("inf"))
    (row,) = text_rows(Answer(tuple("abcdefg"), [numbers]))
    assert row == ["0.0034128", "1.2e-05", "0.25", "1,234.57", "-98,765,432", "0", "inf"]


def test_what_a_program_reads_is_what_postgres_said(reader):
    exact = "12345678901234567890.123456789"
    answer = ask(
        reader,
        f"select {exact} as n, array[{exact}, 'NaN'::numeric] as several, 3.0::numeric as whole,"
        " timestamptz '2026-11-21 12:00:00.123456+00' as at",
    )
    (as_json,) = json.loads(render(answer, "json"), parse_float=str)
    assert (as_json["n"], as_json["several"], as_json["whole"]) == (exact, [exact, None], "3.0")
    assert as_json["at"] == "2026-11-21T12:00:00.123456+00:00"
    _, as_csv = csv.reader(io.StringIO(render(answer, "csv")))
    assert as_csv == [exact, f"[{exact}, null]", "3.0", "2026-11-21 12:00:00.123456+00:00"]


def test_an_interval_keeps_its_months(reader):
    answer = ask(
        reader, "select interval '1 mon' as a, array[interval '1 year 2 mon 3 days 04:05'] as b"
    )
    assert json.loads(render(answer, "json")) == [
        {"a": "1 mon", "b": ["1 year 2 mons 3 days 04:05:00"]}
    ]
    assert text_rows(answer) == [["1 mon", '["1 year 2 mons 3 days 04:05:00"]']]


def test_a_number_beyond_all_floats_is_one(reader):
    answer = ask(reader, "select 1e400::numeric as n, array[-1e400::numeric] as several")
    (row,) = json.loads(render(answer, "json"), parse_int=str)
    assert row == {"n": f"1{'0' * 400}", "several": [f"-1{'0' * 400}"]}


@pytest.mark.parametrize("kind", ["json", "jsonb"])
def test_numbers_within_json_are_not_rounded(reader, kind):
    exact = '{"n": [12345678901234567890.123, 1e400], "title": "Größe"}'
    said = exact if kind == "json" else exact.replace("1e400", f"1{'0' * 400}")
    answer = ask(
        reader, f"select '{exact}'::{kind} as one, array['{exact}'::{kind}] as many, null::{kind}"
    )
    assert render(answer, "json") == f'[{{"one": {said}, "many": [{said}], "{kind}": null}}]'
    assert list(csv.reader(io.StringIO(render(answer, "csv"))))[1] == [said, f"[{said}]", ""]
    assert text_rows(answer) == [[said, f"[{said}]", "–"]]


def test_json_that_is_a_text_or_null_is_no_text_and_no_null_of_sql(reader):
    answer = ask(reader, """select '"a"'::jsonb as text, 'null'::jsonb as nothing""")
    assert render(answer, "json") == '[{"text": "a", "nothing": null}]'
    assert render(answer, "csv").splitlines()[1] == '"""a""",null'


@pytest.mark.parametrize("by", ["argument", "standard input"])
def test_a_statement_that_is_not_utf_8_is_refused(reader, by):
    is_argument = by == "argument"
    statement = b"select '\xff'"
    done = subprocess.run(
        [sys.executable, "-m", "aurastream.cli", "sql", statement if is_argument else "-"],
        input=None if is_argument else statement,
        env=os.environ | {"AURASTREAM_READER_URL": reader, "PYTHONIOENCODING": "utf-8:strict"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (1, b"")
    assert b"The statement is not UTF-8. Write it" in done.stderr
    assert b"Traceback" not in done.stderr


def test_bytes_are_written_as_postgres_writes_them() -> None:
    answer = Answer(("body",), [(b"\x00\xff",)])

    assert json.loads(render(answer, "json")) == [{"body": "\\x00ff"}]
    assert render(answer, "csv").splitlines() == ["body", "\\x00ff"]
    assert text_rows(answer) == [["\\x00ff"]]


def test_a_moment_that_python_does_not_have_is_what_postgres_said(reader):
    answer = ask(
        reader,
        "select 'infinity'::timestamptz, '-infinity'::date, time '24:00',"
        " array['10000-01-01'::timestamp], timestamptz '2026-11-21 12:00+00'",
    )
    ((*beyond, known),) = answer.rows
    assert beyond == ["infinity", "-infinity", "24:00:00", ["10000-01-01 00:00:00"]]
    assert known == datetime(2026, 11, 21, 12, tzinfo=UTC)


def test_json_does_not_lose_the_first_of_two_columns_of_one_name(reader):
    answer = ask(reader, "select 1 as a, 2 as a")
    with pytest.raises(QueryError, match=r"Several columns are named a.*--csv"):
        render(answer, "json")
    assert render(answer, "csv") == "a,a\n1,2"
