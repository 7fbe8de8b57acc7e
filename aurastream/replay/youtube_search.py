"""search.list over the archived videos, their channels, and the live broadcasts."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from html import escape
from math import log10
from typing import Any, Final

import numpy as np

from aurastream.replay.moments import rfc3339
from aurastream.replay.youtube_live import LiveBroadcast, YouTubeLive
from aurastream.replay.youtube_world import (
    SEARCH_THUMBNAILS,
    CycleView,
    YouTubeWorld,
    etag,
    thumbnails,
)

__all__ = ["SEARCH_LIMIT", "Hit", "Search", "SearchQuery"]

SEARCH_LIMIT: Final = 500  # the API pages no further than this
_TITLE_MATCH: Final = 3.0  # orders of magnitude of views that a match in the title is worth


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to look for; empty text and None mean no restriction."""

    text: str = ""
    kinds: tuple[str, ...] = ("video", "channel")
    event_type: str = ""
    channel_id: str = ""
    after: float | None = None
    before: float | None = None
    category: int | None = None
    order: str = "relevance"


@dataclass(frozen=True, slots=True)
class Hit:
    """One result before it is written out."""

    kind: str
    title: str
    published: float
    views: int
    relevance: float
    source: int | LiveBroadcast


@dataclass(frozen=True, slots=True)
class _Terms:
    """A search expression: any of several groups of words, none of the excluded ones."""

    groups: tuple[tuple[str, ...], ...]
    excluded: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> "_Terms":
        excluded = [word[1:] for word in text.casefold().split() if word.startswith("-")]
        wanted = " ".join(word for word in text.casefold().split() if not word.startswith("-"))
        groups = (tuple(part.replace('"', "").split()) for part in wanted.split("|"))
        return cls(tuple(group for group in groups if group), tuple(filter(None, excluded)))

    def match(self, text: str) -> bool:
        if any(word in text for word in self.excluded):
            return False
        return not self.groups or any(all(word in text for word in group) for group in self.groups)


