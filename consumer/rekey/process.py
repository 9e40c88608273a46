"""The composition root of `rekey`: settings → edges → loop → until SIGTERM. Begins again when a producer has ended."""

from __future__ import annotations

import logging
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from confluent_kafka import KafkaException

from consumer import __version__
from consumer.exit_codes import EXIT_OK, EXIT_UNDRAINED
from consumer.kafka.client import KafkaUnavailable, librdkafka_version
from consumer.log_codes import Code, fields
from consumer.ops.server import HttpServer
from consumer.rekey.figures import Figures
from consumer.rekey.logs import Logs
from consumer.rekey.member import Member
from consumer.rekey.pages import routes
from consumer.rekey.reading import Reading
from consumer.rekey.rekeyer import Rekeyer
from consumer.rekey.topics import Grown, Prepared, changed, prepare, settings_of_rekey, target_of
from consumer.rekey.writer import Fenced, Writer, WriterLost

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.settings.masking import Masker

BACKOFF_SECONDS: Final = (0.1, 5.0)
AGAIN_SECONDS: Final = 1.0
FENCED_SECONDS: Final = 60.0
"""Fenced twice within this time: another process has the same id, and does not go away."""
STOP_SECONDS: Final = 10.0
"""A stop waits so long for a transaction that is being committed."""

log = logging.getLogger("consumer.rekey")


class _Stopped(Exception):
    """Told to stop."""


class Process:
    """One process of `rekey`: its parts, and how it begins again and ends."""

    def __init__(
        self, settings: Settings, reload: Callable[[], Settings], masker: Masker, *, accept_growth: bool = False
    ) -> None:
        self._settings = settings
        self._ours = settings_of_rekey(settings)
        self._target = target_of(settings)
        self._accept_growth = accept_growth
        self._figures = Figures()
        self._reading = Reading(self._ours, _backoff, reload, masker)
        self._stop_at: float | None = None
        self._fenced_at = -FENCED_SECONDS
        about = {
            "version": __version__,
            "group": self._ours.kafka_group_id,
            "source": settings.kafka_topic,
            "target": self._target,
        }
        pages = routes(self._figures, about, masker.text)
        self._server = HttpServer(settings.http_host, settings.http_port, pages, settings.http_hosts or ())

    def run(self) -> int:
        """Run until told to stop; gives the exit code. Raises KafkaUnavailable, KafkaMisconfigured, CannotListen."""
        self._hear_signals()
        self._server.start()
        instance = instance_of(self._settings, self._server.port)
        what = {
            "version": __version__,
            "librdkafka": librdkafka_version(),
            "group": self._ours.kafka_group_id,
            "source": self._settings.kafka_topic,
            "target": self._target,
            "transactional_id": instance,
        }
        log.info("customfit-consumer rekey starts", extra=fields(Code.REKEY_STARTED, **what))
        self._reading.start()
        try:
            # First: what an earlier one left open would keep the group's offsets from being told.
            first = Writer(self._ours, self._target, instance, self._check)
            first.open()
            first.close()
            prepared = prepare(
                self._settings,
                accept_growth=self._accept_growth,
                check=self._check,
                tell=_tell,
            )
            while True:
                self._session(prepared, instance)
        except _Stopped:
            return EXIT_OK
        finally:
            self._figures.phase = "stopping"
            self._reading.stop()
            self._server.close()

    def _session(self, prepared: Prepared, instance: str) -> None:
        """One producer and one membership; ends when one of them does. Raises _Stopped."""
        figures = self._figures
        writer = Writer(self._ours, self._target, instance, self._check_transaction)
        try:
            writer.open()
        except KafkaUnavailable as error:
            if figures.phase == "starting":
                raise
            self._again(str(error))  # it worked before: Kafka is away, and is waited for
            return
        figures.problem = None  # what is left to write is read again, and what goes wrong then is said then
        logs = Logs(self._ours, [self._settings.kafka_topic, self._target])
        logs.start()
        rekeyer = Rekeyer(self._ours, prepared.remembered, writer, self._reading, logs, figures, _backoff)
        member = Member(self._ours, prepared.source_partitions, rekeyer.gone)
        figures.phase = "running"
        try:
            while True:
                self._check()
                rekeyer.turn(member)
                self._look_at_topics(prepared, logs)
        except Fenced as error:
            now = time.monotonic()
            if now - self._fenced_at < FENCED_SECONDS:
                raise KafkaUnavailable(
                    f"another `rekey` runs with the transactional id {instance!r}; give each a hostname of its own, "
                    "or group.instance.id in CUSTOMFIT_KAFKA_PROPERTIES"
                ) from None
            self._fenced_at = now
            self._again(f"the transaction was taken away: {error}")
        except (WriterLost, KafkaException) as error:
            self._again(str(error))
        finally:
            figures.joined = False
            logs.stop()
            writer.close()
            member.leave()

    def _again(self, why: str) -> None:
        told = "beginning again from the group's offsets: %s"
        log.warning(told, why, extra=fields(Code.REKEY_AGAIN))
        self._figures.problem = why
        ends_at = time.monotonic() + AGAIN_SECONDS
        while time.monotonic() < ends_at:
            self._check()
            time.sleep(0.05)

    def _look_at_topics(self, prepared: Prepared, logs: Logs) -> None:
        why = changed(prepared.remembered, self._settings.kafka_topic, self._target, logs.topics)
        if why is not None:
            raise Grown(why)

    # ------------------------------------------------------------------ the end

    def _check(self) -> None:
        if self._stop_at is not None:
            raise _Stopped

    def _check_transaction(self) -> None:
        """Told to stop: a transaction that is under way is waited for, STOP_SECONDS at most."""
        self._figures.turned_at = time.monotonic()
        if self._stop_at is not None and time.monotonic() - self._stop_at > STOP_SECONDS:
            log.warning("stopped while a transaction was not answered", extra=fields(Code.ENDED))
            os._exit(EXIT_UNDRAINED)

    def _hear_signals(self) -> None:
        def on_signal(_number: int, _frame: object) -> None:
            if self._stop_at is not None:
                os._exit(EXIT_UNDRAINED)
            self._stop_at = time.monotonic()
            log.info("stopping: finishing the transaction that is open", extra=fields(Code.STOPPING))

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, on_signal)


def instance_of(settings: Settings, port: int) -> str:
    """The transactional id: the same after a restart, and another one for each process that runs at the same time."""
    name = settings.kafka_properties.get("group.instance.id") or f"{socket.gethostname()}-{port}"
    return f"{settings_of_rekey(settings).kafka_group_id}-{name}"


def _tell(line: str) -> None:
    """Log what is in the way at the start."""
    log.warning("%s", line, extra=fields(Code.KAFKA_CLIENT))


def _backoff(attempt: int) -> float:
    first, most = BACKOFF_SECONDS
    return random.uniform(first / 2, min(first * 2.0 ** min(attempt, 10), most))
