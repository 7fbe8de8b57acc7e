"""Whether a crawl can be believed: asked of the store, after the write, in one step."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import dagster as dg

from aurastream.store import audit
from aurastream.store.audit import AUDITED, Audited
from resources.store import Store

__all__ = ["collection_checks"]

_COVERED_SHARE: Final = 0.9
_FALLEN_SHARE: Final = 0.02

_COVERAGE: Final = "coverage"
_SCHEMA: Final = "schema"
_DUPLICATES: Final = "duplicates"
_MONOTONE: Final = "monotone_views"
_DESCRIBED: Final = "described"

_VIDEOS: Final = "collection/youtube_videos"
_DIMENSIONS: Final = (_VIDEOS, "collection/youtube_channels")
_DESCRIBING: Final = ("collection/youtube_trending", "collection/youtube_games")


@dataclass(frozen=True, slots=True)
class _Verdict:
    passed: bool
    metadata: dict[str, Any]
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR
    description: str | None = None


def _specs() -> Iterator[dg.AssetCheckSpec]:
    for dataset, audited in AUDITED.items():
        key = dg.AssetKey(dataset.split("/"))
        yield dg.AssetCheckSpec(
            _COVERAGE,
            asset=key,
            description=(
                "The last crawl is complete and got at least 90 % of what was expected, where "
                "that is known."
            ),
        )
        yield dg.AssetCheckSpec(
            _SCHEMA, asset=key, description="The table has exactly the declared columns."
        )
        yield dg.AssetCheckSpec(
            _DUPLICATES, asset=key, description="No item of the last crawl is stored twice."
        )
        if audited.counter is not None:
            yield dg.AssetCheckSpec(
                _MONOTONE,
                asset=key,
                description="Counters only grow: at most 2 % fell since they were last seen.",
            )

    for dataset in _DIMENSIONS:
        yield dg.AssetCheckSpec(
            _SCHEMA,
            asset=dg.AssetKey(dataset.split("/")),
            description="The table has exactly the declared columns.",
        )
    yield dg.AssetCheckSpec(
        _DESCRIBED,
        asset=dg.AssetKey(_VIDEOS.split("/")),
        description="Every video of the newest crawls of charts and games has its metadata.",
    )


@dg.multi_asset_check(
    specs=list(_specs()),
    can_subset=True,
    description="Coverage, schema, duplicates and falling counters of each dataset's last crawl.",
)
def collection_checks(
    context: dg.AssetCheckExecutionContext, store: Store
) -> Iterator[dg.AssetCheckResult]:
    """Run the selected checks on the newest crawl of their datasets."""
    for check in sorted(context.selected_asset_check_keys):
        verdict = _judge(store, check.asset_key.to_user_string(), check.name)
        yield dg.AssetCheckResult(
            asset_key=check.asset_key,
            check_name=check.name,
            passed=verdict.passed,
            severity=verdict.severity,
            metadata=verdict.metadata,
            description=verdict.description,
        )


def _judge(store: Store, dataset: str, name: str) -> _Verdict:
    if name == _SCHEMA:
        return _schema(store, dataset.replace("/", "."))
    if name == _DESCRIBED:
        return _described(store)
    crawl_at = audit.last_crawl(store.frames, dataset)
    if crawl_at is None:
        return _Verdict(passed=True, metadata={"note": "nothing was collected yet"})
    verdict = _VERDICTS[name](store, AUDITED[dataset], crawl_at)
    verdict.metadata["crawl_at"] = dg.MetadataValue.timestamp(crawl_at)
    return verdict


def _described(store: Store) -> _Verdict:
    total = {"videos": 0, "undescribed": 0}
    for dataset in _DESCRIBING:
        crawl_at = audit.last_crawl(store.frames, dataset)
        if crawl_at is not None:
            counts = audit.undescribed(store.frames, AUDITED[dataset], crawl_at)
            total = {name: total[name] + counts[name] for name in total}
    return _Verdict(not total["undescribed"], dict(total))


def _coverage(store: Store, audited: Audited, crawl_at: datetime) -> _Verdict:
    counts = audit.coverage(store.frames, audited.dataset, crawl_at)
    metadata: dict[str, Any] = dict(counts)
    if counts["expected"]:
        metadata["coverage_pct"] = round(100 * counts["covered"] / counts["expected"], 1)
    return _Verdict(
        not counts["incomplete"] and counts["covered"] >= _COVERED_SHARE * counts["expected"],
        metadata,
        dg.AssetCheckSeverity.WARN,
        _what_is_unknown(counts["parts"], counts["unknown"]),
    )


def _what_is_unknown(parts: int, unknown: int) -> str | None:
    if not unknown:
        return None
    if unknown == parts:
        return "How many items there are is not known of any part: completeness alone was checked."
    return (
        f"How many items there are is not known of {unknown} of {parts} parts; they are left out."
    )


def _schema(store: Store, table: str) -> _Verdict:
    drift = audit.schema_drift(store.frames, table)
    return _Verdict(not drift, {"drift": ", ".join(drift) or "none"})


def _duplicates(store: Store, audited: Audited, crawl_at: datetime) -> _Verdict:
    counts = audit.duplicates(store.frames, audited, crawl_at)
    return _Verdict(not counts["repeated"], dict(counts))


def _monotone(store: Store, audited: Audited, crawl_at: datetime) -> _Verdict:
    counts = audit.falling_counters(store.frames, audited, crawl_at)
    return _Verdict(
        counts["fell"] <= _FALLEN_SHARE * counts["seen_again"],
        dict(counts),
        dg.AssetCheckSeverity.WARN,
    )


_VERDICTS: Final = {_COVERAGE: _coverage, _DUPLICATES: _duplicates, _MONOTONE: _monotone}
