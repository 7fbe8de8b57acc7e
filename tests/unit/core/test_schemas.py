"""The frames the algorithms return are the tables of the record, column by column."""

import pandas as pd
import pytest
import sqlalchemy as sa

from aurastream.core.anomalies import VIEWER_ANOMALY_SCHEMA, viewer_anomalies
from aurastream.core.category_stats import STATS_SCHEMA, category_stats
from aurastream.core.clip_velocity import (
    CLIP_ACTIVITY_SCHEMA,
    CLIP_HOURS_SCHEMA,
    CLIP_SCHEMA,
    clip_activity,
    clip_hours,
    clip_velocity,
)
from aurastream.core.competition import COMPETITION_SCHEMA, competition
from aurastream.core.formats import FORMAT_BUCKETS_SCHEMA, FORMAT_COMPARISON_SCHEMA
from aurastream.core.hour_of_week import HOUR_OF_WEEK_SCHEMA, hour_of_week_map
from aurastream.core.languages import LANGUAGE_MIX_SCHEMA, REGIONAL_SCHEMA
from aurastream.core.lead_lag import LEAD_LAG_SCHEMA, clip_video_lead_lag
from aurastream.core.momentum import MOMENTUM_SCHEMA, momentum
from aurastream.core.opportunity import OPPORTUNITY_SCHEMA, opportunity
from aurastream.core.premieres import PREMIERE_SCHEMA
from aurastream.core.publishing_times import PUBLISHING_TIMES_SCHEMA
from aurastream.core.velocity import VELOCITY_SCHEMA, video_velocity
from aurastream.core.viral import VIRAL_SCHEMA, viral_scores
from aurastream.store.tables import table_for

SCHEMAS = {
    "video_velocity": VELOCITY_SCHEMA,
    "category_stats": STATS_SCHEMA,
    "viral_scores": VIRAL_SCHEMA,
    "competition": COMPETITION_SCHEMA,
    "opportunity": OPPORTUNITY_SCHEMA,
    "content_formats": FORMAT_BUCKETS_SCHEMA,
    "shorts_comparison": FORMAT_COMPARISON_SCHEMA,
    "language_mix": LANGUAGE_MIX_SCHEMA,
    "regional_intel": REGIONAL_SCHEMA,
    "premiere_intel": PREMIERE_SCHEMA,
    "publishing_times": PUBLISHING_TIMES_SCHEMA,
    "clip_intel": CLIP_SCHEMA,
    "clip_activity": CLIP_ACTIVITY_SCHEMA,
    "clip_hours": CLIP_HOURS_SCHEMA,
    "clip_video_lead_lag": LEAD_LAG_SCHEMA,
    "hour_of_week_map": HOUR_OF_WEEK_SCHEMA,
    "momentum": MOMENTUM_SCHEMA,
    "viewer_anomalies": VIEWER_ANOMALY_SCHEMA,
}

KINDS: list[tuple[type[sa.types.TypeEngine[object]], tuple[str, str]]] = [
    (sa.SmallInteger, ("int16", "Int16")),
    (sa.BigInteger, ("int64", "Int64")),
    (sa.Integer, ("int32", "Int32")),
    (sa.Float, ("float64", "float64")),
    (sa.Boolean, ("bool", "boolean")),
    (sa.TIMESTAMP, ("datetime64[us, UTC]", "datetime64[us, UTC]")),
    (sa.Text, ("str", "str")),
]


@pytest.mark.parametrize("name", sorted(SCHEMAS))
def test_columns_types_and_order_are_those_of_the_table(name: str) -> None:
    expected = {
        column.name: next(dtype for kind, dtype in KINDS if isinstance(column.type, kind))[
            bool(column.nullable)
        ]
        for column in table_for(("intelligence", name)).columns
    }
    assert dict(SCHEMAS[name]) == expected
    assert list(SCHEMAS[name]) == list(expected)


def test_no_input_at_all_gives_empty_frames_of_the_right_shape() -> None:
    nothing = pd.DataFrame()
    as_of = pd.DatetimeIndex(["2026-01-10T10:30Z"])
    found = {
        "video_velocity": video_velocity(nothing, nothing, nothing, as_of=as_of),
        "category_stats": category_stats(nothing, default_baselines={}),
        "viral_scores": viral_scores(nothing, nothing),
        "competition": competition(nothing, nothing, as_of=as_of, games=nothing),
        "opportunity": opportunity(nothing, nothing, nothing),
        "clip_intel": clip_velocity(nothing, as_of=as_of, games=nothing),
        "clip_activity": clip_activity(nothing),
        "clip_hours": clip_hours(nothing, nothing, as_of=as_of),
        "clip_video_lead_lag": clip_video_lead_lag(nothing, nothing, as_of=as_of),
        "hour_of_week_map": hour_of_week_map(nothing, as_of=as_of, games=nothing),
        "momentum": momentum(nothing, nothing, nothing, as_of=as_of),
        "viewer_anomalies": viewer_anomalies(nothing, as_of=as_of, games=nothing),
    }
    for name, frame in found.items():
        assert frame.empty
        assert {c: str(t) for c, t in frame.dtypes.items()} == dict(SCHEMAS[name])
