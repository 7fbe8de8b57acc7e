"""An answer of the record, as somebody at a terminal reads it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from rich.console import Console, ConsoleOptions
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from aurastream.operations.query import Answer, text_rows

__all__ = ["AnswerView"]

_WIDER_THAN_ANY: Final = 1_000_000
_RULE: Final = 80


@dataclass(frozen=True, slots=True)
class AnswerView:
    """A table; or its rows one below the other where the table is wider than the terminal.

    A table that is squeezed into a terminal folds every name and number of it. `psql` calls the
    other form expanded.

    Parameters
    ----------
    answer : Answer
        What was found.
    """

    answer: Answer

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Table | Text]:
        """Yield what is to be printed."""
        rows = text_rows(self.answer)
        table = Table(*self.answer.columns, box=None, header_style="bold", pad_edge=False)
        for row in rows:
            table.add_row(*map(Text, row))
        unbounded = options.update(width=_WIDER_THAN_ANY)
        if Measurement.get(console, unbounded, table).maximum <= options.max_width or not rows:
            yield table
            return
        width, line = min(options.max_width, _RULE), "-" if options.ascii_only else "─"
        for number, row in enumerate(rows, 1):
            yield Text(f"{number} ".ljust(width, line), style="dim")
            record = Table.grid(padding=(0, 2))
            record.add_column(style="bold", no_wrap=True)
            record.add_column(overflow="fold")
            for name, value in zip(self.answer.columns, row, strict=True):
                record.add_row(name, Text(value))
            yield record
