"""The window: what makes it smaller, that it grows again, and that it costs nothing where it is not needed."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterator
from itertools import cycle, repeat
from typing import NamedTuple

import pytest

from consumer.sequencing.window import Window
from tests.sequencing.limited import course

TIMEOUT_SECONDS = 10.0


class Course(NamedTuple):
    """How it went once it had settled, in the second half of a run."""

    rate: float
    """Requests a second."""
    sizes: list[int]
    latency_max: float


def saturate(
    work_seconds: Iterator[float], *, workers: int | None, size: Callable[[Window], int], seconds: float
) -> Course:
    """Keep a window of 256 full: the destination has so many workers and a queue, or (None) as many as it takes."""
    window = Window(256, TIMEOUT_SECONDS)
    now, in_flight, requests = 0.0, 0, 0
    due: list[tuple[float, int, float]] = []
    free_at = [0.0] * (workers or 0)
    sizes, latencies = [], []
    while now < seconds:
        while in_flight < size(window):
            starts_at = now if workers is None else max(heapq.heappop(free_at), now)
            ends_at = starts_at + next(work_seconds)
            if workers is not None:
                heapq.heappush(free_at, ends_at)
            in_flight, requests = in_flight + 1, requests + 1
            heapq.heappush(due, (ends_at, requests, now))
        now, _, sent_at = heapq.heappop(due)
        window.measured(now, [now - sent_at], 1, in_flight)
        window.succeeded(now)
        in_flight -= 1
        if now > seconds / 2:
            sizes.append(window.size)
            latencies.append(now - sent_at)
    return Course(len(sizes) / (seconds / 2), sizes, max(latencies))


def as_it_is(window: Window) -> int:
    """What the window says."""
    return window.size


def at_most(_window: Window) -> int:
    """Whatever it says."""
    return 256


# ---------------------------------------------------------------------- latency


def test_a_queue_at_the_destination_makes_the_window_smaller_and_costs_nothing() -> None:
    """8 workers of 50 ms: 256 at once wait 1.6 s; a few times 8 do as much, and wait a fraction of that."""
    best = saturate(repeat(0.05), workers=8, size=at_most, seconds=100)
    course = saturate(repeat(0.05), workers=8, size=as_it_is, seconds=100)

    assert 0.99 * best.rate < course.rate
    assert 1.5 < best.latency_max
    assert 0.5 > course.latency_max
    assert 12 <= min(course.sizes)
    assert 80 >= max(course.sizes)


def test_a_slow_queue_too() -> None:
    """4 workers of 500 ms: 256 at once would wait for 32 s, and the window lets them wait for 3."""
    course = saturate(repeat(0.5), workers=4, size=as_it_is, seconds=1000)

    assert 0.99 * 8.0 < course.rate
    assert 6 <= min(course.sizes)
    assert 24 >= max(course.sizes)
    assert 3.1 > course.latency_max


def test_a_steady_latency_changes_nothing() -> None:
    """As many workers as it takes, 50 ms or 2 s each: the window stays whole."""
    for work_seconds in (0.05, 2.0):
        course = saturate(repeat(work_seconds), workers=None, size=as_it_is, seconds=20)

        assert {256} == set(course.sizes)


def test_a_latency_that_varies_costs_less_than_one_percent() -> None:
    """Large requests take 500 times as long as small ones: a trial now and then is undone."""
    mixed = (0.002, 1.0, 0.02, 0.5, 1.0)
    best = saturate(cycle(mixed), workers=None, size=at_most, seconds=300)
    course = saturate(cycle(mixed), workers=None, size=as_it_is, seconds=300)

    assert {128, 256} == {min(course.sizes), max(course.sizes)}
    assert 0.99 * best.rate < course.rate


def test_a_window_that_is_not_full_is_no_reason() -> None:
    """Then it is not the requests in flight that make it slow."""
    window = Window(8, TIMEOUT_SECONDS)
    for number in range(2000):
        window.measured(number * 0.1, [0.01 if number == 0 else 1.0], 1, in_flight=4)

    assert 8 == window.size


# ---------------------------------------------------------------------- time-outs and 429


def test_a_time_out_halves_once_in_its_time() -> None:
    """Those that were sent together time out together: one reason to send less, and not 256."""
    window = Window(256, TIMEOUT_SECONDS)
    sizes = []
    for now in (0.0, 0.0, 9.9, 10.0):
        window.timed_out(now)
        sizes.append(window.size)
        window.succeeded(now - 10)

    assert [128, 128, 128, 64] == sizes


def test_an_outage_halves_once() -> None:
    """While nothing succeeds, probes that time out are no reason to start slowly afterwards."""
    window = Window(256, TIMEOUT_SECONDS)
    for minute in range(60):
        window.timed_out(60.0 * minute)

    assert 128 == window.size


def grown(window: Window, start: float, seconds: float, successes_a_second: int) -> int:
    """The size after so many successes."""
    for number in range(int(seconds * successes_a_second)):
        window.succeeded(start + number / successes_a_second)
    return window.size


def test_after_a_cut_it_is_soon_where_it_was_and_then_careful() -> None:
    """Around the size that was too much it grows slowly; when nothing happens there, faster and faster."""
    sizes = []
    for seconds in (0.5, 2.5, 4.0, 5.0, 6.0, 8.0, 12.5):
        window = Window(256, TIMEOUT_SECONDS)
        window._size = 98.0
        window.throttled(0.0, 0.0)
        sizes.append(grown(window, 0.0, seconds, 1000))

    assert [62, 91, 97, 97, 98, 108, 256] == sizes


def test_from_49_back_to_256_within_15_seconds() -> None:
    """Halved to 49 by a limit that is gone: 31,000 successes it took with one more for a window of them."""
    window = Window(256, TIMEOUT_SECONDS)
    window._size = 98.0
    window.throttled(0.0, 0.0)

    assert 49 == window.size
    assert 256 == grown(window, 0.0, 15.0, 500)


def test_a_success_adds_one_at_the_most() -> None:
    """After a quiet hour the curve is far above; the requests that were not sent have shown nothing."""
    window = Window(256, TIMEOUT_SECONDS)
    window.throttled(0.0, 0.0)
    window.succeeded(3600.0)

    assert 129 == window.size


@pytest.mark.parametrize("latency_seconds", [0.002, 0.02, 0.05, 0.2])
def test_a_limit_of_1_000_a_second_is_used_and_seldom_met(latency_seconds: float) -> None:
    """Two minutes as the emulator limits: at least 90 % of it are used, at most 2 % of the requests get 429."""
    two_minutes = course(limit=1000, latency_seconds=latency_seconds)

    assert 0.90 <= two_minutes.used
    assert 0.02 >= two_minutes.refused


@pytest.mark.parametrize("latency_seconds", [0.002, 0.05, 0.2])
def test_a_limit_without_retry_after_is_used_too(latency_seconds: float) -> None:
    """Then nothing but the window keeps to it."""
    two_minutes = course(limit=1000, latency_seconds=latency_seconds, retry_after_seconds=None)

    assert 0.90 <= two_minutes.used
    assert 0.02 >= two_minutes.refused


def test_a_low_limit_is_used_too() -> None:
    """Ten a second at 50 ms: less than one request at once on average."""
    two_minutes = course(limit=10, latency_seconds=0.05, client_rate=100.0)

    assert 0.80 <= two_minutes.used


def test_a_rate_of_our_own_starts_no_trial() -> None:
    """Half of the window would always get as much through, and it would stay at half for nothing."""
    window, now = Window(4, TIMEOUT_SECONDS), 0.0
    window.measured(now, [0.01], 1, 1)
    for _ in range(3_000):
        now += 0.01
        window.held_back(now, 4)
        window.measured(now, [0.4], 1, 4)

    assert 4 == window.size


def test_a_429_while_a_rate_of_our_own_holds_back_cuts_what_is_in_flight() -> None:
    """Of 256 half would be far more than was ever sent; later it grows back as after any cut."""
    window = Window(256, TIMEOUT_SECONDS)
    window.held_back(1.0, 10)
    window.throttled(1.5, 1.0)
    cut = window.size
    for tick in range(2_000):
        window.succeeded(2.0 + tick / 100)

    assert (5, True) == (cut, window.size > 100)
