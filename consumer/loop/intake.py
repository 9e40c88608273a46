"""From fetched records to events in their lanes: the first half of the loop.

    record → (its schema, if it is Avro) → decode → accept → lane

Ordinary records are accepted together, a partition at a time. A schema that is not known yet makes its partition wait.
What waits for it has not been accepted: it is not counted, and whoever has the partition next reads it again. If no
registry is set, it waits until somebody sets one, unless it is garbage among JSON (sequencing/format_guard.py).
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Final, cast

import msgspec

from consumer.avro.known_schemas import KnownSchemas, Unreadable
from consumer.avro.wire_format import Malformed, SchemaRef, shown, wire_format
from consumer.choices import ValueFormat
from consumer.loop.key_counts import KeyCounts
from consumer.loop.rests import Rests
from consumer.loop.rule_counts import RuleCounts
from consumer.ops.snapshot import Rest
from consumer.ports.edges import SchemaSource
from consumer.ports.inputs import SchemaFound, SchemaMissing
from consumer.segment.decoding import DecodingRules, decode
from consumer.segment.usual_event import usual_event
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import (
    Batch,
    DeadLetterReason,
    Decoded,
    Event,
    Partition,
    Record,
    Rejected,
    Skipped,
    SkipReason,
)
from consumer.sequencing.sequencer import Sequencer

if TYPE_CHECKING:
    from consumer.ops.reporter import Reporter

CROWDED: Final = 2
"""With this many times the events of a full buffer in hand, the rest of what was fetched waits undecoded.

