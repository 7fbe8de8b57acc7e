"""Who leads, how fresh the heartbeat is, when the daemon ticked, what waits: read from Postgres."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from aurastream.operations.errors import StatusError
from aurastream.operations.leadership import LeaseTiming

__all__ = ["HeadInfo", "Status", "TickInfo", "read_status"]

_ALIVE_WITHIN_S: Final = 10.0
_QUEUED: Final = ("QUEUED", "NOT_STARTED")
_IN_PROGRESS: Final = ("STARTING", "STARTED", "CANCELING")

# A tick's state is known to the daemon only; the last row per schedule or sensor is its last tick.
# A recursive query steps through the index from one instigator to the next: the table holds
# thousands of ticks of each.
_LAST_TICKS: Final = """
WITH RECURSIVE each_one AS (
    (SELECT selector_id FROM dagster.job_ticks WHERE selector_id IS NOT NULL
     ORDER BY selector_id LIMIT 1)
    UNION ALL
    SELECT (SELECT t.selector_id FROM dagster.job_ticks t
            WHERE t.selector_id > e.selector_id ORDER BY t.selector_id LIMIT 1)
    FROM each_one e WHERE e.selector_id IS NOT NULL
)
SELECT last.type AS kind, last.status, last.tick_body,
       last.timestamp AT TIME ZONE 'UTC' AS ticked_at
FROM each_one e CROSS JOIN LATERAL (
    SELECT * FROM dagster.job_ticks t WHERE t.selector_id = e.selector_id
    ORDER BY t.timestamp DESC LIMIT 1
) last
"""


@dataclass(frozen=True, slots=True)
class HeadInfo:
    """One head as the record knows it."""

    head_id: str
    host: str
    pid: int
    state: str
    is_leader: bool
    started_at: datetime
    seen_s_ago: float
    detail: str

    @property
    def is_alive(self) -> bool:
        """Whether it was heard of lately and has not stopped."""
        return self.state != "STOPPED" and self.seen_s_ago <= _ALIVE_WITHIN_S


@dataclass(frozen=True, slots=True)
class TickInfo:
    """The last tick of one schedule or sensor."""

    name: str
    kind: str  # schedule or sensor
    status: str  # started, success, skipped or failure
    ticked_at: datetime
    error: str | None


@dataclass(frozen=True, slots=True)
class Status:
    """One reading of the installation; all ages in seconds by the server's clock."""

    observed_at: datetime
    leader: str | None  # head_id; None when nobody leads
    epoch: int
    led_since: datetime | None
    heartbeat_age_s: float | None
    heads: tuple[HeadInfo, ...]
    last_ticks: tuple[TickInfo, ...]
    queued_runs: int
    running_runs: int
    oldest_queued_s: float | None
    next_ticks: Mapping[str, datetime] = field(default_factory=dict)  # by schedule, soonest first

    @property
    def is_led(self) -> bool:
        """Whether a leader exists and its heartbeat is fresh."""
        return (
            self.leader is not None
            and self.heartbeat_age_s is not None
            and self.heartbeat_age_s <= LeaseTiming().stale_after_s
        )

    @property
    def last_tick_at(self) -> datetime | None:
        """When the daemon ticked last."""
        return max((tick.ticked_at for tick in self.last_ticks), default=None)

    def as_dict(self) -> dict[str, Any]:
        """Return everything as plain JSON values, times in ISO 8601."""
        plain = {**asdict(self), "is_led": self.is_led, "last_tick_at": self.last_tick_at}
        loaded: dict[str, Any] = json.loads(json.dumps(plain, default=datetime.isoformat))
        return loaded

    def lines(self) -> list[str]:
        """Return it as a person reads it; heads that ended are left out."""
        if self.leader is None:
            found = ["Nobody leads. Start a head with `aurastream head`."]
        else:
            beat = f"heartbeat {self.heartbeat_age_s:.1f} s ago"
            found = [
                f"Leader   {self.leader}, epoch {self.epoch}, since {_minute(self.led_since)}, "
                f"{beat}" + ("" if self.is_led else " (STALE: a standby should take over)")
            ]
        for head in self.heads:
            if head.is_alive:
                role = "leads" if head.is_leader else "standby"
                found.append(
                    f"Head     {head.head_id}  {head.state}  {role}  "
                    f"seen {head.seen_s_ago:.1f} s ago  {head.detail}"
                )
        waiting = f", the oldest for {self.oldest_queued_s:.0f} s" if self.oldest_queued_s else ""
        found.append(f"Runs     {self.running_runs} running, {self.queued_runs} queued{waiting}")
        if self.last_tick_at is None:
            found.append("Ticks    none yet")
        for tick in self.last_ticks:
            error = f"  {tick.error}" if tick.error else ""
            found.append(
                f"Tick     {tick.name} ({tick.kind})  {tick.status}  "
                f"{_minute(tick.ticked_at)}{error}"
            )
        width = max(map(len, self.next_ticks), default=0)
        for name, moment in self.next_ticks.items():
            away = _span((moment - self.observed_at).total_seconds())
            found.append(f"Next     {name:<{width}}  {_minute(moment)}, in {away}")
        return found


