"""The hot documents in Redis: built from the record, published at once, checked when read.

Redis holds nothing that could not be built again: `rebuild_documents` makes every document from
Postgres with one query per kind and writes them in one pipeline. A document about an older moment
never replaces one about a newer moment, whoever writes first. The exception is a moment that is
still to come: only a clock that was ahead can have written it, and it would stay for days.
"""

import datetime as dt
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, lru_cache, partial
from itertools import islice
from typing import Any, Literal, cast

import msgspec
import numpy as np
import orjson
import pandas as pd
import redis

from aurastream.core.freshness import freshness_levels
from aurastream.settings import Settings
from aurastream.store import document_queries as queries
from aurastream.store.document_schemas import (
    KINDS,
    SCHEMA_VERSION,
    Document,
    Kind,
    Label,
    kind_of,
)
from aurastream.store.documents_audiences import format_bodies
from aurastream.store.documents_competition import competition_rows
from aurastream.store.documents_texts import title_bodies
from aurastream.store.errors import StoreUnavailableError
from aurastream.store.frames import FrameStore

__all__ = ["BuiltDocument", "Miss", "build_documents", "publish", "read", "rebuild_documents"]

_MOST = 200
_PIPELINE = 500
# How far another clock may be ahead of ours. What a platform dates later waits for its time. What
# one of us published for a later moment was a mistake; nearer than this it heals by waiting, and
# machines that are kept in time are never this far apart.
_AHEAD = dt.timedelta(minutes=5)
_BATCH = 25  # documents per script call: longer ones make other clients wait
# For each key: unless the document there describes a later moment, and one that can be true,
# replace it. A value that is no document of ours (or no string at all) has no such moment and is
# replaced.
_SET_UNLESS_OLDER = """
local written, latest = {}, ARGV[#ARGV]
for i, key in ipairs(KEYS) do
    local moment, seconds, body = ARGV[3 * i - 2], ARGV[3 * i - 1], ARGV[3 * i]
    local head = redis.pcall('GETRANGE', key, 0, 63)
    local there = type(head) == 'string' and string.match(head, '^{"as_of":"([^"]+)"')
    if there and there > moment and there <= latest then
        written[i] = 0
    else
        redis.call('SET', key, body, 'EX', seconds)
        written[i] = 1
    end
end
return written
"""
_MOMENTS = ("mean", "std", "p25", "p50", "p75", "p90")


@dataclass(frozen=True, slots=True)
class BuiltDocument:
    """A document ready to be published.

    Parameters
    ----------
    key : str
        Where it goes.
    kind : Kind
        What it is.
    as_of : datetime
        The moment it describes.
    body : bytes
        JSON.
    """

    key: str
    kind: Kind
    as_of: dt.datetime
    body: bytes


@dataclass(frozen=True, slots=True)
class Miss:
    """There is no usable document under a key.

    Parameters
    ----------
    key : str
        The key.
    reason : {"absent", "corrupt", "outdated"}
        Never written or expired; not what its schema says; written with another schema version.
    detail : str
        What exactly is wrong with it, '' when it is absent.
    """

    key: str
    reason: Literal["absent", "corrupt", "outdated"]
    detail: str = ""


def rebuild_documents(
    store: FrameStore,
    redis_url: str,
    as_of: dt.datetime,
    *,
    label: Label | None = None,
    without: Collection[str] = (),
    only: Collection[str] | None = None,
    written_at: dt.datetime | None = None,
    replace: bool = False,
) -> list[str]:
    """Build every hot document from the record and publish it.

    Parameters
    ----------
    store : FrameStore
        The record.
    redis_url : str
        Where the documents go.
    as_of : datetime
        Aware; the moment to describe. Only what was known then is used.
    label : {"live", "replay"}, optional
        By default from the settings: live when platform keys are configured.
    without : collection of str
        Kinds that are not to be published.
    only : collection of str, optional
        The kinds to publish; by default all. What is not wanted is not asked for either.
    written_at : datetime, optional
        The present, where ``as_of`` may lie ahead of it: no document says that it describes a
        moment after the one at which it was written.
    replace : bool
        Whether what is dated only a little ahead is replaced too, see `publish`.

    Returns
    -------
    list of str
        Keys published. A key whose document is newer already is left out.

    Raises
    ------
    StoreUnavailableError
        When Postgres or Redis does not answer.
    """
    if label is None:
        label = "live" if Settings.from_env().live else "replay"
    wanted = [name for name in KINDS if name not in without and (only is None or name in only)]
    built = list(
        build_documents(store, as_of, label=label, only=wanted, written_at=written_at or as_of)
    )
    try:
        with redis.Redis.from_url(redis_url, socket_timeout=10) as client:
            return publish(client, built, replace=replace)
    except (redis.ConnectionError, redis.TimeoutError) as error:
        raise StoreUnavailableError(
            f"Redis does not answer: {error}.",
            fix="Start it with script/server, or check AURASTREAM_REDIS_URL.",
        ) from error


