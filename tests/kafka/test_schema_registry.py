"""The registry edge: a schema, the certainty that there is none, or patience."""

from __future__ import annotations

import json
import queue
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
from consumer.kafka.schema_registry import RegistryUnavailable, SchemaRegistry, inspect_registry
from consumer.ports.inputs import Input, RegistryProblem, SchemaFound, SchemaMissing, ThreadEnded
from consumer.settings import load_settings
from tests.fakes.fake_registry import FakeRegistry, running_registry
from tests.fakes.servers import make_tls

SCHEMA = {"type": "record", "name": "E", "fields": [{"name": "type", "type": "string"}]}
PAYLOAD = b"\x0aalias"
GUID = "11111111-2222-3333-4444-555555555555"
ENVIRONMENT = {"CUSTOMFIT_API_KEY": "not-a-real-key"}


@pytest.fixture
def registry() -> Iterator[FakeRegistry]:
    """An empty one."""
    with running_registry() as running:
        yield running


class Asking:
    """The edge, and what it posts."""

    def __init__(self, url: str, **environment: str) -> None:
        self._posted: queue.SimpleQueue[Input] = queue.SimpleQueue()
        environ = {**ENVIRONMENT, "CUSTOMFIT_SCHEMA_REGISTRY_URL": url, **environment}
        settings = load_settings(environ)
        self.edge = SchemaRegistry(settings, self._posted.put, lambda _attempt: 0.01, lambda: load_settings(environ))
        self.edge.start()

    def next(self) -> Input:
        """The next thing it posts."""
        return self._posted.get(timeout=20)

    def ask(self, schema: int | str) -> Input:
        """Ask, and give the first thing that comes."""
        self.edge.fetch(schema)
        return self.next()


@pytest.fixture
def asking(registry: FakeRegistry) -> Iterator[Asking]:
    """The edge at that registry."""
    asking = Asking(registry.url)
    yield asking
    asking.edge.stop()


def read_with(answer: Input, payload: bytes = PAYLOAD) -> bytes:
    """The JSON text of a payload, by the schema found."""
    assert isinstance(answer, SchemaFound)
    assert not isinstance(answer.read, str)
    return answer.read(payload)


@pytest.mark.parametrize(("schema", "path"), [(7, "/schemas/ids/7"), (GUID, f"/schemas/guids/{GUID}")])
def test_a_schema(registry: FakeRegistry, asking: Asking, schema: int | str, path: str) -> None:
    """By id or by GUID, at Confluent's paths."""
    registry.put(path, SCHEMA)

    assert b'{"type":"alias"}' == read_with(asking.ask(schema))
    assert [path] == registry.asked


def test_a_json_schema_is_for_json(registry: FakeRegistry, asking: Asking) -> None:
    """The serializer of JSON Schema puts the id before JSON: that is read as it is."""
    registry.put("/schemas/ids/7", {"type": "object"}, schemaType="JSON")

    assert b'{"type":"alias"}' == read_with(asking.ask(7), b'{"type":"alias"}')


def test_references(registry: FakeRegistry, asking: Asking) -> None:
    """A schema's types may be in other subjects, at a version, and refer to further ones."""
    name = {"type": "record", "name": "x.Name", "fields": [{"name": "first", "type": "string"}]}
    traits = {"type": "record", "name": "x.Traits", "fields": [{"name": "name", "type": "x.Name"}]}
    event = {
        "type": "record",
        "name": "x.E",
        "fields": [{"name": "t", "type": "x.Traits"}, {"name": "n", "type": "x.Name"}],
    }
    to_name = {"name": "x.Name", "subject": "a/name", "version": 3}
    registry.put("/subjects/a%2Fname/versions/3", name)
    registry.put("/subjects/traits/versions/1", traits, references=[to_name])
    registry.put("/schemas/ids/7", event, references=[{"name": "x.Traits", "subject": "traits", "version": 1}, to_name])

    assert b'{"t":{"name":{"first":"A"}},"n":{"first":"B"}}' == read_with(asking.ask(7), b"\x02A\x02B")


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


