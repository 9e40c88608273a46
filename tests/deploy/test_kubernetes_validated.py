"""deploy/kubernetes by the API server's own code and published schemas, after `make kubernetes` (REQUIRE_GO=1 insists).

Schemas alone let through a selector that selects nothing, a port that nobody has, a volume that is not there, and a
budget that contradicts itself. The program in kubernetes/validate finds these, and the faults below prove it.
"""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from tests.deploy.kubernetes.manifests import FOLDER, Kubernetes, consumer, environment
from tests.deploy.tools import ROOT

KINDS: Final = ["Deployment", "NetworkPolicy", "PodDisruptionBudget", "PodMonitor", "PrometheusRule"]
ADDED_BY_HELM: Final = {"app.kubernetes.io/managed-by", "helm.sh/chart"}
TO_STATEFUL: Final = {
    "target": {"kind": "ScaledObject"},
    "patch": "- { op: replace, path: /spec/scaleTargetRef/kind, value: StatefulSet }",
}
WAYS: Final[dict[str, tuple[dict[str, Any], dict[str, Any]]]] = {
    "as it is": ({"resources": ["base"]}, {}),
    "stateful": ({"resources": ["overlays/stateful"]}, {"stateful": {"enabled": True}}),
    "with KEDA": ({"resources": ["base"], "components": ["components/keda"]}, {"keda": {"enabled": True}}),
    "stateful, with KEDA": (
        {"resources": ["overlays/stateful"], "components": ["components/keda"], "patches": [TO_STATEFUL]},
        {"stateful": {"enabled": True}, "keda": {"enabled": True}},
    ),
    "with rekey": ({"resources": ["base"], "components": ["components/rekey"]}, {"rekey": {"enabled": True}}),
    "stateful, with rekey and KEDA": (
        {
            "resources": ["overlays/stateful"],
            "components": ["components/keda", "components/rekey"],
            "patches": [TO_STATEFUL],
        },
        {"stateful": {"enabled": True}, "keda": {"enabled": True}, "rekey": {"enabled": True}},
    ),
    "with rekey, without the Prometheus operator": (
        {"resources": ["base"], "components": ["components/rekey", "components/no-prometheus-operator"]},
        {"rekey": {"enabled": True}, "podMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}},
    ),
    "without the Prometheus operator": (
        {"resources": ["base"], "components": ["components/no-prometheus-operator"]},
        {"podMonitor": {"enabled": False}, "prometheusRule": {"enabled": False}},
    ),
}
"""A way to deploy: what a kustomization says, and the values of the chart that come to the same."""


def kustomized(kubernetes: Kubernetes, kustomization: Mapping[str, Any], folder: Path) -> list[Any]:
    """What a user's own kustomization makes of the folder."""
    made = dict(kustomization)
    for name in {"resources", "components"} & made.keys():
        made[name] = [os.path.relpath(FOLDER / one, folder.resolve()) for one in made[name]]
    (folder / "kustomization.yaml").write_text(yaml.safe_dump(made), encoding="utf-8")
    return kubernetes.kustomize(folder)


@pytest.fixture(scope="module")
def objects(kubernetes: Kubernetes, tmp_path_factory: pytest.TempPathFactory) -> list[Any]:
    """Base with KEDA."""
    return kustomized(kubernetes, WAYS["with KEDA"][0], tmp_path_factory.mktemp("faults"))


def plain(objects: list[Any]) -> dict[tuple[str, str], Any]:
    """By kind and name, without what Helm adds, and the variables by their names: both order them differently."""
    made = {}
    for one in copy.deepcopy(objects):
        one["metadata"]["labels"] = {k: v for k, v in one["metadata"]["labels"].items() if k not in ADDED_BY_HELM}
        if one["kind"] in {"Deployment", "StatefulSet"}:
            consumer(one)["env"].sort(key=lambda variable: variable["name"])
        made[one["kind"], one["metadata"]["name"]] = one
    assert len(made) == len(objects)
    return made


@pytest.mark.parametrize("way", WAYS)
def test_a_cluster_takes_what_kustomize_and_helm_make(way: str, kubernetes: Kubernetes, tmp_path: Path) -> None:
    """Of both the same: one source."""
    kustomization, values = WAYS[way]
    by_kustomize = kustomized(kubernetes, kustomization, tmp_path)
    by_helm = kubernetes.helm("customfit-consumer", values, tmp_path)

    assert plain(by_kustomize) == plain(by_helm)
    assert [] == kubernetes.problems(by_kustomize)
    assert [] == kubernetes.problems(by_helm)


def test_base_is_what_the_page_lists(kubernetes: Kubernetes) -> None:
    """Five objects."""
    assert KINDS == sorted(one["kind"] for one in kubernetes.kustomize(FOLDER / "base"))


def test_what_a_variable_refers_to_comes_before_it(kubernetes: Kubernetes) -> None:
    """Otherwise Kubernetes hands on `$(POD_NAME)` as it stands, and all members have one name."""
    by_kind = {one["kind"]: one for one in kubernetes.kustomize(FOLDER / "overlays/stateful")}
    names = [one["name"] for one in consumer(by_kind["StatefulSet"])["env"]]

    assert names.index("POD_NAME") < names.index("CUSTOMFIT_KAFKA_PROPERTIES")


def test_what_the_page_tells_to_write_works(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """The kustomization and the values of docs/kubernetes.md come to the same members."""
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    start = page.partition("## A topic without keys\n")[0]
    kustomization, values = (yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", start, re.DOTALL))
    kustomization["resources"] = [one.removeprefix("deploy/kubernetes/") for one in kustomization["resources"]]
    by_kustomize = kustomized(kubernetes, kustomization, tmp_path)
    by_helm = kubernetes.helm("customfit-consumer", values, tmp_path)
    containers = [
        {**consumer(one), "env": environment(one)} for one in (*by_kustomize, *by_helm) if one["kind"] == "Deployment"
    ]

    assert [] == kubernetes.problems([*by_kustomize, *by_helm])
    assert "kafka-bootstrap.kafka:9092" == containers[0]["env"]["CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS"]
    assert containers[0] == containers[1]


# --- the chart


def test_a_second_release_has_names_of_its_own(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """Its selectors and its rules are about its own members."""
    values = {"stateful": {"enabled": True}, "keda": {"enabled": True}, "rekey": {"enabled": True}}
    made = kubernetes.helm("orders", values, tmp_path)
    text = yaml.safe_dump_all(made)
    names = {"orders-customfit-consumer", "orders-customfit-rekey"}

    assert [] == kubernetes.problems(made)
    assert names == {one["metadata"]["name"] for one in made}
    assert all(one["metadata"]["name"] == one["metadata"]["labels"]["app.kubernetes.io/instance"] for one in made)
    assert 'job="customfit-consumer"' not in text
    assert 'job="customfit-rekey"' not in text
    assert names == set(re.findall(r'job="([^"]+)"', text))
    assert 'max(customfit:members:wanted{job="orders-customfit-consumer"})' in text


def test_values_reach_the_members(kubernetes: Kubernetes, tmp_path: Path) -> None:
    """Settings old and new, a password beside them, another image, and whatever a pod may have."""
    password = {"name": "KAFKA_PASSWORD", "valueFrom": {"secretKeyRef": {"name": "kafka", "key": "password"}}}
    values = {
        "image": {"repository": "registry.example.com/cf", "tag": "0.2.0"},
        "settings": {"CUSTOMFIT_KAFKA_TOPIC": "orders", "CUSTOMFIT_IN_FLIGHT_MAX": 1000000},
        "env": [password],
        "secretName": "keys",
        "pod": {"nodeSelector": {"disk": "ssd"}},
    }
    made = kubernetes.helm("customfit-consumer", values, tmp_path)
    [deployment] = [one for one in made if one["kind"] == "Deployment"]
    pod, variables = deployment["spec"]["template"]["spec"], consumer(deployment)["env"]

    assert [] == kubernetes.problems(made)
    assert "registry.example.com/cf:0.2.0" == consumer(deployment)["image"]
    assert password == variables[0]
    assert [{"name": "CUSTOMFIT_KAFKA_TOPIC", "value": "orders"}] == [v for v in variables if "_TOPIC" in v["name"]]
    assert {"name": "CUSTOMFIT_IN_FLIGHT_MAX", "value": "1000000"} in variables
    assert ({"disk": "ssd"}, "keys") == (pod["nodeSelector"], pod["volumes"][2]["secret"]["secretName"])


@pytest.mark.parametrize(
    "values", [{"replicas": "two"}, {"replica": 2}, {"settings": {"KAFKA_TOPIC": "x"}}, {"keda": {"maxReplicas": 3}}]
)
def test_the_chart_refuses_values_that_mean_nothing(
    values: dict[str, Any], kubernetes: Kubernetes, tmp_path: Path
) -> None:
    """A typo would deploy something else than was meant."""
    with pytest.raises(AssertionError, match="values don't meet the specifications of the schema"):
        kubernetes.helm("customfit-consumer", values, tmp_path)


# --- faults


def _workload(objects: dict[str, Any]) -> Any:
    return objects["Deployment"]["spec"]


FAULTS: Final[dict[str, Callable[[dict[str, Any]], object]]] = {
    # The four that schemas let through.
    "`selector` does not match template `labels`": lambda one: _workload(one)["selector"]["matchLabels"].update(
        {"app.kubernetes.io/name": "consumer"}
    ),
    'no container has a port named "metric"': lambda one: one["PodMonitor"]["spec"]["podMetricsEndpoints"][0].update(
        port="metric"
    ),
    'volumeMounts[0].name: Not found: "stat"': lambda one: consumer(one["Deployment"])["volumeMounts"][0].update(
        name="stat"
    ),
    "minAvailable and maxUnavailable cannot be both set": lambda one: one["PodDisruptionBudget"]["spec"].update(
        minAvailable=1
    ),
    # Their neighbours.
    "must be no more than 15 characters": lambda one: consumer(one["Deployment"])["ports"][0].update(
        name="metrics-and-health"
    ),
    "PodDisruptionBudget customfit-consumer: its selector": lambda one: one["PodDisruptionBudget"]["spec"].update(
        selector={"matchLabels": {"app": "consumer"}}
    ),
    "NetworkPolicy customfit-consumer: its selector": lambda one: one["NetworkPolicy"]["spec"].update(
        podSelector={"matchLabels": {"app": "consumer"}}
    ),
    "there is no Deployment consumer to scale": lambda one: one["ScaledObject"]["spec"]["scaleTargetRef"].update(
        name="consumer"
    ),
    # Fields, values, and rights that a restricted namespace does not give.
    'unknown field "spec.template.spec.gracePeriodSeconds"': lambda one: _workload(one)["template"]["spec"].update(
        gracePeriodSeconds=45
    ),
    "may not be 0 when `maxSurge` is 0": lambda one: _workload(one)["strategy"]["rollingUpdate"].update(
        maxUnavailable=0
    ),
    "spec.podMetricsEndpoints[0].interval": lambda one: one["PodMonitor"]["spec"]["podMetricsEndpoints"][0].update(
        interval="15 s"
    ),
    "spec.groups[0].interval": lambda one: one["PrometheusRule"]["spec"]["groups"][0].update(interval="5 minutes"),
    'unknown field "spec.maxReplicas"': lambda one: one["ScaledObject"]["spec"].update(maxReplicas=6),
    "spec.triggers[0].metadata.threshold": lambda one: one["ScaledObject"]["spec"]["triggers"][0]["metadata"].update(
        threshold=1
    ),
    "not restricted: runAsNonRoot != true": lambda one: _workload(one)["template"]["spec"]["securityContext"].pop(
        "runAsNonRoot"
    ),
    "no schema of this kind was given": lambda one: one["PodMonitor"].update(kind="PodMonitors"),
}
"""Words of what is said → the fault that is put in."""


@pytest.mark.parametrize("words", FAULTS)
def test_a_fault_is_found(words: str, kubernetes: Kubernetes, objects: list[Any]) -> None:
    """The gate itself; the first four are the semantic ones."""
    by_kind = {one["kind"]: one for one in copy.deepcopy(objects)}
    FAULTS[words](by_kind)
    found = kubernetes.problems(list(by_kind.values()))

    assert [] != [line for line in found if words in line], found
