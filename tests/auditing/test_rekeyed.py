"""`audit` of a topic that `rekey` wrote: dead letters and insert_ids name the place where a record was produced."""

from __future__ import annotations

from typing import Any

import pytest

from consumer.audit.gaps import Gap, Run
from consumer.sequencing.dead_letter_headers import dead_letter_receipt
from consumer.sequencing.events import DeadLetterReason, Partition
from tests.auditing.given_window import By, Given

GARBAGE = b"{"
BOTH = pytest.mark.parametrize("by", ["ledger", "receipts"])
UNDECODABLE = DeadLetterReason.UNDECODABLE


def track(**more: Any) -> dict[str, Any]:
    """An event of ann, without a messageId."""
    return {"type": "track", "userId": "ann", "event": "Bought", **more}


@BOTH
def test_each_end_of_a_record_is_told(by: By) -> None:
    """By letters that name the source, and without them a gap."""
    given = Given(by, rekeyed=True)
    [delivered] = given.rekey(track(), 70)
    [refused] = given.rekey(track(), 71)
    [again] = given.rekey(track(), 72)
    [garbage] = given.rekey(GARBAGE, 73)
    given.rekey(GARBAGE, 74)
    given.rekey({"type": "group", "userId": "ann"}, 75)
    given.rekey(track(), 76)
    given.deliver(delivered)
    letter = given.dead_letter(refused)
    given.replay(given.dead_letter(again))
    given.dead_letter(garbage, UNDECODABLE)
    given.commit_to(6)

    assert [
        "delivered",
        "dead_lettered refused",
        "replayed refused",
        "dead_lettered undecodable",
        "gap no_dead_letter",
        "skipped unsupported",
        "outstanding",
    ] == given.ends()
    receipt = dead_letter_receipt(letter)
    assert receipt is not None
    assert (Partition("unkeyed", 2), 71) == (receipt.origin.partition, receipt.origin.offset)


@BOTH
def test_an_event_that_was_not_delivered_is_named_by_its_place_in_what_was_judged(by: By) -> None:
    """The ledger does not have the insert_id that is made of its first place."""
    given = Given(by, rekeyed=True)
    records = [one for offset in (7, 8, 9) for one in given.rekey(track(), offset)]
    given.deliver(records[0], records[2])
    given.commit_to(3)

    assert [Run(0, 1, 1, 1, Gap.NOT_DELIVERED)] == given.gaps()


@BOTH
def test_items_of_a_batch_that_was_split_end_each_for_itself(by: By) -> None:
    """Each is a record of its own, and its letter names its item."""
    given = Given(by, rekeyed=True)
    first, second, third = given.rekey({"batch": [track(), track(), track(event="")]}, 70)
    [after] = given.rekey({"batch": [track()]}, 71)
    given.deliver(first, after)
    given.dead_letter(third, DeadLetterReason.INVALID_EVENT, item=0)
    given.commit_to(4)

    assert ["delivered", "gap not_delivered", "dead_lettered invalid_event", "delivered"] == given.ends()
    assert 1 == second.offset


@BOTH
def test_a_replay_that_arrived_makes_its_record_delivered(by: By) -> None:
    """The replay names the source, too."""
    given = Given(by, rekeyed=True)
    [record] = given.rekey(track(), 70)
    given.deliver(given.replay(given.dead_letter(record)))
    given.commit_to(1)

    assert ["delivered"] == given.ends()


def test_a_letter_of_a_place_with_the_same_numbers_in_another_partition_is_another_records() -> None:
    """Of all partitions of the source, records lie in one of the target."""
    given = Given(rekeyed=True)
    [dead] = given.rekey(GARBAGE, 70, number=1)
    given.rekey(GARBAGE, 70, number=2)
    given.dead_letter(dead, UNDECODABLE)
    given.commit_to(2)

    assert ["dead_lettered undecodable", "gap no_dead_letter"] == given.ends()


def test_what_somebody_else_wrote_to_the_topic_is_judged_by_its_own_place() -> None:
    """`run` knows of no other one either."""
    given = Given(rekeyed=True)
    given.dead_letter(given.produce(GARBAGE), UNDECODABLE)
    given.produce(GARBAGE)
    given.commit_to(2)

    assert ["dead_lettered undecodable", "gap no_dead_letter"] == given.ends()


def test_headers_are_not_believed_without_the_setting() -> None:
    """Whoever writes to a topic could say that a record lay elsewhere."""
    given = Given()
    [garbage] = given.rekey(GARBAGE, 70)
    given.dead_letter(garbage, UNDECODABLE)
    given.commit_to(1)

    assert ["dead_lettered undecodable"] == given.ends()
