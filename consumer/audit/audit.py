"""READ FIRST. One audit: first what there is to judge by, then every record of the window, one at a time.

It keeps in memory a byte for each offset of the window if there are receipts, a few numbers for each dead letter, and a
hash for each event of a ledger. The records themselves are not kept.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from consumer.audit.evidence import Advance, Evidence, Gathering
from consumer.audit.judge import AuditedEnd, Judge, Judgement
from consumer.audit.proof import LedgerProof
from consumer.audit.redecoding import Decoder, SchemaWanted
from consumer.audit.schemas import Schemas
from consumer.audit.verdict import Verdict
from consumer.audit.window import Window
from consumer.kafka.reader import TopicReader
from consumer.segment.decoding import DecodingRules

if TYPE_CHECKING:
    from consumer.sequencing.events import Record
    from consumer.settings import Settings

Each = Callable[[Judgement], None]


class Auditor:
    """Audits one window, by these settings."""

    def __init__(
        self,
        settings: Settings,
        reader: TopicReader,
        window: Window,
        advance: Advance,
        check: Callable[[], None],
    ) -> None:
        """`advance` hears of each record that was read. `check` is called while a registry is waited for."""
        self._settings = settings
        self._window = window
        self._advance = advance
        self._check = check
        self._gathering = Gathering(settings, reader, window, advance)

    def run(self, ledger: Callable[[LedgerProof], None] | None, each: Each | None) -> Verdict:
        """The verdict. `each` hears of every event. If something seems missing, all there is is searched for it.

        Raises TooOld, TooMany, NoLedger, KafkaUnavailable, RegistryUnavailable.
        """
        with Schemas(self._settings, self._check) as schemas:
            evidence = self._gathering.gather(is_whole=each is not None, ledger=ledger)
            verdict = self._judge(evidence, schemas, each)
            if _may_change(verdict) and not evidence.is_whole:
                evidence = self._gathering.gather(is_whole=True, ledger=ledger)
                verdict = self._judge(evidence, schemas, each)
        return verdict

    def _judge(self, evidence: Evidence, schemas: Schemas, each: Each | None) -> Verdict:
        rules = self._settings.fill(DecodingRules, topic_life="")
        decoder = Decoder(rules, self._settings.value_format, schemas.known)
        judge = Judge(decoder, evidence.finished, evidence.letters, evidence.proof)
        for number, finished in evidence.finished.items():
            if finished.offset > evidence.ends[number]:
                judge.gaps.beyond_end(number, evidence.ends[number])
        for record in self._gathering.records(evidence.stretches):
            judged = _judged(judge, schemas, record)
            if each is not None:
                for one in judged:
                    each(one)
        judge.gaps.close({number: stretch.end for number, stretch in evidence.stretches.items()})
        ledger, receipts = evidence.proof.ledger, evidence.proof.receipts
        proofs = [name for name, proof in (("ledger", ledger), ("receipts", receipts)) if proof is not None]
        gaps, counts = judge.gaps, dict(judge.counts)
        verdict = Verdict(self._window, judge.records, counts, gaps.events, gaps.runs, evidence.notes, proofs)
        if ledger is not None and ledger.requests and gaps.events and not verdict.count(AuditedEnd.DELIVERED):
            evidence.notes.append("the ledger has no event of the window: is it of this destination, and of that time?")
        return verdict


def _may_change(verdict: Verdict) -> bool:
    """Whether something written long before the window may change the verdict.

    A dead letter may fill a gap. And an event without a receipt is lost, or older than the first receipt, which may
    have been written when the member got the partition, days ago.
    """
    return verdict.gaps > 0 or ("receipts" in verdict.proofs and verdict.count(AuditedEnd.COMMITTED) > 0)


def _judged(judge: Judge, schemas: Schemas, record: Record) -> list[Judgement]:
    while isinstance(judged := judge.judge(record), SchemaWanted):
        schemas.ask(judged.schema)
    return judged
