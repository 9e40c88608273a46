"""Too many dead letters stop a partition, and what it then holds is in nobody's way."""

from __future__ import annotations

from consumer.sequencing.events import HandBack, Partition, User
from consumer.sequencing.stops import StopCause, Stopped
from tests.sequencing.given_sequencer import NO, P0, U2, Bench


def test_too_many_dead_letters_stop_the_partition() -> None:
    """Not before 200 records; then the record that is one too many stays unfinished, and nothing more is sent."""
    bench = Bench(dead_letter_ratio_max=0.5)
    bench.fetch(0, "track", known=True)
    for offset in range(1, 200):
        bench.reject(offset)

    assert bench.assignment.stopped is None
    assert 199 == len(bench.actions())

    bench.reject(200)

    assert [] == bench.actions()
    assert bench.assignment.stopped is not None
    assert "CUSTOMFIT_DEAD_LETTER_RATIO_MAX" in bench.assignment.stopped.reason
    assert not bench.assignment.open
    assert [] == bench.sent()


def test_what_waits_counts_as_good_until_it_is_answered() -> None:
    """A backlog with a quarter that can't be read goes on, though that ends before anything is delivered."""
    bench = Bench(dead_letter_ratio_max=0.5)
    for offset in range(1000):
        if offset % 4:
            bench.fetch(offset, "track", user=User(f"u{offset}"), known=True)
        else:
            bench.reject(offset)

    assert 250 == len(bench.actions())
    assert bench.assignment.stopped is None


def test_refusals_stop_the_partition_however_much_waits() -> None:
    """More than half of the last 1,000, although 2,000 more are fetched and not answered."""
    bench = Bench(in_flight_max=1, dead_letter_ratio_max=0.5)
    for offset in range(2500):
        bench.fetch(offset, "track", user=User(f"u{offset}"), known=True)
    bench.sequencer.gate.delivered(0.0, 0.0)
    refused = 0
    while bench.sent() and bench.assignment.stopped is None:
        bench.answer(NO)
        refused += bench.assignment.stopped is None

    assert 500 == refused


def test_what_a_stopped_partition_holds_does_not_fill_the_buffer() -> None:
    """Nobody can finish it; and when the partition goes it is not taken off a second time."""
    bench = Bench()
    stopped = bench.assignment
    bench.fetch(0, "track", "track", known=True)
    bench.assign(Partition("segment", 1))
    bench.fetch(0, "track", user=U2, known=True)
    sequencer, buffered = bench.sequencer, [tuple(bench.sequencer.buffered)]
    stopped.stopped = Stopped(StopCause.DEAD_LETTER_RATIO, "too many")
    buffered.append(tuple(sequencer.buffered))
    sequencer.drop(P0, HandBack.LOST)
    stopped.stopped = Stopped(StopCause.TOPIC_MADE_AGAIN, "too late")
    buffered.append(tuple(sequencer.buffered))

    assert [(3, 300), (1, 100), (1, 100)] == buffered


def test_a_refusal_after_the_stop_ends_nothing() -> None:
    """Also of an introduction, whose event was let go of: whoever starts the partition again reads it again."""
    bench = Bench()
    bench.fetch(0, "track")
    assert ["introduction 0"] == bench.sent()
    bench.assignment.stopped = Stopped(StopCause.TOPIC_MADE_AGAIN, "made again")
    bench.sequencer.empty(bench.assignment)
    bench.answer(NO)

    assert [] == bench.actions()
    assert (0, 1) == (bench.committable, bench.assignment.offsets.unfinished)
