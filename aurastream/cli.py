"""The command line: thin commands over the library and, lazily, over the graph."""

import signal

if __name__ == "__main__" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    # Ctrl-C while all this is imported ends the process, without a word of where that was.
    signal.signal(signal.SIGINT, signal.SIG_DFL)

import gc
import io
import logging
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.table import Table

from aurastream.core.errors import AuraStreamError, InvalidInputError, SettingsError
from aurastream.settings import REPO_ROOT, Settings, keep_to_ourselves

if TYPE_CHECKING:
    from aurastream.store.retries import RetryPolicy
    from aurastream.store.spool_entry import SpoolEntry
    from aurastream.store.version_diffs import VersionDiff

# ruff: noqa: PLC0415 # imports inside the commands keep --help quick and Dagster optional

__all__ = ["app", "main"]

app = typer.Typer(
    name="aurastream",
    help="Creator intelligence for YouTube and Twitch as a Dagster asset graph.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

_PIPE_WIDTH = 100_000
_PATIENCE_S = 5.0


def _show_version(asked: bool) -> None:  # noqa: FBT001 # typer's callback
    if asked:
        import tomllib

        project = tomllib.loads((REPO_ROOT / "pyproject.toml").read_text(encoding="utf-8"))
        print(f"aurastream {project['project']['version']}")  # noqa: T201 # the answer
        raise typer.Exit


@app.callback()
def _main(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version."),
    ] = False,
) -> None:
    del version


Json = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]


def _out() -> Console:
    """Return a console that prints what it is given, be there [brackets] or :colons: in it.

    Output that a program reads is wide enough never to be cut.
    """
    return Console(width=None if sys.stdout.isatty() else _PIPE_WIDTH, markup=False, emoji=False)


def _patience() -> "RetryPolicy":
    """Return how long somebody at a prompt waits for a server, where a run waits for a minute."""
    from aurastream.store.retries import RetryPolicy

    return RetryPolicy(total_s=_PATIENCE_S)


@app.command()
def up(
    *,
    once: Annotated[
        bool, typer.Option("--once", help="Run everything, print what was found, and exit.")
    ] = False,
    days: Annotated[int, typer.Option(min=1, max=30, help="Days of history to load.")] = 14,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port of the Dagster UI; 0 finds one.")
    ] = 0,
) -> None:
    """Start everything: servers, replay, history, webserver, code server, head."""
    from aurastream.operations.launch import Launch

    settings = Settings.from_env(use_running=False)
    raise typer.Exit(Launch(settings, once=once, days=days, port=port).run())


@app.command()
def head() -> None:
    """Run a head: it leads when it holds the lock, and stands by warm otherwise."""
    from aurastream.operations.head import run_head
    from aurastream.store.urls import dagster_url
    from aurastream_assets.daemon import preload, run_daemon

    settings = Settings.from_env()
    # Beside a running installation, its Dagster instance is the one to tick for.
    home = Path(
        os.environ.setdefault("DAGSTER_HOME", str((settings.data_dir / "dagster").resolve()))
    )
    if not (home / "dagster.yaml").exists():
        home.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(REPO_ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    os.environ.setdefault("DAGSTER_PG_URL", dagster_url(settings.require_postgres()))
    raise typer.Exit(run_head(settings, run_daemon=run_daemon, preload=preload))


@app.command()
def migrate() -> None:
    """Bring the database to the current schema; safe to run at any time."""
    from aurastream.store.migrate import migrate as run
    from aurastream.store.reader import Reader

    settings = Settings.from_env()
    run(settings.require_postgres(), reader=Reader.from_settings(settings))
    _out().print("The schema is current.")


@app.command()
def doctor(*, as_json: Json = False) -> None:
    """Check machine, versions, settings, ports and stores, and say how to mend each fault."""
    import json
    from dataclasses import asdict

    from aurastream.operations.doctor import examine

    findings = list(examine())
    if as_json:
        print(json.dumps([asdict(finding) for finding in findings]))  # noqa: T201 # the answer
    else:
        console = _out()
        marks = {"ok": "ok", "warning": "warning", "fault": "FAULT", "skipped": "skipped"}
        for finding in findings:
            console.print(f"{marks[finding.level]:<8} {finding.name}: {finding.detail}")
            if finding.fix and finding.level != "ok":
                console.print(f"{'':<8} → {finding.fix}")
    raise typer.Exit(int(any(finding.level == "fault" for finding in findings)))


@app.command()
def sql(
    statement: Annotated[str, typer.Argument(help="One SQL statement; - reads standard input.")],
    *,
    as_json: Json = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV with a header.")] = False,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds before giving up.")] = 30.0,
) -> None:
    """Ask the store a question as the read-only role."""
    from aurastream.operations.answer_view import AnswerView
    from aurastream.operations.query import ask, render

    if as_json and as_csv:
        raise SettingsError("--json and --csv exclude each other.")
    # As Python has read the arguments, whatever bytes they are.
    text = os.fsdecode(sys.stdin.buffer.read()) if statement == "-" else statement
    answer = ask(Settings.from_env().require_reader(), text, timeout_s=timeout)
    if as_json or as_csv:
        print(render(answer, "json" if as_json else "csv"))  # noqa: T201 # the answer itself
        return
    _out().print(AnswerView(answer))
    _out().print(f"({len(answer.rows)} row{'' if len(answer.rows) == 1 else 's'})", style="dim")


