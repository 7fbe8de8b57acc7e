"""Which tracked game a video is about: rules as data, one pass over whole columns.

A game is recognised by phrases in the title, by its share of the tags and by the channel. The
evidence is combined into a confidence in 0–1, higher is surer; a video that fits two games
equally well is called ambiguous rather than guessed at.

Phrases are compared without regard to case, width or the styled letters of Unicode. An ASCII
phrase matches whole words (``gta`` does not match "gtaste"); a ``*`` at its start or end lifts
that (``gta*`` matches "gta5"); a space in a phrase matches any gap, also none. A word of four
letters or more matches in singular and plural (``arc raiders`` matches "arc raider"). Scripts that
do not part words (フォートナイト) match anywhere.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from aurastream.core.errors import InvalidInputError

__all__ = ["ClassifierParams", "GameClassifier", "GameRules"]

_SCHEME: Final = "2"  # of the method; the rules add their own digest
_REQUIRED: Final = ("video_id", "title", "tags", "channel_id", "category_id")
_REASONS: Final = ("", "no rule matches", "too weak", "ambiguous")

# "cs" and "gta" have no number, and "go" is not the singular of "gos".
_SHORTEST_NOUN: Final = 4

_Floats = npt.NDArray[np.float64]
_Bools = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class GameRules:
    """How one game is recognised.

    Parameters
    ----------
    phrases : sequence of str
        Names of the game itself, in titles and tags.
    aliases : sequence of str, optional
        Names that only a gaming video uses in this sense (maps, leagues, short names); they
        count in titles and tags of gaming videos, less than a phrase does.
    exclude : sequence of str, optional
        Phrases in a title that rule the game out (films, other games of the same name).
    allow_channels : sequence of str, optional
        Ids of channels that are about this game alone.
    deny_channels : sequence of str, optional
        Ids of channels that never are.
    """

    phrases: tuple[str, ...]
    aliases: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    allow_channels: tuple[str, ...] = ()
    deny_channels: tuple[str, ...] = ()

    @classmethod
    def from_mapping(cls, game: str, rules: Mapping[str, Any]) -> "GameRules":
        """Read the rules of a game from plain data.

        Raises
        ------
        InvalidInputError
            Naming the game and the key that is unknown, missing or not a list of texts.
        """
        unknown = set(rules) - set(cls.__slots__)
        if unknown:
            raise InvalidInputError(
                f"Rules of {game!r} have unknown keys: {', '.join(sorted(unknown))}.",
                fix=f"Known keys: {', '.join(cls.__slots__)}.",
            )
        for key, value in rules.items():
            if isinstance(value, str) or not all(isinstance(v, str) and v.strip() for v in value):
                raise InvalidInputError(
                    f"Rules of {game!r}: {key} must be a list of non-empty texts."
                )
        if not rules.get("phrases"):
            raise InvalidInputError(f"Rules of {game!r} need at least one phrase.")
        return cls(**{key: tuple(value) for key, value in rules.items()})


@dataclass(frozen=True, slots=True)
class ClassifierParams:
    """Weights of the evidence, all in 0–1.

    Parameters
    ----------
    title, alias, channel : float
        Confidence that a phrase in the title, an alias in the title, or an allowed channel
        gives by itself.
    tags : float
        Confidence of tags of which at least ``full_tag_share`` name the game.
    tags_floor : float
        Confidence of tags of which hardly any name it: one name among fifty tags is what
        multi-game channels put under every video.
    full_tag_share : float
        See ``tags``.
    non_gaming, music : float
        Factors on the confidence of videos outside YouTube's category 20, and in category 10.
    min_confidence : float
        Below it a video belongs to no game.
    min_margin : float
        A second game closer than this makes the video ambiguous.
    """

    title: float = 0.9
    alias: float = 0.75
    tags: float = 0.65
    tags_floor: float = 0.35
    full_tag_share: float = 0.3
    channel: float = 0.55
    non_gaming: float = 0.9
    music: float = 0.6
    min_confidence: float = 0.5
    min_margin: float = 0.06


class GameClassifier:
    """Assign videos to games by rules.

    Parameters
    ----------
    rules : mapping of str to GameRules or mapping
        Game slug to its rules.
    other_games : sequence of str, optional
        Phrases for games that are not tracked. A title that names one is not assigned by its
        tags: many channels keep the same tags under every video.
    params : ClassifierParams, optional
        Weights.

    Attributes
    ----------
    games : tuple of str
        The slugs, sorted.
    version : str
        Changes whenever the method, a rule or a weight does.

    Examples
    --------
    >>> import pandas as pd
    >>> classifier = GameClassifier(
    ...     {"chess": {"phrases": ["chess"]}, "go": {"phrases": ["baduk", "囲碁"]}}
    ... )
    >>> videos = pd.DataFrame(
    ...     {
    ...         "video_id": ["a", "b", "c", "d"],
    ...         "title": ["CHESS opening", "囲碁の打ち方", "chess vs baduk", "cooking"],
    ...         "tags": [["chess"], [], [], []],
    ...         "channel_id": ["x", "x", "x", "x"],
    ...         "category_id": [20, 20, 20, 26],
    ...     }
    ... )
    >>> found = classifier.classify(videos)
    >>> found[["video_id", "game", "confidence", "rule", "reason"]].to_dict("records")[0]
    {'video_id': 'a', 'game': 'chess', 'confidence': 0.965, 'rule': 'title+tags', 'reason': ''}
    >>> found["game"].tolist()
    ['chess', 'go', None, None]
    >>> found["reason"].tolist()
    ['', '', 'ambiguous: chess, go', 'no rule matches']
    """

    def __init__(
        self,
        rules: Mapping[str, GameRules | Mapping[str, Any]],
        *,
        other_games: Sequence[str] = (),
        params: ClassifierParams | None = None,
    ) -> None:
        if not rules:
            raise InvalidInputError("The game classifier needs the rules of at least one game.")
        self.params = params or ClassifierParams()
        # Sorted, so that neither the result nor the version depends on the order of the data.
        self._rules = {
            game: r if isinstance(r, GameRules) else GameRules.from_mapping(game, r)
            for game, r in sorted(rules.items())
        }
        self.games: tuple[str, ...] = tuple(self._rules)
        canonical = json.dumps(
            {
                "other_games": sorted(other_games),
                "params": asdict(self.params),
                "rules": {
                    g: {k: sorted(v) for k, v in asdict(r).items()} for g, r in self._rules.items()
                },
            },
            sort_keys=True,
            ensure_ascii=True,
        )
        self.version = f"{_SCHEME}-{hashlib.sha256(canonical.encode()).hexdigest()[:8]}"
        everything = [p for r in self._rules.values() for p in (*r.phrases, *r.aliases)]
        self._any = _pattern(everything)
        self._other = _pattern(other_games)
        self._strong = {g: _pattern(r.phrases) for g, r in self._rules.items()}
        self._alias = {g: _pattern(r.aliases) for g, r in self._rules.items()}
        self._exclude = {g: _pattern(r.exclude) for g, r in self._rules.items()}

    def classify(self, videos: pd.DataFrame) -> pd.DataFrame:
        """Say for each video which game it is about, how sure that is, and why.

        Parameters
        ----------
        videos : pandas.DataFrame
            Columns ``video_id``, ``title``, ``tags`` (lists of texts, or null),
            ``channel_id`` and ``category_id`` (20 is Gaming, 10 is Music, or null).

        Returns
        -------
        pandas.DataFrame
            One row per row of ``videos``, in its order and with its index: ``video_id``;
            ``game`` (null when none); ``confidence`` (0–1 of the best game, higher is
            surer); ``rule`` (what matched: title, alias, tags, channel, joined by ``+``);
            ``is_ambiguous``; ``reason`` (why there is no game, else empty); and
            ``classifier_version``.

        Raises
        ------
        InvalidInputError
            When a column is missing.
        """
        missing = [c for c in _REQUIRED if c not in videos.columns]
        if missing:
            raise InvalidInputError(f"Videos to classify lack columns: {', '.join(missing)}.")
        title, alias, tags, channel = self._evidence(videos)
        p = self.params
        # Independent hints: together they leave the doubt that each of them leaves.
        doubt = (
            (1 - np.where(title, p.title, np.where(alias, p.alias, 0.0)))
            * (1 - tags)
            * (1 - p.channel * channel)
        )
        category = _numbers(videos["category_id"])
        factor = np.where(category == 20, 1.0, np.where(category == 10, p.music, p.non_gaming))  # noqa: PLR2004 # YouTube's fixed category ids
        confidence = np.round((1 - doubt) * factor[:, None], 6)

        rows = np.arange(len(videos))
        best = confidence.argmax(axis=1) if len(videos) else np.zeros(0, dtype=np.intp)
        top = confidence[rows, best]
        others = confidence.copy()
        others[rows, best] = -1.0
        second = others.argmax(axis=1) if len(videos) else best
        runner_up = others[rows, second]
        none = top <= 0
        weak = ~none & (top < p.min_confidence)
        ambiguous = ~none & ~weak & (top - runner_up < p.min_margin)
        accepted = ~(none | weak | ambiguous)

        names = np.array(self.games, dtype=object)
        reason = np.select([none, weak, ambiguous], list(_REASONS[1:]), default=_REASONS[0])
        reason = reason.astype(object)
        # Both names in their order, so that a tie reads the same whichever came first.
        pair = np.sort(np.stack([best, second], axis=1), axis=1)[ambiguous]
        reason[ambiguous] = "ambiguous: " + names[pair[:, 0]] + ", " + names[pair[:, 1]]
        return pd.DataFrame(
            {
                "video_id": videos["video_id"],
                "game": pd.Series(
                    np.where(accepted, names[best], None), index=videos.index, dtype=object
                ),
                "confidence": top,
                "rule": _rule_names(
                    title[rows, best], alias[rows, best], tags[rows, best] > 0, channel[rows, best]
                ),
                "is_ambiguous": ambiguous,
                "reason": reason,
                "classifier_version": self.version,
            },
            index=videos.index,
        )

    def _evidence(self, videos: pd.DataFrame) -> tuple[_Bools, _Bools, _Floats, _Bools]:
        """Return title, alias, tag confidence and channel, each rows × games."""
        shape = (len(videos), len(self.games))
        title, alias = np.zeros(shape, dtype=bool), np.zeros(shape, dtype=bool)
        tags, channel = np.zeros(shape), np.zeros(shape, dtype=bool)
        gaming = _numbers(videos["category_id"]) == 20  # noqa: PLR2004 # YouTube's Gaming
        titles = _normalised(_arrow(videos["title"], pa.string()))
        # Most titles name no game at all: one pass finds those that may, the rest is not asked.
        hits = np.flatnonzero(_matches(titles, self._any))
        named = titles.take(pa.array(hits))
        channels = videos["channel_id"]
        shares = self._tag_shares(videos["tags"], gaming)
        p = self.params
        for column, (game, rules) in enumerate(self._rules.items()):
            title[hits, column] = _matches(named, self._strong[game])
            alias[hits, column] = _matches(named, self._alias[game]) & gaming[hits]
            share = np.minimum(1.0, shares[:, column] / p.full_tag_share)
            tags[:, column] = np.where(
                share > 0, p.tags_floor + (p.tags - p.tags_floor) * share, 0.0
            )
            if rules.allow_channels:
                channel[:, column] = channels.isin(rules.allow_channels)
            barred = np.asarray(channels.isin(rules.deny_channels))
            if rules.exclude:
                barred = barred | _matches(titles, self._exclude[game])
            title[barred, column] = alias[barred, column] = channel[barred, column] = False
            tags[barred, column] = 0.0
        # Whatever game the title names, tracked or not, it outweighs tags for another one.
        said = title | alias
        foreign = said.any(axis=1) | _matches(titles, self._other)
        tags[foreign[:, None] & ~said] = 0.0
        return title, alias, tags, channel

    def _tag_shares(self, tags: "pd.Series[Any]", gaming: _Bools) -> _Floats:
        """Return the share of each video's tags that name each game, rows × games."""
        lists = _arrow(tags, pa.list_(pa.string()))
        counts = np.asarray(pc.fill_null(pc.list_value_length(lists), 0))
        # Tags repeat a lot, above all within a channel: each distinct one is matched once.
        words = pc.list_flatten(lists).dictionary_encode()
        codes = np.asarray(words.indices.fill_null(0))
        vocabulary = _normalised(words.dictionary)
        row = np.repeat(np.arange(len(tags)), counts)
        shares = np.zeros((len(tags), len(self.games)))
        if not len(codes):
            return shares
        for column, game in enumerate(self.games):
            strong = _matches(vocabulary, self._strong[game])[codes]
            alias = _matches(vocabulary, self._alias[game])[codes] & gaming[row]
            named = np.bincount(row, weights=strong | alias, minlength=len(tags))
            shares[:, column] = named / np.maximum(counts, 1)
        return shares


