"""Reads what the state topic says of one user at every destination, from outside the group.

It works whether a consumer runs or not. A user is recorded in the partition of the event that identified them. That can
be any, so all of the topic is read.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from consumer.sequencing.events import Record, User
from consumer.state.records import SOURCE_TOPIC, StateKey, UnknownStateRecord, decode_record, encode_key

if TYPE_CHECKING:
    from consumer.kafka.reader import Bounds, TopicReader
    from consumer.settings import Settings


class StateOfUser(NamedTuple):
    """What is known of a user at one destination."""

    identified_at_ms: dict[int, int]
    """Partition → when that was recorded (milliseconds since the epoch), where the user counts as identified."""
    forgotten_at_ms: dict[int, int]
    """The same, where the topic still holds a deletion of the user."""

    @property
    def identified(self) -> bool:
        """Whether any partition says so: that is enough, because it is a fact about the user."""
        return bool(self.identified_at_ms)


def look_up(
    reader: TopicReader, settings: Settings, user: User, stretches: Mapping[int, Bounds], advance: Callable[[int], None]
) -> dict[str, StateOfUser]:
    """Read the state topic; gives by destination what it says of the user, the settings' destination first.

    `advance` gets the number of records that were read since its last call. Raises KafkaUnavailable.
    """
    wanted = encode_key(StateKey("", user)).removeprefix(b'[""')
    found = {settings.destination_name: StateOfUser({}, {})}
    for record in reader.read(settings.state_topic, stretches):
        destination = _destination(record, user) if (record.key or b"").endswith(wanted) else None
        if destination is not None:
            number = record.partition.number
            at = found.setdefault(destination, StateOfUser({}, {}))
            at.identified_at_ms.pop(number, None)
            at.forgotten_at_ms.pop(number, None)
            said = at.forgotten_at_ms if record.value is None else at.identified_at_ms
            said[number] = record.timestamp_ms
        advance(1)
    return found


def _destination(record: Record, user: User) -> str | None:
    try:
        key, _ = decode_record(record.key, record.value)
    except UnknownStateRecord:
        return None
    is_theirs = key.user == user and not key.destination.startswith(SOURCE_TOPIC)
    return key.destination if is_theirs else None
