"""The made-up log: Segment events as bytes, some not for us, some unreadable; and what is to become of each."""

from __future__ import annotations

import json
import random
from dataclasses import dataclass
from typing import Literal

from consumer.sequencing.events import Partition, User
from tests.simulation.options import Options

What = Literal["identify", "track", "page", "screen", "delete", "skipped", "rejected"]
Verdict = Literal["welcome", "refused", "stubborn", "throttled", "forbidden", "postponed"]

WELCOME_USER = User("welcome")
"""After the world has healed there is always somebody whose events are accepted: else there is no telling an outage."""


@dataclass(frozen=True, slots=True, eq=False)
class Entry:
    """One record of the log."""

    partition: Partition
    offset: int
    what: What
    user: User
    insert_id: str
    value: bytes | None
    appended_at: float
    verdict: Verdict = "welcome"
    event_bytes: int = 0
    """Without what is around it in a batch."""

    def __str__(self) -> str:
        return f"{self.partition.number}/{self.offset} {self.what} of {self.user.id}"


class Log:
    """All partitions; grows by `append`."""

    def __init__(self, options: Options) -> None:
        self.entries: dict[Partition, list[Entry]] = {}
        self.starts: dict[Partition, int] = {}
        self.ends: dict[Partition, int] = {}
        """Behind the last record, or behind the transaction marker after it."""
        self.by_id: dict[str, Entry] = {}
        self.of_user: dict[tuple[Partition, User], list[Entry]] = {}
        """What goes through a user's lane, in the order of the log."""
        self.refused_introductions: set[User] = set()
        self.gaps = 0
        self._options = options
        self._random = random.Random(f"log of {options.seed}")
        self._batch_random = random.Random(f"batches of {options.seed}")
        self._fill()

    def append(
        self, partition: Partition, what: What, user: User, appended_at: float, verdict: Verdict = "welcome"
    ) -> None:
        """Put a record at the end, perhaps behind a gap."""
        offset = self.ends[partition]
        if self._random.random() < self._options.gaps:
            offset += self._random.randint(1, 3)
            self.gaps += 1
        insert_id = f"m{partition.number}-{offset}"
        value = _value(what, user, insert_id, offset, self._random)
        event_bytes = len(value or b"")
        if value is not None and self._options.batches and what != "rejected":
            value = self._in_a_batch(value)
        if value is not None and value[:1] == b"{" and self._batch_random.random() < self._options.encoded:
            value = b"\0" + self._batch_random.choice((b"\0\0\0\1", b"\0\0\0\2", b"\0\0\0\3")) + value
        entry = Entry(partition, offset, what, user, insert_id, value, appended_at, verdict, event_bytes)
        self.entries[partition].append(entry)
        self.by_id[insert_id] = entry
        self.ends[partition] = offset + 1
        if what not in ("skipped", "rejected"):
            self.of_user.setdefault((partition, user), []).append(entry)

    def _fill(self) -> None:
        options, rng = self._options, self._random
        partitions = [Partition("segment", number) for number in range(options.partitions)]
        for partition in partitions:
            self.entries[partition] = []
            self.starts[partition] = self.ends[partition] = rng.choice((0, 0, 7))
        users = [User(f"u{number}") for number in range(options.users)]
        if options.anonymous == "forward":
            users += [User(user.id, anonymous=True) for user in users[:2]]
        never = {user for user in users if rng.random() < options.never_identified}
        self.refused_introductions = {user for user in users if rng.random() < options.refused_introductions}
        home = {user: rng.choice(partitions) for user in users}
        for number in range(options.events):
            # Squared: a few hot users have most of the events.
            user = users[int(rng.random() ** 2 * len(users))]
            partition = home[user] if options.keyed else rng.choice(partitions)
            what = self._what(user in never)
            at = options.chaos_seconds * 0.8 * number / options.events if options.dripping else 0.0
            self.append(partition, what, user, at, self._verdict(what, user in users[:2]))
        for partition in partitions:
            if rng.random() < 0.3:
                self.ends[partition] += 1
                self.gaps += 1

    def _in_a_batch(self, value: bytes) -> bytes:
        """Among others that are skipped: the record is finished only with all of them."""
        rng = self._batch_random
        if rng.random() > self._options.batches:
            return value
        items = [b'{"type":"group"}'] * rng.randint(0, 2) + [value] + [b'{"type":"alias"}'] * rng.randint(0, 2)
        return b'{"batch":[%s]}' % b",".join(items)

    def _what(self, never_identified: bool) -> What:
        options, dice = self._options, self._random.random()
        shares: tuple[tuple[What, float], ...] = (
            ("rejected", options.rejected),
            ("skipped", options.skipped),
            ("delete", options.deletes),
            ("identify", 0.0 if never_identified else options.identifies),
        )
        for what, share in shares:
            if dice < share:
                return what
            dice -= share
        return self._random.choice(("track", "track", "page", "screen"))

    def _verdict(self, what: What, may_be_stubborn: bool) -> Verdict:
        options, dice = self._options, self._random.random()
        if what == "identify":
            return "refused" if dice < options.refused_identifies else "welcome"
        if what in ("track", "page", "screen"):
            if dice < options.refused_events:
                return "refused"
            # Of two users only: three that fail, and nobody who succeeds, are an outage.
            if may_be_stubborn and dice < options.refused_events + options.stubborn_events:
                return "throttled" if self._random.random() < 0.2 else "stubborn"
            dice -= options.refused_events + options.stubborn_events
            if may_be_stubborn and 0 <= dice < options.forbidden_events + options.postponed_events:
                return "forbidden" if dice < options.forbidden_events else "postponed"
        return "welcome"


def _value(what: What, user: User, insert_id: str, offset: int, rng: random.Random) -> bytes | None:
    message: dict[str, object] = {
        "type": what,
        "messageId": insert_id,
        "anonymousId" if user.anonymous else "userId": user.id,
        "timestamp": "2026-11-23T10:00:00.123Z",
    }
    match what:
        case "identify":
            message["traits"] = {"n": offset}
        case "track":
            message["event"] = f"e{offset}"
            message["properties"] = {"n": offset}
        case "page" | "screen":
            message["properties"] = {"n": offset}
        case "skipped":
            unwanted: tuple[dict[str, object] | None, ...] = (
                None,
                {"type": "group"},
                {"type": "alias"},
                {"type": "video"},
                {"type": "track", "event": "x", "integrations": {"All": False}},
            )
            change = rng.choice(unwanted)
            if change is None:
                return None
            message |= change
        case "rejected":
            return rng.choice((b"{", b"\xff", b'{"type":"track","userId":"u0"}', b'{"type":"identify"}'))
        case "delete":
            pass
    return json.dumps(message, separators=(",", ":")).encode()
