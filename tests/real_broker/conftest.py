"""One real broker for the whole test session, and a topic of its own for each test."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from consumer.emulator.server import Emulator, running_emulator
from tests.real_broker import registry as real_registry
from tests.real_broker.broker import Broker, missing, required
from tests.real_broker.leaders import PlacedCluster
from tests.real_broker.rekeyed import RekeyScene
from tests.real_broker.running_service import COMMIT_SOON, KEY
from tests.real_broker.scene import Scene
from tests.real_broker.secured import SecuredBroker, secured_broker


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark all that lies in this folder, so that `-m "not kafka"` leaves it out."""
    for item in items:
        if item.path.is_relative_to(Path(__file__).parent):
            item.add_marker(pytest.mark.kafka)


@pytest.fixture(scope="session")
def _brokers_can_start() -> None:
    """Skips where a real broker cannot be started."""
    if (problem := missing()) is not None:
        reason = f"needs a real Kafka broker: {problem}"
        if required():
            pytest.fail(reason, pytrace=False)
        pytest.skip(reason)


@pytest.fixture(scope="session")
def broker(_brokers_can_start: None) -> Iterator[Broker]:
    """A real broker; a test that stops it must leave it running."""
    with Broker() as running:
        yield running


@pytest.fixture
def cluster(_brokers_can_start: None, tmp_path: Path) -> Iterator[PlacedCluster]:
    """A controller and two brokers of the test's own, one of which may be killed."""
    with PlacedCluster(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def secured(_brokers_can_start: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredBroker]:
    """A secured broker."""
    with secured_broker(tmp_path_factory.mktemp("secured")) as running:
        yield running


@pytest.fixture(scope="session")
def _there_is_a_registry() -> None:
    """Skips where a schema registry cannot be started."""
    if (problem := real_registry.missing()) is not None:
        reason = f"needs a real schema registry: {problem}"
        pytest.fail(reason, pytrace=False) if required() else pytest.skip(reason)


@pytest.fixture
def topic_name(request: pytest.FixtureRequest) -> str:
    """A topic name that nobody has used, with the test's name in it; the topic itself is not created."""
    name: str = request.node.name
    return f"{re.sub(r'[^a-zA-Z0-9_-]+', '-', name)[:80]}-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def partitions() -> int:
    """How many the test's topic has; a file that needs another number has a fixture of its own."""
    return 2


@pytest.fixture
def latency_seconds() -> float:
    """How long the destination of a scene takes to answer."""
    return 0.02


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """CustomFit's stand-in."""
    with running_emulator(Emulator(keys=frozenset({KEY}))) as running:
        yield running


@pytest.fixture
def settings(broker: Broker, topic_name: str, emulator: Emulator, partitions: int) -> dict[str, str]:
    """The environment of a service that reads a topic of its own, which exists."""
    broker.create_topic(topic_name, partitions)
    return {
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CUSTOMFIT_KAFKA_TOPIC": topic_name,
        "CUSTOMFIT_KAFKA_GROUP_ID": topic_name,
        "CUSTOMFIT_API_URL": emulator.url,
        **COMMIT_SOON,
    }


@pytest.fixture
def scene(
    *, broker: Broker, topic_name: str, tmp_path: Path, emulator: Emulator, partitions: int, latency_seconds: float
) -> Iterator[Scene]:
    """A topic, a group and a destination that takes a moment to answer."""
    emulator.faults.change({"latency_seconds": latency_seconds})
    scene = Scene(broker, topic_name, emulator, tmp_path, partitions)
    yield scene
    scene.outside.close()


@pytest.fixture
def rekeying(broker: Broker, topic_name: str, tmp_path: Path, partitions: int) -> Iterator[RekeyScene]:
    """A topic without keys and its `rekey`."""
    scene = RekeyScene(broker, topic_name, tmp_path, partitions)
    yield scene
    scene.outside.close()


@pytest.fixture
def own_scene(
    _brokers_can_start: None, topic_name: str, emulator: Emulator, tmp_path: Path, partitions: int
) -> Iterator[Scene]:
    """The same on a broker of the test's own, which may be killed or frozen."""
    with Broker() as broker:
        scene = Scene(broker, topic_name, emulator, tmp_path, partitions)
        yield scene
        scene.outside.close()
