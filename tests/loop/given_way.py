"""The intake between made-up edges."""

from __future__ import annotations

from typing import Any, Final, cast

from consumer.avro.known_schemas import KnownSchemas
from consumer.loop.intake import Intake
from consumer.loop.rests import Rests
from consumer.loop.rule_counts import RuleCounts
from consumer.ops.snapshot import Rest
from consumer.ports.inputs import SchemaFound, SchemaMissing
from consumer.segment.decoding import DecodingRules
from consumer.sequencing.events import Headers, Partition, Record
from consumer.sequencing.gate import Gate
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.sequencer import Sequencer
from tests.segment.given_events import segment
from tests.sequencing.given_rules import rules
from tests.settings.given_settings import load

P0: Final = Partition("segment", 0)
P1: Final = Partition("segment", 1)


def track(user: str = "u1", event: str = "e") -> bytes:
    """A track as JSON."""
    return segment(userId=user, event=event)


def encoded(schema: int, user: str = "u1") -> bytes:
    """The same behind a schema id, written with a schema whose reader gives what it gets."""
    return b"\0" + schema.to_bytes(4, "big") + track(user, f"by schema {schema}")


def same(payload: bytes) -> bytes:
    """A reader."""
    return payload


class Way:
    """The intake between made-up edges: what it asks of them, and what has come through."""

    def __init__(
        self, value_format: Any = "auto", *, buffer_events_max: int = 1000, has_registry: bool = True, **changes: Any
    ) -> None:
        self.asked: list[object] = []
        self.told: list[str] = []
        self.rejections: list[str] = []
        self.replaced = 0
        self.sequencer = Sequencer(rules(**changes), Gate(100, lambda _n: 1.0), lambda _n: 1.0)
        edges = cast("Any", self)
        rests = Rests(edges)
        self.intake = Intake(
            self.sequencer,
            rests,
            KnownSchemas({}, has_registry=has_registry),
            edges,
            edges,
            DecodingRules(record_bytes_max=2000),
            RuleCounts(load()),
            value_format,
            buffer_events_max=buffer_events_max,
            dead_letter_ratio_max=changes.get("dead_letter_ratio_max", 1.0),
        )
        self._next: dict[Partition, int] = {}
        for partition in (P0, P1):
            self.sequencer.assign(partition, OffsetTracker(0))
            rests.assigned(partition)
            rests.remove(partition, Rest.RESTORING)
        self.told.clear()

    # ------------------------------------------------------------------ the edges

    def rest(self, partition: Partition) -> None:
        self.told.append(f"rest {partition.number}")

    def resume(self, partition: Partition) -> None:
        self.told.append(f"resume {partition.number}")

    def fetch(self, schema: object) -> None:
        self.asked.append(schema)

    def rejected(self, item: Any) -> None:
        self.rejections.append(item.detail)

    def surrogates_replaced(self, times: int) -> None:
        self.replaced += times

    def not_keyed(self) -> None:
        """Nobody is told here."""

    # ------------------------------------------------------------------ what happens

    def fetched(
        self, *values: bytes | None, partition: Partition = P0, end: int | None = None, headers: Headers | None = None
    ) -> None:
        """Records with these values came."""
        first = self._next.get(partition, 0)
        self._next[partition] = first + len(values)
        records = [
            Record(partition, first + n, 0, b"k", value, headers, 0.0, 1 + len(value or b""))
            for n, value in enumerate(values)
        ]
        self.intake.fetched(records, {} if end is None else {partition: end}, 0.0)

    def found(self, schema: int, read: Any = same) -> None:
        """The registry has it."""
        self.intake.schema_answered(SchemaFound(schema, read), 0.0)

    def missing(self, schema: int, now: float = 0.0) -> None:
        """It has not."""
        self.intake.schema_answered(SchemaMissing(schema, "nobody has it"), now)

    def sent(self) -> list[str]:
        """All events that have reached their lanes: offsets by lane."""
        if self.sequencer.look_ups.question():
            self.sequencer.looked_up({}, 0.0)
        return [
            f"{partition.number}/{event.record.offset} {event.name}"
            for partition, assignment in self.sequencer.assignments.items()
            for lane in assignment.lanes.values()
            for event in lane.waiting
        ]

    def position(self, partition: Partition = P0) -> int:
        """Behind what was accepted."""
        return self.sequencer.assignments[partition].offsets.position
