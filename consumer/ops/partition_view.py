"""What is shown of one partition. Pure values; made once a turn of the loop at the most."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.sequencing.events import Partition
from consumer.sequencing.stops import Stopped


@dataclass(slots=True, frozen=True)
class Waits:
    """What a partition waits for, as far as it alone is concerned; several may be true."""

    start_seconds: float = 0.0
    """How long its start has been asked for without an answer."""
    end_seconds: float = 0.0
    """How long nobody has said where its log ends."""
    has_leader: bool = True
    has_state_leader: bool = True
    restoring_seconds: float = 0.0
    record_seconds: float = 0.0
    """How long state records or dead letters of it have been under way and none was acknowledged."""
    commit_seconds: float = 0.0
    """How long there has been something to commit and no commit was acknowledged."""
    schema: bool = False
    registry_not_set: str = ""
    """Which record of it waits since no schema registry is set, in words."""
    transaction_seconds: float = 0.0
    """How long an open transaction has kept the records behind it from being read."""
    share: bool = False
    """It makes no progress, so it may use no more than its share of what all partitions use."""
    held_events: int = 0
    """Events that wait for their user's identify; counted only when the partition has not moved for a while."""
    hold_seconds: float = float("inf")
    """How long a hold lasts at the most: for longer it explains nothing."""
    retried_events: int = 0
    """Events of users whose requests fail; counted only then, too."""
    answer_seconds: float = 0.0
    """How long the oldest of its requests has been without an answer; looked at only then, too."""


@dataclass(slots=True, frozen=True)
class PartitionView:
    """One partition that is ours, or was when the cluster went away."""

    partition: Partition
    committed_offset: int | None
    """Or where it starts; None until that is known."""
    position: int = 0
    end_offset: int | None = None
    """The high watermark; None until it is known."""
    stable_offset: int | None = None
    """Up to where it may be read: below the first open transaction."""
    unfinished: int = 0
    oldest_uncommitted_ms: int | None = None
    """Timestamp of the oldest record not committed, or the best guess at it; None where none waits."""
    unfinished_since: float | None = None
    """Since when that record has been there to be read, by our own clock; monotonic seconds."""
    retention_seconds: float | None = None
    """For how long the topic keeps records; None: not limited by time, or not known."""
    restoring: bool = False
    restore_remaining: int | None = None
    """Records of its state that are still to be read; None where that is not known, or it is not restoring."""
    identified_users: int = 0
    stopped: Stopped | None = None
    unmoved_seconds: float = 0.0
    """How long there has been something to do and no event was finished and no offset committed."""
    unread_seconds: float = 0.0
    """How long there have been records to read and nothing of it was read."""
    waits: Waits = Waits()
    is_ours: bool = True

    @property
    def labels(self) -> tuple[str, str]:
        """Topic and number, as metrics name a partition."""
        return self.partition.topic, str(self.partition.number)

    @property
    def lag_events(self) -> int | None:
        """End minus committed; None until both are known."""
        if self.end_offset is None or self.committed_offset is None:
            return None
        return max(self.end_offset - self.committed_offset, 0)

    def lag_seconds(self, wall_seconds: float) -> float | None:
        """Age of the oldest record not committed, 0 when caught up; None only as long as the lag is unknown, too."""
        if self.oldest_uncommitted_ms is not None:
            return max(wall_seconds - self.oldest_uncommitted_ms / 1000, 0.0)
        return 0.0 if self.lag_events == 0 else None

    def unfinished_seconds(self, monotonic_seconds: float) -> float:
        """How long the oldest record not committed has been there to be read; 0 when there is none."""
        return 0.0 if self.unfinished_since is None else max(monotonic_seconds - self.unfinished_since, 0.0)

    @property
    def blocked_by_transaction(self) -> int:
        """Offsets between the first open transaction and the end."""
        if self.end_offset is None or self.stable_offset is None:
            return 0
        return max(self.end_offset - self.stable_offset, 0)

    def retention_headroom_seconds(self, wall_seconds: float) -> float:
        """Until retention may delete the oldest record not committed; infinite when none waits, or time is no limit."""
        age_seconds = self.lag_seconds(wall_seconds)
        if self.retention_seconds is None or self.oldest_uncommitted_ms is None or age_seconds is None:
            return float("inf")
        return self.retention_seconds - age_seconds
