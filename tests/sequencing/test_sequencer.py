"""The rule by example: what goes out next for one user. Numbered as in rule.py; 4 to 6: test_sequencer_failures.py."""

from __future__ import annotations

import pytest

from tests.sequencing.given_sequencer import NO, OK, U2, Bench

# ---------------------------------------------------------------------- 1. identified


def test_an_identified_user_s_events_go_out_from_the_head_in_one_request() -> None:
    """Rule 1: all that waits, in the order of the log."""
    bench = Bench()
    bench.fetch(0, "track", "page", "screen", known=True)

    assert ["events 0,1,2"] == bench.sent()


def test_an_identify_goes_alone() -> None:
    """Rule 1: the run before it, the identify, the run behind it; one request in flight at a time."""
    bench = Bench()
    bench.fetch(0, "track", "identify", "identify", "track", known=True)
    requests = []
    for _ in range(4):
        requests += bench.sent()
        bench.answer(OK)

    assert ["events 0", "identify 1", "identify 2", "events 3"] == requests


def test_one_request_of_a_user_is_in_flight() -> None:
    """What comes meanwhile waits for the answer."""
    bench = Bench()
    bench.fetch(0, "track", known=True)

    assert ["events 0"] == bench.sent()

    bench.fetch(1, "track", "track")

    assert [] == bench.sent()

    bench.answer(OK)

    assert ["events 1,2"] == bench.sent()


def test_users_do_not_wait_for_each_other() -> None:
    """A lane a user."""
    bench = Bench()
    bench.fetch(0, "track", known=True)
    bench.fetch(1, "track", user=U2, known=True)

    assert ["events 0", "events 1 of u2"] == bench.sent()


def test_as_many_requests_as_the_gate_allows() -> None:
    """The rest stays ready, in turn."""
    bench = Bench(in_flight_max=1)
    bench.fetch(0, "track", known=True)
    bench.fetch(1, "track", user=U2, known=True)

    assert ["events 0"] == bench.sent()

    bench.answer(OK)

    assert ["events 1 of u2"] == bench.sent()


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"batch_events_max": 2}, ["events 0,1", "events 2,3", "events 4"]),
        ({"batch_bytes_max": 250}, ["events 0,1", "events 2,3", "events 4"]),
        ({"batch_bytes_max": 300}, ["events 0,1,2", "events 3,4"]),
        ({"batch_bytes_max": 99}, ["events 0", "events 1", "events 2", "events 3", "events 4"]),
    ],
)
def test_a_request_has_a_limit_in_events_and_bytes(limits: dict[str, int], expected: list[str]) -> None:
    """An event above the bytes goes alone."""
    bench = Bench(**limits)
    bench.fetch(0, "track", "track", "track", "track", "track", known=True)
    requests = []
    for _ in expected:
        requests += bench.sent()
        bench.answer(OK)

    assert expected == requests
    assert [] == bench.sent()


# ---------------------------------------------------------------------- 2. an identify waits


def test_an_identify_overtakes_what_came_before_it() -> None:
    """Rule 2: it goes first, and then the others in their order."""
    bench = Bench()
    bench.fetch(0, "track", "track", "identify", "track")
    requests = []
    for _ in range(2):
        requests += bench.sent()
        bench.answer(OK)

    assert ["identify 2", "events 0,1,3"] == requests


def test_only_the_first_identify_overtakes() -> None:
    """The second one waits its turn: the user is identified by then."""
    bench = Bench()
    bench.fetch(0, "track", "identify", "track", "identify")
    requests = []
    for _ in range(3):
        requests += bench.sent()
        bench.answer(OK)

    assert ["identify 1", "events 0,2", "identify 3"] == requests
    assert [] == bench.sent()


def test_an_identify_that_comes_in_the_middle_of_an_introduction_waits_for_it() -> None:
    """The user is identified by the introduction, so the order of the log holds."""
    bench = Bench()
    bench.fetch(0, "track")
    requests = bench.sent()
    bench.fetch(1, "identify")
    for _ in range(3):
        bench.answer(OK)
        requests += bench.sent()

    assert ["introduction 0", "events 0", "identify 1"] == requests


def test_a_refused_identify_leaves_the_user_unidentified() -> None:
    """Rule 5: it is dead-lettered, and the next identify goes first, or an introduction."""
    bench = Bench()
    bench.fetch(0, "track", "identify", "track", "identify")

    assert ["identify 1"] == bench.sent()

    bench.answer(NO)

    assert ["dead_letter 1: refused"] == bench.actions()
    assert ["identify 3"] == bench.sent()

    bench.answer(NO)

    assert ["introduction 0"] == bench.sent()


