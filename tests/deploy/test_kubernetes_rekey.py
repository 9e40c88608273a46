"""deploy/kubernetes/components/rekey, and `rekey.enabled` of the chart: beside the members, and told apart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from consumer.kafka.leaving import CLOSE_SECONDS, JOIN_SECONDS, LEAVE_SECONDS, LEFT_SECONDS
from consumer.kafka.schema_registry import STOP_SECONDS as REGISTRY_SECONDS
from consumer.rekey.process import STOP_SECONDS, instance_of
from consumer.rekey.rekeyer import CROWDED
from consumer.rekey.topics import target_of
from consumer.rekey.writer import ASK_SECONDS
from consumer.settings import Settings, load_settings
from tests.deploy.kubernetes.manifests import Kubernetes, consumer, environment, read
from tests.deploy.names import OF_REKEY
from tests.deploy.tools import ROOT

DEPLOYMENT: Final = read("components/rekey/deployment.yaml")
SPEC: Final = DEPLOYMENT["spec"]
POD: Final = SPEC["template"]["spec"]
REKEY: Final = consumer(DEPLOYMENT)
MEMBERS: Final = read("base/deployment.yaml")
MEMBER: Final = consumer(MEMBERS)
SELECTING: Final = (
    "base/deployment.yaml",
    "base/poddisruptionbudget.yaml",
    "base/networkpolicy.yaml",
    "base/podmonitor.yaml",
    "overlays/stateful/service.yaml",
    "components/rekey/deployment.yaml",
    "components/rekey/networkpolicy.yaml",
    "components/rekey/podmonitor.yaml",
)
"""All that says of which pods it speaks."""
IDLE_BYTES: Final = 133e6
"""As of a member, docs/scaling.md, which has more to do."""


@pytest.fixture
def settings() -> Settings:
    """Those that `rekey` reads in its pod; no key is among them."""
    environ = environment(DEPLOYMENT)
    del environ["POD_NAME"]
    return load_settings(environ, api_key_required=False)


def selector(name: str) -> dict[str, str]:
    """The labels by which a file's object selects pods."""
    spec = read(name)["spec"]
    found: dict[str, str] = (spec.get("podSelector") or spec["selector"]).get("matchLabels") or spec["selector"]
    return found


def test_members_read_what_it_writes(settings: Settings, tmp_path: Path) -> None:
    """From the same Kafka, under the same group's name, and they are told that it is rekeyed."""
    (tmp_path / "api-key").write_text("a-server-key", encoding="utf-8")
    environ = environment(MEMBERS) | environment(read("components/rekey/members.yaml"))
    of_members = load_settings({**environ, "CUSTOMFIT_API_KEY_FILE": str(tmp_path / "api-key")})

    assert target_of(settings) == of_members.kafka_topic
    assert of_members.rekeyed
    assert settings.kafka_group_id == of_members.kafka_group_id
    assert settings.kafka_bootstrap_servers == of_members.kafka_bootstrap_servers


@pytest.mark.parametrize("name", SELECTING)
def test_whatever_selects_pods_selects_those_of_one_workload(name: str) -> None:
    """The members' budget, service and PodMonitor leave `rekey` alone, and its own leave the members alone."""
    wanted = selector(name).items()
    selected = [
        one["metadata"]["name"]
        for one in (MEMBERS, DEPLOYMENT)
        if wanted <= one["spec"]["template"]["metadata"]["labels"].items()
    ]

    assert [read(name)["metadata"]["name"]] == selected


def test_it_is_the_job_that_the_alerts_ask_for() -> None:
    """By the label that the PodMonitor makes the job of; otherwise it is scraped and let in as members are."""
    monitor, policy = read("components/rekey/podmonitor.yaml"), read("components/rekey/networkpolicy.yaml")
    label = monitor["spec"]["jobLabel"]

    assert OF_REKEY["job"] == SPEC["template"]["metadata"]["labels"][label]
    assert read("base/podmonitor.yaml")["spec"]["podMetricsEndpoints"] == monitor["spec"]["podMetricsEndpoints"]
    for part in ("policyTypes", "ingress", "egress"):
        assert read("base/networkpolicy.yaml")["spec"][part] == policy["spec"][part]


