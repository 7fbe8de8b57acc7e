"""One cheap question to each platform before a live start, so that a bad key is said at once.

The questions are paid for like any others: what is not in the ledger is missing in the forecast.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import Final

from aurastream.settings import Settings
from aurastream.sources.errors import (
    CircuitOpenError,
    QuotaExhaustedError,
    RateLimitedError,
    SourceError,
    TransientError,
)
from aurastream.sources.ports import Crawl, QuotaGate, SystemClock
from aurastream.sources.transport import RetryPolicy
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient
from aurastream.store.ledger import PostgresLedger

__all__ = ["preflight"]

_PURPOSE: Final = "operations/preflight"
_PASSING: Final = (TransientError, RateLimitedError, CircuitOpenError)
_ONCE: Final = RetryPolicy(
    max_attempts=1, max_doubtful_attempts=1, max_capped_attempts=1, total_s=15.0
)


def preflight(settings: Settings) -> list[str]:
    """Ask each platform that has keys one question; costs a YouTube unit and a Twitch point.

    Returns
    -------
    list of str
        What is wrong with platforms that may be well again a moment later. That keeps nobody from
        what is stored, nor from the other platform.

    Raises
    ------
    SourceError
        What the first platform that refused said, and what to do about it. A spent quota is no
        refusal: collection goes on when it resets.
    """
    with ExitStack() as stack:
        return [str(error) for error in _questions(settings, _gate(settings, stack))]


def _gate(settings: Settings, stack: ExitStack) -> QuotaGate | None:
    """Open the ledger, where there is a record to keep it in."""
    if settings.postgres_url is None:
        return None
    ledger = PostgresLedger(
        settings.require_postgres(),
        profile=settings.quota_profile,
        refusal=QuotaExhaustedError,
    )
    stack.enter_context(ledger)
    return stack.enter_context(ledger.open(purpose=_PURPOSE, clock=SystemClock()))


def _questions(settings: Settings, gate: QuotaGate | None) -> Iterator[SourceError]:
    profile = settings.quota_profile
    if settings.youtube_api_key is not None:
        key = settings.youtube_api_key.get_secret_value()
        with closing(
            YouTubeClient(
                settings.youtube_base_url, key, retry=_ONCE, gate=gate, quota_profile=profile
            )
        ) as youtube:
            yield from _ask(lambda: youtube.video_categories(settings.regions[0]))
    if settings.twitch_client_id is not None and settings.twitch_client_secret is not None:
        client = TwitchClient(
            settings.twitch_base_url,
            settings.twitch_auth_url,
            settings.twitch_client_id.get_secret_value(),
            settings.twitch_client_secret.get_secret_value(),
            retry=_ONCE,
            gate=gate,
            quota_profile=profile,
        )
        with closing(client) as twitch:
            yield from _ask(lambda: twitch.top_games(1))


def _ask(question: Callable[[], Crawl]) -> Iterator[SourceError]:
    """Yield an error that passes; raise one that stays until somebody mends it."""
    try:
        error = question().error
    except SourceError as raised:
        error = raised
    if isinstance(error, _PASSING):
        yield error
    elif error is not None and not isinstance(error, QuotaExhaustedError):
        raise error
