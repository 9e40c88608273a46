"""What anybody may have written into a receipt topic or a ledger neither ends an audit nor proves anything."""

from __future__ import annotations

from typing import Any, cast

import msgspec
import pytest

from consumer.audit.letters import TooMany
from consumer.audit.proof import LedgerProof, NoLedger, ReceiptProof
from consumer.audit.window import Stretch
from consumer.sequencing.events import Item, Partition, Record
from tests.auditing.given_window import SOURCE

RECEIPT = b'{"topic":"events","partition":0,"at_ms":0,'
BRACKETS = b"[" * 1_000_000


def read(*values: bytes | None) -> ReceiptProof:
    """A receipt topic of these."""
    proof = ReceiptProof({SOURCE: Stretch(0, 10)}, {})
    for value in values:
        proof.add(Record(Partition("receipts", 0), 0, 0, None, value))
    return proof


def item_of(index: int | None) -> Item | None:
    """An item with this place in its batch."""
    return None if index is None else Item(index, msgspec.Raw(b"{}"), cast("Any", None))


@pytest.mark.parametrize(
    "value",
    [
        None,
        b"",
        b"\xff",
        b"{}",
        BRACKETS,
        RECEIPT + b'"x":' + BRACKETS,
        RECEIPT + b'"offsets":[1.5]}',
        RECEIPT + b'"offsets":["1"]}',
    ],
)
def test_what_is_no_receipt_is_counted_as_none(value: bytes | None) -> None:
    """A megabyte of brackets, too."""
    assert (1, 0) == ((proof := read(value)).foreign, proof.receipts)


@pytest.mark.parametrize("item", [-1, 4096, 10**14, 10**30])
def test_an_item_that_no_batch_has_proves_nothing(item: int) -> None:
    """Nor does it take the memory that its number would."""
    proof = read(RECEIPT + b'"offsets":[1],"items":[%d]}' % item)
    records = [Record(SOURCE, 1, 0, None, b"{}", item=item_of(at)) for at in (None, 0)]

    assert [None, None] == [proof.says(record, None, "replays") for record in records]


def test_offsets_outside_of_the_window_are_not_kept() -> None:
    """Whatever their number is."""
    proof = read(RECEIPT + b'"offsets":[-1,10,99999999999999999999,9]}')

    assert [None, True] == [proof.says(Record(SOURCE, at, 0, None, b"{}"), None, "replays") for at in (8, 9)]


def test_a_window_of_more_offsets_than_memory_takes_is_to_be_narrowed() -> None:
    """Compaction may leave a thousand records of as many millions of offsets."""
    with pytest.raises(TooMany, match="have 11 offsets, more than 10; narrow it"):
        ReceiptProof({SOURCE: Stretch(5, 16)}, {}, offsets_max=10)


@pytest.mark.parametrize("line", [BRACKETS + b"\n", b'{"insert_ids":["a"],"x":' + BRACKETS + b"\n", b"\xff\n", b"\n"])
def test_a_line_that_is_no_entry_of_a_ledger_is_named(line: bytes) -> None:
    """It is not left out: what it was meant to say would look lost."""
    with pytest.raises(NoLedger, match="line 2 is no entry of a ledger"):
        LedgerProof("destination", None).read([b'{"insert_ids":["a"]}\n', line])
