"""Waits for a broker's first answer, says what is in the way meanwhile, and gives up in time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import ClusterMetadata

from consumer.kafka.client import KafkaUnavailable, error_text
from consumer.kafka.patience import patiently
from consumer.kafka.topics import Topics, reason_of

if TYPE_CHECKING:
    from consumer.settings import Settings

TELL_SECONDS: Final = 2.0
TELL_AGAIN_SECONDS: Final = 10.0
ASK_SECONDS: Final = 1.0
"""How long the first two questions wait, since a client says what went wrong only between questions; later ones wait
longer."""
ASK_SECONDS_MAX: Final = 5.0
"""How long a question waits at most: so long Ctrl-C waits, too, while no broker answers."""

Tell = Callable[[str], object]
"""Shows a line to people."""


class Client(Protocol):
    """What the consumer, the producer and the admin client have in common."""

    def list_topics(self, *, timeout: float) -> ClusterMetadata:
        """All topics and brokers."""

    def poll(self, timeout: float) -> object:
        """Serve the callbacks."""


class Contact:
    """What one client reports of its brokers. `note` is that client's error callback."""

    def __init__(self, settings: Settings, tell: Tell) -> None:
        """`tell` gets a line after 2 s without an answer, and every 10 s from then on."""
        self._settings = settings
        self._tell = tell
        self._errors: dict[int, KafkaError] = {}
        """The last error of each code."""
        self._began_at = 0.0
        self._tell_at = math.inf

    def note(self, error: KafkaError) -> None:
        """Take an error that the client reports."""
        self._errors[error.code()] = error

    def begin(self) -> None:
        """Begin to wait for an answer."""
        self._began_at = time.monotonic()
        self._tell_at = self._began_at + TELL_SECONDS

    def wait(self, what: str = "") -> None:
        """Say that there is no answer yet, if it is time to. `what`: what was asked for."""
        now = time.monotonic()
        if now < self._tell_at:
            return
        self._tell_at = now + TELL_AGAIN_SECONDS
        reason = f": {self.reason()}" if self.reason() else ""
        self._tell(
            f"no answer from Kafka at {self._settings.kafka_bootstrap_servers} yet{what and f' for {what}'}{reason}; "
            f"waiting for {now - self._began_at:.0f} s, at most {self._settings.startup_timeout_seconds:g} s "
            "(CUSTOMFIT_STARTUP_TIMEOUT_SECONDS)"
        )

    def topics(self, client: Client, check: Callable[[], object] = lambda: None) -> Topics:
        """All topics that this user may see. `check` is called between questions, and may raise.

        Raises KafkaUnavailable.
        """
        settings = self._settings
        asked = 0

        def ask(seconds: float) -> Topics:
            nonlocal asked
            patience = ASK_SECONDS * 2.0 ** max(asked - 1, 0)  # in the end, a slow broker is given time, too
            asked += 1
            return client.list_topics(timeout=min(seconds, patience, ASK_SECONDS_MAX)).topics

        def may_go_on(_error: object) -> bool:
            client.poll(0.1)  # calls `note` with what went wrong
            check()
            self.wait()
            return True

        self.begin()
        try:
            return patiently(ask, settings.startup_timeout_seconds, may_go_on)
        except KafkaException as error:
            raise KafkaUnavailable(
                f"no Kafka broker answered at {settings.kafka_bootstrap_servers}, which is what "
                f"{settings.origin('kafka_bootstrap_servers')} says, within {settings.startup_timeout_seconds:g} s "
                f"(CUSTOMFIT_STARTUP_TIMEOUT_SECONDS): {self.reason() or error_text(error)}"
            ) from None

    def reason(self) -> str:
        """What keeps the brokers from answering, as far as the client has said."""
        return reason_of(self._settings, list(self._errors.values())) or ""
