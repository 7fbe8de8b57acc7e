"""Ideas from topics: evidence, difficulty, order; against definitions written out one by one."""

import hashlib
import unicodedata
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from aurastream.core import words
from aurastream.core.difficulty import difficulty, difficulty_bands, difficulty_scores
from aurastream.core.errors import InvalidInputError
from aurastream.core.idea_evidence import idea_evidence
from aurastream.core.idea_formats import IDEA_FORMATS, format_cues
from aurastream.core.idea_subjects import subjects, whole_phrases
from aurastream.core.ideas import IDEAS_SCHEMA, IdeaParams, video_ideas
from aurastream.core.keywords import keyword_scores
from aurastream.core.topic_spelling import IDLE_WORDS, surface
from aurastream.core.topics import lemma_sets, topics

DATA = Path(__file__).resolve().parents[4] / "shared" / "data" / "youtube_trending"
CHARTS = DATA / "charts_8c_2025-12-10_2026-04-30.parquet"
NOW = pd.Timestamp("2026-03-01T10:00Z").as_unit("us")
WORDS = st.sampled_from(["best", "mods", "guide", "update", "creeper", "only", "react"])
TITLES = st.lists(st.lists(WORDS, max_size=5).map(" ".join), min_size=1, max_size=12)


def videos_of(titles: list[str], category: str = "minecraft", **columns: Any) -> pd.DataFrame:
    n = len(titles)
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([NOW] * n),
            "category": [category] * n,
            "video_id": [f"v{at:02d}" for at in range(n)],
            "channel_id": [f"c{at % 3}" for at in range(n)],
            "title": titles,
            "tags": [["one", "two"]] * n,
            "views": np.arange(1, n + 1) * 100,
            "lifetime_velocity_per_hour": np.arange(1, n + 1) * 10.0,
            "viral_score": np.linspace(0, 100, n),
            "confidence_pct": np.full(n, 90.0),
            **columns,
        }
    )


def topics_of(*found: str, category: str = "minecraft") -> pd.DataFrame:
    return pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([NOW] * len(found)),
            "category": [category] * len(found),
            "rank": range(1, len(found) + 1),
            "topic": list(found),
            "lemmas": [" ".join(sorted(lemmas)) for lemmas in lemma_sets(found)],
        }
    )


@given(TITLES)
def test_evidence_is_what_comparing_every_topic_with_every_title_finds(titles: list[str]) -> None:
    wanted = topics_of("best mods", "guide", "creeper update only")
    videos = videos_of(titles)

    found = idea_evidence(wanted, videos)

    title_sets = lemma_sets(titles)
    expected = [
        [rank, video]
        for rank, lemmas in zip(wanted["rank"], wanted["lemmas"], strict=True)
        for video, words in zip(videos["video_id"], title_sets, strict=True)
        if set(lemmas.split()) <= words
    ]
    assert found[["topic_rank", "video_id"]].to_numpy().tolist() == expected


def test_evidence_stays_within_its_window_and_category() -> None:
    here = videos_of(["best mods"])
    elsewhere = videos_of(["best mods"], category="roblox")
    later = here.assign(window_start=NOW + pd.Timedelta(hours=4))

    found = idea_evidence(topics_of("best mods"), pd.concat([later, elsewhere, here]))

    assert found[["category", "video_id"]].to_numpy().tolist() == [["minecraft", "v00"]]
    assert found["window_start"].tolist() == [NOW]


@settings(max_examples=40)
@given(TITLES, st.randoms(use_true_random=False))
def test_difficulty_is_the_definition_written_out(titles: list[str], random: Any) -> None:
    videos = videos_of(titles)
    evidence = idea_evidence(topics_of("best", "guide"), videos)
    twitch = pd.DataFrame({"window_start": [NOW], "category": "minecraft", "ease_score": [80.0]})
    shuffled = videos.sample(frac=1, random_state=random.randint(0, 99))

    found = difficulty(evidence, shuffled, twitch)

    for row in found.itertuples():
        ids = evidence.loc[evidence["topic_rank"] == row.topic_rank, "video_id"]
        own = videos[videos["video_id"].isin(ids)]
        held = own.groupby("channel_id")["views"].sum() / own["views"].sum()
        crowding = min(1.0, len(own) / len(videos) / 0.2) * 100
        expected = 0.35 * crowding + 0.35 * 100 * (held**2).sum() + 0.3 * 20
        assert row.difficulty_score == pytest.approx(expected)
        assert (row.evidence_count, row.channel_count) == (len(own), len(held))


