"""What moved from one code version to the next: matched by what a row is about, not by place."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import pandas as pd
import psycopg
import pytest
from typer.testing import CliRunner

from aurastream.cli import app
from aurastream.store.archive_history import keep_replaced, version_marks
from aurastream.store.errors import StoreError
from aurastream.store.frames import FrameStore, Replace, Upsert
from aurastream.store.tables import metadata
from aurastream.store.version_diffs import compare_versions, identity_of

WINDOW: Final = datetime.now(UTC).replace(hour=8, minute=0, second=0, microsecond=0)
_NUMBER: Final[dict[str, object]] = {"FLOAT": 0.0, "INTEGER": 0, "SMALLINT": 0}


def score(
    store: FrameStore,
    table: str,
    version: str,
    rows: Sequence[Mapping[str, object]],
    *,
    window: datetime = WINDOW,
) -> None:
    """Write rows as an asset of that code version does; what they do not say is 0 or empty."""
    declared = metadata.tables[f"intelligence.{table}"]
    usual: dict[str, Any] = {}
    for column in declared.columns:
        kind = str(column.type)
        usual[column.name] = [] if kind == "ARRAY" else _NUMBER.get(kind, "")
    usual |= {"window_start": window, "category": "gaming"}
    frame = pd.DataFrame([usual | dict(row) for row in rows])
    asset, span = f"intelligence/{table}", (window, window + timedelta(hours=4))
    keep_replaced(store, declared, asset, span, version)
    if frame.empty:
        frame = store.read(f"intelligence.{table}").head(0)
    store.commit(
        [Replace(f"intelligence.{table}", frame, *span), _marked(asset, version, frame, window)]
    )


def _marked(asset: str, version: str, rows: pd.DataFrame, window: datetime = WINDOW) -> Upsert:
    return version_marks(
        asset,
        pd.DatetimeIndex([window]),
        rows["window_start"],
        code_version=version,
        run_id=None,
    )


def idea(rank: int, name: str, points: float) -> dict[str, object]:
    return {"rank": rank, "idea_id": name, "concept": f"Try {name}", "idea_score": points}


def test_an_idea_is_compared_with_itself_whatever_its_rank(store: FrameStore) -> None:
    before = [idea(1, "mods", 90.0), idea(2, "raids", 80.0), idea(3, "maps", 70.0)]
    score(store, "video_ideas", "1", before)
    after = [idea(1, "maps", 91.0), idea(2, "mods", 89.0), idea(3, "skins", 60.0)]
    score(store, "video_ideas", "2", after)

    found = compare_versions(store, "intelligence/video_ideas", "1")

    assert (found.matched, found.appeared, found.vanished) == (2, 1, 1)
    columns = {c.column: c for c in found.columns}
    assert (columns["idea_id"].compared, columns["idea_id"].changed) == (2, 0)
    assert columns["idea_score"].mean_change == 10.0
    assert columns["idea_score"].max_abs_change == 21.0
    moves = [(m.label, m.column, m.before, m.after) for m in found.movers]
    assert moves == [
        ("Try maps", "idea_score", 70.0, 91.0),
        ("Try mods", "idea_score", 90.0, 89.0),
    ]
    places = [(m.label, m.before, m.after) for m in found.rank_movers]
    assert places == [("Try maps", 3.0, 1.0), ("Try mods", 1.0, 2.0)]
    assert [e.label for e in found.appeared_examples] == ["Try skins"]
    assert [e.label for e in found.vanished_examples] == ["Try raids"]
    assert json.loads(found.vanished_examples[0].row_key) == {
        "category": "gaming", "idea_id": "raids",
    }  # fmt: skip


def test_a_version_that_came_back_is_kept_each_time_it_is_replaced(store: FrameStore) -> None:
    for version, points in (("1", 90.0), ("2", 80.0), ("1", 70.0), ("3", 60.0)):
        score(store, "video_ideas", version, [idea(1, "mods", points)])
    declared, span = (
        metadata.tables["intelligence.video_ideas"],
        (WINDOW, WINDOW + timedelta(hours=4)),
    )
    rows = store.read("intelligence.video_ideas")
    # As if cut off before the third version was written.
    store.commit([_marked("intelligence/video_ideas", "1", rows)])
    keep_replaced(store, declared, "intelligence/video_ideas", span, "3")

    with psycopg.connect(store.url) as connection:
        kept = connection.execute(
            "SELECT split_part(code_version, ' ', 1), (values ->> 'idea_score')::float8 "
            "FROM maintenance.score_history ORDER BY kept_at"
        ).fetchall()
    assert kept == [("1", 90.0), ("2", 80.0), ("1", 70.0)]
    [moved] = compare_versions(store, "intelligence/video_ideas", "1").movers
    assert (moved.before, moved.after) == (70.0, 60.0)


def test_terms_that_came_and_went_are_counted(store: FrameStore) -> None:
    def term(name: str, rank: int, points: float) -> dict[str, object]:
        return {"kind": "word", "term": name, "rank": rank, "score": points}

    score(store, "keyword_scores", "1", [term("mod", 1, 5.0), term("old", 2, 3.0)])
    score(store, "keyword_scores", "2", [term("new", 1, 9.0), term("mod", 2, 5.0)])

    found = compare_versions(store, "intelligence/keyword_scores", "1")

    assert (found.matched, found.appeared, found.vanished) == (1, 1, 1)
    assert found.movers == []
    assert [(m.before, m.after) for m in found.rank_movers] == [(1.0, 2.0)]
    assert '"term": "new"' in found.appeared_examples[0].row_key
    assert '"term": "old"' in found.vanished_examples[0].row_key


def test_a_version_that_came_back_is_not_mixed_with_what_was_kept_of_it(store: FrameStore) -> None:
    once, again = [idea(1, "mods", 90.0)], [idea(1, "mods", 80.0), idea(2, "maps", 70.0)]
    for version, rows in (("1", once), ("2", once), ("1", again), ("2", once)):
        score(store, "video_ideas", version, rows)

    found = compare_versions(store, "intelligence/video_ideas", "1")

    # Its last turn, which had two ideas, and not the first, which had one.
    assert (found.matched, found.appeared, found.vanished) == (1, 0, 1)
    assert [(moved.before, moved.after) for moved in found.movers] == [(80.0, 90.0)]


def test_a_window_in_which_the_newer_version_finds_nothing_is_that_versions(
    store: FrameStore,
) -> None:
    score(store, "video_ideas", "1", [idea(1, "mods", 90.0)])
    score(store, "video_ideas", "2", [])

    found = compare_versions(store, "intelligence/video_ideas", "1")

    assert (found.vanished, found.windows, found.now) == (1, 1, ["2"])


def test_windows_in_which_the_older_version_found_nothing_are_compared_and_others_are_not(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("COLUMNS", "300")
    windows = [WINDOW + n * timedelta(hours=4) for n in range(4)]
    mods, maps = idea(1, "mods", 90.0), idea(2, "maps", 80.0)
    # The first has an idea, the second none, the third was never computed, the fourth has none.
    for window, rows in zip(windows, ([mods], [], None, []), strict=True):
        if rows is not None:
            score(store, "video_ideas", "1", rows, window=window)
    for window in windows[:3]:
        score(store, "video_ideas", "2", [mods, maps], window=window)
    score(store, "video_ideas", "2", [], window=windows[3])

    found = compare_versions(store, "video_ideas", "1")
    told = CliRunner().invoke(app, ["diff", "video_ideas", "--before", "1"]).stdout

    assert (found.windows, found.first_window, found.last_window) == (3, windows[0], windows[3])
    assert (found.matched, found.appeared, found.vanished) == (1, 3, 0)
    assert found.now == ["2"]
    assert (found.unkept_windows, found.unkept_rows) == (1, 2)
    assert "Not compared: 2 rows in 1 windows of which version 1 has no row" in told


def test_a_version_that_found_nothing_at_all_is_compared(store: FrameStore) -> None:
    score(store, "video_ideas", "1", [])
    score(store, "video_ideas", "2", [idea(1, "mods", 90.0)])

    found = compare_versions(store, "video_ideas", "1")

    assert (found.windows, found.matched, found.appeared, found.vanished) == (1, 0, 1, 0)
    assert [example.label for example in found.appeared_examples] == ["Try mods"]


def test_a_version_without_a_row_in_common_is_told_by_what_came_and_went(
    store: FrameStore,
) -> None:
    score(store, "video_ideas", "1", [idea(1, "mods", 90.0)])
    score(store, "video_ideas", "2", [idea(1, "raids", 80.0)])

    found = compare_versions(store, "intelligence/video_ideas", "1")

    assert (found.matched, found.appeared, found.vanished) == (0, 1, 1)
    assert found.columns == []


def test_a_number_that_only_one_version_knows_is_counted_and_listed(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    score(store, "video_ideas", "1", [idea(1, "mods", 90.0), idea(2, "raids", 80.0)])
    after = [idea(1, "mods", 90.0), idea(2, "raids", 80.0)]
    score(store, "video_ideas", "2", after)
    # As if version 1 had not had one column, had known less of another, and had one more.
    with psycopg.connect(store.url) as connection:
        connection.execute(
            "UPDATE maintenance.score_history SET values = (values - 'demand_part') "
            """|| '{"sample_part": null, "retired_part": 5.0}' WHERE values ->> 'concept' = %s""",
            ("Try mods",),
        )

    found = compare_versions(store, "intelligence/video_ideas", "1")

    columns = {c.column: (c.compared, c.changed, c.mean_change) for c in found.columns}
    assert columns["demand_part"] == (2, 1, 0.0)
    assert columns["sample_part"] == (2, 1, 0.0)
    assert columns["retired_part"] == (1, 1, None)
    assert columns["format_part"] == (2, 0, 0.0)
    assert found.movers == []
    assert [(m.label, m.column, m.before, m.after) for m in found.known_once] == [
        ("Try mods", "demand_part", None, 0.0),
        ("Try mods", "retired_part", 5.0, None),
        ("Try mods", "sample_part", None, 0.0),
    ]
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("COLUMNS", "200")
    shown = CliRunner().invoke(app, ["diff", "intelligence/video_ideas", "--before", "1"])
    lines = [line.split()[2:] for line in shown.stdout.splitlines()]
    assert ["gaming:", "Try", "mods", "demand_part", "–", "0"] in lines


def test_a_column_of_large_numbers_leaves_room_for_the_others(store: FrameStore) -> None:
    def video(name: str, videos: int, points: float) -> dict[str, object]:
        return {"video_id": name, "sample_count": videos, "viral_score": points}

    names = [f"v{n:02}" for n in range(12)]
    score(store, "viral_scores", "1", [video(name, 1_000_000, 50.0) for name in names])
    after = [video(name, 1_001_000 + n, 50.0) for n, name in enumerate(names)]
    after[3]["viral_score"], after[7]["viral_score"] = 80.0, 45.0
    score(store, "viral_scores", "2", after)

    found = compare_versions(store, "viral_scores", "1", movers=5).movers

    moves = [(m.column, json.loads(m.row_key)["video_id"], m.before, m.after) for m in found]
    assert moves == [
        ("viral_score", "v03", 50.0, 80.0),
        ("sample_count", "v11", 1_000_000.0, 1_001_011.0),
        ("viral_score", "v07", 50.0, 45.0),
        ("sample_count", "v10", 1_000_000.0, 1_001_010.0),
        ("sample_count", "v09", 1_000_000.0, 1_001_009.0),
    ]


def test_two_designs_with_one_hash_are_paired_in_their_order(store: FrameStore) -> None:
    def design(rank: int, videos: int) -> dict[str, object]:
        return {"rank": rank, "video_count": videos, "perceptual_hash": "00ff"}

    score(store, "thumbnail_designs", "1", [design(1, 9), design(2, 5)])
    score(store, "thumbnail_designs", "2", [design(1, 10), design(2, 5), design(3, 2)])

    found = compare_versions(store, "intelligence/thumbnail_designs", "1")

    assert (found.matched, found.appeared, found.vanished) == (2, 1, 0)
    assert [(m.column, m.before, m.after) for m in found.movers] == [("video_count", 9.0, 10.0)]


def test_the_command_shows_moves_of_rank_and_what_came_and_went(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("COLUMNS", "200")
    score(store, "video_ideas", "1", [idea(1, "mods", 90.0), idea(2, "raids", 80.0)])
    score(store, "video_ideas", "2", [idea(1, "raids", 95.0), idea(2, "skins", 60.0)])

    shown = CliRunner().invoke(app, ["diff", "intelligence/video_ideas", "--before", "1"])

    assert shown.exit_code == 0, shown.output
    assert "1 rows in both, 1 appeared, 1 vanished" in shown.stdout
    lines = [line.split()[2:] for line in shown.stdout.splitlines()]
    assert ["gaming:", "Try", "raids", "rank", "2", "1"] in lines
    assert ["gaming:", "Try", "skins", "now"] in lines
    assert ["gaming:", "Try", "mods", "before"] in lines
    answer = CliRunner().invoke(
        app, ["diff", "intelligence/video_ideas", "--before", "1", "--json"]
    )
    assert json.loads(answer.stdout)["vanished_examples"][0]["label"] == "Try mods"


def test_an_asset_goes_by_the_last_part_of_its_key_and_a_misspelt_one_is_named(
    store: FrameStore,
) -> None:
    with pytest.raises(StoreError, match="No window of intelligence/title_intel"):
        compare_versions(store, "title_intel", "never")
    with pytest.raises(StoreError, match="Did you mean intelligence/title_intel"):
        compare_versions(store, "intelligence/title_intell", "never")


def test_no_table_is_compared_by_rank() -> None:
    ranked = [t for t in metadata.sorted_tables if "rank" in t.primary_key.columns]

    assert len(ranked) == 3
    for table in metadata.sorted_tables:
        if table.schema == "intelligence":
            assert "rank" not in identity_of(table)
            assert set(identity_of(table)) <= set(table.columns.keys())


def test_the_answer_says_what_was_compared_which_classes_switched_and_that_nothing_moved(
    store: FrameStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def video(name: str, trend: str) -> dict[str, object]:
        return {"video_id": name, "trend_class": trend, "viral_score": 50.0}

    monkeypatch.setenv("AURASTREAM_POSTGRES_URL", store.url)
    monkeypatch.setenv("COLUMNS", "200")

    def shown(version: str) -> str:
        asked = ["diff", "viral_scores", "--before", version]
        told = CliRunner().invoke(app, asked)
        return " ".join((told.stdout if not told.exception else str(told.exception)).split())

    score(store, "viral_scores", "1", [video("a", "VIRAL"), video("b", "VIRAL")])
    score(store, "viral_scores", "2", [video("a", "RISING"), video("b", "RISING")])

    found = compare_versions(store, "viral_scores", "1")

    assert [(s.column, s.before, s.after, s.rows) for s in found.switches] == [
        ("trend_class", "VIRAL", "RISING", 2)
    ]
    assert (found.windows, found.first_window, found.now) == (1, WINDOW, ["2"])
    window = f"{WINDOW:%Y-%m-%d %H:%M}"
    assert f"Version 1 beside 2, in 1 windows from {window} to {window} UTC" in shown("1")
    assert "trend_class VIRAL RISING 2" in shown("1")
    # The asset by its short name, too, is told which versions there are.
    assert "Versions that were kept: 1 (1 windows)" in shown("9")
    assert "Version 2 of intelligence/viral_scores is what is there now" in shown("2")

    score(store, "viral_scores", "3", [video("a", "RISING"), video("b", "RISING")])
    assert shown("2").endswith("2 rows in both, 0 appeared, 0 vanished Nothing moved.")
