"""What `user` prints: what members have said, or what the topics say if no member has answered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from consumer.foreign_text import printable

if TYPE_CHECKING:
    from consumer.cli.user_members import MemberAnswer, Members
    from consumer.kafka.lag import PartitionLag


def lines_of_members(members: Members) -> Iterator[str]:
    """What waits at each, who has not answered, and who may not have been asked."""
    asked = len(members.answers)
    if asked:
        answered = sum(answer.said is not None for answer in members.answers)
        yield f"what waits, by {answered} of {asked} member{'' if asked == 1 else 's'}:"
    for answer in members.answers:
        yield from _lines(answer)
    for note in members.notes:
        yield f"  {printable(note)}"


def _lines(answer: MemberAnswer) -> Iterator[str]:
    said = answer.said
    if said is None:
        yield f"  {printable(answer.place)}: {answer.problem}"
        return
    yield f"  {printable(answer.place)}: {printable(said.text)}"
    for one in said.waits:
        offset = "" if one.offset is None else f", offset {one.offset}"
        yield f"    {printable(one.topic)}-{one.partition}{offset}: {printable(one.text)}"
    for partition in said.unread:
        name = f"{printable(partition.topic)}-{partition.partition}"
        yield f"    {name} is not read to its end: {printable(partition.text)}"


def lines_of_topics(partitions: Sequence[PartitionLag]) -> Iterator[str]:
    """How far the group is behind. Only members know whose events those are."""
    behind = [partition for partition in partitions if partition.lag_events]
    yield "no member has answered; from the topics alone, which do not say whose the events are:"
    for topic, number, _committed, _end, events, seconds in behind:
        yield f"  {topic}-{number}: {events} behind, the oldest for {seconds:.1f} s"
    if not partitions:
        yield "  how far the group is behind can't be seen"
    elif not behind:
        yield "  nothing is behind, so nothing of theirs waits"


def json_of_members(members: Members, topics: Sequence[PartitionLag] | None) -> dict[str, Any]:
    """The same for scripts. `from_topics` is null if a member has answered."""
    return {
        "members": [
            {"place": answer.place, "problem": answer.problem or None, "answer": answer.raw if answer.said else None}
            for answer in members.answers
        ],
        "notes": list(members.notes),
        "from_topics": None if topics is None else [partition._asdict() for partition in topics],
    }
