"""How old each table may grow, and why: pure rules over its columns' policy classes.

Two authorities limit a table's age, and the stricter one decides. The operator's `retention_days`
bounds what the installation keeps at hand. The platforms' terms bound what may be kept at all:

==========  ===========================  ==========================================
class       YouTube                      Twitch
==========  ===========================  ==========================================
raw_meta    30 days in either mode       24 hours in either mode
raw_stat    30 days; amended 36 months   24 hours in either mode
derived     forbidden; amended 36        24 hours, unless the operator may keep
            months                       category aggregates
own, ops    no limit                     no limit
==========  ===========================  ==========================================

Ids are no content: they name what a decision of ours is about, and go by the limit of counters. A
replayed archive is under MIT and CC0 and exempt from all of this; only the operator's limit holds.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

from aurastream.operations.lineage import Platform

__all__ = [
    "BLANKED",
    "LONGEST_HISTORY_DAYS",
    "Limits",
    "Mode",
    "Rule",
    "RunAges",
    "TableFacts",
    "blanked_before",
    "is_content",
    "is_permitted",
    "may_archive",
    "rule_for",
    "run_ages",
    "twitch_ended_before",
    "unclassified",
]

Mode = Literal["strict", "amended", "exempt"]
Action = Literal["drop_partitions", "delete_rows", "empty", "keep"]
Authority = Literal["terms", "operator", "nobody"]

LONGEST_HISTORY_DAYS: Final = 1095
_CLASSES: Final = frozenset({"raw_meta", "raw_stat", "derived", "own", "ops"})
_DAY: Final = timedelta(days=1)
_MONTH: Final = timedelta(days=30)
_CACHE: Final = timedelta(hours=24)
_LONG: Final = timedelta(days=LONGEST_HISTORY_DAYS)
_HOURS_KEPT: Final = timedelta(days=90)

_STRICT_RAW: Final = _MONTH, "YouTube, strict: nothing of the API grows older than 30 days"
_STRICT_DERIVED: Final = timedelta(), "YouTube, strict: metrics of its counters are not permitted"
_AMENDED_CONTENT: Final = _MONTH, "YouTube, amended: titles, names and descriptions end at 30 days"
_AMENDED_REST: Final = _LONG, "YouTube, amended: counters, ids and derived values end at 36 months"
_TWITCH: Final = _CACHE, "Twitch: content and what is made of it is a cache of 24 hours"

# Limits under two days are kept by an hourly run, the others by the daily one. Each purges what
# would grow over age before the next run, and a quarter of an hour for the run itself.
_HOURLY_BELOW: Final = timedelta(days=2)
_HOURLY_MARGIN: Final = timedelta(hours=1, minutes=15)

_SCORED: Final = frozenset({"intelligence", "aggregation", "reporting", "generation"})
# What a record of our own carries of a platform: the value goes, the record stays.
BLANKED: Final = {("operations.crawls", "viewer_total"): "crawl_at"}
# One row per thing that is so now, or the proof that something was done: age says nothing.
_STANDING: Final = {
    "operations.alembic_version": "the schema's own revision",
    "operations.categories": "what the operator tracks",
    "operations.collection_state": "what the planner remembers, one row per category",
    "operations.installation": "whether the record is replayed or live, one row",
    "operations.leadership": "who leads now, one row",
    "operations.source_starts": "from when on another source answers, one row per change",
    "maintenance.retention_rules": "the rules as they are now",
    "maintenance.purges": "the proof outlives what it proves",
    "maintenance.forgotten": "the proof and the list of the denied, with hashed ids",
    "maintenance.forgotten_items": "the list of the denied, with hashed ids",
    "maintenance.archive": "the archive's manifest",
    "maintenance.backfill_steps": "goes with its backfill",
}


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a rule has to know of a table.

    Parameters
    ----------
    name : str
        ``schema.table``.
    policies : mapping of str to str or None
        Policy class by column; None where nobody has said one.
    time_column : str or None
        The column that age refers to.
    is_partitioned : bool
        By the day of that column.
    is_daily : bool
        The time column is a date: one row stands for a day.
    platforms : frozenset of {"youtube", "twitch"}
        Whose data it is made of (`lineage`); both where nobody knows, so that the stricter limit
        holds.
    """

    name: str
    policies: Mapping[str, str | None]
    time_column: str | None
    is_partitioned: bool = False
    is_daily: bool = False
    platforms: frozenset[Platform] = frozenset({"youtube", "twitch"})

    @property
    def schema(self) -> str:
        """Return the schema, which is the stage."""
        return self.name.partition(".")[0]

    @property
    def classes(self) -> frozenset[str]:
        """Return the classes of its columns, as far as they are known."""
        return frozenset(found for found in self.policies.values() if found)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the operator chose.

    Parameters
    ----------
    mode : {"strict", "amended", "exempt"}
        Which terms apply; exempt for a replayed archive.
    retention : timedelta
        How long snapshots and windows are kept at hand.
    keeps_twitch_aggregates : bool
        Whether Twitch allowed category aggregates to outlive a day.
    """

    mode: Mode
    retention: timedelta
    keeps_twitch_aggregates: bool = False

    @property
    def outlives_streams(self) -> bool:
        """Whether what is made of streams stays when they go, before their day is over."""
        return self.mode != "exempt" and self.keeps_twitch_aggregates


@dataclass(frozen=True, slots=True)
class Rule:
    """What happens to a table's rows as they age.

    Parameters
    ----------
    table : str
        ``schema.table``.
    platforms, classes : tuple of str
        Whose data they are; policy classes of the columns.
    max_age : timedelta or None
        Older rows go; None keeps them.
    decided_by : {"terms", "operator", "nobody"}
        The stricter authority.
    action : {"drop_partitions", "delete_rows", "empty", "keep"}
        How they go.
    is_computed : bool
        False where the mode forbids the table altogether.
    reason : str
        Why, in words.
    time_column : str or None
        The column that age refers to.
    """

    table: str
    platforms: tuple[str, ...]
    classes: tuple[str, ...]
    max_age: timedelta | None
    decided_by: Authority
    action: Action
    is_computed: bool
    reason: str
    time_column: str | None

    @property
    def is_hourly(self) -> bool:
        """Whether a daily purge would come too late."""
        return self.max_age is not None and self.max_age < _HOURLY_BELOW

    def cutoff(self, now: datetime) -> datetime | None:
        """Return the moment before which rows go at a purge at ``now``; None when none do.

        What the terms limit goes so early that nothing is over age before the next purge.

        Examples
        --------
        >>> from datetime import UTC
        >>> facts = TableFacts("collection.clip_radar", {"title": "raw_meta"}, "observed_at", True)
        >>> rule = rule_for(facts, Limits("strict", timedelta(days=30)))
        >>> rule.cutoff(datetime(2026, 11, 21, 12, tzinfo=UTC)).isoformat()
        '2026-11-20T13:15:00+00:00'
        """
        if self.action == "empty" or self.max_age is None:
            return None
        if self.decided_by == "operator":
            return now - self.max_age
        return now - self.max_age + (_HOURLY_MARGIN if self.is_hourly else _DAY)

    def over_age_before(self, now: datetime) -> datetime | None:
        """Return the moment before which a row is over age; None when no row can be.

        A day that lies partly within the operator's limit stays whole, and goes at the next
        daily purge: two days are granted. The terms grant nothing.
        """
        if self.max_age is None or self.action == "empty":
            return None
        return now - self.max_age - (2 * _DAY if self.decided_by == "operator" else timedelta())


@dataclass(frozen=True, slots=True)
class RunAges:
    """How old Dagster's runs, with their events and logs, may grow.

    Parameters
    ----------
    plain : timedelta
        Runs without partitions: crawls, publications, maintenance.
    failed : timedelta
        The same, where they failed: somebody may still want to know why.
    partitioned : timedelta
        Runs of windows, hours and days. Their events say which partitions are materialized, so they
        stay until the partition sets have rolled past them, unless the terms end them before: the
        events carry titles.
    """

    plain: timedelta
    failed: timedelta
    partitioned: timedelta


def run_ages(limits: Limits) -> RunAges:
    """Return how old Dagster's runs may grow.

    Examples
    --------
    >>> run_ages(Limits("exempt", timedelta(days=30))).partitioned.days
    40
    >>> run_ages(Limits("amended", timedelta(days=30))).partitioned.days
    29
    """
    longest = timedelta(days=40) if limits.mode == "exempt" else _MONTH - _DAY
    return RunAges(timedelta(days=7), min(_MONTH, longest), longest)


def rule_for(facts: TableFacts, limits: Limits) -> Rule:
    """Return the rule of a table.

    Parameters
    ----------
    facts : TableFacts
        The table.
    limits : Limits
        What the operator chose.

    Examples
    --------
    >>> facts = TableFacts(
    ...     "intelligence.viral_scores",
    ...     {"window_start": "ops", "video_id": "raw_meta", "viral_score": "derived"},
    ...     "window_start",
    ...     is_partitioned=True,
    ...     platforms=frozenset({"youtube"}),
    ... )
    >>> a_month = timedelta(days=30)
    >>> rule_for(facts, Limits("exempt", a_month)).decided_by
    'operator'
    >>> rule_for(facts, Limits("strict", a_month)).is_computed
    False
    >>> rule_for(facts, Limits("amended", timedelta(days=3650))).max_age.days
    1095
    """
    platforms = facts.platforms
    terms, said = _by_terms(facts, platforms, limits)
    mine, why = _by_operator(facts, limits)
    is_computed = is_permitted(facts, limits.mode)
    authority: Authority = "nobody"
    max_age, reason = None, why
    if not is_computed:
        max_age, authority, reason = timedelta(), "terms", said
    elif terms is not None and (mine is None or terms - _DAY < mine):
        max_age, authority, reason = terms, "terms", said
    elif mine is not None:
        max_age, authority = mine, "operator"
    return Rule(
        table=facts.name,
        platforms=tuple(sorted(platforms)),
        classes=tuple(sorted(facts.classes)),
        max_age=max_age,
        decided_by=authority,
        action=_action(facts, max_age, is_computed=is_computed),
        is_computed=is_computed,
        reason=reason,
        time_column=facts.time_column,
    )


def blanked_before(limits: Limits, now: datetime) -> datetime | None:
    """Return the moment before which the values of `BLANKED` go at ``now``; None when they stay.

    Examples
    --------
    >>> blanked_before(Limits("exempt", timedelta(days=30)), datetime(2026, 11, 21)) is None
    True
    """
    return None if limits.keeps_twitch_aggregates else twitch_ended_before(limits, now)


def twitch_ended_before(limits: Limits, now: datetime) -> datetime | None:
    """Return the moment before which what Twitch answered is gone at ``now``; None when it stays.

    Examples
    --------
    >>> twitch_ended_before(Limits("amended", timedelta(days=30)), datetime(2026, 11, 21)).hour
    1
    """
    return None if limits.mode == "exempt" else now - _CACHE + _HOURLY_MARGIN


def is_permitted(facts: TableFacts, mode: Mode) -> bool:
    """Whether the mode lets a table be computed at all.

    Strict terms forbid metrics that are made of YouTube's counters. What crawls store beside the
    counters (which tracked game a video is about) is no metric and stays with its row.
    """
    if mode != "strict" or "derived" not in facts.classes:
        return True
    is_scored = facts.schema in _SCORED or facts.name == "maintenance.score_history"
    return not (is_scored and "youtube" in facts.platforms)


def is_content(column: str, policy: str | None) -> bool:
    """Whether a column holds content of a platform, not a counter or an id.

    Examples
    --------
    >>> is_content("title", "raw_meta"), is_content("video_id", "raw_meta")
    (True, False)
    """
    return policy == "raw_meta" and not column.endswith("_id") and column != "row_key"


def may_archive(facts: TableFacts, limits: Limits) -> dict[str, bool]:
    """Return, by column, whether the archive may keep it.

    The archive outlives every limit but the longest; a column that may not grow older than a month
    stays out of it, and so does a table whose platform grants a day only.
    """
    rule = rule_for(facts, limits)
    table_limit, _ = _by_terms(facts, frozenset(rule.platforms), limits, ignore_content=True)
    is_kept = rule.is_computed and (table_limit is None or table_limit > _MONTH)
    return {
        name: is_kept and not (limits.mode != "exempt" and is_content(name, policy))
        for name, policy in facts.policies.items()
    }


def unclassified(facts: TableFacts) -> list[str]:
    """Return the columns that have no policy class, or one that does not exist."""
    return [name for name, policy in facts.policies.items() if policy not in _CLASSES]


def _by_terms(
    facts: TableFacts,
    platforms: Collection[str],
    limits: Limits,
    *,
    ignore_content: bool = False,
) -> tuple[timedelta | None, str]:
    """Return the shortest limit that a platform sets on one of the columns, and why."""
    if limits.mode == "exempt":
        return None, "replayed archive under MIT and CC0: the platforms' terms do not apply"
    found: list[tuple[timedelta, str]] = []
    for name, policy in facts.policies.items():
        content = is_content(name, policy)
        if content and ignore_content:
            continue
        for platform in platforms:
            limit = _limit(platform, policy, limits, is_id=policy == "raw_meta" and not content)
            if limit is not None and not (policy == "derived" and facts.schema == "collection"):
                found.append(limit)
    return min(found, default=(None, "no column is limited by a platform's terms"))


def _limit(
    platform: str, policy: str | None, limits: Limits, *, is_id: bool
) -> tuple[timedelta, str] | None:
    if policy not in ("raw_meta", "raw_stat", "derived"):
        return None
    if platform == "twitch":
        if policy == "derived" and limits.keeps_twitch_aggregates:
            return None
        return _TWITCH
    if limits.mode == "strict":
        return _STRICT_DERIVED if policy == "derived" else _STRICT_RAW
    return _AMENDED_CONTENT if policy == "raw_meta" and not is_id else _AMENDED_REST


def _by_operator(facts: TableFacts, limits: Limits) -> tuple[timedelta | None, str]:
    if facts.name in _STANDING or facts.time_column is None:
        return None, _STANDING.get(facts.name, "no column tells an age")
    if facts.schema == "aggregation":
        if facts.is_daily:
            return _LONG, "rollups of days are kept for 36 months"
        return max(_HOURS_KEPT, limits.retention), "rollups of hours are kept for 90 days"
    if facts.is_partitioned or facts.schema in ("collection", "maintenance"):
        return limits.retention, f"retention_days is {limits.retention.days}"
    return {
        "app": (None, "what people keep here goes when they say so"),
        "operations": (max(_HOURS_KEPT, limits.retention), "operational records: 90 days"),
    }.get(facts.schema, (_LONG, "results without windows are kept for 36 months"))


def _action(facts: TableFacts, max_age: timedelta | None, *, is_computed: bool) -> Action:
    if not is_computed:
        return "empty"
    if max_age is None or facts.time_column is None:
        return "keep"
    return "drop_partitions" if facts.is_partitioned else "delete_rows"
