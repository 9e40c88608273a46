"""The composition root of `run`: settings → edges → pipeline → until SIGTERM. No logic of its own."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import random
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from consumer import __version__
from consumer.avro.known_schemas import KnownSchemas
from consumer.avro.reader import single_object_readers
from consumer.customfit.key_rotation import RotatingEngine
from consumer.dead_letters.writer import DeadLetters
from consumer.exit_codes import EXIT_BROKEN_RULE, EXIT_ERROR, EXIT_OK, EXIT_UNAVAILABLE, EXIT_UNDRAINED
from consumer.kafka.client import KafkaUnavailable, librdkafka_version
from consumer.kafka.members import Members
from consumer.kafka.peek import Peek
from consumer.kafka.schema_registry import SchemaRegistry
from consumer.kafka.source import Source
from consumer.kafka.topics import prepare
from consumer.log_codes import Code, fields
from consumer.loop.pipeline import Pipeline
from consumer.ops.about import about
from consumer.ops.descriptors import raise_descriptors
from consumer.ops.log_level import LevelSwitch
from consumer.ops.metrics import Metrics
from consumer.ops.overview import Overview
from consumer.ops.pages import routes
from consumer.ops.recorder import Recorder
from consumer.ops.reporter import Reporter
from consumer.ops.server import HttpServer, Reader, Route
from consumer.ops.users import FOLDER, Users
from consumer.ports.daemon import in_daemon_thread
from consumer.ports.edges import Edges
from consumer.ports.inbox import Inbox
from consumer.ports.inputs import Stop
from consumer.receipts.writer import Receipts
from consumer.sequencing.gate import Gate
from consumer.sequencing.rules import SequencingRules
from consumer.sequencing.sequencer import Sequencer
from consumer.settings.loading import SettingsError
from consumer.state.pause_follower import PauseFollower
from consumer.state.thread import UserStates
from consumer.state.topic import StateTopic, prepare_state_topic

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.settings.masking import Masker

BACKOFF_SECONDS_FIRST: Final = 0.5
BACKOFF_SECONDS_MAX: Final = 30.0

log = logging.getLogger("consumer")


def backoff_seconds(attempt: int) -> float:
    """Full jitter: anything up to 0.5 s, 1 s, 2 s ... 30 s, so that those who failed together return apart."""
    return random.uniform(0, min(BACKOFF_SECONDS_FIRST * 2.0 ** min(attempt, 10), BACKOFF_SECONDS_MAX))


_ENDS: Final = {
    EXIT_OK: "stopped as it was told, with nothing left over",
    EXIT_ERROR: "the program failed; the lines above say how",
    EXIT_UNAVAILABLE: "Kafka can't be had; the lines above say why",
    EXIT_BROKEN_RULE: "an internal rule was broken, which is a bug; the lines above say which",
    EXIT_UNDRAINED: "stopped with requests in flight or uncommitted: they are sent again after the next start",
}


def say_start(settings: Settings) -> None:
    """Log the first line: what this is."""
    what = {
        "version": __version__,
        "librdkafka": librdkafka_version(),
        "group": settings.kafka_group_id,
        "topic": settings.kafka_topic,
        "destination": settings.destination_name,
        "engine": settings.http_engine,
    }
    log.info("customfit-consumer starts", extra=fields(Code.STARTED, **what))


def say_end(code: int, why: str | None = None) -> None:
    """Log the last line: how it ended."""
    level = logging.INFO if code == EXIT_OK else logging.ERROR
    log.log(level, "ended: %s", why or _ENDS[code], extra=fields(Code.ENDED, exit_code=code))


async def serve(
    settings: Settings, reload: Callable[[], Settings], masker: Masker, config_file: Path | None = None
) -> int:
    """Run until told to stop; gives the exit code. Raises KafkaUnavailable, EngineUnavailable, CannotListen.

    `reload` gives the settings as their sources are now; of them the API key, the registry's password and, where
    there is a configuration file, the log level are used.
    The masker is told each new one, and asked about all that leaves the process.
    """
    raise_descriptors()
    engine = RotatingEngine(settings, reload, masker=masker)
    inbox = Inbox()
    gate = Gate(settings.in_flight_max, backoff_seconds, settings.lease.request_timeout_seconds)
    sequencer = Sequencer(settings.fill(SequencingRules), gate, backoff_seconds)
    source = Source(settings, inbox.post)
    states = UserStates(settings, inbox.post)
    dead_letters = DeadLetters(settings, inbox.post, masker.text)
    metrics = Metrics(lambda: pipeline.snapshot)
    reporter = Reporter(metrics, settings.dead_letter_topic)
    schemas = KnownSchemas(single_object_readers(), has_registry=settings.schema_registry_url is not None)
    registry = SchemaRegistry(settings, inbox.post, backoff_seconds, reload, masker)
    peek = Peek(settings, inbox.post)
    receipts = Receipts(settings, inbox.post) if settings.receipt_topic is not None else None
    pauses = PauseFollower(settings, inbox.post)
    edges = Edges(source, states, dead_letters, engine, registry, peek, receipts)
    pipeline = Pipeline(settings, inbox, sequencer, edges, reporter, schemas, states.figures)
    recorder = Recorder(lambda: pipeline.snapshot, metrics)
    process = about(settings, socket.gethostname(), time.time(), time.monotonic())
    members = Members(settings, lambda: source.member_id)
    overview = Overview(process, reporter.errors, recorder, members, masker)
    users = Users(settings, inbox.post, lambda: pipeline.snapshot, states.identified_at, masker.value)
    pages = {
        **routes(lambda: pipeline.snapshot, lambda: source.polled_at, metrics, overview),
        FOLDER: Route(users.answer, Reader.VIEWER),
    }
    server = HttpServer(settings.http_host, settings.http_port, pages, settings.http_hosts or ())
    server.start()
    recorder.start()
    try:
        switch = LevelSwitch(settings.log_level)
        stopping = _hear_signals(settings, engine, switch, reload, config_file, lambda: inbox.post_here(Stop()))
        prepared = await _prepared(settings, stopping)
        if prepared is None:
            return EXIT_OK
        topics, state_topic = prepared
        told = "Kafka answers: reading %s as group %s"
        log.info(told, " and ".join(topics), settings.kafka_group_id, extra=fields(Code.CONNECTED))
        _tune_interpreter()
        pauses.start(state_topic)
        states.start(state_topic)
        _start(dead_letters, receipts, registry, peek)
        source.start(topics)
        await pipeline.run()
        _stop(peek, pauses, registry, dead_letters, receipts)
        await asyncio.to_thread(states.stop)  # a second signal is heard meanwhile
    finally:
        await engine.close()
        recorder.stop()
        server.close()
    return _exit_code(pipeline)


def _start(*edges: DeadLetters | Receipts | SchemaRegistry | Peek | None) -> None:
    for edge in edges:
        if edge is not None:
            edge.start()


def _stop(*edges: DeadLetters | Receipts | SchemaRegistry | Peek | PauseFollower | None) -> None:
    for edge in edges:
        if edge is not None:
            edge.stop()


def _tune_interpreter() -> None:
    """Look for cycles seldom: tens of thousands of buffered events would be walked each time, and hold none.

    Threads take turns ten times as often as by default: what Kafka's thread fetches waits less for the loop's, and so
    more of a user's events go together (2.6 a request, with turns of 20 ms 2.3; measured).
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 100)
    sys.setswitchinterval(0.0005)