@given(*[st.lists(st.floats(0, 100), min_size=3, max_size=3)] * 2)
def test_difficulty_never_falls_when_a_part_grows(one: list[float], other: list[float]) -> None:
    low = difficulty_scores(*np.minimum(one, other).reshape(3, 1))
    high = difficulty_scores(*np.maximum(one, other).reshape(3, 1))
    assert 0 <= low[0] <= high[0] <= 100


@pytest.mark.parametrize("part", [-1.0, 101.0, float("nan")])
def test_a_part_out_of_range_is_refused_with_advice(part: float) -> None:
    with pytest.raises(InvalidInputError, match="between 0 and 100"):
        difficulty_scores([part], [0.0], [0.0])


def test_difficulty_without_any_views_counts_each_video_alike() -> None:
    videos = videos_of(["best"] * 6, views=None)
    found = difficulty(idea_evidence(topics_of("best"), videos), videos)
    assert found["concentration_part"].tolist() == pytest.approx([100 / 3])
    assert difficulty_bands(found["difficulty_score"]).tolist() == ["MODERATE"]


def test_the_kinds_are_worded_as_often_as_the_sources_ask() -> None:
    assert {kind.name: (len(kind.concepts), len(kind.hooks)) for kind in IDEA_FORMATS} == {
        "tutorial": (3, 2),
        "reaction": (2, 2),
        "challenge": (2, 1),
        "news": (2, 1),
    }
    lines = [line for kind in IDEA_FORMATS for line in (*kind.concepts, *kind.hooks)]
    assert all(line.count("{topic}") == 1 for line in lines)
    assert len(set(lines)) == len(lines)


def test_each_kind_is_told_by_its_own_words() -> None:
    told = format_cues([" ".join(kind.cues) for kind in IDEA_FORMATS])
    assert told.diagonal().all()


@settings(max_examples=20)
@given(TITLES, st.integers(0, 99))
def test_ideas_are_in_range_in_order_and_do_not_depend_on_the_order_of_rows(
    titles: list[str], seed: int
) -> None:
    wanted, videos = topics_of("mods", "guide", "creeper"), videos_of(titles)

    ideas = video_ideas(wanted, videos)

    for column in IDEAS_SCHEMA:
        if column.endswith(("_score", "_part", "_pct")):
            assert ideas[column].between(0, 100).all(), column
    assert ideas["rank"].tolist() == list(range(1, len(ideas) + 1))
    assert ideas["idea_score"].is_monotonic_decreasing
    assert ideas["idea_id"].is_unique
    mixed = video_ideas(
        wanted.sample(frac=1, random_state=seed), videos.sample(frac=1, random_state=seed)
    )
    pd.testing.assert_frame_equal(mixed, ideas, check_exact=True)


@pytest.mark.parametrize("count", [1, 2, 3, 12])
def test_a_game_with_any_evidence_has_five_ideas_and_never_more_than_ten(count: int) -> None:
    names = [f"boss{letter}" for letter in "abcdefghijkl"[:count]]  # one word, one video each

    ideas = video_ideas(topics_of(*names), videos_of(names))

    assert len(ideas) == min(max(5, count), 10)
    firsts = ideas.drop_duplicates("topic")
    assert len(firsts) == min(count, 10)


def test_without_evidence_there_is_no_idea_and_no_failure() -> None:
    assert video_ideas(topics_of("dragon"), videos_of(["best mods"])).empty
    assert video_ideas(topics_of("dragon"), pd.DataFrame()).empty
    assert dict(video_ideas(pd.DataFrame(), pd.DataFrame()).dtypes.astype(str)) == dict(
        IDEAS_SCHEMA
    )


def test_a_topic_of_words_that_every_title_has_is_no_idea() -> None:
    videos = videos_of(["best guide day 1", "100 days challenge", "creeper day"])
    ideas = video_ideas(topics_of("best guide", "days", "challenge", "creeper day"), videos)
    assert set(ideas["topic"]) == {"creeper day"}


