"""Says who is identified, in all open partitions: by the store, and by what is newer than the store.

A question costs one search in the store, and a look at those partitions that know something new of just this user. So
the cost does not grow with the number of partitions.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping
from typing import Final

from consumer.sequencing.events import Partition, User
from consumer.state.partition import Newer, PartitionState
from consumer.state.store import Store

NOWHERE: Final[Collection[int]] = ()


class Index:
    """The open partitions' states by number, and who is identified in them."""

    def __init__(self, topic: str, destination: str, failed: Callable[[sqlite3.Error], None]) -> None:
        """`topic`: the source topic, whose partitions these are. `failed` gets the error if the store can't answer."""
        self.states: dict[int, PartitionState] = {}
        self.newer = Newer()
        self.store: Store
        self._topic = topic
        self._destination = destination
        self._failed = failed

    def of(self, partition: Partition) -> PartitionState | None:
        """The state of a partition. None: it is not open, or belongs to the replay topic, of which no state is kept."""
        return self.states.get(partition.number) if partition.topic == self._topic else None

    def look_up(self, questions: Mapping[Partition, Collection[User]]) -> dict[Partition, set[User]]:
        """Which of these users are identified, in their own partition or in another one."""
        stored = self._stored({user for users in questions.values() for user in users}) or {}
        newer = self.newer
        answers: dict[Partition, set[User]] = {}
        for partition, users in questions.items():
            own = self.of(partition)
            answers[partition] = {
                user
                for user in users
                if (user in stored or user in newer)  # most users are in neither
                and (
                    (own is not None and _knows(own, user, stored.get(user, NOWHERE)))
                    or self._anywhere(user, stored.get(user, NOWHERE))
                )
            }
        return answers

    def known_by(self, state: PartitionState, users: Collection[User]) -> set[User]:
        """Which of these users a partition itself knows to be identified."""
        stored = self._stored(users) or {}
        newer = self.newer
        return {
            user
            for user in users
            if (user in stored or user in newer) and _knows(state, user, stored.get(user, NOWHERE))
        }

    def who_may_know(self, user: User) -> list[PartitionState]:
        """The partitions that may know a user; a deletion of the user has to be written to each of them.

        A partition that is still being read can't say, so it is one of them. If the store can't say either, all are.
        """
        stored = self._stored([user])
        if stored is None:
            return list(self.states.values())
        partitions = stored.get(user, NOWHERE)
        beside = self.newer.of(user)
        return [
            state
            for state in self.states.values()
            if state.restoring
            or ((state.number in partitions or state.number in beside) and _knows(state, user, partitions))
        ]

    def identified_at(self, user: User) -> dict[str, dict[int, int]]:
        """Destination → partition → since when a user is identified, in milliseconds since the epoch.

        Partitions that are still being read are left out, because they can't say.
        """
        try:
            stored = self.store.identified_at(user)
        except sqlite3.Error as error:
            self._failed(error)
            stored = {}
        can_say = {number: state for number, state in self.states.items() if not state.restoring}
        found = {name: {n: at_ms for n, at_ms in at.items() if n in can_say} for name, at in stored.items()}
        here = found.setdefault(self._destination, {})
        for number, state in self.states.items():
            newer, at_ms = state.newer(user), state.newer_ms(user)
            if newer and at_ms is not None:
                here[number] = at_ms
            elif newer is False:
                here.pop(number, None)
        return {name: at for name, at in found.items() if at}

    def _stored(self, users: Collection[User]) -> dict[User, list[int]] | None:
        """User → the partitions in which the store has them; None if the store can't say."""
        try:
            return self.store.identified(users)
        except sqlite3.Error as error:
            self._failed(error)
            return None

    def _anywhere(self, user: User, stored: Collection[int]) -> bool:
        return self._any(user, stored, stored) or self._any(user, self.newer.of(user), stored)

    def _any(self, user: User, partitions: Collection[int], stored: Collection[int]) -> bool:
        return any(
            (state := self.states.get(number)) is not None and _knows(state, user, stored) for number in partitions
        )


def _knows(state: PartitionState, user: User, stored: Collection[int]) -> bool:
    newer = state.newer(user)
    if newer is not None:
        return newer
    return not state.restoring and state.number in stored
