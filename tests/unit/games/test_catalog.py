"""The catalogue of charts and games, and what it says about a mistake in it."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from aurastream.core.errors import SettingsError
from aurastream.sources.catalog import (
    CATEGORY_COLUMNS,
    Catalog,
    classifier_from_categories,
    load_catalog,
)
from aurastream.store.tables import table_for


def _minimal() -> dict[str, Any]:
    return {
        "defaults": {
            "title": "T",
            "priority": 1,
            "interval_minutes": 60,
            "max_videos": 10,
            "baseline_velocity_per_hour": 1000,
            "audience_timezone": "Europe/Berlin",
        },
        "charts": [{"category": "gaming", "youtube_category_id": 20}],
        "games": [{"category": "chess", "rules": {"phrases": ["chess"]}}],
    }


def _load(tmp_path: Path, data: Any) -> Catalog:
    path = tmp_path / "catalog.yaml"
    path.write_text(yaml.safe_dump(data), "utf-8")
    return load_catalog(path)


def test_the_seed_has_the_four_charts_and_the_eight_games() -> None:
    catalog = load_catalog()
    assert {c.category: c.youtube_category_id for c in catalog.charts} == {
        "trending": None,
        "gaming": 20,
        "music": 10,
        "movies": 1,
    }
    assert {g.category: (g.priority, g.interval_minutes, g.max_videos) for g in catalog.games} == {
        "fortnite": (1, 120, 50),
        "valorant": (1, 120, 50),
        "minecraft": (1, 120, 50),
        "apex": (2, 180, 40),
        "warzone": (2, 180, 40),
        "gta": (2, 240, 40),
        "roblox": (2, 240, 40),
        "league_of_legends": (3, 240, 30),
    }


def test_the_seed_has_the_known_baselines_and_a_thousand_for_the_others() -> None:
    baselines = {c.category: c.baseline_velocity_per_hour for c in load_catalog().categories}
    known = {"fortnite": 5000, "valorant": 3000, "minecraft": 4000, "apex": 2000}
    assert {c: b for c, b in baselines.items() if b != 1000} == known


def test_the_frame_has_the_columns_of_the_table_without_gaps() -> None:
    table = table_for(("operations", "categories"))
    frame = load_catalog().categories_frame()
    assert list(frame.columns) == list(CATEGORY_COLUMNS) == [c.name for c in table.columns]
    required = [c.name for c in table.columns if not c.nullable]
    assert frame[required].notna().all(axis=None)
    assert frame["category"].is_unique


def test_the_stored_categories_give_the_same_classifier_as_the_file() -> None:
    catalog = load_catalog()
    stored = catalog.categories_frame().sample(frac=1, random_state=1)
    assert classifier_from_categories(stored).version == catalog.classifier.version


def test_a_disabled_game_is_not_classified(tmp_path: Path) -> None:
    data = _minimal()
    data["games"].append({"category": "go", "rules": {"phrases": ["baduk"]}, "is_enabled": False})
    catalog = _load(tmp_path, data)
    assert catalog.classifier.games == ("chess",)
    assert classifier_from_categories(catalog.categories_frame()).games == ("chess",)


def test_an_entry_may_overrule_a_default(tmp_path: Path) -> None:
    data = _minimal()
    data["games"][0]["audience_timezone"] = "Asia/Tokyo"
    catalog = _load(tmp_path, data)
    assert [c.audience_timezone for c in catalog.categories] == ["Europe/Berlin", "Asia/Tokyo"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"audience_timezone": "Mars/Base"}, "games.chess.audience_timezone: 'Mars/Base' is not"),
        ({"priority": 0}, "games.chess.priority: "),
        ({"colour": "red"}, "games.chess.colour: "),
        ({"rules": {"phrase": ["x"]}}, "unknown keys: phrase"),
        ({"rules": {"phrases": []}}, "at least one phrase"),
        ({"rules": {"phrases": "chess"}}, "games.chess.rules.phrases: "),
        ({"twitch_game_id": "abc"}, "games.chess.twitch_game_id: "),
        ({"baseline_velocity_per_hour": float("nan")}, "games.chess.baseline_velocity_per_hour"),
        ({"category": "gaming"}, "category listed twice: gaming"),
        ({"category": "Big Chess"}, "games.Big Chess.category: "),
    ],
)
def test_a_mistake_is_named_by_the_entry_and_its_key(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    data = _minimal()
    data["games"][0].update(change)
    with pytest.raises(SettingsError) as error:
        _load(tmp_path, data)
    assert message in str(error.value)
    assert "catalog.yaml" in str(error.value)


def test_a_file_that_is_no_yaml_is_said_to_be_none(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text("charts: [", "utf-8")
    with pytest.raises(SettingsError, match="not YAML"):
        load_catalog(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot be read"):
        load_catalog(tmp_path / "none.yaml")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "catalog.yaml"
    path.write_text("", "utf-8")
    with pytest.raises(SettingsError, match="not usable"):
        load_catalog(path)
