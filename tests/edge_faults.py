"""Faults put by hand into the edges, one at a time, into a copy of the tree: the tests named with each must fail.

    python -m tests.edge_faults [WORDS OF ITS NAME]

What tests/simulation/faults does to the core in seconds takes real brokers here, and so minutes: a command of its
own. Before the faults the named tests are run once on an unchanged copy, where they must pass. What fails its test only
by naming what the code no longer has is no fault: rotten.py finds it out, before and after.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

from tests.rotten import Change, complaints, rotted_in

ROOT: Final = Path(__file__).resolve().parents[1]
AT_ONCE: Final = 2
PYTEST_LOG: Final = "pytest.log"
FAILED_TESTS: Final = 1
"""pytest's exit code; others mean that it did not come to running them."""

REBALANCES: Final = "tests/real_broker/test_rebalances.py"
SERVICE: Final = "tests/real_broker/test_service.py"
KILL_POINTS: Final = "tests/real_broker/test_kill_points.py::test_death_between_two_effects"
PAUSES: Final = "tests/state/test_pause_follower.py"
GONE: Final = f"{REBALANCES}::test_a_dead_letter_topic_that_is_gone_blocks_the_commit"
TOO_LARGE: Final = f"{REBALANCES}::test_a_value_too_large_for_the_dead_letter_topic_blocks_nobody"


@dataclass(frozen=True, slots=True)
class EdgeFault:
    """A hole in an edge: what stands there, what is put there, and the test that must fail."""

    name: str
    file: str
    old: str
    new: str
    caught_by: str


