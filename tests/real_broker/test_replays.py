"""`dlq replay` against a real broker: the service delivers what is replayed, each event once and in its order."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, Producer, TopicPartition

from consumer.cli.reading import work
from consumer.cli.replay import Replay
from consumer.dead_letters.selection import Filters
from consumer.emulator.server import Emulator
from consumer.settings import load_settings
from tests.real_broker.broker import Broker
from tests.real_broker.given_letters import (
    PARTITIONS,
    Sent,
    arrived,
    command,
    committed_records,
    dead_lettered,
    environment,
    identify,
    listed,
    producing_events,
    replay,
    run,
    track,
)
from tests.real_broker.running_service import Service, wait_until


@pytest.fixture
def partitions() -> int:
    """Of the topic."""
    return PARTITIONS


@pytest.fixture
def settings(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of service and commands; the service makes the other topics."""
    return environment(settings, tmp_path)


@pytest.fixture
def produce(broker: Broker, topic_name: str) -> Callable[..., Sent]:
    """Produce events, keyed by their user."""
    return producing_events(broker, topic_name)


def test_refused_events_are_replayed_once_in_order(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., Sent]
) -> None:
    """They arrive under the insert_id of their first place, each user's in order; a second replay finds nothing."""
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    users = ["ann", "bob", "cid", "dan"]
    emulator.faults.change({"refuse_names": ["Poison"]})
    produce(*(identify(user) for user in users))
    numbers = {user: range(index * 100, index * 100 + 10) for index, user in enumerate(users)}
    where = produce(*(track(user, n) for i in range(10) for user, own in numbers.items() for n in [own[i]]))
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 40)
        waiting = listed(settings, "--limit", "0")
        emulator.faults.change({"refuse_names": []})
        first, second = replay(settings), replay(settings)
        wait_until(lambda: emulator.ledger.summary()["events"] == 4 + 40, "the replays")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert 40 == len(waiting)
    assert {("refused", "track", "400")} == {(letter["reason"], letter["type"], letter["status"]) for letter in waiting}
    assert {"refused": 40} == first["replayed"]
    assert ({}, 40) == (second["replayed"], second["replayed_before"])
    assert [] == listed(settings)
    assert 40 == sum(letter["replayed"] for letter in listed(settings, "--all"))
    for user in users:
        places = [where[str(n)] for n in numbers[user]]
        assert [f"identify-{user}", *(f"{topic}-{p}-{o}" for p, o in places)] == arrived(emulator, user)


def test_what_fails_again_keeps_its_first_place(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., Sent], broker: Broker
) -> None:
    """A replay that is refused is a dead letter of the first record again, in the first record's time and headers."""
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    emulator.faults.change({"refuse_names": ["Poison"]})
    produce(identify("ann"))
    where = produce(track("ann", 1), track("ann", 2))
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 2)
        assert {"refused": 2} == replay(settings)["replayed"]
        dead_lettered(service, 4)
        again = listed(settings)
        emulator.faults.change({"refuse_names": []})
        assert {"refused": 2} == replay(settings)["replayed"]
        wait_until(lambda: len(arrived(emulator, "ann")) == 3, "the second replays")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    expected = [where["1"], where["2"]]
    assert [(topic, *place, 1) for place in expected] == [
        (*letter["origin"].values(), letter["replays"]) for letter in again
    ]
    assert ["identify-ann", *(f"{topic}-{p}-{o}" for p, o in expected)] == arrived(emulator, "ann")
    letters = committed_records(broker, f"{topic}.customfit-dlq")
    sources = {message.offset(): message for message in committed_records(broker, topic)}
    assert 4 == len(letters)
    for letter in letters:
        headers = cast("list[tuple[str, bytes]]", letter.headers())
        names = [name for name, _ in headers]
        offset = int(dict(headers)["__connect.errors.offset"])
        assert 1 == names.count("__connect.errors.topic")
        assert 1 == names.count("customfit.timestamp")
        assert sources[offset].timestamp()[1] == int(dict(headers)["customfit.timestamp"])
        assert TIMESTAMP_LOG_APPEND_TIME == letter.timestamp()[0]
        assert sources[offset].value() == letter.value()


