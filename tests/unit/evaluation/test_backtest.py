"""Earlier predictions, judged by hand."""

import numpy as np
import pandas as pd
import pytest

from aurastream.evaluation.backtest import backtest, looked_at_again

FIRST = pd.Timestamp("2026-01-01T12:00Z")


def predictions(day: int, *, size: int = 20, game: str | None = None) -> pd.DataFrame:
    """Predict that the last two of a day's videos take off."""
    return pd.DataFrame(
        {
            "day": day,
            "video_id": [f"{game}-{day}-{i}" for i in range(size)],
            "category_id": 20,
            "game": game,
            "views": 1000,
            "velocity_share": np.linspace(0, 1, size),
            "is_velocity_called": np.linspace(0, 1, size) >= 0.9,
            "points": np.nan,
            "is_points_called": pd.array([pd.NA] * size, dtype="boolean"),
            "probability": np.linspace(0, 1, size),
            "is_model_called": pd.array(np.linspace(0, 1, size) >= 0.9, dtype="boolean"),
        }
    )


def counters(rows: pd.DataFrame, *, after: int, gains: dict[int, int]) -> pd.DataFrame:
    parts = []
    for ago, growth in ((0, {}), (after, gains)):
        numbers = [int(name.split("-")[-1]) for name in rows["video_id"]]
        parts.append(
            pd.DataFrame(
                {
                    "video_id": rows["video_id"],
                    "day": rows["day"] + ago,
                    "fetched_at": FIRST + pd.to_timedelta(rows["day"] + ago, unit="D"),
                    "views": [1000 + growth.get(number, 0) for number in numbers],
                    "n_countries_110": 1,
                }
            )
        )
    return pd.concat(parts, ignore_index=True)


def test_calls_that_came_true_and_those_that_did_not() -> None:
    rows = predictions(10)
    seen = counters(rows, after=1, gains={19: 9000, 3: 8000})
    found = backtest(rows, seen, last_day=11).set_index(["method", "horizon_days", "category"])
    model = found.loc[("model", 1, "all")]
    assert (model["video_count"], model["called_count"], model["hit_count"]) == (20, 2, 2)
    assert (model["precision"], model["recall"], model["f1"]) == (0.5, 0.5, 0.5)
    assert (model["first_day"], model["newest_day"]) == (10, 10)
    assert model["mean_probability"] == pytest.approx(0.5)
    assert set(found.index.get_level_values("method")) == {"model", "velocity"}
    assert np.isnan(found.loc[("velocity", 1, "all"), "brier_skill"])


def test_what_happens_after_the_last_day_or_the_horizon_does_not_count() -> None:
    rows = predictions(10)
    seen = counters(rows, after=2, gains={19: 10**6})
    assert looked_at_again(rows, seen, last_day=11, horizon=1)["is_hit"].sum() == 0
    later = looked_at_again(rows, seen, last_day=17, horizon=7)
    assert later.loc[later["is_hit"], "video_id"].tolist() == ["None-10-19"]
    beyond = counters(rows, after=8, gains={19: 10**6})
    assert looked_at_again(rows, beyond, last_day=17, horizon=7)["is_hit"].sum() == 0


def test_games_stand_apart_and_add_up() -> None:
    rows = pd.concat(
        [predictions(10, game="gta"), predictions(10), predictions(9, game="roblox")],
        ignore_index=True,
    )
    seen = counters(rows, after=1, gains={19: 9000, 18: 8000})
    found = backtest(rows, seen, last_day=11)
    model = found[(found["method"] == "model") & (found["horizon_days"] == 1)]
    counts = model.set_index("category")["video_count"].to_dict()
    assert counts == {"all": 60, "gta": 20, "other": 20, "roblox": 20}


def test_a_prediction_too_old_or_too_young_is_not_looked_at() -> None:
    rows = pd.concat([predictions(day) for day in (1, 5, 10)], ignore_index=True)
    seen = counters(rows, after=1, gains={})
    assert set(looked_at_again(rows, seen, last_day=10, horizon=1)["day"]) == {5}
    assert looked_at_again(rows, seen, last_day=10, horizon=7)["day"].tolist() == [1] * 20
    assert backtest(rows, seen, last_day=30).empty


def test_nothing_that_took_off_leaves_recall_unknown() -> None:
    rows = predictions(10)
    found = backtest(rows, counters(rows, after=1, gains={}), last_day=11)
    found = found[found["category"] == "all"].set_index("method")
    assert found.loc["model", "hit_count"] == 0
    assert found.loc["model", "precision"] == 0.0
    assert np.isnan(found.loc["model", "recall"])
    assert np.isnan(found.loc["model", "brier_skill"])


def test_a_day_on_which_nothing_was_collected_says_nothing_of_the_day_before() -> None:
    rows = pd.concat([predictions(day) for day in (9, 10)], ignore_index=True)
    seen = counters(rows, after=1, gains={19: 9000, 18: 8000})
    seen = seen[seen["day"] <= 10]  # day 11 failed: of day 9 alone is known what came of it

    found = looked_at_again(rows, seen, last_day=11, horizon=1)

    assert set(found["day"]) == {9}
    judged = backtest(rows, seen, last_day=11).set_index(["method", "horizon_days", "category"])
    model = judged.loc[("model", 1, "all")]
    assert (model["video_count"], model["newest_day"]) == (20, 9)
    assert (model["precision"], model["recall"]) == (1.0, 1.0)
    # Settled by the other days of its week.
    again = counters(predictions(10), after=3, gains={19: 9000})
    week = looked_at_again(predictions(10), again, last_day=17, horizon=7)
    assert week.loc[week["is_hit"], "video_id"].tolist() == ["None-10-19"]


def test_of_a_video_that_two_days_predicted_what_was_said_first_counts() -> None:
    early = predictions(10)
    late = early.assign(day=11, is_model_called=~early["is_model_called"], probability=0.5)
    other = predictions(11, game="other")
    seen = counters(pd.concat([early, other]), after=1, gains={19: 9000, 18: 9000})
    expected = backtest(pd.concat([early, other]), seen, last_day=12)

    found = backtest(pd.concat([late, other, early]), seen, last_day=12)

    pd.testing.assert_frame_equal(found, expected)
