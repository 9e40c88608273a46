"""Hands out what the sequencer has decided: to the state, the dead letters and the receipts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final, assert_never

from consumer.ports.edges import Edges
from consumer.sequencing.actions import Action, Forget, Remember, WriteDeadLetter, WriteReceipt
from consumer.sequencing.sequencer import Sequencer

if TYPE_CHECKING:
    from consumer.ops.reporter import Reporter

WRITE_SECONDS: Final = 0.03
"""How often the state is handed what to remember, at most: each time wakes a thread, which costs the loop its turn.

What comes after a quiet time goes at once.
"""


class Acting:
    """Hands actions out, and keeps what waits to be handed to the state."""

    def __init__(self, sequencer: Sequencer, edges: Edges, reporter: Reporter) -> None:
        self._sequencer = sequencer
        self._edges = edges
        self._reporter = reporter
        self._writes: list[Remember | Forget] = []
        self._write_at = 0.0

    @property
    def due(self) -> float | None:
        """When to hand the state what waits; None: nothing does."""
        return self._write_at if self._writes else None

    def act(self, actions: Sequence[Action], now: float) -> None:
        """Hand these actions out. `now`: monotonic seconds."""
        receipts: list[WriteReceipt] = []
        for action in actions:
            match action:
                case Remember():
                    self._writes.append(action)
                case Forget(lane):
                    self._writes.append(action)
                    self._write_at = now  # otherwise a look-up could overtake it
                    self._sequencer.forgotten(lane.user)
                case WriteDeadLetter():
                    self._reporter.dead_lettered(action)
                    self._edges.dead_letters.dead_letter(action)
                case WriteReceipt():
                    receipts.append(action)
                case _:
                    assert_never(action)
        if receipts and self._edges.receipts is not None:
            self._edges.receipts.write(receipts)
        if self._writes and now >= self._write_at:
            writes, self._writes = self._writes, []
            self._write_at = now + WRITE_SECONDS
            self._edges.states.write(writes)
