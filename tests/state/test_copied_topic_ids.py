"""Which topics of the source's name were read goes along with who is identified."""

from __future__ import annotations

from consumer.sequencing.events import User
from consumer.state.copied_topic_ids import TopicIdNoted, TopicIds, missing, note
from consumer.state.records import StateKey

EARLIER, NOW = "topic-id P2Y6mJ4aQ9OQcWNcJUGD0A", "topic-id VgbRGHI_T0yQv0xk2xq7mQ"


def key(entry: str) -> StateKey:
    """As the state topic has it."""
    return StateKey("source topic events", User(entry))


def of(*entries: tuple[int, str, int, bool]) -> TopicIds:
    """What a state topic says: partition, entry, time, and whether it stands or is deleted."""
    known: TopicIds = {}
    for partition, entry, at_ms, stands in entries:
        note(known, partition, key(entry), at_ms, stands=stands)
    return known


def test_what_the_target_lacks_is_written_to_the_partition_of_the_same_number() -> None:
    """With the time of its original; what was deleted, or is no topic's id, is left out."""
    source = of(
        (0, EARLIER, 10, True), (0, NOW, 20, True), (1, NOW, 21, True), (1, EARLIER, 11, True), (1, EARLIER, 12, False)
    )
    target = of((0, NOW, 30, True), (0, "something else", 30, True))

    assert [TopicIdNoted(0, key(EARLIER), 10), TopicIdNoted(1, key(NOW), 21)] == missing(
        "events", source, target, 2, same=True
    )


def test_where_numbers_of_partitions_differ_each_partition_hears_of_all() -> None:
    """Any of them may have records of any; what stands there already is not written again."""
    source, target = of((3, EARLIER, 10, True)), of((1, EARLIER, 5, True))
    written = missing("events", source, target, 3, same=False)

    assert [0, 2] == [one.partition for one in written]


def test_a_second_copy_writes_nothing() -> None:
    """As of users."""
    source = of((0, EARLIER, 10, True), (1, NOW, 20, True))

    assert [] == missing("events", source, dict(source), 2, same=True)
