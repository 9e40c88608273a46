"""What to do first about each cause, in one sentence: for the page, `top` and the log. Pure.

docs/runbook.md has the same sentence as "Do first" in the cause's section; a test compares them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from consumer.ops.causes import Cause

DO: Final[Mapping[Cause, str]] = {
    Cause.DESTINATION_STOPPED: "Set CUSTOMFIT_API_KEY or CUSTOMFIT_API_URL right, as the reason says; a new key in its "
    "file is taken within seconds, anything else needs a restart.",
    Cause.TOPIC_GONE: "Make the topic again if it was deleted by mistake; if another one is meant, set "
    "CUSTOMFIT_KAFKA_TOPIC and restart.",
    Cause.TOPIC_MADE_AGAIN: "Stop all members, run the command that the reason names, and start them again.",
    Cause.PAUSED: "Ask whoever the reason names; customfit-consumer resume lets all members go on, and what waits goes "
    "out in order.",
    Cause.PARTITION_STOPPED: "Do what the reason says at its end; the other partitions go on meanwhile.",
    Cause.DESTINATION_UNAVAILABLE: "Look at CustomFit's status, the network and the proxy; events wait, and go out in "
    "order when it is back.",
    Cause.DESTINATION_THROTTLED: "Wait: it slows down by itself; if the lag goes on growing, ask CustomFit for a "
    "higher limit.",
    Cause.DESTINATION_SLOW: "Look at CustomFit's status and the network; if it stays so slow, raise "
    "CUSTOMFIT_IN_FLIGHT_MAX or add members, up to the number of partitions.",
    Cause.KAFKA_UNREACHABLE: "Look at the brokers, the network and CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS; it goes on by "
    "itself when a broker answers.",
    Cause.ACCESS_DENIED: "Grant the right that the reason names, with the command that stands there; no restart is "
    "needed.",
    Cause.GROUP_SILENT: "Look at the broker that is the group's coordinator, and whether it can be reached from here.",
    Cause.LEADER_MISSING: "Bring back a broker that has a copy of the partition; kafka-topics.sh --describe "
    "--unavailable-partitions lists all that have no leader.",
    Cause.START_UNKNOWN: "Look at the group's coordinator and at the broker that leads the partition; it is asked "
    "again until one answers.",
    Cause.END_UNKNOWN: "Look at the broker that leads the partition, and whether it can be reached from here; "
    "events are sent as usual.",
    Cause.RESTORING: "Wait while the number of records to go shrinks; if it stands still, look at the state topic.",
    Cause.STATE_TOPIC: "Look at the topic that the reason names: its leaders, our rights, min.insync.replicas; if it "
    "was deleted, restart all members.",
    Cause.RECORDS_NOT_WRITTEN: "Look at the state topic and the dead-letter topic: their leaders, replicas in sync and "
    "min.insync.replicas.",
    Cause.DEAD_LETTERS_NOT_WRITTEN: "Look at the topic that the reason names: our rights, its max.message.bytes; if it "
    "was deleted, make it again.",
    Cause.RECEIPTS_NOT_WRITTEN: "Look at the topic that the reason names: our rights, its leaders and replicas in "
    "sync; if it was deleted, make it again.",
    Cause.REGISTRY: "Bring the schema registry back, or set its URL and password right; it is asked again.",
    Cause.REGISTRY_NOT_SET: "Set CUSTOMFIT_SCHEMA_REGISTRY_URL if the topic holds Avro, CUSTOMFIT_VALUE_FORMAT=json if "
    "it does not, and restart.",
    Cause.TRANSACTION_OPEN: "Find the producer with kafka-transactions.sh find-hanging, and end its transaction with "
    "abort.",
    Cause.NO_PROGRESS: "Look at what the reason says it waits for, and at the lanes that wait longest; keep /status "
    "for a report before a restart.",
}
DO_WHEN_STUCK: Final = (
    "Keep /status and the log for a report, then restart this member: what is not committed is sent again."
)
RUNBOOK_WHEN_STUCK: Final = "docs/runbook.md#stuck"


def runbook(cause: Cause) -> str:
    """Where the runbook has more about it."""
    return f"docs/runbook.md#{cause.value}"
