"""Hostile records of every kind, and the end that docs/input.md says each comes to."""

from __future__ import annotations

import gzip
import json
import random
from collections.abc import Sequence
from typing import Any, Final, NamedTuple

from tests.segment.given_events import single_object

MIB: Final = 1024 * 1024
BOMB_BYTES: Final = 8 * MIB
CODECS: Final = ("gzip", "snappy", "lz4", "zstd")
RECURSIVE: Final = {"type": "record", "name": "E", "fields": [{"name": "next", "type": ["null", "E"]}]}
WEIGHTLESS: Final = {
    "type": "record",
    "name": "E",
    "fields": [{"name": "a", "type": {"type": "array", "items": "null"}}],
}
COLOURED: Final = {
    "type": "record",
    "name": "E",
    "fields": [{"name": "type", "type": {"type": "enum", "name": "T", "symbols": ["track"]}}],
}
COUNTLESS: Final = {
    "type": "record",
    "name": "E",
    "fields": [{"name": "n", "type": {"type": "bytes", "logicalType": "decimal", "precision": 9, "scale": 2}}],
}
EVIL_SCHEMAS: Final = (RECURSIVE, WEIGHTLESS, COLOURED, COUNTLESS)


class Hostile(NamedTuple):
    """A record, and how it ends: `(outcome, reason)`, one for each event of a batch."""

    name: str
    value: bytes | None
    ends: tuple[tuple[str, str], ...]
    headers: tuple[tuple[str, bytes], ...] = ()
    codec: str = "none"
    """How its batch is compressed; larger than a broker takes where it is not "none"."""


SENT: Final = ("delivered", "ok")
UNDECODABLE: Final = ("dead_lettered", "undecodable")
INVALID: Final = ("dead_lettered", "invalid_event")
TOO_LARGE: Final = ("dead_lettered", "too_large")


def kinds(evil: Sequence[int], absent: int) -> list[Hostile]:
    """Each kind once; `evil`: the ids under which a registry has EVIL_SCHEMAS, `absent`: one that it does not have."""
    return [*_json(), *_invalid(), *_fine(), *_skipped(), *_batches(), *_avro(evil, absent), *_large()]


def among(good: int, hostile: int, of: Sequence[Hostile], seed: int = 1) -> list[Hostile | None]:
    """So many hostile records, each kind of them at least once, at random places among so many good ones (None).

    What is large comes once: a hundred of those would be about the network.
    """
    assert hostile >= len(of)
    draw = random.Random(seed)
    cheap = [one for one in of if one.codec == "none"]
    chosen: list[Hostile | None] = [*of, *(cheap[number % len(cheap)] for number in range(hostile - len(of)))]
    chosen += [None] * good
    draw.shuffle(chosen)
    return chosen


def _event(**fields: Any) -> bytes:
    return json.dumps({"type": "track", "userId": "hostile", "event": "E", **fields}).encode()


def _with(text: bytes, field: bytes = b"properties") -> bytes:
    return b'{"type":"track","userId":"hostile","event":"E","%s":%s}' % (field, text)


def _json() -> list[Hostile]:
    values = {
        "empty": b"",
        "words": b"hello \x1b[2J\r\nERROR forged line",
        "NUL": b"\x00",
        "cut short": _event()[:-1],
        "garbage behind it": _event() + b"x",
        "byte order mark": b"\xef\xbb\xbf" + _event(),
        "UTF-16": _event().decode().encode("utf-16"),
        "gzip": gzip.compress(_event(), mtime=0),
        "NaN": _with(b'{"a":NaN}'),
        "Infinity in a field nobody reads": _with(b"-Infinity", b"version"),
        "no UTF-8 in what is passed on": _with(b'{"a":"\xff\xfe"}'),
        "an overlong character": _with(b'{"a":"\xc0\xaf"}'),
        "a control character in text": _with(b'{"a":"\x01"}'),
        "10,000 arrays": _with(b"[" * 10_000 + b"]" * 10_000),
        "10,000 objects": _with(b'{"a":' * 10_000 + b"1" + b"}" * 10_000, b"context"),
        "101 levels": _with(b"[" * 101 + b"]" * 101),
        "a quarter of a million brackets": b"[" * 250_000,
    }
    return [Hostile(name, value, (UNDECODABLE,)) for name, value in values.items()]


def _invalid() -> list[Hostile]:
    values = {
        "null in JSON": b"null",
        "a number": b"1e400",
        "an array": b"[%s]" % _event(),
        "no type": b"{}",
        "a type of a wrong type": _event(type=["track"] * 1000),
        "no ids": _event(userId=None),
        "a user id of a wrong type": _event(userId={"$ne": None}),
        "a user id of 513 bytes": _event(userId="é" * 256 + "a"),
        "a user id of 5,000 digits": _with(b"1" * 5000, b"userId"),
        "a user id of 1e400": _with(b"1e400", b"userId"),
        "half of a surrogate pair in a user id": _with(b'"\\ud83d"', b"userId"),
        "half of a surrogate pair in a key": _with(b'{"\\ude00":1}'),
        "a track without event": _event(event=""),
        "an event of a wrong type": _event(event={"a": 1}),
        "properties of a wrong type": _event(properties="x" * 1000),
    }
    return [Hostile(name, value, (INVALID,)) for name, value in values.items()]


