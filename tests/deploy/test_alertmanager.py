"""deploy/prometheus/alertmanager.yml: who is told, and which alerts another one silences, by a real Alertmanager."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

from tests.deploy.rules import alerts
from tests.deploy.tools import FOLDER, need, run
from tests.fakes.servers import closed_port

FILE: Final = FOLDER / "alertmanager.yml"
SEVERITY: Final = {alert.name: alert.labels["severity"] for alert in alerts()}
SECONDS_MAX: Final = 60.0
SYMPTOMS: Final = {
    "CustomfitLateMinutesBurnFast",
    "CustomfitLateMinutesBurnSlow",
    "CustomfitFreshnessBurnFast",
    "CustomfitFreshnessBurnSlow",
    "CustomfitWithoutProgress",
    "CustomfitCommitsFail",
    "CustomfitRebalanceStorm",
    "CustomfitHoldsCutShort",
    "CustomfitNotReady",
}
BY_CAUSE: Final = {
    "CustomfitKafkaUnreachable": ("kafka_unreachable", "leader_missing"),
    "CustomfitTopicGone": ("topic_gone", "topic_made_again"),
    "CustomfitStateNotWritten": ("state_topic", "records_not_written"),
    "CustomfitDeadLetterNotWritten": ("dead_letters_not_written",),
    "CustomfitReceiptNotWritten": ("receipts_not_written",),
    "CustomfitPartitionStopped": ("out_of_range", "topic_made_again"),
}
"""Alerts for which it matters what their cause is."""
ALL: Final = [f"{name} {cause}".rstrip() for name in SEVERITY for cause in BY_CAUSE.get(name, ("",))]
SILENCES: Final = {
    "CustomfitDown": {*SYMPTOMS, "CustomfitMemberDown"},
    "CustomfitDestinationStopped": SYMPTOMS,
    "CustomfitStuck": {"CustomfitNotReady"},
    "CustomfitGroupDoesNotAnswer": SYMPTOMS,
    "CustomfitTopicGone topic_gone": SYMPTOMS,
    "CustomfitTopicGone topic_made_again": {*SYMPTOMS, "CustomfitPartitionStopped topic_made_again"},
    "CustomfitKafkaUnreachable kafka_unreachable": {
        *SYMPTOMS,
        "CustomfitKafkaUnreachable leader_missing",
        "CustomfitGroupDoesNotAnswer",
        "CustomfitPartitionUnowned",
        "CustomfitRekeyDown",
        "CustomfitStateNotWritten state_topic",
        "CustomfitStateNotWritten records_not_written",
        "CustomfitDeadLetterNotWritten dead_letters_not_written",
        "CustomfitReceiptNotWritten receipts_not_written",
    },
    "CustomfitStateNotWritten state_topic": {*SYMPTOMS, "CustomfitStateNotWritten records_not_written"},
    "CustomfitDeadLetterNotWritten dead_letters_not_written": {"CustomfitStateNotWritten records_not_written"},
    "CustomfitReceiptNotWritten receipts_not_written": {"CustomfitStateNotWritten records_not_written"},
    "CustomfitLateMinutesBurnFast": {
        "CustomfitLateMinutesBurnSlow",
        "CustomfitFreshnessBurnFast",
        "CustomfitFreshnessBurnSlow",
    },
    "CustomfitFreshnessBurnFast": {"CustomfitFreshnessBurnSlow"},
    "CustomfitCorrectnessBurnFast": {"CustomfitCorrectnessBurnSlow"},
}
"""An alert, with its cause → those that say nothing while it fires."""


def test_critical_alerts_page_and_the_others_are_tickets() -> None:
    """By their severity alone."""
    amtool = need("amtool")
    run([amtool, "check-config", FILE])

    for severity, receiver in (("critical", "page"), ("warning", "ticket")):
        given = [amtool, "config", "routes", "test", f"--config.file={FILE}", f"--verify.receivers={receiver}"]
        run([*given, f"severity={severity}", "job=customfit-consumer"])


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One that runs with our file; its address."""
    program, port = need("prometheus-alertmanager"), closed_port()
    folder = tmp_path_factory.mktemp("alertmanager")
    command = [program, f"--config.file={FILE}", f"--storage.path={folder}", "--cluster.listen-address="]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen([*command, f"--web.listen-address=127.0.0.1:{port}"], stdout=log, stderr=log)
    try:
        _wait_until_it_is_ready(f"http://127.0.0.1:{port}", folder / "log")
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(60)


def _wait_until_it_is_ready(address: str, log: Path) -> None:
    ends_at = time.monotonic() + SECONDS_MAX
    while True:
        try:
            with urlopen(f"{address}/-/ready", timeout=5):  # noqa: S310  our own process
                return
        except (URLError, OSError):
            assert time.monotonic() < ends_at, log.read_text()
            time.sleep(0.05)


def _ask(address: str, body: list[Mapping[str, Any]] | None = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    request = Request(f"{address}/api/v2/alerts", data, {"Content-Type": "application/json"})  # noqa: S310
    with urlopen(request, timeout=60) as response:  # noqa: S310  our own process
        return json.loads(response.read() or b"null")


def _labels(alert: str, job: str) -> dict[str, str]:
    name, _, cause = alert.partition(" ")
    labels = {"alertname": name, "severity": SEVERITY[name], "job": job}
    return {**labels, "cause": cause} if cause else labels


def _silenced(address: str) -> dict[str, set[str]]:
    """Of each two alerts that fire in one job: which of them says nothing."""
    silenced: dict[str, set[str]] = {}
    for one in _ask(address):
        if one["status"]["inhibitedBy"]:
            name = " ".join(filter(None, [one["labels"]["alertname"], one["labels"].get("cause")]))
            [other] = [alert for alert in one["labels"]["job"].split("/") if alert != name]
            silenced.setdefault(other, set()).add(name)
    return silenced


def test_an_alert_is_silenced_by_its_cause_and_by_nothing_else(alertmanager: str) -> None:
    """Each two of them fire in a job of their own; the other jobs, in which everything fires, silence nothing there."""
    pairs = [(one, other) for one in ALL for other in ALL if one < other]
    _ask(alertmanager, [{"labels": _labels(alert, f"{one}/{other}")} for one, other in pairs for alert in (one, other)])

    ends_at = time.monotonic() + SECONDS_MAX
    while (found := _silenced(alertmanager)) != SILENCES and time.monotonic() < ends_at:
        time.sleep(0.1)

    assert SILENCES == found


def test_no_ticket_silences_a_page() -> None:
    """CustomFit may be away for long with nothing to be done here: it pages all the same, once the budget goes."""
    by_tickets = {name for name in SILENCES if SEVERITY[name.partition(" ")[0]] == "warning"}

    assert set() == by_tickets


def test_what_cannot_be_waited_for_is_never_silenced() -> None:
    """Events about to be deleted, a broken account, dead letters; and what somebody has to act on."""
    silenced = {name.partition(" ")[0] for names in SILENCES.values() for name in names}

    assert set() == silenced & {
        "CustomfitRetentionNear",
        "CustomfitAccountingBroken",
        "CustomfitCorrectnessBurnFast",
        "CustomfitDown",
        "CustomfitDestinationStopped",
        "CustomfitTopicGone",
        "CustomfitAccessDenied",
    }
