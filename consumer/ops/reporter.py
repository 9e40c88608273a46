"""What operators see: counts each problem in the metrics and says it in one log line; successes are only counted.

Repeated lines are limited, and the number left out is said.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from typing import Final

from consumer.customfit.answers import Result
from consumer.kafka.client import KafkaUnavailable
from consumer.ops.announcer import Announcer
from consumer.ops.causes import findings
from consumer.ops.logs import RepeatLimiter, fields
from consumer.ops.metrics import Metrics
from consumer.ops.metrics_table import COMMITS, REBALANCES, SURROGATES_REPLACED
from consumer.ops.snapshot import Phase, Snapshot
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.events import DeadLetterReason, Misdirected, Partition, Refused, Rejected, Unavailable
from consumer.sequencing.gate import Gate, State
from consumer.sequencing.lanes import Delivery, DeliveryKind
from consumer.sequencing.stops import StopCause, Stopped

LINES_MAX: Final = 5
LINES_SECONDS: Final = 10.0

NONE_ASSIGNED: Final = "none: the other members have all of them; this one takes over when one of them goes"
log = logging.getLogger("consumer")


class Reporter:
    """Metrics and log lines of the pipeline."""

    def __init__(self, metrics: Metrics, dead_letter_topic: str) -> None:
        self._metrics = metrics
        self._dead_letter_topic = dead_letter_topic
        self._limiter = RepeatLimiter(LINES_MAX, LINES_SECONDS)
        self._once_limiter = RepeatLimiter(1, LINES_SECONDS)
        self._announcer = Announcer()
        self._looked_at = float("-inf")

    # ------------------------------------------------------------------ events

    def rejected(self, rejected: Rejected) -> None:
        """A record can't be read or is not for sending."""
        self._metrics.error("decode", rejected.reason.value)

    def surrogates_replaced(self, times: int) -> None:
        """Halves of surrogate pairs in an event's payload become U+FFFD."""
        self._metrics.count(SURROGATES_REPLACED, times=times)

    def registry_problem(self, detail: str) -> None:
        """The schema registry does not answer: partitions wait for it."""
        self._metrics.error("decode", "registry")
        self._say_once("registry", f"the schema registry: {detail}; it is asked again, and what needs it waits")

    def dead_lettered(self, action: WriteDeadLetter) -> None:
        """A record goes to the dead-letter topic."""
        record = action.record
        if action.reason in (DeadLetterReason.REFUSED, DeadLetterReason.GAVE_UP):
            self._metrics.error("deliver", action.reason.value)
        self._say(
            logging.WARNING,
            f"dead letter: {action.reason.value}",
            f"{action.reason.value}: {action.detail}; it goes to {self._dead_letter_topic}",
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
            item=record.item_index,
            status=action.status,
            body=action.body.decode(errors="replace") if action.body else None,
        )

    def delivered(self, delivery: Delivery) -> None:
        """A request was accepted."""
        if delivery.kind is not DeliveryKind.INTRODUCTION:
            self._metrics.delivered(delivery.events, time.time())

    # ------------------------------------------------------------------ destination

    def responded(self, result: Result, seconds: float) -> None:
        """A request ended."""
        self._metrics.responded(result, seconds)

    def not_delivered(self, outcome: Refused | Misdirected | Unavailable) -> None:
        """A request was not accepted."""
        match outcome:
            case Misdirected():
                self._metrics.error("deliver", "misdirected")
            case Unavailable(cause=cause):
                self._metrics.error("deliver", "unavailable")
                self._say_once("retry", f"the destination did not accept a request ({cause}); it is sent again")
            case Refused():
                pass  # counted and said when it is clear which event it was

    def misdirected_alone(self, status: int, delivery: Delivery) -> None:
        """One user's request got what a wrong key gets, and it is not known to be the key."""
        record = delivery.events[0].record
        self._say_once(
            "misdirected",
            f"the destination answered {status} to one user's request; that user waits and is tried again",
            topic=record.partition.topic,
            partition=record.partition.number,
            offset=record.offset,
        )

    def destination_changed(self, before: State, gate: Gate) -> None:
        """Say when the destination as a whole stops or works again."""
        if gate.state is before:
            return
        match gate.state:
            case State.DELIVERING if gate.reason:
                log.info("the destination is not asked any more: %s", gate.reason)
            case State.DELIVERING:
                log.info("the destination accepts events again")
            case State.THROTTLED:
                if before is not State.DELIVERING:
                    log.info("the destination accepts events again, slowly")
                else:
                    log.warning("the destination asks to slow down: %s", gate.reason)
            case State.UNAVAILABLE:
                log.warning("the destination is unavailable: %s; events wait and are sent when it is back", gate.reason)
            case State.STOPPED:
                log.error(
                    "the destination is stopped: %s; nothing is lost, events wait until this is fixed", gate.reason
                )

    # ------------------------------------------------------------------ Kafka, state, dead letters

    def rebalanced(self, event: str, partitions: Sequence[Partition]) -> None:
        """Partitions came or went."""
        self._metrics.count(REBALANCES, event)
        names = ", ".join(str(partition) for partition in partitions)
        if names or event == "assigned":
            level = logging.WARNING if event == "lost" else logging.INFO
            log.log(level, "partitions %s: %s", event, names or NONE_ASSIGNED)

    def committed(self, error: str | None) -> None:
        """A commit was answered."""
        self._metrics.count(COMMITS, "ok" if error is None else "error")
        if error is not None:
            self._metrics.error("commit", "failed")
            self._say(logging.WARNING, "commit", f"a commit failed: {error}")

    def group_answers(self, problem: str | None) -> None:
        """Log once when events wait because the group acknowledges no commit, and once when they no longer do."""
        if problem is not None:
            log.warning("%s", problem)
        else:
            log.info("no event waits for the group any longer")

    def metadata_ignored(self, partition: Partition) -> None:
        """A commit carries metadata that was not made by us for this offset of this cluster."""
        self._metrics.error("commit", "metadata")
        log.warning("the commit metadata of %s is not ours for its offset and is ignored", partition)

    def kafka_problem(self, kind: str, detail: str) -> None:
        """The Kafka client reports something it is working on."""
        self._metrics.error("kafka", "client")
        self._say_once(f"kafka {kind}", f"Kafka: {detail}; the client tries again")

    def access_denied(self, what: str, detail: str) -> None:
        """The access lists of the cluster keep us from a topic or the group."""
        self._metrics.error("kafka", "denied")
        if self._once_limiter.allow(f"denied {what}", time.monotonic()) is not None:
            log.error("%s; nothing is lost, it is tried again until it is granted", detail)

    def access_again(self, what: str) -> None:
        """We may again."""
        log.info("the access to %s is there again", what or "the group")

    def partition_failed(self, partition: Partition, reason: str, remedy: str) -> None:
        """A partition stands still until somebody acts."""
        self._metrics.error("kafka", "partition")
        log.error("partition %s is stopped: %s; stop the consumer, then: %s", partition, reason, remedy)

    def stopped(self, partition: Partition, stopped: Stopped) -> None:
        """A partition stopped by a decision of ours."""
        if stopped.cause is StopCause.DEAD_LETTER_RATIO:
            self._metrics.error("dead_letter", "ratio")
        else:
            self._metrics.error("kafka", "partition")
        log.error("partition %s is stopped: %s", partition, stopped.reason)

    def state_problem(self, kind: str, detail: str) -> None:
        """Something of the state does not work; nothing is lost by it."""
        self._metrics.error("state", kind)
        match kind:
            case "not_written":
                text = f"the state topic can't be written; offsets wait for it and it is tried again: {detail}"
            case "not_stored":
                text = f"the local store can't be written; work goes on, the topic has it all: {detail}"
            case "not_read":
                text = f"the state topic can't be read; its partition waits and it is tried again: {detail}"
            case "not_grown":
                text = f"its partition waits and it is tried again: {detail}"
            case "unknown_record":
                text = f"the state topic holds a record that this version does not know and leaves out: {detail}"
            case _:
                text = detail
        self._say(logging.ERROR, f"state {kind}", text)

    def state_fixed(self, kind: str) -> None:
        """What was said to be tried again has worked."""
        log.info("the state topic is %s again", "read" if kind == "not_read" else "as large as its source")

    def dead_letter_failed(self, kind: str, detail: str) -> None:
        """A dead letter is not acknowledged yet."""
        self._metrics.error("dead_letter", kind)
        if kind == "value_omitted":
            self._say(
                logging.WARNING, kind, f"a dead letter is too large for its topic and goes without its value: {detail}"
            )
        else:
            self._say(
                logging.ERROR, kind, f"a dead letter can't be written; its offset waits and it is tried again: {detail}"
            )

    def thread_failed(self, name: str, failure: BaseException) -> None:
        """A part of the program died."""
        if isinstance(failure, KafkaUnavailable):  # its message says it all
            log.critical("%s", failure)
        else:
            log.critical("the %s part of the program failed", name, exc_info=failure)

    def shown(self, snapshot: Snapshot) -> None:
        """Say what the snapshot finds wrong, when it begins and when it is over; looked at once a second."""
        if snapshot.taken_at - self._looked_at >= 1.0 and snapshot.phase is Phase.RUNNING:
            self._looked_at = snapshot.taken_at
            self._announcer.look(findings(snapshot))
            self._announcer.wait(snapshot.waiting, snapshot.taken_at)

    def catch_up(self) -> None:
        """Say how many lines were left out of kinds that have gone quiet."""
        for kind, lines in self._limiter.due(time.monotonic()):
            log.warning("%s: %d more like this were not shown", kind, lines)

    def _say_once(self, kind: str, text: str, **values: object) -> None:
        """One line in ten seconds of what fails many times a second until it works again."""
        if self._once_limiter.allow(kind, time.monotonic()) is not None:
            log.warning("%s", text, extra=fields(**values))

    def _say(self, level: int, kind: str, text: str, **values: object) -> None:
        suppressed = self._limiter.allow(kind, time.monotonic())
        if suppressed is None:
            return
        if suppressed:
            text += f" ({suppressed} more like this were not shown)"
        log.log(level, "%s", text, extra=fields(**values))
