"""Tracebacks of uncaught errors, without secrets: an error may repeat what a server said."""

from __future__ import annotations

import sys
import threading
import traceback
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sys import UnraisableHookArgs


def mask_tracebacks() -> None:
    """From now on also for threads, and for errors that Python can't raise anywhere."""
    threading.excepthook = _of_thread
    sys.unraisablehook = _unraisable


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
