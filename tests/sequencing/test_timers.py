"""Timers: what nobody waits for any longer is not kept."""

from __future__ import annotations

from consumer.sequencing.events import User
from consumer.sequencing.timers import STALE_MIN
from tests.sequencing.given_sequencer import OK, Bench

HOLD_SECONDS = 600.0
NEW_USERS_A_SECOND = 100


def test_lanes_whose_hold_has_ended_are_not_kept_by_their_timers() -> None:
    """Each of 100 new users a second is identified within it, and nothing is kept of them for the ten minutes."""
    bench = Bench(hold_seconds=HOLD_SECONDS, in_flight_max=1000, uncommitted_events_max=1_000_000)
    heap_lengths, offset = [], 0
    for second in range(60):
        now = float(second)
        for number in range(NEW_USERS_A_SECOND):
            user = User(f"u{second}-{number}")
            bench.fetch(offset, "track", user=user, now=now)
            bench.fetch(offset + 1, "identify", user=user, now=now + 0.1)
            offset += 2
        while bench.sent(now + 0.1):
            while bench.unanswered:
                bench.answer(OK, now + 0.2)
            bench.actions()
            while bench.writes:
                bench.write_done(now + 0.3)
        heap_lengths.append(len(bench.sequencer._steps._timers))

    assert 60 * NEW_USERS_A_SECOND * 2 == bench.committable
    assert 2 * NEW_USERS_A_SECOND >= max(heap_lengths)


def test_those_who_still_wait_are_woken_in_time() -> None:
    """Making the heap smaller loses nobody: one in ten is never identified, and has an introduction after the hold."""
    bench = Bench(hold_seconds=10.0, in_flight_max=1000)
    users = [User(f"u{number}") for number in range(1000)]
    for number, user in enumerate(users):
        bench.fetch(number, "track", user=user, now=number / 1000)
    for number, user in enumerate(users):
        if number % 10:
            bench.fetch(1000 + number, "identify", user=user, now=2.0)
    bench.sent(2.0)
    while bench.unanswered:
        bench.answer(OK, 2.5)
    introduced = [text for tenth in range(200) for text in bench.sent(2.5 + tenth / 10) if "introduction" in text]

    assert [f"introduction {number} of u{number}" for number in range(0, 1000, 10)] == introduced


def test_a_partition_that_is_taken_away_leaves_next_to_no_timers() -> None:
    """Nor do those of its lanes wake anybody."""
    bench = Bench(hold_seconds=HOLD_SECONDS)
    for number in range(200):
        bench.fetch(number, "track", user=User(f"u{number}"))
    bench.drop()

    assert STALE_MIN > len(bench.sequencer._steps._timers)
    assert bench.sequencer.next_deadline(0.0) is None
