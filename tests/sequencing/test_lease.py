"""How long a partition may be worked on without a word from the group."""

from __future__ import annotations

import dataclasses

import pytest

from consumer.ops.health import readiness
from consumer.sequencing.events import Partition
from consumer.sequencing.lease import MARGIN_SECONDS, Lease, lease_of
from tests.ops.given_snapshot import snapshot
from tests.sequencing.given_sequencer import ERROR, U2, Bench
from tests.settings.given_settings import load

SESSIONS = [(45.0, 10.0), (45.0, 29.0), (45.0, 30.0), (45.0, 300.0), (6.0, 10.0), (6.0, 0.1), (1.0, 10.0), (0.001, 0.1)]


def test_kafkas_defaults_make_a_lease_of_34_seconds() -> None:
    """45 s of session, less 10 s for a request, less 1 s for what is not exact."""
    assert Lease(34.0, 10.0) == lease_of(45.0, 10.0)


@pytest.mark.parametrize(("session_seconds", "request_timeout_seconds"), SESSIONS)
def test_the_last_request_is_over_before_the_session(session_seconds: float, request_timeout_seconds: float) -> None:
    """However they are set: lease and request time-out leave a margin, and the lease is a third at least."""
    lease = lease_of(session_seconds, request_timeout_seconds)

    assert session_seconds > lease.seconds + lease.request_timeout_seconds
    assert (
        lease.seconds + lease.request_timeout_seconds
        <= session_seconds - min(MARGIN_SECONDS, session_seconds / 6) + 1e-9
    )
    assert lease.seconds >= session_seconds / 3
    assert 0 < lease.request_timeout_seconds <= request_timeout_seconds


def test_a_time_out_that_does_not_fit_the_session_is_cut_and_said() -> None:
    """A warning at the start with both settings, what is done, and what to change."""
    properties = '{"session.timeout.ms": 6000}'
    settings = load(kafka_properties=properties)
    [warning] = settings.warnings

    assert Lease(2.0, 3.0) == settings.lease
    assert "CUSTOMFIT_REQUEST_TIMEOUT_SECONDS" in warning
    assert "given up after 3 s, not 10" in warning
    assert "session.timeout.ms, 6 s (CUSTOMFIT_KAFKA_PROPERTIES" in warning
    assert () == load(kafka_properties=properties, request_timeout_seconds="3").warnings


def test_with_the_brokers_own_protocol_the_session_is_the_brokers_default() -> None:
    """The client is not told it (KIP-848), and 45 s is also the least that a broker allows by default."""
    assert lease_of(45.0, 10.0) == load(kafka_properties='{"group.protocol": "consumer"}').lease


# ---------------------------------------------------------------------- what it holds back


def test_nothing_is_sent_of_a_partition_before_the_group_has_answered() -> None:
    """Its member may have been stopped since it was given the partition."""
    bench = Bench(lease_seconds=34.0)
    bench.fetch(0, "track", known=True)

    assert [] == bench.sent(100.0)

    bench.assignment.leased_at = 100.0

    assert ["events 0"] == bench.sent(100.0)


def test_a_process_that_was_stopped_sends_nothing_when_it_wakes_up() -> None:
    """Retries included: the time of the next turn is far ahead of the last commit that was accepted."""
    bench = Bench(lease_seconds=34.0)
    bench.assignment.leased_at = 100.0
    bench.fetch(0, "track", known=True)
    bench.sent(101.0)
    bench.answer(ERROR, 101.0)
    bench.fetch(1, "track", user=U2, now=101.0, known=True)

    assert [] == bench.sent(134.0)

    bench.assignment.leased_at = 134.0

    assert ["events 0", "events 1 of u2"] == sorted(bench.sent(134.5))


def test_a_partition_whose_lease_has_run_out_does_not_hold_back_another() -> None:
    """Commits are accepted partition by partition, so leases are too."""
    bench = Bench(lease_seconds=34.0)
    bench.fetch(0, "track", known=True)
    other = bench.assign(Partition("segment", 1))
    other.leased_at = 100.0
    bench.fetch(0, "track", user=U2, known=True)

    assert ["events 0 of u2"] == bench.sent(100.0)


def test_readiness_tells_that_the_group_does_not_answer() -> None:
    """Degraded and not unready: a restart would not help."""
    problem = "the group has not accepted a commit for 23 s"
    health = readiness(dataclasses.replace(snapshot(), group_problem=problem))

    assert (True, "degraded", [problem]) == health
