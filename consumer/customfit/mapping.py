"""Delivery → request body. Pure. The two tables below are all there is to know about CustomFit's event shapes.

`destination` uses the names of Segment's page for its CustomFit destination; `sdk` is what CustomFit's public client
SDKs send. No public source shows which of them the server prefers, so it is a setting.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final

import msgspec

from consumer.choices import ApiDialect
from consumer.customfit.redaction import Redaction
from consumer.sequencing.events import Event, Kind
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.rule import DeliveryKind

_EVENT_TYPES: Final = {
    Kind.IDENTIFY: "identify",
    Kind.TRACK: "track",
    Kind.PAGE: "pageview",
    Kind.SCREEN: "screenview",
}
_EMPTY_OBJECT: Final = msgspec.Raw(b"{}")


class _User(msgspec.Struct, omit_defaults=True):
    user_customer_id: str
    anonymous: bool = msgspec.field(default_factory=bool)  # a factory, so that omit_defaults leaves `false` in
    properties: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET


class _Identify(msgspec.Struct):
    event_type: str
    insert_id: str
    event_timestamp: str


class _Event(msgspec.Struct):
    event_type: str
    event_customer_id: str | msgspec.UnsetType
    name: str | msgspec.UnsetType
    properties: msgspec.Raw
    insert_id: str
    event_timestamp: str


class _Body(msgspec.Struct):
    user: _User
    events: list[_Identify] | list[_Event]


_encode = msgspec.json.Encoder().encode


def request_body(delivery: Delivery, dialect: ApiDialect, redaction: Redaction | None = None) -> bytes:
    """The JSON text of one request: one user, their events in the order of the log.

    `redaction`: what of traits and properties must not leave. They leave by this function only.
    """
    user = _User(delivery.user.id, anonymous=delivery.user.anonymous)
    match delivery.kind:
        case DeliveryKind.EVENTS:
            to_event = _destination_event if dialect == "destination" else _sdk_event
            return _encode(_Body(user, [to_event(event, redaction) for event in delivery.events]))
        case DeliveryKind.IDENTIFY:
            event = delivery.events[0]
            if (traits := event.raw_payload) is not None:
                user.properties = traits if redaction is None else redaction.of(traits)
            return _encode(_Body(user, _identify(event, event.insert_id, dialect)))
        case DeliveryKind.INTRODUCTION:
            # No properties at all: an empty object might be taken for "this user has none" and wipe newer traits.
            event = delivery.events[0]
            return _encode(_Body(user, _identify(event, f"introduction-{event.insert_id}", dialect)))


def test_identify(user_id: str, now: datetime, dialect: ApiDialect) -> bytes:
    """An identify that `check --send-test-event` makes up: a named test user, no traits."""
    timestamp = f"{now.astimezone(UTC):%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}Z"
    identify = _Identify(_EVENT_TYPES[Kind.IDENTIFY], f"check-{now.timestamp():.0f}", timestamp)
    return _encode(_Body(_User(user_id), [] if dialect == "sdk" else [identify]))


def _identify(event: Event, insert_id: str, dialect: ApiDialect) -> list[_Identify]:
    if dialect == "sdk":
        return []
    return [_Identify(_EVENT_TYPES[Kind.IDENTIFY], insert_id, event.timestamp)]


def _destination_event(event: Event, redaction: Redaction | None) -> _Event:
    name = event.name if event.name is not None else msgspec.UNSET
    is_track = event.kind is Kind.TRACK
    return _Event(
        _EVENT_TYPES[event.kind],
        name if is_track else msgspec.UNSET,
        msgspec.UNSET if is_track else name,
        _properties(event, redaction),
        event.insert_id,
        event.timestamp,
    )


def _sdk_event(event: Event, redaction: Redaction | None) -> _Event:
    name = event.name if event.name is not None else _EVENT_TYPES[event.kind]
    return _Event("TRACK", name, msgspec.UNSET, _properties(event, redaction), event.insert_id, event.timestamp)


def _properties(event: Event, redaction: Redaction | None) -> msgspec.Raw:
    properties = event.raw_payload
    if properties is None:
        return _EMPTY_OBJECT
    return properties if redaction is None else redaction.of(properties)
