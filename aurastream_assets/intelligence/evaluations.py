"""How good the scores are, by protocols that cannot see the future."""

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Final

import dagster as dg
import pandas as pd

from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.archives import Archive
from aurastream.evaluation.labels import SERIES_DAYS
from aurastream.evaluation.language import judge_language, split_titles
from aurastream.evaluation.opportunity import judge_opportunity, split_pairs
from aurastream.evaluation.pictures import draw
from aurastream.evaluation.results import EvaluationRow, as_table
from aurastream.evaluation.versions import LABEL
from aurastream.store.tables.models import evaluations as table
from aurastream_assets.intelligence.learning import (
    SNAPSHOTS,
    Day,
    Record,
    daily_asset,
    days_of,
    picture,
    together,
)
from aurastream_assets.keys import asset_key
from resources.failures import failing_fast
from resources.frame_io import Analysis
from resources.store import Store

__all__ = ["EvaluationsConfig", "evaluations"]

_RECORD: Final = "record"


class EvaluationsConfig(dg.Config):
    """Which data is judged beside the record.

    ``archives`` maps a kind (viral, opportunity, language or anomalies) to the folder of an
    archive; by default the record alone is judged.
    """

    archives: dict[str, str] = {}  # noqa: RUF012 # Dagster reads it as a field


@daily_asset(
    key=asset_key("intelligence", "evaluations"),
    code_version="2",
    deps=SNAPSHOTS,
    kinds={"python", "scikitlearn", "postgres"},
)
@failing_fast()
def evaluations(
    context: dg.AssetExecutionContext, config: EvaluationsConfig, store: Store
) -> Analysis:
    """Judge rules, models, opportunity and languages on the record as it was at the day's end.

    Each method learns from the earlier days and is judged on the later ones. A kind for which the
    record is too short has no rows, and the metadata say what it lacks; opportunity needs two
    months, more than the record may keep, and anomalies need labels, so both are judged when a run
    is given an archive.
    """
    from aurastream.evaluation.registry import evaluate  # noqa: PLC0415 # as below

    # What was brought along does not depend on the day.
    brought = {
        (kind, Path(folder).name): evaluate(kind, Path(folder))
        for kind, folder in sorted(config.archives.items())
    }
    record = Record(context, store)
    found = []
    for day in days_of(context):
        judged, states = _on_record(record.until(day))
        judged |= brought
        _describe(context, day, judged, states)
        rows = [
            {"kind": kind, "archive": name, **_cells(row)}
            for (kind, name), own in judged.items()
            for row in own
        ]
        found.append(pd.DataFrame(rows).assign(window_start=day.start))
    return Analysis(together(found, table), refused=record.refused)


_Judged = dict[tuple[str, str], list[EvaluationRow]]  # by kind and archive


def _on_record(archive: Archive | None) -> tuple[_Judged, dict[str, str]]:
    """Judge what can be judged on the record, and say of each kind whether it was."""
    judged: _Judged = {}
    states = {}
    for kind, judge in _ON_RECORD.items():
        try:
            judged[kind, _RECORD] = [] if archive is None else judge(archive)
            states[kind] = "No charts yet." if archive is None else "judged"
        except InvalidInputError as error:
            states[kind] = str(error)
    return judged, states


def _describe(
    context: dg.AssetExecutionContext, day: Day, judged: _Judged, states: dict[str, str]
) -> None:
    context.add_asset_metadata(
        {
            **{f"state of {kind}": state for kind, state in states.items()},
            **{
                f"{kind} on {name}": dg.MetadataValue.md(_markdown(found))
                for (kind, name), found in judged.items()
                if found
            },
            **{
                f"{kind} {picture_name} on {name}": picture(svg, f"{kind}: {picture_name}")
                for (kind, name), found in judged.items()
                for picture_name, svg in draw(kind, found).items()
            },
        },
        partition_key=day.key,
    )


def _viral(archive: Archive) -> list[EvaluationRow]:
    # scikit-learn is not needed to load the graph.
    from aurastream.evaluation.viral import judge_viral, split_samples  # noqa: PLC0415 # as said

    # T1 looks two weeks ahead and T3 counts the countries of a world that the record does not see.
    return judge_viral(*split_samples(archive, outcome_days=SERIES_DAYS), labels=(LABEL,))


def _opportunity(archive: Archive) -> list[EvaluationRow]:
    return judge_opportunity(*split_pairs(archive))


def _language(archive: Archive) -> list[EvaluationRow]:
    return judge_language(*split_titles(archive, outcome_days=0))


_ON_RECORD: Final[dict[str, Callable[[Archive], list[EvaluationRow]]]] = {
    "viral": _viral,
    "opportunity": _opportunity,
    "language": _language,
}


def _cells(row: EvaluationRow) -> dict[str, object]:
    values = {field.name: getattr(row, field.name) for field in fields(row)}
    values["is_primary"] = values.pop("primary")
    del values["calibration"]
    return values


def _markdown(rows: list[EvaluationRow]) -> str:
    names, cells = as_table([row for row in rows if ":" not in row.label])
    lines = [names, ["---"] * len(names), *cells]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )
