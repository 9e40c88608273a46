"""The gate: its states but for stopped (test_gate_stops.py), what leads into each and what leads out."""

from __future__ import annotations

from consumer.sequencing.events import Unavailable
from consumer.sequencing.gate import PROBE_SECONDS_MAX, State
from tests.sequencing.given_gate import ERROR, A, B, C, gate, misdirected, unavailable

# ---------------------------------------------------------------------- delivering


def test_a_new_gate_lets_as_many_through_as_are_allowed() -> None:
    """Nothing is known of the destination, so it is taken to work."""
    new = gate(in_flight_max=2)

    assert State.DELIVERING is new.state
    assert [True, True, False] == [new.may_start(0.0, in_flight) for in_flight in (0, 1, 2)]
    assert new.opens_at(0.0) is None


def test_four_failures_are_no_outage() -> None:
    """One bad moment closes nothing."""
    opened = gate()
    for user in (A, B, C, A):
        opened.failed(user, ERROR, 0.0, 0.0)

    assert State.DELIVERING is opened.state
    assert opened.may_start(0.0, 7)


def test_the_failures_of_one_user_never_close_the_gate() -> None:
    """Their event may be to blame: others go on, however often it fails."""
    opened = gate()
    for _ in range(100):
        opened.failed(A, ERROR, 0.0, 0.0)

    assert State.UNAVAILABLE is opened.state
    assert not opened.probing
    assert not opened.everybody_fails
    assert opened.may_start(0.0, 7)


def test_one_user_who_fails_is_an_outage_only_when_nobody_has_succeeded_for_15_s() -> None:
    """While others succeed it is that user's event; in a quiet hour nobody can tell, so it says that it may be us."""
    opened = gate()
    opened.delivered(100.0, 100.0)
    seen = []
    for now in (101.0, 102.0, 103.0, 104.0, 114.9, 115.0):
        opened.failed(A, ERROR, now, now)
        seen.append(opened.state)

    assert [State.DELIVERING] * 5 + [State.UNAVAILABLE] == seen
    assert not opened.probing


def test_failures_of_three_users_are_an_outage_right_after_a_success() -> None:
    """Then it is not one user's event: there is nothing to wait for."""
    closed = gate()
    closed.delivered(100.0, 100.0)
    for user in (A, B, C, A, B):
        closed.failed(user, ERROR, 100.1, 100.1)

    assert State.UNAVAILABLE is closed.state
    assert closed.probing


def test_a_success_between_failures_starts_the_count_again() -> None:
    """An outage is five failures with no success between them."""
    opened = gate()
    for user in (A, B, C, A):
        opened.failed(user, ERROR, 0.0, 0.0)
    opened.delivered(0.0, 0.0)
    opened.failed(B, ERROR, 0.0, 0.0)

    assert State.DELIVERING is opened.state


def test_a_refusal_between_failures_starts_the_count_again() -> None:
    """A destination that judges events is up."""
    opened = gate()
    for user in (A, B, C, A):
        opened.failed(user, ERROR, 0.0, 0.0)
    opened.refused(B, 400, 0.0, 0.0)
    opened.failed(B, ERROR, 0.0, 0.0)

    assert State.DELIVERING is opened.state


def test_a_503_with_retry_after_of_one_user_pauses_nobody_else() -> None:
    """It is that lane's affair (test_one_user_fails.py), however often it comes."""
    opened = gate()
    for _ in range(100):
        opened.failed(A, Unavailable("503", retry_after_seconds=30.0), 10.0, 10.0)

    assert opened.may_start(10.0, 7)
    assert opened.opens_at(10.0) is None


def test_a_503_with_retry_after_of_everybody_pauses_all() -> None:
    """Then it is the destination's, and the gate says why it is closed and until when."""
    closed = gate()
    for user in (A, B, C, A, B):
        closed.failed(user, Unavailable("503", retry_after_seconds=30.0), 10.0, 10.0)

    assert (False, True) == (closed.may_start(39.9, 0), closed.may_start(40.0, 0))
    assert (40.0, None) == (closed.opens_at(10.0), closed.opens_at(40.0))
    assert (State.UNAVAILABLE, "503") == (closed.state, closed.reason)

    closed.delivered(11.0, 9.0)

    assert closed.may_start(11.0, 7)


def test_a_429_with_retry_after_pauses_all() -> None:
    """It is what the destination asks of this client, whoever's request it was."""
    throttled = gate()
    throttled.failed(A, Unavailable("429", retry_after_seconds=30.0, throttled=True), 0.0, 0.0)

    assert (False, True) == (throttled.may_start(29.9, 0), throttled.may_start(30.0, 0))
    assert (State.THROTTLED, "it answered 429", 30.0) == (throttled.state, throttled.reason, throttled.opens_at(0.0))

    states = []
    for now in (29.9, 30.0):
        throttled.tick(now)
        states.append(throttled.state)

    assert [State.THROTTLED, State.DELIVERING] == states


def test_a_shorter_retry_after_does_not_cut_a_longer_one() -> None:
    """The longest wait that was asked for holds."""
    throttled = gate()
    throttled.failed(A, Unavailable("429", retry_after_seconds=30.0, throttled=True), 0.0, 0.0)
    throttled.failed(B, Unavailable("429", retry_after_seconds=5.0, throttled=True), 0.0, 0.0)

    assert 30.0 == throttled.opens_at(0.0)


# ---------------------------------------------------------------------- unavailable


def test_failures_of_three_users_make_an_outage() -> None:
    """Then one request at a time finds out whether the destination is back."""
    closed = unavailable()

    assert (State.UNAVAILABLE, "500") == (closed.state, closed.reason)
    assert closed.probing
    assert closed.everybody_fails
    assert (False, True, False) == (closed.may_start(0.9, 0), closed.may_start(1.0, 0), closed.may_start(1.0, 1))


