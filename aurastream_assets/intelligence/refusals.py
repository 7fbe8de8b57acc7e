"""What is impossible is left out item by item, and quarantined with the reason.

The analyses compute all categories at once. Where that is refused, each category is tried alone.
The check that refuses one names all rows that it finds impossible, so that as few attempts as there
are checks find however many rows; only what no check can name is searched for
(`aurastream.core.offenders`). What is left is computed at once again, so that it is, to the bit,
what a run without those items gives.
"""

import json
import uuid
from collections.abc import Callable, Hashable, Mapping
from datetime import datetime, timedelta
from functools import partial
from itertools import groupby
from math import isfinite
from operator import itemgetter
from typing import Final, cast

import dagster as dg
import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.core.frames import is_missing, plain_texts, times, timestamps
from aurastream.core.offenders import offenders
from aurastream.core.value_hashes import row_hashes

__all__ = [
    "Frames",
    "accepted_beside",
    "accepted_rows",
    "apart",
    "each_for_itself",
    "of_nobody",
    "quarantined",
    "warn_of",
]

Frames = Mapping[str, pd.DataFrame]
"""The inputs of a computation by the names of its parameters."""

_Compute = Callable[[Frames], object]
_Found = dict[tuple[str, int], str]  # which row of which frame, and why
_Group = tuple[pd.Timestamp, str]
_Places = dict[str, npt.NDArray[np.int64]]  # which rows of which frame

_KEYS: Final = ["window_start", "category"]
_REFUSED: Final = [*_KEYS, "item_id", "raw", "reason"]
# How raw snapshots name the category, and the time that decides which window may see a row.
_CATEGORY_COLUMNS: Final = ("category", "chart", "game", "game_id")
_TIME_COLUMNS: Final = ("window_start", "crawl_at", "observed_at")
# What an item is called by those who look for it; what has no such name is its category's.
_NAMES: Final = ("video_id", "clip_id", "stream_id", "term", "topic")

_NOBODY: Final = "nobody"
# No value of ours: labels of rows begin there.
_LABELS: Final = 2**61
# More than any computation makes; each that refuses something is asked for once.
_MOST_CHECKS: Final = 256
_LOGGED: Final = 20
_LISTED: Final = 1_000
_NOWHERE: Final = np.zeros(0, dtype=np.int64)


