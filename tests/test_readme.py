"""README and the pages in docs/ say what the code does. The long tables are made from the code: test_docs.py."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer

from consumer.kafka.client import consumer_config, producer_config
from consumer.sequencing.events import DeadLetterReason
from consumer.settings import load_settings
from tests.real_broker.secured import Authority

ROOT = Path(__file__).parents[1]
README_LINES_MAX = 150
README_COLUMNS_MAX = 100


def read(page: str) -> str:
    """The text of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def rows(page: str, section: str) -> list[list[str]]:
    """Cells of the table between `<!-- section -->` and `<!-- /section -->`, without its head."""
    table = re.search(rf"<!-- {section} -->\n(.*?)<!-- /{section} -->", read(page), re.DOTALL)
    assert table is not None
    lines = [line for line in table[1].splitlines() if line.startswith("|")][2:]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_the_readme_is_short() -> None:
    """A newcomer reads it in two minutes, in any window; what is longer belongs into docs/."""
    lines = read("README.md").splitlines()

    assert len(lines) <= README_LINES_MAX
    assert [] == [line for line in lines if len(line) > README_COLUMNS_MAX]


def test_the_readme_leads_to_every_page() -> None:
    """A page that nobody finds is not read."""
    linked = set(re.findall(r"\]\((docs/[a-z-]+\.md)", read("README.md")))

    assert {f"docs/{page.name}" for page in ROOT.glob("docs/*.md")} == linked


@pytest.mark.parametrize(
    "reason", [DeadLetterReason.UNDECODABLE, DeadLetterReason.INVALID_EVENT, DeadLetterReason.TOO_LARGE]
)
def test_every_reason_of_bad_input_is_named(reason: DeadLetterReason) -> None:
    """Whoever writes to the topic finds which records become dead letters, and as what."""
    assert f"dead-lettered, `{reason.value}`" in read("docs/input.md")


@pytest.mark.parametrize("reason", DeadLetterReason)
def test_every_reason_of_a_dead_letter_is_explained(reason: DeadLetterReason) -> None:
    """Whoever finds a dead letter finds its reason, and where to look."""
    assert f"\n| `{reason.value}` |" in read("docs/dead-letters.md")


@pytest.mark.parametrize("row", rows("docs/security.md", "hosted"), ids=lambda row: row[0])
def test_the_client_takes_the_properties_for_hosted_clusters(row: list[str], tmp_path: Path) -> None:
    """As they stand on the page: our settings pass them, and librdkafka makes a client of them."""
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
