"""Pages that cost CPU time: nobody takes the interpreter from the loop by asking for them, and none is old."""

from __future__ import annotations

import threading
from types import SimpleNamespace

import pytest

from consumer.ops import page_pace
from consumer.ops.page_pace import Paced
from consumer.ops.server import TEXT, Page


class Clock:
    """In place of the module `time`: a sleep passes at once; CPU time passes when a page is made."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.cpu = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        """Seconds that have passed."""
        return self.now

    def thread_time(self) -> float:
        """Seconds of CPU."""
        return self.cpu

    def sleep(self, seconds: float) -> None:
        """Let them pass."""
        self.slept.append(round(seconds, 6))
        self.now += seconds

    def make(self, seconds: float) -> Page:
        """A page that costs so much."""
        self.now += seconds
        self.cpu += seconds
        return Page(200, TEXT, str(self.cpu).encode())


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """Of the module under test."""
    clock = Clock()
    monkeypatch.setattr(page_pace, "time", clock)
    return clock


def test_who_asks_without_a_pause_waits(clock: Clock) -> None:
    """Four times as long as the last page took, and a second at most; who asks later waits for nothing."""
    costs = iter([0.1, 0.1, 1.0, 0.0])
    paced = Paced(lambda _: clock.make(next(costs)))
    paced.page()
    paced.page()
    clock.now += 60.0
    paced.page()
    paced.page()

    assert [0.0, 0.4, 0.0, 1.0] == clock.slept


def test_each_page_is_made_after_it_was_asked_for(clock: Clock) -> None:
    """Also where nothing has to be waited for."""
    paced = Paced(lambda _: clock.make(0.1))

    assert [b"0.1", b"0.2"] == [paced.page().body, paced.page().body]


def test_a_shared_page_is_for_all_who_ask_soon_after_it_was_begun(clock: Clock) -> None:
    """Then the next is made, however many kept asking. It says how old it is."""
    paced = Paced(lambda _: clock.make(0.002), shared_seconds=1.0)
    seen = []
    for _ in range(6):
        page = paced.page()
        seen.append((page.body, page.headers.get("Age")))
        clock.now += 0.35

    assert [(body, age) for body in (b"0.002", b"0.004") for age in (None, None, "1")] == seen


@pytest.mark.parametrize(("costs", "shared"), [(0.002, 1.0), (0.0048, 1.6), (0.1, 1.9)])
def test_what_costs_much_is_shared_for_longer(clock: Clock, costs: float, shared: float) -> None:
    """So that those who look on together take 0.3 % of a core; but who asks every 2 s sees something new."""
    paced = Paced(lambda _: clock.make(costs), shared_seconds=1.0)
    first = paced.page().body
    clock.now += shared - costs - 0.01
    same = paced.page().body
    clock.now += 0.02

    assert first == same != paced.page().body


def test_those_who_wait_together_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """The next, and not the one that was begun before they came."""
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)
    looks: list[int] = []

    def look() -> float:
        looks.append(len(looks))
        return float(looks[-1])

    def make(_: str) -> Page:
        begun.release()
        assert go_on.acquire(timeout=60)
        return Page(200, TEXT, str(len(bodies)).encode())

    clock = SimpleNamespace(monotonic=look, sleep=lambda _: None, thread_time=lambda: 0.0)
    monkeypatch.setattr(page_pace, "time", clock)
    paced = Paced(make)
    bodies: list[bytes] = []
    threads = [threading.Thread(target=lambda: bodies.append(paced.page().body)) for _ in range(4)]
    threads[0].start()
    assert begun.acquire(timeout=60)
    before = len(looks)
    for thread in threads[1:]:
        thread.start()
    while len(looks) < before + 3:  # each has come, and waits
        threads[1].join(0.001)
    go_on.release(4)
    for thread in threads:
        thread.join(timeout=60)

    assert [b"0", b"1", b"1", b"1"] == bodies
    assert begun.acquire(timeout=60)
    assert not begun.acquire(blocking=False)