@pytest.mark.parametrize("word", ["2026", "until", "mis", "7", "100 days", "with viewers"])
def test_years_and_small_words_are_no_subject(word: str) -> None:
    videos = videos_of([f"creeper {word}"] * 3)
    assert set(video_ideas(topics_of(word, "creeper"), videos)["topic"]) == {"creeper"}
    assert video_ideas(topics_of(word), videos).empty


@pytest.mark.parametrize(
    "word", ["letra", "clip officiel", "MV", "tráiler", "trailer german", "jai", "música ao vivo"]
)
def test_what_a_video_is_called_in_any_language_is_no_subject(word: str) -> None:
    videos = videos_of([f"Shakira - Zoo ({word})"] * 3)
    assert set(video_ideas(topics_of(word, "shakira"), videos)["topic"]) == {"shakira"}


NAMES = {"gta": ["GTA"]}
PHRASES = st.lists(
    st.sampled_from(["gta 6", "gta v", "gta gameplay", "gta best day 100", "gta heist", "heist"]),
    min_size=1,
    max_size=6,
)


def named_topics(*found: str) -> pd.DataFrame:
    """Return topics of the category of GTA, whose name is no part of them."""
    terms = pd.DataFrame({"window_start": NOW, "category": "gta", "term": found, "score": 1.0})
    return topics(terms, names=NAMES)


@settings(max_examples=40)
@given(PHRASES)
def test_a_category_with_a_topic_that_a_video_shows_has_its_ideas(phrases: list[str]) -> None:
    videos = videos_of([phrase.upper() for phrase in phrases], category="gta")

    ideas = video_ideas(named_topics(*phrases), videos)

    assert len(ideas) >= IdeaParams().least
    assert set(ideas["topic"]) <= set(phrases)


def test_the_instalment_of_a_game_is_a_subject_and_rests_on_videos_that_name_it() -> None:
    titles = ["GTA 6 map", "GTA 6 Heist", "The 6 best Heists", "GTA gameplay", "GTA gameplay 2"]
    videos = videos_of(titles, category="gta", tags=[["gta 6"]] * 3 + [["gta gameplay"]] * 2)

    ideas = video_ideas(named_topics("gta 6", "gta gameplay", "heist"), videos)

    of_six = ideas[ideas["topic"] == "gta 6"]
    assert set(of_six["evidence_video_ids"].explode()) == {"v00", "v01"}
    assert of_six["concept"].str.contains("GTA 6").all()
    assert set(ideas["topic"]) == {"gta 6", "heist"}


def test_a_subject_that_creators_tag_comes_before_words_that_carry_titles() -> None:
    names = ["creeper", "warden", "allay"]
    titles = [f"{name} suddenly" for name in names for _ in range(3)]
    tags = [[name.title()] for name in names for _ in range(3)]
    ideas = video_ideas(topics_of("suddenly", *names), videos_of(titles, tags=tags))
    assert set(ideas["topic"]) == set(names)
    untagged = video_ideas(topics_of("suddenly", *names), videos_of(titles, tags=None))
    assert {*names, "suddenly"} == set(untagged["topic"])


def test_english_wording_is_for_topics_that_latin_readers_can_read_while_there_are_enough() -> None:
    names = ["creeper", "warden", "allay", "엔더맨"]
    titles = [name for name in names for _ in range(3)]
    assert "엔더맨" not in set(video_ideas(topics_of(*names), videos_of(titles))["topic"])
    assert set(video_ideas(topics_of("엔더맨"), videos_of(["엔더맨"] * 3))["topic"]) == {"엔더맨"}


def test_no_two_topics_of_a_category_rest_on_the_same_videos() -> None:
    titles = ["poppy playtime"] * 4 + ["poppy seeds", "creeper", "creeper cave"]
    ideas = video_ideas(
        topics_of("poppy", "playtime", "poppy playtime", "creeper"), videos_of(titles)
    )
    assert set(ideas["topic"]) == {"poppy playtime", "creeper"}


def test_an_idea_spells_its_topic_as_titles_do() -> None:
    videos = videos_of(["POPPY PLAYTIME!!", "Poppy Playtime: the end", "the Poppy Playtime story"])
    ideas = video_ideas(topics_of("poppy playtime"), videos)
    assert ideas["concept"].str.contains("Poppy Playtime").all()


def test_a_topic_whose_titles_tell_no_kind_takes_the_kind_that_works_in_its_category() -> None:
    videos = videos_of(["creeper", "creeper", "warden review", "allay review", "review"])
    assert video_ideas(topics_of("creeper"), videos)["format"].iloc[0] == "reaction"


