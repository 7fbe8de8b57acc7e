"""Kinds of video an idea can be, what tells them in titles, and how an idea of each is worded.

Four kinds as the sources have them (#75): tutorial with three concepts and two hooks, reaction two
and two, challenge two and one, news two and one. The wording is ours. The words that tell a kind
are English: titles of other languages say nothing about it, and the format part of an idea's
confidence says so.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from aurastream.core import words
from aurastream.core.topics import lemma_sets

__all__ = ["IDEA_FORMATS", "IDLE_LEMMAS", "WORDING_VERSION", "IdeaFormat", "format_cues"]

WORDING_VERSION: Final = "2026-11-21.3"


@dataclass(frozen=True, slots=True)
class IdeaFormat:
    """A kind of video: its name, the words that tell it, and templates with ``{topic}``."""

    name: str
    cues: frozenset[str]
    concepts: tuple[str, ...]
    hooks: tuple[str, ...]


def _lemmas(line: str) -> frozenset[str]:
    # These are plain words already: what makes them plain takes a tenth of a second to set up.
    return frozenset(map(words.lemma, line.split()))


IDEA_FORMATS: Final = (
    IdeaFormat(
        "tutorial",
        _lemmas(
            "how guide tutorial tips tricks best build setup settings learn beginner explained"
        ),
        (
            "{topic}, explained for newcomers",
            "Five {topic} mistakes, and what to do instead",
            "Why {topic} works right now, and how to copy it",
        ),
        (
            "Most people get {topic} wrong in the first minute",
            "One small thing about {topic} made all the difference",
        ),
    ),
    IdeaFormat(
        "reaction",
        _lemmas("react reacting reaction review opinion honest rant watching ranking tier"),
        (
            "Reacting to the best of {topic}",
            "{topic}: an honest verdict",
        ),
        (
            "I did not expect this of {topic}",
            "Almost everybody has the wrong idea of {topic}",
        ),
    ),
    IdeaFormat(
        "challenge",
        _lemmas("challenge only impossible days hours versus vs survive speedrun beat win without"),
        (
            "A whole day of nothing but {topic}",
            "The {topic} challenge: can it be done at all?",
        ),
        ("{topic} almost made me give up",),
    ),
    IdeaFormat(
        "news",
        _lemmas(
            "new news update patch leak leaked trailer season announced release reveal official"
        ),
        (
            "What is new in {topic}, and what it changes",
            "{topic}: the news in three minutes",
        ),
        ("{topic} is back, and it is bigger than it looked",),
    ),
)
"""In the order that breaks ties."""


IDLE_LEMMAS: Final = frozenset().union(
    _lemmas(
        "video game gameplay play playing part episode ep live stream full shorts clip "
        "funny moment compilation highlight top day week month year night time today second minute "
        "first last final vs everything every world people man girl boy make "
        "making found finally hd 4k real testing giveaway subscribe link free viral trending song "
        "music movie lyric audio teaser thing way life start end stop go come take give get want "
        "need know think say tell look try turn back little big small good bad great crazy insane "
        "secret old young hard easy fast slow more most one two three four five six seven ten "
        "friend viewer follower subscriber spoiler schedule discord join chat stream streaming "
        "chill oficial nouveau nuevo nueva novo nova neu finale bande annonce capitulo "
        "completo directo "
        # What a music video or a trailer is, not what it is about
        "letra letras officiel officielle offiziell offizielles mv musikvideo videoclip videoclipe "
        "clipe lyrical visualizer visualiser karaoke instrumental acoustic remix mix cover version "
        "versión versão remastered original ost soundtrack album single prod performance special "
        "series tráiler film filme pelicula película explicado brand round vivo música músicas "
        "musica musique canción chanson ao mc dj "
        # In which language something is
        "deutsch german english español spanish français french dublado dublada legendado doblado "
        "subtitulado sub dub dubbed vf vo vostfr "
        # Small words that no list of stop words has, because phrases need them
        "jai alle meine mein nunca siempre pra ver"
    ),
    *(kind.cues for kind in IDEA_FORMATS),
)
"""Words that every other title has: a topic of nothing else is no subject for a video."""


def format_cues(titles: Iterable[Any]) -> npt.NDArray[np.bool_]:
    """Return which kinds of video each title tells of.

    Parameters
    ----------
    titles : iterable of str
        A missing title tells of none.

    Returns
    -------
    ndarray of bool, shape (n, 4)
        One column per row of ``IDEA_FORMATS``. O(words).

    References
    ----------
    AuraStream paper 5.4.3 (#75); the phrases are ours.

    Examples
    --------
    >>> format_cues(["How to build", "NEW update!", None, "versus"]).astype(int).tolist()
    [[1, 0, 0, 0], [0, 0, 0, 1], [0, 0, 0, 0], [0, 0, 1, 0]]
    >>> format_cues([]).shape
    (0, 4)
    """
    found = [
        [not lemmas.isdisjoint(kind.cues) for kind in IDEA_FORMATS] for lemmas in lemma_sets(titles)
    ]
    return np.array(found, dtype=np.bool_).reshape(-1, len(IDEA_FORMATS))
