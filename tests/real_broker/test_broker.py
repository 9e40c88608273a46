"""The broker the other tests stand on is itself what it says."""

import subprocess
import sys
from itertools import takewhile

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from tests.real_broker.broker import Broker


@pytest.mark.usefixtures("_brokers_can_start")
def test_by_hand_it_says_how_to_reach_it_and_leaves_nothing() -> None:
    """`make broker`: lines for a shell, until somebody ends it."""
    command = [sys.executable, "-m", "tests.real_broker.by_hand"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        said = list(takewhile(lambda line: "until Ctrl-C" not in line, process.stdout))
        address = said[0].removeprefix("export CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS=").strip()
        topics = AdminClient({"bootstrap.servers": address}).list_topics(timeout=60).topics
        process.terminate()

    assert {} == topics
    assert 0 == process.returncode


def _produce(broker: Broker, topic: str, values: list[str]) -> None:
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    for value in values:
        producer.produce(topic, key="u1", value=value)
    assert producer.flush(30) == 0


def _consume(broker: Broker, topic: str, count: int) -> list[str]:
    consumer = Consumer(
        {
            "bootstrap.servers": broker.bootstrap_servers,
            "group.id": f"group-of-{topic}",
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
        }
    )
    consumer.subscribe([topic])
    try:
        return [(message.value() or b"").decode() for message in consumer.consume(count, timeout=60)]
    finally:
        consumer.close()


def test_a_record_produced_is_consumed_by_a_group(broker: Broker, topic_name: str) -> None:
    """Topics have the partitions asked for, and a consumer group reads what was produced, in order."""
    broker.create_topic(topic_name, partitions=3)
    _produce(broker, topic_name, ["a", "b"])

    assert ["a", "b"] == _consume(broker, topic_name, 2)


@pytest.mark.parametrize("kill", [True, False], ids=["killed", "stopped"])
def test_a_restart_keeps_records_and_address(broker: Broker, topic_name: str, kill: bool) -> None:
    """After a kill as after a clean stop, the same address serves the same records."""
    address = broker.bootstrap_servers
    broker.create_topic(topic_name)
    _produce(broker, topic_name, ["before"])
    if kill:
        broker.kill()
    broker.restart()
    _produce(broker, topic_name, ["after"])

    assert address == broker.bootstrap_servers
    assert ["before", "after"] == _consume(broker, topic_name, 2)


def test_kafkas_own_tools_run_against_it(broker: Broker, topic_name: str) -> None:
    """A tool reads its stdin, returns its stdout, and a failing one raises with its own words."""
    server = ("--bootstrap-server", broker.bootstrap_servers)
    broker.create_topic(topic_name)
    broker.tool("org.apache.kafka.tools.ConsoleProducer", *server, "--topic", topic_name, input="typed\n")
    described = broker.tool("org.apache.kafka.tools.TopicCommand", *server, "--describe", "--topic", topic_name)

    assert ["typed"] == _consume(broker, topic_name, 1)
    assert "PartitionCount: 1" in described
    with pytest.raises(subprocess.CalledProcessError) as failure:
        broker.tool("org.apache.kafka.tools.TopicCommand", *server, "--describe", "--topic", "no-such-topic")
    assert "no-such-topic" in "".join(failure.value.__notes__)