def test_of_topics_with_the_same_videos_the_one_that_says_most_stays() -> None:
    videos = videos_of(["poppy playtime", "poppy playtime 2", "creeper"])
    ideas = video_ideas(topics_of("poppy", "playtime", "poppy playtime", "creeper"), videos)
    assert set(ideas["topic"]) == {"poppy playtime", "creeper"}


def test_every_idea_names_videos_that_show_its_topic_fastest_first() -> None:
    videos = videos_of(["creeper mods", "guide", "the creeper guide", "nothing"])

    ideas = video_ideas(topics_of("creeper"), videos)

    assert ideas["evidence_video_ids"].map(tuple).unique().tolist() == [("v02", "v00")]
    assert ideas["evidence_count"].eq(2).all()


def test_a_topic_that_titles_teach_becomes_a_tutorial_first() -> None:
    videos = videos_of(["how to tame a creeper", "creeper guide", "creeper tutorial"])
    ideas = video_ideas(topics_of("creeper"), videos)
    assert ideas["format"].iloc[0] == "tutorial"
    assert ideas["format_part"].iloc[0] == 100.0


def test_the_score_is_the_definition_with_all_that_is_known_of_the_category() -> None:
    videos = videos_of(["creeper guide", "else"], viral_score=[70.0, 0.0])
    at = {"window_start": [NOW], "category": ["minecraft"]}

    idea = video_ideas(
        topics_of("creeper"),
        videos,
        competition=pd.DataFrame({**at, "ease_score": [60.0]}),
        opportunity=pd.DataFrame({**at, "opportunity_score": [90.0]}),
        formats=pd.DataFrame({**at, "duration_bucket": ["3-8 min"], "is_optimal": [True]}),
    ).iloc[0]

    hard = 0.35 * 100 + 0.35 * 100 + 0.3 * 40
    assert idea["difficulty_score"] == pytest.approx(hard)
    # Its one title teaches; a third of the category's velocity does, and counts like three videos.
    kind = 100 * (1 + 3 * 10 / 30) / 4
    assert idea["format_part"] == pytest.approx(kind)
    assert idea["idea_score"] == pytest.approx(
        0.4 * 70 + 0.25 * (100 - hard) + 0.15 * 90 + 0.2 * kind
    )
    assert idea["duration_bucket"] == "3-8 min"
    sample = 100 * (1 - np.exp(-1 / 5))
    assert idea["confidence_pct"] == pytest.approx(0.5 * sample + 0.3 * 90 + 20)


def test_missing_scores_tags_and_velocities_cost_confidence_and_nothing_else() -> None:
    bare = videos_of(
        ["creeper", "creeper"],
        tags=None,
        viral_score=np.nan,
        lifetime_velocity_per_hour=np.nan,
        confidence_pct=np.nan,
    )
    ideas = video_ideas(topics_of("creeper"), bare)
    assert ideas["demand_part"].eq(50.0).all()
    assert ideas["freshness_part"].eq(0.0).all()
    assert ideas["tags"].map(list).tolist() == [[]] * len(ideas)
    assert ideas["idea_score"].notna().all()


def test_the_idea_of_a_topic_keeps_its_id_from_window_to_window() -> None:
    wanted, videos = topics_of("creeper"), videos_of(["creeper guide"])
    later = NOW + pd.Timedelta(hours=4)
    again = video_ideas(wanted.assign(window_start=later), videos.assign(window_start=later))
    assert again["idea_id"].tolist() == video_ideas(wanted, videos)["idea_id"].tolist()


def test_params_that_contradict_each_other_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="least"):
        IdeaParams(top=3, least=5)


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("viral_score", -1e9),
        ("viral_score", np.inf),
        ("confidence_pct", 1e9),
        ("views", -1),
        ("lifetime_velocity_per_hour", np.inf),
    ],
)
def test_a_video_with_a_value_out_of_range_is_refused_by_name(column: str, value: float) -> None:
    videos = videos_of(["creeper guide", "else"])
    videos[column] = [value, 1.0]
    with pytest.raises(InvalidInputError, match=f"'{column}' of the videos frame holds"):
        video_ideas(topics_of("creeper"), videos)


