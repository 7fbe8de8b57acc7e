"""The archived videos and channels as YouTube shows them at a virtual moment.

What never changes about a video is encoded once, when it is first asked for; an answer joins
those bytes with the counters of the moment.
"""

from binascii import b2a_base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha1
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from aurastream.replay.archive import Archive, load_archive
from aurastream.replay.cycles import Cycle, cycle_at
from aurastream.replay.hashing import digest_id, uniform
from aurastream.replay.moments import DAY, rfc3339

__all__ = [
    "LIST_THUMBNAILS",
    "SEARCH_THUMBNAILS",
    "CycleView",
    "YouTubeWorld",
    "branding",
    "channel_status",
    "etag",
    "load_youtube_world",
    "player",
    "thumbnails",
]

LIST_THUMBNAILS: Final = (
    ("default", "default", 120, 90),
    ("medium", "mqdefault", 320, 180),
    ("high", "hqdefault", 480, 360),
    ("standard", "sddefault", 640, 480),
    ("maxres", "maxresdefault", 1280, 720),
)
SEARCH_THUMBNAILS: Final = LIST_THUMBNAILS[:3]
_TOPICS: Final = {
    1: ("Film", "Entertainment"),
    10: ("Music",),
    17: ("Sport",),
    20: ("Video_game_culture",),
    23: ("Humour", "Entertainment"),
    24: ("Entertainment",),
    25: ("Society",),
}
_DELETED: Final = 0.01  # share of videos that vanish some days after they were last seen
_WITHOUT_MAXRES: Final = 0.12
_FOR_KIDS: Final = 0.03
_HIDES_SUBSCRIBERS: Final = 0.04
_SEED: Final = 401
_URL_SAFE: Final = bytes.maketrans(b"+/", b"-_")


@dataclass(slots=True)
class CycleView:
    """One pass through the archive: its ids, and the JSON that was already encoded.

    Parameters
    ----------
    cycle : Cycle
        Which pass.
    video_ids, channel_ids : list of str
        Ids in this pass, in archive order.
    videos, channels : dict
        Archive positions by id.
    """

    cycle: Cycle
    video_ids: list[str]
    channel_ids: list[str]
    videos: dict[str, int]
    channels: dict[str, int]
    encoded: dict[tuple[int, tuple[str, ...]], tuple[bytes, bytes]] = field(default_factory=dict)
    base: str = ""


