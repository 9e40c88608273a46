"""`dlq`, `lag` and `user` against a real broker: dead letters that the service made, replayed, and delivered by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import TIMESTAMP_LOG_APPEND_TIME, Consumer, Message, Producer, TopicPartition

from consumer.cli.reading import work
from consumer.cli.replay import Replay
from consumer.dead_letters.selection import Filters
from consumer.emulator.server import Emulator
from consumer.settings import load_settings
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import Service, wait_until

PARTITIONS = 3
Sent = dict[str, tuple[int, int]]


@pytest.fixture
def partitions() -> int:
    """Of the topic."""
    return PARTITIONS


@pytest.fixture
def settings(settings: dict[str, str], tmp_path: Path) -> dict[str, str]:
    """The environment of service and commands; the service makes the other topics."""
    return settings | {"CUSTOMFIT_STATE_DIR": str(tmp_path / "state"), "CUSTOMFIT_DEAD_LETTER_RATIO_MAX": "1"}


@pytest.fixture
def produce(broker: Broker, topic_name: str) -> Callable[..., Sent]:
    """Produce events, keyed by their user; gives each one's partition and offset, by its `properties.n` or value."""
    producer = Producer(
        # Idempotent, because a batch that a new topic's leader refused at first would come behind later ones.
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "partitioner": "murmur2_random",
            "enable.idempotence": True,
        }
    )

    def send(*events: dict[str, Any] | str, key: str | None = None) -> Sent:
        where: Sent = {}
        for event in events:
            value = event if isinstance(event, str) else json.dumps(event)
            name = event if isinstance(event, str) else str(event.get("properties", {}).get("n", ""))

            def note(_error: object, message: Message, name: str = name) -> None:
                where[name] = (message.partition() or 0, message.offset() or 0)

            producer.produce(topic_name, value, key or cast("dict[str, Any]", event)["userId"], on_delivery=note)
        assert producer.flush(30) == 0
        return where

    return send


def command(settings: Mapping[str, str], *arguments: str) -> subprocess.Popen[str]:
    """Start a command with these settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
    return subprocess.Popen(
        [sys.executable, "-m", "consumer", *arguments],
        env={**inherited, **settings},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        text=True,
    )


def run(settings: Mapping[str, str], *arguments: str, code: int = 0) -> str:
    """What a command prints, after it ended with this code."""
    process = command(settings, *arguments)
    out, error = process.communicate(timeout=120)
    assert code == process.returncode, error
    return out + (error if code else "")


def listed(settings: Mapping[str, str], *options: str) -> list[dict[str, Any]]:
    """What `dlq list` shows."""
    return [json.loads(line) for line in run(settings, "dlq", "list", "--json", *options).splitlines()]


def replay(settings: Mapping[str, str], *options: str) -> dict[str, Any]:
    """What `dlq replay` says of itself."""
    said: dict[str, Any] = json.loads(run(settings, "dlq", "replay", "--json", *options))
    return said


def committed_records(broker: Broker, topic: str) -> list[Message]:
    """Every committed record of a topic, partition by partition."""
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "reader",
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    partitions = consumer.list_topics(topic, timeout=10).topics[topic].partitions
    consumer.assign([TopicPartition(topic, number, 0) for number in partitions])
    found: list[Message] = []
    ended: set[int | None] = set()
    while len(ended) < len(partitions):
        message = consumer.poll(30)
        assert message is not None
        if message.error() is None:
            found.append(message)
        else:
            ended.add(message.partition())
    consumer.close()
    return sorted(found, key=lambda message: (message.partition(), message.offset()))


def track(user: str, number: int, event: str = "Poison", **more: Any) -> dict[str, Any]:
    """A track; without messageId its insert_id is its place."""
    return {"type": "track", "userId": user, "event": event, "properties": {"n": number}, **more}


def identify(user: str) -> dict[str, Any]:
    """An identify."""
    return {"type": "identify", "userId": user, "messageId": f"identify-{user}"}


def arrived(emulator: Emulator, user: str) -> list[str]:
    """The insert ids of the user's accepted events, in order."""
    return [one for entry in emulator.ledger.entries() if entry.user_id == user for one in entry.insert_ids]


def dead_lettered(service: Service, count: int) -> None:
    """Return when so many events were dead-lettered and all is committed."""
    wait_until(
        lambda: (
            sum(service.json("/status")["events"]["finished"]["dead_lettered"].values()) == count
            and service.caught_up()
        ),
        f"{count} dead letters",
    )


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
        return watcher.get_watermark_offsets(TopicPartition(replays, 0), timeout=10)[1]

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


