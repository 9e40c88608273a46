"""The schema registry edge: Confluent's HTTP API, which Apicurio, Karapace and Redpanda speak too, by httpx.

A thread asks, one question at a time. A schema that the registry does not have is an answer; everything else that goes
wrong (not reachable, 5xx, a wrong password, a page that is no registry's) is asked again until there is one, because
it says nothing of the records that wait.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

import httpx
import msgspec

from consumer.avro import avro_reader, json_reader
from consumer.inbox import run_edge
from consumer.inputs import Post, RegistryTrouble, SchemaFound, SchemaMissing
from consumer.known_schemas import Read
from consumer.schema_safety import UnusableSchema
from consumer.wire_format import SchemaRef

if TYPE_CHECKING:
    from consumer.secret import Secret
    from consumer.settings import Settings

TIMEOUT_SECONDS: Final = 10.0
STOP_SECONDS: Final = 1.0
SCHEMA_BYTES_MAX: Final = 1_048_576
HEADERS: Final = {"Accept": "application/json, */*", "Accept-Encoding": "identity"}
"""Nothing packed, and nothing is unpacked: httpx 0.28 unpacks each piece whole, and 64 KiB of zeros become 64 MiB."""
REFERENCES_MAX: Final = 50
"""Schemas that one schema refers to, directly and by others."""
ABSENT_CODES: Final = frozenset({40401, 40402, 40403})
"""Subject, version, schema not found. A 404 without one of them is not a registry's: the URL is wrong."""


_HINTS: Final = {
    401: "; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?",
    403: "; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?",
    404: "; is CUSTOMFIT_SCHEMA_REGISTRY_URL right?",
}


class _Trouble(Exception):
    """No answer; ask again."""


class _Absent(Exception):
    """The registry does not have it, and will not."""


class RegistryUnavailable(Exception):
    """It does not answer as a schema registry does; `check --connect` says so."""


def inspect_registry(settings: Settings) -> str:
    """Which types of schemas it has, in words. Raises RegistryUnavailable."""
    url = f"{settings.schema_registry_url}/schemas/types"
    try:
        with _client(settings.schema_registry_user_info) as client:
            response = client.get(url)
            types = response.json() if response.status_code == 200 else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RegistryUnavailable(f"no answer of a registry: {_told(error)}") from None
    if not isinstance(types, list):
        hint = _HINTS.get(response.status_code, "")
        raise RegistryUnavailable(f"GET /schemas/types was answered {response.status_code}{hint}")
    return ", ".join(str(kind)[:20] for kind in types[:10])


def register_schema(settings: Settings, subject: str, text: str) -> int:
    """Register an Avro schema, or find it there; gives its id. Raises RegistryUnavailable."""
    path = f"/subjects/{quote(subject, safe='')}/versions"
    try:
        with _client(settings.schema_registry_user_info) as client:
            response = client.post(f"{settings.schema_registry_url}{path}", json={"schema": text}, headers=HEADERS)
            answer = response.json() if response.status_code == 200 else None
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise RegistryUnavailable(f"no answer of a registry: {_told(error)}") from None
    if not isinstance(answer, dict) or not isinstance(answer.get("id"), int):
        hint = _HINTS.get(response.status_code, "")
        raise RegistryUnavailable(f"POST {path} was answered {response.status_code}{hint}")
    return int(answer["id"])


def _client(user_info: Secret | None) -> httpx.Client:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each URL
    user, _, password = user_info.reveal().partition(":") if user_info else ("", "", "")
    return httpx.Client(auth=httpx.BasicAuth(user, password) if user_info else None, timeout=TIMEOUT_SECONDS)


