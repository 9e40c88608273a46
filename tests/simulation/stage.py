"""What all parts of a made-up world share: time that jumps, chance from one seed, the story, what was exercised."""

from __future__ import annotations

import heapq
import random
from collections import Counter, deque
from collections.abc import Callable

STEPS_MAX = 60_000
"""A run has a few thousand; more is a loop that turns without getting on."""
STORY_LINES_MAX = 60


class Violation(Exception):
    """A promise was broken. `rule` is one of a few words, so that a test can say which."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule


class Stage:
    """Virtual time and one source of randomness; single-threaded, so that a seed tells everything."""

    def __init__(self, seed: int, *, tell_all: bool = False) -> None:
        self.random = random.Random(seed)
        self.now = 0.0
        self.exercised: Counter[str] = Counter()
        self.steps = 0
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._number = 0
        self._story: deque[tuple[float, str, tuple[object, ...]]] = deque(maxlen=None if tell_all else STORY_LINES_MAX)

    def after(self, seconds: float, do: Callable[[], None]) -> None:
        """Do something later; things of the same moment happen in the order they were asked for."""
        self._number += 1
        heapq.heappush(self._due, (self.now + seconds, self._number, do))

    def step(self) -> bool:
        """Let the next thing happen; False when nothing is left to happen."""
        if not self._due:
            return False
        self.steps += 1
        if self.steps > STEPS_MAX:
            raise Violation("spins", f"{STEPS_MAX} steps by {self.now:.3f} s")
        self.now, _, do = heapq.heappop(self._due)
        do()
        return True

    def chance(self, probability: float) -> bool:
        """True with this probability."""
        return probability > 0.0 and self.random.random() < probability

    def between(self, low: float, high: float) -> float:
        """Any number between the two."""
        return low + (high - low) * self.random.random()

    def tell(self, text: str, *values: object) -> None:
        """Add a line to the story; it is put together only when it is read."""
        self._story.append((self.now, text, values))

    def story(self) -> list[str]:
        """The last lines, or all of them."""
        return [f"{when:9.4f}  {text.format(*values)}" for when, text, values in self._story]
