"""What a real broker tells of a group's members, also after it was silent."""

from __future__ import annotations

import time

import pytest
from confluent_kafka import Consumer

from consumer.kafka import members as members_module
from consumer.kafka.members import Group, Members
from consumer.sequencing.events import Partition
from consumer.settings import load_settings
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import wait_until


@pytest.mark.filterwarnings("ignore:list_groups:DeprecationWarning")
def test_members_are_told_of_again_after_the_broker_was_silent(
    broker: Broker, topic_name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each with its partitions; meanwhile what was known stays, with what is wrong, and the process lives on.

    With `describe_consumer_groups` it ended here: the broker's late answer was more than the client could bear.
    """
    monkeypatch.setattr(members_module, "EVERY_SECONDS", 0.5)
    monkeypatch.setattr(members_module, "ASK_SECONDS", 1.0)
    broker.create_topic(topic_name, 3)
    environ = {
        "CUSTOMFIT_API_KEY": "made-up-key",
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CUSTOMFIT_KAFKA_GROUP_ID": topic_name,
    }
    common = {"bootstrap.servers": broker.bootstrap_servers, "group.id": topic_name}
    one, two = (Consumer({**common, "client.id": name, "log_level": 0}) for name in ("one", "two"))
    asked = Members(load_settings(environ), lambda: one.memberid() or "")

    def until(count: int, problem: str | None) -> Group:
        """Both are polled, as `run` does; then this is known."""

        def is_so() -> bool:
            for consumer in (one, two):
                consumer.poll(0.05)
            group = asked.look()
            held = sum(len(member.partitions) for member in group.members)
            return (held, len(group.members), group.problem) == (count, 2, problem)

        wait_until(is_so, lambda: str(asked.known()))
        return asked.known()

    try:
        for consumer in (one, two):
            consumer.subscribe([topic_name])
        known = until(3, None)
        broker.freeze()
        silent = until(3, "Failed to list groups: Local: Timed out")
        time.sleep(2)  # long enough for late answers to more than one question
        broker.thaw()
        again = until(3, None)
    finally:
        broker.thaw()
        for consumer in (one, two):
            consumer.close()

    assert [("one", "127.0.0.1", True), ("two", "127.0.0.1", False)] == [
        (member.client_id, member.host, member.is_me) for member in known.members
    ]
    assert {Partition(topic_name, number) for number in range(3)} == {
        partition for member in known.members for partition in member.partitions
    }
    assert known.members == silent.members
    assert {"one", "two"} == {member.client_id for member in again.members}
