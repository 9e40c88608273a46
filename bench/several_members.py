"""Several members of one group as one contender, on the cores that one had.

    python -m bench.several_members [--each]

BENCH_MEMBERS says how many (2). They share the requests at once, or each has all of them (`--each`). Ends them when it
is told to end, and they end when it is killed.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from typing import Any, Final

from tests.real_broker.broker import free_ports

MEMBERS: Final = "BENCH_MEMBERS"
PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Start them, and wait for their end."""
    count = int(os.environ.get(MEMBERS, "2"))
    in_flight = int(os.environ["CUSTOMFIT_IN_FLIGHT_MAX"]) // (1 if "--each" in sys.argv else count)
    ports = [os.environ["CUSTOMFIT_HTTP_PORT"], *map(str, free_ports(count - 1))]
    members = [
        subprocess.Popen(
            [sys.executable, "-m", "consumer", "run"],
            env={**os.environ, "CUSTOMFIT_IN_FLIGHT_MAX": str(in_flight), "CUSTOMFIT_HTTP_PORT": port},
            preexec_fn=_die_with_parent,  # noqa: PLW1509  there is one thread here
        )
        for port in ports
    ]

    def end(*_: Any) -> None:
        for member in members:
            member.terminate()

    signal.signal(signal.SIGTERM, end)
    sys.exit(max(member.wait() for member in members))


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    main()
