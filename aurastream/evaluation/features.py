"""What is known about a video on the day it is first sighted, and nothing later.

The rows of that day give counters, age, ranks, countries, title, tags and category. Percentiles
compare with the first sightings of the 28 days up to that day, the channel's history uses the own
countries' chart rows of earlier days. No pooled counter and no later row is read here; the one
exception, `next_day`, belongs to the day-two prediction and carries its name.
"""

from collections.abc import Callable
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from aurastream.evaluation.channels import channel_history
from aurastream.evaluation.references import trailing_percentiles

__all__ = ["CATEGORICAL", "day_one", "documents", "next_day"]

CATEGORICAL: Final = ("category", "language")

_AGE_EDGES_H: Final = (6.0, 12.0, 18.0, 24.0, 36.0)
_LANGUAGES: Final = (
    "en", "de", "ja", "pt", "fr", "es", "hi", "ko", "te", "ta", "ml", "pa", "bn",
)  # fmt: skip
_SHORT_S: Final = 180
_ASCII_END: Final = 127
_ASTRAL_START: Final = 0xFFFF
_TAG_CHARACTERS: Final = 200
_PIPES: Final = "|｜"  # noqa: RUF001 # a wide one
_BRACKETS: Final = "([【"

_IN_CATEGORY: Final = (
    "views", "likes", "comments", "velocity", "comments_per_hour", "duration_s",
    "likes_per_view", "comments_per_view",
)  # fmt: skip
_IN_CATEGORY_AND_AGE: Final = (
    "views", "likes", "comments", "velocity", "likes_per_view", "comments_per_view",
)  # fmt: skip


def day_one(rows: pd.DataFrame, charts: pd.DataFrame) -> pd.DataFrame:
    """Return the features of first sightings, all numbers, NaN where nothing is known.

    Parameters
    ----------
    rows : pandas.DataFrame
        From `aurastream.evaluation.cohort.first_sightings`, of every day at hand: the earlier
        ones are the reference of the later ones.
    charts : pandas.DataFrame
        All chart rows, for the channel's history.

    Notes
    -----
    A counter of 0 likes or comments means that it was hidden or missing, so that it is null.
    Hours below one count as one.
    """
    hours = rows["age_h"].clip(lower=1.0)
    views = rows["views"].astype("float64")
    likes = rows["likes"].where(rows["likes"] > 0).astype("float64")
    comments = rows["comments"].where(rows["comments"] > 0).astype("float64")
    floor = views.clip(lower=1.0)
    base = pd.DataFrame(
        {
            "views": views,
            "likes": likes,
            "comments": comments,
            "velocity": views / hours,
            "likes_per_hour": likes / hours,
            "comments_per_hour": comments / hours,
            "likes_per_view": likes / floor,
            "comments_per_view": comments / floor,
            "comments_per_like": comments / likes,
            "age_h": rows["age_h"],
            "own_countries": rows["own_countries"].astype("float64"),
            "best_rank": rows["chart_rank"].astype("float64"),
            "mean_rank": rows["mean_rank"],
            "duration_s": rows["duration_s"].astype("float64"),
            "short": (rows["duration_s"] <= _SHORT_S).astype("float64"),
            "category": pd.to_numeric(rows["category_id"]).astype("float64"),
            "hd": (rows["definition"] == "hd").astype("float64"),
            "captions": rows["caption_available"].astype("float64"),
            "licensed": rows["licensed_content"].astype("float64"),
        },
        index=rows.index,
    )
    ranks = rows[[name for name in rows if str(name).startswith("rank_")]].astype("float64")
    days = rows["day"].to_numpy(dtype="int64")
    category = base["category"].to_numpy(dtype="int64")
    bands = np.digitize(rows["age_h"].to_numpy(), _AGE_EDGES_H)
    in_category = trailing_percentiles(days, category, base[list(_IN_CATEGORY)])
    in_age = trailing_percentiles(
        days, category * (len(_AGE_EDGES_H) + 1) + bands, base[list(_IN_CATEGORY_AND_AGE)]
    )
    return pd.concat(
        [
            base,
            _moments(rows),
            _words(rows),
            ranks,
            in_category.add_suffix("_in_category"),
            in_age.add_suffix("_in_category_and_age"),
            channel_history(rows, charts),
        ],
        axis=1,
    )


