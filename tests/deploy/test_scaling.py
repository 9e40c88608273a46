"""deploy/prometheus/scaling.yml: when a scaler adds a member, takes one away, or leaves all as it is."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.kubernetes.manifests import read as manifest
from tests.deploy.names import OF_THE_SCRAPER, live
from tests.deploy.rules import read
from tests.deploy.tools import FOLDER, need, promtools, run

QUERY: Final = manifest("components/keda/scaledobject.yaml")["spec"]["triggers"][0]["metadata"]["query"]
SAMPLES: Final = 40
"""One every 30 s; asked is after 12 min."""
AT: Final = "12m"


@dataclass(frozen=True)
class Member:
    """One that is late, delivers and is busy, if nothing else is said. Values as promtool writes series."""

    partitions: int = 3
    lag: str = "90"
    stopped: int = 0
    """So many of its partitions wait for somebody to act, and have a lag of an hour."""
    cpu: float = 0.9
    """Of a core."""
    in_flight: int = 200
    limit: str = "256"
    accepted: str = "0+9000x40"
    throttled: str = "0"
    rebalances: str = "4"
    degraded: Mapping[str, str] = field(default_factory=dict)
    ready: str = "1"
    up: str = "1"

    def series(self, instance: str, partitions: int) -> Iterator[tuple[str, dict[str, str], str]]:
        """Name, labels, values."""
        yield "up", {}, self.up
        if self.up == "0":
            return
        topic = {"topic": "segment-events"}
        yield "customfit_ready", {}, self.ready
        for cause in {"partition_stopped", "restoring", *self.degraded}:
            yield "customfit_degraded", {"cause": cause}, self.degraded.get(cause, "0")
        yield "customfit_topic_partitions", topic, str(partitions)
        yield "customfit_partitions_assigned", topic, str(self.partitions)
        for number in range(self.partitions):
            one = {**topic, "partition": f"{instance}{number}"}
            is_stopped = number < self.stopped
            yield "customfit_lag_seconds", one, "3600" if is_stopped else self.lag
            yield "customfit_partition_stopped", {**one, "cause": "out_of_range"}, str(int(is_stopped))
        yield "customfit_loop_cpu_seconds_total", {}, f"0+{30 * self.cpu}x{SAMPLES}"
        yield "customfit_requests_in_flight", {}, str(self.in_flight)
        yield "customfit_requests_in_flight_limit", {}, self.limit
        yield "customfit_requests_total", {"result": "2xx"}, self.accepted
        yield "customfit_requests_total", {"result": "429"}, self.throttled
        yield "customfit_rebalances_total", {"event": "assigned"}, self.rebalances


OVERLOADED: Final = Member()
IDLE: Final = Member(lag="0", cpu=0.03, in_flight=2, accepted="0")
STOPPED: Final = {"partition_stopped": "1"}
AWAY: Final = {"destination_unavailable": "1"}

MORE: Final[dict[str, list[Member]]] = {
    "late, delivering and busy": [OVERLOADED] * 2,
    "a rebalance was ten minutes ago": [Member(rebalances="4x3 5x37"), OVERLOADED],
    "the core is busy, requests are not": [Member(in_flight=40)] * 2,
    "requests are as many as may be, the core is not": [Member(cpu=0.3)] * 2,
    "one partition is stopped, and others are late": [Member(stopped=1, degraded=STOPPED), OVERLOADED],
}
SAME: Final[dict[str, list[Member]]] = {
    "busy, and not late": [Member(lag="5")] * 2,
    "late, and not busy: at the rate that the group may send, or for single users": [Member(cpu=0.4, in_flight=130)]
    * 2,
    "CustomFit is away": [Member(degraded=AWAY, accepted="0+9000x8 72000x32", cpu=0.1)] * 2,
    "nothing is delivered, and no cause is named: paused": [Member(accepted="72000")] * 2,
    "a rebalance was a minute ago": [Member(rebalances="4x22 5x18"), OVERLOADED],
    "a member starts": [Member(ready="0"), OVERLOADED],
    "a member restores": [Member(degraded={"restoring": "1"}), OVERLOADED],
    "a member does not answer": [Member(up="0"), OVERLOADED],
    "CustomFit answered 429 two minutes ago": [Member(throttled="0x19 7x21"), OVERLOADED],
    "CustomFit gets slower, and a member has cut its limit": [Member(limit="256x10 128x30", in_flight=128), OVERLOADED],
    "all that is late is stopped": [Member(lag="1", stopped=1, degraded=STOPPED), Member(lag="1")],
    "a backlog is worked off": [Member(lag="3600-50x40")] * 2,
    "the busy one has one partition": [Member(partitions=1), Member(partitions=5, lag="1", cpu=0.2, in_flight=60)],
    "each has one partition, and there are no more": [Member(partitions=1)] * 2,
    "without one of them the others would be busy": [Member(lag="0", cpu=0.5, in_flight=90)] * 4,
    "idle, since CustomFit is away": [Member(lag="400", cpu=0.03, in_flight=1, accepted="0", degraded=AWAY)] * 4,
    "idle, and a member does not answer": [IDLE, IDLE, IDLE, Member(up="0")],
    "only one is left": [IDLE],
}
FEWER: Final[dict[str, list[Member]]] = {
    "nothing to do": [IDLE] * 4,
    "little to do": [Member(lag="0", cpu=0.3, in_flight=20)] * 4,
}


def wanted(members: list[Member], expected: int | None, folder: Path, query: str = QUERY) -> None:
    """Hold what KEDA gets against this number of members; None: nothing at all."""
    partitions = sum(member.partitions for member in members)
    series = [
        {
            "series": name + json_labels({"job": OF_THE_SCRAPER["job"], "instance": f"m{number}", **labels}),
            "values": text,
        }
        for number, member in enumerate(members)
        for name, labels, values in member.series(f"m{number}-", partitions)
        for text in [values if "x" in values else f"{values}x{SAMPLES}"]
    ]
    world = {
        "interval": "30s",
        "input_series": series,
        "promql_expr_test": [
            {
                "expr": query,
                "eval_time": AT,
                "exp_samples": [] if expected is None else [{"labels": "{}", "value": expected}],
            }
        ],
    }
    groups = [group["name"] for name in ("recording.yml", "scaling.yml") for group in read(name)["groups"]]
    tested: dict[str, Any] = {
        "rule_files": [str(FOLDER / "recording.yml"), str(FOLDER / "scaling.yml")],
        "group_eval_order": [name for name in groups if "burn" not in name],
        "evaluation_interval": "30s",
        "tests": [world],
    }
    file = folder / "world.yml"
    file.write_text(yaml.safe_dump(tested), encoding="utf-8")
    run([need(promtools()[0]), "test", "rules", file])


def json_labels(labels: Mapping[str, str]) -> str:
    """As PromQL writes them."""
    return "{" + ",".join(f"{name}={json.dumps(value)}" for name, value in labels.items()) + "}"


@pytest.mark.parametrize("world", MORE)
def test_a_member_more_is_wanted(world: str, tmp_path: Path) -> None:
    """Late, delivering, and busy below the limit that CustomFit sets."""
    wanted(MORE[world], len(MORE[world]) + 1, tmp_path)


@pytest.mark.parametrize("world", SAME)
def test_no_change_is_wanted(world: str, tmp_path: Path) -> None:
    """Another member would not help, or nobody can know."""
    wanted(SAME[world], len(SAME[world]), tmp_path)


@pytest.mark.parametrize("world", FEWER)
def test_a_member_less_is_wanted(world: str, tmp_path: Path) -> None:
    """In time, and the others would be half busy at most."""
    wanted(FEWER[world], len(FEWER[world]) - 1, tmp_path)


def test_a_step_of_many_members_is_not_too_small_to_be_seen(tmp_path: Path) -> None:
    """Kubernetes ignores a change of up to a tenth."""
    wanted([OVERLOADED] * 12, 15, tmp_path)
    wanted([IDLE] * 12, 9, tmp_path)


def test_without_members_nothing_is_said(tmp_path: Path) -> None:
    """No number, and so KEDA's fallback: not 0."""
    wanted([], None, tmp_path)


def test_the_worlds_have_series_that_the_program_has() -> None:
    """A name that is wrong here would show nothing."""
    known = live()
    made = {(name, *labels) for name, labels, _ in OVERLOADED.series("m", 3)}

    assert set() == {name for name, *_ in made} - set(known)
    assert [] == [one for one in made if not set(one[1:]) <= set().union(*known[one[0]])]