# ---------------------------------------------------------------------- 3. no identify waits


def test_without_a_hold_an_introduction_goes_at_once() -> None:
    """Rule 3: an identify with nothing but the user id; the event behind it goes when it is accepted."""
    bench = Bench()
    bench.fetch(0, "track", "track")

    assert ["introduction 0"] == bench.sent()

    bench.answer(OK)

    assert ["events 0,1"] == bench.sent()
    assert 1 == bench.sequencer.account.introductions


def test_a_hold_lasts_from_the_receipt_of_the_event() -> None:
    """Rule 3: the time that the look-up took is part of it."""
    bench = Bench(hold_seconds=5.0)
    bench.fetch(0, "track", now=100.0)

    assert [] == bench.sent(now=104.9)
    assert 105.0 == bench.sequencer.next_deadline(104.9)
    assert ["introduction 0"] == bench.sent(now=105.0)


def test_an_identify_ends_a_hold() -> None:
    """Rule 2 as soon as it comes."""
    bench = Bench(hold_seconds=5.0)
    bench.fetch(0, "track")
    bench.fetch(1, "identify", now=1.0)

    assert ["identify 1"] == bench.sent(now=1.0)
    assert 0 == bench.sequencer.holds.events


def test_holds_are_counted() -> None:
    """Users and events, while they last."""
    bench = Bench(hold_seconds=5.0)
    bench.fetch(0, "track", "track")
    bench.fetch(2, "track", user=U2)

    assert (2, 3) == (bench.sequencer.holds.users, bench.sequencer.holds.events)

    bench.sent(now=5.0)

    assert (0, 0) == (bench.sequencer.holds.users, bench.sequencer.holds.events)


def test_the_oldest_hold_is_cut_short_when_too_much_is_held() -> None:
    """Oldest first, as many as it takes, and counted."""
    bench = Bench(hold_seconds=5.0, held_events_max=3)
    bench.fetch(0, "track", "track")
    bench.fetch(2, "track", user=U2)

    assert [] == bench.sent()

    bench.fetch(3, "track", user=U2)

    assert ["introduction 0"] == bench.sent()
    assert 1 == bench.sequencer.account.holds_cut_short
    assert 2 == bench.sequencer.holds.events


def test_a_hold_that_is_too_large_by_itself_is_cut_short_too() -> None:
    """An identify that is refused leaves many events behind it, all to be held at once."""
    bench = Bench(hold_seconds=5.0, held_events_max=3)
    bench.fetch(0, "track", user=U2)
    bench.fetch(1, "identify")
    bench.sent()
    bench.fetch(2, "track", "track", "track", "track")
    bench.answer(NO)
    bench.look_up(known=False)

    assert ["introduction 0 of u2", "introduction 2"] == bench.sent()
    assert 2 == bench.sequencer.account.holds_cut_short
    assert 0 == bench.sequencer.holds.events


def test_a_hold_that_was_cut_short_does_not_begin_again() -> None:
    """The user's next events are introduced at once: room is short."""
    bench = Bench(hold_seconds=5.0, held_events_max=1)
    bench.fetch(0, "track", "track")
    bench.sent()
    bench.answer(NO)

    assert ["introduction 1"] == bench.sent()


def test_a_refused_introduction_buries_the_event_behind_it() -> None:
    """Rule 5; then rule 3 for the next."""
    bench = Bench()
    bench.fetch(0, "track", "track")
    bench.sent()
    bench.answer(NO)

    assert ["dead_letter 0: refused"] == bench.actions()
    assert ["introduction 1"] == bench.sent()


def test_unidentified_events_may_be_dead_lettered() -> None:
    """Rule 3 with the other policy: event by event when its own hold is over, without a request."""
    bench = Bench(hold_seconds=5.0, unidentified="dead-letter")
    bench.fetch(0, "track", now=0.0)
    bench.fetch(1, "track", now=2.0)

    assert [] == bench.sent(now=5.0)
    assert ["dead_letter 0: unidentified"] == bench.actions()
    assert [] == bench.sent(now=7.0)
    assert ["dead_letter 1: unidentified"] == bench.actions()
    assert {} == bench.assignment.lanes


def test_dead_letters_by_policy_never_stop_a_partition() -> None:
    """They are what the setting asks for."""
    bench = Bench(unidentified="dead-letter")
    bench.fetch(0, *["track"] * 500)

    assert 500 == len(bench.actions())
    assert bench.assignment.stopped is None
