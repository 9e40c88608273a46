"""Asks the broker who is in the group while somebody looks: once in ten seconds, however many look.

A thread asks. It ends when nobody has looked for that long, and its client with it. Whoever looks gets what is known,
and waits for nothing.
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
from consumer.kafka.old_member_request import members_by_old_request
from consumer.sequencing.events import Partition
from consumer.settings.kafka_properties import is_broker_side

if TYPE_CHECKING:
    from confluent_kafka.admin import AdminClient

    from consumer.settings import Settings

EVERY_SECONDS: Final = 10.0
ASK_SECONDS: Final = 5.0
MEMBERS_MAX: Final = 200
"""How many members a page can show."""
PARTITIONS_MAX: Final = 1000
"""How many partitions of each member are read."""
PARTITIONS_OF_ALL_MAX: Final = 10_000
"""How many partitions of all members are shown: each takes 40 bytes of every /status."""
NAME_CHARACTERS_MAX: Final = 100
PROBLEM_CHARACTERS_KEPT: Final = 4000
"""More than is shown: to mask a secret, its end has to be seen."""
NOT_TOLD: Final = (
    "of a group with group.protocol=consumer they are not asked for here; kafka-consumer-groups.sh --describe "
    "--members lists them"
)


class Member(NamedTuple):
    """A member, as the broker describes it."""

    client_id: str
    host: str
    """The address from which it connects."""
    partitions: tuple[Partition, ...]
    is_me: bool


class Group(NamedTuple):
    """What is known of the group."""

    asked_at: float | None
    """When the last question was asked, in seconds since the epoch; None: not asked yet."""
    problem: str | None
    """Why there was no answer, and the members are those of the last answer; or what is not shown."""
    members: tuple[Member, ...]


class Members:
    """The members of the group that the settings name."""

    def __init__(self, settings: Settings, my_id: Callable[[], str]) -> None:
        """`my_id` gives what the group calls this member; empty if it is not a member yet."""
        self._settings = settings
        self._my_id = my_id
        self._group = Group(None, None, ())
        self._lock = threading.Lock()
        self._looked_at = 0.0
        self._is_asking = False

    def known(self) -> Group:
        """The last answer."""
        return self._group

    def look(self) -> Group:
        """The last answer; and have the broker asked again soon."""
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
                admin = None  # the client may know only brokers that are gone
            except BaseException:
                with self._lock:
                    self._is_asking = False
                raise
            time.sleep(max(asked_at + EVERY_SECONDS - time.monotonic(), 0.0))
            with self._lock:
                if self._looked_at < asked_at + EVERY_SECONDS / 2:  # whoever still looks has done so again since
                    self._is_asking = False
                    return

    def _ask(self, admin: AdminClient) -> Group:
        told = members_by_old_request(admin, self._settings.kafka_group_id, ASK_SECONDS)
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
    """The partitions in what the group's leader assigned to a member; none if it is not in the protocol's form.

    That form is (ConsumerProtocolAssignment): version (2 bytes), number of topics (4), and for each topic the length of
    its name (2), the name, the number of its partitions (4) and each partition (4). Another member has written it, so
    lengths are checked: a negative one would go back and read for ever.
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
