"""The end of the process: at once, when all is said. Python and C are not taken apart under threads that still work."""

from __future__ import annotations

import logging
import os
from typing import NoReturn


def leave(code: int) -> NoReturn:
    """End with this code; nothing may be left to do but this.

    Threads of librdkafka work to the very end: to wait for them can take minutes where Kafka is silent. C's exit frees
    OpenSSL's tables while they hash a password for SCRAM, and an admin client that is answered then calls into an
    interpreter that is gone. Both end the process by SIGSEGV in place of its exit code (confluent-kafka 2.16.1, seen).
    """
    logging.shutdown()
    os._exit(code)
