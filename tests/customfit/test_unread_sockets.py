"""Which sockets have something to be read: asked of the kernel, for all of them at once."""

from __future__ import annotations

import os
import socket

from consumer.customfit.unread_sockets import UnreadSockets


def test_those_with_something_to_be_read_are_found() -> None:
    """Also those at their end; and nobody who was removed."""
    unread: UnreadSockets[str] = UnreadSockets()
    pairs = [socket.socketpair() for _ in range(4)]
    names = ["silent", "told", "ended", "removed"]
    for name, (ours, _) in zip(names, pairs, strict=True):
        unread.add(ours.fileno(), name)
    pairs[1][1].send(b"x")
    pairs[2][1].close()
    pairs[3][1].send(b"x")
    unread.remove(pairs[3][0].fileno(), names[3])

    assert {"told", "ended"} == set(unread.look())

    unread.close()
    for pair in pairs:
        for one in pair:
            one.close()


def test_a_number_that_another_connection_has_by_now_is_the_other_one_s() -> None:
    """The kernel gives it away as soon as it is closed, and the event loop tells of the end later."""
    unread: UnreadSockets[str] = UnreadSockets()
    first, second = socket.socketpair(), socket.socketpair()
    number = first[0].fileno()
    unread.add(number, "first")
    os.dup2(second[0].fileno(), number)
    unread.add(number, "second")
    unread.remove(number, "first")
    second[1].send(b"x")

    assert ["second"] == list(unread.look())

    unread.close()
    for one in (*first, *second):
        one.close()


def test_what_ends_after_all_was_closed_is_no_error() -> None:
    """TLS tells of the end of a connection later than the engine closes; and one may end before it was open."""
    unread: UnreadSockets[str] = UnreadSockets()
    ours, theirs = socket.socketpair()
    unread.add(ours.fileno(), "open")
    unread.remove(-1, "never open")
    unread.close()
    unread.add(theirs.fileno(), "late")
    unread.remove(ours.fileno(), "open")

    ours.close()
    theirs.close()
