"""New thumbnails, fetched and looked at, ten at a time; the pictures are let go at once."""

import datetime as dt
import hashlib
import threading
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

import pandas as pd

from aurastream.core.hashes import content_hash
from aurastream.core.thumbnails import (
    FEATURES_VERSION,
    THUMBNAIL_SCHEMA,
    ThumbnailFeatures,
    features_frame,
)
from aurastream.core.thumbnails_decode import RejectionReason, ThumbnailRejectedError
from aurastream.sources.collectors import assembly
from aurastream.sources.collectors.result import CrawlResult
from aurastream.sources.errors import (
    ConfigError,
    PermanentError,
    PermissionDeniedError,
    SourceError,
)
from aurastream.sources.ports import FetchRecord, Rejected
from aurastream.sources.thumbnails import ThumbnailClient, UnfetchedThumbnailError
from aurastream.sources.vision import (
    LocalVision,
    ReaderUnavailableError,
    TextReader,
    VisionProvider,
)

__all__ = ["THUMBNAILS", "collect_thumbnails"]

_DATASET: Final = "intelligence/thumbnail_features"
_TABLE: Final = "intelligence.thumbnail_features"
THUMBNAILS: Final = (
    "video_id",
    "content_hash",
    "thumbnail_url",
    "first_seen_at",
    "checked_at",
    "etag",
    *(name for name in THUMBNAIL_SCHEMA if name != "content_hash"),
)
"""Columns of ``intelligence.thumbnail_features``."""
_BATCH: Final = 10
_LONGEST: Final = 500
_OURS: Final = "local"


@dataclass(frozen=True, slots=True)
class _Seen:
    """What became of one address."""

    url: str
    features: ThumbnailFeatures | None = None
    is_unchanged: bool = False
    etag: str | None = None
    reason: str = ""
    words: str = ""
    record: FetchRecord | None = None
    is_postponed: bool = False
    unread: str = ""


def collect_thumbnails(
    client: ThumbnailClient,
    *,
    wanted: pd.DataFrame,
    known: pd.DataFrame | None = None,
    vision: VisionProvider | None = None,
    reader: TextReader | None = None,
    run_id: str | None = None,
    max_parallel: int = 4,
    started_at: dt.datetime | None = None,
) -> CrawlResult:
    """Fetch thumbnails, look at each once, and keep what was seen.

    At most ``max_parallel`` files are in memory at a time, ten are under way in a batch; a file is
    let go as soon as it was looked at.

    Parameters
    ----------
    client : ThumbnailClient
        Fetches files.
    wanted : pandas.DataFrame
        ``video_id`` and ``thumbnail_url``; the same address is asked once, whoever shares it. With
        ``is_to_read``, the words in those pictures are read, and they are sent even if known.
    known : pandas.DataFrame, optional
        Rows of ``intelligence.thumbnail_features`` of those videos: a file that is still the same
        is neither sent nor looked at again, its ``checked_at`` alone moves on.
    vision : VisionProvider, optional
        Who looks; this machine by default, and wherever somebody else could not be asked.
    reader : TextReader, optional
        Who reads the words, on this machine, where that is wanted; words that were read before in
        the same file stay.
    run_id : str, optional
        Written into the fetch log.
    max_parallel : int, optional
        Files under way at a time.
    started_at : datetime.datetime, optional
        Start of the crawl for the case that nothing was wanted.

    Returns
    -------
    CrawlResult
        With ``intelligence.thumbnail_features``, to be upserted. What cannot be looked at is in
        ``operations.quarantine`` with its reason, once for each video, and nowhere else. What was
        not asked for, because the host failed too often and is left alone for a while, is in
        neither: it stays wanted, and ``left_for_later`` in the metadata counts it. A picture whose
        words could not be read is in both: ``text`` is null, everything else is known.
    """
    eyes = _Eyes(vision or LocalVision(), reader)
    before = _Known(known)
    videos = {str(url): own for url, own in wanted.groupby("thumbnail_url", sort=False)["video_id"]}
    urls = list(videos)
    to_read: set[str] = set()
    if "is_to_read" in wanted and reader is not None:
        to_read = set(wanted.loc[wanted["is_to_read"].astype(bool), "thumbnail_url"])
    seen: dict[str, _Seen] = {}
    with ThreadPoolExecutor(max_parallel) as pool:
        for batch in _batches(iter(urls)):
            found = pool.map(
                lambda url: (
                    _look(client, eyes, url, is_to_read=True)
                    if url in to_read
                    else _look(client, eyes, url, before.etag(videos[url], url))
                ),
                batch,
            )
            seen |= {one.url: one for one in found}
    crawl_at = started_at or client.clock.now()
    fetches = [one.record for one in seen.values() if one.record is not None]
    crawl_at = min((fetch.observed_at for fetch in fetches), default=crawl_at)
    rows, refused, left = _sorted_out(wanted, seen, before, crawl_at)
    reasons = Counter(
        str(one.reason) for one in seen.values() if one.reason and not one.is_postponed
    )
    failed = sum(row["reason"].startswith(f"{RejectionReason.UNREACHABLE}:") for row in refused)
    features = _rows(rows, before)
    return CrawlResult(
        dataset=_DATASET,
        frames={
            _TABLE: features,
            "operations.fetch_log": assembly.fetch_log(fetches, run_id),
            "operations.quarantine": assembly.quarantine_frame(refused),
        },
        metadata={
            "wanted": len(wanted),
            "addresses": len(urls),
            "rows": len(features),
            "looked_at": eyes.looked_at,
            "unchanged": sum(one.is_unchanged for one in seen.values()),
            "rejected": len(refused),
            "left_for_later": left,
            "incomplete": left + failed,
            "vision_provider": eyes.name,
            "vision_failures": eyes.failures,
            "reader": eyes.reader,
            # Videos, of which several may share a file, as whatever is still to be read.
            "words_read": int(
                (features["thumbnail_url"].isin(to_read) & features["text"].notna()).sum()
            ),
            "unread": sum(bool(one.unread) for one in seen.values()),
            **{f"rejected_{reason}": count for reason, count in sorted(reasons.items())},
        },
        membership_hash=content_hash(features, {"video_id": "text", "content_hash": "text"}),
        stats_hash=content_hash(features, {"content_hash": "text", "features_version": "text"}),
        is_complete=not left and not failed,
        crawl_at=crawl_at,
    )


