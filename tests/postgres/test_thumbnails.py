"""Which thumbnails the record asks for."""

import datetime as dt
from collections.abc import Callable

import pandas as pd
import pytest

from aurastream.store.frames import Append, FrameStore
from aurastream.store.readings_thumbnails import (
    known_thumbnails,
    thumbnail_audit,
    thumbnail_coverage,
    wanted_thumbnails,
)

Rows = Callable[..., pd.DataFrame]
NOW = dt.datetime(2026, 11, 20, 12, 10, tzinfo=dt.UTC)
WINDOW = dt.datetime(2026, 11, 20, 12, 0, tzinfo=dt.UTC)
IDS = [f"v{n}" for n in range(8)]


@pytest.fixture
def scored(store: FrameStore, rows: Rows) -> FrameStore:
    """Eight videos, all in trending and half of them in music; the last has no address."""
    scores = [
        {"window_start": WINDOW, "category": category, "video_id": video}
        for category, videos in (("trending", IDS), ("music", IDS[::2]))
        for video in videos
    ]
    old = {"window_start": WINDOW - dt.timedelta(hours=1), "category": "music", "video_id": "old"}
    versions = [
        {
            "video_id": video,
            "metadata_hash": version,
            "first_observed_at": NOW - dt.timedelta(days=days),
            "thumbnail_url": None if video == "v7" else f"http://x/{video}/{version}.jpg",
        }
        for video in [*IDS, "old"]
        for version, days in (("b", 2), ("a", 1))
    ]
    store.commit(
        [
            Append("intelligence.viral_scores", rows("intelligence.viral_scores", [*scores, old])),
            Append("collection.youtube_videos", rows("collection.youtube_videos", versions)),
        ]
    )
    return store


def wanted(store: FrameStore, limit: int = 100, read: int = 0) -> pd.DataFrame:
    return wanted_thumbnails(
        store,
        as_of=NOW,
        features_version="1",
        per_category=limit,
        recheck_after=dt.timedelta(hours=24),
        read_per_category=read,
    )


def test_wanted_are_the_newest_addresses_of_the_newest_window(scored: FrameStore) -> None:
    found = wanted(scored)

    assert found["video_id"].tolist() == IDS[:7]
    assert found["thumbnail_url"].tolist() == [f"http://x/{v}/a.jpg" for v in IDS[:7]]
    assert (found["wanted_total"] == 7).all()


def test_the_limit_is_one_per_category_and_the_choice_always_the_same(scored: FrameStore) -> None:
    found = wanted(scored, limit=2)

    assert 2 <= len(found) <= 4
    assert set(found["video_id"]) & set(IDS[::2])
    assert (found["wanted_total"] == 7).all()
    pd.testing.assert_frame_equal(found, wanted(scored, limit=2))


def test_what_is_known_is_wanted_again_only_when_something_changed(
    scored: FrameStore, rows: Rows
) -> None:
    fresh, stale = NOW - dt.timedelta(hours=3), NOW - dt.timedelta(hours=25)
    current = {"features_version": "1", "checked_at": fresh, "perceptual_hash": "0" * 16}
    known = [
        {"video_id": "v0", "thumbnail_url": "http://x/v0/a.jpg", **current},
        {"video_id": "v1", "thumbnail_url": "http://x/v1/b.jpg", **current},
        {"video_id": "v2", "thumbnail_url": "http://x/v2/a.jpg", **current, "checked_at": stale},
        {"video_id": "v3", "thumbnail_url": "http://x/v3/a.jpg", **current}
        | {"features_version": "0"},
    ]
    refused = [
        {
            "source": "intelligence/thumbnail_features",
            "item_id": video,
            "raw": f"http://x/{video}/{version}.jpg",
            "occurred_at": at,
            "quarantine_id": f"0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f000{n}",
        }
        for n, (video, version, at) in enumerate(
            [("v4", "a", fresh), ("v5", "b", fresh), ("v6", "a", stale)]
        )
    ]
    scored.commit(
        [
            Append(
                "intelligence.thumbnail_features", rows("intelligence.thumbnail_features", known)
            ),
            Append("operations.quarantine", rows("operations.quarantine", refused)),
        ]
    )

    assert wanted(scored)["video_id"].tolist() == ["v1", "v2", "v3", "v5", "v6"]
    assert known_thumbnails(scored, ["v1", "v9"])["video_id"].tolist() == ["v1"]
    assert known_thumbnails(scored, []).empty
    assert thumbnail_coverage(scored, NOW).iloc[0].to_dict() == {
        "videos": 8,
        "without_address": 1,
        "known": 4,
        "rejected": 2,
    }


def test_what_the_server_is_to_blame_for_is_asked_for_again_after_the_others(
    scored: FrameStore, rows: Rows
) -> None:
    fresh = NOW - dt.timedelta(hours=4)
    reasons = {
        "v0": "unreachable: x answered 503.",
        "v1": "missing: There is no thumbnail: x answered 404.",
        "v2": "not_an_image: The thumbnail is neither JPEG nor PNG, WebP or GIF.",
        "v3": "unreadable: IndexError: index 3 is out of bounds",
        "v4": "too_many_bytes: The thumbnail has 6,000,000 bytes; 5,000,000 are accepted.",
        "v5": "unreachable: x did not send the thumbnail (ReadTimeout).",
    }
    refused = [
        {
            "source": "intelligence/thumbnail_features",
            "item_id": video,
            "reason": reason,
            "raw": f"http://x/{video}/a.jpg",
            "occurred_at": fresh,
            "quarantine_id": f"0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f000{n}",
        }
        for n, (video, reason) in enumerate(reasons.items())
    ]
    scored.commit([Append("operations.quarantine", rows("operations.quarantine", refused))])

    assert wanted(scored)["video_id"].tolist() == ["v0", "v5", "v6"]
    assert wanted(scored, limit=1)["video_id"].tolist() == ["v6"]


