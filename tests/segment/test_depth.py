"""How deep JSON may nest, and how large a record counts."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.segment.decoding import DecodingRules
from consumer.segment.depth import DEPTH_MAX, brackets, depth
from tests.segment.given_events import end, segment


@pytest.mark.parametrize(("open_", "close"), [("[", "]"), ('{"a":', "}"), ('[{"a":', "}]")])
@pytest.mark.parametrize("field", ["properties", "context", "integrations", "userId", "unknown"])
def test_depth(field: str, open_: str, close: str) -> None:
    """Nesting ends at the same depth on every Python, wherever it stands."""
    levels = DEPTH_MAX - 2  # beside the event itself and the object around it
    count = levels // len(close)

    def nested(count: int) -> bytes:
        return f'{{"type":"alias","{field}":{{"x":{open_ * count}0{close * count}}}}}'.encode()

    assert "skipped: unsupported" == end(nested(count))
    assert "dead letter: undecodable" == end(nested(count + 1))


nestings = st.recursive(
    st.just("1"), lambda inner: st.lists(inner, max_size=4).map(lambda items: f"[{','.join(items)}]")
)


@given(nestings)
def test_the_depth_of_what_nests(text: str) -> None:
    """Counted level by level or in runs, it is that of a plain count."""
    assert plain_depth(text) == depth(brackets(text.encode()))


@given(st.text("[]", max_size=60))
def test_the_depth_of_what_does_not_close(text: str) -> None:
    """No less than it is: what is let through must not be deeper than it seems. JSON it is not, whatever the count."""
    assert plain_depth(text) <= depth(brackets(text.encode()))


@given(
    st.recursive(
        st.text('[]{}"\\\\ a', max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text('[{"\\\\', max_size=3), inner, max_size=3),
    )
)
def test_the_depth_is_that_of_the_value_whatever_its_texts_are_made_of(value: Any) -> None:
    """Brackets, quotes and backslashes in text, in any order, are no levels and hide none."""
    assert levels_of(value) == depth(brackets(json.dumps(value).encode()))


def levels_of(value: Any) -> int:
    """How deep lists and objects nest."""
    if isinstance(value, str):
        return 0
    return 1 + max((levels_of(inner) for inner in (value.values() if isinstance(value, dict) else value)), default=0)


def plain_depth(text: str) -> int:
    """One bracket after the other, up to the first that closes nothing: no parser goes on from there."""
    level = deepest = 0
    for bracket in text:
        level += {"[": 1, "]": -1}.get(bracket, 0)
        if level < 0:
            break
        deepest = max(deepest, level)
    return deepest


@pytest.mark.parametrize("text", ['"' + "[{" * 500 + '"', r'"\"' + "[" * 500 + r'\\"', "[" + "[]," * 500 + "{}]"])
def test_brackets_that_are_not_depth(text: str) -> None:
    """Many brackets are fine in text or side by side."""
    value = f'{{"type":"page","userId":"u1","properties":{{"\\\\":"\\"","a":{text}}}}}'

    assert "sent" == end(value.encode())


def test_the_size_of_a_record() -> None:
    """A record of exactly the limit is read; one byte more and it is not even looked at."""
    value = segment()
    rules = DecodingRules(record_bytes_max=len(value))

    assert "sent" == end(value, rules)
    assert "dead letter: too_large" == end(value + b" ", rules)
