"""The archive slice in memory: videos, daily charts, observations, and what Twitch looks like.

The files lie in ``data/`` beside this module; the README there says where they come from and
under which licence. Times in here are archive times; `aurastream.replay.cycles` shifts them.
"""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from aurastream.replay.charts import Charts, build_charts
from aurastream.replay.series import COUNTERS, Series, build_series

__all__ = ["Archive", "TwitchShape", "load_archive", "load_twitch_shape"]

_DATA: Final = Path(__file__).resolve().parent / "data"


@dataclass(frozen=True, slots=True)
class Archive:
    """Everything known about the archived YouTube videos; lists run in video order.

    ``channel`` maps each video to its position in ``channel_ids`` and ``channel_titles``;
    ``region_of`` is the region a channel first charted in.
    """

    video_ids: list[str]
    titles: list[str]
    tags: list[tuple[str, ...]]
    categories: NDArray[np.int64]
    published: NDArray[np.int64]
    durations: list[str]
    default_languages: list[str | None]
    audio_languages: list[str | None]
    is_hd: list[bool]
    has_captions: list[bool]
    is_licensed: list[bool]
    channel: NDArray[np.int64]
    channel_ids: list[str]
    channel_titles: list[str]
    region_of: list[str]
    series: Series
    charts: Charts


@dataclass(frozen=True, slots=True)
class TwitchShape:
    """The measured shape of a Twitch audience.

    Parameters
    ----------
    streams, spectators : array of float64, shape (288,)
        Level of each five-minute slot of the local day; the mean is 1.
    weekdays : array of float64, shape (7,)
        Level of each weekday, Monday first; the mean is 1.
    quantiles, mean_viewers : array of float64
        Distribution of mean viewers over channels.
    game_shares : array of float64
        Share of broadcast time of the games by rank; the sum is 1.
    """

    streams: NDArray[np.float64]
    spectators: NDArray[np.float64]
    weekdays: NDArray[np.float64]
    quantiles: NDArray[np.float64]
    mean_viewers: NDArray[np.float64]
    game_shares: NDArray[np.float64]


def _columns(name: str) -> dict[str, Any]:
    # ParquetFile, not read_table: the latter pulls in the data-set machinery, a quarter second.
    with pq.ParquetFile(_DATA / f"{name}.parquet") as file:
        table = file.read(use_threads=False)
    return {column: table.column(column) for column in table.column_names}


def _numbers(column: Any, kind: Any = np.int64) -> NDArray[Any]:  # noqa: ANN401 # untyped library
    numbers: NDArray[Any] = column.to_numpy().astype(kind)
    return numbers


@lru_cache(maxsize=1)
def load_archive() -> Archive:
    """Read the slice once per process (about a quarter of a second)."""
    videos, charts, seen = _columns("videos"), _columns("charts"), _columns("observations")
    ids = videos["channel_id"].to_pylist()
    positions = {channel: place for place, channel in enumerate(dict.fromkeys(ids))}
    channel = np.array([positions[each] for each in ids], dtype=np.int64)
    titles = dict(zip(ids, videos["channel_title"].to_pylist(), strict=True))
    published = _numbers(videos["published_at"])

    regions = charts["region"].to_pylist()
    charted = _numbers(charts["video"])
    region_of: dict[int, str] = {}
    for region, video in zip(regions, charted.tolist(), strict=True):
        region_of.setdefault(int(channel[video]), region)
    return Archive(
        video_ids=videos["video_id"].to_pylist(),
        titles=videos["title"].to_pylist(),
        tags=[tuple(text.split(", ")) if text else () for text in videos["tags"].to_pylist()],
        categories=_numbers(videos["category_id"]),
        published=published,
        durations=videos["duration"].to_pylist(),
        default_languages=videos["default_language"].to_pylist(),
        audio_languages=videos["audio_language"].to_pylist(),
        is_hd=videos["is_hd"].to_pylist(),
        has_captions=videos["has_captions"].to_pylist(),
        is_licensed=videos["is_licensed"].to_pylist(),
        channel=channel,
        channel_ids=list(positions),
        channel_titles=[titles[each] for each in positions],
        region_of=[region_of[place] for place in range(len(positions))],
        series=build_series(
            published,
            _numbers(seen["video"]),
            _numbers(seen["at"]),
            np.stack([_numbers(seen[name], np.float64) for name in COUNTERS]),
        ),
        charts=build_charts(
            regions,
            _numbers(charts["day"]),
            _numbers(charts["fetched_at"]),
            charted,
            published,
        ),
    )


@lru_cache(maxsize=1)
def load_twitch_shape() -> TwitchShape:
    """Read the measured shape of Twitch once per process."""
    day, week = _columns("twitch_day"), _columns("twitch_week")
    audience, games = _columns("twitch_audience"), _columns("twitch_games")
    return TwitchShape(
        streams=_numbers(day["streams"], np.float64),
        spectators=_numbers(day["spectators"], np.float64),
        weekdays=_numbers(week["level"], np.float64),
        quantiles=_numbers(audience["quantile"], np.float64),
        mean_viewers=_numbers(audience["mean_viewers"], np.float64),
        game_shares=_numbers(games["share"], np.float64),
    )
