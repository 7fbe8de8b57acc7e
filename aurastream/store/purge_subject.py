"""Who is to be forgotten, by what they are recognised, and how a text lets go of them.

Ids are exact: a whole token of a text, the whole value of a declared column or field. Names are
weaker, for a channel may be called like a game, like a word of ours or like another channel. A
name that is a word of ours is no term of any search; one that somebody else bears as well, or that
is hardly a name, counts beside an id only; the others count where they stand alone, between
quotes, brackets, bars or the ends of a line.
"""

import base64
import binascii
import itertools
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal
from xml.sax.saxutils import escape

import pyarrow as pa
import pyarrow.compute as pc

from aurastream.core.errors import AuraStreamError
from aurastream.store.purge_subject_words import any_of

__all__ = [
    "BLANK",
    "MENTIONS",
    "NAMES",
    "OWNERS",
    "Kind",
    "Search",
    "Subject",
    "is_distinct",
]

Kind = Literal["channel", "video", "user", "clip"]

BLANK: Final = "[forgotten]"
# Whose a row is. A row of theirs goes whole, with all that it says of them.
OWNERS: Final[Mapping[str, Kind]] = {
    "channel_id": "channel",
    "video_id": "video",
    "user_id": "user",
    "broadcaster_id": "user",
    "creator_id": "user",
    "clip_id": "clip",
}
# Who else is named in a row that is about many: that value goes, the row stays.
MENTIONS: Final = frozenset({"video_ids", "fastest_video_id", "top_video_id", "evidence_video_ids"})
# Columns and fields that hold a title or a name.
NAMES: Final = frozenset(
    {
        "title",
        "name",
        "channel_title",
        "user_name",
        "user_login",
        "broadcaster_name",
        "creator_name",
        "display_name",
    }
)
# The same ids as the platforms spell them, in bodies that nobody could read.
_SPELLED: Final[Mapping[str, Kind]] = {
    **OWNERS,
    "channelId": "channel",
    "videoId": "video",
    "user_login": "user",
    "broadcaster_login": "user",
}
_OWNER: Final = re.compile(rf"[\"']({'|'.join([*_SPELLED, 'id'])})[\"']\s*:\s*[\"']?([\w-]+)")
# A line with one of these is about whoever it names.
_ELSE: Final = re.compile(
    r"watch\?v=[\w-]{11}|youtu\.be/[\w-]{11}|clips\.twitch\.tv/\w+|twitch\.tv/\w+|"
    r"(?<![\w-])UC[\w-]{22}(?![\w-])"
)
_PICTURE: Final = re.compile(r"data:image/[a-z+]+;base64,([A-Za-z0-9+/=]+)")
_SHORTEST_NUMBER_IN_PROSE: Final = 6  # a shorter user id would be any number
_SHORTEST_NAME: Final = 3
# Postgres's expressions slow down by the number of words: with 600, to 50 kB in a second.
_MOST_IN_POSTGRES: Final = 20
# With 3,000 its automaton no longer fits into its memory, and it is a thousand times slower.
_MOST_IN_RE2: Final = 500
_RE2_SPECIAL: Final = re.compile(r"[\\.+*?()|\[\]{}^$]")
_CUT: Final = 12  # of a longer name, so much is enough before an ellipsis
_CUT_LABEL: Final = re.compile(r">([^<>]+)…<")
_MARKUP: Final = r"\`*_[]<>|~#"
_USER_FIELD: Final = r"(?:user|broadcaster|creator|channel)(?:_?(?:id|login|name))?[\"']?\s*[=:]\s*"


@dataclass(slots=True)
class Search:
    """What was found, and what could not be looked into.

    Parameters
    ----------
    counts : dict of str to int
        Rows, documents and mentions by target.
    unsearched : dict of str to str
        Why, by target.
    """

    counts: dict[str, int] = field(default_factory=dict)
    unsearched: dict[str, str] = field(default_factory=dict)

    def add(self, target: str, found: int) -> None:
        """Count what was found in a target."""
        if found:
            self.counts[target] = self.counts.get(target, 0) + found

    def cannot(self, target: str, error: BaseException | str) -> None:
        """Say that a target could not be looked into."""
        is_ours = isinstance(error, AuraStreamError)
        self.unsearched[target] = str(error) if is_ours or isinstance(error, str) else repr(error)


