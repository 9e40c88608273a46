"""Why a partition is not fetched. It is fetched again when the last of its reasons is gone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from collections.abc import Set as AbstractSet

from consumer.ops.snapshot import Rest
from consumer.ports.edges import Source
from consumer.sequencing.events import Partition


class Rests:
    """Tells the source which partitions to fetch."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._reasons: dict[Partition, set[Rest]] = {}
        self._all: dict[Rest, AbstractSet[Partition]] = {}
        """As they were last set. Asked each turn, so it has to be cheap with a thousand partitions."""

    def assigned(self, partition: Partition) -> None:
        """The partition is ours now. The source does not fetch it yet."""
        self._reasons[partition] = {Rest.RESTORING}
        self._all.clear()

    def gone(self, partition: Partition) -> None:
        """The partition is no longer ours."""
        self._reasons.pop(partition, None)

    def add(self, partition: Partition, reason: Rest) -> None:
        """Fetch nothing more of the partition, for this reason."""
        if (reasons := self._reasons.get(partition)) is not None:
            if not reasons:
                self._source.rest(partition)
            reasons.add(reason)

    def remove(self, partition: Partition, reason: Rest) -> None:
        """This reason no longer keeps the partition. When none is left, it is fetched again."""
        reasons = self._reasons.get(partition)
        if reasons is not None and reason in reasons:
            reasons.remove(reason)
            if not reasons:
                self._source.resume(partition)

    def has(self, partition: Partition, reason: Rest) -> bool:
        """Whether the partition rests for this reason."""
        return reason in self._reasons.get(partition, ())

    def set_all(self, reason: Rest, partitions: AbstractSet[Partition]) -> None:
        """Exactly these rest for this reason."""
        if partitions == self._all.get(reason):
            return
        self._all[reason] = frozenset(partitions)
        for partition, reasons in self._reasons.items():
            if (partition in partitions) is not (reason in reasons):
                change = self.add if partition in partitions else self.remove
                change(partition, reason)

    def counts(self) -> Counter[str]:
        """How many partitions rest, for each reason."""
        counts = Counter(dict.fromkeys(map(str, Rest), 0))
        counts.update(str(reason) for reasons in self._reasons.values() for reason in reasons)
        return counts

    def partitions(self) -> Iterable[Partition]:
        """All that are ours."""
        return self._reasons.keys()
