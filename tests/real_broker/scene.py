"""What the tests of a running group share: a topic, the emulator, events of many users, and what arrived."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

from consumer.emulator.server import Emulator
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import COMMIT_SOON, Service, wait_until
from tests.real_broker.topics import Letter, Outside, letters, producing


class GroupScene:
    """One topic, one group, one destination, on brokers that somebody else runs."""

    def __init__(self, bootstrap_servers: str, topic: str, emulator: Emulator, folder: Path, partitions: int) -> None:
        self.bootstrap_servers = bootstrap_servers
        self.topic = topic
        self.emulator = emulator
        self.outside = Outside(bootstrap_servers, topic, topic, partitions)
        self.admin = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        self.produce = producing(bootstrap_servers, topic)
        self._folder = folder
        self.properties: dict[str, Any] = {"session.timeout.ms": 6000, "heartbeat.interval.ms": 500}
        self._defaults: Mapping[str, str] = {}
        self.settings: dict[str, str] = {}
        self.on_start: Callable[[str, Service], None] = lambda _name, _service: None
        """Told of each member, with its name."""

    @property
    def dead_letter_topic(self) -> str:
        """Its default name."""
        return f"{self.topic}.customfit-dlq"

    def member(
        self,
        name: str,
        *,
        command: Sequence[str] = ("-m", "consumer", "run"),
        without: Sequence[str] = (),
        **properties: Any,
    ) -> Service:
        """Start a member with a state folder of its own; `properties`: librdkafka's, with _ for a dot."""
        more = {key.replace("_", "."): value for key, value in properties.items()}
        environ = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": self.topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": self.topic,
            "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps(self.properties | more),
            "CUSTOMFIT_API_URL": self.emulator.url,
            "CUSTOMFIT_STATE_DIR": str(self._folder / f"state-{name}"),
            **self._defaults,
            **self.settings,
        }
        service = Service(self._folder, environ, name=name, command=command, without=without)
        service.all_committed = self.outside.all_committed
        self.on_start(name, service)
        return service

    def produce_rounds(self, users: list[str], first: int, end: int) -> None:
        """Round 0 is everybody's identify, the others are tracks."""
        self.produce(*(event(user, number) for number in range(first, end) for user in users))

    def sent(self) -> dict[str, list[str]]:
        """User → insert ids as accepted, introductions left out."""
        sent: dict[str, list[str]] = {}
        for entry in self.emulator.ledger.entries():
            if entry.identify != "introduction":
                sent.setdefault(entry.user_id, []).extend(entry.insert_ids)
        return sent

    def twice(self) -> list[str]:
        """What was accepted more than once."""
        counts = Counter(one for ids in self.sent().values() for one in ids)
        return [one for one, count in counts.items() if count > 1]

    def delivered(self) -> int:
        """How many events were accepted, introductions left out."""
        summary = self.emulator.ledger.summary()
        return int(summary["events"] - summary["introductions"])

    def wait_committed(self) -> None:
        """Return when the group has committed all there is."""
        wait_until(self.outside.all_committed, "everything committed")

    def check(self, users: list[str], rounds: int) -> None:
        """Everything arrived, each user's in order and an identify first."""
        sent = self.sent()
        found = {user: list(dict.fromkeys(sent.get(user, []))) for user in users}
        wanted = {user: [f"{user}-{number}" for number in range(rounds)] for user in users}
        lost = {
            user: sorted(set(wanted[user]) - set(ids)) for user, ids in found.items() if set(ids) < set(wanted[user])
        }

        assert {} == lost
        assert {} == {user: ids for user, ids in found.items() if ids != wanted[user]}, "out of order"
        assert set(users) == set(sent)
        assert 0 == self.emulator.ledger.summary()["identifies_first_violations"]

    def letters(self) -> list[Letter]:
        """Every dead letter."""
        return letters(self.bootstrap_servers, self.dead_letter_topic)

    def configure(self, kind: ResourceType, name: str, config: Mapping[str, str]) -> None:
        """Change settings of a topic or a group."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET) for key, value in config.items()
        ]
        resource = ConfigResource(kind, name, incremental_configs=entries)
        self.admin.incremental_alter_configs([resource])[resource].result(10)


class Scene(GroupScene):
    """The same on one broker, where the topic is made."""

    def __init__(self, broker: Broker, topic: str, emulator: Emulator, folder: Path, partitions: int) -> None:
        broker.create_topic(topic, partitions)
        super().__init__(broker.bootstrap_servers, topic, emulator, folder, partitions)
        self.broker = broker
        self._defaults = COMMIT_SOON


def event(user: str, number: int, **fields: Any) -> tuple[str, bytes]:
    """The user's event of that number: 0 is an identify, the others are tracks."""
    body = {"type": "track", "userId": user, "messageId": f"{user}-{number}", "event": "E", **fields}
    if number == 0:
        body |= {"type": "identify", "traits": {"plan": "pro"}}
    return user, json.dumps(body).encode()


def partitions_of(service: Service) -> list[int]:
    """The partitions of the source topic that are a member's; whoever has the replays has those beside them."""
    views = service.json("/status")["partitions"]
    return sorted(view["partition"] for view in views if not view["topic"].endswith(".customfit-replay"))


def problem_of(service: Service, topic: str, partition: int) -> str | None:
    """What /status says is wrong with a partition."""
    views = service.json("/status")["partitions"]
    problem: str | None = next(
        view["problem"] for view in views if (view["topic"], view["partition"]) == (topic, partition)
    )
    return problem
