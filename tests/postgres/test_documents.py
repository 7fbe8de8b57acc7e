"""Hot documents, from a real Postgres into a real Redis."""

import datetime as dt
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import pandas as pd
import pytest
import redis
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.store.document_schemas import (
    KINDS,
    BaselineDocument,
    CategoryStatsDocument,
    ClipsDocument,
    CompetitionDocument,
    FormatDocument,
    GameVideosDocument,
    LastFetchDocument,
    StreamsDocument,
    TitleDocument,
    TopGamesDocument,
    TrendingDocument,
    VideoIdeasDocument,
    ViralDocument,
)
from aurastream.store.documents import (
    BuiltDocument,
    Miss,
    build_documents,
    publish,
    read,
    rebuild_documents,
)
from aurastream.store.errors import StoreUnavailableError
from aurastream.store.frames import Append, FrameStore

Rows = Callable[..., pd.DataFrame]

AS_OF = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
CRAWL = AS_OF - dt.timedelta(minutes=5)
WINDOW = AS_OF - dt.timedelta(minutes=30)
FOUR_HOURS = AS_OF - dt.timedelta(hours=4)
ONE_DAY = dt.timedelta(days=1)


def fill(store: FrameStore, rows: Rows) -> None:
    crawls = [
        {"dataset": "collection/youtube_trending", "category": "music", "region": "US"},
        {"dataset": "collection/youtube_trending", "category": "music", "region": "DE"},
        {"dataset": "collection/youtube_games", "category": "fortnite", "region": ""},
        {"dataset": "collection/twitch_streams", "category": "fortnite", "region": ""},
        {"dataset": "collection/twitch_top_games", "category": "top_games", "region": ""},
        {"dataset": "collection/clip_radar", "category": "fortnite", "region": ""},
    ]
    versions = [
        {"video_id": v, "metadata_hash": "h", "title": f"Title {v}", "thumbnail_url": "u"}
        for v in "ab"
    ]
    trending = [
        {
            "chart": "music",
            "region": region,
            "video_id": v,
            "rank": rank,
            "views": 10,
            "metadata_hash": "h",
        }
        for region, v, rank in (("US", "a", 2), ("DE", "a", 1), ("US", "b", 1))
    ]
    store.commit(
        [
            Append("operations.crawls", rows("operations.crawls",
                   [{**c, "got": 2, "is_complete": True} for c in crawls], at=CRAWL)),
            Append("operations.categories", rows("operations.categories",
                   [{"category": "fortnite", "kind": "game", "twitch_game_id": "33214"}])),
            Append("collection.youtube_videos", rows("collection.youtube_videos", versions,
                   at=CRAWL)),
            Append("collection.youtube_trending", rows("collection.youtube_trending", trending,
                   at=CRAWL)),
            Append("collection.youtube_games", rows("collection.youtube_games",
                   [{"game": "fortnite", "video_id": v, "views": n, "metadata_hash": "h"}
                    for v, n in (("a", 5), ("b", 50))], at=CRAWL)),
            Append("collection.twitch_streams", rows("collection.twitch_streams",
                   [{"game_id": "33214", "stream_id": s, "rank": r, "viewer_count": n,
                     "tags": ["English"], "is_mature": s == "2"}
                    for s, r, n in (("1", 1, 90), ("2", 2, 10))], at=CRAWL)),
            Append("collection.twitch_top_games", rows("collection.twitch_top_games",
                   [{"game_id": "33214", "rank": 1, "game_name": "Fortnite"}], at=CRAWL)),
            Append("collection.clip_radar", rows("collection.clip_radar",
                   [{"game_id": "33214", "clip_id": c, "view_count": n,
                     "vod_offset_s": {"c1": 4210}.get(c)}
                    for c, n in (("c1", 1), ("c2", 2))], at=CRAWL)),
            Append("intelligence.category_stats", rows("intelligence.category_stats",
                   [{"category": c, "sample_count": 25, "views_mean": 1.5,
                     "baseline_velocity_per_hour": 7.0, "baseline_source": "dynamic"}
                    for c in ("music", "fortnite")], at=WINDOW)),
            Append("intelligence.viral_scores", rows("intelligence.viral_scores",
                   [{"category": "fortnite", "video_id": v, "trend_class": t, "decayed_score": s,
                     "sample_count": 25} for v, t, s in (("a", "RISING", 60.0),
                                                         ("b", "VIRAL", 95.0),
                                                         ("gone", "UNKNOWN", None))], at=WINDOW)),
            Append("intelligence.video_velocity", rows("intelligence.video_velocity",
                   [{"category": "fortnite", "video_id": "b", "views": 50,
                     "velocity_now_per_hour": 12.5}], at=WINDOW)),
            Append("intelligence.competition", rows("intelligence.competition",
                   [{"category": "fortnite", "live_count": 2, "ease_score": 61.0,
                     "observed_at": CRAWL}], at=WINDOW)),
            Append("intelligence.title_intel", rows("intelligence.title_intel",
                   [{"category": "fortnite", "pattern": p, "title_count": 40, "lift": n,
                     "q_value": q, "verdict": v}
                    for p, n, q, v in (("emoji", None, None, "UNKNOWN"),
                                       ("question", 1.5, 0.01, "FASTER"))], at=FOUR_HOURS)),
            Append("intelligence.keyword_scores", rows("intelligence.keyword_scores",
                   [{"category": "fortnite", "kind": k, "rank": r, "term": t, "score": 1.0 / r}
                    for k, r, t in (("title", 2, "zero build"), ("title", 1, "chapter"),
                                    ("tag", 1, "fortnite"))], at=FOUR_HOURS)),
            Append("intelligence.topic_intel", rows("intelligence.topic_intel",
                   [{"category": "fortnite", "rank": 1, "topic": "chapter", "video_count": 2,
                     "evidence_video_ids": ["b", "a"]}], at=FOUR_HOURS)),
            Append("intelligence.shorts_comparison", rows("intelligence.shorts_comparison",
                   [{"category": c, "regime": "shorts-starts", "shorts_count": n,
                     "shorts_performance_ratio": 0.5 if n else None}
                    for c, n in (("fortnite", 7), ("music", 0))], at=FOUR_HOURS)),
            *(Append("intelligence.content_formats", rows("intelligence.content_formats",
                     [{"category": "fortnite", "duration_bucket": b, "views_known_count": n,
                       "performance_index": i, "is_optimal": best}
                      for b, n, i, best in (("8-15 min", 6, late, late == 3.0),
                                            ("<1 min", 9, 2.0, late != 3.0),
                                            (">30 min", 1, 50.0, False))],
                     at=FOUR_HOURS - dt.timedelta(hours=4 * back)))
              for back, late in ((0, 3.0), (1, 0.5), (2, 0.5))),
            Append("intelligence.video_ideas", rows("intelligence.video_ideas",
                   [{"category": "fortnite", "rank": r, "idea_id": f"{r:016d}", "concept": c,
                     "idea_score": 90.0 - r, "tags": ["boss"], "evidence_video_ids": ["a", "b"]}
                    for r, c in ((1, "First"), (2, "Second"))], at=FOUR_HOURS)),
            Append("intelligence.video_ideas", rows("intelligence.video_ideas",
                   [{"category": "fortnite", "rank": 1, "concept": "Not over yet"}],
                   at=FOUR_HOURS + dt.timedelta(hours=4))),
        ]
    )  # fmt: skip


