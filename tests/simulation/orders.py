"""Somebody pauses sending now and then: each member hears of it a while later, and one that starts reads it first."""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial

from consumer.ports.inputs import PauseRead
from consumer.sequencing.pauses import PauseOrder
from tests.simulation.member import SimulatedMember, World

HEARD_SECONDS = 5.0
READ_SECONDS = 2.0
"""A member that starts has read the last order within this."""


class Orders:
    """The last one is what counts; members hear of it at different times. Chance is its own: other worlds stay."""

    def __init__(self, world: World, members: Callable[[], list[SimulatedMember]]) -> None:
        self._stage, self._options = world.stage, world.options
        self._members = members
        self._random = random.Random(f"orders of {world.options.seed}")
        self._order: PauseOrder | None = None

    def start(self) -> None:
        """Plan them."""
        for _ in range(self._random.randint(1, 2) if self._options.pause_seconds else 0):
            at = self._random.uniform(0.1, min(0.5 * self._options.chaos_seconds, 6.0))
            self._stage.after(at, self._pause)
            self._stage.after(at + self._random.uniform(0.1, 1.0) * self._options.pause_seconds, self.resume)

    def joined(self, member: SimulatedMember) -> None:
        """It sends nothing until it knows."""
        if self._options.pause_seconds:
            self._stage.exercised["members that start while paused"] += bool(self._order and self._order.is_paused)
            member.hear(PauseRead(None, is_known=False))
            self._stage.after(self._random.uniform(0.0, READ_SECONDS), partial(self._hear, member))

    def resume(self) -> None:
        """Everybody goes on."""
        if self._order is not None and self._order.is_paused:
            self._give(PauseOrder(False, "ann@laptop", round(self._stage.now * 1000), ""))

    def _pause(self) -> None:
        self._stage.exercised["pauses"] += 1
        self._give(PauseOrder(True, "ann@laptop", round(self._stage.now * 1000), "a test"))

    def _give(self, order: PauseOrder) -> None:
        self._order = order
        self._stage.tell("sending is {}", "paused" if order.is_paused else "resumed")
        for member in self._members():
            self._stage.after(self._random.uniform(0.0, HEARD_SECONDS), partial(self._hear, member))

    def _hear(self, member: SimulatedMember) -> None:
        member.hear(PauseRead(self._order))
