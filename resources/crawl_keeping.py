"""A crawl goes to the record before Dagster hears of it.

Dagster notes that a step has an output before it hands the output to an I/O manager, and what it
cannot note ends the step. Its events are in the same Postgres as the record: a server that is away
would take with it what the spool is there to keep.
"""

from typing import TYPE_CHECKING

import dagster as dg

from aurastream.sources.collectors.result import REPLACED_TABLES, CrawlResult
from aurastream.store.frames import Append, Upsert
from resources.failures import failing_fast
from resources.store import Store

if TYPE_CHECKING:
    from aurastream.store.frames import WriteOp

__all__ = ["crawl_writes", "keep"]


def keep(
    context: dg.AssetExecutionContext, store: Store, result: CrawlResult
) -> dict[str, dg.MetadataValue]:
    """Commit a crawl with everything that belongs to it, so that no counter is without its log.

    Parameters
    ----------
    context : AssetExecutionContext
        Of the asset that crawled.
    store : Store
        The record. The past of an API cannot be fetched again: where the server stays away, the
        spool keeps the crawl, and where it refuses, the spool keeps it aside.
    result : CrawlResult
        The crawl.

    Returns
    -------
    dict
        What the asset's metadata says of it.

    Raises
    ------
    dagster.Failure
        When it was refused, or when nothing came and that will not pass. It is not tried again.
    StoreUnavailableError, RetryableError
        When another try may help.
    """
    with failing_fast():
        written = store.frames.commit(crawl_writes(result), spool=True)
        # Only now: what was asked and refused is on record, so that the failure can be read.
        result.raise_if_nothing_came()
    _log_along(context, result)
    return {"spooled": dg.MetadataValue.bool(any(each.spooled for each in written))}


def crawl_writes(result: CrawlResult) -> "list[WriteOp]":
    """Return the writes of one crawl, in the order of its frames."""
    return [
        Upsert(name, frame) if name in REPLACED_TABLES else Append(name, frame)
        for name, frame in result.frames.items()
        if len(frame)
    ]


def _log_along(context: dg.AssetExecutionContext, result: CrawlResult) -> None:
    """Log the tables that this crawl wrote beside the step's own assets."""
    own = {".".join(key.path) for key in context.assets_def.keys}
    for name, frame in result.frames.items():
        schema, table = name.split(".")
        if schema == "collection" and name not in own and len(frame):
            context.log_event(
                dg.AssetMaterialization(
                    dg.AssetKey([schema, table]),
                    metadata={
                        "rows": len(frame),
                        "crawl_at": dg.MetadataValue.timestamp(result.crawl_at),
                        "written_by": result.dataset,
                    },
                )
            )
