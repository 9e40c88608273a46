"""Accounts for every record of a run, from evidence in which the consumer has no part.

    python -m tests.chaos.verifier FOLDER

judges a folder of evidence again.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from tests.chaos.book import Book
from tests.chaos.duplicates import Zombie, bound, sent_again, zombies
from tests.chaos.evidence import INTRODUCTION, Evidence, Produced, load
from tests.chaos.findings import Column, Finding, named, sent
from tests.chaos.health import Oracle
from tests.chaos.order import identified_first, order
from tests.chaos.records import DELIVERED

SHOWN_PER_COLUMN: Final = 5
CLOCK_SECONDS: Final = 0.05
"""Times of the same machine, rounded to a millisecond, written by three processes."""
LEAVING_SECONDS: Final = 2.0
"""So long after a member's end the group may not have heard of it."""
REASONS: Final = {"rejected": frozenset({"undecodable", "invalid_event"}), "refused": frozenset({"refused"})}


@dataclass(frozen=True, slots=True)
class Verdict:
    """The row of a run."""

    options: dict[str, Any]
    records: int
    requests: int
    introductions: int
    dead_letters: int
    faults: int
    frozen_seconds: float
    """How long the whole machine stood still, as far as the harness has noticed."""
    processes: int
    heal_seconds: float | None
    unrecorded_max: int
    """Events that had ended and no commit told of, at the sampled moment when there were most."""
    duplicates: int
    duplicates_max: int
    causes: dict[str, int]
    zombies: int
    zombies_late: int
    health: dict[str, int]
    """How often members were asked while something of theirs stood still, or while everything had flowed."""
    findings: list[Finding]

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.findings)

    def count(self, column: Column) -> int:
        """How many findings of a column."""
        return sum(finding.column is column for finding in self.findings)

    def shown_findings(self) -> Iterator[str]:
        """The first few of each column."""
        for column in Column:
            ours = [finding for finding in self.findings if finding.column is column]
            yield from map(str, ours[:SHOWN_PER_COLUMN])
            if len(ours) > SHOWN_PER_COLUMN:
                yield f"{column.value}: {len(ours) - SHOWN_PER_COLUMN} more"


def verify(evidence: Evidence) -> Verdict:
    """Judge a run."""
    book = Book(evidence)
    oracle = Oracle(book)
    again = sent_again(book)
    zombie_sends: list[Zombie] = list(zombies(book))
    findings = [
        *_journal(book),
        *_ends(book),
        *_deliveries(book),
        *_dead_letters(book),
        *order(book),
        *identified_first(book),
        *_commits(book),
        *(Finding(Column.DUPLICATE, str(one)) for one in again if one.cause is None),
        *_history(evidence),
        *_left_behind(book),
        *oracle.findings(),
    ]
    duplicates_max = bound(book)
    if len(again) > duplicates_max:
        findings.append(Finding(Column.DUPLICATE, f"{len(again)} in all, and at most {duplicates_max} were at risk"))
    history = Counter(happened.what for happened in evidence.history)
    return Verdict(
        options=evidence.options,
        records=len(evidence.produced),
        requests=len(evidence.accepted),
        introductions=sum(request.is_introduction for request in evidence.accepted),
        dead_letters=len(evidence.dead),
        faults=history["begin"],
        frozen_seconds=sum(h.fields["seconds"] for h in evidence.history if h.what == "froze"),
        processes=history["start"],
        heal_seconds=next((h.fields["seconds"] for h in evidence.history if h.what == "no lag"), None),
        unrecorded_max=_unrecorded_max(book),
        duplicates=len(again),
        duplicates_max=duplicates_max,
        causes=dict(Counter(one.cause or "?" for one in again)),
        zombies=len(zombie_sends),
        zombies_late=sum(zombie.is_late for zombie in zombie_sends),
        health=dict(+oracle.counts),
        findings=findings,
    )


