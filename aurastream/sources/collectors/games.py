"""The videos of the tracked games: refreshed by id, found by search once a day.

The chart of all games names no game, and asking it once per game would bring the same fifty videos
eight times. So the candidates (videos of the gaming chart, and those already known) are assigned
to games by the classifier, their counters are fetched by id in shared batches, each id once, and
every video that comes back is classified again by what its title and tags say now.
"""

import datetime as dt
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from aurastream.core.games import GameClassifier
from aurastream.core.hashes import EMPTY_HASH, STATISTICS, Kinds, content_hash, group_hashes
from aurastream.core.planner import Plan
from aurastream.core.quota import BATCH_SIZE, SEARCH_CALLS_PER_DAY
from aurastream.sources.collectors import assembly
from aurastream.sources.collectors.calls import Answer, Call, ask_all, said_of_rejects
from aurastream.sources.collectors.result import CrawlResult, Previous
from aurastream.sources.ports import Rejected, YouTubeSource

__all__ = ["CANDIDATES", "CHANNELS", "GAMES", "collect_games"]

_DATASET: Final = "collection/youtube_games"
_GAMING: Final = 20
# No slug of a game can look like these.
_BATCH: Final = "#videos"
_CHANNEL_BATCH: Final = "#channels"
_RECENT: Final = dt.timedelta(days=3)
CANDIDATES: Final = ("video_id", "title", "tags", "channel_id", "category_id")
GAMES: Final = (
    "observed_at",
    "game",
    "video_id",
    "views",
    "likes",
    "comments",
    "concurrent_viewers",
    "confidence",
    "rule",
    "classifier_version",
    "discovered_by",
    "metadata_hash",
    "crawl_at",
    "fetch_id",
)
CHANNELS: Final = (
    "observed_at",
    "channel_id",
    "title",
    "country",
    "published_at",
    "views",
    "subscribers",
    "videos",
    "fetch_id",
)
_MEMBERSHIP: Final[Kinds] = {"game": "text", "video_id": "text", "metadata_hash": "text"}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """Ids to fetch, each once, with the game it is wanted for and how it was found."""

    game: dict[str, str]
    found_by: dict[str, str]

    def ids(self) -> list[str]:
        return list(self.game)


