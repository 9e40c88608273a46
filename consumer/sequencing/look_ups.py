"""Who is asked for in the stored state, before anything of theirs is sent. Pure.

Only the lanes of those users wait. They gather what comes meanwhile; all others go on.
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
        """Of the next question."""
        self._asked: deque[tuple[list[Lane], set[User]]] = deque()
        """Of each question that is not answered; and who was forgotten since."""

    def add(self, lane: Lane) -> None:
        """Nothing is known of the lane's user."""
        lane.status = LaneStatus.ASKED
        self._next.append(lane)

    def question(self) -> dict[Partition, dict[User, bool]]:
        """Who is to be asked for now. An identify is sent whatever is known: True: it is worth asking everywhere."""
        users: dict[Partition, dict[User, bool]] = {}
        if self._next:
            for lane in self._next:
                has_identify = bool(lane.waiting) and lane.waiting[0].kind is Kind.IDENTIFY
                users.setdefault(lane.assignment.partition, {})[lane.user] = not has_identify
            self._asked.append((self._next, set()))
            self._next = []
        return users

    def forgotten(self, user: User) -> None:
        """A delete of the user has come through, in whichever partition: what was said before does not count."""
        for _, forgotten in self._asked:
            forgotten.add(user)

    def answer(self, identified: Mapping[Partition, set[User]]) -> list[Lane]:
        """The oldest question is answered; gives the lanes that waited for it, of partitions that are still ours."""
        lanes, forgotten = self._asked.popleft()
        nobody: set[User] = set()
        for lane in lanes:
            assignment, user = lane.assignment, lane.user
            if user in identified.get(assignment.partition, nobody) and user not in forgotten:
                lane.identified = True
                assignment.known.add(user)
        return [lane for lane in lanes if not lane.assignment.dropped]
