"""Two ways of reading a page of videos, and one answer."""

import json
from typing import Any

import pytest

from aurastream.sources.wire.youtube_videos import VideoPages, video_pages
from tests.unit.sources.support import video, video_page


def _body(*items: dict[str, Any]) -> bytes:
    return json.dumps(video_page(list(items))).encode()


def _expecting(*items: dict[str, Any]) -> VideoPages:
    """Return a decoder that has seen these twice and expects to see them again."""
    decoder = video_pages()
    for _ in range(3):
        decoder.decode(_body(*items))
    assert decoder.sightings.are_expected
    return decoder


def _changed(item: dict[str, Any], part: str, **values: Any) -> dict[str, Any]:
    return {**item, part: {**item.get(part, {}), **values}}


SAME = video("same")
OTHERS = {
    "nothing": SAME,
    "counters": _changed(SAME, "statistics", viewCount="5"),
    "title": _changed(SAME, "snippet", title="Another title"),
    "tags": _changed(SAME, "snippet", tags=["a", "b"]),
    "live": _changed(SAME, "snippet", liveBroadcastContent="live"),
    "length": _changed(SAME, "contentDetails", duration="PT10S"),
    "no length": _changed(SAME, "contentDetails", duration="P0D"),
    "topics": _changed(SAME, "topicDetails", topicCategories=["https://en.wikipedia.org/wiki/Go"]),
    "hidden likes": {**SAME, "statistics": {"viewCount": "9"}},
    "no details": {k: v for k, v in SAME.items() if k != "contentDetails"},
    "a viewer": _changed(SAME, "liveStreamingDetails", concurrentViewers="12"),
    "another video": video("other"),
}


@pytest.mark.parametrize("change", OTHERS)
def test_a_video_that_was_expected_reads_as_one_never_seen(change: str) -> None:
    body = _body(OTHERS[change], video("beside"))
    first_sight = video_pages().decode(body)
    assert _expecting(SAME, video("beside")).decode(body) == first_sight
    assert len(first_sight) == 2


@pytest.mark.parametrize(
    "broken",
    [
        {**SAME, "snippet": None},
        {k: v for k, v in SAME.items() if k != "snippet"},
        _changed(SAME, "snippet", title="a\0b"),
        _changed(SAME, "snippet", tags=["fine", "not\0fine"]),
        _changed(SAME, "contentDetails", definition="h\0d"),
        _changed(SAME, "topicDetails", topicCategories=["\0"]),
        _changed(SAME, "contentDetails", duration="soon"),
        _changed(SAME, "snippet", publishedAt="0001-01-01T00:00:00+14:00"),
        _changed(SAME, "liveStreamingDetails", scheduledStartTime="9999-12-31T23:59:59Z"),
        _changed(SAME, "snippet", categoryId="game"),
        _changed(SAME, "statistics", viewCount="-1"),
        {**SAME, "id": "\0"},
        {**SAME, "id": ""},
        {**SAME, "id": "x" * 8000},  # more than an index takes
        _changed(SAME, "snippet", channelId="x" * 8000),
    ],
)
def test_a_broken_video_is_rejected_alone_and_for_the_same_reason_either_way(
    broken: dict[str, Any],
) -> None:
    body = _body(video("before"), broken, video("after"))
    first_sight = video_pages().decode(body)
    assert first_sight.columns["video_id"] == ["before", "after"]
    (rejected,) = first_sight.rejected
    assert rejected.reason
    decoder = _expecting(SAME, video("before"), video("after"))
    assert decoder.decode(body) == first_sight
    # Nothing of the broken one is remembered.
    assert decoder.decode(_body(SAME)) == video_pages().decode(_body(SAME))


def test_a_charts_texts_are_held_once() -> None:
    body = _body(SAME)
    decoder = _expecting(SAME)
    first, second = (decoder.decode(body).columns["description"][0] for _ in range(2))
    assert first is second


def test_more_videos_than_are_remembered_read_the_same() -> None:
    pages = [[video(f"{page}-{n}") for n in range(4)] for page in range(40)]
    decoder = video_pages(limit=6)
    for _ in range(3):
        for page in pages:
            body = _body(*page)
            assert decoder.decode(body) == video_pages().decode(body)


def test_a_stored_answer_may_lack_the_snippet() -> None:
    bare = {k: v for k, v in SAME.items() if k != "snippet"}
    for decoder in (video_pages(), _expecting(SAME)):
        page = decoder.decode(_body(bare), is_live=False)
        assert page.columns["title"] == [None]
        assert page.columns["description"] == [""]