@pytest.fixture
def client(redis_url: str) -> Iterator[redis.Redis]:
    opened = redis.Redis.from_url(redis_url)
    yield opened
    opened.close()


@pytest.fixture
def published(store: FrameStore, redis_url: str, rows: Rows, client: redis.Redis) -> redis.Redis:
    fill(store, rows)
    rebuild_documents(store, redis_url, AS_OF)
    return client


def test_every_document_is_published_under_its_key_and_passes_its_schema(
    store: FrameStore, redis_url: str, rows: Rows, client: redis.Redis
) -> None:
    fill(store, rows)
    keys = rebuild_documents(store, redis_url, AS_OF)
    assert sorted(keys) == [
        "clip_radar:33214:clips",
        "intel:category_stats:fortnite",
        "intel:category_stats:music",
        "intel:competition:fortnite",
        "intel:format:precomputed:fortnite",
        "intel:format:precomputed:music",
        "intel:title:precomputed:fortnite",
        "intel:video_ideas:precomputed:fortnite",
        "intel:viral:precomputed:fortnite",
        "twitch:streams:33214",
        "twitch:streams:last_fetch",
        "twitch:top_games",
        "viral:baseline:fortnite",
        "viral:baseline:music",
        "youtube:games:fortnite",
        "youtube:trending:music",
    ]
    for key in keys:
        found = read(client, key)
        assert not isinstance(found, Miss), found
        assert found.label == "replay"
        assert found.as_of == AS_OF


