"""Tables that other crawls write along with their own: known to the graph, not launched by it.

Whoever keeps a crawl logs their materialization in the transaction's wake
(`resources.crawl_keeping`), so that lineage and freshness are those of the crawl that brought them.
"""

from typing import Final

import dagster as dg

from aurastream_assets.keys import asset_key

__all__ = ["youtube_channels", "youtube_videos"]

_IO: Final = {"dagster/io_manager_key": "frame_io"}
_KINDS: Final = {"youtube", "postgres"}

youtube_videos: Final = dg.AssetSpec(
    asset_key("collection", "youtube_videos"),
    deps=[asset_key("collection", "youtube_trending"), asset_key("collection", "youtube_games")],
    description=(
        "Metadata versions of every video seen: a row is added whenever anything but a counter "
        "changed. Written by the crawls of charts and games."
    ),
    metadata=_IO,
    kinds=_KINDS,
)

youtube_channels: Final = dg.AssetSpec(
    asset_key("collection", "youtube_channels"),
    deps=[asset_key("collection", "youtube_games")],
    description=(
        "Counters of the channels behind the tracked games' videos, once a day. Written by the "
        "daily reconciliation of the games."
    ),
    metadata=_IO,
    kinds=_KINDS,
)