def next_day(rows: pd.DataFrame, observations: pd.DataFrame) -> pd.DataFrame:
    """Return what one more day of observation tells; all null for a video not seen that day.

    These columns lie after the first sighting, on purpose: they make the day-two prediction,
    which is published under its own name and never beside day-one figures without it.
    """
    after = rows[["video_id"]].assign(day=rows["day"] + 1)
    seen = after.merge(observations, on=["video_id", "day"], how="left")
    seen.index = rows.index
    hours = (seen["fetched_at"] - rows["fetched_at"]).dt.total_seconds() / 3600
    gained = (seen["views"] - rows["views"]).astype("float64")
    return pd.DataFrame(
        {
            "next_views": seen["views"].astype("float64"),
            "next_likes": seen["likes"].astype("float64"),
            "next_comments": seen["comments"].astype("float64"),
            "next_countries": seen["n_countries_110"].astype("float64"),
            "next_best_rank": seen["best_rank"].astype("float64"),
            "next_velocity": gained / hours.where(hours > 0),
            "next_seen": seen["views"].notna().astype("float64"),
        }
    )


def documents(rows: pd.DataFrame) -> pd.Series:
    """Return title, channel and the first tags of each video as one text."""
    channel = "channel_" + rows["channel_title"].fillna("").str.replace(r"\W+", "_", regex=True)
    tags = rows["tags"].fillna("").str.slice(0, _TAG_CHARACTERS)
    return rows["title"].fillna("") + " " + channel + " " + tags


def _moments(rows: pd.DataFrame) -> pd.DataFrame:
    published, fetched = rows["published_at"].dt, rows["fetched_at"].dt
    return pd.DataFrame(
        {
            "published_hour": published.hour + published.minute / 60,
            "published_weekday": published.day_of_week.astype("float64"),
            "fetched_hour": fetched.hour + fetched.minute / 60,
        }
    )


def _words(rows: pd.DataFrame) -> pd.DataFrame:
    title = rows["title"].fillna("").astype(str)
    tags = rows["tags"].fillna("").astype(str)
    language = rows["audio_language"].where(rows["audio_language"].fillna("") != "")
    primary = language.fillna(rows["default_language"]).fillna("").str.split("-").str[0]
    codes = {name: float(i) for i, name in enumerate(_LANGUAGES)}
    length = title.str.len().clip(lower=1)
    of = _Characters(title)
    letters = of.count(str.isalpha).clip(lower=1)
    return pd.DataFrame(
        {
            "language": primary.map(codes).fillna(float(len(_LANGUAGES))),
            "title_length": title.str.len().astype("float64"),
            "title_words": of.words().astype("float64"),
            "title_capitals": of.count(str.isupper) / letters,
            "title_digits": of.count(str.isdecimal).astype("float64"),
            "title_exclamations": title.str.count("!").astype("float64"),
            "title_questions": title.str.count(r"\?").astype("float64"),
            "title_hashes": title.str.count("#").astype("float64"),
            "title_pipes": of.count(_PIPES.__contains__).astype("float64"),
            "title_brackets": of.count(_BRACKETS.__contains__).astype("float64"),
            "title_foreign": of.count(lambda c: ord(c) > _ASCII_END) / length,
            "title_emoji": of.count(lambda c: ord(c) > _ASTRAL_START).astype("float64"),
            "tags": (tags.str.count(", ") + 1.0).where(tags != "", 0.0),
            "tags_length": tags.str.len().astype("float64"),
        }
    )


class _Characters:
    """The characters of texts, each different one asked once what it is."""

    def __init__(self, texts: pd.Series) -> None:
        self._index = texts.index
        characters = "".join(texts).encode("utf-32-le", "surrogatepass")
        self._codes = np.frombuffer(characters, dtype="<u4")
        self._different = np.flatnonzero(np.bincount(self._codes))
        self._ends = np.cumsum([0, *map(len, texts)])

    def count(self, holds: Callable[[str], bool]) -> pd.Series:
        """Return of how many characters of each text it holds."""
        return self._totals(self._which(holds))

    def words(self) -> pd.Series:
        """Return how many stretches without white space each text has."""
        is_space = self._which(str.isspace)
        follows_space = np.append(True, is_space[:-1])[: is_space.size]
        follows_space[self._ends[:-1][self._ends[:-1] < is_space.size]] = True
        return self._totals(~is_space & follows_space)

    def _which(self, holds: Callable[[str], bool]) -> npt.NDArray[np.bool_]:
        flags = np.zeros(self._different.max(initial=0) + 1, dtype=bool)
        flags[self._different] = [holds(chr(code)) for code in self._different]
        found: npt.NDArray[np.bool_] = flags[self._codes]
        return found

    def _totals(self, flags: npt.NDArray[np.bool_]) -> pd.Series:
        before = np.concatenate([[0], np.cumsum(flags)])
        return pd.Series(np.diff(before[self._ends]), index=self._index)
