"""Streams and clips of the tracked games."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from aurastream.sources.catalog import load_catalog
from aurastream.sources.collectors import CrawlResult, Previous, collect_clips, collect_streams
from aurastream.sources.errors import KeyInvalidError
from aurastream.sources.twitch import TwitchClient
from aurastream.store.tables import metadata as tables

NOW = dt.datetime(2026, 11, 21, 12, 25, tzinfo=dt.UTC)
CATALOG = load_catalog().categories_frame()
GAMES = CATALOG[CATALOG["category"].isin(["fortnite", "apex"])]
FORTNITE, APEX = "33214", "511224"
STREAMS, CLIPS = "/helix/streams", "/helix/clips"


@pytest.fixture
def platform(platform: Any) -> Any:
    platform.streams = {
        FORTNITE: [platform.stream("s1", FORTNITE, 300), platform.stream("s2", FORTNITE, 500)],
        APEX: [platform.stream("s3", APEX, 40)],
    }
    for hours in range(24):
        made = NOW - dt.timedelta(hours=hours, minutes=30)
        platform.clips.append(platform.clip(f"f{hours:02}", FORTNITE, made))
    platform.clips.append(platform.clip("a00", APEX, NOW - dt.timedelta(hours=3)))
    return platform


def _streams(twitch: TwitchClient, **more: Any) -> CrawlResult:
    return collect_streams(twitch, games=GAMES, **more)


def _clips(twitch: TwitchClient, **more: Any) -> CrawlResult:
    return collect_clips(twitch, games=GAMES, since=NOW - dt.timedelta(hours=24), until=NOW, **more)


def test_streams_are_ranked_by_viewers_within_their_game(
    platform: Any, twitch: TwitchClient
) -> None:
    result = _streams(twitch)
    rows = result.rows
    assert rows[["game_id", "stream_id", "rank"]].to_numpy().tolist() == [
        [FORTNITE, "s2", 1],
        [FORTNITE, "s1", 2],
        [APEX, "s3", 1],
    ]
    assert result.is_complete
    assert result.metadata["viewers"] == 840
    assert result.frames["operations.crawls"]["category"].tolist() == [
        "fortnite",
        "apex",
        "top_games",
    ]


def test_the_most_watched_games_come_along(platform: Any, twitch: TwitchClient) -> None:
    top = _streams(twitch).frames["collection.twitch_top_games"]
    assert top[["game_id", "rank"]].to_numpy().tolist() == [[FORTNITE, 1], [APEX, 2]]


def test_a_crawl_adds_the_viewers_of_each_game_up_unless_it_may_not_keep_them(
    platform: Any, twitch: TwitchClient
) -> None:
    crawls = _streams(twitch).frames["operations.crawls"].set_index("category")
    assert crawls["viewer_total"].dropna().to_dict() == {"fortnite": 800, "apex": 40}

    crawls = _streams(twitch, adds_viewers=False).frames["operations.crawls"]
    assert crawls["viewer_total"].isna().all()


def test_a_game_nobody_streams_is_complete_and_empty(platform: Any, twitch: TwitchClient) -> None:
    platform.streams[APEX] = []
    result = _streams(twitch)
    crawls = result.frames["operations.crawls"].set_index("category")
    assert (crawls.loc["apex", "got"], crawls.loc["apex", "is_complete"]) == (0, True)


def test_as_many_streams_are_expected_as_the_last_complete_crawl_got(
    platform: Any, twitch: TwitchClient
) -> None:
    first = _streams(twitch, top_n=2)
    again = _streams(twitch, top_n=2, previous=Previous(got={"fortnite": 40, "top_games": 2}))

    # Nobody knows how many there are the first time.
    assert first.frames["operations.crawls"]["expected"].isna().all()
    expected = again.frames["operations.crawls"].set_index("category")["expected"]
    assert expected.dropna().to_dict() == {"fortnite": 2, "top_games": 2}
    assert again.metadata["coverage"] == 1.0


def test_a_short_answer_is_told_from_a_quiet_game(platform: Any, twitch: TwitchClient) -> None:
    platform.streams[FORTNITE].pop()

    result = _streams(twitch, top_n=2, previous=Previous(got={"fortnite": 2, "apex": 1}))

    crawls = result.frames["operations.crawls"].set_index("category")
    assert crawls.loc["fortnite", ["expected", "got"]].tolist() == [2, 1]
    assert crawls.loc["apex", ["expected", "got"]].tolist() == [1, 1]
    assert result.metadata["coverage"] == pytest.approx(2 / 3)


def test_a_game_that_failed_was_expected_all_the_same(platform: Any, twitch: TwitchClient) -> None:
    platform.intercept = lambda _, q: (
        (503, {"error": "Service Unavailable", "status": 503, "message": "later"})
        if q.get("game_id") == APEX
        else None
    )

    crawls = _streams(twitch, previous=Previous(got={"apex": 1})).frames["operations.crawls"]

    assert crawls.set_index("category").loc["apex", ["expected", "got"]].tolist() == [1, 0]


def test_one_failing_game_does_not_stop_the_others(platform: Any, twitch: TwitchClient) -> None:
    platform.intercept = lambda _, q: (
        (503, {"error": "Service Unavailable", "status": 503, "message": "later"})
        if q.get("game_id") == APEX
        else None
    )
    result = _streams(twitch)
    crawls = result.frames["operations.crawls"].set_index("category")
    assert crawls["reason"].to_dict() == {"fortnite": "", "apex": "transient", "top_games": ""}
    assert set(result.rows["game_id"]) == {FORTNITE}
    result.raise_if_nothing_came()


def test_refused_credentials_are_recorded_and_then_raised(
    platform: Any, twitch: TwitchClient
) -> None:
    platform.intercept = lambda path, _: (
        (403, {"status": 403, "message": "invalid client secret"}) if "oauth2" in path else None
    )
    result = _streams(twitch, max_parallel=1)
    assert platform.asked(STREAMS) == []
    assert set(result.frames["operations.crawls"]["reason"]) == {"key"}
    with pytest.raises(KeyInvalidError, match="TWITCH_CLIENT_SECRET"):
        result.raise_if_nothing_came()


def test_viewers_move_the_statistics_and_not_the_membership(
    platform: Any, twitch: TwitchClient
) -> None:
    first = _streams(twitch)
    platform.streams[APEX][0]["viewer_count"] = 41
    second = _streams(twitch, previous=Previous(state=first.frames["operations.collection_state"]))
    assert first.membership_hash == second.membership_hash
    assert first.stats_hash != second.stats_hash
    assert second.metadata["changed"] == 0
    assert first.metadata["changed"] == 2


def test_new_and_changed_are_told_from_what_the_last_crawls_saw(
    platform: Any, twitch: TwitchClient
) -> None:
    known = _clips(twitch).rows[["clip_id", "view_count"]].drop_duplicates("clip_id")
    known = known.iloc[1:].reset_index(drop=True)
    known.loc[0, "view_count"] -= 1
    again = _clips(twitch, previous=Previous(items=known)).metadata
    first = _clips(twitch).metadata
    assert (again["new"], again["changed"]) == (1, 1)
    assert (first["new"], first["changed"]) == (len(known) + 1, 0)
    assert first["coverage"] == "unknown"  # Twitch says nothing of how many there are
    assert _streams(twitch).metadata["new"] == len(_streams(twitch).rows)


def test_games_without_a_twitch_id_are_left_out(platform: Any, twitch: TwitchClient) -> None:
    games = GAMES.assign(twitch_game_id=[FORTNITE, None])
    result = collect_streams(twitch, games=games)
    assert [q["game_id"] for q in platform.asked(STREAMS)] == [FORTNITE]
    assert set(result.rows["game_id"]) == {FORTNITE}


def test_clips_are_asked_for_in_narrow_overlapping_windows_and_kept_once(
    platform: Any, twitch: TwitchClient
) -> None:
    result = _clips(twitch, overlap=dt.timedelta(minutes=45))
    asked = [q for q in platform.asked(CLIPS) if q["game_id"] == FORTNITE]
    spans = sorted((q["started_at"], q["ended_at"]) for q in asked)
    assert spans == [
        ("2026-11-20T12:25:00Z", "2026-11-20T18:25:00Z"),
        ("2026-11-20T17:40:00Z", "2026-11-21T00:25:00Z"),
        ("2026-11-20T23:40:00Z", "2026-11-21T06:25:00Z"),
        ("2026-11-21T05:40:00Z", "2026-11-21T12:25:00Z"),
    ]
    assert sorted(result.rows["clip_id"]) == ["a00", *[f"f{i:02}" for i in range(24)]]
    assert result.metadata["repeated"] == 3
    assert result.is_complete


def test_clips_come_newest_first_within_their_game(platform: Any, twitch: TwitchClient) -> None:
    rows = _clips(twitch).rows
    assert rows["clip_id"].tolist() == ["a00", *[f"f{i:02}" for i in range(24)]]


def test_a_full_window_is_asked_again_in_halves(platform: Any, twitch: TwitchClient) -> None:
    result = _clips(twitch, max_items=3)
    assert sorted(result.rows["clip_id"]) == ["a00", *[f"f{i:02}" for i in range(24)]]
    assert result.is_complete
    assert result.metadata["windows"] > 8


def test_a_window_that_cannot_be_halved_any_more_is_called_truncated(
    platform: Any, twitch: TwitchClient
) -> None:
    platform.clips = [
        platform.clip(f"x{i}", FORTNITE, NOW - dt.timedelta(minutes=1)) for i in range(5)
    ]
    result = _clips(twitch, max_items=3)
    crawls = result.frames["operations.crawls"].set_index("category")
    assert crawls["reason"].to_dict() == {"fortnite": "truncated", "apex": ""}
    assert len(result.rows) == 3


def test_a_game_that_was_not_asked_about_for_long_is_asked_from_then_on_and_no_other(
    platform: Any, twitch: TwitchClient
) -> None:
    eight_hours_ago = NOW - dt.timedelta(hours=8)
    platform.clips += [
        platform.clip(f"x{i}", FORTNITE, eight_hours_ago + dt.timedelta(minutes=1))
        for i in range(5)
    ]
    platform.clips.append(platform.clip("a01", APEX, NOW - dt.timedelta(hours=7)))
    six_hours_ago = NOW - dt.timedelta(hours=6)
    since_of = {"fortnite": eight_hours_ago, "apex": NOW - dt.timedelta(minutes=5)}

    result = collect_clips(twitch, games=GAMES, since=six_hours_ago, until=NOW, since_of=since_of)
    assert set(result.rows["clip_id"]) == {
        "a00",
        *[f"f{i:02}" for i in range(8)],
        *[f"x{i}" for i in range(5)],
    }
    assert result.is_complete
    assert result.metadata["windows"] == 3

    cut_off = collect_clips(
        twitch, games=GAMES, since=six_hours_ago, until=NOW, since_of=since_of, max_items=3
    )
    crawls = cut_off.frames["operations.crawls"].set_index("category")
    assert crawls["reason"].to_dict() == {"fortnite": "truncated", "apex": ""}


def test_a_failed_window_keeps_the_clips_of_the_others(platform: Any, twitch: TwitchClient) -> None:
    platform.intercept = lambda path, q: (
        (500, {"error": "Internal Server Error", "status": 500, "message": "x"})
        if path == CLIPS and q["started_at"].startswith("2026-11-20T12")
        else None
    )
    result = _clips(twitch)
    crawls = result.frames["operations.crawls"].set_index("category")
    assert set(crawls["reason"]) == {"transient"}
    assert crawls["got"].to_dict() == {"fortnite": 18, "apex": 1}
    result.raise_if_nothing_came()


def test_a_span_without_time_in_it_is_refused(twitch: TwitchClient) -> None:
    with pytest.raises(ValueError, match="no time"):
        collect_clips(twitch, games=GAMES, since=NOW, until=NOW)


def test_every_frame_has_the_columns_of_its_table(platform: Any, twitch: TwitchClient) -> None:
    empty = GAMES.iloc[:0]
    results = [
        _streams(twitch),
        _clips(twitch),
        collect_streams(twitch, games=empty, started_at=NOW),
        collect_clips(twitch, games=empty, since=NOW - dt.timedelta(hours=1), until=NOW),
    ]
    for result in results:
        for name, frame in result.frames.items():
            assert list(frame.columns) == [c.name for c in tables.tables[name].columns], name
            assert isinstance(frame, pd.DataFrame)
