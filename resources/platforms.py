"""YouTube and Twitch, live or replayed, behind quota ledger, rate limiter and circuit breaker.

Which of the two is a matter of settings: with keys the platforms are asked, without keys the replay
server is. There is no mixture, because replayed counters beside live ones would be believed.
"""

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import dagster as dg
from pydantic import SecretStr

from aurastream.core.errors import SettingsError
from aurastream.core.quota import QuotaStatus
from aurastream.settings import Settings
from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.errors import LedgerUnavailableError, QuotaExhaustedError
from aurastream.sources.etags import SharedEtags
from aurastream.sources.ports import Clock, SystemClock
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient
from aurastream.store.errors import StoreUnavailableError
from aurastream.store.installation import Origin, claim_installation
from aurastream.store.ledger import PostgresLedger
from resources.store import Redis, Store

__all__ = ["Platforms", "Session"]

# Twitch's documented limit per client id; YouTube limits the day, which the ledger keeps.
_RATES: Final = {"api.twitch.tv": "800/minute"}

# The replay server takes any; these are its defaults.
_REPLAY_KEY: Final = "replay-key"
_REPLAY_CLIENT: Final = "replay-client"
_REPLAY_SECRET: Final = "replay-secret"  # noqa: S105 # of a simulator on loopback


@dataclass(frozen=True, slots=True)
class _Access:
    """Where a platform is and how to get in."""

    youtube_url: str
    youtube_key: str
    twitch_url: str
    twitch_auth_url: str
    twitch_id: str
    twitch_secret: str


@dataclass(frozen=True, slots=True)
class Session:
    """What one crawl was given beside its client."""

    ledger: PostgresLedger
    settings: Settings
    clock: Clock

    def status(self, bucket: str, at: datetime) -> QuotaStatus:
        """Return where a bucket with a daily limit stands."""
        return next(status for status in self.ledger.usage(at) if status.bucket == bucket)

    def remaining(self, bucket: str = "youtube.default") -> int | None:
        """Return the units left in a bucket now; None when the record does not answer.

        It is asked after a crawl, for people to read; what was collected must not be lost over it.
        """
        try:
            return self.ledger.remaining(self.clock.now()).get(bucket)
        except StoreUnavailableError:
            return None


class Platforms(dg.ConfigurableResource["Platforms"]):
    """Clients of YouTube and Twitch."""

    replay_url: str = ""

    def settings(self) -> Settings:
        """Return the settings of this process."""
        return Settings.from_env()

    def clock(self) -> Clock:
        """Return the clock that says which quota day it is; a replay may stand at another day."""
        return SystemClock()

    @contextmanager
    def session(self, store: Store) -> Iterator[Session]:
        """Open the quota ledger for the length of a crawl of a record that is ours to add to."""
        settings = self.settings()
        claim_installation(
            store.frames, origin=self._origin(settings), policy_mode=settings.policy_mode
        )
        with PostgresLedger(
            store.frames.url,
            profile=settings.quota_profile,
            refusal=QuotaExhaustedError,
            outage=LedgerUnavailableError,
        ) as ledger:
            yield Session(ledger, settings, self.clock())

    @contextmanager
    def youtube(
        self,
        session: Session,
        redis: Redis,
        *,
        purpose: str,
        run_id: str,
        planned: Mapping[str, int] | None = None,
    ) -> Iterator[YouTubeClient]:
        """Open a YouTube client whose calls are paid from the ledger."""
        settings, access = session.settings, self._access(session.settings)
        if not access.youtube_key:
            raise SettingsError(
                "YouTube cannot be asked: live collection is configured without its key.",
                fix="Set YOUTUBE_API_KEY.",
            )
        shared = redis.resolved_url()
        with (
            session.ledger.open(purpose=purpose, clock=session.clock, planned=planned) as gate,
            closing(SharedEtags(shared, access.youtube_url)) as etags,
            YouTubeClient(
                access.youtube_url,
                access.youtube_key,
                gate=gate,
                clock=session.clock,
                breaker=CircuitBreakers(shared),
                etags=etags,
                quota_profile=settings.quota_profile,
                run_id=run_id,
                timeout_s=settings.request_timeout_s,
                max_connections=settings.max_parallel_requests,
            ) as client,
        ):
            yield client

    @contextmanager
    def twitch(
        self,
        session: Session,
        redis: Redis,
        *,
        purpose: str,
        run_id: str,
    ) -> Iterator[TwitchClient]:
        """Open a Twitch client; token, pace and breaker are shared through Redis."""
        settings, access = session.settings, self._access(session.settings)
        if not access.twitch_id:
            raise SettingsError(
                "Twitch cannot be asked: live collection is configured without its credentials.",
                fix="Set TWITCH_CLIENT_ID and TWITCH_CLIENT_SECRET.",
            )
        # A quarter of a second that a run without Twitch need not pay.
        from aurastream.sources.limiter import SharedRateLimiter  # noqa: PLC0415 # see above

        shared = redis.resolved_url()
        with (
            session.ledger.open(purpose=purpose, clock=session.clock) as gate,
            TwitchClient(
                access.twitch_url,
                access.twitch_auth_url,
                access.twitch_id,
                access.twitch_secret,
                redis_url=shared,
                gate=gate,
                clock=session.clock,
                limiter=SharedRateLimiter(_RATES, shared),
                breaker=CircuitBreakers(shared),
                quota_profile=settings.quota_profile,
                run_id=run_id,
                timeout_s=settings.request_timeout_s,
                max_connections=settings.max_parallel_requests,
            ) as client,
        ):
            yield client

    def _origin(self, settings: Settings) -> Origin:
        return "live" if settings.live and not self.replay_url else "replay"

    def _access(self, settings: Settings) -> _Access:
        replay_url = self.replay_url or (settings.replay_url or "")
        if self._origin(settings) == "live":
            return _Access(
                youtube_url=settings.youtube_base_url,
                youtube_key=_plain(settings.youtube_api_key),
                twitch_url=settings.twitch_base_url,
                twitch_auth_url=settings.twitch_auth_url,
                twitch_id=_plain(settings.twitch_client_id),
                twitch_secret=_plain(settings.twitch_client_secret),
            )
        if not replay_url:
            raise SettingsError(
                "Neither platform keys are configured nor a replay server is running here.",
                fix="Start one with script/server, or set AURASTREAM_REPLAY_URL or the keys.",
            )
        return _Access(
            youtube_url=replay_url,
            youtube_key=_REPLAY_KEY,
            twitch_url=replay_url,
            twitch_auth_url=replay_url,
            twitch_id=_REPLAY_CLIENT,
            twitch_secret=_REPLAY_SECRET,
        )


def _plain(secret: SecretStr | None) -> str:
    return secret.get_secret_value() if secret is not None else ""
