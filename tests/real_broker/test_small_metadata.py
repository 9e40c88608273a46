"""A broker that takes less commit metadata than the default of 4,096 bytes: what can't be said is left out."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.emulator.server import Emulator
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import Scene, event

METADATA_BYTES_MAX = 256
RECORDS = 4000
GARBAGE = 2000


@pytest.fixture
def small_scene(_brokers_can_start: None, topic_name: str, emulator: Emulator, tmp_path: Path) -> Iterator[Scene]:
    """On a broker of the test's own, with a limit of its own."""
    with Broker({"offset.metadata.max.bytes": METADATA_BYTES_MAX}) as broker:
        scene = Scene(broker, topic_name, emulator, tmp_path, 1)
        scene.settings = {"CUSTOMFIT_DEAD_LETTER_RATIO_MAX": "1"}
        yield scene
        scene.outside.close()


def test_commits_go_on_where_the_broker_takes_little_metadata(small_scene: Scene) -> None:
    """What is finished above a record that is not takes more than it to write down: the offset is committed anyway.

    Dead letters can't be written, so that garbage without a pattern stays unfinished.
    """
    scene = small_scene
    garbage = set(random.Random("holes").sample(range(RECORDS), GARBAGE))
    records = [("ann", b"garbage") if number in garbage else event("ann", number + 1) for number in range(RECORDS)]
    with scene.member("one").wait_ready() as one:
        scene.admin.delete_topics([scene.dead_letter_topic])[scene.dead_letter_topic].result(60)
        scene.produce(event("ann", 0), *records)
        first_unfinished = 1 + min(garbage)
        wait_until(
            lambda: scene.outside.committed().get(0, (-1,))[0] == first_unfinished,
            lambda: f"committed up to the first that is not finished; {scene.outside.committed()}\n{one.log}",
            20,
        )
        assert len(scene.outside.committed()[0].metadata) <= METADATA_BYTES_MAX
        scene.broker.create_topic(scene.dead_letter_topic)
        scene.wait_committed()
        assert 0 == one.stop()

    assert [] == scene.twice()
    assert GARBAGE == len(scene.letters())
