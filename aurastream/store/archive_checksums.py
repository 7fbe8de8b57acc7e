"""A checksum per window of a table, taken in the database: what a backfill changed."""

import datetime as dt
from collections.abc import Mapping

import psycopg
from psycopg import sql

from aurastream.store.purge import Relation

__all__ = ["checksums"]


def checksums(
    connection: psycopg.Connection,
    relation: Relation,
    column: str,
    start: dt.datetime,
    end: dt.datetime,
) -> Mapping[dt.datetime, tuple[int, str]]:
    """Return, by window in [start, end), how many rows a table has there and their checksum.

    Every value counts, in key order; who wrote a row and when does not.
    """
    order = [name for name in relation.key if name in relation.columns] or list(relation.columns)
    rows = connection.execute(
        sql.SQL(
            "SELECT {at}::timestamptz, count(*), "
            "md5(string_agg(md5(t::text), '' ORDER BY {order})) FROM {table} t "
            "WHERE {at} >= {start} AND {at} < {end} GROUP BY 1"
        ).format(
            at=sql.Identifier(column),
            order=sql.SQL(", ").join(
                sql.SQL('{} COLLATE "C"').format(sql.Identifier(name))
                if relation.columns[name] == "text"
                else sql.Identifier(name)
                for name in order
            ),
            table=sql.Identifier(*relation.name.split(".")),
            start=sql.Literal(start),
            end=sql.Literal(end),
        )
    ).fetchall()
    return {at: (int(count), str(digest)) for at, count, digest in rows}
