"""The replay edge: finds the dead letters that are meant, and writes their replays in Kafka transactions.

What makes that nothing is replayed twice, however it is killed and however often it is started:

    1. init_transactions: the broker ends what an earlier replay has left open, and refuses one that still runs
    2. the replay topic is read to its end: each committed replay is the receipt of its dead letter
    3. those without receipt are written, in order, some at a time in one transaction
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Final, NoReturn, cast

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from consumer.dead_letters.selection import DeadLetter, Selection, runs
from consumer.dead_letters.writer import ABOUT_THE_RECORD
from consumer.kafka.client import FENCED_ERRORS, KafkaUnavailable, letters_config, misconfigured, transaction_error
from consumer.kafka.patience import patiently
from consumer.kafka.reader import Bounds, TopicReader
from consumer.kafka.rights import Right, explained
from consumer.sequencing.dead_letter_headers import dead_letter_receipt, replay_headers, replay_receipt
from consumer.sequencing.events import Record

if TYPE_CHECKING:
    from consumer.settings import Settings

WRITE_SECONDS_MAX: Final = 60.0
RETRY_SECONDS: Final = 0.5
SETTLE_SECONDS_MIN: Final = 1.0

Advance = Callable[[int], None]
"""Called with how many more records are done. It may raise, and the work ends with nothing half done."""
Replays = list[tuple[DeadLetter, Record]]


class Overtaken(Exception):
    """Another replay into the same topic has started, so this one writes nothing more."""


def survey(
    reader: TopicReader, topic: str, selection: Selection, advance: Advance, stretches: Mapping[int, Bounds]
) -> None:
    """Add what the dead-letter topic holds to the selection. Raises KafkaUnavailable, TooMany."""
    for record in reader.read(topic, stretches):
        selection.add(record)
        advance(1)


def note_replays(
    reader: TopicReader, topic: str, selection: Selection, advance: Advance, starts: Mapping[int, int]
) -> dict[int, int]:
    """Tell the selection what has been replayed. Returns where to go on reading. Raises KafkaUnavailable."""
    bounds = reader.bounds(topic)
    stretches = {number: Bounds(starts.get(number, low), end) for number, (low, end) in bounds.items()}
    for record in reader.read(topic, stretches):
        if (receipt := replay_receipt(record)) is not None:
            selection.note_replayed(receipt)
        advance(1)
    return {number: end for number, (_, end) in bounds.items()}


def fetch(reader: TopicReader, topic: str, letters: Sequence[DeadLetter]) -> Replays:
    """The dead letters with their records, in the order given, except those that are gone. Raises KafkaUnavailable."""
    wanted = {(letter.partition, letter.offset): letter for letter in letters}
    records: dict[tuple[int, int], Record] = {}
    for run in runs(letters):
        for record in reader.read(topic, {run.partition: Bounds(run.first, run.last + 1)}):
            place = (record.partition.number, record.offset)
            letter = wanted.get(place)
            if letter is not None and dead_letter_receipt(record) == letter.receipt:
                records[place] = record
    return [(letter, records[place]) for place, letter in wanted.items() if place in records]


class Replayer:
    """Writes replays. If there are two for one topic, only the one opened last."""

    def __init__(self, settings: Settings, partitions: int) -> None:
        self._settings = settings
        self._topic = settings.replay_topic
        self._partitions = partitions
        config = {**letters_config(settings), "transactional.id": settings.replay_topic}
        try:
            self._producer = Producer(config, logger=logging.getLogger("librdkafka"))
        except KafkaException as error:
            raise misconfigured(settings, error) from None

    def open(self) -> None:
        """Fence off an earlier one, and end its transaction."""
        try:
            self._producer.init_transactions(self._settings.startup_timeout_seconds)
        except KafkaException as error:
            raise KafkaUnavailable(
                f"no transaction could be started (transactional.id {self._topic!r}, which is CUSTOMFIT_REPLAY_TOPIC): "
                f"{explained(self._settings, error.args[0], Right('Write', 'transactional-id', self._topic))}"
            ) from None

    def write(self, replays: Replays) -> list[DeadLetter]:
        """Write them in one transaction. Returns those that the topic can't take, which are left out.

        Raises KafkaUnavailable: then all are written or none, and nobody knows which. Raises Overtaken.
        """
        refused: list[DeadLetter] = []
        deadline = time.monotonic() + WRITE_SECONDS_MAX
        while replays:
            refused_now: list[DeadLetter] = []
            error = self._try(replays, refused_now, deadline)
            if error is None:
                break
            replays = [(letter, record) for letter, record in replays if letter not in refused_now]
            refused += refused_now
            if not refused_now:
                if time.monotonic() >= deadline:
                    self._unavailable(error)
                time.sleep(RETRY_SECONDS)
        return refused

    def _try(self, replays: Replays, refused: list[DeadLetter], deadline: float) -> KafkaError | None:
        try:
            self._producer.begin_transaction()
            for letter, record in replays:
                self._produce(letter, record, refused)
            self._producer.flush(WRITE_SECONDS_MAX)
            self._settle(self._producer.commit_transaction, deadline)
        except (KafkaException, SystemError) as problem:
            error = transaction_error(problem)
            self._raise_if_over(error)
            try:
                self._settle(self._producer.abort_transaction, deadline)
            except KafkaException as worse:
                self._raise_if_over(worse.args[0])
                self._unavailable(worse.args[0])
            return error
        return None

    def _produce(self, letter: DeadLetter, record: Record, refused: list[DeadLetter]) -> None:
        def on_delivery(error: KafkaError | None, _message: Message) -> None:
            if error is not None and error.code() in ABOUT_THE_RECORD:
                refused.append(letter)

        produce = partial(
            self._producer.produce,
            self._topic,
            value=record.value,
            key=record.key,
            partition=letter.receipt.origin.partition.number % self._partitions,
            headers=cast("list[tuple[str, str | bytes | None]]", replay_headers(record, letter.receipt)),
            on_delivery=on_delivery,
        )
        while True:
            try:
                produce()
            except BufferError:  # larger than what the client may have on its way
                self._producer.poll(0.1)
            else:
                return

    def _settle(self, ask: Callable[[float], None], deadline: float) -> None:
        """Commit or abort, and repeat it while the client says that this may help: otherwise the outcome is unknown."""
        patiently(
            lambda seconds: ask(max(seconds, SETTLE_SECONDS_MIN)),
            deadline - time.monotonic(),
            lambda problem: isinstance(problem, KafkaException) and bool(problem.args[0].retriable()),
        )

    def _raise_if_over(self, error: KafkaError) -> None:
        if error.code() in FENCED_ERRORS:
            raise Overtaken
        # Not is_fatal: for the bare code _FATAL only the abort tells the cause, which may be that another has started.
        if error.fatal() or (error.retriable() and not error.txn_requires_abort()):
            self._unavailable(error)

    def _unavailable(self, error: KafkaError) -> NoReturn:
        raise KafkaUnavailable(
            f"{self._topic}: {explained(self._settings, error, Right('Write', 'topic', self._topic))}"
        )


def tally(letters: Iterable[DeadLetter]) -> dict[str, int]:
    """How many, by reason."""
    counts: dict[str, int] = {}
    for letter in letters:
        counts[letter.reason] = counts.get(letter.reason, 0) + 1
    return dict(sorted(counts.items()))
