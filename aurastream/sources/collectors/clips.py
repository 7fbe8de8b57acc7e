"""Recent clips of the tracked games.

Paging through clips repeats and omits some once a list is long, so the time is cut into narrow
windows that overlap a little, each short enough for few pages, and clips are told apart by id.
"""

import datetime as dt
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any, Final

import pandas as pd

from aurastream.core.hashes import EMPTY_HASH, Kinds, content_hash, group_hashes
from aurastream.sources.collectors import assembly
from aurastream.sources.collectors.calls import Answer, Call, ask_all
from aurastream.sources.collectors.result import CrawlResult, Previous
from aurastream.sources.ports import TwitchSource

__all__ = ["CLIPS", "collect_clips"]

_DATASET: Final = "collection/clip_radar"
_NARROWEST: Final = dt.timedelta(minutes=15)
CLIPS: Final = (
    "observed_at",
    "game_id",
    "clip_id",
    "broadcaster_id",
    "broadcaster_name",
    "creator_id",
    "video_id",
    "title",
    "view_count",
    "language",
    "created_at",
    "duration_s",
    "vod_offset_s",
    "thumbnail_url",
    "crawl_at",
    "fetch_id",
)
_MEMBERSHIP: Final[Kinds] = {"game_id": "text", "clip_id": "text", "title": "text"}
_STATISTICS: Final[Kinds] = {"game_id": "text", "clip_id": "text", "view_count": "integer"}