def _journal(book: Book) -> Iterator[Finding]:
    somewhere = {(record.partition, record.number): record for record in book.records.values()}
    for line in book.evidence.acknowledged:
        if line.offset is None:
            record = somewhere.get((line.partition, line.number))
            if record is None and book.evidence.later_lives:
                continue  # it may have arrived in the topic that was deleted just then
        else:
            record = book.records.get((line.partition, line.offset))
        if record is None or (record.number, record.checksum) != (line.number, line.checksum):
            yield Finding(Column.KAFKA, f"acknowledged: {line}; in the topic: {record}")


def _ends(book: Book) -> Iterator[Finding]:
    for record in book.evidence.produced:
        place = (record.partition, record.offset)
        is_committed = book.is_committed(record)
        if record.what in REASONS:
            is_there = any(letter.reason in REASONS[record.what] for letter in book.dead.get(place, ()))
        else:
            is_refused = book.is_refused_alone(record)
            is_there = record.what not in DELIVERED or record.insert_id in book.deliveries or is_refused
        if is_committed and not is_there:
            yield Finding(Column.LOST, named(record))
        elif not is_committed and not book.is_gone(record):
            yield Finding(Column.STUCK, f"not committed: {named(record)}{'' if is_there else ', not ended either'}")


def _deliveries(book: Book) -> Iterator[Finding]:
    for request in book.evidence.accepted:
        if request.is_introduction:
            record = book.by_insert_id.get(request.insert_ids[0].removeprefix(INTRODUCTION))
            if record is None or record.user != request.user or record.what not in DELIVERED | {"refused"}:
                yield Finding(Column.PHANTOM, f"{sent(request)} introduces for {record}")
            elif request.digests not in ((), (0,)):
                yield Finding(Column.PHANTOM, f"{sent(request)} introduces with properties")
            continue
        digests = request.digests or (None,) * len(request.insert_ids)
        for insert_id, digest in zip(request.insert_ids, digests, strict=True):
            record = book.by_insert_id.get(insert_id)
            if record is None or record.user != request.user or record.what not in DELIVERED:
                yield Finding(Column.PHANTOM, f"{sent(request)} has {insert_id}, which is {record}")
            elif (record.what == "identify") is not request.is_identify:
                yield Finding(Column.PHANTOM, f"{sent(request)} has {insert_id}, of another type: {record}")
            elif digest not in (None, record.digest):
                yield Finding(Column.PHANTOM, f"{sent(request)} has other properties than {record}")


def _dead_letters(book: Book) -> Iterator[Finding]:
    for place, letters in book.dead.items():
        record = book.records.get(place)
        for letter in letters:
            if record is None or letter.reason not in _reasons(book, record):
                yield Finding(Column.DEAD_LETTER, f"{letter} of {record}")
            elif letter.checksum != record.checksum or not letter.header.startswith(f"[{record.number},"):
                yield Finding(Column.DEAD_LETTER, f"{letter} is altered: {record}")


def _reasons(book: Book, record: Produced) -> frozenset[str]:
    """Why the record may be a dead letter."""
    is_refused = record.what in DELIVERED and record.insert_id in book.refused_alone
    return frozenset({"refused"}) if is_refused else REASONS.get(record.what, frozenset())


# ---------------------------------------------------------------------- commits


def _commits(book: Book) -> Iterator[Finding]:
    for place, recorded_at in book.recorded_at.items():
        record = book.records.get(place)
        if record is not None and book.ended_at(record) > recorded_at + CLOCK_SECONDS:
            yield Finding(
                Column.AHEAD, f"{named(record)} finished in a commit seen at {recorded_at:.3f}, {_ended(book, record)}"
            )
    last: dict[int, int] = {}
    for commits in book.evidence.commits:
        for partition, (offset, _) in commits.points.items():
            if offset < last.get(partition, 0):
                where = f"partition {partition} from {last[partition]} to {offset}"
                yield Finding(Column.BACK, f"{where}, seen at {commits.answered_at:.3f}")
            last[partition] = offset