def test_there_is_one_at_a_time_with_a_name_that_stays(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two with one transactional id would end each other; the same one after a restart ends what was left open."""
    monkeypatch.setattr("socket.gethostname", lambda: POD["hostname"])

    assert (1, {"type": "Recreate"}) == (SPEC["replicas"], SPEC["strategy"])
    assert "customfit-consumer.rekey-customfit-rekey-9464" == instance_of(settings, settings.http_port)
    assert POD["hostname"] == environment(DEPLOYMENT)["POD_NAME"]


def test_a_pod_is_killed_only_after_the_longest_stop() -> None:
    """Its transaction, leave, close; SIGTERM starts it, so nothing has to run before."""
    leaving = JOIN_SECONDS + LEAVE_SECONDS + LEFT_SECONDS + CLOSE_SECONDS + REGISTRY_SECONDS

    assert POD["terminationGracePeriodSeconds"] > STOP_SECONDS + ASK_SECONDS + leaving
    assert "lifecycle" not in REKEY


def test_its_pod_is_otherwise_a_member_s(settings: Settings) -> None:
    """Rights, probes, port and image."""
    theirs = MEMBERS["spec"]["template"]["spec"]

    for part in ("securityContext", "automountServiceAccountToken", "enableServiceLinks"):
        assert theirs[part] == POD[part]
    for part in ("image", "securityContext", "ports", "startupProbe", "livenessProbe", "readinessProbe"):
        assert MEMBER[part] == REKEY[part]
    assert ["rekey"] == REKEY["args"]
    assert settings.http_port == REKEY["ports"][0]["containerPort"]


def test_it_keeps_nothing_on_disk() -> None:
    """Nothing but temporary files; what members have in the secret is at the same place, for settings that name it."""
    theirs = MEMBERS["spec"]["template"]["spec"]["volumes"]

    assert ["tmp", "secret"] == [one["name"] for one in POD["volumes"]]
    assert all(one in theirs for one in POD["volumes"])
    assert REKEY["volumeMounts"] == [one for one in MEMBER["volumeMounts"] if one["name"] != "state"]


def test_memory_is_for_all_that_may_wait(settings: Settings) -> None:
    """What a process takes, and a buffer that is over its limit; and half as much again."""
    resources = REKEY["resources"]
    limit = int(resources["limits"]["memory"].removesuffix("Mi")) * 2**20

    assert limit > 1.5 * (IDLE_BYTES + CROWDED * settings.buffer_bytes_max)
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    assert "cpu" not in resources["limits"]


# --- the chart, and the page


def workloads(objects: list[Any]) -> Iterator[tuple[str, Any]]:
    """Deployments, by their names."""
    yield from ((one["metadata"]["name"], one) for one in objects if one["kind"] == "Deployment")


def test_values_reach_both(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """The topic is that of the source; what is said of `rekey` alone wins, also where it is false."""
    values = {
        "image": {"tag": "0.2.0"},
        "settings": {"CUSTOMFIT_KAFKA_TOPIC": "orders", "CUSTOMFIT_LOG_LEVEL": "warning", "CUSTOMFIT_STANDBY": "all"},
        "rekey": {"enabled": True, "settings": {"CUSTOMFIT_LOG_LEVEL": "", "CUSTOMFIT_REKEY_WAIT_SECONDS": 0}},
        "secretName": "keys",
        "pod": {"nodeSelector": {"disk": "ssd"}},
    }
    made = dict(workloads(kubernetes.helm("customfit-consumer", values, tmp_path)))
    members, rekey = made["customfit-consumer"], made["customfit-rekey"]
    of_members, of_rekey = environment(members), environment(rekey)

    assert ("orders.by-user", "true") == (of_members["CUSTOMFIT_KAFKA_TOPIC"], of_members["CUSTOMFIT_REKEYED"])
    assert ("orders", None) == (of_rekey["CUSTOMFIT_KAFKA_TOPIC"], of_rekey.get("CUSTOMFIT_REKEYED"))
    assert ("warning", "") == (of_members["CUSTOMFIT_LOG_LEVEL"], of_rekey["CUSTOMFIT_LOG_LEVEL"])
    assert (None, "0") == tuple(one.get("CUSTOMFIT_REKEY_WAIT_SECONDS") for one in (of_members, of_rekey))
    assert consumer(members)["image"] == consumer(rekey)["image"] == "customfit-consumer:0.2.0"
    for one in (members, rekey):
        pod = one["spec"]["template"]["spec"]
        assert ({"disk": "ssd"}, "keys") == (pod["nodeSelector"], pod["volumes"][-1]["secret"]["secretName"])


def test_properties_of_a_stateful_set_name_it_too(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """Both are given the same text, in which each has a name of its own that stays."""
    properties = {"CUSTOMFIT_KAFKA_PROPERTIES": '{"group.instance.id": "$(POD_NAME)"}'}
    values = {"settings": properties, "stateful": {"enabled": True}, "rekey": {"enabled": True}}
    [rekey] = dict(workloads(kubernetes.helm("orders", values, tmp_path))).values()

    assert '{"group.instance.id": "orders-customfit-rekey"}' == environment(rekey)["CUSTOMFIT_KAFKA_PROPERTIES"]


@pytest.mark.parametrize("name", ["CUSTOMFIT_KAFKA_TOPIC", "CUSTOMFIT_KAFKA_GROUP_ID"])
def test_what_both_have_to_share_is_said_once(name: str, kubernetes: Kubernetes, tmp_path: Path) -> None:
    """Members that read another topic than `rekey` writes would wait for ever."""
    values = {"rekey": {"enabled": True, "settings": {name: "orders"}}}

    with pytest.raises(AssertionError, match="values don't meet the specifications of the schema"):
        kubernetes.helm("customfit-consumer", values, tmp_path)


def test_the_name_of_a_long_release_is_cut_and_still_another(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """As long as a release's name may be."""
    names = [name for name, _ in workloads(kubernetes.helm("r" * 53, {"rekey": {"enabled": True}}, tmp_path))]

    assert sorted(["r" * 52, f"{'r' * 52}-rekey"]) == sorted(names)


def test_what_the_page_tells_to_write_works(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """Its patches give both the same topic, and its names are those of the component."""
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    section = page.partition("## A topic without keys\n")[2].partition("\n## ")[0]
    [block] = re.findall(r"```yaml\n(.*?)```", section, re.DOTALL)
    [folder] = re.findall(r"`components: \[(\S+)\]`", section)
    made = yaml.safe_load(block)
    made["resources"] = ["deploy/kubernetes/base"]
    made["components"] = [folder]
    (tmp_path / "deploy").symlink_to(ROOT / "deploy")
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    objects = kubernetes.kustomize(tmp_path)
    topics = {name: environment(one)["CUSTOMFIT_KAFKA_TOPIC"] for name, one in workloads(objects)}

    assert [] == kubernetes.problems(objects)
    assert {"customfit-consumer": "orders.by-user", "customfit-rekey": "orders"} == topics
    assert all(
        "kafka-bootstrap.kafka:9092" == environment(one)["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"]
        for _, one in workloads(objects)
    )
