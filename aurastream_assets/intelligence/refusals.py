"""One category's bad data never stops the others: it is left out, and quarantined with reasons."""

import uuid
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Final

import pandas as pd

from aurastream.core.errors import InvalidInputError

__all__ = ["Frames", "apart", "each_for_itself", "quarantined", "without"]

Frames = Mapping[str, pd.DataFrame]
"""The inputs of a computation by the names of its parameters."""

_KEYS: Final = ["window_start", "category"]
# How raw snapshots name the category, and the time that decides which window may see a row.
_CATEGORY_COLUMNS: Final = ("category", "chart", "game", "game_id")
_TIME_COLUMNS: Final = ("window_start", "crawl_at", "observed_at")


def each_for_itself(
    frame: pd.DataFrame, compute: Callable[[pd.DataFrame], pd.DataFrame]
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute everything at once, or window by window and category by category if that is refused.

    Parameters
    ----------
    frame : DataFrame
        With ``window_start`` and ``category``.
    compute : callable
        From such rows to results; raises `InvalidInputError` for what it cannot work on.

    Returns
    -------
    tuple of DataFrame
        The results of all that was not refused; ``window_start``, ``category`` and ``reason`` of
        what was.
    """
    refused: list[tuple[object, ...]] = []
    try:
        computed = compute(frame)
    except InvalidInputError:
        parts = [compute(frame.iloc[:0])]
        for key, rows in frame.groupby(_KEYS, sort=True, observed=True):
            try:
                parts.append(compute(rows.reset_index(drop=True)))
            except InvalidInputError as error:
                refused.append((*key, str(error)))
        filled = [part for part in parts if len(part)]
        computed = pd.concat(filled, ignore_index=True) if filled else parts[0]
    return computed, pd.DataFrame(refused, columns=[*_KEYS, "reason"])


def apart(
    compute: Callable[[pd.DatetimeIndex, Frames], pd.DataFrame],
    frames: Frames,
    *,
    ends: pd.DatetimeIndex,
    length: timedelta,
    reach: timedelta | Mapping[str, timedelta],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Compute all windows of several frames at once, or apart from each other if that is refused.

    A window that is refused is computed again without the categories that are refused when they
    are computed alone; what is left is what a run without their rows would have given.

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
        The results of all that was not refused; ``window_start``, ``category`` and ``reason`` of
        what was.
    """
    refused: list[tuple[object, ...]] = []
    try:
        return compute(ends, frames), pd.DataFrame(refused, columns=[*_KEYS, "reason"])
    except InvalidInputError:
        # What is wrong with no rows at all is wrong with nobody's in particular.
        parts = [compute(ends, {name: frame.iloc[:0] for name, frame in frames.items()})]
    reaches = reach if isinstance(reach, Mapping) else dict.fromkeys(frames, reach)
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
            kept = []
            for category in sorted(set().union(*(owner.dropna() for owner in known.values()))):
                try:
                    compute(window, _of(seen, known, [category]))
                    kept.append(category)
                except InvalidInputError as error:
                    refused.append((end - length, category, str(error)))
            parts.append(compute(window, _of(seen, known, kept)))
    filled = [part for part in parts if len(part)]
    computed = pd.concat(filled, ignore_index=True) if filled else parts[0]
    return computed, pd.DataFrame(refused, columns=[*_KEYS, "reason"])


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


def _of(frames: Frames, owners: Mapping[str, "pd.Series[str]"], categories: list[str]) -> Frames:
    """Return the rows of the categories, and of the videos that are left."""
    kept = {name: frames[name][owner.isin(categories)] for name, owner in owners.items()}
    videos = [frame["video_id"] for frame in kept.values() if "video_id" in frame]
    for name in frames.keys() - kept.keys():
        frame = frames[name]
        if "video_id" in frame and videos:
            frame = frame[frame["video_id"].isin(pd.concat(videos))]
        kept[name] = frame
    return kept


def without(sources: pd.DataFrame, refused: pd.DataFrame) -> pd.DataFrame:
    """Leave out the categories of refused windows, and of those that would take from them."""
    if refused.empty:
        return sources
    gone = pd.MultiIndex.from_frame(refused[_KEYS])
    return sources[~pd.MultiIndex.from_frame(sources[["source_window", "category"]]).isin(gone)]


def quarantined(refused: pd.DataFrame, dataset: str, length: timedelta) -> pd.DataFrame:
    """Return rows of operations.quarantine; the same refusal always has the same id."""
    if refused.empty:
        return refused
    ids = [
        str(uuid.uuid5(uuid.NAMESPACE_URL, f"{dataset} {row.category} {row.window_start}"))
        for row in refused.itertuples()
    ]
    rows = pd.DataFrame(
        {
            "occurred_at": refused["window_start"].to_numpy() + length,
            "quarantine_id": ids,
            "source": dataset,
            "item_id": refused["category"].to_numpy(),
            "reason": refused["reason"].to_numpy(),
            "raw": "",
            "fetch_id": None,
        }
    )
    return rows.drop_duplicates("quarantine_id")