def _unrecorded_max(book: Book) -> int:
    changes = []
    for place, record in book.records.items():
        if record.what in DELIVERED and not book.is_gone(record):
            changes += [(book.ended_at(record), 1), (book.recorded_at.get(place, float("inf")), -1)]
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


# ---------------------------------------------------------------------- what happened to the processes


def _history(evidence: Evidence) -> Iterator[Finding]:
    started: dict[str, float] = {}
    """Member → when; later by as long as it was stopped."""
    stopped: dict[str, float] = {}
    asked: dict[str, bool] = {}
    """Member → whether all was fixed when it was asked to leave: what it could not finish before is no fault."""
    is_fixed = False
    for at, what, fields in evidence.history:
        match what:
            case "start":
                started[fields["member"]] = at
            case "stop":
                stopped[fields["member"]] = at
            case "cont" if fields["member"] in stopped:
                started[fields["member"]] += at - stopped.pop(fields["member"])
            case "fixed":
                is_fixed = True
            case "term":
                asked[fields["member"]] = is_fixed
            case "stuck":
                yield Finding(Column.STUCK, f"a lag of {fields['lag']} {fields['seconds']:g} s after all was fixed")
            case "hang":
                yield Finding(Column.DIED, f"{fields['member']} did not end {fields['seconds']:g} s after SIGTERM")
            case "producer" if fields["code"] != 0:
                yield Finding(Column.KAFKA, f"the producer ended with {fields['code']}")
            case "exit" if not _may_exit(
                evidence, fields, started[fields["member"]], at, is_fixed=asked.get(fields["member"], is_fixed)
            ):
                yield Finding(Column.DIED, f"{fields['member']} ended with exit code {fields['code']} at {at:.3f}")


def _left_behind(book: Book) -> Iterator[Finding]:
    """Members that were told to stop, did so as they should, and are in the group all the same."""
    asked_at: dict[str, float] = {}
    for at, what, fields in book.evidence.history:
        if what == "term":
            asked_at[fields["member"]] = at
        elif what == "exit" and fields["code"] == 0 and fields["asked"]:
            member = fields["member"]
            last = max((s.asked_at for s in book.evidence.owners if member in s.present), default=0.0)
            if next((member not in s.present for s in book.evidence.owners if s.asked_at > at), False):
                continue  # it had left; a coordinator that starts again may bring back whom it knew before
            if last > at + LEAVING_SECONDS and not _could_not_leave(book, member, asked_at[member], at):
                yield Finding(Column.LEFT, f"{member} ended at {at:.3f} and was in the group until {last:.3f}")


def _could_not_leave(book: Book, member: str, asked_at: float, ended_at: float) -> bool:
    """Its last words may not have come to the broker, or stood behind its request to join, while that was held up."""
    if any(i.begins <= ended_at and asked_at <= i.ends for i in book.held_up):
        return True
    kafka = (i for i in book.unclean if i.what.startswith(("kafka.", "broker.", "machine")))
    return any(i.concerns(member) and i.begins <= ended_at + LEAVING_SECONDS and asked_at <= i.ends for i in kafka)


def _may_exit(evidence: Evidence, fields: dict[str, Any], start: float, at: float, *, is_fixed: bool) -> bool:
    code = fields["code"]
    if code == 69:  # Kafka could not be reached at the start
        return any(
            happened.what == "begin" and happened.fields["fault"].startswith(("kafka.", "broker.")) and happened.at < at
            for happened in evidence.history
        )
    if not fields["asked"]:
        return False
    if code == -15:  # it had not come to its signal handlers yet
        return at - start < 10
    return code == 0 or (code == 75 and not is_fixed)


def _ended(book: Book, record: Produced) -> str:
    at = book.ended_at(record)
    return "never ended" if at == float("inf") else f"ended {at:.3f}"


def main() -> int:
    """Judge a folder again."""
    from tests.chaos.report import table

    verdict = verify(load(Path(sys.argv[1])))
    print(table([verdict]))
    for finding in verdict.shown_findings():
        print(finding)
    return 1 if verdict.failed else 0


if __name__ == "__main__":
    sys.exit(main())
