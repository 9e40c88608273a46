"""The whole service against a real broker: nothing between topic and emulator is made up."""

from __future__ import annotations

import json
import re
import shlex
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, Producer

from consumer.emulator.server import Emulator
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import KEY, Service, wait_until

Record = tuple[str | None, str | bytes | None]


@pytest.fixture
def partitions() -> int:
    """Of the topic."""
    return 3


@pytest.fixture
def produce(broker: Broker, topic_name: str) -> Callable[..., None]:
    """Produce (key, value) pairs to the test's topic and wait until they are there."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "partitioner": "murmur2_random"})

    def send(*records: Record) -> None:
        for key, value in records:
            producer.produce(topic_name, value, key)
        assert producer.flush(30) == 0

    return send


@pytest.fixture
def dead_letters(broker: Broker, topic_name: str) -> Callable[[int], list[dict[str, Any]]]:
    """Read so many dead letters: their value and their headers."""

    def read(count: int) -> list[dict[str, Any]]:
        properties = {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
        }
        reader = Consumer(properties)
        reader.subscribe([f"{topic_name}.customfit-dlq"])
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + 30
        while len(found) < count and time.monotonic() < deadline:
            message = reader.poll(0.5)
            if message is not None and message.error() is None:
                pairs = cast("list[tuple[str, bytes]]", message.headers())
                headers = {name: value.decode() for name, value in pairs}
                found.append({"value": message.value(), "key": message.key(), **headers})
        reader.close()
        return sorted(found, key=lambda letter: str(letter["value"]))

    return read


def event(type_: str, user: str | None, number: int = 0, **fields: Any) -> Record:
    """A Segment event, keyed by its user."""
    body = {"type": type_, "userId": user, "messageId": f"{type_}-{user}-{number}", **fields}
    return user, json.dumps(body)


def sent(emulator: Emulator, user: str) -> list[tuple[str, ...]]:
    """The insert ids of the user's accepted requests, in order."""
    return [entry.insert_ids for entry in emulator.ledger.entries() if entry.user_id == user]


def test_what_is_typed_arrives_mapped_and_introduced(
    tmp_path: Path,
    settings: dict[str, str],
    emulator: Emulator,
    produce: Callable[..., None],
    dead_letters: Callable[[int], list[dict[str, Any]]],
) -> None:
    """An identify and a track, a track of an unknown user, a page and garbage each end as documented."""
    produce(
        event("identify", "ann", traits={"plan": "pro"}),
        event("track", "ann", event="Order Completed", properties={"total": 27.5}),
        event("track", "stranger", event="Signed Up"),
        event("page", "ann", name="Pricing"),
        ("ann", "this is not JSON"),
    )
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        samples = service.samples()
        assert 0 == service.stop()

    assert [("identify-ann-0",), ("track-ann-0", "page-ann-0")] == sent(emulator, "ann")
    assert [("introduction-track-stranger-0",), ("track-stranger-0",)] == sent(emulator, "stranger")
    [letter] = dead_letters(1)
    assert b"this is not JSON" == letter["value"]
    assert b"ann" == letter["key"]
    assert "undecodable" == letter["customfit.reason"]
    assert settings["CUSTOMFIT_KAFKA_TOPIC"] == letter["__connect.errors.topic"]
    assert 4 == samples['customfit_events_finished_total{outcome="delivered",reason="ok"}']
    assert 1 == samples['customfit_events_finished_total{outcome="dead_lettered",reason="undecodable"}']
    assert 1 == samples["customfit_introductions_total"]
    assert 0 == emulator.ledger.summary()["identifies_first_violations"]


def test_a_stopped_service_goes_on_where_it_was(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., None]
) -> None:
    """After a clean stop nothing is sent twice, and the user is still known as identified."""
    produce(event("identify", "ann"))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()
        produce(event("track", "ann", event="Back Again"))
        service.restart()
        service.wait_ready()
        wait_until(lambda: len(sent(emulator, "ann")) == 2, "the track")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert [("identify-ann-0",), ("track-ann-0",)] == sent(emulator, "ann")


def test_a_killed_service_loses_nothing(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., None]
) -> None:
    """After kill -9 in the middle of work every event arrives, each user's in order, and identifies first."""
    users = [f"user-{n}" for n in range(50)]
    emulator.faults.change({"latency_seconds": 0.01})
    produce(*(event("identify", user) for user in users))
    produce(*(event("track", user, number, event="E") for number in range(40) for user in users))
    short = {"CUSTOMFIT_KAFKA_PROPERTIES": '{"session.timeout.ms": 6000}', "CUSTOMFIT_BATCH_EVENTS_MAX": "5"}
    with Service(tmp_path, settings | short).wait_ready() as service:
        wait_until(lambda: emulator.ledger.summary()["events"] > 500, "some events")
        service.kill()
        service.restart()
        service.wait_ready()
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    for user in users:
        first_time = list(dict.fromkeys(one for ids in sent(emulator, user) for one in ids))
        assert [f"identify-{user}-0", *(f"track-{user}-{n}" for n in range(40))] == first_time
    assert 0 == emulator.ledger.summary()["identifies_first_violations"]


