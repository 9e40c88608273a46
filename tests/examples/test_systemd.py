"""examples/systemd: its numbers are those of the program, and systemd takes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from consumer.exit_codes import EXIT_SETTINGS, EXIT_USAGE
from consumer.kafka.leaving import CLOSE_SECONDS, JOIN_SECONDS, LEAVE_SECONDS
from consumer.kafka.source import DRAIN_GRACE_SECONDS, LEAVE_COMMIT_SECONDS
from consumer.settings import Settings, load_settings
from tests.deploy.kubernetes.manifests import consumer, read
from tests.deploy.tools import ROOT, need, run
from tests.examples.unit import FILE, FOLDER, PROGRAM, environment, service

PORT: Final = 9465
EXPOSURE_MAX: Final = 15
"""Tenths of what `systemd-analyze security` calls exposure: 100 is a service without any of its options."""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """As the member reads them."""
    (tmp_path / "api-key").write_text("a-server-key", encoding="utf-8")
    return load_settings(environment(PORT, tmp_path, tmp_path), FOLDER / "consumer.toml")


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    """The unit of one port, with the program that is here."""
    made = tmp_path / FILE.name.replace("@", f"@{PORT}")
    made.write_text(FILE.read_text(encoding="utf-8").replace(PROGRAM, sys.executable), encoding="utf-8")
    return made


def test_each_member_has_its_port_and_its_folder(settings: Settings, tmp_path: Path) -> None:
    """Those that systemd makes for it; what all share stands in consumer.toml."""
    [folder] = service()["StateDirectory"]

    assert settings.http_port == PORT
    assert settings.state_dir == tmp_path / folder.replace("%i", str(PORT))
    assert "customfit-consumer" == settings.kafka_group_id


def test_a_member_is_killed_only_after_the_longest_stop(settings: Settings) -> None:
    """Drain, commit, leave, close."""
    [seconds] = service()["TimeoutStopSec"]
    leaving = LEAVE_COMMIT_SECONDS + JOIN_SECONDS + LEAVE_SECONDS + CLOSE_SECONDS

    assert float(seconds) > settings.drain_seconds + DRAIN_GRACE_SECONDS + leaving


def test_what_a_restart_can_not_heal_is_not_restarted() -> None:
    """A wrong call and wrong settings; Kafka that is away and a crash are."""
    assert [f"{EXIT_USAGE} {EXIT_SETTINGS}"] == service()["RestartPreventExitStatus"]
    assert ["always"] == service()["Restart"]


def test_memory_is_that_of_a_pod() -> None:
    """Counted in tests/deploy/test_kubernetes.py."""
    pod = consumer(read("base/deployment.yaml"))["resources"]["limits"]["memory"]

    assert [pod.removesuffix("i")] == service()["MemoryMax"]


def test_systemd_takes_it(instance: Path) -> None:
    """Every directive is known and has a value that it may have: it warns of others, and ends with 0."""
    program = need("systemd-analyze", "REQUIRE_SYSTEMD")
    done = subprocess.run([program, "verify", instance], check=False, capture_output=True, text=True)

    assert (0, []) == (done.returncode, [line for line in done.stderr.splitlines() if instance.name in line])


def test_it_can_do_little_else(instance: Path) -> None:
    """By systemd's own measure."""
    program = need("systemd-analyze", "REQUIRE_SYSTEMD")

    run([program, "security", "--offline=true", f"--threshold={EXPOSURE_MAX}", "--no-pager", instance], ROOT)