def test_killed_at_any_moment_each_is_replayed_once(
    tmp_path: Path, settings: dict[str, str], broker: Broker, produce: Callable[..., Sent]
) -> None:
    """With kill -9 in the middle, again and again, then to the end: every record once, in the order of its origin."""
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    values = [f"garbage {n:05}" for n in range(6000)]
    for key in ("a", "b", "c", "d"):
        produce(*(f"{value} {key}" for value in values[:1500]), key=key)
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 6000)
        assert 0 == service.stop()
    replays = f"{topic}.customfit-replay"
    watcher = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "watcher"})

    def written() -> int:
        """Uncommitted ones too."""
        return watcher.get_watermark_offsets(TopicPartition(replays, 0), timeout=60)[1]

    committed = []
    for _ in range(4):
        before = written()
        process = command(settings, "dlq", "replay", "--json")

        def under_way(before: int = before, process: subprocess.Popen[str] = process) -> bool:
            return written() > before or process.poll() is not None

        wait_until(under_way, "records in the replay topic")
        process.kill()
        process.communicate()
        committed.append(len(committed_records(broker, replays)))
    watcher.close()
    last = replay(settings)

    assert committed[0] < 6000, "it was killed too late to prove anything"
    assert 6000 == last["replayed_before"] + sum(last["replayed"].values())
    records = committed_records(broker, replays)
    found = [cast("bytes", record.value()).decode() for record in records]
    assert sorted(found) == sorted(f"{value} {key}" for value in values[:1500] for key in "abcd")
    for key in "abcd":
        own = [value for value in found if value.endswith(key)]
        assert sorted(own) == own


def test_two_replays_at_once_send_each_once(
    tmp_path: Path, settings: dict[str, str], broker: Broker, produce: Callable[..., Sent]
) -> None:
    """The later one fences the earlier one off, which says so; nothing is there twice."""
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    values = [f"garbage {n:05}" for n in range(5000)]
    produce(*values, key="a")
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, len(values))
        assert 0 == service.stop()
    processes = [command(settings, "dlq", "replay") for _ in range(3)]
    ends = [(process.communicate(timeout=120), process.returncode) for process in processes]
    replay(settings)

    for (_, error), code in ends:
        assert code == 0 or (code == 1 and "another `dlq replay` has started" in error), (code, error)
    records = committed_records(broker, f"{topic}.customfit-replay")
    assert values == [cast("bytes", record.value()).decode() for record in records]


def test_what_was_replayed_meanwhile_is_seen(
    tmp_path: Path, settings: dict[str, str], produce: Callable[..., Sent]
) -> None:
    """While one replay waits for a yes, another sends all: the first looks again before it writes."""
    produce("garbage 1", "garbage 2", key="a")
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 2)
        assert 0 == service.stop()
    loaded = load_settings(settings, api_key_required=False)
    with work(loaded) as (reader, interrupts):
        waits = Replay(loaded, reader, interrupts, shown=False, identifies=False)
        waits.survey(Filters(), None, 1000)
        chosen = len(waits.chosen)
        other = replay(settings)
        waits.write()

    assert (2, {"undecodable": 2}) == (chosen, other["replayed"])
    assert ({}, 2) == (waits.counts(dry_run=False)["replayed"], waits.counts(dry_run=False)["replayed_before"])


