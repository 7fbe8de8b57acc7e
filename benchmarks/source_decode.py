"""Decode of API pages into columns against ``json.loads`` and a dict per video.

Both sides read the same bytes and give the same values; agreement is asserted before timing. Two
loads: the same charts poll after poll with nothing but the counters moved, which is what collection
and the loading of history do all day, and videos each of which is seen for the first time. The
second cannot reach the first's ratio: to skip the bytes of a video alone costs a fifteenth of the
plain way.
"""

import json
import re
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from aurastream.sources.wire.youtube_videos import VideoPages, video_pages

_VIDEOS = 50_000  # the size at which the plain way was measured when the goal was set
_CHARTED = 1_000  # distinct videos in the charts of eight regions at one moment
_PAGE = 50
_ROUNDS = 5
_DURATION = re.compile(r"P(?:(\d+)W)?(?:(\d+)D)?T?(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?")
_START = datetime(2026, 11, 1, tzinfo=UTC)


def _video(number: int, poll: int) -> dict[str, Any]:
    """Return a video like the recorded ones, about 2.7 KB of JSON, as it stands at a poll.

    Descriptions have lines; every tenth title has a character beyond the basic plane; a fifth of
    the videos has no tags and the others 17, which makes the real mean of 13.6.
    """
    video_id = f"v{number:010d}"
    text = (
        f"Full highlights of game {number}.\nSubscribe for more, join the server, see you.\n\n" * 7
    )
    fire = " \U0001f525" if number % 10 == 0 else ""
    tags = [f"tag {number % 97} of {place}" for place in range(17)] if number % 5 else []
    statistics_ = {
        "viewCount": str(1_000_003 * number % 9_999_991 + 1_371 * poll),
        "favoriteCount": "0",
    }
    if number % 55:
        statistics_["likeCount"] = str(number * 31 + poll)
    if number % 20:
        statistics_["commentCount"] = str(number * 7 + poll)
    return {
        "kind": "youtube#video",
        "etag": "nlUZBA6NbTS7q9G8D1GljyfTIWI",
        "id": video_id,
        "snippet": {
            "publishedAt": (_START + timedelta(seconds=number * 61)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "channelId": f"UC{number % 3000:022d}",
            "title": f"I played the new season for {number} hours{fire}",
            "description": text,
            "thumbnails": {
                size: {
                    "url": f"https://i.ytimg.com/vi/{video_id}/{name}.jpg",
                    "width": width,
                    "height": width * 9 // 16,
                }
                for size, name, width in (
                    ("default", "default", 120),
                    ("medium", "mqdefault", 320),
                    ("high", "hqdefault", 480),
                    ("standard", "sddefault", 640),
                    ("maxres", "maxresdefault", 1280),
                )
            },
            "channelTitle": f"Channel {number % 3000}",
            **({"tags": tags} if tags else {}),
            "categoryId": "20",
            "liveBroadcastContent": "none",
            "defaultLanguage": "en",
            "localized": {"title": f"I played {number}", "description": text},
            "defaultAudioLanguage": "en-US",
        },
        "contentDetails": {
            "duration": f"PT{number % 59 + 1}M{number % 60}S",
            "dimension": "2d",
            "definition": "hd",
            "caption": "false",
            "licensedContent": True,
            "contentRating": {},
            "projection": "rectangular",
        },
        "status": {"uploadStatus": "processed", "privacyStatus": "public", "madeForKids": False},
        "statistics": statistics_,
    }


def make_pages(count: int, distinct: int) -> list[bytes]:
    """Return the pages of so many videos, so many of them different, as bytes."""
    return [
        json.dumps(
            {
                "kind": "youtube#videoListResponse",
                "etag": "e",
                "items": [
                    _video(row % distinct, row // distinct)
                    for row in range(start, min(start + _PAGE, count))
                ],
                "nextPageToken": "CDIQAA",
                "pageInfo": {"totalResults": count, "resultsPerPage": _PAGE},
            },
            ensure_ascii=False,
        ).encode()
        for start in range(0, count, _PAGE)
    ]


def _seconds(text: str | None) -> int | None:
    match = _DURATION.fullmatch(text or "")
    if match is None:
        return None
    weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return (((weeks * 7 + days) * 24 + hours) * 60 + minutes) * 60 + seconds


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _int(text: str | None) -> int | None:
    return int(text) if text is not None else None


def decode_plain(pages: list[bytes]) -> list[dict[str, Any]]:
    """Decode the plain way: gather the items of all pages, then make a dict of each."""
    items: list[dict[str, Any]] = []
    for body in pages:
        items.extend(json.loads(body)["items"])
    return [_row(item) for item in items]


def _row(item: dict[str, Any]) -> dict[str, Any]:
    snippet, details = item["snippet"], item.get("contentDetails", {})
    counts, live = item.get("statistics", {}), item.get("liveStreamingDetails", {})
    thumbnails = snippet.get("thumbnails", {})
    return {
        "video_id": item["id"],
        "views": _int(counts.get("viewCount")),
        "likes": _int(counts.get("likeCount")),
        "comments": _int(counts.get("commentCount")),
        "concurrent_viewers": _int(live.get("concurrentViewers")),
        "title": snippet["title"],
        "description": snippet["description"],
        "tags": snippet.get("tags", []),
        "channel_id": snippet["channelId"],
        "channel_title": snippet["channelTitle"],
        "category_id": _int(snippet.get("categoryId")),
        "published_at": _instant(snippet.get("publishedAt")),
        "duration_s": _seconds(details.get("duration")),
        "definition": details.get("definition"),
        "has_captions": details.get("caption") == "true",
        "is_licensed": details.get("licensedContent"),
        "default_language": snippet.get("defaultLanguage"),
        "audio_language": snippet.get("defaultAudioLanguage"),
        "live_state": snippet.get("liveBroadcastContent"),
        "scheduled_start_at": _instant(live.get("scheduledStartTime")),
        "actual_start_at": _instant(live.get("actualStartTime")),
        "thumbnail_url": next(
            (
                thumbnails[size]["url"]
                for size in ("maxres", "standard", "high", "medium", "default")
                if size in thumbnails
            ),
            None,
        ),
        "is_made_for_kids": item.get("status", {}).get("madeForKids"),
        "topic_categories": item.get("topicDetails", {}).get("topicCategories", []),
    }


def decode_ours(pages: list[bytes], decoder: VideoPages) -> dict[str, list[Any]]:
    """Decode page by page into columns, as collection does."""
    columns = decoder.empty()
    for body in pages:
        for name, values in decoder.decode(body).columns.items():
            columns[name] += values
    return columns


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return time.perf_counter() - started


def run(n: int | None = None) -> list[dict[str, Any]]:
    """Time both sides in turns and return the medians.

    Parameters
    ----------
    n : int, optional
        Videos to decode.
    """
    count = n or _VIDEOS
    return [
        _measure("source_decode", count, distinct=min(count, _CHARTED), goal=10.0),
        _measure("source_decode_first_sight", count, distinct=count, goal=4.0),
    ]


def _measure(name: str, count: int, *, distinct: int, goal: float) -> dict[str, Any]:
    pages = make_pages(count, distinct)
    decoder = video_pages()
    ours, theirs = decode_ours(pages, decoder), decode_plain(pages)
    for column, values in ours.items():
        assert values == [row[column] for row in theirs], f"the two sides disagree on {column}"
    del ours, theirs
    times: list[tuple[float, float]] = []
    for _ in range(_ROUNDS):
        if distinct == count:
            decoder = video_pages()
        times.append(
            (
                _timed(lambda decoder=decoder: decode_ours(pages, decoder)),
                _timed(lambda: decode_plain(pages)),
            )
        )
    ours_s, baseline_s = (statistics.median(side) for side in zip(*times, strict=True))
    ratio = baseline_s / ours_s
    return {
        "name": name,
        "n": count,
        "ours_s": ours_s,
        "baseline": "json.loads of all pages, then a dict per video",
        "baseline_s": baseline_s,
        "ratio": ratio,
        "goal": goal,
        "met": ratio >= goal,
    }


if __name__ == "__main__":
    for line in run():
        print(msgspec.json.encode(line).decode())
