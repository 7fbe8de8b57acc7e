"""Readings of the record that decide which thumbnails are fetched."""

import datetime as dt

import pandas as pd

from aurastream.store.frames import FrameStore

__all__ = ["known_thumbnails", "thumbnail_audit", "thumbnail_coverage", "wanted_thumbnails"]


def wanted_thumbnails(
    store: FrameStore,
    *,
    as_of: dt.datetime,
    features_version: str,
    per_category: int,
    recheck_after: dt.timedelta,
    read_per_category: int = 0,
) -> pd.DataFrame:
    """Return the videos whose thumbnails are to be fetched, and how many are wanted in all.

    Wanted are the videos of the newest scored window that were never looked at, whose address
    changed, that were looked at by other formulas, or not within ``recheck_after``. What was
    rejected is not tried again within that time either, unless the server was to blame: that may
    pass, so that such a file is asked for in the next run, after those that never failed. Of each
    category the first ``per_category`` are taken in the order of a hash of their ids, which knows
    nothing of their success: a choice of the most viral could not tell what makes viral.

    Words are to be read in ``read_per_category`` pictures of each category: of those that are taken
    now, and those that were looked at before but not read, the most viral first. Which pictures are
    known does not depend on it, only which of them have words.

    Returns
    -------
    DataFrame
        ``video_id`` and ``thumbnail_url``, each video once; ``is_due``, false where everything is
        known but the words; ``is_to_read``; and, the same in each row, ``wanted_total`` and
        ``unread_total``: how many would be due and to be read without a limit per category.
    """
    return store.query(
        """
        with newest as (
            select max(window_start) as window_start from intelligence.viral_scores
            where window_start < %(as_of)s and window_start >= %(as_of)s - interval '1 day'
        ), scored as (
            select s.category, s.video_id, s.viral_score
            from intelligence.viral_scores s join newest using (window_start)
            where s.window_start >= %(as_of)s - interval '1 day'
        ), addressed as (
            select distinct on (v.video_id) v.video_id, v.thumbnail_url
            from collection.youtube_videos v
            where v.video_id in (select video_id from scored)
            order by v.video_id, v.first_observed_at desc, v.metadata_hash
        ), known as (
            select distinct on (f.video_id)
                   f.video_id, f.thumbnail_url, f.checked_at, f.features_version,
                   f.text is null as is_unread
            from intelligence.thumbnail_features f
            where f.video_id in (select video_id from scored)
            order by f.video_id, f.checked_at desc, f.content_hash
        ), refused as (
            select item_id as video_id, raw as thumbnail_url,
                   bool_and(starts_with(reason, 'unreachable:')) as may_pass
            from operations.quarantine
            where source = 'intelligence/thumbnail_features'
              and occurred_at >= %(as_of)s - %(recheck)s * interval '1 second'
            group by item_id, raw
        ), askable as (
            select s.category, s.viral_score, a.video_id, a.thumbnail_url,
                   r.video_id is not null as has_failed,
                   (k.video_id is null
                    or k.thumbnail_url <> a.thumbnail_url
                    or k.features_version <> %(version)s) as is_new,
                   k.checked_at < %(as_of)s - %(recheck)s * interval '1 second' as is_stale,
                   k.is_unread
            from scored s
            join addressed a using (video_id)
            left join known k using (video_id)
            left join refused r
              on r.video_id = a.video_id and r.thumbnail_url = a.thumbnail_url
            where a.thumbnail_url is not null
              and (r.video_id is null or r.may_pass)
        ), wanted as (
            select category, video_id,
                   row_number() over (
                       partition by category order by has_failed, md5(video_id), video_id
                   ) as place
            from askable
            where is_new or is_stale
        ), due as (
            select distinct video_id from wanted where place <= %(limit)s
        ), unread as (
            select category, video_id,
                   row_number() over (
                       partition by category
                       order by has_failed, viral_score desc nulls last, md5(video_id), video_id
                   ) as place
            from askable
            where case when is_new then video_id in (select video_id from due) else is_unread end
        ), to_read as (
            select distinct video_id from unread where place <= %(read)s
        )
        select a.video_id, min(a.thumbnail_url) as thumbnail_url,
               a.video_id in (select video_id from due) as is_due,
               a.video_id in (select video_id from to_read) as is_to_read,
               (select count(distinct video_id) from wanted) as wanted_total,
               (select count(distinct video_id) from unread) as unread_total
        from askable a
        where a.video_id in (select video_id from due union select video_id from to_read)
        group by a.video_id
        order by a.video_id
        """,
        {
            "as_of": as_of,
            "version": features_version,
            "limit": per_category,
            "recheck": recheck_after.total_seconds(),
            "read": read_per_category,
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


def thumbnail_audit(store: FrameStore, as_of: dt.datetime) -> dict[str, int]:
    """Return counts that say whether the tables of thumbnails can be believed.

    The windows are the newest ones that were analysed before ``as_of``; features are those of the
    last day. ``videos``, ``known`` and ``rejected`` are as in `thumbnail_coverage`.
    """
    audit = store.query(
        """
        with latest as (
            select max(window_start) as window_start from intelligence.thumbnail_intel
            where window_start < %(as_of)s
        ), looks as (
            select i.* from intelligence.thumbnail_intel i join latest using (window_start)
        ), designs as (
            select d.* from intelligence.thumbnail_designs d
            where d.window_start = (
                select max(window_start) from intelligence.thumbnail_designs
                where window_start < %(as_of)s
            )
        ), members as (
            select window_start, category, unnest(video_ids) as video_id from designs
        )
        select
            (select count(*) from intelligence.thumbnail_features
             where checked_at >= %(as_of)s - interval '1 day'
               and (least(brightness, saturation, edge_density, clutter, face_area_share,
                          text_area_share, contrast, colourfulness, thirds_index) < 0
                    or greatest(brightness, saturation, edge_density, clutter, face_area_share,
                                text_area_share, contrast * 2, entropy_bits / 8) > 1
                    or largest_face_share > face_area_share + 1e-9
                    or abs((select sum(v::float8) from jsonb_array_elements_text(edge_grid) v) - 1)
                       > 1e-6
                    or abs((select sum(v::float8) from jsonb_array_elements_text(saliency_grid) v)
                           - 1) > 1e-6)
            ) as features_out_of_range,
            (select count(*) from looks
             where look_share not between 0 and 1 or p_value not between 0 and 1
                or q_value not between 0 and 1 or q_value < p_value - 1e-9
                or lift not between ci_low and ci_high or known_count > video_count
                or look_count > known_count
                or (lift is null) <> (verdict = 'UNKNOWN')
            ) as lifts_out_of_range,
            (select count(distinct category) from looks
             where known_count < 0.5 * video_count) as thin_categories,
            (select count(distinct category) from looks) as categories,
            (select count(*) from designs
             where video_count < 2 or video_count <> cardinality(video_ids)
                or channel_count > video_count or channel_count < 1)
            + (select count(*) from (
                   select 1 from members group by window_start, category, video_id
                   having count(*) > 1
               ) twice) as designs_out_of_range
        """,
        {"as_of": as_of},
    )
    found = {**audit.iloc[0].to_dict(), **thumbnail_coverage(store, as_of).iloc[0].to_dict()}
    return {str(name): int(value) for name, value in found.items()}
