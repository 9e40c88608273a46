"""One question to the registry: bounded in size and time, through the proxy, trusting whom it is told to trust."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from consumer.customfit.engine import EngineUnavailable
from consumer.kafka import registry_exchange
from consumer.kafka.registry_exchange import REPLY_BYTES_MAX, Exchange, NoReply
from consumer.kafka.schema_registry import RegistryUnavailable, inspect_registry
from consumer.ports.inputs import RegistryProblem, SchemaMissing
from consumer.settings import load_settings
from tests.fakes.fake_registry import FakeRegistry, running_registry
from tests.fakes.servers import make_tls
from tests.kafka.given_registry import ENVIRONMENT, SCHEMA, Asking, read_with


def test_a_packed_answer_is_not_unpacked(registry: FakeRegistry, asking: Asking) -> None:
    """It was asked not to be, and may be a thousand times what it seems: its records wait until it is not."""
    registry.put("/schemas/ids/7", SCHEMA)
    registry.packs = True

    assert RegistryProblem("200; its answer is packed (gzip), which it was asked not to do") == asking.ask(7)

    registry.packs = False
    while isinstance(answer := asking.next(), RegistryProblem):
        pass

    assert b'{"type":"alias"}' == read_with(answer)
    assert {"identity"} == set(registry.encodings)


def test_what_is_only_said_to_be_encoded(registry: FakeRegistry, asking: Asking) -> None:
    """A server that says so of plain JSON is believed what it sends; and a status has its own hint, packed or not."""
    registry.put("/schemas/ids/7", SCHEMA)
    registry.encoding = "utf-8"

    assert b'{"type":"alias"}' == read_with(asking.ask(7))

    registry.answers["/schemas/ids/8"] = (401, b"")
    registry.packs = True

    assert RegistryProblem("401; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?") == asking.ask(8)


def test_an_answer_without_end(registry: FakeRegistry, asking: Asking) -> None:
    """A schema of megabytes is none."""
    registry.put("/schemas/ids/7", "x" * (REPLY_BYTES_MAX + 1))

    assert isinstance(asking.ask(7), SchemaMissing)


def test_an_answer_that_trickles(registry: FakeRegistry, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer must not keep the thread from all other schemas for long."""
    monkeypatch.setattr(registry_exchange, "TIMEOUT_SECONDS", 0.3)
    registry.put("/schemas/ids/7", SCHEMA)
    registry.pause_seconds = 0.05

    assert RegistryProblem("no whole answer within 0.3 s") == asking.ask(7)


def test_a_registry_of_an_own_authority_is_trusted_by_ssl_cert_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it both `check --connect` and the edge say what is missing."""
    tls = make_tls(tmp_path)
    if tls is None:
        pytest.skip("no openssl command")
    with running_registry(tls.context) as registry:
        registry.put("/schemas/ids/7", SCHEMA)
        registry.answers["/schemas/types"] = (200, b'["AVRO"]')
        settings = load_settings({**ENVIRONMENT, "CUSTOMFIT_SCHEMA_REGISTRY_URL": registry.url})
        with pytest.raises(RegistryUnavailable, match="does SSL_CERT_FILE name a file with its authority"):
            inspect_registry(settings)
        stranger = Asking(registry.url)
        problem = stranger.ask(7)
        stranger.edge.stop()
        monkeypatch.setenv("SSL_CERT_FILE", str(tls.ca))
        types = inspect_registry(settings)
        friend = Asking(registry.url)
        found = friend.ask(7)
        friend.edge.stop()

    assert isinstance(problem, RegistryProblem)
    assert "SSL_CERT_FILE" in problem.detail
    assert "AVRO" == types
    assert b'{"type":"alias"}' == read_with(found)


@contextmanager
def trickling(beginning: bytes) -> Iterator[str]:
    """The URL of a server that sends this, and then a byte every moment for as long as somebody listens."""

    class Handler(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            self.request.sendall(beginning)
            with suppress(OSError):
                while not ended.wait(0.02):
                    self.request.sendall(b"x")

    ended = threading.Event()
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            ended.set()
            server.shutdown()


@pytest.mark.parametrize("beginning", [b"", b"HTTP/1.1 200 OK\r\nX-Long: ", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1."])
def test_one_deadline_is_for_the_whole_exchange(beginning: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """A head that never ends is given up too."""
    monkeypatch.setattr(registry_exchange, "TIMEOUT_SECONDS", 0.3)
    with trickling(beginning) as url:
        asking = Asking(url)
        answer = asking.ask(7)
        asking.edge.stop()

    assert isinstance(answer, RegistryProblem)
    assert re.match(r"no whole answer within 0\.3 s|no answer: RemoteProtocolError", answer.detail)


@pytest.mark.parametrize(
    "url", ["http://xn--0.example", "http://registry..svc", f"http://{'a' * 64}.example", "http://[::1%nowhere]:1"]
)
def test_a_host_that_no_library_expects_is_a_reason_to_wait(url: str) -> None:
    """Settings refuse most of them; whatever else a codec or resolver raises ends nothing."""
    with Exchange(url, None, {}) as exchange, pytest.raises(NoReply, match="no answer"):
        exchange.ask("GET", "/schemas/types")


def test_the_proxy_is_chosen_as_for_the_destination(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the scheme; NO_PROXY's networks count, which httpx does not know."""
    registry.answers["/schemas/types"] = registry.answers["http://registry.invalid/schemas/types"] = (200, b'["AVRO"]')
    for name in ("http_proxy", "no_proxy", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def types(url: str) -> str:
        return inspect_registry(load_settings({**ENVIRONMENT, "CUSTOMFIT_SCHEMA_REGISTRY_URL": url}))

    monkeypatch.setenv("HTTP_PROXY", registry.url)
    monkeypatch.setenv("NO_PROXY", "")
    through = types("http://registry.invalid")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
    direct = types(registry.url)

    assert ["AVRO", "AVRO"] == [through, direct]
    assert ["http://registry.invalid/schemas/types", "/schemas/types"] == registry.asked


def test_a_proxy_that_can_not_be_used_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """At the start, in words that say what is supported."""
    monkeypatch.setenv("HTTP_PROXY", "socks5://localhost:1080")
    monkeypatch.delenv("http_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", "")
    with pytest.raises(EngineUnavailable, match="SOCKS proxies are not supported, only http:// and https://"):
        Asking("http://registry.invalid")
    settings = load_settings({**ENVIRONMENT, "CUSTOMFIT_SCHEMA_REGISTRY_URL": "http://registry.invalid"})
    with pytest.raises(RegistryUnavailable, match="HTTP_PROXY: SOCKS proxies"):
        inspect_registry(settings)
