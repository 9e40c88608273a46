"""Independent judge of a simulated run: watches what is sent, accepted, written and committed, and knows the promises.

It never looks into lanes, gates or trackers: it has ledgers of its own (ledgers.py). A broken promise is
raised at once. Commits, dead letters, order, health and rate have judges of their own (referee_commits.py and so on).

    identify first   no track, page or screen is accepted before an identify of its user (after their last delete)
    order            a user's events are sent in the order of the log; only the first identify of an unidentified user
                     overtakes, and never a delete
    in flight        one request a user and partition; as many as allowed a member
    commit           nothing below a committed offset is unfinished; offsets only rise
    lost, phantom    at the end every record is accepted, dead-lettered or skipped, and nothing else was sent
    duplicate        sent again is only what was not answered 2xx, or by a later owner
    dead letter      refused: alone; gave up: alone, long enough, while others succeeded; unidentified: only who is not
    state            says "identified" only of users whose identify was accepted; a known user is not introduced again
    gate             after 401 of three users one request at a time; after the Retry-After of a 429 none for that long,
                     of another answer none of that user; one user who fails closes nothing for the others
    zombie           when the group gives a silent member's partition away, nothing of it is in flight but what was when
                     the member was stopped, and nothing more is sent
    rate             all members together start no more than the rate and a small burst: referee_rate.py
    pause            a member that has heard of a pause, or has yet to hear whether there is one, sends nothing
    drain            a partition that is asked for gets no new requests, and is given back when nothing is under way
    health           a member is not `ready`, and says which partition stands still, for 30 s; else it is `ready`
    account          consumed = finished + unfinished at every turn, and all counts back to 0 in the end
"""

from __future__ import annotations

from consumer.customfit.answers import Answer, Answered, NoAnswer
from consumer.sequencing.events import Partition, User
from tests.simulation.answers import is_misdirected, is_refusal, retry_after_seconds
from tests.simulation.ledgers import Counts, Ledger, trying_again
from tests.simulation.log import Entry, Log
from tests.simulation.options import Options
from tests.simulation.referee_commits import METADATA_ROOM_BYTES, CommitJudge
from tests.simulation.referee_dead_letters import MOMENT, DeadLetterJudge
from tests.simulation.referee_health import HealthJudge
from tests.simulation.referee_order import OrderJudge
from tests.simulation.referee_rate import RateJudge
from tests.simulation.requests import Request, Tenure
from tests.simulation.stage import Stage, Violation

MISDIRECTED_USERS = 3
OUTAGE_USERS = 3


