"""deploy/kubernetes as values, and the program that holds them against Kubernetes' own code.

`make kubernetes` builds it from validate/: in a minute and a half the first time, later in a second.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, Final

import yaml

from tests.deploy.tools import ROOT

FOLDER: Final = ROOT / "deploy" / "kubernetes"
HERE: Final = Path(__file__).parent
PROGRAM: Final = ROOT / ".bench" / "kubernetes" / "validate"
CRDS: Final = {
    "github.com/kedacore/keda/v2": ("config/crd/bases/keda.sh_scaledobjects.yaml",),
    "github.com/prometheus-operator/prometheus-operator": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
    ),
}
"""Module → the files that its project publishes for clusters."""
BUILD_SECONDS_MAX: Final = 900


class NotBuilt(Exception):
    """Why there is no program: no Go, one too old, or modules that can't be had."""


@cache
def read(name: str) -> Any:
    """One of the files."""
    return yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))


def consumer(workload: Any) -> Any:
    """The container of a Deployment or StatefulSet."""
    [container] = workload["spec"]["template"]["spec"]["containers"]
    return container


def environment(workload: Any) -> dict[str, str]:
    """What the process is given, for a pod of the name `pod-0`."""
    values: dict[str, str] = {}
    for one in consumer(workload)["env"]:
        value = one.get("value", "pod-0")
        for name, known in values.items():
            value = value.replace(f"$({name})", known)
        values[one["name"]] = value
    return values


class Kubernetes:
    """The program, made again of what has changed."""

    def __init__(self) -> None:
        self._crds = _crds()
        _go("build", "-o", str(PROGRAM), ".", folder=HERE / "validate")

    def kustomize(self, folder: Path) -> list[Any]:
        """The objects that `kustomize build` makes."""
        return _objects(self._run(["kustomize", folder]))

    def helm(self, release: str, values: Mapping[str, object], folder: Path) -> list[Any]:
        """The objects that `helm template` makes; AssertionError with what it says of values that it does not take."""
        file = folder / "values.json"
        file.write_text(json.dumps(values), encoding="utf-8")
        return _objects(self._run(["helm", FOLDER, release, file]))

    def problems(self, objects: Sequence[Any]) -> list[str]:
        """What a cluster refuses, or takes in vain."""
        command = [str(PROGRAM), "check", *map(str, self._crds)]
        text = yaml.safe_dump_all(objects)
        done = subprocess.run(command, input=str(text), check=False, capture_output=True, text=True)
        assert done.returncode in {0, 1}, done.stderr
        return done.stdout.splitlines()

    @staticmethod
    def _run(arguments: Sequence[str | Path]) -> str:
        done = subprocess.run([PROGRAM, *arguments], check=False, capture_output=True, text=True)
        assert 0 == done.returncode, done.stderr
        return done.stdout


def _objects(text: str) -> list[Any]:
    return [one for one in yaml.safe_load_all(text) if one is not None]


def _crds() -> list[Path]:
    files = []
    for module, names in CRDS.items():
        found = json.loads(_go("mod", "download", "-json", module, folder=HERE / "crds"))
        files += [Path(found["Dir"], name) for name in names]
    return files


def _go(*arguments: str, folder: Path) -> str:
    if (go := shutil.which("go")) is None:
        raise NotBuilt("Go is not installed")
    environ = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-mod=readonly"}
    done = subprocess.run(
        [go, *arguments],
        cwd=folder,
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=BUILD_SECONDS_MAX,
    )
    if done.returncode:
        raise NotBuilt(f"go {' '.join(arguments)}: {(done.stderr or done.stdout)[-500:]}")
    return done.stdout


def main() -> int:
    """Build it; 1 where that can't be done."""
    try:
        Kubernetes()
    except NotBuilt as why:
        print(f"LEFT OUT: the Kubernetes manifests are not held against Kubernetes' own code: {why}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
