"""Faults of consumer/state: who is identified."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

PAUSES: Final = "tests/state/test_pause_follower.py"
FAULTS: Final = (
    EdgeFault(
        "the state of another destination is believed",
        "consumer/state/store.py",
        "user_id = wanted.value AND anonymous = ? AND destination_id = ?\n",
        "user_id = wanted.value AND anonymous = ? AND ? > 0\n",
        "tests/state/test_store.py::test_an_entry_counts_only_for_its_destination",
    ),
    EdgeFault(
        "the state is acknowledged and not written",
        "consumer/state/writes.py",
        "self.writer.write_all(state.number, records)",
        "self.recorded += [write.change.lane for write in writes]",
        "tests/real_broker/test_state_topic.py::test_a_user_s_state_moves_with_the_partition",
    ),
    EdgeFault(
        "a file that somebody else has open is used",
        "consumer/state/database.py",
        '"PRAGMA locking_mode = EXCLUSIVE"',
        '"PRAGMA locking_mode = NORMAL"',
        "tests/state/test_database.py::test_a_locked_file_is_left_to_its_owner",
    ),
    EdgeFault(
        "a store that may have missed a deletion is believed",
        "consumer/state/store.py",
        "not 0 <= _now_seconds() - copy.at_seconds < self._age_seconds_max",
        "False",
        "tests/state/test_store.py::test_a_store_that_may_have_missed_a_deletion_is_rebuilt",
    ),
    EdgeFault(
        "a store of another topic is believed",
        "consumer/state/store.py",
        "if row is not None and row[0] != self._topic:",
        "if False:",
        "tests/state/test_store.py::test_a_store_of_another_topic_is_set_aside",
    ),
    EdgeFault(
        "a fetch says where the state ends",
        "consumer/state/reader.py",
        "if (offset := message.offset() or 0) >= reading.end:",
        "if (offset := message.offset() or 0) >= 0:",
        "tests/state/test_reader.py::test_a_leader_that_has_not_caught_up_does_not_end_a_restore",
    ),
    EdgeFault(
        "an id with a NUL is asked for as JSON, where it is another user's",
        "consumer/state/store.py",
        'if "\\0" not in user.id:',
        "if True:",
        "tests/state/test_store.py::test_those_are_found_who_were_written_whatever_their_ids_are_made_of",
    ),
    EdgeFault(
        "an id with a NUL is written as JSON, where it is another user's",
        "consumer/state/inserts.py",
        'return "" if NUL in text else text',
        "return text",
        "tests/state/test_store.py::test_those_are_found_who_were_written_whatever_their_ids_are_made_of",
    ),
    EdgeFault(
        "who is identified is recorded without a lease",
        "consumer/state/writes.py",
        "        if self._may_be_another_s(state):",
        "        if False:",
        "tests/state/test_thread.py::test_who_is_identified_is_recorded_on_lease_only",
    ),
    EdgeFault(
        "a record of the state is sent however late",
        "consumer/state/topic.py",
        "max(int(timeout_seconds * 1000), 1)",
        "30_000",
        "tests/state/test_thread.py::test_a_record_that_finds_no_broker_comes_back_within_its_lease",
    ),
    EdgeFault(
        "growing the state topic is given up at once",
        "consumer/state/growth.py",
        "if error.args[0].code() in REFUSED:",
        "if True:",
        "tests/state/test_thread.py::test_growing_is_tried_again_until_it_works",
    ),
    EdgeFault(
        "a store is made in steps",
        "consumer/state/database.py",
        'f"BEGIN IMMEDIATE; {_SCHEMA} PRAGMA',
        'f"{_SCHEMA} BEGIN IMMEDIATE; PRAGMA',
        "tests/state/test_database.py::test_a_kill_while_a_store_is_made_leaves_one_that_is_taken_as_new",
    ),
    EdgeFault(
        "an answer to an earlier question ends a restore",
        "consumer/state/reader.py",
        "if reading is None or reading.asked != asked:",
        "if reading is None:",
        "tests/state/test_reader.py::test_an_answer_to_an_earlier_question_is_no_end",
    ),
    EdgeFault(
        "a copy that is being swept up still follows its topic",
        "consumer/state/store.py",
        "if self._sweep_from is None:",
        "if False:",
        "tests/state/test_store.py::test_a_copy_that_is_being_swept_up_is_never_half_believed",
    ),
    EdgeFault(
        "who failed is asked for no more",
        "consumer/state/ends.py",
        "            self._due[asked] = at\n",
        "            self._due[asked] = at + 9e9\n",
        "tests/state/test_ends.py::test_what_has_no_answer_is_asked_for_again",
    ),
    EdgeFault(
        "an order counts before the last one is read",
        "consumer/state/pause_follower.py",
        "if self._is_read_whole and not (",
        "if not (",
        f"{PAUSES}::test_the_last_order_counts_and_each_new_one_is_heard",
    ),
    EdgeFault(
        "an order to another group is obeyed",
        "consumer/state/pause_follower.py",
        "if message.key() == self._key:",
        'if (message.key() or b"")[:8] == self._key[:8]:',
        f"{PAUSES}::test_the_last_order_counts_and_each_new_one_is_heard",
    ),
    EdgeFault(
        "who can't read the last order forgets the one before it",
        "consumer/state/pause_follower.py",
        "self._followed = self._file.read() or self._followed",
        "self._followed = self._followed",
        f"{PAUSES}::test_what_cannot_be_read_keeps_what_was_known",
    ),
    EdgeFault(
        "an order that is nested without end ends every member",
        "consumer/state/pause_record.py",
        "(msgspec.DecodeError, UnicodeDecodeError, RecursionError)",
        "(msgspec.DecodeError, UnicodeDecodeError)",
        "tests/state/test_pause_record.py::test_a_value_of_another_form_is_no_order",
    ),
    EdgeFault(
        "an order waits for leaders that it has no need of",
        "consumer/cli/pausing.py",
        '"state_topic", PAUSE_PARTITION)[',
        '"state_topic")[',
        "tests/cli/test_pausing.py::test_an_order_needs_no_other_partition_of_the_state_topic",
    ),
)
