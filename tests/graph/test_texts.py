"""The analyses of titles, keywords, topics and descriptions, on texts as bad as they come."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
import pandas as pd
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from aurastream.core.title_features import PATTERNS
from aurastream.store.frames import Append, FrameStore, Replace
from aurastream.store.tables import metadata as tables
from aurastream_assets.keys import asset_key
from aurastream_assets.partitions import FOUR_HOURS, WINDOW
from tests.graph.evidence import failed_checks, metadata_of

Run = Callable[..., dg.ExecuteInProcessResult]
Video = Mapping[str, Any]

ANALYSES = ("title_intel", "keyword_scores", "topic_intel", "description_intel")
TEXTS = ("description_features", *ANALYSES)
_NOW = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
START = _NOW.replace(hour=_NOW.hour - _NOW.hour % 4) - 3 * FOUR_HOURS
PUBLISHED = START - timedelta(days=2)

HOSTILE = {
    "emoji": "\N{FIRE}\N{FIRE}\U0001f468\u200d\U0001f469\u200d\U0001f466",
    "right_to_left": "\u202e\N{ARABIC LETTER MEEM}\N{ARABIC LETTER REH}\u202c",
    "zero_width": "\u200b\u200c\u200d\ufeff",
    "one_character": "x",
    "ten_thousand": " ".join(f"w{n:05d}" for n in range(1_429)),
    "one_word_of_ten_thousand": "q" * 10_000,
    "escaped": "&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt; &amp;amp; &#0; &#x110000;",
    "control": "\x01\x07bell\x1b[31m\x7f\x85line\u2028end",
    "marks": "\u0301\u0301\u0301Z\u0310\u0327algo",
    "quotes": "'); drop table titles; -- \"\\%(start)s {0}",
    "empty": "",
}


def _filled(table: str, rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return rows of a table with a plain value where a test does not care."""
    by_type: tuple[tuple[type[Any], Any], ...] = (
        (sa.DateTime, START),
        (ARRAY, []),
        (sa.Boolean, False),
        (sa.Integer, 0),
        (sa.Float, 0.0),
        (sa.Text, "x"),
    )
    columns = tables.tables[table].columns
    plain = {
        c.name: None
        if c.nullable
        else next((value for kind, value in by_type if isinstance(c.type, kind)), None)
        for c in columns
    }
    return pd.DataFrame([{**plain, **row} for row in rows], columns=[c.name for c in columns])


def _write(store: FrameStore, videos: Iterable[Video], *, start: datetime = START) -> None:
    """Put videos with their texts at the end of a four-hour window, in place of what was there."""
    rows = list(videos)
    versions = {(v["video_id"], v.get("hash", "h")): v for v in rows}
    half = start + FOUR_HOURS - WINDOW
    store.commit(
        [
            Append(
                "collection.youtube_videos",
                _filled(
                    "collection.youtube_videos",
                    [
                        {
                            "video_id": video,
                            "metadata_hash": version,
                            "first_observed_at": v.get("first", PUBLISHED),
                            "title": v["title"],
                            "description": v.get("description", ""),
                            "tags": v.get("tags", []),
                            "duration_s": 600,
                        }
                        for (video, version), v in versions.items()
                    ],
                ),
            ),
            Replace(
                "intelligence.video_velocity",
                _filled(
                    "intelligence.video_velocity",
                    [
                        {
                            "window_start": half,
                            "category": v["category"],
                            "video_id": v["video_id"],
                            "channel_id": v.get("channel", v["video_id"]),
                            "observed_at": half + timedelta(minutes=25),
                            "age_h": 12.0,
                            "best_rank": 1,
                            "lifetime_velocity_per_hour": v.get("speed", 100.0),
                        }
                        for v in rows
                    ],
                ),
                half,
                half + WINDOW,
            ),
        ]
    )


def _plain(category: str, count: int, *, title: str = "{category} video {n}") -> list[Video]:
    return [
        {
            "video_id": f"{category}{n:03d}",
            "category": category,
            "title": title.format(category=category, n=n) + (" why?" if n % 2 else ""),
            "tags": [category, f"tag {n % 3}"],
            "description": "Subscribe! #smp https://discord.gg/x" if n % 2 else "",
            "speed": 100.0 * (1 + n % 5),
        }
        for n in range(count)
    ]


def _results(store: FrameStore, *, without: str = "") -> dict[str, pd.DataFrame]:
    found = {}
    for name in ANALYSES:
        key = [c.name for c in tables.tables[f"intelligence.{name}"].primary_key.columns]
        rows = store.read(f"intelligence.{name}", order_by=key)
        found[name] = rows[rows["category"] != without].reset_index(drop=True)
    return found