@pytest.mark.parametrize("value", [-0.5, 5000.0, np.inf])
def test_an_opportunity_out_of_range_is_refused_by_name(value: float) -> None:
    rated = pd.DataFrame(
        {"window_start": [NOW], "category": "minecraft", "opportunity_score": [value]}
    )
    with pytest.raises(InvalidInputError, match="'opportunity_score' of the opportunity frame"):
        video_ideas(topics_of("creeper"), videos_of(["creeper guide"]), opportunity=rated)


@pytest.mark.parametrize("name", ["topics", "competition", "opportunity", "formats"])
def test_a_doubled_row_is_refused_by_the_key_it_doubles(name: str) -> None:
    videos = videos_of(["creeper guide", "creeper house"])
    of_category: dict[str, Any] = {"window_start": [NOW] * 2, "category": "minecraft"}
    beside: dict[str, dict[str, Any]] = {
        "competition": {"ease_score": [50.0, 60.0]},
        "opportunity": {"opportunity_score": [50.0, 60.0]},
        "formats": {"duration_bucket": ["short", "long"], "is_optimal": True},
    }
    topics = topics_of("creeper", "guide" if name != "topics" else "creeper")
    frames: dict[str, Any] = {}
    if name == "topics":
        topics["rank"] = 1
    else:
        frames[name] = pd.DataFrame(of_category | beside[name])

    with pytest.raises(InvalidInputError, match=f"Of the (optimal )?{name} frame") as error:
        video_ideas(topics, videos, **frames)

    assert "category minecraft" in error.value.message


@pytest.mark.skipif(not CHARTS.is_file(), reason=f"no archive at {CHARTS}")
def test_golden_ideas_of_a_real_day() -> None:
    rows = pd.read_parquet(CHARTS)
    rows = rows[(rows["snapshot_date"] == "2026-03-01") & (rows["category_id"] == "20")]
    rows = rows.drop_duplicates("video_id").sort_values("video_id")
    age = (rows["fetched_at"] - rows["published_at"]).dt.total_seconds() / 3600
    velocity = (rows["views"] / age.clip(lower=0.5)).astype("float64")
    videos = pd.DataFrame(
        {
            "window_start": pd.DatetimeIndex([NOW] * len(rows)),
            "category": "gaming",
            "video_id": rows["video_id"].to_numpy(),
            "channel_id": rows["channel_id"].to_numpy(),
            "title": rows["title"].to_numpy(),
            "tags": None,
            "views": rows["views"].to_numpy(),
            "lifetime_velocity_per_hour": velocity.to_numpy(),
            "viral_score": (velocity.rank(pct=True) * 100).to_numpy(),
            "confidence_pct": 100.0,
        }
    )
    scored = keyword_scores(videos)
    ideas = video_ideas(topics(scored), videos)
    assert len(ideas) == 10
    titles = dict(zip(videos["video_id"], videos["title"], strict=True))
    for topic, ids in zip(ideas["topic"], ideas["evidence_video_ids"], strict=True):
        (words,) = lemma_sets([topic])
        assert all(words <= found for found in lemma_sets([titles[i] for i in ids]))
    best = ideas[["topic", "format", "concept"]].head(3).to_numpy().tolist()
    assert best == [
        ["party", "challenge", "A whole day of nothing but Party"],
        ["og", "news", "OG: the news in three minutes"],
        ["admin", "news", "What is new in Admin, and what it changes"],
    ]
    assert ideas["idea_score"].head(3).round(4).tolist() == [69.3996, 68.0163, 67.7984]


def shown_as(**found: list[tuple[str, list[str] | None]]) -> pd.DataFrame:
    """Return evidence: of each topic, in their order, titles with tags, each of another channel."""
    rows = [
        (rank, f"v{rank}{n}", f"c{rank}{n}", title, tags)
        for rank, own in enumerate(found.values(), start=1)
        for n, (title, tags) in enumerate(own)
    ]
    columns = ["topic_rank", "video_id", "channel_id", "title", "tags"]
    return pd.DataFrame(rows, columns=columns).assign(window_start=NOW, category="minecraft")


