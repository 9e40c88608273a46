"""Faults of consumer/rekey, and of what `run` believes of it."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

MERGE: Final = "tests/rekey/test_merge.py"
REWRITING: Final = "tests/rekey/test_rewriting.py"
DEATH: Final = "tests/real_broker/test_rekey.py::test_death_between_two_effects"

FAULTS: Final = (
    EdgeFault(
        "rekey waits for no partition",
        "consumer/rekey/merge.py",
        "return record if not self._lacking or record.fetched_at <= self._free_until(now) else None",
        "return record",
        f"{MERGE}::test_an_empty_partition_is_waited_for_as_long_as_the_wait",
    ),
    EdgeFault(
        "a partition of rekey of which nothing is fetched counts as in time",
        "consumer/rekey/figures.py",
        "        return now if before is None else before",
        "        return None",
        "tests/rekey/test_figures.py::test_a_record_that_is_not_fetched_is_as_old_as_is_known",
    ),
    EdgeFault(
        "rekey waits for an idle partition for ever",
        "consumer/rekey/merge.py",
        "patience = waited if waited >= since else NEVER",
        "patience = NEVER",
        f"{MERGE}::test_a_partition_without_a_leader_holds_back_nobody_for_longer",
    ),
    EdgeFault(
        "an end counts from when it was answered",
        "consumer/rekey/merge.py",
        "queue.ended_at = max(queue.ended_at, asked_at)",
        "queue.ended_at = float('inf')",
        f"{MERGE}::test_a_log_that_has_ended_is_not_waited_for",
    ),
    EdgeFault(
        "a log that goes on counts as ended",
        "consumer/rekey/merge.py",
        "if queue is not None and queue.position >= end:",
        "if queue is not None:",
        f"{MERGE}::test_a_log_that_goes_on_is_waited_for",
    ),
    EdgeFault(
        "a record of the future holds back its partition",
        "consumer/rekey/merge.py",
        "time_ms = min(record.timestamp_ms, latest_ms)",
        "time_ms = record.timestamp_ms",
        f"{MERGE}::test_a_record_of_the_future_holds_back_its_partition_for_the_wait_at_most",
    ),
    EdgeFault(
        "rekey passes on what the source says of origins",
        "consumer/sequencing/rekeyed_headers.py",
        "if header[0] not in OURS]",
        "]",
        f"{REWRITING}::test_claims_in_the_source_are_left_out",
    ),
    EdgeFault(
        "headers of rekey are believed without the setting",
        "consumer/sequencing/dead_letter_headers.py",
        "return (_rekeyed_origin(record) or own) if rekeyed else own",
        "return _rekeyed_origin(record) or own",
        f"{REWRITING}::test_without_the_setting_nothing_of_it_is_believed",
    ),
    EdgeFault(
        "a batch goes to its first user",
        "consumer/rekey/rewriting.py",
        "user_key = item.user.id.encode() if isinstance(item, Event) else None",
        "user_key = b'ann'",
        f"{REWRITING}::test_a_batch_is_split_into_its_items",
    ),
    EdgeFault(
        "what nobody can read is left out by rekey",
        "consumer/rekey/rewriting.py",
        "        return passed_on(record, partitions, life)\n    if _takes",
        "        return Unit(record, End.PASSED_ON, ())\n    if _takes",
        f"{REWRITING}::test_what_has_no_user_is_passed_on_as_it_is",
    ),
    EdgeFault(
        "a dead letter has the key of rekey",
        "consumer/dead_letters/letter.py",
        "key = said_key(record) if rekeyed and not is_replay else record.key",
        "key = record.key",
        f"{REWRITING}::test_a_dead_letter_is_that_of_the_record_as_it_was_produced[theirs]",
    ),
    EdgeFault(
        "offsets are committed beside the transaction",
        "consumer/rekey/writer.py",
        "self._settle(partial(self._producer.send_offsets_to_transaction, points, group), may_end=True)",
        "pass",
        "tests/real_broker/test_rekey.py::test_each_record_is_written_once_under_its_user_s_key",
    ),
    EdgeFault(
        "a target that has grown is written on",
        "consumer/rekey/growth.py",
        "return sorted(counts - {partitions})",
        "return []",
        "tests/rekey/test_growth.py::test_any_other_number_of_partitions_counts",
    ),
    EdgeFault(
        "rekey takes a source that was made again for the first of its name",
        "consumer/rekey/growth.py",
        "return life not in said and said != {None}",
        "return False",
        "tests/rekey/test_growth.py::test_without_commits_the_last_records_of_the_target_say_it",
    ),
    EdgeFault(
        "the life of a rekeyed record is not part of its insert id",
        "consumer/sequencing/dead_letter_headers.py",
        "return Origin(*place, said_timestamp_ms(record), index, topic_life)",
        "return Origin(*place, said_timestamp_ms(record), index)",
        f"{REWRITING}::test_a_topic_made_again_has_other_insert_ids_as_run_itself_would_give_them",
    ),
)
