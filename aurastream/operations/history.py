"""Loading a past: the live collectors, asked through a replay server that can go back in time.

The loader walks through the planned moments in order, sets the server's virtual now to each, and
runs the same collectors that the graph runs. Their results are written in batches, each in one
transaction, so that an interrupted load continues where it stopped and nothing is loaded twice.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd

from aurastream.core.planner import plan_games
from aurastream.operations.history_plan import Step
from aurastream.settings import Settings
from aurastream.sources.catalog import classifier_from_categories
from aurastream.sources.collectors import (
    CrawlResult,
    Previous,
    collect_clips,
    collect_games,
    collect_streams,
    collect_trending,
)
from aurastream.sources.collectors.result import REPLACED_TABLES
from aurastream.sources.errors import QuotaExhaustedError
from aurastream.sources.ports import OpenGate, QuotaGate
from aurastream.sources.transport import http_client
from aurastream.sources.twitch import TwitchClient
from aurastream.sources.youtube import YouTubeClient
from aurastream.store.frames import FrameStore
from aurastream.store.ledger import PostgresLedger
from aurastream.store.readings import game_candidates, tracked_categories
from aurastream.store.state import LISTS_LAST, charts_crawled, last_complete_starts, last_lists
from aurastream.store.tables import metadata as tables
from aurastream.store.writes import Append, Upsert, WriteOp

__all__ = ["RUN_ID", "HistoryLoader"]

RUN_ID: Final = "history"
_RECONCILE_HOUR: Final = 6  # once a day, with the searches and channels of the daily pass
_BATCH: Final = 60  # crawls per transaction: about 20,000 rows
_CLIP_AGE: Final = timedelta(hours=6)
_STATE: Final = "operations.collection_state"
_GAMES: Final = "collection/youtube_games"
_STREAMS: Final = ("collection/twitch_streams", "collection/twitch_top_games")


class _VirtualClock:
    """The moment the loader stands at; its clients never have to wait."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        """Return the virtual present."""
        return self.moment

    def monotonic(self) -> float:
        """Return the virtual present in seconds, so that time limits never strike."""
        return self.moment.timestamp()

    def sleep(self, seconds: float) -> None:
        """Do not wait: the replay server of our own is ready at once."""

    def headers(self) -> Mapping[str, str]:
        """Return the header that moves the server's now."""
        return {"X-Replay-Now": self.moment.strftime("%Y-%m-%dT%H:%M:%SZ")}


class _OneGateAtATime:
    """The gate of the crawl that is under way; the clients live longer than any crawl."""

    def __init__(self) -> None:
        self.current: QuotaGate = OpenGate()

    def spend(self, endpoint: str) -> int:
        """Take the units of one call."""
        return self.current.spend(endpoint)

    def refund(self, units: int) -> None:
        """Give units back."""
        self.current.refund(units)

    def exhausted(self, endpoint: str) -> None:
        """Note that the platform says the quota is spent."""
        self.current.exhausted(endpoint)


