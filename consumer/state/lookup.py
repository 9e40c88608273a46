"""What the state topic says of one user, asked from outside the group: the same whether a consumer runs or not.

A user is recorded under the partition of the event that identified them, which can be any; so all of the topic is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from consumer.sequencing.events import User
from consumer.state.records import StateKey, encode_key

if TYPE_CHECKING:
    from consumer.kafka.reader import Bounds, TopicReader
    from consumer.settings import Settings


class StateOfUser(NamedTuple):
    """What is known of a user at one destination."""

    identified_at_ms: dict[int, int]
    """Partition → when that was recorded; of those where they count as identified."""
    forgotten_at_ms: dict[int, int]
    """The same for a deletion that the topic still holds."""

    @property
    def identified(self) -> bool:
        """One partition is enough: it is a fact about the user."""
        return bool(self.identified_at_ms)


def look_up(
    reader: TopicReader, settings: Settings, user: User, stretches: Mapping[int, Bounds], advance: Callable[[int], None]
) -> StateOfUser:
    """Read the state topic. Raises KafkaUnavailable."""
    wanted = encode_key(StateKey(settings.destination_name, user))
    answer = StateOfUser({}, {})
    for record in reader.read(settings.state_topic, stretches):
        if record.key == wanted:
            number = record.partition.number
            answer.identified_at_ms.pop(number, None)
            answer.forgotten_at_ms.pop(number, None)
            said = answer.forgotten_at_ms if record.value is None else answer.identified_at_ms
            said[number] = record.timestamp_ms
        advance(1)
    return answer
