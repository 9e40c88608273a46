"""The README says what the code does. The long tables are made from the code: test_docs.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from consumer.cli import COMMANDS
from consumer.kafka.client import consumer_config, producer_config
from consumer.sequencing.events import DeadLetterReason
from consumer.settings import load_settings
from tests.real_broker.secured import Authority

README = (Path(__file__).parents[1] / "README.md").read_text()


def rows(section: str) -> list[list[str]]:
    """Cells of the table between `<!-- section -->` and `<!-- /section -->`, without its head."""
    table = re.search(rf"<!-- {section} -->\n(.*?)<!-- /{section} -->", README, re.DOTALL)
    assert table is not None
    lines = [line for line in table[1].splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_table(name: str) -> None:
    """Each command has its row."""
    assert f"| `customfit-consumer {name}` |" in README


@pytest.mark.parametrize(
    "reason", [DeadLetterReason.UNDECODABLE, DeadLetterReason.INVALID_EVENT, DeadLetterReason.TOO_LARGE]
)
def test_every_reason_of_bad_input_is_named(reason: DeadLetterReason) -> None:
    """Whoever finds a dead letter finds its reason in the README."""
    assert f"`{reason.value}`" in README


@pytest.mark.parametrize("row", rows("hosted"), ids=lambda row: row[0])
def test_the_client_takes_the_properties_for_hosted_clusters(row: list[str], tmp_path: Path) -> None:
    """As they stand in the README: our settings pass them, and librdkafka makes a client of them."""
    _, servers, text = (cell.strip("`") for cell in row)
    authority = Authority(tmp_path)
    key, certificate = authority.issue("client")
    files = {"ca.pem": authority.certificate, "client.pem": certificate, "client.key": key}
    for name, file in files.items():
        text = text.replace(f'"{name}"', json.dumps(str(file)))
    environ = {"CUSTOMFIT_KAFKA_PROPERTIES": text, "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": servers or "localhost:9092"}
    settings = load_settings(
        {name: value.replace("PORT", "9093") for name, value in environ.items()}, api_key_required=False
    )
    quiet = {"log_level": 0, "bootstrap.servers": "127.0.0.1:1"}  # nobody is to be asked
    for config, client in ((consumer_config, Consumer), (producer_config, Producer)):
        made = client({**config(settings), **quiet})
        if isinstance(made, Consumer):
            made.close()