FAULTS: Final = (
    # consumer/kafka
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
    # consumer/receipts
    EdgeFault(
        "a receipt is told to be there before it is acknowledged",
        "consumer/receipts/writer.py",
        "            self._waiting.popleft()\n",
        "            if action := self._waiting.popleft().action:\n                self._acknowledged.append(action)\n",
        "tests/receipts/test_writer.py::test_all_that_is_acknowledged_meanwhile_is_told_at_once_and_nothing_before",
    ),
    EdgeFault(
        "a receipt that fails is dropped",
        "consumer/receipts/writer.py",
        "        self._again.extend(receipts)\n",
        "",
        "tests/receipts/test_writer.py::test_what_the_topic_does_not_take_is_told_once_and_tried_again",
    ),
    # consumer/audit
    EdgeFault(
        "a look back goes beyond the beginning of time",
        "consumer/audit/evidence.py",
        "max(self._window.from_ms - LOOK_BACK_MS, 0)",
        "self._window.from_ms - LOOK_BACK_MS",
        "tests/real_broker/test_audit.py::test_records_out_of_the_order_of_their_times_are_in_the_window_by_their_time",
    ),
    EdgeFault(
        "with receipts what was accepted late counts as finished, and has none",
        "consumer/loop/partitions.py",
        "        if self._receipts is not None:\n            return\n",
        "",
        "tests/loop/test_late_answers.py::test_with_receipts_what_was_accepted_late_is_sent_again",
    ),
    # consumer/dead_letters
    EdgeFault(
        "a dead letter that fails is dropped",
        "consumer/dead_letters/writer.py",
        "        self._later(action, shape)\n\n    def _later",
        "        self._post(DeadLettered(action))\n\n    def _later",
        GONE + "[make_the_topic_again]",
    ),
    EdgeFault(
        "a dead letter is finished before it is acknowledged",
        "consumer/dead_letters/writer.py",
        "                on_delivery=on_delivery,\n            )\n",
        "            )\n            self._post(DeadLettered(action))\n",
        TOO_LARGE,
    ),
    EdgeFault(
        "a callback asks the client for topics",
        "consumer/dead_letters/writer.py",
        "self._alone.append((action, NEXT_SHAPE[shape]))",
        "self._produce(action, NEXT_SHAPE[shape])",
        TOO_LARGE,
    ),
    EdgeFault(
        "a dead letter of an item takes its batch along",
        "consumer/dead_letters/letter.py",
        "    if item is None:\n        return record.value\n",
        "    if item is None or item.batch.items > 1:\n        return record.value\n",
        "tests/real_broker/test_item_letters.py::test_a_batch_whose_items_are_invalid_costs_what_it_has",
    ),
    EdgeFault(
        "a large neighbour costs the value",
        "consumer/dead_letters/letter.py",
        "{Shape.WHOLE: Shape.ALONE, ",
        "{Shape.WHOLE: Shape.VALUELESS, ",
        TOO_LARGE,
    ),
    # consumer/state
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
        "self._produce(one, lane.user, change)",
        "self._settle(change)",
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
        "not 0 <= _now_seconds() - at_seconds < self._age_seconds_max",
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
        "the state of an earlier tenure resumes a partition",
        "consumer/loop/partitions.py",
        "if news.assignment.dropped or facts is None:",
        "if facts is None:",
        "tests/loop/test_state_news.py::test_the_state_of_an_earlier_tenure_resumes_nothing",
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
        "who is identified is recorded without a lease",
        "consumer/state/writes.py",
        "if identified_at_ms is not None and self._may_be_another_s(state):",
        "if False:",
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
        "what is finished above a commit counts as never sent",
        "consumer/kafka/offset_plan.py",
        "never = skipped - sum(",
        "never = skipped - 0 * sum(",
        "tests/kafka/test_offset_plan.py::test_what_follows_from_another_place",
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
    # consumer/customfit
    EdgeFault(
        "a proxy that refuses is taken for a tunnel",
        "consumer/customfit/tunnel.py",
        'elif match[1].startswith(b"2"):',
        "elif True:",
        "tests/customfit/engines/test_proxies.py::test_a_refused_tunnel_says_what_the_proxy_answered",
    ),
    EdgeFault(
        "the name behind the proxy is not verified",
        "consumer/customfit/tunnel.py",
        "server_hostname=peer.host)",
        'server_hostname="127.0.0.1")',
        "tests/customfit/engines/test_proxies.py::test_the_name_behind_the_proxy_is_verified",
    ),
    EdgeFault(
        "a second answer to one request is taken",
        "consumer/customfit/connection.py",
        "            self._is_kept = False\n            raise _SecondAnswer",
        "            pass",
        "tests/customfit/engines/test_httptools.py::test_an_answer_that_nobody_asked_for_ends_the_connection[answer_twice]",
    ),
    EdgeFault(
        "the key is said back",
        "consumer/settings/known_secrets.py",
        "        yield key\n",
        "",
        "tests/customfit/engines/test_http_answers.py::test_the_key_is_blotted_out_of_a_body",
    ),
    # consumer/loop, and what it composes
    # security
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
        "a proxy's password is said back",
        "consumer/settings/known_secrets.py",
        "            yield from _of_proxy(",
        "            str(",
        "tests/real_broker/test_secrets.py::test_the_service_shows_no_secret",
    ),
    EdgeFault(
        "only the first of several requests times out",
        "consumer/customfit/engine_httptools.py",
        "            if self.busy:\n                self.watch",
        "            if False:\n                self.watch",
        "tests/customfit/engines/test_no_answer.py::test_each_of_several_times_out_in_its_own_time",
    ),
    EdgeFault(
        "the client is polled between a command to rest and the pause",
        "consumer/kafka/source.py",
        "        records, size_bytes = ",
        "        while not self._commands.empty():\n            self._commands.get()()\n        records, size_bytes = ",
        "tests/kafka/test_stalls.py::test_what_comes_before_a_partition_is_to_rest_is_handed_over",
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
        "an Avro payload may be any number of values",
        "consumer/avro/reader.py",
        "        if len(payload) > bytes_max:",
        "        if len(payload) > 2**30:",
        "tests/avro/test_reader.py::test_a_payload_that_may_cost_too_much_is_not_read",
    ),
    EdgeFault(
        "Avro without a registry is garbage at once",
        "consumer/sequencing/format_guard.py",
        "number <= FIRST_RECORDS or ",
        "",
        "tests/loop/test_no_registry.py::test_avro_without_a_registry_waits_among_the_first_200",
    ),
    EdgeFault(
        "an item that is no UTF-8 costs its batch",
        "consumer/segment/decoding.py",
        "    if not isinstance(text, bytes) and (parts :=",
        "    if isinstance(text, Mended) and (parts :=",
        "tests/segment/test_batch_split.py::test_a_broken_item_ends_alone",
    ),
    EdgeFault(
        "a refused key is not told",
        "consumer/loop/answers.py",
        "            self._destination.misdirected(outcome.status)\n",
        "",
        "tests/loop/test_pipeline_answers.py::test_the_destination_is_told_of_what_blames_key_or_url",
    ),
    EdgeFault(
        "a refused key is not read again",
        "consumer/customfit/key_rotation.py",
        "status in KEY_REFUSED",
        "status == 0",
        "tests/customfit/test_key_rotation.py::test_a_refused_key_is_read_again",
    ),
    EdgeFault(
        "a user is identified before the 2xx",
        "consumer/sequencing/sequencer.py",
        "            delivery.sent_at = now\n",
        "            delivery.sent_at = now\n            lane.identified = True\n",
        "tests/sequencing/test_sequencer.py::test_a_refused_identify_leaves_the_user_unidentified",
    ),
    EdgeFault(
        "whatever is answered is delivered",
        "consumer/loop/answers.py",
        "if isinstance(answer, Answered) and answer.status in SUCCESSFUL:",
        "if isinstance(answer, Answered):",
        f"{SERVICE}::test_an_outage_spends_nothing",
    ),
    EdgeFault(
        "an answer of the state revives a forgotten user",
        "consumer/sequencing/look_ups.py",
        " and user not in forgotten",
        "",
        "tests/sequencing/test_lanes.py::test_who_was_forgotten_meanwhile_is_not_identified",
    ),
    EdgeFault(
        "a late answer to an introduction ends the event behind it",
        "consumer/loop/partitions.py",
        "        if delivery.kind is DeliveryKind.INTRODUCTION:\n            return\n",
        "",
        "tests/loop/test_late_answers.py::test_what_was_accepted_late_is_not_sent_again[an introduction]",
    ),
    EdgeFault(
        "a batch crosses an identify",
        "consumer/sequencing/rule.py",
        "if event.kind is Kind.IDENTIFY or event.kind is Kind.DELETE or",
        "if event.kind is Kind.DELETE or",
        "tests/sequencing/test_sequencer.py::test_an_identify_goes_alone",
    ),
    EdgeFault(
        "a line end goes into a header",
        "consumer/customfit/forwarding.py",
        "_VALUE.fullmatch(value)",
        "_VALUE.match(value)",
        "tests/customfit/engines/test_forwarded_headers.py::test_no_value_can_add_a_header_or_a_request",
    ),
    EdgeFault(
        "a request of several events carries the headers of the first",
        "consumer/customfit/forwarding.py",
        "len(delivery.events) != 1",
        "not delivery.events",
        "tests/loop/test_forwarded_headers.py::test_a_request_of_several_has_none",
    ),
    EdgeFault(
        "an introduction carries the headers of the event behind it",
        "consumer/customfit/forwarding.py",
        "delivery.kind is DeliveryKind.INTRODUCTION or ",
        "",
        "tests/customfit/test_forwarding.py::test_an_introduction_carries_none",
    ),
    EdgeFault(
        "a header that some servers read as another is forwarded",
        "consumer/settings/header_names.py",
        '_NO_LETTER_OR_DIGIT.sub("-", name.lower())',
        "name.lower()",
        "tests/settings/test_header_names.py::test_what_matters_to_http_or_to_us_is_refused[Content_Length]",
    ),
    EdgeFault(
        "debug lines are made while nobody wants them",
        "consumer/loop/pipeline.py",
        "if self._debug_lines.are_wanted:",
        "if True:",
        "tests/ops/test_debug_lines.py::test_the_loop_makes_them_only_while_somebody_wants_them[20]",
    ),
)


