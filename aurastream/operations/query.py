"""Asking the record a question as the read-only role, and rendering the answer.

The role cannot write whatever the statement says, and a statement timeout keeps a careless
question from living on after its asker has gone.
"""

import csv
import io
import json
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar, Final, Literal

import psycopg
from psycopg.abc import AdaptContext, Buffer
from psycopg.abc import Loader as AnyLoader
from psycopg.adapt import Loader
from psycopg.pq import ExecStatus
from psycopg.pq import Format as PqFormat
from psycopg.types.string import TextLoader

from aurastream.core.errors import AuraStreamError

__all__ = ["Answer", "QueryError", "ask", "render", "text_rows"]

Format = Literal["table", "json", "csv"]


_FIX_STATEMENT: Final = (
    "Correct the statement; docs/data-dictionary.md lists every table and column."
)
_FIX_ENDED: Final = (
    "Running heads hold every question to the limits of the role, whatever --timeout says:"
    " narrow it by time, or raise statement_timeout in AURASTREAM_READER_LIMITS (docs/roles.md)."
)
_ENDED: Final = (psycopg.errors.AdminShutdown, psycopg.errors.TransactionTimeout)
_FOR_EXAMPLE: Final = 'For example: aurastream sql "select * from marts.taking_off_now"'
# Both come without a state of their own.
_SEVERAL: Final = "multiple commands"


# What a floating-point number on a terminal looks like.
_DIGITS: Final = 6
_SMALLEST: Final = 1e-4
_LARGEST: Final = 1e15


