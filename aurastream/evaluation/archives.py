"""Archives of charts and counters, as anybody may bring them.

An archive is a folder with ``charts_*.parquet`` (one row per snapshot day, country and charting
video) and ``observations_*.parquet`` (one row per day and video, seen in any country). What an
archive must have and what it may lack is said in `load_archive`; everything else in it is ignored.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.core.errors import InvalidInputError

__all__ = [
    "Archive",
    "load_archive",
    "load_charts",
    "nothing_to_learn",
    "observations_of",
    "of_frames",
    "possible_rows",
    "read_parts",
    "reason_of",
]

_TEXT: Final = "text"
_NUMBER: Final = "number"
_TIME: Final = "time"
_FLAG: Final = "flag"
_CODE: Final = "whole number"
_MOST: Final = 2**53  # beyond, floats leave out whole numbers
_SET: Final = ("true", "1", "1.0", "t", "yes")

_CHARTS: Final = {
    "snapshot_date": _TEXT, "country": _TEXT, "chart_rank": _NUMBER, "video_id": _TEXT,
    "fetched_at": _TIME, "published_at": _TIME, "title": _TEXT, "channel_id": _TEXT,
    "channel_title": _TEXT, "category_id": _CODE, "tags": _TEXT, "default_language": _TEXT,
    "audio_language": _TEXT, "is_live": _FLAG, "duration_s": _NUMBER, "definition": _TEXT,
    "caption_available": _FLAG, "licensed_content": _FLAG, "views": _NUMBER, "likes": _NUMBER,
    "comments": _NUMBER,
}  # fmt: skip
_OBSERVATIONS: Final = {
    "video_id": _TEXT, "snapshot_date": _TEXT, "fetched_at": _TIME, "views": _NUMBER,
    "likes": _NUMBER, "comments": _NUMBER, "n_countries_110": _NUMBER, "best_rank": _NUMBER,
}  # fmt: skip
_REQUIRED: Final = (
    "snapshot_date", "country", "chart_rank", "video_id", "fetched_at", "published_at",
    "channel_id", "category_id", "duration_s", "views",
)  # fmt: skip
"""What a chart row must know to be counted; all else may be missing in it."""
_LEAST: Final = {"chart_rank": 1, "best_rank": 1}
"""The least number there can be of each column: 0, but of these."""
_REQUIRED_OBSERVATIONS: Final = ("video_id", "snapshot_date", "fetched_at", "views")


@dataclass(frozen=True, slots=True)
class Archive:
    """Chart rows of the user's own countries, and counters pooled over all of them.

    Both frames carry ``day``, the snapshot's day as days since 1970. ``first_day`` and
    ``last_day`` span the collection, before any choice of countries.
    """

    charts: pd.DataFrame
    observations: pd.DataFrame
    first_day: int
    last_day: int


def load_archive(folder: Path, countries: Collection[str] = ()) -> Archive:
    """Read an archive, of some countries only or of all it has.

    Every column has to be there. A chart row without day, country, rank, video, times, channel,
    category, duration or views cannot be judged and is left out, and so is an observation without
    video, day, time or views; a row that comes twice counts once. Countries are compared without
    white space around them and in capitals.

    Raises
    ------
    InvalidInputError
        When files or columns are missing, a column holds something else than its name says or a
        number that there cannot be, no row is left, or one of the countries is not in the charts.
    """
    archive = load_charts(folder, countries)
    observations = read_parts(folder, "observations_*.parquet", tuple(_OBSERVATIONS))
    seen = observations_of(observations, name=str(folder))
    return Archive(archive.charts, seen, archive.first_day, archive.last_day)


def load_charts(folder: Path, countries: Collection[str] = ()) -> Archive:
    """Read the charts of an archive alone; its observations stay empty.

    Raises
    ------
    InvalidInputError
        As `load_archive`.
    """
    charts = read_parts(folder, "charts_*.parquet", tuple(_CHARTS))
    return of_frames(charts, None, countries=countries, name=str(folder))


def of_frames(
    charts: pd.DataFrame,
    observations: pd.DataFrame | None,
    *,
    countries: Collection[str] = (),
    name: str = "the record",
) -> Archive:
    """Make an archive of frames of its shape.

    Raises
    ------
    InvalidInputError
        When a column holds something else than its name says or a number that there cannot be, no
        row is left, or one of the countries is not in the charts.
    """
    charts = _typed(charts, _CHARTS, _REQUIRED, f"The charts in {name}")
    first, last = int(charts["day"].min()), int(charts["day"].max())
    if countries:
        known = sorted(charts["country"].unique())
        missing = sorted(set(countries) - set(known))
        if missing:
            raise InvalidInputError(
                f"The archive has no charts of {', '.join(missing)}.",
                fix=f"Choose among {', '.join(known)}.",
            )
        charts = charts[charts["country"].isin(countries)]
    charts = charts.drop_duplicates(["day", "country", "video_id"], ignore_index=True)
    if observations is None:
        seen = pd.DataFrame(columns=[*_OBSERVATIONS, "day"])
    else:
        seen = observations_of(observations, name=name)
    return Archive(charts, seen, first, last)


def observations_of(frame: pd.DataFrame, *, name: str = "the record") -> pd.DataFrame:
    """Give a frame of observations its types and ``day``.

    Raises
    ------
    InvalidInputError
        When a column holds something else than its name says or a number that there cannot be, or
        no row is left.
    """
    seen = _typed(frame, _OBSERVATIONS, _REQUIRED_OBSERVATIONS, f"The observations in {name}")
    return seen.drop_duplicates(["day", "video_id"], ignore_index=True)


def possible_rows(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[int, str]]:
    """Part a frame of charts or observations from the rows that `of_frames` would refuse it for.

    Parameters
    ----------
    frame : pandas.DataFrame
        Rows of the record, whose columns have the types of the database.

    Returns
    -------
    tuple
        The rows without an impossible number, and why each of the others was left out, by its
        place in ``frame``.

    Examples
    --------
    >>> kept, reasons = possible_rows(pd.DataFrame({"views": [5, -1, None]}))
    >>> kept["views"].tolist(), reasons
    ([5.0, nan], {1: 'There cannot be a views of -1.'})
    >>> possible_rows(pd.DataFrame({"views": []}))[1]
    {}
    """
    reasons: dict[int, str] = {}
    for name, kind in (_CHARTS | _OBSERVATIONS).items():
        if kind == _NUMBER and name in frame:
            for row in _impossible(frame[name]).tolist():
                reasons.setdefault(row, f"There cannot be a {name} of {frame[name].iloc[row]:g}.")
    is_possible = np.ones(len(frame), dtype=np.bool_)
    is_possible[list(reasons)] = False
    return frame[is_possible].reset_index(drop=True), dict(sorted(reasons.items()))


def reason_of(error: Exception) -> str:
    r"""Return what a library says is wrong, without its advice on its own functions.

    Examples
    --------
    >>> reason_of(ValueError("no date, at position 3. You might want to try:\n - format=..."))
    'no date, at position 3.'
    >>> reason_of(ValueError())
    'ValueError'
    """
    said = str(error).partition("You might want")[0].partition("\n")[0].strip()
    return said or type(error).__name__


def nothing_to_learn(unit: str) -> InvalidInputError:
    """Return the error of two archives so alike that nothing may be learned from.

    Examples
    --------
    >>> print(nothing_to_learn("video").message)
    Every video to learn from is also judged, and what is judged may not be learned from.
    """
    return InvalidInputError(
        f"Every {unit} to learn from is also judged, and what is judged may not be learned from.",
        fix="Pass another archive with --train, or omit --test: then one archive is split.",
    )


def read_parts(folder: Path, pattern: str, columns: Collection[str]) -> pd.DataFrame:
    """Read every parquet file of a folder that matches, and check the columns.

    Raises
    ------
    InvalidInputError
        When no file matches, one cannot be read, or a column is missing.
    """
    paths = sorted(folder.glob(pattern))
    if not paths:
        raise InvalidInputError(
            f"No {pattern} in {folder}.", fix="Pass the folder that holds the archive's files."
        )
    parts = []
    for path in paths:
        try:
            part = pd.read_parquet(path)
        except (OSError, ValueError) as error:
            raise InvalidInputError(
                f"{path.name} is no readable parquet file: {reason_of(error)}",
                fix="Fetch it again.",
            ) from error
        missing = [name for name in columns if name not in part]
        if missing:
            raise InvalidInputError(
                f"{path.name} lacks {', '.join(missing)}.", fix="Pass an archive of this shape."
            )
        parts.append(part[list(columns)])
    return pd.concat(parts, ignore_index=True)


def _typed(
    frame: pd.DataFrame, kinds: Mapping[str, str], required: Collection[str], name: str
) -> pd.DataFrame:
    """Give every column its type, add the day, and leave out rows that cannot be judged."""
    found = pd.DataFrame(
        {column: _column(frame[column], kind, name) for column, kind in kinds.items()}
    )
    for column, kind in kinds.items():
        if kind == _NUMBER:
            _check_possible(found[column], found["video_id"], name)
    if "country" in kinds:
        # As --countries are written: white space of any script around a name is no part of it.
        found["country"] = found["country"].map(lambda of: of.strip().upper(), na_action="ignore")
    found = found.dropna(subset=list(required))
    found = found[found["video_id"] != ""]
    if found.empty:
        raise InvalidInputError(f"{name} are empty.", fix="Pass a fuller archive.")
    try:
        days = pd.to_datetime(found["snapshot_date"], format="ISO8601")
    except ValueError as error:
        raise InvalidInputError(
            f"{name} have a snapshot_date that is no date: {reason_of(error)}",
            fix="Write it as 2026-01-31.",
        ) from error
    day = days.to_numpy("datetime64[D]").astype("int64")
    whole = [column for column in ("chart_rank", "duration_s", "views") if column in kinds]
    return (
        found.drop(columns="snapshot_date")
        .assign(day=day, **{column: found[column].astype("int64") for column in whole})
        .reset_index(drop=True)
    )


def _check_possible(values: pd.Series, videos: pd.Series, name: str) -> None:
    """Refuse the first number that there cannot be, of those that are not missing.

    Raises
    ------
    InvalidInputError
        When a number is infinite, too small or too large.
    """
    wrong = _impossible(values)
    if wrong.size:
        row = int(wrong[0])
        raise InvalidInputError(
            f"{name} have a {values.name} that there cannot be: {values.iloc[row]:g} in row "
            f"{row + 1}, of video {videos.iloc[row]}; rows like it: {wrong.size}.",
            fix=f"Correct it to a number from {_LEAST.get(str(values.name), 0)} up, or leave it "
            "empty.",
        )


def _impossible(values: pd.Series) -> npt.NDArray[np.intp]:
    known = values.to_numpy(dtype="float64", na_value=np.nan)
    return np.flatnonzero((known < _LEAST.get(str(values.name), 0)) | (known > _MOST))


def _column(values: pd.Series, kind: str, name: str) -> pd.Series:
    try:
        if kind == _NUMBER:
            return pd.to_numeric(values).astype("float64")
        if kind == _CODE:
            return _codes(pd.to_numeric(values))
        if kind == _TIME:
            return pd.to_datetime(values, utc=True).dt.as_unit("us")
    except (TypeError, ValueError, OverflowError) as error:
        raise InvalidInputError(
            f"{name} have a {values.name} that is no {kind}: {reason_of(error)}",
            fix="Pass an archive of this shape.",
        ) from error
    text = values.astype("str")
    # A flag may come as a boolean, as 0 and 1, or as text; one that is missing is not set.
    return text.str.lower().isin(_SET) if kind == _FLAG else text


def _codes(values: pd.Series) -> pd.Series:
    """Write whole numbers as text.

    Raises
    ------
    ValueError
        When one is beyond what a whole number can hold.
    """
    wrong = np.flatnonzero(np.abs(values.astype("float64").to_numpy()) > _MOST)
    if wrong.size:
        row = int(wrong[0])
        raise ValueError(f"{values.iloc[row]:g} in row {row + 1}.")
    return values.astype("Int64").astype("str")