def test_a_chart_is_merged_over_its_regions(published: redis.Redis) -> None:
    found = read(published, "youtube:trending:music")
    assert isinstance(found, TrendingDocument)
    assert [(v.video_id, v.best_rank, v.regions) for v in found.videos] == [
        ("a", 1, ["DE", "US"]),
        ("b", 1, ["US"]),
    ]
    assert found.videos[0].title == "Title a"
    assert found.videos[0].likes is None


def test_games_streams_clips_and_top_games_are_ordered(published: redis.Redis) -> None:
    games = read(published, "youtube:games:fortnite")
    streams = read(published, "twitch:streams:33214")
    clips = read(published, "clip_radar:33214:clips")
    top = read(published, "twitch:top_games")
    last = read(published, "twitch:streams:last_fetch")
    assert isinstance(games, GameVideosDocument)
    assert isinstance(streams, StreamsDocument)
    assert isinstance(clips, ClipsDocument)
    assert isinstance(top, TopGamesDocument)
    assert isinstance(last, LastFetchDocument)
    assert [v.video_id for v in games.videos] == ["b", "a"]
    assert (streams.game, streams.viewer_total, streams.streams[0].tags) == (
        "fortnite", 100, ["English"],
    )  # fmt: skip
    assert [s.is_mature for s in streams.streams] == [False, True]
    assert [(c.clip_id, c.vod_offset_s) for c in clips.clips] == [("c2", None), ("c1", 4210)]
    assert [g.game_name for g in top.games] == ["Fortnite"]
    assert last.crawl_at == CRAWL


def test_the_scores_of_the_newest_window_are_published(published: redis.Redis) -> None:
    ideas = read(published, "intel:video_ideas:precomputed:fortnite")
    assert isinstance(ideas, VideoIdeasDocument)
    assert [(i.rank, i.concept, i.tags) for i in ideas.ideas] == [
        (1, "First", ["boss"]),
        (2, "Second", ["boss"]),
    ]
    assert ideas.observed_at == AS_OF
    viral = read(published, "intel:viral:precomputed:fortnite")
    competition = read(published, "intel:competition:fortnite")
    stats = read(published, "intel:category_stats:music")
    baseline = read(published, "viral:baseline:music")
    assert isinstance(viral, ViralDocument)
    assert isinstance(competition, CompetitionDocument)
    assert isinstance(stats, CategoryStatsDocument)
    assert isinstance(baseline, BaselineDocument)
    assert [v.video_id for v in viral.videos] == ["b", "a", "gone"]
    assert (viral.viral_count, viral.rising_count, viral.sample_count) == (1, 1, 25)
    assert viral.videos[0].velocity_now_per_hour == 12.5
    assert viral.videos[2].title is None
    assert competition.observed_at == CRAWL
    assert competition.competition_score == competition.ease_score
    assert (stats.views.mean, stats.views.p90) == (1.5, None)
    assert baseline.baseline_velocity_per_hour == 7.0


