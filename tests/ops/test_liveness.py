"""/livez: whether a restart would help."""

from __future__ import annotations

import dataclasses

from consumer.ops.health import LOOP_SILENT_SECONDS_MAX, POLL_SILENT_SECONDS_MAX, liveness
from consumer.ops.snapshot import Phase, Snapshot
from consumer.sequencing.gate import State
from tests.ops.given_snapshot import snapshot as idle


def snapshot(taken_at: float) -> Snapshot:
    """A process whose destination is away and whose Kafka has problem."""
    return dataclasses.replace(
        idle(),
        taken_at=taken_at,
        joined=False,
        partitions=(),
        destination_state=State.UNAVAILABLE,
        destination_reason="connection refused",
        kafka_problem="all brokers are down",
    )


def test_an_outage_is_no_reason_to_restart() -> None:
    """While the loop turns and the Kafka thread polls it is alive, whatever the others do."""
    assert (True, "alive", []) == liveness(snapshot(100.0), polled_at=100.0, now=101.0)


def test_a_start_that_waits_for_kafka_is_alive() -> None:
    """However long CUSTOMFIT_STARTUP_TIMEOUT_SECONDS lets it wait: whoever asks would restart it in vain."""
    starting = dataclasses.replace(snapshot(100.0), phase=Phase.STARTING)

    assert (True, "alive", []) == liveness(starting, polled_at=100.0, now=1000.0)


def test_a_part_that_hangs_is_not_alive() -> None:
    """The loop or the Kafka thread has been silent for too long: not alive, and it says which."""
    late = 100.0 + max(LOOP_SILENT_SECONDS_MAX, POLL_SILENT_SECONDS_MAX) + 1.0
    loop = liveness(snapshot(100.0), polled_at=late, now=late)
    thread = liveness(snapshot(late), polled_at=100.0, now=late)

    assert (False, "stuck") == loop[:2]
    assert ["the loop has not turned for 121 s"] == loop.reasons
    assert (False, "stuck") == thread[:2]
    assert ["the Kafka thread has not polled for 121 s"] == thread.reasons
