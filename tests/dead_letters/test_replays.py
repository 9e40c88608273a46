"""A replayed record is the record it was at first: its insert_id, its time, its headers when it fails again."""

from __future__ import annotations

from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families

from consumer.dead_letters.letter import Shape, letter_of
from consumer.ops.metrics import Metrics
from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.dead_letter_guard import RATIO_WINDOW_RECORDS
from consumer.sequencing.dead_letter_headers import (
    Origin,
    Receipt,
    dead_letter_receipt,
    replay_headers,
    replay_receipt,
)
from consumer.sequencing.events import DeadLetterReason, Event, Headers, Partition, Record, User
from consumer.sequencing.known_users import Pool
from consumer.sequencing.offsets import OffsetTracker
from consumer.settings.masking import Masker
from tests.ops.given_snapshot import snapshot
from tests.segment.given_events import segment

SOURCE: Final = Partition("segment-events", 3)
LETTERS: Final = Partition("segment-events.customfit-dlq", 3)
REPLAYS: Final = Partition("segment-events.customfit-replay", 3)
PRODUCED_MS: Final = 1_795_428_000_456
REPLAYED_MS: Final = PRODUCED_MS + 86_400_000
TAKEN_MS: Final = PRODUCED_MS + 100_000
"""When the dead-letter topic took it, which is the time that it has there."""
OWN: Final[Headers] = [("trace", b"abc"), ("trace", None)]
RULES: Final = DecodingRules(replay_topic=REPLAYS.topic)


def produced(value: bytes | None = None, headers: Headers | None = None) -> Record:
    """A record of the source topic, at offset 42."""
    return Record(SOURCE, 42, PRODUCED_MS, b"u1", segment() if value is None else value, headers)


def dead_letter(record: Record, offset: int = 7) -> Record:
    """The dead letter that it becomes."""
    action = WriteDeadLetter(
        Assignment(record.partition, OffsetTracker(0)), record, DeadLetterReason.REFUSED, "HTTP 400", 400
    )
    headers = letter_of(action, Shape.WHOLE, 1_795_428_100.0, REPLAYS.topic).headers
    return Record(LETTERS, offset, TAKEN_MS + offset, record.key, record.value, headers)


def test_what_a_server_said_of_a_record_is_written_down_without_secrets() -> None:
    """The registry's message among it: the topic has other readers than the log."""
    assignment = Assignment(SOURCE, OffsetTracker(0))
    action = WriteDeadLetter(assignment, produced(), DeadLetterReason.UNDECODABLE, "it said s3cret\\/value")
    mask = Masker(["s3cret/value"]).text

    assert ("__connect.errors.exception.message", b"it said ***") in (
        letter_of(action, Shape.WHOLE, 0.0, REPLAYS.topic, mask).headers
    )


def replayed(letter: Record, offset: int = 0) -> Record:
    """Its replay."""
    receipt = dead_letter_receipt(letter)
    assert receipt is not None
    return Record(REPLAYS, offset, REPLAYED_MS, letter.key, letter.value, replay_headers(letter, receipt))


def event(record: Record) -> Event:
    """The event in it."""
    decoded = decode(record, RULES)
    assert isinstance(decoded, Event)
    return decoded


@pytest.mark.parametrize("headers", [None, OWN], ids=["no headers", "own headers"])
def test_a_replay_is_the_same_event(headers: Headers | None) -> None:
    """Without messageId and timestamp, insert_id and time are those of the record as it was produced."""
    first = produced(headers=headers)
    again = replayed(dead_letter(first))

    assert "segment-events-3-42" == event(first).insert_id == event(again).insert_id
    assert event(first).timestamp == event(again).timestamp


def test_a_second_replay_is_the_same_event_too() -> None:
    """However often it fails and is replayed, nothing piles up: own headers, one tail, the first place and time."""
    first = produced(headers=OWN)
    record = first
    letters = []
    for offset in range(4):
        letters.append(dead_letter(record, offset))
        record = replayed(letters[-1], offset)

    assert ("segment-events-3-42", event(first).timestamp) == (event(record).insert_id, event(record).timestamp)
    for replays, letter in enumerate(letters):
        assert Receipt(Origin(SOURCE, 42, PRODUCED_MS), replays) == dead_letter_receipt(letter)
        assert OWN == (letter.headers or [])[:2]
        assert 1 == [name for name, _ in letter.headers or []].count("__connect.errors.topic")
    assert len(letters[1].headers or []) == len(letters[3].headers or [])


def test_a_receipt_names_one_dead_letter() -> None:
    """The replay of a dead letter is its receipt and no other's."""
    first = dead_letter(produced())
    second = dead_letter(replayed(first))

    assert dead_letter_receipt(first) == replay_receipt(replayed(first))
    assert dead_letter_receipt(second) == replay_receipt(replayed(second))
    assert dead_letter_receipt(first) != dead_letter_receipt(second)


def test_two_dead_letters_of_one_failure_have_one_receipt() -> None:
    """A crash between dead letter and commit makes two of them; one replay is enough."""
    assert dead_letter_receipt(dead_letter(produced(), 7)) == dead_letter_receipt(dead_letter(produced(), 8))


