"""Judge of the order in which a user's records are sent: next are those that are not done, as the member knows."""

from __future__ import annotations

from consumer.sequencing.events import User
from tests.simulation.log import Entry, Log
from tests.simulation.requests import Request, Tenure
from tests.simulation.stage import Stage, Violation


class OrderJudge:
    """Knows what of the log a tenure has done."""

    def __init__(self, stage: Stage, log: Log) -> None:
        self._stage = stage
        self._log = log

    def check_sent(self, request: Request, *, known: bool) -> None:
        """The next records of the user that are not done, as the member that sends them knows."""
        undone = self.undone(request.tenure, request.user, len(request.entries))
        if request.entries == undone:
            return
        if any(request.tenure.done(entry.offset) for entry in request.entries):
            raise Violation("duplicate", f"{request}, and part of it is done")
        if request.kind != "identify":
            raise Violation("order", f"{request} but next are {', '.join(map(str, undone))}")
        if known:
            raise Violation("order", f"{request} overtakes {undone[0]} of a user known as identified")
        for entry in self.undone(request.tenure, request.user, None):
            if entry is request.entries[0]:
                break
            if entry.what not in ("track", "page", "screen"):
                raise Violation("order", f"{request} overtakes {entry}")
        self._stage.exercised["identifies that overtake"] += 1

    def undone(self, tenure: Tenure, user: User, count: int | None) -> list[Entry]:
        """The next `count` of the user's records that are not done, or all of them, as the tenure knows."""
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

    def check_no_identify_waits(self, tenure: Tenure, entry: Entry) -> None:
        """One that was fetched together with the event, before the next delete, must have gone first."""
        for other in self._log.of_user[(entry.partition, entry.user)]:
            if other.offset <= entry.offset:
                continue
            fetched_at = tenure.fetched_at.get(other.offset)
            if tenure.accepted_at.get(other.offset) != tenure.accepted_at[entry.offset]:
                return  # it has waited for its schema, or waits now, and so does all behind it
            if other.what == "delete" or fetched_at is None or fetched_at > tenure.fetched_at[entry.offset]:
                return
            if other.what == "identify" and not tenure.done(other.offset):
                raise Violation("order", f"an introduction for {entry}, and {other} waits")
