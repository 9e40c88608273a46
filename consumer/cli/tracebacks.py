"""Tracebacks of uncaught errors, without secrets: an error may repeat what a server said.

A crash below Python (SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE) shows where each thread stood.
"""

from __future__ import annotations

import faulthandler
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from sys import UnraisableHookArgs

STANDARD_ERROR: Final = 2
"""Its descriptor: a process that crashes can't use the stream."""


def mask_tracebacks() -> None:
    """From now on also for threads, and for errors that Python can't raise anywhere."""
    threading.excepthook = _of_thread
    sys.unraisablehook = _unraisable


def show_crashes() -> None:
    """From now on a crash prints stacks before its signal ends the process: files, lines and functions, no values."""
    faulthandler.enable(STANDARD_ERROR)


def show(error: BaseException) -> None:
    """Print its traceback."""
    from consumer.cli.exits import masker

    print(masker.text("".join(traceback.format_exception(error))), end="", file=sys.stderr, flush=True)


def _of_thread(failed: threading.ExceptHookArgs) -> None:
    if failed.exc_value is not None and not isinstance(failed.exc_value, SystemExit):
        show(failed.exc_value)


def _unraisable(failed: UnraisableHookArgs) -> None:
    if failed.exc_value is not None:
        show(failed.exc_value)
