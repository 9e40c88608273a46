"""Offsets: what may be committed, by example and against a naive model; and what the metadata says."""

from __future__ import annotations

import random
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from consumer.sequencing.commit_metadata import METADATA_BYTES_MAX, Decoded, FinishedBefore, decode, encode
from consumer.sequencing.offset_log import SLACK
from consumer.sequencing.offsets import OffsetTracker

TOPIC_ID = "P2Y6mJ4aQ9OQcWNcJUGD0A"
CLUSTER = "cluster-1"


def tracker(*offsets: int, start: int = 0, finished: tuple[int, ...] = ()) -> OffsetTracker:
    """A tracker that has received and finished these."""
    made = OffsetTracker(start, cluster_id=CLUSTER)
    for offset in offsets:
        made.received(offset, offset * 1000)
    for offset in finished:
        made.finished(offset)
    return made


def claimed(offsets: OffsetTracker) -> set[int]:
    """What the next owner will take for finished above the committed offset."""
    point = offsets.commit_point()
    before = decode(point.metadata, point.offset, CLUSTER).finished_before
    return set() if before is None else {offset for offset in range(point.offset, before.end) if offset in before}


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


# ---------------------------------------------------------------------- metadata


def test_a_new_owner_s_commit_keeps_what_it_has_not_come_to_yet() -> None:
    """Its first commit says nothing new, and must not take anything back; nor one in the middle."""
    first = tracker(0, 1, 2, 3, 4, 5, 6, 7, finished=(1, 2, 4, 6, 7)).commit_point()
    second = OffsetTracker(0, decode(first.metadata, 0, CLUSTER).finished_before, CLUSTER)
    at_once = second.commit_point()
    for offset in range(3):
        is_done = second.finished_before(offset, 0)
        second.received(offset, 0)
        if is_done:
            second.finished(offset)
    in_the_middle = second.commit_point()
    found = []
    for point in (at_once, in_the_middle):
        before = decode(point.metadata, point.offset, CLUSTER).finished_before
        assert before is not None
        found.append({offset for offset in range(8) if offset in before})

    assert [{1, 2, 4, 6, 7}] * 2 == found
    assert (2, 2) == (in_the_middle.recorded, in_the_middle.finished)


def test_metadata_tells_what_is_finished_above_the_offset() -> None:
    """The next owner finds exactly that, and nothing that was not received."""
    offsets = tracker(0, 1, 2, 3, 4, 5, finished=(0, 2, 3, 5))
    point = offsets.commit_point()

    assert 1 == point.offset
    assert {2, 3, 5} == claimed(offsets)
    assert (4, 4) == (point.recorded, point.finished)


def test_metadata_is_empty_where_nothing_is_finished_above() -> None:
    """A text that says nothing is not worth its bytes."""
    offsets = tracker(0, 1, 2, finished=(0,))

    assert "" == offsets.commit_point().metadata


def test_an_earlier_owner_s_records_are_skipped_until_its_end() -> None:
    """Asked in the order of the log; behind the end the rest is new."""
    earlier = tracker(0, 1, 2, 3, finished=(1, 3))
    point = earlier.commit_point()
    before = decode(point.metadata, point.offset, CLUSTER).finished_before
    later = OffsetTracker(point.offset, before, CLUSTER)

    assert [False, True, False, True, False] == [later.finished_before(offset, 0) for offset in range(5)]
    assert not later.finished_before(5, 0)


def test_what_has_no_room_is_left_out_and_counted() -> None:
    """A broker takes 4096 bytes: the rest of what is finished counts as unrecorded, also after the commit."""
    offsets = OffsetTracker(0, cluster_id=CLUSTER)
    rng = random.Random(1)
    finished = [offset for offset in range(1, 60_000) if rng.random() < 0.5]
    for offset in range(60_000):
        offsets.received(offset, 0)
    for offset in finished:
        offsets.finished(offset)
    point = offsets.commit_point()
    offsets.committed(point)

    assert len(point.metadata) <= METADATA_BYTES_MAX
    assert len(finished) - len(claimed(offsets)) == offsets.unrecorded
    assert 0 < offsets.unrecorded < len(finished)
    assert offsets.is_committed


def test_a_batch_is_finished_with_its_last_event() -> None:
    """Until then its offset holds, and what is finished of it would be sent again after a crash: that is counted."""
    offsets = OffsetTracker(0, cluster_id=CLUSTER)
    offsets.received(0, 0, events=3)
    offsets.received(1, 0)

    assert [False, True, False] == [offsets.finished(0), offsets.finished(1), offsets.finished(0)]
    offsets.committed(offsets.commit_point())
    assert (0, 1, 2) == (offsets.committable(), offsets.unfinished, offsets.unrecorded)
    assert {1} == claimed(offsets)

    assert offsets.finished(0)
    offsets.committed(offsets.commit_point())
    assert (2, 0, 0) == (offsets.committed_offset, offsets.unfinished, offsets.unrecorded)


