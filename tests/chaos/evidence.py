"""What a run leaves behind, read back: the verifier knows nothing else.

journal.jsonl (producer.py), ledger.jsonl (the emulator's), senders.jsonl, alone.jsonl (emulator.py), commits.jsonl,
owners.jsonl, health.jsonl (sampler.py), history.jsonl (run.py), what lies in both topics at the end: topic.jsonl,
dead-letters.jsonl, and what lay in a topic that was deleted and made again: topic-1.jsonl.
"""

from __future__ import annotations

import calendar
import json
import time
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple, cast

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from tests.chaos.lives import Life, insert_id, later_lives, life_at, life_of_number, on, spelled_alike
from tests.chaos.records import HEADER, TOPIC, What

READ_SECONDS_MAX: Final = 60.0
INTRODUCTION: Final = "introduction-"
REQUEST_TIMEOUT_SECONDS: Final = 3.0
"""The members' setting."""
LATE_SECONDS: Final = 0.5
"""So much later than a member sent it the emulator may have read a request, with three runs on two processors."""


class Produced(NamedTuple):
    """A record of the topic."""

    number: int
    partition: int
    offset: int
    what: What
    user: str
    insert_id: str
    digest: int
    checksum: int
    """Of the value."""
    produced_at: float = 0.0
    """Its timestamp."""


class Acknowledged(NamedTuple):
    """A line of the producer's journal."""

    number: int
    partition: int
    offset: int | None
    """None: a second try was told that the first had arrived, and not where."""
    checksum: int


class Accepted(NamedTuple):
    """A request that the emulator accepted."""

    sequence: int
    arrived_at: float
    accepted_at: float
    user: str
    sender: str
    """The name of the member's process; "" where the emulator did not get to write it."""
    is_identify: bool
    insert_ids: tuple[str, ...]
    digests: tuple[int, ...]
    answered: bool

    @property
    def surely_answered(self) -> bool:
        """Not so when it was answered just as the member gave it up: the emulator may not have seen that."""
        return self.answered and self.accepted_at - self.arrived_at < REQUEST_TIMEOUT_SECONDS - LATE_SECONDS

    @property
    def is_introduction(self) -> bool:
        """Made by the consumer itself."""
        return self.is_identify and self.insert_ids[0].startswith(INTRODUCTION)


class Dead(NamedTuple):
    """A dead letter."""

    partition: int
    """Of the record that it was, as its headers say."""
    offset: int
    reason: str
    failed_at: float
    checksum: int
    header: str
    """The header that the producer gave the record."""


class Commits(NamedTuple):
    """What the group had committed at a moment between two others."""

    asked_at: float
    answered_at: float
    points: dict[int, tuple[int, str]]
    """Partition → offset and metadata."""


class Owners(NamedTuple):
    """Who had which partition at a moment between two others."""

    asked_at: float
    answered_at: float
    members: dict[int, str]
    present: frozenset[str] = frozenset()
    """All members of the group, with partitions or without."""


class Alone(NamedTuple):
    """A request that failed because of its user, while others were served."""

    at: float
    sender: str
    user: str
    status: int
    insert_ids: tuple[str, ...]


class Health(NamedTuple):
    """What a member said of itself."""

    at: float
    member: str
    word: str
    reasons: tuple[str, ...]
    retrying: float | None
    """customfit_users_retrying, where there is such a metric."""


class Happened(NamedTuple):
    """A line of the history."""

    at: float
    what: str
    fields: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of a run."""

    produced: list[Produced]
    """In the order of offsets within a partition."""
    acknowledged: list[Acknowledged]
    accepted: list[Accepted]
    dead: list[Dead]
    commits: list[Commits]
    owners: list[Owners]
    history: list[Happened]
    options: dict[str, Any] = field(default_factory=dict)
    alone: list[Alone] = field(default_factory=list)
    health: list[Health] = field(default_factory=list)
    later_lives: list[Life] = field(default_factory=list)
    """Of the source topic; see lives.py."""


def load(folder: Path) -> Evidence:
    """Read a run's folder."""
    senders = {line[0]: line[1:] for line in _lines(folder / "senders.jsonl")}
    history = [Happened(line.pop("at"), line.pop("what"), line) for line in _lines(folder / "history.jsonl")]
    later = later_lives(history)
    topics = [*(folder / f"topic-{number}.jsonl" for number in range(1, len(later) + 1)), folder / "topic.jsonl"]
    accepted = [_accepted(line, senders.get(line["sequence"])) for line in _lines(folder / "ledger.jsonl")]
    return Evidence(
        produced=_all_produced(topics, later, {known_as for request in accepted for known_as in request.insert_ids}),
        acknowledged=[_acknowledged(*line) for line in _lines(folder / "journal.jsonl")],
        accepted=accepted,
        dead=[_dead(Dead(*line)) for line in _lines(folder / "dead-letters.jsonl")],
        commits=[
            Commits(asked, answered, {int(p): (on(offset, life), text) for p, (offset, text) in points.items()})
            for asked, answered, points in _lines(folder / "commits.jsonl")
            if (life := life_at(later, asked, answered)) is not None
        ],
        owners=[
            Owners(asked, answered, {int(partition): name for partition, name in members.items()}, frozenset(present))
            for asked, answered, members, present in _lines(folder / "owners.jsonl")
        ],
        history=history,
        options=json.loads((folder / "options.json").read_text()),
        alone=[Alone(*line)._replace(insert_ids=tuple(line[4])) for line in _lines(folder / "alone.jsonl")],
        health=list(_health(history, _lines(folder / "health.jsonl"))),
        later_lives=later,
    )


