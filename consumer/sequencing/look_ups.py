"""Which users are looked up in the stored state before anything of theirs is sent. Pure.

Only the lanes of those users wait, and gather what comes meanwhile. All others go on.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

from consumer.sequencing.events import Kind, Partition, User
from consumer.sequencing.lanes import Lane, LaneStatus


class LookUps:
    """Questions to the state, and the answers, which come in the order of the questions."""

    def __init__(self) -> None:
        self._next: list[Lane] = []
        """The lanes that the next question is for."""
        self._asked: deque[tuple[list[Lane], set[User]]] = deque()
        """The lanes of each question that is not answered, and who was forgotten since it was asked."""

    def add(self, lane: Lane) -> None:
        """Nothing is known of the lane's user, so ask."""
        lane.status = LaneStatus.ASKED
        self._next.append(lane)

    def question(self) -> dict[Partition, dict[User, bool]]:
        """Whom to ask for now. True: ask everywhere.

        That is of no use for a user who has an identify to send anyway.
        """
        users: dict[Partition, dict[User, bool]] = {}
        if self._next:
            for lane in self._next:
                has_identify = bool(lane.waiting) and lane.waiting[0].kind is Kind.IDENTIFY
                users.setdefault(lane.assignment.partition, {})[lane.user] = not has_identify
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
            if user in identified.get(assignment.partition, nobody) and user not in forgotten:
                lane.identified = True
                assignment.known.add(user)
        return [lane for lane in lanes if not lane.assignment.dropped]