def test_items_of_batches_are_replayed_alone(
    tmp_path: Path, settings: dict[str, str], broker: Broker, emulator: Emulator, produce: Callable[..., Sent]
) -> None:
    """From letters of one item, and from those of earlier versions, which hold the whole batch: each once, as it was.

    The batch's `integrations` forbid what does not name this destination itself; its sentAt is the time of all.
    """
    topic = settings["CUSTOMFIT_KAFKA_TOPIC"]
    sent = {"integrations": {"CustomFit.ai": True}}
    items = [identify("ann") | sent, track("ann", 1) | sent, {"type": "track", "userId": "ann"} | sent, track("ann", 2)]
    batch = json.dumps({"batch": items, "sentAt": "2026-01-03T00:00:00Z", "integrations": {"All": False}})
    emulator.faults.change({"refuse_names": ["Poison"]})
    (number, offset) = produce(batch, key="ann")[batch]
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 2)
        [refused, invalid] = sorted(listed(settings), key=lambda letter: letter["reason"], reverse=True)
        shown = json.loads(run(settings, "dlq", "show", f"{refused['partition']}:{refused['offset']}", "--json"))
        write_whole_batch_letter(broker, topic, number, batch, item_index=1)
        earlier = [letter for letter in listed(settings) if letter["origin"]["offset"] == 77]
        emulator.faults.change({"refuse_names": []})
        first = replay(settings)
        wait_until(lambda: len(arrived(emulator, "ann")) == 3, "the replays")
        dead_lettered(service, 3)
        second = replay(settings, "--dry-run")
        assert 0 == service.stop()

    assert [("refused", "track", "ann", 1)] == [seen_as(refused)]
    assert [("refused", "track", "ann", 1)] == [seen_as(letter) for letter in earlier]
    assert ("invalid_event", 2) == (invalid["reason"], invalid["item_index"])
    assert [items[1]] == json.loads(shown["value"])["batch"]
    assert {"refused": 2, "invalid_event": 1} == first["replayed"]
    assert {"invalid_event": 1} == second["to_be_replayed"]
    assert {"identify-ann", f"{topic}-{number}-{offset}-1", f"{topic}-{number}-77-1"} == set(arrived(emulator, "ann"))
    assert [(2, 1)] == [(letter["item_index"], letter["replays"]) for letter in listed(settings)]


def seen_as(letter: dict[str, Any]) -> tuple[Any, ...]:
    """What `dlq list` says of the event itself."""
    return letter["reason"], letter["type"], letter["user"], letter["item_index"]


def write_whole_batch_letter(broker: Broker, topic: str, number: int, batch: str, *, item_index: int) -> None:
    """A dead letter of an item as earlier versions wrote it, of the record at offset 77."""
    headers: list[tuple[str, str | bytes | None]] = [
        ("__connect.errors.topic", topic),
        ("__connect.errors.partition", str(number)),
        ("__connect.errors.offset", "77"),
        ("customfit.reason", "refused"),
        ("customfit.timestamp", "1795428000456"),
        ("customfit.batch_index", str(item_index)),
    ]
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(f"{topic}.customfit-dlq", batch, "ann", partition=number, headers=headers)
    assert producer.flush(30) == 0


def test_a_dead_letter_without_its_value_stays(
    tmp_path: Path, settings: dict[str, str], broker: Broker, produce: Callable[..., Sent]
) -> None:
    """What the topic could not take can't be replayed, which is said; the others go."""
    broker.create_topic(
        f"{settings['CUSTOMFIT_KAFKA_TOPIC']}.customfit-dlq", PARTITIONS, {"max.message.bytes": "20000"}
    )
    produce(*(f"garbage {n} {'x' * 700}" for n in range(100)), "garbage " * 10_000, key="ann")
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 101)
        assert 0 == service.stop()
    done = replay(settings)

    assert ({"undecodable": 100}, 1) == (done["replayed"], done["left"]["value_omitted"])
    assert [True] == [letter["value_omitted"] for letter in listed(settings)]


def test_a_group_that_starts_at_the_end_reads_every_replay(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., Sent]
) -> None:
    """CUSTOMFIT_KAFKA_START=latest is for the source topic: what was replayed before the first look is delivered."""
    settings |= {"CUSTOMFIT_KAFKA_START": "latest"}
    emulator.faults.change({"refuse_names": ["Poison"]})
    with Service(tmp_path, settings).wait_ready() as service:
        produce(identify("ann"), track("ann", 1))
        dead_lettered(service, 1)
        assert 0 == service.stop()
        emulator.faults.change({"refuse_names": []})
        assert {"refused": 1} == replay(settings)["replayed"]
        service.restart()
        service.wait_ready()
        wait_until(lambda: len(arrived(emulator, "ann")) == 2, "the replay")
        assert 0 == service.stop()
