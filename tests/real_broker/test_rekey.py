"""A topic without keys is written anew under its users' keys: each record once, each user's in order."""

from __future__ import annotations

import json
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka.admin import NewPartitions

from consumer.emulator.server import Emulator
from consumer.kafka.murmur2 import partition_of
from tests.real_broker.broker import Broker
from tests.real_broker.kill_points import DIED, KillPoint
from tests.real_broker.kill_points import Scene as KillScene
from tests.real_broker.rekey_kill_points import REKEY_KILL_POINTS
from tests.real_broker.rekeyed import Order, RekeyScene, Target, committed, order_of, places, twice
from tests.real_broker.running_service import KEY, Service, wait_until

EVENTS: Final = 600
USERS: Final = 20


@pytest.fixture
def partitions() -> int:
    """Of the source."""
    return 3


def event(number: int, **fields: Any) -> bytes:
    """Of one of the users in turn: their first is an identify."""
    user = f"user-{number % USERS}"
    body = {"type": "track", "userId": user, "messageId": f"m-{number}", "event": "E", **fields}
    if number < USERS:
        body |= {"type": "identify", "traits": {"plan": "pro"}}
    return json.dumps(body).encode()


def events(count: int = EVENTS, first: int = 0) -> list[bytes | None]:
    """So many, some of which nobody can read."""
    return [some(number) for number in range(first, first + count)]


def some(number: int) -> bytes | None:
    """An event, or what nobody can read."""
    return b"not json" if number % 50 == 49 else event(number)


def must_be_whole(scene: RekeyScene) -> None:
    """Nothing lost, nothing twice, each user in the partition of their key."""
    written = scene.written()
    assert [] == twice(written)
    assert places(scene.source()) == {one.origin for one in written}
    count = len({one.partition for one in written})
    assert count <= scene.partitions
    for one in written:
        if one.key is not None:
            assert partition_of(one.key, scene.partitions) == one.partition


def test_each_record_is_written_once_under_its_user_s_key(rekeying: RekeyScene) -> None:
    """Also what nobody can read, each with the time and the place that it had; batches are split."""
    rekeying.produce(events())
    batch = b'{"batch":[' + b",".join([event(9000), event(9001), event(9002)]) + b"]}"
    rekeying.produce([batch, None], first=EVENTS)
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        assert (200, "ready") == rekeyer.readiness()[:2]
        assert EVENTS + 4 == rekeyer.total("customfit_rekey_written_records_total")
        assert 1 == rekeyer.sample("customfit_rekey_records_total", end="split")
        wait_until(lambda: rekeyer.total("customfit_rekey_lag_seconds") == 0, lambda: rekeyer.log)
        assert 200 == rekeyer.get("/livez")[0]
        assert rekeying.target == rekeyer.json("/status")["target"]
        assert 0 == rekeyer.ask("health").returncode
        assert 0 == rekeyer.stop()
    must_be_whole(rekeying)
    written = rekeying.written()
    times = {(one.topic(), one.partition(), one.offset()): one.timestamp()[1] for one in rekeying.source()}
    assert all(times[one.origin] == one.timestamp_ms for one in written)
    assert [0, 1, 2] == sorted(one.item_index for one in written if one.item_index is not None)
    assert 0 == order_of(written).far
    assert "stopped as it was told" in rekeyer.log