@app.command()
def decode(
    platform: Annotated[Literal["youtube", "twitch"], typer.Argument()],
    files: Annotated[list[Path], typer.Argument(help="Stored API answers or errors.")],
    *,
    as_json: Json = False,
) -> None:
    """Say what the pipeline would make of stored API answers or errors."""
    import json

    from aurastream.operations.decoding import decode_files

    decoded = decode_files(platform, files)
    if as_json:
        print(json.dumps(decoded, ensure_ascii=False))  # noqa: T201 # the answer itself
    else:
        console = _out()
        for entry in decoded:
            verdict = entry["error_class"] or f"{entry['items']} items"
            console.print(f"{entry['file']}: {entry['kind']}, {verdict}", highlight=False)
            if entry["message"]:
                console.print(f"    {entry['message']}", highlight=False)
            if entry["kind"] == "unreadable":
                continue  # as a whole, and the message has said why
            for rejected in entry["rejected"]:
                console.print(
                    f"    rejected {rejected['item_id'] or 'item without an id'}:"
                    f" {rejected['reason']}",
                    highlight=False,
                )
    raise typer.Exit(int(any(entry["kind"] == "unreadable" for entry in decoded)))


@app.command()
def url(
    server: Annotated[
        Literal["reader", "postgres", "redis", "replay", "webserver"], typer.Argument()
    ],
) -> None:
    """Print the URL of a server, password included, for psql and other clients."""
    settings = Settings.from_env()
    match server:
        case "reader":
            found = settings.require_reader()
        case "postgres":
            found = settings.require_postgres()
        case "redis":
            found = settings.require_redis()
        case "webserver":
            found = settings.require_webserver()
        case "replay":
            if settings.replay_url is None:
                raise SettingsError("No replay server is running here.", fix="Run script/server.")
            found = settings.replay_url
    print(found)  # noqa: T201 # the answer itself


@app.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def replay(context: typer.Context) -> None:
    """Run a replay server of its own, or work the fault switchboard of a running one."""
    from aurastream.replay.__main__ import app as replay_app

    replay_app(args=context.args, prog_name="aurastream replay", standalone_mode=True)


@app.command()
def status(*, as_json: Json = False) -> None:
    """Show the heads, who leads, when the daemon last ticked, and what runs next."""
    import json
    from contextlib import closing, suppress
    from dataclasses import replace

    from aurastream.operations.graph import Graph, GraphError
    from aurastream.operations.status import read_status

    settings = Settings.from_env()
    found = read_status(settings.require_postgres())
    if settings.webserver_url is not None:
        # Without a webserver the record still says everything but the future.
        with suppress(GraphError), closing(Graph(settings.webserver_url, timeout_s=5)) as graph:
            found = replace(found, next_ticks=graph.next_ticks())
    if as_json:
        print(json.dumps(found.as_dict()))  # noqa: T201 # the answer itself
        return
    console = _out()
    for line in found.lines():
        console.print(line, highlight=False)