def _hear_signals(  # noqa: PLR0917  called once
    settings: Settings,
    engine: RotatingEngine,
    switch: LevelSwitch,
    reload: Callable[[], Settings],
    config: Path | None,
    stop: Callable[[], None],
) -> asyncio.Event:
    """Listen to all of them. Returns what is set when the process is told to stop."""
    stopping = _stop_on_signals(stop)
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, switch.toggle)
    _read_again_on_signal(settings, engine, switch, reload, config)
    return stopping


def _stop_on_signals(stop: Callable[[], None]) -> asyncio.Event:
    """SIGTERM, SIGINT and SIGHUP: the first drains, the second ends the process at once."""
    stopping = asyncio.Event()

    def on_signal() -> None:
        if stopping.is_set():
            say_end(EXIT_UNDRAINED, "stopped at once by a second signal: requests in flight are sent again")
            os._exit(EXIT_UNDRAINED)
        stopping.set()
        log.info("stopping: finishing requests in flight and committing", extra=fields(Code.STOPPING))
        stop()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if number == signal.SIGHUP and signal.getsignal(number) is signal.SIG_IGN:
            continue  # nohup
        loop.add_signal_handler(number, on_signal)
    return stopping


def _read_again_on_signal(
    settings: Settings, engine: RotatingEngine, switch: LevelSwitch, reload: Callable[[], Settings], config: Path | None
) -> None:
    """SIGHUP: read files again, for the key and the log level. Without any of these files a hangup stops us."""
    has_key = settings.origin("api_key") != "CUSTOMFIT_API_KEY (environment)"

    def on_signal() -> None:
        if has_key and not engine.read_key():
            log.info("SIGHUP: the API key is as it was", extra=fields(Code.KEY_UNCHANGED))
        if config is not None:
            _read_log_level(switch, reload)

    if has_key or config is not None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, on_signal)


def _read_log_level(switch: LevelSwitch, reload: Callable[[], Settings]) -> None:
    """Settings that can't be read change nothing."""
    try:
        settings = reload()
    except SettingsError as error:
        told = "SIGHUP: the log level stays as it is; the settings could not be read again: %s"
        log.warning(told, "; ".join(error.problems), extra=fields(Code.LOG_LEVEL_UNREADABLE))
    else:
        switch.configured(settings.log_level, settings.origin("log_level"))


async def _prepared(settings: Settings, stopping: asyncio.Event) -> tuple[list[str], StateTopic] | None:
    """Check Kafka, and create what is missing. Returns the topics to read, and the state's.

    None: told to stop meanwhile. Raises KafkaUnavailable.
    """

    def work() -> tuple[list[str], StateTopic]:
        partitions, topics = prepare(settings)
        return topics, prepare_state_topic(settings, partitions)

    done = in_daemon_thread("prepare", work)  # however long Kafka is silent, nobody waits for it at the end
    stopped = asyncio.ensure_future(stopping.wait())
    either: set[asyncio.Future[Any]] = {done, stopped}
    await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    if not done.done():
        return None
    prepared = done.result()
    return None if stopping.is_set() else prepared


def _exit_code(pipeline: Pipeline) -> int:
    if isinstance(pipeline.failure, AssertionError):
        return EXIT_BROKEN_RULE
    if isinstance(pipeline.failure, KafkaUnavailable):
        return EXIT_UNAVAILABLE
    if pipeline.failure is not None:
        return EXIT_ERROR
    if pipeline.drain_cut_short:
        return EXIT_UNDRAINED
    return EXIT_OK
