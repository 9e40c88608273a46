"""Leaves the group, so that it need not wait until the session ends."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from typing import Any, Final

from confluent_kafka import Consumer

from consumer.log_codes import Code, fields

JOIN_SECONDS: Final = 2.5
LEAVE_SECONDS: Final = 3.0
POLL_SECONDS: Final = 0.05
CLOSE_SECONDS: Final = 5.0
LEFT_SECONDS: Final = 0.3
"""Time for the request to leave, once the client has forgotten its member id."""

log = logging.getLogger("consumer.kafka")


def leave_group(consumer: Consumer, properties: Mapping[str, Any], has_joined: Callable[[], bool]) -> None:
    """Leave, unless this is a static member, which is to stay.

    It unsubscribes first, because close() of a member without partitions sends no LeaveGroup (cooperative-sticky,
    2.16.1): the group would wait for it until its session ends. With the new group protocol the same happens if a
    member leaves before the group's first answer has come, so `has_joined` is waited for.
    """
    if "group.instance.id" in properties:
        return
    is_classic = properties.get("group.protocol", "classic") == "classic"
    deadline = time.monotonic() + JOIN_SECONDS
    while not (is_classic or has_joined()) and time.monotonic() < deadline:
        consumer.poll(POLL_SECONDS)
    consumer.unsubscribe()
    deadline = time.monotonic() + LEAVE_SECONDS
    while consumer.memberid() and time.monotonic() < deadline:
        consumer.poll(POLL_SECONDS)
    consumer.poll(LEFT_SECONDS)


def close(consumer: Consumer) -> None:
    """Close the client, in a thread of its own: if the coordinator is silent, that may take minutes (2.16.1)."""
    closed: Future[None] = Future()

    def work() -> None:
        try:
            consumer.close()
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            closed.set_exception(error)
        else:
            closed.set_result(None)

    threading.Thread(target=work, name="kafka-close", daemon=True).start()
    try:
        closed.result(CLOSE_SECONDS)
    except FutureTimeoutError:
        told = "the client could not be closed within %g s: Kafka does not answer"
        log.warning(told, CLOSE_SECONDS, extra=fields(Code.CLIENT_NOT_CLOSED))
