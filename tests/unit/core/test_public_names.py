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
    "channel_outliers": [
        "CHANNEL_OUTLIER_SCHEMA",
        "ChannelOutlierParams",
        "channel_outliers",
        "leave_one_out_medians",
    ],
    "difficulty": ["DIFFICULTY_SCHEMA", "difficulty", "difficulty_bands", "difficulty_scores"],
    "idea_formats": ["IDEA_FORMATS", "IDLE_LEMMAS", "IdeaFormat", "WORDING_VERSION", "format_cues"],
    "ideas": ["IDEAS_SCHEMA", "IdeaParams", "video_ideas"],
    "idea_evidence": ["IDEA_EVIDENCE_SCHEMA", "idea_evidence"],
    "unchanged": ["FINGERPRINTS_SCHEMA", "carried", "fingerprints", "with_sources"],
    "descriptions": [
        "CALLS_TO_ACTION",
        "Chapter",
        "ChapterFault",
        "DESCRIPTION_SCHEMA",
        "DISCLOSURES",
        "Description",
        "LINK_CLASSES",
        "Link",
        "clean_description",
        "link_class",
        "mine_description",
        "mine_descriptions",
    ],
    "formats": [
        "DURATION_BUCKETS",
        "FORMAT_BUCKETS_SCHEMA",
        "FORMAT_COMPARISON_SCHEMA",
        "FormatParams",
        "REGIME_BREAKS",
        "RegimeBreak",
        "SHORTS_RULE_VERSION",
        "SHORT_THRESHOLD",
        "duration_buckets",
        "format_buckets",
        "format_comparison",
        "performance_index",
        "regimes",
        "short_likelihood",
    ],
    "languages": [
        "LANGUAGE_ITEMS_SCHEMA",
        "LANGUAGE_MIX_SCHEMA",
        "LanguageParams",
        "REGIONAL_SCHEMA",
        "TITLE_LANGUAGE_SCHEMA",
        "UNDETERMINED",
        "language_diversity",
        "language_mix",
        "market_share",
        "primary_languages",
        "regional",
        "title_language_items",
        "title_languages",
        "twitch_language_items",
        "video_languages",
        "youtube_language_items",
    ],
    "intervals": [
        "two_sided_z",
        "wilson_interval",
    ],
    "premieres": [
        "PREMIERE_SCHEMA",
        "PremiereParams",
        "on_time_share",
        "premiere_performance",
    ],
    "publishing_times": [
        "PUBLISHING_GRAINS",
        "PUBLISHING_TIMES_SCHEMA",
        "PublishingParams",
        "early_releases",
        "publishing_times",
        "trailing",
    ],
    "releases": [
        "RELEASES_SCHEMA",
        "ReleaseKind",
        "ReleaseParams",
        "delay_minutes",
        "release_kinds",
        "releases",
    ],
    "versions": [
        "known_versions",
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
