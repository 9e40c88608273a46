"""What docs/runbook.md says to type for Kafka's own tools, at a real broker with its groups and an open transaction."""

from __future__ import annotations

import re
import shlex
from typing import Final

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from tests.deploy.rules import RUNBOOK
from tests.real_broker.broker import Broker

CLASSES: Final = {
    "kafka-topics.sh": "org.apache.kafka.tools.TopicCommand",
    "kafka-consumer-groups.sh": "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    "kafka-configs.sh": "kafka.admin.ConfigCommand",
    "kafka-transactions.sh": "org.apache.kafka.tools.TransactionsCommand",
    "kafka-get-offsets.sh": "org.apache.kafka.tools.GetOffsetShell",
}
"""Which class each script starts."""
COMMANDS: Final = tuple(dict.fromkeys(re.findall(r"^kafka-.*$", RUNBOOK.read_text(encoding="utf-8"), re.MULTILINE)))


@pytest.mark.long
def test_kafkas_own_tools_take_what_the_runbook_tells(broker: Broker, topic_name: str) -> None:
    """Each command ends with 0, in the order of the page, with the names of this test in place of the default ones."""
    group = f"{topic_name}.group"
    for topic in (topic_name, f"{topic_name}.customfit-dlq", f"{topic_name}.by-user", f"{group}.identified-users"):
        broker.create_topic(topic, 1)
    client = {"bootstrap.servers": broker.bootstrap_servers}
    producer = Producer({**client, "transactional.id": topic_name})
    producer.init_transactions()
    producer.begin_transaction()
    producer.produce(topic_name, b"behind this nothing is read", partition=0)
    producer.flush()
    for name in (group, f"{group}.rekey"):
        consumer = Consumer({**client, "group.id": name})
        consumer.commit(offsets=[TopicPartition(topic_name, 0, 0)], asynchronous=False)
        consumer.close()

    names = {"localhost:9092": broker.bootstrap_servers, "segment-events": topic_name, "customfit-consumer": group}
    assert len(COMMANDS) > 10
    for command in COMMANDS:
        script, *options = shlex.split(command, comments=True)
        given = [re.sub("|".join(names), lambda found: names[found[0]], option) for option in options]
        assert "Error" not in broker.tool(CLASSES[script], *given), command