def test_filters_choose_and_identifies_need_to_be_asked_for(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., Sent]
) -> None:
    """--reason, --user, --since and --until, --partition; --dry-run changes nothing; identifies only when asked."""
    emulator.faults.change({"refuse_names": ["Poison"], "refuse_users": ["eve"]})
    produce(identify("ann"), identify("bob"), identify("eve"))
    produce(track("ann", 1), track("bob", 2))
    produce("garbage", key="ann")
    with Service(tmp_path, settings).wait_ready() as service:
        dead_lettered(service, 4)
        letters = listed(settings)
        by_user = {letter["user"]: letter for letter in letters if letter["reason"] == "refused"}
        place = f"{by_user['ann']['partition']}:{by_user['ann']['offset']}"
        assert 4 == len(letters)
        assert ["undecodable"] == [letter["reason"] for letter in listed(settings, "--reason", "undecodable")]
        assert 2 == len(listed(settings, "--user", "ann"))
        assert 4 == len(listed(settings, "--since", "1h"))
        assert 0 == len(listed(settings, "--until", "1h"))
        assert 1 == len(listed(settings, "--limit", "1"))
        assert {by_user["bob"]["partition"]} == {
            letter["partition"] for letter in listed(settings, "--partition", str(by_user["bob"]["partition"]))
        }
        assert "customfit.http.status" in run(settings, "dlq", "show", place)
        assert "no dead letter 0:999" in run(settings, "dlq", "show", "0:999", code=1)
        assert "PARTITION:OFFSET" in run(settings, "dlq", "show", "x", code=2)
        emulator.faults.change({"refuse_names": [], "refuse_users": []})
        only_ann = ("--user", "ann", "--reason", "refused")
        assert {"refused": 1} == replay(settings, *only_ann, "--dry-run")["to_be_replayed"]
        assert {"refused": 1} == replay(settings, *only_ann)["replayed"]
        rest = replay(settings, "--reason", "refused")
        assert ({"refused": 1}, 1) == (rest["replayed"], rest["left"]["identify"])
        assert {"refused": 1} == replay(settings, "--identifies", "--reason", "refused")["replayed"]
        wait_until(lambda: "identify-eve" in arrived(emulator, "eve"), "eve")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert ["undecodable"] == [letter["reason"] for letter in listed(settings)]
    assert 2 == len(arrived(emulator, "ann"))


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


def test_lag_is_told_also_while_no_consumer_runs(
    tmp_path: Path, settings: dict[str, str], produce: Callable[..., Sent]
) -> None:
    """Offsets and seconds of both topics; without commits from the beginning; 0 and 0 when caught up."""
    produce(*(track("ann", n, "Fine") for n in range(5)))
    before = json.loads(run(settings, "lag", "--json"))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        during = json.loads(run(settings, "lag", "--json"))
        assert 0 == service.stop()
    produce(*(track("ann", n, "Fine") for n in range(3)))
    after = json.loads(run(settings, "lag", "--json"))

    def sums(said: dict[str, Any]) -> tuple[int, int]:
        return sum(row["lag_events"] for row in said["partitions"]), len(said["partitions"])

    assert (5, PARTITIONS) == sums(before)
    assert {None} == {row["committed_offset"] for row in before["partitions"]}
    assert 1 == sum(row["lag_seconds"] > 0 for row in before["partitions"])
    assert (0, PARTITIONS + 1) == sums(during)
    assert {0} == {row["lag_seconds"] for row in during["partitions"]}
    assert (3, PARTITIONS + 1) == sums(after)
    assert "3 behind" in run(settings, "lag", "--max", "3")
    assert "3 events behind are more than 2 (--max)" in run(settings, "lag", "--max", "2", code=1)


def test_a_user_is_looked_up_and_forgotten(
    tmp_path: Path, settings: dict[str, str], produce: Callable[..., Sent]
) -> None:
    """While the consumer runs as after it; a delete event reaches the user's partition and is told of."""
    where = produce(track("ann", 1, "Fine"))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        during = json.loads(run(settings, "user", "ann", "--json"))
        forgotten = json.loads(run(settings, "user", "ann", "--forget", "--json"))
        wait_until(lambda: service.json("/status")["events"]["consumed"]["delete"] == 1, "the delete")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()
    after = json.loads(run(settings, "user", "ann", "--json", code=1))

    partition = where["1"][0]
    assert (True, [str(partition)]) == (during["identified"], list(during["identified_at"]))
    assert (partition, "delete") == (forgotten["partition"], forgotten["event"]["type"])
    assert (False, [str(partition)]) == (after["identified"], list(after["forgotten_at"]))
    assert r"b\x1bob is not identified" in run(settings, "user", "b\x1bob", code=1)
    assert "CUSTOMFIT_ANONYMOUS" in run(settings, "user", "ann", "--forget", "--anonymous", code=1)
    assert "a user id is not empty" in run(settings, "user", "", code=2)


def test_without_their_topic_the_commands_end_with_69(settings: dict[str, str]) -> None:
    """The message names the topic and its setting."""
    assert "CUSTOMFIT_STATE_TOPIC" in run(settings, "user", "ann", code=69)
    for arguments in (("dlq", "list"), ("dlq", "replay"), ("dlq", "show", "0:0")):
        assert "CUSTOMFIT_DEAD_LETTER_TOPIC" in run(settings, *arguments, code=69)
