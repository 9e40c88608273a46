"""In which order the loop is told of what one poll has brought."""

from __future__ import annotations

from confluent_kafka import KafkaError, Message

from consumer.kafka.source import Source
from consumer.ports.inputs import AccessDenied, Fetched, Input
from consumer.sequencing.events import Partition
from tests.settings.given_settings import load

P0, P1 = Partition("segment-events", 0), Partition("segment-events", 1)


def message(partition: Partition, offset: int, error: int | None = None) -> Message:
    """As the client gives it."""
    said = None if error is None else KafkaError(error)
    return Message(topic=partition.topic, partition=partition.number, offset=offset, value=b"{}", error=said)


def handed_over(*messages: Message) -> list[Input]:
    """What is posted, if all of it comes with one poll."""
    posted: list[Input] = []
    source = Source(load(), posted.append)
    source._assigned |= {P0, P1}
    source._hand_over(list(messages))
    return posted


def test_a_denial_comes_behind_the_records_that_came_before_it() -> None:
    """Or they would count as read after it, and take it back; the client names it once (/readyz said ready)."""
    denied = KafkaError.TOPIC_AUTHORIZATION_FAILED
    end = KafkaError._PARTITION_EOF
    before, denial, after = handed_over(message(P0, 7), message(P0, 8, end), message(P1, 3, denied), message(P1, 4))

    assert isinstance(before, Fetched)
    assert isinstance(denial, AccessDenied)
    assert isinstance(after, Fetched)
    assert ([7], {P0: 8}) == ([record.offset for record in before.records], before.ends)
    assert [4] == [record.offset for record in after.records]
    assert P0.topic == denial.what


def test_what_one_poll_has_brought_is_told_at_once() -> None:
    """Of all partitions."""
    [fetched] = handed_over(message(P0, 7), message(P1, 3), message(P0, 8))

    assert isinstance(fetched, Fetched)
    assert [(P0, 7), (P1, 3), (P0, 8)] == [(record.partition, record.offset) for record in fetched.records]
