"""Archives of charts and counters, as anybody may bring them.

An archive is a folder with ``charts_*.parquet`` (one row per snapshot day, country and charting
video) and ``observations_*.parquet`` (one row per day and video, seen in any country).
"""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pandas as pd

from aurastream.core.errors import InvalidInputError

__all__ = ["Archive", "load_archive", "read_parts"]

_CHARTS: Final = (
    "snapshot_date", "country", "chart_rank", "video_id", "fetched_at", "published_at", "title",
    "channel_id", "channel_title", "category_id", "tags", "default_language", "audio_language",
    "is_live", "duration_s", "definition", "caption_available", "licensed_content", "views",
    "likes", "comments",
)  # fmt: skip
_OBSERVATIONS: Final = (
    "video_id", "snapshot_date", "fetched_at", "views", "likes", "comments", "n_countries_110",
    "best_rank",
)  # fmt: skip


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

    Raises
    ------
    InvalidInputError
        When files or columns are missing, or none of the countries is in the charts.
    """
    charts = _with_day(read_parts(folder, "charts_*.parquet", _CHARTS))
    observations = _with_day(read_parts(folder, "observations_*.parquet", _OBSERVATIONS))
    if charts.empty:
        raise InvalidInputError(f"The charts in {folder} are empty.", fix="Pass a fuller archive.")
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
    observations = observations.drop_duplicates(["day", "video_id"], ignore_index=True)
    return Archive(charts, observations, first, last)


def read_parts(folder: Path, pattern: str, columns: tuple[str, ...]) -> pd.DataFrame:
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
                f"{path.name} is no readable parquet file: {error}", fix="Fetch it again."
            ) from error
        missing = [name for name in columns if name not in part]
        if missing:
            raise InvalidInputError(
                f"{path.name} lacks {', '.join(missing)}.", fix="Pass an archive of this shape."
            )
        parts.append(part[list(columns)])
    return pd.concat(parts, ignore_index=True)


def _with_day(frame: pd.DataFrame) -> pd.DataFrame:
    days = pd.to_datetime(frame["snapshot_date"]).to_numpy("datetime64[D]").astype("int64")
    return frame.drop(columns="snapshot_date").assign(day=days)