def test_what_run_delivers_of_it(rekeying: RekeyScene, emulator: Emulator) -> None:
    """Every user's events in their order, and dead letters that name the record as it was produced; `audit` agrees."""
    rekeying.produce(events(USERS))
    # On a busy machine a record may be appended before one that was produced earlier, to another partition.
    rekeying.produce(events(EVENTS - USERS, first=USERS), first=USERS, pace_seconds=0.001)
    run = {
        "CUSTOMFIT_KAFKA_TOPIC": rekeying.target,
        "CUSTOMFIT_REKEYED": "true",
        "CUSTOMFIT_API_URL": emulator.url,
        "CUSTOMFIT_API_KEY": KEY,
    }
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": rekeying.broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_GROUP_ID": rekeying.topic,
            **run,
        }
        with Service(rekeying.folder, environ, name="run") as service:
            delivered = EVENTS - EVENTS // 50
            wait_until(lambda: emulator.ledger.summary()["events"] >= delivered, lambda: service.log)
            wait_until(service.caught_up, lambda: service.log)
            keyed = service.sample("customfit_records_keyed_total", key="user")
            assert 1 == service.sample("customfit_rekeyed")
            ledger = rekeying.folder / "ledger.jsonl"
            ledger.write_bytes(b"".join(line + b"\n" for line in emulator.ledger.lines()))
            audited = service.ask("audit", "--from", "-1h", "--to", "now", "--ledger", str(ledger), "--json")
            assert 0 == service.stop()
        assert 0 == rekeyer.stop()
    assert delivered == keyed
    assert 0 == audited.returncode, audited.stderr
    verdict = json.loads(audited.stdout.splitlines()[-1])
    assert {"undecodable": EVENTS // 50} == verdict["reasons"]["dead_lettered"]
    assert (0, delivered) == (verdict["gaps"], verdict["events"]["delivered"])
    summary = emulator.ledger.summary()
    assert (delivered, 0) == (summary["events"], summary["identifies_first_violations"])
    sent: dict[str, list[int]] = {}
    for entry in emulator.ledger.entries():
        sent.setdefault(entry.user_id, []).extend(int(one.removeprefix("m-")) for one in entry.insert_ids)
    written = rekeying.written()
    assert 0 == order_of(written).far
    assert _numbers_by_user(written) == sent
    letters = committed(rekeying.broker.bootstrap_servers, f"{rekeying.target}.customfit-dlq")
    garbage = {place for place, value in _source_values(rekeying).items() if value == b"not json"}
    named = {_origin_of(letter) for letter in letters}
    assert garbage == named


def test_two_rekeyers_share_the_partitions_and_write_nothing_twice(rekeying: RekeyScene) -> None:
    """One joins while the other works, and one is killed."""
    rekeying.produce(events(3000))
    with rekeying.rekeyer("one") as one:
        wait_until(lambda: one.total("customfit_rekey_written_records_total") > 0, lambda: one.log)
        with rekeying.rekeyer("two") as two:
            wait_until(lambda: two.total("customfit_rekey_lag_events") >= 0, lambda: two.log)
            rekeying.produce(events(3000, first=3000), first=3000)
            wait_until(lambda: two.total("customfit_rekey_written_records_total") > 0, lambda: two.log)
            one.kill()
            rekeying.produce(events(500, first=6000), first=6000)
            rekeying.wait_rekeyed(two)
            assert 0 == two.stop()
    must_be_whole(rekeying)


def test_one_that_stood_still_writes_nothing_twice(rekeying: RekeyScene) -> None:
    """Its partitions were given to another meanwhile: what it had in hand is refused."""
    rekeying.produce(events(2000))
    with rekeying.rekeyer("one") as one:
        wait_until(lambda: one.total("customfit_rekey_written_records_total") > 0, lambda: one.log)
        rekeying.produce(events(3000, first=2000), first=2000)
        one.process.send_signal(signal.SIGSTOP)
        with rekeying.rekeyer("two") as two:
            rekeying.produce(events(500, first=5000), first=5000)
            rekeying.wait_rekeyed(two)
            one.process.send_signal(signal.SIGCONT)
            rekeying.produce(events(500, first=5500), first=5500)
            rekeying.wait_rekeyed(two)
            assert 0 == two.stop()
        rekeying.produce(events(500, first=6000), first=6000)
        rekeying.wait_rekeyed(one)
        assert 0 == one.stop()
    must_be_whole(rekeying)


def test_a_target_that_grows_stops_it_until_somebody_accepts(rekeying: RekeyScene, emulator: Emulator) -> None:
    """And not before `run` has delivered what was written with the old number of partitions."""
    rekeying.produce(events())
    with rekeying.rekeyer() as rekeyer:
        rekeying.wait_rekeyed(rekeyer)
        admin = rekeying.broker._admin
        admin.create_partitions([NewPartitions(rekeying.target, 5)])[rekeying.target].result(10)
        assert 69 == rekeyer.process.wait(30)
        assert "has 5 partitions, and was written with 3" in rekeyer.log
        rekeying.produce(events(100, first=EVENTS), first=EVENTS)
        rekeyer.restart()
        assert 69 == rekeyer.process.wait(30), "it does not start either"
        with rekeying.rekeyer("early", "--accept-growth") as early:
            assert 69 == early.process.wait(30)
            assert "events of it to deliver" in early.log
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": rekeying.broker.bootstrap_servers,
            "CUSTOMFIT_KAFKA_GROUP_ID": rekeying.topic,
            "CUSTOMFIT_KAFKA_TOPIC": rekeying.target,
            "CUSTOMFIT_REKEYED": "true",
            "CUSTOMFIT_API_URL": emulator.url,
        }
        with Service(rekeying.folder, environ, name="run") as service:
            wait_until(lambda: emulator.ledger.summary()["events"] >= EVENTS - EVENTS // 50, lambda: service.log)
            wait_until(service.caught_up, lambda: service.log)
            assert 0 == service.stop()
        rekeyer.restart()
        assert 69 == rekeyer.process.wait(30), "nobody has accepted it"
    with rekeying.rekeyer("accepts", "--accept-growth") as accepts:
        rekeying.wait_rekeyed(accepts)
        assert 0 == accepts.stop()
    with rekeying.rekeyer("later") as later:
        later.wait_ready()
        assert 0 == later.stop()
    written = rekeying.written()
    assert [] == twice(written)
    assert places(rekeying.source()) == {one.origin for one in written}
    new = [one for one in written if one.key is not None and one.origin[2] >= EVENTS // 3 and one.key != b""]
    assert {partition_of(one.key or b"", 5) for one in new} == {one.partition for one in new}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("point", REKEY_KILL_POINTS, ids=lambda point: point.name)
def test_death_between_two_effects(point: KillPoint, broker: Broker, topic_name: str, tmp_path: Path) -> None:
    """0 lost and 0 twice, wherever it dies."""
    scene = RekeyScene(broker, topic_name, tmp_path, 3)
    scene.produce(events())
    command = ["-m", "tests.real_broker.rekey_kill_points", point.name]
    with scene.rekeyer("dying", command=command) as dying:
        if point.scene is KillScene.STOP:
            scene.wait_rekeyed(dying)
            dying.process.terminate()
        else:
            # However slow the machine is, there is something for the next transaction.
            scene.produce_while(lambda: dying.process.poll() is None, some)
        assert DIED == dying.ended(), dying.log
    with scene.rekeyer("next") as survivor:
        scene.produce(events(100))
        scene.wait_rekeyed(survivor)
        assert 0 == survivor.stop()
    must_be_whole(scene)
    scene.outside.close()


@pytest.mark.long
@pytest.mark.parametrize("partitions", [6])
@pytest.mark.parametrize("pace_seconds", [0.0, 0.0005], ids=["backlog", "live"])
def test_the_order_of_200_000_events(rekeying: RekeyScene, pace_seconds: float) -> None:
    """One rekeyer, round robin over 6 partitions: no event of a user is behind one that is 5 ms newer or more."""
    count = 200_000 if not pace_seconds else 30_000
    values = [event(number) for number in range(count)]
    if not pace_seconds:
        rekeying.produce(values)
    with rekeying.rekeyer() as rekeyer:
        if pace_seconds:
            rekeyer.wait_ready()
            rekeying.produce(values, pace_seconds=pace_seconds)
        rekeying.wait_rekeyed(rekeyer)
        names = ("transactions_total", "transaction_seconds_total", "older_records_total")
        print(
            {name: rekeyer.total(f"customfit_rekey_{name}") for name in names},
            rekeyer.total("process_cpu_seconds_total"),
        )
        assert 0 == rekeyer.stop()
    written = rekeying.written()
    assert [] == twice(written)
    order = order_of(written)
    print(order)
    assert Order(0, order.near, count) == order


def _numbers_by_user(written: Sequence[Target]) -> dict[str, list[int]]:
    """In the order of the target."""
    numbers: dict[str, list[int]] = {}
    for body in (json.loads(one.value or b"") for one in written if one.key is not None):
        numbers.setdefault(body["userId"], []).append(int(body["messageId"].removeprefix("m-")))
    return numbers


def _source_values(scene: RekeyScene) -> dict[tuple[str, int, int], bytes | None]:
    return {(one.topic(), one.partition(), one.offset()): one.value() for one in scene.source()}


def _origin_of(letter: Any) -> tuple[str, int, int]:
    headers = {name: value.decode() for name, value in letter.headers()}
    place = headers["__connect.errors.partition"], headers["__connect.errors.offset"]
    return headers["__connect.errors.topic"], int(place[0]), int(place[1])
