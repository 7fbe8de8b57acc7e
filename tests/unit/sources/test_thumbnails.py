"""Thumbnails are fetched in full or refused with a reason, and never more of them than that."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from aurastream.core.thumbnails import THUMBNAIL_SCHEMA, ThumbnailFeatures
from aurastream.core.thumbnails_decode import RejectionReason
from aurastream.sources.breaker import CircuitBreakers
from aurastream.sources.collectors.thumbnails import THUMBNAILS, collect_thumbnails
from aurastream.sources.errors import (
    ConfigError,
    KeyInvalidError,
    PermissionDeniedError,
    TransientError,
)
from aurastream.sources.thumbnails import ThumbnailClient, UnfetchedThumbnailError
from aurastream.sources.vision import LocalVision, ReaderUnavailableError
from aurastream.store.tables import metadata
from tests.unit.sources.support import FakeClock, Reply, Request, Upstream
from tests.unit.thumbnails.pictures import animation, file_of, waves, words

TABLE = "intelligence.thumbnail_features"
PICTURE = file_of(waves(1, (320, 180)))
OTHER = file_of(waves(2, (320, 180)))


@pytest.fixture
def client(upstream: Upstream, http: httpx.Client, clock: FakeClock) -> ThumbnailClient:
    return ThumbnailClient([httpx.URL(upstream.url).netloc.decode()], http=http, clock=clock)


def wanted(upstream: Upstream, *names: str) -> pd.DataFrame:
    return pd.DataFrame(
        {"video_id": list(names), "thumbnail_url": [f"{upstream.url}/{n}.jpg" for n in names]}
    )


def reason_of(client: ThumbnailClient, url: str) -> RejectionReason:
    with pytest.raises(UnfetchedThumbnailError) as caught:
        client.fetch(url)
    return caught.value.reason


def test_a_file_comes_with_its_etag_and_its_record(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE, headers={"ETag": '"1"'}))

    found = client.fetch(f"{upstream.url}/a.jpg")

    assert found.data == PICTURE
    assert found.etag == '"1"'
    assert (found.record.endpoint, found.record.status, found.record.attempts) == (
        "thumbnails",
        200,
        1,
    )
    (asked,) = upstream.asked("/a.jpg")
    assert asked.headers["accept-encoding"] == "identity"
    assert "image/jpeg" in asked.headers["accept"]


def test_a_file_that_is_known_is_not_sent_again(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    upstream.script("/a.jpg", Reply(b"", 304))

    found = client.fetch(f"{upstream.url}/a.jpg", '"1"')

    assert found.data is None
    assert found.etag == '"1"'
    assert found.record.outcome == "not_modified"
    assert upstream.asked("/a.jpg")[0].headers["if-none-match"] == '"1"'


@pytest.mark.parametrize(
    ("reply", "reason", "tries"),
    [
        (Reply(b"", 404), "missing", 1),
        (Reply(b"", 410), "missing", 1),
        (Reply(b"", 403), "unreachable", 1),
        (Reply(b"", 302, {"Location": "http://127.0.0.1/elsewhere.jpg"}), "unreachable", 1),
        (Reply(b"", 503), "unreachable", 3),
        (Reply(b"", 429), "unreachable", 3),
        (Reply(None), "unreachable", 3),
        (Reply(PICTURE, truncate=True), "unreachable", 3),
    ],
    ids=["404", "410", "403", "302", "503", "429", "hung up", "cut off"],
)
def test_what_is_no_file_has_a_reason_and_as_many_tries_as_may_help(
    client: ThumbnailClient, upstream: Upstream, reply: Reply, reason: str, tries: int
) -> None:
    upstream.script("/a.jpg", reply)

    assert reason_of(client, f"{upstream.url}/a.jpg") == reason
    assert len(upstream.asked("/a.jpg")) == tries


def test_a_failure_that_passes_is_got_over(client: ThumbnailClient, upstream: Upstream) -> None:
    upstream.script("/a.jpg", Reply(b"", 503), Reply(None), Reply(PICTURE))

    found = client.fetch(f"{upstream.url}/a.jpg")

    assert found.data == PICTURE
    assert found.record.attempts == 3


def test_an_address_of_a_server_that_moved_is_asked_where_it_is_now(
    upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE))
    now_at = httpx.URL(upstream.url).netloc.decode()
    client = ThumbnailClient([now_at], moved_to=now_at, http=http, clock=clock)

    assert client.fetch("http://127.0.0.1:1/a.jpg").data == PICTURE
    assert reason_of(client, "http://127.0.0.2:1/a.jpg") is RejectionReason.FOREIGN_HOST
    assert reason_of(client, "not an address") is RejectionReason.FOREIGN_HOST


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/a.jpg",
        "http://evil-ytimg.com/a.jpg",
        "file:///etc/passwd",
        "ftp://i.ytimg.com/a.jpg",
        "https://user:word@i.ytimg.com/a.jpg",
        "https://i.ytimg.com:22/a.jpg",
        "not an address",
        "",
    ],
)
def test_no_other_host_is_asked(http: httpx.Client, clock: FakeClock, url: str) -> None:
    client = ThumbnailClient(http=http, clock=clock)

    assert reason_of(client, url) is RejectionReason.FOREIGN_HOST


def test_a_file_that_says_it_is_too_large_is_not_read(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    upstream.script("/a.jpg", Reply(bytes(5_000_001)))

    assert reason_of(client, f"{upstream.url}/a.jpg") is RejectionReason.TOO_MANY_BYTES
    assert len(upstream.asked("/a.jpg")) == 1


@pytest.fixture
def endless() -> Iterator[tuple[str, list[int]]]:
    """A server that sends a picture without end and counts what it got rid of."""
    sent = [0]

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                for _ in range(4_000):
                    self.wfile.write(bytes(65_536))
                    sent[0] += 65_536
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            """Keep the test's output clean."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/a.jpg", sent
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_file_without_end_is_given_up_at_five_megabytes(
    http: httpx.Client, clock: FakeClock, endless: tuple[str, list[int]]
) -> None:
    url, sent = endless
    client = ThumbnailClient([httpx.URL(url).netloc.decode()], http=http, clock=clock)

    assert reason_of(client, url) is RejectionReason.TOO_MANY_BYTES
    assert sent[0] < 60_000_000  # what the kernel had buffered, not the 260 MB


