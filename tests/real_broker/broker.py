"""A real Apache Kafka broker (KRaft, one node, 127.0.0.1 only) for the tests that need the real thing.

`python -m tests.real_broker.broker` (which is `make kafka`) fetches its jars with Maven into .kafka/libs.
"""

import base64
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Self

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic

from tests.real_broker.fetched import Package

JAVA_VERSION_MIN = 17  # Kafka 4 brokers do not start on less
START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
TOOL_SECONDS_MAX = 60.0
PORTS = range(20_000, 30_000)  # below Linux's ephemeral ports, so that no client's socket takes ours while we are down

POM = Path(__file__).with_name("pom.xml")
KAFKA_DIR = Path(__file__).parents[2] / ".kafka"
LIBS = KAFKA_DIR / "libs"
ARCHIVE = KAFKA_DIR / "classes.jsa"
"""A broker's classes as the JVM has them in memory, made when the jars are fetched: it starts in half of the time."""
JARS = Package("Apache Kafka", ".kafka", POM, LIBS, KAFKA_DIR / "pom.xml", ("-C",))

# The first compiler and the serial collector start twice as fast, which is most of what a test waits for.
JVM_OPTIONS = ["-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Xshare:auto", "-Djava.awt.headless=true"]
# For measuring: with the first compiler alone the broker takes the processors that are to be measured.
JVM_OPTIONS_IN_PRODUCTION = ["-XX:+UseG1GC", "-Xshare:auto", "-Djava.awt.headless=true"]

PROPERTIES: Mapping[str, object] = {
    "process.roles": "broker,controller",
    "node.id": 1,
    "controller.listener.names": "CONTROLLER",
    "inter.broker.listener.name": "PLAINTEXT",
    "broker.session.timeout.ms": 3_000,  # after a kill the old registration must run out before the new one counts
    "broker.heartbeat.interval.ms": 500,
    "auto.create.topics.enable": "false",
    "default.replication.factor": 1,
    "offsets.topic.replication.factor": 1,
    "offsets.topic.num.partitions": 4,
    "transaction.state.log.replication.factor": 1,
    "transaction.state.log.min.isr": 1,
    "transaction.state.log.num.partitions": 4,
    "share.coordinator.state.topic.replication.factor": 1,
    "share.coordinator.state.topic.min.isr": 1,
    "share.coordinator.state.topic.num.partitions": 4,
    "group.initial.rebalance.delay.ms": 0,
    "group.min.session.timeout.ms": 1_000,  # lets a test notice a killed member within seconds
    "group.consumer.min.session.timeout.ms": 1_000,
    "group.consumer.min.heartbeat.interval.ms": 200,
}


def required() -> bool:
    """Tell whether the environment forbids leaving these tests out (REQUIRE_KAFKA=1)."""
    return os.environ.get("REQUIRE_KAFKA") == "1"


def missing() -> str | None:
    """Say in one sentence what a broker cannot be started without, or None when all is there."""
    if (problem := java_problem()) is not None:
        return problem
    if not JARS.is_there:
        return "the broker's jars have not been fetched: make kafka"
    return None


def fetch() -> str | None:
    """Fetch the jars unless they are there; say in one sentence what prevented it, or None."""
    if (problem := java_problem()) is not None:
        return problem
    if JARS.is_there:
        return None
    problem = JARS.fetch()
    if problem is None:
        _archive_classes()
        JARS.done()
    return problem


def _archive_classes() -> None:
    """Have a broker leave its classes behind when it ends; where it does not, brokers only start slower."""
    ARCHIVE.unlink(missing_ok=True)
    whole = ARCHIVE.with_suffix(".new")
    with Broker(jvm_options=[*JVM_OPTIONS, f"-XX:ArchiveClassesAtExit={whole}"]) as broker:
        broker.create_topic("any")
    if whole.exists():
        whole.rename(ARCHIVE)


def java_problem() -> str | None:
    """Say in one sentence why Java can't be used, or None."""
    if shutil.which("java") is None:
        return f"Java {JAVA_VERSION_MIN} or newer is not installed"
    answer = subprocess.run(["java", "-version"], check=False, capture_output=True, text=True).stderr
    found = re.search(r'version "(\d+)', answer)
    if found is None:
        return f"java -version does not work: {answer.strip()}"
    if int(found[1]) < JAVA_VERSION_MIN:
        return f"Java {JAVA_VERSION_MIN} or newer is needed, this is {found[1]}"
    return None


