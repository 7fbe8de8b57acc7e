"""Archives of any contents: what is missing or wrong is said, and siblings are not lost."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from aurastream import cli
from aurastream.core.errors import InvalidInputError
from aurastream.evaluation.archives import load_archive, load_charts
from aurastream.evaluation.registry import evaluate

Row = Callable[..., dict[str, object]]
Kind = pytest.mark.parametrize("kind", ["viral", "opportunity", "language"])


def rewritten(folder: Path, name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
    path = folder / f"{name}_test.parquet"
    change(pd.read_parquet(path)).to_parquet(path)
    return folder


def test_a_missing_column_is_named(crowd: Path) -> None:
    rewritten(crowd, "charts", lambda frame: frame.drop(columns=["channel_id", "likes"]))
    with pytest.raises(InvalidInputError, match="lacks channel_id, likes"):
        load_archive(crowd)


def test_files_without_rows_and_files_without_bytes_are_refused(crowd: Path) -> None:
    rewritten(crowd, "observations", lambda frame: frame.iloc[:0])
    with pytest.raises(InvalidInputError, match=r"observations in .* are empty"):
        load_archive(crowd)
    assert len(load_charts(crowd).charts)
    (crowd / "charts_test.parquet").write_bytes(b"")
    with pytest.raises(InvalidInputError, match="no readable parquet"):
        load_archive(crowd)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("views", "many", "views that is no number"),
        ("fetched_at", "yesterday", "fetched_at that is no time"),
        ("category_id", "Gaming", "category_id that is no whole number"),
        ("snapshot_date", "20.1", "snapshot_date that is no date"),
    ],
)
def test_a_column_of_another_kind_is_named(crowd: Path, column: str, value: str, says: str) -> None:
    rewritten(crowd, "charts", lambda frame: frame.assign(**{column: value}))
    with pytest.raises(InvalidInputError, match=says) as error:
        load_archive(crowd)
    assert "\n" not in error.value.message


@pytest.mark.parametrize(
    ("name", "column", "value"),
    [
        ("charts", "views", np.inf),
        ("charts", "views", -5.0),
        ("charts", "chart_rank", 1e30),
        ("charts", "chart_rank", 0.0),
        ("charts", "duration_s", -np.inf),
        ("charts", "comments", -1.0),
        ("charts", "category_id", 1e30),
        ("observations", "views", -1.0),
        ("observations", "n_countries_110", np.inf),
    ],
)
def test_a_number_that_cannot_be_is_named_with_its_column_and_row(
    crowd: Path, capsys: pytest.CaptureFixture[str], name: str, column: str, value: float
) -> None:
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({column: "float64"})
        frame.loc[3, column] = value
        return frame

    rewritten(crowd, name, spoil)
    code = cli._guard(
        lambda: cli.app(["evaluate", "viral", "--train", str(crowd)], standalone_mode=False)
    )
    said = capsys.readouterr().err
    assert (code, said.count("\n")) == (2, 1)
    assert f"{name} in " in said
    assert f"have a {column} that " in said
    assert f"{value:g} in row 4" in said


@pytest.mark.parametrize("written", ["US\u00a0", "\u3000US", " us\t"])
def test_white_space_around_a_country_is_no_part_of_its_name(crowd: Path, written: str) -> None:
    whole = load_charts(crowd, ["US"]).charts
    rewritten(crowd, "charts", lambda frame: frame.replace({"country": {"US": written}}))

    pd.testing.assert_frame_equal(load_charts(crowd, ["US"]).charts, whole)


def test_rows_that_cannot_be_judged_are_left_out_and_the_others_stay(crowd: Path) -> None:
    whole = load_archive(crowd).charts

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame = frame.astype({"views": "float64", "duration_s": "float64"})
        frame.loc[0, "views"] = np.nan
        frame.loc[1, "duration_s"] = np.nan
        frame.loc[2, "video_id"] = ""
        return pd.concat([frame, frame.tail(5)])

    left = load_archive(rewritten(crowd, "charts", spoil)).charts
    pd.testing.assert_frame_equal(left, whole.iloc[3:].reset_index(drop=True))


def test_types_may_differ_and_mean_the_same(crowd: Path) -> None:
    before = load_archive(crowd).charts

    def other(frame: pd.DataFrame) -> pd.DataFrame:
        return frame.assign(
            category_id=frame["category_id"].astype(float),
            views=frame["views"].astype(str),
            is_live=frame["is_live"].map({True: "True", False: "false"}),
            licensed_content=frame["licensed_content"].astype(int),
            snapshot_date=pd.to_datetime(frame["snapshot_date"]),
            fetched_at=frame["fetched_at"].dt.tz_convert(None),
            surplus="ignored",
        )

    pd.testing.assert_frame_equal(load_archive(rewritten(crowd, "charts", other)).charts, before)


@Kind
@pytest.mark.parametrize("case", ["nowhere", "empty", "a file", "nab's layout"])
def test_the_command_says_what_to_do_and_exits_with_2(
    kind: str, case: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "data"
    if case != "nowhere":
        folder.mkdir()
    if case == "a file":
        folder = folder / "charts.parquet"
        folder.write_bytes(b"PAR1")
    if case == "nab's layout":
        (folder / "windows.json").write_text("{}", encoding="utf-8")
    code = cli._guard(
        lambda: cli.app(["evaluate", kind, "--train", str(folder)], standalone_mode=False)
    )
    assert code == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "Pass the folder that holds the archive's files." in said


@Kind
def test_unknown_countries_are_refused_with_a_choice(kind: str, crowd: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"no charts of ZZ\. Choose among GB, US"):
        evaluate(kind, crowd, countries=["US", "ZZ"])


@Kind
def test_three_days_are_too_few_for_every_kind(
    kind: str, chart_row: Row, observation: Row, archive_at: Callable
) -> None:
    folder = archive_at([chart_row(f"v{day}", day) for day in range(3)], [observation("v0", 0, 1)])
    with pytest.raises(InvalidInputError, match="too few"):
        evaluate(kind, folder)
