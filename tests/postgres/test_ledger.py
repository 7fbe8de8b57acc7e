"""The quota ledger against a real Postgres."""

import datetime as dt
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
import pytest

from aurastream.store.frames import FrameStore, RetryPolicy
from aurastream.store.ledger import PostgresLedger, QuotaSpentError

# 02:00 in Los Angeles.
AT = dt.datetime(2026, 11, 20, 10, tzinfo=dt.UTC)


@dataclass
class Clock:
    at: dt.datetime = AT

    def now(self) -> dt.datetime:
        return self.at


@pytest.fixture
def ledger(database_url: str) -> Iterator[PostgresLedger]:
    with PostgresLedger(database_url) as opened:
        yield opened


def used(ledger: PostgresLedger, bucket: str, at: dt.datetime = AT) -> int:
    return next(status.used for status in ledger.usage(at) if status.bucket == bucket)


def test_what_was_planned_is_reserved_and_what_was_not_spent_is_free_again(
    ledger: PostgresLedger,
) -> None:
    with ledger.open(purpose="test", planned={"videos.list": 10}, clock=Clock()) as gate:
        assert used(ledger, "youtube.default") == 10
        assert gate.spend("videos.list") == 1
        assert gate.spend("videos.list") == 1
        assert used(ledger, "youtube.default") == 10
    assert used(ledger, "youtube.default") == 2
    assert ledger.remaining(AT)["youtube.default"] == 9998


def test_a_call_that_was_never_sent_costs_nothing(ledger: PostgresLedger) -> None:
    with ledger.open(purpose="test", planned={"videos.list": 2}, clock=Clock()) as gate:
        gate.refund(gate.spend("videos.list"))
        gate.spend("videos.list")
    assert used(ledger, "youtube.default") == 1


def test_a_refund_gives_back_what_its_own_thread_took(ledger: PostgresLedger) -> None:
    with ledger.open(purpose="test", clock=Clock()) as gate:
        units = gate.spend("videos.list")
        other = threading.Thread(target=gate.spend, args=("search.list",))
        other.start()
        other.join()
        gate.refund(units)
    assert used(ledger, "youtube.default") == 0
    assert used(ledger, "youtube.search") == 1


def test_calls_beyond_the_plan_are_reserved_one_by_one(ledger: PostgresLedger) -> None:
    with ledger.open(purpose="test", clock=Clock()) as gate:
        for _ in range(3):
            gate.spend("channels.list")
        assert gate.spent == 3
    assert used(ledger, "youtube.default") == 3


def test_buckets_do_not_touch_one_another(ledger: PostgresLedger) -> None:
    with ledger.open(
        purpose="test", planned={"search.list": 1, "videos.list": 2, "streams": 9}, clock=Clock()
    ) as gate:
        gate.spend("search.list")
        gate.spend("streams")
    assert used(ledger, "youtube.search") == 1
    assert used(ledger, "youtube.default") == 0


def test_an_empty_bucket_refuses_with_the_time_of_the_reset(ledger: PostgresLedger) -> None:
    with ledger.open(purpose="test", planned={"search.list": 500}, clock=Clock()) as gate:
        for _ in range(80):  # our own limit, below the platform's 100
            gate.spend("search.list")
        with pytest.raises(QuotaSpentError, match=r"resets at 2026-11-21 08:00 UTC") as refused:
            gate.spend("search.list")
    assert "We call it 80 times a day at most." in str(refused.value)
    assert ledger.remaining(AT)["youtube.search"] == 0


def test_what_the_platform_declares_spent_stays_closed_until_pacific_midnight(
    ledger: PostgresLedger,
) -> None:
    clock = Clock()
    with ledger.open(purpose="test", planned={"videos.list": 5}, clock=clock) as gate:
        gate.spend("videos.list")
        gate.exhausted("videos.list")
        with pytest.raises(QuotaSpentError):
            gate.spend("videos.list")
    assert ledger.remaining(AT)["youtube.default"] == 0
    clock.at = dt.datetime(2026, 11, 21, 7, 59, tzinfo=dt.UTC)
    with (
        ledger.open(purpose="test", clock=clock) as gate,
        pytest.raises(QuotaSpentError),
    ):
        gate.spend("videos.list")
    clock.at = dt.datetime(2026, 11, 21, 8, 0, tzinfo=dt.UTC)
    with ledger.open(purpose="test", clock=clock) as gate:
        assert gate.spend("videos.list") == 1