def row(fault: EdgeFault) -> str:
    """The fault in FAULTS.md."""
    return f"| {fault.name} | `{fault.file}` | `{fault.caught_by.removeprefix('tests/')}` |"


def copy_tree(folder: Path) -> Path:
    """A copy of the project, with this one's broker."""
    copy = folder / "tree"
    ignored = shutil.ignore_patterns("__pycache__", ".*", "build", "dist")
    shutil.copytree(ROOT, copy, ignore=ignored)
    (copy / ".kafka").symlink_to(ROOT / ".kafka")
    return copy


def output_of(copy: Path) -> Path:
    """Where the tests of a copy write, with the logs of the services that they start."""
    return copy.parent / "output"


def run(copy: Path, tests: Iterable[str]) -> int:
    """Run them; gives the exit code of pytest."""
    folder = output_of(copy)
    folder.mkdir()
    options = ["-q", "-x", "-p", "no:cacheprovider", f"--basetemp={folder / 'temporary'}"]
    command = [sys.executable, "-m", "pytest", *options, *tests]
    done = subprocess.run(command, cwd=copy, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    (folder / PYTEST_LOG).write_bytes(done.stdout)
    return done.returncode


class Put(NamedTuple):
    """What came of a fault."""

    is_caught: bool
    rotted: list[str]
    """Errors that the fault made by not fitting the code: then its test failed for nothing."""
    seconds: float

    @property
    def word(self) -> str:
        """For the table."""
        return "ROTTEN" if self.rotted else "yes" if self.is_caught else "NO"


def changed(fault: EdgeFault, root: Path = ROOT) -> Change:
    """The fault's file with the fault in it."""
    text = (root / fault.file).read_text(encoding="utf-8")
    assert 1 == text.count(fault.old), f"{fault.name}: its text stands {text.count(fault.old)} times in {fault.file}"
    return Change(fault.file, text.replace(fault.old, fault.new))


def rotten(faults: Iterable[EdgeFault]) -> dict[str, list[str]]:
    """What types say against faults, by their names: as many at once as there are files, for it takes seconds."""
    left, found = list(faults), {}
    with tempfile.TemporaryDirectory(prefix="edge-faults-") as folder:
        while left:
            at_once = {fault.file: fault for fault in reversed(left)}
            left = [fault for fault in left if fault is not at_once[fault.file]]
            said = complaints(ROOT, [changed(fault) for fault in at_once.values()], Path(folder))
            for file, lines in said.items():  # of a file without a fault: one of these is no longer what it asks for
                name = at_once[file].name if file in at_once else " or ".join(f.name for f in at_once.values())
                found[name] = lines
    return found


def put(fault: EdgeFault) -> Put:
    """Run its test with the fault put in."""
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="edge-fault-") as folder:
        copy = copy_tree(Path(folder))
        change = changed(fault, copy)
        (copy / change.file).write_text(change.text, encoding="utf-8")
        code = run(copy, [fault.caught_by])
        rotted = rotted_in(output_of(copy), fault.file)
        if rotted or code not in (0, FAILED_TESTS):
            print((output_of(copy) / PYTEST_LOG).read_text(), file=sys.stderr)
    return Put(code == FAILED_TESTS, rotted, time.monotonic() - started)