@app.command()
def quota(*, as_json: Json = False) -> None:
    """Show what is used, left and forecast of each quota, and how close to a rate limit we come."""
    import json
    from dataclasses import asdict

    from aurastream.operations.quota_report import quota_lines
    from aurastream.store.ledger import PostgresLedger

    settings = Settings.from_env()
    now = datetime.now(UTC)
    with PostgresLedger(
        settings.require_postgres(), profile=settings.quota_profile, retry=_patience()
    ) as ledger:
        statuses, rates = ledger.usage(now), ledger.rates(now)
    if as_json:
        found = [asdict(status) for status in statuses] + [asdict(rate) for rate in rates]
        print(json.dumps(found, default=str))  # noqa: T201 # the answer
        return
    report = quota_lines(statuses, rates, now)
    table = Table(*report.columns, box=None, header_style="bold", pad_edge=False)
    for row in report.rows:
        table.add_row(*row)
    console = _out()
    console.print(table)
    console.print(report.note, style="dim", highlight=False)


@app.command()
def once(
    worker: Annotated[str, typer.Argument(help="For example twitch_streams_worker.")],
    *,
    timeout: Annotated[float, typer.Option(min=1, help="Seconds to wait for its end.")] = 600.0,
) -> None:
    """Run one worker once, through the running graph, and wait for it."""
    from aurastream.operations.graph import Graph
    from aurastream.operations.workers import job_of_worker

    wanted = job_of_worker(worker)
    settings = Settings.from_env()
    graph = Graph(settings.require_webserver(), on_silence=_say_silence)
    run = graph.launch(wanted.job, partition=wanted.partition_at(datetime.now(UTC)))
    _, status = next(graph.ended([run], timeout_s=timeout))
    _out().print(f"{worker}: {status} (run {run})", highlight=False)
    for line in _spent_quotas(settings, worker):
        _out().print(line, highlight=False)
    if status != "SUCCESS":
        _out().print(graph.explain(run), highlight=False)
        raise typer.Exit(1)


def _say_silence(error: AuraStreamError) -> None:
    """Tell who waits why nothing moves."""
    print(  # noqa: T201 # the answer itself goes to standard output
        f"{error} It is asked again for up to five minutes; Ctrl-C ends the waiting, not the run.",
        file=sys.stderr,
    )


def _spent_quotas(settings: Settings, worker: str) -> list[str]:
    """Return why a worker that succeeded may have brought nothing new."""
    from aurastream.operations.quota_report import spent_lines
    from aurastream.store.ledger import PostgresLedger

    if settings.postgres_url is None:
        return []
    now = datetime.now(UTC)
    with PostgresLedger(
        settings.require_postgres(), profile=settings.quota_profile, retry=_patience()
    ) as ledger:
        mine = [s for s in ledger.usage(now) if worker.startswith(s.platform)]
    return spent_lines(mine, now)


