"""The simulation is itself tested: faults are put into the core, and each must be caught, as what it is.

A fault that has rotted, since it asks for what the core no longer has, breaks everything at once by an AttributeError
or the like. Such an error is never a catch: neither in the fault itself, whoever takes it there, nor as a crash.
"""

from __future__ import annotations

from functools import partial
from typing import Any, Final

import pytest

from consumer.segment import event_of
from consumer.sequencing.events import User
from consumer.sequencing.lanes import Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.sequencer import Sequencer
from tests.rotten import ROTTEN
from tests.simulation.faults import (
    commits,
    endings,
    gate,
    giving_up,
    health,
    holds,
    identification,
    lease,
    limits,
    order,
    pauses,
    rate,
)
from tests.simulation.faults.fault import ROTTED, Fault, Install, around, instead
from tests.simulation.simulation import simulate
from tests.simulation.stage import Violation

FAULTS: Final = (
    *identification.FAULTS,
    *order.FAULTS,
    *commits.FAULTS,
    *endings.FAULTS,
    *lease.FAULTS,
    *holds.FAULTS,
    *gate.FAULTS,
    *giving_up.FAULTS,
    *limits.FAULTS,
    *rate.FAULTS,
    *health.FAULTS,
    *pauses.FAULTS,
)


class RottenFaultError(Exception):
    """The fault does not fit the core any more."""


def breach(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> Violation | None:
    """The first promise that is broken with the fault put in; raises RottenFaultError."""
    ROTTED.clear()
    fault.install(monkeypatch)
    for seed in range(fault.first_seed, fault.first_seed + fault.seeds_max):
        violation = None
        try:
            violation = simulate(seed, ask_health="health" in fault.caught_by).violation
        except ROTTEN as error:  # the simulation itself could not do with what the fault gave
            ROTTED.append(error)
        if violation is not None and isinstance(violation.__cause__, ROTTEN):
            ROTTED.append(violation.__cause__)
        if ROTTED:
            raise RottenFaultError(f"{fault.name}: {ROTTED[0]!r}") from ROTTED[0]
        if violation is not None:
            return violation
    return None


def test_each_fault_has_a_name_of_its_own() -> None:
    """Else two tests could be told apart by a number only."""
    names = [fault.name for fault in FAULTS]

    assert sorted(set(names)) == sorted(names)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_simulation_catches_a_fault_in_the_core(fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each fault is caught within its number of seeds, as a breach of the promise that it is about."""
    violation = breach(fault, monkeypatch)

    assert violation is not None
    assert violation.rule in fault.caught_by


def test_no_fault_counts_as_caught_by_a_crash() -> None:
    """Whatever ends a member by an exception is not what the simulation is for; each fault is named after a promise."""
    assert [] == [fault.name for fault in FAULTS if "crashed" in fault.caught_by]


def asks_for_what_is_gone(original: Any, self: Any, *args: Any) -> Any:
    self._is_gone()
    return original(self, *args)


def calls_as_it_once_was(original: Any, *_args: Any) -> Any:
    return original()


def gives_what_it_once_gave(_original: Any, *_args: Any) -> Any:
    return "a run"


@pytest.mark.parametrize(
    "install",
    [
        around(Sequencer, "next_delivery", asks_for_what_is_gone),
        around(OffsetTracker, "commit_point", calls_as_it_once_was),
        around(Lane, "next_delivery", gives_what_it_once_gave),
        instead(event_of, "User", partial(asks_for_what_is_gone, User)),
    ],
    ids=["an attribute", "arguments", "a value", "where the error is taken for a bad record"],
)
def test_a_fault_that_has_rotted_is_found_out(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    """It breaks what it is put into, and with it any promise, but not by what its name says."""
    rotten = Fault("rotten", install, ("crashed", "lost", "stuck", "dead letter"), 10)

    with pytest.raises(RottenFaultError):
        breach(rotten, monkeypatch)