def main() -> int:
    """Print the table; 1 when a fault was not caught, or has rotted."""
    words = sys.argv[1:]
    faults = [fault for fault in FAULTS if all(word in fault.name for word in words)]
    if said := rotten(faults):
        print("\n".join(f"rotten: {name}: {line}" for name, lines in said.items() for line in lines), file=sys.stderr)
        return 1
    with tempfile.TemporaryDirectory(prefix="edge-fault-") as folder:
        copy = copy_tree(Path(folder))
        if run(copy, sorted({fault.caught_by for fault in faults})) != 0:
            print((output_of(copy) / PYTEST_LOG).read_text(), file=sys.stderr)
            print("the tests fail without any fault", file=sys.stderr)
            return 1
    print("| fault | put into | test that must fail | caught | seconds |\n|---|---|---|---|---|", flush=True)
    with ThreadPoolExecutor(AT_ONCE) as pool:
        results = []
        for fault, result in zip(faults, pool.map(put, faults), strict=True):
            results.append(result)
            print(f"{row(fault)} {result.word} | {result.seconds:.0f} |", flush=True)
            for line in result.rotted:
                print(f"rotten: {line}", file=sys.stderr)
    caught = sum(result.word == "yes" for result in results)
    print(f"{caught} of {len(results)} caught")
    return 0 if caught == len(results) else 1


if __name__ == "__main__":
    sys.exit(main())
