"""Between pandas and Postgres: one Arrow type per column type, both ways.

A frame is cast to exactly the types its table declares, so that it can be sent in Postgres's own
binary format without a conversion on the server; what cannot be cast without loss is refused with
the column's name. NaN, NaT and None all mean NULL.
"""

import uuid
from collections.abc import Container, Sequence
from typing import Any, cast

import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql as pg

from aurastream.store.errors import FrameMismatchError

__all__ = ["arrow_type", "empty_frame", "to_arrow", "to_pandas", "up_to_date"]

_UUID_BYTES = 16
_JSONB_VERSION = b"\x01"  # the binary format of jsonb begins with its version
_TIMESTAMP = pa.timestamp("us", tz="UTC")
_INTEGERS = {pa.int64(): pd.Int64Dtype()}.get
_BOOLEANS = {pa.bool_(): pd.BooleanDtype()}.get


def arrow_type(column: sa.Column[Any]) -> pa.DataType:
    """Return the Arrow type whose binary form is that of the column."""
    kind = column.type
    if isinstance(kind, pg.UUID):
        return pa.binary(_UUID_BYTES)
    if isinstance(kind, pg.JSONB):
        return pa.binary()
    if isinstance(kind, pg.ARRAY):
        return pa.list_(pa.string())
    for sql_type, found in _TYPES:
        if isinstance(kind, sql_type):
            return found
    raise FrameMismatchError(f"{column.table.fullname}.{column.name} has no Arrow type.")


# The order matters: SmallInteger and BigInteger are Integers, REAL is a Float.
_TYPES: Sequence[tuple[type[Any], pa.DataType]] = (
    (sa.SmallInteger, pa.int16()),
    (sa.BigInteger, pa.int64()),
    (sa.Integer, pa.int32()),
    (sa.REAL, pa.float32()),
    (sa.Float, pa.float64()),
    (sa.Boolean, pa.bool_()),
    (sa.DateTime, _TIMESTAMP),
    (sa.TIMESTAMP, _TIMESTAMP),
    (sa.Date, pa.date32()),
    (sa.Text, pa.string()),
    (sa.LargeBinary, pa.binary()),
)


def to_arrow(table: sa.Table, frame: pd.DataFrame) -> pa.Table:
    """Cast a frame to a table's columns, sorted by its key, in the table's order.

    Raises
    ------
    FrameMismatchError
        Naming unknown and missing columns, nulls where none may be, values that do not fit, or
        a key that occurs twice.
    """
    names = [column.name for column in table.columns]
    unknown = [str(name) for name in frame.columns if name not in names]
    missing = [name for name in names if name not in frame.columns]
    if unknown or missing:
        parts = [
            f"{what} {', '.join(found)}"
            for what, found in (("lacks", missing), ("has the unknown", unknown))
            if found
        ]
        raise FrameMismatchError(
            f"The frame for {table.fullname} {' and '.join(parts)}.",
            fix="Its columns must be those of aurastream.store.tables.",
        )
    key = [column.name for column in table.primary_key.columns]
    arrays = [_array(table, column, frame[column.name]) for column in table.columns]
    result = pa.Table.from_arrays(arrays, names=names)
    if key and result.num_rows > 1:
        # Rows in key order halve the cost of keeping the primary key's index.
        result = result.sort_by([(name, "ascending") for name in key])
        _refuse_duplicates(table, result, key)
    return result


def up_to_date(table: sa.Table, rows: pa.Table) -> pa.Table:
    """Return rows that were cast for an earlier declaration of their table, as of today's.

    Columns that came since are null, where they may be.

    Raises
    ------
    FrameMismatchError
        Naming the columns that went since, that have another type, or that may not be null.
    """
    wanted = {column.name: arrow_type(column) for column in table.columns}
    had = {field.name: field.type for field in rows.schema}
    faults = {
        "it lacks": [c.name for c in table.columns if c.name not in had and not c.nullable],
        "it has the unknown": [name for name in had if name not in wanted],
        "another type have": [n for n in had if n in wanted and had[n] != wanted[n]],
    }
    if any(faults.values()):
        said = "; ".join(f"{what} {', '.join(names)}" for what, names in faults.items() if names)
        raise FrameMismatchError(
            f"The write is from before {table.fullname} had its present columns: {said}.",
            fix="Only columns that may be null can be missing.",
        )
    columns = [
        rows.column(name) if name in had else pa.nulls(rows.num_rows, kind)
        for name, kind in wanted.items()
    ]
    return pa.Table.from_arrays(columns, names=list(wanted))


def _refuse_duplicates(table: sa.Table, rows: pa.Table, key: Sequence[str]) -> None:
    """Find equal neighbours: the rows are in key order."""
    same = None
    for name in key:
        column = rows.column(name).combine_chunks()
        equal = pc.equal(column[1:], column[:-1])
        same = equal if same is None else pc.and_(same, equal)
    if same is None or not pc.any(same).as_py():
        return
    first = pc.index(same, value=True).as_py()
    values = {name: rows.column(name)[first].as_py() for name in key}
    raise FrameMismatchError(
        f"The frame for {table.fullname} has the same key twice: {values}.",
        fix="Drop the duplicates where the frame is made.",
    )


