"""Record headers → HTTP headers of the request that sends the record's event. Pure.

Producers write them, so a value is sent only if every server reads it as a value and nothing else: visible ASCII,
blanks inside. A line end, a NUL or a byte above 126 is never sent. Names are checked at the start
(settings/header_names.py).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final, Literal

from consumer.sequencing.events import Headers
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.rule import DeliveryKind

VALUE_BYTES_MAX: Final = 1024
VALUES_BYTES_MAX: Final = 4096
"""All values together.

A server refuses a request with a long head, from 8 KiB on, and its event would be a dead letter.
"""
_VALUE: Final = re.compile(rb"[!-~](?:[\t -~]*[!-~])?")

Forwarded = Sequence[tuple[bytes, bytes]]
"""Names and values that may be written into the head of a request as they are."""
NotForwarded = Literal["empty", "characters", "too_large"]
NOT_FORWARDED: Final[tuple[NotForwarded, ...]] = ("empty", "characters", "too_large")
"""The `reason` label of customfit_headers_not_forwarded_total."""


class Forwarding:
    """Which headers of a record go along."""

    def __init__(self, names: Sequence[str], leave_out: Callable[[NotForwarded], object]) -> None:
        """`leave_out` hears of each value that is not fit to be sent, once for each request that goes without it."""
        self._names = {name: name.encode("ascii") for name in names}
        self._leave_out = leave_out

    def of(self, delivery: Delivery) -> Forwarded | None:
        """The headers of the record whose one event this request sends.

        If several have one name, the last counts, as in Connect.

        An introduction has none: we make it, and what a producer says of an event is not true of it.
        """
        if delivery.kind is DeliveryKind.INTRODUCTION or len(delivery.events) != 1:
            return None
        headers = delivery.events[0].record.headers
        return None if not headers else self._fit(headers)

    def _fit(self, headers: Headers) -> Forwarded:
        found = {name: value for name, value in headers if name in self._names}
        fit = []
        room_bytes = VALUES_BYTES_MAX
        for name, value in found.items():
            if (problem := _problem(value, room_bytes)) is None:
                assert value is not None
                fit.append((self._names[name], value))
                room_bytes -= len(value)
            else:
                self._leave_out(problem)
        return fit


def _problem(value: bytes | None, room_bytes: int) -> NotForwarded | None:
    if not value:
        return "empty"
    if len(value) > min(VALUE_BYTES_MAX, room_bytes):
        return "too_large"
    return None if _VALUE.fullmatch(value) else "characters"
