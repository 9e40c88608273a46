"""An emulator that keeps what it is sent, byte for byte."""

from __future__ import annotations

from consumer.emulator.http import Reply, Silence
from consumer.emulator.request import Request
from consumer.emulator.server import Emulator
from tests.real_broker.running_service import KEY


class Listening(Emulator):
    """Keeps the body of each request."""

    def __init__(self) -> None:
        super().__init__(keys=frozenset({KEY}))
        self.bodies: list[bytes] = []

    def answer(self, request: Request, *, connected: bool) -> Reply | Silence:
        """As the emulator does."""
        self.bodies.append(request.body)
        return super().answer(request, connected=connected)
