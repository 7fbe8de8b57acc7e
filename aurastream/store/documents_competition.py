"""What the hot documents about competition say: the last score, or what a later crawl makes of it.

Games are scored every half hour and their documents are good for a quarter of one, so that what
was crawled since then is measured for the document as its window will measure it, by the same
function from the same record; a complete crawl stands against a part for an hour as of the document
instead of the window's end. The record itself gets its row when the window is scored.
"""

import datetime as dt
import logging
from collections.abc import Iterator
from typing import Final

import pandas as pd

from aurastream.core.competition import HISTORY, CompetitionParams, competition
from aurastream.core.errors import InvalidInputError
from aurastream.store.frames import FrameStore
from aurastream.store.readings import stream_totals, tracked_categories

__all__ = ["competition_rows"]

_log = logging.getLogger(__name__)
_WINDOW: Final = CompetitionParams().window

_SCORED: Final = """
SELECT DISTINCT ON (category) * FROM intelligence.competition
WHERE window_start < %(as_of)s AND window_start >= %(as_of)s - interval '24 hours'
ORDER BY category, window_start DESC
"""
# The crawl that counts: the last complete one of the last hour, and else the last one. A complete
# crawl that got nothing says that nobody streams.
_CRAWLED: Final = """
SELECT DISTINCT ON (category) category, crawl_at, is_complete
FROM operations.crawls
WHERE dataset = 'collection/twitch_streams' AND (got > 0 OR is_complete)
  AND crawl_at < %(as_of)s AND crawl_at >= %(end)s - interval '24 hours'
ORDER BY category, (is_complete AND crawl_at >= %(as_of)s - interval '1 hour') DESC, crawl_at DESC
"""
_COLUMNS: Final = ("crawl_at", "observed_at", "game_id", "stream_id", "viewer_count")
# A crawl's last rows are observed a little after its start.
_LONGEST_CRAWL: Final = dt.timedelta(hours=1)


def competition_rows(store: FrameStore, as_of: dt.datetime) -> pd.DataFrame:
    """Return the competition of every game as it was known at a moment.

    Parameters
    ----------
    store : FrameStore
        The record.
    as_of : datetime
        Aware; what came later is not used, what is older than a day neither.

    Returns
    -------
    DataFrame
        Shaped like ``intelligence.competition``, one row per game that was scored or crawled.
    """
    scored = store.query(_SCORED, {"as_of": as_of})
    end = pd.Timestamp(as_of).tz_convert(dt.UTC).ceil(_WINDOW)
    crawled = store.query(_CRAWLED, {"as_of": as_of, "end": end.to_pydatetime()})
    known = crawled.merge(scored[["category", "observed_at"]], on="category", how="left")
    later = known[known["observed_at"].isna() | (known["crawl_at"] > known["observed_at"])]
    if later.empty:
        return scored
    measured = list(_measured(store, as_of, end, later))
    names = {row["category"].iloc[0] for row in measured}
    kept = scored[~scored["category"].isin(names)]
    parts = [part for part in (kept, *measured) if len(part)]
    return pd.concat(parts, ignore_index=True) if parts else scored


def _measured(
    store: FrameStore, as_of: dt.datetime, end: pd.Timestamp, later: pd.DataFrame
) -> Iterator[pd.DataFrame]:
    """Measure each of these games by its crawl; one that cannot be measured costs itself."""
    games = tracked_categories(store, "game")
    games = games[games["category"].isin(later["category"]) & games["twitch_game_id"].notna()]
    history = stream_totals(store, (end - 2 * _WINDOW - HISTORY).to_pydatetime(), as_of)
    streams = store.read(
        "collection.twitch_streams",
        columns=list(_COLUMNS),
        start=later["crawl_at"].min().to_pydatetime(),
        end=as_of + _LONGEST_CRAWL,
        where={
            "crawl_at": [at.to_pydatetime() for at in later["crawl_at"].unique()],
            "game_id": games["twitch_game_id"].tolist(),
        },
    )
    for place in range(len(games)):
        game = games.iloc[[place]]
        number, category = game["twitch_game_id"].iloc[0], game["category"].iloc[0]
        # Games are crawled at once, and of this one that crawl may have got only a part.
        at = later.loc[later["category"] == category, "crawl_at"].iloc[0]
        try:
            yield competition(
                streams[(streams["game_id"] == number) & (streams["crawl_at"] == at)],
                history[history["game_id"] == number],
                as_of=pd.DatetimeIndex([end]),
                games=game,
                partial_crawls=later[~later["is_complete"]],
            )
        except InvalidInputError as error:
            _log.warning("%s keeps its last score: %s", category, error)
