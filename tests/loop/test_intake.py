"""The way in: what waits for a schema holds back its own partition, in order, and nothing else."""

from __future__ import annotations

from typing import Any, cast

import pytest

from consumer.avro.known_schemas import MISSING_SECONDS, Unreadable
from consumer.sequencing.events import Event, HandBack, Record, User
from tests.loop.given_way import P0, P1, Way, encoded, same, track
from tests.segment.given_events import segment


def unreadable(payload: bytes) -> bytes:
    """A reader of another schema."""
    raise Unreadable(f"{len(payload)} bytes too many")


def test_an_unknown_schema_makes_its_partition_wait() -> None:
    """All behind it wait too, in order; the other partition goes on, and nothing that waits is accepted."""
    way = Way()
    way.fetched(track(), encoded(7), track(), encoded(7))
    way.fetched(track(), partition=P1)

    assert ["0/0 e", "1/0 e"] == way.sent()
    assert ([7], ["rest 0"], [P0]) == (way.asked, way.told, way.intake.waiting_partitions)
    assert (1, 3) == (way.position(), way.intake.waiting_records)

    way.fetched(track(), end=9)

    assert ["0/0 e", "1/0 e"] == way.sent()

    way.found(7)

    assert ["0/0 e", "0/1 by schema 7", "0/2 e", "0/3 by schema 7", "0/4 e", "1/0 e"] == way.sent()
    assert ([7], ["rest 0", "resume 0"], []) == (way.asked, way.told, way.intake.waiting_partitions)
    assert (9, 0, 0) == (way.position(), way.intake.waiting_records, way.intake.waiting_bytes)


def test_a_known_schema_makes_nobody_wait() -> None:
    """It is asked for once."""
    way = Way()
    way.fetched(encoded(7))
    way.found(7)
    way.fetched(encoded(7), track(), encoded(7))

    assert 4 == len(way.sent())
    assert [7] == way.asked


def test_one_schema_after_the_other() -> None:
    """A queue goes on to the next schema that is not known, and is resumed when it is empty."""
    way = Way()
    way.fetched(encoded(7), encoded(8), encoded(7), encoded(9))
    way.found(7)

    assert ["0/0 by schema 7"] == way.sent()
    assert ([7, 8], ["rest 0"]) == (way.asked, way.told)

    way.found(8)
    way.found(9)

    assert 4 == len(way.sent())
    assert ([7, 8, 9], ["rest 0", "resume 0"]) == (way.asked, way.told)


def test_an_answer_from_before_a_deletion_does_not_count() -> None:
    """It was asked for before another partition's delete came through, and would be believed for hours."""
    way = Way()
    way.fetched(track(), partition=P1)
    way.sequencer.look_ups.question()
    way.sequencer.forgotten(User("u1"))
    way.fetched(track("u2"), partition=P1)
    way.sequencer.look_ups.question()
    way.sequencer.looked_up({P1: {User("u1")}}, 0.0)
    way.sequencer.looked_up({P1: {User("u2")}}, 0.0)
    assignment = way.sequencer.assignments[P1]

    assert [False, True] == [lane.identified for lane in assignment.lanes.values()]
    assert [False, True] == [User(user) in assignment.known for user in ("u1", "u2")]


def test_two_partitions_wait_for_the_same_schema() -> None:
    """One question, and both go on."""
    way = Way()
    way.fetched(encoded(7))
    way.fetched(encoded(7), encoded(8), partition=P1)
    way.found(7)

    assert ["0/0 by schema 7", "1/0 by schema 7"] == way.sent()
    assert ([7, 8], ["rest 0", "rest 1", "resume 0"]) == (way.asked, way.told)


def test_a_schema_that_is_missing_dead_letters_its_records() -> None:
    """One by one, and the rest goes on; after a minute somebody asks again."""
    way = Way()
    way.fetched(encoded(7), track())
    way.missing(7, now=100.0)
    way.fetched(encoded(7))

    assert ["0/1 e"] == way.sent()
    assert ["nobody has it", "nobody has it"] == way.rejections
    assert [7] == way.asked
    assert 2 == len(way.sequencer.take_actions())

    late = Record(P0, 3, 0, None, encoded(7))
    way.intake.fetched([late], {}, 100.0 + MISSING_SECONDS)

    assert [7, 7] == way.asked


@pytest.mark.parametrize(
    ("value", "read", "detail"),
    [
        (encoded(7), "the schema is recursive", "the schema is recursive"),
        (encoded(7), unreadable, f"{len(encoded(7)) - 5} bytes too many"),
        (encoded(7), lambda _payload: b"\xff", "not UTF-8: invalid start byte at byte 0"),
        (encoded(7), lambda _payload: b"7", "Expected `object`, got `int`"),
        (encoded(7), lambda _payload: b" " * 2001, "2001 bytes; CUSTOMFIT_RECORD_BYTES_MAX is 2000"),
        (b"\0\0\0\0\7" + b" " * 2001, same, "2006 bytes; CUSTOMFIT_RECORD_BYTES_MAX is 2000"),
    ],
)
def test_what_can_not_be_read_is_kept_aside(value: bytes, read: Any, detail: str) -> None:
    """As it came: the dead letter is the record, not its JSON."""
    way = Way()
    way.fetched(value)
    way.found(7, read)

    assert [detail] == way.rejections
    [dead_letter] = way.sequencer.take_actions()
    assert value == cast("Any", dead_letter).record.value


