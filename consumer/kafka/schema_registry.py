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
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar
from urllib.parse import quote

import httpx
import msgspec

from consumer.avro.known_schemas import Read
from consumer.avro.reader import avro_reader, json_reader
from consumer.avro.schema_safety import UnusableSchema
from consumer.avro.wire_format import SchemaRef
from consumer.log_codes import Code, fields
from consumer.ports.inbox import run_edge
from consumer.ports.inputs import Post, RegistryProblem, SchemaFound, SchemaMissing
from consumer.settings import SettingsError
from consumer.settings.masking import Masker, basic

if TYPE_CHECKING:
    from consumer.settings import Settings
    from consumer.settings.secret import Secret

TIMEOUT_SECONDS: Final = 10.0
STOP_SECONDS: Final = 1.0
SAID_CHARACTERS_MAX: Final = 200
MESSAGE_CHARACTERS_MAX: Final = 4000
"""Of what the registry says, before the password is blotted out: cut in two it would not be found."""
SCHEMA_BYTES_MAX: Final = 1_048_576
HEADERS: Final = {
    "Accept": "application/json, */*",
    "Accept-Encoding": "identity",
    "Content-Type": "application/json",
}
"""Nothing packed, and nothing is unpacked: httpx 0.28 unpacks each piece whole, and 64 KiB of zeros become 64 MiB."""
REFERENCES_MAX: Final = 50
"""Schemas that one schema refers to, directly and by others."""
ABSENT_CODES: Final = frozenset({40401, 40402, 40403})
"""Subject, version, schema not found. A 404 without one of them is not a registry's: the URL is wrong."""
T = TypeVar("T")
log = logging.getLogger("consumer.decode")

_HINTS: Final = {
    401: "; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?",
    403: "; is CUSTOMFIT_SCHEMA_REGISTRY_USER_INFO right?",
    404: "; is CUSTOMFIT_SCHEMA_REGISTRY_URL right?",
}


class _Problem(Exception):
    """No answer; ask again."""


class _Absent(Exception):
    """The registry does not have it, and will not."""


class RegistryUnavailable(Exception):
    """It does not answer as a schema registry does; `check --connect` says so."""


def inspect_registry(settings: Settings) -> str:
    """Which types of schemas it has, in words. Raises RegistryUnavailable."""
    types = _asked_once(settings, "GET", "/schemas/types", None, list)
    return ", ".join(str(kind)[:20] for kind in types[:10])


def register_schema(settings: Settings, subject: str, text: str) -> int:
    """Register an Avro schema, or find it there; gives its id. Raises RegistryUnavailable."""
    path = f"/subjects/{quote(subject, safe='')}/versions"
    schema_id = _asked_once(settings, "POST", path, msgspec.json.encode({"schema": text}), dict).get("id")
    if not isinstance(schema_id, int) or isinstance(schema_id, bool) or not 0 <= schema_id < 2**32:
        raise RegistryUnavailable(f"POST {path} was answered without an id of four bytes")
    return schema_id


def _asked_once(settings: Settings, method: str, path: str, body: bytes | None, kind: type[T]) -> T:
    """The answer to a command's question. Raises RegistryUnavailable."""
    try:
        with _client(settings.schema_registry_user_info) as client:
            reply = _exchange(client, method, f"{settings.schema_registry_url}{path}", body)
    except _Problem as problem:
        raise RegistryUnavailable(_masker(settings.schema_registry_user_info).text(str(problem))) from None
    if reply.status == 200 and isinstance(reply.answer, kind):
        return reply.answer
    said = reply.answer.get("message") if isinstance(reply.answer, dict) else None
    said = f": {_masker(settings.schema_registry_user_info).text(str(said))[:200]}" if said else ""
    raise RegistryUnavailable(f"{method} {path} was answered {reply.status}{_HINTS.get(reply.status, '')}{said}")


def _masker(user_info: Secret | None) -> Masker:
    """For what the registry says, which may be what it was sent."""
    return Masker(basic(user_info.reveal()) if user_info else ())


def _client(user_info: Secret | None) -> httpx.Client:
    logging.getLogger("httpx").setLevel(logging.WARNING)  # it logs each URL
    return httpx.Client(auth=_auth(user_info), timeout=TIMEOUT_SECONDS)


def _auth(user_info: Secret | None) -> httpx.Auth:
    user, _, password = user_info.reveal().partition(":") if user_info else ("", "", "")
    return httpx.BasicAuth(user, password) if user_info else httpx.Auth()


