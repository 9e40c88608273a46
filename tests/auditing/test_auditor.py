"""When an audit reads all there is before it says that nothing is missing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, cast

from consumer.audit.audit import Auditor
from consumer.audit.commits import Finished
from consumer.audit.evidence import Evidence
from consumer.audit.gaps import Gap
from consumer.audit.judge import AuditedEnd
from consumer.audit.letters import Letters
from consumer.audit.verdict import Verdict
from consumer.audit.window import Stretch, Window
from consumer.kafka.reader import TopicReader
from consumer.sequencing.events import Record
from tests.auditing.given_window import CLUSTER, TOPIC_ID, Given
from tests.settings.given_settings import load


class Gathered:
    """What was written shortly before the window and later, or all of it."""

    def __init__(self, given: Given, is_old: Callable[[Any], bool]) -> None:
        self.read_whole: list[bool] = []
        self._given = given
        self._is_old = is_old

    def gather(self, *, is_whole: bool, ledger: object) -> Evidence:
        del ledger
        self.read_whole.append(is_whole)
        given, all_receipts = self._given, self._given.receipts
        stretch = Stretch(0, len(given.records))
        given.receipts = [one for one in all_receipts if is_whole or not self._is_old(one)]
        proof = given._proof(stretch, TOPIC_ID)
        given.receipts = all_receipts
        letters = Letters("events", {0: stretch}, TOPIC_ID)
        finished = {0: Finished(given.commit, CLUSTER, TOPIC_ID)}
        return Evidence({0: stretch}, {0: stretch.end}, finished, letters, proof, is_whole)

    def records(self, _stretches: object) -> Iterator[Record]:
        yield from self._given.records


def audited(gathered: Gathered) -> Verdict:
    """Judge the window."""
    settings = load(kafka_topic="events", replay_topic="replays", receipt_topic="receipts")
    auditor = Auditor(settings, cast("TopicReader", None), Window(0, 1, 1), lambda _: None, lambda: None)
    auditor._gathering = cast("Any", gathered)
    return auditor.run(None, None)


def test_a_lost_event_is_found_though_receipts_began_long_before_the_window() -> None:
    """Where they began was written when the member got its partition, which may be days ago."""
    given = Given("receipts")
    given.tracks(2)
    given.commit_to(2)
    gathered = Gathered(given, lambda receipt: not receipt.offsets)
    verdict = audited(gathered)

    assert [False, True] == gathered.read_whole
    assert (2, [Gap.COMMIT_AHEAD]) == (verdict.gaps, [run.gap for run in verdict.runs])


def test_what_is_proved_needs_no_second_look() -> None:
    """The topic may hold weeks of receipts."""
    given = Given("receipts")
    given.deliver(*given.tracks(2))
    given.commit_to(2)
    gathered = Gathered(given, lambda receipt: not receipt.offsets)
    verdict = audited(gathered)

    assert ([False], 2) == (gathered.read_whole, verdict.count(AuditedEnd.DELIVERED))


def test_without_receipts_what_nobody_can_prove_is_not_looked_for() -> None:
    """There is nothing to look in."""
    given = Given()
    given.tracks(2)
    given.commit_to(2)
    gathered = Gathered(given, lambda _: True)
    verdict = audited(gathered)

    assert ([False], 2) == (gathered.read_whole, verdict.count(AuditedEnd.COMMITTED))


def test_a_ledger_that_has_nothing_of_the_window_is_asked_about() -> None:
    """It may be that of another run; one that has something is believed."""
    for is_of_another in (True, False):
        given = Given("ledger")
        first, lost = given.tracks(2)
        given.deliver(first)
        given.commit_to(2)
        if is_of_another:
            given.lines = [line.replace(b"m0", b"other") for line in given.lines]
        verdict = audited(Gathered(given, lambda _: False))

        assert (lost.offset, is_of_another) == (verdict.runs[-1].last, bool(verdict.notes))
        assert all("the ledger has no event of the window" in note for note in verdict.notes)
