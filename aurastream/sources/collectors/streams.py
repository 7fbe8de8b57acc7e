"""Live streams on Twitch: the most watched of each tracked game, and the most watched games."""

import datetime as dt
from functools import partial
from typing import Any, Final

import pandas as pd

from aurastream.core.hashes import EMPTY_HASH, Kinds, content_hash, group_hashes
from aurastream.sources.collectors import assembly
from aurastream.sources.collectors.calls import Answer, Call, ask_all
from aurastream.sources.collectors.result import CrawlResult, Previous
from aurastream.sources.ports import TwitchSource

__all__ = ["STREAMS", "TOP_GAMES", "collect_streams"]

_DATASET: Final = "collection/twitch_streams"
_TOP_DATASET: Final = "collection/twitch_top_games"
_TOP: Final = "top_games"
STREAMS: Final = (
    "observed_at",
    "game_id",
    "stream_id",
    "rank",
    "user_id",
    "user_login",
    "user_name",
    "title",
    "viewer_count",
    "started_at",
    "language",
    "tags",
    "is_mature",
    "crawl_at",
    "fetch_id",
)
TOP_GAMES: Final = ("observed_at", "game_id", "rank", "game_name", "crawl_at", "fetch_id")
_MEMBERSHIP: Final[Kinds] = {
    "game_id": "text",
    "stream_id": "text",
    "title": "text",
    "language": "text",
    "tags": "texts",
}
_STATISTICS: Final[Kinds] = {"game_id": "text", "stream_id": "text", "viewer_count": "integer"}
_TOP_MEMBERSHIP: Final[Kinds] = {"game_id": "text", "game_name": "text"}
_TOP_STATISTICS: Final[Kinds] = {"game_id": "text", "rank": "integer"}