class Referee:
    """One run's ledgers."""

    def __init__(self, stage: Stage, options: Options, log: Log) -> None:
        self.accepted_times: dict[Entry, int] = {}
        self.commits = CommitJudge(stage, options, log)
        self.dead_letters = DeadLetterJudge(stage, options)
        self.order = OrderJudge(stage, log)
        self.health = HealthJudge(stage, options, log, self.commits)
        self.rate = RateJudge(stage, options)
        self._stage = stage
        self._options = options
        self._log = log
        self._identified_at: dict[tuple[Partition, User], int] = {}
        """Highest offset whose identify or introduction was accepted."""
        self._last_identified: dict[tuple[Partition, User], float] = {}
        self._forgotten_at: dict[tuple[Partition, User], float] = {}
        self._identified: set[User] = set()
        self._forgotten: set[Entry] = set()

    # ------------------------------------------------------------------ requests

    def handed_over(self, request: Request, member: Ledger, *, known: bool, is_owner: bool) -> None:
        """A member sends; `known`: its stored state says that the user is identified."""
        self._check_limits(request, member)
        self.rate.started(request)
        self.order.check_sent(request, known=known and is_owner)
        if request.kind == "introduction":
            self._check_introduction(request, member, known=known and is_owner)
        self._note_exercise(request, member)
        member.outstanding[(request.tenure.partition, request.user)] = request
        member.tenures.add(request.tenure)
        request.tenure.unanswered += 1
        for entry in request.entries:
            member.last[(request.tenure, entry.offset)] = request

    def _check_limits(self, request: Request, member: Ledger) -> None:
        options, now, entries = self._options, self._stage.now, request.entries
        if member.is_paused:
            raise Violation("pause", f"{request} while sending is paused")
        if (request.tenure.partition, request.user) in member.outstanding:
            raise Violation("in flight", f"{request} while the user's last one is unanswered")
        if len(member.outstanding) >= options.in_flight_max:
            raise Violation("in flight", f"{request} is one more than {options.in_flight_max}")
        if trying_again(member.misdirected) >= MISDIRECTED_USERS and member.outstanding:
            raise Violation("gate", f"{request} beside another, though the destination is stopped")
        if now < member.not_before.get((request.tenure, request.user), 0.0) - MOMENT:
            raise Violation("gate", f"{request} though the user's Retry-After is not over")
        if now < member.paused_until - MOMENT:
            raise Violation("gate", f"{request} though Retry-After says {member.paused_until:.3f}")
        if request.tenure.given_away:
            raise Violation("zombie", f"{request} of a partition that another member may own")
        if request.tenure.closing or request.tenure.ended:
            raise Violation("drain", f"{request} of a partition that is being given back")
        if len(entries) > options.batch_events_max:
            raise Violation("limits", f"{request} has {len(entries)} events")
        size_bytes = sum(entry.event_bytes for entry in entries)
        if len(entries) > 1 and size_bytes > options.batch_bytes_max:
            raise Violation("limits", f"{request} has {size_bytes} bytes")

    def _check_introduction(self, request: Request, member: Ledger, *, known: bool) -> None:
        if self._options.unidentified != "introduce":
            raise Violation("dead letter", f"{request} though unidentified users are to be dead-lettered")
        if known:
            raise Violation("state", f"{request} though the state knows the user")
        self.order.check_no_identify_waits(request.tenure, request.entries[0])
        self.dead_letters.check_hold(request.tenure, request.entries[0], member)

    def _note_exercise(self, request: Request, member: Ledger) -> None:
        exercised = self._stage.exercised
        exercised[f"{request.kind} requests"] += 1
        exercised["batches"] += len(request.entries) > 1
        exercised["anonymous users"] += request.user.anonymous
        before = member.last.get((request.tenure, request.entries[0].offset))
        if before is None or before.kind != request.kind:
            return
        if len(before.entries) == len(request.entries):
            exercised["retries"] += 1
        elif isinstance(before.answer, Answered) and is_refusal(before.answer.status):
            exercised["halvings of refused batches"] += 1
        else:
            exercised["halvings of given-up batches"] += 1

    def accepted(self, request: Request) -> None:
        """The destination takes a request for good, whether the sender learns of it or not."""
        request.accepted_at = self._stage.now
        partition, user = request.tenure.partition, request.user
        if request.kind != "events":
            self._identified.add(user)
            key = (partition, user)
            self._last_identified[key] = self._stage.now
            self._identified_at[key] = max(self._identified_at.get(key, -1), request.entries[0].offset)
        if request.kind == "introduction":
            return
        for entry in request.entries:
            times = self.accepted_times.get(entry, 0)
            self.accepted_times[entry] = times + 1
            self._stage.exercised["accepted again"] += times > 0
            if times == 0:
                self._check_accepted_in_order(entry, request)
            if entry.what != "identify":
                self._check_identified(entry)

    def _check_identified(self, entry: Entry) -> None:
        if entry.user not in self._identified:
            raise Violation("identify first", f"{entry} accepted, and no identify of the user before")
        deleted_at = -1
        for other in self._log.of_user[(entry.partition, entry.user)]:
            if other is entry:
                break
            deleted_at = other.offset if other.what == "delete" else deleted_at
        key = (entry.partition, entry.user)
        # After a crash an event before the delete may be introduced when the delete is done already.
        is_before = deleted_at > self._identified_at.get(key, -1)
        if is_before and self._last_identified.get(key, -1.0) < self._forgotten_at[key]:
            raise Violation("identify first", f"{entry} accepted, and no identify since the delete at {deleted_at}")

    def _check_accepted_in_order(self, entry: Entry, request: Request) -> None:
        for other in self._log.of_user[(entry.partition, entry.user)]:
            if other is entry:
                return
            if other.what == "delete":
                is_done = other in self._forgotten
            else:
                is_done = other in self.accepted_times or other in self.dead_letters.asked
            if not is_done and (entry.what != "identify" or other.what in ("identify", "delete")):
                raise Violation("order", f"{request}: {entry} is accepted, and {other} not")

    def answered(self, request: Request, answer: Answer, member: Ledger) -> None:
        """The sender learns what came of it."""
        request.answer = answer
        now, tenure = self._stage.now, request.tenure
        del member.outstanding[(tenure.partition, request.user)]
        tenure.unanswered -= 1
        self._stage.exercised["outcomes after the partition was gone"] += tenure.ended
        has_failed = not (isinstance(answer, Answered) and (200 <= answer.status < 300 or is_refusal(answer.status)))
        (member.failing.add if has_failed else member.failing.discard)(request.user)
        if isinstance(answer, Answered) and answer.status == 429:
            member.throttled_at = now
        match answer:
            case Answered(status=status) if 200 <= status < 300:
                member.succeeded_at = now
                member.succeeded_sent_at = max(member.succeeded_sent_at, request.handed_at)
                self._note_judged(request, member)
                if request.kind != "introduction":
                    offsets = [entry.offset for entry in request.entries]
                    tenure.answered.update(dict.fromkeys(offsets, now))
                    tenure.unrecorded.update(offsets)
                    tenure.unreceipted.update(offsets if self._options.receipts else ())
            case Answered(status=status) if is_refusal(status):
                self._note_judged(request, member)
                self._stage.exercised[f"refused {request.kind} requests"] += 1
            case Answered() | NoAnswer():
                self._note_failed(request, answer, member)

    def _note_judged(self, request: Request, member: Ledger) -> None:
        """It was accepted or refused for good: it works, and if it was sent after a 401, so does the key."""
        member.failed.clear()
        if member.misdirected_at is None or request.handed_at >= member.misdirected_at:
            self._forget_misdirected(member)

    @staticmethod
    def _forget_misdirected(member: Ledger) -> None:
        member.misdirected_at, member.misdirected_in_a_row, member.may_be_stopped = None, 0, False
        member.misdirected.clear()

    def _note_failed(self, request: Request, answer: Answer, member: Ledger) -> None:
        now = self._stage.now
        member.failed[request.user] = request
        for entry in request.entries:
            member.failed_at.setdefault((request.tenure, entry.offset), []).append(now)
        if isinstance(answer, Answered) and is_misdirected(answer.status):
            member.misdirected_at = now if member.misdirected_at is None else member.misdirected_at
            member.misdirected[request.user] = request
            member.misdirected_in_a_row += 1
            is_everybody = len(member.misdirected) >= MISDIRECTED_USERS or member.misdirected_in_a_row > 1
            member.may_be_stopped = member.may_be_stopped or is_everybody
            return
        member.misdirected_in_a_row = 0
        until = now + retry_after_seconds(answer)
        if isinstance(answer, Answered) and answer.status == 429:
            member.paused_until = max(member.paused_until, until)
        else:
            member.not_before[(request.tenure, request.user)] = until

    def given_away(self, tenure: Tenure, *, is_frozen: bool) -> None:
        """The group has not heard from the member for the session's time-out."""
        tenure.given_away = True
        tenure.over(self._stage.now, is_known=False)
        self._stage.exercised["partitions of silent members given away"] += 1
        self._stage.exercised["requests in flight of a stopped process"] += tenure.unanswered
        if tenure.unanswered and not is_frozen:
            raise Violation("zombie", f"{tenure} is given away with {tenure.unanswered} requests in flight")

    # ------------------------------------------------------------------ state

    def remember_asked(self, tenure: Tenure, user: User) -> None:
        """A member wants to write that a user is identified."""
        tenure.remembering.setdefault(user, []).append(self._stage.now)

    def remember_acknowledged(self, tenure: Tenure, user: User) -> None:
        """It is written, or failed in a way that costs no more than an introduction."""
        del tenure.remembering[user][0]

    def forget_asked(self, tenure: Tenure, user: User) -> int:
        """A member wants to write that a user is no longer identified; gives the offset of the delete it is for."""
        undone = self.order.undone(tenure, user, 1)
        if not undone or undone[0].what != "delete":
            raise Violation("order", f"{user.id} of {tenure} is forgotten, and next is {undone}")
        self._stage.exercised["deletes"] += 1
        tenure.forgotten.add(undone[0].offset)
        self._forgotten.add(undone[0])
        self._forgotten_at[(tenure.partition, user)] = self._stage.now
        return undone[0].offset

    def remembered(self, partition: Partition, user: User) -> None:
        """The state says now that a user is identified."""
        if (partition, user) not in self._identified_at:
            raise Violation("state", f"{user.id} of {partition} is recorded, and no identify was ever accepted")

    # ------------------------------------------------------------------ turns and the end

    def turned(self, member: Ledger, counts: Counts) -> None:
        """A member has taken a turn."""
        if counts.consumed != counts.finished + counts.unfinished:
            raise Violation("account", f"{counts}")
        if counts.unfinished != counts.unfinished_in_partitions:
            raise Violation("account", f"{counts}")
        if counts.in_flight != len(member.outstanding):
            raise Violation("account", f"{counts}, in truth {len(member.outstanding)}")
        # What a partition had in hand before it was held to its share counts with its share only.
        buffer_max = self._options.buffer_events_max * (2 if self._options.partitions > 1 else 1)
        if not 0 <= counts.buffered <= buffer_max:
            raise Violation("limits", f"{counts.buffered} in a buffer of {self._options.buffer_events_max}")
        if not 0 <= counts.held <= self._options.buffer_events_max // 2:
            raise Violation("limits", f"{counts.held} held in a buffer of {self._options.buffer_events_max}")
        self._check_gate(member, counts)
        member.buffered, member.buffered_bytes = counts.buffered, counts.buffered_bytes
        member.users_that_fail = trying_again(member.failed)
        # At the maximum sending stops, but for what is in flight and one request a partition, so that it can commit.
        # Where metadata has no room, each of those may add to what lies above the offset: then there is no such limit.
        slack = (self._options.in_flight_max + self._options.partitions) * self._options.batch_events_max
        unrecorded = sum(len(tenure.unrecorded) for tenure in member.tenures if not tenure.ended)
        has_room = self._options.metadata_bytes_max >= METADATA_ROOM_BYTES
        # A partition whose records or commits fail counts with its share only. So much it may have used before, and so
        # much a second one that fails after it.
        options = self._options
        may_be_silent = any(
            (options.state_failures, options.state_stalls, options.commit_failures, options.receipt_failures)
        )
        used_before = options.uncommitted_events_max * min(2, options.partitions) if may_be_silent else 0
        if has_room and unrecorded > options.uncommitted_events_max + used_before + slack:
            raise Violation("limits", f"{member.name} has {unrecorded} answered events that no commit tells of")
        exercised = self._stage.exercised
        exercised[f"turns {counts.destination}"] += 1
        exercised["holds cut short"] += member.holds_cut_short > 0
        exercised["turns with events held"] += counts.held > 0
        exercised["turns stopped by refusals"] += "different users" in counts.reason

    def _check_gate(self, member: Ledger, counts: Counts) -> None:
        """One user who fails closes nothing for the others, and what is closed says so."""
        if member.destination == "stopped" != counts.destination and member.misdirected:
            # Nobody has shown that the key is right: nothing was left to send, and the next request finds out.
            if member.outstanding:
                raise Violation("gate", f"{member.name} is no longer stopped, with {len(member.outstanding)} in flight")
            self._forget_misdirected(member)
            self._stage.exercised["stops that ended with nothing to send"] += 1
        member.destination = counts.destination
        if counts.destination == "stopped":
            if member.succeeded_at is not None and not member.may_be_stopped:
                raise Violation("gate", f"{member.name} is stopped by {sorted(member.misdirected)} alone")
        elif counts.closed_until is not None:
            if counts.destination == "delivering" or not counts.reason:
                raise Violation("gate", f"{member.name} is closed until {counts.closed_until:.3f} and does not say so")
            if len(member.failed) < OUTAGE_USERS and counts.closed_until > member.paused_until + MOMENT:
                raise Violation("gate", f"{member.name} is closed by {sorted(member.failed)} alone")

    def finish(self) -> None:
        """All is committed: nothing may be missing, and nothing sent twice without a reason."""
        for entries in self._log.entries.values():
            for entry in entries:
                self._check_end(entry)

    def _check_end(self, entry: Entry) -> None:
        if entry.what in ("skipped", "delete"):
            return
        accepted_times, is_dead_letter = self.accepted_times.get(entry, 0), entry in self.dead_letters.written
        if accepted_times == 0 and not is_dead_letter:
            raise Violation("lost", f"{entry} is neither accepted nor dead-lettered")
        if self._options.flavour == "calm" and accepted_times + is_dead_letter != 1:
            raise Violation("duplicate", f"{entry} {accepted_times} times on a calm day")
