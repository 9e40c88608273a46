"""The last 15 minutes are kept, in little room, and what is not known is not made up."""

from __future__ import annotations

import sys

import pytest

from consumer.ops.history import SERIES, VALUES_MAX, History, quantile


def test_values_come_out_in_the_order_in_which_they_were_noted() -> None:
    """The oldest first; the newest also alone."""
    history = History()
    for number in range(3):
        history.note({"lag_events": float(number)}, 1000.0 + number)
    shown = history.as_json()

    assert [0.0, 1.0, 2.0] == shown["series"]["lag_events"]
    assert (1, 900, "1970-01-01T00:16:42.000+00:00") == (shown["step_seconds"], shown["seconds"], shown["ends_at"])
    assert 2.0 == history.newest()["lag_events"]
    assert set(SERIES) == set(shown["series"]) == set(history.newest())


def test_a_ring_that_is_full_forgets_the_oldest() -> None:
    """Of 1,000 seconds the last 900 are left."""
    history = History()
    for number in range(1000):
        history.note({"held_events": float(number)}, float(number))

    assert [float(number) for number in range(100, 1000)] == history.as_json()["series"]["held_events"]


def test_what_is_not_known_is_none() -> None:
    """A value that is missing, and all values of seconds in which nobody looked."""
    history = History()
    history.note({"lag_events": 1.0}, 0.0)
    history.note({"lag_events": 2.0, "lag_seconds": None}, 3.0, missed=2)
    series = history.as_json()["series"]

    assert [1.0, None, None, 2.0] == series["lag_events"]
    assert [None, None, None, None] == series["lag_seconds"]
    assert history.newest()["lag_seconds"] is None


def test_a_stop_longer_than_the_history_leaves_one_value() -> None:
    """And takes no longer than to empty it."""
    history = History()
    history.note({"lag_events": 1.0}, 0.0)
    history.note({"lag_events": 2.0}, 10.0**9, missed=10**9)

    assert [None] * (VALUES_MAX - 1) + [2.0] == history.as_json()["series"]["lag_events"]


def test_nothing_noted_is_nothing_shown() -> None:
    """In the first second of a process."""
    history = History()

    assert [[]] * len(SERIES) == list(history.as_json()["series"].values())
    assert {None} == set(history.newest().values())


def test_all_of_it_takes_less_than_100_kb() -> None:
    """Full as well as empty: the arrays are made at once."""
    history = History()
    size_bytes = sum(sys.getsizeof(ring) for ring in history._series.values())

    assert 0 < size_bytes < 100_000


@pytest.mark.parametrize(
    ("counts", "share", "value"),
    [
        ((0, 0, 0, 0), 0.5, None),
        ((4, 0, 0, 0), 0.5, 0.5),
        ((0, 4, 0, 0), 0.5, 1.5),
        ((0, 4, 0, 0), 1.0, 2.0),
        ((2, 0, 2, 0), 0.5, 1.0),
        ((1, 0, 1, 0), 0.99, 3.96),
        ((0, 0, 0, 7), 0.5, 4.0),
    ],
)
def test_a_quantile_lies_within_its_bucket(counts: tuple[int, ...], share: float, value: float | None) -> None:
    """With bounds at 1, 2 and 4; what is above the last bound counts as that bound."""
    found = quantile((1.0, 2.0, 4.0), counts, share)

    assert value == (None if found is None else pytest.approx(found))
