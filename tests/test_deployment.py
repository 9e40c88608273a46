"""What the image and the compose file promise of a container: no root, no capabilities, nothing written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
COMPOSE: Final = (ROOT / "docker-compose.yml").read_text()


def services() -> dict[str, str]:
    """The text of each."""
    [block] = re.findall(r"^services:\n(.*?)^\S", COMPOSE, re.MULTILINE | re.DOTALL)
    parts = re.split(r"^  ([a-z-]+):\n", block, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def anchor(name: str) -> str:
    """The text of a part that services share."""
    [block] = re.findall(rf"^x-{name}: &{name}\n((?:  .*\n)+)", COMPOSE, re.MULTILINE)
    return str(block)


def test_the_image_runs_as_a_user_with_a_number() -> None:
    """An orchestrator can see that it is not root, and the last stage has no other user after it."""
    assert ["10001:10001"] == re.findall(r"^USER (\S+)", DOCKERFILE, re.MULTILINE)


def test_no_service_has_capabilities_or_can_get_them() -> None:
    """Not ours, and not the others'."""
    assert "cap_drop: [ALL]" in anchor("service")
    assert 'security_opt: ["no-new-privileges:true"]' in anchor("service")
    assert [] == [name for name, text in services().items() if not re.search(r"<<: (\*service|\[\*service,)", text)]
    assert "cap_add" not in COMPOSE
    assert "privileged:" not in COMPOSE.replace("no-new-privileges:", "")


@pytest.mark.parametrize("name", ["consumer", "consumer-secure", "emulator"])
def test_our_containers_write_to_volumes_alone(name: str) -> None:
    """The root file system is read-only, /tmp is in memory."""
    assert "read_only: true" in anchor("image")
    assert "<<: [*service, *image]" in services()[name]


def test_the_secured_broker_gives_the_rights_that_the_readme_lists() -> None:
    """Neither more nor less: both name the same operations for each topic and the group."""
    allowed = re.findall(r"allow consumer (.*)", services()["kafka-secure-init"])
    granted = {
        (target.strip(), operation)
        for line in allowed
        for target in re.findall(r"--(?:topic|group) (\S+)", line)
        for operation in re.findall(r"--operation (\w+)", line)
    }

    assert {
        ("segment-events", "Read"),
        ("customfit-consumer", "Read"),
        ("segment-events.customfit-dlq", "Write"),
        *(("customfit-consumer.identified-users", operation) for operation in ("Create", "Read", "Write")),
        *(("segment-events.customfit-replay", operation) for operation in ("Create", "Read")),
    } == granted
