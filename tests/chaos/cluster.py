"""One or three Kafka brokers, each with a listener of its own for every member, so that each has its own network.

A client finds brokers by what they advertise: what a member's listener advertises is that member's proxy.
"""

from __future__ import annotations

import signal
import subprocess
import time
from concurrent.futures import Future
from pathlib import Path
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from tests.chaos.processes import start, stop
from tests.real_broker import broker

START_SECONDS_MAX: Final = 90.0
TOPIC_SECONDS_MAX: Final = 10.0
_REPLICATED: Final = ("default", "offsets.topic", "transaction.state.log", "share.coordinator.state.topic")


class Ports(NamedTuple):
    """Of one node."""

    clients: int
    controller: int
    members: list[int]
    """Where the proxies connect to."""
    proxies: list[int]
    """Where the members connect to."""


class Node:
    """One broker, which may be down."""

    def __init__(self, folder: Path, number: int, ports: Ports) -> None:
        self.number = number
        self.ports = ports
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def format(self, cluster_id: str, properties: dict[str, Any]) -> None:
        """Write its configuration and make its empty data directory."""
        self._folder.mkdir()
        text = "".join(f"{name}={value}\n" for name, value in properties.items())
        self._config.write_text(text)
        arguments = ["format", f"--cluster-id={cluster_id}", f"--config={self._config}"]
        java = broker._java("-Xmx256m", "kafka.tools.StorageTool", *arguments)
        subprocess.run(java, check=True, stdout=subprocess.DEVNULL, timeout=broker.TOOL_SECONDS_MAX)

    def start(self) -> None:
        """Start, without waiting until it serves."""
        log = self._folder / "broker.log"
        self._process = start(broker._java("-Xmx512m", "kafka.Kafka", str(self._config)), log)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal; SIGKILL is waited for."""
        if self._process is not None and self.running:
            self._process.send_signal(number)
            if number is signal.SIGKILL:
                self._process.wait()

    def stop(self, seconds: float) -> None:
        """Ask it to stop; kill it when it does not in time."""
        stop(self._process, seconds)

    @property
    def _config(self) -> Path:
        return self._folder / "server.properties"


class Cluster:
    """The brokers of a run."""

    def __init__(
        self, folder: Path, nodes: int, members: int, *, replicas: int | None = None, session_seconds: float = 6.0
    ) -> None:
        """`replicas`: of topics, those that Kafka keeps for itself are on every node."""
        self._replicas = replicas or nodes
        self._session_seconds = session_seconds
        ports = iter(broker.free_ports(nodes * (2 + 2 * members)))
        self.nodes: list[Node] = []
        for number in range(1, nodes + 1):
            clients, controller = next(ports), next(ports)
            behind, before = ([next(ports) for _ in range(members)] for _ in range(2))
            self.nodes.append(Node(folder / f"broker-{number}", number, Ports(clients, controller, behind, before)))
        self._cluster_id = broker._cluster_id()

    def start(self) -> None:
        """Format and start all, and return when they serve."""
        for node in self.nodes:
            node.format(self._cluster_id, self._properties(node))
            node.start()
        self.admin = AdminClient(
            {"bootstrap.servers": self.bootstrap_servers, "reconnect.backoff.max.ms": 500, "log_level": 0}
        )
        self.wait_until_serving()

    def wait_until_serving(self) -> None:
        """Return when every node is there and every partition has a leader; raises TimeoutError."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            try:
                cluster = self.admin.list_topics(timeout=1.0)
            except KafkaException:
                continue
            partitions = [p for topic in cluster.topics.values() for p in topic.partitions.values()]
            if len(cluster.brokers) == len(self.nodes) and all(p.leader >= 0 for p in partitions):
                return
            time.sleep(0.1)
        raise TimeoutError(f"the brokers did not serve within {START_SECONDS_MAX:.0f} s")

    def create_topic(self, name: str, partitions: int) -> None:
        """Create a topic and return when it can be used."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=self._replicas)
        self.admin.create_topics([topic])[name].result()
        self.wait_until_serving()

    def delete_topic(self, name: str) -> None:
        """Delete a topic, if it is there; raises KafkaException."""
        try:
            self.admin.delete_topics([name], request_timeout=5.0)[name].result(10)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise

    def make_again(self, name: str, partitions: int) -> None:
        """Create a topic that was deleted, as soon as may be; raises KafkaException."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=self._replicas)
        deadline = time.monotonic() + TOPIC_SECONDS_MAX
        while True:
            try:
                self.admin.create_topics([topic], request_timeout=5.0)[name].result(10)
            except KafkaException as error:
                if error.args[0].code() != KafkaError.TOPIC_ALREADY_EXISTS or time.monotonic() > deadline:
                    raise
            else:
                return
            if self.partitions(name) == partitions and time.monotonic() > deadline - TOPIC_SECONDS_MAX / 2:
                return  # an answer was lost: it was created

    def topic_id(self, name: str) -> str:
        """As Kafka writes it; raises KafkaException."""
        futures = self.admin.describe_topics(TopicCollection([name]), request_timeout=5.0)
        return str(futures[name].result(10).topic_id)

    def grow(self, name: str, partitions: int) -> Future[None]:
        """Give a topic more partitions; does not wait."""
        return self.admin.create_partitions([NewPartitions(name, partitions)], request_timeout=2.0)[name]

    def partitions(self, name: str) -> int:
        """How many a topic has; 0 where no broker says."""
        try:
            return len(self.admin.list_topics(name, timeout=1.0).topics[name].partitions)
        except KafkaException:
            return 0

    def stop(self) -> None:
        """Stop all; a second and no more is given to each, nobody needs their data."""
        for node in self.nodes:
            node.signal(signal.SIGTERM)
        for node in self.nodes:
            node.stop(1.0)

    @property
    def bootstrap_servers(self) -> str:
        """The addresses without a proxy in between."""
        return ",".join(f"127.0.0.1:{node.ports.clients}" for node in self.nodes)

    def member_bootstrap_servers(self, member: int) -> str:
        """The addresses of a member's proxies."""
        return ",".join(f"127.0.0.1:{node.ports.proxies[member]}" for node in self.nodes)

    def _properties(self, node: Node) -> dict[str, Any]:
        clients, controller, behind, before = node.ports
        names = [f"MEMBER{number}" for number in range(len(behind))]
        at = [f"{name}://127.0.0.1:{port}" for name, port in zip(names, behind, strict=True)]
        advertised = [f"{name}://127.0.0.1:{port}" for name, port in zip(names, before, strict=True)]
        replicas = len(self.nodes)
        factors = {f"{name}.replication.factor": replicas for name in _REPLICATED}
        in_sync = {f"{name}.min.isr": min(replicas, 2) for name in _REPLICATED if name.endswith("state.log")}
        return {
            **broker.PROPERTIES,
            **factors,
            **in_sync,
            "default.replication.factor": self._replicas,
            "min.insync.replicas": min(self._replicas, 2),
            "node.id": node.number,
            "controller.quorum.voters": ",".join(f"{n.number}@127.0.0.1:{n.ports.controller}" for n in self.nodes),
            "listeners": ",".join([f"PLAINTEXT://127.0.0.1:{clients}", f"CONTROLLER://127.0.0.1:{controller}", *at]),
            "advertised.listeners": ",".join([f"PLAINTEXT://127.0.0.1:{clients}", *advertised]),
            "listener.security.protocol.map": ",".join(f"{n}:PLAINTEXT" for n in ("PLAINTEXT", "CONTROLLER", *names)),
            "group.consumer.session.timeout.ms": int(self._session_seconds * 1000),
            "group.consumer.heartbeat.interval.ms": 1_000,
            "log.dirs": node._folder / "data",
        }