def each_for_itself(
    frame: pd.DataFrame, compute: Callable[[pd.DataFrame], pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute everything at once, without the rows that are refused.

    Parameters
    ----------
    frame : DataFrame
        With ``window_start`` and ``category``.
    compute : callable
        From such rows to results, each window and category for itself; raises `InvalidInputError`
        for what it cannot work on.

    Returns
    -------
    tuple of DataFrame
        The results of all that was not refused; ``window_start``, ``category``, ``item_id``,
        ``raw`` and ``reason`` of what was.
    """
    try:
        return compute(frame), _none()
    except InvalidInputError:
        kept, refused = accepted_rows({"videos": frame}, lambda seen: compute(seen["videos"]))
        return compute(kept["videos"]), refused


def accepted_rows(frames: Frames, compute: _Compute) -> tuple[Frames, pd.DataFrame]:
    """Leave out the rows that are refused, window by window and category by category.

    Parameters
    ----------
    frames : Mapping
        All with ``window_start`` and ``category``.
    compute : callable
        Of each window and category for itself; raises `InvalidInputError`.

    Returns
    -------
    tuple
        The frames without those rows, and the rows as `each_for_itself` says them.
    """
    _refuse_nobody(compute, frames)
    given, frames = frames, {name: _keyed(frame) for name, frame in frames.items()}
    rows = {name: _groups(frame) for name, frame in frames.items()}
    gone = {name: np.zeros(len(frame), dtype=np.bool_) for name, frame in frames.items()}
    groups = sorted(set[_Group]().union(*rows.values()))
    refused = [_of_no_group(given, frames, groups, gone)]
    for window, of_window in groupby(groups, key=itemgetter(0)):
        everybody = []
        for _, category in of_window:
            places = {name: found.get((window, category), _NOWHERE) for name, found in rows.items()}
            theirs = _refused(compute, frames, places, gone)
            refused.append(theirs.assign(window_start=window, category=category))
            everybody.append(places)
        places = {name: np.concatenate([own[name] for own in everybody]) for name in frames}
        for (name, row), reason in _refused_together(compute, frames, places, gone).items():
            category = frames[name]["category"].iloc[row]
            told = _told(frames, {(name, row): reason})
            refused.append(told.assign(window_start=window, category=category))
    return _without(frames, gone), _joined(refused)


def accepted_beside(
    rows: pd.DataFrame, others: pd.DataFrame, check: Callable[[pd.DataFrame], object], *, on: str
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Leave out what is impossible in a frame that belongs to no window and no category.

    Parameters
    ----------
    rows : DataFrame
        With ``window_start`` and ``category``: whose analysis it is.
    others : DataFrame
        What they are compared with.
    check : callable
        Raises `InvalidInputError` for what is impossible in `others`.
    on : str
        The column that says which of the rows are compared with which of the others.

    Returns
    -------
    tuple of DataFrame
        What is left of `others`; what is not, as `each_for_itself` says it, in every window and
        category whose rows it would have been compared with.
    """
    try:
        check(others)
    except InvalidInputError:
        check(others.iloc[:0])
    else:
        return others, _none()
    places = {"others": np.arange(len(others))}
    found, rest = _named(lambda seen: check(seen["others"]), {"others": others}, places)
    found |= _offenders(lambda seen: check(seen["others"]), {"others": others}, rest, ["others"])
    bad = [row for _, row in found]
    told = _told({"others": others}, found)
    told[on] = others[on].iloc[bad].to_numpy()
    missed = told.merge(rows[[*_KEYS, on]].drop_duplicates(), on=on)[_REFUSED]
    return others[~np.isin(places["others"], bad)].reset_index(drop=True), missed


def apart(
    compute: Callable[[pd.DatetimeIndex, Frames], pd.DataFrame],
    frames: Frames,
    *,
    ends: pd.DatetimeIndex,
    length: timedelta,
    reach: timedelta | Mapping[str, timedelta],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute all windows of several frames at once, or apart from each other if that is refused.

    A window that is refused is computed again without the rows for which a category is refused when
    it is computed alone.

    Parameters
    ----------
    compute : callable
        From ends of windows and the frames to results; raises `InvalidInputError` for what it
        cannot work on.
    frames : Mapping
        Rows belong to the category, chart, game or Twitch game that they name; rows without such a
        column belong to the videos they name.
    ends : DatetimeIndex
        Ends of the windows.
    length : timedelta
        Length of each.
    reach : timedelta or Mapping
        How far before its start a window looks, in every frame or by name: as far as the run of
        a single window reads, so that a range of windows gives what its windows give one by one.

    Returns
    -------
    tuple of DataFrame
        As `each_for_itself` returns them.
    """
    try:
        return compute(ends, frames), _none()
    except InvalidInputError:
        _refuse_nobody(partial(compute, ends), frames)
    reaches = reach if isinstance(reach, Mapping) else dict.fromkeys(frames, reach)
    parts = [compute(ends, {name: frame.iloc[:0] for name, frame in frames.items()})]
    refused = [_none()]
    owners = _owners(frames)
    for end in ends:
        window = pd.DatetimeIndex([end])
        seen = {
            name: _between(frame, end - length - reaches[name], end)
            for name, frame in frames.items()
        }
        known = {name: owner.reindex(seen[name].index) for name, owner in owners.items()}
        try:
            parts.append(compute(window, seen))
        except InvalidInputError:
            kept, theirs = _accepted_now(partial(compute, window), seen, known)
            parts.append(compute(window, kept))
            refused.append(theirs.assign(window_start=end - length))
    filled = [part for part in parts if len(part)]
    computed = pd.concat(filled, ignore_index=True) if filled else parts[0]
    return computed, _joined(refused)


def _keyed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the frame with keys that can be compared: what is no time or no text is missing."""
    if isinstance(frame["window_start"].dtype, pd.DatetimeTZDtype) and frame["category"].dtype == (
        "str"
    ):
        return frame
    keys = frame[_KEYS].reset_index(drop=True).astype("object")
    try:
        times(keys, "window_start", "", null=True)
    except InvalidInputError as error:
        keys.loc[list(error.rows), "window_start"] = None
    try:
        plain_texts(keys, "category", "")
    except InvalidInputError as error:
        keys.loc[list(error.rows), "category"] = None
    starts = timestamps(times(keys, "window_start", "", null=True))
    return frame.assign(window_start=starts, category=plain_texts(keys, "category", "").array)


def _of_no_group(
    given: Frames, frames: Frames, groups: list[_Group], gone: dict[str, npt.NDArray[np.bool_]]
) -> pd.DataFrame:
    """Mark the rows that have no window or no category, and return them in the last window."""
    lost = {name: frame[_KEYS].isna().any(axis=1).to_numpy() for name, frame in frames.items()}
    found = {
        (name, int(row)): "The row has no window_start or no category."
        for name, is_lost in lost.items()
        for row in np.flatnonzero(is_lost)
    }
    if not found:
        return _none()
    if not groups:
        raise InvalidInputError(
            "No row has both a window_start and a category.", fix="Pass rows that have."
        )
    for name, is_lost in lost.items():
        gone[name] |= is_lost
    lost_keys = [frames[name].loc[is_lost, _KEYS] for name, is_lost in lost.items()]
    keys = pd.concat(lost_keys, ignore_index=True).astype("object")
    # In the order of `found`, too.
    return _told(given, found).assign(
        window_start=keys["window_start"].where(keys["window_start"].notna(), groups[-1][0]),
        category=keys["category"].where(keys["category"].notna(), _NOBODY),
    )


def _accepted_now(
    compute: _Compute, seen: Frames, known: Mapping[str, "pd.Series[str]"]
) -> tuple[Frames, pd.DataFrame]:
    """Leave out the rows of one window that are refused."""
    gone = {name: np.zeros(len(frame), dtype=np.bool_) for name, frame in seen.items()}
    refused = [_none()]
    categories = sorted(set().union(*(owner.dropna() for owner in known.values())))
    for category in categories:
        # What went for another category's sake is gone.
        places = {
            name: rows[~gone[name][rows]] for name, rows in _of(seen, known, [category]).items()
        }
        refused.append(_refused(compute, seen, places, gone).assign(category=category))
    everybody = {name: np.arange(len(frame)) for name, frame in seen.items()}
    # Such as a game that is not tracked, beside all that others know.
    owned = _of(seen, known, categories)
    rest = {name: np.setdiff1d(rows, owned[name]) for name, rows in everybody.items()}
    refused.append(_refused(compute, seen, rest, gone).assign(category=_NOBODY))
    for at, reason in _refused_together(compute, seen, everybody, gone).items():
        name, row = at
        owner = known[name].fillna(_NOBODY) if name in known else None
        category = _NOBODY if owner is None else owner.iloc[row]
        refused.append(_told(seen, {at: reason}).assign(category=category))
    kept = {name: frame[~gone[name]] for name, frame in seen.items()}
    return kept, _joined(refused)


def _refuse_nobody(compute: _Compute, frames: Frames) -> None:
    """Raise what is wrong with no rows at all: it is wrong with nobody's in particular."""
    compute({name: frame.iloc[:0] for name, frame in frames.items()})


def _refused(
    compute: _Compute, frames: Frames, places: _Places, gone: dict[str, npt.NDArray[np.bool_]]
) -> pd.DataFrame:
    """Mark which of a category's rows must go, and return them with the reasons."""
    if _refusal(compute, frames, places) is None:
        return _none()
    found, rest = _named(compute, frames, places)
    is_named = _refusal(compute, frames, rest) is None
    if not is_named:
        # What rests on other rows is refused for their sake: that is asked from both sides, and the
        # answer believed that costs less.
        small_first = _small_first(frames, rest)
        searched = _offenders(compute, frames, rest, small_first)
        if len(small_first) > 1 and len(searched) > 1:
            other = _offenders(compute, frames, rest, small_first[::-1])
            searched = min(searched, other, key=len)
        found |= searched
    for name, row in found:
        gone[name][row] = True
    told = _told(frames, found)
    everything = sum(rows.size for rows in places.values())
    is_one = len(told) == everything and len({*told["reason"]}) == 1
    is_guess = not is_named and everything > _LISTED
    if is_one and (told["item_id"].isna().all() or is_guess):
        # Nameless rows that are all impossible in one way, or more than could be told apart: so is
        # the category.
        return told.head(1).assign(item_id=None, raw="")
    return told


def _refused_together(
    compute: _Compute, frames: Frames, places: _Places, gone: dict[str, npt.NDArray[np.bool_]]
) -> _Found:
    """Mark which rows must go that are refused only in the company of other categories' rows."""
    places = {name: rows[~gone[name][rows]] for name, rows in places.items()}
    if _refusal(compute, frames, places) is None:
        return {}
    found, rest = _named(compute, frames, places)
    if _refusal(compute, frames, rest) is not None:
        found |= _offenders(compute, frames, rest, _small_first(frames, rest))
    for name, row in found:
        gone[name][row] = True
    return found


def _small_first(frames: Frames, places: _Places) -> list[str]:
    """Return the frames that have rows; of two as small, the one that is declared later."""
    return sorted(
        (name for name in list(frames)[::-1] if places[name].size), key=lambda n: places[n].size
    )


def _told(frames: Frames, found: _Found) -> pd.DataFrame:
    said: dict[tuple[str, int], tuple[str | None, str]] = {}
    for name, frame in frames.items():
        rows = [row for of, row in found if of == name]
        held = frame.iloc[rows].astype("object").to_dict("records")
        said |= {
            (name, row): (_name_of(item), _written(name, item))
            for row, item in zip(rows, held, strict=True)
        }
    told = [(*said[at], _storable(reason)) for at, reason in found.items()]
    return pd.DataFrame(told, columns=["item_id", "raw", "reason"], dtype="object")


def _name_of(item: Mapping[Hashable, object]) -> str | None:
    names = (_plain(item.get(column)) for column in _NAMES)
    return next((_storable(str(name)) for name in names if name is not None), None)


def _refusal(compute: _Compute, frames: Frames, places: _Places) -> str | None:
    error = _error(compute, {name: frame.iloc[places[name]] for name, frame in frames.items()})
    return None if error is None else str(error)


def _error(compute: _Compute, frames: Frames) -> InvalidInputError | None:
    try:
        compute(frames)
    except InvalidInputError as error:
        return error
    return None


def _named(compute: _Compute, frames: Frames, places: _Places) -> tuple[_Found, _Places]:
    """Return the rows that the checks themselves name, and the places of all others.

    Rows are known again by labels that nothing else has. What is named must be refused for the same
    without any other row, too: else something else may be to blame for it.
    """
    order = list(frames)
    starts = _LABELS + np.cumsum([0, *(len(frames[name]) for name in order)])
    labelled = {
        name: frames[name].set_axis(pd.RangeIndex(starts[n], starts[n + 1]), axis=0)
        for n, name in enumerate(order)
    }

    def ask(some: _Places) -> tuple[InvalidInputError, _Places] | None:
        error = _error(compute, {name: labelled[name].iloc[some[name]] for name in order})
        if error is None:
            return None
        labels = [*error.rows, *error.rivals]
        if not all(isinstance(label, int) and starts[0] <= label < starts[-1] for label in labels):
            return error, dict.fromkeys(order, _NOWHERE)
        at = np.unique(np.array(labels, dtype=np.int64))
        ends = np.searchsorted(at, starts)
        return error, {name: at[ends[n] : ends[n + 1]] - starts[n] for n, name in enumerate(order)}

    found: _Found = {}
    outdone: _Found = {}
    rest = places
    for _ in range(_MOST_CHECKS):
        asked = ask(rest)
        if asked is None or not any(rows.size for rows in asked[1].values()):
            break
        error, accused = asked
        alone = ask(accused)
        if alone is None or not all(np.array_equal(accused[n], alone[1][n]) for n in order):
            break
        if error.rows:
            # Whom these rows outdid may be in their place.
            rest = _with(rest, outdone)
            outdone = {}
        for n, name in enumerate(order):
            start, rows = int(starts[n]), accused[name]
            doubled = _outdone(frames[name], rows, start, error)
            outdone |= {(name, row): str(error) for row in doubled.tolist()}
            bad = [row for row in rows.tolist() if start + row in error.rows]
            found |= {(name, row): error.rows[start + row] for row in bad}
            rest = rest | {name: np.setdiff1d(rest[name], [*bad, *doubled.tolist()])}
    return found | outdone, rest


def _with(places: _Places, found: _Found) -> _Places:
    """Return the places with those of the rows found."""
    added = {name: [row for of, row in found if of == name] for name in places}
    return {
        name: np.union1d(rows, np.array(added[name], dtype=np.int64))
        for name, rows in places.items()
    }


def _outdone(
    frame: pd.DataFrame, rows: npt.NDArray[np.int64], start: int, error: InvalidInputError
) -> npt.NDArray[np.int64]:
    """Return of the rows that only exclude each other all but one; what they hold says which."""
    rivals = rows[np.array([start + row in error.rivals for row in rows.tolist()], dtype=np.bool_)]
    ordered = rivals[np.argsort(row_hashes(frame.iloc[rivals]), kind="stable")]
    keys = pd.Series([error.rivals[start + row] for row in ordered.tolist()], dtype=object)
    return ordered[keys.duplicated().to_numpy()]


def _offenders(compute: _Compute, frames: Frames, places: _Places, names: list[str]) -> _Found:
    """Return the rows that must go, with the reasons; frames are believed in the order given."""
    # Rows come in any order: what they hold says which of two is believed.
    ordered = [
        rows[np.argsort(row_hashes(frames[name].iloc[rows]), kind="stable")]
        for name, rows in ((name, places[name]) for name in names)
    ]
    frame_of = np.repeat(np.arange(len(names)), [len(rows) for rows in ordered])
    row_of = np.concatenate(ordered)

    def refusal(items: npt.NDArray[np.int64]) -> str | None:
        chosen = {name: np.zeros(0, dtype=np.int64) for name in frames}
        for number, name in enumerate(names):
            chosen[name] = np.sort(row_of[items[frame_of[items] == number]])
        return _refusal(compute, frames, chosen)

    ends = np.cumsum([len(rows) for rows in ordered])
    found = offenders(refusal, *np.split(np.arange(row_of.size), ends[:-1]))
    return {(names[frame_of[n]], int(row_of[n])): reason for n, reason in found.items()}


def _written(name: str, item: Mapping[Hashable, object]) -> str:
    """Return what a row holds, and where it stood."""
    return json.dumps({"input": name, "row": _plain(item)}, ensure_ascii=True, sort_keys=True)


def _plain(value: object) -> object:
    """Return a value as JSON has it; what JSON has no number for is said in words."""
    if isinstance(value, Mapping):
        return {str(key): _plain(own) for key, own in value.items()}
    if isinstance(value, (list, tuple, np.ndarray)):
        return [_plain(own) for own in value]
    if isinstance(value, np.generic):
        value = value.item()
    if is_missing(value):
        return None
    if isinstance(value, datetime):
        return value.isoformat(timespec="microseconds").replace("+00:00", "Z")
    is_number = isinstance(value, (bool, int)) or (isinstance(value, float) and isfinite(value))
    return value if is_number else str(value)


def _storable(said: str) -> str:
    """Write out what no database keeps as text: halves of characters, and the zero."""
    return said.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")


def _none() -> pd.DataFrame:
    return pd.DataFrame(columns=_REFUSED, dtype=object)


def _joined(refused: list[pd.DataFrame]) -> pd.DataFrame:
    filled = [part for part in refused if len(part)]
    return pd.concat(filled, ignore_index=True) if filled else _none()


def _groups(frame: pd.DataFrame) -> dict[_Group, npt.NDArray[np.int64]]:
    """Return the places of the rows of each window and category."""
    places = pd.Series(np.arange(len(frame)), index=pd.MultiIndex.from_frame(frame[_KEYS]))
    found = places.groupby(level=_KEYS, observed=True)
    return {cast("_Group", key): rows.to_numpy(dtype=np.int64) for key, rows in found}


def _without(frames: Frames, gone: Mapping[str, npt.NDArray[np.bool_]]) -> Frames:
    return {name: frame[~gone[name]].reset_index(drop=True) for name, frame in frames.items()}


def _owners(frames: Frames) -> dict[str, "pd.Series[str]"]:
    """Return the category of each row; frames whose rows belong to none are left out."""
    games: dict[str, str] = {}
    for frame in frames.values():
        if "twitch_game_id" in frame:
            games |= dict(zip(frame["twitch_game_id"], frame["category"], strict=True))
    owners = {}
    for name, frame in frames.items():
        column = next((column for column in _CATEGORY_COLUMNS if column in frame), None)
        if column is not None:
            owner = frame[column].astype("str")
            owners[name] = owner.map(games) if column == "game_id" else owner
    return owners


def _between(frame: pd.DataFrame, start: pd.Timestamp, end: pd.Timestamp) -> pd.DataFrame:
    column = next((column for column in _TIME_COLUMNS if column in frame), None)
    return frame if column is None else frame[(frame[column] >= start) & (frame[column] < end)]


def _of(frames: Frames, owners: Mapping[str, "pd.Series[str]"], categories: list[str]) -> _Places:
    """Return the places of the categories' rows, and of those of the videos they name."""
    places = {
        name: np.flatnonzero(owner.isin(categories).to_numpy()) for name, owner in owners.items()
    }
    videos = [
        frames[name]["video_id"].iloc[rows]
        for name, rows in places.items()
        if "video_id" in frames[name]
    ]
    for name, frame in frames.items():
        if name in places:
            continue
        is_theirs = np.ones(len(frame), dtype=np.bool_)
        if "video_id" in frame and videos:
            is_theirs = frame["video_id"].isin(pd.concat(videos)).to_numpy()
        places[name] = np.flatnonzero(is_theirs)
    return places


def of_nobody(
    name: str, frame: pd.DataFrame, reasons: Mapping[int, str], window_start: datetime
) -> pd.DataFrame:
    """Return rows that belong to no category, by their places, as `each_for_itself` says them."""
    found = {(name, row): reason for row, reason in reasons.items()}
    if not found:
        return _none()
    told = _told({name: frame}, found)
    return told.assign(window_start=pd.Timestamp(window_start), category=_NOBODY)[_REFUSED]


def quarantined(refused: pd.DataFrame, dataset: str, length: timedelta) -> pd.DataFrame:
    """Return rows of operations.quarantine; the same refusal always has the same id."""
    if refused.empty:
        return refused
    raws = [
        json.dumps({"category": _storable(category)}, ensure_ascii=False)[:-1]
        + (f", {str(raw)[1:]}" if raw else "}")
        for category, raw in zip(refused["category"], refused["raw"], strict=True)
    ]
    ids = [
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset} {window} {raw}"))
        for window, raw in zip(refused["window_start"], raws, strict=True)
    ]
    rows = pd.DataFrame(
        {
            "occurred_at": refused["window_start"].to_numpy() + length,
            "quarantine_id": ids,
            "source": dataset,
            "item_id": refused["item_id"].fillna(refused["category"]).to_numpy(),
            "reason": refused["reason"].to_numpy(),
            "raw": raws,
            "fetch_id": None,
        }
    )
    return rows.drop_duplicates("quarantine_id")


def warn_of(context: dg.AssetExecutionContext, refused: pd.DataFrame) -> None:
    """Log what was refused, the first of it row by row."""
    for row in refused.head(_LOGGED).itertuples():
        whose = (row.category, row.item_id or "its own row", row.window_start)
        context.log.warning("%s (%s) in %s was refused: %s", *whose, row.reason)
    if len(refused) > _LOGGED:
        context.log.warning("And %d more: see operations.quarantine.", len(refused) - _LOGGED)
