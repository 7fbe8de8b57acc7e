"""Shares of title patterns, evidence of topics, habits of descriptions: against plain Python."""

import statistics
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core import words
from aurastream.core.description_shares import (
    DESCRIPTION_INTEL_SCHEMA,
    HABITS,
    description_intel,
)
from aurastream.core.descriptions import (
    CALLS_TO_ACTION,
    DISCLOSURES,
    LINK_CLASSES,
    mine_descriptions,
)
from aurastream.core.errors import InvalidInputError
from aurastream.core.keywords import keyword_scores, tag_scores
from aurastream.core.title_features import PATTERNS, title_features, title_patterns
from aurastream.core.title_intel import TITLE_INTEL_SCHEMA, title_intel
from aurastream.core.title_lift import title_lift
from aurastream.core.topic_evidence import TOPIC_EVIDENCE_SCHEMA, topic_evidence
from aurastream.core.topics import topics

CHARTS = (
    Path(__file__).resolve().parents[4]
    / "shared/data/youtube_trending/charts_8c_2025-12-10_2026-04-30.parquet"
)
AT = pd.Timestamp("2026-03-01T08:00Z").as_unit("us")
TITLES = ("WHY?", "how to win", "Best 10 mods!", "mods", "", "日本語 動画", "a b", "\u200b", None)
TEXTS = (
    "",
    "#smp subscribe https://discord.gg/x",
    "0:00 a\n1:00 b\n2:00 c",
    "use code X #ad",
    None,
)
VIDEOS = st.lists(
    st.tuples(
        st.sampled_from(["gta", "apex"]),
        st.sampled_from(TITLES),
        st.lists(st.sampled_from(["mods", "Best Mods", "win", ""]), max_size=3),
        st.one_of(st.none(), st.floats(0, 1e6)),
        st.sampled_from(TEXTS),
    ),
    min_size=1,
    max_size=25,
)
FEW = settings(max_examples=30)


def build(rows: list[tuple[Any, ...]]) -> pd.DataFrame:
    n = len(rows)
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([AT] * n, dtype="datetime64[us, UTC]"),
            "category": [r[0] for r in rows],
            "video_id": [f"v{i:03d}" for i in range(n)],
            "metadata_hash": "h",
            "channel_id": [f"c{i % 7}" for i in range(n)],
            "age_h": 12.0,
            "title": pd.array([r[1] for r in rows], dtype="str"),
            "tags": pd.Series([r[2] for r in rows], dtype=object),
            "lifetime_velocity_per_hour": np.array(
                [np.nan if r[3] is None else r[3] for r in rows], dtype=np.float64
            ),
            "description": pd.array([r[4] for r in rows], dtype="str"),
            "duration_s": 600,
        }
    )


