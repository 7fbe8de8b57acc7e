"""What the families are made of, each part for itself over real rows, to be held golden."""

import dataclasses
import hashlib
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from aurastream.core import channel_outliers, keywords
from aurastream.core.allowance import allowance
from aurastream.core.anomaly_strategies import DEFAULT_STRATEGIES, merge_strategies
from aurastream.core.competition import as_known_before, competition, peak_hours
from aurastream.core.formats import duration_buckets, regimes
from aurastream.core.hashes import STATISTICS, content_hash
from aurastream.core.heat_maps import Cell, heat_map
from aurastream.core.languages import (
    language_diversity,
    language_mix,
    market_share,
    twitch_language_items,
    video_languages,
)
from aurastream.core.offenders import offenders
from aurastream.core.percentile import percentile_score
from aurastream.core.pictures import Bar, Box, Interval, Part, bars, boxes, intervals, short_number
from aurastream.core.premieres import on_time_share
from aurastream.core.publishing_times import trailing
from aurastream.core.quota import (
    cost_table,
    next_reset,
    quota_date,
    quota_day,
    quota_statuses,
    rate_statuses,
)
from aurastream.core.releases import release_kinds
from aurastream.core.robust import iqr_fence, linear_percentiles, remove_outliers, z_score
from aurastream.core.thumbnails_layout import field_at
from aurastream.core.thumbnails_similarity import hash_distance
from aurastream.core.title_features import hook_matches
from aurastream.core.trend import trend_classes
from aurastream.core.unchanged import carried, fingerprints, with_sources
from aurastream.core.velocity import counted_since
from aurastream.core.week_maps import Week, weeks_of_cells
from tests.unit.core.archive_slice import ends
from tests.unit.core.families import GAMES, Frames

_QUANTILES = (0.25, 0.5, 0.75, 0.9)
_BLUE = "#4c78a8"


def _statistics(f: Frames) -> pd.DataFrame:
    """Return each chart's velocities with what their own order and spread say of them."""
    rows = f["velocity"].sort_values(["window_start", "category", "video_id"])
    found = []
    for _, group in rows.groupby(["window_start", "category"]):
        values = group["lifetime_velocity_per_hour"].to_numpy(dtype="float64", na_value=np.nan)
        known = values[~np.isnan(values)]
        low, middle, high, top = linear_percentiles(known, _QUANTILES)
        fence_low, fence_high = iqr_fence(known)
        kept = remove_outliers(known)
        found.append(
            group[["window_start", "category", "video_id"]].assign(
                p50=middle,
                fence_low=fence_low,
                fence_high=fence_high,
                kept=kept.size,
                z_score=z_score(values, kept.mean(), kept.std()),
                score=percentile_score(values, low, middle, high, top),
                trend=trend_classes(values, low, high, top, np.full(values.size, known.size)),
            )
        )
    return pd.concat(found, ignore_index=True)


def _videos(f: Frames) -> pd.DataFrame:
    """Return what is read out of each video alone."""
    rows = f["versions"].sort_values("video_id", ignore_index=True)
    asked = rows.assign(observed_at=rows["published_at"] + pd.Timedelta(hours=5))
    return pd.DataFrame(
        {
            "video_id": rows["video_id"],
            "bucket": pd.array(duration_buckets(rows["duration_s"]), dtype="str"),
            "regime": pd.array(regimes(rows["published_at"]), dtype="str"),
            "language": pd.array(
                video_languages(rows["audio_language"], rows["default_language"]), dtype="str"
            ),
            "kind": pd.array(release_kinds(rows), dtype="str"),
            "counted_since": counted_since(asked),
            **{f"hook {name}": has for name, has in hook_matches(rows["title"]).items()},
        }
    )


def _languages(f: Frames) -> pd.DataFrame:
    """Return how varied each chart's languages are, and each language's share of it."""
    found = f["mix"].sort_values(["window_start", "category", "language"], ignore_index=True)
    by = found.groupby(["window_start", "category"])["item_count"]
    return found[["window_start", "category", "language"]].assign(
        diversity=by.transform(language_diversity), share=by.transform(market_share)
    )