def test_the_text_counts_beside_the_value() -> None:
    """Both are in memory until the event is finished; a request is as large as the text."""
    way = Way()
    way.fetched(encoded(7))
    way.found(7)
    way.sent()
    [lane] = way.sequencer.assignments[P0].lanes.values()
    [event] = lane.waiting
    text_bytes = len(encoded(7)) - 5

    assert isinstance(event, Event)
    assert text_bytes == event.size_bytes
    assert 1 + len(encoded(7)) + text_bytes == way.sequencer.account.unfinished_bytes


def test_a_batch_may_be_avro() -> None:
    """Its items go their ways as those of JSON do."""
    way = Way()
    way.fetched(b"\0\0\0\0\7" + b'{"batch":[%s,%s]}' % (track("u1"), track("u2")))
    way.found(7)

    assert ["0/0 e", "0/0 e"] == way.sent()
    assert 2 == way.sequencer.account.unfinished


@pytest.mark.parametrize("reason", HandBack)
def test_what_waits_goes_back_with_its_partition(reason: HandBack) -> None:
    """It was never accepted, so nobody counts it; the answer that comes too late changes nothing."""
    way = Way()
    way.fetched(track(), encoded(7), track())
    way.sent()
    assignment = way.sequencer.assignments[P0]
    way.intake.let_go(assignment)
    way.sequencer.drop(P0, reason)
    way.found(7)

    assert (0, 0, []) == (way.intake.waiting_records, way.intake.waiting_bytes, way.intake.waiting_partitions)
    assert {"rest 0"} == set(way.told)
    assert 1 == sum(way.sequencer.account.consumed.values())


def test_nothing_comes_in_while_a_partition_is_given_back() -> None:
    """An answer during the drain lets go of what waits; its next owner reads it."""
    way = Way()
    way.fetched(encoded(7))
    way.sequencer.close(P0)
    way.found(7)

    assert [] == way.sent()
    assert (0, 0) == (way.position(), way.intake.waiting_records)
    assert ["rest 0"] == way.told


def test_a_partition_that_stops_on_the_way_lets_go_of_the_rest() -> None:
    """One dead letter too many: what is behind it is not accepted any more."""
    way = Way(dead_letter_ratio_max=0.5)
    way.fetched(*[encoded(7)] * 300)
    way.missing(7)

    assert way.sequencer.assignments[P0].stopped is not None
    assert 200 == way.position()
    assert (0, 0) == (way.intake.waiting_records, way.intake.waiting_bytes)
    assert ["rest 0"] == way.told


def test_formats_that_are_not_wanted() -> None:
    """`json` takes Avro for broken JSON, `avro` JSON for no Avro; nobody is asked for a schema."""
    for value_format, value, detail in (
        ("json", encoded(7), "not JSON: JSON is malformed: invalid character (byte 0)"),
        ("avro", track(), "not Avro: no schema id in front or in a header, and no fingerprint"),
    ):
        way = Way(value_format)
        way.fetched(value)

        assert [detail] == way.rejections
        assert [] == way.asked


def test_batches_can_not_fill_the_memory() -> None:
    """A thousand records were fetched for a thousand events, and each of them has three: the rest waits undecoded."""
    way = Way(buffer_events_max=10)
    batch = b'{"batch":[%s]}' % b",".join([track("u1"), track("u2"), track("u3")])
    way.fetched(*[batch] * 20)
    way.fetched(track(), partition=P1)

    assert 21 == way.sequencer.account.unfinished  # the buffer has room for 10
    assert (7, 0, 14) == (way.position(), way.position(P1), way.intake.waiting_records)
    assert (["rest 0", "rest 1"], []) == (way.told, way.intake.waiting_partitions)

    way.intake.go_on(0.0)

    assert 14 == way.intake.waiting_records

    way.sequencer.drop(P0, HandBack.LOST)
    way.intake.go_on(0.0)

    assert (1, 0, ["rest 0", "rest 1", "resume 1"]) == (way.position(P1), way.intake.waiting_records, way.told)


def test_halves_of_surrogate_pairs_are_counted() -> None:
    """What is sent in their place is told; what is not sent is not."""
    way = Way()
    half = segment(userId="u1", properties={"a": ["\ud83d", "\udc00"]})
    way.fetched(half, segment(userId="u1", context={"a": "\ud83d"}), b'{"batch":[%s,%s]}' % (half, track()))

    assert (4, 4) == (way.replaced, len(way.sent()))
