"""Under a rate: which requests take a permit, who goes first, and what is said of the wait."""

from __future__ import annotations

from typing import Final

import pytest

from consumer.sequencing.events import HandBack, Outcome, Partition, Unavailable, User
from consumer.sequencing.rate import WAKE_SECONDS
from consumer.sequencing.user_waits import Why, user_waits
from tests.sequencing.given_rate import REPLAYS
from tests.sequencing.given_sequencer import ERROR, OK, P0, SLOWER, U1, U2, WRONG_KEY, Bench

P1: Final = Partition("segment", 1)
MANY: Final = [User(f"many-{number}") for number in range(60)]


def bench(limit: float, *, replays: bool = False) -> Bench:
    """A member with the one source partition there is, or with that and the one of replays, at second 0."""
    made = Bench(requests_per_second_max=limit)
    made.assignment.leased_at = 0.0
    if replays:
        made.assign(REPLAYS).of_replays()
        made.assignment.leased_at = 0.0
    assert made.sequencer.rate is not None
    made.sequencer.rate.topics_have(1, 1, 0.0)
    made.sequencer.tick(0.0)
    return made


@pytest.mark.parametrize(
    "what", ["an identify", "an introduction and its event", "a retry", "probes of an outage", "probes of a wrong key"]
)
def test_each_start_of_a_request_takes_a_permit(what: str) -> None:
    """One a second: in ten seconds ten requests at most, and one for the burst."""
    one = bench(1 / 0.95)
    for number, user in enumerate(MANY[:20]):
        one.fetch(number, "track" if what.startswith("an intro") else "identify", user=user)
    outcome: dict[str, Outcome] = {
        "a retry": ERROR,
        "probes of an outage": Unavailable("503"),
        "probes of a wrong key": WRONG_KEY,
    }
    started = 0
    for tick in range(1, 101):
        sent = one.sent(tick / 10)
        started += len(sent)
        for _ in sent:
            one.answer(outcome.get(what, OK), tick / 10)

    assert 3 <= started <= 11


def test_the_next_turn_is_due_when_the_next_permit_comes() -> None:
    """And not at once again and again; a fast rate is waited for a few milliseconds, for several at once."""
    slow, fast = bench(1 / 0.95), bench(5000.0)
    for one in (slow, fast):
        one.fetch(0, "identify")
        one.sent(0.0)

    assert pytest.approx(1.0) == slow.sequencer.next_deadline(0.0)
    assert pytest.approx(WAKE_SECONDS) == fast.sequencer.next_deadline(0.0)


def test_without_a_rate_nothing_is_waited_for() -> None:
    """As ever."""
    one = Bench()
    one.fetch(0, "identify")

    assert ["identify 0"] == one.sent()
    assert one.sequencer.next_deadline(0.0) is None


def test_who_is_paused_waits_for_no_permit() -> None:
    """A pause of a night is no sign that the rate is too low, and no turn is due because of it."""
    one = bench(1 / 0.95)
    for number, user in enumerate((U1, U2)):
        one.fetch(number, "identify", user=user)
    one.sent(1.0)
    one.sequencer.is_paused = True
    for now in (1.5, 2.0, 60.0):
        one.sent(now)
    assert one.sequencer.rate is not None

    assert 0.5 == one.sequencer.rate.waited_seconds
    assert one.sequencer.next_deadline(60.0) is None


def test_the_oldest_go_first_whichever_partition_they_are_of() -> None:
    """So nobody starves: a partition with a deep backlog has no way around another's user."""
    one = bench(1 / 0.95)
    first = one.assignment
    one.assign(P1).leased_at = 0.0
    one.fetch(0, "identify", user=U2, now=1.0)
    one.assignment = first
    for number, user in enumerate(MANY):
        one.fetch(number, "identify", user=user, now=2.0)

    assert ["identify 0 of u2"] == one.sent(2.5)


def test_live_events_go_before_replays_and_replays_still_go() -> None:
    """A hundred of each, and ten a second: replays have their 5 %."""
    one = bench(10.0, replays=True)
    live = one.sequencer.assignments[P0]
    for number, user in enumerate(MANY):
        one.fetch(number, "identify", user=user)
    one.assignment = live
    for number, user in enumerate(MANY):
        one.fetch(number, "identify", user=User(f"live-{user.id}"), now=0.5)
    sent = [text for tick in range(1, 51) for text in one.sent(tick / 10)]
    replayed = sum(" of many" in text for text in sent)

    assert 2 <= replayed <= 4
    assert 46 <= len(sent) - replayed <= 50


def test_replays_probe_in_turn_with_live_events() -> None:
    """Those may be the ones that always fail, and then the destination would stay down for ever."""
    one = bench(50.0, replays=True)
    live = one.sequencer.assignments[P0]
    one.fetch(0, "identify", user=U1)
    one.assignment = live
    for number, user in enumerate(MANY[:6]):
        one.fetch(number, "identify", user=user, now=0.5)
    now, delivered = 1.0, False
    while now < 120 and not delivered:
        for text in one.sent(now):
            delivered = delivered or text == "identify 0"
            one.answer(OK if text == "identify 0" else ERROR, now)
        now += 0.5

    assert delivered


def test_a_429_narrows_it_further() -> None:
    """Half of what is in flight, and not of a window that the rate leaves empty."""
    one = bench(100.0)
    for number, user in enumerate(MANY):
        one.fetch(number, "identify", user=user)
    for tick in range(1, 21):
        one.sent(tick / 50)
    in_flight = one.sequencer.in_flight
    one.answer(SLOWER, 0.4)

    assert 38 == in_flight
    assert in_flight // 2 == one.sequencer.gate.window


def test_a_user_who_waits_for_a_permit_is_told_so() -> None:
    """Not that others have their turn: nobody may have one."""
    one = bench(1 / 0.95)
    for number, user in enumerate((U1, U2)):
        one.fetch(number, "identify", user=user)
    one.sent(1.0)

    assert [Why.IN_FLIGHT, Why.RATE] == [waits.why for waits in user_waits(one.sequencer, (U1, U2), 1.0)]


def test_dropped_partitions_bring_nothing() -> None:
    """Nor do those that are asked for, in the very turn."""
    one = bench(100.0)
    one.fetch(0, "identify")
    one.sequencer.close(P0)
    one.sequencer.tick(1.0)
    assert one.sequencer.rate is not None
    closed = one.sequencer.rate.share
    one.drop(HandBack.REVOKED)
    one.sequencer.tick(1.0)

    assert (0.0, 0.0) == (closed, one.sequencer.rate.share)