def test_the_half_of_names_and_words_of_running_text_yield_to_what_is_named() -> None:
    named = [("Ender Fort at night", ["Ender Fort"])] * 3
    evidence = shown_as(
        fort=named,
        # A surname: tags have it inside of longer names alone.
        vale=[(f"{first} Vale sings", [f"{first} Vale"]) for first in ("Ana", "Bo", "Cy")],
        # A form of a verb, which one channel tags as well.
        prefieres=[("Qué prefieres", [["que prefieres"], ["que prefieres"], ["prefieres"]][n])
                   for n in range(3)],
        # Written small in the middle of titles, and never a tag.
        road=[("The road to glory", None), ("On the road again", None), ("A long road", None)],
        # Shouting says nothing of capitals, and a tag of its own everything.
        newtown=[("NEWTOWN EPISODE 3", ["newtown", "newtown rp"])] * 3,
        keep=[("The Keep, part 2", ["keep"])] * 3,
    )  # fmt: skip
    found = topics_of("ender fort", "vale", "prefieres", "road", "newtown", "keep")

    assert subjects(found, evidence)["topic_rank"].tolist() == [1, 5, 6]


@pytest.mark.parametrize("topic", ["vale", "road"])
def test_a_doubtful_topic_is_a_subject_where_nothing_else_is(topic: str) -> None:
    title, tags = {"vale": ("Ana Vale", ["ana vale"]), "road": ("My road home", None)}[topic]

    kept = subjects(topics_of(topic), shown_as(own=[(title, tags)] * 3))

    assert kept["topic_rank"].tolist() == [1]


PLAIN = st.sampled_from(
    ["How", "guides", "tips", "Reviews", "days", "vs", "NEW", "season", "creeper", "show", "versed",
     "2026", "A"]
)  # fmt: skip


@given(st.lists(st.none() | st.lists(PLAIN, max_size=4).map("! ".join), max_size=8))
def test_a_title_tells_the_kinds_whose_words_it_has(titles: list[str | None]) -> None:
    spoken = [
        {words.lemma(word.lower()) for word in (title or "").replace("!", "").split()}
        for title in titles
    ]
    expected = [[bool(own & kind.cues) for kind in IDEA_FORMATS] for own in spoken]
    assert format_cues(titles).tolist() == expected


PARTS_OF_TOPICS = st.sampled_from(
    ["gta", "6", "v", "heists", "best", "day", "100", "Creeper", "x", "2026", "実況"]
)


def says_something(lemmas: list[str]) -> bool:
    return any(len(one) > 1 and not one.isdecimal() and one not in IDLE_WORDS for one in lemmas)


@given(
    st.lists(
        st.lists(PARTS_OF_TOPICS, min_size=1, max_size=4).flatmap(
            lambda own: st.tuples(st.just(own), st.integers(0, len(own)))
        ),
        max_size=6,
    )
)
def test_a_topic_has_its_name_again_where_what_is_left_says_nothing(
    rows: list[tuple[list[str], int]],
) -> None:
    lemmas = [sorted({words.lemma(word.lower()) for word in own}) for own, _ in rows]
    left = [own[at:] for own, (_, at) in zip(lemmas, rows, strict=True)]
    given_rows = pd.DataFrame(
        {"topic": [" ".join(own) for own, _ in rows], "lemmas": [" ".join(own) for own in left]},
        index=range(5, 5 + len(rows)),
        dtype="str",
    )

    found = whole_phrases(given_rows)

    assert found["lemmas"].tolist() == [
        " ".join(own if says_something(own) or not own else whole)
        for own, whole in zip(left, lemmas, strict=True)
    ]
    pd.testing.assert_frame_equal(found[["topic"]], given_rows[["topic"]])
    again = whole_phrases(found)
    pd.testing.assert_frame_equal(again, found)


NAMED = ("creeper", "warden", "ender fort", "fort", "swords", "2026", "until", "엔더맨", "day")
TOPICS_SHOWN = st.integers(0, len(NAMED) - 1).flatmap(
    lambda at: st.tuples(
        st.just(at + 1),
        st.integers(0, 9),
        st.sampled_from("xyz"),
        st.sampled_from(
            [
                None,
                "Zz",
                NAMED[at],
                NAMED[at].title(),
                f"The {NAMED[at]}",
                f"ZZ {NAMED[at]}".upper(),
            ]
        ),
        st.none()
        | st.lists(
            st.sampled_from([NAMED[at], f"{NAMED[at]} Queen", f"Nova {NAMED[at].upper()}", "zz"]),
            max_size=1,
        ),
    )
)
SHOWN = st.lists(TOPICS_SHOWN, min_size=8, max_size=45, unique_by=lambda row: row[:2])