class SchemaRegistry:
    """Answers `fetch` with `SchemaFound` or `SchemaMissing`, after any number of `RegistryProblem`."""

    def __init__(
        self, settings: Settings, post: Post, backoff: Callable[[int], float], reload: Callable[[], Settings]
    ) -> None:
        """`reload` gives the settings as their sources are now: the password may be rotated."""
        self._url = settings.schema_registry_url
        self._reload = reload
        self._user_info = settings.schema_registry_user_info
        self._masker = _masker(self._user_info)
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
            said = self._masker.text(str(absent))[:SAID_CHARACTERS_MAX]
            self._post(SchemaMissing(schema, f"the schema registry does not have schema {schema}: {said}"))
        except _Problem as problem:
            self._post(RegistryProblem(self._masker.text(str(problem))))
            client.auth = _auth(self._user_info_now())
            heapq.heappush(self._again, (time.monotonic() + self._backoff(attempt), attempt + 1, schema))

    def _user_info_now(self) -> Secret | None:
        try:
            self._user_info = self._reload().schema_registry_user_info
            self._masker = _masker(self._user_info)
        except SettingsError as error:
            told = "the registry's password stays as it is, the settings can't be read: %s"
            log.warning(told, error, extra=fields(Code.REGISTRY_PASSWORD_UNREADABLE))
        return self._user_info

    def _reader(self, client: httpx.Client, path: str) -> Read | str:
        """How to read with the schema at this path; text: why nothing is read with it."""
        found = self._get(client, path)
        kind = found.get("schemaType") or "AVRO"
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
            documents += self._documents(client, self._get(client, path), seen)
        try:
            return [*documents, msgspec.json.decode(found["schema"])]
        except (msgspec.DecodeError, RecursionError):
            # Confluent's registry takes a bare name too.
            raise UnusableSchema("the schema is no JSON") from None

    def _get(self, client: httpx.Client, path: str) -> dict[str, Any]:
        return _judged(_exchange(client, "GET", f"{self._url}/{path}"))


class _Reply(NamedTuple):
    status: int
    answer: object
    """What its JSON says; None where it is none, or too large."""
    packing: str
    """How it is packed, which it was asked not to do; mostly empty."""
    is_too_large: bool


def _exchange(client: httpx.Client, method: str, url: str, body: bytes | None = None) -> _Reply:
    """One question, the body of its answer bounded in size and time. Raises _Problem."""
    ends_at = time.monotonic() + TIMEOUT_SECONDS
    received = b""
    try:
        with client.stream(method, url, content=body, headers=HEADERS) as response:
            for part in response.iter_raw():
                received += part
                if len(received) > SCHEMA_BYTES_MAX:
                    break
                if time.monotonic() > ends_at:  # httpx has a limit for each part only
                    raise _Problem(f"no answer: not whole after {TIMEOUT_SECONDS:g} s")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise _Problem(f"no answer: {_told(error)}") from None
    is_too_large = len(received) > SCHEMA_BYTES_MAX
    try:
        answer = None if is_too_large else msgspec.json.decode(received)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        answer = None
    packing = response.headers.get("Content-Encoding", "").lower()
    return _Reply(response.status_code, answer, "" if packing == "identity" else packing, is_too_large)


def _told(error: Exception) -> str:
    untrusted = "; does SSL_CERT_FILE name a file with its authority?" if "CERTIFICATE_VERIFY" in str(error) else ""
    return f"{type(error).__name__} {error}"[:300] + untrusted


def _judged(reply: _Reply) -> dict[str, Any]:
    """The schema. Raises _Absent where the registry says of itself that it will never give it, else _Problem."""
    status, answer = reply.status, reply.answer
    if status == 200 and isinstance(answer, dict) and isinstance(answer.get("schema"), str):
        return answer
    if answer is None and reply.packing:
        hint = _HINTS.get(status, f"; its answer is packed ({reply.packing[:20]}), which it was asked not to do")
        raise _Problem(f"{status}{hint}")
    if status == 200 and reply.is_too_large:
        raise _Absent(f"its answer is larger than {SCHEMA_BYTES_MAX} bytes")
    if status == 200:
        raise _Problem("200, but no schema in it: is CUSTOMFIT_SCHEMA_REGISTRY_URL right?")
    if status in (400, 404, 422) and isinstance(answer, dict) and isinstance(answer.get("error_code"), int):
        if status == 404 and answer["error_code"] not in ABSENT_CODES:
            raise _Problem(f"404 for the path: is CUSTOMFIT_SCHEMA_REGISTRY_URL right? (error {answer['error_code']})")
        raise _Absent(str(answer.get("message"))[:MESSAGE_CHARACTERS_MAX])
    raise _Problem(f"{status}{_HINTS.get(status, '')}")
