"""Rankings of streams against the same numbers by numpy, with ties and with moments of the past."""

from datetime import timedelta
from typing import Any

import numpy as np

from tests.dbt_models.warehouse import Warehouse, at

NOW = at("2026-11-20 10:40")
NEWEST = at("2026-11-20 10:34")
GAMES = {"roblox": "1", "gta": "2"}


def _crawled(warehouse: Warehouse, viewers: dict[str, np.ndarray[Any, Any]]) -> None:
    """Store the crawls of each game, the oldest first; NaN is a stream that is not there."""
    rows = []
    for game, counts in viewers.items():
        for steps_ago, crawl in enumerate(counts[::-1]):
            crawl_at = NEWEST - timedelta(minutes=15 * steps_ago)
            rows += [
                {
                    "observed_at": crawl_at + timedelta(seconds=20),
                    "crawl_at": crawl_at,
                    "game_id": GAMES[game],
                    "stream_id": f"s{n:02d}",
                    "viewer_count": int(count),
                }
                for n, count in enumerate(crawl)
                if not np.isnan(count)
            ]
    warehouse.insert("collection.twitch_streams", *rows)


def _by_numpy(viewers: dict[str, np.ndarray[Any, Any]]) -> list[tuple[Any, ...]]:
    """Return category, stream, trend, audience, composite, peak; in the order of the places."""
    found = []
    for game, counts in viewers.items():
        now, hour = counts[-1], counts[-5:-1]
        for n in np.flatnonzero(~np.isnan(now)):
            before = hour[~np.isnan(hour[:, n]), n]
            growth = np.log((now[n] + 10) / (before.mean() + 10)) if before.size else np.nan
            trend = 100 / (1 + np.exp(-growth))
            audience = min(100.0, 100 * np.log1p(now[n]) / np.log(1_000_001))
            composite = 0.7 * audience + 0.3 * (50 if np.isnan(trend) else trend)
            peak = int(np.nanmax(counts[:, n]))
            found.append((game, f"s{n:02d}", trend, audience, composite, peak, int(now[n])))
    # Equal to the eye is equal: the two take logarithms their own way.
    return sorted(found, key=lambda row: (-round(row[4], 9), -row[6], row[1], row[0]))


def test_scores_and_places_are_those_of_numpy_and_ties_have_one_order(
    warehouse: Warehouse,
) -> None:
    rng = np.random.default_rng(11)
    viewers = {}
    for game in GAMES:
        counts = np.rint(rng.lognormal(5, 2, (8, 30)))
        counts[rng.random(counts.shape) < 0.2] = np.nan
        counts[:, :6] = 40.0  # alike in everything
        counts[-1, 6:9] = [0.0, 2_000_000.0, 3_000_000.0]  # nobody, and beyond the scale
        counts[:-1, 6:9] = np.nan
        viewers[game] = counts
    for game, twitch_game_id in GAMES.items():
        warehouse.categories(game, kind="game", twitch_game_id=twitch_game_id)
    _crawled(warehouse, viewers)
    judged = {"category": "gta", "crawl_at": NEWEST, "observed_at": NEWEST}
    warehouse.insert(
        "intelligence.viewer_anomalies",
        *(
            {**judged, "window_start": at("2026-11-20 10:30"), "stream_id": f"s0{n}",
             "direction": direction, "anomaly_score": score}
            for n, (direction, score) in enumerate(
                [("DROP", 60.0), ("USUAL", 40.0), ("UNKNOWN", None)]
            )
        ),
    )  # fmt: skip
    warehouse.publish("stream_rankings")

    asked = f"select * from marts.stream_rankings_as_of('{NOW + timedelta(minutes=20)}')"
    places = ("composite_score", "viewer_count")
    rows = sorted(
        warehouse.rows(asked),
        key=lambda row: (*(-row[name] for name in places), row["stream_id"], row["category_key"]),
    )

    expected = _by_numpy(viewers)
    assert [(row["category_key"], row["stream_id"]) for row in rows] == [
        row[:2] for row in expected
    ]
    for name, place in (("trend_score", 2), ("audience_score", 3), ("composite_score", 4)):
        found = np.array([np.nan if row[name] is None else row[name] for row in rows])
        np.testing.assert_allclose(found, [row[place] for row in expected], rtol=1e-12)
    assert [row["peak_viewer_count_24h"] for row in rows] == [row[5] for row in expected]
    for game in GAMES:
        mine = [row for row in rows if row["category_key"] == game]
        assert [row["composite_rank"] for row in mine] == list(range(1, len(mine) + 1))
        assert sorted(f"s0{n}" for n in range(6)) == [
            row["stream_id"] for row in mine if row["stream_id"] < "s06"
        ]
    anomalies = {
        row["stream_id"]: row["is_anomaly"] for row in rows if row["category_key"] == "gta"
    }
    assert [anomalies[f"s0{n}"] for n in range(4)] == [True, False, None, None]
    assert {row["lag_s"] for row in rows} == {26 * 60 - 20}

    # A window that was not over was not known yet; an earlier moment has its own newest crawl.
    [open_] = warehouse.rows(
        "select count(anomaly_direction) as judged, max(crawl_at) as crawl_at "
        f"from marts.stream_rankings_as_of('{NOW}')"
    )
    assert (open_["judged"], open_["crawl_at"]) == (0, NEWEST)
    [then] = warehouse.rows(
        "select max(crawl_at) as crawl_at, max(peak_viewer_count_24h) as peak "
        f"from marts.stream_rankings_as_of('{NEWEST}')"
    )
    assert then["crawl_at"] == NEWEST - timedelta(minutes=15)
    assert then["peak"] < 2_000_000