class _Eyes:
    """The provider, and this machine where it fails; each file of a run is looked at once.

    One that is to be read for one video and not for another is looked at twice: what a row says
    must not depend on which came first.
    """

    def __init__(self, vision: VisionProvider, reader: TextReader | None) -> None:
        self._vision = vision
        self._local = LocalVision()
        self._reading = LocalVision(reader) if reader else None
        self._lock = threading.Lock()
        self._found: dict[tuple[str, bool], tuple[ThumbnailFeatures, str]] = {}
        self._is_over = False
        self.looked_at = 0
        self.failures = 0
        self.reader = reader.name if reader else "none"

    @property
    def name(self) -> str:
        return self._vision.name

    def look_at(self, data: bytes, *, is_to_read: bool) -> tuple[ThumbnailFeatures, str]:
        """Return what a file looks like, and why its words were not read though they should be."""
        key = hashlib.sha256(data).hexdigest(), is_to_read
        with self._lock:
            if key in self._found:
                return self._found[key]
        found = self._read(data) if is_to_read else (self._asked(data), "")
        with self._lock:
            self.looked_at += key not in self._found
            return self._found.setdefault(key, found)

    def _read(self, data: bytes) -> tuple[ThumbnailFeatures, str]:
        reading = self._reading
        if reading is None:
            return self._asked(data), ""
        try:
            return reading.look_at(data), ""
        except ThumbnailRejectedError:
            raise
        except ReaderUnavailableError as error:
            with self._lock:
                self._reading, self.reader = None, error.message
            return self._asked(data), ""
        except Exception as error:  # noqa: BLE001 # the words are not worth the rest of the picture
            return self._asked(data), _words_of(error)

    def _asked(self, data: bytes) -> ThumbnailFeatures:
        if self._is_over:
            return self._local.look_at(data)
        try:
            return self._vision.look_at(data)
        except SourceError as error:
            with self._lock:
                self.failures += 1
                # A wrong key is wrong for the next picture too; a refusal concerns one alone, and
                # so does the bad request that a picture is which the model cannot open.
                is_refusal = isinstance(error, PermissionDeniedError) and error.status is None
                is_of_one = is_refusal or isinstance(error, ConfigError)
                self._is_over |= isinstance(error, PermanentError) and not is_of_one
            return self._local.look_at(data)


class _Known:
    """What the record says of the wanted videos."""

    def __init__(self, known: pd.DataFrame | None) -> None:
        self._rows: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._latest: dict[str, Mapping[str, Any]] = {}
        if known is None or known.empty:
            return
        ordered = known.sort_values(["checked_at", "content_hash"], kind="stable")
        for record in ordered.to_dict("records"):
            row = {str(name): value for name, value in record.items()}
            self._rows[row["video_id"], row["content_hash"]] = row
            self._latest[row["video_id"]] = row

    def etag(self, video_ids: Iterable[str], url: str) -> str | None:
        """Return what may be asked after: a file that these formulas saw for all these videos."""
        etags = set()
        for video_id in video_ids:
            row = self._latest.get(video_id, {})
            is_current = row.get("features_version") == FEATURES_VERSION
            etags.add(row.get("etag") if is_current and row.get("thumbnail_url") == url else None)
        (etag, *others) = etags
        return etag if isinstance(etag, str) and not others else None

    def latest(self, video_id: str) -> Mapping[str, Any] | None:
        return self._latest.get(video_id)

    def with_words(self, video_id: str, features: ThumbnailFeatures) -> ThumbnailFeatures:
        """Return features with the words that this machine read before in the same file."""
        row = self._rows.get((video_id, features.content_hash), {})
        text, who = row.get("text"), str(row.get("vision_provider", ""))
        if features.text is not None or not isinstance(text, str) or not who.startswith(_OURS):
            return features
        return replace(features, text=text, vision_provider=who)

    def first_seen(self, video_id: str, content: str) -> Any:  # noqa: ANN401 # a time or None
        row = self._rows.get((video_id, content))
        return None if row is None else row["first_seen_at"]