class YouTubeWorld:
    """Everything the YouTube endpoints are asked about archived videos."""

    def __init__(self, archive: Archive) -> None:
        self.archive = archive
        count = len(archive.video_ids)
        index = np.arange(count)
        last = archive.series.times[archive.series.starts[1:] - 1]
        vanishes = uniform(_SEED, index) < _DELETED
        later = last + ((1 + 9 * uniform(_SEED + 1, index)) * DAY).astype(np.int64)
        self.deleted_at = np.where(vanishes, later, np.iinfo(np.int64).max)
        self.has_maxres = uniform(_SEED + 2, index) >= _WITHOUT_MAXRES
        self.is_for_kids = uniform(_SEED + 3, index) < _FOR_KIDS
        self._cycles: dict[int, CycleView] = {}
        self._encoders: dict[str, Callable[[CycleView, int], Any]] = {
            "snippet": self._snippet,
            "contentDetails": self._content_details,
            "status": self._status,
            "player": lambda view, video: player(view.video_ids[video]),
            "topicDetails": self._topic_details,
            "recordingDetails": lambda *_: {},
            "localizations": lambda *_: None,
            "paidProductPlacementDetails": lambda *_: {"hasPaidProductPlacement": False},
        }

    @property
    def regions(self) -> tuple[str, ...]:
        """Return the regions with charts."""
        return self.archive.charts.regions

    def view(self, moment: float, base: str = "") -> CycleView:
        """Return the pass a moment lies in; encoded parts are kept for one server URL."""
        cycle = cycle_at(moment)
        view = self._cycles.get(cycle.number)
        if view is None:
            video_ids = [cycle.video_id(each) for each in self.archive.video_ids]
            channel_ids = [cycle.channel_id(each) for each in self.archive.channel_ids]
            view = CycleView(
                cycle=cycle,
                video_ids=video_ids,
                channel_ids=channel_ids,
                videos={each: place for place, each in enumerate(video_ids)},
                channels={each: place for place, each in enumerate(channel_ids)},
            )
            if len(self._cycles) > 2:  # noqa: PLR2004 # a moment's own pass and its neighbours
                self._cycles.clear()
            self._cycles[cycle.number] = view
        if base and view.base != base:
            view.encoded.clear()
            view.base = base
        return view

    def exists(self, videos: NDArray[np.int64], at: float) -> NDArray[np.bool_]:
        """Return which videos are published and not deleted at an archive time."""
        there: NDArray[np.bool_] = (self.archive.published[videos] <= at) & (
            self.deleted_at[videos] > at
        )
        return there

    def chart(self, view: CycleView, region: str, category: int, moment: float) -> list[int]:
        """Return the archive positions in a region's chart, the top first.

        Parameters
        ----------
        view : CycleView
            The pass the moment lies in.
        region : str
            One of `regions`.
        category : int
            0 for the whole mix, else only that category's videos.
        moment : float
            Seconds since 1970.
        """
        chart = self.archive.charts.at(region, moment - view.cycle.shift)
        if category:
            chart = chart[self.archive.categories[chart] == category]
        return [int(place) for place in chart]

    def known(self, view: CycleView, ids: Sequence[str], moment: float) -> list[int]:
        """Return the positions of the videos that exist, in the order asked; others drop out."""
        found = [view.videos[each] for each in ids if each in view.videos]
        there = self.exists(np.array(found, dtype=np.int64), moment - view.cycle.shift)
        return [place for place, exists in zip(found, there.tolist(), strict=True) if exists]

    def counters(self, view: CycleView, videos: Sequence[int], moment: float) -> list[list[int]]:
        """Return views, likes and comments of each video; negative where left out."""
        places = np.array(videos, dtype=np.int64)
        counts: list[list[int]] = self.archive.series.at(places, moment - view.cycle.shift).tolist()
        return counts

    def video_items(
        self, view: CycleView, videos: Sequence[int], moment: float, parts: Sequence[str]
    ) -> list[bytes]:
        """Return videos as JSON with just the parts asked for, in the API's order."""
        wanted = tuple(part for part in parts if part in self._encoders)
        counters: Sequence[Sequence[int]] = [()] * len(videos)
        if "statistics" in parts:
            counters = self.counters(view, videos, moment)
        known, ids = view.encoded, view.video_ids
        items = []
        for place, counts in zip(videos, counters, strict=True):
            fixed = known.get((place, wanted))
            if fixed is None:
                fixed = known[place, wanted] = self._encode(view, place, wanted)
            video_id = ids[place].encode()
            numbers = _statistics(counts) if counts else b""
            items.append(
                b'{"kind":"youtube#video","etag":"%b","id":"%b"%b%b}'
                % (etag(video_id, fixed[1], numbers), video_id, fixed[0], numbers)
            )
        return items

    def _encode(self, view: CycleView, video: int, parts: tuple[str, ...]) -> tuple[bytes, bytes]:
        """Return the fixed parts of a video as JSON members, and their digest."""
        body = b""
        for part in parts:
            content = self._encoders[part](view, video)
            if content is not None:
                body += b',"%b":%b' % (part.encode(), orjson.dumps(content))
        return body, etag(body)

    def published_at(self, view: CycleView, video: int) -> str:
        """Return when a video was published, shifted to the pass."""
        return rfc3339(int(self.archive.published[video]) + view.cycle.shift)

    def _snippet(self, view: CycleView, video: int) -> dict[str, Any]:
        archive = self.archive
        channel = int(archive.channel[video])
        sizes = LIST_THUMBNAILS if self.has_maxres[video] else LIST_THUMBNAILS[:4]
        snippet: dict[str, Any] = {
            "publishedAt": self.published_at(view, video),
            "channelId": view.channel_ids[channel],
            "title": archive.titles[video],
            "description": "",
            "thumbnails": thumbnails(view.base, view.video_ids[video], sizes),
            "channelTitle": archive.channel_titles[channel],
        }
        if archive.tags[video]:
            snippet["tags"] = archive.tags[video]
        snippet["categoryId"] = str(int(archive.categories[video]))
        snippet["liveBroadcastContent"] = "none"
        if language := archive.default_languages[video]:
            snippet["defaultLanguage"] = language
        snippet["localized"] = {"title": archive.titles[video], "description": ""}
        if language := archive.audio_languages[video]:
            snippet["defaultAudioLanguage"] = language
        return snippet

    def _content_details(self, _view: CycleView, video: int) -> dict[str, Any]:
        return {
            "duration": self.archive.durations[video],
            "dimension": "2d",
            "definition": "hd" if self.archive.is_hd[video] else "sd",
            "caption": "true" if self.archive.has_captions[video] else "false",
            "licensedContent": self.archive.is_licensed[video],
            "contentRating": {},
            "projection": "rectangular",
        }

    def _status(self, _view: CycleView, video: int) -> dict[str, Any]:
        return {
            "uploadStatus": "processed",
            "privacyStatus": "public",
            "license": "youtube",
            "embeddable": True,
            "publicStatsViewable": True,
            "madeForKids": bool(self.is_for_kids[video]),
        }

    def _topic_details(self, _view: CycleView, video: int) -> dict[str, Any]:
        topics = _TOPICS.get(int(self.archive.categories[video]), ("Lifestyle_(sociology)",))
        return {"topicCategories": [f"https://en.wikipedia.org/wiki/{topic}" for topic in topics]}

    def channel_item(
        self, view: CycleView, channel: int, moment: float, parts: Sequence[str]
    ) -> dict[str, Any]:
        """Return a channel as a JSON object.

        The archive knows a channel's id, name and charting videos only. Its counters are
        invented from those, growing slowly; they say nothing about the real channel.
        """
        channel_id, name = view.channel_ids[channel], self.archive.channel_titles[channel]
        videos = self._videos_of(channel)
        draw = [float(uniform(_SEED + 10 + n, channel)[0]) for n in range(5)]
        content: dict[str, Any] = {"kind": "youtube#channel", "etag": "", "id": channel_id}
        first = int(self.archive.published[videos].min()) + view.cycle.shift
        if "snippet" in parts:
            content["snippet"] = {
                "title": name,
                "description": "",
                "customUrl": "@" + digest_id(6, channel_id).lower(),
                "publishedAt": rfc3339(first - (30 + 3000 * draw[0]) * DAY),
                "thumbnails": {
                    size: {
                        "url": f"{view.base}/ytc/{channel_id}/{px}.jpg",
                        "width": px,
                        "height": px,
                    }
                    for size, px in (("default", 88), ("medium", 240), ("high", 800))
                },
                "localized": {"title": name, "description": ""},
            }
            if draw[1] < 0.85:  # noqa: PLR2004 # most channels declare a country
                content["snippet"]["country"] = self.archive.region_of[channel]
        if "contentDetails" in parts:
            content["contentDetails"] = {
                "relatedPlaylists": {"likes": "", "uploads": "UU" + channel_id[2:]}
            }
        if "statistics" in parts:
            best = float(self.archive.series.curves[self._last_knots(videos), 0, 0].max())
            grown = 1 + 0.0005 * (moment - view.cycle.start) / DAY
            views = int(best * (20 + 180 * draw[2]) * grown)
            hides = draw[3] < _HIDES_SUBSCRIBERS
            content["statistics"] = {
                "viewCount": str(views),
                "subscriberCount": str(_three_digits(int(views * (0.002 + 0.01 * draw[4])))),
                "hiddenSubscriberCount": hides,
                "videoCount": str(10 + int(1200 * draw[0])),
            }
            if hides:
                del content["statistics"]["subscriberCount"]
        if "status" in parts:
            content["status"] = channel_status(for_kids=bool(self.is_for_kids[videos[0]]))
        if "topicDetails" in parts:
            content["topicDetails"] = self._topic_details(view, int(videos[0]))
        if "brandingSettings" in parts:
            shown = {"title": name, "country": self.archive.region_of[channel]}
            content["brandingSettings"] = branding(view.base, channel_id, shown)
        content["etag"] = etag(orjson.dumps(content)).decode()
        return content

    def _videos_of(self, channel: int) -> NDArray[np.int64]:
        return np.flatnonzero(self.archive.channel == channel)

    def _last_knots(self, videos: NDArray[np.int64]) -> NDArray[np.int64]:
        return self.archive.series.starts[videos + 1] - 1


