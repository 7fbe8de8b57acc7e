import datetime as dt
import html
import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import astuple
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aurastream.core.descriptions import (
    CALLS_TO_ACTION,
    DESCRIPTION_SCHEMA,
    DISCLOSURES,
    LINK_CLASSES,
    clean_description,
    link_class,
    mine_description,
    mine_descriptions,
)
from aurastream.core.errors import InvalidInputError

PAYLOADS = Path(__file__).resolve().parents[4] / "shared/data/youtube_payloads"
ALPHABET = "ab1 0:5#\n&;.()[]/@-http://wwwyoutu.be サ\u200b\x00\u0915\u093e"


def frame(*texts: str | None, duration: float | None = None) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "video_id": [f"v{i}" for i in range(len(texts))],
            "metadata_hash": "h",
            "description": pd.array(texts, dtype="str"),
            "duration_s": pd.array([duration] * len(texts), dtype="Int32"),
        }
    )


@given(st.one_of(st.text(max_size=300), st.text(alphabet=ALPHABET, max_size=300)))
def test_any_text_is_read_and_what_is_found_is_in_it(text: str) -> None:
    found = mine_description(text)
    assert clean_description(found.text) == found.text or "&" in text
    for link in found.links:
        assert link.url in found.text
        assert link_class(link.domain) in {link.link_class, "shop"}
    for tag in found.hashtags:
        assert tag in found.text.lower()
    starts = [chapter.start_s for chapter in found.chapters]
    assert starts == sorted(set(starts))
    assert not starts or (starts[0] == 0 and len(starts) >= 3 and found.chapter_fault is None)
    assert set(starts) <= set(found.timestamps_s)


@given(st.lists(st.integers(10, 5_000), min_size=2, max_size=30))
def test_every_valid_list_of_chapters_comes_back(steps: list[int]) -> None:
    starts = [sum(steps[:i]) for i in range(len(steps) + 1)]
    lines = [
        f"{s // 3600}:{s // 60 % 60:02d}:{s % 60:02d} - Part {i}" for i, s in enumerate(starts)
    ]
    found = mine_description("About\n" + "\n".join(lines), duration_s=starts[-1] + 10)
    assert [chapter.start_s for chapter in found.chapters] == starts
    assert [chapter.title for chapter in found.chapters] == [
        f"Part {i}" for i in range(len(starts))
    ]


@pytest.mark.parametrize(
    ("text", "duration", "fault"),
    [
        ("0:00 a\n1:00 b", None, "fewer_than_three"),
        ("0:10 a\n1:00 b\n2:00 c", None, "no_zero_start"),
        ("0:00 a\n2:00 b\n1:00 c", None, "not_ascending"),
        ("0:00 a\n1:00 b\n1:00 c", None, "not_ascending"),
        ("0:00 a\n1:00 b\n1:09 c", None, "shorter_than_10_s"),
        ("0:00 a\n1:00 b\n2:00 c", 125.0, "shorter_than_10_s"),
        ("0:00 a\n1:00 b\n2:00 c", 120.0, "beyond_the_end"),
        ("0:00 a\n1:00 b\n2:00 c", 130.0, None),
        ("• [00:00] a\n▶ 1:00 – b\n- 2:00 | c", None, None),
        ("Live at 12:30 today", None, None),
        ("0:00\n1:00\n2:00", None, None),
        ("", None, None),
    ],
)
def test_chapters_follow_the_platforms_rules(text, duration, fault) -> None:
    found = mine_description(text, duration_s=duration)
    assert found.chapter_fault == fault
    assert not (fault and found.chapters)


@pytest.mark.parametrize(
    ("text", "domains"),
    [
        ("(https://en.wikipedia.org/wiki/A_(b)).", ["en.wikipedia.org"]),
        ("see www.Example.com, discord.gg/abc!", ["example.com", "discord.gg"]),
        ("https://[broken http://ok.io", ["ok.io"]),
        ("mail me@x.com version 1.2.3 e.g. this", []),
        ("https://localhost http:// https://...", []),
        ("a|https://a.io|https://b.io", ["a.io", "b.io"]),
    ],
)
def test_links_end_where_they_end(text: str, domains: list[str]) -> None:
    assert [link.domain for link in mine_description(text).links] == domains