def _fine() -> list[Hostile]:
    keys = b",".join(b'"%d":1' % number for number in range(20_000))
    values = {
        "control characters": _event(userId="hostile\x00\x1b[2J\r\n", messageId="\r\nforged: 1", event="\u202e\u2028"),
        "duplicate keys": b'{"type":"page","type":"track","userId":5,"userId":"hostile","event":"E","event":"F"}',
        "huge numbers": _with(b'{"a":%s,"b":1e400,"c":-0.%s1}' % (b"7" * 5000, b"0" * 5000)),
        "half of a surrogate pair": _with(b'{"a":"\\ud83d"}'),
        "a time of 1e400": _with(b"1e400", b"timestamp"),
        "very many keys": _with(b"{%s}" % keys),
        "98 levels": _with(b'{"a":%s%s}' % (b"[" * 98, b"]" * 98)),
        "a prototype": _event(properties={"__proto__": {"a": 1}, "constructor": None, "${jndi:x}": "{{7*7}}"}),
        "an absurd time": _event(timestamp="9999999-99-99T99:99:99Z", messageId=True),
    }
    return [Hostile(name, value, (SENT,)) for name, value in values.items()]


def _skipped() -> list[Hostile]:
    return [
        Hostile("tombstone", None, (("skipped", "tombstone"),)),
        Hostile("a type in capitals", _event(type="TRACK"), (("skipped", "unknown_type"),)),
        Hostile("a type of 5,000 letters", _event(type="x" * 5000), (("skipped", "unknown_type"),)),
        Hostile("anonymous", _event(userId=None, anonymousId="\x00"), (("skipped", "anonymous"),)),
        Hostile("not for us", _event(integrations={"All": False}), (("skipped", "integrations"),)),
        Hostile("an empty batch", b'{"batch":[]}', (("skipped", "empty_batch"),)),
    ]


def _batches() -> list[Hostile]:
    return [
        Hostile("a batch of 2,501", b'{"batch":[%s]}' % b",".join([b"{}"] * 2501), (TOO_LARGE,)),
        Hostile("a batch of two that are none", b'{"batch":[1,{}]}', (INVALID, INVALID)),
        Hostile(
            "a batch with items that are no JSON",
            b'{"batch":[%s,NaN,%s,"\xff",%s]}' % (_event(), _with(b'{"a":"\\ud83d"}'), b"[" * 200 + b"]" * 200),
            (SENT, UNDECODABLE, SENT, UNDECODABLE, UNDECODABLE),
        ),
        Hostile("a batch in a batch", b'{"batch":[{"batch":[%s]}]}' % _event(), (INVALID,)),
        Hostile("a batch of no array", b'{"type":"batch","batch":{"0":%s}}' % _event(), (("skipped", "unknown_type"),)),
    ]


def _avro(evil: Sequence[int], absent: int) -> list[Hostile]:
    recursive, weightless, coloured, countless = (b"\x00" + number.to_bytes(4, "big") for number in evil)
    nowhere = b"\x00" + absent.to_bytes(4, "big")
    values = {
        "a schema that nobody has": nowhere + b"track",
        "a recursive schema": recursive + b"\x02" * 5_000 + b"\x00",
        "ten million nulls": weightless + b"\x80\xda\xc4\x09\x00",
        "a symbol that is not there": coloured + b"\x02",
        "a number of 200 KB": countless + b"\x80\xb5\x18" + b"\x7f" * 200_000,
        "a fingerprint that nobody has": b"\xc3\x01nobodys!",
        "single object, nothing in it": single_object(None),
        "single object, cut short": single_object({"type": "track", "userId": "hostile", "event": "E"})[:-3],
        "single object, more behind it": single_object({"type": "track", "userId": "hostile", "event": "E"}) + b"x",
        "a text of 2**62 bytes": single_object(None) + b"\xfe\xff\xff\xff\xff\xff\xff\xff\x7f",
        "a length below zero": single_object(None) + b"\x01",
        "a text that is no UTF-8": single_object(None) + b"\x04\xff\xfe" + b"\x00" * 20,
        "a union without such a branch": single_object(None) + b"\x0atrack\x7e",
        "200 levels as text": single_object(_nested(200)),
    }
    made = [Hostile(name, value, (UNDECODABLE,)) for name, value in values.items()]
    made.append(Hostile("10,000 levels as text", single_object(_nested(10_000)), (INVALID,)))
    headers = {"a header without an id": b"", "an id of 3 bytes": b"\x00abc", "a magic byte of 7": b"\x07abcd"}
    made += [
        Hostile(name, _event(), (UNDECODABLE,), (("__value_schema_id", header),)) for name, header in headers.items()
    ]
    made.append(Hostile("an id in a header that nobody has", b"x", (UNDECODABLE,), (("__value_schema_id", nowhere),)))
    return made


def _nested(levels: int) -> dict[str, Any]:
    properties = f'{{"a":{"[" * levels}{"]" * levels}}}'
    return {"type": "track", "userId": "hostile", "event": "E", "properties": properties}


def _large() -> list[Hostile]:
    bombs = [Hostile(f"8 MiB in a batch of {codec}", b" " * BOMB_BYTES, (TOO_LARGE,), codec=codec) for codec in CODECS]
    return [
        *bombs,
        Hostile("50,000 headers", _event(), (SENT,), tuple((f"h{number}", b"") for number in range(50_000))),
        Hostile("a header of 900 KB", _event(), (SENT,), (("h", b"x" * 900_000),)),
        Hostile("1 MiB and a byte", b" " * (MIB + 1), (TOO_LARGE,), codec="zstd"),
        Hostile("1 MiB of brackets", b"[" * MIB, (UNDECODABLE,), codec="gzip"),
    ]
