"""Whether the model, its predictions and what is said of them can be believed."""

from typing import Final

import dagster as dg

from aurastream_assets.intelligence.query_checks import QueryCheck, all_zero, window_checks
from aurastream_assets.partitions import days

__all__ = ["learning_checks"]

_CHECKS: Final = (
    QueryCheck(
        "viral_model",
        "whole",
        "The bytes are those that were trained, the counts and the threshold fit together, and "
        "every video learned from is at least a week old.",
        """
        select count(*) filter (where encode(sha256(model), 'hex') <> model_sha256) as altered,
               count(*) filter (
                   where hit_count <= 0 or hit_count >= video_count
                      or channel_count > video_count
               ) as impossible,
               count(*) filter (
                   where call_threshold < 0 or call_threshold > 1
               ) as threshold_outside,
               count(*) filter (
                   where trained_to > window_start - interval '7 days'
               ) as outcome_unknown
        from intelligence.viral_model
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("altered", "impossible", "threshold_outside", "outcome_unknown"),
    ),
    QueryCheck(
        "viral_model",
        "better_than_chance",
        "On channels that it had not seen the model ranks better than chance.",
        """
        select count(*) as models,
               count(*) filter (
                   where cross_average_precision <= hit_count::float / video_count
               ) as no_better
        from intelligence.viral_model
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("no_better"),
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "viral_predictions",
        "range",
        "Probabilities and shares lie in 0–1, calls follow from them, no video is predicted from "
        "a sighting of another day.",
        """
        select count(*) filter (where probability < 0 or probability > 1) as no_probability,
               count(*) filter (where velocity_share < 0 or velocity_share > 1) as no_share,
               count(*) filter (
                   where is_velocity_called is distinct from coalesce(velocity_share >= 0.9, false)
               ) as miscalled,
               count(*) filter (where (probability is null) <> (is_model_called is null)) as half,
               count(*) filter (
                   where observed_at < window_start
                      or observed_at >= window_start + interval '1 day'
               ) as other_day
        from intelligence.viral_predictions
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("no_probability", "no_share", "miscalled", "half", "other_day"),
    ),
    QueryCheck(
        "prediction_backtest",
        "range",
        "Counts fit together, shares lie in 0–1, nothing is judged before it was predicted.",
        """
        select count(*) filter (
                   where called_count > video_count or hit_count > video_count
               ) as too_many,
               count(*) filter (
                   where precision < 0 or precision > 1 or recall < 0 or recall > 1
                      or f1 < 0 or f1 > 1 or hit_share < 0 or hit_share > 1
               ) as outside,
               count(*) filter (
                   where predicted_to > window_start - horizon_days * interval '1 day'
                      or predicted_from > predicted_to
               ) as too_early
        from intelligence.prediction_backtest
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("too_many", "outside", "too_early"),
    ),
    QueryCheck(
        "prediction_backtest",
        "keeps_its_promise",
        "Settled predictions of the model tell more than the base rate.",
        """
        select count(*) as judged,
               count(*) filter (where brier_skill < 0) as worse_than_base_rate
        from intelligence.prediction_backtest
        where method = 'model' and category = 'all' and horizon_days = 7
          and window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("worse_than_base_rate"),
        dg.AssetCheckSeverity.WARN,
    ),
    QueryCheck(
        "evaluations",
        "declared",
        "One row of each kind of method is declared, no baseline, and intervals hold their "
        "figures.",
        """
        select (
                   select count(*) from (
                       select 1 from intelligence.evaluations
                       where window_start >= %(start)s and window_start < %(end)s and is_primary
                       group by window_start, kind, archive, split_part(method, ':', 1)
                       having count(*) > 1
                   ) twice
               ) as declared_twice,
               count(*) filter (where is_primary and split = 'train') as judged_on_training,
               count(*) filter (
                   where is_primary and method like 'baseline:%%'
               ) as declared_baseline,
               count(*) filter (
                   where ci_low > ci_high
                      or f1 < 0 or f1 > 1 or precision < 0 or precision > 1
                      or recall < 0 or recall > 1
               ) as outside
        from intelligence.evaluations
        where window_start >= %(start)s and window_start < %(end)s
        """,
        all_zero("declared_twice", "judged_on_training", "declared_baseline", "outside"),
    ),
)

learning_checks = window_checks(
    "learning_checks",
    _CHECKS,
    description="Models, predictions and evaluations, looked at after they were written.",
    partitions_def=days,
)
