"""Independent judge of a simulated run: watches what is sent, accepted, written and committed, and knows the promises.

It never looks into lanes, gates or trackers: it has ledgers of its own. A broken promise is raised at once.

    identify first   no track, page or screen is accepted before an identify of its user (after their last delete)
    order            a user's events are sent in the order of the log; only the first identify of an unidentified user
                     overtakes, and never a delete
    in flight        one request a user and partition; as many as allowed a member
    commit           nothing below a committed offset is unfinished; offsets only rise
    lost, phantom    at the end every record is accepted, dead-lettered or skipped, and nothing else was sent
    duplicate        sent again is only what was not answered 2xx, or by a later owner
    dead letter      refused: alone; gave up: alone, long enough, while others succeeded; unidentified: only who is not
    state            says "identified" only of users whose identify was accepted; a known user is not introduced again
    gate             after 401 one request at a time; after Retry-After none for that long
    drain            a partition that is asked for gets no new requests, and is given back when nothing is under way
    account          consumed = finished + unfinished at every turn, and all counts back to 0 in the end
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from consumer.answers import Answer, Answered, NoAnswer
from consumer.commit_metadata import decode
from consumer.events import DeadLetterReason, Partition, User
from tests.simulated_answers import is_misdirected, is_refusal, retry_after_seconds
from tests.simulated_log import Entry, Log
from tests.simulated_options import Options
from tests.simulated_requests import Request, Tenure
from tests.simulated_stage import Stage, Violation

CLUSTER_ID = "simulated"
METADATA_ROOM_BYTES = 1000
"""With less than that a commit's metadata may leave out some of what is finished."""
MOMENT = 1e-3
"""Turns are taken a little after what they are for."""


class Counts(NamedTuple):
    """What a member says of itself after a turn."""

    consumed: int
    finished: int
    unfinished: int
    unfinished_in_partitions: int
    buffered: int
    """Unfinished, those of halted partitions aside."""
    in_flight: int
    held: int
    destination: str
    reason: str


@dataclass(slots=True, eq=False)
class Member:
    """What is known of one member's life, from its start to its death."""

    name: str
    outstanding: dict[tuple[Partition, User], Request] = field(default_factory=dict)
    succeeded_at: float | None = None
    is_stopped: bool = False
    """The last word was 401 or the like."""
    dead_letter_ratio_max: float = 1.0
    paused_until: float = 0.0
    unfinished: int = 0
    """At the most, since the turn before."""
    failed_users: set[User] = field(default_factory=set)
    """Since the last success or refusal."""
    users_that_failed: int = 0
    """How many those were when the turn before had ended."""
    refused_users: set[User] = field(default_factory=set)
    holds_cut_short: int = 0
    last: dict[tuple[Tenure, int], Request] = field(default_factory=dict)
    """The last request of a record."""
    tenures: set[Tenure] = field(default_factory=set)
    """Those of which it has sent something."""
    failed_at: dict[tuple[Tenure, int], list[float]] = field(default_factory=dict)
    """When its requests failed in a way that may pass."""


