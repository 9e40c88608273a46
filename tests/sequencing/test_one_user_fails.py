"""One user whose requests fail: that lane alone waits, until it turns out to be everybody. In virtual time."""

from __future__ import annotations

import random

import pytest

from consumer.sequencing.events import Misdirected, Outcome, Unavailable, User
from consumer.sequencing.gate import State
from tests.sequencing.given_sequencer import ERROR, OK, U1, U2, WRONG_KEY, Bench

LATER = Unavailable("503", retry_after_seconds=60.0)
FORBIDDEN = Misdirected(403)


def test_a_retry_after_of_one_user_s_503_holds_back_that_user_alone() -> None:
    """Others go on at once; the user's request goes again when the time is over, and not before."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.answer(LATER)
    bench.fetch(1, "track", user=U2, known=True)

    assert ["events 1 of u2"] == bench.sent(0.1)

    bench.answer(OK, 0.2)

    assert [] == bench.sent(59.9)
    assert 60.0 == bench.sequencer.next_deadline(1.0)
    assert ["events 0"] == bench.sent(60.0)


def test_a_retry_after_of_everybody_s_503_closes_the_destination() -> None:
    """In an outage nobody probes before the time that was asked for, and a gate that is closed says so."""
    bench = Bench()
    for offset in range(6):
        bench.fetch(offset, "track", user=User(str(offset)), known=True)
    bench.sent()
    for _ in range(5):
        bench.answer(LATER)
    gate = bench.sequencer.gate

    assert (State.UNAVAILABLE, "503", 60.0) == (gate.state, gate.reason, gate.opens_at(0.0))
    assert [] == bench.sent(59.9)


def test_a_user_whose_retry_after_is_over_does_not_take_every_probe() -> None:
    """Others have had none yet: else one user's answers could keep the destination down; found by the simulation."""
    bench = Bench(in_flight_max=1)
    now = 0.0
    for offset in range(5):
        bench.fetch(offset, "track", user=User(str(offset)), known=True)
        bench.sent(now)
        bench.answer(Unavailable("503", retry_after_seconds=5.0), now)
    bench.fetch(5, "track", user=U2, known=True)
    gate = bench.sequencer.gate
    probes: list[str] = []
    while len(probes) < 3:
        now = gate.opens_at(now) or now + 1.0
        probes += bench.sent(now)
        while bench.unanswered:
            bench.answer(Unavailable("503", retry_after_seconds=5.0), now)

    assert gate.probing
    assert "events 5 of u2" in probes


def one_payload_is_forbidden(bench: Bench, seconds: int) -> list[str]:
    """For so long u1's request is answered 403 and everybody else's is accepted; gives what u1 sent."""
    sent, offset = [], 1
    bench.fetch(0, "track", known=True)
    for tenth in range(seconds * 10):
        now = tenth / 10
        bench.fetch(offset, "track", user=User(f"other{offset % 7}"), known=True, now=now)
        offset += 1
        sent += [text for text in bench.sent(now) if " of other" not in text]
        while bench.unanswered:
            bench.answer(FORBIDDEN if bench.unanswered[0].user == U1 else OK, now + 0.05)
    return sent


def test_one_payload_that_is_forbidden_stops_nobody_and_is_given_up() -> None:
    """Its lane backs off alone, and the time in which others succeeded counts; the status is in the dead letter."""
    bench = Bench(give_up_seconds=20.0)
    sent = one_payload_is_forbidden(bench, 40)

    assert ["events 0"] * 6 == sent  # at 0, 1, 3, 7, 15, 31
    assert ["dead_letter 0: gave_up"] == bench.actions()
    assert (403, 6) == (bench.burials[0].status, bench.burials[0].attempts)
    assert "while other users succeed: 403" in bench.burials[0].detail
    assert State.DELIVERING is bench.sequencer.gate.state


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("in_flight_max", [1, 2, 3, 8, 64])
def test_a_wrong_key_costs_at_most_the_requests_in_flight_and_three(seed: int, in_flight_max: int) -> None:
    """Whatever the order of the answers, and though some were accepted before the key was revoked."""
    rng = random.Random(seed)
    bench = Bench(in_flight_max=in_flight_max, give_up_seconds=0.0)
    for offset in range(500):
        bench.fetch(offset, "track", user=User(str(offset % 200)), known=True)
    bench.sent()
    accepted = set(rng.sample(bench.unanswered, rng.randint(0, in_flight_max - 1)))
    requests, now = len(bench.unanswered), 0.0
    while bench.unanswered:
        now += 0.001
        delivery = bench.unanswered.pop(rng.randrange(len(bench.unanswered)))
        bench.sequencer.report(delivery, OK if delivery in accepted else WRONG_KEY, now)
        requests += len(bench.sent(now))

    assert State.STOPPED is bench.sequencer.gate.state
    # What was accepted made room for others before the first 401.
    assert requests <= in_flight_max + len(accepted) + 3
    assert [] == bench.actions()