def test_a_tagged_shop_link_is_an_affiliate_link_and_no_domain_has_two_classes() -> None:
    (link,) = mine_description("https://www.amazon.de/dp/1?tag=me-21").links
    assert link.link_class == "affiliate"
    every = [domain for domains in LINK_CLASSES.values() for domain in domains]
    assert len(every) == len(set(every))


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("#Minecraft #minecraft #100 #100days", ("minecraft", "100days")),
        ("C# a#b &#39; https://a.io/#frag ##x", ()),
        ("#हिन्दी #日本語タグ ＃全角 #ไทยแลนด์", ("हिन्दी", "日本語タグ", "全角", "ไทยแลนด์")),  # noqa: RUF001 # full-width
    ],
)
def test_hashtags_are_those_of_any_script(text: str, tags: tuple[str, ...]) -> None:
    assert mine_description(text).hashtags == tags


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("This video is sponsored by Acme", ("sponsor",)),
        ("This video is NOT sponsored by Acme", ()),
        ("Werbung: Danke! #Anzeige", ("paid_promotion",)),
        ("Use code AURA; links are affiliate links", ("affiliate", "promo_code")),
        ("#adventure #prime source code", ()),
        ("本動画は企業案件です", ("paid_promotion",)),
        ("https://a.io/sponsored by", ()),
    ],
)
def test_disclosures_are_found_unless_denied(text: str, kinds: tuple[str, ...]) -> None:
    assert mine_description(text).disclosures == kinds


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("SUBSCRIBE and hit the bell", ("notifications", "subscribe")),
        ("チャンネル登録お願いします", ("subscribe",)),
        ("my subscribers unsubscribed", ()),
        ("¡Suscríbete y dale like!", ("like", "subscribe")),
    ],
)
def test_calls_to_action_are_whole_words(text: str, kinds: tuple[str, ...]) -> None:
    assert mine_description(text).calls_to_action == kinds


def test_html_and_invisible_characters_vanish_and_queries_stay() -> None:
    found = mine_description(
        "Tom &amp; Jerry\x00\u202e\ufeff &lt;3 https://a.io/?x=1&copy=2&amp;y=3"
    )
    assert found.text == "Tom & Jerry <3 https://a.io/?x=1&copy=2&y=3"
    assert found.links[0].url == "https://a.io/?x=1&copy=2&y=3"


