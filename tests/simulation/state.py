"""The made-up state: what is on disk, and a member's thread that reads and writes it, like state.py."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from consumer.ports.inputs import LookedUp, StateOpened, StateProblem, StateWritten
from consumer.sequencing.actions import Forget, Remember
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Partition, User
from tests.simulation.kafka import Post
from tests.simulation.log import Log
from tests.simulation.options import Options
from tests.simulation.referee import Referee
from tests.simulation.requests import Tenure
from tests.simulation.stage import Stage


class Stores:
    """What is on disk: who is identified, a set a partition."""

    def __init__(self, log: Log) -> None:
        self.users: dict[Partition, set[User]] = {partition: set() for partition in log.entries}
        self.openers: dict[Partition, tuple[int, SimulatedStates]] = {}
        """Who may write: of the latest tenure. A member that has lost the partition and opens it late may not."""


class SimulatedStates:
    """Like state.py: one thread that does what it is asked in the order asked."""

    def __init__(
        self,
        stage: Stage,
        options: Options,
        stores: Stores,
        *,
        referee: Referee,
        tenures: Mapping[Partition, Tenure],
        post: Post,
    ) -> None:
        self._asked: list[tuple[Remember | Forget, list[Callable[[], None]]]] = []
        """Of this turn, each with what its acknowledgement does to the ledgers."""
        self._stage = stage
        self._options = options
        self._stores = stores
        self._verifier = referee
        self._assignments = tenures
        """The present ones of this member."""
        self._post = post
        self._open: set[Partition] = set()
        self._work: deque[Callable[[], None]] = deque()
        self._works_until = 0.0
        self._pending: dict[tuple[Partition, User], list[bool]] = {}

    @property
    def is_busy(self) -> bool:
        """Something asked for is not acknowledged."""
        return bool(self._work or self._pending)

    def knows(self, partition: Partition, user: User) -> bool:
        """What the store says, or will say when all that was asked is written."""
        pending = self._pending.get((partition, user))
        return pending[-1] if pending else user in self._stores.users[partition]

    def open(self, assignment: Assignment) -> None:
        tenure = self._assignments.get(assignment.partition)
        self._do(partial(self._open_store, assignment, 0 if tenure is None else tenure.number))

    def close(self, partition: Partition) -> None:
        self._do(lambda: self._open.discard(partition))

    def look_up(self, users: Mapping[Partition, Collection[User]]) -> None:
        self._do(lambda: self._look_up(users))

    def write(self, actions: Sequence[Remember | Forget]) -> None:
        taken: list[Callable[[], None]] = []
        for action in actions:
            key = (action.lane.assignment.partition, action.lane.user)
            self._pending.setdefault(key, []).append(isinstance(action, Remember))
            taken.append(partial(self._settle, key))
            self._asked.append((action, taken))
        # A Forget that is not written would leave the user identified in the store: known, and not simulated.
        is_safe = all(isinstance(action, Remember) for action in actions)
        self._do(lambda: self._write(actions, taken, may_fail=is_safe))

    def note_asked(self) -> None:
        """Tell the ledgers what this turn has asked for."""
        asked, self._asked = self._asked, []
        for action, taken in asked:
            assignment, user = action.lane.assignment, action.lane.user
            tenure = self._assignments.get(assignment.partition)
            if assignment.dropped or tenure is None:  # lost, whether the core has heard of it or not yet
                continue
            if isinstance(action, Remember):
                self._verifier.remember_asked(tenure, user)
                taken.append(partial(self._verifier.remember_acknowledged, tenure, user))
            else:
                offset = self._verifier.forget_asked(tenure, user)
                taken.append(partial(tenure.forgotten_acknowledged.add, offset))

    def _do(self, work: Callable[[], None]) -> None:
        stage, stalls = self._stage, self._options.state_stalls
        seconds = stage.between(0.5, 3.0) if stage.chance(stalls) else stage.between(0.0, 0.1)
        self._works_until = max(self._works_until, stage.now) + seconds
        self._work.append(work)
        self._stage.after(self._works_until - self._stage.now, self._work_one)

    def _work_one(self) -> None:
        if self._work:
            self._work.popleft()()

    def crash(self) -> None:
        """The thread dies, perhaps just after it did one thing more."""
        if self._work and self._stage.chance(0.5):
            self._work.popleft()()
        self._work.clear()

    def _open_store(self, assignment: Assignment, tenure: int) -> None:
        partition = assignment.partition
        self._open.add(partition)
        self._stores.openers[partition] = max(
            self._stores.openers.get(partition, (0, self)), (tenure, self), key=lambda opener: opener[0]
        )
        self._post(StateOpened(assignment, len(self._stores.users[partition])))

    def _look_up(self, questions: Mapping[Partition, Collection[User]]) -> None:
        self._stage.exercised["look-ups"] += 1
        answers: dict[Partition, set[User]] = {}
        for partition, users in questions.items():
            own = self._stores.users[partition] if partition in self._open else set()
            answers[partition] = {
                user for user in users if user in own or any(user in self._stores.users[other] for other in self._open)
            }
        self._post(LookedUp(answers))

    def _write(self, actions: Sequence[Remember | Forget], taken: list[Callable[[], None]], *, may_fail: bool) -> None:
        error = None
        if may_fail and self._stage.chance(self._options.state_failures):
            self._stage.exercised["state writes failed"] += 1
            error = "disk full"
        else:
            for action in actions:
                self._apply(action.lane.assignment.partition, action.lane.user, isinstance(action, Remember))

        def settle() -> None:
            for one in taken:
                one()

        if error is not None:
            self._post(StateProblem("not_stored", error))
        self._post(StateWritten([action.lane for action in actions], {}), settle)

    def _apply(self, partition: Partition, user: User, identified: bool) -> None:
        if partition not in self._open or self._stores.openers[partition][1] is not self:
            return
        if identified:
            self._verifier.remembered(partition, user)
            self._stores.users[partition].add(user)
        else:
            self._stores.users[partition].discard(user)

    def _settle(self, key: tuple[Partition, User]) -> None:
        pending = self._pending[key]
        del pending[0]
        if not pending:
            del self._pending[key]
