"""Revokes and stops that wait for what is in flight, each with a deadline. Pure.

A revoke, step by step; a stop is a revoke of all partitions:

    1. the group takes partitions away: Kafka's thread posts `Revoking` and waits     kafka/source.py
    2. they are closed: nothing more of them is sent                                  loop/pipeline.py
    3. requests answered, records acknowledged, or the time is up: what is to commit  here
    4. it is committed, and the answer waited for                                     kafka/commits.py
    5. `Revoked` is posted, and the client gives them back                            kafka/source.py
    6. they are dropped; what was finished and not committed is remembered            loop/partitions.py

Of partitions that are lost only 5, with `Lost`, and 6 happen: they may be another's already, so nothing is committed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition
from consumer.sequencing.offsets import CommitPoint

Drained = Callable[[dict[Partition, CommitPoint]], None]
"""Takes what to commit."""


class Drains:
    """Decides when the offsets to commit are final. The Kafka thread waits for that."""

    def __init__(self, drain_seconds: float) -> None:
        self._drain_seconds = drain_seconds
        self.cut_short = False
        """A stop passed its deadline with requests still in flight.

        (After a revoke those are the next owner's business.)
        """
        self._waiting: list[tuple[float, bool, Sequence[Partition], Drained]] = []

    def start(
        self,
        partitions: Sequence[Partition],
        drained: Drained,
        now: float,
        *,
        shutdown: bool,
    ) -> None:
        """These partitions are closed now. `drained` is called when nothing is in flight, or when the time is up."""
        self._waiting.append((now + self._drain_seconds, shutdown, partitions, drained))

    def answer(self, assignments: Mapping[Partition, Assignment], now: float) -> None:
        """Resolve each drain that is done or out of time, with what is committable and not committed."""
        still = []
        for deadline, shutdown, partitions, drained in self._waiting:
            ours = [assignments[partition] for partition in partitions if partition in assignments]
            committable = [assignment for assignment in ours if assignment.may_commit]
            is_drained = all(assignment.drained for assignment in ours)
            if now < deadline and not is_drained:
                still.append((deadline, shutdown, partitions, drained))
                continue
            self.cut_short = self.cut_short or (shutdown and not is_drained)
            drained(
                {
                    assignment.partition: assignment.offsets.commit_point()
                    for assignment in committable
                    if not assignment.offsets.is_committed
                }
            )
        self._waiting = still

    def next_deadline(self) -> float | None:
        """When the next one is due."""
        return min((deadline for deadline, *_ in self._waiting), default=None)
