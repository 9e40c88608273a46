"""Where faults are put: brokers of several kinds, started when first needed; a topic for each."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final, Self

from confluent_kafka.admin import NewTopic

from consumer.emulator.server import Emulator, running_emulator
from tests.operations.alerting import Alerts
from tests.operations.expected import EXPECTED
from tests.operations.programs import TOPIC
from tests.operations.watch import Watch
from tests.real_broker.broker import Broker
from tests.real_broker.leaders import KEPT, LOST, PlacedCluster
from tests.real_broker.registry import Registry
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.real_broker.scene import GroupScene, Scene, event
from tests.real_broker.secured import SecuredBroker, secured_broker

COMPACTED: Final[Mapping[str, str]] = {"cleanup.policy": "compact"}
PARTITIONS: Final = 2
USERS: Final = [f"user-{number}" for number in range(20)]


class Places:
    """A context manager that leaves nothing running."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stack = ExitStack()
        self._numbers = itertools.count(1)
        self._alerts: Alerts | None = None
        self.watched: Watch | None = None
        """The one of the scene that ran last."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    @cached_property
    def broker(self) -> Broker:
        """One broker; whoever kills it starts it again."""
        return self._stack.enter_context(Broker())

    @cached_property
    def cluster(self) -> PlacedCluster:
        """A controller and two brokers, one of which may be killed and is started again."""
        folder = self.folder / "cluster"
        folder.mkdir()
        return self._stack.enter_context(PlacedCluster(folder))

    @cached_property
    def secured(self) -> SecuredBroker:
        """A broker with access lists."""
        folder = self.folder / "secured"
        folder.mkdir()
        return self._stack.enter_context(secured_broker(folder))

    @cached_property
    def registry(self) -> Registry:
        """A schema registry."""
        return self._stack.enter_context(Registry())

    def new_topic(self) -> str:
        """A name that nobody has used; the page shows the default name for it."""
        return f"{TOPIC}-{next(self._numbers)}x"

    @contextmanager
    def alerting(self, name: str) -> Iterator[Alerts | None]:
        """A Prometheus beside the scene of this name; None where none is wanted (expected.py)."""
        if (expected := EXPECTED.get(name)) is None:
            yield None
            return
        folder = self.folder / f"prometheus-of-{name}"
        folder.mkdir()
        with Alerts(folder, expected) as alerts:
            self._alerts = alerts
            try:
                yield alerts
            finally:
                self._alerts = None

    def watch(self, fault: str, signs: Sequence[str], log: str | None, also: Sequence[str] = ()) -> Watch:
        """Of what is put beside a member; with its alerts where they are wanted."""
        self.watched = Watch(fault, signs, log, also, alerts=self._alerts)
        return self.watched

    def started(self, name: str, service: Service) -> None:
        """A scene tells of each member."""
        if self._alerts is not None:
            self._alerts.scrape(name, service)

    @contextmanager
    def scene(self, broker: Broker | None = None, partitions: int = PARTITIONS) -> Iterator[Scene]:
        """A topic, a group and a destination on one broker."""
        with running_emulator(Emulator(keys=frozenset({KEY}))) as emulator:
            topic = self.new_topic()
            scene = Scene(broker or self.broker, topic, emulator, self._folder_of(topic), partitions)
            scene.properties = {}  # as by default
            scene.on_start = self.started
            yield scene
            scene.outside.close()

    @contextmanager
    def placed(
        self, source: list[int], state: Sequence[int | list[int]], config: Mapping[str, str] = COMPACTED
    ) -> Iterator[GroupScene]:
        """The same on the cluster, each partition on the brokers that are named; `config`: of the state topic."""
        with running_emulator(Emulator(keys=frozenset({KEY}))) as emulator:
            topic = self.new_topic()
            scene = GroupScene(self.cluster.bootstrap_servers, topic, emulator, self._folder_of(topic), len(source))
            scene.properties = {}
            scene.on_start = self.started
            self.cluster.create_topic(topic, source)
            name = f"{topic}.identified-users"
            brokers = [[one] if isinstance(one, int) else one for one in state]
            new = NewTopic(name, num_partitions=len(state), replica_assignment=brokers, config=dict(config))
            self.cluster.admin.create_topics([new])[name].result(30)
            self.cluster.create_topic(scene.dead_letter_topic, [KEPT] * len(source))
            self.cluster.create_topic(f"{topic}.customfit-replay", [KEPT])
            yield scene
            scene.outside.close()

    @contextmanager
    def without(self, broker: int = LOST) -> Iterator[None]:
        """One of the cluster's brokers is dead as long; then it is back, whatever happened."""
        self.cluster.kill(broker)
        try:
            yield
        finally:
            self.cluster.restart(broker)

    def _folder_of(self, topic: str) -> Path:
        folder = self.folder / topic
        folder.mkdir()
        return folder


def identified(scene: GroupScene, service: Service) -> None:
    """Everybody is identified, so that what follows finds a member that has delivered."""
    service.wait_ready()
    scene.produce_rounds(USERS, 0, 1)
    wait_until(service.caught_up, lambda: f"all identified; {service.readiness()}\n{service.log[-2000:]}")


@contextmanager
def going_on(scene: GroupScene) -> Iterator[None]:
    """Everybody has events all the time."""
    over = threading.Event()

    def produce() -> None:
        first = 1
        while not over.wait(0.3):
            tracks(scene, first=first)
            first += 1

    others = threading.Thread(target=produce, name="traffic")
    others.start()
    try:
        yield
    finally:
        over.set()
        others.join()


def tracks(scene: GroupScene, rounds: int = 1, first: int = 1) -> None:
    """Tracks of everybody, in both partitions."""
    scene.produce(*(event(user, number) for number in range(first, first + rounds) for user in USERS))
