"""Which alerts fire while a scene goes on, in which order, of which somebody hears, and whether they end."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final, NamedTuple, Self

from tests.operations.expected import BRIEFLY, LINGERING, SEVERITY, Expected
from tests.operations.first_lines import Compared
from tests.operations.programs import Alertmanager, Prometheus, now
from tests.operations.recorded import Recording, record
from tests.real_broker.running_service import Service, wait_until

QUIET_SECONDS: Final = 6.0
"""Before the fault: longer than the longest window that an alert needs to be filled."""
FIRE_SECONDS_MAX: Final = 90.0
END_SECONDS_MAX: Final = 100.0
"""Longer than the half an hour over which the late minutes burn."""
AFTER_SECONDS: Final = 2.5
"""What is recorded ends with scrapes of the end."""
STEP_SECONDS: Final = 0.5
FIRING: Final = 'ALERTS{alertstate="firing"}'


class AlertRow(NamedTuple):
    """One line of the table of alerts, all of it from a run."""

    scene: str
    picture: str
    """Of the page, made of what was recorded (`make pictures`)."""
    first: str
    then: str
    told: str
    same: str
    ended: str


class Times(NamedTuple):
    """Of one scene, in wall seconds."""

    began: float
    shown: float
    """From here on it is repaired."""
    ended: float


class Alerts:
    """Of one scene; a context manager with a Prometheus and an Alertmanager of its own."""

    def __init__(self, folder: Path, expected: Expected) -> None:
        self.expected = expected
        self._stack = ExitStack()
        with ExitStack() as stack:
            alertmanager = stack.enter_context(Alertmanager(folder, expected.minute_seconds))
            prometheus = stack.enter_context(Prometheus(folder, expected.minute_seconds, alertmanager))
            self._stack = stack.pop_all()
        self.alertmanager, self.prometheus = alertmanager, prometheus
        self.times = Times(0, 0, 0)
        self.row = AlertRow("", "", "none", "none", "nobody", "", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self._stack.close()

    def scrape(self, name: str, service: Service) -> None:
        """From its start on."""
        self.prometheus.scrape(name, service.base_url.removeprefix("http://"))

    def begin(self, scene: str, *, is_there: bool) -> None:
        """Return when it has been well for a while, as Prometheus sees it; at once where no member runs yet."""
        self.row = self.row._replace(scene=scene)
        if not is_there:
            self.times = self.times._replace(began=now())
            return
        wait_until(lambda: self.prometheus.query("sum(up) > 0"), "a member is scraped")
        wait_until(lambda: not self._firing(), lambda: f"nothing fires; {self._firing()}", 60)
        time.sleep(QUIET_SECONDS)
        self.times = self.times._replace(began=now())

    def shown(self, compared: Callable[[], Compared]) -> None:
        """Return when all fire that are to; whatever else does, or comes first in place of it, is an AssertionError.

        `compared`: whether page, `top`, log and /readyz are about the same; asked when whoever is woken looks.
        """
        expected = self.expected
        patience = FIRE_SECONDS_MAX * max(expected.minute_seconds, 1)
        wait_until(lambda: expected.named <= self._firing(), self._story, patience)
        time.sleep(expected.holds_seconds)
        self.times = self.times._replace(shown=now())
        order = self._order(self.times.began - QUIET_SECONDS, now())
        assert expected.allowed >= set(order), f"more fires than is to; {self._story()}"
        assert [name for name in order[:1] if name != expected.first] == [], f"not first; {self._story()}"
        told = self._told()
        others = [name for name in order if name != expected.first]
        self.row = self.row._replace(
            first=self._said(expected.first) if order else "none",
            then=", ".join(self._said(name) for name in others) or "none",
            told=", ".join(sorted(told)) or "nobody",
        )
        found = compared()
        self.row = self.row._replace(same=found.what)
        assert [] == found.wrong, f"{found.wrong}; {self._story()}"
        assert expected.told == told, f"Alertmanager tells of {sorted(told)}; {self._story()}"

    def ended(self) -> None:
        """Return when nothing fires any longer, but for what looks back on hours and days."""
        wait_until(
            lambda: not self._firing() - LINGERING,
            self._story,
            END_SECONDS_MAX * max(self.expected.minute_seconds / 2, 1),
        )
        ended = now()
        time.sleep(AFTER_SECONDS)
        times = self.times = self.times._replace(ended=now())
        others = set(self._order(times.shown, times.ended)) - self.expected.allowed - BRIEFLY
        assert set() == others, f"after the repair {sorted(others)} fires; {self._story()}"
        seconds = ended - times.shown
        self.row = self.row._replace(ended=f"after {seconds:.0f} s" if self.expected.named else "nothing to end")

    def recorded(self) -> Recording:
        """What was scraped, from before the fault until nothing fired any longer."""
        times, zero = self.times, self.times.began - QUIET_SECONDS
        began, shown, ended = (int(at - zero) for at in times)  # the second behind `shown` is of the repair
        return Recording(began, shown, ended, record(self.prometheus, zero, times.ended))

    def _firing(self) -> set[str]:
        return {one["metric"]["alertname"] for one in self.prometheus.query(FIRING)}

    def _told(self) -> set[str]:
        """When Alertmanager has heard of it: Prometheus sends what fires at once, and then it takes a moment."""
        deadline = time.monotonic() + 5
        while (
            told := self.alertmanager.told() - self.expected.ignored
        ) != self.expected.told and time.monotonic() < deadline:
            time.sleep(0.2)
        return told

    def _first_times(self, begin: float, end: float) -> dict[str, float]:
        times: dict[str, float] = {}
        for one in self.prometheus.values(FIRING, begin, end, STEP_SECONDS):
            name = one["metric"]["alertname"]
            times[name] = min(times.get(name, end), float(one["values"][0][0]))
        return times

    def _order(self, begin: float, end: float) -> list[str]:
        """As they fired. What comes within a minute of the rules comes at once: each group has its own moment."""
        times = self._first_times(begin, end)
        if self.expected.first in times:
            times[self.expected.first] -= self.expected.minute_seconds
        return sorted(times.keys() - self.expected.ignored, key=times.__getitem__)

    def _said(self, name: str) -> str:
        seconds = self._first_times(self.times.began, now())[name] - self.times.began
        return f"{name} ({'page' if SEVERITY[name] == 'critical' else 'ticket'}, {seconds:.0f} s)"

    def _story(self) -> str:
        """For who has to find out why it is not as it should be."""
        times = self._first_times(self.times.began, now())
        told = ", ".join(
            f"{name} {times[name] - self.times.began:.1f} s" for name in sorted(times, key=times.__getitem__)
        )
        return f"fired: {told or 'nothing'}; firing now: {sorted(self._firing())}; expected: {self.expected}"
