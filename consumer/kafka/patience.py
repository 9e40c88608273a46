"""Asks Kafka until it answers or the time is over: a broker may be starting, electing, or cut off for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, TypeVar

from confluent_kafka import KafkaException

T = TypeVar("T")

ASK_SECONDS_MIN: Final = 0.1
"""Each question gets this much at least, however little time is left: with 0 none would ever be answered."""


def patiently(
    ask: Callable[[float], T],
    seconds_max: float,
    may_go_on: Callable[[KafkaException | FutureTimeoutError], bool] = lambda _error: True,
    *,
    pause_seconds: float = 0.0,
) -> T:
    """Call `ask` until it answers; it gets how many seconds are left. `seconds_max` may be `math.inf`.

    After each failure `may_go_on` gets the error, and says whether asking again can help; it may raise. If it can't
    help, or the time is over, the error is raised as it is.
    """
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            return ask(max(deadline - time.monotonic(), ASK_SECONDS_MIN))
        except (KafkaException, FutureTimeoutError) as error:
            if not may_go_on(error) or time.monotonic() >= deadline:
                raise
        time.sleep(pause_seconds)
