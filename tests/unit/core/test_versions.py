import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.core.errors import InvalidInputError
from aurastream.core.versions import known_versions

START = pd.Timestamp("2026-01-10T08:00Z")
versions = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(-3, 12), st.sampled_from("pqrs")),
    max_size=12,
    unique_by=lambda version: (version[0], version[2]),
)


def frame(rows) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "video_id": pd.array([video for video, _, _ in rows], dtype="str"),
            "first_observed_at": pd.DatetimeIndex(
                [START + pd.Timedelta(hours=hour) for _, hour, _ in rows], dtype="M8[us, UTC]"
            ),
            "metadata_hash": pd.array([name for _, _, name in rows], dtype="str"),
        }
    )


def oracle(video: str, end: pd.Timestamp, videos: pd.DataFrame) -> str | None:
    """The definition in words."""
    own = videos[videos["video_id"] == video].sort_values(["first_observed_at", "metadata_hash"])
    known = own[own["first_observed_at"] < end]
    if len(known):
        return known.iloc[-1]["metadata_hash"]
    just_late = own[own["first_observed_at"] < end + pd.Timedelta(minutes=30)]
    return just_late.iloc[0]["metadata_hash"] if len(just_late) else None


@given(st.randoms(), versions, st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 3))))
def test_each_window_knows_the_last_version_seen_before_its_end(random, rows, asked) -> None:
    videos = frame(rows)
    wanted = pd.DataFrame(
        {
            "video_id": pd.array([video for video, _ in asked], dtype="str"),
            "window_start": pd.DatetimeIndex(
                [START + n * pd.Timedelta(hours=4) for _, n in asked], dtype="M8[us, UTC]"
            ),
        }
    )
    order = list(range(len(rows)))
    random.shuffle(order)
    for shuffled in (videos, videos.iloc[order].reset_index(drop=True)):
        found = known_versions(wanted, shuffled)
        said = [shuffled["metadata_hash"].iloc[at] if at >= 0 else None for at in found]
        expected = [
            oracle(video, START + (n + 1) * pd.Timedelta(hours=4), videos) for video, n in asked
        ]
        assert said == expected


def test_metadata_that_came_later_than_a_crawl_is_answered_is_unknown_in_the_window() -> None:
    wanted = pd.DataFrame({"video_id": ["a"], "window_start": [START]})
    end = START + pd.Timedelta(hours=4)
    for late, position in (("0s", 0), ("29min59s", 0), ("30min", -1), ("30D", -1)):
        videos = frame([("a", 0, "p")]).assign(first_observed_at=end + pd.Timedelta(late))
        assert known_versions(wanted, videos).tolist() == [position]
    early = frame([("a", 0, "p")]).assign(first_observed_at=end + pd.Timedelta("1h"))
    assert known_versions(wanted, early, late=pd.Timedelta("2h")).tolist() == [0]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(InvalidInputError, match="metadata_hash"):
        known_versions(pd.DataFrame(), frame([("a", 0, "p")]).drop(columns="metadata_hash"))
