"""The made-up destination: judges requests by their content, and has weather, outages and a bad memory for answers."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Literal

from consumer.customfit.answers import Answer, Answered, NoAnswer
from tests.simulation.log import Log
from tests.simulation.options import Options
from tests.simulation.referee import Referee
from tests.simulation.requests import Request
from tests.simulation.stage import Stage

Problem = Literal["down", "unreachable", "silent", "unauthorized", "throttling"]
TROUBLES: tuple[Problem, ...] = ("down", "unreachable", "silent", "unauthorized", "throttling")
REFUSALS = (400, 413, 422, 501)
MISDIRECTIONS = (401, 403, 404, 302)
FORBIDDEN = (401, 403, 404)
ERRORS = (500, 502, 503, 504, 408, 425)

Reply = Callable[[Answer], None]


class Destination:
    """What POST does. Whether an event is refused for good depends on the event alone, so a replay fares the same."""

    def __init__(self, stage: Stage, options: Options, log: Log, referee: Referee) -> None:
        self.healed = False
        self._stage = stage
        self._options = options
        self._log = log
        self._verifier = referee
        self._outages = [self._outage() for _ in range(options.outages)]
        if options.long_outage_seconds:
            rng = random.Random(f"long outage of {options.seed}")
            start = rng.uniform(0.5, 3)
            self._outages.append((start, start + options.long_outage_seconds, rng.choice(TROUBLES)))

    def post(self, request: Request, reply: Reply) -> None:
        """Take a request; `reply` is called once, at the client's time-out at the latest."""
        stage, options = self._stage, self._options
        deadline = stage.now + options.request_timeout_seconds
        arrives_after = stage.between(0.001, 0.05)
        if not self.healed and stage.chance(options.slow_answers):
            arrives_after = stage.between(0.1, options.request_timeout_seconds * 1.05)
        elif not self.healed and stage.chance(options.late_acceptances):
            arrives_after = options.request_timeout_seconds + stage.between(0.1, 2)
        if stage.now + arrives_after >= deadline:
            stage.after(options.request_timeout_seconds, lambda: self._time_out(reply))
            stage.after(arrives_after, lambda: self._arrive_too_late(request))
        else:
            stage.after(arrives_after, lambda: self._arrive(request, deadline, reply))

    def _arrive(self, request: Request, deadline: float, reply: Reply) -> None:
        answer = self._answer(request)
        answers_after = self._stage.between(0.001, 0.05)
        left = deadline - self._stage.now
        if answer is None or answers_after >= left:
            self._stage.after(max(left, 0.0), lambda: self._time_out(reply))
        else:
            self._stage.after(answers_after, lambda: reply(answer))

    def _arrive_too_late(self, request: Request) -> None:
        if self._verdict(request) is None and self._problem() is None:
            self._stage.exercised["accepted after the client's time-out"] += 1
            self._verifier.accepted(request)

    def _time_out(self, reply: Reply) -> None:
        self._stage.exercised["time-outs"] += 1
        reply(NoAnswer("timeout", "no answer"))

    def _answer(self, request: Request) -> Answer | None:
        """What comes of it; None: no answer ever."""
        stage, options = self._stage, self._options
        problem = self._problem()
        if problem is not None:
            return self._has_problem(problem)
        if not self.healed:
            if stage.chance(options.errors):
                return Answered(stage.random.choice(ERRORS), None, b"")
            if stage.chance(options.refusals_to_connect):
                return NoAnswer(stage.random.choice(("connect_error", "protocol_error")), "reset")
            if stage.chance(options.throttling):
                return self._throttled()
        verdict = self._verdict(request)
        if verdict is not None:
            return verdict
        self._verifier.accepted(request)
        if not self.healed and stage.chance(options.lost_answers):
            stage.exercised["answers lost"] += 1
            return None
        if not self.healed and stage.chance(options.errors_after_acceptance):
            stage.exercised["errors after acceptance"] += 1
            return Answered(502, None, b"")
        return Answered(stage.random.choice((200, 202, 204)), None, b"")

    def _verdict(self, request: Request) -> Answer | None:
        """By content; None: welcome."""
        if request.kind == "introduction":
            is_refused = request.user in self._log.refused_introductions
            return Answered(422, None, b"who?") if is_refused else None
        verdicts = {entry.verdict for entry in request.entries}
        if "refused" in verdicts:
            return Answered(REFUSALS[request.entries[0].offset % len(REFUSALS)], None, b"no")
        if "stubborn" in verdicts:
            return Answered(500, None, b"")
        if "throttled" in verdicts:
            return Answered(429, None, b"")
        if "forbidden" in verdicts:
            self._stage.exercised["requests forbidden alone"] += 1
            return Answered(FORBIDDEN[request.entries[0].offset % len(FORBIDDEN)], None, b"")
        if "postponed" in verdicts:
            self._stage.exercised["requests postponed alone"] += 1
            return Answered(503, "1", b"")
        return None

    def _throttled(self) -> Answer:
        after = self._stage.random.choice((None, "0", "1", "2"))
        self._stage.exercised["429 with Retry-After"] += after is not None
        return Answered(429, after, b"")

    def _has_problem(self, problem: Problem) -> Answer | None:
        stage = self._stage
        match problem:
            case "down":
                return Answered(503, stage.random.choice((None, None, "1")), b"")
            case "unreachable":
                return NoAnswer("connect_error", "refused")
            case "silent":
                return None
            case "unauthorized":
                return Answered(stage.random.choice(MISDIRECTIONS), None, b"")
            case "throttling":
                return self._throttled()

    def _problem(self) -> Problem | None:
        if self.healed:
            return None
        for start, end, problem in self._outages:
            if start <= self._stage.now < end:
                self._stage.exercised[f"answers while {problem}"] += 1
                return problem
        return None

    def _outage(self) -> tuple[float, float, Problem]:
        stage = self._stage
        start = stage.between(0, self._options.chaos_seconds)
        return start, start + stage.between(0.5, 8), stage.random.choice(TROUBLES)
