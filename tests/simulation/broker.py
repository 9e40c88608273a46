"""The made-up broker: it knows who owns which partition, and what is committed."""

from __future__ import annotations

from consumer.ports.inputs import StartPoint
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import CommitPoint
from tests.simulation.log import Log
from tests.simulation.referee_commits import CommitJudge
from tests.simulation.referee_rate import RateJudge
from tests.simulation.requests import Tenure


class Broker:
    """Who owns which partition, and what is committed."""

    def __init__(self, log: Log, commits: CommitJudge, rate: RateJudge) -> None:
        self.owners: dict[Partition, Tenure | None] = dict.fromkeys(log.entries)
        self._starts = {partition: StartPoint(start, None) for partition, start in log.starts.items()}
        self._commits = commits
        self._rate = rate

    def owns(self, tenure: Tenure) -> bool:
        """Whether the group says so; the member may not know better yet."""
        return self.owners[tenure.partition] is tenure

    def commit(self, tenure: Tenure, point: CommitPoint) -> bool:
        """False when the tenure is over: the group has another generation."""
        if not self.owns(tenure):
            return False
        self._commits.commit(tenure, point.offset, point.metadata)
        self._starts[tenure.partition] = StartPoint(point.offset, point.metadata)
        return True

    def note_assigned(self, tenure: Tenure) -> None:
        """A member has a partition."""
        self._rate.assigned(tenure)

    def note_recorded(self, tenure: Tenure, point: CommitPoint) -> None:
        """The member learns that a commit was taken."""
        self._commits.acknowledge(tenure, point.offset, point.metadata)
        self._rate.leased(tenure)

    def note_left(self, tenure: Tenure) -> None:
        """A member gives a partition back, and its last commit was taken."""
        if self.owns(tenure):
            self._commits.left_in_order(tenure)

    def start(self, partition: Partition) -> StartPoint:
        """Where the next owner starts."""
        return self._starts[partition]
