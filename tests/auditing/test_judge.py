"""What `audit` says of each record, and which faults it finds: by a ledger, by receipts, and by neither."""

from __future__ import annotations

import pytest

from consumer.audit.gaps import Gap, Run
from consumer.sequencing.events import DeadLetterReason
from tests.auditing.given_window import By, Given

GARBAGE = b"{"
BOTH = pytest.mark.parametrize("by", ["ledger", "receipts"])


@BOTH
def test_each_end_of_a_record_is_told(by: By) -> None:
    """All six, with their reasons."""
    given = Given(by)
    delivered, refused, again = given.tracks(3)
    garbage = given.produce(GARBAGE)
    given.produce({"type": "group", "userId": "ann"})
    given.produce({"type": "delete", "userId": "ann"})
    given.produce(None)
    given.track()
    given.produce({"type": "group", "userId": "ann"})
    given.deliver(delivered)
    given.dead_letter(refused)
    given.replay(given.dead_letter(again))
    given.dead_letter(garbage, DeadLetterReason.UNDECODABLE)
    given.commit_to(7)

    assert [
        "delivered",
        "dead_lettered refused",
        "replayed refused",
        "dead_lettered undecodable",
        "skipped unsupported",
        "skipped forgotten",
        "skipped tombstone",
        "outstanding",
        "outstanding",
    ] == given.ends()
    assert [] == given.gaps()


def test_without_ledger_and_receipts_nothing_counts_as_delivered_and_no_event_as_lost() -> None:
    """An offset alone does not say what became of its record."""
    given = Given()
    given.tracks(2)
    given.commit_to(1)

    assert ["committed", "outstanding"] == given.ends()


@BOTH
def test_a_dropped_record_is_named(by: By) -> None:
    """It is committed, and nobody has it."""
    given = Given(by)
    records = given.tracks(5)
    given.deliver(*records[:2])
    given.deliver(*records[3:])
    given.commit_to(5)

    assert [Run(0, 2, 2, 1, Gap.NOT_DELIVERED)] == given.gaps()


@BOTH
def test_a_commit_that_came_too_early_is_named_as_one(by: By) -> None:
    """Right below the committed offset nothing was delivered; what was skipped there says nothing."""
    given = Given(by)
    records = given.tracks(4)
    given.produce({"type": "group", "userId": "ann"})
    records += given.tracks(3)
    given.deliver(*records[:2])
    given.commit_to(7)
    given.deliver(records[6])

    assert [Run(0, 2, 6, 4, Gap.COMMIT_AHEAD)] == given.gaps()


@BOTH
def test_what_is_missing_where_the_commit_lies_outside_of_the_window_is_no_commit_that_came_early(by: By) -> None:
    """Behind the window there may be what was delivered."""
    given = Given(by)
    records = given.tracks(3)
    given.deliver(records[0])
    given.commit_to(9)

    assert [Run(0, 1, 2, 2, Gap.NOT_DELIVERED)] == given.gaps()


@pytest.mark.parametrize("by", [None, "ledger", "receipts"])
def test_a_lost_dead_letter_is_named_whoever_proves_deliveries(by: By | None) -> None:
    """What can't be decoded ends as a dead letter and nothing else."""
    given = Given(by)
    given.dead_letter(given.produce(GARBAGE), DeadLetterReason.UNDECODABLE)
    given.produce(GARBAGE)
    given.produce({"type": "track", "userId": "ann"})
    given.produce(GARBAGE)
    given.commit_to(3)

    assert ["dead_lettered undecodable", "gap no_dead_letter", "gap no_dead_letter", "outstanding"] == given.ends()
    assert [Run(0, 1, 2, 2, Gap.NO_DEAD_LETTER)] == given.gaps()


@BOTH
def test_what_the_commit_says_is_finished_above_it_is_judged_like_what_lies_below(by: By) -> None:
    """Its metadata holds runs; a gap in there is no early commit."""
    given = Given(by)
    records = given.tracks(5)
    given.deliver(records[0])
    given.deliver(records[2])
    given.commit_to(1, [1, 2])

    assert ["delivered", "outstanding", "delivered", "gap not_delivered", "outstanding"] == given.ends()
    assert [Run(0, 3, 3, 1, Gap.NOT_DELIVERED)] == given.gaps()


def test_metadata_that_was_made_for_another_cluster_says_nothing_of_what_is_above() -> None:
    """Tools that mirror a cluster copy it."""
    given = Given("receipts")
    given.tracks(3)
    given.commit_to(0, [1, 2], cluster="another")

    assert ["outstanding"] * 3 == given.ends()


@BOTH
def test_the_items_of_a_batch_end_each_for_itself(by: By) -> None:
    """One is delivered, one is a dead letter, one is lost, one is skipped."""
    items = [{"type": "track", "userId": "ann", "event": "E", "messageId": f"i{n}"} for n in range(3)]
    given = Given(by)
    batch = given.produce({"batch": [*items, {"type": "alias"}]})
    after = given.track()
    given.deliver(batch, items=[0])
    given.dead_letter(batch, item=1)
    given.deliver(after)
    given.commit_to(2)

    expected = ["delivered", "dead_lettered refused", "gap not_delivered", "skipped unsupported", "delivered"]
    assert expected == given.ends()
    assert [0, 1, 2, 3, None] == [one.item_index for one in given.judged]


@BOTH
def test_a_replay_that_arrived_makes_its_record_delivered(by: By) -> None:
    """With the insert_id of the record, and the place of the replay."""
    given = Given(by)
    given.deliver(given.replay(given.dead_letter(given.track())))
    given.commit_to(1)

    assert ["delivered"] == given.ends()


