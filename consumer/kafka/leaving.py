"""Leaving the group, so that it need not wait for the end of the session."""

from __future__ import annotations

import time
from typing import Final

from confluent_kafka import Consumer

LEAVE_SECONDS: Final = 3.0
POLL_SECONDS: Final = 0.05
LEFT_SECONDS: Final = 0.3
"""For the request itself, once the client has forgotten its member id."""


def leave_group(consumer: Consumer) -> None:
    """Unsubscribe first: close() of a member without partitions sends no LeaveGroup (cooperative-sticky, 2.16.1).

    The group would wait for it until the session's end. A static member is to stay, and only closes.
    """
    consumer.unsubscribe()
    deadline = time.monotonic() + LEAVE_SECONDS
    while consumer.memberid() and time.monotonic() < deadline:
        consumer.poll(POLL_SECONDS)
    consumer.poll(LEFT_SECONDS)
