"""What the members send, as the destination sees it: bytes, read without any help from the code under test."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from consumer.customfit.answers import Answer
from consumer.sequencing.events import Partition, User
from tests.simulation.log import Entry, Log
from tests.simulation.stage import Violation

EVENT_TYPES = {"identify": "identify", "track": "track", "page": "pageview", "screen": "screenview"}


@dataclass(slots=True, eq=False)
class Tenure:
    """A partition in the hands of one member, from one assignment to its end; what came of its records meanwhile."""

    number: int
    member: str
    partition: Partition
    start: int
    before: frozenset[int]
    """What the commit that it starts from says is finished above its offset."""
    closing: bool = False
    """The member knows that it is to be given back."""
    ended: bool = False
    """The member knows that it is over."""
    fetched_at: dict[int, float] = field(default_factory=dict)
    accepted_at: dict[int, float] = field(default_factory=dict)
    """When it was decoded: at once, unless it had to wait for a schema."""
    position: int = 0
    """Behind what was fetched."""
    answered: dict[int, float] = field(default_factory=dict)
    """Offsets answered 2xx, and when the member learned of it."""
    unreceipted: set[int] = field(default_factory=set)
    """Those of which a receipt is to be written and is not, as far as the member knows."""
    dead_lettered: set[int] = field(default_factory=set)
    """Asked to be dead-lettered."""
    buried_by_policy: int = 0
    buried_acknowledged: set[int] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)
    """Deletes whose user was asked to be forgotten."""
    forgotten_acknowledged: set[int] = field(default_factory=set)
    remembering: dict[User, list[float]] = field(default_factory=dict)
    """Who is to be recorded as identified and is not yet: since when."""
    given_away: bool = False
    """The group has not heard from the member for too long: another may own the partition by now."""
    leased_at: float | None = None
    """When the member first heard since that a commit of its own was taken; kept where there is a rate."""
    over_at: float = float("inf")
    """When the member knew that it is to give it back, or the group gave it away."""
    known_over_at: float = float("inf")
    """When the member knew."""
    next_undone: dict[User, int] = field(default_factory=dict)
    """Index into the user's entries: all before it is done."""

    unanswered: int = 0
    """Requests."""
    unrecorded: set[int] = field(default_factory=set)
    """Answered, and no acknowledged commit says so."""
    is_drained: bool = False
    """Given back with nothing under way."""

    def done(self, offset: int) -> bool:
        """Whether the member has nothing more to send of it."""
        return (
            offset in self.answered or offset in self.dead_lettered or offset in self.forgotten or offset in self.before
        )

    def finished(self, offset: int) -> bool:
        """Whether all that was to happen with it has happened, and the member knows."""
        return (
            (offset in self.answered and offset not in self.unreceipted)
            or offset in self.buried_acknowledged
            or offset in self.forgotten_acknowledged
            or offset in self.before
        )

    def will_try_again(self, offsets: Iterable[int]) -> bool:
        """Whether a request with these offsets that failed will be sent again."""
        return not (self.closing or self.ended) and not all(map(self.done, offsets))

    def over(self, now: float, *, is_known: bool = True) -> None:
        """Its member starts nothing more of it. `is_known`: the member has heard that."""
        self.over_at = min(self.over_at, now)
        if is_known:
            self.known_over_at = min(self.known_over_at, now)

    def note_drained(self) -> None:
        """The member is about to give it back."""
        self.is_drained = (
            self.unanswered == 0
            and not any(self.remembering.values())
            and not self.unreceipted
            and self.dead_lettered == self.buried_acknowledged
            and self.forgotten == self.forgotten_acknowledged
        )

    def __str__(self) -> str:
        return f"{self.member}'s {self.partition.number} (#{self.number} from {self.start})"


@dataclass(slots=True, eq=False)
class Request:
    """One request on its way."""

    number: int
    tenure: Tenure
    kind: Literal["identify", "introduction", "events"]
    user: User
    entries: list[Entry]
    handed_at: float
    accepted_at: float | None = None
    answer: Answer | None = None

    def __str__(self) -> str:
        offsets = ",".join(str(entry.offset) for entry in self.entries)
        return f"r{self.number} of {self.tenure}: {self.kind} {self.user.id} [{offsets}]"


def read_request(number: int, body: bytes, tenure: Tenure, log: Log, now: float) -> Request:
    """Take a request apart; a phantom is anything that is not word for word from the log."""
    message: dict[str, Any] = msgspec.json.decode(body)
    user = User(message["user"]["user_customer_id"], anonymous=message["user"]["anonymous"])
    events: list[dict[str, Any]] = message["events"]
    first_id: str = events[0]["insert_id"]
    if first_id.startswith("introduction-"):
        entry = _entry(log, first_id.removeprefix("introduction-"), user)
        if len(events) != 1 or events[0]["event_type"] != "identify" or "properties" in message["user"]:
            raise Violation("phantom", f"not an introduction: {message}")
        return Request(number, tenure, "introduction", user, [entry], now)
    entries = [_entry(log, event["insert_id"], user) for event in events]
    for entry, event in zip(entries, events, strict=True):
        if EVENT_TYPES.get(entry.what) != event["event_type"]:
            raise Violation("phantom", f"{entry} sent as {event}")
        payload = message["user"].get("properties") if entry.what == "identify" else event["properties"]
        if payload != {"n": entry.offset}:
            raise Violation("phantom", f"{entry} sent with {payload}")
    is_identify = entries[0].what == "identify"
    if any(entry.what == "identify" for entry in entries) and len(entries) > 1:
        raise Violation("limits", f"an identify is not alone: {message}")
    return Request(number, tenure, "identify" if is_identify else "events", user, entries, now)


def _entry(log: Log, insert_id: str, user: User) -> Entry:
    entry = log.by_id.get(insert_id)
    if entry is None or entry.user != user:
        raise Violation("phantom", f"{insert_id} of {user} was never in the log")
    return entry
