"""What the loop needs of its edges. It asks and never waits; the results arrive in the inbox (inputs.py)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from consumer.avro.wire_format import SchemaRef
from consumer.customfit.engine import Then
from consumer.customfit.forwarding import Forwarded
from consumer.sequencing.actions import Forget, Remember, WriteDeadLetter, WriteReceipt
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from consumer.sequencing.offsets import CommitPoint


class Source(Protocol):
    """The Kafka consumer (kafka/source.py)."""

    limit_records: int
    """How many records may have been handed over in all, since the start."""
    limit_bytes: int
    """The same in bytes."""

    def commit(self, points: Mapping[Partition, CommitPoint]) -> None:
        """Commit without waiting; `Committed` follows."""

    def resume(self, partition: Partition) -> None:
        """Fetch the partition (again)."""

    def rest(self, partition: Partition) -> None:
        """Fetch nothing more of the partition."""

    def stop(self) -> None:
        """Drain, commit, leave; `Revoking` and `ThreadEnded` follow."""


class States(Protocol):
    """Who is identified (state/thread.py)."""

    def open(self, assignment: Assignment) -> None:
        """Make the partition's state ready; `StateOpened` follows."""

    def close(self, partition: Partition) -> None:
        """Let go of the partition's state."""

    def look_up(self, users: Mapping[Partition, Collection[User]]) -> None:
        """Ask who is identified; `LookedUp` follows."""

    def write(self, actions: Sequence[Remember | Forget]) -> None:
        """Write changes; `StateWritten` follows when the topic has them."""


class DeadLetterSink(Protocol):
    """The dead-letter topic (dead_letters/writer.py)."""

    def dead_letter(self, action: WriteDeadLetter) -> None:
        """Write one dead letter; `DeadLettered` follows."""


class ReceiptSink(Protocol):
    """The receipt topic (receipts/writer.py)."""

    def begin(self, assignment: Assignment) -> None:
        """Write from which offset on nothing is finished without its receipt."""

    def write(self, actions: Sequence[WriteReceipt]) -> None:
        """Write receipts; `Receipted` follows."""


class Destination(Protocol):
    """CustomFit's API (customfit/key_rotation.py)."""

    def post(self, body: bytes, then: Then, headers: Forwarded | None = None) -> None:
        """Send a request. `then` is called with the result, and `Responded` follows."""

    def misdirected(self, status: int) -> None:
        """A request was answered with a status that blames the key or the URL."""


class Peek(Protocol):
    """Reads how old records are that are not in hand (kafka/peek.py)."""

    wanted: Mapping[Partition, int]
    """Partition → offset; `RecordTimes` follows."""


class SchemaSource(Protocol):
    """The schema registry (kafka/schema_registry.py)."""

    def fetch(self, schema: SchemaRef) -> None:
        """Ask for a schema; `SchemaFound` or `SchemaMissing` follows, however long it takes."""


@dataclass(frozen=True, slots=True)
class Edges:
    """All edges."""

    source: Source
    states: States
    dead_letters: DeadLetterSink
    destination: Destination
    registry: SchemaSource
    peek: Peek
    receipts: ReceiptSink | None = None
    """None: no receipts are written."""
