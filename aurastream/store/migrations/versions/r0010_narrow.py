"""Snapshots of YouTube in fewer bytes: facts by number, and views that are what the tables were."""

# ruff: noqa: S608 # every name is written out below
from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_OBSERVED = "when the platform answered, by the platform's clock"
_COUNTERS = {
    "views": "viewCount; null when hidden",
    "likes": "likeCount; null when hidden, never 0",
    "comments": "commentCount; null when disabled",
    "concurrent_viewers": "live viewers, while live",
}
_FETCH: dict[str, tuple[Any, str]] = {
    "fetch_id": (sa.UUID(), "the API call that brought this row (operations.fetch_log)"),
    "crawl_at": (
        sa.TIMESTAMP(timezone=True),
        "start of the crawl this row belongs to; the same for all rows of one crawl",
    ),
}
_VIDEO = "YouTube video id"
_HASH = "metadata version of the video (collection.youtube_videos)"
_SUBJECTS: dict[str, dict[str, tuple[Any, str]]] = {
    "youtube_games": {
        "video_id": (sa.Text(), _VIDEO),
        "game": (sa.Text(), "tracked game the classifier assigned"),
        "metadata_hash": (sa.Text(), _HASH),
        "confidence": (sa.REAL(), "classifier confidence, 0–1, higher is surer"),
        "rule": (sa.Text(), "classifier rule that matched"),
        "classifier_version": (sa.Text(), "version of the classifier's rules"),
        "discovered_by": (sa.Text(), "chart, search or refresh"),
    },
    "youtube_trending": {
        "video_id": (sa.Text(), _VIDEO),
        "chart": (sa.Text(), "chart category: trending, gaming, music or movies"),
        "region": (sa.Text(), "ISO 3166-1 alpha-2 region of the chart"),
        "metadata_hash": (sa.Text(), _HASH),
    },
}
_KEYS = {
    "youtube_games": ("observed_at", "game", "video_id"),
    "youtube_trending": ("observed_at", "chart", "region", "video_id"),
}
_RANK = {"youtube_games": "", "youtube_trending": "position in the chart, 1 is the top"}
_COMMENTS = {
    "youtube_games": "Counters of the videos of each tracked game, one row per crawl, game and"
    " video.",
    "youtube_trending": "Rows of videos.list chart=mostPopular, one per crawl, chart, region and"
    " video.",
}
_ORDER = {
    "youtube_games": "observed_at game video_id views likes comments concurrent_viewers confidence"
    " rule classifier_version discovered_by metadata_hash crawl_at fetch_id",
    "youtube_trending": "observed_at chart region video_id rank views likes comments"
    " concurrent_viewers metadata_hash crawl_at fetch_id",
}


def upgrade() -> None:
    """Apply the revision."""
    op.execute("CREATE SEQUENCE collection.forgotten_numbers")
    op.execute(
        """
        CREATE FUNCTION collection.forget_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtextextended('narrow ' || TG_ARGV[0], 0));
            PERFORM nextval('collection.forgotten_numbers');
            RETURN NULL;
        END $$
        """
    )
    for name in _SUBJECTS:
        op.execute(f"ALTER TABLE collection.{name} RENAME TO {name}_wide")
        for part in _parts(f"{name}_wide"):
            op.execute(f'ALTER TABLE collection."{part}" RENAME TO "{part}_wide"')
        _create(name)
        _fill(name)
        op.execute(f"DROP TABLE collection.{name}_wide")
        _show(name)


