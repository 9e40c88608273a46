"""The records of the state topic.

    key    JSON [destination, user id, anonymous]: readable with any tool, and the same bytes for the same user
    value  Avro single-object encoding by schemas/identified_user.avsc, or nothing: the user is forgotten

If the schema changes, its fingerprint does, too. The old one stays in VALUE_HEADERS, so that old records can always be
read.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from consumer.avro.schemas import avro_schema, single_object_header
from consumer.sequencing.commit_metadata import varints
from consumer.sequencing.events import User

_SCHEMA: Final = avro_schema("identified_user")
_HEADER: Final = single_object_header(_SCHEMA)
VALUE_HEADERS: Final = frozenset({_HEADER})
"""How values begin, for every schema that they may have been written with."""
_HEADER_BYTES: Final = len(_HEADER)

SOURCE_TOPIC: Final = "source topic "
"""If an entry is not about a user, its destination begins with this (earlier_topics.py)."""

_encode_key = msgspec.json.Encoder().encode
_decode_key = msgspec.json.Decoder(tuple[str, str, bool]).decode


class StateKey(NamedTuple):
    """Who is identified where."""

    destination: str
    user: User


class UnknownStateRecord(ValueError):
    """A record of a later version, or not of this program. Skipping it costs at most one introduction."""


def encode_key(key: StateKey) -> bytes:
    """The record's key."""
    return _encode_key((key.destination, key.user.id, key.user.anonymous))


def encode_value(key: StateKey, identified_at_ms: int) -> bytes:
    """The record's value for a user who is identified: the four fields of the schema, in its order.

    It is encoded by hand, because one is written for each new user and fastavro's writer takes four times as long. The
    tests read it with fastavro.
    """
    user_id = key.user.id.encode()
    length = _LENGTHS[len(user_id)] if len(user_id) < len(_LENGTHS) else _long(len(user_id))
    anonymous = b"\1" if key.user.anonymous else b"\0"
    return b"%b%b%b%b%b" % (_beginning(key.destination), length, user_id, anonymous, _moment(identified_at_ms))


def _long(number: int) -> bytes:
    """A number that is not negative, as Avro writes a long: zigzag, then a varint."""
    return varints((number << 1,))


_LENGTHS: Final = [_long(number) for number in range(512)]
_moment: Final = lru_cache(maxsize=8)(_long)
"""Records that are written together have the same time."""


@lru_cache(maxsize=8)
def _beginning(destination: str) -> bytes:
    raw = destination.encode()
    return _HEADER + _long(len(raw)) + raw


def decode_record(key: bytes | None, value: bytes | None) -> tuple[StateKey, bool]:
    """Whom a record is about, and whether it says identified. Raises UnknownStateRecord.

    The key says all that a restore needs. So of the value only its header is looked at, and a million users take
    seconds.
    """
    try:
        destination, user_id, anonymous = _decode_key(key or b"")
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnknownStateRecord(f"its key is not [destination, user id, anonymous]: {error}") from None
    if value is not None and value[:_HEADER_BYTES] not in VALUE_HEADERS:
        raise UnknownStateRecord("its value is not of a schema that this version knows")
    return StateKey(destination, User(user_id, anonymous)), value is not None
