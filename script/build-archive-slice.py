#!/usr/bin/env python3
"""Cut the slice of the archives that the replay server ships with.

    .venv/bin/python script/build-archive-slice.py ARCHIVES [--out aurastream/replay/data]

ARCHIVES is a folder with ``youtube_trending/`` and ``twitch_series/`` as their publishers left
them (see aurastream/replay/data/README.md for origin and licence). Only the parts that are MIT
or CC0 are read. The result is reproducible: the same archives give the same rows.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

FIRST_DAY = pd.Timestamp("2026-02-01")
DAYS = 70  # whole weeks, so that every replayed day keeps its weekday
SLOTS = 288  # five-minute slots of a day
QUANTILES = 257


def main() -> int:
    """Write the six parquet files and print their sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("archives", type=Path)
    parser.add_argument("--out", type=Path, default=Path("aurastream/replay/data"))
    options = parser.parse_args()
    frames = {
        **_youtube(options.archives / "youtube_trending"),
        **_twitch(options.archives / "twitch_series"),
    }
    options.out.mkdir(parents=True, exist_ok=True)
    for name, frame in frames.items():
        path = options.out / f"{name}.parquet"
        frame.to_parquet(path, compression="zstd", compression_level=19, index=False)
        sys.stdout.write(f"{path}  {len(frame):>7} rows  {path.stat().st_size:>9} bytes\n")
    return 0


def _youtube(folder: Path) -> dict[str, pd.DataFrame]:
    charts = pd.read_parquet(next(folder.glob("charts_8c_*.parquet")))
    observed = pd.read_parquet(next(folder.glob("observations_8c_*.parquet")))
    day = (pd.to_datetime(charts["snapshot_date"]) - FIRST_DAY).dt.days
    charts = charts.assign(day=day)[(day >= 0) & (day < DAYS)]

    first = charts.sort_values(["fetched_at", "country"]).drop_duplicates("video_id")
    # Neighbours of one channel share their tags, which is what makes the file small.
    first = first.sort_values(["channel_id", "published_at", "video_id"]).reset_index(drop=True)
    videos = pd.DataFrame(
        {
            "video_id": first["video_id"],
            "channel_id": first["channel_id"],
            "channel_title": first["channel_title"],
            "title": first["title"],
            "tags": first["tags"].replace("", None),
            "category_id": first["category_id"].astype("int8"),
            "published_at": _seconds(first["published_at"]),
            "duration": first["duration_iso8601"],
            "default_language": first["default_language"].replace("", None),
            "audio_language": first["audio_language"].replace("", None),
            "is_hd": first["definition"] == "hd",
            "has_captions": first["caption_available"],
            "is_licensed": first["licensed_content"],
        }
    )
    index = pd.Series(videos.index.astype("int32"), index=videos["video_id"])
    ranks = pd.DataFrame(
        {
            "region": charts["country"],
            "day": charts["day"].astype("int16"),
            "fetched_at": _seconds(charts["fetched_at"]),
            "rank": charts["chart_rank"].astype("int8"),
            "video": charts["video_id"].map(index).astype("int32"),
        }
    ).sort_values(["region", "day", "rank"])
    observed = observed[observed["video_id"].isin(index.index)]
    counters = pd.DataFrame(
        {
            "video": observed["video_id"].map(index).astype("int32"),
            "at": _seconds(observed["fetched_at"]),
            "views": observed["views"],
            # The publisher wrote 0 where the API left the field out.
            "likes": observed["likes"].where(observed["likes"] > 0).astype("Int64"),
            "comments": observed["comments"].where(observed["comments"] > 0).astype("Int64"),
        }
    ).sort_values(["video", "at"])
    return {"videos": videos, "charts": ranks, "observations": counters}


def _seconds(stamps: pd.Series) -> pd.Series:
    return (stamps - pd.Timestamp(0, tz="UTC")) // pd.Timedelta(seconds=1)


def _twitch(folder: Path) -> dict[str, pd.DataFrame]:
    series = pd.read_csv(
        folder / "italian_twitch_5min_2022-05_part1.csv.gz", parse_dates=["ts"]
    ).set_index("ts")
    slot = (series.index.hour * 60 + series.index.minute) // 5
    curve = series.groupby(slot).median().reindex(range(SLOTS)).interpolate()
    curve = curve.bfill().ffill()
    # The collector missed broadcasts now and then; an hour's circular mean takes that out.
    smooth = pd.concat([curve, curve, curve]).rolling(25, center=True).mean().iloc[SLOTS:-SLOTS]
    smooth = smooth.reset_index(drop=True)
    diurnal = pd.DataFrame(
        {
            "slot": np.arange(SLOTS, dtype="int16"),
            "streams": smooth["streams_online"] / smooth["streams_online"].mean(),
            "spectators": smooth["spectators_online"] / smooth["spectators_online"].mean(),
        }
    )
    expected = smooth["spectators_online"].to_numpy()[slot]
    ratio = pd.Series(series["spectators_online"].to_numpy() / expected)
    by_day = ratio.groupby(series.index.day_of_week).median()
    weekly = pd.DataFrame(
        {"weekday": np.arange(7, dtype="int8"), "level": (by_day / by_day.mean()).to_numpy()}
    )

    streamers = pd.read_csv(folder / "italian_Streamer_dataset.csv.gz")
    streamers = streamers[streamers["viewerMean"] > 0]
    at = np.linspace(0, 1, QUANTILES)
    audience = pd.DataFrame(
        {
            "quantile": at,
            "mean_viewers": streamers["viewerMean"].quantile(at).to_numpy(),
            "peak_ratio": (streamers["viewerPeak"] / streamers["viewerMean"])
            .clip(1, 6)
            .quantile(at)
            .to_numpy(),
        }
    )
    minutes = pd.read_csv(folder / "italian_Streamer-Games_dataset.csv.gz")
    shares = minutes.groupby("ID_game")["minutes"].sum().sort_values(ascending=False)
    shares = shares.iloc[:80] / shares.iloc[:80].sum()
    games = pd.DataFrame({"rank": np.arange(1, 81, dtype="int16"), "share": shares.to_numpy()})
    return {
        "twitch_day": diurnal,
        "twitch_week": weekly,
        "twitch_audience": audience,
        "twitch_games": games,
    }


if __name__ == "__main__":
    raise SystemExit(main())
