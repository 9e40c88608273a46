"""Partitions into one order: by the times of the records, and nobody is waited for longer than the wait."""

from __future__ import annotations

from typing import Final

from hypothesis import given
from hypothesis import strategies as st

from consumer.rekey.merge import BEHIND_SECONDS_MAX, Merge
from consumer.sequencing.events import Partition, Record

TOPIC: Final = "segment-events"
WAIT: Final = 1.0
A, B, C = (Partition(TOPIC, number) for number in range(3))
WALL_MS: Final = 1_000_000


def record(partition: Partition, offset: int, time_ms: int, fetched_at: float = 0.0) -> Record:
    """A record of that time."""
    return Record(partition, offset, time_ms, None, b"", None, fetched_at, 10)


def merge_of(*partitions: Partition, now: float = 0.0, wait: float = WAIT) -> Merge:
    """One that reads these from their beginning."""
    merge = Merge(wait)
    for partition in partitions:
        merge.assigned(partition, 0, now)
    return merge


def taken(merge: Merge, now: float) -> list[tuple[int, int]]:
    """All that may go now: partition and offset."""
    found = []
    while (head := merge.head(now)) is not None:
        merge.pop(head, now)
        found.append((head.partition.number, head.offset))
    return found


def test_the_oldest_of_all_partitions_goes_first() -> None:
    """Whatever was fetched first."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10), record(A, 1, 30)], WALL_MS)
    merge.add([record(B, 0, 20), record(B, 1, 40)], WALL_MS)
    assert [(0, 0), (1, 0), (0, 1)] == taken(merge, 0.0)


def test_an_empty_partition_is_waited_for_as_long_as_the_wait() -> None:
    """It may still bring an older record."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10, fetched_at=5.0)], WALL_MS)
    assert [] == taken(merge, 5.0 + WAIT - 0.001)
    assert [B] == merge.waited_for()
    assert [(0, 0)] == taken(merge, 5.0 + WAIT)


def test_the_wait_counts_from_when_the_partition_ran_empty() -> None:
    """A backlog lies here for longer than the wait; its records still wait for those that are on their way."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10), record(A, 1, 30), record(B, 0, 20)], WALL_MS)
    assert [(0, 0), (1, 0)] == taken(merge, 60.0)
    assert [] == taken(merge, 60.0 + WAIT - 0.001)
    merge.add([record(B, 1, 25, fetched_at=60.5)], WALL_MS)
    assert [(1, 1)] == taken(merge, 60.5)
    assert [(0, 1)] == taken(merge, 60.5 + WAIT)


def test_a_log_that_has_ended_is_not_waited_for() -> None:
    """What is appended after the question is newer than what was fetched before it."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10, fetched_at=5.0), record(A, 1, 20, fetched_at=6.0)], WALL_MS)
    merge.ended({B: 0}, asked_at=5.5)
    assert [(0, 0)] == taken(merge, 5.6)
    merge.ended({B: 0}, asked_at=6.0)
    assert [(0, 1)] == taken(merge, 6.0)


def test_a_log_that_goes_on_is_waited_for() -> None:
    """Its records are on their way, and may be older."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10, fetched_at=5.0)], WALL_MS)
    merge.ended({B: 1}, asked_at=5.5)
    assert [] == taken(merge, 5.6)
    merge.add([record(B, 0, 5, fetched_at=5.7)], WALL_MS)
    assert [(1, 0)] == taken(merge, 5.7)


def test_a_log_that_goes_on_is_waited_for_longer_while_its_leader_says_so() -> None:
    """A fetch may take seconds; a leader that says so and never gives the records holds back the others for 30 s."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10, fetched_at=0.0)], WALL_MS)
    for moment in range(60):
        merge.ended({B: 1}, asked_at=moment / 2)
        assert [] == taken(merge, moment / 2 + 0.4)
    merge.ended({B: 1}, asked_at=BEHIND_SECONDS_MAX + 5)
    assert [(0, 0)] == taken(merge, BEHIND_SECONDS_MAX + WAIT)


