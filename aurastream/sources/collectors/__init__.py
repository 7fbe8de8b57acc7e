"""Collection: many calls to a platform, one result that can be stored as a whole.

A collector asks in parallel, survives the failure of any single call, and returns frames shaped
like their tables. It holds no SQL and reads no clock: all times are the platform's. It never
raises a platform's error: what happened is recorded in the result first, and the caller raises it
with `CrawlResult.raise_if_nothing_came` after it has stored the record.
"""

from aurastream.sources.collectors.clips import collect_clips
from aurastream.sources.collectors.games import collect_games
from aurastream.sources.collectors.result import CrawlResult, Previous
from aurastream.sources.collectors.streams import collect_streams
from aurastream.sources.collectors.trending import collect_trending

__all__ = [
    "CrawlResult",
    "Previous",
    "collect_clips",
    "collect_games",
    "collect_streams",
    "collect_trending",
]
