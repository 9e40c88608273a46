"""What the image and the compose file promise of a container: no root, no capabilities, nothing written."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from typer.testing import CliRunner

from consumer.cli import app

ROOT: Final = Path(__file__).parents[1]
DOCKERFILE: Final = (ROOT / "Dockerfile").read_text()
COMPOSE: Final = (ROOT / "docker-compose.yml").read_text()
COMPOSE_PAGE: Final = (ROOT / "docs" / "compose.md").read_text()
ENV_EXAMPLE: Final = (ROOT / ".env.example").read_text()
PROMETHEUS: Final = (ROOT / "deploy/prometheus/prometheus.yml").read_text()


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


@pytest.mark.parametrize("name", ["consumer", "consumer-more", "consumer-secure", "emulator"])
def test_our_containers_write_to_volumes_alone(name: str) -> None:
    """The root file system is read-only, /tmp is in memory."""
    assert "read_only: true" in anchor("image")
    assert re.search(r"<<: \[\*service, \*image[,\]]", services()[name])


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


# --- compose: the first hour


def test_every_image_has_an_exact_version() -> None:
    """What worked yesterday is what is pulled tomorrow; the image of this project is built here."""
    named = re.findall(
        r"^\s*(?:image:|ARG PYTHON_IMAGE=)\s*(\S+)", COMPOSE + DOCKERFILE.replace("IMAGE=", "IMAGE= "), re.MULTILINE
    )
    foreign = {name for name in named if name != "customfit-consumer:local"}

    assert {"apache/kafka", "apicurio/apicurio-registry", "grafana/grafana", "prom/prometheus", "python"} == {
        name.partition(":")[0] for name in foreign
    }
    assert [] == [
        name for name in foreign if not re.search(r":v?\d+\.\d+\.\d+(-[a-z-]+)?(@sha256:[0-9a-f]{64})?$", name)
    ]
    assert foreign.issuperset(re.findall(r"^#PYTHON_IMAGE=(\S+)", ENV_EXAMPLE, re.MULTILINE))
    assert {"${PYTHON_IMAGE}"} == set(re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE))


def test_our_image_is_built_once() -> None:
    """By a service that all others need: of two builds, each command would replace the other's."""
    assert ["emulator"] == [name for name, text in services().items() if re.search(r"^    build:", text, re.MULTILINE)]
    assert "build:" not in anchor("image")
    assert "pull_policy: never" in anchor("image")
    assert "emulator: { condition: service_healthy }" in anchor("consumer")
    assert "emulator: { condition: service_healthy }" in services()["consumer-secure"]


def test_the_consumer_is_always_at_its_port() -> None:
    """One port and one container; whoever is added has ports of their own."""
    consumer, more = services()["consumer"], services()["consumer-more"]

    assert 'ports: ["127.0.0.1:9464:9464"]' in consumer
    assert "container_name:" in consumer
    assert 'ports: ["127.0.0.1:9465-9473:9464"]' in more
    assert "scale: 0" in more
    assert ["consumers"] * 2 == re.findall(r"aliases: \[(\w+)\]", consumer + more)
    assert "names: [consumers]" in PROMETHEUS


def test_rekey_is_a_job_of_its_own() -> None:
    """Else a group of which no member answers would be up as long as its `rekey` is."""
    rekey, reader = services()["rekey"], services()["consumer-rekeyed"]

    assert ["rekeyers", "consumers"] == re.findall(r"aliases: \[(\w+)\]", rekey + reader)
    assert "job_name: customfit-rekey\n    dns_sd_configs:\n      - names: [rekeyers]\n" in PROMETHEUS


def test_the_page_asks_for_the_lag_of_the_group_that_rekey_has() -> None:
    """With the settings it runs with, `lag` looks at the group of those who read what it writes."""
    [group] = set(re.findall(r"KAFKA_GROUP_ID: (\S+)", services()["rekey"]))

    assert f"-e CUSTOMFIT_KAFKA_GROUP_ID={group}.rekey rekey customfit-consumer lag\n" in COMPOSE_PAGE


