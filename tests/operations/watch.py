"""Watches a member while a fault is put beside it: log, readiness, page, `top` and gauges; then its end."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from tests.operations.alerting import Alerts
from tests.operations.first_lines import TOP_COLUMNS, Compared, cleaned, compare
from tests.operations.recorded_pages import Seen, seen
from tests.real_broker.running_service import Readiness, Service, wait_until

SHOWN_SECONDS_MAX: Final = 120.0
LOG_SECONDS_MAX: Final = 15.0
"""After the gauge: the log may be a look of the announcer later."""
SAME_SECONDS_MAX: Final = 5.0
LASTS_SECONDS: Final = 2.5
"""A fault that has shown goes on so long: what is shorter than a second has no line when it is over."""
TEXT_CHARACTERS_MAX: Final = 240
NOTHING: Final = "nothing"

_LINE: Final = re.compile(r"^\S+Z (?P<level>[A-Z]+) +(?P<text>.*)$")
_CAUSE: Final = 'customfit_degraded{cause="'


class Row(NamedTuple):
    """One line of the table, all of it from a run."""

    fault: str
    log: str
    readyz: str
    page: str
    top: str
    metrics: str
    over: str


class Watch:
    """Of one fault. `signs`: patterns of samples, each of which must be above 0 for the fault to have shown."""

    def __init__(
        self,
        fault: str,
        signs: Sequence[str],
        log: str | None,
        also: Sequence[str] = (),
        *,
        alerts: Alerts | None = None,
    ) -> None:
        """`log`: a pattern of the line that names it, None where none is to come; `also`: samples worth showing."""
        self._alerts = alerts
        self._fault = fault
        self._signs = [re.compile(sign) for sign in signs]
        self._log = None if log is None else re.compile(log)
        self._also = [re.compile(one) for one in also]
        self._mark = 0
        self._row = Row(fault, "", "", "", "", "", "")
        self.seen: Seen | None = None
        """What the page was shown of; None where nobody answers."""
        self.log_differs = ""
        """In words, where its first line is about something else than that of /readyz."""

    @property
    def row(self) -> Row:
        """What was seen."""
        return self._row

    def begin(self, service: Service) -> None:
        """From here on what the member says is the fault's doing; one that runs has nothing to say before."""
        if service.process.poll() is None and service.readiness().status_code == 200:
            wait_until(lambda: service.readiness().status == "ready", lambda: str(service.readiness()))
        if self._alerts is not None:
            self._alerts.begin(self._fault, is_there=service.process.poll() is None)
        self._mark = len(service.log)

    def shown(self, service: Service, condition: Callable[[], bool] = lambda: True) -> Readiness:
        """Return when every sign is there; what the member shows then is the row's."""

        def so() -> bool:
            samples = service.samples()
            found = (any(sign.search(name) and value > 0 for name, value in samples.items()) for sign in self._signs)
            return all(found) and condition()

        wait_until(
            so, lambda: f"{self._fault} to show; {service.readiness()}\n{service.log[-3000:]}", SHOWN_SECONDS_MAX
        )
        readiness, samples = service.readiness(), service.samples()
        pattern = self._log
        line = None if pattern is None else _in_time(lambda: self._first(service, pattern), LOG_SECONDS_MAX)
        reason = _shortened(readiness.reasons.partition("\n")[0])
        more = readiness.reasons.count("\n")
        readyz = f"{readiness.status_code} {readiness.status}"
        readyz += f": {reason}" if reason else ""
        readyz += f" (and {more} more)" if more else ""
        time.sleep(LASTS_SECONDS)
        self._row = self._row._replace(log=line or NOTHING, readyz=readyz, metrics=self._telling(samples) or NOTHING)
        if self._alerts is not None:
            self._alerts.shown(lambda: self._compared(service, is_log_meant=True))
        else:
            compared = self._compared(service, is_log_meant=False)
            assert [] == compared.wrong, compared.wrong
        return readiness

    def _compared(self, service: Service, *, is_log_meant: bool) -> Compared:
        """Whether all say the same when somebody looks; what they say is the row's, and the page is kept."""
        # /status may be a second older than /readyz, and several causes come and go together.
        deadline = time.monotonic() + SAME_SECONDS_MAX
        while (compared := compare(service, service.log[self._mark :])).wrong and time.monotonic() < deadline:
            pass
        self._row = self._row._replace(page=_shortened(compared.page), top=_shortened(compared.top))
        self.log_differs = compared.log_differs
        self.seen = seen(service)
        if is_log_meant and compared.log_differs:
            return compared._replace(wrong=[*compared.wrong, compared.log_differs])
        return compared

    def gone(self, service: Service) -> None:
        """The same of a member that can't say anything."""
        assert service.get("/readyz")[0] == 0
        top = service.ask("top", "--once", COLUMNS=TOP_COLUMNS)
        assert top.stdout.startswith(" NO ANSWER "), top.stdout
        self._row = self._row._replace(
            log=NOTHING, readyz="nobody answers", page="no answer since …", top="no answer", metrics="`up` 0"
        )
        if self._alerts is not None:
            self._alerts.shown(lambda: Compared("nobody answers", []))

    def over(self, service: Service, log: str, condition: Callable[[], bool] = lambda: True) -> None:
        """Return when it is ready, and no cause is left; `log`: a pattern of the line that says so."""

        def so() -> bool:
            causes = any(value for name, value in service.samples().items() if name.startswith(_CAUSE))
            return service.readiness()[:2] == (200, "ready") and not causes and condition()

        wait_until(so, lambda: f"{self._fault} to be over; {service.readiness()}\n{service.log[-3000:]}", 150)
        self.said(service, log)
        if self._alerts is not None:
            self._alerts.ended()

    def said(self, service: Service, log: str) -> None:
        """What the log says when it is over."""
        line = _in_time(lambda: self._first(service, re.compile(log), "INFO"), LOG_SECONDS_MAX)
        self._row = self._row._replace(over=line or NOTHING)

    def ended_by(self, text: str) -> None:
        """Somebody had to act: what they did."""
        self._row = self._row._replace(over=text)

    def figures(self, text: str) -> None:
        """More figures, such as a sum over members."""
        self._row = self._row._replace(metrics=", ".join(filter(None, [self._row.metrics, text])))

    def _first(self, service: Service, pattern: re.Pattern[str], levels: str = "WARNING ERROR") -> str | None:
        for line in service.log[self._mark :].splitlines():
            found = _LINE.match(line)
            if found is not None and found["level"] in levels and pattern.search(found["text"]):
                return f"{found['level']} {_shortened(re.sub(' {2,}', ' ', found['text']))}"
        return None

    def _telling(self, samples: dict[str, float]) -> str:
        causes = [name for name, value in samples.items() if name.startswith(_CAUSE) and value]
        also = [
            name
            for name, value in samples.items()
            if (any(sign.search(name) for sign in self._signs) and value and name not in causes)
            or any(one.search(name) for one in self._also)
        ]
        return ", ".join(f"`{cleaned(name)}` {samples[name]:.3g}" for name in [*causes, *also])


def _shortened(text: str) -> str:
    text = cleaned(text)
    return text if len(text) <= TEXT_CHARACTERS_MAX else text[: TEXT_CHARACTERS_MAX - 1].rstrip() + "…"


def _in_time(find: Callable[[], str | None], seconds: float) -> str | None:
    deadline = time.monotonic() + seconds
    while (found := find()) is None and time.monotonic() < deadline:
        time.sleep(0.1)
    return found
