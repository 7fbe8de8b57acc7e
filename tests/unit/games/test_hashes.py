"""Content hashes: the same content gives the same bytes, other content does not."""

import datetime as dt
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.hashes import (
    EMPTY_HASH,
    STATISTICS,
    VIDEO_METADATA,
    content_hash,
    group_hashes,
    metadata_hashes,
)
from aurastream.store.tables import table_for

WHEN = dt.datetime(2026, 11, 21, 12, tzinfo=dt.UTC)


def _video(**changes: Any) -> dict[str, Any]:
    return {
        "title": "Ein Titel 🎮",
        "description": "",
        "tags": ["a", "b"],
        "channel_id": "UC1",
        "channel_title": "Kanal",
        "category_id": 20,
        "published_at": WHEN,
        "duration_s": 61,
        "definition": "hd",
        "has_captions": False,
        "is_licensed": True,
        "default_language": "de",
        "audio_language": None,
        "live_state": "none",
        "scheduled_start_at": None,
        "actual_start_at": None,
        "thumbnail_url": "http://x/y.jpg",
        "is_made_for_kids": None,
        "topic_categories": [],
        **changes,
    }


def _hash(**changes: Any) -> str:
    return str(metadata_hashes(pd.DataFrame([_video(**changes)])).iloc[0])


def test_the_hash_of_a_video_never_changes_between_versions_of_this_program() -> None:
    assert _hash() == "d3e903a217822a03"


def test_every_described_column_of_a_video_counts() -> None:
    described = {c.name for c in table_for(("collection", "youtube_videos")).columns}
    assert set(VIDEO_METADATA) == described - {"video_id", "metadata_hash", "first_observed_at"}


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("title", "Ein Titel"),
        ("tags", ["b", "a"]),
        ("tags", ["ab"]),
        ("tags", ["a", "b", ""]),
        ("category_id", 10),
        ("duration_s", None),
        ("published_at", WHEN + dt.timedelta(microseconds=1)),
        ("has_captions", None),
        ("has_captions", True),
        ("audio_language", ""),
        ("actual_start_at", WHEN),
        ("topic_categories", ["https://en.wikipedia.org/wiki/Action_game"]),
    ],
)
def test_a_change_in_any_column_is_another_version(column: str, value: Any) -> None:
    assert _hash(**{column: value}) != _hash()


def test_neighbouring_texts_cannot_trade_characters() -> None:
    assert _hash(channel_id="UC1x", channel_title="Kanal") != _hash(
        channel_id="UC1", channel_title="xKanal"
    )


def test_how_a_value_is_stored_does_not_matter() -> None:
    plain = pd.DataFrame([_video()])
    stored = plain.astype(
        {
            "category_id": "Int64",
            "duration_s": "float64",
            "has_captions": "boolean",
            "title": object,
            "published_at": "datetime64[ns, UTC]",
        }
    )
    stored["published_at"] = stored["published_at"].dt.tz_convert("Asia/Tokyo")
    stored["topic_categories"] = [None]
    stored["tags"] = [("a", "b")]
    assert metadata_hashes(plain).tolist() == metadata_hashes(stored).tolist()


def test_an_absent_number_among_numbers_does_not_change_the_others() -> None:
    both = metadata_hashes(pd.DataFrame([_video(), _video(duration_s=None)]))
    assert both.iloc[0] == _hash()


def test_the_index_is_kept() -> None:
    assert metadata_hashes(pd.DataFrame([_video()], index=[7])).index.tolist() == [7]


def test_no_videos_have_no_hashes() -> None:
    assert metadata_hashes(pd.DataFrame([_video()]).iloc[:0]).empty


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InvalidInputError, match="definition"):
        metadata_hashes(pd.DataFrame([_video()]).drop(columns="definition"))


counters = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.none() | st.integers(0, 2**62)), max_size=12
)


def _counters(rows: list[tuple[str, int | None]]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["video_id", "views"]).astype({"views": "Int64"})
    return frame.assign(likes=None, comments=None, concurrent_viewers=None)


@given(counters, st.randoms(use_true_random=False))
def test_the_order_and_repetition_of_rows_do_not_matter(
    rows: list[tuple[str, int | None]], random: Any
) -> None:
    shuffled = rows + rows[:1]
    random.shuffle(shuffled)
    assert content_hash(_counters(rows), STATISTICS) == content_hash(
        _counters(shuffled), STATISTICS
    )


@given(counters, counters)
def test_other_counters_have_another_hash(
    one: list[tuple[str, int | None]], two: list[tuple[str, int | None]]
) -> None:
    same = content_hash(_counters(one), STATISTICS) == content_hash(_counters(two), STATISTICS)
    assert same == (set(one) == set(two))


def test_no_rows_have_a_hash_of_their_own() -> None:
    assert content_hash(_counters([]), STATISTICS) == EMPTY_HASH
    assert group_hashes(_counters([]), ["video_id"], STATISTICS).empty


def test_each_group_has_the_hash_of_its_rows_alone() -> None:
    rows = _counters([("a", 1), ("b", 2), ("a", 3)])
    grouped = group_hashes(rows, ["video_id"], STATISTICS)
    assert grouped["a"] == content_hash(rows.iloc[[2, 0]], STATISTICS)
    assert grouped["b"] == content_hash(rows.iloc[[1]], STATISTICS)