def test_a_refusal_that_arrives_after_midnight_closes_the_day_of_its_call(
    ledger: PostgresLedger, store: FrameStore
) -> None:
    midnight = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)
    clock = Clock(midnight - dt.timedelta(seconds=1))
    with ledger.open(purpose="test", planned={"videos.list": 5}, clock=clock) as gate:
        gate.spend("videos.list")
        clock.at = midnight + dt.timedelta(seconds=1)
        gate.exhausted("videos.list")
        assert gate.spend("videos.list") == 1
    with ledger.open(purpose="test", clock=clock) as gate:
        assert gate.spend("videos.list") == 1
    assert ledger.remaining(clock.at)["youtube.default"] == 9998
    [closed] = store.read("operations.quota_exhaustion")["quota_date"]
    assert str(closed)[:10] == "2026-11-20"


def test_a_refusal_of_the_new_day_closes_it_though_the_day_before_was_closed_late(
    ledger: PostgresLedger,
) -> None:
    midnight = dt.datetime(2026, 11, 21, 8, tzinfo=dt.UTC)
    clock = Clock(midnight - dt.timedelta(seconds=1))
    with ledger.open(purpose="test", clock=clock) as gate:
        gate.spend("videos.list")
        clock.at = midnight + dt.timedelta(seconds=1)
        # Another thread's call is of the new day already; the one refused is this thread's.
        other = threading.Thread(target=gate.spend, args=("videos.list",))
        other.start()
        other.join()
        gate.spend("search.list")
        gate.exhausted("videos.list")
        gate.spend("videos.list")
        gate.exhausted("videos.list")
        with pytest.raises(QuotaSpentError):
            gate.spend("videos.list")
    assert ledger.remaining(clock.at)["youtube.default"] == 0
    assert ledger.remaining(clock.at)["youtube.search"] == 79


def test_a_reservation_of_yesterday_buys_nothing_today(ledger: PostgresLedger) -> None:
    clock = Clock(dt.datetime(2026, 11, 21, 7, 59, tzinfo=dt.UTC))
    tomorrow = dt.datetime(2026, 11, 21, 8, 1, tzinfo=dt.UTC)
    with ledger.open(purpose="test", planned={"videos.list": 5}, clock=clock) as gate:
        gate.spend("videos.list")
        clock.at = tomorrow
        gate.spend("videos.list")
    assert used(ledger, "youtube.default", tomorrow) == 1


def test_a_reservation_whose_process_died_counts_in_full(ledger: PostgresLedger) -> None:
    ledger.open(purpose="test", planned={"videos.list": 7}, clock=Clock()).__enter__()
    assert used(ledger, "youtube.default") == 7


def test_parallel_reservers_never_get_more_than_the_limit(database_url: str) -> None:
    granted: list[int] = []
    start = threading.Barrier(8)

    def work() -> None:
        # A ledger each, as processes have them.
        ledger = PostgresLedger(database_url)
        start.wait()
        for _ in range(4):
            with ledger.open(purpose="race", planned={"search.list": 3}, clock=Clock()) as gate:
                try:
                    while True:
                        granted.append(gate.spend("search.list"))
                except QuotaSpentError:
                    pass
        ledger.close()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(granted) == 80
    with PostgresLedger(database_url) as ledger:
        assert used(ledger, "youtube.search") == 80


def test_a_cut_connection_is_made_again(ledger: PostgresLedger, store: FrameStore) -> None:
    ledger.remaining(AT)
    store.query(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE application_name = 'aurastream-ledger' AND datname = current_database()"
    )
    assert ledger.remaining(AT)["youtube.default"] == 10_000


def test_a_reservation_whose_commit_nobody_confirmed_is_not_made_twice(
    ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = ledger._run
    lost: list[object] = []

    def lose_the_first_answer(work: Any) -> Any:
        def cut_off(connection: psycopg.Connection) -> Any:
            done = work(connection)
            if not lost:
                lost.append(done)
                connection.execute("COMMIT")
                connection.close()
                raise psycopg.OperationalError("server closed the connection unexpectedly")
            return done

        return run(cut_off)

    monkeypatch.setattr(ledger, "_run", lose_the_first_answer)
    with ledger.open(
        purpose="test", planned={"videos.list": 10, "search.list": 2}, clock=Clock()
    ) as gate:
        assert lost
        assert used(ledger, "youtube.default") == 10
        gate.spend("videos.list")
        gate.spend("search.list")
    assert (used(ledger, "youtube.default"), used(ledger, "youtube.search")) == (1, 1)


def test_the_errors_of_the_caller_are_raised(database_url: str) -> None:
    class SpentError(Exception):
        def __init__(self, message: str, *, fix: str = "") -> None:
            super().__init__(message, fix)

    ledger = PostgresLedger(database_url, refusal=SpentError, retry=RetryPolicy(total_s=0))
    with ledger.open(purpose="test", clock=Clock()) as gate:
        gate.exhausted("videos.list")
        with pytest.raises(SpentError):
            gate.spend("videos.list")
    ledger.close()
