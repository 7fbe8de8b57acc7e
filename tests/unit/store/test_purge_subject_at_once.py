"""Many texts are looked through at once as one by one."""

from hypothesis import example, given
from hypothesis import strategies as st

from aurastream.store.purge_subject import Subject

_CHARACTERS = st.sampled_from("ab.-\\(|[^$“é✨ ")


@given(
    st.frozensets(st.text(_CHARACTERS, min_size=1, max_size=14), max_size=8),
    st.lists(st.text(_CHARACTERS, max_size=20), max_size=8),
)
@example(frozenset({"a.b"}), ["acb", "xa.b"])
@example(frozenset(), ["a"])
def test_looking_at_many_texts_finds_what_looking_at_each_finds(
    names: frozenset[str], texts: list[str]
) -> None:
    subject = Subject("youtube", "UCtheirs", names=names)

    assert subject.may_be_in_each(texts) == [subject.may_be_in(text) for text in texts]


def test_more_words_than_one_expression_takes_are_all_looked_for() -> None:
    videos = [f"video{number:06d}" for number in range(1201)]
    subject = Subject("youtube", "UCtheirs", videos=frozenset(videos))

    assert all(subject.may_be_in_each([f"see {video}." for video in videos]))
    assert subject.may_be_in_each(["see video001201."]) == [False]
