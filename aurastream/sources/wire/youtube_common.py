"""What the answers of the YouTube Data API v3 have in common: pages, thumbnails, categories."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from aurastream.sources.wire.values import MAX_COUNTER

__all__ = [
    "NO_THUMBNAILS",
    "Answer",
    "Counter",
    "Id",
    "Instant",
    "MaybeId",
    "Thumbnails",
    "category_number",
    "largest",
    "pages_of",
]

Instant = Annotated[datetime, msgspec.Meta(tz=True)]
# An index refuses values of a few thousand characters, and one such id the whole crawl with it.
Id = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
MaybeId = Annotated[str, msgspec.Meta(max_length=200)]
# Written as strings; the decoders of videos and channels read them as numbers.
Counter = Annotated[int, msgspec.Meta(ge=0, le=MAX_COUNTER)]


class Answer(msgspec.Struct, gc=False, frozen=True, rename="camel"):
    """Structs that live for one page; the collector need not look at them."""


class _Thumbnail(Answer, frozen=True):
    url: str = ""


_NO_THUMBNAIL = _Thumbnail()


class Thumbnails(Answer, frozen=True):
    """Sizes of a thumbnail; not every video has every size."""

    default: _Thumbnail = _NO_THUMBNAIL
    medium: _Thumbnail = _NO_THUMBNAIL
    high: _Thumbnail = _NO_THUMBNAIL
    standard: _Thumbnail = _NO_THUMBNAIL
    maxres: _Thumbnail = _NO_THUMBNAIL


NO_THUMBNAILS = Thumbnails()


_MOST_RESULTS = 2**31 - 1


class _Page(Answer, frozen=True, kw_only=True):
    next_page_token: str | None = None
    page_info: Any = None  # an estimate: where it is odd, the items are none the worse
    items: list[Any] = []

    def entries(self) -> list[Any]:
        return self.items

    def cursor(self) -> str | None:
        return self.next_page_token

    def total(self) -> int | None:
        found = self.page_info.get("totalResults") if isinstance(self.page_info, dict) else None
        return found if type(found) is int and 0 <= found <= _MOST_RESULTS else None


def pages_of(kind: str) -> Callable[[Any], type[Any]]:
    """Return a maker of page types that insist on ``kind``: ``{}`` is no empty chart."""

    def page_of(item_type: Any) -> type[Any]:  # noqa: ANN401 # a struct or msgspec.Raw
        return msgspec.defstruct(
            "Page",
            [
                ("kind", Literal[kind]),
                ("items", list[item_type], msgspec.field(default_factory=list)),
            ],
            bases=(_Page,),
            kw_only=True,
            frozen=True,
            gc=False,
            rename="camel",
        )

    return page_of


def largest(thumbnails: Thumbnails) -> str | None:
    """Return the address of the largest size."""
    return (
        thumbnails.maxres.url
        or thumbnails.standard.url
        or thumbnails.high.url
        or thumbnails.medium.url
        or thumbnails.default.url
        or None
    )


_MAX_DIGITS = 9


def category_number(text: str | None) -> int | None:
    """Return a category id as a number; ``ValueError`` when it is none."""
    if text is None:
        return None
    if not (text.isdecimal() and text.isascii()) or len(text) > _MAX_DIGITS:
        raise ValueError(f"categoryId {text!r} is not a category number")
    return int(text)
