"""Of `state copy`: who is identified, from another group's state topic."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import EdgeFault

RULE: Final = "tests/state/test_copy_rule.py"
REAL: Final = "tests/real_broker/test_state_copy.py"
FAULTS: Final = (
    EdgeFault(
        "a copy brings back a user whom the group has forgotten since",
        "consumer/state/copy_rule.py",
        "    if newest_ms > forgot_ms:",
        "    if newest_ms > source_forgot_ms:",
        f"{RULE}::test_what_is_newer_stands",
    ),
    EdgeFault(
        "a copy forgets a user whom the group has identified since",
        "consumer/state/copy_rule.py",
        "    if any(at_ms > forgot_ms for at_ms in standing.values()):",
        "    if not standing:",
        f"{RULE}::test_a_user_whom_the_group_itself_has_identified_since_is_not_forgotten",
    ),
    EdgeFault(
        "a deletion counts in its own partition alone",
        "consumer/state/copy_rule.py",
        "max((word.at_ms for word in source if not word.identified), default=-1)",
        "max((word.at_ms for word in source if not word.identified and word.partition == 1), default=-1)",
        f"{RULE}::test_a_deletion_in_one_partition_counts_for_all",
    ),
    EdgeFault(
        "of a partition the first record counts",
        "consumer/state/copy_words.py",
        "INSERT OR REPLACE INTO",
        "INSERT OR IGNORE INTO",
        f"{RULE}::test_the_last_record_of_a_partition_counts",
    ),
    EdgeFault(
        "who was accepted elsewhere counts here",
        "consumer/state/copying.py",
        "        if destination == origin.destination:",
        "        if not destination.startswith(SOURCE_TOPIC):",
        f"{REAL}::test_another_destination_has_to_be_named",
    ),
    EdgeFault(
        "a copied entry has the time of the copy",
        "consumer/state/copying.py",
        "                    timestamp=at_ms,\n",
        "",
        f"{REAL}::test_the_topic_is_made_as_a_start_makes_it_and_keeps_times",
    ),
    EdgeFault(
        "a copy leaves out which topics of the source's name were read",
        "consumer/state/copying.py",
        "        elif destination == of_events:",
        "        elif destination == origin.topic:",
        f"{REAL}::test_which_topics_of_the_name_were_read_is_copied_too",
    ),
    EdgeFault(
        "a copy is made beside members that run",
        "consumer/cli/stopped_group.py",
        "        return group_members(settings)",
        "        return group_members(settings)[:0]",
        f"{REAL}::test_while_the_group_has_members_nothing_is_copied",
    ),
)
