"""What the sequencer does with requests that failed or were refused, and with deletes."""

from __future__ import annotations

from consumer.sequencing.events import User
from tests.sequencing.given_sequencer import ERROR, NO, OK, U2, WRONG_KEY, Bench

# ---------------------------------------------------------------------- 4. failed


def test_a_failed_request_goes_again_unchanged_before_anything_else() -> None:
    """Rule 4: in spite of what came meanwhile, and after its backoff."""
    bench = Bench()
    bench.fetch(0, "track", "track", known=True)
    bench.sent()
    bench.fetch(2, "track")
    bench.answer(ERROR, now=10.0)

    assert [] == bench.sent(now=10.9)
    assert 11.0 == bench.sequencer.next_deadline(10.9)
    assert ["events 0,1"] == bench.sent(now=11.0)

    bench.answer(ERROR, now=11.0)

    assert 13.0 == bench.sequencer.next_deadline(11.0)
    assert ["events 0,1"] == bench.sent(now=13.0)

    bench.answer(OK, now=13.0)

    assert ["events 2"] == bench.sent(now=13.0)


def test_others_go_on_while_one_user_s_request_fails() -> None:
    """Backoff is the lane's own."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.sent()
    bench.answer(ERROR)
    bench.fetch(1, "track", user=U2, known=True)

    assert ["events 1 of u2"] == bench.sent()


def test_a_failed_introduction_goes_again_even_if_an_identify_came() -> None:
    """Rule 4 before rule 2: it may have been accepted already."""
    bench = Bench()
    bench.fetch(0, "track")
    bench.sent()
    bench.answer(ERROR, now=0.0)
    bench.fetch(1, "identify", now=0.5)
    requests = bench.sent(now=1.0)
    for _ in range(2):
        bench.answer(OK, now=1.0)
        requests += bench.sent(now=1.0)

    assert ["introduction 0", "events 0", "identify 1"] == requests


def test_a_wrong_key_keeps_every_event() -> None:
    """One real request at a time probes; nothing is dead-lettered."""
    bench = Bench()
    users = [User(str(number)) for number in range(3)]
    for offset, user in enumerate(users):
        bench.fetch(offset, "track", user=user, known=True)
    bench.sent()
    for _ in users:
        bench.answer(WRONG_KEY)

    assert [] == bench.sent(now=0.9)
    assert ["events 2 of 2"] == bench.sent(now=1.0)

    bench.answer(WRONG_KEY, now=1.0)

    assert ["events 0 of 0"] == bench.sent(now=3.0)

    bench.answer(OK, now=3.0)

    assert ["events 1 of 1", "events 2 of 2"] == bench.sent(now=3.0)
    assert [] == [action for action in bench.actions() if action.startswith("dead_letter")]


# ---------------------------------------------------------------------- 5. refused, gave up


def test_a_refused_event_alone_is_dead_lettered_and_the_lane_goes_on() -> None:
    """Rule 5: with the status and the body of the answer, and how often it was tried."""
    bench = Bench(batch_events_max=1)
    bench.fetch(0, "track", "track", known=True)
    bench.sent()
    bench.answer(ERROR)
    bench.sent(now=1.0)
    bench.answer(NO, now=1.0)

    assert ["dead_letter 0: refused"] == bench.actions()
    assert (400, b"no", 2) == (bench.burials[0].status, bench.burials[0].body, bench.burials[0].attempts)
    assert ["events 1"] == bench.sent(now=1.0)


def test_a_refused_batch_is_halved_until_the_event_is_found() -> None:
    """Rule 5: left before right; what was innocent is delivered in its order."""
    bench = Bench()
    bench.fetch(0, *["track"] * 5, known=True)
    requests = []
    for outcome in (NO, OK, NO, NO, OK):
        requests += bench.sent()
        bench.answer(outcome)

    assert ["events 0,1,2,3,4", "events 0,1", "events 2,3,4", "events 2", "events 3,4"] == requests
    assert ["dead_letter 2: refused"] == bench.actions()


def test_the_right_half_waits_until_the_left_is_finished_retries_included() -> None:
    """Rule 5 and rule 4 together; what comes meanwhile waits behind both."""
    bench = Bench()
    bench.fetch(0, *["track"] * 4, known=True)
    bench.sent()
    bench.answer(NO)
    bench.fetch(4, "track")

    assert ["events 0,1"] == bench.sent()

    bench.answer(ERROR)

    assert [] == bench.sent(now=0.9)
    assert ["events 0,1"] == bench.sent(now=1.0)

    bench.answer(NO, now=1.0)
    requests = []
    for _ in range(4):
        requests += bench.sent(now=1.0)
        bench.answer(OK, now=1.0)

    assert ["events 0", "events 1", "events 2,3", "events 4"] == requests


# ---------------------------------------------------------------------- 6. delete


def test_a_delete_waits_its_turn_and_makes_the_user_unidentified() -> None:
    """Rule 6: what came before is sent as of an identified user, what follows is introduced."""
    bench = Bench()
    bench.fetch(0, "track", "delete", "track", known=True)

    assert ["events 0"] == bench.sent()

    bench.answer(OK)

    assert ["forget u1"] == bench.actions()
    assert ["introduction 2"] == bench.sent()


def test_a_delete_is_not_overtaken_by_an_identify() -> None:
    """The identify would be undone by it."""
    bench = Bench()
    bench.fetch(0, "track", "delete", "track", "identify")
    requests = []
    for _ in range(4):
        requests += bench.sent()
        bench.answer(OK)

    assert ["introduction 0", "events 0", "identify 3", "events 2"] == requests


def test_a_delete_of_a_user_with_nothing_else_is_carried_out_at_once() -> None:
    """Without any request; it is finished when the state is written."""
    bench = Bench()
    bench.fetch(0, "delete", known=True)

    assert [] == bench.sent()
    assert ["forget u1"] == bench.actions()
    assert 0 == bench.committable

    bench.write_done()

    assert 1 == bench.committable
    assert {"skipped: forgotten": 1} == bench.ends()
    assert {} == bench.assignment.lanes


def test_a_delete_ends_a_batch() -> None:
    """A request never reaches over it."""
    bench = Bench()
    bench.fetch(0, "track", "delete", "track", known=True)

    assert ["events 0"] == bench.sent()
