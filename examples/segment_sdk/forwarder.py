"""Takes what Segment's SDKs post, and answers 200 when Kafka has acknowledged all of it.

After 503 the SDK sends its batch again; an event that is in the topic twice then has the same messageId. It speaks
plain HTTP to this machine alone; for others, put a proxy with TLS in front.
"""

from __future__ import annotations

import base64
import contextlib
import hmac
import json
import os
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer

TOPIC = os.environ.get("KAFKA_TOPIC", "segment-events")
AUTHORIZATION = b"Basic " + base64.b64encode(os.environ["SEGMENT_WRITE_KEY"].encode() + b":")
BODY_BYTES_MAX = 1_000_000  # Segment's own limit is 500 KB a batch
producer = Producer(
    {
        "bootstrap.servers": os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "localhost:9092"),
        "enable.idempotence": True,
        "message.timeout.ms": 10_000,  # less than the 15 s that the SDK waits for an answer
        "partitioner": "murmur2_random",
    }
)


def to_kafka(events: list[dict[str, Any]]) -> bool:
    """Whether Kafka has acknowledged every event. Waits for the answers to all that were queued."""
    answers = SimpleQueue[KafkaError | None]()
    for event in events:
        user = event.get("userId") or event.get("anonymousId")
        key = None if user is None else str(user).encode()
        producer.produce(TOPIC, json.dumps(event).encode(), key, on_delivery=lambda error, _: answers.put(error))
    errors = [error for _ in events if (error := answers.get()) is not None]
    return not errors


class Forwarder(BaseHTTPRequestHandler):
    """One batch of one SDK, in a thread of its own."""

    timeout = 30  # seconds, for a client that says no more

    def do_POST(self) -> None:
        """Answer 200, or why not. No Retry-After: for it the SDK would let newer events go first."""
        text = self.text()
        if not hmac.compare_digest(self.headers.get("Authorization", "").encode(), AUTHORIZATION):
            return self.answer(401)
        if text is None:
            return self.answer(413)
        try:
            body = json.loads(text)
            # Some SDKs say once for all events what others say in each.
            shared = {name: body[name] for name in ("context", "integrations", "sentAt") if name in body}
            events = [{**shared, **event} for event in body["batch"]]
        except (ValueError, LookupError, TypeError):
            return self.answer(400)
        try:
            return self.answer(200 if to_kafka(events) else 503)
        except (BufferError, KafkaException):  # the producer's queue is full, or it can't go on
            return self.answer(503)

    def text(self) -> bytes | None:
        """The body; None: it is too large. It is read to its end all the same: who still writes sees no answer."""
        length = int(self.headers.get("Content-Length") or 0)
        if length <= BODY_BYTES_MAX:
            return self.rfile.read(length)
        while length > 0 and (piece := self.rfile.read(min(length, BODY_BYTES_MAX))):
            length -= len(piece)
        return None

    def answer(self, status: int) -> None:
        """Status and an empty JSON object."""
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")


def poll() -> None:
    """Hand out Kafka's answers, for ever."""
    while True:
        producer.poll(1)


if __name__ == "__main__":
    threading.Thread(target=poll, daemon=True).start()
    server = ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8090"))), Forwarder)
    print(f"SDKs may post to http://127.0.0.1:{server.server_port}", flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()
