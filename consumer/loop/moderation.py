"""How long the loop pauses for more inputs before a turn, as network cards moderate their interrupts. Pure.

A turn has a fixed cost, whether it takes one answer or ten. With 256 requests at once and answers after 20 ms, a loop
that is awake two thirds of the time took one or two answers a turn.
"""

from __future__ import annotations

from typing import Final

PAUSE_SECONDS_MAX: Final = 0.001
PAUSE_SECONDS_MIN: Final = 0.0002
"""A shorter pause gathers too little."""
ANSWER_SHARE: Final = 0.05
"""A pause is at most this share of an answer's time. On average it delays each request by half of the pause."""
FEW_SHARE: Final = 1 / 32
"""The share of the requests in flight that is worth a turn: with more answers than that, no pause is made."""


class Moderation:
    """Decides about pauses, by how long answers take."""

    def __init__(self) -> None:
        self._answer_seconds = 0.0

    def answered(self, seconds: float) -> None:
        """The answers of a turn took this many seconds, on average."""
        self._answer_seconds = seconds

    def pause(self, in_flight: int) -> tuple[int, float]:
        """How many inputs count as few, and for how many seconds to pause if no more have come."""
        few = int(in_flight * FEW_SHARE)
        seconds = min(self._answer_seconds * ANSWER_SHARE, PAUSE_SECONDS_MAX)
        return (few, seconds) if few > 1 and seconds >= PAUSE_SECONDS_MIN else (0, 0.0)
