"""Answers of the YouTube endpoints against Google's description and recorded answers."""

import datetime as dt
from typing import Any

import httpx
import pytest

from aurastream.replay.youtube_api import CATEGORIES
from tests.replay import specs
from tests.replay.conftest import NOW, Get

ALL_PARTS = (
    "snippet,contentDetails,statistics,status,topicDetails,player,liveStreamingDetails,"
    "recordingDetails,localizations,paidProductPlacementDetails,id"
)
CHANNEL_PARTS = (
    "snippet,contentDetails,statistics,topicDetails,status,brandingSettings,localizations,"
    "contentOwnerDetails,id"
)
PAGE = {"part": "snippet,statistics,contentDetails", "chart": "mostPopular", "maxResults": 50}


def _good(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def _live_ids(youtube: Get, event: str) -> list[str]:
    found = _good(youtube("search", part="id", q="", type="video", eventType=event, maxResults=50))
    return [item["id"]["videoId"] for item in found["items"]]


@pytest.mark.parametrize("region", ["US", "GB", "IN", "DE", "JP", "BR", "FR", "MX"])
def test_every_chart_validates_against_the_discovery_document(youtube: Get, region: str) -> None:
    validator = specs.google("VideoListResponse")
    for category in ("0", "1", "10", "20"):
        for day in (-20, 0, 3):
            answer = _good(
                youtube(
                    "videos",
                    NOW + dt.timedelta(days=day),
                    part=ALL_PARTS,
                    chart="mostPopular",
                    regionCode=region,
                    videoCategoryId=category,
                    maxResults=50,
                )
            )
            validator.validate(answer)
            if category == "0":
                assert 48 <= len(answer["items"]) <= 50


@pytest.mark.parametrize("event", ["live", "upcoming", "completed"])
def test_live_broadcasts_validate_in_every_state(youtube: Get, event: str) -> None:
    ids = _live_ids(youtube, event)
    assert len(ids) > 10
    answer = _good(youtube("videos", part=ALL_PARTS, id=",".join(ids)))
    specs.google("VideoListResponse").validate(answer)
    assert [item["id"] for item in answer["items"]] == ids
    for item in answer["items"]:
        details = item["liveStreamingDetails"]
        assert ("concurrentViewers" in details) == (event == "live")
        assert ("actualEndTime" in details) == (event == "completed")
        content = "none" if event == "completed" else event
        assert item["snippet"]["liveBroadcastContent"] == content


@pytest.mark.parametrize("event", ["live", "upcoming", "completed"])
def test_a_live_broadcast_has_the_parts_that_a_charted_video_has(youtube: Get, event: str) -> None:
    charted = _good(youtube("videos", part="id", chart="mostPopular"))["items"][0]["id"]
    for part in [*ALL_PARTS.split(","), ALL_PARTS]:
        ids = f"{charted},{_live_ids(youtube, event)[0]}"
        usual, live = _good(youtube("videos", part=part, id=ids))["items"]
        assert set(live) - {"liveStreamingDetails"} == set(usual), part
        assert ("liveStreamingDetails" in live) == ("liveStreamingDetails" in part)
    assert live["id"] in live["player"]["embedHtml"]


def test_the_channel_of_a_live_broadcast_has_the_parts_that_any_channel_has(youtube: Get) -> None:
    charted = _good(youtube("videos", **PAGE))["items"][0]["snippet"]["channelId"]
    query = {"part": "snippet", "type": "video", "eventType": "live", "maxResults": 50}
    items = _good(youtube("search", **query))["items"]
    invented = list(dict.fromkeys(item["snippet"]["channelId"] for item in items))
    for part in [*CHANNEL_PARTS.split(","), CHANNEL_PARTS]:
        found = _good(youtube("channels", part=part, id=",".join([charted, *invented[:40]])))
        specs.google("ChannelListResponse").validate(found)
        assert len(found["items"]) == 1 + len(invented[:40])
        assert {frozenset(item) for item in found["items"]} == {frozenset(found["items"][0])}


@pytest.mark.parametrize("event", ["live", "upcoming", "completed"])
def test_batch_statistics_of_live_broadcasts_are_those_of_their_list(
    youtube: Get, event: str
) -> None:
    charted = _good(youtube("videos", part="id", chart="mostPopular"))["items"][0]["id"]
    live = _live_ids(youtube, event)[:40]
    ids = ",".join([*live[:1], "nobodyknows", charted, *live[1:]])
    parts = "snippet,contentDetails,statistics"
    stats = _good(youtube("videos:batchGetStats", part=parts, id=ids))
    specs.google("BatchGetStatsResponse").validate(stats)
    listed = _good(youtube("videos", part=parts, id=ids))["items"]
    assert [item["id"] for item in stats["items"]] == [item["id"] for item in listed]
    assert len(listed) == len(live) + 1
    for brief, whole in zip(stats["items"], listed, strict=True):
        assert brief["snippet"]["publishTime"] == whole["snippet"]["publishedAt"]
        assert brief["statistics"].items() <= whole["statistics"].items()
    lengths = {item["contentDetails"]["duration"] for item in stats["items"] if item["id"] in live}
    assert (lengths == {"0s"}) == (event != "completed")


@pytest.mark.parametrize(
    ("path", "schema", "query"),
    [
        ("search", "SearchListResponse", {"part": "snippet", "q": "minecraft", "maxResults": 50}),
        ("search", "SearchListResponse", {"part": "snippet", "type": "channel", "q": "gaming"}),
        ("search", "SearchListResponse", {"part": "snippet", "type": "video", "order": "date"}),
        ("channels", "ChannelListResponse", {"part": "snippet", "id": "UCnobody"}),
        ("videoCategories", "VideoCategoryListResponse", {"part": "snippet", "regionCode": "US"}),
        ("videos", "VideoListResponse", {"part": "snippet", "id": "nobodyknows"}),
    ],
)
def test_the_other_lists_validate_against_the_discovery_document(
    youtube: Get, path: str, schema: str, query: dict[str, Any]
) -> None:
    answer = _good(youtube(path, **query))
    specs.google(schema).validate(answer)
    assert answer["kind"] == f"youtube#{schema[0].lower()}{schema[1:]}"


def test_channels_and_batch_statistics_of_a_whole_chart_validate(youtube: Get) -> None:
    items = _good(youtube("videos", **PAGE))["items"]
    channels = ",".join(dict.fromkeys(item["snippet"]["channelId"] for item in items))
    parts = "snippet,contentDetails,statistics,status,topicDetails,brandingSettings"
    found = _good(youtube("channels", part=parts, id=channels))
    specs.google("ChannelListResponse").validate(found)
    assert len(found["items"]) == len(channels.split(","))

    ids = ",".join(item["id"] for item in items)
    parts = "snippet,contentDetails,statistics"
    stats = _good(youtube("videos:batchGetStats", part=parts, id=ids))
    specs.google("BatchGetStatsResponse").validate(stats)
    views = {item["id"]: item["statistics"]["viewCount"] for item in stats["items"]}
    assert views == {item["id"]: item["statistics"]["viewCount"] for item in items}


def test_videos_have_the_keys_of_a_recorded_answer(youtube: Get) -> None:
    real = specs.recorded(
        "youtube_payloads", "python-youtube", "modeldata__video_api_response.json"
    )
    parts = "snippet,contentDetails,statistics,status"
    ours = _good(youtube("videos", part=parts, chart="mostPopular", maxResults=50))
    # Dislikes went in 2021; madeForKids and contentRating came later than the recording.
    later = {"status.madeForKids", "contentDetails.contentRating"}
    assert specs.keys(ours["items"]) - later == specs.keys(real["items"]) - {
        "statistics.dislikeCount"
    }
    assert set(real) - set(ours) == set()


def test_search_has_the_keys_of_a_recorded_answer(youtube: Get) -> None:
    real = specs.recorded("youtube_payloads", "search_live_archive_2023-06_US.json")
    ours = _good(youtube("search", part="snippet", q="fortnite", type="video", maxResults=20))
    assert specs.keys(ours) == specs.keys(real)


def test_live_details_have_the_keys_of_recorded_answers(youtube: Get) -> None:
    for event, file in (
        ("live", "videos_live_2024-01-11"),
        ("upcoming", "videos_upcoming_2018-02"),
    ):
        real = specs.recorded("youtube_payloads", "live", f"{file}.json")
        ids = _live_ids(youtube, event)[:1]
        ours = _good(youtube("videos", part="liveStreamingDetails", id=ids[0]))
        assert specs.keys(ours) == specs.keys(real)


def test_channels_and_categories_have_the_keys_of_recorded_answers(youtube: Get) -> None:
    real = specs.recorded("youtube_payloads", "python-youtube", "channels__info_multiple.json")
    ids = {item["snippet"]["channelId"] for item in _good(youtube("videos", **PAGE))["items"]}
    parts = "snippet,contentDetails,statistics"
    ours = _good(youtube("channels", part=parts, id=",".join(sorted(ids))))
    branding = {each for each in specs.keys(real) if each.startswith("items.brandingSettings")}
    assert specs.keys(ours) == specs.keys(real) - branding

    name = "categories__video_category_by_region.json"
    real = specs.recorded("youtube_payloads", "python-youtube", name)
    ours = _good(youtube("videoCategories", part="snippet", regionCode="US"))
    assert specs.keys(ours) == specs.keys(real)
    known = {item["id"]: item["snippet"]["title"] for item in real["items"]}
    assert {each: title for each, (title, _) in CATEGORIES.items() if each in known} == known


def test_only_the_parts_asked_for_are_there(youtube: Get) -> None:
    item = _good(youtube("videos", part="statistics", chart="mostPopular"))["items"][0]
    assert set(item) == {"kind", "etag", "id", "statistics"}
    item = _good(youtube("videos", part="id", chart="mostPopular"))["items"][0]
    assert set(item) == {"kind", "etag", "id"}
    item = _good(youtube("search", part="id", q="minecraft"))["items"][0]
    assert set(item) == {"kind", "etag", "id"}


def test_repeated_and_comma_separated_parameters_mean_the_same(youtube: Get) -> None:
    joined = youtube("videos", part="snippet,statistics", chart="mostPopular")
    repeated = youtube("videos", part=["snippet", "statistics"], chart="mostPopular")
    assert joined.content == repeated.content


def test_pages_of_a_chart_join_to_the_whole_and_lead_back(youtube: Get) -> None:
    whole = [item["id"] for item in _good(youtube("videos", **PAGE))["items"]]
    found, token, pages = [], "", []
    while True:
        query = {"part": "id", "chart": "mostPopular", "maxResults": 20, "pageToken": token}
        page = _good(youtube("videos", **query))
        pages.append(page)
        found += [item["id"] for item in page["items"]]
        token = page.get("nextPageToken", "")
        if not token:
            break
    assert found == whole
    assert len(pages) == 3
    assert pages[0]["pageInfo"] == {"totalResults": len(whole), "resultsPerPage": 20}
    assert "prevPageToken" not in pages[0]
    back = _good(
        youtube(
            "videos",
            part="id",
            chart="mostPopular",
            maxResults=20,
            pageToken=pages[1]["prevPageToken"],
        )
    )
    assert back["items"] == pages[0]["items"]


def test_the_default_page_has_five_items(youtube: Get) -> None:
    answer = _good(youtube("videos", part="id", chart="mostPopular"))
    assert len(answer["items"]) == 5


def test_a_category_chart_is_that_category_of_the_mix_in_order(youtube: Get) -> None:
    mix = _good(youtube("videos", **PAGE))["items"]
    for category in ("1", "10", "20"):
        chart = _good(youtube("videos", **PAGE, videoCategoryId=category))["items"]
        assert [item["id"] for item in chart] == [
            item["id"] for item in mix if item["snippet"]["categoryId"] == category
        ]


def test_unknown_ids_drop_out_and_the_order_asked_for_stays(youtube: Get) -> None:
    ids = [item["id"] for item in _good(youtube("videos", **PAGE))["items"]][:5]
    live = _live_ids(youtube, "live")[0]
    asked = [ids[3], "xxxxxxxxxxx", live, ids[0], "", ids[4]]
    answer = _good(youtube("videos", part="id", id=",".join(asked)))
    assert [item["id"] for item in answer["items"]] == [ids[3], live, ids[0], ids[4]]


def test_some_videos_are_deleted_after_they_charted(youtube: Get) -> None:
    gone = 0
    for day in range(-12, 0, 3):
        chart = _good(youtube("videos", NOW + dt.timedelta(days=day), **PAGE))["items"]
        ids = ",".join(item["id"] for item in chart)
        later = _good(youtube("videos", NOW + dt.timedelta(days=25), part="id", id=ids))
        gone += len(chart) - len(later["items"])
    assert 0 < gone < 20


def test_missing_counts_are_left_out(youtube: Get) -> None:
    missing = {"likeCount": 0, "commentCount": 0}
    for region in ("US", "DE", "JP", "IN"):
        for item in _good(youtube("videos", **PAGE, regionCode=region))["items"]:
            for name in missing:
                missing[name] += name not in item["statistics"]
    assert min(missing.values()) > 0


def test_traps_of_the_archive_are_there(youtube: Get) -> None:
    tagless, wide, durations = 0, 0, set()
    for region in ("US", "DE", "JP", "IN", "BR", "FR", "MX", "GB"):
        for item in _good(youtube("videos", **PAGE, regionCode=region))["items"]:
            tagless += "tags" not in item["snippet"]
            wide += any(ord(letter) > 0xFFFF for letter in item["snippet"]["title"])
            durations.add(item["contentDetails"]["duration"])
    assert tagless > 20
    assert wide > 10
    live = _good(youtube("videos", part="contentDetails", id=_live_ids(youtube, "live")[0]))
    assert live["items"][0]["contentDetails"]["duration"] == "P0D"


def test_search_titles_are_escaped_and_list_titles_are_not(youtube: Get) -> None:
    found = _good(
        youtube("search", part="snippet", q="&", type="video", maxResults=50, order="date")
    )["items"]
    titles = {
        item["id"]["videoId"]: item["snippet"]["title"]
        for item in found
        if "&amp;" in item["snippet"]["title"]
    }
    assert titles
    listed = _good(youtube("videos", part="snippet", id=",".join(list(titles)[:50])))["items"]
    for item in listed:
        title = item["snippet"]["title"]
        assert title != titles[item["id"]]
        assert "&" in title


def test_search_keeps_to_its_filters(youtube: Get) -> None:
    after = NOW - dt.timedelta(days=3)
    query = {"part": "snippet", "type": "video", "q": "minecraft -shorts", "maxResults": 50}
    found = _good(youtube("search", **query, order="date", publishedAfter=after.isoformat()))[
        "items"
    ]
    stamps = [dt.datetime.fromisoformat(item["snippet"]["publishedAt"]) for item in found]
    assert stamps == sorted(stamps, reverse=True)
    assert all(after <= stamp <= NOW for stamp in stamps)
    channel = found[-1]["snippet"]["channelId"]
    mine = _good(youtube("search", part="snippet", type="video", channelId=channel))["items"]
    assert {item["snippet"]["channelId"] for item in mine} == {channel}


def test_search_pages_do_not_overlap(youtube: Get) -> None:
    query = {"part": "id", "type": "video", "q": "minecraft", "maxResults": 50}
    first = _good(youtube("search", **query))
    second = _good(youtube("search", **query, pageToken=first["nextPageToken"]))
    ids = [{item["id"]["videoId"] for item in page["items"]} for page in (first, second)]
    assert len(ids[0]) == 50
    assert not ids[0] & ids[1]


CHART = {"part": "id", "chart": "mostPopular"}


@pytest.mark.parametrize(
    ("path", "query", "status", "reason"),
    [
        ("videos", {"chart": "mostPopular"}, 400, "required"),
        ("videos", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("videos", CHART | {"part": "nonsense"}, 400, "unknownPart"),
        ("videos", CHART | {"part": "fileDetails"}, 403, "forbidden"),
        ("videos", CHART | {"maxResults": 51}, 400, "invalidParameter"),
        ("videos", CHART | {"maxResults": 0}, 400, "invalidParameter"),
        ("videos", CHART | {"regionCode": "XX"}, 400, "invalidRegionCode"),
        ("videos", CHART | {"videoCategoryId": "24"}, 404, "videoChartNotFound"),
        ("videos", CHART | {"pageToken": "zzz"}, 400, "invalidPageToken"),
        ("videos", CHART | {"id": "a"}, 400, "incompatibleParameters"),
        ("videos", {"part": "id", "id": ",".join(map(str, range(51)))}, 400, "invalidFilters"),
        ("search", {"part": "snippet", "eventType": "live"}, 400, "invalidSearchFilter"),
        ("search", {"part": "snippet", "publishedAfter": "yesterday"}, 400, "invalidParameter"),
        ("channels", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("videoCategories", {"part": "snippet"}, 400, "missingRequiredParameter"),
        ("videos:batchGetStats", {"part": "statistics"}, 400, "required"),
    ],
)
def test_bad_requests_are_refused_in_googles_words(
    youtube: Get, path: str, query: dict[str, Any], status: int, reason: str
) -> None:
    answer = youtube(path, **query)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert error["code"] == status
    assert error["errors"][0]["reason"] == reason
    assert error["errors"][0]["message"] == error["message"]


@pytest.mark.parametrize(
    ("file", "query"),
    [
        ("missingRequiredParameter_400.json", {"part": "snippet"}),
        ("invalidRegionCode_400.json", {"part": "id", "chart": "mostPopular", "regionCode": "XX"}),
    ],
)
def test_errors_equal_the_recorded_ones(youtube: Get, file: str, query: dict[str, Any]) -> None:
    real = specs.recorded("youtube_payloads", "errors", file)
    answer = youtube("videos", **query)
    assert (answer.status_code, answer.json()) == (real["status"], real["body"])


def test_a_channel_list_without_a_hit_has_no_items_key(youtube: Get) -> None:
    assert "items" not in _good(youtube("channels", part="snippet", id="UCnobody"))


def test_an_unchanged_answer_is_a_304_and_a_changed_one_is_not(youtube: Get) -> None:
    first = youtube("videos", **PAGE)
    tag = first.headers["etag"]
    assert tag.strip('"') == first.json()["etag"]
    for sent in (tag, f'W/"other", {tag}', tag.strip('"')):
        again = youtube("videos", headers={"If-None-Match": sent}, **PAGE)
        assert (again.status_code, again.content) == (304, b"")
    later = youtube("videos", NOW + dt.timedelta(hours=1), {"If-None-Match": tag}, **PAGE)
    assert later.status_code == 200
    assert later.headers["etag"] != tag


def test_answers_are_packed_for_clients_that_say_gzip_twice(youtube: Get) -> None:
    plain = youtube("videos", **PAGE)
    packed = youtube("videos", headers={"User-Agent": "aurastream (gzip)"}, **PAGE)
    assert "content-encoding" not in plain.headers
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == plain.content


def test_the_date_header_is_the_virtual_now(youtube: Get) -> None:
    assert youtube("videos", **PAGE).headers["date"] == "Fri, 20 Nov 2026 18:00:00 GMT"
    moved = youtube("videos", dt.datetime(2026, 11, 7, 6, 30, tzinfo=dt.UTC), **PAGE)
    assert moved.headers["date"] == "Sat, 07 Nov 2026 06:30:00 GMT"


def test_a_now_that_is_no_moment_is_refused(client: httpx.Client) -> None:
    for moment in ("soon", "0001-01-01T00:00:00+05:00", "9999-12-31T23:59:59Z"):
        answer = client.get("/youtube/v3/videos", headers={"X-Replay-Now": moment})
        assert answer.status_code == 400
        assert "X-Replay-Now" in answer.json()["error"]


def test_fields_select_members_by_path(youtube: Get) -> None:
    asked = {**PAGE, "maxResults": 10}
    whole = _good(youtube("videos", **asked))
    fields = "nextPageToken,items(id,snippet/title,statistics(viewCount))"
    answer = youtube("videos", **asked, fields=fields)
    assert _good(answer) == {
        "nextPageToken": whole["nextPageToken"],
        "items": [
            {
                "id": item["id"],
                "snippet": {"title": item["snippet"]["title"]},
                "statistics": {"viewCount": item["statistics"]["viewCount"]},
            }
            for item in whole["items"]
        ],
    }
    tag = {"If-None-Match": answer.headers["etag"]}
    again = youtube("videos", **asked, fields=fields, headers=tag)
    assert again.status_code == 304


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ("items/id", {"id"}),
        ("items/id,items/etag", {"id", "etag"}),
        ("items(*)", {"kind", "etag", "id", "snippet", "statistics", "contentDetails"}),
        ("items/*/title", {"snippet"}),
        ("items/nothing", set()),
    ],
)
def test_fields_may_be_paths_lists_and_stars(youtube: Get, fields: str, kept: set[str]) -> None:
    items = _good(youtube("videos", **PAGE, fields=fields))["items"]
    assert {name for item in items for name, value in item.items() if value} == kept


@pytest.mark.parametrize("fields", ["items(id", "items)", ",", "items//id", "nobody", "items id"])
def test_fields_that_cannot_be_read_are_refused_in_googles_words(youtube: Get, fields: str) -> None:
    answer = youtube("videos", **PAGE, fields=fields)
    assert answer.status_code == 400
    (error,) = answer.json()["error"]["errors"]
    assert (error["reason"], error["location"]) == ("invalidParameter", "fields")


def test_what_the_api_does_not_have_is_said_in_googles_shape(client: httpx.Client) -> None:
    missing = client.get("/youtube/v3/playlists")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, 404)
    written = client.post("/youtube/v3/videos", json={})
    assert (written.status_code, written.json()["error"]["code"]) == (401, 401)
