"""Answers what people ask of the lanes, in the loop's own thread: nobody else may look at what changes."""

from __future__ import annotations

from consumer.ports.inputs import InHandAsked, WaitsAsked
from consumer.sequencing.sequencer import Sequencer
from consumer.sequencing.user_waits import in_hand, user_waits


def answer(question: InHandAsked | WaitsAsked, sequencer: Sequencer, now: float) -> None:
    """Answer a question about users, unless whoever asked has given up meanwhile."""
    if not question.answer.set_running_or_notify_cancel():
        return
    match question:
        case InHandAsked(asked):
            asked.set_result(in_hand(sequencer))
        case WaitsAsked(users, waits):
            waits.set_result(user_waits(sequencer, users, now))
