"""The pace of calls: within the limit at once, beyond it after a wait, shared by all."""

from collections.abc import Callable

import pytest

from aurastream.sources.errors import RateLimitedError
from aurastream.sources.limiter import TWITCH_LIMIT, SharedRateLimiter
from tests.unit.sources.support import FakeClock

HOST = "api.twitch.tv"


class ForgetfulClock(FakeClock):
    """Sleeping lets the limiter's window pass, which goes by the machine's clock."""

    limiter: SharedRateLimiter | None = None

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        assert self.limiter is not None
        self.limiter._own.storage.reset()


def test_the_whole_limit_passes_without_a_wait(clock: FakeClock) -> None:
    limiter = SharedRateLimiter({HOST: TWITCH_LIMIT}, clock=clock)
    for _ in range(800):
        limiter.acquire(HOST)
    assert clock.slept == []


def test_beyond_the_limit_it_waits_until_the_window_moves_on() -> None:
    clock = ForgetfulClock()
    clock.limiter = limiter = SharedRateLimiter({HOST: "3/minute"}, clock=clock)
    for _ in range(4):
        limiter.acquire(HOST)
    assert len(clock.slept) == 1
    assert 50 < clock.slept[0] <= 61


def test_patience_ends(clock: FakeClock) -> None:
    limiter = SharedRateLimiter({HOST: "1/hour"}, clock=clock, patience_s=60)
    limiter.acquire(HOST)
    with pytest.raises(RateLimitedError) as caught:
        limiter.acquire(HOST)
    assert caught.value.retry_after_s is not None
    assert 3_000 < caught.value.retry_after_s <= 3_601
    assert caught.value.status is None
    assert clock.slept == []


def test_other_hosts_are_not_limited(clock: FakeClock) -> None:
    limiter = SharedRateLimiter({HOST: "1/hour"}, clock=clock)
    for _ in range(5):
        limiter.acquire("youtube.googleapis.com")
    limiter.acquire(HOST)
    assert clock.slept == []


def test_processes_share_the_limit_through_redis(clock: FakeClock, redis_url: str) -> None:
    one, two = (
        SharedRateLimiter({HOST: "4/hour"}, redis_url, clock=clock, patience_s=1) for _ in range(2)
    )
    for limiter in (one, two, one, two):
        limiter.acquire(HOST)
    for limiter in (one, two):
        with pytest.raises(RateLimitedError):
            limiter.acquire(HOST)


def test_without_redis_each_process_keeps_the_limit_itself(
    clock: FakeClock, free_port: Callable[[], int]
) -> None:
    url = f"redis://127.0.0.1:{free_port()}/0"
    limiter = SharedRateLimiter({HOST: "2/hour"}, url, clock=clock, patience_s=1)
    limiter.acquire(HOST)
    limiter.acquire(HOST)
    with pytest.raises(RateLimitedError):
        limiter.acquire(HOST)