def _batches(urls: Iterator[str]) -> Iterator[list[str]]:
    while batch := list(islice(urls, _BATCH)):
        yield batch


def _look(
    client: ThumbnailClient,
    eyes: _Eyes,
    url: str,
    etag: str | None = None,
    *,
    is_to_read: bool = False,
) -> _Seen:
    record: FetchRecord | None = None
    try:
        file = client.fetch(url, etag)
        record = file.record
        if file.data is None:
            return _Seen(url, is_unchanged=True, etag=file.etag, record=record)
        features, unread = eyes.look_at(file.data, is_to_read=is_to_read)
        return _Seen(url, features, etag=file.etag, record=record, unread=unread)
    except UnfetchedThumbnailError as error:
        return _Seen(
            url,
            reason=error.reason,
            words=error.message,
            record=error.record,
            is_postponed=error.is_postponed,
        )
    except ThumbnailRejectedError as error:
        reason, words = error.reason, error.message
    except ImportError:
        raise  # concerns every picture: the installation is broken
    except Exception as error:  # noqa: BLE001 # one picture must not cost the others theirs
        reason, words = RejectionReason.UNREADABLE, _words_of(error)
    record = record and replace(record, items=0, rejected=1)
    return _Seen(url, reason=reason, words=words, record=record)


def _words_of(error: Exception) -> str:
    """Return what an error says, as a text that any database takes."""
    said = f"{type(error).__name__}: {error}"[:_LONGEST].replace("\x00", "")
    return said.encode("utf-8", "replace").decode("utf-8")


def _sorted_out(
    wanted: pd.DataFrame, seen: Mapping[str, _Seen], before: _Known, crawl_at: dt.datetime
) -> tuple[list[tuple[str, _Seen]], list[dict[str, Any]], int]:
    """Return the videos with something to store, the rows of the quarantine, and who is left."""
    rows: list[tuple[str, _Seen]] = []
    refused: list[dict[str, Any]] = []
    left = 0
    pairs = wanted[["video_id", "thumbnail_url"]].drop_duplicates("video_id")
    for video_id, url in pairs.itertuples(index=False):
        one = seen[url]
        if not one.reason and (one.features is not None or before.latest(video_id) is not None):
            rows.append((video_id, one))
            if one.unread:
                refused.append(_refusal(video_id, one, RejectionReason.UNREAD, crawl_at))
            continue
        if one.is_postponed:
            left += 1
            continue
        refused.append(_refusal(video_id, one, one.reason, crawl_at))
    return rows, refused, left


def _refusal(video_id: str, one: _Seen, reason: str, crawl_at: dt.datetime) -> dict[str, Any]:
    """Return a row of the quarantine."""
    at = one.record.observed_at if one.record else crawl_at
    item = Rejected(
        item_id=video_id,
        reason=f"{reason}: {one.words or one.unread}",
        raw=str(one.url),
        fetch_id=one.record.fetch_id if one.record else None,
    )
    return assembly.quarantine_row(_DATASET, item, occurred_at=at, identity=(at.isoformat(),))


def _rows(found: list[tuple[str, _Seen]], before: _Known) -> pd.DataFrame:
    """Return the rows of the table: new files in full, unchanged ones with another check."""
    new = {video: one for video, one in found if one.features is not None}
    frame = features_frame(
        {v: before.with_words(v, one.features) for v, one in new.items() if one.features}
    )
    at = {video: one.record.observed_at for video, one in new.items() if one.record}
    frame = frame.assign(
        thumbnail_url=[one.url for one in new.values()],
        checked_at=pd.DatetimeIndex(list(at.values()), tz="UTC").as_unit("us"),
        etag=pd.array([one.etag for one in new.values()], dtype="str"),
    )
    first: list[Any] = [
        before.first_seen(video, content) or at[video]
        for video, content in zip(frame["video_id"], frame["content_hash"], strict=True)
    ]
    frame["first_seen_at"] = pd.DatetimeIndex(first, tz="UTC").as_unit("us")
    same = []
    for video, one in found:
        row = before.latest(video)
        if one.features is None and one.record is not None and row is not None:
            same.append({**row, "checked_at": pd.Timestamp(one.record.observed_at)})
    columns = list(THUMBNAILS)
    parts = [frame.reindex(columns=columns)]
    if same:
        parts.append(pd.DataFrame(same).reindex(columns=columns))
    parts = [part for part in parts if len(part)] or parts[:1]
    joined = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return joined.sort_values(["video_id", "content_hash"], kind="stable", ignore_index=True)
