"""Dead letters of the items of a batch on a real broker: what they cost in bytes and in memory."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, TopicPartition

from tests.real_broker.running_service import Service
from tests.real_broker.scene import Scene

ITEMS: Final = 2500
CONTEXT_BYTES: Final = 500_000
MORE_AN_ITEM_BYTES: Final = 6 * 1024
MORE_MEMORY_BYTES: Final = 64 * 1024 * 1024
"""16 MB on their way twice over, in our hands and in the client's; what Python needs for 2,500 events; some room."""


def large_batch() -> bytes:
    """A batch of 0.9 MB; 45 % of its items are no events, spread over all of it."""
    good = {"type": "track", "userId": "ann", "event": "E", "properties": {"a": "x" * 80}}
    bad = {"type": "track", "userId": "ann", "properties": {"a": "x" * 100}}
    items = [bad if number * 9 // 20 != (number + 1) * 9 // 20 else good for number in range(ITEMS)]
    value = json.dumps({"batch": items, "context": {"page": "x" * CONTEXT_BYTES}}).encode()
    assert 850_000 < len(value) < 950_000
    assert 1125 == items.count(bad)
    return value


def bytes_in(scene: Scene, topic: str) -> tuple[int, int]:
    """How many records a topic holds, and the bytes of their keys, values and headers."""
    reader = Consumer({"bootstrap.servers": scene.broker.bootstrap_servers, "group.id": "outside"})
    count = size = 0
    try:
        partitions = reader.list_topics(topic, timeout=60).topics[topic].partitions
        for number in partitions:
            where = TopicPartition(topic, number, 0)
            _, end = reader.get_watermark_offsets(where, timeout=60)
            reader.assign([where])
            for _ in range(end):
                message = reader.poll(30)
                assert message is not None
                assert message.error() is None
                headers: Any = message.headers() or []
                size += sum(len(name) + len(value or b"") for name, value in headers)
                size += len(message.key() or b"") + len(message.value() or b"")
                count += 1
    finally:
        reader.close()
    return count, size


def memory(service: Service, which: str) -> int:
    """VmRSS: what the process has in memory; VmHWM: the most that it ever had."""
    status = Path(f"/proc/{service.process.pid}/status").read_text(encoding="utf-8")
    found = re.search(rf"{which}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def test_a_batch_whose_items_are_invalid_costs_what_it_has(scene: Scene) -> None:
    """1,125 dead letters of one record of 0.9 MB: in bytes and in memory of the order of what was read.

    Each with the whole batch wrote 1,039 MB and took 930 MB of memory.
    """
    value = large_batch()
    with scene.member("one").wait_ready() as one:
        before = memory(one, "VmRSS")
        scene.produce(("ann", value), partition=0)
        scene.wait_committed()
        peak = memory(one, "VmHWM")
        assert 0 == one.stop()

    count, size = bytes_in(scene, scene.dead_letter_topic)
    assert 1125 == count
    assert size <= len(value) + MORE_AN_ITEM_BYTES * count
    assert peak - before <= MORE_MEMORY_BYTES
