"""The rules of retention: for every table a class, a limit and a reason."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aurastream.operations.lineage import platforms_of
from aurastream.operations.policy import declared_facts, forbidden_tables
from aurastream.operations.retention_rules import (
    Limits,
    Mode,
    TableFacts,
    may_archive,
    rule_for,
    unclassified,
)
from aurastream.store.tables import metadata

NOW = datetime(2026, 11, 21, 3, 3, tzinfo=UTC)
MONTH = timedelta(days=30)
MODES: tuple[Mode, ...] = ("strict", "amended", "exempt")
FACTS = declared_facts()


def _rule(table: str, mode: Mode, days: int = 30, *, keeps: bool = False):
    limits = Limits(mode, timedelta(days=days), keeps_twitch_aggregates=keeps)
    return rule_for(FACTS[table], limits)


@pytest.mark.parametrize("name", sorted(FACTS))
def test_every_column_of_every_table_has_a_class(name: str) -> None:
    assert unclassified(FACTS[name]) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", sorted(FACTS))
def test_every_table_has_a_rule_that_says_why(name: str, mode: Mode) -> None:
    rule = _rule(name, mode)

    assert rule.reason
    assert (rule.max_age is None) == (rule.action == "keep") or rule.time_column is None


def test_the_tables_of_the_dbt_project_are_known() -> None:
    assert {"aggregation.intel_hourly_metrics", "aggregation.intel_daily_metrics"} <= FACTS.keys()
    assert FACTS["aggregation.intel_daily_metrics"].is_daily
    assert FACTS.keys() >= metadata.tables.keys()


@pytest.mark.parametrize(
    ("table", "mode", "days", "limit", "by"),
    [
        ("collection.youtube_trending", "strict", 365, 30, "terms"),
        ("collection.youtube_trending", "strict", 10, 10, "operator"),
        ("collection.youtube_trending", "amended", 365, 365, "operator"),
        ("collection.youtube_trending", "amended", 3650, 1095, "terms"),
        ("collection.youtube_trending", "exempt", 3650, 3650, "operator"),
        ("collection.youtube_videos", "amended", 365, 30, "terms"),
        ("collection.twitch_streams", "strict", 30, 1, "terms"),
        ("collection.twitch_streams", "amended", 30, 1, "terms"),
        ("collection.clip_radar", "exempt", 30, 30, "operator"),
        ("intelligence.clip_intel", "amended", 30, 1, "terms"),
        ("intelligence.viewer_anomalies", "strict", 30, 1, "terms"),
        ("intelligence.hour_of_week_map", "amended", 30, 1, "terms"),
        ("intelligence.momentum", "amended", 30, 1, "terms"),
        ("intelligence.opportunity", "amended", 30, 1, "terms"),
        ("intelligence.video_ideas", "amended", 30, 1, "terms"),
        ("aggregation.intel_regional_performance", "amended", 30, 1, "terms"),
        ("intelligence.viral_scores", "amended", 365, 365, "operator"),
        ("intelligence.video_velocity", "amended", 365, 30, "terms"),
        ("operations.quarantine", "amended", 30, 1, "terms"),
        ("operations.crawls", "strict", 30, 30, "operator"),
        ("aggregation.intel_hourly_metrics", "exempt", 30, 90, "operator"),
    ],
)
def test_the_stricter_authority_decides(
    table: str, mode: Mode, days: int, limit: int, by: str
) -> None:
    rule = _rule(table, mode, days)

    assert (rule.max_age, rule.decided_by) == (timedelta(days=limit), by)


def test_strict_terms_forbid_what_is_made_of_youtube_s_counters_and_nothing_else() -> None:
    forbidden = forbidden_tables(Limits("strict", MONTH))

    assert "intelligence.viral_scores" in forbidden
    assert "aggregation.intel_daily_metrics" in forbidden
    assert "intelligence.competition" not in forbidden
    assert not any(name.startswith(("collection.", "operations.")) for name in forbidden)
    assert forbidden_tables(Limits("amended", MONTH)) == frozenset()
    assert forbidden_tables(Limits("exempt", MONTH)) == frozenset()


def test_aggregates_of_twitch_outlive_a_day_only_by_the_operator_s_word() -> None:
    assert _rule("intelligence.competition", "amended").max_age == timedelta(days=1)
    assert _rule("intelligence.competition", "amended", keeps=True).max_age == MONTH
    assert _rule("collection.twitch_streams", "amended", keeps=True).max_age == timedelta(days=1)


def test_no_archive_keeps_what_is_made_of_twitch_unless_the_operator_may() -> None:
    for name in ("aggregation.intel_regional_performance", "intelligence.opportunity"):
        without = may_archive(FACTS[name], Limits("amended", MONTH))
        with_leave = may_archive(
            FACTS[name], Limits("amended", MONTH, keeps_twitch_aggregates=True)
        )

        assert not any(without.values())
        assert all(with_leave.values())


def test_a_table_that_nobody_wrote_down_has_the_stricter_limit() -> None:
    assert platforms_of("intelligence.brand_new") == {"youtube", "twitch"}
    assert platforms_of("aggregation.intel_brand_new") == {"youtube", "twitch"}
    facts = TableFacts("intelligence.brand_new", {"score": "derived"}, "window_start")
    assert rule_for(facts, Limits("amended", MONTH)).max_age == timedelta(days=1)


@pytest.mark.parametrize("mode", ["strict", "amended"])
@pytest.mark.parametrize("name", sorted(FACTS))
def test_nothing_that_the_terms_limit_grows_over_age_between_two_purges(
    name: str, mode: Mode
) -> None:
    rule = _rule(name, mode)
    cutoff, over_age = rule.cutoff(NOW), rule.over_age_before(NOW)
    if rule.decided_by != "terms" or cutoff is None or over_age is None:
        return
    until_next = timedelta(hours=1) if rule.is_hourly else timedelta(days=1)

    assert cutoff >= over_age + until_next


@pytest.mark.parametrize("mode", ["strict", "amended"])
def test_no_live_archive_keeps_content(mode: Mode) -> None:
    for name, facts in FACTS.items():
        if not name.startswith("collection."):
            continue  # titles elsewhere are ours: of categories, and of ideas
        kept = [c for c, may in may_archive(facts, Limits(mode, MONTH)).items() if may]
        assert not {"title", "description", "tags", "channel_title", "user_name"} & set(kept), name


def test_a_replay_s_archive_keeps_everything() -> None:
    for facts in FACTS.values():
        assert all(may_archive(facts, Limits("exempt", MONTH)).values())


def test_a_column_that_nobody_classified_is_found() -> None:
    facts = TableFacts("intelligence.x", {"a": None, "b": "ops", "c": "secret"}, None)

    assert unclassified(facts) == ["a", "c"]


@given(
    st.dictionaries(
        st.text("abc_", min_size=1, max_size=6),
        st.sampled_from(["raw_meta", "raw_stat", "derived", "own", "ops"]),
        min_size=1,
    ),
    st.integers(2, 3650),
    st.sampled_from(["collection.youtube_x", "intelligence.x", "collection.clip_x"]),
)
def test_a_stricter_mode_never_keeps_longer(policies: dict[str, str], days: int, name: str) -> None:
    facts = TableFacts(name, policies, "a_time", is_partitioned=True)
    ages = [rule_for(facts, Limits(m, timedelta(days=days))).max_age for m in MODES]
    known = [timedelta.max if age is None else age for age in ages]

    assert known[0] <= known[1] <= known[2]
