"""deploy/kubernetes replayed with processes: rollout, scale-down, a wrong key, a drained node and a dead one.

Under load, by the manifests' own numbers (pods.py). Nothing is lost or out of order, nothing comes twice but what a
death may cost, no probe restarts anybody, and nobody is killed before a stop is done.
"""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.deploy.kubernetes.manifests import consumer, environment, read
from tests.real_broker.pods import Pod, Workload
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.real_broker.scene import Scene, partitions_of

pytestmark = pytest.mark.long

USERS: Final = [f"user-{number}" for number in range(40)]
ROUND_SECONDS: Final = 0.2
BUDGET: Final = read("base/poddisruptionbudget.yaml")
UNCOMMITTED_MAX: Final = 500
IN_FLIGHT_MAX: Final = 16
BATCH_MAX: Final = 4
OURS: Final = {
    "CUSTOMFIT_UNCOMMITTED_EVENTS_MAX": str(UNCOMMITTED_MAX),
    "CUSTOMFIT_IN_FLIGHT_MAX": str(IN_FLIGHT_MAX),
    "CUSTOMFIT_BATCH_EVENTS_MAX": str(BATCH_MAX),
    "CUSTOMFIT_HTTP_HOST": "127.0.0.1",
}
"""So that what a death may cost is a number."""


def deployment() -> Any:
    """Of base."""
    return read("base/deployment.yaml")


def stateful_set() -> Any:
    """What the overlay makes of it, as far as processes notice."""
    made, overlay = copy.deepcopy(deployment()), read("overlays/stateful/statefulset.yaml")
    made["kind"] = overlay["kind"]
    del made["spec"]["strategy"]
    consumer(made)["env"] = [*consumer(overlay)["env"], *consumer(made)["env"]]
    return made


@pytest.fixture
def partitions() -> int:
    """Of the topic."""
    return 6


class Cluster:
    """A load without end, and pods that are started as the manifest says."""

    def __init__(self, scene: Scene, folder: Path) -> None:
        self.scene = scene
        self.rounds = 0
        self._folder = folder
        self._ending = threading.Event()
        self._load = threading.Thread(target=self._produce, daemon=True)
        for name, key in {"good": KEY, "wrong": "another-key-9876543210"}.items():
            (folder / name).write_text(key, encoding="utf-8")

    @contextmanager
    def running(self, manifest: Any) -> Iterator[Workload]:
        """The pods, under load; afterwards all of it has to have arrived, in order."""
        self.scene.produce_rounds(USERS, 0, 1)
        self.rounds = 1
        with Workload(manifest, lambda name, template: self._start(manifest, name, template), BUDGET) as workload:
            self._load.start()
            self.work()
            yield workload
            self.work()
            self._ending.set()
            self._load.join()
            wait_until(lambda: {len(set(self.scene.sent().get(user, ()))) for user in USERS} == {self.rounds}, "all")
            assert [] == [pod.name for pod in workload.all_pods if pod.restarts or pod.was_killed]
        self.scene.check(USERS, self.rounds)

    def work(self) -> None:
        """Return when some more was delivered."""
        already = self.scene.delivered()
        wait_until(lambda: self.scene.delivered() > already + 5 * len(USERS), "some more events")

    def _produce(self) -> None:
        while not self._ending.wait(ROUND_SECONDS):
            self.scene.produce_rounds(USERS, self.rounds, self.rounds + 1)
            self.rounds += 1

    def _start(self, manifest: Any, name: str, template: str) -> Service:
        environ = environment(manifest) | {
            "CUSTOMFIT_API_KEY_FILE": str(self._folder / template),
            "CUSTOMFIT_STATE_DIR": str(self._folder / f"state-{name}"),
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": self.scene.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": self.scene.topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": self.scene.topic,
            "CUSTOMFIT_API_URL": self.scene.emulator.url,
            **OURS,
        }
        environ = {key: value.replace("pod-0", name) for key, value in environ.items() if key != "POD_NAME"}
        return Service(self._folder, environ, name=name, without=["CUSTOMFIT_API_KEY"])


@pytest.fixture
def cluster(scene: Scene, tmp_path: Path) -> Cluster:
    """One, on the real broker."""
    return Cluster(scene, tmp_path)


@pytest.mark.parametrize("manifest", [deployment, stateful_set])
def test_a_rollout_and_a_scale_down_cost_nothing(manifest: Callable[[], Any], cluster: Cluster) -> None:
    """Each member goes and its successor comes, then one goes for good: nothing is sent twice."""
    with cluster.running(manifest()) as workload:
        assert workload.roll("good")
        cluster.work()
        if workload.pods[0].name != "pod-0":  # a static member that goes for good keeps its partitions for 120 s
            workload.scale_down()
            wait_until(lambda: len(partitions_of(workload.pods[0].service)) == 6, "all partitions")

    assert [] == cluster.scene.twice()


def test_a_rollout_with_a_wrong_key_stops_at_its_first_member(cluster: Cluster) -> None:
    """The other one goes on, no probe restarts anybody, the budget lets a node be drained, and it can be undone."""

    def is_refused(pod: Pod) -> bool:
        wait_until(lambda: pod.service.get("/readyz")[0] == 503 and '"stopped"' in pod.service.get("/readyz")[1], "503")
        return True

    with cluster.running(deployment()) as workload:
        assert not workload.roll("wrong", is_stuck=is_refused)
        refused = workload.pods[-1]
        cluster.work()
        assert not refused.is_ready()
        workload.evict(len(workload.pods) - 1)
        workload.pods[-1].wait_available()

    assert [] == cluster.scene.twice()
    assert [] == cluster.scene.letters()


def test_a_drained_node_costs_nothing(cluster: Cluster) -> None:
    """All members were on it: one at a time is evicted, as the budget says, and starts elsewhere."""
    with cluster.running(deployment()) as workload:
        for place in range(len(workload.pods)):
            workload.evict(place)
        for pod in workload.pods:
            pod.wait_available()

    assert [] == cluster.scene.twice()


def test_a_dead_node_costs_what_was_not_committed(cluster: Cluster) -> None:
    """Its partitions go to the other member when the session has ended."""
    with cluster.running(deployment()) as workload:
        dead = workload.pods[0]
        dead.end_watch()
        dead.service.kill()
        wait_until(lambda: len(partitions_of(workload.pods[1].service)) == 6, "all partitions", 120)

    assert len(cluster.scene.twice()) <= UNCOMMITTED_MAX + IN_FLIGHT_MAX * BATCH_MAX
