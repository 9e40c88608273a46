"""The service as it is, but that it notes when each request starts: what it was free to do, and not when that was seen.

    BENCH_STARTS=file python -m bench.noted_starts run

A destination counts a request when it gets round to it. One that stood still for a moment counts all that lay before
its door at once. Times are CLOCK_MONOTONIC, which all processes of a machine share; each is written at once, so that a
kill -9 loses none.
"""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Final

from consumer.cli import main
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.sequencer import Sequencer

STARTS: Final = "BENCH_STARTS"
_TIME: Final = struct.Struct("=d")


def noted(path: Path) -> list[float]:
    """When requests started, in the order in which they were noted."""
    raw = path.read_bytes()
    return [at for (at,) in _TIME.iter_unpack(raw[: len(raw) // _TIME.size * _TIME.size])]


def _note_starts(path: str) -> None:
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    next_delivery = Sequencer.next_delivery

    def and_note(self: Sequencer, now: float) -> Delivery | None:
        delivery = next_delivery(self, now)
        if delivery is not None:
            os.write(file, _TIME.pack(now))
        return delivery

    Sequencer.next_delivery = and_note  # type: ignore[method-assign]


if __name__ == "__main__":
    _note_starts(os.environ[STARTS])
    main()
