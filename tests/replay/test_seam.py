"""The shift to today and the place where the archive starts again."""

import datetime as dt
from typing import Any

import httpx
import pytest

from aurastream.replay.cycles import ARCHIVE_START, EPOCH, SPAN_DAYS, cycle_at
from aurastream.replay.moments import DAY
from aurastream.replay.youtube_world import load_youtube_world
from tests.replay.conftest import NOW, Get

SEAM = dt.datetime.fromtimestamp(EPOCH + SPAN_DAYS * DAY, dt.UTC)
REGIONS = ("US", "GB", "IN", "DE", "JP", "BR", "FR", "MX")
MINUTE = dt.timedelta(minutes=1)


def _charts(youtube: Get, at: dt.datetime) -> list[dict[str, Any]]:
    query = {"part": "snippet,statistics", "chart": "mostPopular", "maxResults": 50}
    return [
        item
        for region in REGIONS
        for item in youtube("videos", at, regionCode=region, **query).json()["items"]
    ]


def test_days_keep_their_weekday_and_hours() -> None:
    for number in range(-3, 4):
        assert cycle_at(EPOCH + number * SPAN_DAYS * DAY).shift % (7 * DAY) == 0
    assert (EPOCH - ARCHIVE_START) % (7 * DAY) == 0


def test_real_ids_play_in_the_pass_of_today() -> None:
    world = load_youtube_world()
    assert cycle_at(NOW.timestamp()).number == 0
    assert world.view(NOW.timestamp()).video_ids == world.archive.video_ids


def test_no_id_channel_or_etag_is_on_both_sides_of_a_seam(youtube: Get) -> None:
    before, after = _charts(youtube, SEAM - MINUTE), _charts(youtube, SEAM + MINUTE)
    assert len(before) > 380
    assert len(after) > 380
    for name in ("id", "etag"):
        assert not {item[name] for item in before} & {item[name] for item in after}
    channels = [{item["snippet"]["channelId"] for item in side} for side in (before, after)]
    assert not channels[0] & channels[1]


def test_ids_of_one_pass_are_unknown_in_the_next(youtube: Get) -> None:
    ids = ",".join(item["id"] for item in _charts(youtube, SEAM - MINUTE)[:50])
    assert len(youtube("videos", SEAM - MINUTE, part="id", id=ids).json()["items"]) >= 45
    assert youtube("videos", SEAM, part="id", id=ids).json()["items"] == []


def test_the_passes_have_no_id_in_common() -> None:
    world = load_youtube_world()
    views = [world.view(EPOCH + number * SPAN_DAYS * DAY) for number in (-1, 0, 1, 2)]
    for kind in ("video_ids", "channel_ids"):
        known = [set(getattr(view, kind)) for view in views]
        assert len(set.union(*known)) == sum(map(len, known))


def test_the_same_archive_day_plays_again_with_the_same_numbers(youtube: Get) -> None:
    now = _charts(youtube, NOW)
    again = _charts(youtube, NOW + dt.timedelta(days=SPAN_DAYS))
    assert [item["statistics"] for item in now] == [item["statistics"] for item in again]
    assert [item["snippet"]["title"] for item in now] == [
        item["snippet"]["title"] for item in again
    ]


def test_publication_lies_before_the_moment_in_every_pass(youtube: Get) -> None:
    for days in (-100, 0, 100):
        at = NOW + dt.timedelta(days=days)
        for item in _charts(youtube, at):
            published = dt.datetime.fromisoformat(item["snippet"]["publishedAt"])
            assert at - dt.timedelta(days=60) < published <= at


@pytest.mark.parametrize("path", ["seam", "status"])
def test_the_server_says_where_the_seam_is(client: httpx.Client, path: str) -> None:
    answer = client.get(f"/_replay/{path}").json()
    assert answer.get("cycle_end", answer.get("seam_at")) == "2027-01-03T00:00:00Z"
    assert answer["cycle"] == 0
