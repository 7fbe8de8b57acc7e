"""Quota by virtual day, points by virtual minute."""

import datetime as dt

import httpx
import pytest

from aurastream.core.quota import cost_table
from aurastream.replay.limits import QuotaBuckets
from tests.replay import specs
from tests.replay.conftest import NOW, Get

PAGE = {"part": "id", "chart": "mostPopular"}


def test_an_empty_bucket_answers_the_recorded_403_until_midnight_in_los_angeles(
    client: httpx.Client, youtube: Get
) -> None:
    client.put("/_replay/limits", json={"default": 3})
    late = dt.datetime(2026, 11, 20, 7, 59, tzinfo=dt.UTC)  # a minute to midnight there
    answers = [youtube("videos", late, **PAGE) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 403]
    assert answers[-1].json()["error"]["errors"][0]["reason"] == "quotaExceeded"
    real = specs.recorded("youtube_payloads", "errors", "quotaExceeded_403.json")
    assert answers[-1].json() == real["body"]
    assert youtube("videos", late + dt.timedelta(minutes=1), **PAGE).status_code == 200
    assert youtube("videos", late, **PAGE).status_code == 403, "yesterday stays spent"


def test_each_key_has_a_bucket_of_its_own_and_refused_requests_cost_too(
    client: httpx.Client, youtube: Get
) -> None:
    client.put("/_replay/limits", json={"default": 2})
    assert youtube("videos", part="nonsense", key="a").status_code == 400
    assert youtube("videos", key="a", **PAGE).status_code == 200
    assert youtube("videos", key="a", **PAGE).status_code == 403
    assert youtube("videos", key="b", **PAGE).status_code == 200


def test_search_and_batch_statistics_have_their_own_buckets(
    client: httpx.Client, youtube: Get
) -> None:
    client.put("/_replay/limits", json={"default": 0, "search": 1, "batchGetStats": 1})
    assert youtube("videos", **PAGE).status_code == 403
    assert youtube("search", part="id", q="x").status_code == 200
    assert youtube("search", part="id", q="x").status_code == 403
    assert youtube("videos:batchGetStats", id="x").status_code == 200
    assert youtube("videos:batchGetStats", id="x").status_code == 403


def test_a_search_before_june_2026_costs_a_hundred_units_of_the_common_bucket(
    client: httpx.Client, youtube: Get
) -> None:
    client.put("/_replay/limits", json={"default": 150})
    may = dt.datetime(2026, 5, 30, 12, tzinfo=dt.UTC)
    assert youtube("search", may, part="id", q="x").status_code == 200
    assert youtube("search", may, part="id", q="x").status_code == 403
    assert youtube("videos", may, **PAGE).status_code == 200


def test_without_a_key_nothing_is_served(client: httpx.Client) -> None:
    answer = client.get("/youtube/v3/videos", params=PAGE)
    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"


def test_the_points_of_a_minute_run_out_and_come_back(client: httpx.Client, helix: Get) -> None:
    client.put("/_replay/limits", json={"points_per_minute": 3})
    minute = NOW + dt.timedelta(hours=1)
    answers = [helix("games/top", minute) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    remaining = [answer.headers["ratelimit-remaining"] for answer in answers]
    assert remaining == ["2", "1", "0", "0"]
    refused = answers[-1]
    assert refused.json()["error"] == "Too Many Requests"
    assert int(refused.headers["ratelimit-reset"]) == int(minute.timestamp()) + 60
    assert helix("games/top", minute + dt.timedelta(minutes=1)).status_code == 200


def test_the_limits_are_shown_and_checked(client: httpx.Client) -> None:
    assert client.get("/_replay/limits").json()["search"] == 100
    for wrong in ({"nothing": 1}, {"default": -1}, {"default": "many"}, {"default": True}, []):
        assert client.put("/_replay/limits", json=wrong).status_code == 400


@pytest.mark.parametrize("day", [dt.date(2026, 5, 30), dt.date(2026, 11, 20)])
def test_the_servers_costs_agree_with_the_products_own(day: dt.date) -> None:
    at = dt.datetime.combine(day, dt.time(12), dt.UTC)
    table = cost_table("granular_2026", at)
    for endpoint in ("videos.list", "channels.list", "videoCategories.list", "search.list"):
        buckets = QuotaBuckets()
        assert buckets.spend("k", endpoint, at.timestamp())
        assert list(buckets.used.values()) == [table.cost(endpoint).units]
