"""What CustomFit is sent, checked: body → Call, or the first thing that is wrong with it and where. Pure.

Both dialects: the names of Segment's CustomFit destination page (identify, track, pageview, screenview), and what the
public SDKs send (`TRACK` only; an identify is `events: []`). Keys that neither knows are refused, since a field that
slipped through would otherwise show up only in production.
"""

from __future__ import annotations

import re
from datetime import date
from typing import Annotated, ClassVar, Final, Literal

import msgspec
from msgspec import UNSET, Meta, Raw, UnsetType

USER_ID_BYTES_MAX: Final = 512

EventType = Literal["identify", "track", "pageview", "screenview"]
KINDS: Final[tuple[EventType, ...]] = ("identify", "track", "pageview", "screenview")
Identify = Literal["traits", "introduction"]
"""An identify with properties, or one without, which says only that the user exists."""
Dialect = Literal["destination", "sdk"]


class ContractError(Exception):
    """The request would be answered 400. The text says why, and where in the body."""


class Call(msgspec.Struct, frozen=True, gc=False):
    """One request that keeps the contract: one user, and either one identify or a run of other events, in order."""

    user_id: str
    anonymous: bool
    dialect: Dialect
    kinds: tuple[EventType, ...]
    names: tuple[str | None, ...]
    insert_ids: tuple[str, ...]
    """Empty for an identify of the sdk dialect, which has no event to carry one."""
    timestamps: tuple[str, ...]
    """When each event happened; empty as for `insert_ids`."""
    identify: Identify | None
    properties: tuple[Raw | None, ...]
    """For each event: a user's traits for an identify, an event's properties otherwise."""


_Text = Annotated[str, Meta(min_length=1)]


class _User(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    user_customer_id: _Text
    anonymous: bool
    properties: Raw | UnsetType = UNSET


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False, tag_field="event_type", kw_only=True):
    kind: ClassVar[EventType]
    insert_id: _Text
    event_timestamp: str


class _Identify(_Event, tag="identify"):
    kind: ClassVar[EventType] = "identify"


class _Track(_Event, tag="track", kw_only=True):
    kind: ClassVar[EventType] = "track"
    label: _Text = msgspec.field(name="event_customer_id")
    properties: Raw | UnsetType = UNSET


class _SdkTrack(_Track, tag="TRACK"):
    """A track, page or screen of the sdk dialect, which does not tell them apart."""


class _PageView(_Event, tag="pageview", kw_only=True):
    kind: ClassVar[EventType] = "pageview"
    label: _Text | UnsetType = msgspec.field(name="name", default=UNSET)
    properties: Raw | UnsetType = UNSET


class _ScreenView(_PageView, tag="screenview"):
    kind: ClassVar[EventType] = "screenview"


class _Body(msgspec.Struct, forbid_unknown_fields=True):
    user: _User
    events: list[_Identify | _Track | _SdkTrack | _PageView | _ScreenView]


_decoder: Final = msgspec.json.Decoder(_Body)
_TIMESTAMP: Final = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01]) (?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z", re.ASCII
)


def read_call(body: bytes) -> Call:
    """Check one request body; raises ContractError for the first thing that is wrong."""
    parsed = _decode(body)
    user, events = parsed.user, parsed.events
    user_id = user.user_customer_id
    if len(user_id) > USER_ID_BYTES_MAX // 4:  # a character takes at most 4 bytes
        _check_size(user_id)
    traits = _object(user.properties, "$.user.properties")
    identify: Identify = "introduction" if traits is None else "traits"
    if not events:
        return Call(user_id, user.anonymous, "sdk", ("identify",), (None,), (), (), identify, (traits,))
    first = events[0]
    if isinstance(first, _Identify) and len(events) == 1:
        _check_timestamp(first, 0)
        return Call(
            user_id,
            user.anonymous,
            "destination",
            ("identify",),
            (None,),
            (first.insert_id,),
            (first.event_timestamp,),
            identify,
            (traits,),
        )
    if traits is not None:
        raise ContractError("a user has properties on an identify only - at `$.user.properties`")

    is_sdk = isinstance(first, _SdkTrack)
    kinds: list[EventType] = []
    names: list[str | None] = []
    properties: list[Raw | None] = []
    for index, event in enumerate(events):
        if isinstance(event, _Identify):
            raise ContractError(f"an identify is a request of its own - at `$.events[{index}]`")
        if isinstance(event, _SdkTrack) is not is_sdk:
            raise ContractError(f"`TRACK` and the other types are two dialects - at `$.events[{index}].event_type`")
        _check_timestamp(event, index)
        kinds.append(event.kind)
        names.append(None if event.label is UNSET else event.label)
        properties.append(_object(event.properties, "$.events[{}].properties", index))
    return Call(
        user_id,
        user.anonymous,
        "sdk" if is_sdk else "destination",
        tuple(kinds),
        tuple(names),
        tuple([event.insert_id for event in events]),
        tuple([event.event_timestamp for event in events]),
        None,
        tuple(properties),
    )


def _decode(body: bytes) -> _Body:
    try:
        if not body.isascii():
            body.decode()  # msgspec 0.22 does not check UTF-8 in text that it skips
        return _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise ContractError(str(error)) from None
    except UnicodeDecodeError as error:
        raise ContractError(f"not UTF-8: {error.reason} at byte {error.start}") from None
    except msgspec.DecodeError as error:
        raise ContractError(f"not JSON: {error}") from None
    except RecursionError:
        raise ContractError("nested too deeply") from None


def _check_size(user_id: str) -> None:
    size_bytes = len(user_id.encode())
    if size_bytes > USER_ID_BYTES_MAX:
        raise ContractError(f"{size_bytes} bytes, at most {USER_ID_BYTES_MAX} - at `$.user.user_customer_id`")


def _check_timestamp(event: _Event, index: int) -> None:
    match = _TIMESTAMP.fullmatch(event.event_timestamp)
    if match is not None:
        if match[3] <= "28":
            return
        try:
            date(int(match[1]), int(match[2]), int(match[3]))
            return
        except ValueError:  # the 30th of February
            pass
    where = f"$.events[{index}].event_timestamp"
    raise ContractError(f"must be a UTC time as `YYYY-MM-DD HH:MM:SS.mmmZ` - at `{where}`")


def _object(raw: Raw | UnsetType, where: str, *indexes: int) -> Raw | None:
    if raw is UNSET:
        return None
    if memoryview(raw)[0] != ord("{"):
        raise ContractError(f"must be an object - at `{where.format(*indexes)}`")
    return raw
