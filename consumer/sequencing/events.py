"""The nouns. Plain values that every other file speaks of; imports nothing of ours.

Record and Event are msgspec structs because one is made for every record. A frozen dataclass takes three times as long
to make, and the garbage collector need not visit these (they can't be part of a cycle).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NamedTuple

import msgspec

Headers = list[tuple[str, bytes | None]]


class Partition(NamedTuple):
    """A partition of the source topic, or of the replay topic."""

    topic: str
    number: int

    def __str__(self) -> str:
        return f"{self.topic}-{self.number}"


class BatchPart(msgspec.Struct, frozen=True, eq=False, gc=False):
    """What the items of a batch inherit from it; one object for all of them."""

    items: int
    """How many items there are in the record."""
    deciding: bytes
    """The members of the batch that decide what becomes of its items, as JSON without the braces."""
    omitted_bytes: int = 0
    """If not 0: the size of `deciding`, which was more than a dead letter takes along and is left out."""


class Item(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One item of a batch record. Its text is a view into the record's: an item costs no copy."""

    index: int
    """Its place in the batch as it was produced, even if the batch's other items are not here."""
    text: msgspec.Raw
    batch: BatchPart


class Record(msgspec.Struct, frozen=True, eq=False, gc=False):
    """A Kafka record as it was fetched; kept whole until it is finished, since a dead letter carries it unchanged."""

    partition: Partition
    offset: int
    timestamp_ms: int
    key: bytes | None
    value: bytes | None
    headers: Headers | None = None
    fetched_at: float = 0.0
    """When it was fetched; monotonic seconds."""
    size_bytes: int = 0
    """What the record costs the buffer: key, value and headers."""
    item: Item | None = None
    """Which item of a batch record this stands for. Each item has a copy of the record, and all share one value."""
    text_bytes: int = 0
    """The size of that item, or of the JSON text of a record in another format. 0: the value itself is the text."""

    @property
    def item_index(self) -> int | None:
        """Which item of a batch this is; None if the record is one event."""
        return None if self.item is None else self.item.index


class User(msgspec.Struct, frozen=True, order=True, gc=False):
    """Whose event it is. A userId and an anonymousId with the same text are two users."""

    id: str
    anonymous: bool = False


class Kind(StrEnum):
    """What an event asks for. DELETE is never sent: it makes the consumer forget the user."""

    IDENTIFY = "identify"
    TRACK = "track"
    PAGE = "page"
    SCREEN = "screen"
    DELETE = "delete"


class Event(msgspec.Struct, frozen=True, eq=False, gc=False):
    """One Segment event of one user, decoded as far as this program needs."""

    record: Record
    kind: Kind
    user: User
    insert_id: str
    timestamp: str
    """UTC, `YYYY-MM-DD HH:MM:SS.mmmZ`."""
    name: str | None = None
    raw_payload: msgspec.Raw | None = None
    """Traits of an identify, properties of the others: JSON text, passed on unread; None when absent. A view into the
    record's text, since a copy would take a fifth of what a buffered event takes."""
    replaced_surrogates: int = 0
    """How many halves of surrogate pairs in the payload have become U+FFFD."""

    @property
    def type(self) -> str:
        """Segment's name of the kind."""
        return self.kind._value_  # the property `value` costs five times as much

    @property
    def payload(self) -> bytes | None:
        """A copy of the payload's text."""
        return None if self.raw_payload is None else bytes(self.raw_payload)

    @property
    def size_bytes(self) -> int:
        """About how many bytes it adds to a request."""
        return self.record.text_bytes or len(self.record.value or b"")


# The `type` label of customfit_events_consumed_total: closed, whatever arrives.
EVENT_TYPES: Final = (
    "identify",
    "track",
    "page",
    "screen",
    "group",
    "alias",
    "delete",
    "unknown",
    "tombstone",
    "undecodable",
)


@dataclass(slots=True, frozen=True, eq=False)
class Skipped:
    """A record that needs nothing but to be counted."""

    record: Record
    type: str
    reason: SkipReason
    name: str | None = None
    """If it was filtered: the name by which it was judged."""


@dataclass(slots=True, frozen=True, eq=False)
class Rejected:
    """A record that can never be sent and goes to the dead-letter topic."""

    record: Record
    type: str
    reason: DeadLetterReason
    detail: str


class SkipReason(StrEnum):
    """Why a record is finished without being sent."""

    ANONYMOUS = "anonymous"
    INTEGRATIONS = "integrations"
    FILTERED = "filtered"
    """Kept back by its name: CUSTOMFIT_EVENTS_ALLOW or _DENY."""
    UNSUPPORTED = "unsupported"
    UNKNOWN_TYPE = "unknown_type"
    TOMBSTONE = "tombstone"
    EMPTY_BATCH = "empty_batch"
    FINISHED_BEFORE = "finished_before"
    """An earlier owner of the partition finished it, and its commit says so."""
    FORGOTTEN = "forgotten"
    """A delete: from now on the user does not count as identified."""


class DeadLetterReason(StrEnum):
    """Why a record is in the dead-letter topic (header `customfit.reason`)."""

    UNDECODABLE = "undecodable"
    INVALID_EVENT = "invalid_event"
    TOO_LARGE = "too_large"
    REFUSED = "refused"
    UNIDENTIFIED = "unidentified"
    GAVE_UP = "gave_up"


class HandBack(StrEnum):
    """Why unfinished events leave this process without an end. Another member has them next, or the next start."""

    REVOKED = "revoked"
    LOST = "lost"
    SHUTDOWN = "shutdown"


Decoded = Event | Skipped | Rejected


@dataclass(slots=True, frozen=True, eq=False)
class Batch:
    """A record with several events, as Segment's HTTP API takes them. It is finished when each of them is."""

    record: Record
    items: Sequence[Decoded]
    """At least one. Each has a record of its own that says which item it is."""


# --- what the destination made of a request


@dataclass(slots=True, frozen=True)
class Delivered:
    """2xx."""


@dataclass(slots=True, frozen=True)
class Refused:
    """CustomFit will never accept this request. It may accept others."""

    status: int
    body: bytes = b""


@dataclass(slots=True, frozen=True)
class Unavailable:
    """Not accepted now: send the same request again later. `throttled`: 429; `timed_out`: no answer in time."""

    cause: str
    """For people, e.g. `503`, `timeout: no answer within 10 s`."""
    retry_after_seconds: float | None = None
    throttled: bool = False
    timed_out: bool = False


@dataclass(slots=True, frozen=True)
class Misdirected:
    """The key or the URL may be wrong (401, 403, 404, 3xx …): this says nothing about the event."""

    status: int


Outcome = Delivered | Refused | Unavailable | Misdirected
