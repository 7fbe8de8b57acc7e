"""What the server plays: the same at the same moment, and lifelike over time."""

import datetime as dt
from io import BytesIO
from itertools import pairwise
from typing import Any

import httpx
import numpy as np
from PIL import Image

from aurastream.replay.catalog import TRACKED
from aurastream.replay.twitch_world import load_twitch_world
from tests.replay.conftest import NOW, Get, new_token, running

HOUR = dt.timedelta(hours=1)
Asked = tuple[str, dt.datetime]
PATHS = (
    "/youtube/v3/videos?part=snippet,statistics&chart=mostPopular&maxResults=50&key=k",
    "/youtube/v3/videos?part=snippet,statistics&chart=mostPopular&regionCode=GB&key=k",
    "/youtube/v3/search?part=snippet&q=minecraft&maxResults=50&key=k",
    "/youtube/v3/search?part=snippet&type=video&eventType=live&key=k",
    "/helix/streams?first=100",
    "/helix/streams?first=100&game_id=33214",
    "/helix/clips?game_id=33214&first=100",
    "/helix/games/top?first=100",
    "/helix/videos?game_id=33214",
    "/vi/b24oG7qCwp4/hqdefault.jpg",
)


def test_servers_of_their_own_give_the_same_bytes_at_the_same_moment_in_any_order() -> None:
    later = NOW + 45 * 24 * HOUR  # in the next pass through the archive, with a token of now
    asked = [(path, at) for path in PATHS for at in (NOW, later)]

    def answers(seed: str, order: list[Asked]) -> dict[Asked, tuple[int, str | None, bytes]]:
        environment = {"PYTHONHASHSEED": seed}
        with running(environment=environment) as (_, url), httpx.Client(base_url=url) as client:
            client.headers.update({"Host": "replay.test", "X-Replay-Now": NOW.isoformat()})
            token = new_token(client)
            client.headers.update(
                {"Authorization": f"Bearer {token}", "Client-Id": "replay-client"}
            )
            got = {}
            for path, at in order:
                answer = client.get(path, headers={"X-Replay-Now": at.isoformat()})
                got[path, at] = (answer.status_code, answer.headers.get("etag"), answer.content)
            return got

    one, other = answers("1", asked), answers("2", asked[::-1])
    assert {key for key in asked if one[key] != other[key]} == set()
    # A video of one pass is unknown in the next one.
    assert {key for key in asked if one[key][0] != 200} == {(PATHS[-1], later)}


def test_moments_can_be_asked_for_in_any_order(helix: Get) -> None:
    def ask(hours: int) -> bytes:
        return helix("streams", NOW + hours * HOUR, game_id="33214", first=100).content

    forward = [ask(hours) for hours in range(-30, 30, 10)]
    assert [ask(hours) for hours in range(20, -40, -10)] == forward[::-1]


def test_views_of_a_chart_rise_through_the_day(youtube: Get) -> None:
    items = youtube("videos", part="id", chart="mostPopular", maxResults=50).json()["items"]
    ids = ",".join(item["id"] for item in items)
    views = []
    for hours in range(12):
        answer = youtube("videos", NOW + hours * HOUR, part="statistics", id=ids).json()
        views.append([int(item["statistics"]["viewCount"]) for item in answer["items"]])
    falls = sum(
        b < a for before, after in pairwise(views) for a, b in zip(before, after, strict=True)
    )
    assert falls <= 12, "a video whose views really fell falls; most rise"
    assert sum(views[-1]) > 1.01 * sum(views[0])


def test_concurrent_viewers_change_while_a_broadcast_is_live(youtube: Get) -> None:
    query = {"part": "id", "type": "video", "eventType": "live", "maxResults": 50}
    ids = ",".join(item["id"]["videoId"] for item in youtube("search", **query).json()["items"])
    seen: dict[str, set[str]] = {}
    for minutes in range(0, 60, 10):
        at = NOW + dt.timedelta(minutes=minutes)
        answer = youtube("videos", at, part="liveStreamingDetails", id=ids).json()
        for item in answer["items"]:
            viewers = item["liveStreamingDetails"].get("concurrentViewers")
            seen.setdefault(item["id"], set()).add(viewers or "ended")
    assert np.mean([len(values) > 1 for values in seen.values()]) > 0.8


def test_tracked_games_are_on_the_top_list_with_twitchs_ids(helix: Get) -> None:
    for hours in range(0, 24, 6):
        top = helix("games/top", NOW + hours * HOUR, first=100).json()["data"]
        assert len(top) > 60
        assert set(TRACKED.values()) <= {game["id"] for game in top[:30]}


def test_big_games_have_more_than_a_page_of_streams_at_any_hour() -> None:
    world = load_twitch_world()
    big = [world.game_index[TRACKED[slug]] for slug in ("fortnite", "league_of_legends", "gta")]
    for hour in range(0, 48, 3):
        moment = NOW.timestamp() + hour * 3600
        assert all(world.broadcasts.live(moment, game).channel.size > 150 for game in big)


