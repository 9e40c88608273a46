"""Properties of all records, made up by Hypothesis: each has an end, and what is sent is what was received."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from consumer.segment.decoding import DecodingRules, decode
from consumer.sequencing.events import EVENT_TYPES, Batch, Event, Kind, Record, Rejected, Skipped
from tests.segment.given_events import body, event, record, segment
from tests.segment.strict_json import strict

FORWARD_ALL: Final = DecodingRules(anonymous="forward", integrations="ignore")


def member(value: Any, *path: str) -> Any:
    """What stands at a path of strictly read objects; of several keys the last; None where nothing is."""
    for key in path:
        value = dict(value[1]).get(key)
    return value


def must_end(made: Event | Skipped | Rejected | Batch, given_record: Record) -> None:
    """Whatever it became, it is one of the four, its type is from the closed list, and an event maps faithfully."""
    assert given_record is made.record
    if isinstance(made, Batch):
        assert all(item.type in EVENT_TYPES for item in made.items)
        return
    if not isinstance(made, Event):
        assert made.type in EVENT_TYPES
        return
    if made.kind is Kind.DELETE:
        return
    value = given_record.value
    assert value is not None
    field = "traits" if made.kind is Kind.IDENTIFY else "properties"
    received = member(strict(value), field)
    received = None if received == [] else received
    request = strict(body(made))
    if made.kind is Kind.IDENTIFY:
        assert received == member(request, "user", "properties")
    else:
        [only] = member(request, "events")
        assert (("object", []) if received is None else received) == member(only, "properties")


numbers = st.one_of(
    st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([10**30, -(10**400), 1e-300])
)
scalars = st.one_of(
    st.none(), st.booleans(), numbers, st.text(max_size=8), st.sampled_from(["", "true", "false", "u1", "All"])
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)
times = st.one_of(scalars, st.datetimes().map(lambda moment: moment.isoformat() + "Z"))
events = st.fixed_dictionaries(
    {"type": st.sampled_from([kind.value for kind in Kind]) | st.sampled_from(["group", "alias", "Track"]) | values},
    optional={
        "userId": st.sampled_from(["u1", "é", 7, 2**70]) | values,
        "anonymousId": st.sampled_from(["a1", 7]) | values,
        "messageId": st.text(max_size=5) | values,
        "event": st.text(max_size=5) | values,
        "name": st.text(max_size=5) | values,
        "timestamp": times | values,
        "originalTimestamp": times,
        "receivedAt": times,
        "properties": st.dictionaries(st.text(max_size=5), values, max_size=4) | values,
        "traits": st.dictionaries(st.text(max_size=5), values, max_size=4) | values,
        "context": st.dictionaries(st.sampled_from(["page", "traits", "ip"]), values) | values,
        "integrations": st.dictionaries(st.sampled_from(["All", "CustomFit.ai", "customfitai", "x"]), values) | values,
    },
)


@st.composite
def texts(draw: st.DrawFn) -> bytes:
    """An event as JSON, written this way or that."""
    separators = draw(st.sampled_from([(",", ":"), (", ", ": "), (" ,\n\t", " :\r")]))
    text = json.dumps(
        draw(events), ensure_ascii=draw(st.booleans()), separators=separators, indent=draw(st.sampled_from([None, 1]))
    )
    return text.encode("utf-8", "surrogatepass")


PIECES: Final = [
    b"",
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b"null",
    b"1e999",
    b"NaN",
    b"\xff",
    b"\x00",
    b"\\ud800",
    b"0",
    b"-",
]


@st.composite
def mutations(draw: st.DrawFn) -> bytes:
    """An event as JSON in which a few stretches were replaced by something else."""
    text = draw(texts())
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(text)))
        length = draw(st.integers(0, 3) | st.integers(0, 50))
        piece = draw(st.sampled_from(PIECES) | st.binary(max_size=4))
        text = text[:start] + piece + text[start + length :]
    return text


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)  # says something of the machine's load only
@given(value=st.binary(max_size=200) | mutations())
def test_no_bytes_raise(value: bytes) -> None:
    """Arbitrary bytes, and events damaged at random places: always an end, and what would be sent is JSON."""
    given_record = record(value)

    must_end(decode(given_record, FORWARD_ALL), given_record)
    must_end(decode(given_record, DecodingRules()), given_record)


@given(value=texts())
def test_what_is_sent_is_what_was_received(value: bytes) -> None:
    """Any event whatever: traits and properties arrive with the same values, digits, keys and order."""
    given_record = record(value)

    must_end(decode(given_record, FORWARD_ALL), given_record)


@given(
    traits=st.dictionaries(st.text(max_size=3), values, max_size=5), key=st.text(max_size=3), membership=st.booleans()
)
def test_an_audience_changes_one_value(traits: dict[str, Any], key: str, *, membership: bool) -> None:
    """Beside the membership of its own audience, an identify of Engage keeps every trait."""
    traits = {**traits, key: "true" if membership else "false"}
    value = segment(
        type="identify", traits=traits, context={"personas": {"computation_class": "audience", "computation_key": key}}
    )
    properties = strict(body(event(value)))

    expected = [(name, membership if name == key else trait) for name, trait in strict(json.dumps(traits).encode())[1]]
    assert ("object", expected) == member(properties, "user", "properties")
