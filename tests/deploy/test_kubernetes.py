"""deploy/kubernetes: its numbers and names are those of the program, of its image, and of each other."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from consumer import __version__
from consumer.kafka.leaving import CLOSE_SECONDS, JOIN_SECONDS, LEAVE_SECONDS
from consumer.kafka.source import DRAIN_GRACE_SECONDS, LEAVE_COMMIT_SECONDS
from consumer.ops.health import LOOP_SILENT_SECONDS_MAX
from consumer.settings import Settings, load_settings
from deploy.kubernetes.prometheus_rule import RULE_FILES as IN_THE_RULE
from tests.deploy.kubernetes.manifests import consumer, environment, read
from tests.deploy.rules import RULE_FILES
from tests.deploy.tools import FOLDER, ROOT, need, promtools, run

DEPLOYMENT: Final = read("base/deployment.yaml")
SPEC: Final = DEPLOYMENT["spec"]
POD: Final = SPEC["template"]["spec"]
CONSUMER: Final = consumer(DEPLOYMENT)
STATEFUL: Final = read("overlays/stateful/statefulset.yaml")
OF_THE_OPERATOR: Final = {"namespace": "events", "pod": "a", "container": "consumer", "endpoint": "metrics"}
"""Labels that the Prometheus operator gives all series of a PodMonitor."""
MEASURED_BYTES: Final = 133e6
"""Peak of a member with the default buffer, docs/scaling.md."""
KNOWN_USER_BYTES: Final = 200
"""At most, docs/settings.md."""


def settings_of(environ: Mapping[str, str], folder: Path) -> Settings:
    """As `run` reads them in the pod, whose secret is in this folder."""
    (folder / "api-key").write_text("a-server-key", encoding="utf-8")
    return load_settings({**environ, "CUSTOMFIT_API_KEY_FILE": str(folder / "api-key")})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Those of base."""
    return settings_of(environment(DEPLOYMENT), tmp_path)


def seconds(probe: str) -> int:
    """How long a probe has to fail before something is done."""
    found = CONSUMER[probe]
    return int(found["periodSeconds"] * found["failureThreshold"])


def stop_seconds(settings: Settings) -> float:
    """The longest that a stop can take."""
    leaving = LEAVE_COMMIT_SECONDS + JOIN_SECONDS + LEAVE_SECONDS + CLOSE_SECONDS
    return settings.drain_seconds + DRAIN_GRACE_SECONDS + leaving


def test_every_variable_is_a_setting_that_run_takes(settings: Settings) -> None:
    """In its limits, without a warning; the secret's file is where the volume is mounted."""
    environ = environment(DEPLOYMENT)
    mounts = {one["name"]: one["mountPath"] for one in CONSUMER["volumeMounts"]}

    assert {"customfit-consumer", "segment-events"} == {settings.kafka_group_id, settings.kafka_topic}
    assert [] == [name for name in environ if not name.startswith("CUSTOMFIT_")]
    assert environ["CUSTOMFIT_API_KEY_FILE"] == f"{mounts['secret']}/api-key"
    assert environ["CUSTOMFIT_STATE_DIR"] == mounts["state"]


def test_a_pod_is_killed_only_after_the_longest_stop(settings: Settings) -> None:
    """Drain, commit, leave, close; SIGTERM starts it, so nothing has to run before."""
    assert POD["terminationGracePeriodSeconds"] > stop_seconds(settings)
    assert "lifecycle" not in CONSUMER


def test_a_rollout_takes_one_member_at_a_time_and_adds_none() -> None:
    """And drains of nodes take one at a time, but never wait for a member that is not ready."""
    budget = read("base/poddisruptionbudget.yaml")["spec"]

    assert {"maxSurge": 0, "maxUnavailable": 1} == SPEC["strategy"]["rollingUpdate"]
    assert (1, "AlwaysAllow") == (budget["maxUnavailable"], budget["unhealthyPodEvictionPolicy"])