@pytest.mark.parametrize("viewers", [[70, 30], []], ids=["some", "nobody"])
def test_a_crawl_later_than_the_score_is_measured_for_the_document(
    store: FrameStore, published: redis.Redis, redis_url: str, rows: Rows, viewers: list[int]
) -> None:
    later = CRAWL + dt.timedelta(minutes=3)
    crawl = {"dataset": "collection/twitch_streams", "category": "fortnite", "region": ""}
    streams = [
        {"game_id": "33214", "stream_id": f"s{place}", "rank": place + 1, "viewer_count": count}
        for place, count in enumerate(viewers)
    ]
    store.commit(
        [
            Append("operations.crawls", rows("operations.crawls",
                   [{**crawl, "got": len(viewers), "is_complete": True}], at=later)),
            *([Append("collection.twitch_streams", rows("collection.twitch_streams", streams,
                      at=later))] if streams else []),
        ]
    )  # fmt: skip

    def served() -> CompetitionDocument:
        rebuild_documents(store, redis_url, AS_OF, only=["competition"])
        found = read(published, "intel:competition:fortnite")
        assert isinstance(found, CompetitionDocument)
        return found

    # A game that cannot be measured costs itself: it keeps what was said last.
    store.execute("UPDATE operations.categories SET audience_timezone = 'Nowhere/Else'")
    assert (served().observed_at, served().live_count) == (CRAWL, 2)
    store.execute("UPDATE operations.categories SET audience_timezone = 'Europe/Berlin'")
    found = served()
    assert (found.observed_at, found.live_count) == (later, len(viewers))
    assert found.viewer_total == sum(viewers)
    assert found.hhi == (pytest.approx(0.58) if viewers else None)
    assert found.window_start == WINDOW
    assert found.fresh_until == later + dt.timedelta(minutes=15)


def test_what_titles_say_is_published_surest_first(published: redis.Redis) -> None:
    title = read(published, "intel:title:precomputed:fortnite")
    assert isinstance(title, TitleDocument)
    assert (title.window_start, title.observed_at, title.title_count) == (FOUR_HOURS, WINDOW, 40)
    assert [(p.pattern, p.lift) for p in title.patterns] == [("question", 1.5), ("emoji", None)]
    assert [k.term for k in title.keywords] == ["chapter", "zero build"]
    assert [k.term for k in title.tags] == ["fortnite"]
    assert title.topics[0].evidence_video_ids == ["b", "a"]


def test_lengths_are_published_shortest_first_with_the_best_of_now_and_of_the_week(
    published: redis.Redis,
) -> None:
    found = read(published, "intel:format:precomputed:fortnite")
    assert isinstance(found, FormatDocument)
    assert (found.window_start, found.observed_at) == (FOUR_HOURS, WINDOW)
    assert [(one.duration_bucket, one.performance_index) for one in found.lengths] == [
        ("<1 min", 2.0),
        ("8-15 min", 3.0),
        (">30 min", 50.0),
    ]
    # The newest window is an exception, and one long video proves nothing.
    assert (found.optimal_length, found.optimal_length_of_week) == ("8-15 min", "<1 min")
    (shorts,) = found.shorts
    assert (shorts.shorts_count, shorts.shorts_performance_ratio) == (7, 0.5)


def test_a_category_without_known_lengths_has_a_document_that_says_so(
    published: redis.Redis,
) -> None:
    found = read(published, "intel:format:precomputed:music")
    assert isinstance(found, FormatDocument)
    assert (found.lengths, found.optimal_length, found.optimal_length_of_week) == ([], None, None)
    assert found.shorts[0].shorts_performance_ratio is None
    assert found.observed_at == FOUR_HOURS  # nothing tells when it was observed


def test_a_window_of_titles_that_was_not_over_is_not_published(
    store: FrameStore, redis_url: str, rows: Rows
) -> None:
    fill(store, rows)
    keys = rebuild_documents(store, redis_url, AS_OF - dt.timedelta(minutes=1))
    assert "intel:title:precomputed:fortnite" not in keys


