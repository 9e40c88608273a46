"""`health` asks the server of this machine: 0, or 1 with one line that says why not."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from consumer.cli.health import health
from consumer.ops.server import TEXT, Page, Route
from tests.ops.given_server import Start, has_ipv6


def run_health(*arguments: str, environ: Mapping[str, str] | None = None) -> Result:
    """The command as typer runs it."""
    app = Typer()
    app.command()(health)
    return CliRunner().invoke(app, arguments, env=dict(environ or {}))


def ready(status: int, body: bytes) -> Mapping[str, Route]:
    """Routes with only this answer."""
    return {"/readyz": Route(lambda _: Page(status, TEXT, body))}


@pytest.mark.parametrize("host", ["0.0.0.0", "127.0.0.1", "::"])  # noqa: S104
def test_health_is_0_when_ready(start: Start, host: str) -> None:
    """Asks the port of the settings, by 127.0.0.1 when the server listens everywhere; needs no API key."""
    if ":" in host and not has_ipv6():
        pytest.skip("no IPv6 here")
    server = start(ready(200, b"{}"), host=host)
    result = run_health(environ={"CUSTOMFIT_HTTP_HOST": host, "CUSTOMFIT_HTTP_PORT": str(server.port)})

    assert (result.exit_code, result.output) == (0, "")


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (
            b'{"status": "starting", "reasons": ["no partitions yet", "restoring"]}',
            "starting (no partitions yet; restoring)",
        ),
        (b'{"status": "draining", "reasons": []}', "draining"),
        (b"plain\nwords", "plain words"),
        (b"[1]", "[1]"),
        (b"\xff", "�"),
        (b"\x1b[31mred", r"\x1b[31mred"),
    ],
)
def test_health_is_1_and_says_why_not(start: Start, body: bytes, said: str) -> None:
    """One line with the reasons that the instance gives."""
    port = start(ready(503, body)).port
    result = run_health("--host", "127.0.0.1", "--port", str(port))

    assert result.exit_code == 1
    assert result.output == f"customfit-consumer: not ready: http://127.0.0.1:{port}/readyz answered 503: {said}\n"


def test_health_is_1_when_nobody_answers(start: Start) -> None:
    """Not reachable is one line as well."""
    server = start()
    port = server.port
    server.close()
    result = run_health("--host", "127.0.0.1", "--port", str(port))

    assert result.exit_code == 1
    assert result.output.startswith(f"customfit-consumer: no answer from http://127.0.0.1:{port}/readyz: ")
    assert result.output.count("\n") == 1


def test_health_loads_nothing_heavy() -> None:
    """It runs every few seconds in each container: no Kafka, no HTTP library, no Prometheus."""
    code = "import sys, consumer.cli.health; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)

    heavy = {"confluent_kafka", "fastavro", "httpx", "prometheus_client", "httptools", "asyncio"}
    assert heavy & set(done.stdout.split()) == set()