class Broker:
    """One running broker with its own empty data directory; `properties` are added to its server.properties.

    `listeners`: more doors, name → security protocol. `format_options`: for StorageTool, such as `--add-scram=…`.
    """

    def __init__(
        self,
        properties: Mapping[str, object] | None = None,
        *,
        listeners: Mapping[str, str] | None = None,
        format_options: Sequence[str] = (),
        jvm_options: Sequence[str] = JVM_OPTIONS,
    ) -> None:
        self._jvm_options = jvm_options
        doors = dict(listeners or {})
        self._port, controller_port, *ports = free_ports(2 + len(doors))
        self._ports = dict(zip(doors, ports, strict=True))
        own = "".join(f",{name}://127.0.0.1:{port}" for name, port in self._ports.items())
        protocols = "".join(f",{name}:{protocol}" for name, protocol in doors.items())
        self._dir = tempfile.TemporaryDirectory(prefix="customfit-kafka-")
        self._config = Path(self._dir.name, "server.properties")
        self._log = Path(self._dir.name, "broker.log")
        self._admin = AdminClient(
            {
                "bootstrap.servers": self.bootstrap_servers,
                "reconnect.backoff.max.ms": 200,
                "log_level": 0,  # a refused connection is what a stopped broker looks like, not news
            }
        )
        lines = {
            **PROPERTIES,
            "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
            "listener.security.protocol.map": f"PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT{protocols}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self._port},CONTROLLER://127.0.0.1:{controller_port}{own}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self._port}{own}",
            "log.dirs": Path(self._dir.name, "data"),
            **(properties or {}),
        }
        self._config.write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
        try:
            options = [f"--cluster-id={_cluster_id()}", f"--config={self._config}", *format_options]
            self.tool("kafka.tools.StorageTool", "format", *options)
            self._process = self._start()
        except BaseException:
            self._dir.cleanup()
            raise

    def __enter__(self) -> Self:
        """Give the broker, already running."""
        return self

    def __exit__(self, *_exc: object) -> None:
        """Stop it, whatever happened."""
        self.stop()

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients; stays the same across restarts."""
        return f"127.0.0.1:{self._port}"

    def address(self, listener: str) -> str:
        """The address of one of `listeners`."""
        return f"127.0.0.1:{self._ports[listener]}"

    def create_topic(self, name: str, partitions: int = 1, config: Mapping[str, str] | None = None) -> None:
        """Create a topic and return when every partition of it has a leader."""
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        self._admin.create_topics([topic])[name].result()
        self._wait(lambda cluster: name in cluster.topics and len(cluster.topics[name].partitions) == partitions)

    def stop(self) -> None:
        """Shut the broker down and remove its data."""
        self._terminate()
        self._dir.cleanup()

    def kill(self) -> None:
        """End the process at once, as a power cut would; the data stays for `restart`."""
        self._process.kill()
        self._process.wait()

    def freeze(self) -> None:
        """Have it answer nothing, with its connections open, until `thaw`."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._process.send_signal(signal.SIGCONT)

    def restart(self) -> None:
        """Start it again with the same address and data, after a clean shutdown if it still runs."""
        self._terminate()
        self._process = self._start()

    def tool(self, class_name: str, *args: str, input: str = "") -> str:  # noqa: A002  the name subprocess gives it
        """Run one of Kafka's command-line classes to its end and return its stdout.

        `org.apache.kafka.tools.ConsoleProducer` and its like want a `--bootstrap-server` among `args`.
        A non-zero exit raises `subprocess.CalledProcessError`, with the tool's own words as a note.
        """
        done = subprocess.run(
            _java("-Xmx256m", class_name, *args),
            check=False,
            capture_output=True,
            text=True,
            input=input,
            timeout=TOOL_SECONDS_MAX,
        )
        try:
            done.check_returncode()
        except subprocess.CalledProcessError as error:
            error.add_note(done.stdout + done.stderr)
            raise
        return done.stdout

    def _start(self) -> subprocess.Popen[bytes]:
        with self._log.open("ab") as log:
            process = subprocess.Popen(
                _java("-Xmx512m", "kafka.Kafka", str(self._config), jvm_options=self._jvm_options),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for pytest, which then stops the broker in its own time
            )
        try:
            self._wait(lambda cluster: bool(cluster.brokers), process)
        except BaseException as error:
            process.kill()
            process.wait()
            error.add_note(self._log.read_text(errors="replace")[-2_000:])
            raise
        return process

    def _terminate(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()

    def _wait(self, ready: Callable[[ClusterMetadata], bool], process: subprocess.Popen[bytes] | None = None) -> None:
        """Poll the cluster's metadata until it is `ready` and every partition has a leader."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if process is not None and process.poll() is not None:
                raise RuntimeError(f"the broker ended with exit code {process.returncode}")
            try:
                cluster = self._admin.list_topics(timeout=1.0)
            except KafkaException:  # nobody listens yet; librdkafka has waited before it said so
                continue
            partitions = (p for topic in cluster.topics.values() for p in topic.partitions.values())
            if ready(cluster) and all(partition.leader >= 0 for partition in partitions):
                return
            time.sleep(0.02)  # it answers at once, only not yet as wanted
        raise TimeoutError(f"the broker was not ready after {START_SECONDS_MAX:.0f} s")


def _java(heap: str, *args: str, jvm_options: Sequence[str] = JVM_OPTIONS) -> list[str]:
    # Without the messages of the JVM: an archive of another Java would be told of in a tool's output.
    shared = [f"-XX:SharedArchiveFile={ARCHIVE}", "-Xlog:disable"] if ARCHIVE.exists() else []
    return ["java", heap, *jvm_options, *(shared if jvm_options is JVM_OPTIONS else []), "-cp", f"{LIBS}/*", *args]


def _cluster_id() -> str:
    return base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on."""
    ports: list[int] = []
    for port in random.sample(PORTS, len(PORTS)):
        if len(ports) == count:
            return ports
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                ports.append(port)
    raise RuntimeError(f"fewer than {count} free ports in {PORTS}")


def main() -> int:
    """Fetch the jars; 1 only when they could not be had and REQUIRE_KAFKA=1 asks for them."""
    problem = fetch()
    if problem is None:
        return 0
    print(f"Tests against a real Kafka are left out. {problem}", file=sys.stderr)
    return 1 if required() else 0


if __name__ == "__main__":
    sys.exit(main())
