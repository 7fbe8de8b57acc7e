"""What the hot documents about titles say: patterns, keywords, tags and topics of a category."""

import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any, Final

import pandas as pd

__all__ = ["title_bodies"]

Ask = Callable[[str], pd.DataFrame]

# The newest window of each category that was over at the moment described, at most a day old.
_LATEST: Final = """
WITH latest AS (
    SELECT category, max(window_start) AS window_start FROM intelligence.title_intel
    WHERE window_start <= %(as_of)s::timestamptz - interval '4 hours'
      AND window_start >= %(as_of)s::timestamptz - interval '28 hours'
    GROUP BY category
)
"""
_SPAN: Final = (
    "{t}.window_start <= %(as_of)s::timestamptz - interval '4 hours' "
    "AND {t}.window_start >= %(as_of)s::timestamptz - interval '28 hours'"
)

_PATTERNS: Final = f"""
{_LATEST}
SELECT t.category AS name, t.window_start, t.title_count, t.pattern, t.pattern_share, t.lift,
       t.ci_low, t.ci_high, t.q_value, t.verdict, w.observed_at
FROM latest
JOIN intelligence.title_intel t
  ON t.category = latest.category AND t.window_start = latest.window_start
 AND {_SPAN.format(t="t")}
LEFT JOIN LATERAL (
    SELECT max(observed_at) AS observed_at FROM intelligence.video_velocity v
    WHERE v.window_start = latest.window_start + interval '210 minutes'
      AND v.category = latest.category
) w ON true
ORDER BY t.category, t.q_value NULLS LAST, t.pattern
"""  # noqa: S608 # fragments of this module

_KEYWORDS: Final = f"""
{_LATEST}
SELECT k.category AS name, k.kind, k.term, k.score, k.video_count, k.trend
FROM latest
JOIN intelligence.keyword_scores k
  ON k.category = latest.category AND k.window_start = latest.window_start
 AND {_SPAN.format(t="k")} AND k.rank <= 20
ORDER BY k.category, k.kind, k.rank
"""  # noqa: S608 # fragments of this module

_TOPICS: Final = f"""
{_LATEST}
SELECT t.category AS name, t.topic, t.score, t.trend, t.video_count, t.evidence_video_ids
FROM latest
JOIN intelligence.topic_intel t
  ON t.category = latest.category AND t.window_start = latest.window_start
 AND {_SPAN.format(t="t")} AND t.rank <= 10
ORDER BY t.category, t.rank
"""  # noqa: S608 # fragments of this module


def title_bodies(ask: Ask) -> Iterator[tuple[str, dt.datetime, dict[str, Any]]]:
    """Yield name, time of observation and content of each category's document about titles.

    Parameters
    ----------
    ask : callable
        Runs a query about the moment to describe.
    """
    patterns = ask(_PATTERNS)
    if patterns.empty:
        return
    keywords, topics = ask(_KEYWORDS), ask(_TOPICS)
    for name, rows in patterns.groupby("name", sort=True):
        window_start = rows["window_start"].iloc[0]
        observed_at = rows["observed_at"].iloc[0]
        if pd.isna(observed_at):  # the scores of that half hour are gone
            observed_at = window_start
        said = keywords[keywords["name"] == name]
        yield (
            str(name),
            observed_at.to_pydatetime(),
            {
                "category": str(name),
                "window_start": window_start.to_pydatetime(),
                "title_count": int(rows["title_count"].iloc[0]),
                "patterns": _records(
                    rows.drop(columns=["name", "window_start", "title_count", "observed_at"])
                ),
                "keywords": _records(said[said["kind"] == "title"].drop(columns=["name", "kind"])),
                "tags": _records(said[said["kind"] == "tag"].drop(columns=["name", "kind"])),
                "topics": _records(topics[topics["name"] == name].drop(columns="name")),
            },
        )


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as plain values, what is not known as None."""
    plain = rows.astype(object)
    return list(plain.where(plain.notna(), None).to_dict("records"))  # type: ignore[arg-type] # keys are names
