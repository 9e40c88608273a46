"""Reads the partitions of the state topic that other members have, for CUSTOMFIT_STANDBY=all.

It is a thread with a consumer of its own, in no group. It hands what it reads to the state's thread, which owns the
file and decides what to do with it (standby.py). It is gentle: it reads a few records at a time, rests in between, and
does not go on before the state's thread has taken what came before. So it holds a few megabytes at most.

Before it hands records on, it asks for the topic's id. Records of a topic that was made again are dropped.

It is best effort. Whatever fails is reported and tried again; nothing waits for this thread, and nothing ends with it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from confluent_kafka import OFFSET_BEGINNING, OFFSET_END, Consumer, KafkaError, KafkaException, Message, TopicPartition

from consumer.kafka.client import error_text, is_fatal, reader_config
from consumer.kafka.topic_ids import TopicIds
from consumer.state.pace import Pace
from consumer.state.reader import OUT_OF_RANGE, Slice, take

if TYPE_CHECKING:
    from consumer.ports.inputs import TopicSeen
    from consumer.settings import Settings
    from consumer.state.topic import StateTopic

SLICE_RECORDS_MAX: Final = 250
"""How many records are taken at once. They keep the interpreter from other threads for a millisecond, and the file for
a few."""
BATCH_RECORDS_MAX: Final = 2000
"""How many records are read before they are handed on, unless FLUSH_SECONDS are over first."""
FLUSH_SECONDS: Final = 1.0
CHECK_SECONDS: Final = 10.0
"""How often to ask where the partitions end, and how many there are."""
ASK_SECONDS: Final = 5.0
AGAIN_SECONDS: Final = 10.0
FETCH_LIMITS: Final = {
    "fetch.wait.max.ms": 1000,
    "fetch.min.bytes": 65_536,
    "fetch.max.bytes": 1_048_576,
    "max.partition.fetch.bytes": 262_144,
    "queued.max.messages.kbytes": 1024,
    "queued.min.messages": 1000,
    "fetch.queue.backoff.ms": 50,
}
"""With these, an idle broker gets one request a second, and one or two megabytes wait in the client."""

log = logging.getLogger("consumer.state")


class Following(NamedTuple):
    """A partition that is followed, from an offset on."""

    partition: int
    offset: int | None
    """None: from the partition's beginning."""
    number: int
    """A new one each time that the partition is followed, so that what comes late of an earlier time is recognized."""


Piece = Mapping[Following, Slice]
"""What was read at once, by partition."""


class Listener(Protocol):
    """Gets what the follower reads and finds out (standby.py). Each method is called in the state's thread."""

    def take(self, pieces: list[Piece]) -> None:
        """Take records, in their order. Call `Follower.taken` when the file has them."""

    def ends_are(self, ends: Mapping[Following, int], asked_seconds: int) -> None:
        """Take where partitions ended. `asked_seconds`: when that was asked, in seconds since the epoch."""

    def topic_has(self, partitions: int) -> None:
        """Take how many partitions the topic has."""

    def made_again(self) -> None:
        """The topic was deleted and made again; nothing is followed any more."""

    def not_read(self, problem: str) -> None:
        """The topic can't be read, for this reason; it is tried again."""

    def read_again(self) -> None:
        """The topic can be read."""

    def start_over(self) -> None:
        """What was read and not yet taken is lost: say once more from where on to follow."""


