"""When a record is finished: after its state is written or its dead letter acknowledged, and counted once."""

from __future__ import annotations

from consumer.sequencing.actions import Remember
from tests.sequencing.given_sequencer import OK, Bench


def test_an_identify_is_finished_when_it_is_recorded() -> None:
    """Steps 1 to 4 of endings.py: also what is delivered behind it waits for the write."""
    bench = Bench()
    bench.fetch(0, "identify", "track")
    bench.sent()
    bench.answer(OK)
    bench.sent()
    bench.answer(OK)

    assert ["remember u1"] == bench.actions()
    assert 0 == bench.committable
    assert not bench.assignment.drained

    bench.write_done()

    assert 2 == bench.committable
    assert {"delivered": 2} == bench.ends()
    assert bench.assignment.drained


def test_an_event_behind_an_introduction_is_finished_when_that_is_recorded() -> None:
    """Else a crash in between would forget that the user was introduced."""
    bench = Bench()
    bench.fetch(0, "track")
    bench.sent()
    bench.answer(OK)
    bench.sent()
    bench.answer(OK)

    assert 0 == bench.committable

    bench.write_done()

    assert 1 == bench.committable


def test_a_second_identify_is_not_recorded_again() -> None:
    """Only users that are not known are written. Who was not looked up may be: then the state says so."""
    bench = Bench()
    bench.fetch(0, "identify")
    bench.sent()
    bench.answer(OK)

    assert ["remember u1"] == bench.actions()
    assert [True] == [isinstance(action, Remember) and action.may_be_stored for action in bench.writes]

    bench.write_done()
    bench.fetch(1, "identify")
    bench.sent()
    bench.answer(OK)

    assert [] == bench.actions()
    assert 2 == bench.committable


def test_who_was_looked_up_and_not_found_is_written_without_another_look() -> None:
    """The track had made the state say that it does not know the user."""
    bench = Bench()
    bench.fetch(0, "track", "identify")
    bench.sent()
    bench.answer(OK)
    bench.actions()

    assert [False] == [isinstance(action, Remember) and action.may_be_stored for action in bench.writes]


def test_all_writes_of_a_user_must_be_acknowledged() -> None:
    """A delete right behind an identify: two writes, and what is behind them is finished after both."""
    bench = Bench()
    bench.fetch(0, "identify", "delete")
    bench.sent()
    bench.answer(OK)

    assert ["remember u1", "forget u1"] == bench.actions()

    bench.write_done()

    assert 0 == bench.committable

    bench.write_done()

    assert 2 == bench.committable
    assert {"delivered": 1, "skipped: forgotten": 1} == bench.ends()


def test_a_dead_letter_is_finished_when_it_is_acknowledged() -> None:
    """Until then it holds back its offset, and nothing else."""
    bench = Bench()
    bench.reject(0)
    bench.skip(1)

    assert ["dead_letter 0: undecodable"] == bench.actions()
    assert 0 == bench.committable
    assert not bench.assignment.drained

    bench.burial_done()

    assert 2 == bench.committable
    assert {"dead_lettered: undecodable": 1, "skipped: unsupported": 1} == bench.ends()
    assert bench.assignment.drained


def test_consumed_is_finished_and_unfinished() -> None:
    """At any moment, in records and in bytes."""
    bench = Bench()
    bench.fetch(0, "track", "identify", "delete")
    bench.skip(3)
    bench.reject(4)
    account = bench.sequencer.account

    assert (5, 1, 4) == (sum(account.consumed.values()), sum(account.finished.values()), account.unfinished)
    assert 4 * 100 == account.unfinished_bytes == bench.assignment.unfinished_bytes

    bench.sent()
    bench.answer(OK)
    bench.drop()

    assert {"skipped: unsupported": 1, "handed_back": 4} == bench.ends()
    assert (0, 0) == (account.unfinished, account.unfinished_bytes)