@dataclass(frozen=True)
class Subject:
    """Who is to be forgotten, and by what they are recognised.

    Parameters
    ----------
    platform : str
        youtube or twitch.
    identifier : str
        Channel or user id.
    videos, clips : frozenset of str
        Ids of their videos, or of the clips that show them or that they made.
    logins : frozenset of str
        Login names; no two users have the same.
    names : frozenset of str
        Titles and names that are no words of ours.
    ambiguous : frozenset of str
        Those of the names that are somebody else's as well.
    is_word : bool
        The identifier is a word of ours, a game's number, and counts in fields only.
    """

    platform: str
    identifier: str
    videos: frozenset[str] = frozenset()
    clips: frozenset[str] = frozenset()
    logins: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    ambiguous: frozenset[str] = frozenset()
    is_word: bool = False

    @cached_property
    def ids(self) -> Mapping[Kind, frozenset[str]]:
        """Return the ids by kind; those of the other platform are never theirs."""
        own = frozenset({self.identifier})
        if self.platform == "youtube":
            return {"channel": own, "video": self.videos, "user": frozenset(), "clip": frozenset()}
        return {"channel": frozenset(), "video": frozenset(), "user": own, "clip": self.clips}

    @cached_property
    def all_ids(self) -> frozenset[str]:
        """Return the ids of every kind."""
        return frozenset().union(*self.ids.values())

    def owns(self, values: Mapping[str, object]) -> bool | None:
        """Whether a row or an object is theirs; None when it says nothing of whose it is.

        Examples
        --------
        >>> them = Subject("twitch", "7", clips=frozenset({"Odd"}))
        >>> them.owns({"user_id": "7"}), them.owns({"clip_id": "Even"}), them.owns({"id": "7"})
        (True, False, None)
        """
        said = [(kind, values[name]) for name, kind in OWNERS.items() if values.get(name)]
        if not said:
            return None
        return any(value in self.ids[kind] for kind, value in said)

    def owns_text(self, text: str) -> bool | None:
        """Whether a raw body is theirs; None when it says nothing of whose it is.

        Examples
        --------
        >>> them = Subject("youtube", "UC1", videos=frozenset({"abc"}))
        >>> them.owns_text('{"id": "abc", "snippet": {'), them.owns_text('{"id": "abcd"}')
        (True, False)
        """
        said = _OWNER.findall(text.replace("\\", ""))
        for name, value in said:
            kind = _SPELLED.get(name)
            known = self.ids[kind] if kind else self.all_ids - {self.identifier}
            if value in known or (name.endswith("login") and value.lower() in self.logins):
                return True
            if kind is None and self.platform == "youtube" and value == self.identifier:
                return True
        return False if said else None

    def blanked(self, text: str, *, with_names: bool = True) -> tuple[str, int]:
        """Return a text without them, and how many places changed.

        Parameters
        ----------
        text : str
            Free text, Markdown with embedded pictures among it.
        with_names : bool
            Whether names count, or ids only.

        Examples
        --------
        >>> them = Subject("youtube", "UC1", names=frozenset({"GTA VI"}))
        >>> them.blanked('"GTA VI" beside "GTA VI trailer"')
        ('"[forgotten]" beside "GTA VI trailer"', 1)
        """
        if not self._glance.search(text):
            return text, 0
        is_near = with_names and bool(self._ids.search(text))
        total = 0

        def redrawn(match: re.Match[str]) -> str:
            nonlocal total
            changed, found = self._picture(match, is_near=is_near)
            total += found
            return changed

        if with_names and "data:image/" in text:
            text = _PICTURE.sub(redrawn, text)
        parts: list[str] = []
        end = 0
        for start, stop in self._spans(text, with_names=with_names):
            parts += [text[end:start], BLANK]
            end = stop
            total += 1
        return "".join([*parts, text[end:]]), total

    def spans(self, text: str) -> list[tuple[int, int]]:
        """Return start and length of each mention in the bytes of a text."""
        if not self._glance.search(text):
            return []
        found = []
        at = end = 0
        for start, stop in self._spans(text, with_names=True):
            at += len(text[end:start].encode("utf-8", "surrogateescape"))
            length = len(text[start:stop].encode("utf-8", "surrogateescape"))
            found.append((at, length))
            at, end = at + length, stop
        return found

    @cached_property
    def pattern(self) -> str:
        """Return an expression by which Postgres finds at least every text to look into.

        With more than a few words it is empty, which every text matches: `may_be_in` is faster.
        """
        return any_of(self._words) if len(self._words) <= _MOST_IN_POSTGRES else ""

    def may_be_in(self, text: str) -> bool:
        """Whether a text has anything that they could be meant by; most texts have not."""
        return self._any_word.search(text) is not None

    def may_be_in_each(self, texts: Sequence[str]) -> list[bool]:
        """Whether each of many texts has anything that they could be meant by.

        Examples
        --------
        >>> Subject("youtube", "UC1", videos=frozenset({"abc"})).may_be_in_each(["xabcx", "ab"])
        [True, False]
        """
        given = pa.array(texts, pa.string())
        found = pa.array([False] * len(texts), pa.bool_())
        for pattern in self._linear:
            found = pc.or_(found, pc.match_substring_regex(given, pattern=pattern))
        return [bool(value) for value in found.to_pylist()]

    @cached_property
    def _words(self) -> frozenset[str]:
        parts = {value[:_CUT] for name in self.names for value in _spellings(name)}
        return frozenset({*self.all_ids, *self.logins, *parts})

    @cached_property
    def _any_word(self) -> re.Pattern[str]:
        return re.compile(any_of(self._words))

    @cached_property
    def _linear(self) -> tuple[str, ...]:
        """Expressions that RE2 reads a text with once, however many words they have."""
        words = sorted(_RE2_SPECIAL.sub(r"\\\g<0>", word) for word in self._words)
        return tuple(
            "|".join(words[at : at + _MOST_IN_RE2]) for at in range(0, len(words), _MOST_IN_RE2)
        )

    @cached_property
    def _glance(self) -> re.Pattern[str]:
        return re.compile(f"{any_of(self._words)}|data:image/")

    @cached_property
    def _ids(self) -> re.Pattern[str]:
        """Match an id as a whole token; group 1 stays."""
        parts = []
        longest_first = sorted(sorted(self.all_ids), key=len, reverse=True)
        for is_number, values in itertools.groupby(longest_first, str.isdecimal):
            if not is_number:
                parts.append(rf"(?<![\w-])(?:{any_of(values)})(?![\w-])")
                continue
            for found in values:
                parts.append(rf"(?<![\w])({_USER_FIELD}[\"']?){found}(?!\w)")
                if len(found) >= _SHORTEST_NUMBER_IN_PROSE and not self.is_word:
                    parts.append(rf"(?<![\w.,-]){found}(?![\w-]|[.,]\d)")
        parts += [
            rf"({_USER_FIELD}[\"']?|twitch\.tv/|@){re.escape(login)}(?!\w)"
            for login in sorted(self.logins)
        ]
        return re.compile("|".join(parts))

    @cached_property
    def _alone(self) -> re.Pattern[str] | None:
        return _names_pattern(n for n in self.names - self.ambiguous if is_distinct(n))

    @cached_property
    def _beside(self) -> re.Pattern[str] | None:
        return _names_pattern(self.names)

    def _spans(self, text: str, *, with_names: bool) -> Iterator[tuple[int, int]]:
        """Yield the mentions in the order of the text; none overlaps another."""
        at = 0
        for line in text.splitlines(keepends=True):
            if not self._glance.search(line):
                at += len(line)
                continue
            found = [_span(match) for match in self._ids.finditer(line)]
            pattern = self._beside if found else self._alone
            if with_names and pattern is not None and (found or not _ELSE.search(line)):
                found += [_span(match) for match in pattern.finditer(line)]
            end = 0
            for start, stop in sorted(found):
                if start >= end:
                    yield at + start, at + stop
                    end = stop
            at += len(line)

    def _picture(self, match: re.Match[str], *, is_near: bool) -> tuple[str, int]:
        whole, encoded = match.group(0), match.group(1)
        pattern = self._beside if is_near else self._alone
        try:
            drawn = base64.b64decode(encoded).decode()
        except (binascii.Error, ValueError):
            # Nobody can say what is on it.
            return (BLANK, 1) if is_near else (whole, 0)
        cleaned, found = self._ids.subn(_keep_groups, drawn)
        if pattern is not None:
            cleaned, more = pattern.subn(_keep_groups, cleaned)
            found += more
        names = self.names if is_near else self.names - self.ambiguous
        begun = {escape(" ".join(name.split())) for name in names if len(name) > _CUT}

        def uncut(label: re.Match[str]) -> str:
            nonlocal found
            start = label.group(1)
            if len(start) < _CUT or not any(name.startswith(start) for name in begun):
                return label.group(0)
            found += 1
            return f">{BLANK}<"

        cleaned = _CUT_LABEL.sub(uncut, cleaned)
        if not found:
            return whole, 0
        return whole.replace(encoded, base64.b64encode(cleaned.encode()).decode("ascii")), found


