"""What was sent again, whether anything explains it, and how much the run's faults explain in all.

Sent again may be: what was never answered; after an unclean end of an owner, what it had delivered and no commit that
was acknowledged before tells of; the same of an owner in good health that lost its partition because a rebalance was
held up by another member; and what an owner without its partition still had under way. Nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, NamedTuple

from tests.chaos.book import Book, Interval
from tests.chaos.evidence import Accepted, Produced
from tests.chaos.records import DELIVERED

COMMIT_SECONDS: Final = 1.0
"""Members commit so often. One that goes out as a delivery is answered does not tell of it; the next one does."""
COMMIT_SECONDS_MAX: Final = 2 * COMMIT_SECONDS
ANSWER_SECONDS: Final = 0.3
"""How long an answer may be under way from the emulator to a member."""


class Again(NamedTuple):
    """An event that was accepted once more."""

    record: Produced
    before: Accepted
    after: Accepted
    cause: str | None
    """None: nothing explains it."""

    def __str__(self) -> str:
        record, before, after = self.record, self.before, self.after
        return (
            f"{record.what} {record.insert_id} of {record.user} at {record.partition}/{record.offset}: "
            f"by {before.sender} at {before.accepted_at:.3f} and by {after.sender} at {after.accepted_at:.3f}"
        )


def sent_again(book: Book) -> list[Again]:
    """Every acceptance of an event after its first, with its cause."""
    found = []
    for insert_id, requests in book.deliveries.items():
        record = book.by_insert_id.get(insert_id)
        if record is not None and record.what in DELIVERED:
            for index, after in enumerate(requests[1:]):
                earlier = requests[: index + 1]
                cause = next((cause for before in earlier if (cause := _cause(book, record, before, after))), None)
                found.append(Again(record, earlier[-1], after, cause))
    return found


def _cause(book: Book, record: Produced, before: Accepted, after: Accepted) -> str | None:
    if not (before.surely_answered and after.surely_answered):
        return "unanswered"
    for request in (before, after):
        for interval in book.unanswered:
            if interval.concerns(request.sender) and _overlaps(interval, request):
                return interval.what
    recorded_at = book.recorded_at.get((record.partition, record.offset), math.inf)
    had_read_it = recorded_at < book.tenure_began_after(record.partition, after.sender, after.arrived_at)
    for interval in sorted(book.unclean, key=lambda one: -len(one.slot)):  # what befell one process says most
        is_between = before.arrived_at <= interval.ends and interval.begins <= after.accepted_at
        if interval.concerns(before.sender) and is_between and recorded_at > interval.begins and not had_read_it:
            return interval.what
    if not (_owns(book, record, before) and _owns(book, record, after)):
        return "not the owner"
    has_lost = book.has_lost(record.partition, before.sender, before.accepted_at, after.accepted_at)
    if has_lost is None:  # nobody knows who had it; then who has sent it
        has_lost = before.sender != after.sender
    held_up = _held_up(book, record, before) if has_lost and not had_read_it else None
    return held_up.what if held_up is not None else None


def _held_up(book: Book, record: Produced, request: Accepted) -> Interval | None:
    """The held-up rebalance, the last to begin, in which no commit of the partition told of this delivery in time."""
    for interval in reversed(book.held_up):
        for at in (request.accepted_at, request.accepted_at + COMMIT_SECONDS):
            stood_from, stood_until = book.commits_around(record.partition, at)
            stood_from = max(stood_from, interval.begins, request.accepted_at - COMMIT_SECONDS)
            if min(stood_until, interval.ends) - stood_from > COMMIT_SECONDS_MAX:
                return interval
    return None


def _owns(book: Book, record: Produced, request: Accepted) -> bool:
    return book.owner(record.partition, request.accepted_at) in (None, request.sender)


def _overlaps(interval: Interval, request: Accepted) -> bool:
    return request.arrived_at <= interval.ends and interval.begins <= request.accepted_at + ANSWER_SECONDS


def bound(book: Book) -> int:
    """How many events the run's faults allow to be sent again: each delivery of one that was at risk counts once.

    At risk is what was not answered, or may not have been; what was delivered by an owner who had a problem then, may
    have lost the partition, and had not committed it; and whatever came from somebody who did not have the partition.
    """
    count = 0
    for insert_id, requests in book.deliveries.items():
        record = book.by_insert_id.get(insert_id)
        if record is not None:
            count += sum(_at_risk(book, record, request) for request in requests)
    return count


def _at_risk(book: Book, record: Produced, request: Accepted) -> bool:
    if not request.surely_answered or not _owns(book, record, request):
        return True
    if any(interval.concerns(request.sender) and _overlaps(interval, request) for interval in book.unanswered):
        return True
    recorded_at = book.recorded_at.get((record.partition, record.offset), math.inf)
    has_problem = any(
        interval.concerns(request.sender) and request.arrived_at <= interval.ends and interval.begins < recorded_at
        for interval in book.unclean
    )
    if not has_problem:
        has_lost = book.has_lost(record.partition, request.sender, request.accepted_at, recorded_at)
        return has_lost is not False and _held_up(book, record, request) is not None
    # An owner that loses its partitions and gets them back under the same name is seen only by its overdue commit.
    is_overdue = recorded_at - request.accepted_at > COMMIT_SECONDS_MAX
    return is_overdue or book.may_have_lost(record.partition, request.sender, request.accepted_at, recorded_at)


class Zombie(NamedTuple):
    """A delivery by an old owner after the new owner's first of that user."""

    request: Accepted
    owner: str
    is_late: bool
    """It came to the emulator when the new owner was at work on this user already, so it was sent without right."""

    def __str__(self) -> str:
        request = self.request
        return (
            f"request {request.sequence} of {request.user} by {request.sender}, arrived {request.arrived_at:.3f}, "
            f"accepted {request.accepted_at:.3f}, {'sent ' if self.is_late else ''}when {self.owner} had it"
        )


def zombies(book: Book) -> Iterator[Zombie]:
    """All of them, in the order of the ledger."""
    began_at: dict[tuple[str, str], float] = {}
    """User and sender → when the sender's present turn with the user began: it may have had the partition before."""
    last: dict[str, str] = {}
    for request in book.evidence.accepted:
        insert_id = request.insert_ids[0] if request.insert_ids else ""
        record = book.by_insert_id.get(insert_id.removeprefix("introduction-"))
        if record is None or not request.sender:
            continue
        user, sender = request.user, request.sender
        owner = book.owner(record.partition, request.accepted_at)
        if owner not in (None, sender):
            owner_began_at = began_at.get((user, owner or ""), -math.inf)
            if owner_began_at > began_at.get((user, sender), -math.inf):
                yield Zombie(request, owner or "", request.arrived_at > owner_began_at)
                continue
        if last.get(user) != sender:
            began_at[user, sender] = request.accepted_at
            last[user] = sender
