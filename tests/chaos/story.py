"""A made-up run, told step by step, for the verifier to judge."""

from __future__ import annotations

import base64
import zlib
from typing import Any

from tests.chaos.evidence import (
    Accepted,
    Acknowledged,
    Alone,
    Commits,
    Dead,
    Evidence,
    Happened,
    Health,
    Owners,
    Produced,
)
from tests.chaos.findings import Column
from tests.chaos.lives import NUMBERS, Life, on
from tests.chaos.records import What
from tests.chaos.schedule import Fault
from tests.chaos.verifier import Verdict, verify

TICK_SECONDS = 0.2
OPTIONS = {"seed": 1, "minutes": 1.0, "mode": "safety", "protocol": "classic", "brokers": 1, "members": 2}


class Story:
    """A made-up run in one partition: every step takes a moment, and at each moment the owner is sampled."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.owner = "m0.1"
        self.idle: frozenset[str] = frozenset()
        """Members without a partition."""
        self.life = 0
        self._offset = 0
        self.evidence = Evidence([], [], [], [], [], [], [], dict(OPTIONS))
        self.happen("start", member="m0.1")
        self.happen("start", member="m1.1")

    def pass_time(self, seconds: float = TICK_SECONDS) -> None:
        """Let time go by."""
        while seconds > 0:
            members = {0: self.owner} if self.owner else {}
            self.evidence.owners.append(Owners(self.now, self.now, members, frozenset(members.values()) | self.idle))
            self.now += TICK_SECONDS
            seconds -= TICK_SECONDS

    def produce(self, what: What, user: str = "ann") -> Produced:
        """One record more in the topic, acknowledged."""
        offset = on(self._offset, self.life)
        self._offset += 1
        number = self._offset + self.life * NUMBERS
        record = Produced(number, 0, offset, what, user, f"id-{offset}", 7, 70 + offset, self.now)
        self.evidence.produced.append(record)
        self.evidence.acknowledged.append(Acknowledged(record.number, 0, offset, record.checksum))
        return record

    def accept(self, *records: Produced, sender: str = "m0.1", answered: bool = True, **changes: Any) -> None:
        """The emulator accepts one request with these events."""
        self.pass_time()
        request = Accepted(
            sequence=len(self.evidence.accepted) + 1,
            arrived_at=self.now,
            accepted_at=self.now,
            user=records[0].user,
            sender=sender,
            is_identify=records[0].what == "identify",
            insert_ids=tuple(record.insert_id for record in records),
            digests=tuple(record.digest for record in records),
            answered=answered,
        )
        self.evidence.accepted.append(request._replace(**changes))
        self.pass_time()

    def introduce(self, record: Produced, *, sender: str = "m0.1", answered: bool = True) -> None:
        """The emulator accepts an identify that the consumer made for this event."""
        ids = (f"introduction-{record.insert_id}",)
        self.accept(record, sender=sender, answered=answered, is_identify=True, insert_ids=ids, digests=(0,))

    def dead_letter(self, record: Produced, reason: str, **changes: Any) -> None:
        """A dead letter is written."""
        self.pass_time()
        letter = Dead(0, record.offset, reason, self.now, record.checksum, f"[{record.number}, ...]")
        self.evidence.dead.append(letter._replace(**changes))

    def commit(self, offset: int, metadata: str = "") -> None:
        """A sample shows this commit."""
        self.pass_time()
        self.evidence.commits.append(Commits(self.now, self.now, {0: (on(offset, self.life), metadata)}))

    def move(self, owner: str) -> None:
        """The partition goes to another member, at once."""
        self.pass_time()
        self.owner = owner
        self.pass_time()

    def happen(self, what: str, **fields: Any) -> None:
        """A line of the history."""
        self.evidence.history.append(Happened(self.now, what, fields))

    def make_again(self) -> None:
        """The topic is deleted and made again, and the group starts at its beginning."""
        self.happen("deleting", life=self.life + 2)
        began_at = self.now
        self.pass_time(2)
        self.happen("reset", life=self.life + 2, topic_id="abcdefghijk")
        self.evidence.later_lives.append(Life(began_at, self.now, "abcdefghijk"))
        self.life, self._offset = self.life + 1, 0

    def fail(self, *records: Produced, status: int, sender: str = "m0.1") -> None:
        """The emulator lets a request fail because of its user."""
        self.pass_time()
        ids = tuple(record.insert_id for record in records)
        self.evidence.alone.append(Alone(self.now, sender, records[0].user, status, ids))

    def say(self, word: str, *reasons: str, retrying: float | None = None, member: str = "m0.1") -> None:
        """What a member answers when it is asked how it is."""
        self.evidence.health.append(Health(self.now, member, word, reasons, retrying))

    def fault(self, fault: Fault, target: int, seconds: float) -> None:
        """A fault, and its end."""
        self.happen("begin", fault=fault.value, target=target)
        self.pass_time(seconds)
        self.happen("end", fault=fault.value, target=target)

    def verdict(self) -> Verdict:
        """What the verifier says."""
        self.pass_time()
        return verify(self.evidence)

    def wrong(self) -> dict[str, int]:
        """The columns that are not 0."""
        verdict = self.verdict()
        return {column.value: verdict.count(column) for column in Column if verdict.count(column)}


def runs(*lengths: int) -> str:
    """Commit metadata with these runs, unfinished first."""
    assert all(length < 128 for length in lengths)
    return "1" + base64.b64encode(b"0000" + zlib.compress(bytes(lengths))).decode()
