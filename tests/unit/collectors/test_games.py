"""Videos of the tracked games: shared batches, reclassification, search, honest gaps."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest

from aurastream.core.games import GameClassifier
from aurastream.core.planner import Plan, plan_games
from aurastream.sources.collectors import CrawlResult, Previous, collect_games
from aurastream.sources.errors import TransientError
from aurastream.sources.youtube import YouTubeClient
from aurastream.store.tables import metadata as tables

NOW = dt.datetime(2026, 11, 21, 12, 25, tzinfo=dt.UTC)
VIDEOS, SEARCH, CHANNELS = (f"/youtube/v3/{name}" for name in ("videos", "search", "channels"))
CLASSIFIER = GameClassifier({"chess": {"phrases": ["chess"]}, "go": {"phrases": ["baduk"]}})


def _plan(*games: str, max_videos: int = 50, **more: Any) -> Plan:
    frame = pd.DataFrame(
        {
            "category": games,
            "title": [g.title() for g in games],
            "priority": 1,
            "interval_minutes": 120,
            "max_videos": max_videos,
        }
    )
    state = pd.DataFrame({"category": [], "last_crawl_at": [], "unchanged_count": []})
    return plan_games(frame, state, as_of=NOW, available_units=100, **more)


def _candidates(items: dict[str, str], **columns: Any) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "video_id": list(items),
            "title": list(items.values()),
            "tags": [[] for _ in items],
            "channel_id": "UC",
            "category_id": 20,
            **columns,
        }
    )


def _collect(
    youtube: YouTubeClient, plan: Plan, candidates: pd.DataFrame, **more: Any
) -> CrawlResult:
    return collect_games(youtube, plan=plan, candidates=candidates, classifier=CLASSIFIER, **more)


@pytest.fixture
def platform(platform: Any) -> Any:
    for number in range(60):
        game = "Chess" if number % 2 else "Baduk"
        platform.videos[f"v{number:02}"] = platform.video(f"v{number:02}", f"{game} {number}")
    return platform


def _known(platform: Any, *ids: str) -> dict[str, str]:
    return {i: platform.videos[i]["snippet"]["title"] for i in ids or platform.videos}


def test_videos_of_all_games_share_batches_of_fifty(platform: Any, youtube: YouTubeClient) -> None:
    result = _collect(youtube, _plan("chess", "go"), _candidates(_known(platform)))
    asked = [q["id"].split(",") for q in platform.asked(VIDEOS)]
    assert sorted(len(ids) for ids in asked) == [10, 50]
    assert len({i for ids in asked for i in ids}) == 60
    assert result.rows["game"].value_counts().to_dict() == {"chess": 30, "go": 30}
    assert result.is_complete
    assert result.metadata["coverage"] == 1.0


def test_an_id_that_is_listed_twice_is_asked_once(platform: Any, youtube: YouTubeClient) -> None:
    twice = pd.concat([_candidates(_known(platform, "v01")), _candidates(_known(platform, "v01"))])
    result = _collect(youtube, _plan("chess"), twice)
    assert [q["id"] for q in platform.asked(VIDEOS)] == ["v01"]
    assert len(result.rows) == 1


def test_a_game_gets_no_more_videos_than_planned_and_the_fastest_first(
    platform: Any, youtube: YouTubeClient
) -> None:
    candidates = _candidates(
        _known(platform, "v01", "v03", "v05", "v07"),
        views=[100, 10_000, None, 5000],
        published_at=NOW - dt.timedelta(hours=10),
        observed_at=NOW,
    )
    result = _collect(youtube, _plan("chess", max_videos=2), candidates)
    assert result.rows["video_id"].tolist() == ["v03", "v07"]


def test_what_was_not_seen_since_the_games_last_complete_crawl_gives_its_place_to_what_was(
    platform: Any, youtube: YouTubeClient
) -> None:
    crawl, before = NOW - dt.timedelta(hours=2), NOW - dt.timedelta(hours=8)
    candidates = _candidates(
        _known(platform, "v01", "v03", "v05", "v07"),
        views=[1_000_000, 100, 50, 200],
        published_at=NOW - dt.timedelta(hours=10),
        observed_at=[before, crawl, NOW, crawl],
        discovered_by=["refresh", "refresh", "chart", "refresh"],
    )

    def chosen(max_videos: int, **complete_at: dt.datetime) -> list[str]:
        plan, previous = _plan("chess", max_videos=max_videos), Previous(complete_at=complete_at)
        return _collect(youtube, plan, candidates, previous=previous).rows["video_id"].tolist()

    assert chosen(3, chess=crawl) == ["v03", "v05", "v07"]
    # Where there is room it is asked for all the same.
    assert chosen(4, chess=crawl) == ["v01", "v03", "v05", "v07"]
    # What an incomplete crawl did not see may be there still.
    assert chosen(3, chess=before) == chosen(3) == ["v01", "v03", "v07"]


def test_only_planned_games_are_collected(platform: Any, youtube: YouTubeClient) -> None:
    result = _collect(youtube, _plan("chess"), _candidates(_known(platform, "v00", "v01")))
    assert [q["id"] for q in platform.asked(VIDEOS)] == ["v01"]
    assert result.frames["operations.crawls"]["category"].tolist() == ["chess"]


def test_rows_say_how_and_how_surely_the_game_was_told(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.videos["v01"] = platform.video("v01", "Chess 1", tags=["chess"])
    candidates = _candidates(_known(platform, "v01", "v03"), discovered_by=["refresh", "chart"])
    rows = _collect(youtube, _plan("chess"), candidates).rows
    assert rows["rule"].tolist() == ["title+tags", "title"]
    assert rows["confidence"].tolist() == pytest.approx([0.965, 0.9])
    assert rows["discovered_by"].tolist() == ["refresh", "chart"]
    assert rows["classifier_version"].unique().tolist() == [CLASSIFIER.version]


def test_a_video_whose_new_title_names_no_game_is_neither_stored_nor_missed(
    platform: Any, youtube: YouTubeClient
) -> None:
    candidates = _candidates(_known(platform, "v01", "v03"))
    platform.videos["v01"] = platform.video("v01", "A walk in the park")
    result = _collect(youtube, _plan("chess"), candidates)
    crawl = result.frames["operations.crawls"].iloc[0]
    assert result.rows["video_id"].tolist() == ["v03"]
    assert (crawl["expected"], crawl["got"], crawl["is_complete"]) == (1, 1, True)
    # Its new metadata is kept: the classifier can be corrected later.
    assert set(result.frames["collection.youtube_videos"]["video_id"]) == {"v01", "v03"}


def test_a_video_that_is_not_understood_is_missed_and_a_game_of_such_alone_is_incomplete(
    platform: Any, youtube: YouTubeClient
) -> None:
    candidates = _candidates(_known(platform, "v00", "v01", "v03"))
    for video in ("v00", "v01"):
        platform.videos[video]["snippet"]["title"] = 7
    result = _collect(youtube, _plan("chess", "go"), candidates)
    crawls = result.frames["operations.crawls"].set_index("category")
    assert result.rows["video_id"].tolist() == ["v03"]
    assert crawls[["expected", "got", "rejected"]].to_numpy().tolist() == [[2, 1, 1], [1, 0, 1]]
    assert crawls["reason"].to_dict() == {"chess": "", "go": "1 of 1 items were rejected"}
    assert crawls["is_complete"].to_dict() == {"chess": True, "go": False}
    # What nothing is known of stays due.
    state = result.frames["operations.collection_state"].set_index("category")
    assert state["last_crawl_at"].isna().to_dict() == {"chess": False, "go": True}


def test_deleted_videos_are_counted_and_no_gap(platform: Any, youtube: YouTubeClient) -> None:
    candidates = _candidates(_known(platform, "v01", "v03"))
    del platform.videos["v01"]
    result = _collect(youtube, _plan("chess"), candidates)
    assert result.metadata["gone"] == 1
    assert result.is_complete


def test_a_failed_batch_makes_only_its_games_incomplete(
    platform: Any, youtube: YouTubeClient
) -> None:
    ids = {f"c{i:02}": f"Chess {i}" for i in range(50)} | _known(platform, "v00", "v02")
    for video_id, title in ids.items():
        platform.videos[video_id] = platform.video(video_id, title)
    platform.intercept = lambda _, q: (
        platform.google_error(503, "backendError") if "v00" in q["id"] else None
    )
    result = _collect(youtube, _plan("chess", "go"), _candidates(ids))
    crawls = result.frames["operations.crawls"].set_index("category")
    assert crawls["is_complete"].to_dict() == {"chess": True, "go": False}
    assert crawls.loc["go", ["expected", "got", "reason"]].tolist() == [2, 0, "transient"]
    assert result.rows["game"].value_counts().to_dict() == {"chess": 50}
    state = result.frames["operations.collection_state"].set_index("category")
    assert state["failure_count"].to_dict() == {"chess": 0, "go": 1}


def test_nothing_but_failures_are_recorded_and_then_raised(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.intercept = lambda _path, _query: platform.google_error(503, "backendError")
    result = _collect(youtube, _plan("chess"), _candidates(_known(platform, "v01")))
    assert result.frames["operations.fetch_log"]["outcome"].tolist() == ["transient"]
    with pytest.raises(TransientError):
        result.raise_if_nothing_came()


def test_a_planned_game_without_candidates_is_complete_and_costs_nothing(
    platform: Any, youtube: YouTubeClient
) -> None:
    result = _collect(youtube, _plan("go"), _candidates(_known(platform, "v01")))
    assert platform.calls == []
    assert result.crawl_at == NOW
    assert result.is_complete
    state = result.frames["operations.collection_state"].iloc[0]
    assert state["last_crawl_at"] == NOW


def test_no_candidates_at_all_are_no_obstacle(platform: Any, youtube: YouTubeClient) -> None:
    result = _collect(youtube, _plan("go"), _candidates({}))
    assert len(result.rows) == 0
    assert result.metadata["quota_used"] == 0


def test_skipped_games_keep_their_reason_in_the_metadata(
    platform: Any, youtube: YouTubeClient
) -> None:
    plan = plan_games(
        pd.DataFrame(
            {
                "category": ["chess", "go"],
                "priority": [1, 2],
                "interval_minutes": 60,
                "max_videos": 50,
            }
        ),
        pd.DataFrame({"category": [], "last_crawl_at": [], "unchanged_count": []}),
        as_of=NOW,
        available_units=3,
    )
    result = _collect(youtube, plan, _candidates(_known(platform, "v01")))
    assert result.metadata["skipped"] == "go: quota: needs 2 units, 1 left"
    assert result.metadata["games"] == "chess"


def test_an_ambiguous_video_is_quarantined_once_however_often_it_is_seen(
    platform: Any, youtube: YouTubeClient
) -> None:
    first_seen = NOW - dt.timedelta(hours=6)
    candidates = _candidates(
        {"v01": "Chess 1", "x": "Chess or baduk?"}, first_observed_at=first_seen
    )
    one = _collect(youtube, _plan("chess"), candidates).frames["operations.quarantine"]
    platform.now = NOW + dt.timedelta(hours=2)
    two = _collect(youtube, _plan("chess"), candidates).frames["operations.quarantine"]
    assert one["item_id"].tolist() == ["x"]
    assert one["reason"].tolist() == ["ambiguous: chess, go"]
    assert one["occurred_at"].tolist() == [first_seen]
    pd.testing.assert_frame_equal(one, two)


def test_a_reconcile_searches_each_game_and_fetches_what_it_found(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.videos["new"] = platform.video("new", "Chess in the rain")
    platform.videos["odd"] = platform.video("odd", "Cooking with a knight")
    platform.found = {"Chess": ["new", "odd", "v01"]}
    candidates = _candidates(_known(platform, "v01"))
    result = _collect(youtube, _plan("chess", "go"), candidates, reconcile=True)
    assert sorted(q["q"] for q in platform.asked(SEARCH)) == ["Chess", "Go"]
    assert {q["videoCategoryId"] for q in platform.asked(SEARCH)} == {"20"}
    assert {q["publishedAfter"] for q in platform.asked(SEARCH)} == {"2026-11-18T12:25:00Z"}
    rows = result.rows.set_index("video_id")
    assert rows["discovered_by"].to_dict() == {"new": "search", "v01": "chart"}
    assert result.is_complete


def test_a_reconcile_collects_the_channels_of_the_stored_videos(
    platform: Any, youtube: YouTubeClient
) -> None:
    result = _collect(
        youtube, _plan("chess"), _candidates(_known(platform, "v01", "v03")), reconcile=True
    )
    channels = result.frames["collection.youtube_channels"]
    assert channels["channel_id"].tolist() == ["UCv01", "UCv03"]
    assert [q["id"] for q in platform.asked(CHANNELS)] == ["UCv01,UCv03"]


def test_searches_stay_within_the_cap_and_go_to_the_first_games(
    platform: Any, youtube: YouTubeClient
) -> None:
    candidates = _candidates(_known(platform, "v00", "v01"))
    _collect(youtube, _plan("chess", "go"), candidates, reconcile=True, max_searches=1)
    assert [q["q"] for q in platform.asked(SEARCH)] == ["Chess"]


def test_without_a_reconcile_nothing_is_searched(platform: Any, youtube: YouTubeClient) -> None:
    _collect(youtube, _plan("chess"), _candidates(_known(platform, "v01")))
    assert platform.asked(SEARCH) == platform.asked(CHANNELS) == []


def test_a_spent_search_quota_does_not_keep_known_videos_from_being_refreshed(
    platform: Any, youtube: YouTubeClient
) -> None:
    platform.intercept = lambda path, _: (
        platform.google_error(403, "quotaExceeded") if path == SEARCH else None
    )
    candidates = _candidates(_known(platform, "v00", "v01"))
    result = _collect(youtube, _plan("chess", "go"), candidates, reconcile=True, max_parallel=1)
    crawls = result.frames["operations.crawls"].set_index("category")
    assert len(platform.asked(SEARCH)) == 1
    assert result.rows["video_id"].tolist() == ["v01", "v00"]
    assert crawls["reason"].to_dict() == {"chess": "quota", "go": "quota"}
    assert crawls["got"].to_dict() == {"chess": 1, "go": 1}


def test_unchanged_games_are_counted_for_the_planner(platform: Any, youtube: YouTubeClient) -> None:
    candidates = _candidates(_known(platform, "v00", "v01"))
    plan = _plan("chess", "go")
    first = _collect(youtube, plan, candidates)
    platform.videos["v01"] = platform.video("v01", "Chess 1", views=9999)
    platform.videos["v00"] = platform.video("v00", "Baduk, renamed")
    previous = Previous(
        state=first.frames["operations.collection_state"],
        videos=first.rows[["video_id", "views", "metadata_hash"]],
    )
    second = _collect(youtube, plan, candidates, previous=previous)
    state = second.frames["operations.collection_state"].set_index("category")
    assert state["unchanged_count"].to_dict() == {"chess": 1, "go": 0}
    assert (second.metadata["new"], second.metadata["changed"]) == (0, 1)


def test_every_frame_has_the_columns_of_its_table(platform: Any, youtube: YouTubeClient) -> None:
    for candidates in (_candidates(_known(platform, "v01")), _candidates({})):
        result = _collect(youtube, _plan("chess"), candidates, reconcile=True)
        for name, frame in result.frames.items():
            assert list(frame.columns) == [c.name for c in tables.tables[name].columns], name
