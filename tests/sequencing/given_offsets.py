"""Trackers that have received and finished some records, and what they claim."""

from __future__ import annotations

from consumer.sequencing.commit_metadata import decode
from consumer.sequencing.offsets import OffsetTracker

CLUSTER = "cluster-1"


def tracker(*offsets: int, start: int = 0, finished: tuple[int, ...] = ()) -> OffsetTracker:
    """A tracker that has received and finished these."""
    made = OffsetTracker(start, cluster_id=CLUSTER)
    for offset in offsets:
        made.received(offset, offset * 1000)
    for offset in finished:
        made.finished(offset)
    return made


def claimed(offsets: OffsetTracker) -> set[int]:
    """What the next owner will take for finished above the committed offset."""
    point = offsets.commit_point()
    before = decode(point.metadata, point.offset, CLUSTER).finished_before
    return set() if before is None else {offset for offset in range(point.offset, before.end) if offset in before}
