import contextlib
import csv
import io
import json

import pytest

from aurastream.operations.query import QueryError, ask, render
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
    with pytest.raises(QueryError, match="multiple commands"):
        ask(reader, "select 1; select 2")


def test_a_slow_question_ends_at_its_timeout(reader):
    with pytest.raises(QueryError, match=r"longer than 0\.2 s"):
        ask(reader, "select pg_sleep(30)", timeout_s=0.2)


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


def test_a_server_that_is_away_is_named_with_what_to_do(free_port):
    with pytest.raises(QueryError, match="does not answer") as caught:
        ask(f"postgresql://nobody:none@127.0.0.1:{free_port()}/none", "select 1")
    assert "script/server" in caught.value.fix


def test_a_wrong_statement_says_where_the_columns_are_listed(reader):
    with pytest.raises(QueryError, match="nonsense") as caught:
        ask(reader, "select nonsense")
    assert "data-dictionary" in caught.value.fix
