"""`customfit-consumer produce`: Segment events into the topic, made up or given."""

from __future__ import annotations

import json
import logging
import os
import random
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, BinaryIO, Final, Literal, NamedTuple, Self

import msgspec
import typer

from consumer.cli.exits import fail, settings_or_exit
from consumer.exit_codes import EXIT_ERROR, EXIT_SETTINGS, EXIT_UNAVAILABLE

if TYPE_CHECKING:
    from confluent_kafka import KafkaError, Message

    from consumer.settings import Settings

KeyedValue = tuple[bytes | None, bytes]
"""Key and value."""
Format = Literal["json", "avro", "single-object"]

LINE_BYTES_MAX: Final = 64 * 1024 * 1024
STANDARD_INPUT: Final = Path("-")
INTERRUPTED_FLUSH_SECONDS: Final = 5.0
METADATA_SECONDS: Final = 5.0  # so long Ctrl-C waits while no broker answers
POLL_EVERY: Final = 256
REASONS_MAX: Final = 5


def produce(
    *,
    users: Annotated[int, typer.Option(min=1, max=10_000_000, help="How many users cause the sample events.")] = 100,
    events: Annotated[int, typer.Option(min=0, help="How many sample events.")] = 1000,
    seed: Annotated[
        int | None, typer.Option(help="The same seed makes the same events, message ids too. [default: a new one]")
    ] = None,
    garbage_every: Annotated[int, typer.Option(min=0, help="Each so many-th sample is garbage; 0: none.")] = 0,
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
    """Send Segment events to the topic, keyed by user as a Java producer would do it."""
    target = target_of(settings_or_exit(os.environ, config, api_key_required=False), topic, bootstrap_servers)
    with ExitStack() as closing:
        total: int | None = None
        if file is None:
            seed = random.SystemRandom().randrange(1_000_000) if seed is None else seed
            records, total = samples(users, events, seed, garbage_every), events
        else:
            records, seed = lines(closing.enter_context(_opened(file))), None
        sender = Sender(target)
        closing.enter_context(sender.interrupts)
        sender.check_topic()
        formatted = _formatted(records, target.settings, format_)
        typed = file == STANDARD_INPUT and sys.stdin.isatty()
        started = time.monotonic()
        with _progress(total, shown=not as_json and not typed) as advance:
            interrupted = sender.send(formatted, rate, advance)
    seconds = round(time.monotonic() - started, 3)
    name = target.settings.kafka_topic
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
        reasons = "; ".join(f"{reason} ({count})" for reason, count in sender.reasons.items())
        fail(f"{sender.failed} events were not taken: {reasons}", EXIT_ERROR)


class _Formatted:
    """Records in the format asked for; those that do not fit it stay as they are."""

    def __init__(self, records: Iterator[KeyedValue], encode: Callable[[bytes], bytes | None]) -> None:
        self.unfit = 0
        self._records = records
        self._encode = encode

    def __iter__(self) -> Iterator[KeyedValue]:
        """Each once."""
        for record_key, text in self._records:
            value = self._encode(text)
            self.unfit += value is None
            yield record_key, text if value is None else value


def _formatted(records: Iterator[KeyedValue], settings: Settings, format_: Format) -> _Formatted:
    if format_ == "json":
        return _Formatted(records, lambda text: text)
    from consumer.cli.produce_format import encoder
    from consumer.kafka.schema_registry import RegistryUnavailable

    if format_ == "avro" and settings.schema_registry_url is None:
        fail("--format avro needs CUSTOMFIT_SCHEMA_REGISTRY_URL; single-object needs no registry", EXIT_SETTINGS)
    try:
        return _Formatted(records, encoder(settings, format_))
    except RegistryUnavailable as error:
        fail(f"CUSTOMFIT_SCHEMA_REGISTRY_URL: {error}", EXIT_UNAVAILABLE)


def samples(users: int, events: int, seed: int, garbage_every: int) -> Iterator[KeyedValue]:
    """Sample events that happen now."""
    from consumer.demo.samples import encoded_samples

    return encoded_samples(users, events, seed, garbage_every=garbage_every, start_seconds=time.time())


def lines(file: BinaryIO) -> Iterator[KeyedValue]:
    """Each line as it is, but for blank ones; keyed by its user where it has one."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        value = line.removesuffix(b"\n")
        if len(value) > LINE_BYTES_MAX:
            fail(f"line {number} is longer than {LINE_BYTES_MAX} bytes (--file)", EXIT_ERROR)
        if value.strip():
            yield key(value), value


class _Ids(msgspec.Struct):
    userId: str | int | None = None  # noqa: N815  Segment's names
    anonymousId: str | int | None = None  # noqa: N815


_ids: Final = msgspec.json.Decoder(_Ids)


def key(value: bytes) -> bytes | None:
    """The userId, else the anonymousId; None for what has neither, or is no event."""
    try:
        ids = _ids.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    for candidate in (ids.userId, ids.anonymousId):
        if candidate is not None and candidate != "":
            return str(candidate).encode()
    return None


class TopicToFill(NamedTuple):
    """Where to, and what the user would change if it is wrong."""

    settings: Settings
    servers_named: str
    topic_named: str


def target_of(settings: Settings, topic: str | None, bootstrap_servers: str | None) -> TopicToFill:
    """The settings, with the command's own options over them."""
    servers_named, topic_named = settings.origin("kafka_bootstrap_servers"), settings.origin("kafka_topic")
    if topic is not None:
        settings, topic_named = replace(settings, kafka_topic=topic), "--topic"
    if bootstrap_servers is not None:
        settings, servers_named = replace(settings, kafka_bootstrap_servers=bootstrap_servers), "--bootstrap-servers"
    return TopicToFill(settings, servers_named, topic_named)


class Sender:
    """A producer that counts what was acknowledged by all in-sync replicas, and what was not taken."""

    def __init__(self, target: TopicToFill) -> None:
        from confluent_kafka import KafkaException, Producer

        from consumer.kafka.client import producer_config

        self.acknowledged = 0
        self.failed = 0
        self.last: tuple[int, int] | None = None
        """Partition and offset of what was acknowledged last."""
        self.reasons: Counter[str] = Counter()
        self.interrupts = Interrupts()
        self._target = target
        self._last_error = ""
        config = {
            **producer_config(target.settings),
            "queue.buffering.max.kbytes": 2 * LINE_BYTES_MAX // 1024,  # or the longest line would wait for ever
            "partitioner": "murmur2_random",  # as Java: a user's events meet those of other producers
            "error_cb": self._note,
        }
        try:
            self._producer = Producer(config, logger=_silent_logger())
        except KafkaException as error:
            fail(f"{target.settings.origin('kafka_properties')}: {error.args[0].str()}", EXIT_SETTINGS)

    def check_topic(self) -> None:
        """Wait for a broker, and look for the topic; exit code 69 without them."""
        from confluent_kafka import KafkaException

        settings, servers_named, topic_named = self._target
        servers = settings.kafka_bootstrap_servers
        deadline = time.monotonic() + settings.startup_timeout_seconds
        topics = None
        while topics is None:
            try:
                remaining = max(deadline - time.monotonic(), 0.1)
                topics = self._producer.list_topics(timeout=min(remaining, METADATA_SECONDS)).topics
            except KafkaException as error:
                self._poll(0.1)  # brings the reason to _note
                if time.monotonic() >= deadline:
                    reason = self._last_error or error.args[0].str()
                    fail(
                        f"no Kafka broker answered at {servers} within {settings.startup_timeout_seconds:g} s "
                        f"(CUSTOMFIT_STARTUP_TIMEOUT_SECONDS): {reason}; is {servers_named} right, and is it running?",
                        EXIT_UNAVAILABLE,
                    )
        topic = topics.get(settings.kafka_topic)
        if topic is None or topic.error is not None:
            fail(
                f"there is no topic {settings.kafka_topic!r} at {servers}, or this user may not see it; is "
                f"{topic_named} right? If so, create it, for example with: "
                f"kafka-topics.sh --bootstrap-server {servers} --create --topic {settings.kafka_topic} --partitions 6",
                EXIT_UNAVAILABLE,
            )

    def send(self, records: Iterable[KeyedValue], rate: float, advance: Callable[[int], None]) -> bool:
        """Send all and wait for all; `advance` is told how many are done. True: the user interrupted it."""
        started = time.monotonic()
        try:
            for number, (record_key, value) in enumerate(records):
                if rate:
                    self._wait_until(started + number / rate)
                self._produce(record_key, value)
                if rate or number % POLL_EVERY == 0:
                    self._poll(0)
                    advance(self.acknowledged + self.failed)
            while len(self._producer):  # ends: librdkafka gives up a message after message.timeout.ms
                self._poll(0.1)
                advance(self.acknowledged + self.failed)
        except KeyboardInterrupt:
            with self.interrupts.put_off():
                self._producer.flush(INTERRUPTED_FLUSH_SECONDS)
            return True
        return False

    def _wait_until(self, moment: float) -> None:
        while (seconds := moment - time.monotonic()) > 0:
            self._poll(min(seconds, 0.1))

    def _poll(self, seconds: float) -> None:
        with self.interrupts.put_off():
            self._producer.poll(seconds)
        self.interrupts.check()

    def _produce(self, record_key: bytes | None, value: bytes) -> None:
        from confluent_kafka import KafkaException

        topic = self._target.settings.kafka_topic
        while True:
            try:
                self._producer.produce(topic, value=value, key=record_key, on_delivery=self._delivered)
                return
            except BufferError:  # 100,000 messages wait
                self._poll(0.1)
            except KafkaException as error:
                self._count_failed(error.args[0])
                return

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            self.acknowledged += 1
            self.last = (message.partition() or 0, message.offset() or 0)
        else:
            self._count_failed(error)

    def _count_failed(self, error: KafkaError) -> None:
        self.failed += 1
        reason = error.str()
        if reason in self.reasons or len(self.reasons) < REASONS_MAX:
            self.reasons[reason] += 1

    def _note(self, error: KafkaError) -> None:
        # "All brokers are down" follows every other reason and says less.
        if error.name() != "_ALL_BROKERS_DOWN":
            self._last_error = error.str()


class Interrupts:
    """Ctrl-C and SIGTERM as KeyboardInterrupt, but not out of librdkafka's calls.

    There confluent-kafka 2.16 loses it: the call ends with "returned NULL without setting an exception".
    """

    def __init__(self) -> None:
        self._came = False
        self._put_off = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take the two signals."""
        self._before = {number: signal.signal(number, self._handle) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_exc: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """Only note a signal that comes now."""
        self._put_off = True
        try:
            yield
        finally:
            self._put_off = False

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Within `put_off`: raise KeyboardInterrupt at once again, and now if one has come."""
        self._put_off = False
        try:
            self.check()
            yield
        finally:
            self._put_off = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come."""
        if self._came:
            raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: object) -> None:
        self._came = True
        if not self._put_off:
            raise KeyboardInterrupt


def _silent_logger() -> logging.Logger:
    """What librdkafka logs says the same as our message, many times over."""
    logger = logging.getLogger("consumer.produce")
    logger.addHandler(logging.NullHandler())
    logger.propagate = False
    return logger


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
