"""How much a crash may send again: sending stops when too much is uncommitted, and never for good."""

from __future__ import annotations

from consumer.sequencing.events import User
from tests.sequencing.given_sequencer import ERROR, OK, U2, Bench


def test_sending_stops_when_too_much_is_uncommitted() -> None:
    """Until a commit is acknowledged."""
    bench = Bench(uncommitted_events_max=2, batch_events_max=1)
    bench.fetch(0, "track", "track", "track", known=True)
    for _ in range(2):
        bench.sent()
        bench.answer(OK)

    assert [] == bench.sent()

    offsets = bench.assignment.offsets
    offsets.committed(offsets.commit_point())

    assert ["events 2"] == bench.sent()


def test_what_is_answered_behind_a_state_write_counts_as_uncommitted() -> None:
    """A crash would send it again; found by the simulation, seed 302."""
    bench = Bench(uncommitted_events_max=2, batch_events_max=1)
    bench.fetch(0, "identify", "track", "track")
    for _ in range(2):
        bench.sent()
        bench.answer(OK)

    assert [] == bench.sent()


def without_room(bench: Bench) -> None:
    """A commit that says nothing of what is finished above its offset, as when its metadata is full."""
    offsets = bench.assignment.offsets
    offsets.committed(offsets.commit_point()._replace(recorded=offsets.committable()))


def test_the_first_unfinished_event_is_sent_all_the_same_when_only_that_helps() -> None:
    """All is committed that can be, and the metadata has no room: the next commit needs that very event."""
    bench = Bench(uncommitted_events_max=2, hold_seconds=1.0)
    bench.fetch(0, "track")
    bench.fetch(1, "track", "track", user=U2, known=True)
    bench.sent()
    bench.answer(OK)
    without_room(bench)
    bench.fetch(3, "track", user=User("u3"), known=True)

    assert [] == bench.sent()
    assert ["introduction 0"] == bench.sent(now=1.0)


def test_an_identify_that_is_sent_again_is_let_through_for_the_event_it_has_overtaken() -> None:
    """The first unfinished event can only go after it; found by the simulation, seed 2997."""
    bench = Bench(uncommitted_events_max=2)
    bench.fetch(0, "track", "identify")
    bench.sent()
    bench.answer(ERROR)
    bench.fetch(2, "track", "track", user=U2, known=True)
    bench.sent()
    bench.answer(OK)
    without_room(bench)

    assert ["identify 1"] == bench.sent(now=1.0)
