"""Logs that the loop hangs, and where it stands. Another thread asks, since the loop can't say so itself."""

from __future__ import annotations

import logging
import sys
import traceback
from pathlib import PurePath
from typing import Final

from consumer.log_codes import Code, fields
from consumer.ops.health import LOOP_LATE_SECONDS
from consumer.ops.snapshot import Phase, Snapshot

LATE_LOOKS: Final = 2
"""One late look may only mean that the whole process was stopped for a while: the loop will turn in a moment."""
FRAMES_SHOWN: Final = 8

log = logging.getLogger("consumer")


class Hangs:
    """Watches one loop. Writes a line when it hangs, and one when it turns again."""

    def __init__(self, thread: int) -> None:
        """`thread`: the identifier of the loop's thread."""
        self._thread = thread
        self._late_looks = 0

    def look(self, snapshot: Snapshot, now: float) -> None:
        """Check whether it turns; monotonic seconds."""
        silent_seconds = now - snapshot.taken_at
        if snapshot.phase is Phase.STARTING or silent_seconds <= LOOP_LATE_SECONDS:
            if self._late_looks >= LATE_LOOKS:
                log.warning("the loop turns again", extra=fields(Code.LOOP_TURNS))
            self._late_looks = 0
            return
        self._late_looks += 1
        if self._late_looks == LATE_LOOKS:
            told = "the loop has not turned for %.0f s; it stands at %s"
            log.error(told, silent_seconds, stack_of(self._thread), extra=fields(Code.LOOP_HANGS))


def stack_of(thread: int) -> str:
    """Where this thread is now, on one line, the innermost call first. No values: they may be anybody's data."""
    frame = sys._current_frames().get(thread)  # noqa: SLF001  documented, for debuggers
    if frame is None:
        return "no place: its thread has ended"
    frames = reversed(traceback.extract_stack(frame)[-FRAMES_SHOWN:])
    return " < ".join(f"{PurePath(one.filename).name}:{one.lineno} {one.name}" for one in frames)