@pytest.fixture
def analyse(run: Run) -> Run:
    """Return a function that runs the analyses of texts of one window or a range of them."""

    def run_texts(
        *names: str, first: datetime = START, last: datetime | None = None
    ) -> dg.ExecuteInProcessResult:
        keys = [asset_key("intelligence", name) for name in names or TEXTS]
        return run("analyses", first=first, last=last, asset_selection=keys)

    return run_texts


def _impossible(result: dg.ExecuteInProcessResult) -> set[str]:
    """Return the checks that failed, but for those that say how much a small sample can tell."""
    return {c for c in failed_checks(result) if not c.endswith((":known_share", ":drift"))}


def _assert_same(found: dict[str, pd.DataFrame], expected: dict[str, pd.DataFrame]) -> None:
    for name, rows in expected.items():
        assert len(rows), name
        pd.testing.assert_frame_equal(found[name], rows, check_exact=True, obj=name)


def test_hostile_texts_stop_nobody_and_change_nothing_for_the_others(
    analyse: Run, store: FrameStore
) -> None:
    others = [*_plain("minecraft", 30), *_plain("roblox", 1), *_plain("gta", 2)]
    same = _plain("valorant", 25, title="the same title")
    harmless = [
        {"video_id": f"hostile{n}", "category": "apex", "title": f"unlike{n}", "hash": "before"}
        for n in range(len(HOSTILE))
    ]
    _write(store, [*others, *same, *harmless])
    assert analyse().success
    before = _results(store, without="apex")

    hostile = [
        {
            "video_id": f"hostile{n}",
            "category": "apex",
            "title": title,
            "description": f"{title}\n{title} 0:00 a #{kind} www.{kind}.x/" * 3,
            "tags": [] if n % 2 else [f"{kind} {i}" for i in range(499)] + [title],
            "hash": "after",
            "first": START,
        }
        for n, (kind, title) in enumerate(HOSTILE.items())
    ]
    _write(store, [*others, *same, *hostile])
    result = analyse()

    assert result.success
    # Texts that share no word have no keyword, and the check says so.
    assert _impossible(result) <= {"intelligence/keyword_scores:coverage"}
    assert metadata_of(result, asset_key("intelligence", "title_intel"))["refused"] == 0
    _assert_same(_results(store, without="apex"), before)
    titles = store.read("intelligence.title_intel", where={"category": "apex"})
    assert set(titles["title_count"]) == {len(HOSTILE)}
    shown = titles.set_index("pattern")["pattern_count"]
    assert (shown["emoji"], shown["long"]) == (1, 2)
    read = store.read("intelligence.description_features", where={"metadata_hash": "after"})
    assert len(read) == len(HOSTILE)
    assert read["character_count"].max() == 10_000


def test_few_videos_or_equal_titles_are_unknown_and_not_an_error(
    analyse: Run, store: FrameStore
) -> None:
    same = [{**v, "title": "Same"} for v in _plain("valorant", 25)]
    _write(store, [*same, *_plain("roblox", 1), *_plain("gta", 2)])

    assert analyse().success

    titles = store.read("intelligence.title_intel")
    assert titles.groupby("category").size().to_dict() == dict.fromkeys(
        ("gta", "roblox", "valorant"), len(PATTERNS)
    )
    assert set(titles["verdict"]) == {"UNKNOWN"}
    words = store.read("intelligence.keyword_scores", where={"kind": "title"})
    assert words.loc[words["category"] == "valorant", "term"].tolist() == ["same"]
    assert "roblox" not in set(words["category"])
    assert store.read("intelligence.description_intel")["video_count"].sum() == 28


def test_videos_that_cannot_be_are_quarantined_and_all_others_are_as_without_them(
    analyse: Run, store: FrameStore
) -> None:
    *others, last = [*_plain("minecraft", 30), *_plain("gta", 13)]
    _write(store, others)
    analyse()
    expected = _results(store)

    impossible = [{**v, "speed": -1.0} for v in [last, *_plain("apex", 4)]]
    _write(store, [*others, *impossible])
    result = analyse()

    assert result.success
    del expected["description_intel"]  # which knows no speed
    _assert_same(_results(store), expected)
    refused = store.read("operations.quarantine")
    for name in ("title_intel", "keyword_scores", "topic_intel"):
        theirs = refused[refused["source"] == f"intelligence/{name}"]
        assert sorted(theirs["item_id"]) == sorted(v["video_id"] for v in impossible)
    assert len(refused) == 3 * len(impossible)
    assert refused["reason"].str.contains("must be finite and 0 or more").all()


