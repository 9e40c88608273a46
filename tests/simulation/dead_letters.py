"""The made-up dead-letter topic, as one member writes to it, like dead_letters.py in virtual time."""

from __future__ import annotations

from collections.abc import Callable

from consumer.ports.inputs import DeadLettered, DeadLetterFailed
from consumer.sequencing.actions import WriteDeadLetter
from tests.simulation.kafka import Post
from tests.simulation.log import Entry
from tests.simulation.options import Options
from tests.simulation.referee_dead_letters import DeadLetterJudge
from tests.simulation.stage import Stage


class SimulatedDeadLetters:
    """Like dead_letters.py: tries until it is acknowledged."""

    def __init__(self, stage: Stage, options: Options, judge: DeadLetterJudge, post: Post) -> None:
        self.alive = True
        self.asked: list[WriteDeadLetter] = []
        """Of this turn."""
        self._stage = stage
        self._options = options
        self._judge = judge
        self._post = post

    def dead_letter(self, action: WriteDeadLetter) -> None:
        self.asked.append(action)

    def produce(self, action: WriteDeadLetter, entry: Entry, acknowledged: Callable[[], None]) -> None:
        """On its way; `acknowledged` is called when the member learns that it is written."""
        self._stage.after(self._stage.between(0.001, 0.2), lambda: self._arrive(action, entry, acknowledged))

    def _arrive(self, action: WriteDeadLetter, entry: Entry, acknowledged: Callable[[], None]) -> None:
        stage = self._stage
        if not self.alive:
            return
        if stage.chance(self._options.dead_letter_failures):
            stage.exercised["dead letters not written at first"] += 1
            self._post(DeadLetterFailed("not_written", "not enough replicas"))
            stage.after(1.0, lambda: self._arrive(action, entry, acknowledged))
            return
        self._judge.note_written(entry, action.reason)
        stage.after(stage.between(0.001, 0.1), lambda: self._post(DeadLettered(action), acknowledged))