class SchemaRegistry:
    """Answers `fetch` with `SchemaFound` or `SchemaMissing`, after any number of `RegistryTrouble`."""

    def __init__(self, settings: Settings, post: Post, backoff: Callable[[int], float]) -> None:
        self._url = settings.schema_registry_url
        self._user_info = settings.schema_registry_user_info
        self._post = post
        self._backoff = backoff
        self._requests: queue.SimpleQueue[SchemaRef | None] = queue.SimpleQueue()
        self._again: list[tuple[float, int, SchemaRef]] = []
        """When, how often it failed, and which: a heap."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="schema-registry", daemon=True)

    def start(self) -> None:
        """Start the thread, if there is a registry."""
        if self._url is not None:
            self._thread.start()

    def fetch(self, schema: SchemaRef) -> None:
        """Ask for a schema."""
        self._requests.put(schema)

    def stop(self) -> None:
        """End the thread, without waiting for an answer that is under way."""
        self._stopping = True
        self._requests.put(None)
        if self._thread.is_alive():
            self._thread.join(timeout=STOP_SECONDS)

    # ------------------------------------------------------------------ the thread

    def _run(self) -> None:
        run_edge("schema-registry", self._work, self._post)

    def _work(self) -> None:
        with _client(self._user_info) as client:
            while not self._stopping:
                due = self._again[0][0] if self._again else None
                try:
                    schema = self._requests.get(timeout=None if due is None else max(due - time.monotonic(), 0.0))
                    attempt = 0
                except queue.Empty:
                    _, attempt, schema = heapq.heappop(self._again)
                if schema is not None and not isinstance(schema, bytes):
                    self._ask(client, schema, attempt)

    def _ask(self, client: httpx.Client, schema: int | str, attempt: int) -> None:
        by = f"schemas/ids/{schema}" if isinstance(schema, int) else f"schemas/guids/{quote(schema, safe='')}"
        try:
            self._post(SchemaFound(schema, self._reader(client, by)))
        except _Absent as absent:
            self._post(SchemaMissing(schema, f"the schema registry does not have schema {schema}: {absent}"))
        except _Trouble as trouble:
            self._post(RegistryTrouble(str(trouble)))
            heapq.heappush(self._again, (time.monotonic() + self._backoff(attempt), attempt + 1, schema))

    def _reader(self, client: httpx.Client, path: str) -> Read | str:
        """How to read with the schema at this path; text: why nothing is read with it."""
        found = self._get(client, path)
        kind = found.get("schemaType", "AVRO")
        if kind == "JSON":
            return json_reader
        if kind != "AVRO":
            return f"schemas of type {str(kind)[:20]} are not read, only AVRO and JSON"
        try:
            return avro_reader(self._documents(client, found, set()))
        except UnusableSchema as problem:
            return str(problem)

    def _documents(self, client: httpx.Client, found: dict[str, Any], seen: set[str]) -> list[object]:
        """The schema's text behind those of all that it refers to. Raises UnusableSchema."""
        documents: list[object] = []
        for reference in found.get("references") or ():
            if not isinstance(reference, dict):
                raise UnusableSchema("a reference of the schema is no object")
            subject, version = quote(str(reference.get("subject")), safe=""), quote(str(reference.get("version")), "")
            path = f"subjects/{subject}/versions/{version}"
            if path in seen:
                continue
            seen.add(path)
            if len(seen) > REFERENCES_MAX:
                raise UnusableSchema(f"the schema refers to more than {REFERENCES_MAX} others")
            documents += self._documents(client, self._get(client, path), seen)
        try:
            return [*documents, msgspec.json.decode(found["schema"])]
        except (msgspec.DecodeError, RecursionError):
            # Confluent's registry takes a bare name too.
            raise UnusableSchema("the schema is no JSON") from None

    def _get(self, client: httpx.Client, path: str) -> dict[str, Any]:
        try:
            with client.stream("GET", f"{self._url}/{path}", headers=HEADERS) as response:
                body = b""
                for part in response.iter_raw():
                    body += part
                    if len(body) > SCHEMA_BYTES_MAX:
                        raise _Absent(f"its answer is larger than {SCHEMA_BYTES_MAX} bytes")
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _Trouble(f"no answer: {_told(error)}") from None
        return _judged(response.status_code, body, response.headers.get("Content-Encoding", ""))


def _told(error: Exception) -> str:
    untrusted = "; does SSL_CERT_FILE name a file with its authority?" if "CERTIFICATE_VERIFY" in str(error) else ""
    return f"{type(error).__name__} {error}"[:300] + untrusted


def _judged(status: int, body: bytes, packing: str) -> dict[str, Any]:
    try:
        answer = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        answer = None
    if status == 200 and isinstance(answer, dict) and isinstance(answer.get("schema"), str):
        return answer
    if status == 200 and packing:
        raise _Trouble(f"its answer is packed ({packing[:20]}), which it was asked not to do")
    if status == 200:
        raise _Trouble("200, but no schema in it: is CUSTOMFIT_SCHEMA_REGISTRY_URL right?")
    if status in (400, 404, 422) and isinstance(answer, dict) and "error_code" in answer:
        if status == 404 and answer["error_code"] not in ABSENT_CODES:
            raise _Trouble(f"404 for the path: is CUSTOMFIT_SCHEMA_REGISTRY_URL right? (error {answer['error_code']})")
        raise _Absent(str(answer.get("message"))[:200])
    raise _Trouble(f"{status}{_HINTS.get(status, '')}")
