"""With receipts an event is finished, and its offset moves, only when its receipt is acknowledged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from consumer.sequencing.accounting import End
from tests.sequencing.given_sequencer import NO, OK, Bench

RECEIPTS: dict[str, Any] = {"receipt_topic": "receipts"}


def delivered(bench: Bench) -> int:
    """How many events are finished as delivered."""
    return bench.sequencer.account.finished[End.DELIVERED, None]


def test_without_a_receipt_topic_no_receipt_is_asked_for() -> None:
    """It is off."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.answer(OK)

    assert [] == bench.actions()
    assert (1, 1) == (bench.committable, delivered(bench))


def test_the_offset_moves_behind_the_acknowledged_receipt_of_its_request() -> None:
    """One receipt a request; until it is acknowledged a crash would send its events again, and they count so."""
    bench = Bench(**RECEIPTS)
    bench.fetch(0, "track", "track", known=True)
    bench.sent()
    bench.answer(OK)

    assert ["receipt 0,1"] == bench.actions()
    assert (0, 0, 2, False) == (
        bench.committable,
        delivered(bench),
        bench.assignment.unrecorded_events,
        bench.assignment.drained,
    )

    bench.receipt_done()

    assert (2, 2, True) == (bench.committable, delivered(bench), bench.assignment.drained)


def test_the_next_events_of_a_user_do_not_wait_for_the_receipt() -> None:
    """Only the offset does, so receipts cost no time on the way to the destination."""
    bench = Bench(**RECEIPTS, batch_events_max=1)
    bench.fetch(0, "track", "track", known=True)

    assert ["events 0"] == bench.sent()

    bench.answer(OK)

    assert ["events 1"] == bench.sent()

    bench.answer(OK)
    bench.actions()
    bench.sequencer.receipted(bench.receipts.pop(1))

    assert 0 == bench.committable

    bench.receipt_done()

    assert 2 == bench.committable


def test_an_identify_waits_for_its_receipt_and_for_the_record_of_its_user() -> None:
    """In whichever order they are acknowledged."""
    for order in ("receipt first", "record first"):
        bench = Bench(**RECEIPTS)
        bench.fetch(0, "identify")
        bench.sent()
        bench.answer(OK)

        assert ["remember u1", "receipt 0"] == bench.actions()

        done: list[Callable[[], None]] = [bench.receipt_done, bench.write_done]
        first, second = done if order == "receipt first" else reversed(done)
        first()

        assert 0 == bench.committable, order

        second()

        assert (1, 1) == (bench.committable, delivered(bench)), order


def test_dead_letters_and_introductions_have_no_receipt() -> None:
    """A dead letter is its own proof, and an introduction delivers no record."""
    bench = Bench(**RECEIPTS)
    bench.fetch(0, "track")

    assert ["introduction 0"] == bench.sent()

    bench.answer(OK)

    assert ["remember u1"] == bench.actions()

    bench.sent()
    bench.answer(NO)

    assert ["dead_letter 0: refused"] == bench.actions()


def test_a_receipt_that_is_acknowledged_after_the_partition_went_changes_nothing() -> None:
    """The next owner sends the event again."""
    bench = Bench(**RECEIPTS)
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.answer(OK)
    bench.actions()
    bench.drop()
    bench.receipt_done()

    assert 0 == delivered(bench)


def test_an_old_request_that_is_accepted_late_has_a_receipt_in_the_present_assignment() -> None:
    """What waits of it in the user's lane is delivered, and its offset moves behind that receipt."""
    bench = Bench(**RECEIPTS)
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.drop()
    bench.assign()
    bench.fetch(0, "track", known=True)
    bench.answer(OK)

    assert ["receipt 0"] == bench.actions()
    assert 0 == bench.committable

    bench.receipt_done()

    assert 1 == bench.committable
