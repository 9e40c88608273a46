"""Secrets change without a restart, and are nowhere to be seen: not in logs, pages, dead letters or tracebacks."""

from __future__ import annotations

import base64
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final
from urllib.parse import quote, quote_plus

import pytest

from consumer.emulator.server import Emulator, running_emulator
from tests.real_broker.broker import Broker
from tests.real_broker.running_service import KEY, Service, wait_until
from tests.real_broker.scene import Scene, event

NEW_KEY: Final = "another-test-key-9876"
API_KEY: Final = "canary-api-key/with=odd+characters"
KAFKA_PASSWORD: Final = "canary-kafka-p@ss/word+1"
REGISTRY_PASSWORD: Final = "canary-registry-p@ss/word+2"
PROXY_PASSWORD: Final = "canary-proxy-p@ss/word+3"
HEADERS_SAID_BACK: Final = ("Authorization", "Proxy-Authorization")

CRASH: Final = """
import consumer.loop.pipeline
def crash(self):
    key = self._settings.api_key
    raise RuntimeError(f"a fault with {self._settings!r} and {key!r} and {self._edges.destination._engine!r}")
consumer.loop.pipeline.Pipeline._send = crash
from consumer.cli import main
main()
"""


# --- rotation


@pytest.mark.parametrize("how", ["refused", "signal"])
def test_a_rotated_key_is_used_without_a_restart(broker: Broker, topic_name: str, tmp_path: Path, how: str) -> None:
    """When the old one is refused, or before that at SIGHUP: then not one request is refused."""
    key_file = tmp_path / "key"
    key_file.write_text(f"{KEY}\n")
    with running_emulator(Emulator(keys=frozenset({KEY, NEW_KEY}))) as emulator:
        scene = Scene(broker, topic_name, emulator, tmp_path, 2)
        scene.settings = {"CUSTOMFIT_API_KEY_FILE": str(key_file)}
        with scene.member("one", without=["CUSTOMFIT_API_KEY"]).wait_ready() as one:
            scene.produce(event("ann", 0))
            scene.wait_committed()
            if how == "signal":
                key_file.write_text(f"{NEW_KEY}\n")
                one.process.send_signal(signal.SIGHUP)
                wait_until(lambda: "the API key has changed" in one.log, "the new key")
            emulator.faults.change({"reject_keys": [KEY]})
            scene.produce(event("ann", 1))
            if how == "refused":
                wait_until(lambda: "the destination is stopped" in one.log, "the refusal")
                key_file.write_text(f"{NEW_KEY}\n")
            scene.wait_committed()
            refused = one.samples()['customfit_requests_total{result="401"}']
            assert 0 == one.stop()
        scene.check(["ann"], 2)
        scene.outside.close()

    assert (how == "signal") == (refused == 0)
    assert [] == [key for key in (KEY, NEW_KEY) if key in one.log]


# --- canaries


class SaysItBack(BaseHTTPRequestHandler):
    """A destination, a registry and a proxy that put what they were sent into what they answer."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self._answer(200 if b"ann" in body else 400)

    def do_GET(self) -> None:
        self._answer(401)

    def _answer(self, status: int) -> None:
        said = "\n".join([self.path, *(str(self.headers[name]) for name in HEADERS_SAID_BACK)]).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(said)))
        self.end_headers()
        self.wfile.write(said)

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def telltale() -> Iterator[str]:
    """Its URL."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), SaysItBack)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.fixture
