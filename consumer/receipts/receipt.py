"""What a receipt says, as a line of JSON: which records one request has delivered, and when. Pure.

No payload and no user id: places, insert_ids, status and time. The places are the proof. The insert_ids are for who
compares with the destination; producers make them as long as they like, so above IDS_CHARACTERS_MAX they are left out.

Each says from which offset on its assignment finishes nothing without one, so that what is missing proves something.
An assignment begins with a receipt that says only that, since all that was to have one may be missing.
"""

from __future__ import annotations

from typing import Final

import msgspec

from consumer.sequencing.actions import WriteReceipt
from consumer.sequencing.assignment import Assignment

IDS_CHARACTERS_MAX: Final = 65_536


class Receipt(msgspec.Struct, omit_defaults=True):
    """One record of the receipt topic."""

    topic: str
    partition: int
    at_ms: int
    """When it was written, right after the answer."""
    topic_id: str | None = None
    begins: int | None = None
    """From this offset of the partition on, nothing is committed without its receipt."""
    offsets: list[int] = []
    items: list[int | None] | None = None
    """For each offset: which item of its batch. None: none of them belongs to a batch."""
    insert_ids: list[str] = []
    status: int = 0
    """What the destination answered."""


encode_receipt: Final = msgspec.json.Encoder().encode
decode_receipt: Final = msgspec.json.Decoder(Receipt).decode


def receipt_of(action: WriteReceipt, at_ms: int) -> Receipt:
    """The receipt of one request."""
    assignment = action.lane.assignment
    partition = assignment.partition
    records = [event.record for event in action.events]
    insert_ids = [event.insert_id for event in action.events]
    is_of_batches = any(record.item is not None for record in records)
    return Receipt(
        partition.topic,
        partition.number,
        at_ms,
        assignment.offsets.topic_id,
        assignment.receipts_begin,
        offsets=[record.offset for record in records],
        items=[record.item_index for record in records] if is_of_batches else None,
        insert_ids=insert_ids if sum(map(len, insert_ids)) <= IDS_CHARACTERS_MAX else [],
        status=action.status,
    )


def without_insert_ids(value: bytes) -> bytes:
    """The same receipt, for a topic that takes less. The places alone are the proof."""
    return encode_receipt(msgspec.structs.replace(decode_receipt(value), insert_ids=[]))


def beginning_of(assignment: Assignment, at_ms: int) -> Receipt:
    """The receipt that an assignment begins with, before it has read anything.

    What earlier owners finished may have none.
    """
    partition = assignment.partition
    begins = assignment.receipts_begin
    return Receipt(partition.topic, partition.number, at_ms, assignment.offsets.topic_id, begins)
