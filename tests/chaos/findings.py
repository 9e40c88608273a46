"""What may be wrong with a run, and how it is said."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

from tests.chaos.evidence import Accepted, Produced


class Column(Enum):
    """What may be wrong; each must be 0."""

    LOST = "lost"
    """Below the committed offset, and neither delivered nor dead-lettered as it must be."""
    PHANTOM = "phantom"
    """Delivered and never produced, or to another user, or altered, or not to be delivered at all."""
    DEAD_LETTER = "wrong dead letter"
    """A dead letter of what should be delivered or skipped, with a wrong reason, or altered."""
    IDENTIFY = "track before identify"
    DELETE = "track after delete"
    """... and no identify accepted since that delete."""
    REORDER = "reorder"
    SKIP = "skip after rebalance"
    """The first that a new owner delivers of a user leaves out earlier events of that user."""
    AHEAD = "commit ahead"
    """A committed offset, or its metadata, says that something is finished that has not ended."""
    BACK = "commit back"
    DUPLICATE = "duplicate without cause"
    STUCK = "stuck"
    """The lag did not go to 0 after all was fixed; or records were neither finished nor committed."""
    DIED = "died"
    """A member ended by itself, hung when told to stop, or ended in another way than it should."""
    LEFT = "left behind"
    """A member that ended cleanly is still in the group: partitions wait for its session's end, or all members do."""
    HEALTH = "health"
    """A member says that it is ready and is not, or the other way round; see health.py."""
    KAFKA = "kafka"
    """An acknowledged record is not in the topic: that would be the broker's or the harness's fault."""


class Finding(NamedTuple):
    """One thing that is wrong."""

    column: Column
    text: str

    def __str__(self) -> str:
        return f"{self.column.value}: {self.text}"


def named(record: Produced) -> str:
    """A record, for people."""
    return f"{record.what} {record.insert_id} of {record.user} at {record.partition}/{record.offset}"


def sent(request: Accepted) -> str:
    """A request, for people."""
    kind = "identify" if request.is_identify else f"{len(request.insert_ids)} events"
    return f"request {request.sequence} of {request.user} ({kind}) by {request.sender} at {request.accepted_at:.3f}"
