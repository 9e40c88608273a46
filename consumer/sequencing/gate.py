"""Whether a request may start now: what is known of the destination as a whole. Pure.

    delivering   the normal state; up to `in_flight_max` requests at once, or what it can make use of (window.py)
    throttled    it answered 429 within the last 10 s: fewer requests at once (window.py); Retry-After pauses all of it
    unavailable  nothing succeeds: one real request at a time probes, by another user each time; one success reopens
    stopped      a wrong key or URL (misdirections.py), or three different users refused before anything was ever
                 accepted: probes only

With nothing left to send there is no probe, and nobody who would be stopped: then it is delivering again, and the next
request finds out.

An outage is everybody failing. So the failures of one user, however many, never close the gate for the others: their
Retry-After is kept by their lane, and holds for all only in an outage, or on a 429. Whenever the gate is closed, its
state is another one than delivering, `reason` says why, and `opens_at` until when.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Final

from consumer.sequencing.events import Misdirected, Unavailable, User
from consumer.sequencing.misdirections import Misdirections
from consumer.sequencing.slowness import Slowness
from consumer.sequencing.window import Window

PROBE_SECONDS_MAX: Final = 5.0
"""Longest wait between two probes. A destination that is back may go unnoticed for this long."""
OUTAGE_FAILURES: Final = 5
OUTAGE_USERS: Final = 3
"""What makes an outage: this many failures of this many users, with no success between them."""
ALONE_SECONDS: Final = 15.0
"""Fewer users make an outage after so long without any success. Before that, one of them may fail alone."""
REFUSED_USERS_MAX: Final = 3
THROTTLED_SECONDS: Final = 10.0
"""How long after the last 429 the destination counts as throttled."""


class State(Enum):
    """The values of the `state` label of customfit_destination_state."""

    DELIVERING = "delivering"
    THROTTLED = "throttled"
    UNAVAILABLE = "unavailable"
    STOPPED = "stopped"


class Gate:
    """Admission of requests to one destination. `backoff(attempt)` gives seconds, with jitter."""

    def __init__(
        self, in_flight_max: int, backoff: Callable[[int], float], request_timeout_seconds: float = 10.0
    ) -> None:
        self.state = State.DELIVERING
        self.reason = ""
        self.last_delivered_at: float | None = None
        self.last_accepted_sent_at = float("-inf")
        """When the latest request was sent of those that were accepted."""
        self._backoff = backoff
        self.slowness = Slowness()
        self._window = Window(in_flight_max, request_timeout_seconds)
        self._probe_at = 0.0
        self._paused_until = 0.0
        """Until when a 429 asked us to wait. No success shortens it."""
        self._throttled_until = 0.0
        self._probes = 0
        self._failures = 0
        self._failed_users: set[User] = set()
        self._refused_users: set[User] = set()
        self._misdirections = Misdirections()
        self._has_news = False
        """Whether anything but successes was heard, so that the next success may change something."""

    def may_start(self, now: float, in_flight: int) -> bool:
        """Whether one more request may be sent."""
        if now < self._probe_at or now < self._paused_until:
            return False
        if self.probing:
            return in_flight == 0
        return in_flight < self._window.size

    def opens_at(self, now: float) -> float | None:
        """Until when it is closed, or the next probe waits. None: it does not wait for a time."""
        opens_at = max(self._probe_at, self._paused_until)
        return opens_at if opens_at > now else None

    def tick(self, now: float) -> None:
        """End the state `throttled` when its time is over."""
        if self.state is State.THROTTLED and now >= self._throttled_until and self.opens_at(now) is None:
            self._become(State.DELIVERING)

    @property
    def needs_an_answer(self) -> bool:
        """Whether only the answer to a request can end its present state."""
        return self.state in (State.UNAVAILABLE, State.STOPPED)

    def nothing_to_send(self, now: float) -> None:
        """No answer will come, so what was learned of the destination grows old, and the next request finds out.

        It still remembers who was refused before anything was accepted: each of them has cost a dead letter.
        """
        if self.state is State.STOPPED:
            self._misdirections.reset()
        self._reopen(now)
        if self.state is State.DELIVERING:
            self.reason = "nothing is left to send; the next request finds out"

    @property
    def everybody_fails(self) -> bool:
        """Whether several users have failed and nobody has succeeded since."""
        return len(self._failed_users) >= OUTAGE_USERS

    @property
    def probing(self) -> bool:
        """Whether only one request at a time may be sent, to find out if the destination works again."""
        return self.state is State.STOPPED or (self.state is State.UNAVAILABLE and self.everybody_fails)

    @property
    def window(self) -> int:
        """How many requests may be in flight."""
        return self._window.size

    def measured(self, now: float, seconds: Sequence[float], events: int, in_flight: int) -> None:
        """Requests were accepted: how long each took, their events, and the sum of what was in flight with each."""
        self._window.measured(now, seconds, events, in_flight)
        self.slowness.measured(now, seconds)

    def held_back(self, now: float, in_flight: int) -> None:
        """More would be sent if a limit of our own (rate.py) did not forbid it."""
        self._window.held_back(now, in_flight)

    def delivered(self, now: float, sent_at: float) -> None:
        """A request was accepted: the destination works. A request sent before a 401 says nothing about the key."""
        self.last_delivered_at = now
        self.last_accepted_sent_at = max(self.last_accepted_sent_at, sent_at)
        self._window.succeeded(now)
        if self._has_news:
            self._refused_users.clear()
            self._works(now, sent_at)
            self._has_news = self._misdirections.has_any  # a success of a request from before that leaves it open

    def refused(self, user: User, status: int, now: float, sent_at: float) -> bool:
        """A permanent refusal. False: it looks like our fault, so the event must be kept."""
        self._has_news = True
        if self.last_delivered_at is None:
            self._refused_users.add(user)
            if len(self._refused_users) >= REFUSED_USERS_MAX:
                reason = (
                    f"it refused {REFUSED_USERS_MAX} different users (last answer {status}) before it accepted "
                    "anything; check CUSTOMFIT_API_DIALECT, CUSTOMFIT_API_AUTH and CUSTOMFIT_API_URL"
                )
                self._stop(reason, now)
                return False
        self._works(now, sent_at)  # it judges events, so it works
        return True

    def failed(self, user: User, outcome: Unavailable, now: float, sent_at: float) -> None:
        """A request that may succeed later."""
        self._has_news = True
        self._failures += 1
        self._note_failed(user)
        self._misdirections.interrupted()
        if outcome.throttled:
            self._window.throttled(now, sent_at)
            self._throttle(outcome.retry_after_seconds or 0.0, now)
        elif outcome.timed_out:
            self._window.timed_out(now)
        if self.state is not State.STOPPED and not outcome.throttled and self._is_outage(now):
            self._become(State.UNAVAILABLE, outcome.cause)
        if self.probing:
            if outcome.retry_after_seconds is not None:
                self._probe_at = max(self._probe_at, now + outcome.retry_after_seconds)
            self._next_probe(now)

    def _is_outage(self, now: float) -> bool:
        if self._failures < OUTAGE_FAILURES:
            return False
        nobody_succeeds = self.last_delivered_at is None or now - self.last_delivered_at >= ALONE_SECONDS
        return self.everybody_fails or nobody_succeeds

    def misdirected(self, user: User, outcome: Misdirected, now: float, *, others_wait: bool) -> None:
        """A 401, 403, 404 …: a wrong key or URL, and no event is to blame.

        Or it is about one payload, and nobody else waits.

        `others_wait`: some other lane has something to send, or is waiting for an answer.
        """
        self._has_news = True
        self._note_failed(user)
        if self._misdirections.note(user, now, others_wait=others_wait) or self.state is State.STOPPED:
            self._stop(f"it answered {outcome.status}; {_remedy(outcome.status)}", now)
        elif self.probing:
            self._next_probe(now)

    def _note_failed(self, user: User) -> None:
        if len(self._failed_users) < OUTAGE_USERS:
            self._failed_users.add(user)

    def _throttle(self, retry_after_seconds: float, now: float) -> None:
        self._throttled_until = now + THROTTLED_SECONDS
        self._paused_until = max(self._paused_until, now + retry_after_seconds)
        if self.state in (State.DELIVERING, State.UNAVAILABLE):
            self._become(State.THROTTLED, "it answered 429")

    def _works(self, now: float, sent_at: float) -> None:
        """It is up. Unless the request was sent before a 401, the key and the URL are right, too."""
        if not self._misdirections.accepted(sent_at) and self.state is State.STOPPED:
            self._nobody_fails()
            return
        self._reopen(now)

    def _nobody_fails(self) -> None:
        self._failures = 0
        self._failed_users.clear()

    def _reopen(self, now: float) -> None:
        self._nobody_fails()
        self._probes = 0
        self._probe_at = 0.0
        if not self.needs_an_answer:
            self.reason = "" if self.state is State.DELIVERING else self.reason
            return
        if now < max(self._throttled_until, self._paused_until):
            self._become(State.THROTTLED, "it answered 429")
        else:
            self._become(State.DELIVERING)

    def _stop(self, reason: str, now: float) -> None:
        self._become(State.STOPPED, reason)
        self._next_probe(now)

    def _next_probe(self, now: float) -> None:
        # The requests that were in flight when it closed all report. Only one sent after the wait counts as a probe.
        if now >= self._probe_at:
            self._probe_at = now + min(self._backoff(self._probes), PROBE_SECONDS_MAX)
            self._probes += 1

    def _become(self, state: State, reason: str = "") -> None:
        self.state = state
        self.reason = reason

    def __repr__(self) -> str:
        return f"<Gate {self.state.value}{': ' + self.reason if self.reason else ''}, window {self.window}>"


def _remedy(status: int) -> str:
    if status in (401, 403, 407):
        return "check CUSTOMFIT_API_KEY and CUSTOMFIT_API_AUTH"
    if status == 402:
        return "check the account's plan at CustomFit"
    return "check CUSTOMFIT_API_URL"
