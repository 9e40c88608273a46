"""Ctrl-C and SIGTERM in a command that talks to Kafka."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self


class Interrupts:
    """Turns Ctrl-C and SIGTERM into KeyboardInterrupt, but not inside librdkafka's calls.

    confluent-kafka 2.16 loses it there: the call ends with "returned NULL without setting an exception".
    """

    def __init__(self, *also: signal.Signals) -> None:
        """`also`: other signals that end the command in the same way."""
        self._signals = (signal.SIGINT, signal.SIGTERM, *also)
        self._came = False
        self._put_off = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        """Take the signals."""
        self._before = {number: signal.signal(number, self._handle) for number in self._signals}
        return self

    def __exit__(self, *_exc: object) -> None:
        """Give them back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @contextmanager
    def put_off(self) -> Iterator[None]:
        """From now on only note a signal."""
        self._put_off = True
        try:
            yield
        finally:
            self._put_off = False

    @contextmanager
    def let_through(self) -> Iterator[None]:
        """Inside `put_off`: raise KeyboardInterrupt at once again, and now if a signal has come."""
        self._put_off = False
        try:
            self.check()
            yield
        finally:
            self._put_off = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come."""
        if self._came:
            raise KeyboardInterrupt

    def _handle(self, _number: int, _frame: object) -> None:
        self._came = True
        if not self._put_off:
            raise KeyboardInterrupt
