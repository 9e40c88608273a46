"""Somebody hunts a problem in a service that runs: one record's trace from the topic to the destination and back."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from confluent_kafka import Producer

from tests.real_broker.broker import Broker
from tests.real_broker.running_service import wait_until
from tests.real_broker.scene import Scene, event

TRACE = "0af7651916cd43dd8448eb211c80319c"
TRACEPARENT = f"00-{TRACE}-b7ad6b7169203331-01"


class Refusing(ThreadingHTTPServer):
    """A destination that takes identifies and refuses the rest; keeps the headers of what it refused."""

    def __init__(self) -> None:
        self.refused: list[Mapping[str, str]] = []
        super().__init__(("127.0.0.1", 0), Handler)


class Handler(BaseHTTPRequestHandler):
    server: Refusing

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if is_refused := b'"identify"' not in body:
            self.server.refused.append(dict(self.headers))
        self.send_response(400 if is_refused else 200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@pytest.fixture
def refusing() -> Iterator[Refusing]:
    """One on a free port."""
    server = Refusing()
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def test_a_trace_is_followed_from_a_record_to_its_request_its_line_and_its_dead_letter(
    broker: Broker, scene: Scene, refusing: Refusing
) -> None:
    """SIGUSR1 has the requests shown that the log is silent about, and a header with a line end goes nowhere."""
    scene.settings = {
        "CUSTOMFIT_API_URL": f"http://127.0.0.1:{refusing.server_port}/",
        "CUSTOMFIT_FORWARD_HEADERS": "traceparent,x-team,x-evil",
        "CUSTOMFIT_LOG_FORMAT": "text",
    }
    own: list[tuple[str, str | bytes | None]] = [
        ("traceparent", TRACEPARENT.encode()),
        ("x-team", b"seven"),
        ("x-evil", b"1\r\nx-worse: 1"),
        ("other", b"1"),
    ]
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "log_level": 0})
    with scene.member("one").wait_ready() as one:
        one.process.send_signal(signal.SIGUSR1)
        wait_until(lambda: "SIGUSR1: the log level is debug" in one.log, "debug")
        producer.produce(scene.topic, key="ann", value=event("ann", 0)[1])
        producer.flush(10)
        scene.wait_committed()  # so the loop has looked at the level
        producer.produce(scene.topic, key="ann", value=event("ann", 1)[1], headers=own)
        producer.flush(10)
        scene.wait_committed()
        left_out = one.total("customfit_headers_not_forwarded_total")
        assert 0 == one.stop()
    [letter] = scene.letters()
    lines = [line for line in one.log.splitlines() if f"trace_id={TRACE} " in line]
    codes = {line.rpartition("code=")[2] for line in one.log.splitlines()}

    assert [("seven", TRACEPARENT)] == [(sent["x-team"], sent["traceparent"]) for sent in refusing.refused]
    assert [] == [name for sent in refusing.refused for name in sent if name in ("x-evil", "x-worse", "other")]
    assert 1 == left_out
    assert [(name, value.decode()) for name, value in own if isinstance(value, bytes)] == [*letter.headers.items()][
        : len(own)
    ]
    assert ["code=request_ended", "code=dead_letter"] == [line.rsplit(" ", maxsplit=1)[1] for line in lines]
    assert {"records_fetched", "commit_answered", "state_written"} <= codes