def test_the_audience_follows_the_measured_day_and_is_heavy_tailed() -> None:
    world = load_twitch_world()
    # One place only, so that its local day shows: central Europe, a week long.
    local = np.flatnonzero(world.roster.offset == 1)
    levels = []
    for hour in range(24):
        viewers = 0
        for day in range(7):
            live = world.broadcasts.live(NOW.timestamp() + (day * 24 + hour) * 3600)
            viewers += int(live.viewers[np.isin(live.channel, local)].sum())
        levels.append(viewers)
    by_local_hour = np.roll(levels, (18 + 1) % 24)
    assert int(np.argmax(by_local_hour)) >= 20 or int(np.argmax(by_local_hour)) <= 1
    assert 4 <= int(np.argmin(by_local_hour)) <= 10
    assert max(levels) > 4 * min(levels)
    live = world.broadcasts.live(NOW.timestamp())
    tenth = live.viewers[: live.viewers.size // 10].sum() / live.viewers.sum()
    assert 0.6 < tenth < 0.98


def test_streams_keep_their_identity_while_they_last() -> None:
    world = load_twitch_world()
    game = world.game_index[TRACKED["minecraft"]]
    seen: dict[str, tuple[int, int]] = {}
    for minutes in range(0, 240, 15):
        live = world.broadcasts.live(NOW.timestamp() + minutes * 60, game)
        assert np.unique(live.channel).size == live.channel.size
        for day, channel, start in zip(
            live.day.tolist(), live.channel.tolist(), live.start.tolist(), strict=True
        ):
            known = seen.setdefault(world.stream_id(day, channel), (channel, start))
            assert known == (channel, start)
    assert len(seen) > world.broadcasts.live(NOW.timestamp(), game).channel.size


def test_nobody_broadcasts_twice_at_once() -> None:
    world = load_twitch_world()
    day = int(NOW.timestamp() // 86_400)
    one, two = world.broadcasts.sessions(day), world.broadcasts.sessions(day + 1)
    ends = dict(zip(one.channel.tolist(), one.end.tolist(), strict=True))
    for channel, start in zip(two.channel.tolist(), two.start.tolist(), strict=True):
        assert ends.get(channel, 0) < start
    assert (one.end - one.start >= 600).all()


def test_clips_gain_views_and_some_run_away(helix: Get) -> None:
    def ask(at: dt.datetime) -> dict[str, dict[str, Any]]:
        started = (NOW - HOUR).isoformat()
        query = {
            "game_id": "33214",
            "first": 100,
            "started_at": started,
            "ended_at": NOW.isoformat(),
        }
        return {clip["id"]: clip for clip in helix("clips", at, **query).json()["data"]}

    first, later = ask(NOW), ask(NOW + 6 * HOUR)
    both = first.keys() & later.keys()
    assert both
    gains = [later[each]["view_count"] - first[each]["view_count"] for each in both]
    assert min(gains) >= 0
    assert max(gains) > 20 * (np.median(gains) + 1)


def test_links_to_thumbnails_lead_to_pictures_on_this_server(
    client: httpx.Client, youtube: Get, helix: Get, replay_url: str
) -> None:
    item = youtube("videos", part="snippet", chart="mostPopular").json()["items"][0]
    live = youtube("search", part="snippet", type="video", eventType="live").json()["items"][0]
    channel = youtube("channels", part="snippet", id=item["snippet"]["channelId"]).json()["items"][
        0
    ]
    pictures = [
        (size["url"], size["width"], size["height"])
        for each in (item, live, channel)
        for size in each["snippet"]["thumbnails"].values()
    ]
    stream = helix("streams", first=1).json()["data"][0]["thumbnail_url"]
    game = helix("games", id="33214").json()["data"][0]["box_art_url"]
    recording = helix("videos", game_id="33214").json()["data"][0]["thumbnail_url"]
    clip = helix("clips", game_id="33214", first=1).json()["data"][0]["thumbnail_url"]
    user = helix("users", id="480000000").json()["data"][0]["profile_image_url"]
    for url, width, height in (
        (stream, 440, 248),
        (game, 285, 380),
        (recording, 320, 180),
        (clip, 480, 272),
        (user, 300, 300),
    ):
        plain = url.replace("%{", "{").replace("{width}", str(width))
        pictures.append((plain.replace("{height}", str(height)), width, height))
    for url, width, height in pictures:
        assert url.startswith(replay_url)
        answer = client.get(url)
        assert answer.headers["content-type"] == "image/jpeg"
        assert _jpeg_size(answer.content) == (width, height)


def test_an_unknown_video_has_the_small_picture_and_a_404(client: httpx.Client) -> None:
    answer = client.get("/vi/xxxxxxxxxxx/maxresdefault.jpg")
    assert answer.status_code == 404
    assert _jpeg_size(answer.content) == (120, 90)
    assert client.get("/vi/b24oG7qCwp4/odd.jpg").status_code == 404
    assert client.get("/ttv-boxart/33214-0x0.jpg").status_code == 404
    assert client.get("/nowhere").status_code == 404


def _jpeg_size(content: bytes) -> tuple[int, int]:
    with Image.open(BytesIO(content)) as image:
        return image.size