def _array(table: sa.Table, column: sa.Column[Any], values: pd.Series) -> pa.Array:
    wanted = arrow_type(column)
    try:
        if isinstance(column.type, pg.UUID):
            array = _uuids(values)
        elif isinstance(column.type, pg.JSONB):
            array = pa.array([_json(value) for value in values], type=wanted)
        elif isinstance(column.type, pg.ARRAY):
            array = pa.array([_texts(value) for value in values], type=wanted)
        else:
            array = _scalars(values, wanted)
    except (pa.ArrowException, ValueError, TypeError, OverflowError) as error:
        raise FrameMismatchError(
            f"Column {table.fullname}.{column.name} ({values.dtype}) does not fit {wanted}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if not column.nullable and array.null_count:
        raise FrameMismatchError(
            f"Column {table.fullname}.{column.name} has {array.null_count} nulls, "
            "but may have none."
        )
    return array


def _scalars(values: pd.Series, wanted: pa.DataType) -> pa.Array:
    if pa.types.is_timestamp(wanted) and values.dtype.kind == "M" and values.dt.tz is None:
        raise ValueError("timestamps need a time zone")
    if pa.types.is_timestamp(wanted) and isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.floor("us") if values.dt.unit == "ns" else values
    array = pa.array(values, from_pandas=True)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if array.null_count == len(array):
        return pa.nulls(len(array), wanted)
    if pa.types.is_floating(array.type) and pa.types.is_floating(wanted):
        return array.cast(wanted, safe=False)  # double to real rounds, that is its meaning
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_string(wanted) and not _is_text(array.type):
        raise TypeError(f"{array.type} is no text")
    return array.cast(wanted)


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _uuids(values: pd.Series) -> pa.Array:
    """Thousands of rows share a fetch: parse each distinct id once."""
    codes, distinct = pd.factorize(values)
    parsed = pa.array([uuid.UUID(str(value)).bytes for value in distinct], pa.binary(_UUID_BYTES))
    return parsed.take(pa.array(codes, mask=codes < 0))


def _json(value: object) -> bytes | None:
    if value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return None
    if isinstance(value, str):  # JSON text
        orjson.loads(value)
        return _JSONB_VERSION + value.encode()
    return _JSONB_VERSION + orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)


def _texts(value: Any) -> list[str] | None:  # noqa: ANN401 # list, tuple, array or a null
    return None if value is None or value is pd.NA or isinstance(value, float) else list(value)


def to_pandas(found: pa.Table, *, nullable: Container[str] = ()) -> pd.DataFrame:
    """Turn a result into pandas with the types the rest of the library expects.

    Times are ``datetime64[us, UTC]``, integers 64 bits wide, arrays lists, JSON parsed.

    Parameters
    ----------
    found : pyarrow.Table
        The result.
    nullable : container of str
        Integer and boolean columns that are ``Int64`` or ``boolean`` even without a null in this
        result; others are so only where there is one.
    """
    series = {
        field.name: _series(field.type, column, is_nullable=field.name in nullable)
        for field, column in zip(found.schema, found.columns, strict=True)
    }
    return pd.DataFrame(series, index=pd.RangeIndex(found.num_rows))


def _series(kind: pa.DataType, column: pa.ChunkedArray, *, is_nullable: bool) -> "pd.Series[Any]":
    has_nulls = is_nullable or column.null_count > 0
    if isinstance(kind, pa.BaseExtensionType):
        found = _extension(kind, column)
    elif pa.types.is_list(kind):
        found = pd.Series(column.to_pylist(), dtype=object)
    elif pa.types.is_date(kind):
        found = column.to_pandas(date_as_object=True)
    elif pa.types.is_timestamp(kind):
        found = column.cast(_TIMESTAMP if kind.tz else pa.timestamp("us")).to_pandas()
    elif pa.types.is_integer(kind):
        found = column.cast(pa.int64()).to_pandas(types_mapper=_INTEGERS if has_nulls else None)
    elif pa.types.is_boolean(kind):
        found = column.to_pandas(types_mapper=_BOOLEANS if has_nulls else None)
    elif pa.types.is_floating(kind):
        found = column.cast(pa.float64()).to_pandas()
    else:
        found = column.to_pandas()
    return cast("pd.Series[Any]", found)


def _extension(kind: pa.BaseExtensionType, column: pa.ChunkedArray) -> Any:  # noqa: ANN401 # of pandas
    storage = column.combine_chunks().storage
    if kind.extension_name == "arrow.uuid":
        codes = storage.dictionary_encode()
        texts = [str(uuid.UUID(bytes=value)) for value in codes.dictionary.to_pylist()]
        return pa.array(texts, pa.string()).take(codes.indices).to_pandas()
    if kind.extension_name == "arrow.json":
        parsed = [None if text is None else orjson.loads(text) for text in storage.to_pylist()]
        return pd.Series(parsed, dtype=object)
    return storage.to_pandas()


def empty_frame(table: sa.Table, columns: Sequence[str] | None = None) -> pd.DataFrame:
    """Return a frame without rows whose columns have the types that reading gives."""
    chosen = [table.columns[name] for name in columns] if columns else list(table.columns)
    schema = pa.schema([(column.name, _read_type(column)) for column in chosen])
    return to_pandas(schema.empty_table(), nullable={c.name for c in chosen if c.nullable})


def _read_type(column: sa.Column[Any]) -> pa.DataType:
    if isinstance(column.type, pg.UUID):
        return pa.string()
    if isinstance(column.type, pg.JSONB):
        return pa.list_(pa.string())  # becomes a column of objects
    return arrow_type(column)
