"""A batch with an item that can't be read: that item ends alone, whatever is wrong with it."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.segment.batch_split import MEMBERS_MAX, split
from consumer.segment.decoding import BATCH_ITEMS_MAX, DecodingRules, decode
from consumer.sequencing.events import Batch, DeadLetterReason, Decoded, Event, Headers, Rejected, Skipped
from tests.segment.given_events import PARTITION, RECORD_MS, record, segment

GOOD: Final = segment()
NO_JSON: Final = "item 1 of the batch: not JSON: "
BROKEN: Final = {
    "bad UTF-8": (segment(userId="\x01").replace(b"\\u0001", b"\xff"), "item 1 of the batch: not UTF-8: "),
    "no UTF-8 at all": (b'"\xff\xfe"', "item 1 of the batch: not UTF-8: "),
    "100 levels too many": (b"[" * 200 + b"]" * 200, "item 1 of the batch: nested deeper than 100 levels"),
    "100,000 levels": (b'{"a":%s}' % (b"[" * 100_000 + b"]" * 100_000), "item 1 of the batch: nested deeper than 100"),
    "NaN": (b'{"type":"track","userId":"u1","event":"e","properties":{"a":NaN}}', NO_JSON),
    "Infinity alone": (b"-Infinity", NO_JSON),
    "a comma before the end": (b'{"type":"track",}', NO_JSON),
    "a line break in text": (b'{"type":"tr\nack"}', NO_JSON),
    "brackets that don't fit": (b'{"a":(1}', NO_JSON),
    "words": (b"undefined", NO_JSON),
    "two values": (b"{} {}", None),
    "single quotes": (b"{'type':'track'}", NO_JSON),
    "brackets and commas in text": (b'{"a":"],[{\\"}\\\\","b":tru}', NO_JSON),
}


def decoded(value: bytes, headers: Headers | None = None, rules: DecodingRules | None = None) -> Decoded | Batch:
    """What a record with this value is."""
    given_record = record(value)
    return decode(type(given_record)(PARTITION, 42, RECORD_MS, b"u1", value, headers), rules or DecodingRules())


def items(value: bytes, headers: Headers | None = None) -> list[Decoded]:
    """The items of a record that is a batch."""
    made = decoded(value, headers)
    assert isinstance(made, Batch), made
    return list(made.items)


@pytest.mark.parametrize(("broken", "detail"), BROKEN.values(), ids=BROKEN.keys())
def test_a_broken_item_ends_alone(broken: bytes, detail: str | None) -> None:
    """Its neighbours are sent; its dead letter will hold its own bytes, and says which item it was."""
    value = b'{"batch":[%s, %s ,\n%s],"sentAt":"2026-01-01T00:00:00Z"}' % (GOOD, broken, GOOD)
    if detail is None:  # no item, but something between two
        assert isinstance(decoded(value), Rejected)
        return
    first, bad, last = items(value)

    assert isinstance(first, Event)
    assert isinstance(last, Event)
    assert "2026-01-01 00:00:00.000Z" == first.timestamp == last.timestamp
    assert ["segment-events-3-42-0", "segment-events-3-42-2"] == [first.insert_id, last.insert_id]
    assert isinstance(bad, Rejected)
    assert (DeadLetterReason.UNDECODABLE, "undecodable") == (bad.reason, bad.type)
    assert bad.detail.startswith(detail)
    assert bad.record.item is not None
    assert (1, broken) == (bad.record.item.index, bytes(bad.record.item.text))


def test_one_emoji_cut_in_half_costs_nothing() -> None:
    """What a JavaScript SDK makes of a slice: 2,500 events, and all of them are sent."""
    cut = GOOD[:-1] + b',"properties":{"title":"hello \\ud83d"}}'
    made = items(b'{"batch":[%s],"writeKey":"k"}' % b",".join([GOOD] * 1000 + [cut] + [GOOD] * 1499))

    assert 2500 == len(made)
    assert all(isinstance(item, Event) for item in made)
    assert [(1000, 1)] == [
        (item.record.item_index, item.replaced_surrogates)
        for item in made
        if isinstance(item, Event) and item.replaced_surrogates
    ]
    assert made[1000].record.item is not None
    assert cut == bytes(made[1000].record.item.text)


def test_each_item_has_its_own_reason() -> None:
    """Half of a pair in an id is an invalid event, in another item it is replaced, and bytes are undecodable."""
    made = items(
        b'{"batch":[%s,{"type":"track","userId":"\\ud83d","event":"e"},{"type":"track","event":"e","userId":"\xe9"},'
        b'{"type":"identify","userId":"u","traits":{"a":"\\udc00"}},{"batch":[]},7,{"type":"group","x":"\\ud800"}]}'
        % GOOD
    )

    assert [
        "sent",
        "`userId` holds half of a surrogate pair",
        "item 2 of the batch: not UTF-8: invalid continuation byte at byte 38",
        "sent",
        "item 4 of the batch: a batch",
        "item 5 of the batch: Expected `object`, got `int`",
        "unsupported",
    ] == [
        item.detail if isinstance(item, Rejected) else item.reason.value if isinstance(item, Skipped) else "sent"
        for item in made
    ]


def test_depth_is_that_of_the_item() -> None:
    """An event that is read alone is read in a batch too, and what is too deep alone is too deep there."""
    for levels, ends in ((98, True), (99, True), (100, False)):
        value = GOOD[:-1] + b',"x":%s%s}' % (b"[" * levels, b"]" * levels)
        [item, after] = items(b'{"batch":[%s,%s]}' % (value, GOOD))

        assert ends is isinstance(decoded(value), Event) is isinstance(item, Event)
        assert isinstance(after, Event)


@pytest.mark.parametrize(
    "rest",
    [b'"x":NaN', b'"context":{"a":"\xff"}', b'"context":%s%s' % (b"[" * 200, b"]" * 200), b'"x"', b'"x":1,', b"}"],
)
def test_what_is_wrong_around_the_items_costs_all(rest: bytes) -> None:
    """It decides for all of them, and it can't be read."""
    made = decoded(b'{"batch":[%s],%s}' % (GOOD, rest))

    assert isinstance(made, Rejected)
    assert ("undecodable", "undecodable") == (made.reason.value, made.type)


