"""Who is measured, and how each is configured: the most that it is known to do with the same order guarantee."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from bench.builds import GO, GO_BIN, JAVA, JAVA_CLASSES, QUIX, QUIX_PYTHON, ROOT
from tests.real_broker.broker import free_ports


@dataclass(frozen=True, slots=True)
class Job:
    """What one run of a contender is told."""

    bootstrap_servers: str
    topic: str
    group_id: str
    sink_url: str
    sink_address: str
    in_flight: int
    events: int
    folder: Path
    """Its own, empty."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """More CUSTOMFIT_* variables, for this project alone."""


Command = list[str | os.PathLike[str]]


@dataclass(frozen=True, slots=True)
class Contender:
    """`command` gives the process to start; `needs` what has to be built for it besides the sink."""

    name: str
    title: str
    command: Callable[[Job], Command]
    environ: Callable[[Job], Mapping[str, str]] = lambda _job: {}
    needs: str | None = None
    reads_only: bool = False
    """Sends nothing and prints its own figures."""
    from_kafka: bool = True


def _python(module: str, *, python: os.PathLike[str] | str = sys.executable) -> Callable[[Job], Command]:
    def command(job: Job) -> Command:
        return [python, "-m", module, job.bootstrap_servers, job.topic, job.group_id, job.sink_url, str(job.in_flight)]

    return command


def _plain(job: Job) -> Command:
    return [sys.executable, "-m", "bench.plain_loop", job.bootstrap_servers, job.topic, job.group_id, job.sink_url]


def _consume_only(job: Job) -> Command:
    return [
        *(sys.executable, "-m", "bench.consume_only"),
        *(job.bootstrap_servers, job.topic, job.group_id, str(job.events)),
    ]


def _customfit(engine: str) -> Callable[[Job], Mapping[str, str]]:
    def environ(job: Job) -> Mapping[str, str]:
        [port] = free_ports(1)
        return {
            "CUSTOMFIT_API_KEY": "benchmark-key",
            "CUSTOMFIT_API_URL": job.sink_url,
            "CUSTOMFIT_KAFKA_BOOTSTRAP_SERVERS": job.bootstrap_servers,
            "CUSTOMFIT_KAFKA_TOPIC": job.topic,
            "CUSTOMFIT_KAFKA_GROUP_ID": job.group_id,
            "CUSTOMFIT_STATE_DIR": str(job.folder / "state"),
            "CUSTOMFIT_HTTP_ENGINE": engine,
            "CUSTOMFIT_HTTP_HOST": "127.0.0.1",
            "CUSTOMFIT_HTTP_PORT": str(port),
            "CUSTOMFIT_IN_FLIGHT_MAX": str(job.in_flight),
            **job.settings,
        }

    return environ


def _parallel_consumer(job: Job) -> Command:
    class_path = f"{JAVA_CLASSES / 'classes'}:{JAVA_CLASSES / 'libs'}/*"
    return [
        *("java", "-Xmx1g", "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", class_path),
        *("bench.ParallelConsumerContender", job.bootstrap_servers, job.topic, job.group_id),
        *(job.sink_url, str(job.in_flight)),
    ]


def _go(batch: int) -> Callable[[Job], Command]:
    def command(job: Job) -> Command:
        return [
            *(GO_BIN / "reference", f"-brokers={job.bootstrap_servers}", f"-topic={job.topic}"),
            *(f"-group={job.group_id}", f"-url={job.sink_url}", f"-in-flight={job.in_flight}", f"-batch={batch}"),
        ]

    return command


def _load(job: Job) -> Command:
    return [GO_BIN / "load", f"-address={job.sink_address}", f"-connections={job.in_flight}"]


OURS = "customfit-consumer"
TWO = "customfit-consumer-two"
SEVERAL = "customfit-consumer-several"

CONTENDERS: Mapping[str, Contender] = {
    contender.name: contender
    for contender in (
        Contender(
            OURS,
            "`customfit-consumer run`, default settings but for the in-flight limit; httptools, uvloop",
            lambda _job: [sys.executable, "-m", "consumer", "run"],
            _customfit("auto"),
        ),
        Contender(
            TWO,
            "two members of it in one group, each with half of the requests at once",
            lambda _job: [sys.executable, "-m", "bench.several_members"],
            _customfit("auto"),
        ),
        Contender(
            SEVERAL,
            "as many members of it in one group as the point says, each with all of the requests at once",
            lambda _job: [sys.executable, "-m", "bench.several_members", "--each"],
            _customfit("auto"),
        ),
        Contender(
            "customfit-consumer-httpx",
            "the same with `CUSTOMFIT_HTTP_ENGINE=httpx`",
            lambda _job: [sys.executable, "-m", "consumer", "run"],
            _customfit("httpx"),
        ),
        Contender("plain-loop", "confluent-kafka and `httpx.Client`, one event at a time, a commit every 100", _plain),
        Contender(
            "parallel-consumer",
            "Confluent Parallel Consumer 0.5.3.3, Vert.x, `KEY` order, one event a request, asynchronous commits once a"
            " second, `maxConcurrency` and connection pool as the in-flight limit, 1 GB of heap",
            _parallel_consumer,
            needs=JAVA,
        ),
        Contender(
            "quix-streams",
            "Quix Streams 3.28.1, a sink that posts at each checkpoint (10,000 events or 1 s): users at once, one"
            " user's events in order and together; pyreqwest, uvloop",
            _python("bench.quix_contender", python=QUIX_PYTHON),
            lambda _job: {"PYTHONPATH": str(ROOT)},
            needs=QUIX,
        ),
        Contender(
            "go",
            "franz-go and fasthttp, a lane per user, one user's waiting events together; no state, no dead letters,"
            " no rebalances",
            _go(100),
            needs=GO,
        ),
        Contender("go-single", "the same with one event a request", _go(1), needs=GO),
        Contender(
            "consume-only",
            "confluent-kafka, `consume(1000)`, nothing done with the events",
            _consume_only,
            reads_only=True,
        ),
        Contender(
            "sink-limit",
            "no Kafka: a load generator in Go, one event a request, as fast as the sink answers",
            _load,
            needs=GO,
            from_kafka=False,
        ),
    )
}
