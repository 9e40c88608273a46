"""What is made of a head that a strict parser refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumer.customfit.odd_head import strict


@pytest.mark.parametrize(
    ("received", "made"),
    [
        (b"HTTP/1.1 200 OK\nX: y\n\nok", b"HTTP/1.1 200 OK\r\nX: y\r\n\r\nok"),
        (
            b"HTTP/1.1 200 OK\nContent-Length: 2\r\nContent-Length:2\n\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
        ),
        (b"HTTP/1.1 200 OK\ncontent-length: 2, 2\n\nok", b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
        (b"HTTP/1.1 200 OK\ncontent-length: 2, 3\n\nok", b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nok"),
        (b"HTTP/1.1 100 Continue\n\nHTTP/1.1 503 No\n\n\n", b"HTTP/1.1 503 No\r\n\r\n\n"),
    ],
)
def test_an_odd_head_is_written_as_it_should_be(received: bytes, made: bytes) -> None:
    """Its body stays as it is."""
    assert made == strict(received)


@given(st.binary(max_size=40))
def test_a_body_is_never_touched(body: bytes) -> None:
    """Whatever it holds, blank lines included."""
    assert b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n" + body == strict(b"HTTP/1.1 200 OK\nA: b\n\n" + body)


@pytest.mark.parametrize("received", [b"", b"HTTP/1.1 200 OK\n", b"HTTP/1.1 200 OK\nA: b\r\n", b"HTTP/1.1 100 Go\n\n"])
def test_a_head_that_is_not_complete_says_nothing_yet(received: bytes) -> None:
    """More is to come."""
    assert strict(received) is None
