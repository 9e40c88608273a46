"""Faults of consumer/customfit: what goes to the destination, and its answers."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

FAULTS: Final = (
    EdgeFault(
        "a proxy that refuses is taken for a tunnel",
        "consumer/customfit/tunnel.py",
        'elif match[1].startswith(b"2"):',
        "elif True:",
        "tests/customfit/engines/test_proxies.py::test_a_refused_tunnel_says_what_the_proxy_answered",
    ),
    EdgeFault(
        "the name behind the proxy is not verified",
        "consumer/customfit/tunnel.py",
        "server_hostname=peer.host)",
        'server_hostname="127.0.0.1")',
        "tests/customfit/engines/test_proxies.py::test_the_name_behind_the_proxy_is_verified",
    ),
    EdgeFault(
        "a second answer to one request is taken",
        "consumer/customfit/connection.py",
        "            self._is_kept = False\n            raise _SecondAnswer",
        "            pass",
        "tests/customfit/engines/test_httptools.py::test_an_answer_that_nobody_asked_for_ends_the_connection[answer_twice]",
    ),
    EdgeFault(
        "only the first of several requests times out",
        "consumer/customfit/engine_httptools.py",
        "            if self.busy:\n                self.watch",
        "            if False:\n                self.watch",
        "tests/customfit/engines/test_no_answer.py::test_each_of_several_times_out_in_its_own_time",
    ),
    EdgeFault(
        "a refused key is not read again",
        "consumer/customfit/key_rotation.py",
        "status in KEY_REFUSED",
        "status == 0",
        "tests/customfit/test_key_rotation.py::test_a_refused_key_is_read_again",
    ),
    EdgeFault(
        "a line end goes into a header",
        "consumer/customfit/forwarding.py",
        "_VALUE.fullmatch(value)",
        "_VALUE.match(value)",
        "tests/customfit/engines/test_forwarded_headers.py::test_no_value_can_add_a_header_or_a_request",
    ),
    EdgeFault(
        "a request of several events carries the headers of the first",
        "consumer/customfit/forwarding.py",
        "len(delivery.events) != 1",
        "not delivery.events",
        "tests/loop/test_forwarded_headers.py::test_a_request_of_several_has_none",
    ),
    EdgeFault(
        "an introduction carries the headers of the event behind it",
        "consumer/customfit/forwarding.py",
        "delivery.kind is DeliveryKind.INTRODUCTION or ",
        "",
        "tests/customfit/test_forwarding.py::test_an_introduction_carries_none",
    ),
)