def is_distinct(name: str) -> bool:
    """Whether a name can be told from a number, a mark or a particle.

    Examples
    --------
    >>> [is_distinct(name) for name in ("GTA VI", "猫", "✨✨", "12", "A", "--", "no")]
    [True, True, True, False, False, False, False]
    """
    if not any(c.isalpha() or ord(c) > 0x2000 for c in name):  # noqa: PLR2004 # symbols, emoji
        return False
    return not name.isascii() or len(name) >= _SHORTEST_NAME


def _span(match: re.Match[str]) -> tuple[int, int]:
    return match.start() + sum(len(group) for group in match.groups() if group), match.end()


def _keep_groups(match: re.Match[str]) -> str:
    return "".join(group for group in match.groups() if group) + BLANK


def _names_pattern(names: Iterable[str]) -> re.Pattern[str] | None:
    """Match names that stand alone; what is kept is a group."""
    found = {spelling for name in names for spelling in _spellings(name)}
    if not found:
        return None
    either = any_of(found)
    field_name = r"(?:title|name|login|channel|user|broadcaster|creator|video|clip)"
    # The brackets of a blank are no delimiters: a second search finds what the first one did.
    opens = r"(?<!\\)(?:[\"'|\[<>`\t]|(?<!\[forgotten)\])\s*"
    left = rf"(^\s*|{opens}|\\[nt\"]\s*|{field_name}[\"']?\s*[=:]\s*)"
    closes = r"\s*(?:\\[nt\"]|[\"'|\]<>`\t\r\n]|\[(?!forg))"
    right = rf"(?=\s*$|{closes}|[,;.](?:\s|$)|\s+\w+=)"
    return re.compile(f"{left}(?:{either}){right}", re.MULTILINE)


def _spellings(name: str) -> set[str]:
    """Return a name as JSON, Markdown and XML write it."""
    plain = {name, " ".join(name.split())}
    marked = {"".join(f"\\{c}" if c in _MARKUP else c for c in value) for value in plain}
    spelled = plain | marked | {escape(value) for value in plain}
    encoded = {json.dumps(v, ensure_ascii=a)[1:-1] for v in spelled for a in (True, False)}
    return {value for value in spelled | encoded if value}