def test_each_document_says_how_long_it_is_fresh_and_dies_later(published: redis.Redis) -> None:
    for key, fresh_m, hard_h in (
        ("youtube:trending:music", 30, 72),
        ("intel:title:precomputed:fortnite", 300, 72),
        ("intel:format:precomputed:fortnite", 300, 72),
        ("twitch:streams:33214", 20, 24),
        ("clip_radar:33214:clips", 5, 24),
        ("intel:competition:fortnite", 15, 72),
    ):
        found = read(published, key)
        assert not isinstance(found, Miss)
        assert found.fresh_until - found.observed_at == dt.timedelta(minutes=fresh_m)
        assert 0 < published.ttl(key) <= hard_h * 3600
        assert published.ttl(key) > hard_h * 3600 - 60
    assert published.ttl("viral:baseline:music") > 160 * 3600


def test_a_missed_poll_is_carried_forward_and_labelled(
    store: FrameStore, redis_url: str, rows: Rows, client: redis.Redis
) -> None:
    fill(store, rows)
    rebuild_documents(store, redis_url, AS_OF + dt.timedelta(hours=5))
    found = read(client, "youtube:trending:music")
    assert isinstance(found, TrendingDocument)
    assert found.freshness == "STALE"
    assert found.observed_at == CRAWL


def test_a_part_that_came_later_is_no_ranking_and_adds_to_the_clips(
    store: FrameStore, published: redis.Redis, redis_url: str, rows: Rows
) -> None:
    later, as_of = CRAWL + dt.timedelta(minutes=20), AS_OF + dt.timedelta(minutes=20)
    store.execute("UPDATE operations.categories SET audience_timezone = 'Europe/Berlin'")
    crawls = [
        {"dataset": "collection/twitch_streams", "category": "fortnite"},
        {"dataset": "collection/twitch_top_games", "category": "top_games"},
        {"dataset": "collection/clip_radar", "category": "fortnite"},
    ]
    store.commit(
        [
            Append("operations.crawls", rows("operations.crawls",
                   [{**c, "region": "", "got": 1, "is_complete": False} for c in crawls],
                   at=later)),
            Append("collection.twitch_streams", rows("collection.twitch_streams",
                   [{"game_id": "33214", "stream_id": "3", "rank": 1, "viewer_count": 40}],
                   at=later)),
            Append("collection.twitch_top_games", rows("collection.twitch_top_games",
                   [{"game_id": "9", "rank": 1, "game_name": "Part"}], at=later)),
            Append("collection.clip_radar", rows("collection.clip_radar",
                   [{"game_id": "33214", "clip_id": c, "view_count": n}
                    for c, n in (("c1", 7), ("c3", 3))], at=later)),
        ]
    )  # fmt: skip

    def served(
        as_of: dt.datetime,
    ) -> tuple[StreamsDocument, TopGamesDocument, ClipsDocument, CompetitionDocument]:
        rebuild_documents(store, redis_url, as_of)
        streams, top = (
            read(published, f"twitch:{name}") for name in ("streams:33214", "top_games")
        )
        clips = read(published, "clip_radar:33214:clips")
        competition = read(published, "intel:competition:fortnite")
        assert isinstance(streams, StreamsDocument)
        assert isinstance(top, TopGamesDocument)
        assert isinstance(clips, ClipsDocument)
        assert isinstance(competition, CompetitionDocument)
        return streams, top, clips, competition

    streams, top, clips, competition = served(as_of)
    assert [s.stream_id for s in streams.streams] == ["1", "2"]
    assert streams.observed_at == CRAWL
    assert [game.game_name for game in top.games] == ["Fortnite"]
    assert top.observed_at == CRAWL
    both = [("c1", 7), ("c3", 3), ("c2", 2)]
    assert [(c.clip_id, c.view_count) for c in clips.clips] == both
    assert (competition.observed_at, competition.live_count) == (CRAWL, 2)

    # It stands for an hour from its start on, wherever a window ends.
    *_, competition = served(AS_OF + dt.timedelta(minutes=45))
    assert (competition.observed_at, competition.live_count) == (CRAWL, 2)

    # Nothing was complete for an hour: what came last has to do, and clips add up all the same.
    streams, top, clips, competition = served(as_of + dt.timedelta(hours=1))
    assert [s.stream_id for s in streams.streams] == ["3"]
    assert streams.observed_at == later
    assert [game.game_name for game in top.games] == ["Part"]
    assert [(c.clip_id, c.view_count) for c in clips.clips] == both
    assert (competition.observed_at, competition.live_count) == (later, 1)
    assert (competition.saturation_score, competition.hhi) == (50, 1)
    assert 0 < competition.confidence_pct <= 50