def test_siblings_of_what_is_refused_are_the_same_to_the_bit(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    bad = {
        "gone": (Reply(b"", 404), "missing"),
        "page": (Reply(b"<html>sorry</html>"), "not_an_image"),
        "half": (Reply(PICTURE[: len(PICTURE) // 2]), "truncated"),
        "wide": (Reply(file_of(Image.new("RGB", (8000, 40)))), "too_long_a_side"),
        "heavy": (Reply(bytes(5_000_001)), "too_many_bytes"),
        "dot": (Reply(file_of(Image.new("RGB", (1, 1)))), "too_small"),
        "strip": (Reply(file_of(Image.new("RGB", (1500, 16), "red"))), "too_narrow"),
    }
    good = {"one": PICTURE, "two": OTHER, "moving": animation()}
    for name, body in good.items():
        upstream.script(f"/{name}.jpg", Reply(body))
    for name, (reply, _) in bad.items():
        upstream.script(f"/{name}.jpg", reply)
    mixed = [n for pair in zip(bad, [*good, *good, *good], strict=False) for n in pair]

    alone = collect_thumbnails(client, wanted=wanted(upstream, *good))
    together = collect_thumbnails(client, wanted=wanted(upstream, *dict.fromkeys(mixed)))

    table = "intelligence.thumbnail_features"
    own = [c for c in THUMBNAILS if c not in {"first_seen_at", "checked_at"}]
    pd.testing.assert_frame_equal(together.frames[table][own], alone.frames[table][own])
    refused = together.frames["operations.quarantine"].set_index("item_id")
    assert {n: r.partition(":")[0] for n, r in refused["reason"].items()} == {
        name: reason for name, (_, reason) in bad.items()
    }
    assert refused["quarantine_id"].is_unique
    assert together.metadata["rejected"] == len(bad)
    assert together.metadata["rejected_too_many_bytes"] == 1
    assert set(refused["fetch_id"]) <= set(together.frames["operations.fetch_log"]["fetch_id"])


def test_what_fails_as_nobody_foresaw_costs_its_own_picture_alone(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    class Stumbling(LocalVision):
        def look_at(self, data: bytes) -> ThumbnailFeatures:
            if data == OTHER:
                raise IndexError("index 3\x00 is out of bounds \ud800")
            return super().look_at(data)

    upstream.script("/a.jpg", Reply(PICTURE))
    upstream.script("/b.jpg", Reply(OTHER))
    table = "intelligence.thumbnail_features"
    alone = collect_thumbnails(client, wanted=wanted(upstream, "a"))

    found = collect_thumbnails(client, wanted=wanted(upstream, "b", "a"), vision=Stumbling())

    own = [c for c in THUMBNAILS if c not in {"first_seen_at", "checked_at"}]
    pd.testing.assert_frame_equal(found.frames[table][own], alone.frames[table][own])
    refused = found.frames["operations.quarantine"]
    assert refused["item_id"].tolist() == ["b"]
    assert refused["reason"].tolist() == ["unreadable: IndexError: index 3 is out of bounds ?"]
    assert found.metadata["rejected_unreadable"] == 1
    assert found.is_complete


def test_a_broken_installation_is_no_fault_of_a_picture(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE))

    with pytest.raises(ImportError):
        collect_thumbnails(
            client,
            wanted=wanted(upstream, "a"),
            vision=Failing(lambda: ImportError("No module named 'cv2'")),  # type: ignore[arg-type] # it never answers
        )


def test_what_a_host_that_is_left_alone_was_not_asked_for_is_not_refused(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    names = [f"{n:02}" for n in range(30)]
    for name in names:
        upstream.script(f"/{name}.jpg", Reply(b"", 503))

    found = collect_thumbnails(client, wanted=wanted(upstream, *names), max_parallel=2)

    asked = {r.path.removeprefix("/").removesuffix(".jpg") for r in upstream.requests}
    refused = found.frames["operations.quarantine"]
    # Five failures in a row blow the fuse; two files may be under way.
    assert 0 < len(asked) <= 6
    assert set(refused["item_id"]) == asked
    assert refused["reason"].str.fullmatch(r"unreachable: \S+ answered 503\.").all()
    assert found.metadata["left_for_later"] == len(names) - len(asked)
    assert found.metadata["incomplete"] == len(names)
    assert found.metadata["rejected"] == found.metadata["rejected_unreachable"] == len(asked)
    assert not found.is_complete


def test_the_tries_of_one_file_are_one_failure_of_its_host(
    upstream: Upstream, http: httpx.Client, clock: FakeClock
) -> None:
    host = httpx.URL(upstream.url).netloc.decode()
    breaker = CircuitBreakers(clock=clock)
    client = ThumbnailClient([host], http=http, clock=clock, breaker=breaker)
    upstream.script("/a.jpg", Reply(b"", 503))

    for _ in range(4):
        assert reason_of(client, f"{upstream.url}/a.jpg") is RejectionReason.UNREACHABLE
    assert (len(upstream.requests), breaker.state(host)) == (12, "closed")
    assert reason_of(client, f"{upstream.url}/a.jpg") is RejectionReason.UNREACHABLE
    assert (len(upstream.requests), breaker.state(host)) == (15, "open")

    with pytest.raises(UnfetchedThumbnailError) as caught:
        client.fetch(f"{upstream.url}/a.jpg")
    assert caught.value.is_postponed
    assert len(upstream.requests) == 15


def test_what_was_left_for_later_is_looked_at_in_the_next_run(
    client: ThumbnailClient, upstream: Upstream, clock: FakeClock
) -> None:
    names = [f"{n:02}" for n in range(12)]
    for name in names:
        down = [Reply(b"", 503)] * 3 if name < "05" else []  # the fifth in a row blows the fuse
        upstream.script(f"/{name}.jpg", *down, Reply(PICTURE))
    asked = wanted(upstream, *names)
    first = collect_thumbnails(client, wanted=asked, max_parallel=1)
    clock.advance(61)

    second = collect_thumbnails(client, wanted=asked, max_parallel=1)

    assert first.metadata["left_for_later"] == 7
    assert second.frames["intelligence.thumbnail_features"]["video_id"].tolist() == names
    assert second.is_complete


def test_one_address_is_asked_once_and_one_file_looked_at_once(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    for name in ("a", "b", "c"):
        upstream.script(f"/{name}.jpg", Reply(PICTURE))
    shared = wanted(upstream, "a", "b", "c")
    shared.loc[3] = ["d", shared["thumbnail_url"].iloc[0]]

    found = collect_thumbnails(client, wanted=shared)

    rows = found.frames["intelligence.thumbnail_features"]
    assert rows["video_id"].tolist() == ["a", "b", "c", "d"]
    assert len(set(rows["content_hash"])) == 1
    assert len(upstream.asked("/a.jpg")) == 1
    assert found.metadata["addresses"] == 3


def test_of_a_known_file_the_time_of_the_check_alone_moves_on(
    client: ThumbnailClient, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE, headers={"ETag": '"1"'}), Reply(b"", 304))
    asked = wanted(upstream, "a")
    first = collect_thumbnails(client, wanted=asked).frames["intelligence.thumbnail_features"]
    clock.advance(90_000)

    second = collect_thumbnails(client, wanted=asked, known=first)

    again = second.frames["intelligence.thumbnail_features"]
    assert second.metadata["unchanged"] == 1
    assert second.metadata["looked_at"] == 0
    assert (again["checked_at"] > first["checked_at"]).all()
    same = [c for c in THUMBNAILS if c != "checked_at"]
    pd.testing.assert_frame_equal(again[same], first[same], check_dtype=False)


def test_a_changed_file_is_a_new_row_beside_the_old_one(
    client: ThumbnailClient, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE, headers={"ETag": "1"}), Reply(OTHER), Reply(PICTURE))
    asked, table = wanted(upstream, "a"), "intelligence.thumbnail_features"
    first = collect_thumbnails(client, wanted=asked).frames[table]
    clock.advance(90_000)
    second = collect_thumbnails(client, wanted=asked, known=first).frames[table]
    clock.advance(90_000)
    third = collect_thumbnails(client, wanted=asked, known=pd.concat([first, second])).frames[table]

    assert second["content_hash"].iloc[0] != first["content_hash"].iloc[0]
    assert third["content_hash"].iloc[0] == first["content_hash"].iloc[0]
    assert third["first_seen_at"].iloc[0] == first["first_seen_at"].iloc[0]


def test_what_other_formulas_saw_is_sent_and_looked_at_again(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE, headers={"ETag": '"1"'}))
    asked = wanted(upstream, "a")
    old = collect_thumbnails(client, wanted=asked).frames["intelligence.thumbnail_features"]

    found = collect_thumbnails(client, wanted=asked, known=old.assign(features_version="0"))

    assert "if-none-match" not in upstream.asked("/a.jpg")[-1].headers
    assert found.metadata["looked_at"] == 1


def test_nothing_wanted_is_nothing_done(client: ThumbnailClient, upstream: Upstream) -> None:
    nothing = pd.DataFrame({"video_id": [], "thumbnail_url": []}, dtype="str")

    found = collect_thumbnails(client, wanted=nothing)

    frame = found.frames["intelligence.thumbnail_features"]
    table = metadata.tables["intelligence.thumbnail_features"]
    assert frame.empty
    assert set(frame.columns) == {c.name for c in table.columns}
    assert upstream.requests == []


class Failing:
    """A provider that fails as told."""

    name = "failing"

    def __init__(self, make: Callable[[], Exception]) -> None:
        self.asked = 0
        self._make = make

    def look_at(self, data: bytes) -> object:
        del data
        self.asked += 1
        raise self._make()


@pytest.mark.parametrize(
    ("make", "asked"),
    [
        (lambda: KeyInvalidError("no", status=400), 1),
        (lambda: PermissionDeniedError("no", status=403), 1),
        (lambda: PermissionDeniedError("blocked", reason="SAFETY"), 3),
        (lambda: ConfigError("Provided image is not valid.", status=400), 3),
        (lambda: TransientError("down"), 3),
    ],
    ids=["key", "forbidden", "one picture refused", "one picture not opened", "down"],
)
def test_where_a_provider_fails_this_machine_looks(
    client: ThumbnailClient, upstream: Upstream, make: Callable[[], Exception], asked: int
) -> None:
    for n in range(3):
        upstream.script(f"/{n}.jpg", Reply(file_of(waves(n))))
    provider = Failing(make)

    found = collect_thumbnails(
        client,
        wanted=wanted(upstream, "0", "1", "2"),
        vision=provider,  # type: ignore[arg-type] # it never answers
        max_parallel=1,
    )

    rows = found.frames["intelligence.thumbnail_features"]
    assert len(rows) == 3
    assert (rows["vision_provider"] == "local").all()
    assert provider.asked == asked == found.metadata["vision_failures"]


def test_a_hundred_pictures_of_five_megabytes_take_the_memory_of_a_few(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    heavy = PICTURE + np.random.default_rng(1).bytes(4_900_000)
    numbers = range(100)

    def serve(request: Request) -> Reply:
        return Reply(heavy + request.path.encode())

    for n in numbers:
        upstream.script(f"/{n}.jpg", serve)
    asked = wanted(upstream, *map(str, numbers))
    tracemalloc.start()
    try:
        found = collect_thumbnails(client, wanted=asked, max_parallel=2)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert found.metadata["looked_at"] == 100
    # Both ends live in this process: two files there, two being built up and looked at here.
    assert peak < 12 * len(heavy)


def test_the_eyes_of_this_machine_read_words_only_with_a_reader() -> None:
    class Reader:
        name = "reader"
        asked = 0

        def read(self, picture: object) -> str:
            del picture
            self.asked += 1
            return "SEEN"

    reader = Reader()
    lettered = waves(3)
    words("SOME WORDS HERE", 50, (30, 100), lettered)
    without, with_words = file_of(waves(3)), file_of(lettered)

    assert LocalVision().look_at(with_words).text is None
    assert LocalVision(reader).look_at(with_words).text == "SEEN"
    # Whether there are words, the reader tells: the count of lines misses some.
    assert LocalVision(reader).look_at(without).text == "SEEN"
    assert LocalVision(reader).look_at(without).vision_provider == "local+reader"
    assert reader.asked == 3


class Reader:
    """Reads the same in every picture, or fails as told."""

    name = "reader"

    def __init__(self, error: Exception | None = None) -> None:
        self.asked = 0
        self._error = error

    def read(self, picture: object) -> str:
        del picture
        self.asked += 1
        if self._error is not None:
            raise self._error
        return "SEEN"


def test_only_chosen_pictures_are_read_and_the_others_stay_unread(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    for name in ("a", "b", "c"):
        upstream.script(f"/{name}.jpg", Reply(PICTURE if name == "b" else OTHER))
    asked = wanted(upstream, "a", "b", "c").assign(is_to_read=[True, True, False])

    found = collect_thumbnails(client, wanted=asked, reader=Reader())

    rows = found.frames[TABLE].set_index("video_id")
    assert rows["text"].fillna("unread").tolist() == ["SEEN", "SEEN", "unread"]
    assert rows["vision_provider"].tolist() == ["local+reader", "local+reader", "local"]
    assert (found.metadata["words_read"], found.metadata["unread"]) == (2, 0)
    assert found.metadata["reader"] == "reader"
    beside = collect_thumbnails(client, wanted=asked)
    own = [c for c in THUMBNAIL_SCHEMA if c not in {"text", "vision_provider"}]
    pd.testing.assert_frame_equal(found.frames[TABLE][own], beside.frames[TABLE][own])
    assert beside.frames[TABLE]["text"].isna().all()
    assert beside.metadata["reader"] == "none"


def test_videos_that_share_a_picture_are_all_counted_as_read(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    for name in ("a", "b"):
        upstream.script(f"/{name}.jpg", Reply(PICTURE))
    reader = Reader()
    asked = wanted(upstream, "a", "b").assign(is_to_read=True)

    found = collect_thumbnails(client, wanted=asked, reader=reader, max_parallel=1)

    assert found.frames[TABLE]["text"].tolist() == ["SEEN", "SEEN"]
    assert (reader.asked, found.metadata["words_read"]) == (1, 2)


def test_a_known_picture_is_sent_again_to_be_read_and_its_words_stay(
    client: ThumbnailClient, upstream: Upstream, clock: FakeClock
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE, headers={"ETag": '"1"'}))
    asked = wanted(upstream, "a")
    unread = collect_thumbnails(client, wanted=asked).frames[TABLE]
    clock.advance(14_400)
    read = collect_thumbnails(
        client, wanted=asked.assign(is_to_read=True), known=unread, reader=Reader()
    ).frames[TABLE]
    clock.advance(90_000)
    later = collect_thumbnails(client, wanted=asked, known=read.assign(etag=None)).frames[TABLE]

    assert unread["text"].isna().all()
    assert read["text"].tolist() == later["text"].tolist() == ["SEEN"]
    assert later["vision_provider"].tolist() == ["local+reader"]
    assert read["first_seen_at"].tolist() == unread["first_seen_at"].tolist()
    assert len(upstream.asked("/a.jpg")) == 3
    assert "if-none-match" not in upstream.asked("/a.jpg")[1].headers


def test_words_that_cannot_be_read_cost_the_words_alone(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    upstream.script("/a.jpg", Reply(PICTURE))
    asked = wanted(upstream, "a").assign(is_to_read=True)

    found = collect_thumbnails(client, wanted=asked, reader=Reader(RuntimeError("no such shape")))

    refused = found.frames["operations.quarantine"]
    assert refused["reason"].tolist() == ["unread: RuntimeError: no such shape"]
    assert found.frames[TABLE]["text"].isna().tolist() == [True]
    assert (found.metadata["words_read"], found.metadata["unread"]) == (0, 1)


def test_a_reader_that_cannot_be_loaded_is_asked_no_more_and_no_picture_is_to_blame(
    client: ThumbnailClient, upstream: Upstream
) -> None:
    for n in range(3):
        upstream.script(f"/{n}.jpg", Reply(file_of(waves(n))))
    asked = wanted(upstream, "0", "1", "2").assign(is_to_read=True)
    reader = Reader(ReaderUnavailableError("The reader of words cannot be loaded."))

    found = collect_thumbnails(client, wanted=asked, reader=reader, max_parallel=1)

    assert len(found.frames[TABLE]) == 3
    assert found.frames["operations.quarantine"].empty
    assert found.metadata["reader"] == "The reader of words cannot be loaded."
    assert reader.asked == 1
