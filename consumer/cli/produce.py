"""`customfit-consumer produce`: sends Segment events to the topic, made up or given."""

from __future__ import annotations

import json
import os
import random
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import Annotated, BinaryIO, Final

import typer

from consumer.cli.exits import fail, settings_or_exit
from consumer.cli.formatted import Format, in_format
from consumer.cli.lines import KeyedValue, lines
from consumer.cli.sender import Sender
from consumer.exit_codes import EXIT_ERROR

STANDARD_INPUT: Final = Path("-")


def produce(
    *,
    users: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many users cause the sample events.")] = 100,
    events: Annotated[int, typer.Option(min=0, help="How many sample events.")] = 1000,
    seed: Annotated[
        int | None, typer.Option(help="The same seed makes the same events, message ids too. [default: a new one]")
    ] = None,
    garbage_every: Annotated[int, typer.Option(min=0, help="Make every Nth sample invalid; 0: none.")] = 0,
    file: Annotated[Path | None, typer.Option(help="Send these lines instead; - is standard input.")] = None,
    format_: Annotated[
        Format,
        typer.Option(
            "--format", help="avro: Confluent's wire format, by the registry of CUSTOMFIT_SCHEMA_REGISTRY_URL."
        ),
    ] = "json",
    rate: Annotated[float, typer.Option(min=0, help="Events per second; 0: as fast as it goes.")] = 0.0,
    topic: Annotated[str | None, typer.Option(help="Instead of CUSTOMFIT_KAFKA_TOPIC.")] = None,
    bootstrap_servers: Annotated[str | None, typer.Option(help="Instead of CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS.")] = None,
    config: Annotated[Path | None, typer.Option(help="A TOML file of settings; the environment wins.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the summary as JSON.")] = False,
) -> None:
    """Send Segment events to the topic. They are keyed by user as a Java producer would do it."""
    settings = settings_or_exit(
        os.environ,
        config,
        api_key_required=False,
        kafka_topic=("--topic", topic),
        kafka_bootstrap_servers=("--bootstrap-servers", bootstrap_servers),
    )
    with ExitStack() as closing:
        total: int | None = None
        if file is None:
            seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
            records, total = samples(users, events, seed, garbage_every), events
        else:
            records, seed = lines(closing.enter_context(_opened(file))), None
        sender = Sender(settings)
        closing.enter_context(sender.interrupts)
        sender.check_topic()
        formatted = in_format(records, settings, format_)
        typed = file == STANDARD_INPUT and sys.stdin.isatty()
        started = time.monotonic()
        with _progress(total, shown=not as_json and not typed) as advance:
            interrupted = sender.send(formatted, rate, advance)
    seconds = round(time.monotonic() - started, 3)
    name = settings.kafka_topic
    if as_json:
        counts = {"sent": sender.acknowledged, "failed": sender.failed, "unfit": formatted.unfit}
        print(json.dumps({"topic": name, **counts, "seconds": seconds, "seed": seed}))
    else:
        seeded = "" if seed is None else f" (seed {seed})"
        unfit = f"; {formatted.unfit} as they are, they do not fit the schema" if formatted.unfit else ""
        print(f"sent {sender.acknowledged} events to {name} in {seconds:.1f} s{seeded}{unfit}")
    if interrupted:
        fail("interrupted; what is counted as sent was acknowledged", EXIT_ERROR)
    if sender.failed:
        reasons, code = sender.why()
        fail(f"{sender.failed} events were not taken: {reasons}", code)


def samples(users: int, events: int, seed: int, garbage_every: int) -> Iterator[KeyedValue]:
    """Sample events with the time of now."""
    from consumer.demo.samples import encoded_samples

    return encoded_samples(users, events, seed, garbage_every=garbage_every, start_seconds=time.time())


def _opened(file: Path) -> AbstractContextManager[BinaryIO]:
    if file == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    try:
        return file.open("rb")
    except OSError as error:
        fail(f"{file} (--file): {error.strerror}", EXIT_ERROR)


@contextmanager
def _progress(total: int | None, *, shown: bool) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda _done: None
        return
    columns = (TextColumn("sending"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=total)
        yield lambda done: progress.update(task, completed=done)