def _broadcast_languages(f: Frames) -> pd.DataFrame:
    """Return the mix of languages of a day; as nobody recorded any, the streams take turns."""
    streams = f["broadcasts"]
    turns = np.array(["en", "es-MX", "zh-hk", "asl", None])[np.arange(len(streams)) % 5]
    first = streams["crawl_at"].min().ceil("2h")
    asked = pd.date_range(first, periods=6, freq="2h")
    items = twitch_language_items(streams.assign(language=turns), as_of=asked, games=GAMES)
    return language_mix(items)


def _peaks(f: Frames) -> pd.DataFrame:
    starts = pd.DatetimeIndex(f["history"]["crawl_at"].drop_duplicates().sort_values())
    return pd.DataFrame(
        {
            "at": starts,
            **{zone: peak_hours(starts, zone) for zone in GAMES["audience_timezone"]},
        }
    )


def _known_before(f: Frames) -> pd.DataFrame:
    """Return the last day's competition, scored again from the half of its crawls that is left."""
    last = f["history"]["crawl_at"].max().ceil("30min")
    asked = pd.date_range(end=last, periods=8, freq="3h")
    left = f["history"][f["history"]["crawl_at"] >= last - timedelta(hours=12)]
    before, after = (
        competition(f["streams"], crawls, as_of=asked, games=GAMES)
        for crawls in (f["history"], left)
    )
    return as_known_before(after, before)


def _punctuality(f: Frames) -> pd.DataFrame:
    rows = f["releases"]
    by = rows.groupby(["window_start", "category"], sort=True)["delay_min"]
    return by.agg(on_time_share).rename("on_time_share").reset_index()


def _repeated(f: Frames) -> pd.DataFrame:
    rows = f["releases"][["window_start", "category", "video_id"]]
    found = trailing(rows, as_of=ends(), window=timedelta(minutes=30), span=timedelta(days=2))
    return found.groupby(["window_start", "category"]).size().rename("rows").reset_index()


def _contents(f: Frames) -> pd.DataFrame:
    rows = f["trending"].assign(concurrent_viewers=None)
    return pd.DataFrame(
        [
            {"chart": chart, "day": day, "hash": content_hash(group, STATISTICS)}
            for (chart, day), group in rows.groupby(["chart", "day"])
        ]
    )


def _taken_over(f: Frames) -> pd.DataFrame:
    """Return the size of each chart, counted only where the chart had changed."""
    rows = f["trending"].rename(columns={"crawl_at": "window_start", "chart": "category"})
    # The members alone, which stay the same now and then.
    members = rows[["window_start", "category", "video_id"]]
    again = members.assign(window_start=members["window_start"] + pd.Timedelta(hours=4))
    both = pd.concat([members, again], ignore_index=True)
    sources = with_sources(fingerprints(both))
    size = both.groupby(["window_start", "category"]).size().rename("videos").reset_index()
    wanted = sources[["source_window", "category"]].drop_duplicates()
    computed = size.merge(wanted.rename(columns={"source_window": "window_start"}))
    return carried(computed, sources)


def _quota(f: Frames) -> pd.DataFrame:
    """Return where the buckets stand after each day on which every page of a chart was a unit."""
    pages = f["trending"].groupby(["crawl_at", "chart"]).size().floordiv(50).add(1)
    usage = pages.rename("units").reset_index().rename(columns={"crawl_at": "at"})
    usage["bucket"] = "youtube.default"
    calls = usage.assign(bucket="twitch.helix")
    found = []
    for at in pd.DatetimeIndex(usage["at"].unique()).sort_values():
        as_of = (at + pd.Timedelta(hours=1)).to_pydatetime()
        table = cost_table("granular_2026", as_of)
        [rate] = rate_statuses(table, calls, as_of)
        start, end = quota_day(quota_date(as_of))
        for status in quota_statuses(table, usage, as_of):
            share = allowance(status, as_of, fixed_units=24, fixed_every=timedelta(minutes=30))
            found.append(
                {
                    **dataclasses.asdict(status),
                    "start": pd.Timestamp(start),
                    "end": pd.Timestamp(end),
                    "next_reset": pd.Timestamp(next_reset(as_of)),
                    "units": share.units,
                    "stretch": share.stretch,
                    "busiest_minute": rate.busiest_minute,
                }
            )
    return pd.DataFrame(found).drop(columns=["quota_date", "exhausts_at", "own_limit"])


