"""What a line of the log is about, for machines: its code stays when its words change. Pure.

Each call says its own: `log.warning("created %s", topic, extra=fields(Code.TOPIC_CREATED, partitions=3))`.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Final, Self

RESERVED: Final = frozenset({"ts", "level", "code", "event", "logger", "traceback"})
"""What a line of JSON has beside its fields."""


class Code(StrEnum):
    """A closed list: names are only added, and none gets another meaning."""

    meaning: str

    def __new__(cls, code: str, meaning: str) -> Self:
        """A member is its code; what it means is for docs/logs.md."""
        self = str.__new__(cls, code)
        self._value_ = code
        self.meaning = meaning
        return self

    # The process
    STARTED = "started", "The first line of `run`: version, group, topic, destination and engine."
    SETTING_WARNING = (
        "setting_warning",
        "A setting is accepted, but may give away a secret or is not used as given.",
    )
    CONNECTED = "connected", "Kafka answers, the topics are there, and reading begins."
    STOPPING = "stopping", "Told to stop: requests in flight are finished and committed."
    ENDED = "ended", "The last line of `run`: how it ended, with the exit code."
    BROKEN_RULE = "broken_rule", "An internal rule was broken: a bug. Nothing more is committed."
    PROGRAM_FAILED = "program_failed", "The program failed: a bug. Nothing more is committed."
    PART_FAILED = "part_failed", "A part of the program ended, and the program with it."
    PAGE_FAILED = "page_failed", "A page of metrics or health failed; the rest goes on."
    LOOP_HANGS = "loop_hangs", "The loop has not turned for 10 s; the line says where it stands."
    LOOP_TURNS = "loop_turns", "The loop, which hung, turns again."
    SUPPRESSED = "suppressed", "Lines like an earlier one were left out; the line says how many."
    LOG_LEVEL = "log_level", "What SIGUSR1 or SIGHUP did to the log level; shown at any level."
    LOG_LEVEL_UNREADABLE = "log_level_unreadable", "The log level can't be read again, so it stays as it is."
    # Debug
    REQUEST_ENDED = "request_ended", "At the level debug: a request has ended; `result`, `attempt` and `ms` say how."
    RECORDS_FETCHED = (
        "records_fetched",
        "At the level debug: records were fetched; the line says how many of which partition.",
    )
    COMMIT_ANSWERED = "commit_answered", "At the level debug: a commit was answered; `error` says why it was refused."
    STATE_WRITTEN = "state_written", "At the level debug: the state topic has acknowledged who is identified now."
    # Causes that /readyz knows
    DEGRADED = "degraded", "Something is wrong now; `cause` is that of `customfit_degraded` (docs/metrics.md)."
    DEGRADED_OVER = "degraded_over", "It is over; `cause` says what."
    PAUSED = "paused", "Somebody has paused sending for the whole group; the line says who, when and why."
    RESUMED = "resumed", "Sending goes on; the line says by whose order."
    # The group
    PARTITIONS_ASSIGNED = "partitions_assigned", "Partitions were given to this member, or none."
    PARTITIONS_REVOKED = "partitions_revoked", "Partitions were handed back in order."
    PARTITIONS_LOST = "partitions_lost", "Partitions were taken away; what was in flight may be sent again by another."
    PARTITION_STOPPED = "partition_stopped", "A partition stands still until somebody acts; the line says what to do."
    COMMIT_FAILED = "commit_failed", "A commit was not accepted; it is made again."
    COMMIT_METADATA = "commit_metadata", "A commit's metadata can't be used and is ignored."
    GROUP_SILENT = "group_silent", "The group acknowledges no commit, so events wait."
    GROUP_ANSWERS = "group_answers", "Events no longer wait for the group."
    REVOKE_UNANSWERED = "revoke_unanswered", "A revoke was not answered in time; its last offsets are not committed."
    STARTS_AT_END = (
        "starts_at_end",
        "A new group starts at the end of its topic, because CUSTOMFIT_KAFKA_START says so.",
    )
    # Kafka
    KAFKA_CLIENT = "kafka_client", "The Kafka client reports a problem, which it tries to fix by itself."
    ACCESS_DENIED = "access_denied", "An access list keeps us from a topic or the group."
    ACCESS_GRANTED = "access_granted", "The missing right was granted."
    TOPIC_CREATED = "topic_created", "A topic was missing and was created."
    REPLAY_TOPIC_MISSING = "replay_topic_missing", "There is no replay topic: no replays until a restart."
    TOPIC_GROWN = "topic_grown", "A topic that is read has more partitions now; the group hands the new ones out."
    NO_TOPIC_IDS = "no_topic_ids", "The cluster gives topics no ids, so a topic that is made again is not noticed."
    CLIENT_NOT_CLOSED = "client_not_closed", "Kafka did not answer while the client was closed."
    HEADERS_LEFT_OUT = "headers_left_out", "A record's headers can't be read and are left out."
    # Topics that are not keyed by user
    NOT_KEYED = "not_keyed", "Records have no key, so one user's events may lie in several partitions."
    REKEY_STARTED = "rekey_started", "The first line of `rekey`: version, group, source and target."
    REKEY_ABORTED = "rekey_aborted", "A transaction of `rekey` was aborted; the same records are written again."
    REKEY_WRITES = "rekey_writes", "Transactions of `rekey`, which were aborted, are committed again."
    REKEY_AGAIN = "rekey_again", "The work of `rekey` begins again from the group's offsets; the line says why."
    REKEY_GREW = "rekey_grew", "The target of `rekey` has grown, and is written as `--accept-growth` allows."
    # The destination
    NOT_ACCEPTED = "not_accepted", "A request was not accepted; it is sent again."
    MISDIRECTED_USER = "misdirected_user", "One user's request got 401, 403, 404 or the like; that user waits."
    USER_WAITS = "user_waits", "A user has waited long for another try; the line has their pseudonym."
    DESTINATION_UP = "destination_up", "The destination accepts events again."
    DESTINATION_IDLE = "destination_idle", "Nothing is left to send, so the destination is no longer probed."
    DESTINATION_THROTTLED = "destination_throttled", "The destination is throttled: it answers 429."
    DESTINATION_UNAVAILABLE = "destination_unavailable", "The destination is unavailable; events wait."
    DESTINATION_STOPPED = "destination_stopped", "The key, URL or account is wrong; events wait until it is fixed."
    KEY_CHANGED = "key_changed", "The API key has changed and is used from now on."
    KEY_UNCHANGED = "key_unchanged", "The API key was read again and has not changed."
    KEY_UNREADABLE = "key_unreadable", "The API key can't be read again, so the old one stays in use."
    # Records
    DEAD_LETTER = "dead_letter", "A record goes to the dead-letter topic; `reason` says why."
    DEAD_LETTER_WITHOUT_VALUE = (
        "dead_letter_without_value",
        "A dead letter is too large and is written without its value.",
    )
    DEAD_LETTER_NOT_WRITTEN = "dead_letter_not_written", "A dead letter can't be written yet; its offset waits."
    RECEIPTS_NOT_WRITTEN = "receipts_not_written", "Receipts can't be written yet; their offsets wait."
    REGISTRY = "registry", "The schema registry does not answer as it should; partitions that need it wait."
    REGISTRY_PASSWORD_UNREADABLE = "registry_password_unreadable", "The registry's password can't be read again."
    # Who is identified
    STATE_NOT_WRITTEN = "state_not_written", "The state topic can't be written; offsets wait."
    STATE_NOT_STORED = "state_not_stored", "The local copy can't be written; work goes on."
    STATE_NOT_READ = "state_not_read", "The state topic can't be read; its partition waits."
    STATE_NOT_GROWN = (
        "state_not_grown",
        "The state topic needs more partitions and can't get them; the partition waits.",
    )
    STATE_NOT_FOLLOWED = "state_not_followed", "Whether sending is paused can't be read; the last order stays in force."
    STATE_STANDBY_NOT_READ = (
        "state_standby_not_read",
        "Other members' partitions can't be followed; nothing waits for it.",
    )
    STATE_STANDBY_NOT_STORED = (
        "state_standby_not_stored",
        "What was followed of other members' partitions can't be written; nothing waits for it.",
    )
    STATE_SET_ASIDE = "state_set_aside", "A local copy is not used; the topic is read instead."
    STATE_UNKNOWN_RECORD = "state_unknown_record", "The state topic holds a record that this version does not know."
    STATE_FIXED = "state_fixed", "A problem with the state that was reported before is over."
    STATE_UNCHECKED = "state_unchecked", "The state topic's settings can't be read: make sure that it is compacted."
    STATE_FILE_UNUSABLE = "state_file_unusable", "A local file can't be used; a temporary one takes its place."
    STATE_FILE_TAKEN = "state_file_taken", "Another process uses the local file; the next one is used."
    STATE_FILES_REMOVED = "state_files_removed", "Files of an earlier version were removed."
    STATE_REBUILT = "state_rebuilt", "A partition's local copy is too old and is read again from the topic."
    STATE_READY = "state_ready", "The state of a partition is read."


CODES: Final = {code.value: code for code in Code}
"""By their words."""
FOREIGN: Final = "library"
"""The code of a library's own lines."""


def fields(code: Code, **values: object) -> dict[str, Any]:
    """Code and fields of one log line, for `extra=`; those that are None are left out."""
    assert RESERVED.isdisjoint(values), RESERVED & values.keys()
    return {"code": code.value, "fields": {name: value for name, value in values.items() if value is not None}}
