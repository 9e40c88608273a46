"""`check`: what it finds, in which order, and what it ends with."""

from __future__ import annotations

import pytest
import typer
from typer.testing import CliRunner, Result

from consumer.cli.check import check


@pytest.fixture(autouse=True)
def nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that are right, and no broker."""
    monkeypatch.setenv("CUSTOMFIT_API_KEY", "a-key-for-checking")
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", "127.0.0.1:1")
    monkeypatch.setenv("CUSTOMFIT_STARTUP_TIMEOUT_SECONDS", "1")


def run(*options: str) -> Result:
    """The command, in this process."""
    app = typer.Typer()
    app.command()(check)
    return CliRunner().invoke(app, list(options))
