"""A page of another site can't read ours, whatever its name is made to mean."""

from __future__ import annotations

import pytest

from consumer.ops.host_header import is_known

NAMES = ("consumer", "metrics.example.com")


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:9464",
        "localhost.",
        "127.0.0.1",
        "10.1.2.3:9464",
        "[::1]",
        "[::1]:9464",
        "[fe80::1%eth0]:9464",
        "consumer",
        "Consumer:9464",
        "metrics.example.com.",
        " consumer ",
        "consumer:",
    ],
)
def test_addresses_localhost_and_names_of_the_settings_are_served(host: str) -> None:
    """With a port or without, in any case."""
    assert is_known([host], NAMES)


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "evil.example:9464",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "consumer.evil.example",
        "metrics",
        "",
        ":9464",
        "[::1",
        "::1",
        "[consumer]",
        "localhost:port",
        "localhost:9464:9464",
        "user@localhost",
        "localhost/",
        "127.0.0.1 evil.example",
        "127.0.0",
        "0x7f000001",
        "①27.0.0.1",
        "consumer\u3002",
        "x" * 10_000,
        "\xff\xfe",
    ],
)
def test_all_other_hosts_are_not(host: str) -> None:
    """Whether they look like one of ours or like nothing."""
    assert not is_known([host], NAMES)


def test_two_host_headers_are_not_served() -> None:
    """Who sends two wants to be taken for two."""
    assert not is_known(["localhost", "localhost"], NAMES)


def test_who_names_no_host_is_no_browser() -> None:
    """A probe that speaks HTTP/1.0."""
    assert is_known([], NAMES)
