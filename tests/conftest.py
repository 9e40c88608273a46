"""The order of the tests, how long they will take, and how far they are; see durations.py.

Quick files first, so that a mistake shows in seconds. On a terminal one line says how far it is, in place of the dots;
what fails is named as it fails.
"""

from __future__ import annotations

import time
from collections import Counter
from typing import Final

import pytest
from hypothesis import settings

from tests.durations import (
    TABLE,
    Done,
    as_toml,
    estimate_seconds,
    file_of,
    in_order,
    is_quick,
    minutes,
    stored,
    without,
)
from tests.real_broker.broker import missing as broker_missing
from tests.sampled import left_out

settings.register_profile("project", deadline=None)  # how long an example takes on a busy machine says nothing
settings.load_profile("project")

ESTIMATED_SECONDS_MIN: Final = 30.0
"""Below that nobody needs to be told."""
DRAW_SECONDS: Final = 0.2
FILES_STORED_MIN: Final = 50
"""Of a run of fewer files nothing is stored: the others would fall out of the table."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """How `make` asks for parts and orders."""
    group = parser.getgroup("this project")
    group.addoption("--quick", action="store_true", help="only files that take a few seconds and need no broker")
    group.addoption("--sample", metavar="SEED", help="of tests marked sampled(n): n cases, which the seed chooses")
    group.addoption("--longest-first", action="store_true", help="as CI does it: no processor waits at the end")
    group.addoption("--store-durations", action="store_true", help="write what each file took into durations.toml")


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Quick ones first; `--quick`: no others."""
    if config.getoption("--quick"):
        slow = {item for item in items if not is_quick(file_of(item.nodeid), stored()) or _is_slow(item)}
        _leave_out(config, items, slow)
    if (seed := config.getoption("--sample")) is not None:
        marked = {item: marker for item in items if (marker := item.get_closest_marker("sampled"))}
        names = left_out({item.nodeid: marker.args[0] for item, marker in marked.items()}, seed)
        _leave_out(config, items, {item for item in marked if item.nodeid in names})
    order = in_order([item.nodeid for item in items], stored(), longest_first=bool(config.getoption("--longest-first")))
    items[:] = [items[place] for place in order]


def _leave_out(config: pytest.Config, items: list[pytest.Item], out: set[pytest.Item]) -> None:
    config.hook.pytest_deselected(items=[item for item in items if item in out])
    items[:] = [item for item in items if item not in out]


def _is_slow(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("kafka", "long"))


def pytest_configure(config: pytest.Config) -> None:
    """Watch, in the process that speaks to the terminal: not in its workers."""
    if not hasattr(config, "workerinput") and not config.option.collectonly:
        config.pluginmanager.register(Watch(config), "watch")


class Watch:
    """Says beforehand how long it takes, then how far it is; keeps what each file took."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._done: Done | None = None
        self._took = Counter[str]()
        self._started = time.monotonic()
        self._drawn = 0.0

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Without workers."""
        self._begin([item.nodeid for item in session.items])

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, node: object, ids: list[str]) -> None:
        """The first worker knows all tests."""
        del node
        if self._done is None:
            self._begin(ids)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """One of a test's three steps is over."""
        self._took[file_of(report.nodeid)] += report.duration  # type: ignore[assignment]
        if self._done is not None and report.when == "teardown":
            self._done.count(report.nodeid)
            self._draw(self._done)
        if report.failed and self._on_terminal:
            self._write(f"\r\033[KFAILED {report.nodeid}\n")

    @pytest.hookimpl(tryfirst=True)
    def pytest_report_teststatus(self, report: pytest.TestReport) -> tuple[str, str, str] | None:
        """On a terminal no dots and letters: they are counted, and failures are named."""
        plain = report.when == "call" or (report.when == "setup" and report.skipped)
        if not self._on_terminal or not plain or hasattr(report, "wasxfail"):
            return None
        return report.outcome, "", ""

    def pytest_sessionfinish(self) -> None:
        """Store, if asked to."""
        if self._on_terminal:
            self._write("\r\033[K")
        if self._config.getoption("--store-durations") and len(self._took) >= FILES_STORED_MIN:
            TABLE.write_text(as_toml(self._took), encoding="utf-8")

    # ------------------------------------------------------------------

    def _begin(self, tests: list[str]) -> None:
        table = without(stored(), ["tests/real_broker"] if broker_missing() else [])
        self._done = Done(tests, table)
        workers = getattr(self._config.option, "numprocesses", None) or 1
        seconds = estimate_seconds(tests, table, workers)
        if seconds >= ESTIMATED_SECONDS_MIN:
            files = len({file_of(test) for test in tests})
            said = f"{len(tests):,} tests in {files} files: about {minutes(seconds)} minutes on two busy cores"
            order = "" if self._longest_first else ", the quick ones first"
            seed = self._config.getoption("--sample")
            sample = "" if seed is None else f"; some with the cases that seed {seed} chooses (all: make test-long)"
            self._write(f"\n{said}{order}{sample}\n")

    def _draw(self, done: Done) -> None:
        now = time.monotonic()
        if not self._on_terminal or now - self._drawn < DRAW_SECONDS:
            return
        self._drawn = now
        took = now - self._started
        left = f", about {minutes(took * (1 - done.share) / done.share)} left" if done.share >= 0.05 else ""
        self._write(f"\r\033[K{done.share:4.0%}  {done.tests:,} of {done.all:,} tests, {minutes(took)}{left}")

    @property
    def _longest_first(self) -> bool:
        return bool(self._config.getoption("--longest-first"))

    @property
    def _on_terminal(self) -> bool:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        return reporter is not None and reporter.isatty and self._config.option.verbose <= 0

    def _write(self, text: str) -> None:
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter._tw.write(text, flush=True)
