"""Every command of ours that README and docs show, pasted as it stands, with a service, a broker and dead letters."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from consumer.emulator.server import Emulator, running_emulator
from tests import pasted
from tests.pasted import Pasted
from tests.real_broker.broker import Broker, free_ports
from tests.real_broker.running_service import KEY, Service, wait_until

TOPIC: Final = "segment-events"
LETTERS: Final = 3
ELSEWHERE: Final = ("customfit-consumer demo", "customfit-consumer demo --keep")
"""Pasted by tests/demo, which looks at all that they print."""
SHOWN: Final = {(one.command, one.exports): one for one in (*pasted.of("customfit-consumer"), *pasted.of("eval"))}
"""Once, where several pages show it."""
OWN: Final = [one for one in SHOWN.values() if one.command not in ELSEWHERE]

NOBODY_THERE: Final = re.compile(r"^customfit-consumer emulator (last|control)")
"""They ask the emulator at its ordinary port."""
ENDS_WITH: Final = {
    "customfit-consumer health --port 9465": {1},
    "customfit-consumer audit --from -1d --to now --ledger accepted.jsonl": {1},
    "customfit-consumer offsets --to 2026-11-23T10:00:00Z": {75},
    "customfit-consumer offsets --to latest --yes": {75},
    "customfit-consumer state copy --from-topic old.identified-users": {69},
    "customfit-consumer state copy --from-topic old.identified-users --dry-run": {69},
    "customfit-consumer top --url consumer": {69},
    "customfit-consumer top --url a:9464 --url b:9464": {69},
    "customfit-consumer user ann": {0, 1},
    "customfit-consumer user --pseudonym 9ebb7c63b02b": {69},
}
"""Where it is not 0: the group has a member; there is no such ledger or topic; there is nobody at that
port or of that name; she may have been forgotten by the line before; of a user whom no member has in hand, a pseudonym
says nothing."""
SILENT: Final = re.compile(r"^eval|^customfit-consumer health|\| source")
RUN_ON: Final = re.compile(r"customfit-consumer (run|rekey|emulator(?! last| control))\b")
"""Those that run until they are stopped."""


@pytest.fixture(scope="module")
def typed_at(broker: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of a terminal beside a service that has dead letters; its folder is PWD."""
    folder = tmp_path_factory.mktemp("pasted")
    broker.create_topic(TOPIC, 1)
    with running_emulator(Emulator(keys=frozenset({KEY}))) as emulator:
        emulator.faults.change({"refuse_names": ["Refused"]})
        settings = {
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
            "CUSTOMFIT_API_URL": emulator.url,
            "CUSTOMFIT_DEAD_LETTER_RATIO_MAX": "1",
        }
        (folder / "consumer.toml").write_text('log_level = "warning"\n')
        (folder / "events.jsonl").write_text(
            '{"type":"identify","userId":"ann","traits":{}}\n{"type":"track","userId":"ann","event":"Refused"}\n'
            "garbage\n"
        )
        with Service(folder, settings) as service:
            environ = {
                **{name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")},
                **settings,
                "CUSTOMFIT_API_KEY": KEY,
                "CUSTOMFIT_HTTP_PORT": service.base_url.rpartition(":")[2],
                "CUSTOMFIT_STATE_DIR": str(folder / "state"),
                "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
                "PWD": str(folder),
            }
            wait_until(lambda: _answers(service.base_url, "/readyz"), "the service to be ready")
            for _ in range(LETTERS):
                paste("customfit-consumer produce --file events.jsonl", environ)
            wait_until(
                lambda: paste("customfit-consumer dlq list", environ).stdout.count("refused") >= LETTERS, "dead letters"
            )
            yield environ


def paste(line: str, environ: dict[str, str], stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Into a shell that stands in the folder."""
    shell = "zsh" if " zsh)" in line else "fish" if "| source" in line else "bash"
    if shutil.which(shell) is None:
        pytest.skip(f"no {shell}")
    return subprocess.run(
        [shell, "-c", line], cwd=environ["PWD"], env=environ, check=False, capture_output=True, text=True, input=stdin
    )


@pytest.mark.parametrize("one", [one for one in OWN if not RUN_ON.search(one.line)], ids=str)
def test_what_is_shown_can_be_pasted(one: Pasted, typed_at: dict[str, str]) -> None:
    """It ends with 0 and says something."""
    done = paste(one.line, _exported(one, typed_at))

    expected = {0, 1, 69} if NOBODY_THERE.match(one.command) else ENDS_WITH.get(one.command, {0})
    assert done.returncode in expected, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout or done.stderr or SILENT.search(one.line)


@pytest.mark.parametrize("one", [one for one in OWN if RUN_ON.search(one.line)], ids=str)
def test_what_is_shown_runs_until_it_is_stopped(one: Pasted, typed_at: dict[str, str], tmp_path: Path) -> None:
    """It comes up, and ends with 0 when it is told to."""
    [port] = free_ports(1)
    log = tmp_path / "log"
    environ = {**_exported(one, typed_at), "CUSTOMFIT_HTTP_PORT": str(port), "PYTHONUNBUFFERED": "1"}
    if " emulator " in one.line and not _is_free(int((re.findall(r"--port (\d+)", one.line) or ["8080"])[0])):
        pytest.skip("somebody else has the emulator's port")
    with log.open("wb") as out:
        process = subprocess.Popen(
            ["bash", "-c", f"exec env {one.line}"], cwd=environ["PWD"], env=environ, stdout=out, stderr=out
        )
        try:
            wait_until(
                lambda: (
                    process.poll() is not None
                    or "events go to" in log.read_text()
                    or (" emulator" not in one.line and _answers(f"http://127.0.0.1:{port}", "/readyz"))
                ),
                log.read_text,
            )
            process.send_signal(signal.SIGTERM)
            code = process.wait(30.0)
        finally:
            process.kill()
            process.wait()

    assert 0 == code, log.read_text()


def test_the_readme_types_events_with_kafkas_own_tool(typed_at: dict[str, str], broker: Broker) -> None:
    """The options of the console producer, as the README has them for this Kafka; its four lines as they stand."""
    [one] = [one for one in pasted.of("docker") if "console-producer" in one.line and one.page == "README.md"]
    options = one.line.partition("kafka-console-producer.sh ")[2].replace("localhost:9092", broker.bootstrap_servers)
    arguments = [word.strip("'") for word in options.split()]
    lines = re.findall(r"^\w+\|.*$", (pasted.ROOT / "README.md").read_text(), re.MULTILINE)
    assert 4 == len(lines)
    broker.tool("org.apache.kafka.tools.ConsoleProducer", *arguments, input="\n".join(lines) + "\n")

    wait_until(
        lambda: "bob is identified" in paste("customfit-consumer user bob", typed_at).stdout, "bob to be introduced"
    )


def _exported(one: Pasted, environ: dict[str, str]) -> dict[str, str]:
    """With the block's own settings, at the broker that is here."""
    given = dict(word.split("=", 1) for line in one.exports for word in line.split()[1:])
    here = {"localhost:9092": environ["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"], "your-server-key": KEY}
    return environ | {name: here.get(value, value) for name, value in given.items()}


def _answers(base_url: str, path: str) -> bool:
    try:
        with urlopen(base_url + path, timeout=5):  # noqa: S310  our own process
            return True
    except (URLError, OSError):
        return False


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
