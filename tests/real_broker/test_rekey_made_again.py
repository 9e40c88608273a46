"""A source of `rekey` that was deleted and made again: its offsets begin anew, and its events are other events."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Sequence
from typing import Final

import pytest
from confluent_kafka import Consumer, TopicPartition

from consumer.emulator.server import Emulator
from tests.real_broker.rekeyed import RekeyScene
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.topics import Committed

USERS: Final = [f"user-{number}" for number in range(4)]
EVENTS: Final[Sequence[bytes]] = [
    *(json.dumps({"type": "track", "userId": user, "event": "E"}).encode() for user in USERS * 3),
    json.dumps({"batch": [{"type": "track", "userId": user, "event": "E"} for user in USERS]}).encode(),
]
"""None has a messageId: their insert_ids are made of where they lie."""
DELIVERED: Final = 4 * len(USERS)


def delivered(scene: RekeyScene, emulator: Emulator, topic: str, name: str) -> set[str]:
    """The insert_ids of what a `run` sends of a topic: each once, and one for each event."""
    entries = len(list(emulator.ledger.entries()))

    def sent() -> list[str]:
        new = [entry for entry in list(emulator.ledger.entries())[entries:] if entry.identify != "introduction"]
        return [insert_id for entry in new for insert_id in entry.insert_ids]

    with scene.reader(emulator, topic, name) as run:
        wait_until(lambda: len(sent()) >= DELIVERED, lambda: f"{len(sent())} delivered\n{run.log}")
        wait_until(run.caught_up, lambda: run.log)
        assert 0 == run.stop()
    assert DELIVERED == len(sent())
    return set(sent())


def restore(scene: RekeyScene, before: dict[int, Committed]) -> None:
    """The commits of the earlier topic, metadata and all: as if the broker had not forgotten them yet."""
    somebody = Consumer({"bootstrap.servers": scene.broker.bootstrap_servers, "group.id": scene.group})
    restored = [TopicPartition(scene.topic, number, *one) for number, one in before.items()]
    somebody.commit(offsets=restored, asynchronous=False)
    somebody.close()


def run_the_command(scene: RekeyScene, rekeyer: Service) -> None:
    """That it has named when it ended."""
    [*_, command] = re.findall(r"kafka-consumer-groups\.sh [^;\n\"]*--execute", rekeyer.log)
    _, *arguments = shlex.split(command)
    scene.broker.tool("org.apache.kafka.tools.consumer.group.ConsumerGroupCommand", *arguments)


@pytest.mark.long
@pytest.mark.parametrize("commits", ["forgotten", "restored"])
def test_events_of_a_source_made_again_have_other_insert_ids(
    rekeying: RekeyScene, emulator: Emulator, commits: str
) -> None:
    """At the same offsets, without messageId; and each has the insert_id that `run` of the source itself gives it."""
    rekeying.produce(EVENTS)
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        before = rekeying.outside.committed()
        first = delivered(rekeying, emulator, rekeying.target, "rekeyed")
        assert delivered(rekeying, emulator, rekeying.topic, "direct") == first

        rekeying.make_source_again()
        assert 69 == rekeyer.ended(), "it ends by itself when it sees it"
        wait_until(lambda: not rekeying.outside.committed(), "the broker forgets the commits of a deleted topic")
        rekeying.produce(EVENTS)
        if commits == "restored":
            restore(rekeying, before)
            rekeyer.restart()
            assert 69 == rekeyer.ended(), "its offsets are another topic's"
            run_the_command(rekeying, rekeyer)
        rekeyer.restart()
        rekeying.wait_rekeyed(rekeyer)
        second = delivered(rekeying, emulator, rekeying.target, "rekeyed")
        assert delivered(rekeying, emulator, rekeying.topic, "direct") == second
        assert 0 == rekeyer.stop()
        rekeying.produce(EVENTS, first=len(EVENTS))
        rekeyer.restart()
        rekeying.wait_rekeyed(rekeyer)
        third = delivered(rekeying, emulator, rekeying.target, "rekeyed")
        assert 0 == rekeyer.stop()

    assert set() == first & second
    assert DELIVERED == len(second)
    lives = {insert_id.rpartition("@")[2] for insert_id in second | third}
    assert 1 == len(lives), "it remembers that the topic is a later one"
    assert DELIVERED == len(third - first - second)


def test_offsets_that_were_reset_repeat_the_insert_ids(rekeying: RekeyScene, emulator: Emulator) -> None:
    """It is the same topic: what is written once more are the same events to CustomFit."""
    rekeying.produce(EVENTS)
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        assert 0 == rekeyer.stop()
        first = delivered(rekeying, emulator, rekeying.target, "rekeyed")
        rekeying.broker.tool(
            "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
            *("--bootstrap-server", rekeying.broker.bootstrap_servers, "--group", rekeying.group),
            *("--topic", rekeying.topic, "--reset-offsets", "--to-earliest", "--execute"),
        )
        rekeyer.restart()
        rekeying.wait_rekeyed(rekeyer)
        assert 0 == rekeyer.stop()
    assert first == delivered(rekeying, emulator, rekeying.target, "rekeyed")