def publish(
    client: "redis.Redis", documents: Iterable[BuiltDocument], *, replace: bool = False
) -> list[str]:
    """Write documents in one pipeline, except those that are older than what is there.

    The comparison happens in the server, in the same step as the write, so that no writer can
    come between. What is there and dated minutes after the moment of writing is replaced: it can
    only be a mistake. With ``replace``, so is whatever is dated later than that moment. Very many
    documents go in several pipelines, each sent while the next documents are being made.

    Returns
    -------
    list of str
        Keys written.
    """
    write = partial(_write, client, replace=replace)
    source = iter(documents)
    first = list(islice(source, _PIPELINE))
    following = list(islice(source, _PIPELINE))
    if not following:
        return write(first)
    written: list[str] = []
    with ThreadPoolExecutor(max_workers=1) as sender:
        sending = sender.submit(write, first)
        while following:
            upcoming = sender.submit(write, following)
            following = list(islice(source, _PIPELINE))
            written += sending.result()
            sending = upcoming
        written += sending.result()
    return written


def _write(
    client: "redis.Redis", documents: Sequence[BuiltDocument], *, replace: bool
) -> list[str]:
    if not documents:
        return []
    # By the clock of now: a run that was long at building is no reason to distrust a faster one. By
    # that of the server too: ours may be the one that is behind.
    now = max(dt.datetime.now(dt.UTC), dt.datetime.fromtimestamp(client.time()[0], dt.UTC))
    latest = _text(now if replace else now + _AHEAD)
    with client.pipeline(transaction=False) as pipeline:
        for start in range(0, len(documents), _BATCH):
            part = documents[start : start + _BATCH]
            values: list[str | bytes | int] = []
            for document in part:
                seconds = int(document.kind.ttl.total_seconds())
                values += (_text(document.as_of), seconds, document.body)
            pipeline.eval(_SET_UNLESS_OLDER, len(part), *(d.key for d in part), *values, latest)
        flags = [flag for batch in pipeline.execute() for flag in batch]
    return [d.key for d, flag in zip(documents, flags, strict=True) if flag]


@lru_cache(maxsize=64)
def _text(moment: dt.datetime) -> str:
    """Return a moment as it stands in a document; in UTC such texts sort by time."""
    return orjson.dumps(moment.astimezone(dt.UTC)).decode()[1:-1]


def read(client: "redis.Redis", key: str) -> Document | Miss:
    """Read one document and check it against its schema.

    Returns
    -------
    Document or Miss
        A document that cannot be trusted is a miss that says why, never an exception.
    """
    kind = kind_of(key)
    if kind is None:
        return Miss(key, "absent", "no document has such a key")
    try:
        body = client.get(key)
    except redis.ResponseError as error:  # another type of value sits under the key
        return Miss(key, "corrupt", str(error))
    if body is None:
        return Miss(key, "absent")
    try:
        document = msgspec.json.decode(cast("bytes", body), type=kind.schema)
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError) as error:
        return Miss(key, "corrupt", str(error))
    if document.version != SCHEMA_VERSION:
        return Miss(key, "outdated", f"version {document.version}, expected {SCHEMA_VERSION}")
    return document


