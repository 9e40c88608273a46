"""Death at every boundary between two effects, against a real broker: nothing lost, order kept, few twice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from consumer.emulator.server import Emulator, running_emulator
from tests.real_broker.broker import Broker
from tests.real_broker.kill_points import (
    BATCH_EVENTS_MAX,
    DIED,
    IN_FLIGHT_MAX,
    KILL_POINTS,
    REQUEST_SECONDS,
    UNCOMMITTED_EVENTS_MAX,
    KillPoint,
    Scene,
    find,
)
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.real_broker.topics import Committed, Letter, Outside, letters, producing

AT_ONCE: Final = 4
"""How many cases run beside each other: most of a case is waiting for the dead member's session to end."""
PARTITIONS: Final = 2
USERS: Final = 8
ROUNDS: Final = 5
REFUSED: Final = "Refused"


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is found outside when all is over."""

    code: int
    log: str
    places: dict[str, tuple[int, int]]
    """Insert id → partition and offset; of what is no event to deliver: its value."""
    at_death: dict[int, Committed]
    accepted_at_death: set[str]
    """Insert ids."""
    sent: dict[str, list[str]]
    """User → insert ids as accepted, introductions left out."""
    letters: list[Letter]
    before_identify: int
    last_code: int


def records() -> list[tuple[str, bytes]]:
    """Every user's identify and tracks, in rounds; one user without identify; two unreadable, two refused."""
    made = []
    users = [f"user-{number}" for number in range(USERS)]
    for round_ in range(ROUNDS):
        for user in users:
            body: dict[str, Any] = {"type": "track", "userId": user, "messageId": f"{user}-{round_}", "event": "E"}
            if round_ == 0:
                body |= {"type": "identify", "traits": {"plan": "pro"}}
            if round_ == 2 and user in users[:2]:
                body["event"] = REFUSED
            made.append((user, json.dumps(body).encode()))
        stranger = {"type": "track", "userId": "stranger", "messageId": f"stranger-{round_}", "event": "E"}
        made.append(("stranger", json.dumps(stranger).encode()))
        if round_ in (1, 3):
            made.append((users[round_], f"unreadable {round_}".encode()))
    return made


def insert_id(value: bytes) -> str | None:
    """Of an event that is to be delivered."""
    if value.startswith(b"unreadable"):
        return None
    body = json.loads(value)
    return None if body.get("event") == REFUSED else str(body["messageId"])


def play(point: KillPoint, broker: Broker, folder: Path) -> Aftermath:
    """One case, from an empty topic to an aftermath."""
    topic = f"kill-{KILL_POINTS.index(point)}"
    broker.create_topic(topic, PARTITIONS)
    there = producing(broker.bootstrap_servers, topic)(*records())
    properties = {"session.timeout.ms": 3000, "heartbeat.interval.ms": 500}
    settings = {
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CUSTOMFIT_KAFKA_TOPIC": topic,
        "CUSTOMFIT_KAFKA_GROUP_ID": topic,
        "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps(properties),
        "CUSTOMFIT_IN_FLIGHT_MAX": str(IN_FLIGHT_MAX),
        "CUSTOMFIT_BATCH_EVENTS_MAX": str(BATCH_EVENTS_MAX),
    }
    if point.scene is Scene.WORK:
        settings |= {
            "CUSTOMFIT_COMMIT_INTERVAL_SECONDS": "0.2",
            "CUSTOMFIT_UNCOMMITTED_EVENTS_MAX": str(UNCOMMITTED_EVENTS_MAX),
        }
    else:
        settings["CUSTOMFIT_COMMIT_INTERVAL_SECONDS"] = "60"  # the first is made at once, when nothing is finished
    emulator = Emulator(keys=frozenset({KEY}))
    emulator.faults.change({"latency_seconds": REQUEST_SECONDS, "refuse_names": [REFUSED]})
    outside = Outside(broker.bootstrap_servers, topic, topic, PARTITIONS)
    with running_emulator(emulator):
        settings["CUSTOMFIT_API_URL"] = emulator.url
        command = ["-m", "tests.real_broker.kill_points", point.name]
        with Service(folder, settings, name="dying", command=command) as dying:
            if point.scene is not Scene.WORK:
                wait_until(lambda: dying.total("customfit_events_consumed_total") == len(there), "all read")
                wait_until(lambda: dying.total("customfit_events_unfinished") == 0, "all finished")
            if point.scene is Scene.STOP:
                dying.process.terminate()
            survivor = _start_survivor(point, folder, settings, dying)
        with survivor:
            at_death, accepted_at_death = outside.committed(), _accepted(emulator)
            survivor.wait_ready()
            wait_until(outside.all_committed, "all committed")
            last_code = survivor.stop()
    outside.close()
    return Aftermath(
        code=dying.process.returncode,
        log=dying.log,
        places={insert_id(value) or value.decode(): place for place, value in there.items()},
        at_death=at_death,
        accepted_at_death=accepted_at_death,
        sent=_sent(emulator),
        letters=letters(broker.bootstrap_servers, f"{topic}.customfit-dlq"),
        before_identify=emulator.ledger.summary()["identifies_first_violations"],
        last_code=last_code,
    )


