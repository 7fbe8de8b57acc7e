"""The documented misbehaviours of Helix, each behind a switch of its own.

Every one was reported with recorded requests and answers (twitchdev/issues and trackers of
clients); the summary says what the switch makes this server do.
"""

from typing import Final

__all__ = ["QUIRKS"]

QUIRKS: Final = {
    "last_page_cursor_loops": "the cursor of the last page leads back to the first one",
    "double_encoded_cursor": "cursors are two cursors joined by a blank and encoded again",
    "invalid_cursor_400_mid_crawl": "every page after the first answers 400 'invalid cursor'",
    "short_pages_dead_cursor": "pages of streams are half as long and their cursor leads nowhere",
    "cursor_then_empty_last_page": "the last full page has a cursor; following it gives no data",
    "pagination_without_cursor_key": "pages never carry a cursor",
    "clips_same_items_after_1000": "after 1,000 clips the same ones come again, in another order",
    "clips_before_started_at": "one clip from before started_at comes with the others",
    "clips_missing_in_wide_range": "a window of more than a day leaves out a fifth of its clips",
    "clips_not_sorted_with_started_at": "with started_at, clips come by time, not by views",
    "channels_500_empty_message": "more than five channels at once answer 500 without a message",
    "429_at_600_per_minute": "the bucket grants 600 a minute while the headers say 800",
    "429_not_rate_limit": "429 for a resource cap, with points remaining",
    "stream_null_or_empty_fields": "streams with tag_ids null, no viewers, no game or no type",
    "token_valid_but_rate_30": "a wrong token is accepted, at 30 requests a minute",
    "401_bodies": "401 in either of the two shapes, one per host",
}
