"""The circuit breaker: when it opens, when it closes, who shares it."""

from collections.abc import Callable

import pytest

from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import (
    CircuitOpenError,
    ConfigError,
    GoneError,
    LedgerUnavailableError,
    QuotaExhaustedError,
    RateLimitedError,
    TransientError,
)
from tests.unit.sources.support import FakeClock

HOST = "api.example"


def _fail(breakers: CircuitBreakers, error: Exception, host: str = HOST) -> None:
    with pytest.raises(type(error)), breakers.guard(host):
        raise error


def _pass(breakers: CircuitBreakers, host: str = HOST) -> None:
    with breakers.guard(host):
        pass


def test_five_failures_open_it_and_three_successes_close_it(clock: FakeClock) -> None:
    breakers = CircuitBreakers(clock=clock)
    for _ in range(4):
        _fail(breakers, TransientError("down"))
    assert breakers.state(HOST) == "closed"
    _fail(breakers, TransientError("down"))
    assert breakers.state(HOST) == "open"
    with pytest.raises(CircuitOpenError) as caught, breakers.guard(HOST):
        pytest.fail("an open circuit lets nothing through")
    assert caught.value.retry_after_s == 60
    clock.advance(59)
    with pytest.raises(CircuitOpenError), breakers.guard(HOST):
        pytest.fail("not yet")
    clock.advance(2)
    for expected in ("half-open", "half-open", "closed"):
        _pass(breakers)
        assert breakers.state(HOST) == expected


def test_a_failure_on_trial_opens_it_again(clock: FakeClock) -> None:
    breakers = CircuitBreakers(clock=clock, fail_max=1)
    _fail(breakers, TransientError("down"))
    clock.advance(61)
    _pass(breakers)
    _fail(breakers, TransientError("down"))
    assert breakers.state(HOST) == "open"
    clock.advance(30)
    with pytest.raises(CircuitOpenError), breakers.guard(HOST):
        pytest.fail("the sixty seconds began anew")


def test_a_success_forgets_the_failures_before_it(clock: FakeClock) -> None:
    breakers = CircuitBreakers(clock=clock)
    for _ in range(3):
        for _ in range(4):
            _fail(breakers, TransientError("down"))
        _pass(breakers)
    assert breakers.state(HOST) == "closed"


@pytest.mark.parametrize(
    "error",
    [
        ConfigError("400", status=400),
        RateLimitedError("429", status=429),
        TransientError("500", is_data_dependent=True),
        KeyError("a fault of ours"),
    ],
)
def test_only_failures_of_the_host_count(clock: FakeClock, error: Exception) -> None:
    breakers = CircuitBreakers(clock=clock, fail_max=1)
    _fail(breakers, error)
    assert breakers.state(HOST) == "closed"


@pytest.mark.parametrize(
    "error",
    [
        QuotaExhaustedError("our ledger refused"),
        LedgerUnavailableError("our ledger is away"),
        RateLimitedError("our own pace"),
        ConfigError("it cannot be sent"),
        TransientError("500", is_data_dependent=True),
        KeyError("a fault of ours"),
    ],
)
def test_what_does_not_tell_of_the_host_counts_as_neither(
    clock: FakeClock, error: Exception
) -> None:
    breakers = CircuitBreakers(clock=clock, fail_max=2)
    _fail(breakers, TransientError("down"))
    _fail(breakers, error)
    _fail(breakers, TransientError("down"))
    assert breakers.state(HOST) == "open"
    clock.advance(61)
    for _ in range(3):
        _fail(breakers, error)
    assert breakers.state(HOST) != "closed"
    _fail(breakers, TransientError("down"))
    with pytest.raises(CircuitOpenError), breakers.guard(HOST):
        pytest.fail("the host was not well again")


@pytest.mark.parametrize("error", [ConfigError("400", status=400), GoneError("404", status=404)])
def test_an_answer_of_whatever_kind_shows_that_the_host_is_well(
    clock: FakeClock, error: Exception
) -> None:
    breakers = CircuitBreakers(clock=clock, fail_max=1)
    _fail(breakers, TransientError("down"))
    clock.advance(61)
    for _ in range(3):
        _fail(breakers, error)
    assert breakers.state(HOST) == "closed"


def test_a_call_that_outlasts_the_opening_of_its_circuit_counts_no_more(clock: FakeClock) -> None:
    breakers = CircuitBreakers(clock=clock, fail_max=1)

    def fail_late() -> None:
        with breakers.guard(HOST):
            _fail(breakers, TransientError("down"))
            clock.advance(30)
            raise TransientError("late")

    with pytest.raises(TransientError, match="late"):
        fail_late()
    clock.advance(31)
    _pass(breakers)


def test_hosts_have_circuits_of_their_own(clock: FakeClock) -> None:
    breakers = CircuitBreakers(clock=clock, fail_max=1)
    _fail(breakers, TransientError("down"))
    _pass(breakers, "other.example")
    assert breakers.state("other.example") == "closed"


def test_it_can_be_opened_and_closed_by_hand(clock: FakeClock) -> None:
    breakers = CircuitBreakers(clock=clock)
    breakers.open(HOST)
    assert breakers.state(HOST) == "open"
    breakers.close(HOST)
    _pass(breakers)


def test_processes_share_it_through_redis(clock: FakeClock, redis_url: str) -> None:
    one, two = (CircuitBreakers(redis_url, clock=clock) for _ in range(2))
    for breakers in (one, two, one, two, one):
        _fail(breakers, TransientError("down"))
    for breakers in (one, two):
        with pytest.raises(CircuitOpenError), breakers.guard(HOST):
            pytest.fail("an open circuit lets nothing through")
    clock.advance(61)
    # A process that first sees the trial begins its count of successes anew.
    for breakers in (one, two, one, two):
        _pass(breakers)
    assert one.state(HOST) == two.state(HOST) == "closed"
    one.close()
    two.close()


def test_without_redis_it_keeps_its_own_count(
    clock: FakeClock, free_port: Callable[[], int]
) -> None:
    breakers = CircuitBreakers(f"redis://127.0.0.1:{free_port()}/0", clock=clock, fail_max=2)
    for _ in range(2):
        _fail(breakers, TransientError("down"))
    with pytest.raises(CircuitOpenError), breakers.guard(HOST):
        pytest.fail("an open circuit lets nothing through")
    breakers.close()


def test_it_remembers_when_redis_goes_and_when_it_forgets(clock: FakeClock, redis_url: str) -> None:
    import redis  # noqa: PLC0415 # the server's own client, to take its memory away

    breakers = CircuitBreakers(redis_url, clock=clock, fail_max=2)
    _fail(breakers, TransientError("down"))
    assert breakers._client is not None
    breakers._client.connection_pool.connection_kwargs["port"] = 1
    breakers._client.connection_pool.disconnect()
    _fail(breakers, TransientError("down"))
    assert breakers.state(HOST) == "open"
    with redis.Redis.from_url(redis_url) as client:
        client.flushall()
    assert CircuitBreakers(redis_url, clock=clock).state(HOST) == "closed"
    breakers.close()