@pytest.mark.parametrize(
    "unit",
    [
        "a",
        "#",
        "#a",
        ":",
        "1:",
        "0:00 a\n",
        "http://",
        "https://a.io/)",
        "(",
        "&amp;",
        "\x00",
        "a.",
        "www.",
        "not ",
        "サ",
        "ा",
        ")",
        "x.com)",
        "sponsored ",
        "\n",
        "👨\u200d👩\u200d👧",
    ],
)
def test_a_hundred_thousand_characters_of_anything_are_read(unit: str) -> None:
    found = mine_description(unit * (100_000 // len(unit)))
    assert len(found.text) <= 10_000
    padded = mine_description(found.text + " tail https://late.io #late")
    if len(found.text) == 10_000:
        assert "late" not in padded.hashtags


def test_rows_are_those_of_the_single_reading_and_one_does_not_touch_another() -> None:
    texts = [
        "0:00 a\n1:00 b\n2:00 c",
        None,
        "x" * 20_000,
        "#a " * 3,
        " ".join(f"#t{i}" for i in range(61)),
    ]
    found = mine_descriptions(frame(*texts, duration=600))
    assert found["chapter_count"].tolist() == [3, 0, 0, 0, 0]
    assert found["character_count"].tolist()[:3] == [20, 0, 10_000]
    assert found["hashtag_count"].tolist() == [0, 0, 0, 1, 61]
    assert found["is_overtagged"].tolist() == [False] * 4 + [True]
    for at, text in enumerate(texts):
        alone = mine_descriptions(frame(text, duration=600)).drop(columns="video_id")
        same = found.iloc[[at]].drop(columns="video_id").reset_index(drop=True)
        pd.testing.assert_frame_equal(alone, same)


def test_nothing_in_gives_nothing_out_in_the_right_shape() -> None:
    for found in (mine_descriptions(pd.DataFrame()), mine_descriptions(frame("a"))):
        assert {c: str(t) for c, t in found.dtypes.items()} == dict(DESCRIPTION_SCHEMA)


def test_bad_input_is_refused_with_its_reason() -> None:
    with pytest.raises(InvalidInputError, match="description"):
        mine_descriptions(frame("a").drop(columns="description"))
    with pytest.raises(InvalidInputError, match="duration_s"):
        mine_descriptions(frame("a", duration=-1))
    with pytest.raises(InvalidInputError, match="seconds"):
        mine_description("a", duration_s=float("inf"))
    assert mine_description("0:00 a", duration_s=float("nan")).chapter_fault == "fewer_than_three"


@pytest.mark.skipif(not PAYLOADS.is_dir(), reason=f"no recorded answers at {PAYLOADS}")
def test_golden_counts_of_recorded_descriptions() -> None:
    texts = []
    for path in sorted(PAYLOADS.glob("*/*.json")):
        answer = json.loads(path.read_text())
        items = answer.get("items", []) if isinstance(answer, dict) else []
        texts += [
            item["snippet"]["description"]
            for item in items
            if "snippet" in item and "description" in item["snippet"]
        ]
    found = mine_descriptions(frame(*texts))
    # Every scheme in the text is a link that was found.
    schemes = sum(text.count("http://") + text.count("https://") for text in texts)
    with_scheme = sum(
        link.url.startswith("http") for text in texts for link in mine_description(text).links
    )
    assert (len(texts), schemes, with_scheme) == GOLDEN_LINKS
    counts = {c: int(found[c].sum()) for c in found.columns if c.endswith("_count")}
    assert {name: value for name, value in counts.items() if "character" not in name} == GOLDEN


GOLDEN_LINKS = (144, 265, 265)
GOLDEN = {
    "line_count": 637,
    "link_count": 269,
    "affiliate_link_count": 2,
    "community_link_count": 0,
    "music_link_count": 14,
    "other_link_count": 93,
    "shop_link_count": 4,
    "shortened_link_count": 27,
    "social_link_count": 86,
    "support_link_count": 0,
    "youtube_link_count": 43,
    "hashtag_count": 67,
    "timestamp_count": 1,
    "chapter_count": 0,
}


@given(st.text(st.characters(exclude_categories=["C"], exclude_characters=";\u2028\u2029")))
def test_what_html_escapes_is_read_as_it_was(text: str) -> None:
    assert clean_description(html.escape(text)) == clean_description(text) == text


PIECES = ["x", "&amp;", "&#39;", "&#x1F600;", "&copy=1", "&hearts;", "&", " ", "\t", "\n", "\r\n",
          "\r", "\x0b", "\x0c", "\x85", "\u2028", "\x00", "\x1f", "\x7f", "\x9f", "\ud800",
          "\u200b", "\u200d", "\u202e", "\ufeff", "é", "서", "👍"]  # fmt: skip


@given(st.lists(st.sampled_from(PIECES), max_size=30))
def test_a_text_is_cleaned_piece_by_piece_as_unicode_names_its_pieces(pieces: list[str]) -> None:
    expected = ""
    for piece in re.split("(\r\n)", "".join(pieces)):
        text = re.sub("&(amp|#39|#x1F600);", lambda found: html.unescape(found[0]), piece)
        for character in "\n" if piece == "\r\n" else text:
            kind = unicodedata.category(character)
            if character in "\r\x0c\x85\u2028":
                expected += "\n"
            elif character in "\t\n\u200d" or kind not in {"Cc", "Cf", "Cs"}:
                expected += character
    assert clean_description("".join(pieces)) == expected


LABELS = st.text("abcxyz-0", min_size=1, max_size=5)
DOMAINS = st.lists(LABELS, max_size=3).flatmap(
    lambda labels: st.sampled_from(
        ["", *(domain for domains in LINK_CLASSES.values() for domain in domains)]
    ).map(lambda domain: ".".join([*labels, *filter(None, [domain])]))
)


def class_by_endings(domain: str) -> str:
    """The class of the longest known domain that this one is, or lies below."""
    fitting = [
        (len(known), name)
        for name, domains in LINK_CLASSES.items()
        for known in domains
        if domain == known or domain.endswith("." + known)
    ]
    return max(fitting)[1] if fitting else "other"


@given(DOMAINS)
def test_a_domain_has_the_class_of_the_longest_known_one_it_ends_in(domain: str) -> None:
    assert link_class(domain) == class_by_endings(domain)
    assert link_class(f"www.{domain.upper()}") == class_by_endings(domain)


URLS = st.builds(
    lambda scheme, host, path, query: urlunsplit((scheme, host, path, query, "")),
    st.sampled_from(["http", "https"]),
    st.lists(LABELS, min_size=2, max_size=3).map(".".join)
    | st.sampled_from(["www.amazon.de", "amazon.com", "m.youtube.com", "t.me", "WWW.Twitch.tv"]),
    st.sampled_from(["", "/", "/watch", "/wiki/A_(b)", "/a-b/c.d"]),
    st.sampled_from(["", "v=1", "tag=me-21", "a=1&b=(2)"]),
)
WRAPPED = st.sampled_from(
    ["{}", "({})", "<{}>", "{},", "{}!", "({}).", '"{}"', "{}…", "[{}];", "|{}|"]
)


@given(st.lists(st.tuples(URLS, WRAPPED, st.sampled_from([" ", "\n", " see: ", "\t"])), max_size=6))
def test_links_are_what_the_standard_library_made_whatever_stands_around_them(
    written: list[tuple[str, str, str]],
) -> None:
    text = "".join(wrapping.format(url) + after for url, wrapping, after in written)
    expected = []
    for url, _, _ in written:
        domain = str(urlsplit(url).hostname).removeprefix("www.")
        own = class_by_endings(domain)
        expected.append((url, domain, "affiliate" if own == "shop" and "tag=" in url else own))
    assert [astuple(link) for link in mine_description(text).links] == expected


@given(st.text("aB1_#＃ /&,é-", max_size=40))  # noqa: RUF001 # full-width
def test_hashtags_are_those_of_walking_along_the_text(text: str) -> None:
    expected: list[str] = []
    for at, character in enumerate(text):
        before = text[at - 1] if at else " "
        if character in "#＃" and not (before.isalnum() or before in "_&/#"):  # noqa: RUF001 # full-width
            end = at + 1
            while end < len(text) and (text[end].isalnum() or text[end] == "_"):
                end += 1
            tag = text[at + 1 : end].strip("_").lower()
            if tag and not tag.isdigit() and tag not in expected:
                expected.append(tag)
    assert list(mine_description(text).hashtags) == expected


@given(
    st.lists(
        st.sampled_from([*"0159::.. a", "1:02", "0:59", "12:00:07", "59:60"]), max_size=12
    ).map("".join)
)
def test_timestamps_are_runs_of_digits_and_colons_that_are_times(text: str) -> None:
    expected = []
    for run in re.finditer("[0-9:]+", text):
        parts = run[0].split(":")
        sizes = [len(part) for part in parts]
        is_time = (
            len(parts) in {2, 3}
            and sizes[-1] == 2
            and sizes[-2] in {1, 2}
            and 1 <= sizes[0] <= 3
            and all(int(part) < 60 for part in parts[-2:])
        )
        if is_time and text[run.start() - 1 : run.start()] != ".":
            hours, minutes, seconds = [0, *map(int, parts)][-3:]
            expected.append((hours * 60 + minutes) * 60 + seconds)
    assert list(mine_description(text).timestamps_s) == expected


STEPS = st.lists(st.sampled_from([10, 10, 11, 60, 3600]), max_size=6) | st.lists(
    st.sampled_from([-5, 0, 9, 10, 10, 60]), max_size=6
)


@given(
    st.sampled_from([0, 0, 0, 5]),
    STEPS,
    st.lists(st.sampled_from(["", "Intro", "part two", "end"]), min_size=7, max_size=7),
    st.sampled_from([None, -1, 0, 1, 9, 10, 11, 500]),
)
def test_chapters_and_their_faults_are_the_rules_read_one_by_one(
    first: int, steps: list[int], titles: list[str], rest: int | None
) -> None:
    starts = [max(0, first + sum(steps[:at])) for at in range(len(steps) + 1)]
    duration = None if rest is None else max(0, starts[-1] + rest)
    lines = [
        f"{dt.timedelta(seconds=at)} {title}" for at, title in zip(starts, titles, strict=False)
    ]
    listed = [(at, title) for at, title in zip(starts, titles, strict=False) if title]
    times = [at for at, _ in listed]
    ends = [*times[1:], duration]
    rules = {
        "no_zero_start": times[:1] == [0],
        "fewer_than_three": len(times) >= 3,
        "not_ascending": times == sorted(set(times)),
        "beyond_the_end": duration is None or all(at < duration for at in times[-1:]),
        "shorter_than_10_s": all(
            end is None or end - at >= 10 for at, end in zip(times, ends, strict=False)
        ),
    }
    faults = [rule for rule, is_kept in rules.items() if not is_kept] if times else []

    found = mine_description("\n".join(["About", *lines]), duration_s=duration)

    assert found.chapter_fault == (faults[0] if faults else None)
    assert [astuple(one) for one in found.chapters] == ([] if faults else listed)


@pytest.mark.parametrize(
    ("phrases", "read"),
    [
        (DISCLOSURES, lambda text: mine_description(text).disclosures),
        (CALLS_TO_ACTION, lambda text: mine_description(text).calls_to_action),
    ],
)
def test_every_phrase_tells_its_kind_in_any_case_and_not_where_it_is_denied(
    phrases: dict[str, tuple[str, ...]], read: Callable[[str], tuple[str, ...]]
) -> None:
    for kind, own in phrases.items():
        for phrase in own:
            assert kind in read(f"Zz, {phrase}! zz")
            assert kind in read(phrase.upper())
            assert phrase.startswith("#") or kind not in read(f"zz not {phrase} zz")


@settings(max_examples=50)
@given(
    st.lists(
        st.tuples(
            st.none() | st.text(alphabet=ALPHABET, max_size=80),
            st.none() | st.integers(0, 600),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_each_row_counts_what_reading_its_description_finds(
    rows: list[tuple[str | None, int | None]],
) -> None:
    videos = frame(*(text for text, _ in rows)).assign(
        duration_s=pd.array([length for _, length in rows], dtype="Int32")
    )
    found = mine_descriptions(videos)
    for row, (text, length) in zip(found.to_dict("records"), rows, strict=True):
        alone = mine_description(text, duration_s=length)
        fault = row.pop("chapter_fault")
        assert (None if pd.isna(fault) else fault) == alone.chapter_fault
        classes = [link.link_class for link in alone.links]
        expected = {
            "character_count": len(alone.text),
            "line_count": len(
                [line for line in alone.text.split("\n") if not line.isspace() and line]
            ),
            "link_count": len(classes),
            **{f"{name}_link_count": classes.count(name) for name in [*LINK_CLASSES, "other"]},
            "link_domains": tuple(dict.fromkeys(link.domain for link in alone.links)),
            "hashtag_count": len(alone.hashtags),
            "hashtags": alone.hashtags,
            "is_overtagged": False,
            "timestamp_count": len(alone.timestamps_s),
            "chapter_count": len(alone.chapters),
            "disclosures": alone.disclosures,
            "calls_to_action": alone.calls_to_action,
        }
        assert {name: row[name] for name in expected} == expected
        assert set(row) - set(expected) == {"video_id", "metadata_hash"}
