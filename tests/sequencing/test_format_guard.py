"""Avro with no registry set: the partition's own format, or garbage among JSON."""

from __future__ import annotations

import pytest

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition
from consumer.sequencing.format_guard import WINDOW_RECORDS, FormatGuard
from consumer.sequencing.offsets import OffsetTracker


def guard(json: int = 0, others: int = 0) -> FormatGuard:
    """After so many records of JSON, and then so many others."""
    made = FormatGuard()
    for _ in range(json):
        made.note(is_json=True)
    for _ in range(others):
        made.note(is_json=False)
    return made


@pytest.mark.parametrize(
    ("json", "others", "is_garbage"),
    [
        (0, 0, False),
        (199, 0, False),
        (200, 0, True),
        (1, 199, True),
        (0, 200, False),
        (0, 5000, False),
        (5000, 999, True),
        (5000, 1000, False),
    ],
)
def test_garbage_is_what_stands_among_json(json: int, others: int, *, is_garbage: bool) -> None:
    """Not among a partition's first 200, and not where none of its last 1,000 records was JSON."""
    assert is_garbage is guard(json, others).takes_as_garbage(0.5)


@pytest.mark.parametrize(("ratio_max", "taken"), [(0.0, 0), (0.1, 22), (0.5, 200), (0.9, 900), (1.0, 1000)])
def test_too_many_are_no_garbage(ratio_max: float, taken: int) -> None:
    """More than the share of the last 1,000 that may be dead letters: they are what the topic holds.

    Behind 200 of JSON: 22 of 222 are 9.9 %, 200 of 400 are 50 %; and at last there is no JSON among the last 1,000.
    """
    found = guard(200)
    count = 0
    while count < 5000 and found.takes_as_garbage(ratio_max):
        count += 1

    assert taken == count


def test_what_is_long_ago_does_not_count() -> None:
    """The share is of the last 1,000 records."""
    found = guard(900)
    first = sum(found.takes_as_garbage(0.1) for _ in range(200))
    for _ in range(WINDOW_RECORDS):
        found.note(is_json=True)

    assert 100 == first
    assert 100 == sum(found.takes_as_garbage(0.1) for _ in range(200))


def test_what_waits_is_not_counted() -> None:
    """However often it is looked at."""
    found = guard(others=300)
    assert [False] * 1000 == [found.takes_as_garbage(0.5) for _ in range(1000)]
    found.note(is_json=True)

    assert found.takes_as_garbage(0.5)


def test_of_replays_all_are_garbage() -> None:
    """What can't be read of them goes back to where it was, and holds up nothing."""
    source, replays = (Assignment(Partition(topic, 0), OffsetTracker(0)) for topic in ("events", "replays"))
    replays.of_replays()

    assert (False, True) == (source.takes_as_garbage(0.5), replays.takes_as_garbage(0.5))