@pytest.mark.parametrize("code", [40401, 40402, 40403])
def test_a_schema_that_nobody_has(registry: FakeRegistry, asking: Asking, code: int) -> None:
    """The registry's own 404 is an answer, and the only one that says something of the records."""
    registry.answers["/schemas/ids/7"] = (404, json.dumps({"error_code": code, "message": "Not there"}).encode())

    answer = asking.ask(7)

    assert isinstance(answer, SchemaMissing)
    assert (7, "the schema registry does not have schema 7: Not there") == (answer.schema, answer.detail)


@pytest.mark.parametrize(
    ("status", "body", "detail"),
    [
        (500, b"", "500"),
        (503, b'{"error_code":50302}', "503"),
        (429, b"", "429"),
        (401, b'{"error_code":40101}', "401; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?"),
        (403, b"", "403; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?"),
        (302, b"", "302"),
        (404, b"<html>", "404; is CUSTOMFIT_SCHEMA_REGISTRY_URL right?"),
        (404, b'{"error_code":[]}', "404; is CUSTOMFIT_SCHEMA_REGISTRY_URL right?"),
        (404, b'{"error_code":404}', "404 for the path: is CUSTOMFIT_SCHEMA_REGISTRY_URL right? (error 404)"),
        (200, b"<html>", "200, but no schema in it: is CUSTOMFIT_SCHEMA_REGISTRY_URL right?"),
        (200, b"{}", "200, but no schema in it: is CUSTOMFIT_SCHEMA_REGISTRY_URL right?"),
        (200, b'{"schema":7}', "200, but no schema in it: is CUSTOMFIT_SCHEMA_REGISTRY_URL right?"),
    ],
)
def test_whatever_else_is_answered_is_asked_again(
    registry: FakeRegistry, asking: Asking, status: int, body: bytes, detail: str
) -> None:
    """An outage, a wrong password, a wrong URL: it says nothing of the records, so they wait until it is fixed."""
    registry.answers["/schemas/ids/7"] = (status, body)

    assert RegistryProblem(detail) == asking.ask(7)
    assert RegistryProblem(detail) == asking.next()

    registry.put("/schemas/ids/7", SCHEMA)
    while isinstance(answer := asking.next(), RegistryProblem):
        pass

    assert b'{"type":"alias"}' == read_with(answer)


def test_nobody_listens() -> None:
    """A registry that is away is asked until it is back, or until the end."""
    with running_registry() as gone:
        url = gone.url
    asking = Asking(url)
    problem = asking.ask(7)
    asking.edge.stop()

    assert isinstance(problem, RegistryProblem)
    assert problem.detail.startswith("no answer: ConnectError")


def test_one_schema_s_problem_is_not_another_s(registry: FakeRegistry, asking: Asking) -> None:
    """While one is asked for again and again, others are answered."""
    registry.answers["/schemas/ids/7"] = (500, b"")
    registry.put("/schemas/ids/8", SCHEMA)
    asking.edge.fetch(7)
    asking.edge.fetch(8)
    while isinstance(answer := asking.next(), RegistryProblem):
        pass

    assert isinstance(answer, SchemaFound)
    assert 8 == answer.schema


RECURSIVE = {"type": "record", "name": "E", "fields": [{"name": "next", "type": ["null", "E"]}]}


@pytest.mark.parametrize(
    ("schema", "more", "why"),
    [
        (RECURSIVE, {}, "recursive"),
        ('"a', {}, "the schema is no JSON"),
        ("[" * 100_000, {}, "the schema is no JSON"),
        ({"type": "array", "items": "null"}, {}, "take no bytes"),
        ("syntax = 'proto3';", {"schemaType": "PROTOBUF"}, "schemas of type PROTOBUF are not read, only AVRO and JSON"),
        (SCHEMA, {"references": ["x"]}, "a reference of the schema is no object"),
    ],
)
def test_a_schema_that_nothing_is_read_with(
    registry: FakeRegistry, asking: Asking, schema: object, more: dict[str, object], why: str
) -> None:
    """It is known, and so is that its records are to be kept aside."""
    registry.put("/schemas/ids/7", schema, **more)
    answer = asking.ask(7)

    assert isinstance(answer, SchemaFound)
    assert isinstance(answer.read, str)
    assert why in answer.read