def collect_games(
    youtube: YouTubeSource,
    *,
    plan: Plan,
    candidates: pd.DataFrame,
    classifier: GameClassifier,
    reconcile: bool = False,
    previous: Previous | None = None,
    run_id: str | None = None,
    max_parallel: int = 4,
    max_searches: int = SEARCH_CALLS_PER_DAY,
) -> CrawlResult:
    """Collect the counters of the planned games' videos.

    Parameters
    ----------
    youtube : YouTubeSource
        The client.
    plan : Plan
        Games to collect, in order, with ``max_videos`` of each.
    candidates : pandas.DataFrame
        Videos that may belong to a game, newest metadata version of each: ``video_id``, ``title``,
        ``tags``, ``channel_id``, ``category_id``; where known also ``views``, ``published_at`` and
        ``observed_at`` (what was seen since the last complete crawl of its game began is
        refreshed first, of that the fastest),
        ``discovered_by`` (``chart`` or ``refresh``; ``chart`` when absent) and
        ``first_observed_at``, which keeps an ambiguous video in the quarantine once rather than
        once per crawl.
    classifier : GameClassifier
        The rules.
    reconcile : bool, optional
        Search for each planned game as well, and collect the channels of all its videos.
    previous : Previous, optional
        State and newest videos of earlier crawls, and when the last complete ones began.
    run_id : str, optional
        Written into the fetch log.
    max_parallel : int, optional
        Calls under way at a time.
    max_searches : int, optional
        Searches this crawl may make; the games first in the plan get them.

    Returns
    -------
    CrawlResult
        With ``collection.youtube_games``, ``collection.youtube_videos`` and, on reconcile,
        ``collection.youtube_channels``. A planned game without candidates is complete and empty.
    """
    previous = previous or Previous()
    planned = plan.selected
    candidates = candidates.reset_index(drop=True)
    known = classifier.classify(candidates)
    wanted = _choose(candidates, known, plan, previous.complete_at)

    searches: list[Answer] = []
    if reconcile:
        searches = _search(youtube, plan, max_searches, max_parallel)
        _add_found(wanted, searches)
    refreshes = _refresh(youtube, wanted.ids(), max_parallel)

    videos = assembly.with_hashes(assembly.merge("videos", refreshes))
    videos = videos.drop_duplicates("video_id")
    verdicts = classifier.classify(videos)
    rows = _rows(videos, verdicts, wanted, planned)
    channels: list[Answer] = []
    if reconcile:
        stored = videos["video_id"].isin(rows["video_id"])
        channels = _channels(youtube, videos.loc[stored, "channel_id"], max_parallel)

    answers = [*searches, *refreshes, *channels]
    fetches = assembly.all_fetches(answers)
    crawl_at = assembly.crawl_start(fetches, plan.as_of)
    rows = rows.assign(crawl_at=crawl_at).reindex(columns=list(GAMES))

    membership = {str(k): v for k, v in group_hashes(rows, ["game"], _MEMBERSHIP).items()}
    statistics = {str(k): v for k, v in group_hashes(rows, ["game"], STATISTICS).items()}
    crawls = assembly.crawls_frame(
        [
            _crawl(game, rows, wanted, [*searches, *refreshes], crawl_at)
            | {
                "membership_hash": membership.get(game, EMPTY_HASH),
                "stats_hash": statistics.get(game, EMPTY_HASH),
            }
            for game in planned
        ]
    )
    quarantined = assembly.quarantine(_DATASET, answers, crawl_at)
    quarantined += _ambiguous(candidates, known, crawl_at)
    quarantined += _ambiguous(
        videos[~videos["video_id"].isin(candidates["video_id"])], verdicts, crawl_at
    )
    frames = {
        "collection.youtube_games": rows,
        "collection.youtube_videos": assembly.video_versions(videos),
        "operations.crawls": crawls,
        "operations.fetch_log": assembly.fetch_log(fetches, run_id),
        "operations.quarantine": assembly.quarantine_frame(quarantined),
        "operations.collection_state": assembly.state_frame(
            _DATASET, crawl_at, crawls, membership, previous, partial_counts=False
        ),
    }
    if reconcile:
        found = assembly.merge("channels", channels).reindex(columns=list(CHANNELS))
        frames["collection.youtube_channels"] = found.drop_duplicates("channel_id")
    gone = sum(len(a.crawl.missing_ids) for a in refreshes if a.crawl is not None)
    return CrawlResult(
        dataset=_DATASET,
        frames=frames,
        metadata=assembly.summary(rows, crawls, fetches, len(quarantined))
        | assembly.compare(videos[videos["video_id"].isin(rows["video_id"])], previous)
        | {
            "games": ", ".join(planned),
            "skipped": "; ".join(f"{game}: {why}" for game, why in sorted(plan.skipped.items())),
            "ambiguous": int(known["is_ambiguous"].sum()),
            "gone": gone,
            "classifier_version": classifier.version,
        },
        membership_hash=content_hash(rows, _MEMBERSHIP),
        stats_hash=content_hash(rows, STATISTICS),
        is_complete=bool(crawls["is_complete"].all()),
        crawl_at=crawl_at,
        error=assembly.nothing_came(answers),
    )


