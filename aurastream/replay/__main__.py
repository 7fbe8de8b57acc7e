"""``python -m aurastream.replay``: run the server, or work a running one's switchboard."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from aurastream.core.errors import AuraStreamError, SettingsError
from aurastream.replay.fault_options import typed
from aurastream.replay.faults import KINDS
from aurastream.replay.quirks import QUIRKS
from aurastream.settings import Settings, keep_to_ourselves

app = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    help="The replay server.",
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
faults = typer.Typer(
    help="What goes wrong on a running server.", no_args_is_help=True, rich_markup_mode=None
)
app.add_typer(faults, name="faults")

_Url = Annotated[
    str, typer.Option("--url", help="Server's URL; that of the running installation if left out.")
]


@app.callback(invoke_without_command=True)
def main(
    context: typer.Context,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on loopback; 0 for a free one.")
    ] = 0,
    port_file: Annotated[Path | None, typer.Option(help="File to write the URL to.")] = None,
    public_url: Annotated[str, typer.Option(help="Base of the links to thumbnails.")] = "",
    *,
    detached: Annotated[bool, typer.Option(help="Outlive the process that starts this.")] = False,
) -> None:
    """Serve both APIs on loopback until SIGTERM."""
    if context.invoked_subcommand is None:
        # The switchboard's commands do not need the worlds.
        from aurastream.replay.server import run_replay  # noqa: PLC0415 # as said

        run_replay(port, port_file, public_url=public_url, with_parent=not detached)


@faults.command("list")
def list_faults(url: _Url = "") -> None:
    """Show the faults that are set."""
    _show("GET", f"{_server(url)}/_replay/faults")


@faults.command("kinds")
def list_kinds() -> None:
    """Show every kind of fault with its options, and every quirk."""
    for kind, (does, options) in KINDS.items():
        typer.echo(f"{kind:18} {does}")
        if kind != "quirk" and options:
            pairs = " ".join(f"--option {typed(name, value)}" for name, value in options.items())
            typer.echo(f"{'':18}   {pairs}")
    for quirk, does in QUIRKS.items():
        typer.echo(f"{'quirk ' + quirk:40} {does}")


@faults.command("set")
def set_fault(  # noqa: PLR0917 # typer's parameters are the command's options
    kind: Annotated[str, typer.Argument(help="Kind of fault, or the id of a quirk.")],
    url: _Url = "",
    platform: Annotated[str, typer.Option(help="youtube, twitch, images or any.")] = "any",
    endpoint: Annotated[str, typer.Option(help="Pattern of endpoints, such as videos.*.")] = "*",
    times: Annotated[int | None, typer.Option(help="How many requests; all if left out.")] = None,
    skip: Annotated[int, typer.Option(help="How many pass first.")] = 0,
    start: Annotated[str | None, typer.Option(help="Virtual moment it begins.")] = None,
    end: Annotated[str | None, typer.Option(help="Virtual moment it ends.")] = None,
    option: Annotated[list[str] | None, typer.Option(help="NAME=JSON, repeatable.")] = None,
) -> None:
    """Set a fault."""
    content: dict[str, Any] = {"endpoint": endpoint, "times": times, "skip": skip}
    content |= {"platform": platform, "start": start, "end": end}
    if kind in QUIRKS:
        content["quirk"] = kind
    else:
        content["kind"] = kind
        pairs = [each.partition("=") for each in option or []]
        content["options"] = {name: _value(text) for name, _, text in pairs}
    _show("POST", f"{_server(url)}/_replay/faults", content)


@faults.command("clear")
def clear_faults(
    url: _Url = "",
    fault_id: Annotated[int | None, typer.Argument(help="Which; all if left out.")] = None,
) -> None:
    """Take away one fault, or all."""
    _show("DELETE", f"{_server(url)}/_replay/faults" + (f"/{fault_id}" if fault_id else ""))


def _server(url: str) -> str:
    found = url or Settings.from_env().replay_url
    if not found:
        raise SettingsError(
            "No replay server is running here.",
            fix="Start one with script/server or python -m aurastream.replay, or pass --url.",
        )
    return found.rstrip("/")


def _value(text: str) -> Any:  # noqa: ANN401 # any JSON
    try:
        return json.loads(text, parse_constant=str)
    except ValueError:
        return text


def _show(method: str, url: str, content: object = None) -> None:
    import httpx  # noqa: PLC0415 # the server's own start is quicker without a client

    try:
        answer = httpx.request(method, url, json=content)
        said = answer.json()
        refused = said["error"] if answer.is_error else ""
        if not isinstance(refused, str):
            raise TypeError(url)  # noqa: TRY301 # said as for everything that is none of ours
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        typer.echo(f"No replay server answers at {url}: {error}", err=True)
        raise typer.Exit(1) from error
    except (ValueError, TypeError, KeyError) as error:
        typer.echo(f"What answers at {url} is no replay server.", err=True)
        raise typer.Exit(1) from error
    if refused:
        typer.echo(refused, err=True)
        raise typer.Exit(1)
    typer.echo(json.dumps(said, indent=2))


def run() -> None:
    """Run the command line; an expected error is one line on standard error."""
    keep_to_ourselves()
    try:
        app()
    except AuraStreamError as error:
        typer.echo(f"aurastream: {error}", err=True)
        raise SystemExit(1) from None


if __name__ == "__main__":
    run()
