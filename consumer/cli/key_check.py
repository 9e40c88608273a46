"""Whether the last records of the topic are keyed by their users, for `check --connect`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from consumer.ops.key_note import NONE, OTHER, USER

if TYPE_CHECKING:
    from consumer.sequencing.events import Record
    from consumer.settings import Settings

SAMPLE_RECORDS: Final = 1000


class KeySample:
    """What records say of keys and partitions."""

    def __init__(self) -> None:
        self.keyed = Counter(dict.fromkeys((USER, OTHER, NONE), 0))
        self._partitions: dict[str, set[int]] = {}

    def add(self, records: Iterable[Record]) -> None:
        """Count those with an event; of Avro, those that need no registry."""
        from consumer.avro.reader import single_object_readers
        from consumer.avro.wire_format import Encoded, wire_format
        from consumer.segment.decoding import DecodingRules, decode
        from consumer.sequencing.events import Batch, Event

        rules = DecodingRules(anonymous="forward", integrations="ignore", record_bytes_max=2**63)
        readers = single_object_readers()
        for record in records:
            encoded, text = wire_format(record, "auto"), None
            if isinstance(encoded, Encoded):
                if not isinstance(encoded.schema, bytes) or encoded.schema not in readers:
                    continue
                text = readers[encoded.schema](encoded.payload)
            made = decode(record, rules, text)
            users = {
                item.user.id for item in (made.items if isinstance(made, Batch) else [made]) if isinstance(item, Event)
            }
            if users:
                self._count(record, users)

    def text(self) -> str:
        """One sentence; empty where no event was seen."""
        seen = self.keyed.total()
        if not seen:
            return ""
        keys = f"of the last {seen} records, {self.keyed[USER]} are keyed by their user, {self.keyed[NONE]} have no key"
        spread = self.spread
        lies = f"{spread / len(self._partitions):.0%} of {len(self._partitions)} users lie in more than one partition"
        advice = ": `customfit-consumer rekey` copies the topic under its users' keys (docs/rekey.md)" if spread else ""
        return f"{keys}; {lies}{advice}"

    @property
    def spread(self) -> int:
        """Users with events in more than one partition."""
        return sum(len(numbers) > 1 for numbers in self._partitions.values())

    def _count(self, record: Record, users: set[str]) -> None:
        if record.key is None:
            self.keyed[NONE] += 1
        else:
            self.keyed[USER if {record.key} == {user.encode() for user in users} else OTHER] += 1
        for user in users:
            self._partitions.setdefault(user, set()).add(record.partition.number)


def key_sample(settings: Settings) -> KeySample:
    """The last records of each partition. Raises KafkaUnavailable."""
    from consumer.kafka.reader import Bounds, TopicReader

    sample = KeySample()
    with TopicReader(settings, lambda: None) as reader:
        bounds = reader.bounds(settings.kafka_topic)
        share = max(SAMPLE_RECORDS // max(len(bounds), 1), 1)
        stretches = {number: Bounds(max(low, end - share), end) for number, (low, end) in bounds.items()}
        sample.add(reader.read(settings.kafka_topic, stretches))
    return sample