def test_nothing_is_restarted_but_what_hangs(settings: Settings) -> None:
    """/livez knows no Kafka and no CustomFit; a start without Kafka ends by itself, and says why."""
    paths = {name: CONSUMER[name]["httpGet"]["path"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"} == paths
    assert seconds("startupProbe") > settings.startup_timeout_seconds
    assert seconds("livenessProbe") >= LOOP_SILENT_SECONDS_MAX
    assert SPEC["progressDeadlineSeconds"] > 600, "Kubernetes' own is too short for the state of many users"


def test_the_image_is_that_of_this_version() -> None:
    """In the image's tag, the labels and the chart; and it runs as the user that the image has."""
    [user] = re.findall(r"^USER (\d+):(\d+)", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    labels = [one["metadata"]["labels"]["app.kubernetes.io/version"] for one in (DEPLOYMENT, SPEC["template"])]
    chart = read("Chart.yaml")

    assert f"customfit-consumer:{__version__}" == CONSUMER["image"]
    assert {__version__} == {*labels, chart["version"], chart["appVersion"]}
    assert user == tuple(str(POD["securityContext"][name]) for name in ("runAsUser", "runAsGroup"))
    assert user[1] == str(POD["securityContext"]["fsGroup"])


def test_memory_is_for_all_that_may_be_kept(settings: Settings) -> None:
    """What a member was measured to take, a full buffer, all users that it may know; and half as much again."""
    resources = CONSUMER["resources"]
    limit = int(resources["limits"]["memory"].removesuffix("Mi")) * 2**20
    kept = MEASURED_BYTES + settings.buffer_bytes_max + KNOWN_USER_BYTES * settings.known_users_max

    assert limit > 1.5 * kept
    assert resources["requests"]["memory"] == resources["limits"]["memory"]
    assert "cpu" not in resources["limits"]


def test_only_volumes_are_written_to() -> None:
    """The state and /tmp; the secret is read."""
    volumes = {one["name"]: set(one) - {"name"} for one in POD["volumes"]}

    assert CONSUMER["securityContext"]["readOnlyRootFilesystem"]
    assert {"state": {"emptyDir"}, "tmp": {"emptyDir"}, "secret": {"secret"}} == volumes
    assert (False, False) == (POD["automountServiceAccountToken"], POD["enableServiceLinks"])


def test_the_port_is_the_same_everywhere(settings: Settings) -> None:
    """Of the program, the container, the probes, the PodMonitor and the NetworkPolicy."""
    [port] = CONSUMER["ports"]
    [scraped] = read("base/podmonitor.yaml")["spec"]["podMetricsEndpoints"]
    [let_in] = read("base/networkpolicy.yaml")["spec"]["ingress"]
    probed = {CONSUMER[name]["httpGet"]["port"] for name in ("startupProbe", "livenessProbe", "readinessProbe")}

    assert settings.http_port == port["containerPort"]
    assert {port["name"]} == {scraped["port"], *probed, *(one["port"] for one in let_in["ports"])}


def test_kafka_customfit_and_names_can_be_reached(settings: Settings) -> None:
    """And nothing else."""
    open_ports = {
        number
        for rule in read("base/networkpolicy.yaml")["spec"]["egress"]
        for one in rule["ports"]
        for number in range(one["port"], one.get("endPort", one["port"]) + 1)
    }
    kafka = int(settings.kafka_bootstrap_servers.rpartition(":")[2])

    assert {53, 443, *range(9092, 9099)} == open_ports
    assert kafka in open_ports
    assert settings.api_url.startswith("https://")


def test_a_static_member_returns_within_its_session(tmp_path: Path) -> None:
    """A stop, and as long again for the new pod; each pod has a name of its own."""
    environ = {**environment(DEPLOYMENT), **environment(STATEFUL)}
    environ.pop("POD_NAME")
    properties = settings_of(environ, tmp_path).kafka_properties

    assert "pod-0" == properties["group.instance.id"]
    assert int(properties["session.timeout.ms"]) / 1000 > 2 * POD["terminationGracePeriodSeconds"]


def test_the_rule_has_all_rules() -> None:
    """Those that compose's Prometheus loads."""
    assert set(RULE_FILES) == set(IN_THE_RULE)


@pytest.mark.parametrize("name", ["promise.yml", "written.yml", pytest.param("late.yml", marks=pytest.mark.long)])
def test_alerts_are_the_same_with_the_labels_of_the_operator(name: str, tmp_path: Path) -> None:
    """A rule that matched two series by all of their labels, or kept them, would show here."""
    tested = yaml.safe_load((FOLDER / "tests" / name).read_text(encoding="utf-8"))
    tested["rule_files"] = [str(FOLDER / file) for file in ("recording.yml", "alerts.yml")]
    added = "".join(f",{label}={json.dumps(value)}" for label, value in OF_THE_OPERATOR.items())
    for world in tested["tests"]:
        for one in world["input_series"]:
            one["series"] = re.sub(r'(instance="[^"]*")', rf"\1{added}", one["series"])
    (tmp_path / name).write_text(yaml.safe_dump(tested), encoding="utf-8")

    run([need(promtools()[0]), "test", "rules", tmp_path / name])


def test_the_page_says_what_the_manifests_say() -> None:
    """Numbers that a reader plans with."""
    page = (ROOT / "docs" / "kubernetes.md").read_text(encoding="utf-8")
    scaled: Any = read("components/keda/scaledobject.yaml")["spec"]

    for said in (
        f"{POD['terminationGracePeriodSeconds']} s",
        f"{CONSUMER['resources']['limits']['memory'].removesuffix('i')}iB".replace("Mi", " Mi"),
        f"`maxReplicaCount` ({scaled['maxReplicaCount']})",
    ):
        assert said in page
