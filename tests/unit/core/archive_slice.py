"""Frames of collection made of the archive that the project ships (see NOTICE), at its own dates.

Titles, counters, channels and times of YouTube are real rows; of Twitch there are the real shape of
a day, of a week and of an audience, from which streams are made without drawing anything.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import aurastream

DATA = Path(str(aurastream.__file__)).parent / "replay" / "data"
FIRST_DAY = pd.Timestamp("2026-02-01", tz="UTC")
DAYS = 14
GAMES = ("fortnite", "gta", "minecraft", "roblox")
CHARTS = {"gaming": 20, "music": 10}


def _moments(seconds: "pd.Series[int]") -> "pd.Series[pd.Timestamp]":
    return pd.to_datetime(seconds, unit="s", utc=True).astype("datetime64[us, UTC]")


@cache
def archive() -> dict[str, pd.DataFrame]:
    """Return the first days of the archive as the tables of collection have them."""
    about = pd.read_parquet(DATA / "videos.parquet")
    seen = pd.read_parquet(DATA / "observations.parquet")
    charts = pd.read_parquet(DATA / "charts.parquet")
    seen = seen.assign(observed_at=_moments(seen["at"]))
    seen = seen[seen["observed_at"] < FIRST_DAY + pd.Timedelta(days=DAYS)]
    seen = seen.assign(
        day=(seen["observed_at"] - FIRST_DAY) // pd.Timedelta(days=1),
        views=seen["views"].astype("Int64"),
        metadata_hash="v1",
        video_id=about["video_id"].to_numpy()[seen["video"]],
        title=about["title"].to_numpy()[seen["video"]],
        category_id=about["category_id"].to_numpy()[seen["video"]],
    )
    seen = seen.sort_values(["day", "video", "observed_at"], ignore_index=True)
    seen["crawl_at"] = seen.groupby("day")["observed_at"].transform("min")
    shown = charts.merge(
        seen.drop_duplicates(["day", "video"], keep="last"), on=["day", "video"], validate="m:1"
    )
    trending = pd.concat(
        [shown.assign(chart="trending")]
        + [shown[shown["category_id"] == n].assign(chart=name) for name, n in CHARTS.items()],
        ignore_index=True,
    )
    told = seen["title"].str.lower()
    games = pd.concat(
        [seen[told.str.contains(name)].assign(game=name) for name in GAMES], ignore_index=True
    )
    videos = about[about["video_id"].isin(seen["video_id"])].assign(
        metadata_hash="v1", first_observed_at=FIRST_DAY
    )
    videos["published_at"] = _moments(videos["published_at"])
    length = pd.to_timedelta(videos["duration"]).dt.total_seconds()
    videos["duration_s"] = length.astype("Int64")
    for column in ("default_language", "audio_language"):
        videos[column] = videos[column].replace("", None)
    videos["tags"] = videos["tags"].fillna("").str.split(", ")
    return {"trending": trending, "games": games, "videos": videos.reset_index(drop=True)}


def ends() -> pd.DatetimeIndex:
    """Return the ends of the windows: the hour after the last snapshot of each day."""
    seen = archive()["trending"]
    return pd.DatetimeIndex(
        seen.groupby("day")["observed_at"].max().dt.ceil("30min"), dtype="datetime64[us, UTC]"
    )


def audience(rows: int = 257) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Return mean viewers of real channels, largest first: the quantiles of all of them."""
    found = pd.read_parquet(DATA / "twitch_audience.parquet")["mean_viewers"].to_numpy()
    return np.sort(np.rint(found))[::-1][:rows].astype(np.float64)


def crawls_of_a_month(game: str = "g1", streams: float = 60.0) -> pd.DataFrame:
    """Return hourly totals of 29 days: the real shapes of day and week, growing a tenth a week."""
    day = pd.read_parquet(DATA / "twitch_day.parquet")
    week = pd.read_parquet(DATA / "twitch_week.parquet")["level"].to_numpy()
    at = pd.date_range(FIRST_DAY, periods=29 * 24, freq="h", unit="us") + pd.Timedelta(minutes=5)
    slot = np.asarray(at.hour * 12 + 1)
    level = week[np.asarray(at.day_of_week)] * 1.1 ** (np.arange(at.size) // (7 * 24))
    live = np.rint(streams * day["streams"].to_numpy()[slot] * level)
    viewers = np.rint(live * 40.0 * day["spectators"].to_numpy()[slot])
    return pd.DataFrame(
        {"crawl_at": at, "game_id": game, "live_count": live, "viewer_total": viewers}
    )


def streams_of_a_day(channels: int = 20) -> pd.DataFrame:
    """Return the crawls of a day: real audiences with the real shape of the day.

    Each channel streams for six hours from an hour of its own on and, after an hour, for three
    more. Four hours in, it has for a moment as many viewers as real channels have at their peak.
    """
    level = pd.read_parquet(DATA / "twitch_day.parquet")["spectators"].to_numpy()
    peak = pd.read_parquet(DATA / "twitch_audience.parquet")["peak_ratio"].to_numpy()[-channels:]
    viewers = audience(channels)
    number = np.arange(channels)[:, None]
    step = np.arange(96)[None, :]
    since = (step - 3 * number) % 96
    on = (since < 24) | ((since >= 28) & (since < 40))
    channel, crawl = np.nonzero(on)
    second = since[channel, crawl] >= 28
    raised = np.where(since[channel, crawl] == 16, peak[channel], 1.0)
    at = FIRST_DAY + pd.to_timedelta(15 * crawl + 4, unit="min")
    return pd.DataFrame(
        {
            "crawl_at": at,
            "observed_at": at + pd.Timedelta(seconds=20),
            "game_id": np.where(channel % 3 > 0, "g1", "g2"),
            "stream_id": [f"s{c}{'b' if b else 'a'}" for c, b in zip(channel, second, strict=True)],
            "user_id": [f"u{c}" for c in channel],
            "viewer_count": np.rint(viewers[channel] * level[crawl * 3] * raised),
        }
    )
