"""What is shown of lanes that wait: each with what an operator asks first, at a cost that does not grow with them."""

from __future__ import annotations

from consumer.sequencing.events import Unavailable, User
from consumer.sequencing.waiting import Waiting, oldest_held_since, oldest_waiting
from tests.sequencing.given_sequencer import ERROR, NO, OK, P0, U1, U2, WRONG_KEY, Bench


def retrying(bench: Bench) -> int:
    """How many users are."""
    return len(bench.sequencer.retrying)


def test_a_user_who_is_tried_again_is_shown_with_all_there_is_to_say() -> None:
    """Since when, which offset, who, which attempt, the last answer, when the next try is, when it is given up."""
    bench = Bench(give_up_seconds=900.0)
    bench.fetch(7, "track", known=True)
    for now, outcome in ((1.0, ERROR), (2.0, Unavailable("503", retry_after_seconds=30.0))):
        bench.sent(now)
        bench.answer(outcome, now)

    assert [Waiting("retrying", P0, 7, U1, 1.0, 2, "503", 32.0, 0.0, 910.0)] == oldest_waiting(bench.sequencer, 10.0, 5)

    bench.sent(32.0)
    [under_way] = oldest_waiting(bench.sequencer, 32.5, 5)

    assert (7, 2, None) == (under_way.offset, under_way.attempts, under_way.next_try_at)


def test_in_an_outage_nobody_is_given_up() -> None:
    """So no time is named for it."""
    bench = Bench()
    for offset in range(5):
        bench.fetch(offset, "track", user=User(str(offset)), known=True)
    bench.sent()
    for _ in range(5):
        bench.answer(ERROR)
    waiting = oldest_waiting(bench.sequencer, 0.5, 10)

    assert [None] * 5 == [one.given_up_at for one in waiting]
    assert [0, 1, 2, 3, 4] == [one.offset for one in waiting]


def test_a_user_is_retrying_until_the_request_is_delivered_dead_lettered_or_gone() -> None:
    """Whatever ends it; and a success of somebody else ends nothing."""
    bench = Bench()
    counts = []
    for offset, outcome in ((0, OK), (2, NO)):
        bench.fetch(offset, "track", known=True)
        bench.sent(float(offset))
        bench.answer(ERROR, float(offset))
        bench.fetch(1 + offset, "track", user=U2, known=True)
        bench.sent(offset + 0.5)
        bench.answer(OK, offset + 0.6)
        counts.append(retrying(bench))
        bench.sent(offset + 20.0)
        bench.answer(outcome, offset + 20.0)
        counts.append(retrying(bench))
    bench.fetch(20, "track", known=True)
    bench.sent(30.0)
    bench.answer(WRONG_KEY, 30.0)
    counts.append(retrying(bench))
    bench.drop()
    counts.append(retrying(bench))

    assert [1, 0, 1, 0, 1, 0] == counts


def test_a_user_of_whose_batch_a_part_is_delivered_is_retrying_still() -> None:
    """The other half is to be tried, and it has failed as long."""
    bench = Bench(give_up_seconds=1.0)
    bench.fetch(0, "track", "track", known=True)
    bench.sent(0.0)
    bench.answer(ERROR, 0.0)
    bench.fetch(2, "track", user=U2, known=True)
    bench.sent(0.1)
    bench.answer(OK, 0.2)
    bench.sent(10.0)
    bench.answer(ERROR, 10.0)

    assert ["events 0"] == bench.sent(10.1)

    bench.answer(OK, 10.2)

    [waiting] = oldest_waiting(bench.sequencer, 20.0, 5)
    assert (1, 0.0) == (waiting.offset, waiting.since)


def test_a_user_whose_identify_is_waited_for_is_shown_until_then() -> None:
    """Since the event was fetched; and when the hold ends."""
    bench = Bench(hold_seconds=60.0)
    bench.fetch(0, "track", now=5.0)
    bench.fetch(1, "track", user=U2, now=6.0)
    bench.sent(6.0)

    assert [
        Waiting("held", P0, 0, U1, 5.0, given_up_at=65.0),
        Waiting("held", P0, 1, U2, 6.0, given_up_at=66.0),
    ] == oldest_waiting(bench.sequencer, 7.0, 5)
    assert 5.0 == oldest_held_since(bench.sequencer)

    bench.fetch(2, "identify", now=8.0)

    assert [1] == [one.offset for one in oldest_waiting(bench.sequencer, 8.0, 5)]
    assert 6.0 == oldest_held_since(bench.sequencer)


def test_only_as_many_as_are_asked_for() -> None:
    """Of any number, the first to fail."""
    bench = Bench(in_flight_max=1000)
    for offset in range(500):
        bench.fetch(offset, "track", user=User(str(offset)), known=True)
    bench.sent()
    for _ in range(500):
        bench.answer(Unavailable("500", throttled=True))

    assert 500 == retrying(bench)
    assert [0, 1, 2] == [one.offset for one in oldest_waiting(bench.sequencer, 1.0, 3)]
