"""What the loop shows of itself, beyond what it owns."""

from __future__ import annotations

import threading
import time

from tests.loop.given_pipeline import pipeline_with


def burn() -> None:
    """Use a tenth of a second of the processor, in the thread that calls it."""
    until = time.thread_time() + 0.1
    while time.thread_time() < until:
        pass


def test_the_loops_cpu_time_is_that_of_its_own_thread() -> None:
    """What another thread of the process uses is not in it: with it, the loop would seem to be the limit."""
    pipeline = pipeline_with()
    first = pipeline.fresh_snapshot(0.0).loop_cpu_seconds
    burn()
    own = pipeline.fresh_snapshot(10.0).loop_cpu_seconds
    other = threading.Thread(target=burn)
    other.start()
    other.join()
    later = pipeline.fresh_snapshot(20.0).loop_cpu_seconds

    assert 0.1 <= own - first
    assert 0.1 > later - own
