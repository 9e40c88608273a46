"""Standard streams that may be closed, full, cut off or of few letters: no command ends in a traceback for it.

What can't be written to a reader that is gone (`| head`) was not wanted. What a full disk does not take is: then the
command does its work, says so at its end and exits with 1. Of standard error nobody could be told.
"""

from __future__ import annotations

import errno
import io
import os
import select
import sys
from typing import TYPE_CHECKING, Final, TextIO

from consumer.exit_codes import EXIT_ERROR, EXIT_OK

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

STANDARD: Final = (0, 1, 2)
READER_GONE: Final = frozenset({errno.EPIPE, errno.ECONNRESET})


class Unbroken(io.RawIOBase):
    """The bytes of a stream. What can't be written is dropped, and the first reason is kept."""

    def __init__(self, descriptor: int) -> None:
        self.problem: OSError | None = None
        self._descriptor = descriptor

    def writable(self) -> bool:
        """It can be written to, and no more."""
        return True

    def fileno(self) -> int:
        """For code that asks whether it is a terminal, and how wide."""
        return self._descriptor

    def isatty(self) -> bool:
        """As the stream itself."""
        return os.isatty(self._descriptor)

    def write(self, data: ReadableBuffer) -> int:
        """As many bytes as it takes now. Once it has failed, it pretends to take all."""
        while self.problem is None:
            try:
                return os.write(self._descriptor, data)
            except BlockingIOError:  # somebody who shares it has set it so: wait until there is room
                select.select([], [self._descriptor], [])
            except OSError as error:
                self.problem = error
        return memoryview(data).nbytes


def unbreak() -> Unbroken:
    """Replace the process's own streams by ones that never fail. Returns the bytes of standard output."""
    for number in STANDARD:
        try:
            os.fstat(number)
        except OSError:  # otherwise the next socket that is opened would get this stream's number
            os.open(os.devnull, os.O_RDWR)
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: PTH123, SIM115  as long as the process lives
    output = Unbroken(1)
    sys.stdout = _text(output, sys.stdout)
    sys.stderr = _text(Unbroken(2), sys.stderr)
    return output


def exit_code(code: int, output: Unbroken) -> int:
    """The exit code when all is written. Says what was lost."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    problem = output.problem
    if problem is None or problem.errno in READER_GONE:
        return code
    print(f"customfit-consumer: standard output can't be written: {problem.strerror}", file=sys.stderr, flush=True)
    return EXIT_ERROR if code == EXIT_OK else code


def _text(raw: Unbroken, before: TextIO | None) -> TextIO:
    """Text with escapes for letters that its encoding lacks: half of a pair, or anything on a plain terminal."""
    encoding = "utf-8" if before is None else before.encoding
    is_line_buffered = raw.isatty() or raw.fileno() == 2
    return io.TextIOWrapper(
        io.BufferedWriter(raw), encoding=encoding, errors="backslashreplace", line_buffering=is_line_buffered
    )
