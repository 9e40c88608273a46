"""10,000 good events and 500 hostile records of every kind among them: the good ones do not notice."""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple, cast

import pytest
from confluent_kafka import Message, Producer
from confluent_kafka.schema_registry import Schema

from tests.fakes.hostile_records import CODECS, EVIL_SCHEMAS, SENT, Hostile, among, kinds
from tests.fakes.raw_producer import produce_with_headers
from tests.real_broker.avro_records import client_of
from tests.real_broker.registry import Registry
from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import Scene, event

pytestmark = pytest.mark.usefixtures("_there_is_a_registry")

USERS: Final = [f"user-{number}" for number in range(100)]
ROUNDS: Final = 100
HOSTILE: Final = 500
ABSENT_ID: Final = 999_999
Position = tuple[int, int]


class Produced(NamedTuple):
    """A hostile record, and where it lies."""

    hostile: Hostile
    position: Position


@pytest.fixture
def partitions() -> int:
    """Three, as the users are spread."""
    return 3


@pytest.fixture
def latency_seconds() -> float:
    """None."""
    return 0.0


def good_events() -> Iterator[tuple[str, bytes]]:
    """Round by round: everybody's identify, then tracks."""
    return (event(user, number) for number in range(ROUNDS) for user in USERS)


def produce(scene: Scene, records: Sequence[Hostile | None]) -> list[Produced]:
    """All of them, the good ones (None) in order; a hostile one has the key of some good user."""
    common = {"bootstrap.servers": scene.broker.bootstrap_servers, "partitioner": "murmur2_random", "log_level": 0}
    producers = {
        codec: Producer({**common, "compression.type": codec, "message.max.bytes": 10_000_000})
        for codec in ("none", *CODECS)
    }
    good, draw = good_events(), random.Random(2)
    produced: list[Produced] = []

    def note(hostile: Hostile, error: object, message: Message) -> None:
        assert error is None, f"{hostile.name}: {error}"
        produced.append(Produced(hostile, (cast("int", message.partition()), cast("int", message.offset()))))

    for one in records:
        if one is None:
            key, value = next(good)
            producers["none"].produce(scene.topic, value, key)
        else:
            producers[one.codec].produce(
                scene.topic,
                one.value,
                draw.choice(USERS),
                headers=list(one.headers),
                on_delivery=partial(note, one),
            )
    for producer in producers.values():
        assert producer.flush(30) == 0
    return produced


def finished(samples: dict[str, float]) -> dict[tuple[str, str], int]:
    """How many events ended how and why."""
    name = "customfit_events_finished_total"
    ends = {(end, reason): f'{name}{{outcome="{end}",reason="{reason}"}}' for end, reason in ENDS}
    return {end: int(samples[sample]) for end, sample in ends.items() if samples[sample]}


ENDS: Final = sorted({end for one in kinds(range(len(EVIL_SCHEMAS)), ABSENT_ID) for end in one.ends} | {SENT})


def test_hostile_records_among_good_ones_end_as_documented_and_stop_nothing(scene: Scene) -> None:
    """Every good event arrives in order; each hostile one is a dead letter under its reason, skipped, or sent."""
    with Registry() as registry, client_of(registry) as client:
        evil = [
            client.register_schema(f"evil-{number}", Schema(json.dumps(schema), "AVRO"))
            for number, schema in enumerate(EVIL_SCHEMAS)
        ]
        every = kinds(evil, ABSENT_ID)
        produced = produce(scene, among(len(USERS) * ROUNDS, HOSTILE, every))
        scene.settings["CUSTOMFIT_SCHEMA_REGISTRY_URL"] = registry.url
        with scene.member("one").wait_ready() as one:
            series = one.samples()
            scene.wait_committed()
            wanted = Counter(end for hostile, _ in produced for end in hostile.ends)
            wanted[SENT] += len(USERS) * ROUNDS
            wait_until(lambda: dict(wanted) == finished(one.samples()), "figures as new as the commit")
            samples = one.samples()
            assert 0 == one.stop()

    assert {hostile.name for hostile in every} == {hostile.name for hostile, _ in produced}
    assert HOSTILE == len(produced)
    good = {user: [f"{user}-{number}" for number in range(ROUNDS)] for user in USERS}
    assert good == {user: ids for user, ids in scene.sent().items() if user in good}
    assert 0 == scene.emulator.ledger.summary()["identifies_first_violations"]
    check_dead_letters(scene, produced)
    assert set() == {name for name in set(samples) - set(series) if "partition=" not in name}, "no label is a record's"
    assert [] == [part for part in ("Traceback", "\x1b", "\nERROR forged line") if part in one.log]


def test_a_header_that_no_client_of_python_s_can_read_stops_nothing(scene: Scene) -> None:
    """Its name is no UTF-8: the record goes on without its headers, as a dead letter where it is no event."""
    for value in (event("user-1", 0)[1], b"garbage", event("user-1", 1)[1]):
        produce_with_headers(scene.broker.bootstrap_servers, scene.topic, b"user-1", value, [b"\xff\xfe"])
    with scene.member("one").wait_ready() as one:
        scene.wait_committed()
        assert 0 == one.stop()

    assert {"user-1": ["user-1-0", "user-1-1"]} == scene.sent()
    assert [(b"garbage", "undecodable")] == [(letter.value, letter.reason) for letter in scene.letters()]
    assert "its headers are left out" in one.log


def check_dead_letters(scene: Scene, produced: list[Produced]) -> None:
    """The same records for the same reasons, each as it was or with how much was left out."""
    values: dict[Position, Any] = {position: hostile.value for hostile, position in produced}
    wanted = Counter(
        (position, reason)
        for hostile, position in produced
        for outcome, reason in hostile.ends
        if outcome == "dead_lettered"
    )
    letters = scene.letters()

    assert wanted == Counter(((letter.partition, letter.offset), letter.reason) for letter in letters)
    for letter in letters:
        value = values[letter.partition, letter.offset]
        omitted = letter.headers.get("customfit.value_omitted")
        if letter.headers.get("customfit.item_index") is not None:  # the item's own bytes, which may be no JSON
            item = (letter.value or b"").removeprefix(b'{"batch":[').removesuffix(b"]}")
            assert len(item) == len(letter.value or b"") - len(b'{"batch":[]}')
            assert item in value
            continue
        assert (value, None) == (letter.value, omitted) or (None, str(len(value))) == (letter.value, omitted)
