"""How a record that is a batch ends: each of its events by itself, the record with the last."""

from __future__ import annotations

from typing import Final

import msgspec

from consumer.dead_letters.letter import Shape, letter_of
from consumer.sequencing import commit_metadata
from consumer.sequencing.accounting import End
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import (
    BatchPart,
    DeadLetterReason,
    Decoded,
    HandBack,
    Item,
    Record,
    Rejected,
    Skipped,
    SkipReason,
    User,
)
from consumer.sequencing.offsets import OffsetTracker
from tests.segment.given_events import PARTITION, RECORD_MS
from tests.sequencing.given_sequencer import NO, OK, U1, U2, Bench

TEXT: Final = msgspec.Raw(b"{}")


class Batches(Bench):
    """The bench, for records with several events."""

    def fetch_batch(self, offset: int, *what: tuple[str, User], known: bool = True) -> None:
        """A batch of events of these kinds and users; `skip` and `reject` are none."""
        whole = self.event(offset, "track").record
        made: list[Decoded] = []
        for index, (kind, user) in enumerate(what):
            record = msgspec.structs.replace(whole, item=Item(index, TEXT, BatchPart(len(what), b"")), text_bytes=10)
            if kind == "skip":
                made.append(Skipped(record, "group", SkipReason.UNSUPPORTED))
            elif kind == "reject":
                made.append(Rejected(record, "unknown", DeadLetterReason.INVALID_EVENT, "bad"))
            else:
                event = self.event(offset, kind, user)
                made.append(msgspec.structs.replace(event, record=record, insert_id=f"m{offset}-{index}"))
        self.sequencer.accept(self.assignment, whole, made, 0.0)
        self.look_up(known=known)

    @property
    def unfinished(self) -> tuple[int, int]:
        """Events and bytes."""
        return self.sequencer.account.unfinished, self.sequencer.account.unfinished_bytes


def test_a_record_is_committable_when_its_last_event_is_finished() -> None:
    """However each of them ends, and in whichever order; the buffer keeps the record's bytes until then."""
    bench = Batches()
    bench.fetch_batch(0, ("track", U1), ("skip", U1), ("reject", U1), ("track", U2))
    bench.fetch(1, "track", user=U1, known=True)

    assert ["events 0,1", "events 0 of u2"] == bench.sent()
    assert (4, 200) == bench.unfinished

    bench.answer(OK)
    assert (0, 2, 100) == (bench.committable, *bench.unfinished)
    bench.answer(OK)
    assert (0, 1, 100) == (bench.committable, *bench.unfinished)
    bench.burial_done()
    assert (2, 0, 0) == (bench.committable, *bench.unfinished)
    assert {"delivered": 3, "skipped: unsupported": 1, "dead_lettered: invalid_event": 1} == bench.ends()


def test_events_of_one_user_in_a_batch_keep_their_order() -> None:
    """The array's order is the log's; a user's events go out together as always."""
    bench = Batches()
    bench.fetch_batch(0, ("track", U1), ("track", U2), ("track", U1), ("identify", U1), ("track", U1))

    assert ["events 0,0", "events 0 of u2"] == bench.sent()
    assert ["m0-0", "m0-2"] == [event.insert_id for event in bench.unanswered[0].events]
    bench.answer(OK)
    assert ["identify 0"] == bench.sent()
    bench.answer(OK)
    bench.answer(OK)
    assert ["events 0"] == bench.sent()


def test_a_revoke_in_the_middle_of_a_batch_hands_back_the_rest() -> None:
    """The record is read again whole by its next owner; consumed = finished + unfinished stays true."""
    bench = Batches()
    bench.fetch_batch(0, ("track", U1), ("track", U2), ("reject", U1))
    bench.sent()
    bench.answer(OK)
    late = bench.unanswered[0]
    bench.drop(HandBack.REVOKED)

    assert {"delivered": 1, "handed_back": 2} == bench.ends()
    assert (0, 0) == bench.unfinished

    bench.answer(OK)
    bench.burial_done()

    assert late.lane.assignment.dropped
    assert {"delivered": 1, "handed_back": 2} == bench.ends()
    assert (0, 0) == bench.unfinished


def test_a_batch_finished_in_part_is_not_named_in_the_commit() -> None:
    """The commit's metadata speaks of records: its next owner reads it again whole."""
    bench = Batches()
    bench.fetch_batch(0, ("track", U1), ("track", U2))
    bench.fetch_batch(1, ("skip", U1), ("skip", U2))
    bench.fetch_batch(2, ("skip", U1), ("track", U2))
    point = bench.assignment.offsets.commit_point()
    before = commit_metadata.decode(point.metadata, point.offset, "")

    assert before is not None
    assert [False, True, False] == [offset in before for offset in range(3)]
    assert (3, 3) == (point.finished, point.recorded)  # what was skipped is sent to nobody again


def test_a_refused_item_is_buried_alone() -> None:
    """The dead letter says which item it stands for."""
    bench = Batches()
    bench.fetch_batch(0, ("track", U1), ("track", U1))
    bench.sent()
    bench.answer(NO)
    bench.sent()
    bench.answer(OK)
    bench.sent()
    bench.answer(NO)
    bench.actions()
    [burial] = bench.burials

    assert 1 == burial.record.item_index
    made = letter_of(burial, Shape.WHOLE, 0.0, "replays")
    assert [b"1"] == [text for name, text in made.headers if name == "customfit.item_index"]


def test_a_dead_letter_of_a_record_that_is_no_batch_names_no_item() -> None:
    """The header is there only where it says something."""
    record = Record(PARTITION, 42, RECORD_MS, b"k", b"?")
    dead_letter = WriteDeadLetter(
        Assignment(PARTITION, OffsetTracker(0)), record, DeadLetterReason.UNDECODABLE, "not JSON"
    )

    assert "customfit.item_index" not in dict(letter_of(dead_letter, Shape.WHOLE, 0.0, "replays").headers)


def test_the_ends_are_a_closed_list() -> None:
    """An empty batch has its place among the reasons that the metrics start with."""
    assert (End.SKIPPED, SkipReason.EMPTY_BATCH) in Bench().sequencer.account.finished
