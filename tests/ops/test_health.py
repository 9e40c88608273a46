"""What readiness tells of a schema registry that does not answer, of rights that are missing, and while it drains."""

from __future__ import annotations

import dataclasses

from consumer.ops.health import readiness
from consumer.ops.partition_view import Waits
from consumer.ops.snapshot import Phase
from tests.ops.given_snapshot import snapshot as idle


def test_a_registry_that_is_away_is_no_reason_to_restart() -> None:
    """Degraded and ready, with the reason and who waits; a problem that nobody waits for is none."""
    problem = "no answer: ConnectError"
    [view] = idle().partitions
    waiting = dataclasses.replace(
        idle(), registry_problem=problem, partitions=(dataclasses.replace(view, waits=Waits(schema=True)),)
    )
    health = readiness(waiting)

    assert (True, "degraded") == (health.ok, health.status)
    assert [f"the schema registry: {problem}; segment-events-0 waits for a schema"] == health.reasons
    assert "ready" == readiness(dataclasses.replace(waiting, partitions=(view,))).status
    assert "ready" == readiness(dataclasses.replace(waiting, registry_problem=None)).status


def test_a_registry_that_is_not_set_is_named_with_both_ways_out() -> None:
    """Degraded and ready: which record waits, and the two settings of which one is the right one."""
    [view] = idle().partitions
    waits = Waits(schema=True, registry_not_set="offset 7 looks like Avro of schema 3")
    waiting = dataclasses.replace(idle(), partitions=(dataclasses.replace(view, waits=waits),))
    health = readiness(waiting)
    [reason] = health.reasons

    assert (True, "degraded") == (health.ok, health.status)
    assert reason.startswith("segment-events-0: offset 7 looks like Avro of schema 3, and no schema registry is set")
    assert "set CUSTOMFIT_SCHEMA_REGISTRY_URL, or CUSTOMFIT_VALUE_FORMAT=json" in reason


def test_what_the_access_lists_forbid_is_told() -> None:
    """A right that was taken away while it runs, and a state topic that can't be written, degrade it and are named."""
    seen = dataclasses.replace(idle(), denied=("the right to Read on topic t is missing",), state_problem="t: denied")

    reasons = ["the right to Read on topic t is missing", "the state topic: t: denied"]
    assert (True, "degraded", reasons) == readiness(seen)


def test_a_drain_says_what_is_wrong_meanwhile() -> None:
    """A stop that takes long is no secret: the word is draining, and the reasons follow it."""
    seen = dataclasses.replace(idle(), phase=Phase.DRAINING, state_problem="t: denied")

    assert (False, "draining", ["draining", "the state topic: t: denied"]) == readiness(seen)
