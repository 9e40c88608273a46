"""What is shown of one partition. Pure values; made at most once a turn of the loop."""

from __future__ import annotations

from dataclasses import dataclass

from consumer.sequencing.events import Partition
from consumer.sequencing.stops import Stopped


@dataclass(slots=True, frozen=True)
class Waits:
    """What keeps this partition alone. Several may be true."""

    start_seconds: float = 0.0
    """For how long nobody has answered where it starts."""
    end_seconds: float = 0.0
    """For how long nobody has said where its log ends."""
    has_leader: bool = True
    has_state_leader: bool = True
    restoring_seconds: float = 0.0
    record_seconds: float = 0.0
    """For how long its state records or dead letters have been under way without an acknowledgement."""
    commit_seconds: float = 0.0
    """For how long there has been something to commit without an acknowledged commit."""
    schema: bool = False
    registry_not_set: str = ""
    """Which record of it waits because no schema registry is set, in words."""
    transaction_seconds: float = 0.0
    """For how long an open transaction has kept the records behind it from being read."""
    share: bool = False
    """It makes no progress, so it may use no more than its share of what all partitions use."""
    held_events: int = 0
    """Events that wait for their user's identify. Counted only when the partition has not moved for a while."""
    hold_seconds: float = float("inf")
    """How long a hold lasts at most. It explains no longer wait."""
    retried_events: int = 0
    """Events of users whose requests fail. Counted only then, too."""
    answer_seconds: float = 0.0
    """For how long its oldest request has been without an answer. Looked at only then, too."""


@dataclass(slots=True, frozen=True)
class PartitionView:
    """One partition that is ours, or was when the cluster went away."""

    partition: Partition
    committed_offset: int | None
    """If nothing is committed: where it starts. None until that is known."""
    position: int = 0
    end_offset: int | None = None
    """The high watermark; None until it is known."""
    stable_offset: int | None = None
    """Up to where it may be read: the first open transaction, or the end."""
    unfinished: int = 0
    oldest_uncommitted_ms: int | None = None
    """Timestamp of the oldest record not committed, or the best guess at it; None: none waits."""
    unfinished_since: float | None = None
    """Since when that record has been there to be read, by our own clock; monotonic seconds."""
    retention_seconds: float | None = None
    """For how long the topic keeps records; None: not limited by time, or not known."""
    restoring: bool = False
    restore_remaining: int | None = None
    """Records of its state that are still to be read; None: not known, or it is not restoring."""
    identified_users: int = 0
    stopped: Stopped | None = None
    unmoved_seconds: float = 0.0
    """For how long there has been something to do, and no event was finished and no offset committed."""
    unread_seconds: float = 0.0
    """For how long there have been records to read, and none was read."""
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
        """Age of the oldest record not committed; 0 when caught up. None only while the lag is unknown, too."""
        if self.oldest_uncommitted_ms is not None:
            return max(wall_seconds - self.oldest_uncommitted_ms / 1000, 0.0)
        return 0.0 if self.lag_events == 0 else None

    def unfinished_seconds(self, monotonic_seconds: float) -> float:
        """For how long the oldest record not committed has been there to be read; 0: there is none."""
        return 0.0 if self.unfinished_since is None else max(monotonic_seconds - self.unfinished_since, 0.0)

    @property
    def blocked_by_transaction(self) -> int:
        """Offsets between the first open transaction and the end."""
        if self.end_offset is None or self.stable_offset is None:
            return 0
        return max(self.end_offset - self.stable_offset, 0)

    def retention_headroom_seconds(self, wall_seconds: float) -> float:
        """When retention may delete the oldest record not committed; infinite: none waits, or time is no limit."""
        age_seconds = self.lag_seconds(wall_seconds)
        if self.retention_seconds is None or self.oldest_uncommitted_ms is None or age_seconds is None:
            return float("inf")
        return self.retention_seconds - age_seconds