def test_probes_wait_longer_and_longer_but_five_seconds_at_most() -> None:
    """So long a recovered destination may go unnoticed."""
    closed = unavailable()
    waits = []
    now = 0.0
    for _ in range(5):
        opens_at = closed.opens_at(now)
        assert opens_at is not None
        waits.append(opens_at - now)
        now = opens_at
        closed.failed(A, ERROR, now, now)

    assert [1.0, 2.0, 4.0, PROBE_SECONDS_MAX, PROBE_SECONDS_MAX] == waits


def test_what_was_in_flight_when_it_closed_is_no_probe() -> None:
    """Their failures come before the first wait is over, and make it no longer."""
    closed = unavailable()
    for now in (0.1, 0.5, 0.9):
        closed.failed(C, ERROR, now, now)

    assert 1.0 == closed.opens_at(0.9)


def test_one_success_reopens() -> None:
    """And the next outage starts with short waits again."""
    reopened = unavailable()
    reopened.delivered(0.5, 0.5)

    assert (State.DELIVERING, "") == (reopened.state, reopened.reason)
    assert reopened.may_start(0.5, 7)
    assert 0.5 == reopened.last_delivered_at

    for user in (A, B, C, A, B):
        reopened.failed(user, ERROR, 2.0, 2.0)

    assert 3.0 == reopened.opens_at(2.0)


def test_a_refusal_reopens_too() -> None:
    """It judges events again."""
    reopened = unavailable()

    assert reopened.refused(A, 400, 1.0, 1.0)
    assert State.DELIVERING is reopened.state
    assert reopened.may_start(1.0, 7)


def test_a_429_in_an_outage_makes_it_throttled() -> None:
    """It answers again, if only to ask for less."""
    closed = unavailable()
    closed.failed(A, Unavailable("429", throttled=True), 1.0, 1.0)

    assert (State.THROTTLED, 4) == (closed.state, closed.window)


def test_an_outage_may_turn_out_to_be_a_wrong_key() -> None:
    """401 of three users stops, whatever was before."""
    closed = unavailable()
    misdirected(closed, A, B, C, now=1.0)

    assert State.STOPPED is closed.state


# ---------------------------------------------------------------------- throttled


def test_a_429_halves_the_window_once_for_all_that_is_in_flight() -> None:
    """All of it is answered 429 at once: that is one reason to slow down and not eight."""
    throttled = gate()
    for sent_at in (0.0, 0.1, 0.9):
        throttled.failed(A, Unavailable("429", throttled=True), 1.0, sent_at)

    assert (State.THROTTLED, 4) == (throttled.state, throttled.window)

    throttled.failed(A, Unavailable("429", throttled=True), 1.2, 1.1)

    assert 2 == throttled.window


def test_the_window_never_closes() -> None:
    """One request at a time is always allowed."""
    throttled = gate(in_flight_max=2)
    for second in range(5):
        throttled.failed(A, Unavailable("429", throttled=True), float(second), float(second))

    assert 1 == throttled.window
    assert throttled.may_start(5.0, 0)


def test_time_outs_halve_the_window_and_are_no_throttling() -> None:
    """The destination has not asked for less, so it is delivering, with as much as it can manage (test_window.py)."""
    slow = gate()
    slow.failed(A, Unavailable("timeout", timed_out=True), 0.0, 0.0)
    slow.delivered(0.1, 0.1)

    assert (State.DELIVERING, 4) == (slow.state, slow.window)
    assert (True, False) == (slow.may_start(0.1, 3), slow.may_start(0.1, 4))


def test_429_is_never_an_outage() -> None:
    """However many users get it."""
    throttled = gate()
    for user in (A, B, C) * 10:
        throttled.failed(user, Unavailable("429", throttled=True), 0.0, 0.0)

    assert State.THROTTLED is throttled.state


def test_throttled_ends_ten_seconds_after_the_last_429() -> None:
    """Whether anything is sent meanwhile or not, and whatever the window is by then."""
    throttled = gate()
    for now in (0.0, 5.0):
        throttled.failed(A, Unavailable("429", throttled=True), now, now)
    states = []
    for now in (5.1, 14.9, 15.0):
        throttled.tick(now)
        states.append(throttled.state)

    assert [State.THROTTLED, State.THROTTLED, State.DELIVERING] == states
    assert "" == throttled.reason


def test_a_success_does_not_end_throttled() -> None:
    """Below the limit all succeed, for the moment."""
    throttled = gate(in_flight_max=4)
    throttled.failed(A, Unavailable("429", throttled=True), 0.0, 0.0)
    for _ in range(100):
        throttled.delivered(1.0, 0.5)

    assert State.THROTTLED is throttled.state


def test_a_success_does_not_shorten_what_a_429_asked_for() -> None:
    """Those in flight may still succeed; Retry-After holds."""
    throttled = gate()
    throttled.failed(A, Unavailable("429", retry_after_seconds=10.0, throttled=True), 0.0, 0.0)
    throttled.delivered(0.5, 0.5)

    assert not throttled.may_start(9.9, 0)
    assert throttled.may_start(10.0, 0)


def test_errors_while_throttled_are_an_outage_all_the_same() -> None:
    """After it the 429 still counts, for ten seconds; the window is what it had left, and grows."""
    closed = gate()
    closed.failed(A, Unavailable("429", throttled=True), 0.0, 0.0)
    for user in (A, B, C, A, B):
        closed.failed(user, ERROR, 0.0, 0.0)

    assert State.UNAVAILABLE is closed.state

    closed.delivered(2.0, 2.0)

    assert (State.THROTTLED, 5) == (closed.state, closed.window)
    assert closed.may_start(2.0, 4)
