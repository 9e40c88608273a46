"""Counts each problem in the metrics and logs it in one line. Successes are only counted.

Repeated lines are limited, and the log says how many were left out.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

from consumer.customfit.answers import Result
from consumer.customfit.forwarding import NotForwarded
from consumer.kafka.client import KafkaUnavailable
from consumer.log_codes import CODES, Code, fields
from consumer.ops.advice import DO
from consumer.ops.announcer import Announcer
from consumer.ops.causes import Cause, findings, paused_sentence
from consumer.ops.error_groups import ErrorGroups
from consumer.ops.logs import RepeatLimiter
from consumer.ops.metrics import Metrics
from consumer.ops.metrics_table import COMMITS, HEADERS_NOT_FORWARDED, REBALANCES, SURROGATES_REPLACED
from consumer.ops.snapshot import Phase, Snapshot
from consumer.ops.traces import place_of
from consumer.sequencing.actions import WriteDeadLetter
from consumer.sequencing.events import DeadLetterReason, Misdirected, Partition, Record, Refused, Rejected, Unavailable
from consumer.sequencing.gate import Gate, State
from consumer.sequencing.lanes import Delivery
from consumer.sequencing.pauses import PauseOrder
from consumer.sequencing.rule import DeliveryKind
from consumer.sequencing.stops import StopCause, Stopped

LINES_MAX: Final = 5
LINES_SECONDS: Final = 10.0

NONE: Final = (
    "none; the others in the group have them, or are about to give some up: this member stands by, and takes over when "
    "one of them leaves"
)
NO_OTHERS: Final = "none beside the %d it has"
_REBALANCED: Final = {
    "assigned": Code.PARTITIONS_ASSIGNED,
    "revoked": Code.PARTITIONS_REVOKED,
    "lost": Code.PARTITIONS_LOST,
}
_FIXED: Final = {
    "not_read": "read",
    "not_grown": "as large as its source",
    "not_followed": "followed for orders to pause",
    "standby_not_read": "read for other members' partitions",
    "standby_not_stored": "copied for other members' partitions",
}

log = logging.getLogger("consumer")


class Reporter:
    """Metrics and log lines of the pipeline."""

    def __init__(self, metrics: Metrics, dead_letter_topic: str) -> None:
        self.errors = ErrorGroups()
        self._metrics = metrics
        self._dead_letter_topic = dead_letter_topic
        self._limiter = RepeatLimiter(LINES_MAX, LINES_SECONDS)
        self._once_limiter = RepeatLimiter(1, LINES_SECONDS)
        self._announcer = Announcer()
        self._looked_at = float("-inf")

    # ------------------------------------------------------------------ events

    def rejected(self, rejected: Rejected) -> None:
        """A record can't be read, or must not be sent."""
        self._error("decode", rejected.reason.value, rejected.detail)

    def surrogates_replaced(self, times: int) -> None:
        """Halves of surrogate pairs in an event's payload become U+FFFD."""
        self._metrics.count(SURROGATES_REPLACED, times=times)

    def not_keyed(self) -> None:
        """Many records have no key; said once."""
        told = (
            "many records have no key: one user's events lie in several partitions, and may be sent in another order "
            "than theirs; `customfit-consumer rekey` copies the topic so that they do not"
        )
        log.warning(told, extra=fields(Code.NOT_KEYED))

    def registry_problem(self, detail: str) -> None:
        """The schema registry does not answer: partitions wait for it."""
        self._error("decode", "registry", detail)
        self._say_once(Code.REGISTRY, f"the schema registry: {detail}; it is asked again, and what needs it waits")

    def dead_lettered(self, action: WriteDeadLetter) -> None:
        """A record goes to the dead-letter topic."""
        if action.reason in (DeadLetterReason.REFUSED, DeadLetterReason.GAVE_UP):
            self._error("deliver", action.reason.value, action.detail)
        self._say(
            logging.WARNING,
            Code.DEAD_LETTER,
            f"{action.reason.value}: {action.detail}; it goes to {self._dead_letter_topic}",
            action.record,
            reason=action.reason.value,
            status=action.status,
            body=action.body.decode(errors="replace") if action.body else None,
        )

    # ------------------------------------------------------------------ destination

    def accepted(self, seconds: Sequence[float], deliveries: Sequence[Delivery]) -> None:
        """Requests were accepted; how long each took."""
        self._metrics.responded("2xx", seconds)
        self._metrics.delivered(
            [
                event.record.timestamp_ms
                for delivery in deliveries
                if delivery.kind is not DeliveryKind.INTRODUCTION
                for event in delivery.events
            ],
            time.time(),
        )

    def responded(self, result: Result, seconds: float) -> None:
        """A request ended."""
        self._metrics.responded(result, [seconds])

    def header_not_forwarded(self, reason: NotForwarded) -> None:
        """A header of a record is not fit to be sent, so its request goes without it."""
        self._metrics.count(HEADERS_NOT_FORWARDED, reason)

    def not_delivered(self, outcome: Refused | Misdirected | Unavailable, delivery: Delivery) -> None:
        """A request was not accepted."""
        match outcome:
            case Misdirected(status):
                self._error("deliver", "misdirected", f"the destination answered {status}")
            case Unavailable(cause=cause):
                self._error("deliver", "unavailable", cause)
                text = f"the destination did not accept a request ({cause}); it is sent again"
                self._say_once(Code.NOT_ACCEPTED, text, delivery)
            case Refused():
                pass  # counted and logged when it is clear which event it was

    def misdirected_alone(self, status: int, delivery: Delivery) -> None:
        """One user's request got the answer that a wrong key gets, and it is not known to be about the key."""
        text = f"the destination answered {status} to one user's request; that user waits and is tried again"
        self._say_once(Code.MISDIRECTED_USER, text, delivery)

    def destination_changed(self, before: State, gate: Gate) -> None:
        """Log when the destination as a whole stops, or works again."""
        if gate.state is before:
            return
        match gate.state:
            case State.DELIVERING if gate.reason:
                told = "the destination is not asked any more: %s"
                log.info(told, gate.reason, extra=fields(Code.DESTINATION_IDLE))
            case State.DELIVERING:
                log.info("the destination accepts events again", extra=fields(Code.DESTINATION_UP))
            case State.THROTTLED if before is not State.DELIVERING:
                told = "the destination is throttled: %s; it is no longer %s"
                log.info(told, gate.reason, before.value, extra=fields(Code.DESTINATION_THROTTLED))
            case State.THROTTLED:
                told = "the destination is throttled: %s; events wait and are sent more slowly"
                log.warning(told, gate.reason, extra=fields(Code.DESTINATION_THROTTLED))
            case State.UNAVAILABLE:
                told = "the destination is unavailable: %s; events wait and are sent when it is back"
                log.warning(told, gate.reason, extra=fields(Code.DESTINATION_UNAVAILABLE))
            case State.STOPPED:
                told = "the destination is stopped: %s; nothing is lost, events wait until this is fixed"
                log.error(told, gate.reason, extra=fields(Code.DESTINATION_STOPPED))

    # ------------------------------------------------------------------ Kafka, state, dead letters

    def rebalanced(self, event: str, partitions: Sequence[Partition], kept: int = 0) -> None:
        """Partitions came or went. `kept`: how many this member has already."""
        self._metrics.count(REBALANCES, event)
        if partitions or event == "assigned":
            level = logging.WARNING if event == "lost" else logging.INFO
            names = ", ".join(str(partition) for partition in partitions) or (NO_OTHERS % kept if kept else NONE)
            log.log(level, "partitions %s: %s", event, names, extra=fields(_REBALANCED[event], count=len(partitions)))

    def topic_grown(self, topic: str, before: int, partitions: int) -> None:
        """A topic was given more partitions."""
        told = (
            "%s has %d partitions now, %d before: the group hands the new ones out, and users that move are introduced"
        )
        log.info(told, topic, partitions, before, extra=fields(Code.TOPIC_GROWN, before=before, partitions=partitions))

    def committed(self, error: str | None) -> None:
        """A commit was answered."""
        self._metrics.count(COMMITS, "ok" if error is None else "error")
        if error is not None:
            self._error("commit", "failed", error)
            self._say(logging.WARNING, Code.COMMIT_FAILED, f"a commit failed: {error}")

    def group_answers(self, problem: str | None) -> None:
        """Log once when events wait because the group acknowledges no commit, and once when that is over."""
        if problem is not None:
            log.warning("%s", problem, extra=fields(Code.GROUP_SILENT))
        else:
            log.info("no event waits for the group any longer", extra=fields(Code.GROUP_ANSWERS))

    def metadata_ignored(self, partition: Partition) -> None:
        """A commit has metadata that we did not write for this offset of this cluster."""
        told = "the commit metadata of %s is not ours for its offset and is ignored"
        self._error("commit", "metadata", told % (partition,))
        log.warning(told, partition, extra=fields(Code.COMMIT_METADATA))

    def kafka_problem(self, kind: str, detail: str) -> None:
        """The Kafka client reports something that it is working on by itself."""
        self._error("kafka", "client", detail)
        self._say_once(Code.KAFKA_CLIENT, f"Kafka: {detail}; the client tries again", kind=kind)

    def access_denied(self, what: str, detail: str) -> None:
        """The access lists of the cluster keep us from a topic or the group."""
        self._error("kafka", "denied", detail)
        if self._once_limiter.allow(f"denied {what}", time.monotonic()) is not None:
            told = "%s; nothing is lost, it is tried again until it is granted"
            log.error(told, detail, extra=fields(Code.ACCESS_DENIED))

    def access_again(self, what: str) -> None:
        """We may again."""
        log.info("the access to %s is there again", what or "the group", extra=fields(Code.ACCESS_GRANTED))

    def partition_failed(self, partition: Partition, reason: str, remedy: str) -> None:
        """A partition stands still until somebody acts."""
        self._error("kafka", "partition", f"{partition}: {reason}")
        told = "partition %s is stopped: %s; stop the consumer, then: %s"
        log.error(told, partition, reason, remedy, extra=fields(Code.PARTITION_STOPPED))

    def stopped(self, partition: Partition, stopped: Stopped) -> None:
        """A partition stopped by a decision of ours."""
        is_ratio = stopped.cause is StopCause.DEAD_LETTER_RATIO
        stage, kind = ("dead_letter", "ratio") if is_ratio else ("kafka", "partition")
        self._error(stage, kind, f"{partition}: {stopped.reason}")
        told = "partition %s is stopped: %s"
        log.error(told, partition, stopped.reason, extra=fields(Code.PARTITION_STOPPED, cause=stopped.cause.value))

    def state_problem(self, kind: str, detail: str) -> None:
        """Something of the state does not work. Nothing is lost by it."""
        self._error("state", kind, detail)
        match kind:
            case "not_written":
                text = f"the state topic can't be written; offsets wait for it and it is tried again: {detail}"
            case "not_stored":
                text = f"the local store can't be written; work goes on, the topic has it all: {detail}"
            case "not_read":
                text = f"the state topic can't be read; its partition waits and it is tried again: {detail}"
            case "not_grown":
                text = f"its partition waits and it is tried again: {detail}"
            case "not_followed":
                text = f"whether sending is paused can't be read; the last order stays in force: {detail}"
            case "standby_not_read" | "standby_not_stored":
                text = f"the state of other members' partitions is not followed; events are not held up: {detail}"
            case "unknown_record":
                text = f"the state topic holds a record that this version does not know and leaves out: {detail}"
            case _:
                text = detail
        self._say(logging.ERROR, CODES[f"state_{kind}"], text)

    def state_fixed(self, kind: str) -> None:
        """What was said to be tried again has worked."""
        log.info("the state topic is %s again", _FIXED[kind], extra=fields(Code.STATE_FIXED))

    def paused(self, pause: PauseOrder) -> None:
        """Somebody has paused sending, now or before this process started."""
        log.warning(
            "sending is %s", paused_sentence(pause), extra=fields(Code.PAUSED, by=pause.by, do=DO[Cause.PAUSED])
        )

    def resumed(self, order: PauseOrder | None) -> None:
        """Sending goes on."""
        by = "somebody who deleted the order" if order is None else order.by
        log.info("sending goes on, by order of %s", by, extra=fields(Code.RESUMED, by=by))

    def dead_letter_failed(self, kind: str, detail: str, record: Record | None = None) -> None:
        """A dead letter is not acknowledged yet."""
        self._error("dead_letter", kind, detail)
        if kind == "value_omitted":
            text = f"a dead letter is too large for its topic and goes without its value: {detail}"
            self._say(logging.WARNING, Code.DEAD_LETTER_WITHOUT_VALUE, text, record)
        else:
            text = f"a dead letter can't be written; its offset waits and it is tried again: {detail}"
            self._say(logging.ERROR, Code.DEAD_LETTER_NOT_WRITTEN, text)

    def receipts_failed(self, detail: str) -> None:
        """Receipts are not acknowledged yet."""
        self._metrics.error("receipt", "not_written")
        text = f"receipts can't be written; their offsets wait and they are tried again: {detail}"
        self._say(logging.ERROR, Code.RECEIPTS_NOT_WRITTEN, text)

    def thread_failed(self, name: str, failure: BaseException) -> None:
        """A part of the program died."""
        if isinstance(failure, KafkaUnavailable):  # its message says it all
            log.critical("%s", failure, extra=fields(Code.PART_FAILED))
        else:
            told = "the %s part of the program failed"
            log.critical(told, name, exc_info=failure, extra=fields(Code.PART_FAILED))

    def shown(self, snapshot: Snapshot) -> None:
        """Log what is wrong according to the snapshot, when it begins and when it is over. Called once a second."""
        if snapshot.taken_at - self._looked_at >= 1.0 and snapshot.phase is Phase.RUNNING:
            self._looked_at = snapshot.taken_at
            self._announcer.look(findings(snapshot))
            self._announcer.wait(snapshot)

    def catch_up(self) -> None:
        """Log how many lines were left out of kinds that have gone quiet."""
        for kind, lines in self._limiter.due(time.monotonic()):
            told = "%s: %d more like this were not shown"
            log.warning(told, kind, lines, extra=fields(Code.SUPPRESSED, kind=kind, lines=lines))

    def _error(self, stage: str, kind: str, text: str) -> None:
        """Count it, and keep its text."""
        self._metrics.error(stage, kind)
        self.errors.note(stage, kind, text, time.time())

    def _say_once(self, code: Code, text: str, about: Record | Delivery | None = None, **values: object) -> None:
        """One line in ten seconds about something that fails many times a second, until it works again."""
        if self._once_limiter.allow(_kind(code, values), time.monotonic()) is not None:
            log.warning("%s", text, extra=fields(code, **place_of(about), **values))

    def _say(self, level: int, code: Code, text: str, about: Record | Delivery | None = None, **values: object) -> None:
        suppressed = self._limiter.allow(_kind(code, values), time.monotonic())
        if suppressed is None:
            return
        if suppressed:
            text += f" ({suppressed} more like this were not shown)"
        log.log(level, "%s", text, extra=fields(code, **place_of(about), **values))


def _kind(code: Code, values: Mapping[str, object]) -> str:
    """Which lines are alike: those with one code and, if it has several, one reason or kind."""
    return " ".join([code.value, *(str(values[name]) for name in ("reason", "kind") if name in values)])