def test_what_is_skipped_of_a_batch_is_sent_to_nobody_again() -> None:
    """It does not count against what a crash may send again, however long the rest of its batch takes."""
    offsets = OffsetTracker(0, cluster_id=CLUSTER)
    offsets.received(0, 0, events=100)
    for _ in range(98):
        offsets.finished(0, skipped=True)
    offsets.finished(0)
    offsets.committed(offsets.commit_point())

    assert (1, 1) == (offsets.unrecorded, offsets.unfinished)


def test_a_batch_of_which_the_metadata_has_no_room_counts_with_all_its_events() -> None:
    """Not one for each offset that is left out, but what would be sent again."""
    offsets = OffsetTracker(0, cluster_id=CLUSTER)
    rng = random.Random(1)
    events = {offset: rng.choice((1, 3)) for offset in range(60_000)}
    finished = [offset for offset in range(1, 60_000) if rng.random() < 0.5]
    for offset, count in events.items():
        offsets.received(offset, 0, count)
    for offset in finished:
        for _ in range(events[offset]):
            offsets.finished(offset)
    offsets.committed(offsets.commit_point())
    left_out = set(finished) - claimed(offsets)

    assert 0 < len(left_out) < len(finished)
    assert sum(events[offset] for offset in left_out) == offsets.unrecorded


@given(
    base=st.integers(0, 2**40),
    runs=st.lists(st.tuples(st.integers(1, 10_000), st.integers(1, 10_000)), max_size=40),
    room=st.integers(8, 200),
)
def test_metadata_never_says_more_than_is_so(base: int, runs: list[tuple[int, int]], room: int) -> None:
    """However little room there is: what is read back is a beginning of what was written."""
    flat = [length for pair in runs for length in pair]
    encoded = encode(base, flat, CLUSTER, bytes_max=room)
    before = decode(encoded.text, base, CLUSTER).finished_before
    expected = FinishedBefore(base, flat[: encoded.runs]) if encoded.runs else None

    assert (None if expected is None else expected.end) == (None if before is None else before.end)
    if expected is not None and before is not None:
        edges = [edge + step for edge in expected._bounds for step in (-1, 0, 1)]
        assert [edge in expected for edge in sorted(edges)] == [edge in before for edge in sorted(edges)]


@given(text=st.one_of(st.text(max_size=60), st.binary(max_size=60).map(lambda raw: "1" + raw.decode("latin-1"))))
def test_metadata_of_others_is_ignored(text: str) -> None:
    """Whatever another tool wrote there is nothing, and no error."""
    told = decode(text, 5, CLUSTER)

    assert (None, None, not text) == told


def test_metadata_counts_only_for_its_offset_and_cluster() -> None:
    """Tools that mirror a cluster copy the text beside an offset that they translate."""
    point = tracker(0, 1, 2, finished=(1,)).commit_point()
    nothing = Decoded(None, None, is_ours=False)

    assert decode(point.metadata, point.offset, CLUSTER).finished_before is not None
    assert nothing == decode(point.metadata, point.offset + 1, CLUSTER)
    assert nothing == decode(point.metadata, point.offset, "another")
    assert nothing == decode(point.metadata[:-2] + "AA", point.offset, CLUSTER)
    assert Decoded(None, None, is_ours=True) == decode(None, point.offset, CLUSTER)


def test_every_commit_says_which_topic_it_is_about() -> None:
    """Also where nothing is finished above; and what an older version wrote, without an id, is still read."""
    offsets = OffsetTracker(0, None, CLUSTER, TOPIC_ID)
    at_once = decode(offsets.commit_point().metadata, 0, CLUSTER)
    for offset in range(3):
        offsets.received(offset, 0)
    offsets.finished(1)
    later = decode(offsets.commit_point().metadata, 0, CLUSTER)

    assert (TOPIC_ID, None, True) == at_once
    assert (TOPIC_ID, True) == (later.topic_id, later.is_ours)
    assert [False, True, False] == [offset in later.finished_before for offset in range(3) if later.finished_before]
    assert decode(tracker(0, 1, finished=(1,)).commit_point().metadata, 0, CLUSTER).topic_id is None


def test_metadata_that_the_broker_refuses_shrinks_at_last_to_nothing() -> None:
    """Otherwise nothing could ever be committed (offset.metadata.max.bytes below ours)."""
    offsets = OffsetTracker(0, None, CLUSTER, TOPIC_ID)
    for offset in range(4000):
        offsets.received(offset, 0)
    for offset in range(1, 4000, 2):
        offsets.finished(offset)
    lengths = [len(offsets.commit_point().metadata)]
    for _ in range(8):
        offsets.metadata_refused()
        lengths.append(len(offsets.commit_point().metadata))

    assert sorted(lengths, reverse=True) == lengths
    assert all(length <= 4096 >> refusals for refusals, length in enumerate(lengths))
    assert 0 == lengths[-1]
    assert 0 < offsets.unrecorded


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
