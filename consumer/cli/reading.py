"""What the commands share that read topics: connect, survey, show progress, and end with the right exit code."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, NoReturn

from consumer.cli.exits import fail, masker, quiet_kafka_client, tell
from consumer.cli.interrupts import Interrupts
from consumer.exit_codes import EXIT_ERROR, EXIT_SETTINGS, EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from consumer.dead_letters.selection import Filters, Selection
    from consumer.kafka.reader import Bounds, TopicReader
    from consumer.settings import Settings

BAR_STEP: Final = 100


@contextmanager
def work(settings: Settings) -> Iterator[tuple[TopicReader, Interrupts]]:
    """A reader, and signals that wait for the next check. Each problem with Kafka becomes its exit code."""
    from consumer.kafka.client import KafkaMisconfigured, KafkaUnavailable
    from consumer.kafka.reader import TopicReader

    quiet_kafka_client()
    try:
        with Interrupts() as interrupts, interrupts.put_off(), TopicReader(settings, interrupts.check, tell) as reader:
            yield reader, interrupts
    except KafkaUnavailable as error:
        fail(str(error), EXIT_UNAVAILABLE)
    except KafkaMisconfigured as error:
        fail(str(error), EXIT_SETTINGS)
    except KeyboardInterrupt:
        fail("interrupted", EXIT_ERROR)


def bounds_or_exit(settings: Settings, reader: TopicReader, setting: str, only: int | None = None) -> dict[int, Bounds]:
    """The bounds of the topic that this setting names, or of one partition; exit code 69 if there is none."""
    topic = getattr(settings, setting)
    bounds = reader.bounds(topic, only)
    if not bounds:
        fail(
            f"there is no topic {topic!r} ({settings.origin(setting)}) at {settings.kafka_bootstrap_servers}, "
            "or this user may not see it; `run` creates it when it starts",
            EXIT_UNAVAILABLE,
        )
    return bounds


def survey_all(
    settings: Settings,
    reader: TopicReader,
    filters: Filters,
    partition: int | None,
    *,
    letters_max: int,
    interrupts: Interrupts,
    shown: bool,
) -> tuple[Selection, dict[int, int]]:
    """What matches. Also gives how far the replay topic was read to find what has been replayed."""
    from consumer.avro.reader import single_object_readers
    from consumer.dead_letters.replayer import note_replays, survey
    from consumer.dead_letters.selection import Selection, TooMany

    stretches = bounds_or_exit(settings, reader, "dead_letter_topic")
    if partition is not None:
        stretches = {number: bounds for number, bounds in stretches.items() if number == partition}
    selection = Selection(filters, letters_max, single_object_readers(), masker.beginning_of)
    records = sum(end - low for low, end in stretches.values())
    try:
        with progress("reading", records, interrupts, shown=shown) as advance:
            survey(reader, settings.dead_letter_topic, selection, advance, stretches)
    except TooMany:
        _too_many(letters_max)
    with progress("receipts", None, interrupts, shown=shown) as advance:
        return selection, note_replays(reader, settings.replay_topic, selection, advance, {})


def _too_many(letters_max: int) -> NoReturn:
    fail(
        f"more than {letters_max} dead letters match; narrow them (--partition, --since, --until, --reason, --user) "
        "or raise --letters-max",
        EXIT_ERROR,
    )


@contextmanager
def progress(what: str, total: int | None, interrupts: Interrupts, *, shown: bool) -> Iterator[Callable[[int], None]]:
    """A bar on a terminal. Call what it gives with how many more are done; that also raises a pending interrupt."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True)
    if not shown or not console.is_terminal:
        yield lambda _count: interrupts.check()
        return
    columns = (TextColumn(what), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bars:
        task = bars.add_task("", total=total)

        waiting = 0

        def advance(count: int) -> None:
            nonlocal waiting
            interrupts.check()
            waiting += count
            if waiting >= BAR_STEP:  # telling a bar of every record takes longer than reading it
                bars.update(task, advance=waiting)
                waiting = 0

        yield advance
