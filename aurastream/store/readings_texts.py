"""What was written on videos, as it was known at a moment: readings for the analyses of texts.

Titles, tags and descriptions change. A window is analysed with the version that its newest snapshot
of a video showed, also when the video has gone back to an older title since; where that snapshot
is no longer kept, with the newest version first seen before the window's end.

A version that several windows or categories share is read once.
"""

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Final

import pandas as pd

from aurastream.store.frames import FrameStore
from aurastream.store.tables import metadata as tables

__all__ = [
    "category_names",
    "described",
    "description_features",
    "text_versions",
    "undescribed",
    "video_texts",
]

_KEYS_PER_QUERY: Final = 20_000
_HALF: Final = dt.timedelta(minutes=30)
# A snapshot that a window rests on is at most a day and a crawl older than its end.
_REACH: Final = dt.timedelta(hours=26)


def text_versions(
    store: FrameStore, ends: Sequence[dt.datetime], *, length: dt.timedelta
) -> pd.DataFrame:
    """Return which version of each scored video's texts was known at the end of each window.

    Parameters
    ----------
    store : FrameStore
        The record.
    ends : sequence of datetime
        Ends of windows, aware; each is also the end of a scored half hour.
    length : timedelta
        Length of the windows.

    Returns
    -------
    DataFrame
        ``window_start`` (of the longer window), ``video_id`` and ``metadata_hash``, each video
        once per window; a video without any version is left out.
    """
    if not len(ends):
        return pd.DataFrame(
            {
                "window_start": pd.Series(dtype="datetime64[us, UTC]"),
                "video_id": pd.Series(dtype="str"),
                "metadata_hash": pd.Series(dtype="str"),
            }
        )
    found = store.query(
        """
        with wanted as materialized (
            select distinct window_start + interval '30 minutes' as as_of, video_id, observed_at
            from intelligence.video_velocity
            where window_start = any(%(halves)s)
              and window_start >= %(first)s and window_start <= %(last)s
        ), moments as materialized (
            select distinct observed_at from wanted
        ), shown as materialized (
            select distinct on (video_id, observed_at) video_id, observed_at, metadata_hash
            from (
                select t.video_id, t.observed_at, t.metadata_hash, t.views
                from collection.youtube_trending t join moments using (observed_at)
                where t.observed_at >= %(from)s and t.observed_at < %(to)s
                union all
                select g.video_id, g.observed_at, g.metadata_hash, g.views
                from collection.youtube_games g join moments using (observed_at)
                where g.observed_at >= %(from)s and g.observed_at < %(to)s
            ) snapshots
            order by video_id, observed_at, views desc nulls last, metadata_hash desc
        ), resolved as materialized (
            -- Counted and not asked for with "not exists": Postgres takes the versions for a few,
            -- and would look through all of them for each video of each window.
            select w.as_of, w.video_id, v.metadata_hash,
                   count(v.metadata_hash) over (partition by w.as_of, w.video_id) as known
            from wanted w
            left join shown s using (video_id, observed_at)
            left join collection.youtube_videos v
              on v.video_id = s.video_id and v.metadata_hash = s.metadata_hash
        )
        select as_of - %(length)s as window_start, video_id, metadata_hash
        from resolved where metadata_hash is not null
        union all
        select w.as_of - %(length)s, w.video_id, v.metadata_hash
        from resolved w
        cross join lateral (
            select metadata_hash from collection.youtube_videos v
            where v.video_id = w.video_id and v.first_observed_at < w.as_of
            order by first_observed_at desc, metadata_hash desc limit 1
        ) v
        where w.known = 0
        order by window_start, video_id, metadata_hash
        """,
        {
            "halves": [end - _HALF for end in ends],
            "first": min(ends) - _HALF,
            "last": max(ends) - _HALF,
            "from": min(ends) - _REACH,
            "to": max(ends) + _HALF,
            "length": length,
        },
    )
    return found.drop_duplicates(["window_start", "video_id"], ignore_index=True)