def _usable(f: Frames) -> pd.DataFrame:
    """Return what is left of real rows of which every seventh cannot be."""
    # To find them it asks thousands of times: of three hundred rows as of all that there are.
    spoilt = f["joined"].iloc[::4].reset_index(drop=True)
    broken = spoilt.index % 7 == 0
    views = spoilt["lifetime_velocity_per_hour"].astype("float64").mask(broken, -1.0)
    rows = spoilt.assign(lifetime_velocity_per_hour=views)
    found = []
    for name, usable in (
        ("keywords", keywords.usable_rows),
        ("channel_outliers", channel_outliers.usable_rows),
    ):
        left = _left(rows, usable)
        found.append({"family": name, "given": len(rows), "left": len(left)})
    return pd.DataFrame(found)


def _left(rows: pd.DataFrame, usable: Callable[[pd.DataFrame], pd.DataFrame]) -> pd.DataFrame:
    def refusal(places: np.ndarray) -> str | None:
        try:
            usable(rows.iloc[places])
        except Exception as error:  # noqa: BLE001 # whatever it refuses with
            return str(error)
        return None

    bad = offenders(refusal, np.arange(len(rows), dtype=np.int64))
    return usable(rows.drop(index=rows.index[sorted(bad)]))


def _fields(f: Frames) -> pd.DataFrame:
    """Return by how many bits the looks of neighbouring thumbnails differ, and a place in each."""
    rows = f["thumbnails"].sort_values("video_id", ignore_index=True)
    hashes = rows["perceptual_hash"].tolist()
    places = np.linspace(0.0, 1.0, len(rows))
    return pd.DataFrame(
        {
            "video_id": rows["video_id"],
            "bits": [
                hash_distance(one, other)
                for one, other in zip(hashes, [*hashes[1:], hashes[0]], strict=True)
            ],
            "field": pd.array(
                [field_at(x, y) for x, y in zip(places, places[::-1] ** 2, strict=True)],
                dtype="str",
            ),
        }
    )


def _pictures(f: Frames) -> pd.DataFrame:
    """Return the pictures of real figures, each by its size and its hash."""
    stats = f["stats"].sort_values(["window_start", "category"]).head(8)
    figures = stats.rename(columns=lambda name: name.removeprefix("velocity_"))
    rows = list(figures[figures["p25"] > 0].itertuples(index=False))
    drawn = {
        "bars": bars([Bar(r.category, [Part(r.p50, _BLUE)]) for r in rows], title="Median"),
        "boxes": boxes(
            [Box(r.category, r.p25, r.p25, r.p50, r.p75, r.p90, _BLUE) for r in rows],
            title="Spread",
        ),
        "intervals": intervals(
            [Interval(r.category, r.p25 / r.p90, r.p50 / r.p90, 1.0, _BLUE) for r in rows],
            title="Lift",
        ),
        "heat_map": heat_map(
            [(r.category, [Cell(1.0), None]) for r in rows], ["a", "b"], title="Hours"
        ),
        "weeks": weeks_of_cells(
            [
                Week(r.category, np.linspace(r.p25, r.p90, 168), np.arange(168) % 24 == 0)
                for r in rows
            ],
            title="Weeks",
        ),
        "numbers": " ".join(short_number(r.p50) for r in rows),
    }
    return _told(drawn)


def _told(drawn: dict[str, str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "picture": name,
                "characters": len(text),
                "sha256": hashlib.sha256(text.encode()).hexdigest(),
            }
            for name, text in drawn.items()
        ]
    )


def _strategies(_: Frames) -> pd.DataFrame:
    changed: Sequence[Any] = merge_strategies(
        DEFAULT_STRATEGIES, [{"name": DEFAULT_STRATEGIES[0].name, "enabled": False}]
    )
    rows = pd.DataFrame([dataclasses.asdict(setting) for setting in changed])
    return rows.assign(lookback=rows["lookback"].dt.total_seconds())


PARTS: dict[str, Callable[[Frames], pd.DataFrame]] = {
    "part_statistics": _statistics,
    "part_videos": _videos,
    "part_languages": _languages,
    "part_broadcast_languages": _broadcast_languages,
    "part_peaks": _peaks,
    "part_known_before": _known_before,
    "part_punctuality": _punctuality,
    "part_repeated": _repeated,
    "part_contents": _contents,
    "part_taken_over": _taken_over,
    "part_quota": _quota,
    "part_usable": _usable,
    "part_fields": _fields,
    "part_pictures": _pictures,
    "part_strategies": _strategies,
}
