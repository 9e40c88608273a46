"""What is published of the loop's state, once a turn.

One immutable value for the metrics, the health checks and /status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from consumer.sequencing.accounting import End, Reason
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition
from consumer.sequencing.gate import State


class Phase(Enum):
    """The life of the process."""

    STARTING = "starting"
    RUNNING = "running"
    DRAINING = "draining"


@dataclass(slots=True, frozen=True)
class PartitionView:
    """One partition that is ours."""

    partition: Partition
    committed_offset: int
    position: int
    end_offset: int | None
    unfinished: int
    oldest_uncommitted_ms: int | None
    """Record timestamp; None where no record in hand waits for its commit."""
    restoring: bool
    restore_remaining: int | None
    """Records of its state that are still to be read; None where that is not known, or it is not restoring."""
    identified_users: int
    problem: str | None

    @property
    def labels(self) -> tuple[str, str]:
        """Topic and number, as metrics name a partition."""
        return self.partition.topic, str(self.partition.number)

    @property
    def lag_events(self) -> int | None:
        """End minus committed; None until the end is known."""
        return None if self.end_offset is None else max(self.end_offset - self.committed_offset, 0)

    def lag_seconds(self, wall_seconds: float) -> float | None:
        """Age of the oldest record not committed, 0 when caught up; None when that record is not in hand yet."""
        if self.oldest_uncommitted_ms is not None:
            return max(wall_seconds - self.oldest_uncommitted_ms / 1000, 0.0)
        return 0.0 if self.lag_events == 0 else None


@dataclass(slots=True)
class PartitionNotes:
    """What the edges have said of a partition, beside what the core knows."""

    end_offset: int | None = None
    restoring: bool = True
    restore_remaining: int | None = None
    identified_users: int = 0
    problem: str | None = None


def view(assignment: Assignment, notes: PartitionNotes) -> PartitionView:
    """All that is shown of a partition."""
    offsets = assignment.offsets
    return PartitionView(
        partition=assignment.partition,
        committed_offset=offsets.committed_offset,
        position=offsets.position,
        end_offset=notes.end_offset,
        unfinished=offsets.unfinished,
        oldest_uncommitted_ms=offsets.oldest_uncommitted_ms(),
        restoring=notes.restoring,
        restore_remaining=notes.restore_remaining,
        identified_users=notes.identified_users,
        problem=notes.problem,
    )


@dataclass(slots=True, frozen=True)
class Snapshot:
    """Everything that is shown, as of one turn of the loop."""

    taken_at: float
    """Monotonic seconds."""
    phase: Phase
    joined: bool
    """The group has answered, with partitions or without."""
    partitions: tuple[PartitionView, ...]
    consumed: Mapping[str, int]
    finished: Mapping[tuple[End, Reason], int]
    unfinished: int
    introductions: int
    holds_cut_short: int
    held_events: int
    held_users: int
    in_flight: int
    in_flight_limit: int
    destination_state: State
    destination_reason: str
    dead_letter_problem: str | None = None
    kafka_problem: str | None = None
    group_problem: str | None = None
    """Why nothing is sent although the destination would take it: see lease.py."""
    registry_problem: str | None = None
    awaiting_schemas: tuple[Partition, ...] = ()
    """Whose next record waits for its schema."""
    state_problem: str | None = None
    """Why the state topic can't be read or written."""
    denied: tuple[str, ...] = ()
    """What the cluster's access lists keep us from."""
