"""What the creators of a category put into their descriptions, and what else they fill in.

Shares are 0–1: of the videos of the category, how many have it at least once. Counts are 0 or
more. None of it has a better direction; an empty description counts as one that has nothing.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.descriptions import (
    CALLS_TO_ACTION,
    DESCRIPTION_SCHEMA,
    DISCLOSURES,
    LINK_CLASSES,
)
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    distinct,
    empty_frame,
    flags,
    group_keys,
    plain_texts,
    require_columns,
    rivals,
    text,
    text_lists,
    texts,
    timestamps,
    whole_numbers,
)

__all__ = ["DESCRIPTION_INTEL_SCHEMA", "HABITS", "description_intel"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

HABITS: Final = (
    "tags",
    "definition",
    "has_captions",
    "is_licensed",
    "is_made_for_kids",
    "default_language",
    "topic_categories",
)
"""What a video's metadata say beside the description."""

_CLASSES: Final = tuple(sorted([*LINK_CLASSES, "other"]))
_TOP: Final = 15

DESCRIPTION_INTEL_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "video_count": "int32",
    "described_share": "float64",
    "character_count_p50": "float64",
    "line_count_p50": "float64",
    "link_share": "float64",
    "link_count_p50": "float64",
    **{f"{name}_link_share": "float64" for name in _CLASSES},
    "link_counts": "object",
    "chapter_share": "float64",
    "chapter_fault_share": "float64",
    "timestamp_share": "float64",
    "hashtag_share": "float64",
    "hashtag_count_p50": "float64",
    "overtagged_share": "float64",
    "disclosure_share": "float64",
    **{f"disclosure_{name}_share": "float64" for name in sorted(DISCLOSURES)},
    "call_to_action_share": "float64",
    **{f"call_{name}_share": "float64" for name in sorted(CALLS_TO_ACTION)},
    "top_hashtags": "object",
    "top_domains": "object",
    "tag_count_p50": "float64",
    "hd_share": "float64",
    "caption_share": "float64",
    "licensed_share": "float64",
    "made_for_kids_share": "float64",
    "declared_language_share": "float64",
    "top_platform_topics": "object",
}
"""Columns of `description_intel`."""

_NEEDED: Final = tuple(name for name in DESCRIPTION_SCHEMA if name != "chapter_fault")


