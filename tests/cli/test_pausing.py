"""What `pause` and `offsets` refuse before anything is asked of a broker; and what of a cluster an order needs."""

from __future__ import annotations

import json
import uuid

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from typer.testing import CliRunner

from consumer.cli import app
from consumer.kafka import reader
from consumer.state.pause_record import PAUSE_PARTITION, REASON_CHARACTERS_MAX
from tests.fakes.mock_cluster import mock_cluster


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["pause", "--reason", "two\nlines"], "a reason is one line"),
        (["pause", "--reason", "x" * (REASON_CHARACTERS_MAX + 1)], "a reason is one line"),
        (["offsets"], "Missing option '--to'"),
        (["offsets", "--to", "yesterday"], "'yesterday' is no time; write earliest, latest, "),
        (["offsets", "--to", "2026-11-23T10:00:00"], "is no time"),
        (
            ["offsets", "--to", "20261123"],
            "before the year 2000; a date is 2026-11-23T00:00:00Z); write earliest, latest",
        ),
    ],
)
def test_what_cannot_be_meant_is_refused(arguments: list[str], problem: str) -> None:
    """Exit code 2, with what to write instead; a time without its zone would be another one elsewhere."""
    result = CliRunner(env={"COLUMNS": "300"}).invoke(app(arguments[0]), arguments)

    assert 2 == result.exit_code
    assert problem in result.stderr


class OneLeaderLeft(Consumer):
    """Only the partition with the orders has a leader."""

    def get_watermark_offsets(
        self, partition: TopicPartition, timeout: float = 10.0, cached: bool = False
    ) -> tuple[int, int]:
        """As librdkafka answers for one without."""
        if partition.partition != PAUSE_PARTITION:
            raise KafkaException(KafkaError(KafkaError.LEADER_NOT_AVAILABLE))
        return super().get_watermark_offsets(partition, timeout, cached)


def test_an_order_needs_no_other_partition_of_the_state_topic(monkeypatch: pytest.MonkeyPatch) -> None:
    """With a broker away it may be wanted most."""
    cluster, topic = mock_cluster(), f"state-{uuid.uuid4().hex}"
    cluster.keeper.list_topics(topic, timeout=10)
    monkeypatch.setattr(reader, "Consumer", OneLeaderLeft)
    monkeypatch.setenv("CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS", cluster.servers)
    monkeypatch.setenv("CUSTOMFIT_STATE_TOPIC", topic)
    monkeypatch.setenv("LOGNAME", "ann\udcff")  # whatever a machine calls its users
    given = [CliRunner().invoke(app(one), [one, "--json"]) for one in ("pause", "pause", "resume")]

    assert [0, 0, 0] == [one.exit_code for one in given], [one.output for one in given]
    assert [True, False, True] == [json.loads(one.stdout)["changed"] for one in given]
    assert json.loads(given[0].stdout)["by"].startswith("ann\\udcff@")