def collect_streams(
    twitch: TwitchSource,
    *,
    games: pd.DataFrame,
    top_n: int = 100,
    previous: Previous | None = None,
    run_id: str | None = None,
    max_parallel: int = 4,
    started_at: dt.datetime | None = None,
    adds_viewers: bool = True,
) -> CrawlResult:
    """Collect the top streams of every game and the most watched games.

    Parameters
    ----------
    twitch : TwitchSource
        The client.
    games : pandas.DataFrame
        Rows of ``operations.categories``: ``category`` and ``twitch_game_id``; rows that are no
        enabled game or have no Twitch id are ignored.
    top_n : int, optional
        Streams per game, and games in the list of most watched ones.
    previous : Previous, optional
        State of earlier crawls, and what the last complete ones got, by category and for
        ``top_games``: so many, at most ``top_n``, are expected again. Without it nobody can say
        how many there are.
    run_id : str, optional
        Written into the fetch log.
    max_parallel : int, optional
        Calls under way at a time.
    started_at : datetime.datetime, optional
        Start of the crawl for the case that no call was made at all.
    adds_viewers : bool, optional
        Whether the crawl keeps the viewers of each game, added up; Twitch has to allow that.

    Returns
    -------
    CrawlResult
        With ``collection.twitch_streams`` and ``collection.twitch_top_games``.
    """
    previous = previous or Previous()
    wanted = assembly.enabled(games, "game").dropna(subset=["twitch_game_id"])
    calls = [
        Call(str(game), "", partial(twitch.streams, str(game_id), top_n))
        for game, game_id in zip(wanted["category"], wanted["twitch_game_id"], strict=True)
    ]
    calls.append(Call(_TOP, "", partial(twitch.top_games, top_n)))
    *answers, top = ask_all(calls, max_parallel=max_parallel)
    both = [*answers, top]
    fetches = assembly.all_fetches(both)
    crawl_at = assembly.crawl_start(fetches, started_at)

    streams = assembly.merge("streams", answers)
    rows = streams.assign(crawl_at=crawl_at).reindex(columns=["category", *STREAMS])
    top_rows = assembly.merge("top_games", [top]).assign(crawl_at=crawl_at)
    top_rows = top_rows.reindex(columns=list(TOP_GAMES))
    membership = {str(k): v for k, v in group_hashes(rows, ["category"], _MEMBERSHIP).items()}
    statistics = {str(k): v for k, v in group_hashes(rows, ["category"], _STATISTICS).items()}
    viewers = _viewers(rows) if adds_viewers else {}
    membership[_TOP] = content_hash(top_rows, _TOP_MEMBERSHIP)
    statistics[_TOP] = content_hash(top_rows, _TOP_STATISTICS)
    crawls = assembly.crawls_frame(
        [
            _crawl(a, crawl_at, _TOP_DATASET if a is top else _DATASET)
            | {
                "expected": _expected(previous, a.category, top_n),
                "membership_hash": membership.get(a.category, EMPTY_HASH),
                "stats_hash": statistics.get(a.category, EMPTY_HASH),
                "viewer_total": viewers.get(
                    a.category, 0 if adds_viewers and a is not top else None
                ),
            }
            for a in both
        ]
    )
    quarantined = assembly.quarantine(_DATASET, answers, crawl_at)
    quarantined += assembly.quarantine(_TOP_DATASET, [top], crawl_at)
    of_games = crawls[crawls["dataset"] == _DATASET]
    return CrawlResult(
        dataset=_DATASET,
        frames={
            "collection.twitch_streams": rows.reindex(columns=list(STREAMS)),
            "collection.twitch_top_games": top_rows,
            "operations.crawls": crawls,
            "operations.fetch_log": assembly.fetch_log(fetches, run_id),
            "operations.quarantine": assembly.quarantine_frame(quarantined),
            "operations.collection_state": assembly.state_frame(
                _DATASET, crawl_at, of_games, membership, previous
            ),
        },
        metadata=assembly.summary(rows, crawls, fetches, len(quarantined))
        | {
            "new": assembly.compare_items(rows, previous, "stream_id", "viewer_count")["new"],
            "viewers": int(pd.to_numeric(rows["viewer_count"]).sum()),
            "changed": _changed(of_games, previous),
            "top_games": len(top_rows),
        },
        membership_hash=content_hash(rows, _MEMBERSHIP),
        stats_hash=content_hash(rows, _STATISTICS),
        is_complete=bool(crawls["is_complete"].all()),
        crawl_at=crawl_at,
        error=assembly.nothing_came(both),
    )


def _crawl(answer: Answer, crawl_at: dt.datetime, dataset: str) -> dict[str, Any]:
    crawl = answer.crawl
    return {
        "crawl_at": crawl_at,
        "dataset": dataset,
        "category": answer.category,
        "region": "",
        "observed_at": answer.fetches[-1].observed_at if answer.fetches else None,
        "got": len(crawl) if crawl is not None else 0,
        "rejected": len(answer.rejected),
        "is_complete": answer.is_complete,
        "reason": answer.reason,
    }


def _viewers(rows: pd.DataFrame) -> dict[str, int]:
    """Return the viewers of each game, a stream that stands on two pages counted once."""
    counted = rows.assign(viewer_count=pd.to_numeric(rows["viewer_count"]))
    once = counted.groupby(["category", "stream_id"], sort=False)["viewer_count"].max()
    totals = once.groupby(level="category").sum()
    return dict(zip(totals.index.astype(str), totals.astype(int).tolist(), strict=True))


def _expected(previous: Previous, category: str, top_n: int) -> int | None:
    got = previous.got.get(category)
    return None if got is None else min(got, top_n)


def _changed(crawls: pd.DataFrame, previous: Previous) -> int:
    """Return the number of games whose set of streams is another one than last time."""
    if previous.state is None:
        return len(crawls)
    before = crawls["category"].map(
        dict(zip(previous.state["category"], previous.state["membership_hash"], strict=True))
    )
    return int((crawls["membership_hash"] != before).sum())