def _all_produced(topics: list[Path], later: list[Life], accepted: set[str]) -> list[Produced]:
    """The records of all lives.

    A partition of which nothing was sent in earlier lives may have its insert ids without the topic's id: none can be
    mistaken. It may have held something: added just before the topic was deleted, it had no owner yet.
    """
    produced: list[Produced] = []
    seen: set[int] = set()
    for life, topic in enumerate(topics):
        lines = list(_lines(topic))
        for line in lines:
            partition, offset = line[1], line[2]
            plain = insert_id(TOPIC, partition, offset, 0, later)
            is_first = partition not in seen and plain in accepted
            produced.append(
                _produced(line, life, plain if is_first else insert_id(TOPIC, partition, offset, life, later))
            )
        seen |= {partition for _, partition, _, _, _, message_id, *_ in lines if message_id in accepted}
    return produced


def _produced(line: list[Any], life: int, without_id: str) -> Produced:
    number, partition, offset, what, user, message_id, digest, checksum, produced_at = line
    known_as = message_id or without_id
    return Produced(
        number, partition, on(offset, life), what, user, spelled_alike(known_as), digest, checksum, produced_at
    )


def _acknowledged(number: int, partition: int, offset: int | None, checksum: int) -> Acknowledged:
    there = None if offset is None else on(offset, life_of_number(number))
    return Acknowledged(number, partition, there, checksum)


def _health(history: list[Happened], lines: Iterable[list[Any]]) -> Iterator[Health]:
    """By the names of the processes that a slot had then."""
    starts: dict[str, list[tuple[float, str]]] = {}
    for at, what, fields in history:
        if what == "start":
            starts.setdefault(fields["member"].partition(".")[0], []).append((at, fields["member"]))
    for at, slot, word, reasons, retrying in lines:
        names = [name for started_at, name in starts.get(slot, ()) if started_at <= at]
        if names:
            yield Health(at, names[-1], word, tuple(reasons), retrying)


def _dead(letter: Dead) -> Dead:
    number = json.loads(letter.header)[0] if letter.header else 0
    return letter._replace(offset=on(letter.offset, life_of_number(number)))


def _accepted(line: dict[str, Any], sent: list[Any] | None) -> Accepted:
    sender, arrived_at, digests = sent or ("", line["accepted_at"], None)
    return Accepted(
        line["sequence"],
        arrived_at,
        line["accepted_at"],
        line["user_id"],
        sender,
        line["identify"] is not None,
        tuple(map(spelled_alike, line["insert_ids"])),
        tuple(digests) if digests is not None else (),
        line["answered"],
    )


def _lines(path: Path) -> Iterator[Any]:
    """The whole lines of a file; the last may be torn by a death."""
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)


# ---------------------------------------------------------------------- what lies in the topics


def write_topic(bootstrap_servers: str, topic: str, path: Path) -> None:
    """Read the source topic from its beginning to its end into a file."""
    with path.open("w", encoding="utf-8") as file:
        for message in _messages(bootstrap_servers, topic):
            number, what, user, message_id, digest = json.loads(_headers(message)[HEADER])
            partition, offset = message.partition(), message.offset()
            checksum = zlib.crc32(message.value() or b"")
            produced_at = message.timestamp()[1] / 1000
            line = [number, partition, offset, what, user, message_id, digest, checksum, produced_at]
            file.write(f"{json.dumps(line)}\n")


def write_dead_letters(bootstrap_servers: str, topic: str, path: Path) -> None:
    """Read the dead-letter topic from its beginning to its end into a file."""
    with path.open("w", encoding="utf-8") as file:
        for message in _messages(bootstrap_servers, topic):
            headers = {name: value.decode() for name, value in _headers(message).items()}
            line = [
                int(headers["__connect.errors.partition"]),
                int(headers["__connect.errors.offset"]),
                headers["customfit.reason"],
                _seconds(headers["customfit.failed_at"]),
                zlib.crc32(message.value() or b""),
                headers.get(HEADER, ""),
            ]
            file.write(f"{json.dumps(line)}\n")


def _headers(message: Message) -> dict[str, bytes]:
    pairs = cast("list[tuple[str, bytes | None]]", message.headers() or [])
    return {name: value or b"" for name, value in pairs}


def _seconds(text: str) -> float:
    """`2026-11-24T05:39:00.123Z` → Unix time."""
    whole, _, milliseconds = text.rstrip("Z").partition(".")
    return calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) + int(milliseconds) / 1000


def _messages(bootstrap_servers: str, topic: str) -> Iterator[Message]:
    """Every record of a topic that exists; nothing where it does not."""
    reader = Consumer({"bootstrap.servers": bootstrap_servers, "group.id": "verifier", "enable.auto.commit": False})
    try:
        partitions = reader.list_topics(topic, timeout=10).topics[topic].partitions
        ends = {number: reader.get_watermark_offsets(TopicPartition(topic, number), 10)[1] for number in partitions}
        left = {number for number, end in ends.items() if end > 0}
        reader.assign([TopicPartition(topic, number, 0) for number in left])
        deadline = time.monotonic() + READ_SECONDS_MAX
        while left:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{topic} could not be read in {READ_SECONDS_MAX:.0f} s")
            for message in reader.consume(500, 0.5):
                if (error := message.error()) is not None:
                    raise KafkaException(error)
                yield message
                partition, offset = message.partition(), message.offset()
                if partition is not None and offset is not None and offset + 1 >= ends[partition]:
                    left.discard(partition)
    finally:
        reader.close()
