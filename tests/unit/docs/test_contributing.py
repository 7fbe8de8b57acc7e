"""The worked examples of CONTRIBUTING.md: applied to a copy of the tree, they work."""

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
import yaml

from aurastream.sources.catalog import classifier_from_categories, load_catalog
from aurastream.store.frames import FrameStore
from aurastream.store.readings import tracked_categories
from aurastream.store.state import sync_categories

REPO_ROOT = Path(__file__).resolve().parents[3]
TEXT = (REPO_ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
NOT_COPIED = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".aurastream",
    "__pycache__",
    ".*_cache",
    ".hypothesis",
    "node_modules",
    "logs",
    ".tmp_dagster_home_*",
    "target",
)
SNIPPET = re.compile(
    r"^`(?P<path>[^`]+)`(?: \((?P<new>new)\)|, (?P<how>before|after|in place of)"
    r"(?P<first> the first)? (?P<tick>`{1,2}) ?(?P<anchor>.+?) ?(?P=tick)):\n\n"
    r"```\w+\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
SHELL_PYTHON = re.compile(r"<<'PY'\n(.*?)^PY$", re.MULTILINE | re.DOTALL)

# One worker, so that the copy is made once.
pytestmark = pytest.mark.xdist_group("contributing")


@dataclass(frozen=True)
class Snippet:
    """A piece of text and where it goes."""

    path: str
    how: str
    anchor: str
    body: str
    is_first: bool = False

    def apply(self, root: Path) -> None:
        target = root / self.path
        if self.how == "new":
            assert not target.exists(), self.path
            target.write_text(self.body, encoding="utf-8")
            return
        lines = target.read_text(encoding="utf-8").splitlines(keepends=True)
        found = [n for n, line in enumerate(lines) if line.strip().startswith(self.anchor)]
        assert found, f"{self.path} has no line that begins with {self.anchor!r}"
        assert self.is_first or len(found) == 1, f"{self.path}: {self.anchor!r} is ambiguous"
        at = found[0] + (self.how == "after")
        end = at + (self.how == "in place of")
        lines[at:end] = [self.body]
        target.write_text("".join(lines), encoding="utf-8")


def _part(letter: str) -> str:
    return re.split(r"^## [A-Z]\. ", TEXT, flags=re.MULTILINE)["ABC".index(letter) + 1]


def _snippets(text: str) -> list[Snippet]:
    return [
        Snippet(
            path=found["path"],
            how=found["new"] or found["how"],
            anchor=found["anchor"] or "",
            body=found["body"],
            is_first=bool(found["first"]),
        )
        for found in SNIPPET.finditer(text)
    ]


def _touched() -> list[str]:
    paths = {snippet.path for letter in "AC" for snippet in _snippets(_part(letter))}
    return sorted(path for path in paths if path.endswith(".py"))


def _fenced(text: str, language: str) -> str:
    (found,) = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return str(found)


def _assert_runs(tree: Path, *command: str) -> None:
    done = subprocess.run(
        command, cwd=tree, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-6000:]}{done.stderr[-3000:]}"


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of this tree with the examples A and C in it."""
    copy = tmp_path_factory.mktemp("contributing") / "tree"
    shutil.copytree(REPO_ROOT, copy, ignore=NOT_COPIED)
    for letter in "AC":
        for snippet in _snippets(_part(letter)):
            snippet.apply(copy)
    _assert_runs(copy, sys.executable, "-m", "ruff", "format", "--quiet", *_touched())
    (accept,) = SHELL_PYTHON.findall(_part("A"))
    _assert_runs(copy, sys.executable, "-W", "ignore", "-c", accept)
    _assert_runs(copy, sys.executable, "script/data-dictionary.py")
    return copy


def test_every_snippet_is_found_by_its_heading() -> None:
    for letter in "AC":
        part = _part(letter)
        fences = part.count("\n```") // 2
        others = part.count("\n```sh\n")
        assert len(_snippets(part)) == fences - others


def test_the_examples_pass_the_linters(tree: Path) -> None:
    _assert_runs(tree, sys.executable, "-m", "ruff", "check", "--quiet", *_touched())


def test_the_examples_work_in_the_whole(tree: Path) -> None:
    _assert_runs(
        tree,
        *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
        # Whole processes that load the graph once more would say nothing new.
        *("-k", "not dagster_validates and not imports_nothing and not without_any_server"),
        "tests/unit/core/test_channel_reach.py",
        "tests/unit/core/test_schemas.py",
        "tests/unit/core/test_doctests.py::test_every_example_in_a_docstring_holds[channel_reach]",
        "tests/unit/collectors/test_players.py",
        "tests/unit/quota/test_quota.py::"
        "test_the_status_has_a_line_for_every_daily_bucket_and_obeys_a_refusal",
        "tests/unit/sources/test_public_names.py",
        "tests/unit/docs/test_metrics.py",
        "tests/unit/docs/test_operations.py",
        "tests/unit/docs/test_data_dictionary.py",
        "tests/postgres/test_migrate.py::test_the_migrated_schema_is_the_declared_one",
        "tests/graph/test_definitions.py",
        "tests/graph/test_runs.py::test_a_signal_run_goes_from_charts_to_hot_documents",
    )


def test_a_game_is_added_by_one_statement(store: FrameStore) -> None:
    sync_categories(store, load_catalog().categories_frame())

    store.execute(_fenced(_part("B"), "sql"))

    games = tracked_categories(store, "game")
    assert "free_fire" in set(games["category"])
    assert _game_of("FREE FIRE: solo vs squad", games) == "free_fire"


def test_a_game_is_added_by_one_entry_of_the_catalogue(tmp_path: Path) -> None:
    seed = (REPO_ROOT / "aurastream" / "sources" / "catalog.yaml").read_text(encoding="utf-8")
    data = yaml.safe_load(seed)
    data["games"] += yaml.safe_load(_fenced(_part("B"), "yaml"))
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump(data), encoding="utf-8")

    games = load_catalog(path).categories_frame()

    assert _game_of("Garena update", games) == "free_fire"


def _game_of(title: str, games: pd.DataFrame) -> object:
    video = {"video_id": "v", "title": title, "tags": [], "channel_id": "c", "category_id": 20}
    return classifier_from_categories(games).classify(pd.DataFrame([video]))["game"].iloc[0]