class QueryError(AuraStreamError):
    """Postgres refused the statement; the message is Postgres's own."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Columns and rows as Postgres returned them."""

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def ask(url: str, statement: str, *, timeout_s: float = 30.0) -> Answer:
    """Run one statement in a read-only transaction.

    Parameters
    ----------
    url : str
        Postgres URL of the read-only role.
    statement : str
        One SQL statement; several are refused by the protocol.
    timeout_s : float
        Statement timeout in seconds.

    Raises
    ------
    QueryError
        With Postgres's message, when the statement is wrong, too slow or not allowed.
    """
    began = time.monotonic()
    try:
        with psycopg.connect(url, connect_timeout=10, application_name="aurastream-sql") as db:
            db.read_only = True
            _take_any_moment(db)
            _take_as_said(db)
            with db.cursor() as cursor:
                cursor.execute(
                    "select set_config('statement_timeout', %s, true)",
                    (str(int(timeout_s * 1000)),),
                )
                # The extended protocol takes one statement only; the text is the asker's own.
                _execute(db, cursor, statement)
                if cursor.description is None:
                    return Answer((), [])
                return Answer(
                    tuple(column.name for column in cursor.description), cursor.fetchall()
                )
    except (*_ENDED, psycopg.errors.QueryCanceled) as error:
        if time.monotonic() - began < timeout_s or isinstance(error, _ENDED):
            raise QueryError(
                f"The question was ended before its {timeout_s:g} s were over.", fix=_FIX_ENDED
            ) from error
        raise QueryError(
            f"The question took longer than {timeout_s:g} s.",
            fix="Narrow it by time, or pass --timeout.",
        ) from error
    except psycopg.errors.ReadOnlySqlTransaction as error:
        raise QueryError(
            "This connection only reads.", fix="Write through assets and commands instead."
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise QueryError(_said(error), fix=_fix_closed(error)) from error
    except psycopg.errors.UndefinedTable as error:
        raise QueryError(
            _said(error),
            fix="Marts are published at the end of the first start; see `aurastream status`."
            " docs/data-dictionary.md lists what there is.",
        ) from error
    except psycopg.Error as error:
        # Without a state it never spoke to us, or stopped in the middle.
        if isinstance(error, psycopg.OperationalError) and error.sqlstate is None:
            raise QueryError(
                f"Postgres does not answer: {str(error).strip().splitlines()[0]}.",
                fix="Start it with script/server, or check AURASTREAM_READER_URL;"
                " `aurastream doctor` looks at both.",
            ) from error
        if _SEVERAL in str(error):
            raise QueryError("These are several statements.", fix="Ask one at a time.") from error
        raise QueryError(_said(error), fix=_FIX_STATEMENT) from error


class _OrText(Loader):
    """Loads a moment; as Postgres wrote it where Python has none such, as for infinity."""

    inner: ClassVar[type[AnyLoader]]

    def __init__(self, oid: int, context: AdaptContext | None = None) -> None:
        super().__init__(oid, context)
        self._inner = self.inner(oid, context)

    def load(self, data: Buffer) -> Any:  # noqa: ANN401 # whatever the type has
        try:
            return self._inner.load(data)
        except psycopg.DataError:
            return bytes(data).decode()


def _take_any_moment(db: psycopg.Connection) -> None:
    for name in ("date", "time", "timetz", "timestamp", "timestamptz"):
        oid = db.adapters.types[name].oid
        inner = db.adapters.get_loader(oid, PqFormat.TEXT)
        db.adapters.register_loader(oid, type("_OrText", (_OrText,), {"inner": inner}))


class _JsonText(str):
    """JSON as Postgres wrote it; Python would round its numbers."""

    __slots__ = ()


class _JsonAsSaid(Loader):
    def load(self, data: Buffer) -> _JsonText:
        return _JsonText(bytes(data).decode())


def _take_as_said(db: psycopg.Connection) -> None:
    """Load as text what Python has a smaller type for: a month, to it, has thirty days."""
    db.adapters.register_loader("interval", TextLoader)
    for name in ("json", "jsonb"):
        db.adapters.register_loader(name, _JsonAsSaid)


def _execute(db: psycopg.Connection, cursor: psycopg.Cursor, statement: str) -> None:
    try:
        encoded = statement.encode()
    except UnicodeEncodeError as error:
        raise QueryError(
            "The statement is not UTF-8.", fix="Write it in UTF-8; `locale` says what is typed."
        ) from error
    try:
        cursor.execute(encoded, prepare=True)
    except psycopg.ProgrammingError as error:
        if error.sqlstate is not None:
            raise
        db.close()  # it is in the middle of a copy that nobody takes
        raise QueryError(
            "COPY is not for this command.", fix="Ask with a select, and --csv for a file."
        ) from error
    if cursor.pgresult is not None and cursor.pgresult.status == ExecStatus.EMPTY_QUERY:
        raise QueryError("The statement is empty.", fix=_FOR_EXAMPLE)


def _fix_closed(error: psycopg.Error) -> str:
    if str(error).strip().endswith("quarantine"):
        return (
            "Only its column raw is closed to this role: name the columns you want, as in"
            " `select occurred_at, source, item_id, reason from operations.quarantine`."
        )
    return "This role reads what docs/data-dictionary.md lists; docs/roles.md says what is closed."


def _said(error: psycopg.Error) -> str:
    """Return Postgres's own words: a sentence, or its picture of the place in the statement."""
    text = str(error).strip()
    return f"{text}\n" if "\n" in text else f"{text}."


def render(answer: Answer, form: Format) -> str:
    """Render an answer as JSON (a list of objects) or CSV (RFC 4180, header first).

    Nothing is rounded: a numeric is the number that Postgres said, also within JSON, a moment has
    its microseconds, and an interval its months.

    Raises
    ------
    QueryError
        When two columns have one name, of which an object would keep the last alone.

    Examples
    --------
    >>> render(Answer(("share",), [(Decimal("12345678901234567890.123456789"),)]), "json")
    '[{"share": 12345678901234567890.123456789}]'
    """
    if form == "json":
        _require_distinct(answer.columns)
        names = [_json(name) for name in answer.columns]
        objects = (
            ", ".join(f"{name}: {_json(value)}" for name, value in zip(names, row, strict=True))
            for row in answer.rows
        )
        return "[" + ", ".join(f"{{{fields}}}" for fields in objects) + "]"
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(answer.columns)
    writer.writerows([["" if v is None else _cell(v) for v in row] for row in answer.rows])
    return buffer.getvalue().rstrip("\n")


def text_rows(answer: Answer, *, decimals: int | None = None) -> Sequence[Sequence[str]]:
    """Return the rows as text for a table on a terminal, with a dash for null.

    Parameters
    ----------
    answer : Answer
        What was found.
    decimals : int, optional
        Decimals of floating-point numbers; without it they have six significant digits, and more
        where their whole part has.

    Examples
    --------
    >>> numbers = (0.0034128, 1234567.89, 0.5, 1e-9, 99.999999)
    >>> text_rows(Answer(tuple("abcde"), [numbers]))
    [['0.0034128', '1,234,568', '0.5', '1e-09', '100']]
    >>> text_rows(Answer(("a",), [(0.5,)]), decimals=2)
    [['0.50']]
    """
    return [["–" if v is None else _text(v, decimals) for v in row] for row in answer.rows]


def _require_distinct(columns: Sequence[str]) -> None:
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise QueryError(
            f"Several columns are named {', '.join(twice)}, and JSON keeps one of a name.",
            fix="Name them apart with `as`, or ask with --csv.",
        )


def _text(value: object, decimals: int | None) -> str:
    if isinstance(value, datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    if not isinstance(value, float):
        return str(_cell(value))
    if decimals is not None:
        return f"{value:,.{decimals}f}"
    if value == 0 or not _SMALLEST <= abs(value) < _LARGEST:
        return f"{value:.{_DIGITS}g}"
    places = max(0, _DIGITS - 1 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{places}f}"
    return text.rstrip("0").rstrip(".") if places else text


def _json(value: object) -> str:
    """Return a value as JSON; null for what JSON has no number for."""
    if isinstance(value, _JsonText):
        return value
    if isinstance(value, list):
        return f"[{', '.join(map(_json, value))}]"
    if isinstance(value, Decimal):
        return str(value) if value.is_finite() else "null"
    if isinstance(value, float) and not math.isfinite(value):
        return "null"
    return json.dumps(value, default=_plain, ensure_ascii=False, allow_nan=False)


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        return _hex(value)
    return value.isoformat() if isinstance(value, datetime | date) else str(value)


def _cell(value: object) -> object:
    if isinstance(value, list):
        return _json(value)
    if isinstance(value, datetime):
        return value.isoformat(sep=" ")
    return _hex(value) if isinstance(value, bytes) else value


def _hex(value: bytes) -> str:
    """Return bytes as Postgres writes them."""
    return f"\\x{value.hex()}"