def _choose(
    candidates: pd.DataFrame,
    known: pd.DataFrame,
    plan: Plan,
    complete_at: Mapping[str, dt.datetime],
) -> _Wanted:
    """Choose each planned game's fastest candidates, as many as the plan grants it.

    Those that were seen since the last complete crawl of the game began go first: of the others,
    some are gone, and their last speed would keep their places for as long as they are candidates.
    """
    speed = _speed(candidates)
    source = candidates.get("discovered_by", pd.Series("chart", index=candidates.index))
    pool = pd.DataFrame(
        {
            "video_id": candidates["video_id"],
            "game": known["game"],
            "is_current": _is_current(candidates, known["game"], complete_at),
            "speed": speed,
            "source": source,
        }
    )
    pool = pool[pool["game"].notna()].sort_values(
        ["is_current", "speed", "video_id"], ascending=[False, False, True]
    )
    pool = pool.drop_duplicates("video_id")
    wanted = _Wanted({}, {})
    chosen = plan.games[plan.games["is_selected"]]
    for game, most in zip(chosen["category"], chosen["max_videos"], strict=True):
        part = pool[pool["game"] == game].head(int(most))
        for video, found_by in zip(part["video_id"], part["source"], strict=True):
            wanted.game[str(video)] = str(game)
            wanted.found_by[str(video)] = str(found_by)
    return wanted


def _is_current(
    candidates: pd.DataFrame, game: "pd.Series[str]", complete_at: Mapping[str, dt.datetime]
) -> "pd.Series[bool]":
    """Tell which candidates were seen in the last complete crawl of their game, or since."""
    if "observed_at" not in candidates:
        return pd.Series(data=False, index=candidates.index)
    seen = pd.to_datetime(candidates["observed_at"], utc=True)
    return seen >= pd.to_datetime(game.map(complete_at), utc=True)


def _speed(candidates: pd.DataFrame) -> "pd.Series[float]":
    """Return views per hour of life as last seen; 0 where that is not known."""
    if not {"views", "published_at", "observed_at"} <= set(candidates.columns):
        return pd.Series(0.0, index=candidates.index)
    seen = pd.to_datetime(candidates["observed_at"], utc=True)
    age = (seen - pd.to_datetime(candidates["published_at"], utc=True)) / pd.Timedelta(hours=1)
    views = pd.to_numeric(candidates["views"], errors="coerce").astype("Float64")
    return (views / age.clip(lower=0.5)).astype("Float64").fillna(0.0).astype(float)


def _search(
    youtube: YouTubeSource, plan: Plan, max_searches: int, max_parallel: int
) -> list[Answer]:
    """Search for recent videos of each planned game, one page each."""
    chosen = plan.games[plan.games["is_selected"]].head(max_searches)
    after = plan.as_of - _RECENT
    return ask_all(
        [
            Call(
                str(game),
                "",
                partial(
                    youtube.search,
                    str(title),
                    category_id=_GAMING,
                    order="viewCount",
                    published_after=after,
                ),
            )
            for game, title in zip(chosen["category"], chosen["title"], strict=True)
        ],
        max_parallel=max_parallel,
    )


def _add_found(wanted: _Wanted, searches: Sequence[Answer]) -> None:
    for answer in searches:
        if answer.crawl is None:
            continue
        for video in answer.crawl.columns.get("video_id", ()):
            # Channels and playlists among the results have no video id.
            if video and video not in wanted.game:
                wanted.game[video] = answer.category
                wanted.found_by[video] = "search"


def _refresh(youtube: YouTubeSource, ids: Sequence[str], max_parallel: int) -> list[Answer]:
    batches = [list(ids[i : i + BATCH_SIZE]) for i in range(0, len(ids), BATCH_SIZE)]
    return ask_all(
        [
            # The batch is named by its number: it serves many games.
            Call(_BATCH, str(number), partial(youtube.videos_by_ids, batch))
            for number, batch in enumerate(batches)
        ],
        max_parallel=max_parallel,
    )


def _channels(
    youtube: YouTubeSource, channels: "pd.Series[str]", max_parallel: int
) -> list[Answer]:
    ids = sorted(set(channels))
    batches = [ids[i : i + BATCH_SIZE] for i in range(0, len(ids), BATCH_SIZE)]
    return ask_all(
        [
            Call(_CHANNEL_BATCH, str(number), partial(youtube.channels_by_ids, batch))
            for number, batch in enumerate(batches)
        ],
        max_parallel=max_parallel,
    )


