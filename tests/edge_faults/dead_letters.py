"""Faults of consumer/dead_letters: what can't be delivered."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import GONE, TOO_LARGE, EdgeFault

FAULTS: Final = (
    EdgeFault(
        "a dead letter that fails is dropped",
        "consumer/dead_letters/writer.py",
        "        self._later(action, shape)\n\n    def _later",
        "        self._post(DeadLettered(action))\n\n    def _later",
        GONE + "[make_the_topic_again]",
    ),
    EdgeFault(
        "a dead letter is finished before it is acknowledged",
        "consumer/dead_letters/writer.py",
        "                on_delivery=on_delivery,\n            )\n",
        "            )\n            self._post(DeadLettered(action))\n",
        TOO_LARGE,
    ),
    EdgeFault(
        "a callback asks the client for topics",
        "consumer/dead_letters/writer.py",
        "self._alone.append((action, NEXT_SHAPE[shape]))",
        "self._produce(action, NEXT_SHAPE[shape])",
        TOO_LARGE,
    ),
    EdgeFault(
        "a dead letter of an item takes its batch along",
        "consumer/dead_letters/letter.py",
        "    if item is None:\n        return record.value\n",
        "    if item is None or item.batch.items > 1:\n        return record.value\n",
        "tests/real_broker/test_item_letters.py::test_a_batch_whose_items_are_invalid_costs_what_it_has",
    ),
    EdgeFault(
        "a large neighbour costs the value",
        "consumer/dead_letters/letter.py",
        "{Shape.WHOLE: Shape.ALONE, ",
        "{Shape.WHOLE: Shape.VALUELESS, ",
        TOO_LARGE,
    ),
)
