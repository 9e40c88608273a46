"""`customfit-consumer emulator`: the stand-in for CustomFit's API, in the foreground; and what asks a running one."""

from __future__ import annotations

import asyncio
import io
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from consumer.cli.emulator_client import URL_DEFAULT, EmulatorClient, arrival_lines, summary
from consumer.cli.emulator_faults import no_faults, refused, shown, takes_faults
from consumer.cli.exits import fail
from consumer.exit_codes import EXIT_ERROR
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.emulator.contract import Call
    from consumer.emulator.faults import Faults
    from consumer.emulator.ledger import Ledger
    from consumer.emulator.profiles import Limits
    from consumer.emulator.server import Emulator

PROBLEM_LINES_MAX: Final = 20
PROBLEM_LINES_SECONDS: Final = 10.0
TEXT_CHARACTERS_MAX: Final = 200


emulator = typer.Typer()

Url = Annotated[str, typer.Option(help="The running emulator, as it says at its start.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]


@emulator.callback(invoke_without_command=True)
@takes_faults(running=False)
def start(
    context: typer.Context,
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free one.")] = 8080,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="One line for each accepted event.")] = False,
    accept_key: Annotated[
        list[str] | None,
        typer.Option(metavar="KEY", help="An API key that is accepted; may be repeated. [default: any]"),
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Also append what is accepted to this file, and carry on from it.")
    ] = None,
    ledger_events_max: Annotated[
        int, typer.Option(min=1, help="Requests that the ledger keeps in memory.")
    ] = 1_000_000,
    page_users_max: Annotated[
        int, typer.Option(min=0, help="Users that the page at / keeps, the most recent ones; 0: none.")
    ] = 10_000,
    page_events_max: Annotated[int, typer.Option(min=1, help="Events of one user that it keeps.")] = 500,
    page_bytes_max: Annotated[
        int, typer.Option(min=1, help="Memory for these users and events, without the ledger.")
    ] = 67_108_864,
    body_bytes_max: Annotated[int, typer.Option(min=1, help="A larger body gets a 413.")] = 2_097_152,
    seed: Annotated[int, typer.Option(help="Seed of the faults' randomness.")] = 0,
    faults: dict[str, Any],
) -> None:
    """Stand in for CustomFit's API. It checks what it is sent, keeps a ledger, and fails when told to.

    While it runs: the page at / shows users and their events, `emulator last` what arrived, and `emulator control`
    makes it fail.
    """
    if context.invoked_subcommand is not None:
        return
    from consumer.emulator.profiles import Limits
    from consumer.emulator.server import Emulator
    from consumer.settings.hosts import host_problem

    if (problem := host_problem(host)) is not None:
        raise typer.BadParameter(problem, param_hint="--host")
    keys = frozenset(accept_key) if accept_key else None
    checked = _faults(faults)
    book = _ledger(ledger, ledger_events_max, Limits(page_users_max, page_events_max, page_bytes_max))
    console = Console(verbose=verbose)
    server = Emulator(checked, keys, ledger=book, body_bytes_max=body_bytes_max, seed=seed, watcher=console)
    try:
        asyncio.run(_serve(server, console, host, port))
    finally:
        book.close()
    for name, value in book.summary().items():
        console.say(f"{name:40} {value}")


@emulator.command()
@takes_faults(running=True)
def control(
    *,
    url: Url = URL_DEFAULT,
    calm: Annotated[bool, typer.Option("--calm", help="Turn all faults off, then set those given here.")] = False,
    as_json: AsJson = False,
    faults: dict[str, Any],
) -> None:
    """Make a running emulator fail, or stop it failing. Without options: show its faults.

    Options that are not given stay as they are. An outage of a minute: --unavailable-seconds 60
    """
    client = EmulatorClient(url)
    changes = {**(no_faults() if calm else {}), **faults}
    told = client.change(changes) if changes else client.faults()
    if as_json:
        print(json.dumps(told))
    else:
        print(printable(shown(told)))


@emulator.command()
def last(
    *,
    user: Annotated[str | None, typer.Option(help="Only what arrived of this user.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1_000, help="How many requests.")] = 10,
    url: Url = URL_DEFAULT,
    as_json: AsJson = False,
) -> None:
    """Show what a running emulator accepted last. One event a line, the newest at the bottom; exit 1 when nothing."""
    answer = EmulatorClient(url).last(limit, user)
    for arrival in answer["last"]:
        print(json.dumps(arrival) if as_json else "\n".join(arrival_lines(arrival)))
    print(summary(answer, url), file=sys.stderr)
    if not answer["last"]:
        raise typer.Exit(EXIT_ERROR)


def _faults(changes: dict[str, Any]) -> Faults:
    from consumer.emulator.faults import Faults, FaultsError

    faults = Faults()
    try:
        faults.change(changes)
    except FaultsError as error:
        raise refused(str(error)) from None
    return faults


def _ledger(file: Path | None, events_max: int, limits: Limits) -> Ledger:
    from consumer.emulator.ledger import Ledger, LedgerFileError

    try:
        return Ledger(events_max=events_max, file=file, profile_limits=limits)
    except (LedgerFileError, OSError) as error:
        fail(f"the ledger file (--ledger): {error}", EXIT_ERROR)


async def _serve(server: Emulator, console: Console, host: str, port: int) -> None:
    stopped = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    try:
        await server.start(host, port)
    except OSError as error:
        fail(f"can't listen on {host}:{port} (--host, --port): {error.strerror or error}", EXIT_ERROR)
    console.say(f"CustomFit emulator: events go to {server.url}, what arrived is shown at {server.base_url}/")
    if server.ledger.sequence:
        console.say(f"carrying on after {server.ledger.sequence} requests of the ledger file")
    await stopped.wait()
    await server.stop()


class Console:
    """Prints what happens: problems, but no more of them than somebody can read.

    With `verbose`, all that is accepted, too.
    """

    def __init__(self, *, verbose: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._verbose = verbose
        self._clock = clock
        self._window_at = float("-inf")
        self._lines = 0
        self._left_out = 0
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not have the letters of an id

    def accepted(self, call: Call, *, out_of_order: bool) -> None:
        """Show the events, and whether they came too early."""
        if self._verbose:
            for line in lines(call):
                self.say(line)
        if out_of_order:
            early = lines(call)[0]
            self._problem(
                f"out of order: {early}: no identify of this user was accepted before, as far as is known here"
            )

    def refused(self, status: int, reason: str, path: str) -> None:
        """Show a refusal."""
        self._problem(f"refused with {status}: {_short(reason)} ({_short(path)})")

    def say(self, line: str) -> None:
        """Print at once. If the reader is gone, the server goes on."""
        try:
            print(line, flush=True)
        except BrokenPipeError:
            sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123, SIM115  as long as the process lives

    def _problem(self, line: str) -> None:
        now = self._clock()
        if now - self._window_at >= PROBLEM_LINES_SECONDS:
            if self._left_out:
                self.say(f"({self._left_out} more problems were not shown)")
            self._window_at, self._lines, self._left_out = now, 0, 0
        if self._lines < PROBLEM_LINES_MAX:
            self._lines += 1
            self.say(line)
        else:
            self._left_out += 1


def lines(call: Call) -> list[str]:
    """A call for somebody new to it, one line for each event: `track u1 "Order Completed"`."""
    who = _short(call.user_id) + (" (anonymous)" if call.anonymous else "")
    if call.identify is not None:
        traits = call.properties[0]
        if traits is None:
            return [f"identify {who} (introduced: nothing known but the id)"]
        return [f"identify {who} {_short(bytes(traits).decode(errors='replace'))}"]
    return [
        f"{kind} {who}" + ("" if name is None else f' "{_short(name)}"')
        for kind, name in zip(call.kinds, call.names, strict=True)
    ]


def _short(text: str) -> str:
    return printable(text, TEXT_CHARACTERS_MAX)
