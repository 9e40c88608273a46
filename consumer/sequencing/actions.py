"""What the core asks the edges to do. An action is an order; each is answered by one call back into the sequencer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import DeadLetterReason, Event, Record
from consumer.sequencing.lanes import Lane


class Remember(msgspec.Struct, frozen=True, eq=False):
    """Write that the lane's user is identified; answer with `Sequencer.recorded`."""

    lane: Lane
    may_be_stored: bool = False
    """The user was not looked up. If the state says so already, nothing is written."""


class Forget(msgspec.Struct, frozen=True, eq=False):
    """Write that the lane's user is no longer identified; answer with `Sequencer.recorded`."""

    lane: Lane


@dataclass(slots=True, frozen=True, eq=False)
class WriteDeadLetter:
    """Put the record into the dead-letter topic; answer with `Sequencer.dead_lettered` once all replicas have it."""

    assignment: Assignment
    record: Record
    reason: DeadLetterReason
    detail: str
    status: int | None = None
    body: bytes = b""
    attempts: int = 0


@dataclass(slots=True, frozen=True, eq=False)
class WriteReceipt:
    """Write that these were delivered; answer with `Sequencer.receipted` once all replicas have it."""

    lane: Lane
    events: Sequence[Event]
    status: int
    """What the destination answered."""


Action = Remember | Forget | WriteDeadLetter | WriteReceipt