def environ(broker: Broker, topic_name: str, tmp_path: Path, telltale: str) -> dict[str, str]:
    """Every secret there is, and parts that say them back."""
    broker.create_topic(topic_name, 1)
    proxy = telltale.replace("http://", f"http://proxy-user:{quote(PROXY_PASSWORD, safe='')}@")
    return {
        "CUSTOMFIT_API_KEY": API_KEY,
        "CUSTOMFIT_API_URL": "http://customfit.test/v1/cfe",  # only the proxy knows of it
        "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": broker.bootstrap_servers,
        "CUSTOMFIT_KAFKA_TOPIC": topic_name,
        "CUSTOMFIT_KAFKA_GROUP_ID": topic_name,
        "CUSTOMFIT_KAFKA_PROPERTIES": json.dumps(
            {"sasl.username": "kafka-user", "sasl.password": KAFKA_PASSWORD, "ssl.key.password": KAFKA_PASSWORD}
        ),
        "CUSTOMFIT_SCHEMA_REGISTRY_URL": telltale,
        "CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO": f"registry-user:{REGISTRY_PASSWORD}",
        "CUSTOMFIT_LOG_LEVEL": "debug",
        "CUSTOMFIT_STATE_DIR": str(tmp_path / "state"),
        "CUSTOMFIT_STARTUP_TIMEOUT_SECONDS": "5",
        "http_proxy": proxy,
        "no_proxy": "127.0.0.1",
    }


def canaries_in(text: str) -> list[str]:
    """Which secrets can be read in it, in whatever spelling."""
    found = []
    for secret in (API_KEY, KAFKA_PASSWORD, REGISTRY_PASSWORD, PROXY_PASSWORD):
        users = ("", "registry-user:", "proxy-user:", "kafka-user:")
        encoded = (base64.b64encode(f"{user}{secret}".encode()).decode().rstrip("=") for user in users)
        spellings = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), repr(secret)[1:-1]}
        spellings |= {json.dumps(secret)[1:-1], secret.encode().hex(), *encoded}
        found += [spelling for spelling in spellings if spelling.lower() in text.lower()]
    return found


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    "way",
    [
        {"CUSTOMFIT_API_AUTH": "query", "CUSTOMFIT_HTTP_ENGINE": "httptools", "CUSTOMFIT_LOG_FORMAT": "text"},
        {"CUSTOMFIT_API_AUTH": "query", "CUSTOMFIT_HTTP_ENGINE": "httpx", "CUSTOMFIT_LOG_FORMAT": "text"},
        {"CUSTOMFIT_API_AUTH": "query", "CUSTOMFIT_HTTP_ENGINE": "httpx", "CUSTOMFIT_LOG_FORMAT": "json"},
        {"CUSTOMFIT_API_AUTH": "bearer", "CUSTOMFIT_HTTP_ENGINE": "httptools", "CUSTOMFIT_LOG_FORMAT": "text"},
    ],
    ids=lambda way: "-".join(way.values()),
)
def test_the_service_shows_no_secret(
    broker: Broker, topic_name: str, tmp_path: Path, environ: dict[str, str], way: dict[str, str]
) -> None:
    """Whatever the destination, the proxy and the registry say back: log, pages and dead letters hold none of it."""
    environ |= way
    console = ("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", broker.bootstrap_servers)
    lines = [event("ann", 0)[1], event("bob", 0)[1], b"garbage", b"\x00\x00\x00\x00\x07avro"]
    broker.tool(*console, "--topic", topic_name, input="".join(f"{line.decode()}\n" for line in lines))
    with Service(tmp_path, environ).wait_ready() as service:
        wait_until(lambda: "schema registry" in service.get("/readyz")[1], "the registry's refusal")
        wait_until(lambda: service.total("customfit_errors_total") >= 3, "dead letters")
        pages = "".join(service.get(path)[1] for path in ("/", "/metrics", "/status", "/readyz", "/livez"))
        service.stop()
    shown = (
        run(environ, "dlq", "list", "--json") + run(environ, "dlq", "show", "0:0") + run(environ, "dlq", "show", "0:1")
    )

    assert "refused" in shown
    assert "***" in shown, "what was said back is blotted out"
    assert [] == canaries_in(service.log)
    assert [] == canaries_in(pages)
    assert [] == canaries_in(shown)


