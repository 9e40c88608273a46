"""Faults of consumer/sequencing: the rule, as real parts show it; tests/simulation/faults has many more."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

FAULTS: Final = (
    EdgeFault(
        "Avro without a registry is garbage at once",
        "consumer/sequencing/format_guard.py",
        "number <= FIRST_RECORDS or ",
        "",
        "tests/loop/test_no_registry.py::test_avro_without_a_registry_waits_among_the_first_200",
    ),
    EdgeFault(
        "a user is identified before the 2xx",
        "consumer/sequencing/sequencer.py",
        "            delivery.sent_at = now\n",
        "            delivery.sent_at = now\n            lane.identified = True\n",
        "tests/sequencing/test_sequencer.py::test_a_refused_identify_leaves_the_user_unidentified",
    ),
    EdgeFault(
        "an answer of the state revives a forgotten user",
        "consumer/sequencing/look_ups.py",
        " and user not in forgotten",
        "",
        "tests/sequencing/test_lanes.py::test_who_was_forgotten_meanwhile_is_not_identified",
    ),
    EdgeFault(
        "who was not looked up counts as unidentified",
        "consumer/sequencing/rule.py",
        "if lane.identified is None:",
        "if False:",
        "tests/sequencing/test_lanes.py::test_if_the_identify_is_refused_the_state_is_asked",
    ),
    EdgeFault(
        "a batch crosses an identify",
        "consumer/sequencing/rule.py",
        "if event.kind is Kind.IDENTIFY or event.kind is Kind.DELETE or",
        "if event.kind is Kind.DELETE or",
        "tests/sequencing/test_sequencer.py::test_an_identify_goes_alone",
    ),
)
