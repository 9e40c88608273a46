"""Every expression of the Grafana dashboard gives series, in a real Prometheus beside a real member and `rekey`."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.deploy.real_prometheus import Prometheus, chosen_all, running_prometheus
from tests.deploy.tools import ROOT
from tests.real_broker.rekeyed import RekeyScene
from tests.real_broker.running_service import Service, wait_until
from tests.real_broker.scene import Scene, event

USERS: Final = [f"user-{number}" for number in range(20)]
GARBAGE: Final = 1_500
"""More than half of the records that the guard of a partition looks at, in each of two."""
EXPRESSIONS: Final = {
    f"{panel['title']} {target['refId']}": chosen_all(target["expr"])
    for panel in json.loads((ROOT / "deploy/grafana/customfit-consumer.json").read_text(encoding="utf-8"))["panels"]
    for target in panel.get("targets", ())
}
WRONG_KEY, GARBAGE_ALONE, ANOTHER = "the key is wrong", "a partition holds garbage alone", "another member has some"
STANDBY: Final = "Other members' state: not copied yet, and copied a second"
ONLY_WHEN: Final = {
    f"{STANDBY} A": ANOTHER,
    f"{STANDBY} B": ANOTHER,
    "Alerts that fire A": WRONG_KEY,
    "What is wrong A": WRONG_KEY,
    "Partitions that stand still until somebody acts A": GARBAGE_ALONE,
}
"""What is empty while all is well → the scenario that shows it."""


class Asked:
    """What was asked so far, and what has never had an answer."""

    def __init__(self, prometheus: Prometheus) -> None:
        self._prometheus = prometheus
        self.empty = set(EXPRESSIONS)

    def again(self, names: set[str], meanwhile: Callable[[], object] = lambda: None) -> bool:
        """Ask those that had none; whether all of these have had one."""
        meanwhile()
        self.empty -= {name for name in self.empty & names if self._prometheus.ask(EXPRESSIONS[name])}
        return not self.empty & names


@pytest.fixture
def member(scene: Scene) -> Iterator[Service]:
    """One that has partitions and delivers, with all that a panel is about."""
    scene.settings |= {
        "CUSTOMFIT_REQUESTS_PER_SECOND_MAX": "10000",
        "CUSTOMFIT_EVENTS_DENY": '["never sent"]',
        "CUSTOMFIT_STANDBY": "all",
    }
    with scene.member("one") as one:
        one.wait_ready()
        scene.produce_rounds(USERS, 0, 1)
        wait_until(one.caught_up, lambda: f"all identified; {one.readiness()}\n{one.log[-2000:]}")
        yield one


@pytest.fixture
def rekeying(scene: Scene, tmp_path: Path) -> Iterator[RekeyScene]:
    """A topic without keys, for `rekey`."""
    made = RekeyScene(scene.broker, f"{scene.topic}.unkeyed", tmp_path, 2)
    yield made
    made.outside.close()


@pytest.fixture
def rekeyer(rekeying: RekeyScene) -> Iterator[Service]:
    """`rekey`, which has its partitions."""
    with rekeying.rekeyer() as rekeyer:
        yield rekeyer.wait_ready()


@pytest.mark.long
def test_each_expression_of_the_dashboard_gives_series(
    scene: Scene, member: Service, rekeying: RekeyScene, rekeyer: Service, tmp_path: Path
) -> None:
    """While events arrive; the panels that are empty when all is well, in the scenario that they are for."""
    numbers = iter(range(1, 100_000))
    members, rekeyers = (
        {name: one.base_url.removeprefix("http://")} for name, one in (("one", member), ("r", rekeyer))
    )
    with running_prometheus(tmp_path, members, rekeyers=rekeyers) as prometheus:
        asked = Asked(prometheus)

        def tracks() -> None:
            number = next(numbers)
            events = [event(user, number) for user in USERS]
            scene.produce(*events)
            rekeying.produce([value for _, value in events])

        def newcomers() -> None:
            number = next(numbers)
            scene.produce(*(event(f"newcomer-{number}-{one}", 0) for one in range(20)))

        def shows(scenario: str | None, meanwhile: Callable[[], object] = tracks) -> None:
            names = {name for name in EXPRESSIONS if ONLY_WHEN.get(name) == scenario}
            assert names, scenario
            wait_until(
                lambda: asked.again(names, meanwhile), lambda: f"series for {asked.empty & names} when {scenario}"
            )

        shows(None)
        assert set(ONLY_WHEN) == asked.empty
        assert [] == [name for name in ONLY_WHEN if prometheus.ask(EXPRESSIONS[name])], "not empty when all is well"

        with scene.member("two") as two:
            two.wait_ready()
            shows(ANOTHER, newcomers)
            assert 0 == two.stop()

        scene.emulator.faults.change({"reject_all_keys": True})
        shows(WRONG_KEY)
        scene.emulator.faults.change({"reject_all_keys": False})

        scene.produce(*((f"nobody-{number}", b"garbage") for number in range(GARBAGE)))
        shows(GARBAGE_ALONE)

    assert set() == asked.empty
