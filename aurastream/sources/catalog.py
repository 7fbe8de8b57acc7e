"""The catalogue of charts and games: read, checked, and shaped like its table.

Charts and games are data. The seed lies beside this module; an operator's own file may take its
place, and ``operations.categories`` holds what is in force.
"""

from collections.abc import Mapping
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from aurastream.core.errors import AuraStreamError, SettingsError
from aurastream.core.games import GameClassifier, GameRules

__all__ = [
    "CATEGORY_COLUMNS",
    "Catalog",
    "Category",
    "Chart",
    "Game",
    "classifier_from_categories",
    "load_catalog",
]

CATEGORY_COLUMNS: Final = (
    "category",
    "kind",
    "title",
    "youtube_category_id",
    "twitch_game_id",
    "twitch_game_name",
    "priority",
    "interval_minutes",
    "max_videos",
    "baseline_velocity_per_hour",
    "audience_timezone",
    "rules",
    "is_enabled",
)
# The classifier's phrases for untracked games lie with the rules of every game, because the table
# has a row per category and none for the catalogue as a whole.
_OTHER_GAMES: Final = "other_games"


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"{name!r} is not an IANA time zone, for example Europe/Berlin") from error
    return name


Slug = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9_]*$")]
Text = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]
Zone = Annotated[str, AfterValidator(_known_zone)]