def collect_clips(
    twitch: TwitchSource,
    *,
    games: pd.DataFrame,
    since: dt.datetime,
    until: dt.datetime,
    since_of: Mapping[str, dt.datetime] | None = None,
    window: dt.timedelta = dt.timedelta(hours=6),
    overlap: dt.timedelta = dt.timedelta(minutes=5),
    max_items: int = 1000,
    previous: Previous | None = None,
    run_id: str | None = None,
    max_parallel: int = 4,
) -> CrawlResult:
    """Collect the clips of every game that were made in [since, until).

    Parameters
    ----------
    twitch : TwitchSource
        The client.
    games : pandas.DataFrame
        Rows of ``operations.categories``: ``category`` and ``twitch_game_id``; rows that are no
        enabled game or have no Twitch id are ignored.
    since, until : datetime.datetime
        Aware instants, ``since`` before ``until``.
    since_of : Mapping, optional
        Games that are asked about from an earlier instant on than ``since``, by category.
    window : datetime.timedelta, optional
        Width of a window, above 0; a window that fills up is asked again in halves.
    overlap : datetime.timedelta, optional
        How far a window reaches back into the one before it.
    max_items : int, optional
        Clips per window from which on it counts as full.
    previous : Previous, optional
        State of earlier crawls.
    run_id : str, optional
        Written into the fetch log.
    max_parallel : int, optional
        Calls under way at a time.

    Returns
    -------
    CrawlResult
        With ``collection.clip_radar``, one row per clip, the first answer kept.

    Raises
    ------
    ValueError
        When the span or a window is empty.
    """
    if not since < until or window <= dt.timedelta(0) or overlap < dt.timedelta(0):
        raise ValueError(f"no time to collect clips in: [{since}, {until}) by {window}")
    previous = previous or Previous()
    wanted = assembly.enabled(games, "game").dropna(subset=["twitch_game_id"])
    ids = {
        str(game): str(game_id)
        for game, game_id in zip(wanted["category"], wanted["twitch_game_id"], strict=True)
    }
    begins = {game: min(since, (since_of or {}).get(game, since)) for game in ids}

    def call(game: str, start: dt.datetime, end: dt.datetime) -> Call:
        ask = partial(
            twitch.clips, ids[game], max(begins[game], start - overlap), end, max_items=max_items
        )
        return Call(game, start.isoformat(), ask)

    spans = [
        (game, start, end)
        for game, begin in begins.items()
        for start, end in _windows(begin, until, window)
    ]
    answers = ask_all([call(*span) for span in spans], max_parallel=max_parallel)
    settled: list[Answer] = []
    superseded: list[Answer] = []
    windows = len(spans)
    while True:
        # A full window is asked again in halves: what its list left out stands in one of them.
        full = [
            (span, answer)
            for span, answer in zip(spans, answers, strict=True)
            if answer.crawl is not None
            and answer.crawl.is_capped
            and span[2] - span[1] > _NARROWEST
        ]
        again = [answer for _, answer in full]
        settled += [answer for answer in answers if not any(answer is a for a in again)]
        superseded += again
        if not full:
            break
        spans = [
            (game, start, end)
            for (game, first, last), _ in full
            for start, end in _windows(first, last, (last - first) / 2)
        ]
        windows += len(spans)
        answers = ask_all([call(*span) for span in spans], max_parallel=max_parallel)
    answers = [*superseded, *settled]

    fetches = assembly.all_fetches(answers)
    crawl_at = assembly.crawl_start(fetches, until)
    found = assembly.merge("clips", answers)
    rows = found.assign(crawl_at=crawl_at).reindex(columns=["category", *CLIPS])
    repeated = len(rows)
    rows = rows.drop_duplicates(["category", "clip_id"])
    repeated -= len(rows)
    rows = rows.sort_values(
        ["category", "created_at", "clip_id"], ascending=[True, False, True], kind="stable"
    ).reset_index(drop=True)
    membership = {str(k): v for k, v in group_hashes(rows, ["category"], _MEMBERSHIP).items()}
    statistics = {str(k): v for k, v in group_hashes(rows, ["category"], _STATISTICS).items()}
    counts = rows["category"].value_counts()
    crawls = assembly.crawls_frame(
        [
            _crawl(game, [a for a in settled if a.category == game], crawl_at)
            | {
                "got": int(counts.get(game, 0)),
                "membership_hash": membership.get(game, EMPTY_HASH),
                "stats_hash": statistics.get(game, EMPTY_HASH),
            }
            for game in ids
        ]
    )
    quarantined = assembly.quarantine(_DATASET, answers, crawl_at)
    return CrawlResult(
        dataset=_DATASET,
        frames={
            "collection.clip_radar": rows.reindex(columns=list(CLIPS)),
            "operations.crawls": crawls,
            "operations.fetch_log": assembly.fetch_log(fetches, run_id),
            "operations.quarantine": assembly.quarantine_frame(quarantined),
            "operations.collection_state": assembly.state_frame(
                _DATASET, crawl_at, crawls, membership, previous
            ),
        },
        metadata=assembly.summary(rows, crawls, fetches, len(quarantined))
        | assembly.compare_items(rows, previous, "clip_id", "view_count")
        | {"repeated": repeated, "windows": windows},
        membership_hash=content_hash(rows, _MEMBERSHIP),
        stats_hash=content_hash(rows, _STATISTICS),
        is_complete=bool(crawls["is_complete"].all()),
        crawl_at=crawl_at,
        error=assembly.nothing_came(answers),
    )


def _windows(
    since: dt.datetime, until: dt.datetime, width: dt.timedelta
) -> Iterator[tuple[dt.datetime, dt.datetime]]:
    start = since
    while start < until:
        end = min(start + width, until)
        yield start, end
        start = end


def _crawl(game: str, answers: list[Answer], crawl_at: dt.datetime) -> dict[str, Any]:
    times = [fetch.observed_at for answer in answers for fetch in answer.fetches]
    reasons = dict.fromkeys(answer.reason for answer in answers if answer.reason)
    if any(answer.crawl is not None and answer.crawl.is_capped for answer in answers):
        reasons["truncated"] = None
    return {
        "crawl_at": crawl_at,
        "dataset": _DATASET,
        "category": game,
        "region": "",
        "observed_at": max(times) if times else None,
        # Twitch says nothing about how many clips there are.
        "expected": None,
        "rejected": sum(len(answer.rejected) for answer in answers),
        "is_complete": not reasons,
        "reason": ", ".join(reasons),
    }
