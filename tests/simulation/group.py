"""The made-up consumer group: members start, stop and crash, and partitions move between them."""

from __future__ import annotations

from functools import partial
from typing import Literal

from consumer.sequencing.events import Partition
from tests.simulation.broker import Broker
from tests.simulation.member import SimulatedMember, World
from tests.simulation.orders import Orders
from tests.simulation.requests import Tenure
from tests.simulation.state import Stores

Move = Literal["revoke", "lose", "crash", "stop"]
MOVES: tuple[Move, ...] = ("revoke", "revoke", "lose", "lose", "crash", "crash", "stop")
AGAIN_SECONDS = 0.1
ZOMBIE_ATTEMPTS = 20
"""To find a member with a request in flight."""


class Group:
    """Decides who owns what; at some time it comes to rest."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._stage = world.stage
        self._broker: Broker = world.broker
        self._names = [f"member{number}" for number in range(world.options.members)]
        self._members: dict[str, SimulatedMember | None] = dict.fromkeys(self._names)
        shared = Stores(world.log)
        self._stores = {name: Stores(world.log) if world.options.own_stores else shared for name in self._names}
        self._lives = 0
        self._assignments = 0
        self._is_fixed = False
        self._orders = Orders(world, lambda: self.members)
        self._silent: dict[SimulatedMember, list[Tenure]] = {}
        """Those the group does not hear of, and what it has given away of theirs meanwhile."""
        self._unaware: set[SimulatedMember] = set()
        """Heard again, and have yet to learn what they have lost."""

    @property
    def members(self) -> list[SimulatedMember]:
        """Those alive."""
        return [member for member in self._members.values() if member is not None and member.alive]

    def start(self) -> None:
        """Everybody joins, partitions are given out, and the first moves are planned."""
        for name in self._names:
            self._stage.after(self._stage.between(0.0, 0.5), partial(self._join, name))
        self._orders.start()
        for partition in self._world.log.entries:
            self._assign_later(partition, None)
        for _ in range(self._world.options.moves):
            self._stage.after(self._stage.between(0.1, self._world.options.chaos_seconds), self._move)
        for _ in range(self._world.options.zombies):
            self._stage.after(
                self._stage.between(0.1, self._world.options.chaos_seconds), partial(self._make_zombie, 0)
            )

    def wake(self) -> None:
        """The log has grown."""
        for member in self.members:
            member.source.wake()

    def resume(self) -> None:
        """Whoever has paused sending lets it go on."""
        self._orders.resume()

    def fix(self) -> None:
        """What an operator does with a partition that stopped by itself: allow it, and restart."""
        self._is_fixed = True
        for member in self.members:
            if member.is_stopped and not (member.source.stopping or self._is_zombie(member)):
                self._stage.exercised["restarts with a higher dead-letter ratio"] += 1
                self._stop(member)

    # ------------------------------------------------------------------ members

    def _join(self, name: str) -> None:
        self._lives += 1
        ratio = 1.0 if self._is_fixed else self._world.options.dead_letter_ratio_max
        member = SimulatedMember(self._world, f"{name}.{self._lives}", self._stores[name], ratio)
        member.on_end = lambda: self._end(name, member)
        self._members[name] = member
        self._stage.tell("{} starts", member.name)
        self._orders.joined(member)

    def _restart(self, name: str, seconds_max: float) -> None:
        self._stage.after(self._stage.between(0.05, seconds_max), lambda: self._join(name))

    def _stop(self, member: SimulatedMember) -> None:
        self._stage.tell("{} is told to stop", member.name)
        member.stop()

    def _end(self, name: str, member: SimulatedMember) -> None:
        self._stage.tell("{} has left", member.name)
        self._free(self._owned(member), None)
        self._restart(name, 3.0)

    def _crash(self, name: str, member: SimulatedMember) -> None:
        self._stage.exercised["crashes"] += 1
        self._stage.exercised["crashes with requests unanswered"] += bool(member.ledger.outstanding)
        self._stage.tell("{} crashes", member.name)
        member.crash()
        if self._stage.chance(self._world.options.state_losses):
            self._stage.exercised["states lost"] += 1
            for tenure in self._owned(member):
                self._stores[name].users[tenure.partition].clear()
        self._restart(name, 2.0)
        # The group notices at the session's time-out.
        self._stage.after(self._stage.between(0.1, 2.0), lambda: self._free(self._owned(member), None))

    def _owned(self, member: SimulatedMember) -> list[Tenure]:
        """What the group says is the member's."""
        return [
            tenure for tenure in self._broker.owners.values() if tenure is not None and tenure.member == member.name
        ]

    # ------------------------------------------------------------------ partitions

    def _free(self, tenures: list[Tenure], back_to: SimulatedMember | None) -> None:
        for tenure in tenures:
            self._broker.owners[tenure.partition] = None
            self._assign_later(tenure.partition, back_to)

    def _assign_later(self, partition: Partition, back_to: SimulatedMember | None) -> None:
        seconds = self._stage.between(0.0, 0.3) if back_to else self._stage.between(0.0, 1.0)
        self._stage.after(seconds, lambda: self._assign(partition, back_to))

    def _assign(self, partition: Partition, back_to: SimulatedMember | None) -> None:
        if back_to is not None and (not back_to.alive or back_to.source.stopping):
            back_to = None
        chosen = [
            member
            for member in (self.members if back_to is None else [back_to])
            if not (member.source.blocked or member.source.stopping or partition in member.source.tenures)
            and not (self._is_zombie(member) or member in self._unaware)
        ]
        if not chosen:
            self._stage.after(AGAIN_SECONDS, lambda: self._assign(partition, back_to))
            return
        member = self._stage.random.choice(chosen)
        self._assignments += 1
        start = self._broker.start(partition)
        tenure = Tenure(
            self._assignments, member.name, partition, start.offset, self._world.referee.commits.claimed[partition]
        )
        self._broker.owners[partition] = tenure
        self._stage.tell("{} is given {}", member.name, tenure)
        unanswered = any(partition == other for other, _ in member.ledger.outstanding)
        self._stage.exercised["partitions back while a request is unanswered"] += unanswered
        member.source.assign(tenure)

    def _move(self) -> None:
        if not self.members:
            return
        member = self._stage.random.choice(self.members)
        name = member.name.partition(".")[0]
        move = self._stage.random.choice(MOVES)
        if move == "crash":
            self._crash(name, member)
            return
        if member.source.blocked or member.source.stopping or self._is_zombie(member):
            return
        if move == "stop":
            self._stop(member)
            return
        tenures = [tenure for tenure in self._owned(member) if tenure.partition in member.source.tenures]
        if not tenures:
            return
        if self._stage.chance(0.6):
            tenures = [self._stage.random.choice(tenures)]
        back_to = member if self._stage.chance(0.5) else None
        if move == "revoke":
            self._revoke(member, tenures, back_to)
        else:
            self._lose(member, tenures, back_to)

    def _revoke(self, member: SimulatedMember, tenures: list[Tenure], back_to: SimulatedMember | None) -> None:
        self._stage.exercised["revokes"] += 1
        self._stage.tell("{} is asked for {}", member.name, [tenure.partition.number for tenure in tenures])
        member.source.give_up([tenure.partition for tenure in tenures], lambda: self._free(tenures, back_to))

    def _lose(self, member: SimulatedMember, tenures: list[Tenure], back_to: SimulatedMember | None) -> None:
        """The group has moved on; the member learns of it at once or a while later."""
        self._stage.exercised["partitions lost"] += len(tenures)
        self._stage.tell("{} loses {}", member.name, [tenure.partition.number for tenure in tenures])
        seconds = self._stage.random.choice((0.0, self._stage.between(0.0, 2.0)))
        self._stage.exercised["losses noticed late"] += seconds > 0
        self._stage.after(seconds, lambda: self._notice(member, tenures))
        self._free(tenures, back_to)

    def _notice(self, member: SimulatedMember, tenures: list[Tenure]) -> None:
        if member.alive and (member.source.blocked or member.source.frozen):
            # Its thread sits in a callback, or nowhere; it will learn of this afterwards.
            self._stage.after(AGAIN_SECONDS, lambda: self._notice(member, tenures))
            return
        lost = [tenure.partition for tenure in tenures if member.source.tenures.get(tenure.partition) is tenure]
        if lost:
            member.source.lose(lost)

    # ------------------------------------------------------------------ zombies

    def _is_zombie(self, member: SimulatedMember) -> bool:
        return member in self._silent

    def _make_zombie(self, attempt: int) -> None:
        """A member falls silent: stopped and woken up, or cut off from the coordinator with fetching going on."""
        sound = [m for m in self.members if not (m.source.blocked or m.source.stopping or self._is_zombie(m))]
        stage, session_seconds = self._stage, self._world.options.session_seconds
        busy = [member for member in sound if member.ledger.outstanding]
        if not busy and attempt < ZOMBIE_ATTEMPTS:
            stage.after(stage.between(0.0, AGAIN_SECONDS), partial(self._make_zombie, attempt + 1))
            return
        if not sound:
            return
        member = stage.random.choice(busy or sound)
        source, kind = member.source, stage.random.choice(("frozen", "cut off"))
        stage.exercised[f"members {kind}"] += 1
        stage.tell("{} is {}", member.name, kind)
        source.frozen, source.cut_off = kind == "frozen", kind == "cut off"
        # Heartbeats come a few times a session; that of now may be the last, or one a while ago.
        source.heard_at = max(source.heard_at, stage.now - stage.between(0.0, session_seconds / 6))
        given_away = self._silent[member] = []
        self._expire(member, given_away)
        stage.after(stage.between(0.3, 2.5) * session_seconds, lambda: self._cure(member, given_away))

    def _expire(self, member: SimulatedMember, given_away: list[Tenure]) -> None:
        """When the group has not heard of it for the session's time-out, others get what it has."""
        due = member.source.heard_at + self._world.options.session_seconds
        if not member.alive or self._silent.get(member) is not given_away:
            return
        if due > self._stage.now:
            self._stage.after(due - self._stage.now, lambda: self._expire(member, given_away))
            return
        given_away += self._owned(member)
        for tenure in given_away:
            self._stage.tell("{} is given away", tenure)
            self._world.referee.given_away(tenure, is_frozen=member.source.frozen)
        self._free(given_away, None)

    def _cure(self, member: SimulatedMember, given_away: list[Tenure]) -> None:
        """It is heard again; what it has lost it learns a while later, from the group's answer."""
        del self._silent[member]
        if not member.alive:
            return
        self._stage.tell("{} is back", member.name)
        self._stage.exercised["zombies back in time"] += not given_away
        member.source.cut_off = False
        if member.source.frozen:
            member.thaw()
        self._unaware.add(member)
        self._stage.after(self._stage.between(0.0, 1.0), lambda: self._rejoin(member, given_away))

    def _rejoin(self, member: SimulatedMember, given_away: list[Tenure]) -> None:
        """It joins again, as a client does, once it knows what it has lost; before that it is given nothing."""
        self._unaware.discard(member)
        self._notice(member, given_away)
