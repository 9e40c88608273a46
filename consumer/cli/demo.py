"""`customfit-consumer demo`: see the whole path work, on this machine alone."""

from __future__ import annotations

import signal
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Annotated, Final, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from consumer.cli.demo_kept import Live, keep, to_break, to_look_at, to_paste
from consumer.cli.exits import fail
from consumer.cli.interrupts import Interrupts
from consumer.demo.demo import Demo, DemoFailed, Point, Script
from consumer.demo.proof import Proof
from consumer.exit_codes import EXIT_ERROR

OTHER_COLUMNS: Final = 64
"""The width of what stands beside a bar: name, count, time, `10,000 waiting, unavailable`."""


class Playing(Protocol):
    """The part of a demo that somebody watches."""

    @property
    def script(self) -> Script:
        """What is played."""

    def play(self, show: Callable[[Point], None]) -> None:
        """Play it, and show how far it is."""


def demo(
    users: Annotated[int, typer.Option(min=1, max=100_000, help="How many users cause the events.")] = 500,
    events: Annotated[
        int, typer.Option(min=1, max=30_000, help="How many events; the embedded broker is small.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="The same events and faults for the same seed.")] = 1,
    calm: Annotated[bool, typer.Option("--calm", help="Without failing requests and without an outage.")] = False,
    keep_running: Annotated[
        bool,
        typer.Option("--keep", help="Leave it running until Ctrl-C, for events and questions of your own."),
    ] = False,
) -> None:
    """See all of it work on this machine, with a proof.

    Runs a broker, an emulator of CustomFit and the consumer, delivers sample events, and proves that the promise was
    kept.
    """
    script = Script(users, events, seed=seed)
    if calm:
        script = replace(script, fail_rate=0.0, outage_seconds=0.0)
    console = Console(highlight=False)
    live = Live(lambda line: _print(console, line))
    with Interrupts(signal.SIGHUP) as interrupts, interrupts.put_off():
        try:
            with tempfile.TemporaryFile() as log, Demo(script, log, watcher=live, check=interrupts.check) as running:
                _say_what_runs(console, running)
                play(console, running)
                proof = running.prove()
                _say_proof(console, proof, script)
                if keep_running:
                    _keep(console, running, live, interrupts.check)
                code = running.stop_consumer()
        except DemoFailed as error:
            fail(str(error), EXIT_ERROR)
        except KeyboardInterrupt:
            fail("interrupted before it had shown anything", EXIT_ERROR)
    if code != 0:
        fail(f"the consumer ended with exit code {code}", EXIT_ERROR)
    if not proof.kept:
        raise typer.Exit(EXIT_ERROR)


def _print(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, markup=False)


def _say_what_runs(console: Console, running: Demo) -> None:
    script = running.script
    _print(console, f"Everything runs on this machine; nothing leaves it. About {script.seconds:.0f} s:\n")
    _print(console, f"  Kafka      {running.bootstrap_servers}  (embedded)")
    problem = ""
    if script.fail_rate:
        problem = f", {script.fail_rate:.0%} of requests fail, away for {script.outage_seconds:g} s halfway"
    _print(console, f"  CustomFit  {running.emulator.url}  (emulator: {script.latency_seconds * 1000:g} ms{problem})")
    _print(console, f"  consumer   {running.consumer_url}/metrics\n")


def play(console: Console, running: Playing) -> None:
    """Play the demo's script, and show progress: bars on a terminal, a line every two seconds elsewhere."""
    total = running.script.events
    if not console.is_terminal:
        next_line = 0.0

        def say(point: Point) -> None:
            nonlocal next_line
            if time.monotonic() >= next_line:
                next_line = time.monotonic() + 2.0
                _print(console, f"  {point.finished:>6,} of {total:,} events finished, {_problem(point)}")

        running.play(say)
        return
    bar = BarColumn(max(10, min(40, console.width - OTHER_COLUMNS)))  # a count that is cut off can't be read
    columns = (TextColumn("  {task.description:10}"), bar, MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, TextColumn("{task.fields[note]}"), console=console) as bars:
        fetched = bars.add_task("fetched", total=total, note="")
        finished = bars.add_task("finished", total=total, note="")

        def draw(point: Point) -> None:
            bars.update(fetched, completed=point.fetched)
            bars.update(finished, completed=point.finished, note=f"{point.unfinished:,} waiting, {point.destination}")

        running.play(draw)


def _problem(point: Point) -> str:
    return f"{point.unfinished:,} waiting, the destination is {point.destination}"


def _say_proof(console: Console, proof: Proof, script: Script) -> None:
    def by_reason(counts: Mapping[str, int]) -> str:
        return ", ".join(f"{reason} {count:,}" for reason, count in sorted(counts.items()))

    took = "median from produced to accepted" + (", with the outage" if script.outage_seconds else "")
    introduced = f"{proof.introductions:,} introduced by the consumer"
    rows = [
        ("events in", f"{proof.produced:,}", ""),
        ("delivered", f"{proof.delivered:,}", f"of {proof.users:,} users"),
        ("skipped", f"{sum(proof.skipped.values()):,}", by_reason(proof.skipped)),
        ("dead-lettered", f"{sum(proof.dead_lettered.values()):,}", by_reason(proof.dead_lettered)),
        ("requests", f"{proof.requests:,}", f"{proof.requests_failed:,} of them failed and were sent again"),
        ("identify first", f"{proof.users:,} of {proof.users:,} users", introduced),
        ("order kept", f"{proof.users - proof.users_out_of_order:,} of {proof.users:,} users", ""),
        ("sent twice", f"{proof.sent_twice:,}", ""),
        ("lost", f"{proof.lost:,}", ""),
        ("rate", f"{proof.events_per_second:,.0f} events/s", f"produced at {script.events_per_second:,}/s"),
        ("latency", f"{_seconds(proof, 0.5)} s", f"{took}; 99 %: {_seconds(proof, 0.99)} s"),
    ]
    if proof.tracks_before_identify:
        rows[5] = (
            "identify first",
            "BROKEN",
            f"{proof.tracks_before_identify:,} events before an identify of their user",
        )
    _print(
        console, "\nWhat the emulator's ledger says (CustomFit.ai itself was not asked), against what was produced:\n"
    )
    for name, value, note in rows:
        _print(console, f"  {name:15}{value:>18}   {note}".rstrip())
    _print(console, f"\n{'The promise was kept.' if proof.kept else 'THE PROMISE WAS BROKEN.'}")


def _seconds(proof: Proof, share: float) -> str:
    return f"{proof.latency_quantile(share):.3f}"


def _keep(console: Console, running: Demo, live: Live, check: Callable[[], None]) -> None:
    running.calm_down()
    _print(console, "\nStill running, until Ctrl-C; requests fail no longer. In a browser:\n")
    _print(console, to_look_at(running))
    _print(console, "\nPaste this into another terminal:\n")
    _print(console, to_paste(running))
    _print(console, "\nThere, too: CustomFit fails for two seconds, and nothing is lost:\n")
    _print(console, to_break(running))
    _print(console, "\nWhat becomes of events shows here:\n")
    keep(running, live, check)
    _print(console, "\nStopping: the consumer finishes what it has in hand, commits and leaves.")