def test_competition_is_that_of_a_game_s_own_crawl_where_another_was_answered_in_full(
    store: FrameStore, published: redis.Redis, redis_url: str, rows: Rows
) -> None:
    store.execute("UPDATE operations.categories SET audience_timezone = 'Europe/Berlin'")
    store.commit(
        [Append("operations.categories", rows("operations.categories",
                [{"category": "other", "kind": "game", "twitch_game_id": "9",
                  "audience_timezone": "UTC", "is_enabled": True}]))]
    )  # fmt: skip
    crawls = {10: (3, {"33214": True, "9": True}), 20: (1, {"33214": False, "9": True})}
    names = {"33214": "fortnite", "9": "other"}
    for minutes, (count, found) in crawls.items():
        at = CRAWL + dt.timedelta(minutes=minutes)
        store.commit(
            [
                Append("operations.crawls", rows("operations.crawls",
                       [{"dataset": "collection/twitch_streams", "category": names[number],
                         "region": "", "got": count, "is_complete": whole}
                        for number, whole in found.items()], at=at)),
                Append("collection.twitch_streams", rows("collection.twitch_streams",
                       [{"game_id": number, "stream_id": str(n), "rank": n + 1,
                         "viewer_count": 40} for number in found for n in range(count)], at=at)),
            ]
        )  # fmt: skip
    rebuild_documents(store, redis_url, AS_OF + dt.timedelta(minutes=20))
    own, other = (read(published, f"intel:competition:{name}") for name in names.values())
    assert isinstance(own, CompetitionDocument)
    assert isinstance(other, CompetitionDocument)
    assert (own.observed_at, own.live_count) == (CRAWL + dt.timedelta(minutes=10), 3)
    assert (other.observed_at, other.live_count) == (CRAWL + dt.timedelta(minutes=20), 1)


def test_clips_are_those_of_an_hour_of_parts_and_all_of_an_outage_before_one(
    store: FrameStore, published: redis.Redis, redis_url: str, rows: Rows
) -> None:
    def shown(*, minutes: int) -> list[str]:
        at = CRAWL + dt.timedelta(minutes=minutes)
        store.commit(
            [
                Append("operations.crawls", rows("operations.crawls",
                       [{"dataset": "collection/clip_radar", "category": "fortnite",
                         "region": "", "got": 1, "is_complete": False}], at=at)),
                Append("collection.clip_radar", rows("collection.clip_radar",
                       [{"game_id": "33214", "clip_id": f"c{minutes}", "view_count": 1}], at=at)),
            ]
        )  # fmt: skip
        rebuild_documents(store, redis_url, at + dt.timedelta(minutes=1))
        clips = read(published, "clip_radar:33214:clips")
        assert isinstance(clips, ClipsDocument)
        return sorted(clip.clip_id for clip in clips.clips)

    assert shown(minutes=90) == ["c1", "c2", "c90"]
    assert shown(minutes=95) == ["c1", "c2", "c90", "c95"]
    assert shown(minutes=155) == ["c155", "c95"]
    assert shown(minutes=155 + 361) == ["c516"]


def test_what_is_older_than_a_day_is_not_carried_forward(
    store: FrameStore, redis_url: str, rows: Rows
) -> None:
    fill(store, rows)
    assert rebuild_documents(store, redis_url, AS_OF + dt.timedelta(hours=29)) == []


def test_an_older_rebuild_does_not_replace_newer_documents(
    store: FrameStore, redis_url: str, rows: Rows, client: redis.Redis
) -> None:
    fill(store, rows)
    later = AS_OF + dt.timedelta(minutes=30)
    rebuild_documents(store, redis_url, later)
    assert rebuild_documents(store, redis_url, AS_OF) == []
    found = read(client, "youtube:trending:music")
    assert isinstance(found, TrendingDocument)
    assert found.as_of == later