class Category(BaseModel):
    """What charts and games have in common; each field is a column of the table.

    Parameters
    ----------
    category : str
        Slug: lower case, digits and underscores.
    title : str
        Display name.
    priority : int
        1 is collected first.
    interval_minutes : int
        Base interval between collections.
    max_videos : int
        Videos per collection.
    baseline_velocity_per_hour : float
        Views per hour that count as usual until enough videos were seen.
    audience_timezone : str
        IANA zone in which the audience's peak hours are meant.
    is_enabled : bool
        Whether it is collected.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    category: Slug
    title: Text
    priority: int = Field(ge=1, le=9)
    interval_minutes: int = Field(ge=2, le=7 * 24 * 60)
    max_videos: int = Field(ge=1, le=1000)
    baseline_velocity_per_hour: float = Field(gt=0, allow_inf_nan=False)
    audience_timezone: Zone
    is_enabled: bool = True


class Chart(Category):
    """A ``mostPopular`` chart of YouTube.

    Parameters
    ----------
    youtube_category_id : int or None
        ``videoCategoryId``; None is the chart of all categories.
    """

    kind: Literal["chart"] = "chart"
    youtube_category_id: int | None = Field(default=None, ge=1)
    max_videos: int = Field(ge=1, le=50)  # one page: the platform gives no more per call


class Game(Category):
    """A tracked game.

    Parameters
    ----------
    twitch_game_id : str or None
        Twitch's id of the game; None where it is not on Twitch.
    twitch_game_name : str or None
        Twitch's name of the game.
    rules : dict
        How the classifier recognises it (`GameRules`).
    """

    kind: Literal["game"] = "game"
    twitch_game_id: Annotated[str, StringConstraints(pattern=r"^\d+$")] | None = None
    twitch_game_name: Text | None = None
    rules: dict[str, tuple[Text, ...]]

    @model_validator(mode="after")
    def _check_rules(self) -> Self:
        try:
            GameRules.from_mapping(self.category, self.rules)
        except AuraStreamError as error:
            raise ValueError(str(error)) from error
        return self


class Catalog(BaseModel):
    """All charts and games.

    Parameters
    ----------
    charts : tuple of Chart
        At least one.
    games : tuple of Game
        Maybe none.
    other_games : tuple of str
        Phrases for games that are not tracked (see `GameClassifier`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    other_games: tuple[Text, ...] = ()
    charts: tuple[Chart, ...] = Field(min_length=1)
    games: tuple[Game, ...] = ()

    @model_validator(mode="before")
    @classmethod
    def _fill_defaults(cls, data: Any) -> Any:  # noqa: ANN401 # whatever the file holds
        if not isinstance(data, Mapping):
            return data
        rest = dict(data)
        defaults = rest.pop("defaults", None) or {}
        if not isinstance(defaults, Mapping):
            raise ValueError("defaults must map columns to values")  # noqa: TRY004 # pydantic's protocol
        for key in ("charts", "games"):
            entries = rest.get(key)
            if isinstance(entries, list):
                rest[key] = [{**defaults, **e} if isinstance(e, Mapping) else e for e in entries]
        return rest

    @model_validator(mode="after")
    def _check_uniqueness(self) -> Self:
        listed: tuple[tuple[str, list[str | int | None]], ...] = (
            ("category", [c.category for c in self.categories]),
            ("twitch_game_id", [g.twitch_game_id for g in self.games if g.twitch_game_id]),
            ("youtube_category_id", [c.youtube_category_id for c in self.charts]),
        )
        for what, values in listed:
            twice = sorted({str(v) for v in values if values.count(v) > 1})
            if twice:
                raise ValueError(f"{what} listed twice: {', '.join(twice)}")
        return self

    @property
    def categories(self) -> tuple[Category, ...]:
        """Return charts and games, in the order of the file."""
        return (*self.charts, *self.games)

    @cached_property
    def classifier(self) -> GameClassifier:
        """Return the classifier of the enabled games."""
        return GameClassifier(
            {g.category: g.rules for g in self.games if g.is_enabled},
            other_games=self.other_games,
        )

    def categories_frame(self) -> pd.DataFrame:
        """Return the rows of ``operations.categories``."""
        rows = []
        for entry in self.categories:
            row: dict[str, Any] = dict.fromkeys(CATEGORY_COLUMNS) | entry.model_dump(mode="json")
            if isinstance(entry, Game):
                row["rules"] = {**row["rules"], _OTHER_GAMES: list(self.other_games)}
            else:
                row["rules"] = {}
            rows.append(row)
        frame = pd.DataFrame(rows, columns=list(CATEGORY_COLUMNS))
        return frame.astype({"youtube_category_id": "Int64"})


def classifier_from_categories(categories: pd.DataFrame) -> GameClassifier:
    """Return the classifier of the games in ``operations.categories`` that are enabled.

    Parameters
    ----------
    categories : pandas.DataFrame
        Columns ``category``, ``kind``, ``rules`` and ``is_enabled``.

    Raises
    ------
    InvalidInputError
        When no game is enabled or its rules are not usable.
    """
    chosen = categories[(categories["kind"] == "game") & categories["is_enabled"].astype(bool)]
    rules: dict[str, dict[str, Any]] = {}
    others: set[str] = set()
    for game, stored in zip(chosen["category"], chosen["rules"], strict=True):
        rules[game] = {k: v for k, v in stored.items() if k != _OTHER_GAMES}
        others.update(stored.get(_OTHER_GAMES, ()))
    return GameClassifier(rules, other_games=sorted(others))


def load_catalog(path: Path | None = None) -> Catalog:
    """Read and check a catalogue.

    Parameters
    ----------
    path : pathlib.Path, optional
        A file of the operator's; the seed of this package when omitted.

    Raises
    ------
    SettingsError
        Naming the file and every entry and key that is wrong.

    Examples
    --------
    >>> [g.category for g in load_catalog().games if g.priority == 1]
    ['fortnite', 'valorant', 'minecraft']
    """
    seed = files("aurastream.sources") / "catalog.yaml"
    name = "the built-in catalogue" if path is None else str(path)
    try:
        text = seed.read_text("utf-8") if path is None else path.read_text("utf-8")
        data = yaml.safe_load(text)
        return Catalog.model_validate(data)
    except OSError as error:
        raise SettingsError(
            f"The catalogue {name} cannot be read: {error.strerror}.",
            fix="Give the path of a readable YAML file.",
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SettingsError(f"The catalogue {name} is not YAML: {error}") from error
    except ValidationError as error:
        problems = [_problem(data, item) for item in error.errors()]
        raise SettingsError(
            f"The catalogue {name} is not usable: " + "; ".join(problems) + ".",
            fix="The head of aurastream/sources/catalog.yaml describes each key.",
        ) from error


def _problem(data: Any, item: Any) -> str:  # noqa: ANN401 # the file's content; pydantic's dict
    """Say where an error is in the words of the file: the entry's slug, not its number."""
    where: list[str] = []
    node = data
    for part in item["loc"]:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            node = None
        if isinstance(part, int) and isinstance(node, Mapping) and "category" in node:
            where.append(str(node["category"]))
        else:
            where.append(str(part))
    return f"{'.'.join(where) or 'catalogue'}: {item['msg'].removeprefix('Value error, ')}"
