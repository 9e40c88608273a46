"""When the loop pauses for more answers before a turn."""

from __future__ import annotations

from consumer.loop.moderation import PAUSE_SECONDS_MAX, Moderation


def pause(in_flight: int, answer_seconds: float) -> tuple[int, float]:
    """With so many requests in flight, whose answers take so long."""
    moderation = Moderation()
    moderation.answered(answer_seconds)
    return moderation.pause(in_flight)


def test_many_requests_with_slow_answers_are_worth_a_pause() -> None:
    """A thirty-second of them is few; a pause takes a twentieth of an answer's time, a millisecond at most."""
    assert (8, PAUSE_SECONDS_MAX) == pause(256, 0.05)
    assert (2, 0.0005) == pause(64, 0.01)


def test_few_requests_or_quick_answers_are_taken_at_once() -> None:
    """What comes alone is not kept waiting, and a destination that answers at once is not slowed down."""
    assert (0, 0.0) == pause(63, 0.05)
    assert (0, 0.0) == pause(256, 0.003)
    assert (0, 0.0) == Moderation().pause(256)
