"""What became of each record, and which records have a gap where there should be an end. Pure.

A record ends in one of six ways, or it is a gap:

    delivered      the ledger, or a receipt, says that it arrived
    committed      finished in the group's commit; nobody says whether it arrived
    skipped        finished, and decoded again it is not to be sent, for this reason
    dead_lettered  its last dead letter has not been replayed
    replayed       its last dead letter has been; whether that arrived nobody says
    outstanding    not finished in the commit: still to come, or under way
    gap            finished in the commit, and provably without an end

A gap is proved by what is missing, so only where what should be there would be seen:

    not_delivered         an event to be sent, finished, that the ledger or the receipts should have and don't
    commit_ahead          the same of the last events below the committed offset: the commit came too early
    no_dead_letter        a record that can only end as a dead letter, finished, without one
    replay_not_delivered  a replay, finished in the replay topic, that the ledger or the receipts should have and don't
    beyond_end            a commit behind the end of its partition

Without ledger and receipts nothing says what arrived: a lost event then counts as committed, never as delivered.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from enum import StrEnum
from typing import Final, NamedTuple

from consumer.audit.commits import Finished
from consumer.audit.gaps import Gap, Gaps
from consumer.audit.letters import Fate, Letters
from consumer.audit.proof import Proof
from consumer.audit.redecoding import Decoder, SchemaWanted, Unread
from consumer.sequencing.events import Batch, Decoded, Event, Kind, Record, Rejected, Skipped, SkipReason

FORGOTTEN: Final = SkipReason.FORGOTTEN.value
UNREAD: Final = "unread"


class AuditedEnd(StrEnum):
    """What became of an event, or of a record that holds none."""

    DELIVERED = "delivered"
    COMMITTED = "committed"
    SKIPPED = "skipped"
    DEAD_LETTERED = "dead_lettered"
    REPLAYED = "replayed"
    OUTSTANDING = "outstanding"
    GAP = "gap"


class Judgement(NamedTuple):
    """The judgement of one event."""

    partition: int
    offset: int
    item_index: int | None
    end: AuditedEnd
    reason: str
    """Why it was skipped or dead-lettered, or which gap it is."""


class Judge:
    """Judges record after record. Those of a partition come in the order of the log."""

    def __init__(self, decoder: Decoder, finished: Mapping[int, Finished], letters: Letters, proof: Proof) -> None:
        self.records = 0
        self.counts: Counter[tuple[AuditedEnd, str]] = Counter()
        self.gaps = Gaps({number: one.offset for number, one in finished.items()})
        self._decoder = decoder
        self._finished = finished
        self._letters = letters
        self._proof = proof

    def judge(self, record: Record) -> list[Judgement] | SchemaWanted:
        """What became of its events. If a schema is needed to say so, that is the answer, and it is asked again."""
        decoded = self._decoder.decode(record)
        if isinstance(decoded, SchemaWanted):
            return decoded
        number, offset = record.partition.number, record.offset
        is_finished = offset in self._finished[number]
        self.records += 1
        items = decoded.items if isinstance(decoded, Batch) else (decoded,)
        judged = []
        for item in items:
            of = record if isinstance(item, Unread) else item.record
            end, reason = self._end(item, of, is_finished=is_finished)
            judgement = Judgement(number, offset, of.item_index, end, reason)
            self.counts[end, reason] += 1
            self.gaps.note(number, offset, Gap(reason) if end is AuditedEnd.GAP else None, is_proof=end in PROOF)
            judged.append(judgement)
        return judged

    def _end(self, item: Decoded | Unread, record: Record, *, is_finished: bool) -> tuple[AuditedEnd, str]:
        fate = self._letters.of(record)
        event = item if isinstance(item, Event) else None
        said = self._proof.says(record, event, fate.replay if fate else None)
        if said:
            return AuditedEnd.DELIVERED, ""
        if fate is not None:
            return _of_letter(fate, is_missing=said is False and event is not None)
        if not is_finished:
            return AuditedEnd.OUTSTANDING, ""
        if isinstance(item, Skipped):
            return AuditedEnd.SKIPPED, item.reason.value
        if isinstance(item, Rejected):
            return AuditedEnd.GAP, Gap.NO_DEAD_LETTER
        if isinstance(item, Unread):
            return AuditedEnd.COMMITTED, UNREAD
        if item.kind is Kind.DELETE:
            return AuditedEnd.SKIPPED, FORGOTTEN
        return (AuditedEnd.GAP, Gap.NOT_DELIVERED) if said is False else (AuditedEnd.COMMITTED, "")


PROOF: Final = frozenset({AuditedEnd.DELIVERED, AuditedEnd.COMMITTED, AuditedEnd.DEAD_LETTERED, AuditedEnd.REPLAYED})
"""If an event below the commit has such an end, what is missing before it is not a commit that came too early."""


def _of_letter(fate: Fate, *, is_missing: bool) -> tuple[AuditedEnd, str]:
    if fate.replay is None:
        return AuditedEnd.DEAD_LETTERED, fate.reason
    if fate.replay.is_finished and is_missing:
        return AuditedEnd.GAP, Gap.REPLAY_NOT_DELIVERED
    return AuditedEnd.REPLAYED, fate.reason
