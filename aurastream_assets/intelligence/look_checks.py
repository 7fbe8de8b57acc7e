"""Whether what thumbnails are said to go along with can be believed from window to window.

What a single window says of itself is checked beside the assets (`thumbnails.thumbnail_checks`).
"""

from typing import Final

from aurastream_assets.intelligence.query_checks import accepted, drift, window_checks
from aurastream_assets.partitions import four_hours

__all__ = ["look_checks"]

_CHECKS: Final = (
    drift(
        "thumbnail_intel",
        "category look",
        "abs(a.look_share - b.look_share) > 0.25",
        "least(a.known_count, b.known_count) >= 20",
        "In categories of 20 thumbnails, hardly a look's share moved by a quarter in one window.",
        every="4 hours",
    ),
    accepted("thumbnail_intel"),
    accepted("thumbnail_designs"),
)

look_checks = window_checks(
    "look_checks",
    _CHECKS,
    description="Drift of the looks of thumbnails, and what was refused.",
    partitions_def=four_hours,
)
