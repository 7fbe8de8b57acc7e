"""Every field of the platforms that is stored is used, and only declared fields are."""

import datetime as dt
import gzip
import importlib
import inspect
import json
import pkgutil
import re
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd
import psycopg
import pytest

import aurastream.store
from aurastream.core.description_shares import HABITS
from aurastream.sources.fields import IDLE, SOURCE_FIELDS, USES
from aurastream.store import (
    readings,
    readings_clips,
    readings_models,
    readings_texts,
    readings_thumbnails,
)
from aurastream.store.documents import build_documents
from aurastream.store.frames import FrameStore
from aurastream.store.purge_denied import PLATFORM_OF
from aurastream.store.tables import metadata as tables
from aurastream_assets.aggregation.project import load_manifest
from aurastream_assets.definitions import build_defs

REPO_ROOT: Final = Path(__file__).resolve().parents[2]
TOOL: Final = REPO_ROOT / "script" / "field-dictionary.py"
SPECS: Final = REPO_ROOT.parent / "shared" / "data" / "specs"
HELIX: Final = {
    "twitch.streams": "GetStreamsResponse",
    "twitch.games.top": "GetTopGamesResponse",
    "twitch.clips": "GetClipsResponse",
}
AS_OF: Final = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
START: Final = AS_OF - dt.timedelta(days=14)
FOUR_HOURS: Final = dt.timedelta(hours=4)
VERSIONS: Final = pd.DataFrame({"video_id": ["v"], "metadata_hash": ["h"]})
# Columns that hold what a platform said; ids of ours and times of asking are not in question.
RAW: Final = {
    f"{table.fullname}.{column.name}"
    for table in tables.sorted_tables
    if table.schema == "collection"
    for column in table.columns
    if column.info["policy"] in {"raw_meta", "raw_stat"}
}
_SHAPE = re.compile(r"source\('collection', '(\w+)'\)")


class Recorder(FrameStore):
    """A store that notes which columns of the platforms' data each statement rests on."""

    used: set[str]

    def read(self, table: Any, *, columns: Any = None, **options: Any) -> pd.DataFrame:
        declared = tables.tables[table if isinstance(table, str) else table.fullname]
        names = columns or [c.name for c in declared.columns]
        self.used |= {f"{declared.fullname}.{n}" for n in [*names, *options.get("where", {})]}
        return super().read(table, columns=columns, **options)

    def _fetch(self, statement: str) -> Any:
        # The server itself says which columns a query names: as a view it depends on them.
        with psycopg.connect(self.url) as connection:
            connection.execute(f"CREATE VIEW public.asked AS {statement}")  # a literal of ours
            found = connection.execute(
                "SELECT table_schema || '.' || table_name || '.' || column_name "
                "FROM information_schema.view_column_usage WHERE view_name = 'asked'"
            ).fetchall()
            connection.rollback()
        self.used |= {row[0] for row in found}
        return super()._fetch(statement)


@pytest.fixture
def used_by(database_url: str) -> Callable[[Callable[[FrameStore], object]], set[str]]:
    """Return a function that says which raw columns a reading uses."""

    def record(reading: Callable[[FrameStore], object]) -> set[str]:
        with Recorder(database_url) as store:
            store.used = set()
            reading(store)
            return store.used & RAW

    return record


def _versions(store: FrameStore) -> object:
    return readings_texts.text_versions(store, [AS_OF], length=FOUR_HOURS)


def _texts(*columns: str) -> Callable[[FrameStore], object]:
    def read(store: FrameStore) -> object:
        _versions(store)
        return readings_texts.video_texts(store, VERSIONS, columns)

    return read


def _days(*names: str) -> Callable[[FrameStore], object]:
    def read(store: FrameStore) -> object:
        return [getattr(readings_models, name)(store, START, AS_OF) for name in names]

    return read


