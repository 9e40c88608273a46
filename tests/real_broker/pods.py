"""What a Deployment or StatefulSet does with its pods, done with processes: by the numbers of its manifest.

Probes ask as often as the kubelet does, a stop has as long as the grace period, and a rollout takes as many members at
a time as the strategy allows: it knows no other order, so other numbers are refused.
"""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Self

from tests.deploy.kubernetes.manifests import consumer
from tests.real_broker.running_service import Service, wait_until

Start = Callable[[str, str], Service]
"""Name of the pod, a word for its template → the process."""


class Pod:
    """One process, and the kubelet beside it."""

    def __init__(self, name: str, service: Service, workload: Any) -> None:
        self.name = name
        self.service = service
        self.restarts = 0
        """How often the kubelet would have killed it for its liveness."""
        self.was_killed = False
        """It did not end within its grace period."""
        self._spec = workload["spec"]
        self._probes = consumer(workload)
        self._stopping = threading.Event()
        self._kubelet = threading.Thread(target=self._watch, daemon=True)
        self._kubelet.start()

    def is_ready(self) -> bool:
        """As its readiness probe says."""
        return self.service.get(self._probes["readinessProbe"]["httpGet"]["path"])[0] == 200

    def wait_available(self) -> None:
        """Return when it has been ready for minReadySeconds."""
        limit_seconds = self._spec.get("progressDeadlineSeconds", 600)
        period_seconds = self._probes["readinessProbe"]["periodSeconds"]
        ready_since: float | None = None
        deadline = time.monotonic() + limit_seconds
        while ready_since is None or time.monotonic() - ready_since < self._spec["minReadySeconds"]:
            assert time.monotonic() < deadline, self.service.log
            ready_since = (ready_since or time.monotonic()) if self.is_ready() else None
            time.sleep(min(period_seconds, self._spec["minReadySeconds"]) / 10)

    def stop(self) -> None:
        """SIGTERM, and SIGKILL at the end of the grace period."""
        self.end_watch()
        self.service.process.send_signal(signal.SIGTERM)
        try:
            self.service.ended(self._spec["template"]["spec"]["terminationGracePeriodSeconds"])
        except subprocess.TimeoutExpired:
            self.was_killed = True
            self.service.kill()

    def end_watch(self) -> None:
        """Nobody probes it any longer."""
        self._stopping.set()
        self._kubelet.join()

    def _watch(self) -> None:
        startup, liveness = self._probes["startupProbe"], self._probes["livenessProbe"]
        self._probe(startup, is_once=True)
        self._probe(liveness, is_once=False)

    def _probe(self, probe: Any, *, is_once: bool) -> None:
        failures = 0
        while not self._stopping.is_set():
            is_well = self.service.get(probe["httpGet"]["path"])[0] == 200
            if is_well and is_once:
                return
            failures = 0 if is_well else failures + 1
            if failures >= probe["failureThreshold"]:
                self.restarts += 1
                return
            self._stopping.wait(probe["periodSeconds"])


class Workload:
    """The controller. `with` it runs; afterwards no process is left."""

    def __init__(self, manifest: Any, start: Start, budget: Any) -> None:
        strategy = manifest["spec"].get("strategy", {}).get("rollingUpdate", {"maxSurge": 0, "maxUnavailable": 1})
        assert strategy == {"maxSurge": 0, "maxUnavailable": 1}, "rolled out one at a time here"
        self.pods: list[Pod] = []
        self.gone: list[Pod] = []
        self._manifest = manifest
        self._budget: Final = budget["spec"]
        self._is_stateful = manifest["kind"] == "StatefulSet"
        self._start = start
        self._started = 0

    def __enter__(self) -> Self:
        for _ in range(self._manifest["spec"]["replicas"]):
            self.pods.append(self._new("good", len(self.pods)))
        for pod in self.pods:
            pod.wait_available()
        return self

    def __exit__(self, *_exc: object) -> None:
        for pod in self.pods:
            with suppress(ProcessLookupError):
                pod.service.process.kill()
            pod.end_watch()
            pod.service.process.wait()

    @property
    def all_pods(self) -> list[Pod]:
        """Those that are there, and those that were."""
        return [*self.gone, *self.pods]

    def roll(self, template: str, *, is_stuck: Callable[[Pod], bool] = lambda _pod: False) -> bool:
        """One after the other; False where the first new one does not become available, as `is_stuck` says."""
        for place in reversed(range(len(self.pods))):
            self._stop(place)
            self.pods[place] = self._new(template, place)
            if is_stuck(self.pods[place]):
                return False
            self.pods[place].wait_available()
        return True

    def scale_down(self) -> None:
        """By one, the last."""
        self._stop(len(self.pods) - 1)
        del self.pods[-1]

    def evict(self, place: int) -> None:
        """As `kubectl drain` asks for it: refused while the budget does not allow it; elsewhere a new one starts."""
        wait_until(lambda: self._may_be_evicted(self.pods[place]), "the budget allows it")
        self._stop(place)
        self.pods[place] = self._new("good", place)

    def _may_be_evicted(self, pod: Pod) -> bool:
        if not pod.is_ready() and self._budget["unhealthyPodEvictionPolicy"] == "AlwaysAllow":
            return True
        healthy = sum(one.is_ready() for one in self.pods)
        return healthy > len(self.pods) - int(self._budget["maxUnavailable"])

    def _stop(self, place: int) -> None:
        self.pods[place].stop()
        self.gone.append(self.pods[place])

    def _new(self, template: str, place: int) -> Pod:
        """A StatefulSet's pod has its place's name again, a Deployment's has a new one, and so an empty volume."""
        self._started += 1
        name = f"pod-{place}" if self._is_stateful else f"pod-{self._started}"
        return Pod(name, self._start(name, template), self._manifest)
