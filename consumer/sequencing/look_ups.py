"""Which users are looked up in the stored state, because what is sent next depends on it (rule.py). Pure.

Only the lanes of those users wait, and gather what comes meanwhile. All others go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from consumer.sequencing.events import Partition, User
from consumer.sequencing.lanes import Lane, LaneStatus


class LookUps:
    """Questions to the state, and the answers, which come in the order of the questions."""

    def __init__(self) -> None:
        self._next: list[Lane] = []
        """The lanes that the next question is for."""
        self._asked: deque[tuple[list[Lane], set[User]]] = deque()
        """The lanes of each question that is not answered, and who was forgotten since it was asked."""

    def add(self, lane: Lane) -> None:
        """Ask about the lane's user."""
        lane.status = LaneStatus.ASKED
        self._next.append(lane)

    def question(self) -> dict[Partition, list[User]]:
        """Whom to ask for now."""
        users: dict[Partition, list[User]] = {}
        if self._next:
            for lane in self._next:
                users.setdefault(lane.assignment.partition, []).append(lane.user)
            self._asked.append((self._next, set()))
            self._next = []
        return users

    def forgotten(self, user: User) -> None:
        """A delete of the user has come through, in whichever partition.

        An answer to an earlier question does not count.
        """
        for _, forgotten in self._asked:
            forgotten.add(user)

    def answer(self, identified: Mapping[Partition, set[User]]) -> list[Lane]:
        """The oldest question is answered. Gives the lanes that waited for it, in partitions that are still ours."""
        lanes, forgotten = self._asked.popleft()
        nobody: set[User] = set()
        for lane in lanes:
            assignment, user = lane.assignment, lane.user
            lane.identified = user in identified.get(assignment.partition, nobody) and user not in forgotten
            if lane.identified:
                assignment.known.add(user)
        return [lane for lane in lanes if not lane.assignment.dropped]