READINGS: Mapping[str, Callable[[FrameStore], object]] = {
    "collection/youtube_games": lambda s: readings.game_candidates(s, as_of=AS_OF),
    "intelligence/viral_scores": lambda s: readings.titles(s, ["v"]),
    "intelligence/title_intel": _texts("title"),
    "intelligence/keyword_scores": _texts("title", "tags"),
    "intelligence/topic_intel": _texts("title", "tags"),
    "intelligence/description_intel": _texts("description", "duration_s", *HABITS),
    "intelligence/description_features": lambda s: list(readings_texts.undescribed(s, version="v")),
    "intelligence/viral_model": _days("chart_days", "counter_days"),
    "intelligence/viral_predictions": _days("chart_days", "counter_days", "games_of_videos"),
    "intelligence/prediction_backtest": _days("counter_days"),
    "intelligence/evaluations": _days("chart_days", "counter_days"),
    "intelligence/channel_outliers": lambda s: readings.titles(s, ["v"]),
    "intelligence/thumbnail_features": lambda s: readings_thumbnails.wanted_thumbnails(
        s,
        as_of=AS_OF,
        features_version="v",
        per_category=1,
        recheck_after=FOUR_HOURS,
    ),
    "intelligence/clip_hours": lambda s: readings_clips.clips_made(s, START, AS_OF),
    "reporting/hot_documents": lambda s: list(build_documents(s, AS_OF, label="replay")),
}
# Readings that the functions above call, and those that only checks call.
LOOKED_AT: Final = {
    "chart_days",
    "clips_made",
    "counter_days",
    "game_candidates",
    "games_of_videos",
    "text_versions",
    "titles",
    "undescribed",
    "video_texts",
    "wanted_thumbnails",
}
OF_CHECKS: Final = {"thumbnail_coverage"}


def _inputs() -> dict[str, set[str]]:
    """Return the raw columns that assets read as inputs."""
    found: dict[str, set[str]] = {}
    repository = build_defs(environment="local").get_repository_def()
    for key, asset in repository.assets_defs_by_key.items():
        if not asset.is_executable:
            continue
        for name, declared in asset.node_def.input_dict.items():
            upstream = asset.keys_by_input_name.get(name)
            columns = (declared.metadata or {}).get("columns")
            if upstream is not None and columns:
                table = ".".join(upstream.path)
                own = {f"{table}.{column}" for column in columns} & RAW
                if own:
                    found.setdefault(key.to_user_string(), set()).update(own)
    return found


def _models_of_dbt() -> dict[str, set[str]]:
    """Return the raw columns that the staging models name."""
    found: dict[str, set[str]] = {}
    for node in load_manifest()["nodes"].values():
        if node["resource_type"] == "model":
            for table in _SHAPE.findall(node["raw_code"]):
                words = set(re.findall(r"\w+", node["raw_code"]))
                own = {n for n in RAW if n.startswith(f"collection.{table}.")}
                found[f"dbt/{node['name']}"] = {n for n in own if n.rsplit(".", 1)[1] in words}
    return found


# Found out by looking at the graph and the models; they touch no database.
STATIC: Final = {**_inputs(), **_models_of_dbt()}


def test_every_column_of_the_platforms_comes_from_a_declared_field() -> None:
    assert {column for field in SOURCE_FIELDS for column in field.columns} == RAW


def test_a_field_is_used_or_says_why_it_is_stored() -> None:
    used = {column for columns in USES.values() for column in columns}

    assert used <= RAW
    assert set(IDLE) == RAW - used


def test_only_ids_by_which_a_persons_rows_are_found_go_unused() -> None:
    # Forgetting looks for these columns by name, in every table.
    names = {column.rsplit(".", 1)[1] for column in IDLE}

    assert names <= set(PLATFORM_OF)
    assert {why for why in IDLE.values() if "`aurastream forget`" not in why} == set()


def test_what_a_staging_model_names_reaches_a_table_that_is_read() -> None:
    nodes = load_manifest()["nodes"]
    shown: set[str] = set()
    for node in nodes.values():
        if node["resource_type"] == "model" and not node["name"].startswith("stg_"):
            shown |= set(re.findall(r"\w+", node["raw_code"]))
    idle: set[str] = set()
    for node in nodes.values():
        if node["resource_type"] == "model" and _SHAPE.search(node["raw_code"]):
            words = set(node["columns"])
            assert words, node["name"]
            idle |= {f"{node['name']}.{name}" for name in words - shown}

    assert idle == set()


@pytest.mark.parametrize("user", sorted({*USES, *READINGS, *STATIC}))
def test_what_is_read_is_what_is_declared(
    user: str, used_by: Callable[[Callable[[FrameStore], object]], set[str]]
) -> None:
    read = used_by(READINGS[user]) if user in READINGS else set()

    assert read | STATIC.get(user, set()) == USES.get(user, set()), (
        "Declare it in aurastream/sources/fields.py and run script/field-dictionary."
    )


