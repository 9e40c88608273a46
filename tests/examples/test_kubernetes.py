"""examples/kubernetes: names what base has, and is what a cluster takes."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Final

import pytest
import yaml

from consumer import __version__
from consumer.settings import load_settings
from tests.deploy.kubernetes.manifests import PROGRAM, Kubernetes, NotBuilt, consumer, environment, read
from tests.deploy.tools import ROOT, leave_out

FOLDER: Final = ROOT / "examples" / "kubernetes"
KUSTOMIZATION: Final = yaml.safe_load((FOLDER / "kustomization.yaml").read_text(encoding="utf-8"))
BASE: Final = read("base/deployment.yaml")


def test_what_it_changes_is_in_base() -> None:
    """A patch, an image or a secret of another name would do nothing, or wait for ever."""
    [patch] = (yaml.safe_load(one["patch"]) for one in KUSTOMIZATION["patches"])
    [image] = KUSTOMIZATION["images"]
    [secret] = KUSTOMIZATION["secretGenerator"]
    [namespace] = yaml.safe_load_all((FOLDER / "namespace.yaml").read_text(encoding="utf-8"))
    mounted = [one["secret"]["secretName"] for one in BASE["spec"]["template"]["spec"]["volumes"] if "secret" in one]

    assert (BASE["kind"], BASE["metadata"]["name"]) == (patch["kind"], patch["metadata"]["name"])
    assert consumer(BASE)["name"] == consumer(patch)["name"]
    assert environment(patch).keys() <= environment(BASE).keys()
    assert consumer(BASE)["image"].partition(":")[0] == image["name"]
    assert __version__ == image["newTag"]
    assert [secret["name"]] == mounted
    assert secret["files"] == (FOLDER / ".gitignore").read_text(encoding="utf-8").split()
    assert {one["name"] for one in KUSTOMIZATION["replicas"]} == {BASE["metadata"]["name"]}
    assert KUSTOMIZATION["namespace"] == namespace["metadata"]["name"]


@pytest.fixture
def objects(tmp_path: Path) -> list[Any]:
    """What `kubectl apply -k` would send, with a key beside the files."""
    if not PROGRAM.exists():
        leave_out("not built: make kubernetes", "REQUIRE_GO")
    for name in ("examples", "deploy"):
        shutil.copytree(ROOT / name / "kubernetes", tmp_path / name / "kubernetes")
    (tmp_path / "examples" / "kubernetes" / "api-key").write_text("a-server-key", encoding="utf-8")
    try:
        kubernetes = Kubernetes()
    except NotBuilt as why:
        leave_out(str(why), "REQUIRE_GO")
    made = kubernetes.kustomize(tmp_path / "examples" / "kubernetes")
    assert [] == kubernetes.problems(made)
    return made


def test_a_cluster_takes_it(objects: list[Any], tmp_path: Path) -> None:
    """By the API server's own code; all of it is in the namespace, with settings that `run` takes."""
    by_kind = {one["kind"]: one for one in objects}
    deployment = by_kind["Deployment"]
    key_file = tmp_path / "examples" / "kubernetes" / "api-key"
    environ = {**environment(deployment), "CUSTOMFIT_API_KEY_FILE": str(key_file)}

    assert {None, "events"} == {one["metadata"].get("namespace") for one in objects}
    assert "customfit-consumer" == by_kind["Secret"]["metadata"]["name"]
    assert 3 == deployment["spec"]["replicas"]
    assert "kafka-0.kafka:9092,kafka-1.kafka:9092" == load_settings(environ).kafka_bootstrap_servers