def test_an_outage_spends_nothing(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., None]
) -> None:
    """While the destination is away nothing is dead-lettered, lag grows, health says so; then all arrives in order."""
    users = [f"user-{n}" for n in range(20)]
    with Service(tmp_path, settings).wait_ready() as service:
        emulator.faults.change({"fail_rate": 1.0, "fail_status": 503})
        produce(*(event("identify", user) for user in users))
        produce(*(event("track", user, number, event="E") for number in range(5) for user in users))
        wait_until(lambda: service.json("/readyz")["status"] == "degraded", "degraded")
        wait_until(lambda: service.total("customfit_lag_events") == 120, "lag")
        assert 0 == service.samples()["customfit_destination_up"]
        assert service.ready()
        emulator.faults.change({"fail_rate": 0.0})
        wait_until(service.caught_up, "caught up")
        assert 1 == service.samples()["customfit_destination_up"]
        assert 0 == service.total("customfit_lag_seconds")
        assert 0 == service.stop()

    for user in users:
        expected = [f"identify-{user}-0", *(f"track-{user}-{n}" for n in range(5))]
        assert expected == [one for ids in sent(emulator, user) for one in ids]
    assert "dead letter" not in service.log


@pytest.mark.parametrize(
    ("wrong", "status"),
    [({"reject_all_keys": True}, "401"), ({"fail_rate": 1.0, "fail_status": 404}, "404")],
    ids=["wrong key", "wrong path"],
)
def test_a_wrong_key_or_url_stops_and_says_so(  # noqa: PLR0917  fixtures
    tmp_path: Path,
    settings: dict[str, str],
    emulator: Emulator,
    produce: Callable[..., None],
    wrong: dict[str, Any],
    status: str,
) -> None:
    """401 and 404 stop the destination: nothing is spent, /readyz is 503 with the reason; fixed, all goes on."""
    emulator.faults.change(wrong)
    with Service(tmp_path, settings).wait_ready() as service:
        produce(event("identify", "ann"), *(event("track", "ann", n, event="E") for n in range(10)))
        wait_until(lambda: service.get("/readyz")[0] == 503, "not ready")
        assert status in service.json("/readyz")["reasons"][0]
        emulator.faults.change({"reject_all_keys": False, "fail_rate": 0.0})
        wait_until(service.caught_up, "caught up")
        assert service.ready()
        assert 0 == service.stop()

    assert ["identify-ann-0", *(f"track-ann-{n}" for n in range(10))] == [
        i for ids in sent(emulator, "ann") for i in ids
    ]
    assert KEY not in service.log


def test_another_destination_name_identifies_everybody_again(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., None]
) -> None:
    """State made against one destination says nothing about another: its users are introduced there."""
    produce(event("identify", "ann"))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        service.stop()
    produce(event("track", "ann", event="E"))
    with Service(tmp_path, settings | {"CUSTOMFIT_DESTINATION_NAME": "another app"}).wait_ready() as service:
        wait_until(lambda: len(sent(emulator, "ann")) == 3, "introduction and track")
        service.stop()

    assert [("identify-ann-0",), ("introduction-track-ann-0",), ("track-ann-0",)] == sent(emulator, "ann")


def test_three_members_share_the_partitions_and_keep_order(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., None]
) -> None:
    """Members join and leave under load: no event twice, none lost, each user's in order."""
    users = [f"user-{n}" for n in range(60)]
    emulator.faults.change({"latency_seconds": 0.02})
    produce(*(event("identify", user) for user in users))
    produce(*(event("track", user, number, event="E") for number in range(60) for user in users))
    small = settings | {"CUSTOMFIT_BATCH_EVENTS_MAX": "2", "CUSTOMFIT_IN_FLIGHT_MAX": "8"}

    def owned(service: Service) -> int:
        """Of the source's three, without those of the replay topic."""
        topics = [view["topic"] for view in service.json("/status")["partitions"]]
        return topics.count(settings["CUSTOMFIT_KAFKA_TOPIC"])

    with Service(tmp_path, small, name="one").wait_ready() as one:
        wait_until(lambda: emulator.ledger.summary()["events"] > 200, "work")
        with Service(tmp_path, small, name="two").wait_ready() as two:
            wait_until(lambda: 1 <= owned(two) < 3, "a partition for the second")
            wait_until(lambda: emulator.ledger.summary()["events"] > 1000, "work")
            assert 0 == one.stop()
            wait_until(lambda: owned(two) == 3, "all partitions for the second")
            wait_until(lambda: emulator.ledger.summary()["events"] >= 60 * 61, "all events")
            wait_until(two.caught_up, "caught up")
            assert 0 == two.stop()

    for user in users:
        expected = [f"identify-{user}-0", *(f"track-{user}-{n}" for n in range(60))]
        assert expected == [i for ids in sent(emulator, user) for i in ids if not i.startswith("introduction-")]
    assert 0 == emulator.ledger.summary()["identifies_first_violations"]


