"""What the events of a batch inherit from it, and how much of that a dead letter of one event takes along. Pure.

A dead letter of an item must not carry its whole batch: 2,500 of them would be 2,500 times its size. It takes along
only what decides how the item ends, so that decoding it again ends the same, whatever the rules are then:

    sentAt, receivedAt   if they are a time; anything else is ignored anyway
    integrations         the names that are looked at, each as null, false or true, since nothing else matters
    context.personas     that it is there; for an audience its key as well

This takes some hundred bytes, whatever it was made from, except that an audience's key has no limit. Above
DECIDING_BYTES_MAX the part is left out, and the letter says so (`customfit.batch_omitted`). Such an item is never sent
with what little is left of its batch: when it is decoded again, it becomes a dead letter again.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import msgspec

from consumer.segment.engage import AUDIENCE, Personas, personas_in
from consumer.segment.envelope import CHOICES, NO_RAW, lenient
from consumer.segment.timestamps import is_time
from consumer.sequencing.events import BatchPart

DECIDING_BYTES_MAX: Final = 4096


class BatchEnvelope(msgspec.Struct):
    """A batch as Segment's HTTP API takes it. A malformed field of the batch must not cost its items."""

    batch: list[msgspec.Raw]
    type: msgspec.Raw = NO_RAW
    sentAt: msgspec.Raw = NO_RAW  # noqa: N815  Segment's names
    receivedAt: msgspec.Raw = NO_RAW  # noqa: N815
    context: msgspec.Raw = NO_RAW
    integrations: msgspec.Raw = NO_RAW


_batch_envelope: Final = msgspec.json.Decoder(BatchEnvelope).decode


def batch_of(value: bytes | msgspec.Raw) -> BatchEnvelope | None:
    """The object as a batch, if it has a `batch` and no other type than "batch"; else None."""
    try:
        batch = _batch_envelope(value)
    except msgspec.DecodeError:
        return None
    return batch if lenient(batch.type) in (None, "batch") else None


class Shared(NamedTuple):
    """What the events of a batch inherit, made once: for 2,500 of them, each with a context of 300 KB, it took 2 s."""

    sent_at: Any
    received_at: Any
    personas: Personas | None
    integrations: dict[str, Any] | None
    part: BatchPart


def shared(batch: BatchEnvelope, omitted_bytes: int = 0) -> Shared:
    """What its events inherit. `omitted_bytes`: what an earlier dead letter has left out."""
    found = lenient(batch.integrations)
    integrations = {name: found[name] for name in CHOICES if name in found} if isinstance(found, dict) else None
    personas = personas_in(batch.context)
    sent_at, received_at = lenient(batch.sentAt), lenient(batch.receivedAt)
    deciding = _deciding(sent_at, received_at, personas, integrations)
    if len(deciding) > DECIDING_BYTES_MAX:
        deciding, omitted_bytes = b"", len(deciding)
    part = BatchPart(len(batch.batch), deciding, omitted_bytes)
    return Shared(sent_at, received_at, personas, integrations, part)


def _deciding(sent_at: Any, received_at: Any, personas: Personas | None, integrations: dict[str, Any] | None) -> bytes:
    members: dict[str, Any] = {}
    if is_time(sent_at):
        members["sentAt"] = sent_at
    if is_time(received_at):
        members["receivedAt"] = received_at
    if integrations is not None:
        members["integrations"] = {
            name: choice if choice is None or choice is False else True for name, choice in integrations.items()
        }
    if personas is not None:
        is_audience = personas.computation_class == AUDIENCE and isinstance(personas.computation_key, str)
        kept = {"computation_class": AUDIENCE, "computation_key": personas.computation_key} if is_audience else {}
        members["context"] = {"personas": kept}
    return msgspec.json.encode(members)[1:-1]