class Verifier:
    """One run's ledgers."""

    def __init__(self, stage: Stage, options: Options, log: Log) -> None:
        self.accepted_times: dict[Entry, int] = {}
        self.dead_letters: dict[Entry, DeadLetterReason] = {}
        self.committed: dict[Partition, int] = dict(log.starts)
        self._stage = stage
        self._options = options
        self._log = log
        self._identified_at: dict[tuple[Partition, User], int] = {}
        """Highest offset whose identify or introduction was accepted."""
        self._last_identified: dict[tuple[Partition, User], float] = {}
        self._forgotten_at: dict[tuple[Partition, User], float] = {}
        self._identified: set[User] = set()
        self._buried: set[Entry] = set()
        self._forgotten: set[Entry] = set()
        self.claimed: dict[Partition, frozenset[int]] = dict.fromkeys(log.entries, frozenset())
        """What the last commit says is finished above its offset."""
        self._commit_index: dict[Partition, int] = dict.fromkeys(log.entries, 0)

    # ------------------------------------------------------------------ requests

    def handed_over(self, request: Request, member: Member, *, known: bool, is_owner: bool) -> None:
        """A member sends; `known`: its stored state says that the user is identified."""
        self._check_limits(request, member)
        self._check_order(request, known=known and is_owner)
        if request.kind == "introduction":
            self._check_introduction(request, member, known=known and is_owner)
        self._note_exercise(request, member)
        member.outstanding[(request.tenure.partition, request.user)] = request
        member.tenures.add(request.tenure)
        request.tenure.unanswered += 1
        for entry in request.entries:
            member.last[(request.tenure, entry.offset)] = request

    def _check_limits(self, request: Request, member: Member) -> None:
        options, now, entries = self._options, self._stage.now, request.entries
        if (request.tenure.partition, request.user) in member.outstanding:
            raise Violation("in flight", f"{request} while the user's last one is unanswered")
        if len(member.outstanding) >= options.in_flight_max:
            raise Violation("in flight", f"{request} is one more than {options.in_flight_max}")
        if member.is_stopped and member.outstanding:
            raise Violation("gate", f"{request} beside another, though the destination is stopped")
        if now < member.paused_until - MOMENT:
            raise Violation("gate", f"{request} though Retry-After says {member.paused_until:.3f}")
        if request.tenure.closing or request.tenure.ended:
            raise Violation("drain", f"{request} of a partition that is being given back")
        if len(entries) > options.batch_events_max:
            raise Violation("limits", f"{request} has {len(entries)} events")
        size_bytes = sum(_size_bytes(entry) for entry in entries)
        if len(entries) > 1 and size_bytes > options.batch_bytes_max:
            raise Violation("limits", f"{request} has {size_bytes} bytes")

    def _check_order(self, request: Request, *, known: bool) -> None:
        """The next records of the user that are not done, as the member that sends them knows."""
        undone = self._undone(request.tenure, request.user, len(request.entries))
        if request.entries == undone:
            return
        if any(request.tenure.done(entry.offset) for entry in request.entries):
            raise Violation("duplicate", f"{request}, and part of it is done")
        if request.kind != "identify":
            raise Violation("order", f"{request} but next are {', '.join(map(str, undone))}")
        if known:
            raise Violation("order", f"{request} overtakes {undone[0]} of a user known as identified")
        for entry in self._undone(request.tenure, request.user, None):
            if entry is request.entries[0]:
                break
            if entry.what not in ("track", "page", "screen"):
                raise Violation("order", f"{request} overtakes {entry}")
        self._stage.exercised["identifies that overtake"] += 1

    def _undone(self, tenure: Tenure, user: User, count: int | None) -> list[Entry]:
        entries = self._log.of_user[(tenure.partition, user)]
        index = tenure.next_undone.get(user, 0)
        while index < len(entries) and (entries[index].offset < tenure.start or tenure.done(entries[index].offset)):
            index += 1
        tenure.next_undone[user] = index
        undone: list[Entry] = []
        while index < len(entries) and (count is None or len(undone) < count):
            if not tenure.done(entries[index].offset):
                undone.append(entries[index])
            index += 1
        return undone

    def _check_introduction(self, request: Request, member: Member, *, known: bool) -> None:
        if self._options.unidentified != "introduce":
            raise Violation("dead letter", f"{request} though unidentified users are to be dead-lettered")
        if known:
            raise Violation("state", f"{request} though the state knows the user")
        self._check_no_identify_waits(request.tenure, request.entries[0])
        self._check_hold(request.tenure, request.entries[0], member)

    def _check_no_identify_waits(self, tenure: Tenure, entry: Entry) -> None:
        """One that was fetched together with the event, before the next delete, must have gone first."""
        for other in self._log.of_user[(entry.partition, entry.user)]:
            if other.offset <= entry.offset:
                continue
            fetched_at = tenure.fetched_at.get(other.offset)
            if other.what == "delete" or fetched_at is None or fetched_at > tenure.fetched_at[entry.offset]:
                return
            if other.what == "identify" and not tenure.done(other.offset):
                raise Violation("order", f"an introduction for {entry}, and {other} waits")

    def _check_hold(self, tenure: Tenure, entry: Entry, member: Member) -> None:
        held_until = tenure.fetched_at[entry.offset] + self._options.hold_seconds
        if self._stage.now < held_until - MOMENT and not member.holds_cut_short:
            raise Violation("hold", f"{entry} was to be held until {held_until:.3f}")

    def _note_exercise(self, request: Request, member: Member) -> None:
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
                is_done = other in self.accepted_times or other in self._buried
            if not is_done and (entry.what != "identify" or other.what in ("identify", "delete")):
                raise Violation("order", f"{request}: {entry} is accepted, and {other} not")

    def answered(self, request: Request, answer: Answer, member: Member) -> None:
        """The sender learns what came of it."""
        request.answer = answer
        now, tenure = self._stage.now, request.tenure
        del member.outstanding[(tenure.partition, request.user)]
        tenure.unanswered -= 1
        self._stage.exercised["outcomes after the partition was gone"] += tenure.ended
        match answer:
            case Answered(status=status) if 200 <= status < 300:
                member.succeeded_at = now
                member.is_stopped, member.paused_until = False, 0.0
                member.failed_users.clear()
                if request.kind != "introduction":
                    offsets = [entry.offset for entry in request.entries]
                    tenure.answered.update(dict.fromkeys(offsets, now))
                    tenure.unrecorded.update(offsets)
            case Answered(status=status) if is_refusal(status):
                member.is_stopped, member.paused_until = False, 0.0
                member.failed_users.clear()
                self._stage.exercised[f"refused {request.kind} requests"] += 1
            case Answered(status=status) if is_misdirected(status):
                member.is_stopped = True
            case Answered() | NoAnswer():
                member.failed_users.add(request.user)
                member.paused_until = max(member.paused_until, now + retry_after_seconds(answer))
                for entry in request.entries:
                    member.failed_at.setdefault((tenure, entry.offset), []).append(now)

    # ------------------------------------------------------------------ dead letters and state

    def bury_asked(self, tenure: Tenure, entry: Entry, reason: DeadLetterReason, member: Member) -> None:
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
                self._check_hold(tenure, entry, member)
            case _ if entry.what != "rejected":
                raise Violation("dead letter", f"{entry} is {reason.value}?")
        tenure.buried.add(offset)
        self._buried.add(entry)
        # The first 200 records are free, then the ratio of the last 1,000 holds (a partition has fewer here).
        if len(tenure.buried) - tenure.buried_by_policy > max(
            200, member.dead_letter_ratio_max * len(tenure.fetched_at)
        ):
            raise Violation("dead letter", f"{len(tenure.buried)} of {len(tenure.fetched_at)} of {tenure}")

    def check_unknown(self, entry: Entry, *, known: bool) -> None:
        """Dead-lettered as unidentified: the state must not know the user."""
        if known:
            raise Violation("dead letter", f"{entry} as of an unidentified user, and the state knows the user")

    def _check_refused(self, tenure: Tenure, entry: Entry, member: Member) -> None:
        last = member.last.get((tenure, entry.offset))
        is_refused = last is not None and isinstance(last.answer, Answered) and is_refusal(last.answer.status)
        if last is None or last.entries != [entry] or not is_refused:
            raise Violation("dead letter", f"{entry} was not refused alone; last was {last}")
        if member.succeeded_at is None:
            member.refused_users.add(entry.user)
            if len(member.refused_users) > 2:
                raise Violation("gate", f"{entry} is dead-lettered, and nothing was ever accepted of three users")

    def _check_gave_up(self, tenure: Tenure, entry: Entry, member: Member) -> None:
        last = member.last.get((tenure, entry.offset))
        failed_at = member.failed_at.get((tenure, entry.offset), [])
        if last is None or last.entries != [entry] or last.answer is None or failed_at[-1:] != [self._stage.now]:
            raise Violation("dead letter", f"{entry} did not fail alone; last was {last}")
        if failed_at[-1] - failed_at[0] < self._options.give_up_seconds - MOMENT:
            raise Violation("dead letter", f"{entry} is given up after {failed_at[-1] - failed_at[0]:.3f} s")
        if member.succeeded_at is not None and member.succeeded_at >= failed_at[-2]:
            return
        # Nobody has succeeded since; but then somebody else must have been able to, or it would stay so for ever.
        is_full = member.unfinished >= 0.75 * self._options.buffer_events_max
        may_stall = self._options.uncommitted_events_max < 10_000
        if member.users_that_failed >= 3 or not (is_full or may_stall):
            raise Violation("dead letter", f"{entry} is given up in an outage: no success since {failed_at[-2]:.3f}")
        self._stage.exercised["given up with a full buffer or a stall"] += 1

    def dead_letter_written(self, entry: Entry, reason: DeadLetterReason) -> None:
        """A dead letter is in its topic, whether the member learns of it or not."""
        self._stage.exercised["dead-lettered again"] += entry in self.dead_letters
        self.dead_letters[entry] = reason

    def remember_asked(self, tenure: Tenure, user: User) -> None:
        """A member wants to write that a user is identified."""
        tenure.remembering.setdefault(user, []).append(self._stage.now)

    def remember_acknowledged(self, tenure: Tenure, user: User) -> None:
        """It is written, or failed in a way that costs no more than an introduction."""
        del tenure.remembering[user][0]

    def forget_asked(self, tenure: Tenure, user: User) -> int:
        """A member wants to write that a user is no longer identified; gives the offset of the delete it is for."""
        undone = self._undone(tenure, user, 1)
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

    # ------------------------------------------------------------------ commits

    def committing(self, tenure: Tenure, offset: int, metadata: str) -> None:
        """The broker takes a commit: what it says is finished must be, and known to be by the member that commits."""
        partition = tenure.partition
        before = self.committed[partition]
        if offset < before:
            raise Violation("commit", f"{tenure} goes back from {before} to {offset}")
        if offset > tenure.position:
            raise Violation("commit", f"{tenure} commits {offset} and has fetched up to {tenure.position}")
        entries, index = self._log.entries[partition], self._commit_index[partition]
        while index < len(entries) and entries[index].offset < offset:
            self._check_finished(entries[index], tenure, offset)
            index += 1
        self._commit_index[partition] = index
        self.committed[partition] = offset
        claimed = self._claims(partition, offset, metadata)
        for entry in claimed:
            if entry.offset >= tenure.position:
                raise Violation("commit", f"{tenure} says that {entry} is finished, and has not fetched it")
            self._check_finished(entry, tenure, offset)
        self.claimed[partition] = frozenset(entry.offset for entry in claimed)

    def _claims(self, partition: Partition, offset: int, metadata: str) -> list[Entry]:
        finished = decode(metadata, offset, CLUSTER_ID)
        if finished is None:
            return []
        entries = self._log.entries[partition][self._commit_index[partition] :]
        return [entry for entry in entries if entry.offset < finished.end and entry.offset in finished]

    def _check_finished(self, entry: Entry, tenure: Tenure, commit: int) -> None:
        offset = entry.offset
        if entry.what != "skipped" and not tenure.finished(offset):
            raise Violation("commit", f"{tenure} commits {commit}, and {entry} is unfinished")
        asked_at = min(tenure.remembering.get(entry.user, ()), default=None)
        if asked_at is not None and tenure.answered.get(offset, -1.0) >= asked_at:
            raise Violation(
                "commit", f"{tenure} commits {commit}, and that {entry.user.id} is identified is not written"
            )

    def commit_acknowledged(self, tenure: Tenure, offset: int, metadata: str) -> None:
        """The member knows that its commit was taken."""
        recorded = {entry.offset for entry in self._claims(tenure.partition, offset, metadata)}
        tenure.unrecorded = {other for other in tenure.unrecorded if other >= offset and other not in recorded}

    def check_belief(self, name: str, partition: Partition, offset: int) -> None:
        """What a member shows as committed must be."""
        if offset > self.committed[partition]:
            raise Violation(
                "commit", f"{name} takes {offset} of {partition} for committed: {self.committed[partition]}"
            )

    def left_in_order(self, tenure: Tenure) -> None:
        """Revoked or stopped, nothing was under way, the last commit was taken: nothing is to be sent again."""
        if not tenure.is_drained or self._options.metadata_bytes_max < METADATA_ROOM_BYTES:
            return
        self._stage.exercised["partitions given back in order"] += 1
        claimed, committed = self.claimed[tenure.partition], self.committed[tenure.partition]
        for offset in (*tenure.answered, *tenure.buried):
            if offset >= committed and offset not in claimed:
                raise Violation(
                    "duplicate", f"{tenure} is given back and its commit does not say that {offset} is done"
                )

    # ------------------------------------------------------------------ turns and the end

    def turned(self, member: Member, counts: Counts) -> None:
        """A member has taken a turn."""
        if counts.consumed != counts.finished + counts.unfinished:
            raise Violation("account", f"{counts}")
        if counts.unfinished != counts.unfinished_in_partitions:
            raise Violation("account", f"{counts}")
        if counts.in_flight != len(member.outstanding):
            raise Violation("account", f"{counts}, in truth {len(member.outstanding)}")
        if not 0 <= counts.buffered <= self._options.buffer_events_max:
            raise Violation("limits", f"{counts.buffered} in a buffer of {self._options.buffer_events_max}")
        if not 0 <= counts.held <= self._options.buffer_events_max // 2:
            raise Violation("limits", f"{counts.held} held in a buffer of {self._options.buffer_events_max}")
        member.unfinished, member.users_that_failed = counts.unfinished, len(member.failed_users)
        # At the maximum sending stops, but for what is in flight and one request a partition, so that it can commit.
        slack = (self._options.in_flight_max + self._options.partitions) * self._options.batch_events_max
        unrecorded = sum(len(tenure.unrecorded) for tenure in member.tenures if not tenure.ended)
        if unrecorded > self._options.uncommitted_events_max + slack:
            # Those behind a write of state that is under way are not finished, and are left out of the maximum.
            unrecorded -= sum(self._behind_writes(tenure) for tenure in member.tenures if not tenure.ended)
        if unrecorded > self._options.uncommitted_events_max + slack:
            raise Violation("limits", f"{member.name} has {unrecorded} answered events that no commit tells of")
        exercised = self._stage.exercised
        exercised[f"turns {counts.destination}"] += 1
        exercised["holds cut short"] += member.holds_cut_short > 0
        exercised["turns with events held"] += counts.held > 0
        exercised["turns stopped by refusals"] += "different users" in counts.reason

    def _behind_writes(self, tenure: Tenure) -> int:
        users = [user for user, asked in tenure.remembering.items() if asked]
        entries = (entry for user in users for entry in self._log.of_user[(tenure.partition, user)])
        return sum(entry.offset in tenure.unrecorded for entry in entries)

    def is_quiet(self) -> bool:
        """Everything is committed."""
        return self.committed == self._log.ends

    def is_committed(self, but: User) -> bool:
        """Every record is, those of one user aside."""
        for partition, entries in self._log.entries.items():
            if any(entry.user != but for entry in entries[self._commit_index[partition] :]):
                return False
        return True

    def finish(self) -> None:
        """All is committed: nothing may be missing, and nothing sent twice without a reason."""
        for entries in self._log.entries.values():
            for entry in entries:
                self._check_end(entry)

    def _is_there(self, entry: Entry) -> bool:
        match entry.what:
            case "skipped" | "delete":
                return True
            case "rejected":
                return entry in self.dead_letters
            case _:
                return entry in self.accepted_times or entry in self.dead_letters

    def _check_end(self, entry: Entry) -> None:
        if not self._is_there(entry):
            raise Violation("lost", f"{entry} is neither accepted nor dead-lettered")
        is_sent = entry.what not in ("skipped", "delete")
        times = self.accepted_times.get(entry, 0) + (entry in self.dead_letters)
        if is_sent and self._options.flavour == "calm" and times != 1:
            raise Violation("duplicate", f"{entry} {times} times on a calm day")


def _size_bytes(entry: Entry) -> int:
    return len(entry.user.id) + len(entry.value or b"")