def description_intel(
    members: pd.DataFrame, features: pd.DataFrame, *, top: int = _TOP
) -> pd.DataFrame:
    """Summarise the descriptions of every window and category.

    Parameters
    ----------
    members : pandas.DataFrame
        ``window_start``, ``category``, ``video_id`` and ``metadata_hash``: each video of a window
        and category once, in the version known then.
    features : pandas.DataFrame
        One row per version: what `aurastream.core.descriptions.mine_descriptions` found, and the
        columns of `HABITS` as ``collection.youtube_videos`` has them. A video whose version is not
        among them does not count.
    top : int
        Length of the lists.

    Returns
    -------
    pandas.DataFrame
        With the columns of `DESCRIPTION_INTEL_SCHEMA`, by window and category. Medians (``_p50``)
        are over all videos, so that a category where most have no link has a median of 0. Lists
        (``top_…``) hold mappings with ``term`` and ``video_count``, most frequent first, ties in
        the order of the terms; ``link_counts`` maps each class to its links. The shares of what
        the metadata say are of those videos that say it at all, null where none does.

    Raises
    ------
    InvalidInputError
        When a column is missing, a version comes twice, or a row has no category.

    Notes
    -----
    O(rows log rows + terms log terms); one column at a time, so that memory stays a few columns
    of the members.

    References
    ----------
    Creator Intel V2, the description analyzer (#84), which names it and leaves it undefined; the
    shares are ours.

    Examples
    --------
    >>> import pandas as pd
    >>> from aurastream.core.descriptions import mine_descriptions
    >>> versions = pd.DataFrame({
    ...     "video_id": ["a", "b"], "metadata_hash": "h", "duration_s": 60,
    ...     "description": ["#SMP https://discord.gg/x subscribe!", ""],
    ...     "tags": [["x", "y"], []], "definition": ["hd", None], "has_captions": [True, False],
    ...     "is_licensed": [None, None], "is_made_for_kids": False,
    ...     "default_language": ["en", None], "topic_categories": [[], []],
    ... })
    >>> features = mine_descriptions(versions).merge(versions, on=["video_id", "metadata_hash"])
    >>> members = versions[["video_id", "metadata_hash"]].assign(
    ...     window_start=pd.Timestamp("2026-03-01T08:00Z"), category="minecraft"
    ... )
    >>> found = description_intel(members, features).iloc[0]
    >>> [float(found[name]) for name in ("video_count", "link_share", "community_link_share")]
    [2.0, 0.5, 0.5]
    >>> [float(found[name]) for name in ("call_subscribe_share", "hd_share", "licensed_share")]
    [0.5, 1.0, nan]
    >>> found["top_hashtags"], float(found["tag_count_p50"])
    ([{'term': 'smp', 'video_count': 1}], 1.0)
    >>> description_intel(members.iloc[:0], features).empty
    True

    Terms that are as frequent go by the alphabet; a version that is not known does not count:

    >>> tied = features.assign(hashtags=[("zoo", "ark"), ()])
    >>> [said["term"] for said in description_intel(members, tied).iloc[0]["top_hashtags"]]
    ['ark', 'zoo']
    >>> description_intel(members.assign(metadata_hash="?"), features).empty
    True
    """
    keys = ("window_start", "category", "video_id", "metadata_hash")
    members = require_columns(members, keys, "members")
    features = require_columns(features, (*_NEEDED, "chapter_fault", *HABITS), "features")
    members, features = (
        frame.assign(**{key: plain_texts(frame, key, name) for key in keys[2:]})
        for frame, name in ((members, "members"), (features, "features"))
    )
    at = _positions(members, features)
    members, at = members[at >= 0], at[at >= 0]
    if members.empty:
        return empty_frame(DESCRIPTION_INTEL_SCHEMA)
    keyed = group_keys((members, "members"))
    _, first, group = np.unique(keyed.keys[0], return_index=True, return_inverse=True)
    summary = _Summary(features, at, group, first.size)
    counts = {
        name: summary.values(name)
        for name in ("character_count", "line_count", "link_count", "hashtag_count")
    }
    links = {name: summary.values(f"{name}_link_count") for name in _CLASSES}
    totals = np.column_stack([summary.total(links[name]) for name in _CLASSES])
    said, called = summary.sets("disclosures"), summary.sets("calls_to_action")
    return build_frame(
        DESCRIPTION_INTEL_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][first]),
            "category": text(keyed.names, keyed.categories[0][first]),
            "video_count": summary.sizes,
            "described_share": summary.share(counts["character_count"] > 0),
            "character_count_p50": summary.median(counts["character_count"]),
            "line_count_p50": summary.median(counts["line_count"]),
            "link_share": summary.share(counts["link_count"] > 0),
            "link_count_p50": summary.median(counts["link_count"]),
            **{f"{name}_link_share": summary.share(links[name] > 0) for name in _CLASSES},
            "link_counts": _objects(
                [
                    {name: int(n) for name, n in zip(_CLASSES, row, strict=True) if n}
                    for row in totals.tolist()
                ]
            ),
            "chapter_share": summary.share(summary.values("chapter_count") > 0),
            "chapter_fault_share": summary.share(summary.present("chapter_fault")),
            "timestamp_share": summary.share(summary.values("timestamp_count") > 0),
            "hashtag_share": summary.share(counts["hashtag_count"] > 0),
            "hashtag_count_p50": summary.median(counts["hashtag_count"]),
            "overtagged_share": summary.share(summary.flags("is_overtagged")),
            "disclosure_share": summary.share(said.any()),
            **{
                f"disclosure_{name}_share": summary.share(said.has(name))
                for name in sorted(DISCLOSURES)
            },
            "call_to_action_share": summary.share(called.any()),
            **{
                f"call_{name}_share": summary.share(called.has(name))
                for name in sorted(CALLS_TO_ACTION)
            },
            "top_hashtags": summary.sets("hashtags").most(top),
            "top_domains": summary.sets("link_domains").most(top),
            "tag_count_p50": summary.median(summary.lengths("tags")),
            "hd_share": summary.known_share("definition", value="hd"),
            "caption_share": summary.known_share("has_captions"),
            "licensed_share": summary.known_share("is_licensed"),
            "made_for_kids_share": summary.known_share("is_made_for_kids"),
            "declared_language_share": summary.share(summary.present("default_language")),
            "top_platform_topics": summary.sets("topic_categories", _topic_name).most(top),
        },
    )


def _positions(members: pd.DataFrame, features: pd.DataFrame) -> Integers:
    """Return the place of each member's version among the features, or -1."""
    index = pd.MultiIndex.from_frame(features[["video_id", "metadata_hash"]])
    if not index.is_unique:
        raise InvalidInputError(
            "The features frame has a version of a video twice.",
            fix="Pass each version once.",
            rivals=rivals(
                features.groupby(list(index.names), dropna=False).ngroup(), features.index
            ),
        )
    wanted = pd.MultiIndex.from_frame(members[["video_id", "metadata_hash"]])
    return np.asarray(index.get_indexer(wanted), dtype=np.int64)


def _topic_name(link: str) -> str:
    """Return the name in a link such as ``https://en.wikipedia.org/wiki/Action_game``."""
    return link.rsplit("/", 1)[-1].replace("_", " ")


