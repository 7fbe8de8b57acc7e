"""Widening the public surface of the algorithms is a decision, so it is written down here."""

import importlib

import pytest

PUBLIC = {
    "category_stats": ["CategoryStatsParams", "STATS_SCHEMA", "category_stats"],
    "competition": [
        "COMPETITION_SCHEMA",
        "CompetitionParams",
        "Concentration",
        "competition",
        "concentration",
        "concentration_scores",
        "peak_hours",
        "saturation_scores",
    ],
    "freshness": [
        "FreshnessLevel",
        "FreshnessParams",
        "confidence",
        "decayed",
        "freshness_levels",
        "should_refresh",
    ],
    "opportunity": [
        "OPPORTUNITY_SCHEMA",
        "OpportunityParams",
        "OpportunityParts",
        "opportunity",
        "opportunity_scores",
    ],
    "percentile": ["percentile_score"],
    "robust": ["FENCE_K", "iqr_fence", "linear_percentiles", "remove_outliers", "z_score"],
    "trend": ["CLASS_NAMES", "TrendClass", "TrendParams", "trend_classes"],
    "velocity": ["VELOCITY_SCHEMA", "VelocityParams", "lifetime_velocity", "video_velocity"],
    "viral": ["VIRAL_SCHEMA", "ViralParams", "viral_scores"],
}


@pytest.mark.parametrize("name", sorted(PUBLIC))
def test_a_module_exports_exactly_its_public_names(name: str) -> None:
    module = importlib.import_module(f"aurastream.core.{name}")
    assert sorted(module.__all__) == sorted(PUBLIC[name])
    assert all(hasattr(module, public) for public in module.__all__)