def test_markers_of_transactions_at_the_end_of_a_log_are_no_records_on_their_way() -> None:
    """The log ends behind them, and so does what is read."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10, fetched_at=5.0)], WALL_MS)
    merge.read_to(B, 3)
    merge.ended({B: 3}, asked_at=5.0)
    assert [(0, 0)] == taken(merge, 5.0)


def test_a_partition_without_a_leader_holds_back_nobody_for_longer() -> None:
    """Nobody says where it ends, and each record waits for the wait from when it was fetched."""
    merge = merge_of(A, B, C)
    merge.add([record(A, 0, 10, fetched_at=5.0), record(B, 0, 20, fetched_at=5.5)], WALL_MS)
    merge.ended({A: 1, B: 1}, asked_at=6.0)
    assert [(0, 0)] == taken(merge, 6.0)
    assert [(1, 0)] == taken(merge, 6.5)


def test_the_time_of_the_next_record_is_told_as_it_is() -> None:
    """Also of one that claims to be of the future; of a partition of which nothing waits, or that is gone, none."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, WALL_MS + 60_000), record(A, 1, 10)], WALL_MS)
    assert [WALL_MS + 60_000, None, None] == [merge.oldest_ms(one) for one in (A, B, C)]


def test_times_that_go_backwards_in_a_partition_change_nothing_of_its_order() -> None:
    """Within a partition the order of the log is the order."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 50), record(A, 1, 10), record(B, 0, 20), record(B, 1, 90)], WALL_MS)
    assert [(1, 0), (0, 0), (0, 1)] == taken(merge, 0.0)


def test_a_record_of_the_future_holds_back_its_partition_for_the_wait_at_most() -> None:
    """A producer's clock may be a year ahead."""
    merge = merge_of(A, B)
    year_ms = 365 * 86_400_000
    merge.add([record(A, 0, WALL_MS + year_ms), record(A, 1, WALL_MS)], WALL_MS)
    merge.add([record(B, 0, WALL_MS + 999), record(B, 1, WALL_MS + 1001)], WALL_MS + 1)
    assert [(1, 0), (0, 0), (0, 1)] == taken(merge, 0.0)


def test_what_is_set_aside_lets_the_others_go_on_and_keeps_its_order() -> None:
    """Its schema is asked for meanwhile."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10), record(A, 1, 20), record(B, 0, 30), record(B, 1, 40)], WALL_MS)
    merge.set_aside(A, 0.0)
    assert [] == taken(merge, WAIT / 2)
    assert [(1, 0), (1, 1)] == taken(merge, WAIT)
    assert [B] == merge.waited_for()
    merge.take_back(A)
    assert [] == taken(merge, WAIT)
    assert [(0, 0), (0, 1)] == taken(merge, 2 * WAIT)


def test_a_partition_that_is_gone_leaves_nothing() -> None:
    """What waits of it is read again by its next owner, and nobody waits for it."""
    merge = merge_of(A, B)
    merge.add([record(A, 0, 10), record(B, 0, 20)], WALL_MS)
    merge.gone(A)
    assert (1, 10) == (merge.records, merge.size_bytes)
    assert [(1, 0)] == taken(merge, 0.0)
    merge.assigned(A, 0, 0.0)
    merge.add([record(A, 0, 10)], WALL_MS)
    assert 1 == merge.records


def test_without_a_wait_the_order_is_that_of_arrival() -> None:
    """CUSTOMFIT_REKEY_WAIT_SECONDS=0: what is there goes, the oldest first."""
    merge = merge_of(A, B, wait=0.0)
    merge.add([record(A, 0, 10, fetched_at=1.0)], WALL_MS)
    assert [(0, 0)] == taken(merge, 1.0)


@given(
    st.lists(st.tuples(st.sampled_from([A, B, C]), st.integers(0, 1000)), max_size=60),
    st.lists(st.integers(1, 20), max_size=20),
)
def test_logs_that_are_ordered_by_time_come_out_in_order(
    events: list[tuple[Partition, int]], fetches: list[int]
) -> None:
    """However they are fetched, as long as each comes within the wait."""
    logs: dict[Partition, list[Record]] = {A: [], B: [], C: []}
    for partition, time_ms in sorted(events, key=lambda one: one[1]):
        logs[partition].append(record(partition, len(logs[partition]), time_ms, 0.0))
    merge = merge_of(A, B, C)
    out: list[int] = []

    def take() -> None:
        while (head := merge.head(0.5)) is not None:
            merge.pop(head, 0.5)
            out.append(head.timestamp_ms)

    left = {partition: list(log) for partition, log in logs.items()}
    for turn, count in enumerate([*fetches, 60, 60, 60]):
        partition = (A, B, C)[turn % 3]
        some, left[partition] = left[partition][:count], left[partition][count:]
        merge.add(some, WALL_MS)
        merge.ended({p: len(logs[p]) for p in logs}, asked_at=0.5)
        take()
    assert sorted(time_ms for _, time_ms in events) == out
    assert 0 == merge.records == merge.size_bytes
