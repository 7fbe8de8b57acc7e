"""Readings of the record that decide which thumbnails are fetched."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["known_thumbnails", "thumbnail_coverage", "wanted_thumbnails"]


def wanted_thumbnails(
    store: FrameStore,
    *,
    as_of: dt.datetime,
    features_version: str,
    per_category: int,
    recheck_after: dt.timedelta,
) -> pd.DataFrame:
    """Return the videos whose thumbnails are to be fetched, and how many are wanted in all.

    Wanted are the videos of the newest scored window that were never looked at, whose address
    changed, that were looked at by other formulas, or not within ``recheck_after``. What was
    rejected is not tried again within that time either. Of each category the first
    ``per_category`` are taken in the order of a hash of their ids, which knows nothing of their
    success: a choice of the most viral could not tell what makes viral.

    Returns
    -------
    DataFrame
        ``video_id`` and ``thumbnail_url``, each video once, and ``wanted_total``, the same in each
        row: how many there would be without a limit per category.
    """
    return store.query(
        """
        with newest as (
            select max(window_start) as window_start from intelligence.viral_scores
            where window_start < %(as_of)s and window_start >= %(as_of)s - interval '1 day'
        ), scored as (
            select s.category, s.video_id
            from intelligence.viral_scores s join newest using (window_start)
            where s.window_start >= %(as_of)s - interval '1 day'
        ), addressed as (
            select distinct on (v.video_id) v.video_id, v.thumbnail_url
            from collection.youtube_videos v
            where v.video_id in (select video_id from scored)
            order by v.video_id, v.first_observed_at desc, v.metadata_hash
        ), known as (
            select distinct on (f.video_id)
                   f.video_id, f.thumbnail_url, f.checked_at, f.features_version
            from intelligence.thumbnail_features f
            where f.video_id in (select video_id from scored)
            order by f.video_id, f.checked_at desc, f.content_hash
        ), refused as (
            select distinct item_id as video_id, raw as thumbnail_url
            from operations.quarantine
            where source = 'intelligence/thumbnail_features'
              and occurred_at >= %(as_of)s - %(recheck)s * interval '1 second'
        ), wanted as (
            select s.category, a.video_id, a.thumbnail_url,
                   row_number() over (
                       partition by s.category order by md5(a.video_id), a.video_id
                   ) as place
            from scored s
            join addressed a using (video_id)
            left join known k using (video_id)
            left join refused r
              on r.video_id = a.video_id and r.thumbnail_url = a.thumbnail_url
            where a.thumbnail_url is not null
              and r.video_id is null
              and (k.video_id is null
                   or k.thumbnail_url <> a.thumbnail_url
                   or k.features_version <> %(version)s
                   or k.checked_at < %(as_of)s - %(recheck)s * interval '1 second')
        )
        select video_id, min(thumbnail_url) as thumbnail_url,
               (select count(distinct video_id) from wanted) as wanted_total
        from wanted where place <= %(limit)s
        group by video_id
        order by video_id
        """,
        {
            "as_of": as_of,
            "version": features_version,
            "limit": per_category,
            "recheck": recheck_after.total_seconds(),
        },
    )


def known_thumbnails(store: FrameStore, video_ids: list[str]) -> pd.DataFrame:
    """Return everything that is known of the thumbnails of these videos."""
    if not video_ids:
        return pd.DataFrame()
    return store.read("intelligence.thumbnail_features", where={"video_id": video_ids})


def thumbnail_coverage(store: FrameStore, as_of: dt.datetime) -> pd.DataFrame:
    """Return, for the newest window scored before ``as_of``, what is known of its thumbnails.

    Returns
    -------
    DataFrame
        One row: ``videos``, ``without_address``, ``known``, and ``rejected`` (within a day).
    """
    return store.query(
        """
        with newest as (
            select max(window_start) as window_start from intelligence.viral_scores
            where window_start < %(as_of)s and window_start >= %(as_of)s - interval '1 day'
        ), scored as (
            select distinct s.video_id
            from intelligence.viral_scores s join newest using (window_start)
            where s.window_start >= %(as_of)s - interval '1 day'
        ), addressed as (
            select distinct on (video_id) video_id, thumbnail_url
            from collection.youtube_videos
            where video_id in (select video_id from scored)
            order by video_id, first_observed_at desc, metadata_hash
        )
        select count(*) as videos,
               count(*) filter (where a.thumbnail_url is null) as without_address,
               count(*) filter (where exists (
                   select 1 from intelligence.thumbnail_features f where f.video_id = s.video_id
               )) as known,
               count(*) filter (where exists (
                   select 1 from operations.quarantine q
                   where q.item_id = s.video_id
                     and q.source = 'intelligence/thumbnail_features'
                     and q.occurred_at >= %(as_of)s - interval '1 day'
               )) as rejected
        from scored s left join addressed a using (video_id)
        """,
        {"as_of": as_of},
    )
