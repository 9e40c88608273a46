"""`python -m tests.operations.faulty_member run`: the service, with two faults that nothing outside can bring about.

SIGUSR2 has the loop stand still, until the next one: its thread is kept in the signal's handler, and the others go on.
SIGWINCH has the local store not answer who is identified, as on a disk that hangs; until the next one, too.
"""

from __future__ import annotations

import signal
import threading
import time
from typing import Any, Final

from consumer.state.store import Store

TO_HANG: Final = signal.SIGUSR2
TO_HANG_THE_DISK: Final = signal.SIGWINCH
PAUSE_SECONDS: Final = 0.1


class _Loop:
    """In the main thread, which handles signals, and whose loop stands as long as it does."""

    hangs = False

    def switch(self, *_: object) -> None:
        """A signal that comes meanwhile is handled within the sleep of the first."""
        self.hangs = not self.hangs
        while self.hangs:
            time.sleep(PAUSE_SECONDS)


class _Disk:
    """Under the local store."""

    def __init__(self) -> None:
        self._answers = threading.Event()
        self._answers.set()

    def switch(self, *_: object) -> None:
        """From now on it hangs, or answers again."""
        if self._answers.is_set():
            self._answers.clear()
        else:
            self._answers.set()

    def before(self, store: Store, users: Any) -> Any:
        """In place of `Store.identified`."""
        self._answers.wait()
        return _IDENTIFIED(store, users)


_IDENTIFIED: Final = Store.identified


def main() -> None:
    """As `python -m consumer`, with the faults to be switched on."""
    from consumer.cli import main as run

    disk = _Disk()

    def identified(store: Store, users: Any) -> Any:
        return disk.before(store, users)

    Store.identified = identified  # type: ignore[assignment, method-assign]
    signal.signal(TO_HANG, _Loop().switch)
    signal.signal(TO_HANG_THE_DISK, disk.switch)
    run()


if __name__ == "__main__":
    main()