Records are fetched for as many events as there is room for, and a batch may have up to 2,500 of them.
"""


@dataclass(slots=True, eq=False)
class _Queue:
    """What waits in one partition, in order. A number says where its log ends."""

    schema: SchemaRef | None
    """The schema that its head waits for; None: it waits for room in the buffer."""
    items: deque[Record | int] = field(default_factory=deque)


class Intake:
    """Takes records, and gives the sequencer events."""

    def __init__(  # noqa: PLR0917  the pipeline names them once
        self,
        sequencer: Sequencer,
        rests: Rests,
        schemas: KnownSchemas,
        registry: SchemaSource,
        reporter: Reporter,
        rules: DecodingRules,
        rule_counts: RuleCounts,
        value_format: ValueFormat,
        buffer_events_max: int,
        dead_letter_ratio_max: float,
    ) -> None:
        self.taken_records = 0
        self.taken_bytes = 0
        self.waiting_records = 0
        self.waiting_bytes = 0
        """Bytes of records that were taken, and neither accepted nor let go."""
        self._sequencer = sequencer
        self._rests = rests
        self._schemas = schemas
        self._registry = registry
        self._reporter = reporter
        self._rules = rules
        self._rule_counts = rule_counts
        self.keys = KeyCounts(reporter.not_keyed)
        self._rules_of_lives: dict[str, DecodingRules] = {}
        self._value_format = value_format
        self._counts_formats = not schemas.has_registry
        self._dead_letter_ratio_max = dead_letter_ratio_max
        self._crowded_events = CROWDED * buffer_events_max
        self._waiting: dict[Assignment, _Queue] = {}

    @property
    def waiting_partitions(self) -> list[Partition]:
        """Partitions whose next record waits for its schema."""
        return [assignment.partition for assignment, queue in self._waiting.items() if queue.schema is not None]

    def lacks_registry(self, assignment: Assignment) -> str:
        """Which record of it waits because no registry is set, in words; empty: none does."""
        queue = self._waiting.get(assignment)
        if queue is None or queue.schema is None or not self._schemas.lacks_registry(queue.schema):
            return ""
        head = queue.items[0] if queue.items else None
        at = f"offset {head.offset}" if isinstance(head, Record) else "its next record"
        return f"{at} looks like Avro of schema {shown(queue.schema)}"

    # ------------------------------------------------------------------ in

    def fetched(self, records: Sequence[Record], ends: Mapping[Partition, int], now: float) -> None:
        """Records came, in the order of each partition, and the ends of logs that were fetched completely."""
        assignments = self._sequencer.assignments
        self.taken_records += len(records)
        self.taken_bytes += sum([record.size_bytes for record in records])
        runs: dict[Partition, list[Record]] = {}
        partition, run = None, []
        for record in records:
            if record.partition is not partition:  # most follow one of their own partition, which has one object
                partition = record.partition
                run = runs.setdefault(partition, [])
            run.append(record)
        for partition, run in runs.items():
            if (assignment := assignments.get(partition)) is not None:
                self._take_run(assignment, run, now)
        for partition, end in ends.items():
            assignment = assignments.get(partition)
            if assignment is None or not assignment.open:
                continue
            if (queue := self._waiting.get(assignment)) is not None:
                queue.items.append(end)
            else:
                assignment.offsets.reached_end(end)

    def go_on(self, now: float) -> None:
        """Take what has waited for room in the buffer, if there is room now."""
        if not self._waiting or self._is_crowded():
            return
        for assignment, queue in list(self._waiting.items()):
            if queue.schema is None:
                self._go_on(assignment, queue, now)

    def schema_answered(self, answer: SchemaFound | SchemaMissing, now: float) -> None:
        """The registry has answered. Go on with what waited for that, up to the next schema that is not known."""
        if isinstance(answer, SchemaFound):
            self._schemas.found(answer.schema, answer.read)
        else:
            self._schemas.missing(answer.schema, answer.detail, now)
        for assignment, queue in list(self._waiting.items()):
            if not assignment.open:
                self.let_go(assignment)
            elif queue.schema == answer.schema:
                self._go_on(assignment, queue, now)

    def let_go(self, assignment: Assignment) -> None:
        """The partition is no longer ours, or has stopped. What waits in it belongs to whoever reads it next."""
        queue = self._waiting.pop(assignment, None)
        if queue is not None:
            for item in queue.items:
                self._no_longer_waits(item)

    # ------------------------------------------------------------------ records

    def _take_run(self, assignment: Assignment, records: Sequence[Record], now: float) -> None:
        """Accept records of one partition: ordinary ones together, each other one by itself."""
        usual: list[Event | Skipped] = []
        unfinished, rules = self._sequencer.account.unfinished, self._rules_of(assignment)
        are_usual = (
            self._value_format != "avro"
            and self._is_read_on(assignment)
            and not assignment.is_replay
            and assignment.offsets.is_all_new
            and unfinished + len(records) < self._crowded_events
        )
        for record in records:
            if are_usual and (event := usual_event(record, rules)) is not None:
                usual.append(event)
                continue
            self._accept_usual(assignment, usual, now)
            usual = []
            if not assignment.open:  # it is given back, or has stopped on the way
                return
            if assignment in self._waiting or not self._take(assignment, record, now):
                self._wait(assignment, record)
            are_usual = are_usual and self._is_read_on(assignment)
        self._accept_usual(assignment, usual, now)

    def _is_read_on(self, assignment: Assignment) -> bool:
        return assignment.open and assignment not in self._waiting

    def _accept_usual(self, assignment: Assignment, items: Sequence[Event | Skipped], now: float) -> None:
        if self._rules.name_filter is None:  # nothing is left out, and no event is looked at for that
            self._accept_events(assignment, cast("Sequence[Event]", items), now)
            return
        for is_event, run in groupby(items, lambda item: isinstance(item, Event)):
            if not assignment.open:
                return
            if is_event:
                self._accept_events(assignment, cast("list[Event]", list(run)), now)
            else:
                for skipped in run:
                    self._accept_json(assignment, skipped, now)

    def _accept_json(self, assignment: Assignment, item: Event | Skipped, now: float) -> None:
        if self._counts_formats:
            assignment.formats.note(is_json=True)
        self._accept(assignment, item.record, item, now)

    def _accept_events(self, assignment: Assignment, events: Sequence[Event], now: float) -> None:
        if events:
            self._sequencer.accept_all(assignment, events, now)
            self._rule_counts.judged(events)
            self.keys.note(events)
            if self._counts_formats:
                assignment.formats.note(is_json=True, records=len(events))

    def _take(self, assignment: Assignment, record: Record, now: float) -> bool:
        """Accept a record. False: its schema is not known yet, or batches have filled the buffer."""
        if self._sequencer.account.unfinished >= self._crowded_events and self._is_crowded():
            self._waiting.setdefault(assignment, _Queue(None)).schema = None
            return False
        # Nearly all records are plain JSON, and need no look at the other formats.
        is_plain = record.headers is None and (record.value or b"")[:1] == b"{" and self._value_format != "avro"
        is_garbage = False
        encoded = None if is_plain else wire_format(record, self._value_format)
        if encoded is None:
            decoded = decode(record, self._rules_of(assignment))
        elif isinstance(encoded, Malformed):
            decoded = _undecodable(record, encoded.detail)
        elif len(encoded.payload) > self._rules.record_bytes_max:
            decoded = decode(record, self._rules)  # that looks at its size only
        else:
            lacks_registry = self._schemas.lacks_registry(encoded.schema)
            is_garbage = lacks_registry and assignment.takes_as_garbage(self._dead_letter_ratio_max)
            read = None if lacks_registry and not is_garbage else self._schemas.find(encoded.schema, now)
            if read is None:
                self._waiting.setdefault(assignment, _Queue(encoded.schema)).schema = encoded.schema
                return False
            try:
                text = "" if isinstance(read, str) else read(encoded.payload)
            except Unreadable as error:
                read, text = str(error), ""
            if isinstance(text, str):
                decoded = _undecodable(record, str(read))
            else:
                # The text is kept until the event is finished, beside the value: both count.
                larger = record.size_bytes + len(text)
                record = msgspec.structs.replace(record, size_bytes=larger, text_bytes=len(text))
                decoded = decode(record, self._rules_of(assignment), text)
        if self._counts_formats and not is_garbage:
            is_json = encoded is None and record.value is not None and _is_json(decoded)
            assignment.formats.note(is_json=is_json)
        self._accept(assignment, record, decoded, now)
        return True

    def _rules_of(self, assignment: Assignment) -> DecodingRules:
        life = assignment.topic_life
        if life == self._rules.topic_life or assignment.is_replay:
            return self._rules
        if life not in self._rules_of_lives:
            self._rules_of_lives[life] = dataclasses.replace(self._rules, topic_life=life)
        return self._rules_of_lives[life]

    def _accept(self, assignment: Assignment, record: Record, decoded: Decoded | Batch, now: float) -> None:
        items = decoded.items if isinstance(decoded, Batch) else (decoded,)
        if assignment.offsets.finished_before(record.offset, record.timestamp_ms):
            items = [Skipped(item.record, item.type, SkipReason.FINISHED_BEFORE) for item in items]
        self._sequencer.accept(assignment, record, items, now)
        self._rule_counts.judged(items)
        if not assignment.is_replay:
            self.keys.note_items(record, items)
        for item in items:
            if isinstance(item, Rejected):
                self._reporter.rejected(item)
            elif isinstance(item, Event) and item.replaced_surrogates:
                self._reporter.surrogates_replaced(item.replaced_surrogates)

    # ------------------------------------------------------------------ what waits for a schema

    def _wait(self, assignment: Assignment, record: Record) -> None:
        queue = self._waiting[assignment]
        if not queue.items:
            # Otherwise it would fill the buffer, and the others could not go on.
            self._rests.add(assignment.partition, Rest.SCHEMA)
            self._ask(queue.schema)
        queue.items.append(record)
        self.waiting_records += 1
        self.waiting_bytes += record.size_bytes

    def _go_on(self, assignment: Assignment, queue: _Queue, now: float) -> None:
        while queue.items:
            item = queue.items[0]
            if isinstance(item, int):
                assignment.offsets.reached_end(item)
            elif not assignment.open:  # it is given back, or has stopped on the way
                self.let_go(assignment)
                return
            elif not self._take(assignment, item, now):
                self._ask(queue.schema)
                return
            self._no_longer_waits(queue.items.popleft())
        del self._waiting[assignment]
        if assignment.open:
            self._rests.remove(assignment.partition, Rest.SCHEMA)

    def _is_crowded(self) -> bool:
        return self._sequencer.buffered[0] >= self._crowded_events

    def _ask(self, schema: SchemaRef | None) -> None:
        if schema is not None and self._schemas.ask(schema):
            self._registry.fetch(schema)

    def _no_longer_waits(self, item: Record | int) -> None:
        if not isinstance(item, int):
            self.waiting_records -= 1
            self.waiting_bytes -= item.size_bytes


def _is_json(decoded: Decoded | Batch) -> bool:
    return not isinstance(decoded, Rejected) or decoded.reason is DeadLetterReason.INVALID_EVENT


def _undecodable(record: Record, detail: str) -> Rejected:
    return Rejected(record, "undecodable", DeadLetterReason.UNDECODABLE, detail)
