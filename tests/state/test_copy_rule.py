"""What is copied of a user from another state topic, and into which partition."""

from __future__ import annotations

import sqlite3

import pytest

from consumer.kafka.murmur2 import partition_of
from consumer.sequencing.events import User
from consumer.state.copy_rule import Copied, Word, copied
from consumer.state.copy_words import SOURCE, TARGET, Said, Words
from consumer.state.copying import PartitionCopy, Places, plan

SIX = Places(6, 6)
BY_ID = Places(6, 4)


def identified(at_ms: int, partition: int = 1) -> Word:
    """At that time."""
    return Word(partition, at_ms, True)


def forgotten(at_ms: int, partition: int = 1) -> Word:
    """At that time."""
    return Word(partition, at_ms, False)


def of(source: list[Word], target: list[Word], places: Places = SIX) -> list[Word]:
    """What is written of ann."""
    return list(copied(source, target, lambda word: places.of("ann", word)).writes)


@pytest.mark.parametrize(
    ("source", "target", "written"),
    [
        ([identified(10)], [], [identified(10)]),
        ([identified(10)], [identified(20)], []),
        ([identified(20)], [identified(10)], []),
        ([identified(20)], [forgotten(10)], [identified(20)]),
        ([identified(10)], [forgotten(10)], []),
        ([identified(10)], [forgotten(20)], []),
        ([forgotten(20)], [identified(10)], [forgotten(20)]),
        ([forgotten(20)], [identified(20)], [forgotten(20)]),
        ([forgotten(10)], [identified(20)], []),
        ([forgotten(10)], [forgotten(20)], []),
        ([forgotten(20)], [forgotten(10)], []),
        ([forgotten(10)], [], []),
        ([], [identified(10)], []),
    ],
)
def test_what_is_newer_stands(source: list[Word], target: list[Word], written: list[Word]) -> None:
    """Nothing older is written over it, and what says the same is not written again."""
    assert written == of(source, target)


def test_a_user_who_moved_is_copied_to_each_partition() -> None:
    """Since partitions were added; what still waits in the old one needs its entry there."""
    assert [identified(20, 1), identified(20, 5)] == of([identified(10, 1), identified(20, 5)], [])


@pytest.mark.parametrize("where", ["source", "target"])
def test_a_deletion_in_one_partition_counts_for_all(where: str) -> None:
    """The user had moved when they were deleted, and their old entry is still there."""
    source, target = [identified(10, 1)], [forgotten(20, 5)]
    if where == "source":
        source, target = [*source, *target], []

    assert [] == of(source, target)
    assert [identified(30, 1)] == of([*source, identified(30, 1)], target)


def test_a_user_whom_the_group_itself_has_identified_since_is_not_forgotten() -> None:
    """Although an older entry in another partition is from before the deletion."""
    assert [] == of([forgotten(20)], [identified(10, 1), identified(30, 5)])


def test_the_deletion_of_a_user_who_moved_reaches_all_entries_that_are_older() -> None:
    """Those that an earlier copy made."""
    assert [forgotten(20, 1), forgotten(20, 5)] == of([forgotten(20, 5)], [identified(10, 1), identified(15, 5)])


def test_with_another_number_of_partitions_the_id_decides() -> None:
    """And the newest of several entries is the one that is copied."""
    place = partition_of(b"ann", 6)

    assert [identified(20, place)] == of([identified(10, 1), identified(20, 3)], [], BY_ID)
    assert Copied([], [place]) == copied([identified(10)], [identified(5, place)], lambda w: BY_ID.of("ann", w))


def test_a_copy_that_is_made_again_writes_nothing() -> None:
    """Whatever the two topics say: what the first one wrote is what the second one finds."""
    moments = [None, *(kind(at) for kind in (identified, forgotten) for at in (10, 20, 30))]
    for places in (SIX, BY_ID):
        for one in moments:
            for other in moments:
                for stands in moments:
                    source = [w for w in (one, other and other._replace(partition=3)) if w]
                    target = {stands.partition: stands} if stands else {}
                    for word in of(source, list(target.values()), places):
                        target[word.partition] = word

                    assert [] == of(source, list(target.values()), places), (one, other, stands)


@pytest.mark.parametrize(
    ("key", "hashed"),
    [(b"21", -973932308), (b"foobar", -790332482), (b"a-little-bit-long-string", -985981536),
     (b"a-little-bit-longer-string", -1486304829), (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
     (b"abc", 479470107)],
)  # fmt: skip
def test_keys_are_hashed_as_in_java(key: bytes, hashed: int) -> None:
    """The numbers are those of Apache Kafka's own UtilsTest."""
    assert [(hashed & 0x7FFFFFFF) % count for count in (1, 6, 1000)] == [partition_of(key, n) for n in (1, 6, 1000)]


def test_the_last_record_of_a_partition_counts() -> None:
    """And users are given one after the other, with what both topics say."""
    with Words() as words:
        words.add([("bob", False, SOURCE, 0, 10, True), ("ann", False, SOURCE, 0, 30, True)])
        words.add([("ann", True, TARGET, 1, 5, True), ("ann", False, SOURCE, 0, 20, False)])
        found = list(words.of_each_user())

    assert [
        Said(User("ann"), [forgotten(20, 0)], []),
        Said(User("ann", anonymous=True), [], [identified(5, 1)]),
        Said(User("bob"), [identified(10, 0)], []),
    ] == found


def test_the_plan_counts_users_by_partition() -> None:
    """Of the target, those too that get nothing."""
    with Words() as words:
        words.add([(f"user{number}", False, SOURCE, number % 2, 10, number != 4) for number in range(5)])
        words.add([("user0", False, TARGET, 0, 10, True), ("user4", False, TARGET, 0, 5, True)])

        assert [PartitionCopy(0, 1, 1, 1), PartitionCopy(1, 2, 0, 0), PartitionCopy(2, 0, 0, 0)] == plan(
            words, Places(3, 3), lambda: None
        )


def test_words_are_in_a_file_that_is_gone_at_the_end() -> None:
    """It has no name, so whatever ends the process leaves nothing behind."""
    with Words() as words:
        assert [(0, "main", "")] == words._db.execute("PRAGMA database_list").fetchall()
    with pytest.raises(sqlite3.ProgrammingError):
        list(words.of_each_user())
