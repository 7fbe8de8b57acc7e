"""Which looks of thumbnails go along with faster videos, and which designs many videos share.

``lift``, its interval, ``p_value`` and ``q_value`` are those of `aurastream.core.title_lift`, whose
method is used as it is: log velocity within cohorts of one window, category, age and rank band,
errors clustered by channel, all looks of a category tested together. It is a comparison, not an
experiment: channels that show faces may differ from others in more than that.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.frames import (
    Schema,
    build_frame,
    codes_of,
    counters,
    empty_frame,
    group_keys,
    numbers,
    plain_texts,
    require_columns,
    text,
    times,
    timestamps,
)
from aurastream.core.thumbnails_similarity import SimilarityParams, similar_groups
from aurastream.core.title_lift import TitleLiftParams, title_lift

__all__ = [
    "LOOKS",
    "LOOK_COLUMNS",
    "THUMBNAIL_DESIGNS_SCHEMA",
    "THUMBNAIL_LIFT_SCHEMA",
    "LookParams",
    "looks",
    "thumbnail_designs",
    "thumbnail_lift",
    "with_thumbnails",
]

Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

THUMBNAIL_LIFT_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "look": "str",
    "video_count": "int32",
    "known_count": "int32",
    "look_count": "int32",
    "look_share": "float64",
    "viral_score_with": "float64",
    "viral_score_without": "float64",
    "with_count": "int32",
    "without_count": "int32",
    "cohort_count": "int32",
    "cluster_count": "int32",
    "lift": "float64",
    "ci_low": "float64",
    "ci_high": "float64",
    "p_value": "float64",
    "q_value": "float64",
    "verdict": "str",
}

THUMBNAIL_DESIGNS_SCHEMA: Final[Schema] = {
    "window_start": "datetime64[us, UTC]",
    "category": "str",
    "rank": "int32",
    "video_count": "int32",
    "channel_count": "int32",
    "video_ids": "object",
    "fastest_video_id": "str",
    "perceptual_hash": "str",
    "velocity_ratio": "float64",
}

_HUES: Final = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "pink")
_OVER_MEDIAN: Final = {
    "bright": "brightness",
    "contrasty": "contrast",
    "saturated": "saturation",
    "colourful": "colourfulness",
    "crowded": "clutter",
}
LOOKS: Final = (
    "face",
    "several_faces",
    "large_face",
    "words",
    "many_words",
    *_OVER_MEDIAN,
    "thirds",
    "focus_left",
    "focus_centre",
    "focus_right",
    *_HUES,
)
"""What `looks` tells of a thumbnail."""

LOOK_COLUMNS: Final = (
    "face_count",
    "largest_face_share",
    "text_area_share",
    *_OVER_MEDIAN.values(),
    "thirds_index",
    "focus_field",
    "colour_name",
)
"""The columns of `aurastream.core.thumbnails.THUMBNAIL_SCHEMA` that `looks` needs."""

_VELOCITY: Final = "lifetime_velocity_per_hour"


@dataclass(frozen=True, slots=True)
class LookParams:
    """Where a look begins; all ours.

    A face is large from a tenth of the picture on, words count from 2 % on and are many from 12 %
    on, and the rule of thirds is followed where the crossings hold a fifth more than their share.
    """

    large_face_share: float = 0.1
    words_share: float = 0.02
    many_words_share: float = 0.12
    thirds_index: float = 1.2


DEFAULT: Final = LookParams()


def looks(videos: pd.DataFrame, *, params: LookParams = DEFAULT) -> dict[str, Bools]:
    """Tell which looks each thumbnail has.

    Parameters
    ----------
    videos : pandas.DataFrame
        ``window_start``, ``category`` and `LOOK_COLUMNS`; what is null has no look by it.
    params : LookParams
        Where a look begins.

    Returns
    -------
    dict of str to array of bool
        Of each of `LOOKS`, in that order. Brightness, contrast, saturation, colourfulness and
        clutter are had by what lies above the median of the window and category, so that a
        picture on the median has none of them.

    Notes
    -----
    O(n log n) for the medians, then O(looks · n).

    References
    ----------
    Ours: the layout of thumbnails (#89) says what is in them, not what to compare.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-03-01T08:00Z"), "category": "gaming",
    ...     "face_count": [0, 2], "largest_face_share": [0.0, 0.2], "text_area_share": [0.05, 0.0],
    ...     "brightness": [0.3, 0.6], "contrast": 0.2, "saturation": 0.5, "colourfulness": 50.0,
    ...     "clutter": 0.4, "thirds_index": 1.0, "focus_field": ["top left", "centre"],
    ...     "colour_name": ["red", "grey"],
    ... })
    >>> [[name for name, has in looks(rows).items() if has[i]] for i in (0, 1)]
    [['words', 'focus_left', 'red'], ['face', 'several_faces', 'large_face', 'bright', 'focus_centre']]

    Equally bright pictures lie on their median, what is unknown has no look, and no rows none:

    >>> looks(rows.assign(brightness=0.4))["bright"].tolist()
    [False, False]
    >>> looks(rows.assign(face_count=[None, 2.0]))["face"].tolist()
    [False, True]
    >>> looks(rows.head(0))["face"].tolist(), list(looks(rows.head(0))) == list(LOOKS)
    ([], True)
    """  # noqa: E501 # the answer is one line
    videos = require_columns(videos, ("window_start", "category", *LOOK_COLUMNS), "videos")
    faces, words = numbers(videos, "face_count"), numbers(videos, "text_area_share")
    field = plain_texts(videos, "focus_field", "videos").to_numpy(dtype=object)
    colour = plain_texts(videos, "colour_name", "videos").to_numpy(dtype=object)
    found: dict[str, Bools] = {
        "face": faces >= 1,
        "several_faces": faces > 1,
        "large_face": numbers(videos, "largest_face_share") >= params.large_face_share,
        "words": words >= params.words_share,
        "many_words": words >= params.many_words_share,
    }
    by = group_keys((videos, "videos")).keys[0]
    for name, column in _OVER_MEDIAN.items():
        values = numbers(videos, column)
        found[name] = values > pd.Series(values).groupby(by).transform("median").to_numpy()
    found["thirds"] = numbers(videos, "thirds_index") >= params.thirds_index
    for name, fields in _COLUMNS.items():
        found[f"focus_{name}"] = np.isin(field, fields)
    found |= {name: colour == name for name in _HUES}
    return found


_COLUMNS: Final = {
    "left": ["top left", "left", "bottom left"],
    "centre": ["top", "centre", "bottom"],
    "right": ["top right", "right", "bottom right"],
}


_TEXTS: Final = frozenset({"perceptual_hash", "focus_field", "colour_name"})


def with_thumbnails(videos: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """Join each video of a window with the thumbnail it had then.

    Parameters
    ----------
    videos : pandas.DataFrame
        ``video_id``, ``as_of``, and whatever else; the rows keep their order.
    features : pandas.DataFrame
        ``video_id``, ``first_seen_at``, ``perceptual_hash`` and `LOOK_COLUMNS`: a row per file.

    Returns
    -------
    pandas.DataFrame
        ``videos`` with those columns but ``first_seen_at``: of the newest file first seen before
        ``as_of``, else of the first one ever seen, because a thumbnail seldom changes and a window
        of the past could not be told anything else. Null where none was ever seen. Of files first
        seen at once the one with the larger hash counts.

    Notes
    -----
    O((videos + files) log (videos + files)).

    References
    ----------
    Ours: a window shows what was known at its end, as far as anything was.

    Examples
    --------
    >>> def at(*hours): return pd.to_datetime([f"2026-03-01T{h:02}:00Z" for h in hours]).as_unit("us")
    >>> videos = pd.DataFrame({"video_id": ["a", "a", "a", "b"], "as_of": at(1, 5, 9, 5)})
    >>> features = pd.DataFrame({
    ...     "video_id": "a", "first_seen_at": at(4, 8),
    ...     "perceptual_hash": ["00000000000000aa", "00000000000000bb"],
    ... }).reindex(columns=["video_id", "first_seen_at", "perceptual_hash", *LOOK_COLUMNS])
    >>> [str(h)[-2:] for h in with_thumbnails(videos, features)["perceptual_hash"]]
    ['aa', 'aa', 'bb', 'an']

    A file first seen at that very moment is not yet seen; of two seen at once the larger hash
    counts:

    >>> [str(h)[-2:] for h in with_thumbnails(videos.assign(as_of=at(8)[0]), features)["perceptual_hash"]]
    ['aa', 'aa', 'aa', 'an']
    >>> at_once = features.assign(first_seen_at=at(4)[0])
    >>> [str(h)[-2:] for h in with_thumbnails(videos, at_once)["perceptual_hash"]]
    ['bb', 'bb', 'bb', 'an']
    >>> with_thumbnails(videos, features.head(0))["perceptual_hash"].isna().all().item()
    True
    >>> with_thumbnails(videos.head(0), features).shape
    (0, 14)
    """  # noqa: E501 # the example's helper is one line
    columns = ("video_id", "first_seen_at", "perceptual_hash", *LOOK_COLUMNS)
    features = require_columns(features, columns, "features")[list(columns)]
    if features.empty or videos.empty:
        none = {
            name: pd.array([None] * len(videos), dtype="str" if name in _TEXTS else "Float64")
            for name in columns[2:]
        }
        return videos.assign(**none)
    features, videos = (
        frame.assign(
            **{
                name: plain_texts(frame, name, what)
                for name in ("video_id", "perceptual_hash")
                if name in frame
            },
            **{at: timestamps(times(frame, at, what))},
        )
        for frame, what, at in (
            (features, "features", "first_seen_at"),
            (require_columns(videos, ("video_id", "as_of"), "videos"), "videos", "as_of"),
        )
    )
    features = features.sort_values(["first_seen_at", "perceptual_hash"], kind="stable")
    versions = features.drop_duplicates(["video_id", "first_seen_at"], keep="last")
    # The first one ever seen counts from the beginning of time on.
    is_first = ~versions["video_id"].duplicated()
    begins = versions["first_seen_at"].mask(is_first, pd.Timestamp(0, tz="UTC"))
    versions = versions.assign(first_seen_at=begins).sort_values("first_seen_at", kind="stable")
    order = np.argsort(videos["as_of"].to_numpy(), kind="stable")
    joined = pd.merge_asof(
        videos.iloc[order].reset_index(drop=True),
        versions,
        left_on="as_of",
        right_on="first_seen_at",
        by="video_id",
        allow_exact_matches=False,
    ).drop(columns="first_seen_at")
    joined.index = videos.index[order]
    return joined.loc[videos.index] if videos.index.is_unique else joined.iloc[np.argsort(order)]


def thumbnail_lift(
    videos: pd.DataFrame,
    *,
    params: LookParams = DEFAULT,
    lift: TitleLiftParams | None = None,
) -> pd.DataFrame:
    """Measure the lift of each look in every window and category.

    Parameters
    ----------
    videos : pandas.DataFrame
        One row per video of a window and category: ``window_start``, ``category``, ``video_id``,
        ``channel_id``, ``age_h``, ``lifetime_velocity_per_hour``, ``viral_score``,
        ``perceptual_hash`` and `LOOK_COLUMNS`, which are null where there is no thumbnail.
        ``best_rank`` or ``subscribers`` sharpen the cohorts where they are there.
    params : LookParams
        Where a look begins.
    lift : TitleLiftParams, optional
        Cohorts, and how much evidence a lift needs.

    Returns
    -------
    pandas.DataFrame
        With the columns of `THUMBNAIL_LIFT_SCHEMA`: one row per look, by window, category and
        `LOOKS`. ``look_share`` is of the videos whose thumbnail is known; the viral scores are
        medians, null where there is no video. ``verdict`` is FASTER, SLOWER, UNCLEAR or UNKNOWN. A
        category without a single known thumbnail has rows too, all UNKNOWN.

    Raises
    ------
    InvalidInputError
        When a column is missing or holds impossible values.

    Notes
    -----
    O(looks · rows) after one sort.

    References
    ----------
    Ours: AuraStream paper 4.1 asks for the layout of thumbnails (#89), not for what goes along with
    it; the method and its references are those of `aurastream.core.title_lift.title_lift`.

    Examples
    --------
    Two videos, one of them without a thumbnail, are too few to tell anything:

    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-03-01T08:00Z"), "category": "gaming",
    ...     "video_id": ["a", "b"], "channel_id": ["x", "y"], "age_h": 24.0,
    ...     "lifetime_velocity_per_hour": [10.0, 30.0], "viral_score": [40.0, 90.0],
    ...     "perceptual_hash": ["00000000000000ff", None],
    ...     "face_count": [1.0, None], "largest_face_share": [0.2, None],
    ...     "text_area_share": [0.05, None], "brightness": [0.3, None], "contrast": [0.2, None],
    ...     "saturation": [0.5, None], "colourfulness": [50.0, None], "clutter": [0.4, None],
    ...     "thirds_index": [1.0, None], "focus_field": ["centre", None],
    ...     "colour_name": ["red", None],
    ... })
    >>> found = thumbnail_lift(rows).iloc[0]
    >>> found.look, found.video_count.item(), found.known_count.item(), found.look_share.item()
    ('face', 2, 1, 1.0)
    >>> found.viral_score_with.item(), found.viral_score_without.item(), found.lift.item()
    (40.0, nan, nan)
    >>> found.verdict
    'UNKNOWN'
    >>> thumbnail_lift(pd.DataFrame()).shape
    (0, 19)
    """
    needed = ("window_start", "category", "video_id", "viral_score", "perceptual_hash")
    videos = require_columns(
        videos, (*needed, "channel_id", "age_h", _VELOCITY, *LOOK_COLUMNS), "videos"
    )
    if videos.empty:
        return empty_frame(THUMBNAIL_LIFT_SCHEMA)
    is_known = videos["perceptual_hash"].notna().to_numpy(dtype=bool)
    known = videos[is_known].reset_index(drop=True)
    shown = looks(known, params=params)
    fitted = title_lift(
        known.assign(**shown), patterns=LOOKS, params=lift or TitleLiftParams()
    ).rename(columns={"pattern": "look"})
    keyed = group_keys((videos, "videos"))
    found, first, group = np.unique(keyed.keys[0], return_index=True, return_inverse=True)
    size, n = found.size, len(LOOKS)
    own = group[is_known]
    scores = numbers(known, "viral_score")
    counts = np.stack([np.bincount(own[shown[name]], minlength=size) for name in LOOKS], axis=1)
    total = np.bincount(own, minlength=size)
    with_score, without_score = (
        np.stack(
            [_medians(scores, own, shown[name] == wanted, size) for name in LOOKS], axis=1
        ).ravel()
        for wanted in (True, False)
    )
    at = np.repeat(first, n)
    whole = np.repeat(total, n)
    rows = build_frame(
        {name: kind for name, kind in THUMBNAIL_LIFT_SCHEMA.items() if name not in _FITTED},
        {
            "window_start": timestamps(keyed.windows[0][at]),
            "category": text(keyed.names, keyed.categories[0][at]),
            "look": pd.array(list(LOOKS) * size, dtype="str"),
            "video_count": np.repeat(np.bincount(group, minlength=size), n),
            "known_count": whole,
            "look_count": counts.ravel(),
            "look_share": np.where(whole > 0, counts.ravel() / np.maximum(whole, 1), np.nan),
            "viral_score_with": with_score,
            "viral_score_without": without_score,
        },
    )
    joined = rows.merge(fitted, on=["window_start", "category", "look"], how="left")
    for name in _COUNTS:
        joined[name] = joined[name].fillna(0)
    joined["verdict"] = joined["verdict"].fillna("UNKNOWN")
    return joined.astype(dict(THUMBNAIL_LIFT_SCHEMA))[list(THUMBNAIL_LIFT_SCHEMA)]


_COUNTS: Final = ("with_count", "without_count", "cohort_count", "cluster_count")
_FITTED: Final = frozenset({*_COUNTS, "lift", "ci_low", "ci_high", "p_value", "q_value", "verdict"})


def _medians(values: Floats, group: Integers, chosen: Bools, size: int) -> Floats:
    """Return the median of the chosen, known values of each group; NaN where there is none."""
    chosen = chosen & ~np.isnan(values)
    medians = pd.Series(values[chosen]).groupby(group[chosen]).median()
    result = np.full(size, np.nan)
    result[medians.index.to_numpy(dtype=np.int64)] = medians.to_numpy()
    return result


def thumbnail_designs(
    videos: pd.DataFrame, *, params: SimilarityParams | None = None
) -> pd.DataFrame:
    """Return the designs that several videos of a window and category share.

    Parameters
    ----------
    videos : pandas.DataFrame
        One row per video of a window and category: ``window_start``, ``category``, ``video_id``,
        ``channel_id``, ``lifetime_velocity_per_hour`` and ``perceptual_hash``, which is null where
        there is no thumbnail.
    params : SimilarityParams, optional
        How alike two thumbnails are to be one design.

    Returns
    -------
    pandas.DataFrame
        With the columns of `THUMBNAIL_DESIGNS_SCHEMA`, by window, category and ``rank``: designs of
        more videos come first, of equally many those with the smaller hash. ``video_ids`` is in
        lexical order; ``fastest_video_id`` is the fastest, of equally fast ones the first id, and
        brings its hash. ``velocity_ratio`` is the median velocity of the design over that of the
        category, 1 is usual, null where either is unknown or 0.

    Raises
    ------
    InvalidInputError
        When a column is missing or holds impossible values.

    Notes
    -----
    O(n log n + pairs that share two bands of their hashes).

    References
    ----------
    Ours: AuraStream paper 4.1 asks for the layout of thumbnails (#89), not for who shares it.

    Examples
    --------
    >>> rows = pd.DataFrame({
    ...     "window_start": pd.Timestamp("2026-03-01T08:00Z"), "category": "music",
    ...     "video_id": ["a", "b", "c"], "channel_id": ["x", "y", "z"],
    ...     "lifetime_velocity_per_hour": [10.0, 30.0, 20.0],
    ...     "perceptual_hash": ["00000000000000ff", "00000000000000fe", "ffff000000000000"],
    ... })
    >>> found = thumbnail_designs(rows)
    >>> found[["rank", "video_ids", "fastest_video_id", "velocity_ratio"]].values.tolist()
    [[1, ['a', 'b'], 'b', 1.0]]

    Of equally fast videos the first id is the fastest; without a velocity there is no ratio, and
    without thumbnails no design:

    >>> thumbnail_designs(rows.assign(lifetime_velocity_per_hour=5.0))["fastest_video_id"].tolist()
    ['a']
    >>> thumbnail_designs(rows.assign(lifetime_velocity_per_hour=None))["velocity_ratio"].tolist()
    [nan]
    >>> thumbnail_designs(rows.assign(perceptual_hash=None)).shape
    (0, 9)
    >>> thumbnail_designs(pd.DataFrame()).shape
    (0, 9)
    """
    base = ("window_start", "category", "video_id", "channel_id", _VELOCITY, "perceptual_hash")
    videos = require_columns(videos, base, "videos")
    is_known = videos["perceptual_hash"].notna()
    if not is_known.any():
        return empty_frame(THUMBNAIL_DESIGNS_SCHEMA)
    velocity = counters(videos, _VELOCITY, "videos")
    keyed = group_keys((videos, "videos"))
    _, group = np.unique(keyed.keys[0], return_inverse=True)
    usual = _medians(velocity, group, np.ones(group.size, dtype=bool), int(group.max()) + 1)
    (ids, channels), names = codes_of(videos["video_id"], videos["channel_id"])
    table = pd.DataFrame(
        {
            "group": group,
            "row": np.arange(group.size),
            "id": ids,
            "channel": channels,
            "velocity": np.where(np.isnan(velocity), -1.0, velocity),
            "hash": plain_texts(videos, "perceptual_hash", "videos").to_numpy(dtype=object),
        }
    )[is_known.to_numpy(dtype=bool)]
    table["design"] = -1
    for _, rows in table.groupby("group", sort=False):
        table.loc[rows.index, "design"] = similar_groups(
            rows["hash"], params=params or SimilarityParams()
        )
    table = table.sort_values(
        ["group", "design", "velocity", "id"], ascending=[True, True, False, True]
    )
    table["size"] = table.groupby(["group", "design"])["id"].transform("size")
    shared = table[table["size"] > 1]
    if shared.empty:
        return empty_frame(THUMBNAIL_DESIGNS_SCHEMA)
    designs = shared.groupby(["group", "design"], sort=True)
    best = designs.first()
    fast = shared["velocity"].where(shared["velocity"] >= 0.0)
    median = fast.groupby([shared["group"], shared["design"]]).median().to_numpy()
    usual_of = usual[best.index.get_level_values("group").to_numpy()]
    listed = designs["id"].agg(lambda own: [str(n) for n in names.take(np.sort(own.to_numpy()))])
    best = best.assign(
        channel_count=designs["channel"].nunique(),
        video_ids=listed,
        ratio=np.where((usual_of > 0.0), median / np.where(usual_of > 0.0, usual_of, 1.0), np.nan),
    ).reset_index()
    # The designs of a group are numbered by their smallest hash.
    best = best.sort_values(["group", "size", "design"], ascending=[True, False, True])
    at = best["row"].to_numpy()
    return build_frame(
        THUMBNAIL_DESIGNS_SCHEMA,
        {
            "window_start": timestamps(keyed.windows[0][at]),
            "category": text(keyed.names, keyed.categories[0][at]),
            "rank": best.groupby("group").cumcount().to_numpy() + 1,
            "video_count": best["size"].to_numpy(),
            "channel_count": best["channel_count"].to_numpy(),
            "video_ids": _lists(best["video_ids"]),
            "fastest_video_id": text(names, best["id"].to_numpy()),
            "perceptual_hash": pd.array(best["hash"].tolist(), dtype="str"),
            "velocity_ratio": best["ratio"].to_numpy(),
        },
    )


def _lists(values: Any) -> Any:  # noqa: ANN401 # an array of objects
    array = np.empty(len(values), dtype=object)
    array[:] = values.tolist()
    return array