def test_a_title_that_went_back_to_an_older_one_is_read_as_it_was_shown(
    analyse: Run, store: FrameStore
) -> None:
    base = {"video_id": "v", "category": "gta"}
    older = {**base, "title": "Old?", "hash": "a", "first": PUBLISHED}
    newer = {**base, "title": "new", "hash": "b", "first": START - timedelta(hours=9)}
    future = {**base, "title": "LATER!", "hash": "c", "first": START + FOUR_HOURS}
    for version in (older, newer, future):
        _write(store, [version])
    analyse("title_intel")
    without_snapshot = _shown(store)

    seen_at = START + FOUR_HOURS - timedelta(minutes=5)
    snapshot = {"observed_at": seen_at, "crawl_at": seen_at, "video_id": "v", "metadata_hash": "a"}
    fetch = "00000000-0000-0000-0000-000000000001"
    store.commit(
        [
            Append(
                "collection.youtube_trending",
                _filled("collection.youtube_trending", [{**snapshot, "fetch_id": fetch}]),
            )
        ]
    )
    analyse("title_intel")

    assert without_snapshot == {"short"}
    assert _shown(store) == {"short", "question"}


def _shown(store: FrameStore) -> set[str]:
    rows = store.read("intelligence.title_intel")
    return set(rows.loc[rows["pattern_count"] > 0, "pattern"])


def test_a_description_is_read_once_and_the_proof_is_in_the_metadata(
    analyse: Run, store: FrameStore
) -> None:
    features = asset_key("intelligence", "description_features")
    videos = _plain("minecraft", 12)
    _write(store, videos)
    analyse("description_intel")  # nothing is kept yet: it reads for itself
    alone = store.read("intelligence.description_intel")

    first = metadata_of(analyse(), features)
    again = metadata_of(analyse(), features)
    _write(store, [{**videos[0], "hash": "edited", "title": "new"}, *videos[1:]])
    edited = metadata_of(analyse(), features)

    assert [(m["read_now"], m["read_before"]) for m in (first, again, edited)] == [
        (12, 0),
        (0, 12),
        (1, 12),
    ]
    pd.testing.assert_frame_equal(store.read("intelligence.description_intel"), alone)


def test_descriptions_are_carried_over_where_only_views_changed(
    analyse: Run, store: FrameStore
) -> None:
    videos = [*_plain("minecraft", 12), *_plain("gta", 12)]
    _write(store, videos)
    _write(
        store,
        [{**v, "speed": v["speed"] + 1} for v in videos if v["video_id"] != "gta000"],
        start=START + FOUR_HOURS,
    )
    analyse()

    result = analyse(first=START + FOUR_HOURS)

    said = metadata_of(result, asset_key("intelligence", "description_intel"))
    assert (said["computed"], said["unchanged"]) == (1, 1)
    said = metadata_of(result, asset_key("intelligence", "keyword_scores"))
    assert (said["computed"], said["unchanged"]) == (2, 0)


def test_a_range_of_windows_equals_its_windows_one_by_one(analyse: Run, store: FrameStore) -> None:
    starts = [START + n * FOUR_HOURS for n in range(3)]
    for n, start in enumerate(starts):
        videos = _plain("minecraft", 24 + n, title="{category} " + f"part{n}" + " {n}")
        _write(
            store,
            [
                *({**v, "hash": f"h{n}", "first": start} for v in videos),
                # Absent from the middle window, so that nothing older may pass for the one before.
                *(_plain("gta", 21) if n != 1 else ()),
                *_plain("roblox", 9),
            ],
            start=start,
        )
    for start in starts:
        assert analyse(first=start).success
    one_by_one = _results(store)

    result = analyse(first=starts[0], last=starts[-1])

    assert {
        name for name in failed_checks(result) if name.endswith((":range", "coverage"))
    } == set()
    _assert_same(_results(store), one_by_one)
    words = one_by_one["keyword_scores"]
    trends = {
        (row.window_start, row.category, row.term): row.trend
        for row in words[words["kind"] == "title"].itertuples()
    }
    assert trends[starts[1], "minecraft", "part1"] == "NEW"
    assert trends[starts[2], "gta", "video"] == "UNKNOWN"


def test_a_topic_names_only_videos_of_its_window_that_say_it(
    analyse: Run, store: FrameStore
) -> None:
    _write(store, _plain("minecraft", 12))
    analyse()

    topics = store.read("intelligence.topic_intel").set_index("topic")

    assert "minecraft" not in topics.index  # the category's own name says nothing in it
    assert topics["evidence_video_ids"]["tag 1"] == [
        "minecraft004", "minecraft007", "minecraft001", "minecraft010",
    ]  # fmt: skip
    assert (topics["video_count"]["tag 1"], topics["title_count"]["tag 1"]) == (4, 0)
