"""`customfit-consumer emulator`: the stand-in for CustomFit's API, in the foreground."""

from __future__ import annotations

import asyncio
import io
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from consumer.cli.exits import fail
from consumer.exit_codes import EXIT_ERROR
from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.emulator.contract import Call
    from consumer.emulator.faults import Faults
    from consumer.emulator.ledger import Ledger
    from consumer.emulator.server import Emulator

PROBLEM_LINES_MAX: Final = 20
PROBLEM_LINES_SECONDS: Final = 10.0
TEXT_CHARACTERS_MAX: Final = 200


def emulator(
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port to listen on; 0: any free one.")] = 8080,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="One line for each accepted event.")] = False,
    accept_key: Annotated[
        list[str] | None, typer.Option(help="An API key that is accepted; may be repeated. [default: any]")
    ] = None,
    ledger: Annotated[
        Path | None, typer.Option(help="Also append what is accepted to this file, and carry on from it.")
    ] = None,
    ledger_events_max: Annotated[
        int, typer.Option(min=1, help="Requests that the ledger keeps in memory.")
    ] = 1_000_000,
    body_bytes_max: Annotated[int, typer.Option(min=1, help="A larger body gets a 413.")] = 2_097_152,
    seed: Annotated[int, typer.Option(help="Of the faults' randomness.")] = 0,
    latency_seconds: Annotated[float, typer.Option(help="Before each answer.")] = 0.0,
    latency_jitter_seconds: Annotated[float, typer.Option(help="Up to that much more, at random.")] = 0.0,
    fail_rate: Annotated[float, typer.Option(help="Share of requests that fail, 0 to 1 ...")] = 0.0,
    fail_status: Annotated[int, typer.Option(help="... with this status.")] = 503,
    fail_retry_after_seconds: Annotated[int, typer.Option(help="... and this Retry-After; 0: none.")] = 0,
    throttle_requests_per_second: Annotated[float, typer.Option(help="429 above it; 0: no limit.")] = 0.0,
    reject_key: Annotated[list[str] | None, typer.Option(help="An API key that gets 401; may be repeated.")] = None,
    reject_all_keys: Annotated[bool, typer.Option("--reject-all-keys", help="401 for everybody.")] = False,
    unavailable_seconds: Annotated[float, typer.Option(help="No answer for that long, from the first request.")] = 0.0,
    refuse_user: Annotated[list[str] | None, typer.Option(help="A user who gets 400; may be repeated.")] = None,
    refuse_name: Annotated[list[str] | None, typer.Option(help="An event name that gets 400; may be repeated.")] = None,
    hang: Annotated[bool, typer.Option("--hang", help="Never answer.")] = False,
    reset_rate: Annotated[float, typer.Option(help="Share of accepted requests whose answer is lost.")] = 0.0,
    reset_unrecorded_rate: Annotated[float, typer.Option(help="Share of requests lost with their answer.")] = 0.0,
) -> None:
    """Stand in for CustomFit's API: check what is sent, keep a ledger, fail as told (while it runs: POST /control)."""
    from consumer.emulator.server import Emulator

    faults = _faults(
        latency_seconds=latency_seconds,
        latency_jitter_seconds=latency_jitter_seconds,
        fail_rate=fail_rate,
        fail_status=fail_status,
        fail_retry_after_seconds=fail_retry_after_seconds,
        throttle_requests_per_second=throttle_requests_per_second,
        reject_keys=reject_key or [],
        reject_all_keys=reject_all_keys,
        unavailable_seconds=unavailable_seconds,
        refuse_users=refuse_user or [],
        refuse_names=refuse_name or [],
        hang=hang,
        reset_rate=reset_rate,
        reset_unrecorded_rate=reset_unrecorded_rate,
    )
    keys = frozenset(accept_key) if accept_key else None
    book = _ledger(ledger, ledger_events_max)
    console = Console(verbose=verbose)
    server = Emulator(faults, keys, ledger=book, body_bytes_max=body_bytes_max, seed=seed, watcher=console)
    try:
        asyncio.run(_serve(server, console, host, port))
    finally:
        book.close()
    for name, value in book.summary().items():
        console.say(f"{name:40} {value}")


def _faults(**changes: Any) -> Faults:
    from consumer.emulator.faults import Faults, FaultsError

    faults = Faults()
    try:
        faults.change(changes)
    except FaultsError as error:
        raise typer.BadParameter(str(error)) from None
    return faults


def _ledger(file: Path | None, events_max: int) -> Ledger:
    from consumer.emulator.ledger import Ledger, LedgerFileError

    try:
        return Ledger(events_max=events_max, file=file)
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
    console.say(f"CustomFit emulator: events go to {server.url}, its ledger is at {server.base_url}/ledger")
    if server.ledger.sequence:
        console.say(f"carrying on after {server.ledger.sequence} requests of the ledger file")
    await stopped.wait()
    await server.stop()


class Console:
    """Says what happens: problems, but not more of them than somebody can read; with `verbose` all that is accepted."""

    def __init__(self, *, verbose: bool, clock: Callable[[], float] = time.monotonic) -> None:
        self._verbose = verbose
        self._clock = clock
        self._window_at = float("-inf")
        self._lines = 0
        self._left_out = 0
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal may not know an id's letters

    def accepted(self, call: Call, *, out_of_order: bool) -> None:
        """Show the events; and that they came too early."""
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
        """Print, at once; a reader that is gone does not stop the server."""
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
    """A call as somebody new to it reads it, one line for each event: `track u1 "Order Completed"`."""
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