def test_all_that_leaves_the_process_goes_through_one_masker(
    broker: Broker, topic_name: str, tmp_path: Path, environ: dict[str, str]
) -> None:
    """Whoever says a secret, and wherever it is shown or stored: here two proxies' passwords are words of our own."""
    console = ("org.apache.kafka.tools.ConsoleProducer", "--bootstrap-server", broker.bootstrap_servers)
    broker.tool(*console, "--topic", topic_name, input=json.dumps({"userId": "ann", "type": "track"}) + "\n")
    proxies = {"ALL_PROXY": f"http://me:{topic_name}@a:1", "HTTPS_PROXY": "http://me:track%20without@a:1"}
    with Service(tmp_path, environ | proxies | {"CUSTOMFIT_LOG_LEVEL": "info"}).wait_ready() as service:
        wait_until(lambda: service.total("customfit_errors_total") >= 1, "the dead letter")
        wait_until(lambda: json.loads(service.get("/status")[1])["partitions"], "the partition")
        page = json.loads(service.get("/status")[1])
        service.stop()
    written = json.loads(run(environ, "dlq", "show", "0:0", "--json"))
    headers = {header["name"]: header.get("value") for header in written["headers"]}

    assert {"***", "***.customfit-replay"} == {partition["topic"] for partition in page["partitions"]}
    assert "a *** `event`" == headers["__connect.errors.exception.message"]
    assert "topic=***" in service.log
    assert "a *** `event`" in service.log
    assert "ok   Kafka topic: ***, 1 partition" in run(environ | proxies, "check", "--connect")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    "command",
    [
        ("check",),
        ("check", "--json"),
        ("check", "--connect", "--send-test-event"),
        ("check", "--connect", "--send-test-event", "--json"),
        ("lag",),
        ("user", "ann"),
        ("dlq", "replay", "--dry-run"),
        ("health",),
    ],
    ids=" ".join,
)
def test_a_command_shows_no_secret(environ: dict[str, str], command: tuple[str, ...]) -> None:
    """Settings, findings and failures are told without them."""
    assert [] == canaries_in(run(environ, *command))


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CUSTOMFIT_API_KEY", API_KEY + "\n"),
        ("CUSTOMFIT_API_KEY_FILE", API_KEY),
        ("CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO", REGISTRY_PASSWORD),
        ("CUSTOMFIT_KAFKA_PROPERTIES", f'{{"sasl.password": "{KAFKA_PASSWORD}"'),
        ("CUSTOMFIT_KAFKA_PROPERTIES", json.dumps({"sasl.pasword": KAFKA_PASSWORD})),
        ("CUSTOMFIT_KAFKA_PROPERTIES", json.dumps({"security.protocol": "SASL_SSL", "ssl.key.pem": KAFKA_PASSWORD})),
        ("http_proxy", f"socks5://proxy-user:{PROXY_PASSWORD}@127.0.0.1:1"),
    ],
)
def test_a_secret_that_is_wrong_is_not_shown(tmp_path: Path, environ: dict[str, str], name: str, value: str) -> None:
    """The message says which setting, and what is wrong with it."""
    if name == "CUSTOMFIT_API_KEY_FILE":
        environ.pop("CUSTOMFIT_API_KEY")
    with Service(tmp_path, environ | {name: value}, without=["CUSTOMFIT_API_KEY"] if "KEY_FILE" in name else ()) as one:
        code = one.ended()

    assert code in (69, 78)
    assert [] == canaries_in(one.log)


def test_a_crash_shows_no_secret(tmp_path: Path, environ: dict[str, str]) -> None:
    """A traceback with all settings in its message."""
    with Service(tmp_path, environ, command=("-c", CRASH, "run")) as service:
        assert 1 == service.ended()

    assert "Traceback" in service.log
    assert "a fault with Settings" in service.log
    assert [] == canaries_in(service.log)


def run(environ: dict[str, str], *command: str) -> str:
    """All that a command prints."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTOMFIT_")}
    done = subprocess.run(
        [sys.executable, "-m", "consumer", *command],
        check=False,
        capture_output=True,
        text=True,
        env=inherited | environ,
        timeout=60,
    )
    return done.stdout + done.stderr
