"""Gates in each state, and answers for them."""

from __future__ import annotations

from consumer.sequencing.events import Misdirected, Unavailable, User
from consumer.sequencing.gate import Gate

A, B, C = User("a"), User("b"), User("c")
ERROR = Unavailable("500")


def gate(in_flight_max: int = 8) -> Gate:
    """A gate whose probes wait 1, 2, 4 ... seconds."""
    return Gate(in_flight_max, lambda attempt: 2.0**attempt)


def unavailable() -> Gate:
    """A gate at time 0, after five failures of three users; the first probe may start at 1."""
    made = gate()
    for user in (A, B, C, A, B):
        made.failed(user, ERROR, 0.0, 0.0)
    return made


def misdirected(stopped: Gate, *users: User, now: float = 0.0, others_wait: bool = True, status: int = 401) -> None:
    """Requests of these users were answered so."""
    for user in users:
        stopped.misdirected(user, Misdirected(status), now, others_wait=others_wait)


def stopped_at(now: float) -> Gate:
    """A gate that three users have found out to be stopped; the first probe may start a second later."""
    made = gate()
    misdirected(made, A, B, C, now=now)
    return made
