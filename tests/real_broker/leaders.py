"""A controller that stays up and two brokers, with partitions that lie where the test says.

Killing one broker then leaves chosen partitions without a leader, while the group, whose offsets lie on the other, and
the metadata go on as if nothing had been.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, NewTopic

from tests.chaos.cluster import Node, Ports
from tests.real_broker import broker

CONTROLLER: Final = 1
KEPT: Final = 2
"""The broker that stays; the group's coordinator and whatever is not placed elsewhere are there."""
LOST: Final = 3
"""The broker that a test kills."""
STARTED_SECONDS_MAX: Final = 90.0
STOPPED_SECONDS_MAX: Final = 1.0  # nobody needs their data
INTERNAL: Final[Mapping[str, Mapping[str, str]]] = {
    "__consumer_offsets": {"cleanup.policy": "compact"},
    "__transaction_state": {"cleanup.policy": "compact"},
}


class PlacedCluster:
    """The nodes of one test, all on 127.0.0.1; a context manager that leaves none behind."""

    def __init__(self, folder: Path) -> None:
        ports = iter(broker.free_ports(6))
        self._nodes = {
            number: Node(folder / f"node-{number}", number, Ports(next(ports), next(ports), [], []))
            for number in (CONTROLLER, KEPT, LOST)
        }
        self._cluster_id = broker._cluster_id()
        self._folder = folder
        self.bootstrap_servers = ",".join(f"127.0.0.1:{self._nodes[number].ports.clients}" for number in (KEPT, LOST))
        self.admin = AdminClient(
            {"bootstrap.servers": self.bootstrap_servers, "reconnect.backoff.max.ms": 200, "log_level": 0}
        )

    def __enter__(self) -> Self:
        try:
            for node in self._nodes.values():
                node.format(self._cluster_id, self._properties(node))
                node.start()
            self._wait_serving({KEPT, LOST})
            # Made before anybody asks for a coordinator, which would place them anywhere.
            for name, config in INTERNAL.items():
                self.create_topic(name, [KEPT] * 4, config)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stop()

    def create_topic(self, name: str, brokers: list[int], config: Mapping[str, str] | None = None) -> None:
        """Create a topic whose partition n lies on `brokers[n]` alone; return when each has its leader."""
        placed = [[number] for number in brokers]
        topic = NewTopic(name, num_partitions=len(brokers), replica_assignment=placed, config=dict(config or {}))
        self.admin.create_topics([topic])[name].result(60)
        self._wait_leaders(name, brokers)

    def kill(self, number: int = LOST) -> None:
        """End a broker as a power cut does; return when its partitions are known to have no leader."""
        self._nodes[number].signal(signal.SIGKILL)
        self._wait_serving({KEPT, LOST} - {number})

    def restart(self, number: int = LOST) -> None:
        """Start it again with what it had; return when everything has a leader again."""
        self._nodes[number].start()
        self._wait_serving({KEPT, LOST})

    def _wait_serving(self, brokers: set[int]) -> None:
        """Return when exactly these are registered, and lead all that lies on them."""
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                cluster = self.admin.list_topics(timeout=1.0)
            except KafkaException:  # nobody listens yet
                continue
            partitions = [p for topic in cluster.topics.values() for p in topic.partitions.values()]
            right = all((p.leader >= 0) == bool(brokers & set(p.replicas)) for p in partitions)
            if cluster.brokers.keys() == brokers and right:
                return
            time.sleep(0.05)
        raise TimeoutError(f"not {brokers} after {STARTED_SECONDS_MAX:g} s")

    def _wait_leaders(self, name: str, brokers: list[int]) -> None:
        wanted = dict(enumerate(brokers))
        deadline = time.monotonic() + STARTED_SECONDS_MAX
        while time.monotonic() < deadline:
            topic = self.admin.list_topics(timeout=5.0).topics.get(name)
            if topic is not None and wanted == {p.id: p.leader for p in topic.partitions.values()}:
                return
            time.sleep(0.02)
        raise TimeoutError(f"{name} has not the leaders {wanted} after {STARTED_SECONDS_MAX:g} s")

    def _stop(self) -> None:
        for node in self._nodes.values():
            node.signal(signal.SIGTERM)
        for node in self._nodes.values():
            node.stop(STOPPED_SECONDS_MAX)

    def _properties(self, node: Node) -> dict[str, Any]:
        clients, controller, _, _ = node.ports
        if node.number == CONTROLLER:
            role: dict[str, Any] = {
                "process.roles": "controller",
                "listeners": f"CONTROLLER://127.0.0.1:{controller}",
                "advertised.listeners": f"CONTROLLER://127.0.0.1:{controller}",
            }
        else:
            role = {
                "process.roles": "broker",
                "listeners": f"PLAINTEXT://127.0.0.1:{clients}",
                "advertised.listeners": f"PLAINTEXT://127.0.0.1:{clients}",
            }
        quorum = self._nodes[CONTROLLER].ports.controller
        return {
            **broker.PROPERTIES,
            "node.id": node.number,
            "controller.quorum.voters": f"{CONTROLLER}@127.0.0.1:{quorum}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
            "log.dirs": self._folder / f"data-{node.number}",
            **role,
        }
