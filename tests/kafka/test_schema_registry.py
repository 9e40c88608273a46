"""The registry edge: a schema, the certainty that there is none, or patience."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from consumer.kafka.registry_exchange import REPLY_BYTES_MAX
from consumer.kafka.schema_registry import RegistryUnavailable, SchemaRegistry, inspect_registry
from consumer.ports.inputs import RegistryProblem, SchemaFound, SchemaMissing, ThreadEnded
from consumer.settings import load_settings
from tests.fakes.fake_registry import FakeRegistry, running_registry
from tests.kafka.given_registry import ENVIRONMENT, GUID, SCHEMA, Asking, read_with


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


def test_a_rotated_password_that_is_said_back_is_blotted_out(registry: FakeRegistry, tmp_path: Path) -> None:
    """The masker of the process learns it before it is sent; the old one may still be spoken of."""
    registry.answers["/schemas/ids/7"] = (401, b"")
    file = tmp_path / "user-info"
    file.write_text("me:old-password")
    asking = Asking(registry.url, CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO_FILE=str(file))
    asking.ask(7)
    file.write_text("me:new-password")
    while registry.authorizations[-1] != "Basic bWU6bmV3LXBhc3N3b3Jk":
        asking.next()
    said = b'{"error_code": 40403, "message": "old-password new-password bWU6bmV3LXBhc3N3b3Jk"}'
    registry.answers["/schemas/ids/7"] = (404, said)
    while isinstance(answer := asking.next(), RegistryProblem):
        pass
    asking.edge.stop()

    assert isinstance(answer, SchemaMissing)
    assert answer.detail.endswith(": *** *** ***")


@pytest.mark.parametrize("spelled", ["me-pass+word-1234", "me-pass%2bword-1234"])
def test_a_password_is_not_cut_in_two_where_types_are_named(registry: FakeRegistry, spelled: str) -> None:
    """They are cut off after a few characters, and a dead letter says which type it was."""
    registry.put("/schemas/ids/7", SCHEMA, schemaType=f"MADE UP {spelled}")
    registry.answers["/schemas/types"] = (200, json.dumps([f"MADE UP {spelled}"]).encode())
    user_info = {"CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO": "me:me-pass+word-1234"}
    asking = Asking(registry.url, **user_info)
    found = asking.ask(7)
    asking.edge.stop()
    settings = load_settings({**ENVIRONMENT, "CUSTOMFIT_SCHEMA_REGISTRY_URL": registry.url, **user_info})

    assert isinstance(found, SchemaFound)
    assert "schemas of type MADE UP *** are not read, only AVRO and JSON" == found.read
    assert "MADE UP ***" == inspect_registry(settings)


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
