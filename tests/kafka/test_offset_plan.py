"""What is sent again and what never is, when a group reads on from another place."""

from __future__ import annotations

import pytest

from consumer.kafka.offset_plan import PartitionPlan, Place, at_time, earliest, latest, plan
from consumer.kafka.reader import Bounds
from consumer.sequencing.commit_metadata import encode

CLUSTER = "a-cluster"
LOG = {0: Bounds(10, 110)}
COMMITTED = {0: (50, None)}
FINISHED_ABOVE = {0: (50, encode(50, [5, 10, 5, 20], CLUSTER).text)}
"""55 to 64 and 70 to 89 are finished."""

FINISHED_AND_GONE = {0: (4, encode(4, [2, 29], CLUSTER).text)}
"""6 to 34 are finished, of which the log has lost 6 to 9."""


@pytest.mark.parametrize(
    ("commits", "after", "again", "never"),
    [
        (COMMITTED, 50, 0, 0),
        (COMMITTED, 10, 40, 0),
        (COMMITTED, 30, 20, 0),
        (COMMITTED, 110, 0, 60),
        (FINISHED_ABOVE, 50, 30, 0),
        (FINISHED_ABOVE, 10, 70, 0),
        (FINISHED_ABOVE, 60, 25, 5),
        (FINISHED_ABOVE, 70, 20, 10),
        (FINISHED_ABOVE, 110, 0, 30),
        ({0: (50, "of another program")}, 10, 40, 0),
        ({0: (5, None)}, 10, 0, 0),
        ({0: (5, None)}, 20, 0, 10),
        (FINISHED_AND_GONE, 20, 15, 0),
        ({}, 10, 0, 0),
        ({}, 110, 0, 100),
    ],
)
def test_what_follows_from_another_place(
    commits: dict[int, tuple[int, str | None]], after: int, again: int, never: int
) -> None:
    """What is finished above the commit is sent again from there on, and is not lost below it."""
    [one] = plan(LOG, commits, {0: Place(after)}, CLUSTER, starts_at_end=False)

    assert (again, never) == (one.again, one.never)


def test_a_new_group_that_starts_at_the_end_has_sent_nothing() -> None:
    """Whoever takes it to the beginning has all of it sent for the first time; only where no partition has a commit."""
    new = plan(LOG, {}, earliest(LOG), CLUSTER, starts_at_end=True)
    added = plan({**LOG, 1: Bounds(0, 7)}, COMMITTED, latest({**LOG, 1: Bounds(0, 7)}), CLUSTER, starts_at_end=True)

    assert [PartitionPlan(0, 110, 10, 0, 0, "")] == new
    assert [(0, 60), (1, 7)] == [(one.partition, one.never) for one in added]


def test_a_time_outside_of_the_log_is_its_beginning_or_its_end_and_is_said() -> None:
    """Each partition for itself: one that retention has taken more of, one that is empty."""
    bounds = {0: Bounds(10, 110), 1: Bounds(10, 110), 2: Bounds(10, 110), 3: Bounds(4, 4), 4: Bounds(10, 110)}
    bounds[5] = Bounds(10, 110)  # without its first two records, which compaction took
    places = at_time(bounds, {0: 60, 1: 10, 4: 10, 5: 12}, {0: 1000, 1: 3000, 2: 1000, 4: 2000, 5: 3000}, 2000)

    assert {
        0: Place(60),
        1: Place(10, "the time is before its first record: earliest"),
        2: Place(110, "the time is after its last record: latest"),
        3: Place(4, "it is empty"),
        4: Place(10),
        5: Place(10, "the time is before its first record: earliest"),
    } == places
