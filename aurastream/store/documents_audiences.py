"""What the hot documents about formats say: lengths, and Shorts against long-form videos."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Final

import pandas as pd

__all__ = ["format_bodies"]

Ask = Callable[[str], pd.DataFrame]

# The newest window of each category that was over at the moment described, at most a day old.
# Every category with a video at a window's end has a row of Shorts, even if no length is known.
_LATEST: Final = """
WITH latest AS (
    SELECT category, max(window_start) AS window_start FROM intelligence.shorts_comparison
    WHERE window_start <= %(as_of)s::timestamptz - interval '4 hours'
      AND window_start >= %(as_of)s::timestamptz - interval '28 hours'
    GROUP BY category
)
"""
_SPAN: Final = (
    "{t}.window_start <= %(as_of)s::timestamptz - interval '4 hours' "
    "AND {t}.window_start >= %(as_of)s::timestamptz - interval '{past}'"
)

_SHORTS: Final = f"""
{_LATEST}
SELECT s.category AS name, s.window_start, s.regime, s.shorts_count, s.shorts_avg_views,
       s.longform_count, s.longform_avg_views, s.shorts_performance_ratio, s.crossing_count,
       s.unknown_count, s.shorts_rule_version, w.observed_at
FROM latest
JOIN intelligence.shorts_comparison s
  ON s.category = latest.category AND s.window_start = latest.window_start
 AND {_SPAN.format(t="s", past="28 hours")}
LEFT JOIN LATERAL (
    SELECT max(observed_at) AS observed_at FROM intelligence.video_velocity v
    WHERE v.window_start = latest.window_start + interval '210 minutes'
      AND v.category = latest.category
) w ON true
ORDER BY s.category, s.regime
"""  # noqa: S608 # fragments of this module

_LENGTHS: Final = f"""
{_LATEST}
SELECT f.category AS name, f.duration_bucket, f.video_count, f.avg_views, f.performance_index,
       f.is_optimal
FROM latest
JOIN intelligence.content_formats f
  ON f.category = latest.category AND f.window_start = latest.window_start
 AND {_SPAN.format(t="f", past="28 hours")}
ORDER BY f.category, array_position(
    array['<1 min', '1-3 min', '3-8 min', '8-15 min', '15-30 min', '>30 min'], f.duration_bucket)
"""  # noqa: S608 # fragments of this module

# Of the lengths that had five videos in half of a week's windows or more, the one with the highest
# mean index; a tie goes to the shorter.
_WEEK: Final = f"""
WITH windows AS (
    SELECT category, count(DISTINCT window_start) AS windows FROM intelligence.content_formats f
    WHERE {_SPAN.format(t="f", past="172 hours")} GROUP BY category
),
lengths AS (
    SELECT category, duration_bucket, avg(performance_index) AS index, count(*) AS windows
    FROM intelligence.content_formats f
    WHERE {_SPAN.format(t="f", past="172 hours")}
      AND views_known_count >= 5 AND performance_index IS NOT NULL
    GROUP BY category, duration_bucket
)
SELECT DISTINCT ON (l.category) l.category AS name, l.duration_bucket
FROM lengths l JOIN windows w USING (category)
WHERE 2 * l.windows >= w.windows
ORDER BY l.category, l.index DESC, array_position(
    array['<1 min', '1-3 min', '3-8 min', '8-15 min', '15-30 min', '>30 min'], l.duration_bucket)
"""  # noqa: S608 # fragments of this module


def format_bodies(ask: Ask) -> Iterator[tuple[str, dt.datetime, dict[str, Any]]]:
    """Yield name, time of observation and content of each category's document about formats.

    Parameters
    ----------
    ask : callable
        Runs a query about the moment to describe.
    """
    shorts = ask(_SHORTS)
    if shorts.empty:
        return
    lengths, week = ask(_LENGTHS), ask(_WEEK)
    best_of_week = dict(zip(week["name"], week["duration_bucket"], strict=True))
    for name, rows in shorts.groupby("name", sort=True):
        window_start = rows["window_start"].iloc[0]
        observed_at = rows["observed_at"].iloc[0]
        if pd.isna(observed_at):  # the scores of that half hour are gone
            observed_at = window_start
        own = lengths[lengths["name"] == name]
        optimal = own.loc[own["is_optimal"], "duration_bucket"]
        yield (
            str(name),
            observed_at.to_pydatetime(),
            {
                "category": str(name),
                "window_start": window_start.to_pydatetime(),
                "optimal_length": None if optimal.empty else str(optimal.iloc[0]),
                "optimal_length_of_week": best_of_week.get(name),
                "lengths": _records(own.drop(columns=["name", "is_optimal"])),
                "shorts": _records(rows.drop(columns=["name", "window_start", "observed_at"])),
            },
        )


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as plain values, what is not known as None."""
    plain = rows.astype(object)
    return list(plain.where(plain.notna(), None).to_dict("records"))  # type: ignore[arg-type] # keys are names
