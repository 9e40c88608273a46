"""What must come before what: the order of a user's events, and identifies first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from tests.chaos.book import Book
from tests.chaos.evidence import INTRODUCTION, Accepted, Produced
from tests.chaos.findings import Column, Finding, named, sent
from tests.chaos.lives import life_of_offset
from tests.chaos.records import DELIVERED


class _Knowing(NamedTuple):
    """Who has sent an event after an identify, and so knows that the user is identified."""

    sender: str
    record: Produced
    """The last event that was sent so."""
    at: float


class _Line:
    """One user's events that must be delivered and are not yet, in the order of the log."""

    def __init__(self) -> None:
        self.undone: dict[int, Produced] = {}
        self.deletes: list[int] = []
        self.sender = ""
        """Of the last request."""
        self.knowing: _Knowing | None = None

    def deleted_between(self, low: int, high: int) -> bool:
        """Whether a delete lies between two offsets."""
        return any(low < offset < high for offset in self.deletes)


def order(book: Book) -> Iterator[Finding]:
    """Each user's events arrive for the first time in the order of the log, but that an identify may overtake."""
    lines: dict[str, _Line] = defaultdict(_Line)
    for record in book.evidence.produced:
        if record.what in DELIVERED and not _went_otherwise(book, record):
            lines[record.user].undone[record.offset] = record
        elif record.what == "delete":
            lines[record.user].deletes.append(record.offset)
    tainted = _slots_without_state(book)
    for request in book.evidence.accepted:
        line = lines[request.user]
        if line.knowing is not None and not _still_knows(book, line.knowing, request):
            line.knowing = None
        if not request.is_introduction:
            yield from _in_order(book, request, line, is_tainted=request.sender.partition(".")[0] in tainted)
        line.sender = request.sender


def _went_otherwise(book: Book, record: Produced) -> bool:
    """It became a dead letter since its user failed, or went with its topic: nothing waits for it.

    Who is refused for a while and read again, after an operator's reset, may be delivered then: behind what went on.
    """
    return book.is_refused_alone(record) or (book.is_gone(record) and record.insert_id not in book.deliveries)


def _in_order(book: Book, request: Accepted, line: _Line, *, is_tainted: bool) -> Iterator[Finding]:
    for insert_id in request.insert_ids:
        record = book.by_insert_id.get(insert_id)
        if record is None:
            continue
        if line.undone.pop(record.offset, None) is not None:
            left_out = []
            for other in line.undone.values():
                if other.offset > record.offset:
                    break
                if _is_of_a_topic_that_went(book, other, record):
                    continue
                if not _may_overtake(record, other, line, request.sender, is_tainted=is_tainted):
                    left_out.append(other)
            if left_out:
                is_new = line.sender not in ("", request.sender)
                what = f"{sent(request)}: {named(record)} before {len(left_out)} others, first {named(left_out[0])}"
                yield Finding(Column.SKIP if is_new else Column.REORDER, what)
            for other in left_out:
                del line.undone[other.offset]  # each counts once
        if not request.is_identify:
            line.knowing = _Knowing(request.sender, record, request.accepted_at)


def _is_of_a_topic_that_went(book: Book, record: Produced, newer: Produced) -> bool:
    """It was not committed when its topic was deleted, and the other one is of the topic that came in its place.

    A request of it may still be on its way, of a member that had to give the partition up meanwhile.
    """
    return book.is_gone(record) and life_of_offset(record.offset) < life_of_offset(newer.offset)


def _still_knows(book: Book, knowing: _Knowing, request: Accepted) -> bool:
    """Another member does not; nor who lost the partition meanwhile, perhaps before it was written that it knows."""
    partition, sender = knowing.record.partition, knowing.sender
    return sender == request.sender and not book.may_have_lost(partition, sender, knowing.at, request.arrived_at)


def _may_overtake(record: Produced, other: Produced, line: _Line, sender: str, *, is_tainted: bool) -> bool:
    """An identify may go before a user's earlier tracks, unless its sender knew that the user is identified."""
    if record.what != "identify" or other.what == "identify" or line.deleted_between(other.offset, record.offset):
        return False
    if line.knowing is None or is_tainted:
        return True
    return line.knowing.sender != sender or line.deleted_between(line.knowing.record.offset, record.offset)


def _slots_without_state(book: Book) -> set[str]:
    """Slots whose state was tampered with: they may forget who is identified."""
    return {
        f"m{happened.fields['target']}"
        for happened in book.evidence.history
        if happened.what == "begin" and happened.fields["fault"].startswith("state.")
    }


def identified_first(book: Book) -> Iterator[Finding]:
    """Before each track an identify of its user was accepted, and answered; after a delete, again."""
    deletes: dict[str, list[int]] = defaultdict(list)
    for record in book.evidence.produced:
        if record.what == "delete" and not book.is_gone(record):
            deletes[record.user].append(record.offset)
    identified: dict[str, int] = {}
    """User → highest offset whose identify, or introduction, was accepted and answered."""
    for request in book.evidence.accepted:
        records = [book.by_insert_id.get(i.removeprefix(INTRODUCTION)) for i in request.insert_ids]
        offsets = [record.offset for record in records if record is not None]
        if request.is_identify:
            if request.answered and offsets:
                identified[request.user] = max(identified.get(request.user, -1), *offsets)
            continue
        if request.user not in identified:
            yield Finding(Column.IDENTIFY, sent(request))
            continue
        for offset in offsets:
            deleted_at = max((d for d in deletes[request.user] if d < offset), default=-1)
            if identified[request.user] < deleted_at:
                yield Finding(Column.DELETE, f"{sent(request)}: offset {offset}, deleted at {deleted_at}")
                break