def shuffled(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.sample(frac=1.0, random_state=7).reset_index(drop=True)


def features_of(videos: pd.DataFrame) -> pd.DataFrame:
    habits = videos[["video_id", "metadata_hash", "tags"]].assign(
        definition=["hd" if i % 3 else "sd" for i in range(len(videos))],
        has_captions=[None if i % 2 else True for i in range(len(videos))],
        is_licensed=False,
        is_made_for_kids=None,
        default_language=[None if i % 2 else "en" for i in range(len(videos))],
        topic_categories=[["https://en.wikipedia.org/wiki/Action_game"]] * len(videos),
    )
    return mine_descriptions(videos).merge(habits, on=["video_id", "metadata_hash"])


@FEW
@given(VIDEOS)
def test_every_category_with_a_title_has_all_patterns_with_their_shares(
    rows: list[tuple[Any, ...]],
) -> None:
    videos = build(rows)
    found = title_intel(videos)
    assert {c: str(t) for c, t in found.dtypes.items()} == dict(TITLE_INTEL_SCHEMA)
    known = videos[videos["title"].notna()]
    assert found.groupby("category").size().to_dict() == {
        c: len(PATTERNS) for c in known["category"].unique()
    }
    for category, own in known.groupby("category"):
        shown = title_patterns(title_features(own["title"])).sum()
        mine = found[found["category"] == category].set_index("pattern")
        assert mine["pattern_count"].to_dict() == shown.to_dict()
        assert (mine["pattern_share"] == mine["pattern_count"] / len(own)).all()
    pd.testing.assert_frame_equal(title_intel(shuffled(videos)), found)


def test_lift_is_that_of_the_lift_itself() -> None:
    rng = np.random.default_rng(3)
    rows = [
        ("gta", "Why?" if i % 2 else "plain words", [], float(s), "")
        for i, s in enumerate(rng.lognormal(5, 1, 80))
    ]
    videos = build(rows)
    expected = title_lift(
        pd.concat([videos, title_patterns(title_features(videos["title"]))], axis=1)
    )
    shared = list(expected.columns)
    pd.testing.assert_frame_equal(title_intel(videos)[shared], expected)
    assert expected["lift"].notna().any()


def _says(terms: list[str], title: Any, tags: list[str]) -> tuple[bool, bool]:
    spoken = f" {' '.join(words.words(title))} "
    lines = [line for line in words.canonical_lines(terms) if line]
    in_title = any(f" {line} " in spoken for line in lines)
    return in_title, any(line in lines for line in words.canonical_lines(tags))


@FEW
@given(VIDEOS)
def test_evidence_is_what_reading_every_title_for_every_topic_finds(
    rows: list[tuple[Any, ...]],
) -> None:
    videos = build(rows)
    terms = pd.concat([keyword_scores(videos), tag_scores(videos)], ignore_index=True)
    found = topics(terms)
    evidence = topic_evidence(found, videos, evidence=3)
    assert {c: str(t) for c, t in evidence.dtypes.items()} == dict(TOPIC_EVIDENCE_SCHEMA)
    assert len(evidence) == len(found)
    for topic, said in zip(found.itertuples(), evidence.itertuples(), strict=True):
        own = videos[videos["category"] == topic.category]
        hits = [
            (row, *_says([topic.topic, *topic.duplicates], row.title, row.tags))
            for row in own.itertuples()
        ]
        with_it = [row for row, in_title, in_tags in hits if in_title or in_tags]
        assert said.video_count == len(with_it)
        assert said.title_count == sum(in_title for _, in_title, _ in hits)
        speeds = [r.lifetime_velocity_per_hour for r in with_it]
        known = [s for s in speeds if not np.isnan(s)]
        expected = statistics.median(known) if known else float("nan")
        assert said.velocity_p50_per_hour == pytest.approx(expected, nan_ok=True)
        ordered = sorted(
            with_it,
            key=lambda r: (-np.nan_to_num(r.lifetime_velocity_per_hour, nan=-1.0), r.video_id),
        )
        assert said.evidence_video_ids == [r.video_id for r in ordered[:3]]
    pd.testing.assert_frame_equal(topic_evidence(found, shuffled(videos), evidence=3), evidence)


@FEW
@given(VIDEOS)
def test_habits_are_what_counting_one_by_one_finds(rows: list[tuple[Any, ...]]) -> None:
    videos = build(rows)
    features = features_of(videos)
    members = videos[["window_start", "category", "video_id", "metadata_hash"]]
    found = description_intel(members, features)
    assert {c: str(t) for c, t in found.dtypes.items()} == dict(DESCRIPTION_INTEL_SCHEMA)
    merged = videos[["category", "video_id"]].merge(features, on="video_id")
    assert found["category"].tolist() == sorted(merged["category"].unique())
    for row in found.to_dict("records"):
        own = merged[merged["category"] == row["category"]]
        assert row["video_count"] == len(own)
        assert row["link_share"] == (own["link_count"] > 0).mean()
        assert (
            row["call_subscribe_share"]
            == own["calls_to_action"].map(lambda kinds: "subscribe" in kinds).mean()
        )
        assert row["character_count_p50"] == own["character_count"].median()
        assert row["link_counts"].get("community", 0) == own["community_link_count"].sum()
        counted = Counter(tag for tags in own["hashtags"] for tag in tags)
        assert row["top_hashtags"] == [
            {"term": tag, "video_count": n}
            for tag, n in sorted(counted.items(), key=lambda kv: (-kv[1], kv[0]))
        ]
        assert row["hd_share"] == (own["definition"] == "hd").mean()
        assert row["caption_share"] == pytest.approx(
            1.0 if own["has_captions"].notna().any() else float("nan"), nan_ok=True
        )
        assert np.isnan(row["made_for_kids_share"])
        assert row["declared_language_share"] == own["default_language"].notna().mean()
        assert row["top_platform_topics"] == [{"term": "Action game", "video_count": len(own)}]
    pd.testing.assert_frame_equal(description_intel(shuffled(members), shuffled(features)), found)


def _kept(values: "pd.Series[Any]", *, value: object) -> float:
    known = [one == value for one in values if not pd.isna(one)]
    return sum(known) / len(known) if known else float("nan")


@FEW
@given(VIDEOS, st.integers(1, 3))
def test_every_share_and_list_is_what_plain_counting_gives(
    rows: list[tuple[Any, ...]], top: int
) -> None:
    videos = build(rows)
    # Tags and marks of each version differ, and of one version in three nothing is known.
    features = features_of(videos).assign(
        chapter_fault=pd.array(
            ["no_zero_start" if i % 4 == 1 else None for i in range(len(rows))], dtype="str"
        ),
        is_licensed=[None if i % 3 == 2 else i % 2 == 0 for i in range(len(rows))],
        is_overtagged=[i % 5 == 0 for i in range(len(rows))],
        link_domains=[("x.com", "discord.gg")[: i % 3] for i in range(len(rows))],
    )
    members = videos[["window_start", "category", "video_id", "metadata_hash"]]

    found = description_intel(members, features, top=top)

    merged = members.merge(features, on=["video_id", "metadata_hash"])
    for row in found.to_dict("records"):
        own = merged[merged["category"] == row.pop("category")]
        n = len(own)
        links = {name: own[f"{name}_link_count"] for name in [*LINK_CLASSES, "other"]}
        expected: dict[str, Any] = {
            "described_share": sum(own["character_count"] > 0) / n,
            **{f"{name}_link_share": sum(count > 0) / n for name, count in links.items()},
            "chapter_share": sum(own["chapter_count"] > 0) / n,
            "chapter_fault_share": sum(own["chapter_fault"].notna()) / n,
            "timestamp_share": sum(own["timestamp_count"] > 0) / n,
            "hashtag_share": sum(own["hashtag_count"] > 0) / n,
            "overtagged_share": sum(own["is_overtagged"]) / n,
            "disclosure_share": sum(map(bool, own["disclosures"])) / n,
            "call_to_action_share": sum(map(bool, own["calls_to_action"])) / n,
            "hd_share": _kept(own["definition"], value="hd"),
            "licensed_share": _kept(own["is_licensed"], value=True),
            "tag_count_p50": statistics.median(map(len, own["tags"])),
        }
        for name in ("line_count", "link_count", "hashtag_count"):
            expected[f"{name}_p50"] = statistics.median(own[name])
        for kinds, column, start in (
            (DISCLOSURES, "disclosures", "disclosure"),
            (CALLS_TO_ACTION, "calls_to_action", "call"),
        ):
            for kind in kinds:
                expected[f"{start}_{kind}_share"] = sum(kind in said for said in own[column]) / n
        assert {name: row[name] for name in expected} == pytest.approx(expected, nan_ok=True)
        assert row["link_counts"] == {name: sum(c) for name, c in links.items() if sum(c)}
        counted = Counter(domain for domains in own["link_domains"] for domain in domains)
        ordered = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))
        assert row["top_domains"] == [
            {"term": domain, "video_count": count} for domain, count in ordered[:top]
        ]
        shares = [value for name, value in row.items() if name.endswith("_share")]
        assert all(np.isnan(share) or 0 <= share <= 1 for share in shares)