def test_a_half_around_the_items_costs_nothing() -> None:
    """Nothing of the batch's own is sent; what decides in it still does."""
    around = b'"writeKey":"\\ud800","context":{"\\udc00":1},"integrations":{"All":false,"\\ud800":"\\ud800"}'
    made = items(
        b'{"batch":[%s,{"type":"track","userId":"u1","event":"e","integrations":{"All":true}}],%s}' % (GOOD, around)
    )

    assert isinstance(made[0], Skipped)
    assert isinstance(made[1], Event)


@pytest.mark.parametrize(
    "value",
    [
        b'{"type":"track","userId":"u1","event":"e","batch":[%s],"x":"\xff"}' % GOOD,
        b'{"x":{"batch":[%s]},"y":"\xff"}' % GOOD,
        b'[{"batch":[%s,NaN]}]' % GOOD,
        b'{"batch":"[1,\xff]"}',
        b'{"batch":{"0":"\xff"}}',
        b'{"batch":[%s,NaN]} {}' % GOOD,
        b'{"batch":[%s,NaN]' % GOOD,
        b'{"batch":[%s,NaN]]' % GOOD,
        b'"batch',
        b'{"batch"',
        b'{%s"batch":[NaN]}' % (b'"":1,' * MEMBERS_MAX),
    ],
)
def test_what_has_no_items(value: bytes) -> None:
    """No array `batch` of an object without a type of its own, or too much around it to be one."""
    made = decoded(value)

    assert isinstance(made, Rejected)
    assert DeadLetterReason.UNDECODABLE == made.reason


def test_the_last_of_two_batches_counts() -> None:
    """As where all can be read."""
    first, second = items(b'{"batch":[1,2,3],"batch" : [ %s , NaN ] }' % GOOD)

    assert isinstance(first, Event)
    assert isinstance(second, Rejected)


def test_an_empty_batch_with_half_a_pair_around_it() -> None:
    """There is nothing to do for it."""
    made = decoded(b'{"batch":[ ],"x":"\\ud800"}')

    assert isinstance(made, Skipped)
    assert "empty_batch" == made.reason.value


def test_too_many_items() -> None:
    """They are not even counted."""
    made = decoded(b'{"batch":[%sNaN]}' % (b"1," * BATCH_ITEMS_MAX))

    assert isinstance(made, Rejected)
    assert (DeadLetterReason.TOO_LARGE, "a batch of more than 2500 events") == (made.reason, made.detail)
    assert isinstance(decoded(b'{"batch":[%sNaN]}' % (b"1," * (BATCH_ITEMS_MAX - 1))), Batch)


def test_an_old_dead_letter_names_one_of_them() -> None:
    """`customfit.batch_index` counts in such a batch, too."""
    value = b'{"batch":[%s,NaN,%s]}' % (GOOD, GOOD)
    made = [items(value, [("customfit.batch_index", index)]) for index in (b"1", b"2")]

    assert [[1], [2]] == [[item.record.item_index for item in found] for found in made]
    assert isinstance(made[0][0], Rejected)
    assert isinstance(made[1][0], Event)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(
    found=st.lists(values, max_size=5),
    before=st.dictionaries(st.text(max_size=4), values, max_size=3),
    after=st.dictionaries(st.text(max_size=4), values, max_size=3),
    indent=st.sampled_from([None, 1]),
    ascii_only=st.booleans(),
)
def test_any_batch_is_split_as_a_parser_reads_it(
    found: list[Any], before: dict[str, Any], after: dict[str, Any], indent: int | None, *, ascii_only: bool
) -> None:
    """Where all is JSON, its items and what is around them are what the standard library reads."""
    whole = {**before, "batch": found, **after}
    if not isinstance(whole["batch"], list):
        return
    value = json.dumps(whole, indent=indent, ensure_ascii=ascii_only).encode()
    parts = split(value, 100)

    assert parts is not None
    assert whole["batch"] == [json.loads(bytes(item)) for item in parts.items]
    assert {**whole, "batch": []} == json.loads(parts.rest)


@given(
    st.lists(st.sampled_from([b'{"batch":[', b"]}", b"[", b"]", b"{", b"}", b",", b'"', b"\\", b":", b"1", b'"a":']))
)
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    """Whatever the brackets are: items that lie in the value one behind the other, or none."""
    value = b"".join([b'{"batch":[', *pieces, b"]}"])
    parts = split(value, 100)

    at = 0
    for item in parts.items if parts is not None else []:
        at = value.index(bytes(item), at) + len(item)