def test_a_dead_letter_without_the_header_has_the_record_s_time_itself() -> None:
    """So did earlier versions write it; its replay says the time in the header."""
    letter = dead_letter(produced())
    headers = [(name, value) for name, value in letter.headers or [] if name != "customfit.timestamp"]
    earlier = Record(LETTERS, letter.offset, PRODUCED_MS, letter.key, letter.value, headers)

    assert dead_letter_receipt(letter) == dead_letter_receipt(earlier)
    assert event(produced()).timestamp == event(replayed(earlier)).timestamp


def test_a_topic_made_again_has_other_receipts() -> None:
    """The same place at another time is another record: its replay must not be taken for done."""
    later = Record(SOURCE, 42, PRODUCED_MS + 1, b"u1", segment())

    assert dead_letter_receipt(dead_letter(produced())) != dead_letter_receipt(dead_letter(later))


def test_only_the_replay_topic_is_believed() -> None:
    """A record of the source topic has its own place, whatever its headers say, and keeps them all."""
    copied = produced(headers=[*(dead_letter(produced()).headers or []), ("customfit.replays", b"5")])
    moved = Record(SOURCE, 99, PRODUCED_MS, copied.key, copied.value, copied.headers)
    letter = dead_letter(moved)

    assert "segment-events-3-99" == event(moved).insert_id
    assert moved.headers == (letter.headers or [])[: len(moved.headers or [])]
    assert Receipt(Origin(SOURCE, 99, PRODUCED_MS), 0) == dead_letter_receipt(letter)


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("__connect.errors.topic", b"t")],
        [("__connect.errors.topic", b"t"), ("__connect.errors.partition", b"x"), ("__connect.errors.offset", b"1")],
        [("__connect.errors.topic", b"t"), ("__connect.errors.partition", b"1"), ("__connect.errors.offset", None)],
        [("__connect.errors.topic", b""), ("__connect.errors.partition", b"1"), ("__connect.errors.offset", b"1")],
        [
            ("__connect.errors.topic", b"t"),
            ("__connect.errors.partition", b"1"),
            ("__connect.errors.offset", b"9" * 5000),
        ],
    ],
)
def test_what_somebody_else_wrote_has_its_own_place(headers: Headers | None) -> None:
    """A record without good headers in the replay topic is an event of its own; in the dead-letter topic it is none."""
    record = Record(REPLAYS, 5, REPLAYED_MS, None, segment(), headers)

    assert f"{REPLAYS}-5" == event(record).insert_id
    assert replay_receipt(record) is None
    assert dead_letter_receipt(record) is None


def test_replays_that_fail_again_stop_no_partition() -> None:
    """The guard against dead-lettering a whole topic is for the source: what fails again goes where it came from."""
    source, replays = Assignment(SOURCE, OffsetTracker(0)), Assignment(REPLAYS, OffsetTracker(0))
    replays.of_replays()

    def dead_letter(assignment: Assignment) -> bool:
        assignment.guard.note_unsent_end(dead_letter=True)
        return assignment.may_dead_letter(0.5)

    assert not all(dead_letter(source) for _ in range(RATIO_WINDOW_RECORDS))
    assert all(dead_letter(replays) for _ in range(RATIO_WINDOW_RECORDS))


def test_nobody_stays_known_of_a_replay() -> None:
    """A delete that another member reads does not come here, so each time somebody has to be asked."""
    assignment = Assignment(REPLAYS, OffsetTracker(0), Pool(9))
    assignment.of_replays()
    for number in range(3):
        assignment.known.add(User(f"u{number}"))

    assert [] == [number for number in range(3) if User(f"u{number}") in assignment.known]


def test_what_is_skipped_does_not_make_the_guard_stricter() -> None:
    """Nine of ten events are not for us, and of the rest 60 % are refused: 6 % of all."""
    assignment = Assignment(SOURCE, OffsetTracker(0))

    def buries(number: int) -> bool:
        if number % 10:
            assignment.guard.note_unsent_end(dead_letter=False)
            return True
        assignment.guard.note_on_their_way(1)
        is_refused = number // 10 % 10 < 6
        assignment.guard.note_sent_end(dead_letter=is_refused)
        return not is_refused or (assignment.may_dead_letter(0.07) and not assignment.may_dead_letter(0.03))

    assert all([buries(number) for number in range(30_000)][10_000:])


def test_identified_users_of_both_topics_are_one_sample() -> None:
    """The metric has the partition's number alone: two samples with the same labels would fail the scrape."""
    from dataclasses import replace

    idle = snapshot()
    [view] = idle.partitions
    views = (
        replace(view, partition=SOURCE, identified_users=5),
        replace(view, partition=REPLAYS, identified_users=2),
    )
    text = Metrics(lambda: replace(idle, partitions=views)).text()
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }

    assert 7 == samples["customfit_identified_users", "3"]
    assert 1 == text.count("customfit_identified_users{")
