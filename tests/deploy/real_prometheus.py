"""Prometheus itself, with the rules of deploy/prometheus, asked over HTTP as Grafana asks it."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import yaml

from tests.deploy.names import OF_REKEY, OF_THE_SCRAPER
from tests.deploy.rules import RULE_FILES
from tests.deploy.tools import FOLDER, need
from tests.real_broker.broker import free_ports
from tests.real_broker.running_service import wait_until

WINDOW: Final = "10s"
"""What `$__rate_interval` stands for: some scrapes, of which there is one a second."""


class Prometheus:
    """One that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def is_ready(self) -> bool:
        """Whether it takes questions."""
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5):  # noqa: S310  our own process
                return True
        except (URLError, OSError):
            return False

    def ask(self, expression: str) -> list[Any]:
        """The series that it has for an expression now, those whose value is no number left out."""
        with urlopen(f"{self.url}/api/v1/query?{urlencode({'query': expression})}", timeout=60) as answer:  # noqa: S310
            series = json.loads(answer.read())["data"]["result"]
        return [one for one in series if not math.isnan(float(one["value"][1]))]


def chosen_all(expression: str) -> str:
    """What Grafana asks when all members and topics are chosen."""
    chosen = {"job": OF_THE_SCRAPER["job"], "rekey": OF_REKEY["job"], "instance": ".*", "topic": ".*"}
    for name, value in chosen.items():
        expression = expression.replace(f'"${name}"', f'"{value}"')
    return expression.replace("$__rate_interval", WINDOW)


@contextmanager
def running_prometheus(
    folder: Path, members: Mapping[str, str], *options: str, rekeyers: Mapping[str, str] | None = None
) -> Iterator[Prometheus]:
    """One that scrapes these (instance → address) every second, works its rules out as often, and tells at once."""
    for name in RULE_FILES:
        text = (FOLDER / name).read_text(encoding="utf-8")
        text = re.sub(r"\binterval: \w+", "interval: 1s", text)
        (folder / name).write_text(re.sub(r"\bfor: \w+", "for: 0s", text), encoding="utf-8")
    jobs = {OF_THE_SCRAPER["job"]: members, OF_REKEY["job"]: rekeyers or {}}
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": list(RULE_FILES),
        "scrape_configs": [{"job_name": job, "static_configs": _targets(of_job)} for job, of_job in jobs.items()],
    }
    (folder / "prometheus.yml").write_text(yaml.safe_dump(config), encoding="utf-8")
    [port] = free_ports(1)
    log = folder / "prometheus.log"
    command = [
        need("prometheus"),
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'prometheus'}",
        f"--web.listen-address=127.0.0.1:{port}",
        *options,
    ]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        prometheus = Prometheus(f"http://127.0.0.1:{port}")
        wait_until(prometheus.is_ready, lambda: f"Prometheus to be ready; its log:\n{log.read_text()}")
        yield prometheus
    finally:
        process.terminate()
        process.wait(60)


def _targets(addresses: Mapping[str, str]) -> list[Any]:
    return [{"targets": [address], "labels": {"instance": name}} for name, address in addresses.items()]
