"""Who is in the group, asked of the broker while somebody looks: once in ten seconds, for all who look together.

The question has a thread of its own, which ends when nobody has looked for that long, and its client with it. Whoever
looks gets what is known and waits for nothing.
"""

from __future__ import annotations

import struct
import threading
import time
from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from confluent_kafka import KafkaException

from consumer.foreign_text import printable
from consumer.kafka.client import KafkaMisconfigured, admin_client, error_text
from consumer.kafka.told_members import told_members
from consumer.sequencing.events import Partition
from consumer.settings.kafka_properties import is_broker_side

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from consumer.settings import Settings

EVERY_SECONDS: Final = 10.0
ASK_SECONDS: Final = 5.0
MEMBERS_MAX: Final = 200
"""What a page can show."""
PARTITIONS_MAX: Final = 1000
"""Of each of them."""
PARTITIONS_OF_ALL_MAX: Final = 10_000
"""Of all together: each of them is 40 bytes of every /status."""
NAME_CHARACTERS_MAX: Final = 100
PROBLEM_CHARACTERS_KEPT: Final = 4000
"""More than is shown: who blots out secrets wants to see where one ends."""
NOT_TOLD: Final = (
    "of a group with group.protocol=consumer they are not asked for here; kafka-consumer-groups.sh --describe "
    "--members lists them"
)


class Member(NamedTuple):
    """As the broker describes it."""

    client_id: str
    host: str
    """The address from which it connects."""
    partitions: tuple[Partition, ...]
    is_me: bool


class Group(NamedTuple):
    """What is known of it."""

    asked_at: float | None
    """Wall seconds of the last question; None: not asked yet."""
    problem: str | None
    """Why it was not answered; the members are then those of the last answer."""
    members: tuple[Member, ...]


class Members:
    """Of the group that the settings name."""

    def __init__(self, settings: Settings, my_id: Callable[[], str]) -> None:
        """`my_id`: what the group calls this member; empty as long as it is none."""
        self._settings = settings
        self._my_id = my_id
        self._group = Group(None, None, ())
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self._is_asking = False

    def known(self) -> Group:
        """What was answered last."""
        return self._group

    def look(self) -> Group:
        """The same, and ask again soon."""
        if is_broker_side(self._settings.kafka_properties):
            return self._group._replace(problem=NOT_TOLD)
        with self._lock:
            self._looked_at = time.monotonic()
            if not self._is_asking:
                self._is_asking = True
                threading.Thread(target=self._ask_while_looked, name="members", daemon=True).start()
        return self._group

    # ------------------------------------------------------------------ the thread

    def _ask_while_looked(self) -> None:
        admin: AdminClient | None = None
        while True:
            asked_at = time.monotonic()
            try:
                admin = admin or admin_client(self._settings)
                self._group = self._ask(admin)
            except (KafkaException, KafkaMisconfigured) as error:
                problem = printable(error_text(error), PROBLEM_CHARACTERS_KEPT)
                self._group = self._group._replace(asked_at=time.time(), problem=problem)
                admin = None  # it may know brokers that are gone
            except BaseException:
                with self._lock:
                    self._is_asking = False
                raise
            time.sleep(max(asked_at + EVERY_SECONDS - time.monotonic(), 0.0))
            with self._lock:
                if self._looked_at < asked_at + EVERY_SECONDS / 2:  # who looks on has done so again since
                    self._is_asking = False
                    return

    def _ask(self, admin: AdminClient) -> Group:
        told = told_members(admin, self._settings.kafka_group_id, ASK_SECONDS)
        if told is None:
            return Group(time.time(), "no broker knows of this group", ())
        members = sorted(told, key=lambda one: (one.client_id, one.client_host, one.id))
        left_out = len(members) - MEMBERS_MAX
        problem = f"{left_out} more members are not shown" if left_out > 0 else None
        shown = []
        room = PARTITIONS_OF_ALL_MAX
        for one in members[:MEMBERS_MAX]:
            member = self._member(one)
            shown.append(member._replace(partitions=member.partitions[:room]))
            room -= len(shown[-1].partitions)
        return Group(time.time(), problem, tuple(shown))

    def _member(self, one: Any) -> Member:
        return Member(
            printable(one.client_id, NAME_CHARACTERS_MAX),
            printable(one.client_host.removeprefix("/"), NAME_CHARACTERS_MAX),
            tuple(sorted(partitions_of(one.assignment))),
            bool(one.id) and one.id == self._my_id(),
        )


def partitions_of(assignment: bytes) -> list[Partition]:
    """What the leader of the group gave to a member, in the protocol's form; none where it is not in that form.

    Version (2 bytes), topics (4): for each its name (behind 2 bytes of length) and its partitions (4, then 4 each).
    Another member has written it, so each length is looked at: a negative one would go back and read for ever.
    """
    try:
        return list(islice(_partitions(assignment), PARTITIONS_MAX))
    except (struct.error, UnicodeDecodeError, ValueError):
        return []


def _partitions(assignment: bytes) -> Iterator[Partition]:
    if not assignment:  # a rebalance is under way
        return
    _, topics = struct.unpack_from(">hi", assignment, 0)
    at = 6
    for _ in range(topics):
        (size,) = struct.unpack_from(">h", assignment, at)
        if size < 0:
            raise ValueError(size)
        topic = assignment[at + 2 : at + 2 + size].decode()
        at += 2 + size
        (count,) = struct.unpack_from(">i", assignment, at)
        if not 0 <= count <= len(assignment) // 4:
            raise ValueError(count)
        for number in struct.unpack_from(f">{count}i", assignment, at + 4):
            yield Partition(topic, number)
        at += 4 + 4 * count