def thumbnails(
    base: str, video_id: str, sizes: Sequence[tuple[str, str, int, int]], suffix: str = ""
) -> dict[str, Any]:
    """Return the thumbnail block of a video; the files are served by this server."""
    return {
        name: {"url": f"{base}/vi/{video_id}/{file}{suffix}.jpg", "width": width, "height": height}
        for name, file, width, height in sizes
    }


def player(video_id: str) -> dict[str, Any]:
    """Return the player block of a video."""
    source = f"//www.youtube.com/embed/{video_id}"
    return {
        "embedHtml": f'<iframe width="480" height="270" src="{source}" frameborder="0" '
        'allow="accelerometer; autoplay; clipboard-write; encrypted-media; gyroscope; '
        'picture-in-picture; web-share" allowfullscreen></iframe>'
    }


def channel_status(*, for_kids: bool) -> dict[str, Any]:
    """Return the status block of a channel."""
    return {
        "privacyStatus": "public",
        "isLinked": True,
        "longUploadsStatus": "longUploadsUnspecified",
        "madeForKids": for_kids,
    }


def branding(base: str, channel_id: str, channel: dict[str, Any]) -> dict[str, Any]:
    """Return the branding block of a channel; the banner is served by this server."""
    banner = {"bannerExternalUrl": f"{base}/ytc/{channel_id}/1060.jpg"}
    return {"channel": channel, "image": banner}


def etag(*content: bytes) -> bytes:
    """Return an entity tag in YouTube's form: 27 characters of URL-safe base64."""
    digest = sha1(b"\x1f".join(content), usedforsecurity=False).digest()
    return b2a_base64(digest, newline=False).rstrip(b"=").translate(_URL_SAFE)


def _statistics(counts: Sequence[int]) -> bytes:
    views, likes, comments = counts
    out = b',"statistics":{"viewCount":"%d"' % views
    if likes >= 0:
        out += b',"likeCount":"%d"' % likes
    out += b',"favoriteCount":"0"'
    if comments >= 0:
        out += b',"commentCount":"%d"' % comments
    return out + b"}"


def _three_digits(number: int) -> int:
    """Round down to three significant digits, as YouTube shows subscribers."""
    scale: int = 10 ** max(0, len(str(number)) - 3)
    return number // scale * scale


@lru_cache(maxsize=1)
def load_youtube_world() -> YouTubeWorld:
    """Return the world, once per process."""
    return YouTubeWorld(load_archive())