@pytest.mark.parametrize(
    ("ahead", "is_replaced"),
    [(dt.timedelta(minutes=3), False), (dt.timedelta(minutes=7), True), (ONE_DAY, True)],
)
def test_what_a_clock_that_was_ahead_wrote_does_not_stay(
    store: FrameStore,
    rows: Rows,
    client: redis.Redis,
    *,
    ahead: dt.timedelta,
    is_replaced: bool,
) -> None:
    fill(store, rows)
    now = dt.datetime.now(dt.UTC)
    [document] = build_documents(store, AS_OF, label="replay", only={"clips"})

    def dated(moment: dt.datetime) -> BuiltDocument:
        text = moment.strftime("%Y-%m-%dT%H:%M:%S+00:00").encode()
        body = document.body.replace(b"2026-11-20T12:00:00+00:00", text)
        return replace(document, as_of=moment, body=body)

    assert publish(client, [dated(now + ahead)]) == [document.key]
    assert bool(publish(client, [dated(now)])) is is_replaced
    found = read(client, document.key)
    assert isinstance(found, ClipsDocument)
    assert (found.as_of <= now) is is_replaced
    # From then on nothing goes backwards, not even by a run that took an hour to build.
    assert publish(client, [dated(now - dt.timedelta(hours=1))]) == []


def test_no_document_says_that_it_describes_a_moment_after_the_one_it_was_written_at(
    store: FrameStore, redis_url: str, rows: Rows, client: redis.Redis
) -> None:
    fill(store, rows)
    written_at = AS_OF - dt.timedelta(minutes=4)  # the window is not over yet
    keys = rebuild_documents(store, redis_url, AS_OF, written_at=written_at)
    found = [read(client, key) for key in keys]
    assert {d.as_of for d in found if not isinstance(d, Miss)} == {written_at}
    assert {d.freshness for d in found if not isinstance(d, Miss)} >= {"FRESH"}
    later = AS_OF - dt.timedelta(minutes=3)
    again = rebuild_documents(store, redis_url, later, written_at=later)
    assert "clip_radar:33214:clips" in again
    assert set(again) <= set(keys)


@pytest.mark.parametrize(("ahead_s", "is_published"), [(20, True), (600, False)])
def test_a_platform_whose_clock_is_ahead_is_not_believed_beyond_some_minutes(
    store: FrameStore,
    redis_url: str,
    rows: Rows,
    client: redis.Redis,
    *,
    ahead_s: int,
    is_published: bool,
) -> None:
    fill(store, rows)
    written_at = CRAWL - dt.timedelta(seconds=ahead_s)
    keys = rebuild_documents(store, redis_url, AS_OF, only={"clips"}, written_at=written_at)
    assert bool(keys) is is_published
    for key in keys:
        found = read(client, key)
        assert isinstance(found, ClipsDocument)
        assert found.observed_at == found.as_of == written_at


def test_kinds_can_be_published_by_themselves(
    store: FrameStore, redis_url: str, rows: Rows, client: redis.Redis
) -> None:
    fill(store, rows)
    assert rebuild_documents(store, redis_url, AS_OF, only={"clips"}) == ["clip_radar:33214:clips"]
    assert client.keys() == [b"clip_radar:33214:clips"]
    every = rebuild_documents(store, redis_url, AS_OF)
    parts = [rebuild_documents(store, redis_url, AS_OF, only={kind}) for kind in KINDS]
    assert sorted(key for part in parts for key in part) == sorted(every)
    assert rebuild_documents(store, redis_url, AS_OF, only={"clips"}, without={"clips"}) == []


