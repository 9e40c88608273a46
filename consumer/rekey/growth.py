"""What a group remembers of its topics beside each of its offsets, and what it means when they have changed. Pure.

A user's partition in the target depends on how many it has. When that changes, new events of a user may lie in another
partition than older ones, and be delivered before them. So nothing is written until `run` has delivered all there is,
and somebody has said so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

MARK: Final = "rekey-1"


class Remembered(NamedTuple):
    """What a partition's last commit says of the two topics."""

    target_partitions: int
    source_id: str
    """Of the source topic; empty where the cluster gives topics no id."""

    def __str__(self) -> str:
        return f"{MARK} target={self.target_partitions} source={self.source_id}"


def remembered(metadata: str | None) -> Remembered | None:
    """What a commit says; None: nothing that we have written."""
    words = (metadata or "").split(" ")
    if len(words) != 3 or words[0] != MARK or not words[1].startswith("target=") or not words[2].startswith("source="):
        return None
    count = words[1].removeprefix("target=")
    if not (count.isascii() and count.isdigit() and 0 < len(count) <= 9):
        return None
    return Remembered(int(count), words[2].removeprefix("source="))


def other_counts(commits: Iterable[str | None], partitions: int) -> list[int]:
    """For which other numbers of target partitions records were written than the present one."""
    counts = {one.target_partitions for one in map(remembered, commits) if one is not None}
    return sorted(counts - {partitions})


def made_again(commits: Mapping[int, str | None], source_id: str | None) -> list[int]:
    """Partitions whose offsets are of an earlier topic of the source's name."""
    if not source_id:
        return []
    known = {number: remembered(metadata) for number, metadata in commits.items()}
    return [number for number, one in sorted(known.items()) if one and one.source_id and one.source_id != source_id]