class Search:
    """Finds hits; writing them out is separate, because only one page is written."""

    def __init__(self, world: YouTubeWorld, live: YouTubeLive) -> None:
        self._world = world
        self._live = live

    @cached_property
    def _texts(self) -> list[str]:
        archive = self._world.archive
        return [
            "\n".join((title, archive.channel_titles[channel], *tags)).casefold()
            for title, channel, tags in zip(
                archive.titles, archive.channel.tolist(), archive.tags, strict=True
            )
        ]

    def find(self, query: SearchQuery, view: CycleView, moment: float) -> list[Hit]:
        """Return all hits in the order asked for, at most `SEARCH_LIMIT`.

        Parameters
        ----------
        query : SearchQuery
            What to look for.
        view : CycleView
            The pass the moment lies in.
        moment : float
            Seconds since 1970.
        """
        terms = _Terms.parse(query.text)
        hits: list[Hit] = []
        if "video" in query.kinds:
            if query.event_type:
                states: tuple[str, ...] = (query.event_type,)
            else:
                hits += self._archived(query, terms, view, moment)
                states = ("live",)
            hits += (
                hit for state in states for hit in self._broadcasts(query, terms, state, moment)
            )
        if "channel" in query.kinds and not query.event_type and query.category is None:
            hits += self._channels(query, terms, view)
        return _sorted(hits, query.order)[:SEARCH_LIMIT]

    def item(self, hit: Hit, view: CycleView, base: str, moment: float) -> dict[str, Any]:
        """Return a hit as a JSON object of the API; titles are HTML-escaped, as there."""
        if hit.kind == "channel":
            return self._channel_item(hit, view, base)
        if isinstance(hit.source, LiveBroadcast):
            broadcast = hit.source
            state = broadcast.state(moment)
            video_id = self._live.video_id(broadcast)
            channel_id = self._live.channel_ids[broadcast.channel]
            channel_title = self._live.channel_title(broadcast.channel)
            content = "none" if state == "completed" else state
        else:
            channel = int(self._world.archive.channel[hit.source])
            video_id, channel_id = view.video_ids[hit.source], view.channel_ids[channel]
            channel_title, content = self._world.archive.channel_titles[channel], "none"
        suffix = "" if content == "none" else "_live"
        snippet = {
            "publishedAt": rfc3339(hit.published),
            "channelId": channel_id,
            "title": _escape(hit.title),
            "description": "",
            "thumbnails": thumbnails(base, video_id, SEARCH_THUMBNAILS, suffix),
            "channelTitle": _escape(channel_title),
            "liveBroadcastContent": content,
            "publishTime": rfc3339(hit.published),
        }
        return {
            "kind": "youtube#searchResult",
            "etag": etag(video_id.encode(), content.encode()).decode(),
            "id": {"kind": "youtube#video", "videoId": video_id},
            "snippet": snippet,
        }

    def _archived(
        self, query: SearchQuery, terms: _Terms, view: CycleView, moment: float
    ) -> Iterable[Hit]:
        archive, shift = self._world.archive, view.cycle.shift
        places = np.arange(len(archive.video_ids))
        mask = self._world.exists(places, moment - shift)
        if query.after is not None:
            mask &= archive.published + shift >= query.after
        if query.before is not None:
            mask &= archive.published + shift < query.before
        if query.category is not None:
            mask &= archive.categories == query.category
        if query.channel_id:
            mask &= archive.channel == view.channels.get(query.channel_id, -1)
        texts = self._texts
        found = [place for place in np.flatnonzero(mask).tolist() if terms.match(texts[place])]
        for place, (views, _, _) in zip(
            found, self._world.counters(view, found, moment) if found else [], strict=True
        ):
            title = archive.titles[place]
            bonus = _TITLE_MATCH if terms.match(title.casefold()) else 0.0
            yield Hit(
                "video",
                title,
                int(archive.published[place]) + shift,
                views,
                log10(views + 1) + bonus,
                place,
            )

    def _broadcasts(
        self, query: SearchQuery, terms: _Terms, state: str, moment: float
    ) -> Iterable[Hit]:
        if query.category not in {None, 20}:
            return
        for each in self._live.in_state(state, moment):
            title = self._live.title(each)
            channel_id = self._live.channel_ids[each.channel]
            published = each.announced if state == "upcoming" else each.start
            text = f"{title}\n{self._live.channel_title(each.channel)}".casefold()
            if (
                (not query.channel_id or channel_id == query.channel_id)
                and (query.after is None or published >= query.after)
                and (query.before is None or published < query.before)
                and terms.match(text)
            ):
                views = self._live.views(each, moment)
                yield Hit("video", title, published, views, log10(each.level + 1), each)

    def _channels(self, query: SearchQuery, terms: _Terms, view: CycleView) -> Iterable[Hit]:
        for place, title in enumerate(self._world.archive.channel_titles):
            mine = not query.channel_id or view.channel_ids[place] == query.channel_id
            if mine and terms.match(title.casefold()):
                yield Hit("channel", title, view.cycle.start, 0, 0.5, place)

    def _channel_item(self, hit: Hit, view: CycleView, base: str) -> dict[str, Any]:
        channel_id = view.channel_ids[hit.source if isinstance(hit.source, int) else 0]
        pictures = (("default", 88), ("medium", 240), ("high", 800))
        snippet = {
            "publishedAt": rfc3339(hit.published),
            "channelId": channel_id,
            "title": _escape(hit.title),
            "description": "",
            "thumbnails": {
                name: {"url": f"{base}/ytc/{channel_id}/{size}.jpg"} for name, size in pictures
            },
            "channelTitle": _escape(hit.title),
            # A recorded oddity: a channel result says "upcoming" whatever the channel does.
            "liveBroadcastContent": "upcoming",
            "publishTime": rfc3339(hit.published),
        }
        return {
            "kind": "youtube#searchResult",
            "etag": etag(channel_id.encode()).decode(),
            "id": {"kind": "youtube#channel", "channelId": channel_id},
            "snippet": snippet,
        }


def _sorted(hits: list[Hit], order: str) -> list[Hit]:
    if order == "date":
        return sorted(hits, key=lambda hit: (-hit.published, hit.title))
    if order == "viewCount":
        return sorted(hits, key=lambda hit: (-hit.views, hit.title))
    if order == "title":
        return sorted(hits, key=lambda hit: (hit.title, -hit.published))
    return sorted(hits, key=lambda hit: (-hit.relevance, hit.title, -hit.published))


def _escape(text: str) -> str:
    return escape(text).replace("&#x27;", "&#39;")
