"""Each record says by itself whether it is JSON or Avro, and by which schema."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from consumer.avro.known_schemas import KNOWN_MAX, MISSING_MAX, MISSING_SECONDS, KnownSchemas
from consumer.avro.wire_format import Encoded, Malformed, wire_format
from consumer.sequencing.events import Headers, Record
from tests.segment.given_events import PARTITION, segment

GUID = UUID("11111111-2222-3333-4444-555555555555")
FINGERPRINT = bytes(range(8))


def given(value: bytes | None, headers: Headers | None = None) -> Record:
    """A record."""
    return Record(PARTITION, 0, 0, None, value, headers)


def in_header(value: bytes | None) -> Headers:
    """The header of newer clients, among others."""
    return [("trace", b"x"), ("__value_schema_id", value), ("__key_schema_id", b"\0\0\0\0\1")]


@pytest.mark.parametrize(
    ("value", "headers", "found"),
    [
        (None, None, None),
        (b"", None, None),
        (segment(), None, None),
        (b" \n" + segment(), None, None),
        (b"\xef\xbb\xbf{}", None, None),
        (b"hello", None, None),
        (b"\0", None, None),
        (b"\0\0\0\0", None, None),
        (b"\0\0\0\0\7", None, Encoded(7, b"")),
        (b"\0\xff\xff\xff\xffabc", None, Encoded(2**32 - 1, b"abc")),
        (b"\xc3\x01" + FINGERPRINT + b"abc", None, Encoded(FINGERPRINT, b"abc")),
        (b"\xc3\x01" + FINGERPRINT, None, Encoded(FINGERPRINT, b"")),
        (b"\xc3\x01short", None, None),
        (b"\xc3\xa9", None, None),
        (b"abc", in_header(b"\0\0\0\0\7"), Encoded(7, b"abc")),
        (b"abc", in_header(b"\1" + GUID.bytes), Encoded(str(GUID), b"abc")),
        (b"{}", in_header(b"\1" + GUID.bytes), Encoded(str(GUID), b"{}")),
        (b"\0\0\0\0\7", in_header(b"\1" + GUID.bytes), Encoded(str(GUID), b"\0\0\0\0\7")),
        (None, in_header(b"\0\0\0\0\7"), None),
        (b"{}", [("x", b"y")], None),
    ],
)
def test_auto(value: bytes | None, headers: Headers | None, found: Encoded | None) -> None:
    """A header first, then the first bytes; what none of these speaks of is taken for JSON."""
    assert found == wire_format(given(value, headers), "auto")


@pytest.mark.parametrize("header", [None, b"", b"\0", b"\0\0\0\7", b"\1" + b"x" * 15, b"\2\0\0\0\7", b"\0\0\0\0\0\7"])
def test_a_header_that_holds_no_id(header: bytes | None) -> None:
    """Nobody guesses what the value is then."""
    assert isinstance(wire_format(given(b"{}", in_header(header)), "auto"), Malformed)


@pytest.mark.parametrize("value", [b"\0\0\0\0\7", b"\xc3\x01" + FINGERPRINT, segment()])
def test_json_alone(value: bytes) -> None:
    """With the setting `json` nothing is Avro, whatever it looks like, and no header is looked at."""
    assert wire_format(given(value, in_header(b"\0\0\0\0\7")), "json") is None


@pytest.mark.parametrize("value", [segment(), b"", b"\0\0\0\7"])
def test_avro_alone(value: bytes) -> None:
    """With the setting `avro` JSON is no format; a deletion marker is still one."""
    assert isinstance(wire_format(given(value), "avro"), Malformed)
    assert Encoded(7, b"") == wire_format(given(b"\0\0\0\0\7"), "avro")
    assert wire_format(given(None), "avro") is None


# --- which schemas are known


def read(payload: bytes) -> bytes:
    """A reader."""
    return payload


def schemas(**more: Any) -> KnownSchemas:
    """With one built in."""
    return KnownSchemas({FINGERPRINT: read}, **{"has_registry": True, **more})


def test_a_schema_is_asked_for_once() -> None:
    """However many records wait for it."""
    known = schemas()

    assert known.find(7, 0.0) is None
    assert [True, False, True] == [known.ask(7), known.ask(7), known.ask(8)]

    known.found(7, read)

    assert read is known.find(7, 0.0)


def test_a_schema_that_is_not_safe_stays_so() -> None:
    """It is not asked for again."""
    known = schemas()
    known.found(7, "the schema is recursive")

    assert "the schema is recursive" == known.find(7, 1e9)


def test_a_missing_schema_is_asked_for_again_after_a_minute() -> None:
    """It may be registered meanwhile, or its replica was behind."""
    known = schemas()
    known.ask(7)
    known.missing(7, "not found", 100.0)

    assert ["not found", "not found", None] == [
        known.find(7, 100.0 + seconds) for seconds in (0.0, MISSING_SECONDS - 1, MISSING_SECONDS)
    ]
    assert known.ask(7)

    known.found(7, read)

    assert read is known.find(7, 101.0)


def test_a_flood_of_ids_takes_no_memory() -> None:
    """Of what is known and of what is missing, the last thousand are kept; those in use stay."""
    known = schemas()
    for number in range(10 * KNOWN_MAX):
        known.found(number, read)
        assert read is known.find(0, 0.0)
        known.missing(-1 - number, "no", 0.0)

    assert KNOWN_MAX == len(known._known)
    assert MISSING_MAX == len(known._missing)
    assert known.find(1, 0.0) is None


def test_fingerprints_need_no_registry() -> None:
    """The schemas that came with the program, and no other; ids need one."""
    known = schemas(has_registry=False)

    assert read is known.find(FINGERPRINT, 0.0)
    assert "no schema has the fingerprint ffffffffffffffff" == known.find(b"\xff" * 8, 0.0)
    assert "Avro of schema 7, and CUSTOMFIT_SCHEMA_REGISTRY_URL is not set" == known.find(7, 0.0)
