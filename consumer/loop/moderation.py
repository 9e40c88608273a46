"""How long the loop pauses for more to come before a turn, as network cards moderate their interrupts. Pure.

A turn costs as much for one answer as for ten, besides what each costs. With 256 requests at once and answers after 20
ms, a loop that is awake two thirds of the time took one or two a turn.
"""

from __future__ import annotations

from typing import Final

PAUSE_SECONDS_MAX: Final = 0.001
PAUSE_SECONDS_MIN: Final = 0.0002
"""A shorter one gathers too little."""
ANSWER_SHARE: Final = 0.05
"""A pause is at most this share of the time that answers take: each request waits for half of it, more or less."""
FEW_SHARE: Final = 1 / 32
"""Of the requests in flight: with more answers than that a turn is worth its cost."""


class Moderation:
    """Knows how long answers take."""

    def __init__(self) -> None:
        self._answer_seconds = 0.0

    def answered(self, seconds: float) -> None:
        """So long have the answers of a turn taken, on average."""
        self._answer_seconds = seconds

    def pause(self, in_flight: int) -> tuple[int, float]:
        """How many inputs are few, and for how many seconds to pause where no more have come."""
        few = int(in_flight * FEW_SHARE)
        seconds = min(self._answer_seconds * ANSWER_SHARE, PAUSE_SECONDS_MAX)
        return (few, seconds) if few > 1 and seconds >= PAUSE_SECONDS_MIN else (0, 0.0)
