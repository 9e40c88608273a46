"""The writer of receipts: told together what is acknowledged, tried again what is not, and never ahead of the topic."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError, KafkaException

from consumer.ports.inputs import Input, Receipted, ReceiptFailed
from consumer.receipts.receipt import decode_receipt
from consumer.receipts.writer import Receipts
from consumer.sequencing.actions import WriteReceipt
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Event, Kind, Partition, Record, User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.offsets import OffsetTracker
from tests.settings.given_settings import load

PARTITIONS = 4


class Client:
    """Takes receipts, and acknowledges none before it is told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[int, bytes, Callable[..., None]]] = []
        self.room = 1000

    def produce(self, _topic: str, value: bytes, *, partition: int, on_delivery: Callable[..., None]) -> None:
        if not self.room:
            raise BufferError
        self.room -= 1
        self.taken.append((partition, value, on_delivery))

    def __len__(self) -> int:
        return len(self.taken)

    def answer(self, error: KafkaError | None = None) -> None:
        """The broker has answered all of them."""
        taken, self.taken = self.taken, []
        for _, _, on_delivery in taken:
            on_delivery(error, None)


class Writer(Receipts):
    """Without its thread."""

    def __init__(self) -> None:
        self.posted: list[Input] = []
        super().__init__(load(receipt_topic="receipts"), self.posted.append)
        self.client = Client()
        self._producer: Any = self.client
        self._partitions = PARTITIONS
        self.asked = 0
        """How often it was asked how many partitions the topic has."""
        self.topic_is_gone = False

    def _partition_count(self) -> int:
        self.asked += 1
        if self.topic_is_gone:
            raise KafkaException(KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART))
        return PARTITIONS

    def turn(self) -> None:
        """What its thread does, without waiting for time to try again."""
        self._try_again()
        while not self._requests.empty():
            self._take(self._requests.get(), 1234)
        self._produce_waiting()
        self._report()


def receipt(number: int, offset: int) -> WriteReceipt:
    """Of one event of this partition."""
    partition = Partition("events", number)
    event = Event(Record(partition, offset, 0, None, b"{}"), Kind.TRACK, User("ann"), f"m{offset}", "")
    return WriteReceipt(Lane(Assignment(partition, OffsetTracker(0)), event.user, True), [event], 200)


def test_all_that_is_acknowledged_meanwhile_is_told_at_once_and_nothing_before() -> None:
    """The loop has a turn for each word."""
    writer = Writer()
    receipts = [receipt(0, 1), receipt(5, 2)]
    writer.write(receipts[:1])
    writer.write(receipts[1:])
    writer.turn()

    assert ([], [0, 1]) == (writer.posted, [partition for partition, _, _ in writer.client.taken])

    writer.client.answer()
    writer.turn()

    [told] = writer.posted
    assert isinstance(told, Receipted)
    assert receipts == list(told.actions)


def test_what_the_topic_does_not_take_is_told_once_and_tried_again() -> None:
    """For as long as it takes."""
    writer = Writer()
    receipts = [receipt(0, 1), receipt(0, 2)]
    writer.write(receipts)
    writer.turn()
    writer.client.answer(KafkaError(KafkaError.NOT_ENOUGH_REPLICAS))
    writer._report()

    [problem] = writer.posted
    assert isinstance(problem, ReceiptFailed)
    assert problem.detail.startswith("receipts: ")

    writer.turn()
    writer.client.answer()
    writer._report()

    told = writer.posted[-1]
    assert isinstance(told, Receipted)
    assert receipts == list(told.actions)


def test_what_the_client_has_no_room_for_waits_in_order() -> None:
    """Nothing is dropped, and nothing is told."""
    writer = Writer()
    writer.client.room = 1
    writer.write([receipt(0, 1), receipt(0, 2), receipt(0, 3)])
    writer.turn()

    assert ([1], []) == ([decode_receipt(value).offsets[0] for _, value, _ in writer.client.taken], writer.posted)

    writer.client.room = 2
    writer.turn()

    assert [1, 2, 3] == [decode_receipt(value).offsets[0] for _, value, _ in writer.client.taken]


def test_where_receipts_begin_is_written_first_and_answers_nobody() -> None:
    """It stands before the receipts of its assignment."""
    writer = Writer()
    writer.begin(Assignment(Partition("events", 2), OffsetTracker(7)))
    writer.write([receipt(2, 7)])
    writer.turn()

    assert [[], [7]] == [decode_receipt(value).offsets for _, value, _ in writer.client.taken]
    assert 7 == decode_receipt(writer.client.taken[0][1]).begins

    writer.client.answer()
    writer.turn()

    assert [1] == [len(told.actions) for told in writer.posted if isinstance(told, Receipted)]


def test_where_the_topic_is_gone_one_question_is_asked_for_all_that_wait() -> None:
    """Each may take seconds, and nobody would hear of the problem, or of a stop, before the last of them."""
    writer = Writer()
    receipts = [receipt(0, offset) for offset in range(50)]
    writer.topic_is_gone = True
    writer.write(receipts)
    writer.turn()

    assert (1, [ReceiptFailed]) == (writer.asked, [type(told) for told in writer.posted])

    writer.topic_is_gone = False
    writer.turn()
    writer.client.answer()
    writer._report()

    told = writer.posted[-1]
    assert isinstance(told, Receipted)
    assert receipts == list(told.actions)


def test_what_belongs_to_a_partition_that_went_is_not_tried_again() -> None:
    """Nobody waits for it; with each rebalance while the topic is away there would be more of it."""
    writer = Writer()
    gone, ours = receipt(1, 1), receipt(2, 2)
    beginning = Assignment(Partition("events", 1), OffsetTracker(0))
    writer.begin(beginning)
    writer.write([gone, ours])
    writer.turn()
    writer.client.answer(KafkaError(KafkaError.NOT_ENOUGH_REPLICAS))
    beginning.dropped = gone.lane.assignment.dropped = True
    writer.turn()

    assert [[2]] == [decode_receipt(value).offsets for _, value, _ in writer.client.taken]


def test_a_receipt_that_is_too_large_for_its_topic_goes_without_insert_ids() -> None:
    """Or its offset would wait for ever."""
    writer = Writer()
    writer.write([receipt(0, 1)])
    writer.turn()
    writer.client.answer(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE))
    writer.turn()

    [(_, value, _)] = writer.client.taken
    assert ([1], []) == (decode_receipt(value).offsets, decode_receipt(value).insert_ids)