@BOTH
def test_a_replay_of_an_item_that_arrived_makes_the_item_delivered(by: By) -> None:
    """The replay holds that item alone, and is a record of its own."""
    items = [{"type": "track", "userId": "ann", "event": "E", "messageId": f"m{n}"} for n in range(2)]
    given = Given(by)
    batch = given.produce({"batch": items})
    given.deliver(batch, items=[0])
    given.deliver(given.replay(given.dead_letter(batch, item=1)))
    given.commit_to(1)

    assert ["delivered", "delivered"] == given.ends()


@BOTH
def test_a_replay_is_missing_only_when_the_replay_topic_is_committed_beyond_it(by: By) -> None:
    """Else it is still to come."""
    given = Given(by)
    given.replay(given.dead_letter(given.track()))
    given.commit_to(1)

    assert ["replayed refused"] == given.ends()

    given.replay_commit = given.replay_commit._replace(offset=1)

    assert ["gap replay_not_delivered"] == given.ends()


def test_a_replay_that_failed_again_is_a_dead_letter_again() -> None:
    """The last word counts."""
    given = Given("ledger")
    replay = given.replay(given.dead_letter(given.track()))
    again = given.dead_letter(replay, DeadLetterReason.GAVE_UP)
    given.commit_to(1)

    assert ["dead_lettered gave_up"] == given.ends()

    given.replay(again)

    assert ["replayed gave_up"] == given.ends()


@BOTH
def test_offsets_without_a_record_are_no_gaps(by: By) -> None:
    """Transaction markers, and what compaction has removed, also at the beginning."""
    given = Given(by)
    for offset in (7, 9, 20):
        given.deliver(given.track(offset))
    given.commit_to(22)

    assert ["delivered"] * 3 == given.ends()


@BOTH
def test_a_commit_of_an_earlier_topic_says_nothing_of_the_one_made_again(by: By) -> None:
    """Nor does what was delivered of it, where there was no messageId: its place is another's now."""
    given = Given(by)
    first = given.produce({"type": "track", "userId": "ann", "event": "E"})
    given.track()
    given.commit_to(2)
    judge = given.judge("ANOTHER-id-of-the-topic")

    assert ["outstanding", "outstanding"] == [one.end.value for one in given.judged]
    assert (0, "events-0-0") == (judge.gaps.events, f"{first.partition}-{first.offset}")


def test_dead_letters_and_receipts_of_an_earlier_topic_are_not_taken_for_those_of_the_one_made_again() -> None:
    """A letter says the time of its record, a receipt the topic's id."""
    given = Given("receipts")
    dead, received = given.tracks(2)
    given.dead_letter(dead)
    given.deliver(received)
    given.records = [given.records[0], given.records[1]]
    given.dead = [given.dead_letter(given.track(5))]
    given.commit_to(2, topic_id="ANOTHER-id-of-the-topic")
    given.receipts[0].topic_id = "ANOTHER-id-of-the-topic"
    given.judge("ANOTHER-id-of-the-topic")

    assert ["gap", "gap"] == [one.end.value for one in given.judged][:2]


def test_a_dead_letter_of_a_record_with_another_time_is_another_records() -> None:
    """Offsets begin again in a topic that is made again."""
    given = Given("ledger")
    old = given.track()
    given.dead_letter(old)
    given.records = [type(old)(old.partition, 0, old.timestamp_ms + 5, old.key, old.value)]
    given.commit_to(1)

    assert ["gap not_delivered"] == given.ends()


def test_an_insert_id_made_of_the_place_counts_with_and_without_the_topics_life() -> None:
    """Which of the two was sent depends on whether there was an earlier topic of that name."""
    given = Given("ledger")
    given.produce({"type": "track", "userId": "ann", "event": "E"})
    given.produce({"type": "track", "userId": "ann", "event": "E"})
    given.produce({"type": "track", "userId": "ann", "event": "E"})
    given.lines.append(b'{"accepted_at":1.0,"insert_ids":["events-0-0","events-0-1@AbCdEfGh","events-0-2@another1"]}\n')
    given.commit_to(3)

    assert ["delivered", "delivered", "gap not_delivered"] == given.ends()


def test_an_identify_of_the_sdk_dialect_has_no_insert_id_so_a_ledger_can_not_prove_it() -> None:
    """It is committed without proof, and no gap; a track is one."""
    given = Given("ledger", dialect="sdk")
    given.produce({"type": "identify", "userId": "ann", "messageId": "i"})
    given.track()
    given.commit_to(2)

    assert ["committed", "gap not_delivered"] == given.ends()


def test_receipts_prove_no_gap_before_the_offset_from_which_they_are_written() -> None:
    """They were switched on there; what came before is committed without proof."""
    given = Given("receipts", begins=2)
    given.tracks(3)
    given.commit_to(3)

    assert ["committed", "committed", "gap not_delivered"] == given.ends()


def test_avro_of_a_registry_that_is_not_set_is_committed_and_proves_no_gap() -> None:
    """Nobody here can say what it is."""
    given = Given("ledger")
    given.produce(b"\x00\x00\x00\x00\x07abc")
    given.commit_to(1)

    assert ["committed unread"] == given.ends()


def test_two_records_with_one_message_id_are_one_to_a_ledger_and_two_to_receipts() -> None:
    """So only receipts find the second missing."""
    for by, expected in (("ledger", "delivered"), ("receipts", "gap not_delivered")):
        given = Given("ledger" if by == "ledger" else "receipts")
        given.deliver(given.track(messageId="same"))
        given.track(messageId="same")
        given.commit_to(2)

        assert ["delivered", expected] == given.ends()
