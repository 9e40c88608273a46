"""What no Python program could have written into a record's headers, and other languages can."""

from __future__ import annotations

from consumer.kafka.client import headers_of
from tests.fakes.mock_cluster import mock_cluster
from tests.fakes.raw_producer import produce_with_headers

OFTEN = 5_000
"""Far beyond what makes the interpreter (3.11 and newer) take a shorter way for a call."""


def test_a_name_that_is_no_utf_8_leaves_out_the_headers_and_not_the_record() -> None:
    """The client raises SystemError for such a record, each time it is read."""
    cluster = mock_cluster()
    for names in ([b"good", b"\xff\xfe"], ["ü".encode()], []):
        produce_with_headers(cluster.servers, "t", b"k", b"{}", names)
    messages = cluster.records(3, "t")

    assert [None, [("ü", b"v")], None] == [headers_of(message) for message in messages]
    assert [b"{}"] * 3 == [message.value() for message in messages]


def test_so_does_a_name_that_comes_after_many_good_ones() -> None:
    """The client gives a list with a hole beside its error, and a call that has run often isn't checked for one."""
    cluster = mock_cluster()
    for names in ([b"good"], [b"good", b"\xff\xfe"]):
        produce_with_headers(cluster.servers, "often", b"k", b"{}", names)
    good, bad = cluster.records(2, "often")

    assert [[("good", b"v")]] * OFTEN == [headers_of(good) for _ in range(OFTEN)]
    assert None is headers_of(bad)