def build_documents(
    store: FrameStore,
    as_of: dt.datetime,
    *,
    label: Label,
    only: Collection[str] | None = None,
    written_at: dt.datetime | None = None,
) -> Iterator[BuiltDocument]:
    """Yield every document that the record has data for.

    Parameters
    ----------
    store : FrameStore
        The record.
    as_of : datetime
        Aware; the moment to describe.
    label : {"live", "replay"}
        Where the data come from.
    only : collection of str, optional
        The kinds to build; by default all.
    written_at : datetime, optional
        The present; see `rebuild_documents`.
    """
    told = as_of if written_at is None else min(as_of, written_at)
    known = as_of if written_at is None else min(as_of, written_at + _AHEAD)
    make = _Maker(told.astimezone(dt.UTC), label)

    def ask(query: str, dataset: str = "") -> pd.DataFrame:
        return store.query(query, {"as_of": known, "most": _MOST, "dataset": dataset})

    @cache
    def stats() -> pd.DataFrame:
        rows = _dated(ask(queries.STATS))
        return rows.assign(name=rows["category"])

    builders: dict[str, Callable[[], Iterator[BuiltDocument]]] = {
        **_collected(make, ask),
        "viral_clips": lambda: _viral_clips(make, ask(queries.VIRAL_CLIPS)),
        "viral": lambda: _viral(make, _dated(ask(queries.VIRAL))),
        "title": lambda: make.ready("title", title_bodies(ask)),
        "format": lambda: make.ready("format", format_bodies(ask)),
        "video_ideas": lambda: make.grouped(
            KINDS["video_ideas"],
            ask(queries.IDEAS),
            lambda name, shared, rows: {"category": name, **shared, "ideas": rows},
            shared=["window_start"],
        ),
        "competition": lambda: _competition(make, _dated(competition_rows(store, known))),
        "category_stats": lambda: make.each(KINDS["category_stats"], stats(), _stats_body),
        "baseline": lambda: make.each(
            KINDS["baseline"],
            stats(),
            lambda row: {
                "category": row["category"],
                "baseline_velocity_per_hour": row["baseline_velocity_per_hour"],
                "source": row["baseline_source"],
                "sample_count": row["sample_count"],
            },
        ),
    }
    for name, build in builders.items():
        if only is None or name in only:
            yield from build()


def _collected(
    make: "_Maker", ask: Callable[..., pd.DataFrame]
) -> dict[str, Callable[[], Iterator[BuiltDocument]]]:
    """Return the builders of what was collected, as it was collected."""
    return {
        "trending": lambda: make.grouped(
            KINDS["trending"],
            ask(queries.TRENDING, "collection/youtube_trending"),
            lambda name, _, rows: {"category": name, "videos": rows},
        ),
        "games": lambda: make.grouped(
            KINDS["games"],
            ask(queries.GAMES, "collection/youtube_games"),
            lambda name, _, rows: {"game": name, "videos": rows},
        ),
        "streams": lambda: make.grouped(
            KINDS["streams"],
            ask(queries.STREAMS, "collection/twitch_streams"),
            lambda name, shared, rows: {
                **shared,
                "game_id": name,
                "viewer_total": sum(row["viewer_count"] for row in rows),
                "streams": rows,
            },
            shared=["game"],
        ),
        "top_games": lambda: make.grouped(
            KINDS["top_games"],
            ask(queries.TOP_GAMES).assign(name=""),
            lambda _name, _shared, rows: {"games": rows},
        ),
        "last_fetch": lambda: make.each(
            KINDS["last_fetch"],
            ask(queries.LAST_FETCH).assign(name=""),
            lambda row: {
                "crawl_at": row["crawl_at"],
                "games": row["games"],
                "is_complete": row["is_complete"],
            },
        ),
        "clips": lambda: make.grouped(
            KINDS["clips"],
            ask(queries.CLIPS, "collection/clip_radar"),
            lambda name, shared, rows: {**shared, "game_id": name, "clips": rows},
            shared=["game"],
        ),
    }


def _viral_clips(make: "_Maker", found: pd.DataFrame) -> Iterator[BuiltDocument]:
    return make.grouped(
        KINDS["viral_clips"],
        found,
        lambda name, shared, rows: {
            "game": shared["game"],
            "game_id": name,
            **shared,
            "clips": [row for row in rows if row["clip_id"] is not None],
        },
        shared=["game", "window_start", "sample_count"],
    )


