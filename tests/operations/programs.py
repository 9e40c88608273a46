"""Prometheus and Alertmanager, started with the project's files; asked over HTTP, as people and Grafana do."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.operations import shortened
from tests.real_broker.broker import free_ports
from tests.real_broker.running_service import wait_until

JOB: Final = "customfit-consumer"
TOPIC: Final = "segment-events"
"""The default name, which series and pages show in place of that of a scene."""


class Program:
    """One of them; a context manager that leaves nothing running."""

    def __init__(self, name: str, folder: Path, options: Sequence[str]) -> None:
        [port] = free_ports(1)
        self.address = f"127.0.0.1:{port}"
        self._log = folder / f"{name}.log"
        with self._log.open("wb") as log:
            command = [name, *options, f"--web.listen-address={self.address}"]
            self._process = subprocess.Popen(command, stdout=log, stderr=log)

    def __enter__(self) -> Self:
        wait_until(self._is_ready, lambda: f"ready; its log:\n{self._log.read_text()}")
        return self

    def __exit__(self, *_exc: object) -> None:
        self._process.terminate()
        self._process.wait(10)

    def ask(self, path: str, **values: str | float) -> Any:
        """The JSON that it answers with."""
        with urlopen(f"http://{self.address}{path}?{urlencode(values)}", timeout=10) as answer:
            return json.loads(answer.read())

    def _is_ready(self) -> bool:
        assert self._process.poll() is None, self._log.read_text()
        try:
            with urlopen(f"http://{self.address}/-/ready", timeout=5):
                return True
        except (HTTPError, URLError, OSError):
            return False


class Alertmanager(Program):
    """With our routes and inhibitions."""

    def __init__(self, folder: Path, minute_seconds: float) -> None:
        config = folder / "alertmanager.yml"
        config.write_text(shortened.alertmanager(minute_seconds), encoding="utf-8")
        options = [f"--config.file={config}", f"--storage.path={folder / 'alertmanager'}", "--cluster.listen-address="]
        super().__init__("prometheus-alertmanager", folder, options)

    def told(self) -> set[str]:
        """Names of the alerts that fire and that no other one silences."""
        found = self.ask("/api/v2/alerts", silenced="false", inhibited="false", active="true")
        return {one["labels"]["alertname"] for one in found}


class Prometheus(Program):
    """Scrapes members once a second, and has our rules with shortened times."""

    def __init__(self, folder: Path, minute_seconds: float, alertmanager: Alertmanager) -> None:
        shortened.write(folder, minute_seconds)
        self._targets = folder / "targets.json"
        self._members: dict[str, str] = {}
        self._write_targets()
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(_config(alertmanager.address, minute_seconds)), encoding="utf-8")
        super().__init__(
            "prometheus",
            folder,
            [f"--config.file={config}", f"--storage.tsdb.path={folder / 'data'}", "--log.level=warn"],
        )

    def scrape(self, name: str, address: str) -> None:
        """From now on this member, too; it stays a target whatever becomes of it."""
        self._members[name] = address
        self._write_targets()

    def query(self, expression: str) -> list[Mapping[str, Any]]:
        """What it says now."""
        return list(self.ask("/api/v1/query", query=expression)["data"]["result"])

    def values(self, expression: str, begin: float, end: float, step_seconds: float) -> list[Mapping[str, Any]]:
        """What it says at each step of a time."""
        asked: dict[str, str | float] = {"query": expression, "start": begin, "end": end, "step": step_seconds}
        return list(self.ask("/api/v1/query_range", **asked)["data"]["result"])

    def _write_targets(self) -> None:
        groups = [
            {"targets": [address], "labels": {"instance": f"{name}:9464"}} for name, address in self._members.items()
        ]
        new = self._targets.with_suffix(".new")
        new.write_text(json.dumps(groups), encoding="utf-8")
        new.rename(self._targets)


def _config(alertmanager: str, minute_seconds: float) -> Mapping[str, Any]:
    """As deploy/prometheus/prometheus.yml, but for the times, and where the members are found."""
    default_topic = {"source_labels": ["topic"], "regex": rf"{TOPIC}-\d+x(.*)", "target_label": "topic"}
    return {
        "global": {"scrape_interval": "1s", "evaluation_interval": f"{500 * minute_seconds:.0f}ms"},
        "rule_files": ["recording.yml", "alerts.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager]}]}]},
        "scrape_configs": [
            {
                "job_name": JOB,
                "file_sd_configs": [{"files": ["targets.json"]}],
                "metric_relabel_configs": [{**default_topic, "replacement": f"{TOPIC}$1"}],
            }
        ],
    }


def missing() -> str | None:
    """What is not installed."""
    for name in ("prometheus", "prometheus-alertmanager"):
        if shutil.which(name) is None:
            return f"{name} is not installed: it is Debian's package of that name"
    return None


def now() -> float:
    """Wall seconds, as Prometheus has them."""
    return time.time()
