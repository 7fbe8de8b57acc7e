"""The monthly archive, on local disk and on a real S3 server."""

import ast
import contextlib
import datetime as dt
import hashlib
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import boto3
import duckdb
import fsspec
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import sqlalchemy as sa
from moto.server import ThreadedMotoServer
from pydantic import SecretStr
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.core.errors import SettingsError
from aurastream.operations.archive import (
    archive_days,
    archive_month,
    compare_month,
    month_of,
    open_archive,
    refresh_manifests,
    require_archivable,
    restore_month,
)
from aurastream.settings import REPO_ROOT, Settings
from aurastream.store.archive import Archive, checksum_of
from aurastream.store.archive_manifest import Manifests
from aurastream.store.errors import ArchiveError
from aurastream.store.frames import Append, FrameStore, Upsert

Rows = Callable[..., pd.DataFrame]
OCTOBER = dt.date(2026, 10, 1)
AFTERWARDS = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
TRENDING = "collection.youtube_trending"
CRAWLS = "operations.crawls"
CREDENTIALS = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> Settings:
    return Settings(postgres_url=SecretStr(database_url), data_dir=tmp_path / "data")


@pytest.fixture
def filled(store: FrameStore, rows: Rows) -> FrameStore:
    """Three days of October and one of November, with nulls, arrays, JSON and odd titles."""
    for day in (1, 2, 31):
        at = dt.datetime(2026, 10, day, 23, 59, 59, 999_999, tzinfo=dt.UTC)
        videos = [
            {"video_id": f"v{n}", "chart": "music", "views": None if n == 3 else n * day}
            for n in range(5)
        ]
        store.commit([Append(TRENDING, rows(TRENDING, videos, at=at))])
        crawl = [{"category": "music", "region": region} for region in ("US", "GB")]
        store.commit([Append(CRAWLS, rows(CRAWLS, crawl, at=at))])
        call = [{"params": {"id": "v1,v2", "page": None}}]
        store.commit([Append("operations.fetch_log", rows("operations.fetch_log", call, at=at))])
        titled = {"video_id": f"d{day}", "title": "✨ “x”\n\u202e", "tags": ["a", ""]}
        metadata = rows("collection.youtube_videos", [titled], at=at)
        store.commit([Upsert("collection.youtube_videos", metadata)])
    at = dt.datetime(2026, 11, 1, tzinfo=dt.UTC)
    store.commit([Append(TRENDING, rows(TRENDING, [{"video_id": "later"}], at=at))])
    return store


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """URL of a real S3 server of this test's own."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url, region_name="us-east-1", **CREDENTIALS).create_bucket(
        Bucket="archive"
    )
    yield url
    server.stop()


def _bytes_of(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_month_has_a_file_per_table_and_day_and_nothing_of_other_months(
    settings: Settings, filled: FrameStore
) -> None:
    archive = open_archive(settings)
    done = {d.name: d for d in archive_month(settings, archive, OCTOBER)}

    assert archive.files(TRENDING) == [
        f"{TRENDING}/month=2026-10/2026-10-{day}.parquet" for day in ("01", "02", "31")
    ]
    assert (done[TRENDING].rows, done[CRAWLS].rows) == (15, 6)
    manifest = archive.manifest(OCTOBER)
    assert manifest is not None
    assert [file["rows"] for file in manifest["datasets"][TRENDING]["files"]] == [5, 5, 5]
    recorded = filled.read("maintenance.archive", order_by="dataset")
    assert recorded["dataset"].tolist() == sorted(done)
    assert recorded.set_index("dataset")["content_sha256"][TRENDING] == (
        done[TRENDING].content_sha256
    )


def test_writing_a_month_again_gives_the_same_bytes(settings: Settings, filled: FrameStore) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    before = _bytes_of(Path(archive.url))

    archive_month(settings, archive, OCTOBER)

    assert _bytes_of(Path(archive.url)) == before


def test_duckdb_and_pandas_read_it_in_one_line(settings: Settings, filled: FrameStore) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    folder = f"{archive.url}/{TRENDING}"

    counted = duckdb.sql(
        f"select month, count(*), sum(views) from '{folder}/*/*.parquet' group by month"
    ).fetchall()
    frame = pd.read_parquet(folder)

    assert counted == [("2026-10", 15, (0 + 1 + 2 + 4) * (1 + 2 + 31))]
    assert len(frame) == 15
    assert frame["observed_at"].dt.tz is not None
    assert frame["views"].isna().sum() == 3


def test_a_restored_month_is_proved_equal_value_by_value(
    settings: Settings, filled: FrameStore
) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    before = {name: filled.read(name) for name in (TRENDING, CRAWLS, "operations.fetch_log")}
    for name in before:
        filled.execute(f"delete from {name}")
    assert not any(c.is_equal for c in compare_month(settings, archive, OCTOBER, datasets=[CRAWLS]))

    proved = restore_month(settings, archive, OCTOBER)

    assert proved
    assert all(c.is_equal for c in proved)
    for name, frame in before.items():
        key = [c.name for c in _table(name).primary_key.columns]
        october = frame[frame[key[0]] < "2026-11-01"].sort_values(key, ignore_index=True)
        restored = filled.read(name).sort_values(key, ignore_index=True)
        pd.testing.assert_frame_equal(restored, october)


@pytest.fixture(params=["disk", "s3"])
def anywhere(request: pytest.FixtureRequest, settings: Settings, s3: str) -> Settings:
    return settings if request.param == "disk" else _on_s3(settings, s3, "late")


def test_restoring_keeps_and_counts_what_the_archive_does_not_have(
    anywhere: Settings, filled: FrameStore, rows: Rows, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = open_archive(anywhere)
    archive_month(anywhere, archive, OCTOBER)
    october = {name: _october(filled, name) for name in (TRENDING, CRAWLS)}
    # The same day goes on after it was archived, at a moment that is archived and at others.
    at = dt.datetime(2026, 10, 2, 23, 59, 59, 999_999, tzinfo=dt.UTC)
    for moment in (at, at - dt.timedelta(hours=5)):
        late = [{"video_id": "late", "chart": "music", "views": 7}]
        filled.commit([Append(TRENDING, rows(TRENDING, late, at=moment))])
        crawl = [{"category": "late", "region": "US"}]
        filled.commit([Append(CRAWLS, rows(CRAWLS, crawl, at=moment))])
    before = {name: _october(filled, name) for name in october}
    for name in october:
        filled.execute(f"delete from {name} where observed_at < '2026-10-02'")
    different = [
        c.day
        for c in compare_month(anywhere, archive, OCTOBER, datasets=[CRAWLS])
        if not c.is_equal
    ]
    assert different == ["2026-10-01", "2026-10-02"]

    for name, value in _variables_of(anywhere).items():
        monkeypatch.setenv(name, value)
    asked = ["restore", "--month", "2026-10", "--dataset", TRENDING, "--dataset", CRAWLS]
    answer = CliRunner().invoke(app, asked)

    assert answer.exit_code == 0, answer.output
    assert "Kept 4 rows that the archive does not have." in answer.output
    assert "6 days of 2 tables: all of it is in the record" in answer.output
    for name, frame in before.items():
        pd.testing.assert_frame_equal(_october(filled, name), frame)
        assert len(frame) == len(october[name]) + 2
    assert len(filled.read(TRENDING)) == len(before[TRENDING]) + 1, "November's stays"
    proved = {c.day: c for c in compare_month(anywhere, archive, OCTOBER, datasets=[CRAWLS])}
    second = proved["2026-10-02"]
    assert (second.is_equal, second.is_there, second.rows_beyond) == (False, True, 2)


def test_an_archived_row_that_says_something_else_now_is_told_and_put_back(
    settings: Settings, filled: FrameStore
) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    before = _october(filled, CRAWLS)
    filled.execute(f"update {CRAWLS} set got = got + 1 where observed_at < '2026-10-02'")
    found = [c.is_there for c in compare_month(settings, archive, OCTOBER, datasets=[CRAWLS])]
    assert found == [False, True, True]

    restored = restore_month(settings, archive, OCTOBER, datasets=[CRAWLS])

    assert [c.is_equal for c in restored] == [True, True, True]
    pd.testing.assert_frame_equal(_october(filled, CRAWLS), before)


def test_a_category_s_hour_that_the_archive_does_not_have_stays(
    settings: Settings, filled: FrameStore
) -> None:
    hours = "aggregation.intel_hourly_metrics"
    filled.execute(
        f"create table {hours} (hour_start timestamptz not null, category_key text not null, "
        "video_count int)"
    )
    hour = f"insert into {hours} values ('2026-10-02 05:00+00', "
    filled.execute(f"{hour} 'music', 1)")
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    filled.execute(f"update {hours} set video_count = 2")
    filled.execute(f"{hour} 'gaming', 3)")

    (day,) = restore_month(settings, archive, OCTOBER, datasets=[hours])

    assert (day.is_there, day.rows_beyond) == (True, 1)
    found = filled.query(f"select category_key, video_count from {hours} order by 1")
    assert found.to_numpy().tolist() == [["gaming", 3], ["music", 1]]


@pytest.mark.parametrize("at_rename", [1, 3])
def test_a_killed_writer_leaves_nothing_that_a_second_run_does_not_mend(
    settings: Settings, filled: FrameStore, tmp_path: Path, at_rename: int
) -> None:
    clean = Archive(str(tmp_path / "clean"))
    archive_month(settings, clean, OCTOBER)
    archive = open_archive(settings)
    killed = _archive_and_die(settings, at_rename)
    assert killed.returncode == -signal.SIGKILL, killed.stderr
    assert archive.manifest(OCTOBER) is None
    assert [p for p in Path(archive.url).rglob(".*") if p.is_file()] != []

    archive_month(settings, archive, OCTOBER)

    assert _bytes_of(Path(archive.url)) == _bytes_of(Path(clean.url))


def test_days_that_went_meanwhile_keep_the_file_that_was_written_before(
    settings: Settings, filled: FrameStore, tmp_path: Path
) -> None:
    clean = Archive(str(tmp_path / "clean"))
    archive_month(settings, clean, OCTOBER)
    archive = open_archive(settings)
    assert archive_days(settings, archive, {TRENDING: [OCTOBER]})[TRENDING][OCTOBER] > 0
    filled.execute(f"delete from {TRENDING} where observed_at < '2026-10-02'")

    archive_month(settings, archive, OCTOBER)

    assert _bytes_of(Path(archive.url) / TRENDING) == _bytes_of(Path(clean.url) / TRENDING)


def test_an_s3_store_holds_the_same_archive_as_a_disk(
    settings: Settings, filled: FrameStore, s3: str
) -> None:
    local = open_archive(settings)
    archive_month(settings, local, OCTOBER)
    remote_settings = _on_s3(settings, s3)
    remote = open_archive(remote_settings)

    archive_month(remote_settings, remote, OCTOBER)

    assert remote.manifest(OCTOBER) == local.manifest(OCTOBER)
    assert remote.datasets() == local.datasets()
    filled.execute(f"delete from {CRAWLS}")
    restored = restore_month(remote_settings, remote, OCTOBER, datasets=[CRAWLS])
    assert [c.is_equal for c in restored] == [True, True, True]
    remote.remove(local.files(CRAWLS)[0])
    assert len(remote.files(CRAWLS)) == 2


def test_a_writer_killed_in_the_middle_of_an_upload_leaves_whole_objects_only(
    settings: Settings, filled: FrameStore, s3: str, tmp_path: Path
) -> None:
    clean = Archive(str(tmp_path / "clean"))
    archive_month(settings, clean, OCTOBER)
    with HalfAnUpload(urlsplit(s3).port or 0, of="2026-10-02.parquet") as proxy:
        killed = _on_s3(settings, f"http://127.0.0.1:{proxy.port}", "killed")
        process = subprocess.Popen(
            _archiving(killed),
            cwd=REPO_ROOT,
            env={"PATH": os.environ["PATH"]},
            stderr=subprocess.PIPE,
        )
        try:
            while not proxy.is_half_done.wait(0.05):
                assert process.poll() is None, process.communicate()[1].decode()
        finally:
            process.kill()
            process.communicate()
    assert process.returncode == -signal.SIGKILL
    again = _on_s3(settings, s3, "killed")
    remote = open_archive(again)
    written = [path for name in remote.datasets() for path in remote.files(name)]
    assert written
    assert len(written) < len(_bytes_of(Path(clean.url))) - 1
    assert all(remote.bytes_of(p) == clean.bytes_of(p) for p in written), "no object is half of one"
    assert remote.months() == []

    archive_month(again, remote, OCTOBER)

    found = {path: hashlib.sha256(remote.bytes_of(path)).hexdigest() for path in remote._walk("")}
    assert found == _bytes_of(Path(clean.url))


def test_a_bucket_that_is_not_there_is_named(settings: Settings, s3: str) -> None:
    options = {"endpoint_url": s3, "key": "test", "secret": "test"}
    with pytest.raises(ArchiveError, match="s3://nowhere"):
        Archive("s3://nowhere/x", options).write("a.parquet", pa.table({"a": [1]}), {})


@pytest.mark.parametrize(
    "work",
    [
        archive_month,
        restore_month,
        lambda settings, archive, month: list(compare_month(settings, archive, month)),
        lambda settings, archive, month: require_archivable(settings, archive, month, AFTERWARDS),
    ],
    ids=["archive", "restore", "compare", "require_archivable"],
)
def test_a_bucket_that_is_not_there_is_noticed_before_anything_is_read(
    settings: Settings, s3: str, work: Callable[..., object]
) -> None:
    options = {"endpoint_url": s3, "key": "test", "secret": "test"}
    nothing_to_read = settings.model_copy(
        update={"postgres_url": SecretStr("postgresql://nobody@127.0.0.1:1/nothing")}
    )
    with pytest.raises(ArchiveError, match="s3://nowhere/x is not there") as error:
        work(nothing_to_read, Archive("s3://nowhere/x", options), OCTOBER)
    assert error.value.fix.startswith("Create the bucket")


def test_a_damaged_file_is_not_restored(settings: Settings, filled: FrameStore) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    path = Path(archive.url) / archive.files(CRAWLS)[0]
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    with pytest.raises(ArchiveError, match="checksum"):
        restore_month(settings, archive, OCTOBER, datasets=[CRAWLS])


def test_damage_stays_damage_when_the_month_is_archived_again(
    settings: Settings, filled: FrameStore
) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    first, second, third = archive.files(TRENDING)
    rows = archive.read(first)
    place = rows.schema.get_field_index("views")
    forged = rows.set_column(place, rows.schema.field(place), [[7] * rows.num_rows])
    notes = json.loads(rows.schema.metadata[b"aurastream"])
    archive.write(first, forged, notes)
    archive.remove(second)
    damaged = (Path(archive.url) / first).read_bytes()
    filled.execute(f"delete from {TRENDING} where observed_at < '2026-10-03'")

    with pytest.raises(ArchiveError, match="2 archived files of 2026-10 are damaged") as error:
        archive_month(settings, archive, OCTOBER)

    assert first in str(error.value)
    assert second in str(error.value)
    assert (Path(archive.url) / first).read_bytes() == damaged
    manifest = archive.manifest(OCTOBER)
    assert manifest is not None
    named = [file["path"] for file in manifest["datasets"][TRENDING]["files"]]
    assert named == [first, second, third]
    with pytest.raises(ArchiveError, match="checksum"):
        restore_month(settings, archive, OCTOBER, datasets=[TRENDING])


def test_a_file_that_no_manifest_names_yet_proves_itself(
    settings: Settings, filled: FrameStore
) -> None:
    archive = open_archive(settings)
    archive_days(settings, archive, {TRENDING: [OCTOBER]})
    [path] = archive.files(TRENDING)
    rows = archive.read(path)
    place = rows.schema.get_field_index("views")
    forged = rows.set_column(place, rows.schema.field(place), [[7] * rows.num_rows])
    pq.write_table(forged, Path(archive.url) / path)
    filled.execute(f"delete from {TRENDING} where observed_at < '2026-10-02'")

    with pytest.raises(ArchiveError, match="does not hold the values it was written with"):
        archive_month(settings, archive, OCTOBER)

    manifest = archive.manifest(OCTOBER)
    assert manifest is not None
    assert path not in [file["path"] for file in manifest["datasets"][TRENDING]["files"]]


def test_archiving_again_mends_a_damaged_day_that_the_record_has(
    settings: Settings, filled: FrameStore
) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    path = Path(archive.url) / archive.files(CRAWLS)[0]
    path.write_bytes(b"PAR1")

    archive_month(settings, archive, OCTOBER)

    assert all(c.is_equal for c in compare_month(settings, archive, OCTOBER, datasets=[CRAWLS]))


@pytest.mark.parametrize("at_put", [1, 2, 3])
def test_a_rewrite_that_was_cut_off_is_no_damage(
    settings: Settings, filled: FrameStore, monkeypatch: pytest.MonkeyPatch, at_put: int
) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)
    path = archive.files(TRENDING)[0]
    shorter = archive.read(path).slice(1)
    puts = 0
    real = Archive._put

    def put(self: Archive, at: str, body: bytes) -> None:
        nonlocal puts
        puts += 1
        if puts == at_put:
            raise KeyboardInterrupt
        real(self, at, body)

    def rewrite() -> None:
        manifests = Manifests(archive)
        manifests.read(path)
        manifests.rewrite(path, shorter)
        refresh_manifests(settings, archive, manifests)

    with monkeypatch.context() as broken:
        broken.setattr(Archive, "_put", put)
        with pytest.raises(KeyboardInterrupt):
            rewrite()

    rewrite()

    manifest = archive.manifest(OCTOBER)
    assert manifest is not None
    day = manifest["datasets"][TRENDING]["files"][0]
    assert (day["rows"], day.keys()) == (4, {"path", "rows", "bytes", "sha256", "content_sha256"})
    assert archive.read(path, sha256=day["sha256"]).num_rows == 4


def test_an_unreadable_file_is_a_typed_error(tmp_path: Path) -> None:
    archive = Archive(str(tmp_path))
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    for look in (archive.schema, archive.describe, archive.read):
        with pytest.raises(ArchiveError, match="no readable Parquet"):
            look("x.parquet")
        with pytest.raises(ArchiveError, match="not in the archive"):
            look("y.parquet")


def test_live_archives_keep_what_the_terms_let_them(settings: Settings, filled: FrameStore) -> None:
    amended = settings.model_copy(update={"policy_mode": "amended"})
    done = {d.name: d for d in archive_month(amended, open_archive(amended), OCTOBER)}
    strict = settings.model_copy(
        update={"policy_mode": "strict", "archive_url": str(settings.data_dir / "strict")}
    )
    kept = {d.name for d in archive_month(strict, open_archive(strict), OCTOBER)}

    assert "title" in done["collection.youtube_videos"].left_out
    assert "views" in done[TRENDING].columns
    assert kept == {"operations.crawls", "operations.fetch_log"}
    with pytest.raises(ArchiveError, match="lacks title"):
        restore_month(
            amended, open_archive(amended), OCTOBER, datasets=["collection.youtube_videos"]
        )


def test_a_month_that_is_not_over_or_lies_before_all_data_is_refused_and_nothing_written(
    settings: Settings, filled: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in _variables_of(settings).items():
        monkeypatch.setenv(name, value)
    now = dt.datetime.now(dt.UTC)
    for month, message in (
        (f"{now:%Y-%m}", "is not over"),
        (f"{now.year + 1}-05", "is not over"),
        ("1999-01", "before all data: it begins on 2026-10-01"),
    ):
        answer = CliRunner().invoke(app, ["archive", "--month", month])
        assert isinstance(answer.exception, ArchiveError)
        assert message in str(answer.exception)
    assert open_archive(settings).months() == []
    assert not list((settings.data_dir).glob("archive/*"))
    assert filled.read("maintenance.archive").empty
    with pytest.raises(ArchiveError, match="1999-01 is not archived"):
        restore_month(settings, open_archive(settings), dt.date(1999, 1, 1))

    # What was archived so by an older version is no proof of anything.
    open_archive(settings).write_manifest(dt.date(1999, 1, 1), {})
    with pytest.raises(ArchiveError, match="has no row"):
        restore_month(settings, open_archive(settings), dt.date(1999, 1, 1))
    require_archivable(settings, open_archive(settings), OCTOBER, AFTERWARDS)
    archive_month(settings, open_archive(settings), OCTOBER)
    filled.execute(f"delete from {TRENDING}")  # retention took it; the archive still knows
    require_archivable(settings, open_archive(settings), OCTOBER, AFTERWARDS)


@pytest.mark.parametrize(("month", "message"), [("2026-13", "no month"), ("October", "no month")])
def test_a_month_is_written_as_a_month(month: str, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        month_of(month)


def test_a_month_that_was_never_archived_names_those_that_were(
    settings: Settings, filled: FrameStore
) -> None:
    archive = open_archive(settings)
    archive_month(settings, archive, OCTOBER)

    with pytest.raises(ArchiveError, match="2026-10"):
        restore_month(settings, archive, dt.date(2026, 9, 1))
    with pytest.raises(ArchiveError, match=r"no marts\.x"):
        restore_month(settings, archive, OCTOBER, datasets=["marts.x"])


def test_options_that_are_no_object_are_refused(settings: Settings) -> None:
    with pytest.raises(SettingsError, match="JSON object"):
        open_archive(settings.model_copy(update={"archive_options": SecretStr("[1]")}))


def test_a_checksum_is_that_of_the_values_alone() -> None:
    rows = pa.table(
        {
            "n": pa.array([1, None, 3], pa.int32()),
            "s": ["x", "", None],
            "l": pa.array([["a", None], [], None], pa.list_(pa.string())),
            "t": pa.array([0, 1, None], pa.timestamp("us", "UTC")),
            "b": [True, None, False],
        }
    )
    chunked = pa.concat_tables([rows.slice(0, 2), rows.slice(2)])
    longer = pa.concat_tables([rows, rows]).slice(3)

    assert checksum_of(chunked) == checksum_of(rows) == checksum_of(longer)
    swapped = rows.set_column(1, "s", pa.array(["", "x", None]))
    assert checksum_of(swapped) != checksum_of(rows)
    assert checksum_of(rows.set_column(1, "s", pa.array(["x", None, None]))) != checksum_of(rows)


def _table(name: str) -> sa.Table:
    from aurastream.store.tables import metadata  # noqa: PLC0415 # only here

    return metadata.tables[name]


def _october(store: FrameStore, name: str) -> pd.DataFrame:
    key = [c.name for c in _table(name).primary_key.columns]
    frame = store.read(name)
    return frame[frame[key[0]] < "2026-11-01"].sort_values(key, ignore_index=True)


def _variables_of(settings: Settings) -> dict[str, str]:
    """Return the environment of a command of this installation."""
    found = {
        "AURASTREAM_POSTGRES_URL": settings.require_postgres(),
        "AURASTREAM_DATA_DIR": str(settings.data_dir),
    }
    if settings.archive_url is not None and settings.archive_options is not None:
        found["AURASTREAM_ARCHIVE_URL"] = settings.archive_url
        found["AURASTREAM_ARCHIVE_OPTIONS"] = settings.archive_options.get_secret_value()
    return found


def _on_s3(settings: Settings, url: str, folder: str = "aurastream") -> Settings:
    options = {"endpoint_url": url, "key": "test", "secret": "test"}
    return settings.model_copy(
        update={
            "archive_url": f"s3://archive/{folder}",
            "archive_options": SecretStr(json.dumps(options)),
        }
    )


def _archiving(settings: Settings, first: str = "") -> list[str]:
    """Return the command of a process that archives October."""
    options = settings.archive_options
    program = f"""{first}
