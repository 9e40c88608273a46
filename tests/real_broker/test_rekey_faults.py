"""`rekey` with a coordinator that does not answer, with Avro, and with many partitions."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from consumer.emulator.server import Emulator
from consumer.kafka.murmur2 import partition_of
from tests.real_broker.avro_records import OURS, client_of, serializer
from tests.real_broker.broker import Broker
from tests.real_broker.registry import Registry
from tests.real_broker.rekeyed import RekeyScene, places, twice
from tests.real_broker.running_service import wait_until

MANY: Final = 300
USERS: Final = 20


@pytest.fixture
def own_rekeying(_brokers_can_start: None, topic_name: str, tmp_path: Path, partitions: int) -> Iterator[RekeyScene]:
    """A source on a broker of the test's own."""
    with Broker() as broker:
        scene = RekeyScene(broker, topic_name, tmp_path, partitions)
        yield scene
        scene.outside.close()


def event(number: int) -> dict[str, object]:
    """Of one of the users in turn."""
    user = f"user-{number % USERS}"
    body: dict[str, object] = {"type": "track", "userId": user, "messageId": f"m-{number}", "event": "E"}
    return {**body, "timestamp": "2026-11-23T10:00:00.123Z"}


def some(number: int) -> bytes:
    """The same as JSON."""
    return json.dumps(event(number)).encode()


def must_be_whole(scene: RekeyScene) -> None:
    """Nothing lost, nothing twice."""
    written = scene.written()
    assert [] == twice(written)
    assert places(scene.source()) == {one.origin for one in written}


@pytest.mark.long
@pytest.mark.parametrize("seconds", [8, 75], ids=["for a while", "for longer than an answer is waited for"])
def test_a_coordinator_that_is_silent_loses_nothing(own_rekeying: RekeyScene, seconds: int) -> None:
    """It goes on by itself as soon as it is answered, and nothing is written twice."""
    scene = own_rekeying
    with scene.rekeyer() as rekeyer:
        made = scene.produce_while(lambda: rekeyer.total("customfit_rekey_written_records_total") < 500, some)
        scene.produce([some(number) for number in range(made, made + 3000)], first=made)
        scene.broker.freeze()
        try:
            wait_until(lambda: rekeyer.readiness().status_code == 503, lambda: f"not ready\n{rekeyer.log}")
            with pytest.raises(subprocess.TimeoutExpired):
                rekeyer.process.wait(seconds)
        finally:
            scene.broker.thaw()
        scene.produce([some(number) for number in range(100)])
        scene.wait_rekeyed(rekeyer)
        wait_until(rekeyer.ready, lambda: f"ready again; {rekeyer.readiness()}\n{rekeyer.log}")
        assert 0 == rekeyer.stop()
    must_be_whole(scene)


@pytest.mark.long
@pytest.mark.usefixtures("_there_is_a_registry")
def test_avro_is_written_byte_for_byte_under_its_user_s_key(rekeying: RekeyScene, emulator: Emulator) -> None:
    """And `run` of the target reads it by the same schema registry."""
    with Registry() as registry, client_of(registry) as client:
        ours = serializer(client, rekeying.topic, OURS)
        rekeying.settings["CUSTOMFIT_SCHEMA_REGISTRY_URL"] = registry.url
        rekeying.produce([ours(event(number)) for number in range(200)])
        with rekeying.rekeyer() as rekeyer:
            rekeying.wait_rekeyed(rekeyer)
            assert 0 == rekeyer.stop()
        with rekeying.reader(emulator, rekeying.target, "run") as run:
            wait_until(run.caught_up, lambda: run.log)
            assert 0 == run.stop()
    must_be_whole(rekeying)
    values = {(one.topic(), one.partition(), one.offset()): one.value() for one in rekeying.source()}
    for one in rekeying.written():
        number = one.origin[2] * rekeying.partitions + one.origin[1]
        key = f"user-{number % USERS}".encode()
        assert (key, values[one.origin]) == (one.key, one.value)
        assert partition_of(key, rekeying.partitions) == one.partition
    sent = [one for entry in emulator.ledger.entries() if entry.identify != "introduction" for one in entry.insert_ids]
    assert sorted(f"m-{number}" for number in range(200)) == sorted(sent)


@pytest.mark.long
@pytest.mark.parametrize("partitions", [MANY])
def test_three_hundred_partitions_come_through(own_rekeying: RekeyScene) -> None:
    """Each record once; and those without new records hold back nobody."""
    scene = own_rekeying
    scene.produce([some(number) for number in range(10 * MANY)])
    with scene.rekeyer() as rekeyer:
        scene.wait_rekeyed(rekeyer)
        scene.produce([some(number) for number in range(50)])  # the other partitions are idle
        scene.wait_rekeyed(rekeyer)
        assert 0 == rekeyer.stop()
    must_be_whole(scene)
