"""What a commit says beside the offset, and what the next owner reads of it."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from consumer.sequencing.commit_metadata import METADATA_BYTES_MAX, Decoded, FinishedBefore, decode, encode
from consumer.sequencing.offsets import OffsetTracker
from tests.sequencing.given_offsets import CLUSTER, claimed, tracker

TOPIC_ID = "P2Y6mJ4aQ9OQcWNcJUGD0A"


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
