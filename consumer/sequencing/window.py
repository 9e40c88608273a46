"""How many requests may be in flight: `size_max`, less while the destination can't make use of so many. Pure.

    429             halved, once for all that is in flight: only by a request that was sent after the last cut
    a time-out      halved, once in the time that a request may take and only if something succeeded since the last cut
    slow            tried with half: kept if as much gets through, undone if not
    every success   after a cut: along the curve below; after a kept trial: one more for every window of successes

After a cut it grows by time, as TCP's CUBIC does: fast at first, slowly around the size at which it was too much (it is
there again after 5 s), then faster and faster, for the limit may be gone. So most of what a destination allows is used,
it seldom hears more than it allows, and 12 s after its last 429 all of the window is there again. All of it is relative
to that size, so that a limit of 3 requests at once is tried as carefully as one of 200. A success adds 1 at the most.

Slow is a mean latency of more than 3 times the fastest answer and 0.25 s, with the window full. That may mean a queue
at the destination, or only that some requests are larger than others, so it does nothing but start a trial. By Little's
law what gets through is window / latency: if half the window gets as much through, latency has halved, and the requests
that were taken away had done nothing but wait. Otherwise the window is back at what it was.

Where a rate of our own keeps requests waiting (rate.py), the window is cut from what is in flight, as TCP does, and not
from what would be allowed: half of that could still be more than was ever sent. And there is no trial, since half the
window would always get as much through.

A trial that is undone costs half of its time, and the next one waits 60 times as long as it took: less than 1 % in all,
at a destination whose latency always varies so much. At one with a steady latency, 512 at once or not, or that answers
within 0.25 s, there is no trial. At one with N workers and a queue, the window exceeds N at least by half, so that all
are busy, and latency stays at a few times the work's own, or at some 0.25 s (figures: tests/sequencing/test_window.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

CUT: Final = 0.5
REGROWN_SECONDS: Final = 5.0
"""How long after a cut the window is where it was before. After 12.4 s it is 2.6 times that, after 20 s 14.5 times."""
GROWTH: Final = (1 - CUT) / REGROWN_SECONDS**3
SLOW: Final = 3.0
SLOW_SECONDS_MIN: Final = 0.25
"""A shorter answer shows no queue at the destination: we may have waited for a processor ourselves."""
FULL: Final = 0.75
"""The window counts as full when this share of it is in flight on average: a turn takes many answers at once."""
AS_MUCH: Final = 0.9
PERIOD_SECONDS_MIN: Final = 1.0
PERIOD_ANSWERS_MIN: Final = 200
"""With so many answers, chance moves a rate by some 5 %, not by 20."""
PERIOD_LATENCIES: Final = 2
"""A period lasts at least this many mean latencies. For as long after a trial begins, earlier requests are left out."""
TRIAL_SHARE: Final = 60
HELD_BACK_SECONDS: Final = 2.0
"""For how long a figure of what was in flight counts: while requests wait, each turn says it again."""


@dataclass(slots=True)
class Period:
    """Sums over a period of time."""

    started_at: float
    answers: int = 0
    events: int = 0
    seconds: float = 0.0
    in_flight: int = 0
    """What was in flight, added up over the answers."""
    held_back: bool = False

    @property
    def mean_seconds(self) -> float:
        """Mean latency of an answer."""
        return self.seconds / self.answers


class Trial(NamedTuple):
    """A trial with half the window, to see whether as much gets through."""

    started_at: float
    size_before: float
    rate_before: float
    """Events a second."""
    mean_before: float


class Window:
    """The size, and what is measured to find it."""

    def __init__(self, size_max: int, request_timeout_seconds: float) -> None:
        self._size_max = size_max
        self._request_timeout_seconds = request_timeout_seconds
        self._size = float(size_max)
        self._size_before_cut: float | None = None
        """The size at which the curve is flat; None: it does not grow by the curve."""
        self._cut_at = float("-inf")
        self._succeeded = True
        self._fastest = float("inf")
        self._period: Period | None = None
        self._trial: Trial | None = None
        self._next_trial_at = float("-inf")
        self._held_back_at = float("-inf")
        self._in_flight = 0
        """When it was held back."""

    def held_back(self, now: float, in_flight: int) -> None:
        """A rate of our own, not this window, limits what is in flight, so no figure says what the window could be."""
        self._held_back_at, self._in_flight = now, in_flight
        if self._period is not None:
            self._period.held_back = True

    @property
    def size(self) -> int:
        """How many requests may be in flight; 1 at the least."""
        return int(self._size)

    def succeeded(self, now: float) -> None:
        """A request was accepted."""
        self._succeeded = True
        if self._size >= self._size_max or self._trial is not None:
            return
        if self._size_before_cut is None:
            self._size = min(self._size + 1 / self._size, self._size_max)
            return
        since_plateau_seconds = now - self._cut_at - REGROWN_SECONDS
        curve = self._size_before_cut * (1 + GROWTH * since_plateau_seconds**3)
        self._size = min(max(self._size, curve), self._size + 1, self._size_max)

    def throttled(self, now: float, sent_at: float) -> None:
        """A 429. All requests in flight may get one at once: that is one reason to slow down, not two hundred."""
        if sent_at >= self._cut_at:
            self._cut(now)

    def timed_out(self, now: float) -> None:
        """No answer in time. In an outage nothing succeeds, which is no reason to start slowly afterwards."""
        if self._succeeded and now - self._cut_at >= self._request_timeout_seconds:
            self._cut(now)

    def _cut(self, now: float) -> None:
        self._cut_at = now
        self._succeeded = False
        self._trial = None
        if now - self._held_back_at < HELD_BACK_SECONDS:
            self._size = min(self._size, max(self._in_flight, 1.0))  # so many were too many
        self._size_before_cut = self._size
        self._size = max(self._size * CUT, 1.0)

    # ------------------------------------------------------------------ latency

    def measured(self, now: float, seconds: Sequence[float], events: int, in_flight: int) -> None:
        """Requests were accepted: how long each took; `in_flight`: the sum of how many were in flight with each."""
        self._fastest = min(self._fastest, *seconds)
        period = self._period = self._period or Period(now)
        if now < period.started_at:
            return  # answers to requests from before the trial
        period.answers += len(seconds)
        period.events += events
        period.seconds += sum(seconds)
        period.in_flight += in_flight
        lasts_seconds = max(PERIOD_SECONDS_MIN, PERIOD_LATENCIES * period.mean_seconds)
        if period.answers >= PERIOD_ANSWERS_MIN and now - period.started_at >= lasts_seconds:
            self._period = Period(now)
            self._close(period, now)

    def _close(self, period: Period, now: float) -> None:
        is_full = period.in_flight >= FULL * self.size * period.answers and not period.held_back
        rate = period.events / (now - period.started_at)
        if self._trial is not None:
            self._judge(self._trial, rate if is_full else 0.0, now)
        elif is_full and self.size > 1 and now >= self._next_trial_at:
            mean_seconds = period.mean_seconds
            if mean_seconds > max(SLOW * self._fastest, SLOW_SECONDS_MIN):
                self._trial = Trial(now, self._size, rate, mean_seconds)
                self._size = max(self._size / 2, 1.0)
                self._period = Period(now + PERIOD_LATENCIES * mean_seconds)

    def _judge(self, trial: Trial, rate: float, now: float) -> None:
        self._trial = None
        if rate < AS_MUCH * trial.rate_before:
            self._size = trial.size_before
            self._fastest = trial.mean_before  # the fastest answer of long ago may not be possible any more
            self._next_trial_at = now + TRIAL_SHARE * (now - trial.started_at)
        else:
            self._size_before_cut = None
