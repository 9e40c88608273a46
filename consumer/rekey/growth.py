"""What a group remembers of its topics beside each of its offsets, and what it means when they have changed. Pure.

A user's partition in the target depends on how many it has. When that changes, new events of a user may lie in another
partition than older ones, and be delivered before them. So nothing is written until `run` has delivered all there is,
and somebody has said so.

An insert_id may be made of a record's place, and the offsets of a topic that was made again begin at 0 again. So from
the second topic of a name on, its id is part of the insert_id. Commits alone can't tell that there was a topic before:
the broker forgets them with their topic, and whoever resets them resets their metadata, too. But each record of the
target says of which topic it was.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from consumer.sequencing.dead_letter_headers import TOPIC_LIFE_CHARACTERS
from consumer.sequencing.rekeyed_headers import LATER

MARK: Final = "rekey-1"
AGAIN: Final = "again"


class Remembered(NamedTuple):
    """What a partition's last commit says of the two topics."""

    target_partitions: int
    source_id: str
    """Of the source topic; empty where the cluster gives topics no id."""
    is_later: bool = False
    """An earlier topic had the source's name."""

    def __str__(self) -> str:
        said = f"{MARK} target={self.target_partitions} source={self.source_id}"
        return f"{said} {AGAIN}" if self.is_later else said

    @property
    def life(self) -> bytes:
        """What each record of the target says of its source."""
        life = self.source_id[:TOPIC_LIFE_CHARACTERS].encode()
        return LATER + life if life and self.is_later else life


def remembered(metadata: str | None) -> Remembered | None:
    """What a commit says; None: nothing that we have written."""
    words = (metadata or "").split(" ")
    if is_later := words[3:] == [AGAIN]:
        del words[3:]
    if len(words) != 3 or words[0] != MARK or not words[1].startswith("target=") or not words[2].startswith("source="):
        return None
    count = words[1].removeprefix("target=")
    if not (count.isascii() and count.isdigit() and 0 < len(count) <= 9):
        return None
    return Remembered(int(count), words[2].removeprefix("source="), is_later)


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


def is_known_later(commits: Iterable[str | None], source_id: str) -> bool | None:
    """Whether an earlier topic had the source's name, as the commits say; None: they say nothing of this topic."""
    known = [one.is_later for one in map(remembered, commits) if one is not None and one.source_id == source_id]
    return any(known) if known else None


def is_later_by(lives: Iterable[str | None], source_id: str) -> bool:
    """The same, by what the last records of a target say that was written before. None: an earlier version wrote it.

    If nothing is left in it, all that was written is older than what a target keeps: another insert_id repeats nothing.
    """
    said, life = set(lives), source_id[:TOPIC_LIFE_CHARACTERS]
    if LATER.decode() + life in said:
        return True
    return life not in said and said != {None}
