"""Judge of dead letters: each must have the reason that it names, as far as can be seen from outside."""

from __future__ import annotations

from consumer.customfit.answers import Answered
from consumer.sequencing.events import DeadLetterReason
from tests.simulation.answers import is_misdirected, is_refusal
from tests.simulation.ledgers import Ledger
from tests.simulation.log import Entry
from tests.simulation.options import Options
from tests.simulation.requests import Tenure
from tests.simulation.stage import Stage, Violation

BUFFER_FULL = 0.75
MOMENT = 1e-3
"""Turns are taken a little after what they are for."""


class DeadLetterJudge:
    """Who was asked to be dead_lettered, and who is."""

    def __init__(self, stage: Stage, options: Options) -> None:
        self.asked: set[Entry] = set()
        self.written: dict[Entry, DeadLetterReason] = {}
        self._stage = stage
        self._options = options

    def dead_letter(self, tenure: Tenure, entry: Entry, reason: DeadLetterReason, member: Ledger) -> None:
        """A member wants a record dead-lettered."""
        offset = entry.offset
        if tenure.done(offset):
            raise Violation("dead letter", f"{entry} is done already")
        self._stage.exercised[f"dead letters: {reason.value}"] += 1
        match reason:
            case DeadLetterReason.REFUSED:
                self._check_refused(tenure, entry, member)
            case DeadLetterReason.GAVE_UP:
                self._check_gave_up(tenure, entry, member)
            case DeadLetterReason.UNIDENTIFIED:
                if self._options.unidentified != "dead-letter":
                    raise Violation("dead letter", f"{entry} was to be introduced")
                tenure.buried_by_policy += 1
                self.check_hold(tenure, entry, member)
            case _ if entry.what != "rejected":
                raise Violation("dead letter", f"{entry} is {reason.value}?")
        tenure.dead_lettered.add(offset)
        member.not_before.pop((tenure, entry.user), None)  # that was its request's
        self.asked.add(entry)
        # The first 200 records are free, then the ratio of the last 1,000 holds (a partition has fewer here).
        if len(tenure.dead_lettered) - tenure.buried_by_policy > max(
            200, member.dead_letter_ratio_max * len(tenure.fetched_at)
        ):
            raise Violation("dead letter", f"{len(tenure.dead_lettered)} of {len(tenure.fetched_at)} of {tenure}")

    def check_unknown(self, entry: Entry, *, known: bool) -> None:
        """Dead-lettered as unidentified: the state must not know the user."""
        if known:
            raise Violation("dead letter", f"{entry} as of an unidentified user, and the state knows the user")

    def _check_refused(self, tenure: Tenure, entry: Entry, member: Ledger) -> None:
        last = member.last.get((tenure, entry.offset))
        is_refused = last is not None and isinstance(last.answer, Answered) and is_refusal(last.answer.status)
        if last is None or last.entries != [entry] or not is_refused:
            raise Violation("dead letter", f"{entry} was not refused alone; last was {last}")
        if member.succeeded_at is None:
            member.refused_users.add(entry.user)
            if len(member.refused_users) > 2:
                raise Violation("gate", f"{entry} is dead-lettered, and nothing was ever accepted of three users")

    def _check_gave_up(self, tenure: Tenure, entry: Entry, member: Ledger) -> None:
        last = member.last.get((tenure, entry.offset))
        failed_at = member.failed_at.get((tenure, entry.offset), [])
        if last is None or last.entries != [entry] or last.answer is None or failed_at[-1:] != [self._stage.now]:
            raise Violation("dead letter", f"{entry} did not fail alone; last was {last}")
        if failed_at[-1] - failed_at[0] < self._options.give_up_seconds - MOMENT:
            raise Violation("dead letter", f"{entry} is given up after {failed_at[-1] - failed_at[0]:.3f} s")
        if member.succeeded_sent_at >= failed_at[-2]:
            return
        if isinstance(last.answer, Answered) and is_misdirected(last.answer.status):
            raise Violation("dead letter", f"{entry} is given up, and it may have been the key")
        # Nobody has succeeded since; but then somebody else must have been able to, or it would stay so for ever.
        options = self._options
        full = max(member.buffered / options.buffer_events_max, member.buffered_bytes / options.buffer_bytes_max)
        may_stall = options.uncommitted_events_max < 10_000
        if member.users_that_fail >= 3 or not (full >= BUFFER_FULL or may_stall):
            raise Violation("dead letter", f"{entry} is given up in an outage: no success since {failed_at[-2]:.3f}")
        self._stage.exercised["given up with a full buffer or a stall"] += 1

    def check_hold(self, tenure: Tenure, entry: Entry, member: Ledger) -> None:
        """An event of an unidentified user has waited as long as it may."""
        held_until = tenure.fetched_at[entry.offset] + self._options.hold_seconds
        if self._stage.now < held_until - MOMENT and not member.holds_cut_short:
            raise Violation("hold", f"{entry} was to be held until {held_until:.3f}")

    def note_written(self, entry: Entry, reason: DeadLetterReason) -> None:
        """A dead letter is in its topic, whether the member learns of it or not."""
        self._stage.exercised["dead-lettered again"] += entry in self.written
        self.written[entry] = reason
