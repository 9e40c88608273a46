"""What an answer means, said a second time and not taken from the code under test."""

from __future__ import annotations

from consumer.customfit.answers import Answer, Answered


def is_refusal(status: int) -> bool:
    """This request will never be accepted."""
    return (400 <= status < 500 and not is_misdirected(status) and status not in (408, 423, 425, 429)) or status == 501


def is_misdirected(status: int) -> bool:
    """A wrong key or URL."""
    return status in (401, 402, 403, 404, 405, 407, 410) or 300 <= status < 400


def retry_after_seconds(answer: Answer) -> float:
    """How long the destination wants to be left alone: by everybody on 429, else by this user."""
    if isinstance(answer, Answered) and answer.retry_after is not None:
        return float(answer.retry_after)
    return 0.0