def test_a_version_that_comes_twice_is_refused() -> None:
    videos = build([("gta", "a", [], 1.0, "")])
    twice = pd.concat([features_of(videos)] * 2)
    with pytest.raises(InvalidInputError, match="a version of a video twice"):
        description_intel(videos[["window_start", "category", "video_id", "metadata_hash"]], twice)


def test_a_missing_column_is_named() -> None:
    videos = build([("gta", "a", [], 1.0, "")])
    with pytest.raises(InvalidInputError, match="'title'"):
        title_intel(videos.drop(columns="title"))
    with pytest.raises(InvalidInputError, match="'tags'"):
        topic_evidence(
            pd.DataFrame(columns=["window_start", "category", "topic", "duplicates"]),
            videos.drop(columns="tags"),
        )
    with pytest.raises(InvalidInputError, match=f"'{HABITS[-1]}'"):
        description_intel(videos, features_of(videos).drop(columns=HABITS[-1]))


def test_a_title_that_windows_share_counts_the_same_in_each() -> None:
    once = build([("gta", f"w{i} shared words", ["a", "b"], 10.0, "") for i in range(30)])
    later = once.assign(window_start=once["window_start"] + pd.Timedelta("4h"))
    both = title_intel(pd.concat([once, later], ignore_index=True))
    halves = pd.concat([title_intel(once), title_intel(later)], ignore_index=True)
    pd.testing.assert_frame_equal(both, halves)


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_golden_figures_of_a_real_day() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[(rows["snapshot_date"] == "2026-03-01") & (rows["category_id"] == "20")]
    rows = rows.sort_values(["views", "video_id"]).drop_duplicates("video_id", keep="last")
    age = (rows["fetched_at"] - rows["published_at"]).dt.total_seconds() / 3600
    videos = pd.DataFrame(
        {
            "window_start": AT,
            "category": "gaming",
            "video_id": rows["video_id"],
            "channel_id": rows["channel_id"],
            "age_h": age,
            "title": rows["title"],
            "tags": rows["tags"].fillna("").str.split(", "),
            "lifetime_velocity_per_hour": rows["views"] / age.clip(lower=0.5),
        }
    )
    titles = title_intel(videos).set_index("pattern")
    said = topics(keyword_scores(videos), names={"gaming": ["Gaming"]})
    evidence = topic_evidence(said, videos)
    assert titles["title_count"].iloc[0] == 138
    shown = titles["pattern_count"]
    assert [shown[p] for p in ("short", "question", "emoji", "hook_live")] == [13, 6, 26, 10]
    assert said["topic"].head(5).tolist() == [
        "minecraft",
        "newtown",
        "roblox",
        "brainrot",
        "resident evil",
    ]
    assert evidence["video_count"].head(5).tolist() == [25, 13, 22, 13, 10]
