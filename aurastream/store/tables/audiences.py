"""Formats, languages, regions and releases, four-hour windows."""

import sqlalchemy as sa

from aurastream.store.tables.declare import CATEGORY, FOUR_HOURS, Timestamp, column, partitioned

content_formats = partitioned(
    "content_formats",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("duration_bucket", sa.Text, "derived", "length, for example 3-8 min", key=True),
    column("video_count", sa.Integer, "derived", "videos of this length"),
    column("views_known_count", sa.Integer, "derived", "those whose views are known"),
    column("avg_views", sa.Float, "derived", "their mean views", null=True),
    column(
        "performance_index",
        sa.Float,
        "derived",
        "mean views / mean views of the category; 1 is usual, higher is better",
        null=True,
    ),
    column("is_optimal", sa.Boolean, "derived", "best index among lengths with enough videos"),
    comment="Which length of video does best in each category, as known at the window's end.",
)