def test_references_without_end(registry: FakeRegistry, asking: Asking) -> None:
    """A ring is walked once; a chain is not followed for ever."""
    registry.put("/schemas/ids/7", SCHEMA, references=[{"subject": "s", "version": 0}])
    for version in range(100):
        registry.put(f"/subjects/s/versions/{version}", SCHEMA, references=[{"subject": "s", "version": version + 1}])
    answer = asking.ask(7)

    assert isinstance(answer, SchemaFound)
    assert "the schema refers to more than 50 others" == answer.read

    ring = [{"subject": "ring", "version": 1}]
    registry.put("/subjects/ring/versions/1", "int", references=ring)
    registry.put("/schemas/ids/8", SCHEMA, references=ring)

    assert isinstance(asking.ask(8), SchemaFound)


def test_an_answer_without_end(registry: FakeRegistry, asking: Asking) -> None:
    """A schema of megabytes is none."""
    registry.put("/schemas/ids/7", "x" * (REPLY_BYTES_MAX + 1))

    assert isinstance(asking.ask(7), SchemaMissing)


@pytest.mark.parametrize(
    "more",
    [
        {"references": 5},
        {"references": {"a": 1}},
        {"schema": '{"type":"enum","name":"E","aliases":5}'},
    ],
)
def test_an_answer_of_a_strange_shape_reads_nothing_and_ends_nothing(
    registry: FakeRegistry, asking: Asking, more: dict[str, object]
) -> None:
    """Its records are dead letters; the thread goes on."""
    registry.answers["/schemas/ids/7"] = (200, json.dumps({"schema": '"string"', **more}).encode())
    registry.put("/schemas/ids/8", SCHEMA, schemaType=None)
    answer = asking.ask(7)

    assert isinstance(answer, SchemaFound)
    assert isinstance(answer.read, str)
    assert b'{"type":"alias"}' == read_with(asking.ask(8))


@pytest.mark.parametrize("status", [502, 404])
def test_a_large_page_of_something_else_says_nothing_of_a_schema(
    registry: FakeRegistry, asking: Asking, status: int
) -> None:
    """A proxy's error page in an outage, however long: the records wait."""
    registry.answers["/schemas/ids/7"] = (status, b"x" * (REPLY_BYTES_MAX + 1))

    assert isinstance(asking.ask(7), RegistryProblem)


def test_an_answer_that_trickles(registry: FakeRegistry, asking: Asking, monkeypatch: pytest.MonkeyPatch) -> None:
    """One answer must not keep the thread from all other schemas for long."""
    monkeypatch.setattr(registry_exchange, "TIMEOUT_SECONDS", 0.3)
    registry.put("/schemas/ids/7", SCHEMA)
    registry.pause_seconds = 0.05

    assert RegistryProblem("no whole answer within 0.3 s") == asking.ask(7)


def test_a_password_that_is_rotated(registry: FakeRegistry, tmp_path: Path) -> None:
    """It is read again from its file when the registry refuses the old one."""
    registry.answers["/schemas/ids/7"] = (401, b"")
    file = tmp_path / "user-info"
    file.write_text("me:old")
    asking = Asking(registry.url, CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO_FILE=str(file))

    assert isinstance(asking.ask(7), RegistryProblem)

    file.write_text("me:new")
    while registry.authorizations[-1] != "Basic bWU6bmV3":
        assert isinstance(asking.next(), RegistryProblem)
    file.unlink()
    asking.next()
    registry.put("/schemas/ids/7", SCHEMA)
    while isinstance(asking.next(), RegistryProblem):
        pass
    asking.edge.stop()

    assert "Basic bWU6bmV3" == registry.authorizations[-1], "a file that is gone changes nothing"