def _arrow(values: "pd.Series[Any]", kind: pa.DataType) -> pa.Array:
    """Return a column as Arrow, whatever dtype an empty or all-null one came with."""
    return pa.array(values.to_numpy(dtype=object), type=kind, from_pandas=True)


def _pattern(phrases: Sequence[str]) -> str | None:
    """Return one alternation for all phrases, in the syntax of RE2; None for no phrases."""
    return "|".join(sorted({_phrase(p) for p in phrases})) or None


def _phrase(phrase: str) -> str:
    text = str(pc.utf8_normalize(phrase.strip(), form="NFKC")).lower()
    core = text.strip("*")
    words = core.split()
    # Where a phrase is open at its end, whatever follows is let in already.
    numbered = words[:-1] if text.endswith("*") else words
    forms = [_either_number(word) for word in numbered] + [
        re.escape(w) for w in words[len(numbered) :]
    ]
    body = r"[\s\-_:]*".join(forms)
    if not body:
        raise InvalidInputError(f"The phrase {phrase!r} has no letters to look for.")
    start = r"\b" if _is_word(core[0]) and not text.startswith("*") else ""
    end = r"\b" if _is_word(core[-1]) and not text.endswith("*") else ""
    return f"{start}{body}{end}"


def _either_number(word: str) -> str:
    """Return a pattern of an English word's singular and plural; other words as they are."""
    if len(word) < _SHORTEST_NOUN or not (word.isascii() and word.isalpha()):
        return re.escape(word)
    if word.endswith("ies") or (word.endswith("y") and word[-2] not in "aeiou"):
        return f"{word.removesuffix('ies').removesuffix('y')}(?:y|ies)"
    if word.endswith(("ches", "shes", "sses", "xes", "zes")):
        return f"{word[:-2]}(?:es)?"
    if word.endswith(("ch", "sh", "ss", "x", "z")):
        return f"{word}(?:es)?"
    is_no_plural = word.endswith(("us", "is", "os"))  # campus, oasis, chaos
    return word if is_no_plural else f"{word.removesuffix('s')}s?"


def _is_word(character: str) -> bool:
    """Return whether RE2 knows a word boundary beside the character."""
    return character.isascii() and character.isalnum()


def _normalised(texts: pa.Array) -> pa.Array:
    return pc.utf8_lower(pc.utf8_normalize(texts, form="NFKC"))


def _matches(texts: pa.Array, pattern: str | None) -> _Bools:
    if pattern is None or len(texts) == 0:
        return np.zeros(len(texts), dtype=bool)
    found = pc.match_substring_regex(texts, pattern)
    return np.asarray(pc.fill_null(found, False))  # noqa: FBT003 # the value that fills


def _numbers(values: "pd.Series[Any]") -> _Floats:
    return np.asarray(pd.to_numeric(values, errors="coerce").to_numpy(dtype=float, na_value=np.nan))


def _rule_names(title: _Bools, alias: _Bools, tags: _Bools, channel: _Bools) -> list[str]:
    parts = ("title", "alias", "tags", "channel")
    # A phrase in the title says all that an alias could.
    code = title * 1 + (alias & ~title) * 2 + tags * 4 + channel * 8
    names = [
        "+".join(p for bit, p in enumerate(parts) if number >> bit & 1) for number in range(16)
    ]
    return [names[number] for number in code.tolist()]
