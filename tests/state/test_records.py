"""The records of the state topic: what is written can be read by anyone with the schema, and by us for ever."""

from __future__ import annotations

from io import BytesIO

import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import given
from hypothesis import strategies as st

from consumer.avro.schemas import avro_schema
from consumer.sequencing.events import User
from consumer.state.records import (
    StateKey,
    UnknownStateRecord,
    decode_record,
    encode_key,
    encode_value,
)

KEY = StateKey("https://api.customfit.ai/v1/cfe", User("añn\u2028", anonymous=True))
FIRST_FINGERPRINT = "37e4eec0c6640d3e"


def test_a_record_says_who_is_identified_where() -> None:
    """There and back, for an identified user and for one who is forgotten."""
    value = encode_value(KEY, 1_700_000_000_000)

    assert (KEY, True) == decode_record(encode_key(KEY), value)
    assert (KEY, False) == decode_record(encode_key(KEY), None)


def test_the_value_is_avro_single_object_encoding() -> None:
    """Two magic bytes, the schema's fingerprint, and a datum that any Avro reader understands."""
    value = encode_value(KEY, 1_700_000_000_000)
    datum = schemaless_reader(BytesIO(value[10:]), avro_schema("identified_user"), None)

    assert b"\xc3\x01" + bytes.fromhex(FIRST_FINGERPRINT) == value[:10]
    assert isinstance(datum, dict)
    assert (KEY.destination, KEY.user.id, True) == (datum["destination"], datum["user_id"], datum["anonymous"])
    assert 1_700_000_000.0 == datum["identified_at"].timestamp()


@given(
    destination=st.text(max_size=300),
    user_id=st.text(max_size=300),
    anonymous=st.booleans(),
    identified_at_ms=st.integers(0, 2**62),
)
def test_the_value_is_what_fastavro_would_write(
    destination: str, user_id: str, anonymous: bool, identified_at_ms: int
) -> None:
    """To the byte, whatever the texts and the time."""
    written = BytesIO()
    datum = {
        "destination": destination,
        "user_id": user_id,
        "anonymous": anonymous,
        "identified_at": identified_at_ms,
    }
    schemaless_writer(written, avro_schema("identified_user"), datum)
    key = StateKey(destination, User(user_id, anonymous))

    assert written.getvalue() == encode_value(key, identified_at_ms)[10:]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (None, None),
        (b"ann", None),
        (b'["here", "ann"]', None),
        (b'["here", 5, false]', None),
        (b"\xff", None),
        (encode_key(KEY), b""),
        (encode_key(KEY), b"\xc3\x01\x00\x00\x00\x00\x00\x00\x00\x00 a later schema"),
        (encode_key(KEY), b"garbage"),
    ],
)
def test_what_is_not_ours_is_told_apart(key: bytes | None, value: bytes | None) -> None:
    """A record of somebody else's, or of a later version, is never taken for an identified user."""
    with pytest.raises(UnknownStateRecord):
        decode_record(key, value)
