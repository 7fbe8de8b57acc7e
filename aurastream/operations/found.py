"""The short table that a start ends with: what was found, and what it cost."""

from dataclasses import dataclass
from typing import Any, Final

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from aurastream.operations.query import Answer, ask, text_rows
from aurastream.operations.retention_rules import Mode

__all__ = ["Found", "as_table", "read_found"]

# The same questions as in the README; anybody can ask them with `aurastream sql`.
_QUESTIONS: Final = {
    "videos": """
        with best as (
            select distinct on (video_id) *
            from marts.top_viral_videos
            order by video_id, decayed_score desc nulls last, category_key
        )
        select
            title, channel_title as channel, category_key as category, trend_class as class,
            viral_score as score, lifetime_velocity_per_hour as views_per_hour,
            confidence_pct as confidence
        from best
        order by decayed_score desc nulls last, views_per_hour desc, video_id
        limit 5
    """,
    "opportunities": """
        select
            title as game, opportunity_score as opportunity, viral_count as viral,
            rising_count as rising, sample_count as videos, ease_score as ease,
            velocity_change_24h_pct as velocity_change, confidence_pct as confidence, certainty
        from marts.taking_off_now
        where kind = 'game' and opportunity_score is not null
        order by opportunity_score desc, game
        limit 5
    """,
    "quota": """
        select bucket, used_units as used,
               -- What is limited by the minute alone has no end of the day to run dry before.
               case when limit_units is not null then round(forecast_units)::bigint end
                   as forecast_at_reset,
               case when limit_units is not null
                   then to_char(resets_at at time zone 'UTC', 'HH24:MI') || ' UTC'
                   else 'every minute' end as resets,
               case when is_exhausted then 'yes' else 'no' end as exhausted
        from marts.quota_status
        order by platform, bucket
    """,
}


@dataclass(frozen=True, slots=True)
class Found:
    """Answers to the three questions of a first look; None to what the terms forbid to show."""

    videos: Answer | None
    opportunities: Answer | None
    quota: Answer

    def titles(self) -> list[tuple[str, Answer | None]]:
        """Return the answers with their headings, in the order they are shown."""
        return [
            ("Most viral right now", self.videos),
            ("Best opportunities right now", self.opportunities),
            ("Quota of the current Pacific day", self.quota),
        ]


def read_found(reader_url: str, *, mode: Mode) -> Found:
    """Ask the marts, as the read-only role, what the terms permit to show."""
    asked = {"quota"} if mode == "strict" else set(_QUESTIONS)
    answers: dict[str, Any] = {
        name: ask(reader_url, text) if name in asked else None for name, text in _QUESTIONS.items()
    }
    return Found(**answers)


def as_table(title: str, answer: Answer) -> Table:
    """Return an answer for a terminal; columns of numbers, known or not, stand to the right."""
    table = Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD)
    for place, name in enumerate(answer.columns):
        known = [row[place] for row in answer.rows if row[place] is not None]
        number = all(isinstance(v, int | float) and not isinstance(v, bool) for v in known)
        long = name in ("title", "channel")
        table.add_column(
            name.replace("_", " "),
            justify="right" if number else "left",
            no_wrap=True,
            max_width=40 if long else None,
            min_width=None if long else max(len(name), 6),
        )
    for row in text_rows(answer, decimals=2):
        # What somebody called a video is no markup.
        table.add_row(*map(Text, row))
    return table