def doubts_of(topic: str, own: list[tuple[Any, ...]]) -> int:
    """Count what is doubtful of a topic, evidence by evidence."""
    spoken = topic.split()
    wanted = {words.lemma(word) for word in spoken}
    named, within, capitals = set(), set(), 0
    for _, _, channel, title, tags in own:
        for tag in tags or []:
            lemmas = {words.lemma(word) for word in tag.lower().split()}
            if lemmas == wanted:
                named.add(channel)
            if len(wanted) == 1 and wanted <= lemmas:
                within.add(channel)
        written = (title or "").split()
        if not (title or "").isupper() and not (title or "").islower():
            for at in range(len(written) - len(spoken) + 1):
                stretch = " ".join(written[at : at + len(spoken)])
                if stretch.lower() == topic and not stretch.isupper():
                    capitals += stretch[0].isupper() - stretch[0].islower()
    doubts = [
        not named,
        not any(unicodedata.name(c).startswith("LATIN") for c in topic),
        len(own) < 3 or len({row[2] for row in own}) < 2,
    ]
    double = [len(within) >= 2 and 2 * len(named) < len(within), capitals < 0]
    return sum(doubts) + 2 * sum(double)


@settings(max_examples=40)
@given(SHOWN)
def test_subjects_are_the_least_doubtful_topics_of_loops_over_the_evidence(
    rows: list[tuple[Any, ...]],
) -> None:
    evidence = pd.DataFrame(
        [(rank, f"v{video}", *own) for rank, video, *own in rows],
        columns=["topic_rank", "video_id", "channel_id", "title", "tags"],
    ).assign(window_start=NOW, category="minecraft")
    evidence["topic_rank"] = evidence["topic_rank"].astype("int64")

    found = subjects(topics_of(*NAMED), evidence)

    rated = []
    for rank, topic in enumerate(NAMED, start=1):
        own = [row for row in rows if row[0] == rank]
        if own and says_something([words.lemma(word) for word in topic.split()]):
            ids = {row[1] for row in own}
            rated.append((doubts_of(topic, own), -len(topic.split()), rank, ids))
    apart: list[tuple[Any, ...]] = []
    for one in sorted(rated, key=lambda rating: rating[:3]):
        if all(len(one[3] & other[3]) < 0.6 * len(one[3] | other[3]) for other in apart):
            apart.append(one)
    expected = []
    for doubts, _, rank, _ in apart:
        better = sum(other[0] < doubts for other in apart)
        if better < 3 and (doubts < 3 or better == 0):
            expected.append(rank)
    assert found["topic_rank"].tolist() == sorted(expected)
    assert bool(rated) == bool(len(found))


IDEA_ROWS = st.lists(
    st.tuples(
        st.lists(
            st.sampled_from(
                ["creeper", "Warden", "allay", "guide", "review", "only", "NEW", "vs", "zz"]
            ),
            max_size=4,
        ).map(" ".join),
        st.none() | st.integers(0, 1000),
        st.none() | st.integers(0, 100),
        st.none() | st.integers(0, 100),
        st.none() | st.lists(st.sampled_from(["creeper", " Mods", "mods", "", "red"]), max_size=3),
    ),
    min_size=1,
    max_size=12,
)