class _Summary:
    """The members by group, and the version that each shows."""

    def __init__(
        self, features: pd.DataFrame, at: Integers, group: Integers, n_groups: int
    ) -> None:
        self._features = features
        self.at = at
        self.group = group
        self.n_groups = n_groups
        self.sizes = np.bincount(group, minlength=n_groups)

    def values(self, name: str) -> Floats:
        return whole_numbers(self._features, name, "features")[self.at].astype(np.float64)

    def flags(self, name: str) -> npt.NDArray[np.bool_]:
        return flags(self._features, name)[self.at]

    def present(self, name: str) -> npt.NDArray[np.bool_]:
        found = self._features[name].notna().to_numpy()
        result: npt.NDArray[np.bool_] = found[self.at]
        return result

    def lengths(self, name: str) -> Floats:
        lists = text_lists(self._features, name, "features")
        found = np.fromiter((len(_listed(v)) for v in lists), dtype=np.float64)
        return found[self.at]

    def total(self, values: Floats) -> Floats:
        return np.bincount(self.group, values, minlength=self.n_groups).astype(np.float64)

    def share(self, has: npt.NDArray[np.bool_]) -> Floats:
        hits = np.bincount(self.group[has], minlength=self.n_groups).astype(np.float64)
        result: Floats = hits / self.sizes
        return result

    def known_share(self, name: str, *, value: object = True) -> Floats:
        """Return the share of a value among the members whose value is known."""
        column = texts(self._features, name, "features")
        known = column.notna().to_numpy()
        hit = known.copy()
        hit[known] = [own == value for own in column[known]]
        sizes = np.bincount(self.group[known[self.at]], minlength=self.n_groups)
        hits = np.bincount(self.group[hit[self.at]], minlength=self.n_groups)
        unknown = np.full(self.n_groups, np.nan)
        result: Floats = np.divide(hits, sizes, out=unknown, where=sizes > 0)
        return result

    def median(self, values: Floats) -> Floats:
        ordered = values[np.lexsort((values, self.group))]
        starts = np.cumsum(self.sizes) - self.sizes
        low, high = starts + (self.sizes - 1) // 2, starts + self.sizes // 2
        result: Floats = (ordered[low] + ordered[high]) / 2.0
        return result

    def sets(self, name: str, rename: Any = None) -> "_Sets":  # noqa: ANN401 # a function of text
        return _Sets(self, text_lists(self._features, name, "features"), rename)


class _Sets:
    """Lists of terms of each version, as pairs of version and term, each pair once."""

    def __init__(self, summary: _Summary, lists: list[Any], rename: Any) -> None:  # noqa: ANN401 # a function of text
        self._summary = summary
        numbers: dict[str, int] = {}
        # Numbers one after another: a million sets or copies of lists would be the larger part.
        lengths = np.fromiter((len(_listed(own)) for own in lists), dtype=np.int64)
        codes = np.fromiter(
            (
                numbers.setdefault(rename(term) if rename else term, len(numbers))
                if isinstance(term, str)
                else -1
                for own in lists
                for term in _listed(own)
            ),
            dtype=np.int64,
        )
        width = max(len(numbers), 1)
        owners = np.repeat(np.arange(lengths.size), lengths)
        # What is no text, such as a null, is no term.
        pairs = distinct((owners * width + codes)[codes >= 0])
        self._terms = list(numbers)
        self._numbers = numbers
        self._sizes = np.bincount(pairs // width, minlength=lengths.size)
        self._codes = pairs % width

    def any(self) -> npt.NDArray[np.bool_]:
        result: npt.NDArray[np.bool_] = (self._sizes > 0)[self._summary.at]
        return result

    def has(self, term: str) -> npt.NDArray[np.bool_]:
        found = np.zeros(self._sizes.size, dtype=np.bool_)
        versions = np.repeat(np.arange(self._sizes.size), self._sizes)
        found[versions[self._codes == self._numbers.get(term, -1)]] = True
        result: npt.NDArray[np.bool_] = found[self._summary.at]
        return result

    def most(self, top: int) -> Any:  # noqa: ANN401 # a numpy array of lists
        at, group = self._summary.at, self._summary.group
        starts = np.cumsum(self._sizes) - self._sizes
        sizes = self._sizes[at]
        owner = np.repeat(group, sizes)
        # Places within each member's list, then within all lists.
        offset = np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        codes = self._codes[np.repeat(starts[at], sizes) + offset]
        width = max(len(self._terms), 1)
        keys, counts = np.unique(owner * width + codes, return_counts=True)
        of_group, code = keys // width, keys % width
        alphabet = {term: i for i, term in enumerate(sorted(self._terms))}
        place = np.array([alphabet[term] for term in self._terms], dtype=np.int64)
        order = np.lexsort((place[code] if code.size else code, -counts, of_group))
        of_group, code, counts = of_group[order], code[order], counts[order]
        bounds = np.searchsorted(of_group, np.arange(self._summary.n_groups + 1))
        return _objects(
            [
                [
                    {"term": self._terms[c], "video_count": n}
                    for c, n in zip(code[a:b].tolist(), counts[a:b].tolist(), strict=True)
                ]
                for a, b in ((a, min(b, a + top)) for a, b in pairwise(bounds.tolist()))
            ]
        )


def _objects(rows: Sequence[Sequence[Any] | Mapping[str, Any]]) -> Any:  # noqa: ANN401 # a numpy array
    made = np.empty(len(rows), dtype=object)
    made[:] = rows
    return made


def _listed(value: Any) -> Any:  # noqa: ANN401 # a sequence of texts or a null
    return value if isinstance(value, (list, tuple, np.ndarray)) else ()
