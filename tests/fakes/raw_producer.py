"""Records that confluent-kafka's Producer can't write, by librdkafka itself: other languages can."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import confluent_kafka

_TOPIC, _VALUE, _KEY, _FLAGS, _HEADER, _END = 1, 4, 5, 7, 9, 0  # rd_kafka_vtype_t
_COPY: Final = 2
_FLUSH_MS: Final = 10_000


def produce_with_headers(servers: str, topic: str, key: bytes, value: bytes, names: Sequence[bytes]) -> None:
    """One record with headers of these names, whatever bytes they are (but NUL), and wait until it is there."""
    library = _library()
    error = ctypes.create_string_buffer(512)
    size = ctypes.c_size_t(len(error))
    config = ctypes.c_void_p(library.rd_kafka_conf_new())
    assert library.rd_kafka_conf_set(config, b"bootstrap.servers", servers.encode(), error, size) == 0, error.value
    handle = library.rd_kafka_new(0, config, error, size)
    assert handle, error.value
    producer = ctypes.c_void_p(handle)
    headers = [part for name in names for part in (_HEADER, name, b"v", ctypes.c_ssize_t(1))]
    try:
        texts = (_KEY, key, ctypes.c_size_t(len(key)), _VALUE, value, ctypes.c_size_t(len(value)))
        fields = [_TOPIC, topic.encode(), *texts, _FLAGS, _COPY, *headers, _END]
        assert library.rd_kafka_producev(producer, *fields) == 0
        assert library.rd_kafka_flush(producer, _FLUSH_MS) == 0
    finally:
        library.rd_kafka_destroy(producer)


def _library() -> ctypes.CDLL:
    """The very library that confluent-kafka has loaded."""
    [path] = Path(confluent_kafka.__file__).parents[1].glob("confluent_kafka.libs/librdkafka*")
    library = ctypes.CDLL(str(path))
    library.rd_kafka_conf_new.restype = library.rd_kafka_new.restype = ctypes.c_void_p
    return library
