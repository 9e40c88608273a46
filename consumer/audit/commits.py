"""What the group has finished of a partition, as its last commit says. Pure.

A commit says where to read on. Its metadata says which topic it is about, and what is finished above the offset. A
commit of an earlier topic with the same name says nothing about this one's records, and the consumer does not start
from it either.
"""

from __future__ import annotations

from typing import NamedTuple

from consumer.sequencing.commit_metadata import FinishedBefore, decode


class Commit(NamedTuple):
    """A commit as the group keeps it."""

    offset: int
    metadata: str | None = None


class Finished:
    """Which offsets of one partition are finished. Ask in rising order."""

    def __init__(self, commit: Commit | None, cluster_id: str, topic_id: str | None) -> None:
        self.offset = 0 if commit is None else commit.offset
        """Everything below it is finished."""
        self.is_of_another_topic = False
        self._above: FinishedBefore | None = None
        if commit is None:
            return
        said = decode(commit.metadata, commit.offset, cluster_id)
        if said.topic_id is not None and topic_id is not None and said.topic_id != topic_id:
            self.is_of_another_topic = True
            self.offset = 0
        else:
            self._above = said.finished_before

    def __contains__(self, offset: int) -> bool:
        """Whether the commit says that this offset is finished."""
        return offset < self.offset or (self._above is not None and offset in self._above)