def test_the_password(registry: FakeRegistry) -> None:
    """Goes along as HTTP's basic authentication; a colon in it is part of it."""
    registry.put("/schemas/ids/7", SCHEMA)
    asking = Asking(f"{registry.url}/", CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO="me:pass:word")
    answer = asking.ask(7)
    asking.edge.stop()

    assert isinstance(answer, SchemaFound)
    assert ["Basic bWU6cGFzczp3b3Jk"] == registry.authorizations
    assert isinstance(asking.next(), ThreadEnded)


@pytest.mark.parametrize(
    "said", ["Basic bWU6cGFzcyt3b3Jk", "me:pass%2bword", "pass\\u002bword", "x" * 190 + "pass+word"]
)
def test_a_password_that_is_said_back_is_blotted_out(registry: FakeRegistry, said: str) -> None:
    """Its message goes to the log, and with a 404 into the dead-letter topic; cut in two it is not left, either."""
    registry.answers["/schemas/ids/7"] = (404, json.dumps({"error_code": 40403, "message": said}).encode())
    registry.answers["/schemas/types"] = (409, json.dumps({"error_code": 409, "message": said}).encode())
    asking = Asking(registry.url, CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO="me:pass+word")
    answer = asking.ask(7)
    asking.edge.stop()
    settings = load_settings(
        {
            **ENVIRONMENT,
            "CUSTOMFIT_SCHEMA_REGISTRY_URL": registry.url,
            "CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO": "me:pass+word",
        }
    )
    with pytest.raises(RegistryUnavailable) as raised:
        inspect_registry(settings)

    assert isinstance(answer, SchemaMissing)
    for told in (answer.detail, str(raised.value)):
        assert "***" in told
        assert "pass" not in told
        assert "bWU6" not in told


def test_is_it_a_registry(registry: FakeRegistry) -> None:
    """`check --connect` says what it has, or what is wrong with URL or password."""
    settings = load_settings({**ENVIRONMENT, "CUSTOMFIT_SCHEMA_REGISTRY_URL": registry.url})
    registry.answers["/schemas/types"] = (200, b'["AVRO","JSON"]')

    assert "AVRO, JSON" == inspect_registry(settings)

    for status, body, words in (
        (401, b"", "401; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?"),
        (404, b"", "404; is CUSTOMFIT_SCHEMA_REGISTRY_URL right?"),
        (200, b"<html>", "answered 200"),
        (200, b"{}", "answered 200"),
        (409, b'{"error_code":409,"message":"it is incompatible"}', "answered 409: it is incompatible"),
        (200, b"[" + b" " * REPLY_BYTES_MAX + b"]", "answered 200"),
    ):
        registry.answers["/schemas/types"] = (status, body)
        with pytest.raises(RegistryUnavailable) as raised:
            inspect_registry(settings)
        assert words in str(raised.value)


def test_without_a_registry_there_is_no_thread() -> None:
    """Nothing is started, and stopping that is no fault."""
    settings = load_settings(ENVIRONMENT)
    edge = SchemaRegistry(settings, lambda _item: None, lambda _attempt: 0.0, lambda: settings)
    edge.start()
    edge.stop()

    assert not edge._thread.is_alive()


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


def test_whatever_goes_wrong_is_a_reason_to_wait(registry: FakeRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    """A fault of our own too: the thread goes on, and so does the process."""

    def broken(*_arguments: object) -> None:
        raise ZeroDivisionError("by chance")

    registry.put("/schemas/ids/7", SCHEMA)
    asking = Asking(registry.url)
    with monkeypatch.context() as patched:
        patched.setattr("consumer.kafka.schema_registry.avro_reader", broken)
        answer = asking.ask(7)
    while isinstance(later := asking.next(), RegistryProblem):
        pass
    asking.edge.stop()

    assert RegistryProblem("ZeroDivisionError by chance") == answer
    assert isinstance(later, SchemaFound)


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
