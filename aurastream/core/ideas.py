"""Video ideas from what is taking off: no dice, every idea with its evidence.

An idea is a topic in a kind of video (`aurastream.core.idea_formats`). For each topic:

- ``demand_part``  mean viral score of the videos that are its evidence, weighted by their
  velocity, 0–100;
- ``difficulty_score``  `aurastream.core.difficulty`, 0–100, higher is harder;
- ``opportunity_part``  opportunity of the category, 50 where it is unknown;
- ``format_part``  share of the evidence's velocity in titles that tell of the kind, 0–100, drawn
  towards the share in the whole category as if three more videos had it: a few titles that tell of
  no kind say little, and what works in the category decides.

idea_score = .40 · demand + .25 · (100 − difficulty) + .15 · opportunity + .20 · format, 0–100,
higher is better. confidence = .5 · sample + .3 · freshness + .2 · wording: how many videos are the
evidence (1 − e^(−n/5)), how fresh they are, and whether their titles tell of any kind at all.

The sources give the chain and the templates (#74–#76) and leave scores undefined (C33); these are
ours. Ideas are in a total order: score descending, topic, kind, then wording.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.difficulty import difficulty
from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    numbers,
    percentages,
    plain_texts,
    refusal,
    require_columns,
    rivals,
    text_lists,
    texts,
    times,
    timestamps,
)
from aurastream.core.idea_evidence import idea_evidence
from aurastream.core.idea_formats import IDEA_FORMATS, format_cues
from aurastream.core.idea_subjects import subjects, whole_phrases
from aurastream.core.topic_spelling import surface

__all__ = ["IDEAS_SCHEMA", "IdeaParams", "video_ideas"]

Floats = npt.NDArray[np.float64]

IDEAS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "rank": "int32",
    "idea_id": "str",
    "topic": "str",
    "format": "str",
    "concept": "str",
    "hook": "str",
    "idea_score": "float64",
    "demand_part": "float64",
    "difficulty_score": "float64",
    "difficulty_band": "str",
    "opportunity_part": "float64",
    "format_part": "float64",
    "confidence_pct": "float64",
    "sample_part": "float64",
    "freshness_part": "float64",
    "wording_part": "float64",
    "duration_bucket": "str",
    "tags": "object",
    "evidence_count": "int32",
    "evidence_video_ids": "object",
}

_KEYS: Final = ["window_start", "category"]
_WEIGHTS: Final = {"demand": 0.4, "ease": 0.25, "opportunity": 0.15, "format": 0.2}
_CONFIDENCE: Final = {"sample": 0.5, "freshness": 0.3, "wording": 0.2}
_ENOUGH: Final = 5.0
_UNKNOWN: Final = 50.0
_MOST: Final = 100.0
_PRIOR_VIDEOS: Final = 3.0


@dataclass(frozen=True, slots=True)
class IdeaParams:
    """How many ideas a category keeps, how many a topic may have, and how much evidence is listed.

    Ten ideas are ours; the sources ask for five or more. A topic has one idea first, and more only
    where the topics alone do not fill ``least``.
    """

    top: int = 10
    least: int = 5
    evidence: int = 10
    tags: int = 5

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.top:
            raise InvalidInputError("least must be from 1 to top.", fix="Use least=5, top=10.")


DEFAULT: Final = IdeaParams()


def video_ideas(
    topics: pd.DataFrame,
    videos: pd.DataFrame,
    *,
    competition: pd.DataFrame | None = None,
    opportunity: pd.DataFrame | None = None,
    formats: pd.DataFrame | None = None,
    params: IdeaParams = DEFAULT,
) -> pd.DataFrame:
    """Synthesise the ideas of every window and category.

    Parameters
    ----------
    topics : pandas.DataFrame
        As `aurastream.core.topics.topics` gives them: ``window_start``, ``category``, ``rank``,
        ``topic`` and ``lemmas``. They are free of duplicates. `aurastream.core.idea_subjects`
        says which of them a video can be made about.
    videos : pandas.DataFrame
        ``window_start``, ``category``, ``video_id``, ``channel_id``, ``title``, ``tags``,
        ``views``, ``lifetime_velocity_per_hour``, ``viral_score`` and ``confidence_pct``.
    competition, opportunity, formats : pandas.DataFrame, optional
        ``ease_score`` of games, ``opportunity_score`` of categories, and `format_buckets`.
    params : IdeaParams
        Length of the lists.

    Returns
    -------
    pandas.DataFrame
        ``IDEAS_SCHEMA``, by window, category and rank. At least ``least`` ideas for a category
        with at least one topic that a video shows, unless every one of them is, the category's
        name included, mere numbers and words that every other title has ("2026", "best guide").
        None for a category without evidence, because an idea without evidence would be made up.
        O(n log n) in videos and topics.

    Raises
    ------
    InvalidInputError
        When a column is missing, a value out of range, a row doubled, a title a list, or tags no
        list of texts.

    References
    ----------
    AuraStream paper 5.4 (#74–#76), five ideas per game (#20), in a total order (C33).

    Examples
    --------
    >>> at = pd.Timestamp("2026-03-01", tz="UTC")
    >>> topics = pd.DataFrame({"window_start": at, "category": "g", "rank": [1],
    ...                        "topic": ["best mods"], "lemmas": ["best mod"]})
    >>> videos = pd.DataFrame({"window_start": at, "category": "g", "video_id": ["a", "b"],
    ...     "channel_id": ["x", "y"], "title": ["How to find the best mods", "Zzz"],
    ...     "tags": [["mods"], None], "views": [10, 10], "lifetime_velocity_per_hour": [5.0, 5.0],
    ...     "viral_score": [80.0, 20.0], "confidence_pct": [100.0, 100.0]})
    >>> ideas = video_ideas(topics, videos)
    >>> ideas[["format", "demand_part", "tags", "evidence_video_ids"]].head(1).values.tolist()
    [['tutorial', 80.0, ['mods'], ['a']]]
    >>> len(ideas) >= 5, ideas["idea_id"].is_unique
    (True, True)
    >>> video_ideas(pd.DataFrame(), pd.DataFrame()).empty
    True

    What cannot be is refused:

    >>> try:
    ...     video_ideas(topics, videos.assign(viral_score=[80.0, 5000.0]))
    ... except InvalidInputError as error:
    ...     print(error.message)
    Column 'viral_score' of the videos frame holds 5000.
    """
    topics = require_columns(topics, (*_KEYS, "rank", "topic", "lemmas"), "topics")
    videos = require_columns(
        videos,
        (
            *_KEYS,
            *("video_id", "channel_id", "title", "tags", "views"),
            *("lifetime_velocity_per_hour", "viral_score", "confidence_pct"),
        ),
        "videos",
    )
    _refuse_doubled(topics, [*_KEYS, "rank"], "topics")
    if competition is not None:
        keyed = require_columns(competition, (*_KEYS, "ease_score"), "competition")
        _refuse_doubled(keyed, _KEYS, "competition")
    nameless = videos["video_id"].isna().to_numpy()
    if nameless.any():
        raise refusal(
            videos.index,
            nameless,
            lambda _: "A video has no id, or occurs twice in a window and category.",
            fix="Pass each video once per window and category.",
        )
    _refuse_doubled(videos, [*_KEYS, "video_id"], "videos")
    topics = _keyed(topics, "topics").assign(topic=plain_texts(topics, "topic", "topics"))
    videos = _keyed(videos, "videos")
    texts(videos, "title", "videos")
    text_lists(videos, "tags", "videos")
    for column in ("views", "lifetime_velocity_per_hour"):
        counters(videos, column, "videos")
    for column in ("viral_score", "confidence_pct"):
        percentages(videos, column, "videos")
    evidence = idea_evidence(whole_phrases(topics), videos)
    if evidence.empty:
        return empty_frame(IDEAS_SCHEMA)
    shown = evidence.merge(videos, on=[*_KEYS, "video_id"], how="left", validate="m:1")
    kept = subjects(topics, shown)
    if kept.empty:
        return empty_frame(IDEAS_SCHEMA)
    evidence = evidence.merge(kept, on=[*_KEYS, "topic_rank"])
    shown = shown.merge(kept, on=[*_KEYS, "topic_rank"])
    shown["velocity"] = shown["lifetime_velocity_per_hour"].fillna(0.0).clip(lower=0.0)
    shown = shown.sort_values(
        [*_KEYS, "topic_rank", "velocity", "video_id"],
        ascending=[True, True, True, False, True],
        kind="stable",
    ).reset_index(drop=True)
    about = _about_topics(shown, videos, params)
    hard = difficulty(evidence, videos, competition)
    about = about.merge(
        hard[[*_KEYS, "topic_rank", "difficulty_score", "difficulty_band"]],
        on=[*_KEYS, "topic_rank"],
        validate="1:1",
    )
    names = topics[[*_KEYS, "rank", "topic"]].rename(columns={"rank": "topic_rank"})
    about = about.merge(names, on=[*_KEYS, "topic_rank"], validate="1:1")
    about["written"] = [
        surface(topic, titles)
        for topic, titles in zip(about["topic"], about.pop("titles"), strict=True)
    ]
    about["opportunity_part"] = _from(about, opportunity, "opportunity_score").fillna(_UNKNOWN)
    about["duration_bucket"] = _optimal(about, formats)
    return _ranked(_worded(about), params)


def _keyed(frame: pd.DataFrame, name: str) -> pd.DataFrame:
    """Return the frame with windows that are times and categories that are texts."""
    return frame.assign(
        window_start=timestamps(times(frame, "window_start", name)),
        category=plain_texts(frame, "category", name),
    )


def _refuse_doubled(frame: pd.DataFrame, keys: list[str], name: str) -> None:
    codes, _ = codes_of(*(frame[column] for column in keys if column not in _PLAIN_KEYS))
    given = pd.DataFrame(dict(enumerate(codes)))
    for column in _PLAIN_KEYS:
        if column in keys:
            given[column] = (
                times(frame, column, name) if column == "window_start" else numbers(frame, column)
            )
    doubled = given.duplicated().to_numpy()
    if doubled.any():
        first = frame[doubled]
        key = ", ".join(f"{column} {first[column].iloc[0]}" for column in keys)
        raise InvalidInputError(
            f"Of the {name} frame, more than one row is that of {key}.",
            fix="Pass one of them.",
            rivals=rivals(given.groupby(list(given)).ngroup(), frame.index),
        )


_PLAIN_KEYS: Final = ("window_start", "rank")


def _cues(rows: pd.DataFrame) -> Floats:
    titles, title_at = np.unique(
        rows["title"].fillna("").to_numpy(dtype=object).astype(str), return_inverse=True
    )
    return format_cues(titles.tolist())[title_at].astype(np.float64)


def _usual_kinds(videos: pd.DataFrame) -> pd.DataFrame:
    """Return the share of each kind of video in the velocity of every window and category."""
    velocity = videos["lifetime_velocity_per_hour"].fillna(0.0).clip(lower=0.0)
    # In one order whatever the rows' order, or the last bits of the sums would differ.
    rows = videos.assign(velocity=velocity).sort_values([*_KEYS, "video_id"], kind="stable")
    moving = rows.groupby(_KEYS)["velocity"].transform("sum")
    weight = rows["velocity"].where(moving > 0, 1.0)
    names = [f"usual_{kind.name}" for kind in IDEA_FORMATS]
    told = pd.DataFrame(_cues(rows) * weight.to_numpy()[:, None], columns=names, index=rows.index)
    sums = told.assign(weight=weight).groupby([rows[key] for key in _KEYS]).sum()
    usual: pd.DataFrame = sums[names].div(sums["weight"], axis=0).mul(_MOST)
    return usual.reset_index()


def _about_topics(shown: pd.DataFrame, videos: pd.DataFrame, params: IdeaParams) -> pd.DataFrame:
    """Return one row per topic: demand, freshness, and the share of each kind of video."""
    cues = _cues(shown)
    # Where nothing moves, each video counts alike.
    keys = [*_KEYS, "topic_rank"]
    group = shown.groupby(keys, sort=True).ngroup().to_numpy()
    n = int(group.max()) + 1
    count = np.bincount(group, minlength=n)
    moving = np.bincount(group, weights=shown["velocity"], minlength=n)
    weight = np.where(moving[group] > 0, shown["velocity"], 1.0)
    total = np.bincount(group, weights=weight, minlength=n)

    def weighted(values: npt.ArrayLike) -> Floats:
        return np.bincount(group, weights=weight * np.asarray(values), minlength=n) / total

    first = np.flatnonzero(np.r_[True, np.diff(group) > 0])
    told = (cues.sum(axis=1) > 0).astype(np.float64)
    about = shown.loc[first, keys].reset_index(drop=True)
    about["demand_part"] = np.clip(
        weighted(shown["viral_score"].fillna(_UNKNOWN).to_numpy(dtype=np.float64)), 0.0, _MOST
    )
    usual = about[_KEYS].merge(_usual_kinds(videos), on=_KEYS, how="left", validate="m:1")
    own = count / (count + _PRIOR_VIDEOS)
    for at, kind in enumerate(IDEA_FORMATS):
        share = _MOST * weighted(cues[:, at])
        drawn = own * share + (1.0 - own) * usual[f"usual_{kind.name}"].to_numpy()
        about[f"format_{kind.name}"] = np.clip(drawn, 0.0, _MOST)
    about["evidence_count"] = count
    about["sample_part"] = _MOST * (1.0 - np.exp(-count / _ENOUGH))
    fresh = shown["confidence_pct"].fillna(0.0).to_numpy(dtype=np.float64)
    about["freshness_part"] = np.clip(np.bincount(group, weights=fresh) / count, 0.0, _MOST)
    about["wording_part"] = np.clip(_MOST * weighted(told), 0.0, _MOST)
    ids = np.split(shown["video_id"].to_numpy(dtype=object), first[1:])
    about["evidence_video_ids"] = [found[: params.evidence].tolist() for found in ids]
    titles = np.split(shown["title"].fillna("").to_numpy(dtype=object), first[1:])
    about["titles"] = [found[: params.evidence].tolist() for found in titles]
    about["tags"] = _best_tags(shown, group, weight, n, params.tags)
    return about


def _best_tags(
    shown: pd.DataFrame, group: npt.NDArray[Any], weight: Floats, n: int, most: int
) -> list[list[str]]:
    """Return the tags of each topic's evidence by the velocity behind them."""
    tags = pd.DataFrame(
        {"row": shown.index, "group": group, "weight": weight, "tag": shown["tags"]}
    )
    tags = tags.explode("tag").dropna(subset="tag")
    tags["tag"] = tags["tag"].astype(str).str.strip().str.lower()
    tags = tags[tags["tag"] != ""].drop_duplicates(["row", "tag"])
    best: pd.DataFrame = tags.groupby(["group", "tag"])["weight"].sum().reset_index()
    best = best.sort_values(["group", "weight", "tag"], ascending=[True, False, True])
    lists: list[list[str]] = [[] for _ in range(n)]
    for at, found in best.groupby("group")["tag"]:
        lists[int(str(at))] = found.head(most).tolist()
    return lists


def _from(about: pd.DataFrame, frame: pd.DataFrame | None, column: str) -> "pd.Series[float]":
    name = column.removesuffix("_score")
    found = require_columns(pd.DataFrame() if frame is None else frame, (*_KEYS, column), name)
    percentages(found, column, name)
    if found.empty:
        return pd.Series(np.nan, index=about.index, dtype="float64")
    _refuse_doubled(found, _KEYS, name)
    merged = about[_KEYS].merge(found[[*_KEYS, column]], on=_KEYS, how="left", validate="m:1")
    return merged[column].astype("float64")


def _optimal(about: pd.DataFrame, formats: pd.DataFrame | None) -> "pd.Series[str]":
    """Return the length that does best in the category; empty where it is unknown."""
    found = require_columns(
        pd.DataFrame() if formats is None else formats,
        (*_KEYS, "duration_bucket", "is_optimal"),
        "formats",
    )
    if found.empty:
        return pd.Series("", index=about.index, dtype="str")
    best = found.loc[found["is_optimal"].astype(bool), [*_KEYS, "duration_bucket"]]
    _refuse_doubled(best, _KEYS, "optimal formats")
    merged = about[_KEYS].merge(best, on=_KEYS, how="left", validate="m:1")
    return merged["duration_bucket"].fillna("").astype("str")


def _worded(about: pd.DataFrame) -> pd.DataFrame:
    """Return one row per topic, kind and concept, scored."""
    parts = []
    for order, kind in enumerate(IDEA_FORMATS):
        for at, concept in enumerate(kind.concepts):
            rows = about.assign(
                format=kind.name,
                format_order=order,
                wording=at,
                # The first wording goes round with the topic, or all lists would begin alike.
                turn_of_wording=(at - about["topic_rank"]) % len(kind.concepts),
                format_part=about[f"format_{kind.name}"],
                template=concept,
                hook_template=kind.hooks[at % len(kind.hooks)],
            )
            parts.append(rows)
    ideas = pd.concat(parts, ignore_index=True)
    ideas["idea_score"] = np.clip(
        _WEIGHTS["demand"] * ideas["demand_part"]
        + _WEIGHTS["ease"] * (_MOST - ideas["difficulty_score"])
        + _WEIGHTS["opportunity"] * ideas["opportunity_part"]
        + _WEIGHTS["format"] * ideas["format_part"],
        0.0,
        _MOST,
    )
    ideas["confidence_pct"] = np.clip(
        _CONFIDENCE["sample"] * ideas["sample_part"]
        + _CONFIDENCE["freshness"] * ideas["freshness_part"]
        + _CONFIDENCE["wording"] * ideas["wording_part"],
        0.0,
        _MOST,
    )
    return ideas


def _ranked(ideas: pd.DataFrame, params: IdeaParams) -> pd.DataFrame:
    """Keep the best idea of each topic, then fill up with further kinds and wordings."""
    ideas = ideas.sort_values(
        [*_KEYS, "idea_score", "topic", "format_order", "turn_of_wording"],
        ascending=[True, True, False, True, True, True],
        kind="stable",
    )
    topic = [*_KEYS, "topic_rank"]
    ideas["turn"] = ideas.groupby(topic, sort=False).cumcount()
    firsts = ideas[ideas["turn"] == 0]
    ideas = ideas.sort_values([*_KEYS, "turn"], kind="stable")
    place = ideas.groupby(_KEYS, sort=False).cumcount()
    in_category = firsts.groupby(_KEYS, sort=False).size().rename("topics").reset_index()
    sizes = ideas[_KEYS].merge(in_category, on=_KEYS, how="left")["topics"].to_numpy()
    wanted = np.clip(sizes, params.least, params.top)
    ideas = ideas[place.to_numpy() < wanted]
    ideas = ideas.sort_values(
        [*_KEYS, "idea_score", "topic", "format_order", "turn_of_wording"],
        ascending=[True, True, False, True, True, True],
        kind="stable",
    ).reset_index(drop=True)
    ideas["rank"] = ideas.groupby(_KEYS, sort=False).cumcount() + 1
    ideas["concept"] = _fill(ideas["template"], ideas["written"])
    ideas["hook"] = _fill(ideas["hook_template"], ideas["written"])
    told = zip(ideas["category"], ideas["topic"], ideas["format"], ideas["wording"], strict=True)
    ideas["idea_id"] = [
        hashlib.sha256("\x1f".join(map(str, idea)).encode()).hexdigest()[:16] for idea in told
    ]
    return build_frame(IDEAS_SCHEMA, {name: ideas[name] for name in IDEAS_SCHEMA})


def _fill(templates: "pd.Series[str]", topics: "pd.Series[str]") -> list[str]:
    filled = (
        template.replace("{topic}", topic)
        for template, topic in zip(templates, topics, strict=True)
    )
    return [line[:1].upper() + line[1:] for line in filled]
