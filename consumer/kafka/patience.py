"""Asking Kafka until it answers or the time is over: a broker may be starting, or electing, or cut off for a while."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Final, TypeVar

from confluent_kafka import KafkaException

T = TypeVar("T")

ASK_SECONDS_MIN: Final = 0.1
"""Each question is given at least this much, however little time is left: with 0 none is ever answered."""


def patiently(
    ask: Callable[[float], T],
    seconds_max: float,
    may_go_on: Callable[[KafkaException | FutureTimeoutError], bool] = lambda _error: True,
    *,
    pause_seconds: float = 0.0,
) -> T:
    """The answer of `ask`, which is told how many seconds are left. `math.inf`: only `may_go_on` ends it.

    `may_go_on` sees each failure, before it is asked again: whether that can help. It may raise. A failure that no
    further question can help, or that comes when the time is over, is raised as it is.
    """
    deadline = time.monotonic() + seconds_max
    while True:
        try:
            return ask(max(deadline - time.monotonic(), ASK_SECONDS_MIN))
        except (KafkaException, FutureTimeoutError) as error:
            if not may_go_on(error) or time.monotonic() >= deadline:
                raise
        time.sleep(pause_seconds)
