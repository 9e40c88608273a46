"""Which headers of a record go along with its request."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from consumer.customfit.forwarding import VALUE_BYTES_MAX, VALUES_BYTES_MAX, Forwarded, Forwarding, NotForwarded
from consumer.sequencing.assignment import Assignment
from consumer.sequencing.events import Event, Headers, Kind, Partition, Record, User
from consumer.sequencing.lanes import Delivery, Lane
from consumer.sequencing.offsets import OffsetTracker
from consumer.sequencing.rule import DeliveryKind

P0 = Partition("segment-events", 0)


def request(*headers: Headers | None, kind: DeliveryKind = DeliveryKind.EVENTS) -> Delivery:
    """A request of an event of each record with these headers."""
    records = [Record(P0, offset, 0, b"ann", b"{}", one) for offset, one in enumerate(headers)]
    events = [Event(one, Kind.TRACK, User("ann"), "id", "") for one in records]
    return Delivery(Lane(Assignment(P0, OffsetTracker(0)), User("ann"), True), kind, events)


def forwarded(*headers: Headers | None, kind: DeliveryKind = DeliveryKind.EVENTS) -> Forwarded | None:
    """What goes along of `traceparent` and `X-Team`."""
    return Forwarding(["traceparent", "X-Team"], left_out.append).of(request(*headers, kind=kind))


left_out: list[NotForwarded] = []


@pytest.fixture(autouse=True)
def _nothing_left_out() -> None:
    left_out.clear()


def test_the_named_ones_go_along_and_no_others() -> None:
    """Names are Kafka's: with another case it is another header."""
    headers: Headers = [("X-Team", b"seven"), ("x-team", b"no"), ("other", b"no"), ("traceparent", b"00-a")]

    assert [(b"X-Team", b"seven"), (b"traceparent", b"00-a")] == forwarded(headers)


def test_of_several_with_one_name_the_last_goes_along() -> None:
    """As Kafka Connect's lastHeader; it counts even where an earlier one would be fit to be sent."""
    assert [(b"X-Team", b"2")] == forwarded([("X-Team", b"\r\n"), ("X-Team", b"1"), ("X-Team", b"2")])
    assert [] == left_out
    assert [] == forwarded([("X-Team", b"1"), ("X-Team", b"\n")])
    assert ["characters"] == left_out


def test_a_request_of_several_events_carries_none() -> None:
    """They would be true of one of them."""
    assert None is forwarded([("X-Team", b"1")], [("X-Team", b"1")])


def test_an_introduction_carries_none() -> None:
    """It is ours. An id meant for the event would make the event look like one that is there already."""
    assert None is forwarded([("X-Team", b"1")], kind=DeliveryKind.INTRODUCTION)
    assert [(b"X-Team", b"1")] == forwarded([("X-Team", b"1")], kind=DeliveryKind.IDENTIFY)


@pytest.mark.parametrize("headers", [None, []])
def test_a_record_without_headers_costs_nothing_more(headers: Headers | None) -> None:
    """Its request is made as if nothing were forwarded."""
    assert None is forwarded(headers)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "empty"),
        (b"", "empty"),
        (b" ", "characters"),
        (b" a", "characters"),
        (b"a\t", "characters"),
        (b"a\r\nHost: evil", "characters"),
        (b"a\nb", "characters"),
        (b"a\rb", "characters"),
        (b"a\n", "characters"),
        (b"\na", "characters"),
        (b"a\r\n b", "characters"),
        (b"a\0b", "characters"),
        (b"a\x0bb", "characters"),
        (b"a\x7fb", "characters"),
        ("ä".encode(), "characters"),
        (b"\xe4", "characters"),
        (b"a" * (VALUE_BYTES_MAX + 1), "too_large"),
    ],
)
def test_what_is_no_plain_value_is_left_out_and_counted(value: bytes | None, reason: NotForwarded) -> None:
    """The others go all the same."""
    assert [(b"traceparent", b"00-a")] == forwarded([("X-Team", value), ("traceparent", b"00-a")])
    assert [reason] == left_out


def test_values_that_are_too_long_together_are_left_out_from_where_there_is_no_room() -> None:
    """A head that the server finds too long would make a dead letter of an event that it takes without them."""
    names = [f"x-{number}" for number in range(6)]
    record: Headers = [(name, b"a" * VALUE_BYTES_MAX) for name in names[:-1]]
    sent = Forwarding(names, left_out.append).of(request([*record, ("x-5", b"b")]))

    assert sent is not None
    assert VALUES_BYTES_MAX == sum(len(value) for _, value in sent)
    assert (["too_large", "too_large"], 4) == (left_out, len(sent))


@pytest.mark.parametrize("value", [b"a", b"a b\tc", b"!~", b"a: b", b"a" * VALUE_BYTES_MAX])
def test_visible_ascii_goes_as_it_is(value: bytes) -> None:
    """With blanks inside."""
    assert [(b"X-Team", value)] == forwarded([("X-Team", value)])


@given(st.binary(max_size=40) | st.text(st.sampled_from("a\r\n\t \0:"), max_size=8).map(str.encode))
@example(b"a\n")
def test_no_value_can_be_more_than_a_value(value: bytes) -> None:
    """Whatever a producer writes: what goes out has no line end, no control character, and no blank at its ends."""
    for _, sent in forwarded([("X-Team", value)]) or []:
        assert sent == value == value.strip()
        assert re.search(rb"[^\t\x20-\x7e]", value) is None