def downgrade() -> None:
    """Undo the revision."""
    for name in _SUBJECTS:
        parts = _parts(f"{name}_facts")
        _create_wide(name)
        for part in parts:
            _create_part(f"{part}_wide", f"{name}_wide", part)
        columns = ", ".join(_ORDER[name].split())
        op.execute(
            f"INSERT INTO collection.{name}_wide ({columns}) "
            f"SELECT {columns} FROM collection.{name}"
        )
        op.execute(f"DROP VIEW collection.{name}")
        op.execute(f"DROP FUNCTION collection.{name}_change()")
        for kind in ("facts", "subjects", "answers"):
            op.execute(f"DROP TABLE collection.{name}_{kind}")
        op.execute(f"ALTER TABLE collection.{name}_wide RENAME TO {name}")
        op.execute(f"ALTER INDEX collection.{name}_wide_pkey RENAME TO {name}_pkey")
        for part in parts:
            op.execute(f'ALTER TABLE collection."{part}_wide" RENAME TO "{part}"')
    op.execute("DROP FUNCTION collection.forget_numbers()")
    op.execute("DROP SEQUENCE collection.forgotten_numbers")


def _parts(parent: str) -> list[str]:
    found = op.get_bind().execute(
        sa.text(
            "SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid "
            "WHERE i.inhparent = to_regclass(:parent) ORDER BY 1"
        ),
        {"parent": f"collection.{parent}"},
    )
    return [str(row[0]) for row in found]


def _create(name: str) -> None:
    op.create_table(
        f"{name}_facts",
        sa.Column("observed_at", sa.TIMESTAMP(timezone=True), nullable=False, comment=_OBSERVED),
        sa.Column("subject", sa.Integer(), nullable=False, comment=f"{name}_subjects.number"),
        sa.Column("answer", sa.Integer(), nullable=False, comment=f"{name}_answers.number"),
        *(
            sa.Column(
                counter, sa.Integer(), nullable=True, comment=f"the lower 32 bits of {counter}"
            )
            for counter in _COUNTERS
        ),
        *(
            [sa.Column("rank", sa.SmallInteger(), nullable=False, comment=_RANK[name])]
            if _RANK[name]
            else []
        ),
        schema="collection",
        comment=f"Rows of collection.{name}, by number.",
        postgresql_partition_by="RANGE (observed_at)",
    )
    # Rows come in the order of the key, so that no page of the index is ever split in its middle.
    op.execute(
        f"ALTER TABLE collection.{name}_facts ADD PRIMARY KEY (observed_at, subject) "
        "WITH (fillfactor = 100)"
    )
    highs: dict[str, tuple[Any, str]] = {
        f"{c}_high": (sa.Integer(), f"{c} / 2^32, rounded down") for c in _COUNTERS
    }
    for kind, columns, comment in (
        (
            "subjects",
            {**_SUBJECTS[name], **highs},
            f"What seldom changes of what a row of collection.{name} is about.",
        ),
        ("answers", _FETCH, f"What the rows of one answer in collection.{name} have in common."),
    ):
        op.create_table(
            f"{name}_{kind}",
            sa.Column(
                "number",
                sa.Integer(),
                sa.Identity(always=True),
                primary_key=True,
                comment="named by the rows of facts",
            ),
            *(
                sa.Column(column, type_, nullable=False, comment=said)
                for column, (type_, said) in columns.items()
            ),
            schema="collection",
            comment=comment,
        )
        first = next(iter(columns))
        op.create_index(f"{name}_{kind}_{first}", f"{name}_{kind}", [first], schema="collection")
        op.execute(
            f"CREATE TRIGGER forget_numbers BEFORE DELETE OR TRUNCATE ON collection.{name}_{kind} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION "
            f"collection.forget_numbers('collection.{name}')"
        )


def _create_part(part: str, parent: str, day: str) -> None:
    text = day.removesuffix("_wide")[-8:]
    op.execute(f'CREATE TABLE collection."{part}" (LIKE collection.{parent} INCLUDING ALL)')
    op.execute(
        f'ALTER TABLE collection.{parent} ATTACH PARTITION collection."{part}" '
        f"FOR VALUES FROM ('{text} 00:00+00') "
        f"TO (('{text} 00:00+00'::timestamptz AT TIME ZONE 'UTC' + interval '1 day') "
        "AT TIME ZONE 'UTC')"
    )