class HistoryLoader:
    """Loads what is missing of the last days from a replay server.

    Parameters
    ----------
    settings : Settings
        Regions, quota profile, and where the record is.
    store : FrameStore
        The record.
    replay_url : str
        Base URL of the replay server.
    """

    def __init__(self, settings: Settings, store: FrameStore, replay_url: str) -> None:
        self._settings = settings
        self._store = store
        self._clock = _VirtualClock()
        self._http = http_client(max_connections=settings.max_parallel_requests)
        self._ledger = PostgresLedger(
            settings.require_postgres(),
            profile=settings.quota_profile,
            refusal=QuotaExhaustedError,
        )
        self._gate = _OneGateAtATime()
        shared: dict[str, Any] = {
            "http": self._http,
            "clock": self._clock,
            "extra_headers": self._clock.headers,
            "quota_profile": settings.quota_profile,
            "run_id": RUN_ID,
        }
        self._youtube = YouTubeClient(replay_url, "replay-key", gate=self._gate, **shared)
        self._twitch = TwitchClient(
            replay_url, replay_url, "replay-client", "replay-secret", **shared
        )
        categories = tracked_categories(store)
        self._charts = categories[categories["kind"] == "chart"]
        self._games = categories[categories["kind"] == "game"]
        self._classifier = classifier_from_categories(categories)
        self._state = store.read(_STATE)
        self._complete_at = last_complete_starts(store, _GAMES, datetime.now(UTC))
        self._streams_got: dict[str, int] = {}  # by the last complete crawl of this load
        self._stored_charts = charts_crawled(store)  # before this load
        self._lists = pd.DataFrame()  # of the last crawl of the charts of this load

    def close(self) -> None:
        """Close the connections to the server."""
        self._twitch.close()
        self._youtube.close()
        self._http.close()
        self._ledger.close()

    def load(
        self,
        steps: Sequence[Step],
        *,
        on_step: Callable[[Step], None] = lambda _step: None,
        stopped: Callable[[], bool] = lambda: False,
    ) -> int:
        """Make the planned crawls; returns how many were stored.

        Raises
        ------
        SourceError
            When the server answered nothing at all to a crawl; what came before is stored.
        """
        batch: list[CrawlResult] = []
        stored = 0

        def store_batch() -> None:
            nonlocal stored
            if batch:
                self._store.commit(_writes(batch))
                stored += len(batch)
                batch.clear()

        try:
            for step in steps:
                if stopped():
                    break
                self._clock.moment = step.at
                if step.dataset == "youtube_games":
                    store_batch()  # its candidates are read from the record
                batch.append(result := self._crawl(step))
                self._remember(result)
                result.raise_if_nothing_came()
                on_step(step)
                if len(batch) >= _BATCH:
                    store_batch()
        finally:
            store_batch()
        return stored

    def _crawl(self, step: Step) -> CrawlResult:
        planned = {"videos.list": len(self._charts) * len(self._settings.regions)}
        if step.dataset != "youtube_trending":
            planned = {"videos.list": len(self._games)}
        if step.dataset in ("twitch_streams", "clip_radar"):
            return self._collect(step)  # paced by the minute, not counted by the day
        purpose = f"collection/{step.dataset}"
        with self._ledger.open(purpose=purpose, clock=self._clock, planned=planned) as gate:
            self._gate.current = gate
            return self._collect(step)

    def _collect(self, step: Step) -> CrawlResult:
        match step.dataset:
            case "youtube_trending":
                return collect_trending(
                    self._youtube,
                    charts=self._charts,
                    regions=self._settings.regions,
                    previous=Previous(
                        state=self._state_of(step.dataset), lists=self._lists_before(step.at)
                    ),
                    run_id=RUN_ID,
                    max_parallel=self._settings.max_parallel_requests,
                )
            case "youtube_games":
                reconcile = step.at.hour == _RECONCILE_HOUR
                plan = plan_games(
                    self._games,
                    self._state_of(step.dataset),
                    as_of=step.at,
                    available_units=self._ledger.remaining(step.at)["youtube.default"],
                    reconcile=reconcile,
                )
                return collect_games(
                    self._youtube,
                    plan=plan,
                    candidates=game_candidates(self._store, as_of=step.at),
                    classifier=self._classifier,
                    reconcile=reconcile,
                    previous=Previous(
                        state=self._state_of(step.dataset),
                        complete_at={g: t for g, t in self._complete_at.items() if t < step.at},
                    ),
                    run_id=RUN_ID,
                    max_parallel=self._settings.max_parallel_requests,
                )
            case "twitch_streams":
                return collect_streams(
                    self._twitch,
                    games=self._games,
                    previous=Previous(
                        state=self._state_of(step.dataset), got=dict(self._streams_got)
                    ),
                    run_id=RUN_ID,
                    max_parallel=self._settings.max_parallel_requests,
                )
            case "clip_radar":
                return collect_clips(
                    self._twitch,
                    games=self._games,
                    since=step.at - _CLIP_AGE,
                    until=step.at,
                    previous=Previous(state=self._state_of(step.dataset)),
                    run_id=RUN_ID,
                    max_parallel=self._settings.max_parallel_requests,
                )

    def _state_of(self, dataset: str) -> pd.DataFrame:
        mine = self._state["dataset"] == f"collection/{dataset}"
        return self._state[mine].reset_index(drop=True)

    def _lists_before(self, at: datetime) -> pd.DataFrame:
        """Return what the charts listed just before, be it loaded now or stored already."""
        earlier = self._stored_charts[: self._stored_charts.searchsorted(pd.Timestamp(at))]
        mine = self._lists["crawl_at"].max() if len(self._lists) else None
        if len(earlier) and (mine is None or mine < earlier[-1]):
            return last_lists(self._store, at)
        return self._lists[self._lists["crawl_at"] >= at - LISTS_LAST] if mine else self._lists

    def _remember(self, result: CrawlResult) -> None:
        if result.dataset == "collection/youtube_trending" and len(result.rows):
            rows = result.rows[["crawl_at", "chart", "region", "video_id"]]
            older = self._lists if len(self._lists) else rows.iloc[:0]
            of_list = [pd.MultiIndex.from_frame(f[["chart", "region"]]) for f in (older, rows)]
            # What an incomplete crawl did not get stays as it was seen last.
            self._lists = pd.concat([older[~of_list[0].isin(of_list[1])], rows], ignore_index=True)
        rows = pd.concat([self._state, result.frames[_STATE]], ignore_index=True)
        self._state = rows.drop_duplicates(["dataset", "category"], keep="last")
        crawls = result.frames["operations.crawls"]
        complete = crawls[crawls["is_complete"].astype(bool)]
        streams = complete[complete["dataset"].isin(_STREAMS)]
        self._streams_got.update(zip(streams["category"], streams["got"], strict=True))
        games = complete.loc[complete["dataset"] == _GAMES, "category"]
        self._complete_at.update(dict.fromkeys(games, result.crawl_at))


def _writes(batch: Sequence[CrawlResult]) -> list[WriteOp]:
    """Return the writes of several crawls, one per table, in the order of time."""
    frames: dict[str, list[pd.DataFrame]] = defaultdict(list)
    for result in batch:
        for name, frame in result.frames.items():
            if len(frame):
                frames[name].append(frame)
    writes: list[WriteOp] = []
    for name, parts in frames.items():
        rows = pd.concat(parts, ignore_index=True)
        key = [column.name for column in tables.tables[name].primary_key]
        # A moment that failed wholly is asked again, and has its row already.
        if name in REPLACED_TABLES or name == "operations.crawls":
            writes.append(Upsert(name, rows.drop_duplicates(key, keep="last")))
        else:
            writes.append(Append(name, rows.drop_duplicates(key, keep="first")))
    return writes