import datetime, pathlib
from pydantic import SecretStr
from aurastream.operations.archive import archive_month, open_archive
from aurastream.settings import Settings
settings = Settings(
    postgres_url=SecretStr({settings.require_postgres()!r}),
    data_dir=pathlib.Path({str(settings.data_dir)!r}),
    archive_url={settings.archive_url!r},
    archive_options={options.get_secret_value() if options else None!r},
)
archive_month(settings, open_archive(settings), datetime.date(2026, 10, 1))
"""
    return [sys.executable, "-W", "ignore", "-c", program]


class HalfAnUpload(threading.Thread):
    """A proxy that forwards everything, but of one upload only the first half of its body."""

    def __init__(self, target_port: int, *, of: str) -> None:
        super().__init__(daemon=True)
        self._target_port = target_port
        self._of = of.encode()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self.is_half_done = threading.Event()
        self._ends: list[socket.socket] = []

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        # Closing alone would not wake who waits in accept.
        self._listener.shutdown(socket.SHUT_RDWR)
        self.join()
        for end in (self._listener, *self._ends):
            end.close()

    def run(self) -> None:
        """Take connections until the listener ends."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(("127.0.0.1", self._target_port))
            self._ends += [client, server]
            threading.Thread(target=self._up, args=(client, server), daemon=True).start()
            threading.Thread(target=_copy, args=(server, client), daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := client.recv(65536):
                head, _, body = data.partition(b"\r\n\r\n")
                request = head.partition(b"\r\n")[0]
                if request.startswith(b"PUT ") and self._of in request:
                    (length,) = map(int, re.findall(rb"(?i)content-length: *(\d+)", head))
                    server.sendall(head + b"\r\n\r\n")
                    while len(body) < length // 2:
                        body += client.recv(65536)
                    server.sendall(body[: length // 2])
                    self.is_half_done.set()
                    client.recv(1)  # until the client is gone, or sends more: it is not passed on
                    break
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)


def _archive_and_die(settings: Settings, at_rename: int) -> subprocess.CompletedProcess[str]:
    """Archive October in a process that is killed when a file is written but not in its place."""
    dying = f"""
import os, signal
renames, real = [], os.replace
def replace(*paths):
    renames.append(paths)
    if len(renames) == {at_rename}:
        os.kill(os.getpid(), signal.SIGKILL)
    real(*paths)
os.replace = replace
"""
    return subprocess.run(
        _archiving(settings, dying),
        cwd=REPO_ROOT,
        env={"PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("place", ["disk", "s3"])
def test_the_lines_of_the_guide_read_the_archive(
    settings: Settings, filled: FrameStore, s3: str, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = settings if place == "disk" else _on_s3(settings, s3, "guide")
    archive_month(where, open_archive(where), OCTOBER)
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(settings.data_dir)
    guide = (REPO_ROOT / "docs" / "archive.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)\n```", guide, re.DOTALL)
    ours = [block for block in blocks if ("s3://" in block) == (place == "s3")]
    secret = where.archive_options
    options = json.loads(secret.get_secret_value()) if secret else {}
    names = {"duckdb": duckdb, "pd": pd, "fsspec": fsspec, "options": options}

    answers = [
        _answer(block.replace("s3://aurastream/archive", "s3://archive/guide"), names)
        for block in ours
    ]

    [counted] = [answer for answer in answers if not isinstance(answer, pd.DataFrame)]
    [frame] = [answer for answer in answers if isinstance(answer, pd.DataFrame)]
    assert counted.fetchall() == [("2026-10", 15)]
    assert len(frame) == 15


def _answer(block: str, names: dict[str, Any]) -> Any:
    *before, last = ast.parse(block).body
    assert isinstance(last, ast.Expr)
    exec(compile(ast.Module(before, []), "guide", "exec"), names)  # noqa: S102 # the guide's lines
    return eval(compile(ast.Expression(last.value), "guide", "eval"), names)  # noqa: S307 # the guide's own line
