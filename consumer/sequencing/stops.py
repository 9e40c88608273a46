"""Why a partition stands still until somebody acts. Pure."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple


class StopCause(StrEnum):
    """The `cause` label of customfit_partition_stopped."""

    OUT_OF_RANGE = "out_of_range"
    """Its committed offset is not in the log."""
    UNREADABLE_BATCH = "unreadable_batch"
    """It holds a batch that the client can't unpack."""
    DEAD_LETTER_RATIO = "dead_letter_ratio"
    """Too many of its records would be dead letters."""
    TOPIC_MADE_AGAIN = "topic_made_again"
    """The topic was deleted and made again under its name, so the committed offset says nothing about it."""
    STATE_NOT_GROWN = "state_not_grown"
    """The state topic has no partition for it, and can't be given one."""


class Stopped(NamedTuple):
    """A partition that has stopped."""

    cause: StopCause
    reason: str
    """For the operator: what is wrong, and what to do."""
