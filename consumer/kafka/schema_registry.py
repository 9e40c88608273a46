"""The schema registry edge, by httpx: Confluent's HTTP API, which Apicurio, Karapace and Redpanda speak, too.

A thread asks one question at a time. That the registry does not have a schema is an answer. If anything else goes wrong
(not reachable, 5xx, a wrong password, a page that is no registry's), the question is asked again until there is an
answer, because the failure says nothing about the records that wait.
"""

from __future__ import annotations

import heapq
import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from urllib.parse import quote

import msgspec

from consumer.avro.known_schemas import Read
from consumer.avro.reader import avro_reader, json_reader
from consumer.avro.schema_safety import UnusableSchema
from consumer.avro.wire_format import SchemaRef
from consumer.customfit.engine import EngineUnavailable
from consumer.kafka.registry_exchange import REPLY_BYTES_MAX, Exchange, NoReply, Reply
from consumer.log_codes import Code, fields
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import Post, RegistryProblem, SchemaFound, SchemaMissing
from consumer.settings import SettingsError
from consumer.settings.known_secrets import masker_of, secrets_of

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.settings.masking import Masker
    from consumer.settings.secret import Secret

STOP_SECONDS: Final = 1.0
SAID_CHARACTERS_MAX: Final = 200
PROBLEM_CHARACTERS_MAX: Final = 300
KIND_CHARACTERS_MAX: Final = 20
REFERENCES_MAX: Final = 50
"""How many schemas one schema may refer to, directly and through others."""
ABSENT_CODES: Final = frozenset({40401, 40402, 40403})
"""Subject, version or schema not found. A 404 without one of them does not come from a registry: the URL is wrong."""
T = TypeVar("T")
log = logging.getLogger("consumer.decode")

_HINTS: Final = {
    401: "; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?",
    403: "; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?",
    404: "; is CUSTOMFIT_SCHEMA_REGISTRY_URL right?",
}


class _Absent(Exception):
    """The registry does not have the schema, and asking again would not help."""


class RegistryUnavailable(Exception):
    """It does not answer as a schema registry does. The message says why, for people."""


def inspect_registry(settings: Settings) -> str:
    """Which types of schemas the registry has, for people. Raises RegistryUnavailable."""
    beginning_of = masker_of(settings).beginning_of
    types = _asked_once(settings, "GET", "/schemas/types", None, list)
    return ", ".join(beginning_of(str(kind), KIND_CHARACTERS_MAX) for kind in types[:10])


def register_schema(settings: Settings, subject: str, text: str) -> int:
    """Register an Avro schema, or find it there; gives its id. Raises RegistryUnavailable."""
    path = f"/subjects/{quote(subject, safe='')}/versions"
    schema_id = _asked_once(settings, "POST", path, msgspec.json.encode({"schema": text}), dict).get("id")
    if not isinstance(schema_id, int) or isinstance(schema_id, bool) or not 0 <= schema_id < 2**32:
        raise RegistryUnavailable(f"POST {path} was answered without an id of four bytes")
    return schema_id


def _asked_once(settings: Settings, method: str, path: str, body: bytes | None, kind: type[T]) -> T:
    """The answer to a command's question. Raises RegistryUnavailable."""
    masker = masker_of(settings)
    try:
        with Exchange(settings.schema_registry_url or "", settings.schema_registry_user_info) as exchange:
            reply = exchange.ask(method, path, body)
    except (NoReply, EngineUnavailable) as problem:
        raise RegistryUnavailable(masker.text(str(problem))) from None
    if reply.status == 200 and isinstance(reply.answer, kind):
        return reply.answer
    said = reply.answer.get("message") if isinstance(reply.answer, dict) else None
    said = f": {masker.beginning_of(str(said), SAID_CHARACTERS_MAX)}" if said else ""
    raise RegistryUnavailable(f"{method} {path} was answered {reply.status}{_HINTS.get(reply.status, '')}{said}")