@app.command()
def backfill(
    start: Annotated[datetime, typer.Option("--from", help="First moment, UTC.")],
    end: Annotated[datetime | None, typer.Option("--to", help="Last moment; now.")] = None,
    *,
    again: Annotated[
        bool, typer.Option("--again", help="Also what is materialized already.")
    ] = False,
    asset: Annotated[
        list[str] | None, typer.Option("--asset", help="stage/table; all unless given.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Compute scores and rollups of a stretch of time, and say what changed.

    Missing ones only, unless told otherwise. The same command continues one that was cut off.
    """
    import json
    from dataclasses import asdict

    from rich.progress import Progress

    from aurastream.operations.backfill import backfill as run
    from aurastream.operations.backfill import outdated
    from aurastream.operations.graph import Graph

    now, first = datetime.now(UTC), start.replace(tzinfo=UTC)
    last = end and end.replace(tzinfo=UTC)
    if first >= now:
        raise InvalidInputError(
            f"--from {first:%Y-%m-%d %H:%M} UTC lies in the future.",
            fix="Nothing is collected of it yet; name an earlier moment.",
        )
    if last is not None and last <= first:
        raise InvalidInputError(
            f"--to {last:%Y-%m-%d %H:%M} UTC is not later than --from {first:%Y-%m-%d %H:%M} UTC.",
            fix="The stretch ends before --to: of a whole day, name the day after.",
        )
    settings = Settings.from_env()
    with Progress(disable=as_json) as progress:
        task = progress.add_task("Partitions", total=None, visible=False)
        graph = Graph(settings.require_webserver(), on_silence=_say_silence)
        done = run(
            settings,
            graph,
            first,
            last,
            now=now,
            assets=tuple(asset or ()),
            again=again,
            on_plan=lambda total: progress.update(task, total=total, visible=total > 0),
            on_step=lambda job, n: progress.update(task, advance=n, description=job),
        )
    older = (
        {} if again else outdated(settings, graph, first, last or now, now=now, assets=asset or ())
    )
    if as_json:
        print(json.dumps(asdict(done) | {"outdated": older}, default=str))  # noqa: T201 # the answer
        return
    if not done.partitions:
        _out().print(_nothing_to_compute(settings, last or now, again=again), highlight=False)
        _say_outdated(older)
        return
    table = Table("table", "windows", "changed", "new", "gone", "before", "after", box=None)
    for c in done.changes:
        counts = (c.windows, c.changed, c.new, c.gone, c.rows_before, c.rows_after)
        table.add_row(c.table, *(f"{count:,}" for count in counts))
    _out().print(table)
    _say_outdated(older)


def _say_outdated(windows: Mapping[str, int]) -> None:
    """Say what a formula that has changed since left as it was."""
    if not windows:
        return
    of_each = ", ".join(f"{count:,} of {asset}" for asset, count in windows.items())
    _out().print(
        f"Another code version computed {sum(windows.values()):,} windows there: {of_each}. "
        "With --again they are computed with what the code says now, and `aurastream diff` shows "
        "what moved.",
        highlight=False,
    )


def _nothing_to_compute(settings: Settings, end: datetime, *, again: bool) -> str:
    """Return why a backfill had nothing to do: all is there, or nothing yet to compute."""
    from contextlib import closing

    from aurastream.store.frames import FrameStore
    from aurastream.store.readings import first_crawl

    with closing(FrameStore(settings.require_postgres(), retry=_patience())) as store:
        began = first_crawl(store)
    if began is None or end <= began:
        since = f"the record begins at {began:%Y-%m-%d %H:%M} UTC" if began else "nothing was yet"
        return f"Nothing was collected there to compute from: {since}."
    if again:
        return "Nothing there is over yet: windows, hours and days are computed when they end."
    return "Nothing is missing there."


@app.command()
def categories(
    *,
    reset: Annotated[
        bool, typer.Option("--reset", help="Overwrite what was changed in the table.")
    ] = False,
) -> None:
    """Bring the catalogue's charts and games into operations.categories."""
    from contextlib import closing

    from aurastream.sources.catalog import load_catalog
    from aurastream.store.frames import FrameStore
    from aurastream.store.state import sync_categories

    with closing(FrameStore(Settings.from_env().require_postgres(), retry=_patience())) as store:
        result = sync_categories(store, load_catalog().categories_frame(), reset=reset)
    _out().print(f"{result.inserted} added, {result.updated} overwritten.")


@app.command()
def docs(
    *,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of the page; 0 finds one.")] = 0,
    only_build: Annotated[
        bool, typer.Option("--only-build", help="Write the page, print its path, and exit.")
    ] = False,
) -> None:
    """Build and show the documentation of rollups and marts, lineage included."""
    from aurastream.operations.dbt_docs import build_docs, docs_server

    settings = Settings.from_env()
    record = settings.postgres_url.get_secret_value() if settings.postgres_url else None
    page = build_docs(settings.data_dir / "docs", record)
    console = _out()
    if only_build:
        console.print(str(page), highlight=False, soft_wrap=True)
        return
    with docs_server(page, port) as server:
        console.print(f"Documentation  http://127.0.0.1:{server.server_port}/  (Ctrl+C ends it)")
        server.serve_forever()


@app.command()
def documents() -> None:
    """Rebuild every hot Redis document from Postgres."""
    from contextlib import closing

    from aurastream.operations.policy import limits_of
    from aurastream.operations.retention import drop_withheld_documents, withheld_documents
    from aurastream.store.documents import rebuild_documents
    from aurastream.store.frames import FrameStore

    settings = Settings.from_env()
    now = datetime.now(UTC)
    withheld = withheld_documents(limits_of(settings))
    if gone := drop_withheld_documents(settings, now):
        _out().print(f"Took {gone} away that policy_mode {settings.policy_mode} forbids.")
    with closing(FrameStore(settings.require_postgres(), retry=_patience())) as store:
        keys = rebuild_documents(
            store, settings.require_redis(), datetime.now(UTC), without=withheld, replace=True
        )
    if not keys:
        _out().print(
            "Nothing of the last day is stored that a document could be built from. Collect first."
        )
        return
    _out().print(f"Rebuilt {len(keys)} document{'' if len(keys) == 1 else 's'}.")


@app.command()
def spool(
    action: Annotated[
        Literal["retry"] | None,
        typer.Argument(help="Put what is aside back into its place, and deliver all that waits."),
    ] = None,
    *,
    as_json: Json = False,
) -> None:
    """List writes that wait for Postgres and those put aside; with retry, deliver them.

    Of this machine: each has a spool of its own. What is refused again is aside again, and the
    exit code of retry is 1 then.
    """
    import json

    from aurastream.operations.undelivered import as_dict, deliver_again, undelivered

    settings, console = Settings.from_env(), _out()
    if action is None:
        found = undelivered(settings)
        if as_json:
            print(json.dumps([as_dict(entry) for entry in found]))  # noqa: T201 # the answer
        else:
            _say_undelivered(found)
        return
    # The answer names what is aside, and why; the log need not say it a second time.
    logging.getLogger("aurastream.store.spool").addHandler(logging.NullHandler())
    done = deliver_again(settings, patience=_patience())
    if as_json:
        said = {
            name: [as_dict(entry) for entry in entries]
            for name, entries in (("delivered", done.delivered), ("left", done.left))
        }
        print(json.dumps(said))  # noqa: T201 # the answer
    else:
        if done.delivered:
            rows = sum(sum(entry.rows.values()) for entry in done.delivered)
            console.print(
                f"Delivered: {len(done.delivered):,} of "
                f"{len(done.delivered) + len(done.left):,} (rows: {rows:,}).",
                highlight=False,
            )
        if done.left or not done.delivered:
            _say_undelivered(done.left)
    raise typer.Exit(int(any(entry.is_aside for entry in done.left)))


def _say_undelivered(entries: "Sequence[SpoolEntry]") -> None:
    """Print what is in the spool, each fault in one line, and what to do about it."""
    console = _out()
    if not entries:
        console.print("Nothing waits, and nothing is aside: every write is in the record.")
        return
    for entry in entries:
        of_each = ", ".join(f"{table} {count:,}" for table, count in entry.rows.items())
        console.print(
            f"{entry.number} {'aside' if entry.is_aside else 'waits'}, since "
            f"{entry.kept_at:%Y-%m-%d %H:%M} UTC, rows: {of_each or 'unknown'}"
            f"{': ' if entry.reason else ''}{entry.reason}",
            highlight=False,
            soft_wrap=True,
        )
    if any(entry.is_aside for entry in entries):
        console.print("→ Mend what the reasons name, then run `aurastream spool retry`.")
    else:
        console.print(
            "→ What waits is delivered with the next crawl, or now by `aurastream spool retry`."
        )


@app.command()
def evaluate(
    kind: Annotated[
        Literal["anomalies", "language", "opportunity", "viral"],
        typer.Argument(help="What is judged."),
    ],
    train: Annotated[Path, typer.Option("--train", help="Folder of the archive to learn from.")],
    test: Annotated[
        Path | None, typer.Option("--test", help="Folder of another archive, to be judged whole.")
    ] = None,
    *,
    countries: Annotated[
        str, typer.Option("--countries", help="The user's own, as US,GB; all unless given.")
    ] = "",
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder for pictures of the result, as SVG.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Judge the scores on recorded data, by a protocol that cannot see the future.

    What is judged is never learned from, also when the archives overlap. A method begins with its
    kind: "rule: …", "model: …", "day two: …" (told one more day), "detector: …" or "baseline: …".
    One row per kind is declared beforehand (primary), no baseline is. Rows of --json always have
    the same keys, null where a figure does not apply.
    """
    import json

    from aurastream.evaluation.pictures import draw
    from aurastream.evaluation.registry import evaluate as judge
    from aurastream.evaluation.results import as_json_rows, as_table

    own = [name.strip().upper() for name in countries.split(",") if name.strip()]
    rows = judge(kind, train, test, countries=own)
    if figures is not None:
        figures.mkdir(parents=True, exist_ok=True)
        for name, picture in draw(kind, rows).items():
            (figures / f"{kind}-{name}.svg").write_text(picture, encoding="utf-8")
    if as_json:
        print(json.dumps(as_json_rows(rows), ensure_ascii=False))  # noqa: T201 # the answer
        return
    names, cells = as_table(rows)
    table = Table(*names, box=None, header_style="bold", pad_edge=False)
    for row in cells:
        table.add_row(*row)
    _out().print(table)


@app.command()
def retention(
    *,
    plan: Annotated[
        bool, typer.Option("--plan", help="What the next purge takes, and why; touches nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Show the rule of every table; with --plan, what the next purge takes from which store."""
    import json
    from dataclasses import asdict

    from aurastream.operations.retention import plan_retention, rules_of

    settings = Settings.from_env()
    if plan:
        found = plan_retention(settings, datetime.now(UTC))
        if as_json:
            print(json.dumps([p.as_dict() for p in found]))  # noqa: T201 # the answer
            return
        table = Table("store", "target", "how", "items", "MB", "before", "why", box=None)
        for p in found:
            cutoff = "all" if p.cutoff is None else f"{p.cutoff:%Y-%m-%d %H:%M}"
            size = f"{p.bytes / 1e6:,.1f}"
            table.add_row(p.store, p.target, p.action, f"{p.items:,}", size, cutoff, p.reason)
        _out().print(table if found else "Nothing is over age.")
        return
    rules = rules_of(settings)
    if as_json:
        plain = [{**asdict(r), "max_age": r.max_age and r.max_age.days} for r in rules.values()]
        print(json.dumps(plain))  # noqa: T201 # the answer
        return
    table = Table("table", "of", "older than", "how", "decided by", "why", box=None)
    for r in rules.values():
        age = "–" if r.max_age is None else f"{r.max_age.total_seconds() / 3600:,.0f} h"
        table.add_row(r.table, ", ".join(r.platforms), age, r.action, r.decided_by, r.reason)
    _out().print(table)


@app.command()
def archive(
    month: Annotated[str, typer.Option("--month", help="For example 2026-10.")],
) -> None:
    """Write a month into the Parquet archive, as the job of the same name does."""
    from aurastream.operations.archive import (
        archive_month,
        month_of,
        open_archive,
        require_archivable,
    )

    settings, wanted = Settings.from_env(), month_of(month)
    target = open_archive(settings)
    require_archivable(settings, target, wanted, datetime.now(UTC))
    done = archive_month(settings, target, wanted)
    table = Table("table", "rows", "MB", "files", "left out", box=None)
    for d in done:
        size = f"{d.bytes / 1e6:,.2f}"
        table.add_row(d.name, f"{d.rows:,}", size, str(len(d.files)), ", ".join(d.left_out))
    if not done:
        _out().print(f"The record has no row of {month} that may be archived.")
        return
    _out().print(table)
    files, rows = sum(len(d.files) for d in done), sum(d.rows for d in done)
    _out().print(f"{rows:,} rows of {month} lie in {files:,} files under {target.url}.")


@app.command()
def restore(
    month: Annotated[str, typer.Option("--month", help="For example 2026-10.")],
    dataset: Annotated[
        list[str] | None, typer.Option("--dataset", help="schema.table; all unless given.")
    ] = None,
    *,
    compare: Annotated[
        bool, typer.Option("--compare", help="Compare with the record; restore nothing.")
    ] = False,
) -> None:
    """Put an archived month back into the record, and prove it by comparing every value."""
    from aurastream.operations.archive import (
        compare_month,
        month_of,
        open_archive,
        restore_month,
    )

    settings = Settings.from_env()
    work = compare_month if compare else restore_month
    found = list(
        work(settings, open_archive(settings), month_of(month), datasets=tuple(dataset or ()))
    )
    table = Table("table", "day", "archived", "in the record", "not archived", "equal", box=None)
    for c in found:
        equal = "yes" if c.is_equal else "the archived" if c.is_there else "NO"
        counts = (f"{n:,}" for n in (c.rows_archived, c.rows_found, c.rows_beyond))
        table.add_row(c.dataset, c.day, *counts, equal)
    _out().print(table)
    beyond = sum(c.rows_beyond for c in found)
    if beyond and not compare:
        _out().print(f"Kept {beyond:,} rows that the archive does not have.")
    different = [c for c in found if not (c.is_equal if compare else c.is_there)]
    rows, tables = sum(c.rows_archived for c in found), len({c.dataset for c in found})
    archived = f"{rows:,} archived rows in {len(found):,} days of {tables} tables"
    if different:
        first = f"{different[0].dataset} of {different[0].day}"
        _out().print(f"{archived}: {len(different):,} days differ, the first is {first}.")
        raise typer.Exit(1)
    _out().print(f"{archived}: all of it is in the record as it was archived.")


@app.command()
def diff(
    asset: Annotated[str, typer.Argument(help="For example intelligence/viral_scores.")],
    before: Annotated[str, typer.Option("--before", help="The older code version.")],
    start: Annotated[datetime | None, typer.Option("--from", help="First window, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="End of the windows.")] = None,
    *,
    as_json: Json = False,
) -> None:
    """Show how scores moved since another code version computed the same windows.

    A row is compared with the one that is about the same thing, whatever its rank; what only one
    version has is counted and shown.
    """
    import json
    from contextlib import closing
    from dataclasses import asdict

    from aurastream.store.frames import FrameStore
    from aurastream.store.version_diffs import compare_versions

    with closing(FrameStore(Settings.from_env().require_postgres(), retry=_patience())) as store:
        found = compare_versions(
            store,
            asset,
            before,
            start=start and start.replace(tzinfo=UTC),
            end=end and end.replace(tzinfo=UTC),
        )
    if as_json:
        print(json.dumps(asdict(found), default=str))  # noqa: T201 # the answer
        return
    _out().print(
        f"Version {before} beside {' and '.join(found.now) or 'what is there'}, in "
        f"{found.windows:,} windows from {found.first_window:%Y-%m-%d %H:%M} "
        f"to {found.last_window:%Y-%m-%d %H:%M} UTC:"
    )
    _out().print(
        f"{found.matched:,} rows in both, {found.appeared:,} appeared, {found.vanished:,} vanished"
    )
    if found.unkept_windows:
        _out().print(
            f"Not compared: {found.unkept_rows:,} rows in {found.unkept_windows:,} windows of "
            f"which version {before} has no row: it never computed them.",
            highlight=False,
        )
    if not (found.appeared or found.vanished or any(c.changed for c in found.columns)):
        _out().print("Nothing moved.")
        return
    table = Table("column", "compared", "changed", "mean", "mean |Δ|", "max |Δ|", box=None)
    for c in found.columns:
        moved = (c.mean_change, c.mean_abs_change, c.max_abs_change)
        cells = ("–" if value is None else f"{value:,.4g}" for value in moved)
        table.add_row(c.column, f"{c.compared:,}", f"{c.changed:,}", *cells)
    _out().print(table)
    for part in _moves(found):
        if part.rows:
            _out().print(part)


def _moves(found: "VersionDiff") -> Iterator[Table]:
    """Return the tables of what moved: classes, rows that moved far, rows of one version alone."""
    switched = Table("column", "before", "after", "rows", box=None)
    for s in found.switches:
        values = ("–" if value is None else f"{value:.40}" for value in (s.before, s.after))
        switched.add_row(s.column, *values, f"{s.rows:,}")
    yield switched
    far = Table("window", "row", "column", "before", "after", box=None)
    for m in [*found.rank_movers, *found.movers, *found.known_once]:
        window, about = f"{m.window_start:%Y-%m-%d %H:%M}", _row_name(m.row_key, m.label)
        ends = ("–" if value is None else f"{value:,.4g}" for value in (m.before, m.after))
        far.add_row(window, about, m.column, *ends)
    yield far
    single = Table("window", "row", "only", box=None)
    for only, rows in (("now", found.appeared_examples), ("before", found.vanished_examples)):
        for row in rows:
            about = _row_name(row.row_key, row.label)
            single.add_row(f"{row.window_start:%Y-%m-%d %H:%M}", about, only)
    yield single


def _row_name(row_key: str, label: str | None) -> str:
    """Return what a row is about: its category first, then its text, or what names it."""
    import json

    key = json.loads(row_key)
    category = key.pop("category", None)
    name = label or " ".join(str(part) for part in key.values())
    return ": ".join(part for part in (category, name) if part)


@app.command()
def forget(
    channel: Annotated[
        str, typer.Option("--channel", help="YouTube channel id, or Twitch user id.")
    ],
    *,
    name: Annotated[
        list[str] | None,
        typer.Option("--name", help="A name or title to search by, where the record knows none."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Remove everything about a channel or user from every store, for good, with a proof."""
    import json

    from aurastream.operations.forget import forget as run

    done = run(Settings.from_env(), channel, datetime.now(UTC), names=name or ())
    if as_json:
        print(json.dumps(done.as_dict()))  # noqa: T201 # the answer
    else:
        table = Table("where", "removed or blanked", box=None)
        for target, count in done.counts.items():
            table.add_row(target, f"{count:,}")
        _out().print(table if done.counts else "Nothing of theirs was there.")
        for target, count in done.remaining.items():
            _out().print(f"Left in {target}: {count:,}", highlight=False)
        for target, reason in done.unsearched.items():
            _out().print(f"Not searched, {target}: {reason}", highlight=False)
        _out().print(f"Proof {done.subject_hash} in maintenance.forgotten", highlight=False)
    raise typer.Exit(int(not done.is_complete))


def main() -> None:
    """Run the command line.

    An expected error is one line on standard error and exit code 1, or 2 when what was passed
    cannot be worked on.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    keep_to_ourselves()
    for stream in (sys.stdout, sys.stderr):
        # Titles are in every script, and our own arrows in none of the old encodings.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Loading history makes millions of rows that are gone soon after; as in aurastream_assets.
    gc.set_threshold(100_000, 50, 50)
    raise SystemExit(_guard(lambda: app(prog_name="aurastream", standalone_mode=True)))


def _guard(run: Callable[[], object]) -> int:
    try:
        run()
    except AuraStreamError as error:
        return _say(error)
    except Exception as error:
        from aurastream.store.driver_errors import in_our_words

        said = in_our_words(error)
        if said is None:
            raise
        return _say(said)
    return 0


def _say(error: AuraStreamError) -> int:
    console = Console(stderr=True, soft_wrap=True, markup=False, emoji=False)
    console.print(f"aurastream: {error}", highlight=False)
    return 2 if isinstance(error, InvalidInputError) else 1


if __name__ == "__main__":
    main()