def _start_survivor(point: KillPoint, folder: Path, settings: dict[str, str], dying: Service) -> Service:
    """Who goes on, with the same state folder; beside the dying one where that has to give something back."""
    settings = settings | {"CUSTOMFIT_COMMIT_INTERVAL_SECONDS": "0.2"}
    if point.scene is Scene.REVOKE:
        survivor = Service(folder, settings | {"CUSTOMFIT_STATE_DIR": str(folder / "other")}, name="survivor")
        try:
            dying.ended()
        except BaseException:
            survivor.kill()
            raise
        return survivor
    dying.ended()
    return Service(folder, settings, name="survivor")


def _accepted(emulator: Emulator) -> set[str]:
    return {one for entry in emulator.ledger.entries() for one in entry.insert_ids}


def _sent(emulator: Emulator) -> dict[str, list[str]]:
    sent: dict[str, list[str]] = {}
    for entry in emulator.ledger.entries():
        if entry.identify != "introduction":
            sent.setdefault(entry.user_id, []).extend(entry.insert_ids)
    return sent


@pytest.fixture(scope="module")
def aftermaths(
    request: pytest.FixtureRequest, broker: Broker, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Future[Aftermath]]]:
    """The cases that were asked for, a few at a time, started all at once."""
    asked = [item.callspec.params.get("point") for item in request.session.items if hasattr(item, "callspec")]
    points = [point for point in KILL_POINTS if point in asked]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {p.name: pool.submit(play, p, broker, tmp_path_factory.mktemp("kill-point")) for p in points}
        pool.shutdown(cancel_futures=True)


@pytest.mark.sampled(6)
@pytest.mark.parametrize("point", KILL_POINTS, ids=lambda point: point.name)
def test_death_between_two_effects(point: KillPoint, aftermaths: dict[str, Future[Aftermath]]) -> None:
    """It died there; then nothing is lost, order is kept, identifies are first, and few come twice."""
    found = aftermaths[point.name].result()
    wanted: dict[str, list[str]] = {}
    for user, value in records():
        if (one := insert_id(value)) is not None:
            wanted.setdefault(user, []).append(one)
    twice = Counter(one for ids in found.sent.values() for one in ids)
    again = [one for one, count in twice.items() for _ in range(count - 1)]
    at_risk = {
        one
        for one, (partition, offset) in found.places.items()
        if not (partition in found.at_death and found.at_death[partition].records(offset))
    }
    dead = Counter((letter.partition, letter.offset) for letter in found.letters)
    unread = {place for one, place in found.places.items() if one not in twice}

    assert (DIED, f"died: {point.name}") == (found.code, found.log.strip().splitlines()[-1])
    assert wanted == {user: list(dict.fromkeys(ids)) for user, ids in found.sent.items()}
    assert unread == set(dead)
    assert 0 == found.before_identify
    assert set() == twice.keys() - at_risk - found.accepted_at_death, "committed before it was accepted"
    assert set() == set(again) - at_risk, "sent again though the commit says that it is finished"
    assert len(again) <= point.again_max
    assert set() == {place for place, count in dead.items() if count > 1} - {found.places[one] for one in at_risk}
    assert sum(count - 1 for count in dead.values()) <= point.letters_again_max
    assert 0 == found.last_code


@pytest.mark.parametrize("point", KILL_POINTS, ids=lambda point: point.name)
def test_a_kill_point_is_a_function_that_exists(point: KillPoint) -> None:
    """A row of the table that has lost its function is an error, not a case that never dies."""
    assert callable(find(point.function)[2])
