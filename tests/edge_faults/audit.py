"""Faults of consumer/audit and consumer/receipts: what is written of every record, and read again."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

FAULTS: Final = (
    EdgeFault(
        "a receipt is told to be there before it is acknowledged",
        "consumer/receipts/writer.py",
        "            self._waiting.popleft()\n",
        "            if action := self._waiting.popleft().action:\n                self._acknowledged.append(action)\n",
        "tests/receipts/test_writer.py::test_all_that_is_acknowledged_meanwhile_is_told_at_once_and_nothing_before",
    ),
    EdgeFault(
        "a receipt that fails is dropped",
        "consumer/receipts/writer.py",
        "        self._again.extend(receipts)\n",
        "",
        "tests/receipts/test_writer.py::test_what_the_topic_does_not_take_is_told_once_and_tried_again",
    ),
    EdgeFault(
        "the dead letters of a rekeyed record are looked for where `rekey` wrote it",
        "consumer/audit/letters.py",
        'origin_of(record, "", rekeyed=self._rekeyed)',
        'origin_of(record, "")',
        "tests/auditing/test_rekeyed.py::test_each_end_of_a_record_is_told",
    ),
    EdgeFault(
        "a look back goes beyond the beginning of time",
        "consumer/audit/evidence.py",
        "max(self._window.from_ms - LOOK_BACK_MS, 0)",
        "self._window.from_ms - LOOK_BACK_MS",
        "tests/real_broker/test_audit.py::test_records_out_of_the_order_of_their_times_are_in_the_window_by_their_time",
    ),
)
