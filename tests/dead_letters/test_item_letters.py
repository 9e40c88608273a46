"""A dead letter of an item of a batch: it is small, and holds its item as it was received."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import pytest

from consumer.dead_letters.letter import RECORD_BYTES_MAX, Shape, first_shape
from consumer.dead_letters.selection import read_dead_letter
from consumer.sequencing.events import Headers, Record
from tests.dead_letters.given_item_letters import (
    BAD,
    LARGE,
    PRODUCED_MS,
    SOURCE,
    TRACK,
    in_topic,
    items_of,
    produced,
    replayed,
    written,
)

MORE_AN_ITEM_BYTES: Final = 6 * 1024
IDENTIFY: Final = {"type": "identify", "userId": "u1", "traits": {"vip": "true"}}
SIZES: Final[dict[str, Callable[[], Record]]] = {
    "a large context": lambda: produced(*[BAD] * 1000, context={"page": LARGE}),
    "large personas": lambda: produced(*[BAD] * 1000, context={"personas": {"computation_id": LARGE}}),
    "a large key of an audience": lambda: produced(
        *[BAD] * 1000, context={"personas": {"computation_class": "audience", "computation_key": LARGE}}
    ),
    "large integrations": lambda: produced(*[BAD] * 1000, integrations={"All": False, "Other": LARGE}),
    "large options": lambda: produced(*[BAD] * 1000, integrations={"CustomFit.ai": {"option": LARGE}}),
    "a large sentAt": lambda: produced(*[BAD] * 1000, sentAt=LARGE, receivedAt={"a": LARGE}),
    "2,500 small items": lambda: produced(*[{"type": "track"}] * 2500),
    "a large record key": lambda: produced(*[BAD] * 1000, key=LARGE.encode()),
    "large headers": lambda: produced(*[BAD] * 1000, headers=[("h", LARGE.encode())]),
    "many headers": lambda: produced(*[BAD] * 1000, headers=[("h", None)] * 40_000),
    "as much as may be": lambda: produced(
        *[BAD] * 1000,
        key=b"k" * 1000,
        headers=[("h", b"x" * 990)],
        context={"personas": {"computation_class": "audience", "computation_key": "x" * 2000}},
    ),
    "large items": lambda: produced(*[{**BAD, "properties": {"a": LARGE}}] * 2),
}


@pytest.mark.parametrize("make", SIZES.values(), ids=SIZES)
def test_dead_letters_have_the_size_of_what_was_read_and_6_kib_an_item(make: Callable[[], Record]) -> None:
    """Whatever of the record is large. Each with all of it was 2,500 times its size."""
    record = make()
    read_bytes = len(record.value or b"") + len(record.key or b"") + sum(len(v or b"") for _, v in record.headers or ())
    letters = [written(item) for item in items_of(record)]
    written_bytes = sum(letter.size_bytes for letter in letters)

    assert written_bytes <= read_bytes + MORE_AN_ITEM_BYTES * len(letters)


def test_items_wait_as_views_into_their_record() -> None:
    """Thousands may wait for the topic: they share the value, and what their batch says of them."""
    record = produced(*[{"type": "track"}] * 2500)
    items = [item.record.item for item in items_of(record)]

    assert all(item.record.value is record.value for item in items_of(record))
    assert 1 == len({id(item.batch) for item in items if item is not None})
    assert {msgspec.Raw} == {type(item.text) for item in items if item is not None}


def test_it_holds_its_item_as_received() -> None:
    """Byte for byte, blanks and big numbers too; and of its batch what decides, in few words."""
    item = b'{ "type":"track","n":1e0, "userId":12345678901234567890 }'
    value = (
        b'{"batch":[%s,{}],"sentAt":"2026-01-03T00:00:00.000Z","writeKey":"w","integrations":{"All":false,'
        b'"Other":true,"CustomFit.ai":{"a":1}},"context":{"ip":"::1","personas":{"computation_id":"c"}}}' % item
    )
    first, _ = items_of(Record(SOURCE, 42, PRODUCED_MS, b"u1", value, [("trace", b"abc")]))
    letter = written(first)

    assert (
        b'{"batch":[%s],"sentAt":"2026-01-03T00:00:00.000Z","integrations":{"CustomFit.ai":true,"All":false},'
        b'"context":{"personas":{}}}' % item
    ) == letter.value
    assert (b"u1", ("trace", b"abc")) == (letter.key, letter.headers[0])
    assert "customfit.batch_index" not in dict(letter.headers)
    assert b"0" == dict(letter.headers)["customfit.item_index"]


def test_key_and_headers_go_along_as_far_as_they_are_small() -> None:
    """Each item would take them along: what is left out is counted, at the second failure too."""
    large: Headers = [("h", b"x" * 5000)]
    [item, _] = items_of(produced(BAD, BAD, key=b"k" * 5000, headers=large))
    first = written(item)

    for letter in (first, written(items_of(replayed(first))[0])):
        said = dict(letter.headers)
        assert letter.key is None
        assert (b"5000", b"5011") == (said["customfit.key_omitted"], said["customfit.headers_omitted"])
        assert "h" not in said

    [alone] = items_of(produced(BAD, key=b"k" * 5000, headers=large))
    assert (b"k" * 5000, large) == (written(alone).key, written(alone).headers[:1])


# --- without its value


def test_a_topic_that_takes_no_value_gets_its_size() -> None:
    """That of the item's letter, not of the record; what is too large for any broker is the letter too."""
    item = items_of(produced(TRACK, {**BAD, "properties": {"a": LARGE}}))[0]
    letter = written(item, Shape.VALUELESS)

    assert letter.value is None
    assert str(len(written(item).value or b"")).encode() == dict(letter.headers)["customfit.value_omitted"]
    huge = msgspec.structs.replace(item.record, value=bytes(RECORD_BYTES_MAX + 1))
    assert Shape.WHOLE is first_shape(huge)


def test_it_is_listed_as_the_event_that_it_is() -> None:
    """By its own user and type, not as a batch."""
    seen = read_dead_letter(in_topic(written(items_of(produced(BAD, {**TRACK, "userId": "u2"}))[1])), {})

    assert seen is not None
    assert ("track", "u2", 1) == (seen.type, seen.user, seen.receipt.origin.item_index)
