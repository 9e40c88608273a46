"""Judge of commits: nothing below a committed offset, and nothing that its metadata claims, may be unfinished."""

from __future__ import annotations

from consumer.sequencing.commit_metadata import decode
from consumer.sequencing.events import Partition, User
from tests.simulation.log import Entry, Log
from tests.simulation.options import Options
from tests.simulation.requests import Tenure
from tests.simulation.stage import Stage, Violation

CLUSTER_ID = "simulated"
METADATA_ROOM_BYTES = 1000
"""With less than that a commit's metadata may leave out some of what is finished."""


class CommitJudge:
    """What the broker has of each partition."""

    def __init__(self, stage: Stage, options: Options, log: Log) -> None:
        self.committed: dict[Partition, int] = dict(log.starts)
        self.claimed: dict[Partition, frozenset[int]] = dict.fromkeys(log.entries, frozenset())
        """What the last commit says is finished above its offset."""
        self._stage = stage
        self._options = options
        self._log = log
        self._index: dict[Partition, int] = dict.fromkeys(log.entries, 0)
        """Of the first entry that is not committed."""

    def commit(self, tenure: Tenure, offset: int, metadata: str) -> None:
        """The broker takes a commit: what it says is finished must be, and known to be by the member that commits."""
        partition = tenure.partition
        before = self.committed[partition]
        if offset < before:
            raise Violation("commit", f"{tenure} goes back from {before} to {offset}")
        if offset > tenure.position:
            raise Violation("commit", f"{tenure} commits {offset} and has fetched up to {tenure.position}")
        entries, index = self._log.entries[partition], self._index[partition]
        while index < len(entries) and entries[index].offset < offset:
            self._check_finished(entries[index], tenure, offset)
            index += 1
        self._index[partition] = index
        self.committed[partition] = offset
        claimed = self._claims(partition, offset, metadata)
        for entry in claimed:
            if entry.offset < tenure.position:
                self._check_finished(entry, tenure, offset)
            elif entry.offset not in tenure.before:
                raise Violation("commit", f"{tenure} says that {entry} is finished, and has not fetched it")
        self.claimed[partition] = frozenset(entry.offset for entry in claimed)

    def _claims(self, partition: Partition, offset: int, metadata: str) -> list[Entry]:
        finished = decode(metadata, offset, CLUSTER_ID).finished_before
        if finished is None:
            return []
        entries = self._log.entries[partition][self._index[partition] :]
        return [entry for entry in entries if entry.offset < finished.end and entry.offset in finished]

    def _check_finished(self, entry: Entry, tenure: Tenure, commit: int) -> None:
        offset = entry.offset
        if entry.what != "skipped" and not tenure.finished(offset):
            raise Violation("commit", f"{tenure} commits {commit}, and {entry} is unfinished")
        asked_at = min(tenure.remembering.get(entry.user, ()), default=None)
        if asked_at is not None and tenure.answered.get(offset, -1.0) >= asked_at:
            raise Violation(
                "commit", f"{tenure} commits {commit}, and that {entry.user.id} is identified is not written"
            )

    def acknowledge(self, tenure: Tenure, offset: int, metadata: str) -> None:
        """The member knows that its commit was taken."""
        recorded = {entry.offset for entry in self._claims(tenure.partition, offset, metadata)}
        tenure.unrecorded = {other for other in tenure.unrecorded if other >= offset and other not in recorded}

    def check_belief(self, name: str, partition: Partition, offset: int) -> None:
        """What a member shows as committed must be."""
        if offset > self.committed[partition]:
            raise Violation(
                "commit", f"{name} takes {offset} of {partition} for committed: {self.committed[partition]}"
            )

    def left_in_order(self, tenure: Tenure) -> None:
        """Revoked or stopped, nothing was under way, the last commit was taken: nothing is to be sent again."""
        if not tenure.is_drained or self._options.metadata_bytes_max < METADATA_ROOM_BYTES:
            return
        self._stage.exercised["partitions given back in order"] += 1
        claimed, committed = self.claimed[tenure.partition], self.committed[tenure.partition]
        for offset in (*tenure.answered, *tenure.dead_lettered):
            if offset >= committed and offset not in claimed:
                raise Violation(
                    "duplicate", f"{tenure} is given back and its commit does not say that {offset} is done"
                )

    def is_quiet(self) -> bool:
        """Everything is committed."""
        return self.committed == self._log.ends

    def is_committed(self, but: User) -> bool:
        """Every record is, those of one user aside."""
        for partition, entries in self._log.entries.items():
            if any(entry.user != but for entry in entries[self._index[partition] :]):
                return False
        return True