def test_what_the_example_of_variables_names_is_handed_on() -> None:
    """To the consumer's containers, or used by the file itself."""
    named = re.findall(r"^#([A-Z_]+)=", ENV_EXAMPLE, re.MULTILINE)
    assert len(named) > 10

    assert [] == [
        name for name in named if not re.search(rf"\b{name}:$|\b{name}: [#}}]|\$\{{{name}:-", COMPOSE, re.MULTILINE)
    ]


def test_ports_are_for_this_machine_alone_and_no_two_are_the_same() -> None:
    """The emulator's too: it says that it is at localhost, at the port it has inside."""
    ports = re.findall(r'^    ports: \["(.*?)"\]', COMPOSE, re.MULTILINE)
    outside = [port.split(":")[1] for port in ports]

    assert all(port.startswith("127.0.0.1:") for port in ports)
    assert len(outside) == len(set(outside))
    assert 'ports: ["127.0.0.1:8080:8080"]' in services()["emulator"]
    assert '--port, "8080"' in services()["emulator"]


@pytest.mark.parametrize("name", ["kafka", "kafka-secure"])
def test_brokers_log_warnings(name: str) -> None:
    """The packages, not the root: the image's set-up drops the root's output with it, and errors are not seen."""
    assert "<<: *kafka-logs" in services()[name]
    assert "org.apache.kafka=WARN" in anchor("kafka-logs")
    assert "KAFKA_LOG4J_ROOT_LOGLEVEL" not in COMPOSE


def test_no_registry_is_asked_for_that_does_not_run() -> None:
    """Garbage that looks like Avro would make its partition wait for it; docs/compose.md says what to set."""
    assert re.search(r"^    CUSTOMFIT_SCHEMA_REGISTRY_URL:( #.*)?$", anchor("consumer"), re.MULTILINE)
    assert "#CUSTOMFIT_SCHEMA_REGISTRY_URL=http://registry:8080/apis/ccompat/v7" in ENV_EXAMPLE
    assert "export CUSTOMFIT_SCHEMA_REGISTRY_URL=http://registry:8080/apis/ccompat/v7\n" in COMPOSE_PAGE
    assert "registry: { condition: service_healthy, required: false }" in anchor("consumer")


def test_the_end_of_up_says_what_to_do_next() -> None:
    """When the consumer is ready: each command is one that there is, with options that there are."""
    text = services()["next-steps"]
    commands = re.findall(r"^ +(docker compose .*)$", text, re.MULTILINE)
    ours = [line.split("customfit-consumer ")[1] for line in commands if " customfit-consumer " in line]
    named = set(re.findall(r"(?:exec|run --rm) ([a-z-]+)|--scale ([a-z-]+)=", "\n".join(commands)))

    assert "consumer: { condition: service_healthy }" in text
    assert re.search(r"In a browser:\n\n +http://localhost:8080\n", text)
    assert {"consumer", "emulator", "consumer-more"} == {one or other for one, other in named} & set(services())
    assert ["emulator last", "lag", "emulator control --fail-rate 0.5"] == ours
    for line in ours:
        words = line.split()
        shown = CliRunner().invoke(app(words[0]), [*words[:2], "--help"], env={"COLUMNS": "300"})
        assert 0 == shown.exit_code
        assert [] == [word for word in words if word.startswith("--") and word not in shown.stdout]


def test_nothing_of_up_ends_that_nobody_waits_for() -> None:
    """`up --wait` takes a container that ends for one that failed, unless another service waits for its end."""
    ending = {name for name, text in services().items() if 'restart: "no"' in text}
    awaited = set(re.findall(r"([a-z-]+): \{ condition: service_completed_successfully \}", COMPOSE))

    assert ending == awaited
    assert "exec sleep infinity" in services()["next-steps"]