class Follower:
    """Reads the partitions that are wanted, until it is stopped."""

    def __init__(
        self,
        settings: Settings,
        ask: Callable[[Callable[[], None]], None],
        listener: Listener,
        explain: Callable[[KafkaError], str],
    ) -> None:
        """`ask` runs a function in the state's thread. `explain` makes a message of an error of the topic."""
        self._settings = settings
        self._ask = ask
        self._explain = explain
        self._listener = listener
        self._topic_ids = TopicIds(settings)
        self._pace = Pace(settings.standby_records_per_second_max)
        self._slice_records = min(SLICE_RECORDS_MAX, settings.standby_records_per_second_max // 4)
        self._wanted: Mapping[int, Following] = {}
        self._assigned: dict[int, Following] = {}
        self._positions: dict[int, int] = {}
        self._failing: dict[int, KafkaError] = {}
        """The client's last error on each partition, until something of the partition is read."""
        self._check_at = 0.0
        self._changed = threading.Event()
        self._taken = threading.Event()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="standby", daemon=True)

    def start(self, topic: StateTopic) -> None:
        """Start the thread."""
        self._topic = topic
        self._thread.start()

    def want(self, following: Mapping[int, Following]) -> None:
        """Follow these partitions and no others."""
        self._wanted = following
        self._changed.set()

    def taken(self) -> None:
        """What was handed on is in the file, or is not wanted: go on reading."""
        self._taken.set()

    def stop(self) -> None:
        """End the thread, without waiting for it."""
        self._stopping.set()
        self._changed.set()
        self._taken.set()

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._follow()
            except Exception as error:  # noqa: BLE001  not even a bug in here may end the delivery
                self._tell(partial(self._listener.not_read, f"{self._topic.name}: {error_text(error) or repr(error)}"))
                self._stopping.wait(AGAIN_SECONDS)
                self._tell(self._listener.start_over)

    def _tell(self, told: Callable[[], None]) -> None:
        if not self._stopping.is_set():
            self._ask(told)

    def _follow(self) -> None:
        self._topic_ids.start()
        consumer: Consumer | None = None
        self._assigned = {}
        try:
            while True:
                self._changed.clear()
                if self._stopping.is_set():  # after clear(), since stop() sets both
                    break
                if wanted := self._wanted:
                    consumer = consumer or self._consumer()
                    self._assign(consumer, wanted)
                    self._turn(consumer)
                    continue
                if consumer is not None:
                    consumer.close()
                    consumer, self._assigned = None, {}
                self._changed.wait()
        finally:
            if consumer is not None:
                consumer.close()

    def _consumer(self) -> Consumer:
        config = reader_config(self._settings) | FETCH_LIMITS
        config |= {
            "client.id": f"{config['client.id']}-standby",  # so that a quota on it does not slow down the delivery
            "client.rack": "",  # read from leaders, like all of the state
            "error_cb": _raise_if_fatal,
        }
        return Consumer(config, logger=logging.getLogger("librdkafka"))

    def _assign(self, consumer: Consumer, wanted: Mapping[int, Following]) -> None:
        topic = self._topic.name
        gone = [number for number, following in self._assigned.items() if wanted.get(number) != following]
        if gone:
            consumer.incremental_unassign([TopicPartition(topic, number) for number in gone])
        for number in gone:
            del self._assigned[number]
            self._failing.pop(number, None)
        new = [following for number, following in wanted.items() if number not in self._assigned]
        if new:
            starts = [OFFSET_BEGINNING if one.offset is None else one.offset for one in new]
            where = zip(new, starts, strict=True)
            consumer.incremental_assign([TopicPartition(topic, one.partition, start) for one, start in where])
            self._check_at = 0.0
        for one in new:
            self._assigned[one.partition] = one
            self._positions[one.partition] = one.offset or 0

    def _turn(self, consumer: Consumer) -> None:
        if pieces := self._gather(consumer):
            self._taken.clear()
            while not self._stopping.is_set() and self._seen() is None:
                self._stopping.wait(AGAIN_SECONDS)
            self._tell(partial(self._listener.take, pieces))
            self._taken.wait()
        if not self._stopping.is_set() and time.monotonic() >= self._check_at:
            self._check_at = time.monotonic() + CHECK_SECONDS
            self._check(consumer)

    def _gather(self, consumer: Consumer) -> list[Piece]:
        """Read until FLUSH_SECONDS are over, with rests that keep to the pace."""
        pieces: list[Piece] = []
        records = 0
        until = time.monotonic() + FLUSH_SECONDS
        while records < BATCH_RECORDS_MAX and not self._changed.is_set():
            if (seconds := until - time.monotonic()) <= 0:
                break
            messages = consumer.consume(self._slice_records, seconds)
            if piece := self._piece_of(messages):
                pieces.append(piece)
            records += len(messages)
            self._stopping.wait(self._pace.seconds_until_next(len(messages), time.monotonic()))
        return pieces

    def _piece_of(self, messages: list[Message]) -> Piece:
        piece: dict[Following, Slice] = {}
        for message in messages:
            number, error = message.partition(), message.error()
            following = self._assigned.get(number) if number is not None else None
            if error is not None and is_fatal(error):
                raise KafkaException(error)
            if number is None or following is None:
                continue
            if error is None:
                take(piece.setdefault(following, Slice()), message)
            elif error.code() == KafkaError._PARTITION_EOF:
                if (message.offset() or 0) > self._positions[number]:  # compaction and transactions leave gaps
                    piece.setdefault(following, Slice()).next_offset = message.offset() or 0
            elif error.code() in OUT_OF_RANGE:
                piece.setdefault(following, Slice()).out_of_range = True
            else:
                self._failing[number] = error
                continue
            self._failing.pop(number, None)
        for following, part in piece.items():
            self._positions[following.partition] = max(self._positions[following.partition], part.next_offset)
        return piece

    # ------------------------------------------------------------------ the topic

    def _seen(self) -> TopicSeen | None:
        """What the cluster says of the topic, if it still is the one that the file follows.

        Then what was read until now is of that topic, too. None if it is another one, or if no broker says.
        """
        name = self._topic.name
        try:
            told = self._topic_ids.seen([name], ASK_SECONDS)
        except KafkaException as error:
            self._not_read(error.args[0])
            return None
        seen = told.known.get(name)
        if seen is None or seen.partitions is None:
            self._not_read(told.errors.get(name) or KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
            return None
        if seen.topic_id != self._topic.topic_id:
            self._tell(self._listener.made_again)
            self.stop()
            return None
        return seen

    def _check(self, consumer: Consumer) -> None:
        """Report where the partitions end, how many there are, and whether they can be read."""
        if (seen := self._seen()) is None:
            return
        self._tell(partial(self._listener.topic_has, seen.partitions or 0))
        asked_seconds = int(time.time())
        ends, errors = self._ends(consumer, self._assigned.keys() - seen.leaderless)
        found = {self._assigned[number]: end for number, end in ends.items()}
        self._tell(partial(self._listener.ends_are, found, asked_seconds))
        errors += [KafkaError(KafkaError.LEADER_NOT_AVAILABLE)] if self._assigned.keys() & seen.leaderless else []
        errors += [error for number, error in self._failing.items() if ends.get(number) != self._positions[number]]
        if errors:
            self._not_read(errors[0])
        else:
            self._tell(self._listener.read_again)

    def _ends(self, consumer: Consumer, numbers: Iterable[int]) -> tuple[dict[int, int], list[KafkaError]]:
        """Where these partitions end, and errors. Each must have a leader, or the client would wait in vain for one."""
        where = [TopicPartition(self._topic.name, number, OFFSET_END) for number in numbers]
        try:
            answers = consumer.offsets_for_times(where, timeout=ASK_SECONDS) if where else []
        except KafkaException as error:
            return {}, [error.args[0]]
        ends = {answer.partition: answer.offset for answer in answers if answer.error is None and answer.offset >= 0}
        return ends, [answer.error for answer in answers if answer.error is not None]

    def _not_read(self, error: KafkaError) -> None:
        self._tell(partial(self._listener.not_read, self._explain(error)))


def _raise_if_fatal(error: KafkaError) -> None:
    if is_fatal(error):
        raise KafkaException(error)