def test_a_wrong_key_dead_letters_nothing_however_long_it_lasts() -> None:
    """Probes fail for a day, some of them by a user who has failed alone before; then the key is right again."""
    bench = Bench(give_up_seconds=20.0, buffer_events_max=100)
    for offset in range(100):
        bench.fetch(offset, "track", user=User(str(offset % 5)), known=True)
    now = 0.0
    while now < 86_400.0:
        bench.sent(now)
        while bench.unanswered:
            bench.answer(WRONG_KEY, now + 0.05)
        now += 1.0

    assert [] == bench.actions()

    while bench.committable < 100:
        bench.sent(now)
        while bench.unanswered:
            bench.answer(OK, now + 0.05)
        now += 1.0

    assert [] == bench.actions()
    assert {"delivered": 100} == bench.ends()


def test_the_only_user_there_is_finds_out_that_the_key_is_wrong() -> None:
    """With nobody else to tell, two probes in a row do."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    states = []
    for now in (0.0, 1.0, 2.0):
        bench.sent(now)
        for _ in bench.unanswered[:]:
            bench.answer(WRONG_KEY, now)
        states.append(bench.sequencer.gate.state)

    assert [State.DELIVERING, State.STOPPED, State.STOPPED] == states


def test_a_batch_in_which_one_event_is_forbidden_is_halved_when_it_is_given_up() -> None:
    """So that the others of the user arrive."""
    bench = Bench(give_up_seconds=5.0)
    bench.fetch(0, "track", "track", "track", "track", known=True)
    offset = 4
    for tenth in range(600):
        now = tenth / 10
        bench.fetch(offset, "track", user=U2, known=True, now=now)
        offset += 1
        bench.sent(now)
        while bench.unanswered:
            offsets = [event.record.offset for event in bench.unanswered[0].events]
            bench.answer(FORBIDDEN if 2 in offsets else OK, now + 0.05)

    assert ["dead_letter 2: gave_up"] == bench.actions()
    assert {"delivered": offset - 1} == bench.ends()


@pytest.mark.parametrize(("answer", "state"), [(WRONG_KEY, State.STOPPED), (ERROR, State.UNAVAILABLE)])
def test_a_closed_gate_opens_when_nothing_is_left_to_send(answer: Outcome, state: State) -> None:
    """All partitions went: no probe will come, and a member without any would call the destination down for ever."""
    bench = Bench()
    for offset in range(6):
        bench.fetch(offset, "track", user=User(str(offset % 3)), known=True)
    now = 0.0
    while bench.sequencer.gate.state is not state:
        bench.sent(now)
        while bench.unanswered:
            bench.answer(answer, now)
        now += 1.0
    gate = bench.sequencer.gate
    bench.sent(now)  # the probe

    bench.drop()
    bench.sent(now)

    assert state is gate.state, "the probe is unanswered"

    bench.answer(answer, now)
    bench.sent(now)

    assert (State.DELIVERING, None) == (gate.state, gate.opens_at(now))
    assert "nothing is left to send" in gate.reason
    assert not gate.everybody_fails

    gate.delivered(now, now)

    assert "" == gate.reason


def test_a_closed_gate_stays_so_while_a_user_waits() -> None:
    """Be it for the next probe, or for the user's own turn: their request is what finds out."""
    bench = Bench()
    for offset in range(3):
        bench.fetch(offset, "track", user=User(str(offset)), known=True)
    states = []
    for tenth in range(300):
        now = tenth / 10
        bench.sent(now)
        while bench.unanswered:
            bench.answer(WRONG_KEY, now)
        states.append(bench.sequencer.gate.state)

    assert {State.STOPPED} == set(states)


def test_what_a_429_asked_for_holds_with_nothing_left_to_send() -> None:
    """It is about time, and not about the next answer."""
    bench = Bench()
    for offset in range(4):
        bench.fetch(offset, "track", user=User(str(offset)), known=True)
    bench.sent()
    for answer in (Unavailable("429", retry_after_seconds=60.0, throttled=True), WRONG_KEY, WRONG_KEY, WRONG_KEY):
        bench.answer(answer)
    gate = bench.sequencer.gate

    assert State.STOPPED is gate.state

    bench.drop()
    bench.sent(1.0)

    assert (State.THROTTLED, 60.0) == (gate.state, gate.opens_at(1.0))