def _viral(make: "_Maker", found: pd.DataFrame) -> Iterator[BuiltDocument]:
    return make.grouped(
        KINDS["viral"],
        found,
        lambda name, shared, rows: {"category": name, **shared, "videos": rows},
        shared=["window_start", "sample_count", "viral_count", "rising_count"],
    )


def _competition(make: "_Maker", found: pd.DataFrame) -> Iterator[BuiltDocument]:
    rows = found.assign(name=found["category"], competition_score=found["ease_score"])
    return make.each(KINDS["competition"], rows)


_Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class _Maker:
    as_of: dt.datetime
    label: Label

    def grouped(
        self,
        kind: Kind,
        rows: pd.DataFrame,
        body: Callable[[str, _Record, list[_Record]], _Record],
        *,
        shared: Sequence[str] = (),
    ) -> Iterator[BuiltDocument]:
        """Make one document per name from the columns its rows share, and the rest of its rows."""
        once = _records(rows[list(shared)])
        items = _records(rows.drop(columns=["name", "observed_at", *shared]))
        for name, places in rows.groupby("name", sort=True).indices.items():
            observed_at = rows["observed_at"].iloc[places].max().to_pydatetime()
            common = once[places[0]] if shared else {}
            fields = body(str(name), common, [items[place] for place in places])
            yield self.one(kind, str(name), observed_at, fields)

    def each(
        self,
        kind: Kind,
        rows: pd.DataFrame,
        body: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    ) -> Iterator[BuiltDocument]:
        """Make one document per row."""
        for row in _records(rows):
            fields = row if body is None else body(row)
            yield self.one(kind, row["name"], row["observed_at"], fields)

    def ready(
        self, kind: str, bodies: Iterable[tuple[str, dt.datetime, dict[str, Any]]]
    ) -> Iterator[BuiltDocument]:
        """Make one document per body."""
        for name, observed_at, body in bodies:
            yield self.one(KINDS[kind], name, observed_at, body)

    def one(
        self, kind: Kind, name: str, observed_at: dt.datetime, body: dict[str, Any]
    ) -> BuiltDocument:
        """Put a body into its envelope, which comes first: `publish` compares only the head."""
        observed_at = min(observed_at, self.as_of)  # by a platform's clock that is a little ahead
        age_h = (self.as_of - observed_at) / dt.timedelta(hours=1)
        envelope = {
            "as_of": self.as_of,
            "observed_at": observed_at,
            "fresh_until": observed_at + kind.fresh_for,
            "version": SCHEMA_VERSION,
            "label": self.label,
            "freshness": str(freshness_levels([age_h])[0]),
        }
        names = kind.schema.__struct_fields__
        known = {key: value for key, value in body.items() if key in names and key not in envelope}
        text = orjson.dumps({**envelope, **known}, option=orjson.OPT_SERIALIZE_NUMPY)
        return BuiltDocument(kind.key(name), kind, self.as_of, text)


def _stats_body(row: dict[str, Any]) -> dict[str, Any]:
    metrics = {
        metric: {moment: row[f"{metric}_{moment}"] for moment in _MOMENTS}
        for metric in ("views", "velocity", "engagement")
    }
    return {**row, **metrics}


def _dated(rows: pd.DataFrame) -> pd.DataFrame:
    """Date scores that rest on no snapshot at all to the start of their window."""
    return rows.assign(observed_at=rows["observed_at"].fillna(rows["window_start"]))


def _records(rows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return rows as plain values: NULL, NaN and NaT as None, times as datetimes."""
    columns = [_plain(rows[name]) for name in rows.columns]
    names = [str(name) for name in rows.columns]
    return [dict(zip(names, values, strict=True)) for values in zip(*columns, strict=True)]


def _plain(values: "pd.Series[Any]") -> Iterable[Any]:
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        return [None if v is pd.NaT else v for v in pd.DatetimeIndex(values).to_pydatetime()]
    if values.dtype == np.float64:
        return [None if v != v else v for v in values.tolist()]  # noqa: PLR0124 # only NaN differs
    if isinstance(values.dtype, np.dtype) and values.dtype != object:
        return values.tolist()
    if values.dtype == object:
        return list(values)
    return [None if v is pd.NA or v != v else v for v in values.tolist()]  # noqa: PLR0124 # the same
