"""Offsets: what may be committed, by example and against a naive model."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.sequencing.commit_metadata import decode
from consumer.sequencing.offset_log import SLACK
from consumer.sequencing.offsets import OffsetTracker
from tests.sequencing.given_offsets import CLUSTER, tracker

# ---------------------------------------------------------------------- committable


def test_nothing_is_committable_before_anything_came() -> None:
    """Without a record the start stays what is committed."""
    offsets = OffsetTracker(7)

    assert (7, 7, 7) == (offsets.committable(), offsets.position, offsets.committed_offset)
    assert offsets.is_committed


def test_committable_is_below_the_first_unfinished() -> None:
    """What is finished behind an unfinished record does not move the offset."""
    offsets = tracker(0, 1, 2, 3, finished=(1, 3))

    assert 0 == offsets.committable()

    offsets.finished(0)

    assert 2 == offsets.committable()

    offsets.finished(2)

    assert 4 == offsets.committable()


def test_gaps_count_as_nothing() -> None:
    """Compacted records and transaction markers are never received, and hold nothing back."""
    offsets = tracker(3, 7, 12, start=0, finished=(3,))

    assert 7 == offsets.committable()

    offsets.finished(7)
    offsets.finished(12)

    assert 13 == offsets.committable()


def test_the_end_of_the_log_is_committable_when_all_is_finished() -> None:
    """Behind the last record there may be a marker: without it the lag would stay 1 for ever."""
    offsets = tracker(0, 1, finished=(0,))
    offsets.reached_end(3)

    assert 1 == offsets.committable()

    offsets.finished(1)

    assert 3 == offsets.committable()


def test_an_end_that_was_passed_changes_nothing() -> None:
    """A late word about the end does not turn the position back."""
    offsets = tracker(0, 1, 2)
    offsets.reached_end(1)

    assert 3 == offsets.position


def test_offsets_only_rise() -> None:
    """A record that was fetched twice in one assignment is a fault of the program."""
    offsets = tracker(5)

    with pytest.raises(AssertionError, match="offset 5 after position 6"):
        offsets.received(5, 0)


def test_a_record_is_finished_once() -> None:
    """Finishing twice, or what never came, is a fault of the program."""
    offsets = tracker(5, finished=(5,))

    with pytest.raises(AssertionError, match="offset 5 was finished before"):
        offsets.finished(5)
    with pytest.raises(AssertionError, match="offset 4 was not received"):
        offsets.finished(4)


# ---------------------------------------------------------------------- committed


def test_what_is_committed_is_counted_as_recorded() -> None:
    """Finished and not in an acknowledged commit: that much would be sent again after a crash."""
    offsets = tracker(0, 1, 2, 3, finished=(0, 2))

    assert (2, 2) == (offsets.unrecorded, offsets.unfinished)

    point = offsets.commit_point()
    offsets.committed(point)

    assert (1, 0) == (offsets.committed_offset, offsets.unrecorded)
    assert offsets.is_committed

    offsets.finished(3)

    assert 1 == offsets.unrecorded
    assert not offsets.is_committed


def test_a_commit_under_way_does_not_count_what_came_later() -> None:
    """Only what the point said is committed when it is acknowledged."""
    offsets = tracker(0, 1, 2, finished=(0,))
    point = offsets.commit_point()
    offsets.finished(1)
    offsets.committed(point)

    assert (1, 2, 1) == (offsets.committed_offset, offsets.committable(), offsets.unrecorded)


def test_a_commit_never_goes_back() -> None:
    """An older point after a newer one is a fault of the program."""
    offsets = tracker(0, 1, finished=(0,))
    old = OffsetTracker(0).commit_point()
    offsets.committed(offsets.commit_point())

    with pytest.raises(AssertionError, match="commit of 0 after 1"):
        offsets.committed(old)


def test_the_oldest_uncommitted_record_gives_the_lag_in_seconds() -> None:
    """Finished or not: until it is committed it is behind."""
    offsets = tracker(3, 4, start=3, finished=(3,))

    assert 3000 == offsets.oldest_uncommitted_ms()

    offsets.committed(offsets.commit_point())

    assert 4000 == offsets.oldest_uncommitted_ms()

    offsets.finished(4)
    offsets.committed(offsets.commit_point())

    assert offsets.oldest_uncommitted_ms() is None


def test_one_record_that_fails_for_hours_does_not_keep_the_rest_in_memory() -> None:
    """Finished ones among the pending are let go of in bulk."""
    offsets = tracker(0)
    for offset in range(1, 10 * SLACK):
        offsets.received(offset, 0)
        offsets.finished(offset)

    assert len(offsets._log) <= SLACK + 2
    assert 0 == offsets.committable()

    offsets.finished(0)

    assert 10 * SLACK == offsets.committable()


def test_its_repr_is_for_the_operator() -> None:
    """Committed, committable, position, unfinished."""
    offsets = tracker(0, 1, 2, finished=(0, 2))

    assert "<OffsetTracker committed 0, committable 1, position 3, 1 unfinished>" == repr(offsets)


# ---------------------------------------------------------------------- a partition that comes back


def test_what_was_finished_here_is_not_done_again_when_the_partition_comes_back() -> None:
    """The group took it away before the commit: below the committable offset and among unfinished ones."""
    offsets = tracker(0, 1, 2, 3, 4, finished=(0, 1, 3))
    later = OffsetTracker(0)
    later.finished_here(offsets.uncommitted())

    assert [True, True, False, True, False] == [later.finished_before(offset, offset * 1000) for offset in range(5)]


def test_what_was_finished_here_outlives_a_tenure_that_did_not_come_to_it() -> None:
    """Taken away again before all of it was read: the third tenure knows it still."""
    second = OffsetTracker(0)
    second.finished_here(tracker(0, 1, 2, 3, finished=(0, 1, 3)).uncommitted())
    second.received(0, 0)
    second.finished(0)
    third = OffsetTracker(0)
    third.finished_here(second.uncommitted())

    assert [True, True, False, True] == [third.finished_before(offset, offset * 1000) for offset in range(4)]


def test_a_record_of_another_time_is_another_record() -> None:
    """A topic that was deleted and made again has other records at the same offsets."""
    later = OffsetTracker(0)
    later.finished_here(tracker(0, 1, finished=(0, 1)).uncommitted())

    assert not later.finished_before(0, 77)


# ---------------------------------------------------------------------- against a naive model


class TrackerBesideModel(RuleBasedStateMachine):
    """The tracker beside a model that remembers everything and computes by looking at all of it."""

    @initialize(start=st.integers(0, 5))
    def begin(self, start: int) -> None:
        self.tracker = OffsetTracker(start, cluster_id=CLUSTER)
        self.start = self.position = self.committed = start
        self.events: dict[int, int] = {}
        """Of each record received: how many."""
        self.done: Counter[int] = Counter()
        """Of each record: how many events are finished."""
        self.skipped: Counter[int] = Counter()
        """Of these: how many without being sent."""
        self.recorded = self.told = 0

    @property
    def finished(self) -> set[int]:
        return {offset for offset, events in self.events.items() if self.done[offset] == events}

    @property
    def unfinished(self) -> list[int]:
        return [offset for offset, events in self.events.items() if self.done[offset] < events]

    @property
    def committable(self) -> int:
        return min(self.unfinished, default=self.position)

    @rule(gap=st.sampled_from([0, 0, 0, 1, 5]), events=st.sampled_from([1, 1, 1, 2, 3]))
    def receive(self, gap: int, events: int) -> None:
        offset = self.position + gap
        self.tracker.received(offset, offset, events)
        self.events[offset] = events
        self.position = offset + 1

    @precondition(lambda self: self.unfinished)
    @rule(index=st.integers(0, 50), skipped=st.booleans())
    def finish(self, index: int, *, skipped: bool) -> None:
        offset = self.unfinished[index % len(self.unfinished)]
        self.done[offset] += 1
        self.skipped[offset] += skipped

        assert (self.done[offset] == self.events[offset]) == self.tracker.finished(offset, skipped=skipped)

    @rule(beyond=st.integers(0, 2))
    def reach_end(self, beyond: int) -> None:
        self.tracker.reached_end(self.position + beyond)
        self.position += beyond

    @rule(taken=st.booleans())
    def commit(self, taken: bool) -> None:
        point = self.tracker.commit_point()

        assert self.committable == point.offset
        assert {offset for offset in self.finished if offset >= point.offset} == self.claimed(point.metadata)
        if taken:
            self.tracker.committed(point)
            self.committed = point.offset
            in_part = [offset for offset in self.unfinished if self.done[offset]]
            self.recorded = self.done.total() - sum(self.done[offset] - self.skipped[offset] for offset in in_part)
            self.told = self.done.total()

    def claimed(self, metadata: str) -> set[int]:
        before = decode(metadata, self.committable, CLUSTER).finished_before
        return set() if before is None else {offset for offset in self.events if offset in before}

    @invariant()
    def same(self) -> None:
        assert self.committable == self.tracker.committable()
        assert self.position == self.tracker.position
        assert self.committed == self.tracker.committed_offset
        assert sum(self.events.values()) - self.done.total() == self.tracker.unfinished
        assert self.done.total() - self.recorded == self.tracker.unrecorded
        is_told = self.done.total() == self.told
        assert (is_told and self.committable == self.committed) == self.tracker.is_committed
        uncommitted = [offset for offset in self.events if offset >= self.committed]
        assert min(uncommitted, default=None) == self.tracker.oldest_uncommitted_ms()


TestTrackerBesideModel = TrackerBesideModel.TestCase
TestTrackerBesideModel.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
