"""Faults of consumer/kafka: what is fetched, committed and asked of the cluster."""

from __future__ import annotations

from typing import Final

from tests.edge_faults.fault import GONE, KILL_POINTS, REBALANCES, SERVICE, EdgeFault

FAULTS: Final = (
    EdgeFault(
        "no drain: a stop commits nothing",
        "consumer/kafka/source.py",
        "points = drained.result(self._settings.drain_seconds + DRAIN_GRACE_SECONDS)",
        "points = {}",
        f"{KILL_POINTS}[stop: committed, not left]",
    ),
    EdgeFault(
        "what was fetched is committed when it is handed back",
        "consumer/kafka/source.py",
        "        error = self._commits.make(points)\n        if error is not None and leaving:",
        "        positions = self._consumer.position(topic_partitions_of(partitions))\n"
        "        self._consumer.commit(offsets=[p for p in positions if p.offset > 0], asynchronous=False)\n"
        "        error = None\n        if error is not None and leaving:",
        f"{SERVICE}::test_three_members_share_the_partitions_and_keep_order",
    ),
    EdgeFault(
        "a commit one too far",
        "consumer/kafka/translate.py",
        "TopicPartition(p.topic, p.number, point.offset, point.metadata)",
        "TopicPartition(p.topic, p.number, point.offset + 1, point.metadata)",
        GONE + "[make_the_topic_again]",
    ),
    EdgeFault(
        "partitions that were lost are committed",
        "consumer/kafka/source.py",
        "            self._forget(ours)\n            self._post(Lost(sorted(ours)))",
        "            self._give_up(ours, shutdown=False)",
        "tests/real_broker/test_process_faults.py::test_a_member_that_was_frozen_comes_back_to_nothing",
    ),
    EdgeFault(
        "the commit's metadata is not read",
        "consumer/kafka/starts.py",
        "= known.offset, known.metadata",
        "= known.offset, None",
        GONE + "[kill_and_start_again]",
    ),
    EdgeFault(
        "an offset out of range starts somewhere",
        "consumer/kafka/client.py",
        '"auto.offset.reset": "error"',
        '"auto.offset.reset": "latest"',
        f"{REBALANCES}::test_an_offset_out_of_range_stops_its_partition_and_says_what_fixes_it",
    ),
    EdgeFault(
        "aborted transactions are read",
        "consumer/kafka/client.py",
        '"isolation.level": "read_committed"',
        '"isolation.level": "read_uncommitted"',
        f"{SERVICE}::test_an_end_of_transaction_markers_leaves_no_lag",
    ),
    EdgeFault(
        "each start begins at the end",
        "consumer/kafka/group_start.py",
        "            if committed_offsets(consumer, settings, partitions):\n                return\n",
        "",
        f"{SERVICE}::test_a_new_group_may_start_at_the_end",
    ),
    EdgeFault(
        "a client that will never work again is kept",
        "consumer/kafka/client.py",
        "return bool(error.fatal()) or error.code() == KafkaError._FATAL",
        "return bool(error.fatal())",
        "tests/real_broker/test_kafka_faults.py::test_the_same_static_member_twice_ends_the_older",
    ),
    EdgeFault(
        "why no broker answers is not told",
        "consumer/kafka/topics.py",
        "reason = reason_of(settings, errors) or error_text(error)",
        "reason = error_text(error)",
        "tests/real_broker/test_secured.py::test_who_is_not_let_in_is_told_why",
    ),
    EdgeFault(
        "what access lists forbid passes by itself",
        "consumer/kafka/rights.py",
        "return error.code() in DENIED",
        "return False",
        "tests/real_broker/test_secured.py::test_who_may_not_join_the_group_is_told_so",
    ),
    EdgeFault(
        "the client is polled between a command to rest and the pause",
        "consumer/kafka/source.py",
        "        records, size_bytes = ",
        "        while not self._commands.empty():\n            self._commands.get()()\n        records, size_bytes = ",
        "tests/kafka/test_stalls.py::test_what_comes_before_a_partition_is_to_rest_is_handed_over",
    ),
    EdgeFault(
        "what was read of a topic is committed to another of its name",
        "consumer/kafka/commits.py",
        "ids.get(p.topic, topic_id) != topic_id}",
        "ids.get(p.topic, topic_id) == ''}",
        "tests/kafka/test_commits.py::test_what_was_read_of_a_topic_is_not_committed_to_another_of_its_name",
    ),
    EdgeFault(
        "headers that can't be read end the thread",
        "consumer/kafka/client.py",
        "    except SystemError:",
        "    except KeyError:",
        "tests/real_broker/test_hostile.py::test_a_header_that_no_client_of_python_s_can_read_stops_nothing",
    ),
    EdgeFault(
        "a proxy's page says that there is no schema",
        "consumer/kafka/schema_registry.py",
        "    if status == 200 and reply.is_too_large:",
        "    if reply.is_too_large:",
        "tests/kafka/test_schema_registry.py::test_a_large_page_of_something_else_says_nothing_of_a_schema",
    ),
    EdgeFault(
        "the registry's password is read once",
        "consumer/kafka/schema_registry.py",
        "            exchange.log_in(self._user_info_now())\n",
        "",
        "tests/kafka/test_schema_registry.py::test_a_password_that_is_rotated",
    ),
    EdgeFault(
        "what is finished above a commit counts as never sent",
        "consumer/kafka/offset_plan.py",
        "never = skipped - sum(",
        "never = skipped - 0 * sum(",
        "tests/kafka/test_offset_plan.py::test_what_follows_from_another_place",
    ),
)
