"""Fixtures of the deployment's tests."""

from __future__ import annotations

import pytest

from tests.deploy.kubernetes.manifests import PROGRAM, Kubernetes, NotBuilt
from tests.deploy.tools import leave_out


@pytest.fixture(scope="module")
def kubernetes() -> Kubernetes:
    """The program that renders and validates; the first time it takes too long to build for a test."""
    if not PROGRAM.exists():
        leave_out("not built: make kubernetes", "REQUIRE_GO")
    try:
        return Kubernetes()
    except NotBuilt as why:
        leave_out(str(why), "REQUIRE_GO")
