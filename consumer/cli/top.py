"""`customfit-consumer top`: what the page at `/` shows, in a terminal, and for several members at once."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from consumer.cli.ctrl_c import typed_ctrl_c
from consumer.cli.exits import fail, settings_or_exit
from consumer.exit_codes import EXIT_UNAVAILABLE, EXIT_USAGE

if TYPE_CHECKING:
    from rich.console import Console

    from consumer.cli.status_reader import StatusReader

EVERY_SECONDS: Final = 2.0
ANY_ADDRESS: Final = frozenset({"0.0.0.0", "::"})  # noqa: S104  nothing is bound here


def top(
    url: Annotated[
        list[str] | None,
        typer.Option(
            metavar="URL",
            help="A member: http://HOST:PORT, HOST:PORT or HOST; all addresses of a name. Repeatable. "
            "[default: CUSTOMFIT_HTTP_HOST and CUSTOMFIT_HTTP_PORT]",
        ),
    ] = None,
    once: Annotated[
        bool, typer.Option("--once", help="Print one frame and end; exit 69 when no member answers.")
    ] = False,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
) -> None:
    """Show what members do, until q or Ctrl-C. The same first lines as the page: the cause, and what to do."""
    from rich.console import Console

    from consumer.cli.places import place_of
    from consumer.cli.status_reader import StatusReader

    settings = settings_or_exit(os.environ, config, api_key_required=False)
    host = "localhost" if settings.http_host in ANY_ADDRESS else settings.http_host
    urls = url or [f"[{host}]:{settings.http_port}" if ":" in host else f"{host}:{settings.http_port}"]
    try:
        places = [place_of(one, settings.http_port) for one in urls]
    except ValueError as error:
        fail(str(error), EXIT_USAGE)
    reader, console = StatusReader(places), Console(highlight=False, markup=False, emoji=False)
    if once or not sys.stdout.isatty():
        _once(reader, console)
    else:
        _live(reader, console)


def _once(reader: StatusReader, console: Console) -> None:
    from consumer.cli.top_frame import frame

    answers = reader.ask()
    console.print(frame(answers, console, lines_max=None))
    if not any(answer.status for answer in answers):
        raise typer.Exit(EXIT_UNAVAILABLE)


def _live(reader: StatusReader, console: Console) -> None:
    from rich.live import Live

    from consumer.cli.top_frame import asking, frame

    with (
        typed_ctrl_c(or_one_of=b"qQ") as was_typed,
        Live(asking(), console=console, screen=True, auto_refresh=False) as live,
    ):
        while True:
            live.update(frame(reader.ask(), console, lines_max=console.height - 1), refresh=True)
            if was_typed(EVERY_SECONDS):
                return