def test_words_are_read_in_the_most_viral_of_the_pictures_that_are_known_or_taken(
    store: FrameStore, rows: Rows
) -> None:
    scores = [
        {"window_start": WINDOW, "category": "music", "video_id": video, "viral_score": score}
        for score, video in enumerate(["new", "read", "unread", "old address", "unreadable", "top"])
    ]
    versions = [
        {
            "video_id": row["video_id"],
            "metadata_hash": "a",
            "first_observed_at": NOW - dt.timedelta(days=1),
            "thumbnail_url": f"http://x/{row['video_id']}.jpg",
        }
        for row in scores
    ]
    known = [
        {
            "video_id": video,
            "thumbnail_url": "http://y/z.jpg"
            if video == "old address"
            else f"http://x/{video}.jpg",
            "features_version": "1",
            "checked_at": NOW - dt.timedelta(hours=4),
            "text": text,
        }
        for video, text in (
            ("read", ""),
            ("unread", None),
            ("old address", "words"),
            ("unreadable", None),
        )
    ]
    refused = {
        "source": "intelligence/thumbnail_features",
        "item_id": "unreadable",
        "reason": "unread: RuntimeError: no such shape",
        "raw": "http://x/unreadable.jpg",
        "occurred_at": NOW - dt.timedelta(hours=4),
        "quarantine_id": "0b9c2b3e-5df3-4a83-9c0a-6f6d6a1f0001",
    }
    store.commit(
        [
            Append(name, rows(name, given))
            for name, given in (
                ("intelligence.viral_scores", scores),
                ("collection.youtube_videos", versions),
                ("intelligence.thumbnail_features", known),
                ("operations.quarantine", [refused]),
            )
        ]
    )

    def to_read(limit: int, read: int) -> list[str]:
        found = wanted(store, limit, read)
        return sorted(found.loc[found["is_to_read"], "video_id"])

    everything = wanted(store, 100, 100)
    assert everything["video_id"].tolist() == ["new", "old address", "top", "unread"]
    assert everything["is_due"].tolist() == [True, True, True, False]
    assert (everything["unread_total"] == 4).all()
    assert (everything["wanted_total"] == 3).all()
    assert to_read(100, 1) == ["top"]
    assert to_read(100, 2) == ["old address", "top"]
    assert to_read(100, 3) == ["old address", "top", "unread"]
    assert to_read(100, 0) == []
    # What is not taken is not read either, however viral: words do not choose the sample.
    assert to_read(0, 9) == ["unread"]
    assert wanted(store, 1, 9)["video_id"].tolist() == sorted(
        {"unread", *wanted(store, 1)["video_id"]}
    )


def test_before_anything_was_scored_nothing_is_wanted(store: FrameStore) -> None:
    assert wanted(store).empty
    assert set(thumbnail_audit(store, NOW).values()) == {0}


def test_figures_out_of_their_range_are_counted(scored: FrameStore, rows: Rows) -> None:
    ninth = [1 / 9] * 9
    good = {"checked_at": NOW, "edge_grid": ninth, "saliency_grid": ninth}
    features = [
        {"video_id": "v0", **good},
        {"video_id": "v1", **good, "brightness": 1.2},
        {"video_id": "v2", **good, "edge_grid": [0.5] * 9},
        {"video_id": "v3", **good, "largest_face_share": 0.3},
    ]
    looks = [
        {"look": "fine", "video_count": 8, "known_count": 5, "verdict": "UNKNOWN"},
        {"look": "odd", "video_count": 8, "known_count": 9, "verdict": "UNKNOWN"},
        {"look": "sure", "video_count": 8, "known_count": 5, "verdict": "FASTER"},
    ]
    start = WINDOW.replace(hour=8)
    designs = [
        {"rank": 1, "video_count": 2, "channel_count": 1, "video_ids": ["a", "b"]},
        {"rank": 2, "video_count": 2, "channel_count": 1, "video_ids": ["b", "c"]},
        {"rank": 3, "video_count": 1, "channel_count": 1, "video_ids": ["d"]},
    ]
    at = {"window_start": start, "category": "music"}
    scored.commit(
        [
            Append(name, rows(name, [at | row for row in given]))
            for name, given in (
                ("intelligence.thumbnail_intel", looks),
                ("intelligence.thumbnail_designs", designs),
            )
        ]
        + [
            Append(
                "intelligence.thumbnail_features",
                rows("intelligence.thumbnail_features", features),
            )
        ]
    )

    found = thumbnail_audit(scored, NOW)

    assert found["features_out_of_range"] == 3
    assert found["lifts_out_of_range"] == 2
    assert found["designs_out_of_range"] == 2
    assert found["thin_categories"] == 0