def test_an_end_of_transaction_markers_leaves_no_lag(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, broker: Broker, topic_name: str
) -> None:
    """A transactional producer's markers take up offsets; they are committed too, so lag reaches 0."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "transactional.id": topic_name})
    producer.init_transactions()
    producer.begin_transaction()
    key, value = event("identify", "ann")
    producer.produce(topic_name, value, key)
    producer.commit_transaction()
    producer.begin_transaction()
    key, value = event("identify", "never committed")
    producer.produce(topic_name, value, key)
    assert 0 == producer.flush(30)  # or it would not be in the topic at all
    producer.abort_transaction()
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(lambda: service.total("customfit_events_consumed_total") == 1, "the event")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert 1 == emulator.ledger.summary()["events"]


def test_the_readme_s_console_producer_line_works(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, broker: Broker, topic_name: str
) -> None:
    """Lines typed as the README says, into the tool of this Kafka version, arrive keyed and in order."""
    readme = (Path(__file__).parents[2] / "README.md").read_text()
    [command] = re.findall(r"kafka-console-producer\.sh (.*?--bootstrap-server .*?)\n```", readme, re.DOTALL)
    arguments = shlex.split(command.replace("\\\n", " "))
    arguments[arguments.index("--bootstrap-server") + 1] = broker.bootstrap_servers
    arguments[arguments.index("--topic") + 1] = topic_name
    typed = [line for line in readme.splitlines() if line.startswith(("ann|", "bob|"))]
    broker.tool("org.apache.kafka.tools.ConsoleProducer", *arguments, input="\n".join(typed) + "\n")
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(lambda: service.total("customfit_events_consumed_total") == len(typed), "all lines")
        wait_until(service.caught_up, "caught up")
        assert 0 == service.stop()

    assert [("identify",), ("track",)] == [e.kinds for e in emulator.ledger.entries() if e.user_id == "ann"]
    assert [("identify",), ("track",)] == [e.kinds for e in emulator.ledger.entries() if e.user_id == "bob"]


def test_a_missing_topic_ends_with_69(tmp_path: Path, broker: Broker, emulator: Emulator, topic_name: str) -> None:
    """The message names the topic, the setting and a command that creates it."""
    environ = {
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CUSTOMFIT_KAFKA_TOPIC": topic_name,
        "CUSTOMFIT_API_URL": emulator.url,
    }
    with Service(tmp_path, environ) as service:
        assert 69 == service.ended(60)

    assert f"topic '{topic_name}' (CUSTOMFIT_KAFKA_TOPIC) does not exist" in service.log
    assert f"--create --topic {topic_name}" in service.log
    assert "Traceback" not in service.log


def test_a_new_group_may_start_at_the_end(
    tmp_path: Path, settings: dict[str, str], emulator: Emulator, produce: Callable[..., None]
) -> None:
    """With CUSTOMFIT_KAFKA_START=latest what was there before is not read; what comes during a stop is."""
    produce(event("identify", "before"))
    with Service(tmp_path, settings | {"CUSTOMFIT_KAFKA_START": "latest"}).wait_ready() as service:
        produce(event("identify", "ann"))
        wait_until(lambda: sent(emulator, "ann"), "ann")
        assert 0 == service.stop()
        produce(event("identify", "bob"))
        service.restart()
        wait_until(lambda: sent(emulator, "bob"), "bob")
        assert 0 == service.stop()

    assert [] == sent(emulator, "before")


def test_a_batch_is_many_events(
    tmp_path: Path,
    settings: dict[str, str],
    emulator: Emulator,
    produce: Callable[..., None],
    dead_letters: Callable[[int], list[dict[str, Any]]],
) -> None:
    """Each goes to its user; the dead letter of one is that item and says which it was; the offset moves on."""
    items = [json.loads(str(event(type_, user)[1])) for type_, user in (("identify", "ann"), ("page", "ann"))]
    value = json.dumps({"batch": [items[0], {"type": "track", "userId": "ann"}, items[1], {"type": "group"}]})
    produce(("ann", value))
    with Service(tmp_path, settings).wait_ready() as service:
        wait_until(service.caught_up, "caught up")
        samples = service.samples()
        assert 0 == service.stop()

    assert [("identify-ann-0",), ("page-ann-0",)] == sent(emulator, "ann")
    [letter] = dead_letters(1)
    assert (b'{"batch":[{"type": "track", "userId": "ann"}]}', "1", "invalid_event") == (
        letter["value"],
        letter["customfit.item_index"],
        letter["customfit.reason"],
    )
    assert 2 == samples['customfit_events_finished_total{outcome="delivered",reason="ok"}']
    assert 1 == samples['customfit_events_finished_total{outcome="skipped",reason="unsupported"}']
