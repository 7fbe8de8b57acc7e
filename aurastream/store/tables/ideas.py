"""Video ideas and how hard each game is to enter, four-hour windows."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY

from aurastream.store.tables.declare import CATEGORY, FOUR_HOURS, Timestamp, column, partitioned

video_ideas = partitioned(
    "video_ideas",
    "intelligence",
    "window_start",
    column("window_start", Timestamp, "ops", FOUR_HOURS, key=True),
    column("category", sa.Text, "own", CATEGORY, key=True),
    column("rank", sa.Integer, "derived", "place by score, 1 is the best", key=True),
    column("idea_id", sa.Text, "derived", "same idea, same id, in every window"),
    column("topic", sa.Text, "derived", "what the video would be about"),
    column("format", sa.Text, "derived", "tutorial, reaction, challenge or news"),
    column("concept", sa.Text, "derived", "the idea in a line, from a template"),
    column("hook", sa.Text, "derived", "how it could begin, from a template"),
    column("idea_score", sa.Float, "derived", "0–100, higher is better"),
    column("demand_part", sa.Float, "derived", "viral score of its evidence, 0–100"),
    column("difficulty_score", sa.Float, "derived", "0–100, higher is harder"),
    column("difficulty_band", sa.Text, "derived", "EASY, MODERATE or HARD"),
    column("opportunity_part", sa.Float, "derived", "of the category, 0–100; 50 if unknown"),
    column("format_part", sa.Float, "derived", "share of the evidence in this format, 0–100"),
    column("confidence_pct", sa.Float, "derived", "0–100, higher is surer"),
    column("sample_part", sa.Float, "derived", "how many videos are the evidence, 0–100"),
    column("freshness_part", sa.Float, "derived", "how fresh they are, 0–100"),
    column("wording_part", sa.Float, "derived", "share whose titles tell a format, 0–100"),
    column("duration_bucket", sa.Text, "derived", "length that does best; '' if unknown"),
    column("tags", ARRAY(sa.Text), "derived", "tags of the evidence, best first"),
    column("evidence_count", sa.Integer, "derived", "videos that show the topic"),
    column("evidence_video_ids", ARRAY(sa.Text), "raw_meta", "the fastest of them, at most ten"),
    comment="What to make next in each category, with the evidence, as of the window's end.",
    identity=("category", "idea_id"),
    label="concept",
)
