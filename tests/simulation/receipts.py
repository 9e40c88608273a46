"""The made-up receipt topic, as one member writes to it, like receipts/writer.py in virtual time."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from consumer.ports.inputs import Receipted, ReceiptFailed
from consumer.sequencing.actions import WriteReceipt
from consumer.sequencing.assignment import Assignment
from tests.simulation.kafka import Post
from tests.simulation.options import Options
from tests.simulation.stage import Stage


class SimulatedReceipts:
    """Tries until it is acknowledged, or nobody waits for it any more."""

    def __init__(self, stage: Stage, options: Options, receipted: Callable[[WriteReceipt], None], post: Post) -> None:
        """`receipted` is called when the member learns that one is written."""
        self.alive = True
        self._stage = stage
        self._options = options
        self._receipted = receipted
        self._post = post

    def begin(self, assignment: Assignment) -> None:
        """Nobody waits for that."""

    def write(self, actions: Sequence[WriteReceipt]) -> None:
        for action in actions:
            self._arrives_within(0.2, action)

    def _arrives_within(self, seconds: float, action: WriteReceipt) -> None:
        self._stage.after(self._stage.between(0.001, seconds), lambda: self._arrive(action))

    def _arrive(self, action: WriteReceipt) -> None:
        stage = self._stage
        if not self.alive:
            return
        if stage.chance(self._options.receipt_failures):
            stage.exercised["receipts not written at first"] += 1
            self._post(ReceiptFailed("not enough replicas"))
            if not action.lane.assignment.dropped:
                self._arrives_within(1.0, action)
            return
        stage.exercised["receipts"] += 1
        taken = [action]
        stage.after(stage.between(0.001, 0.1), lambda: self._post(Receipted(taken), lambda: self._receipted(action)))
