"""How a text lets go of somebody: ids as tokens, names that stand alone, no word of ours."""

import json

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects import postgresql as pg

from aurastream.operations.policy import declared_facts
from aurastream.store.purge_subject import BLANK, MENTIONS, OWNERS, Subject
from aurastream.store.purge_subject_tables import TEXTS, leaves_without, owners_in
from aurastream.store.tables import metadata

CHANNEL, VIDEO = "UCtheirs-channel-0000000", "-heirvideo_"
NAMES = ("GTA VI", "たいち", "✨ “x” | [y] & <z>", "12", "CNN")
THEM = Subject(
    "youtube",
    CHANNEL,
    videos=frozenset({VIDEO}),
    names=frozenset(NAMES),
    ambiguous=frozenset({"CNN"}),
)
USER = Subject("twitch", "71092938", clips=frozenset({"OddClip-x_1"}), logins=frozenset({"rio"}))
# About many, of games, or of nobody: no column of these says whose a row is.
_OF_NOBODY = frozenset({"collection.twitch_top_games", "operations.quarantine"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"watch?v={VIDEO}&t=1", f"watch?v={BLANK}&t=1"),
        (f"x{VIDEO} {VIDEO}x", None),
        ("| GTA VI | 3 |", f"| {BLANK} | 3 |"),
        ("| GTA VII | the GTA VI | GTA VI trailer |", None),
        ("title=GTA VI", f"title={BLANK}"),
        ("'たいち' 'たいちの部屋'", f"'{BLANK}' 'たいちの部屋'"),
        (json.dumps({"a": "たいち"}), json.dumps({"a": BLANK})),
        ("| CNN | 12 |", None),
        (f"| CNN | 12 | {VIDEO} |", f"| {BLANK} | {BLANK} | {BLANK} |"),
        ("[GTA VI](https://www.youtube.com/watch?v=somebodyels)", None),
        (r"| ✨ “x” \| \[y\] & \<z\> |", f"| {BLANK} |"),
        ("<text>✨ “x” | [y] &amp; &lt;z&gt;</text>", f"<text>{BLANK}</text>"),
        ("minecraft and GTA VIs", None),
    ],
)
def test_a_text_lets_go_of_what_is_theirs_alone(text: str, expected: str | None) -> None:
    cleaned, found = THEM.blanked(text)
    assert cleaned == (text if expected is None else expected)
    assert (found == 0) == (expected is None)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("user_id=71092938", f"user_id={BLANK}"),
        ("71092938 viewers", f"{BLANK} viewers"),
        ("171092938 7109293.8 71092938.5 1,71092938", None),
        ("https://www.twitch.tv/rio and @rio", f"https://www.twitch.tv/{BLANK} and @{BLANK}"),
        ("rio de janeiro, mario", None),
        ("clips.twitch.tv/OddClip-x_1", f"clips.twitch.tv/{BLANK}"),
    ],
)
def test_a_user_is_a_number_where_a_number_is_a_user(text: str, expected: str | None) -> None:
    assert USER.blanked(text)[0] == (text if expected is None else expected)


_PIECES = st.sampled_from([*NAMES, CHANNEL, VIDEO, "x", " ", "|", '"', "\n", "[", "…", "\\", "="])


@given(st.lists(_PIECES, max_size=30).map("".join))
def test_blanking_is_finished_after_one_pass_and_agrees_with_its_spans(text: str) -> None:
    cleaned, found = THEM.blanked(text)
    spans = THEM.spans(text)
    body = text.encode()
    assert len(spans) == found
    assert THEM.blanked(cleaned) == (cleaned, 0)
    rebuilt, end = b"", 0
    for at, length in spans:
        rebuilt, end = rebuilt + body[end:at] + BLANK.encode(), at + length
    assert rebuilt + body[end:] == cleaned.encode()
    assert (found == 0) == (cleaned == text)


@given(
    st.recursive(
        st.sampled_from(["viral_scores", "minecraft", "GTA VIs", 1, None, True]),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["a", "text"]), inner),
    )
)
def test_json_that_says_nothing_of_them_stays_what_it_is(value: object) -> None:
    assert leaves_without(value, THEM, lambda name: name == "text") == (value, 0)


def test_every_column_that_may_hold_something_of_somebody_is_declared() -> None:
    """A table with titles or ids of somebody says whose a row is, or which column names them."""
    texts = (sa.Text, pg.ARRAY, pg.JSONB)
    for table in metadata.sorted_tables:
        named = [c.name for c in table.columns if isinstance(c.type, texts)]
        held = [n for n in named if table.columns[n].info["policy"] == "raw_meta"]
        if table.fullname in _OF_NOBODY or owners_in(table.fullname, named):
            continue
        undeclared = set(held) - MENTIONS - set(TEXTS.get(table.fullname, ())) - {"row_key"}
        assert not undeclared, f"{table.fullname}: {sorted(undeclared)}"


def test_every_id_of_the_rollups_is_declared() -> None:
    ids = {
        column
        for facts in declared_facts().values()
        if facts.name.startswith("aggregation.")
        for column in facts.policies
        if column.endswith(("video_id", "channel_id", "user_id", "clip_id"))
    }
    assert ids
    assert ids <= {*OWNERS, *MENTIONS}
