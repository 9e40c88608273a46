"""Makes Ctrl-C end a command, instead of being a signal to everything that the terminal runs.

The terminal sends SIGINT to all of its foreground: `make demo` would end with make's own error, whatever the demo does.
"""

from __future__ import annotations

import os
import select
import sys
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

CTRL_C: Final = b"\x03"
LOCAL_FLAGS: Final = 3
"""The index of these flags in termios's list. Control characters are its last item."""


@contextmanager
def typed_ctrl_c(or_one_of: bytes = b"") -> Iterator[Callable[[float], bool]]:
    """Gives a function that waits so many seconds at most, and says whether Ctrl-C or another key that ends was typed.

    Without a terminal it only waits.
    """
    keys = CTRL_C + or_one_of
    if not _is_ours():
        yield _only_wait
        return
    terminal = sys.stdin.fileno()
    before = termios.tcgetattr(terminal)
    changed = termios.tcgetattr(terminal)
    changed[LOCAL_FLAGS] &= ~(termios.ICANON | termios.ECHO)
    changed[-1][termios.VINTR] = bytes([os.fpathconf(terminal, "PC_VDISABLE")])
    termios.tcsetattr(terminal, termios.TCSADRAIN, changed)
    try:
        yield lambda seconds_max: _was_typed(terminal, keys, seconds_max)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)


def _is_ours() -> bool:
    """Whether there is a terminal, and we are in its foreground: anybody else who touches it is stopped."""
    try:
        return sys.stdin.isatty() and os.tcgetpgrp(sys.stdin.fileno()) == os.getpgrp()
    except (AttributeError, ValueError, OSError):
        return False


def _was_typed(terminal: int, keys: bytes, seconds_max: float) -> bool:
    readable, _, _ = select.select([terminal], [], [], seconds_max)
    if not readable:
        return False
    typed = os.read(terminal, 1024)
    return not typed or any(key in keys for key in typed)  # nothing to read: the terminal is gone


def _only_wait(seconds: float) -> bool:
    time.sleep(seconds)
    return False
