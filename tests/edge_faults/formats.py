"""Faults of consumer/avro and consumer/segment: Avro and JSON, read."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

FAULTS: Final = (
    EdgeFault(
        "an Avro payload may be any number of values",
        "consumer/avro/reader.py",
        "        if len(payload) > bytes_max:",
        "        if len(payload) > 2**30:",
        "tests/avro/test_schema_safety.py::test_a_payload_that_may_cost_too_much_is_not_read",
    ),
    EdgeFault(
        "an item that is no UTF-8 costs its batch",
        "consumer/segment/decoding.py",
        "    if not isinstance(text, bytes) and (parts :=",
        "    if isinstance(text, Repaired) and (parts :=",
        "tests/segment/test_batch_split.py::test_a_broken_item_ends_alone",
    ),
)
