"""One answer into columns, page by page, with one bad item never costing its siblings.

A page is decoded as a whole by a typed decoder. When that fails it is decoded again item by item:
the items that do not fit become `Rejected`, the others go on. Structs are dropped as soon as their
columns exist: keeping them alive costs six times the time, spent in the garbage collector.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from aurastream.sources.errors import MalformedError
from aurastream.sources.ports import Columns, Rejected
from aurastream.sources.wire.values import may_hold_nul, refuse_nul

__all__ = ["DecodedPage", "PageDecoder", "printable"]

_ItemT = TypeVar("_ItemT")


@dataclass(frozen=True, slots=True)
class DecodedPage:
    """Columns and rejects of one answer.

    Parameters
    ----------
    columns : dict of str to list
        The accepted items.
    rejected : tuple of Rejected
        The others.
    next_cursor : str or None
        Cursor of the next page; None on the last.
    total : int or None
        The platform's estimate of all items.
    positions : sequence of int
        Place of each accepted item in the answer, from 0; a rejected item leaves a gap.
    """

    columns: Columns
    rejected: tuple[Rejected, ...] = ()
    next_cursor: str | None = None
    total: int | None = None
    positions: Sequence[int] = ()

    def __len__(self) -> int:
        """Return the number of accepted items."""
        return len(next(iter(self.columns.values()), ()))


@dataclass(frozen=True)
class PageDecoder(Generic[_ItemT]):
    """How one kind of answer becomes columns.

    Parameters
    ----------
    kind : str
        Name of the dataset.
    items_key : str
        Key of the list of items in the answer.
    page_of : callable
        Item type to the msgspec struct of a whole answer with such items; the struct has
        ``entries()``, ``cursor()`` and ``total()``.
    item_type : type
        msgspec struct of one item.
    to_columns : callable
        Items to columns; raises ValueError with the reason when a value is impossible. Its second
        argument says whether parts that a stored answer may lack are required.
    strict : bool
        Whether numbers must be numbers on the wire; False where they are written as strings.
    """

    kind: str
    items_key: str
    page_of: Callable[[Any], type[Any]]
    item_type: type[_ItemT]
    to_columns: Callable[[list[_ItemT], bool], Columns]
    strict: bool = True
    _page: "msgspec.json.Decoder[Any]" = field(init=False, repr=False)
    _raw: "msgspec.json.Decoder[Any]" = field(init=False, repr=False)
    _item: "msgspec.json.Decoder[Any]" = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Build the decoders once: that costs more than a page."""
        object.__setattr__(
            self, "_page", msgspec.json.Decoder(self.page_of(self.item_type), strict=self.strict)
        )
        object.__setattr__(self, "_raw", msgspec.json.Decoder(self.page_of(msgspec.Raw)))
        object.__setattr__(self, "_item", msgspec.json.Decoder(self.item_type, strict=self.strict))

    def decode(self, body: bytes, *, is_live: bool = True) -> DecodedPage:
        """Decode an answer.

        Parameters
        ----------
        body : bytes
            JSON.
        is_live : bool
            True for our own calls, which ask for every part; a stored answer may lack some.

        Raises
        ------
        MalformedError
            When the body is not such an answer at all.
        """
        try:
            page, columns = self._read(body, is_live=is_live)
        except ValueError:  # msgspec's errors are ValueErrors; the second look finds the item
            return self._decode_item_by_item(body, is_live=is_live)
        places = range(len(page.entries()))
        return DecodedPage(columns, (), page.cursor(), page.total(), places)

    def empty(self) -> Columns:
        """Return the columns without rows."""
        return self.to_columns([], False)  # noqa: FBT003 # a positional callable

    def decode_item(self, raw: bytes) -> DecodedPage:
        """Decode a single stored item as if it were a page of one."""
        columns, rejected, positions = self._accept([raw], is_live=False)
        return DecodedPage(columns, rejected, positions=positions)

    def _read(self, body: bytes, *, is_live: bool) -> tuple[Any, Columns]:
        """Read a page as a whole; ``ValueError`` when anything in it does not fit."""
        if may_hold_nul(body):
            raise ValueError("a text may hold the character U+0000")
        page = self._page.decode(body)
        return page, self.to_columns(page.entries(), is_live)

    def _decode_item_by_item(self, body: bytes, *, is_live: bool) -> DecodedPage:
        try:
            page, raws = self._split(body)
        except (ValueError, RecursionError) as error:
            raise MalformedError(
                f"The answer is not a {self.kind} list: {error}.",
                fix="It is kept in the quarantine; ask again, and compare it with the API's "
                "reference if it stays so.",
                raw=printable(body),
            ) from None
        columns, rejected, positions = self._accept(raws, is_live=is_live)
        return DecodedPage(columns, rejected, page.cursor(), page.total(), positions)

    def _split(self, body: bytes) -> tuple[Any, list[bytes]]:
        """Return the page and its items as JSON, each in its own bytes."""
        try:
            page = self._raw.decode(body)
        except ValueError:
            # The standard library reads what RFC 8259 forbids (half a surrogate pair, NaN): with
            # it one such item can still be told from its siblings.
            loose = json.loads(body)
            if not isinstance(loose, dict) or not isinstance(loose.get(self.items_key), list):
                raise
            raws = [json.dumps(item).encode() for item in loose[self.items_key]]
            return self._raw.decode(json.dumps({**loose, self.items_key: []}).encode()), raws
        return page, [bytes(raw) for raw in page.entries()]

    def _accept(
        self, raws: list[bytes], *, is_live: bool
    ) -> tuple[Columns, tuple[Rejected, ...], list[int]]:
        columns = self.empty()
        rejected: list[Rejected] = []
        positions: list[int] = []
        for position, raw in enumerate(raws):
            try:
                row = self.to_columns([self._item.decode(raw)], is_live)
                refuse_nul(row.values())
            except (ValueError, RecursionError) as error:
                rejected.append(Rejected(_item_id(raw), str(error), printable(raw)))
            else:
                positions.append(position)
                for name, values in row.items():
                    columns[name] += values
        return columns, tuple(rejected), positions


def printable(body: bytes) -> str:
    """Return a body as text that Postgres can store, whatever the bytes are."""
    return body.decode("utf-8", errors="replace").replace("\0", "\ufffd")


def _item_id(raw: bytes) -> str | None:
    """Return the id of a broken item where one can be read."""
    try:
        item = json.loads(printable(raw))
    except (ValueError, RecursionError):
        return None
    if not isinstance(item, dict):
        return None
    found = next((item[key] for key in ("id", "broadcaster_id") if key in item), None)
    if isinstance(found, dict):
        found = next((v for k, v in found.items() if k.endswith("Id")), None)
    return printable(found.encode(errors="replace")) if isinstance(found, str) else None
