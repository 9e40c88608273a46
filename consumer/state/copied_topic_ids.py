"""What is copied of the topics of the source's name that were read before (earlier_topics.py).

A topic that was made again has insert_ids with its id in them. A group that is moved to and does not know of the
earlier one would send what the old group has sent under another insert_id, and new events under those of the earlier
topic's.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from consumer.sequencing.events import User
from consumer.state.earlier_topics import PREFIX
from consumer.state.records import SOURCE_TOPIC, StateKey

IDS_MAX: Final = 100_000
"""In all partitions together; a topic is not made again that often."""

TopicIds = dict[tuple[int, str], int]
"""Partition and entry → when it was noted."""


class TopicIdNoted(NamedTuple):
    """An entry that is to be written."""

    partition: int
    key: StateKey
    at_ms: int


def note(known: TopicIds, partition: int, key: StateKey, at_ms: int, *, stands: bool) -> None:
    """An entry of a state topic that is about the source, in the order of its partition."""
    place = partition, key.user.id
    if not stands:
        known.pop(place, None)
    elif key.user.id.startswith(PREFIX) and (place in known or len(known) < IDS_MAX):
        known[place] = at_ms


def missing(topic: str, source: TopicIds, target: TopicIds, partitions: int, *, same: bool) -> list[TopicIdNoted]:
    """What the target lacks of it. `same`: partitions of the same number belong together, else each may be any."""
    wanted = {
        (number, user_id): at_ms
        for (partition, user_id), at_ms in source.items()
        for number in ((partition,) if same else range(partitions))
    }
    return [
        TopicIdNoted(number, StateKey(SOURCE_TOPIC + topic, User(user_id)), at_ms)
        for (number, user_id), at_ms in sorted(wanted.items())
        if (number, user_id) not in target
    ]