class SchemaRegistry:
    """Answers each `fetch` with `SchemaFound` or `SchemaMissing`, after any number of `RegistryProblem`."""

    def __init__(
        self,
        settings: Settings,
        post: Post,
        backoff: Callable[[int], float],
        reload: Callable[[], Settings],
        masker: Masker | None = None,
    ) -> None:
        """`reload` reads the settings once more: the password may be rotated, and the masker learns the new one.

        `backoff` gives for how many seconds to wait after a failure, by how many came before. Raises EngineUnavailable
        for a proxy that can't be used.
        """
        self._url = settings.schema_registry_url
        self._exchange = Exchange(self._url, settings.schema_registry_user_info) if self._url else None
        self._reload = reload
        self._user_info = settings.schema_registry_user_info
        self._masker = masker_of(settings) if masker is None else masker
        self._post = post
        self._backoff = backoff
        self._requests: queue.SimpleQueue[SchemaRef | None] = queue.SimpleQueue()
        self._again: list[tuple[float, int, SchemaRef]] = []
        """A heap of what to ask again: when (monotonic seconds), how often it has failed, which schema."""
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name="schema-registry", daemon=True)

    def start(self) -> None:
        """Start the thread, if there is a registry."""
        if self._exchange is not None:
            self._thread.start()

    def fetch(self, schema: SchemaRef) -> None:
        """Ask for a schema, by its id or GUID."""
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
        assert self._exchange is not None
        with self._exchange as exchange:
            while not self._stopping:
                due = self._again[0][0] if self._again else None
                try:
                    schema = self._requests.get(timeout=None if due is None else max(due - time.monotonic(), 0.0))
                    attempt = 0
                except queue.Empty:
                    _, attempt, schema = heapq.heappop(self._again)
                if schema is not None and not isinstance(schema, bytes):
                    self._ask(exchange, schema, attempt)

    def _ask(self, exchange: Exchange, schema: int | str, attempt: int) -> None:
        by = f"schemas/ids/{schema}" if isinstance(schema, int) else f"schemas/guids/{quote(schema, safe='')}"
        try:
            self._post(SchemaFound(schema, self._reader(exchange, by)))
        except _Absent as absent:
            said = self._masker.beginning_of(str(absent), SAID_CHARACTERS_MAX)
            self._post(SchemaMissing(schema, f"the schema registry does not have schema {schema}: {said}"))
        except Exception as problem:  # noqa: BLE001  whatever it is, it says nothing of the records, which wait
            told = str(problem) if isinstance(problem, NoReply) else f"{type(problem).__name__} {problem}"
            self._post(RegistryProblem(self._masker.beginning_of(told, PROBLEM_CHARACTERS_MAX)))
            exchange.log_in(self._user_info_now())
            heapq.heappush(self._again, (time.monotonic() + self._backoff(attempt), attempt + 1, schema))

    def _user_info_now(self) -> Secret | None:
        try:
            settings = self._reload()
            self._masker.learn(secrets_of(settings))
            self._user_info = settings.schema_registry_user_info
        except SettingsError as error:
            told = "the registry's password stays as it is, the settings can't be read: %s"
            log.warning(told, error, extra=fields(Code.REGISTRY_PASSWORD_UNREADABLE))
        return self._user_info

    def _reader(self, exchange: Exchange, path: str) -> Read | str:
        """A function that reads with the schema at this path; a text: why nothing can be read with it."""
        found = self._get(exchange, path)
        kind = found.get("schemaType") or "AVRO"
        if kind == "JSON":
            return json_reader
        if kind != "AVRO":
            named = self._masker.beginning_of(str(kind), KIND_CHARACTERS_MAX)
            return f"schemas of type {named} are not read, only AVRO and JSON"
        try:
            return avro_reader(self._documents(exchange, found, set()))
        except UnusableSchema as problem:
            return str(problem)

    def _documents(self, exchange: Exchange, found: dict[str, Any], seen: set[str]) -> list[object]:
        """The schemas that this one refers to, then the schema itself. Raises UnusableSchema."""
        documents: list[object] = []
        references = found.get("references") or []
        if not isinstance(references, list):
            raise UnusableSchema("the references of the schema are no list")
        for reference in references:
            if not isinstance(reference, dict):
                raise UnusableSchema("a reference of the schema is no object")
            subject, version = quote(str(reference.get("subject")), safe=""), quote(str(reference.get("version")), "")
            path = f"subjects/{subject}/versions/{version}"
            if path in seen:
                continue
            seen.add(path)
            if len(seen) > REFERENCES_MAX:
                raise UnusableSchema(f"the schema refers to more than {REFERENCES_MAX} others")
            documents += self._documents(exchange, self._get(exchange, path), seen)
        try:
            return [*documents, msgspec.json.decode(found["schema"])]
        except (msgspec.DecodeError, RecursionError):
            # Confluent's registry accepts a bare name, too, which is no JSON.
            raise UnusableSchema("the schema is no JSON") from None

    def _get(self, exchange: Exchange, path: str) -> dict[str, Any]:
        return _judged(exchange.ask("GET", f"/{path}"))


def _judged(reply: Reply) -> dict[str, Any]:
    """The schema in an answer. Raises _Absent if the registry says that it will never give it, else NoReply."""
    status, answer = reply.status, reply.answer
    if status == 200 and isinstance(answer, dict) and isinstance(answer.get("schema"), str):
        return answer
    if answer is None and reply.packing:
        hint = _HINTS.get(status, f"; its answer is packed ({reply.packing}), which it was asked not to do")
        raise NoReply(f"{status}{hint}")
    if status == 200 and reply.is_too_large:
        raise _Absent(f"its answer is larger than {REPLY_BYTES_MAX} bytes")
    if status == 200:
        raise NoReply("200, but no schema in it: is CUSTOMFIT_SCHEMA_REGISTRY_URL right?")
    if status in (400, 404, 422) and isinstance(answer, dict) and isinstance(answer.get("error_code"), int):
        if status == 404 and answer["error_code"] not in ABSENT_CODES:
            raise NoReply(f"404 for the path: is CUSTOMFIT_SCHEMA_REGISTRY_URL right? (error {answer['error_code']})")
        raise _Absent(str(answer.get("message")))
    raise NoReply(f"{status}{_HINTS.get(status, '')}")
