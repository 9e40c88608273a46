"""Runs a command that ends when its parent does, with files no larger than asked: `python tied.py BYTES COMMAND ...`.

Linux sends the signal when the thread that forked ends, so whoever uses this starts processes in its main thread.
"""

import ctypes
import os
import resource
import signal
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    """Replace this process by the command; 0 bytes: no limit."""
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the parent has ended")
    if file_bytes_max := int(sys.argv[1]):
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_bytes_max, file_bytes_max))
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  the harness gives the command


if __name__ == "__main__":
    main()