def _rows(
    videos: pd.DataFrame, verdicts: pd.DataFrame, wanted: _Wanted, planned: Sequence[str]
) -> pd.DataFrame:
    """Return the videos that belong to a planned game, game by game in their order.

    A video of a game that is not planned is left out: a crawl of that game with one video would
    be taken for the game's whole state.
    """
    rows = videos.assign(
        game=verdicts["game"],
        confidence=verdicts["confidence"].astype("float32"),
        rule=verdicts["rule"],
        classifier_version=verdicts["classifier_version"],
        discovered_by=videos["video_id"].map(wanted.found_by),
    )
    rows = rows[rows["game"].isin(list(planned))]
    return rows.sort_values(["game", "video_id"], kind="stable").reset_index(drop=True)


def _crawl(
    game: str,
    rows: pd.DataFrame,
    wanted: _Wanted,
    answers: Sequence[Answer],
    crawl_at: dt.datetime,
) -> dict[str, Any]:
    """Say what the crawl of one game expected and got.

    Expected is what was stored and what could not be fetched or understood: deleted videos and
    videos whose new title names no game any more are no longer expected.
    """
    mine = rows[rows["game"] == game]
    unfetched = rejected = 0
    reasons: list[str] = []
    ids = wanted.ids()
    for answer in answers:
        if answer.category == game:  # the search
            reasons += [answer.reason] if answer.reason else []
            continue
        if answer.category != _BATCH:
            continue
        start = int(answer.region) * BATCH_SIZE
        batch = ids[start : start + BATCH_SIZE]
        lost = batch if answer.crawl is None else list(answer.crawl.unfetched_ids)
        mine_lost = sum(wanted.game.get(video) == game for video in lost)
        unfetched += mine_lost
        if mine_lost:
            reasons.append(answer.reason or "incomplete")
        rejected += sum(wanted.game.get(item.item_id or "") == game for item in answer.rejected)
    if said := said_of_rejects(rejected, len(mine)):
        reasons.append(said)
    return {
        "crawl_at": crawl_at,
        "dataset": _DATASET,
        "category": game,
        "region": "",
        "observed_at": mine["observed_at"].max() if len(mine) else None,
        "expected": len(mine) + unfetched + rejected,
        "got": len(mine),
        "rejected": rejected,
        "is_complete": not reasons,
        "reason": ", ".join(dict.fromkeys(reasons)),
    }


def _ambiguous(
    videos: pd.DataFrame, verdicts: pd.DataFrame, crawl_at: dt.datetime
) -> list[dict[str, Any]]:
    """Return the quarantine rows of videos that fit two games equally well."""
    unclear = videos[verdicts.loc[videos.index, "is_ambiguous"].to_numpy(dtype=bool)]
    rows = []
    for record in unclear.to_dict("records"):
        video: Mapping[Any, Any] = record
        verdict = verdicts[verdicts["video_id"] == video["video_id"]].iloc[0]
        first = video.get("first_observed_at")
        tags = video["tags"]
        shown = {
            "id": video["video_id"],
            "title": video["title"],
            "tags": list(tags) if isinstance(tags, list | tuple | np.ndarray) else [],
            "channelId": video["channel_id"],
        }
        rows.append(
            assembly.quarantine_row(
                _DATASET,
                Rejected(
                    str(video["video_id"]),
                    str(verdict["reason"]),
                    json.dumps(shown, ensure_ascii=False, sort_keys=True),
                ),
                # The same verdict on the same version of a video is the same row in every crawl.
                occurred_at=crawl_at if first is None or pd.isna(first) else first,
                identity=(str(verdict["classifier_version"]), str(video["title"])),
            )
        )
    return rows