def test_the_command_replaces_whatever_is_there_and_says_truly_when_it_builds_nothing(
    store: FrameStore,
    redis_url: str,
    rows: Rows,
    client: redis.Redis,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("AURASTREAM_REDIS_URL", redis_url)

    def said() -> str:
        answer = CliRunner().invoke(app, ["documents"])
        assert answer.exit_code == 0
        return " ".join(answer.output.split())

    assert "Collect first" in said()
    now = dt.datetime.now(dt.UTC)
    crawl = {"dataset": "collection/youtube_games", "category": "fortnite", "region": "", "got": 1}
    at = now - dt.timedelta(minutes=10)
    store.commit(
        [
            Append("operations.crawls", rows("operations.crawls", [crawl], at=at)),
            Append(
                "collection.youtube_games",
                rows("collection.youtube_games", [{"game": "fortnite", "video_id": "a"}], at=at),
            ),
        ]
    )
    rebuild_documents(store, redis_url, now)
    assert "Rebuilt 1 document." in said()
    # Written with a clock that was ahead, by little or much: the command replaces it.
    for ahead in (dt.timedelta(minutes=2), dt.timedelta(hours=20)):
        rebuild_documents(store, redis_url, now + ahead)
        assert "Rebuilt 1 document." in said()
        found = read(client, "youtube:games:fortnite")
        assert isinstance(found, GameVideosDocument)
        assert found.as_of < now + dt.timedelta(minutes=2)


def test_writers_of_different_moments_leave_the_newest_whoever_comes_last(
    store: FrameStore, redis_url: str, rows: Rows, client: redis.Redis
) -> None:
    fill(store, rows)
    moments = [AS_OF + dt.timedelta(seconds=s, microseconds=s % 2) for s in range(12)]
    built = [list(build_documents(store, moment, label="replay")) for moment in moments]
    start = threading.Barrier(len(built))

    def work(documents: list[BuiltDocument]) -> None:
        with redis.Redis.from_url(redis_url) as own:
            start.wait()
            publish(own, documents)

    threads = [threading.Thread(target=work, args=(documents,)) for documents in built]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for document in built[0]:
        found = read(client, document.key)
        assert not isinstance(found, Miss)
        assert found.as_of == moments[-1]


def test_a_corrupt_document_is_a_miss_that_says_why(
    published: redis.Redis, store: FrameStore, redis_url: str
) -> None:
    key = "youtube:trending:music"
    body = msgspec.json.decode(published.get(key))
    for broken, reason in (
        (b"\xff\x00", "corrupt"),
        (b"{}", "corrupt"),
        (msgspec.json.encode({**body, "videos": [{"video_id": 5}]}), "corrupt"),
        (msgspec.json.encode({**body, "version": 99}), "outdated"),
    ):
        published.set(key, broken)
        found = read(published, key)
        assert isinstance(found, Miss)
        assert found.reason == reason
    published.delete(key)
    published.lpush(key, "a list")
    found = read(published, key)
    assert isinstance(found, Miss)
    assert found.reason == "corrupt"
    assert key in rebuild_documents(store, redis_url, AS_OF)
    assert isinstance(read(published, key), TrendingDocument)


def test_a_flushed_redis_is_rebuilt_byte_for_byte(
    published: redis.Redis, store: FrameStore, redis_url: str
) -> None:
    before = {key: published.get(key) for key in published.scan_iter()}
    published.flushall()
    absent = read(published, "youtube:trending:music")
    assert absent == Miss("youtube:trending:music", "absent")
    rebuild_documents(store, redis_url, AS_OF)
    assert {key: published.get(key) for key in published.scan_iter()} == before


def test_a_redis_that_is_away_is_named(
    store: FrameStore, rows: Rows, free_port: Callable[[], int]
) -> None:
    fill(store, rows)
    with pytest.raises(StoreUnavailableError, match="Redis does not answer"):
        rebuild_documents(store, f"redis://127.0.0.1:{free_port()}/0", AS_OF)


def test_nothing_to_publish_needs_no_redis(free_port: Callable[[], int]) -> None:
    with redis.Redis(port=free_port()) as nobody:
        assert publish(nobody, []) == []


def test_an_unknown_key_is_a_miss(client: redis.Redis) -> None:
    assert isinstance(read(client, "session:1"), Miss)


def test_hard_time_to_live_is_never_shorter_than_freshness() -> None:
    assert all(kind.ttl > kind.fresh_for for kind in KINDS.values())
