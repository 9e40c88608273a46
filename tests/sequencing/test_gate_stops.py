"""When the gate stops: a wrong key, a wrong URL, refusals of all, and how it opens again."""

from __future__ import annotations

import pytest

from consumer.sequencing.events import Unavailable, User
from consumer.sequencing.gate import State
from tests.sequencing.given_gate import ERROR, A, B, C, gate, misdirected, stopped_at

# ---------------------------------------------------------------------- stopped


@pytest.mark.parametrize(
    ("status", "setting"),
    [(401, "CUSTOMFIT_API_KEY"), (403, "CUSTOMFIT_API_AUTH"), (402, "plan"), (404, "CUSTOMFIT_API_URL"), (302, "URL")],
)
def test_a_wrong_key_or_url_stops_and_says_what_to_look_at(status: int, setting: str) -> None:
    """Three users are enough: no event is to blame."""
    stopped = gate()
    misdirected(stopped, A, B, C, now=10.0, status=status)

    assert State.STOPPED is stopped.state
    assert str(status) in stopped.reason
    assert setting in stopped.reason
    assert (False, True, False) == (stopped.may_start(10.9, 0), stopped.may_start(11.0, 0), stopped.may_start(11.0, 1))


def test_a_403_of_one_or_two_users_stops_nobody_else() -> None:
    """A firewall's rule may dislike what they send; others go on."""
    opened = gate()
    misdirected(opened, *[A, B] * 50, status=403)

    assert State.DELIVERING is opened.state
    assert opened.may_start(0.0, 7)


def test_a_success_of_a_request_sent_after_the_first_403_shows_that_the_key_is_right() -> None:
    """One sent before shows nothing: the key may have been revoked since."""
    opened, stopped = gate(), gate()
    for made, sent_at in ((opened, 1.0), (stopped, 0.9)):
        misdirected(made, A, B, now=1.0)
        made.delivered(1.5, sent_at)
        misdirected(made, C, now=2.0)

    assert (State.DELIVERING, State.STOPPED) == (opened.state, stopped.state)


def test_two_403_in_a_row_stop_when_nobody_else_has_anything_to_send() -> None:
    """There is nobody who could show that the key is right."""
    stopped, states = gate(), []
    for now in (0.0, 1.0):
        misdirected(stopped, A, now=now, others_wait=False)
        states.append(stopped.state)

    assert [State.DELIVERING, State.STOPPED] == states


def test_another_answer_between_two_403_says_that_they_are_not_in_a_row() -> None:
    """A success, or an error; and while others wait for their answers it is not known."""
    opened = gate()
    misdirected(opened, A, others_wait=False)
    opened.failed(B, ERROR, 0.0, 0.0)
    misdirected(opened, A, others_wait=False)
    opened.delivered(1.0, 0.5)
    misdirected(opened, A, now=1.0, others_wait=False)
    misdirected(opened, A, now=2.0, others_wait=True)
    misdirected(opened, A, now=3.0, others_wait=False)

    assert State.DELIVERING is opened.state


def test_a_stopped_gate_stays_so_while_probes_fail_in_another_way() -> None:
    """A 500 says nothing about the key."""
    stopped = stopped_at(0.0)
    stopped.failed(A, ERROR, 1.0, 1.0)

    assert State.STOPPED is stopped.state
    assert 3.0 == stopped.opens_at(1.0)


def test_a_stopped_gate_reopens_on_a_success() -> None:
    """The key was fixed."""
    reopened = stopped_at(0.0)
    reopened.delivered(1.5, 1.0)

    assert State.DELIVERING is reopened.state
    assert reopened.may_start(1.5, 7)


def test_a_stopped_gate_does_not_reopen_on_what_was_sent_before() -> None:
    """It was accepted with the key that is refused now: all that is sent next would be refused too."""
    stopped = stopped_at(1.0)
    stopped.delivered(1.5, 0.5)
    stopped.refused(A, 400, 1.6, 0.6)

    assert State.STOPPED is stopped.state


def test_a_stopped_gate_reopens_on_a_refusal() -> None:
    """The key was fixed, and it judges events again."""
    reopened = gate()
    reopened.delivered(0.0, 0.0)
    misdirected(reopened, A, B, C, now=1.0)

    assert reopened.refused(A, 400, 2.0, 2.0)
    assert State.DELIVERING is reopened.state


def test_refusals_of_three_users_before_any_success_stop() -> None:
    """A wrong dialect must not dead-letter a whole topic: the third event is kept, and so are all that follow."""
    stopped = gate()

    assert [True, True, False] == [stopped.refused(user, 400, 0.0, 0.0) for user in (A, B, C)]
    assert State.STOPPED is stopped.state
    assert "3 different users" in stopped.reason
    assert "CUSTOMFIT_API_DIALECT" in stopped.reason
    assert not stopped.refused(A, 400, 1.0, 1.0)


def test_refusals_of_one_user_before_any_success_do_not_stop() -> None:
    """That user's events may all be bad."""
    opened = gate()

    assert all(opened.refused(A, 400, 0.0, 0.0) for _ in range(100))
    assert State.DELIVERING is opened.state


def test_refusals_after_a_success_do_not_stop() -> None:
    """Something was accepted, so the settings are right."""
    opened = gate()
    opened.delivered(0.0, 0.0)

    assert all(opened.refused(User(str(number)), 400, 1.0, 1.0) for number in range(100))
    assert State.DELIVERING is opened.state


def test_a_success_ends_the_stop_by_refusals_for_good() -> None:
    """From then on a refused event is at fault itself."""
    reopened = gate()
    for user in (A, B, C):
        reopened.refused(user, 400, 0.0, 0.0)
    reopened.delivered(1.0, 1.0)

    assert State.DELIVERING is reopened.state
    assert all(reopened.refused(user, 400, 2.0, 2.0) for user in (A, B, C))


def test_its_repr_is_for_the_operator() -> None:
    """State, reason, window."""
    opened = gate()

    assert "<Gate delivering, window 8>" == repr(opened)

    opened.failed(A, Unavailable("429", throttled=True), 0.0, 0.0)

    assert "<Gate throttled: it answered 429, window 4>" == repr(opened)