def read_status(database_url: str) -> Status:
    """Read the status of an installation.

    Parameters
    ----------
    database_url : str
        ``postgresql://`` URL of the record.

    Raises
    ------
    StatusError
        When the database cannot be reached or holds no schema of ours.
    """
    try:
        with psycopg.connect(
            database_url, connect_timeout=5, application_name="aurastream-status"
        ) as connection:
            connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
            connection.execute("SET LOCAL statement_timeout = '10s'")
            # Dagster's moments have no zone and are in UTC (aurastream.store.urls).
            connection.execute("SET LOCAL timezone = 'UTC'")
            return _read(connection)
    except psycopg.errors.UndefinedTable as error:
        raise StatusError(
            "The database holds no schema of AuraStream.", fix="Create it: `aurastream migrate`."
        ) from error
    except psycopg.OperationalError as error:
        reason = str(error).strip().splitlines()[0]
        raise StatusError(
            f"The database does not answer: {reason}.",
            fix="Start it with script/server, or check AURASTREAM_POSTGRES_URL.",
        ) from error


def _read(connection: psycopg.Connection[Any]) -> Status:
    with connection.cursor(row_factory=dict_row) as cursor:
        lead = cursor.execute(
            "SELECT now() AS observed_at, l.*, "
            "extract(epoch FROM clock_timestamp() - l.heartbeat_at)::float8 AS age "
            "FROM (VALUES (true)) AS one (singleton) "
            "LEFT JOIN operations.leadership AS l USING (singleton)"
        ).fetchall()[0]
        heads = cursor.execute(
            "SELECT head_id, host, pid, state, is_leader, started_at, detail, "
            "extract(epoch FROM clock_timestamp() - seen_at)::float8 AS seen_s_ago "
            "FROM operations.heads ORDER BY is_leader DESC, seen_at DESC, head_id"
        ).fetchall()
        ticks: list[dict[str, Any]] = []
        runs: dict[str, Any] = {"queued": 0, "running": 0, "oldest": None}
        if _exists(connection, "dagster.job_ticks"):
            ticks = cursor.execute(_LAST_TICKS).fetchall()
        if _exists(connection, "dagster.runs"):
            runs = cursor.execute(
                "SELECT count(*) FILTER (WHERE status = ANY(%(queued)s)) AS queued, "
                "count(*) FILTER (WHERE status = ANY(%(running)s)) AS running, "
                "extract(epoch FROM localtimestamp - min(create_timestamp) "
                "FILTER (WHERE status = ANY(%(queued)s)))::float8 AS oldest "
                "FROM dagster.runs WHERE status = ANY(%(queued)s || %(running)s)",
                {"queued": list(_QUEUED), "running": list(_IN_PROGRESS)},
            ).fetchall()[0]
    leader = lead["holder"] or None
    return Status(
        observed_at=lead["observed_at"],
        leader=leader,
        epoch=lead["epoch"] or 0,
        led_since=lead["acquired_at"] if leader else None,
        heartbeat_age_s=lead["age"] if leader else None,
        heads=tuple(HeadInfo(**head) for head in heads),
        last_ticks=tuple(sorted((_tick(t) for t in ticks), key=lambda t: (t.kind, t.name))),
        queued_runs=runs["queued"],
        running_runs=runs["running"],
        oldest_queued_s=runs["oldest"],
    )


def _exists(connection: psycopg.Connection[Any], table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s) IS NOT NULL", (table,)).fetchone()
    return bool(row and row[0])


def _tick(row: dict[str, Any]) -> TickInfo:
    body = json.loads(row["tick_body"])
    error = body.get("error")
    return TickInfo(
        name=str(body["job_name"]),
        kind=str(row["kind"]).lower(),
        status=str(row["status"]).lower(),
        ticked_at=row["ticked_at"],
        error=str(error["message"]).strip().splitlines()[0] if error else None,
    )


def _span(seconds: float) -> str:
    """Return a length of time in the unit that a person would choose."""
    minutes = max(0, round(seconds / 60))
    if minutes < 2 * 60:
        return f"{minutes} min"
    hours = round(minutes / 60)
    return f"{hours} h" if hours < 2 * 24 else f"{round(hours / 24)} days"


def _minute(moment: datetime | None) -> str:
    return "never" if moment is None else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
