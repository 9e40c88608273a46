"""What no Python program could have written into a record's headers, and other languages can."""

from __future__ import annotations

from consumer.kafka.client import headers_of
from tests.fakes.mock_cluster import mock_cluster
from tests.fakes.raw_producer import produce_with_headers


def test_a_name_that_is_no_utf_8_leaves_out_the_headers_and_not_the_record() -> None:
    """The client raises SystemError for such a record, each time it is read."""
    cluster = mock_cluster()
    for names in ([b"good", b"\xff\xfe"], ["ü".encode()], []):
        produce_with_headers(cluster.servers, "t", b"k", b"{}", names)
    messages = cluster.records(3, "t")

    assert [None, [("ü", b"v")], None] == [headers_of(message) for message in messages]
    assert [b"{}"] * 3 == [message.value() for message in messages]
