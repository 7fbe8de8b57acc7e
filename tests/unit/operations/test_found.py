"""The table that a start ends with."""

from rich.console import Console

from aurastream.operations.found import as_table
from aurastream.operations.query import Answer


def test_numbers_stand_to_the_right_whichever_are_known_and_titles_are_no_markup() -> None:
    rows = [("A [/b] title", None, None, "LOW"), ("Another", 85.0, None, "HIGH")]
    table = as_table("Best", Answer(("title", "opportunity", "change", "certainty"), rows))
    console = Console(width=100, record=True, file=None, force_terminal=False)
    with console.capture() as printed:
        console.print(table)

    assert [column.justify for column in table.columns] == ["left", "right", "right", "left"]
    assert "A [/b] title" in printed.get()
    assert "85.00" in printed.get()