def video_texts(store: FrameStore, versions: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return columns of ``collection.youtube_videos`` for the versions named, each once.

    Parameters
    ----------
    store : FrameStore
        The record.
    versions : DataFrame
        ``video_id`` and ``metadata_hash``, repeated or not.
    columns : sequence of str
        What to read beside the two.
    """
    return _by_version(store, "collection.youtube_videos", versions, columns)


def description_features(
    store: FrameStore, versions: pd.DataFrame, *, version: str
) -> pd.DataFrame:
    """Return what descriptions were found to hold by one version of the rules.

    Parameters
    ----------
    store : FrameStore
        The record.
    versions : DataFrame
        ``video_id`` and ``metadata_hash``; those that were not read yet are missing in the result.
    version : str
        Version of the rules.
    """
    table = tables.tables["intelligence.description_features"]
    columns = [c.name for c in table.columns if c.name not in ("video_id", "metadata_hash")]
    found = _by_version(store, table.fullname, versions, columns, where=version)
    return found.drop(columns=["rules_version", "first_observed_at"])


def described(store: FrameStore, *, version: str) -> int:
    """Return how many descriptions were read by this version of the rules."""
    found = store.query(
        "select count(*) as n from intelligence.description_features "
        "where rules_version = %(version)s",
        {"version": version},
    )
    return int(found["n"].iloc[0])


def undescribed(store: FrameStore, *, version: str) -> Iterator[pd.DataFrame]:
    """Yield the descriptions that were not read by this version of the rules, a part at a time.

    The parts are made so that a million long texts are never in memory together.

    Parameters
    ----------
    store : FrameStore
        The record.
    version : str
        Version of the rules.

    Yields
    ------
    DataFrame
        ``video_id``, ``metadata_hash``, ``first_observed_at``, ``description``, ``duration_s``.
    """
    last = ("", "")
    while True:
        part = store.query(
            """
            select v.video_id, v.metadata_hash, v.first_observed_at, v.description, v.duration_s
            from collection.youtube_videos v
            left join intelligence.description_features f
              on f.video_id = v.video_id and f.metadata_hash = v.metadata_hash
             and f.rules_version = %(version)s
            where f.video_id is null
              and (v.video_id, v.metadata_hash) > (%(video_id)s, %(metadata_hash)s)
            order by v.video_id, v.metadata_hash
            limit %(most)s
            """,
            {
                "version": version,
                "video_id": last[0],
                "metadata_hash": last[1],
                "most": _KEYS_PER_QUERY,
            },
        )
        if part.empty:
            return
        yield part
        last = (part["video_id"].iloc[-1], part["metadata_hash"].iloc[-1])


def category_names(store: FrameStore) -> dict[str, list[str]]:
    """Return the names of every chart and game, whose words say nothing inside it.

    The phrases that name a game in titles are among them, each written as one word: "gta5" and
    "マインクラフト" are names, while "san andreas" is a subject of its own.
    """
    rows = store.read(
        "operations.categories",
        columns=["category", "title", "twitch_game_name", "rules"],
        order_by="category",
    )
    return {
        str(category): [
            str(category).replace("_", " "),
            title,
            *([game] if game else []),
            *("".join(p.split()).strip("*") for p in (rules or {}).get("phrases", ())),
        ]
        for category, title, game, rules in zip(
            rows["category"],
            rows["title"],
            rows["twitch_game_name"].astype(object).where(rows["twitch_game_name"].notna(), None),
            rows["rules"],
            strict=True,
        )
    }


def _by_version(
    store: FrameStore,
    table: str,
    versions: pd.DataFrame,
    columns: Sequence[str],
    *,
    where: str | None = None,
) -> pd.DataFrame:
    """Read rows by (video_id, metadata_hash), as many keys at a time as one statement bears."""
    keys = versions[["video_id", "metadata_hash"]].drop_duplicates()
    chosen = ["video_id", "metadata_hash", *columns]
    parts = []
    for at in range(0, max(len(keys), 1), _KEYS_PER_QUERY):
        some = keys.iloc[at : at + _KEYS_PER_QUERY]
        part = store.read(
            table,
            columns=chosen,
            where={
                "video_id": some["video_id"].unique().tolist(),
                **({} if where is None else {"rules_version": where}),
            },
        )
        parts.append(part.merge(some, on=["video_id", "metadata_hash"], how="inner"))
    found = pd.concat(parts, ignore_index=True) if len(parts) > 1 else parts[0]
    return found.sort_values(["video_id", "metadata_hash"], ignore_index=True)
