"""Holes in what /readyz says: of everything that it is well, or of a problem that it goes on."""

from __future__ import annotations

from typing import Final

from consumer.ops.health import Health
from tests.simulation import member
from tests.simulation.faults.fault import Fault, constant

FAULTS: Final = (
    Fault(
        "whatever happens is called ready",
        constant(member, "readiness", Health(True, "ready", [])),
        ("health",),
        100,
    ),
    Fault(
        "a problem is told for ever",
        constant(member, "readiness", Health(True, "degraded", ["segment-0", "segment-1", "segment-2", "segment-3"])),
        ("health",),
        20,
    ),
)
