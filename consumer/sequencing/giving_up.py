"""When an event that keeps failing is given up: after it has failed for long enough while others succeeded. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from consumer.sequencing.events import Misdirected, Unavailable
from consumer.sequencing.gate import Gate
from consumer.sequencing.lanes import Delivery

THROTTLED_COUNTS: Final = 0.1
"""A 429 says "slow down", not "broken": it counts a tenth towards giving up."""
CRAMPED_COUNTS: Final = 0.1
"""The same share counts while nobody else can try: it may be an outage after all."""
FAILING_STEP_SECONDS_MAX: Final = 60.0
"""What one failure adds at most to the time an event has failed. There may be an outage between two attempts."""


class GivingUp:
    """Adds up how long each request has failed. `nobody_else_can_try`: all there is waits behind failing users."""

    def __init__(self, give_up_seconds: float, gate: Gate, nobody_else_can_try: Callable[[], bool]) -> None:
        self._give_up_seconds = give_up_seconds
        self._gate = gate
        self._nobody_else_can_try = nobody_else_can_try

    def is_due(self, delivery: Delivery, outcome: Unavailable | Misdirected, now: float) -> bool:
        """Count a failure. True: it was the last, the event is given up."""
        is_throttled = isinstance(outcome, Unavailable) and outcome.throttled
        failed_at = now if delivery.failed_at is None else delivery.failed_at
        share = self._share_that_counts(failed_at, outcome)
        seconds = min(now - failed_at, FAILING_STEP_SECONDS_MAX)
        delivery.failing_seconds += seconds * (min(share, THROTTLED_COUNTS) if is_throttled else share)
        delivery.failed_at = now
        if delivery.first_failed_at is None:
            delivery.first_failed_at = now
        return seconds * share > 0.0 and delivery.failing_seconds >= self._give_up_seconds

    def _share_that_counts(self, failed_at: float, outcome: Unavailable | Misdirected) -> float:
        """What share of the time since its last failure counts: all, if a request sent since then has succeeded.

        Nothing counts in an outage. If the buffer is full of what waits behind one or two failing users, nobody else
        can succeed; then a tenth counts, or it would stay so for ever. Nothing counts after a 401 or the like: it may
        be the key.
        """
        if self._gate.last_accepted_sent_at > failed_at:
            return 1.0
        if isinstance(outcome, Misdirected) or self._gate.everybody_fails or not self._nobody_else_can_try():
            return 0.0
        return CRAMPED_COUNTS