def _fill(name: str) -> None:
    """Move the rows, a day at a time."""
    wide = f"{name}_wide"
    subject = list(_SUBJECTS[name])
    highs = ", ".join(f"coalesce({c} >> 32, 0)::int AS {c}_high" for c in _COUNTERS)
    high_names = [f"{c}_high" for c in _COUNTERS]
    for part in _parts(wide):
        day = part.removesuffix("_wide")
        _create_part(day, f"{name}_facts", day)
        columns = ", ".join(subject)
        op.execute(
            f"INSERT INTO collection.{name}_subjects ({columns}, {', '.join(high_names)}) "
            f'SELECT DISTINCT {columns}, {highs} FROM collection."{part}" w '
            f"EXCEPT SELECT {columns}, {', '.join(high_names)} FROM collection.{name}_subjects "
            f"ORDER BY {columns}"
        )
        op.execute(
            f"INSERT INTO collection.{name}_answers (fetch_id, crawl_at) "
            f'SELECT DISTINCT fetch_id, crawl_at FROM collection."{part}" w '
            f"EXCEPT SELECT fetch_id, crawl_at FROM collection.{name}_answers "
            "ORDER BY crawl_at, fetch_id"
        )
        # 32 bits with their sign, as they are.
        lows = ", ".join(
            f"((w.{c} & 4294967295) - ((w.{c} & 2147483648) << 1))::int AS {c}" for c in _COUNTERS
        )
        rank = ", rank" if _RANK[name] else ""
        same = " AND ".join(
            [f"s.{c} = w.{c}" for c in subject]
            + [f"s.{c}_high = coalesce(w.{c} >> 32, 0)" for c in _COUNTERS]
        )
        op.execute(
            f"INSERT INTO collection.{name}_facts "
            f"(observed_at, subject, answer, {', '.join(_COUNTERS)}{rank}) "
            f"SELECT w.observed_at, s.number, a.number, {lows}{rank} "
            f'FROM collection."{part}" w JOIN collection.{name}_subjects s ON {same} '
            f"JOIN collection.{name}_answers a USING (fetch_id, crawl_at) ORDER BY 1, 2"
        )


def _show(name: str) -> None:
    subject, shown = _SUBJECTS[name], []
    for column in _ORDER[name].split():
        if column in _COUNTERS:
            high, low = f"s.{column}_high::bigint << 32", f"f.{column}::bigint & 4294967295"
            shown.append(f"(({high}) | ({low})) AS {column}")
        else:
            alias = "s" if column in subject else "a" if column in _FETCH else "f"
            shown.append(f"{alias}.{column}")
    op.execute(
        f"CREATE VIEW collection.{name} AS SELECT {', '.join(shown)} "
        f"FROM collection.{name}_facts AS f "
        f"LEFT JOIN collection.{name}_subjects AS s ON s.number = f.subject "
        f"LEFT JOIN collection.{name}_answers AS a ON a.number = f.answer"
    )
    _say("VIEW", f"collection.{name}", _COMMENTS[name])
    for column, said in _said(name).items():
        _say("COLUMN", f"collection.{name}.{column}", said)
    _let_change(name)