def test_every_reading_of_the_platforms_data_is_looked_at() -> None:
    modules = [
        importlib.import_module(f"aurastream.store.{m.name}")
        for m in pkgutil.iter_modules(aurastream.store.__path__)
        if m.name.startswith("readings")
    ]
    reading = {
        name
        for module in modules
        for name in module.__all__
        if "collection." in inspect.getsource(getattr(module, name))
    }

    assert reading == LOOKED_AT | OF_CHECKS


def _readings_of(function: Callable[..., object], seen: set[object]) -> set[str]:
    """Return the readings that a function of ours calls, itself or through others of ours."""
    function = inspect.unwrap(function)
    if function in seen:
        return set()
    seen.add(function)
    names = _names_in(function)
    found: set[str] = set()
    for name in names & set(function.__globals__):
        known = function.__globals__[name]
        if inspect.ismodule(known) and known.__name__.startswith("aurastream.store.readings"):
            found |= names & LOOKED_AT & set(known.__all__)
        elif inspect.isfunction(known) and known.__module__.startswith("aurastream_assets"):
            found |= _readings_of(known, seen)
        elif inspect.isclass(known) and known.__module__.startswith("aurastream_assets"):
            for method in _called_methods(known, names):
                found |= _readings_of(method, seen)
    return found


def _names_in(function: Callable[..., object]) -> set[str]:
    """Return every name that a function uses, in the functions inside it, too."""
    codes = [function.__code__]
    for code in codes:
        codes += [own for own in code.co_consts if inspect.iscode(own)]
    return {name for code in codes for name in code.co_names}


def _called_methods(kind: type, names: set[str]) -> list[Callable[..., object]]:
    """Return the methods that somebody calls who uses these names, and those that they call."""
    methods = {name: own for name, own in vars(kind).items() if inspect.isfunction(own)}
    called = sorted(names & set(methods))
    for name in called:
        called += sorted(_names_in(methods[name]) & set(methods) - set(called))
    return [methods[name] for name in called]


def test_every_dataset_that_reads_the_platforms_data_by_a_statement_says_so() -> None:
    repository = build_defs(environment="local").get_repository_def()
    reading = set()
    for key, asset in repository.assets_defs_by_key.items():
        body = asset.is_executable and getattr(asset.node_def, "compute_fn", None)
        if body and _readings_of(body.decorated_fn, set()):
            reading.add(key.to_user_string())

    assert {"intelligence/title_intel", "intelligence/evaluations"} <= reading
    assert reading - set(READINGS) == set()


def _schema_of(endpoint: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the platform's own description of an item, and all its descriptions."""
    if endpoint.startswith("youtube"):
        with gzip.open(SPECS / "youtube.v3.discovery.json.gz") as file:
            known = json.load(file)["schemas"]
        return known["Video" if "videos" in endpoint else "Channel"], known
    with gzip.open(SPECS / "helix.openapi.json.gz") as file:
        known = json.load(file)["components"]["schemas"]
    return known[HELIX[endpoint]]["properties"]["data"]["items"], known


def _has(schema: Mapping[str, Any], known: Mapping[str, Any], path: Sequence[str]) -> bool:
    reference = schema.get("$ref", "").rsplit("/", 1)[-1]
    if reference:
        schema = known[reference]
    inner = schema.get("properties", {})
    return not path or (path[0] in inner and _has(inner[path[0]], known, path[1:]))


@pytest.mark.skipif(not SPECS.is_dir(), reason=f"no specifications at {SPECS}")
@pytest.mark.parametrize("endpoint", sorted({field.endpoint for field in SOURCE_FIELDS}))
def test_the_platform_itself_describes_every_field(endpoint: str) -> None:
    schema, known = _schema_of(endpoint)
    paths = [f.path for f in SOURCE_FIELDS if f.endpoint == endpoint and "(" not in f.path]

    assert [path for path in paths if not _has(schema, known, path.split("."))] == []


def test_the_committed_dictionary_is_current() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(TOOL), "--check"],
        capture_output=True,
        text=True,
        check=False,
        cwd=REPO_ROOT,
    )

    assert (done.returncode, done.stderr) == (0, "")