def plain_ideas(
    names: list[str], rows: list[tuple[Any, ...]], hard: dict[int, float], most: int, listed: int
) -> list[dict[str, Any]]:
    """Word and score every idea of the topics that a difficulty is given of, one by one."""

    def told(title: str) -> list[bool]:
        own = {words.lemma(word) for word in title.lower().split()}
        return [bool(own & kind.cues) for kind in IDEA_FORMATS]

    def mean(of: list[tuple[Any, ...]], values: list[float]) -> float:
        weights = [row[1] or 0 for row in of]
        weights = weights if any(weights) else [1] * len(of)
        return sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)

    def kinds(of: list[tuple[Any, ...]]) -> list[float]:
        return [100 * mean(of, [told(row[0])[at] for row in of]) for at in range(4)]

    ideas = []
    for rank, difficulty_score in hard.items():
        name = names[rank - 1]
        own = [(*row, at) for at, row in enumerate(rows) if name in row[0].lower().split()]
        own.sort(key=lambda row: (-(row[1] or 0), row[5]))
        n = len(own)
        weighs = any(row[1] for row in own)
        tags: dict[str, float] = {}
        for row in own:
            for tag in {tag.strip().lower() for tag in row[4] or []} - {""}:
                tags[tag] = tags.get(tag, 0) + ((row[1] or 0) if weighs else 1)
        demand = mean(own, [50 if row[2] is None else row[2] for row in own])
        sample = 100 * (1 - np.exp(-n / 5))
        fresh = sum(row[3] or 0 for row in own) / n
        wording = 100 * mean(own, [any(told(row[0])) for row in own])
        written = surface(name, [row[0] for row in own[:listed]])
        shares = zip(IDEA_FORMATS, kinds(own), kinds(rows), strict=True)
        for order, (kind, share, usual) in enumerate(shares):
            part = (n * share + 3 * usual) / (n + 3)
            score = 0.4 * demand + 0.25 * (100 - difficulty_score) + 0.15 * 50 + 0.2 * part
            for at, concept in enumerate(kind.concepts):
                shown = (text.replace("{topic}", written)
                         for text in (concept, kind.hooks[at % len(kind.hooks)]))  # fmt: skip
                concept_shown, hook = (text[0].upper() + text[1:] for text in shown)
                key = "\x1f".join(["minecraft", name, kind.name, str(at)])
                ideas.append(
                    {
                        "order": (-round(score, 7), name, order, (at - rank) % len(kind.concepts)),
                        "topic": name,
                        "format": kind.name,
                        "concept": concept_shown,
                        "hook": hook,
                        "idea_id": hashlib.sha256(key.encode()).hexdigest()[:16],
                        "idea_score": score,
                        "demand_part": demand,
                        "format_part": part,
                        "confidence_pct": 0.5 * sample + 0.3 * fresh + 0.2 * wording,
                        "tags": sorted(tags, key=lambda tag: (-tags[tag], tag))[:most],
                        "evidence_count": n,
                        "evidence_video_ids": [f"v{row[5]:02d}" for row in own[:listed]],
                    }
                )
    return sorted(ideas, key=lambda idea: idea["order"])


@settings(max_examples=8)
@given(IDEA_ROWS, st.integers(1, 4), st.integers(0, 4), st.integers(1, 4), st.integers(1, 3))
def test_ideas_are_what_wording_and_scoring_them_one_by_one_gives(
    rows: list[tuple[Any, ...]], least: int, more: int, listed: int, most: int
) -> None:
    names = ["warden", "creeper", "allay"]
    videos = videos_of(
        [row[0] for row in rows],
        lifetime_velocity_per_hour=pd.array([row[1] for row in rows], dtype="Float64"),
        viral_score=pd.array([row[2] for row in rows], dtype="Float64"),
        confidence_pct=pd.array([row[3] for row in rows], dtype="Float64"),
        tags=[row[4] for row in rows],
    )
    wanted = topics_of(*names)
    evidence = idea_evidence(wanted, videos)
    shown = evidence.merge(videos, on=["window_start", "category", "video_id"])
    evidence = evidence.merge(
        subjects(wanted, shown), on=["window_start", "category", "topic_rank"]
    )
    rated = difficulty(evidence, videos)
    hard = dict(zip(rated["topic_rank"].tolist(), rated["difficulty_score"], strict=True))
    every = plain_ideas(names, rows, hard, most, listed)
    scores = sorted({(idea["order"][0], idea["topic"]) for idea in every})
    # Of scores that only rounding tells apart, anyone may come first.
    assume(all(b[0] - a[0] > 1e-6 for a, b in pairwise(scores)))

    found = video_ideas(
        wanted,
        videos,
        params=IdeaParams(top=least + more, least=least, evidence=listed, tags=most),
    )

    turn: dict[str, int] = {}
    for idea in every:
        turn[idea["topic"]] = turn.get(idea["topic"], -1) + 1
        idea["turn"] = turn[idea["topic"]]
    size = min(max(len(hard), least), least + more)
    kept = sorted(every, key=lambda idea: (idea["turn"], idea["order"]))[:size]
    kept.sort(key=lambda idea: idea["order"])
    assert len(found) == len(kept)
    for row, idea in zip(found.to_dict("records"), kept, strict=True):
        for name in set(idea) & set(row):
            value = idea[name]
            assert row[name] == (value if isinstance(value, (str, list)) else pytest.approx(value))