def _let_change(name: str) -> None:
    """Let single rows of the view be inserted, updated and deleted, as if it were the table."""
    subject = [*_SUBJECTS[name], *(f"{c}_high" for c in _COUNTERS)]
    values = [
        *(f"NEW.{c}" for c in _SUBJECTS[name]),
        *(f"coalesce(NEW.{c} >> 32, 0)::int" for c in _COUNTERS),
    ]
    is_it = " AND ".join(f"s.{c} = {v}" for c, v in zip(subject, values, strict=True))
    key = [c for c in _KEYS[name] if c != "observed_at"]
    facts = ["observed_at", "subject", "answer", *_COUNTERS, *(["rank"] if _RANK[name] else [])]
    lows = [f"((NEW.{c} & 4294967295) - ((NEW.{c} & 2147483648) << 1))::int" for c in _COUNTERS]
    rank = ["NEW.rank"] if _RANK[name] else []
    op.execute(
        f"""
        CREATE FUNCTION collection.{name}_change() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE
            of_subject integer;
            of_answer integer;
        BEGIN
            PERFORM pg_advisory_xact_lock(hashtextextended('narrow collection.{name}', 0));
            IF TG_OP <> 'INSERT' THEN
                DELETE FROM collection.{name}_facts f USING collection.{name}_subjects s
                WHERE f.observed_at = OLD.observed_at AND f.subject = s.number
                  AND {" AND ".join(f"s.{c} = OLD.{c}" for c in key)};
                IF NOT FOUND THEN
                    RETURN NULL;
                ELSIF TG_OP = 'DELETE' THEN
                    RETURN OLD;
                END IF;
            END IF;
            IF EXISTS (
                SELECT FROM collection.{name}_facts f
                JOIN collection.{name}_subjects s ON s.number = f.subject
                WHERE f.observed_at = NEW.observed_at
                  AND {" AND ".join(f"s.{c} = NEW.{c}" for c in key)}
            ) THEN
                RAISE unique_violation USING
                    MESSAGE = 'collection.{name} has a row of this key already';
            END IF;
            SELECT s.number INTO of_subject FROM collection.{name}_subjects s WHERE {is_it};
            IF of_subject IS NULL THEN
                INSERT INTO collection.{name}_subjects ({", ".join(subject)})
                VALUES ({", ".join(values)}) RETURNING number INTO of_subject;
            END IF;
            SELECT a.number INTO of_answer FROM collection.{name}_answers a
            WHERE a.fetch_id = NEW.fetch_id AND a.crawl_at = NEW.crawl_at;
            IF of_answer IS NULL THEN
                INSERT INTO collection.{name}_answers (fetch_id, crawl_at)
                VALUES (NEW.fetch_id, NEW.crawl_at) RETURNING number INTO of_answer;
            END IF;
            INSERT INTO collection.{name}_facts ({", ".join(facts)})
            VALUES (NEW.observed_at, of_subject, of_answer, {", ".join([*lows, *rank])});
            RETURN NEW;
        END $$
        """
    )
    op.execute(
        f"CREATE TRIGGER change_facts INSTEAD OF INSERT OR UPDATE OR DELETE ON collection.{name} "
        f"FOR EACH ROW EXECUTE FUNCTION collection.{name}_change()"
    )


def _said(name: str) -> dict[str, str]:
    found = {"observed_at": _OBSERVED, **_COUNTERS}
    found |= {column: said for column, (_, said) in {**_SUBJECTS[name], **_FETCH}.items()}
    return found | ({"rank": _RANK[name]} if _RANK[name] else {})


def _say(kind: str, what: str, text: str) -> None:
    quoted = text.replace("'", "''").replace(":", r"\:")
    op.execute(f"COMMENT ON {kind} {what} IS '{quoted}'")


def _create_wide(name: str) -> None:
    types: dict[str, Any] = {c: type_ for c, (type_, _) in {**_SUBJECTS[name], **_FETCH}.items()}
    types |= dict.fromkeys(_COUNTERS, sa.BigInteger())
    types |= {"observed_at": sa.TIMESTAMP(timezone=True), "rank": sa.SmallInteger()}
    said = _said(name)
    op.create_table(
        f"{name}_wide",
        *(
            sa.Column(column, types[column], nullable=column in _COUNTERS, comment=said[column])
            for column in _ORDER[name].split()
        ),
        sa.PrimaryKeyConstraint(*_KEYS[name], name=f"{name}_wide_pkey"),
        schema="collection",
        comment=_COMMENTS[name],
        postgresql_partition_by="RANGE (observed_at)",
    )
