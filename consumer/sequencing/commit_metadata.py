"""What a commit says beside its offset, as text in its metadata. Pure.

Which topic it is about: the id that the cluster gave it. A topic deleted and made again under its name has another id,
and then the offset says nothing about it. And what is finished above the offset.

Without it, one user whose event fails for an hour would have everything behind it sent again after a crash. The text
holds the lengths of the runs, unfinished and finished in turn, from the committed offset on:

    "2" topic id "." base64( crc32 · zlib( varint… ) )     the checksum covers the cluster's id and the offset too

Where nothing is finished above, only the checksum stands behind the dot. Version "1", without id and dot, is what older
versions wrote, and what is written where the cluster gives topics no id.

Brokers take 4096 bytes by default (offset.metadata.max.bytes). What does not fit is left out from the end; that costs
duplicates after a crash, and is counted (OffsetTracker.unrecorded). Tools that mirror a cluster copy the text beside
an offset that they translate, so it counts only for the offset and the cluster it was made for.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

METADATA_BYTES_MAX: Final = 4096
_VERSION: Final = "2"
_WITHOUT_ID: Final = "1"
_UNPACKED_BYTES_MAX: Final = 1_000_000


class Encoded(NamedTuple):
    """The text, and how many of the runs are in it."""

    text: str
    runs: int


class Decoded(NamedTuple):
    """What an earlier owner of the partition wrote."""

    topic_id: str | None
    """The topic's id. None: the text does not name one."""
    finished_before: FinishedBefore | None
    """None: nothing is finished above the offset, or the text is not about this offset of this cluster."""
    is_ours: bool
    """Whether this program wrote it, for this offset of this cluster."""


class FinishedBefore:
    """Offsets that an earlier owner of the partition had finished, above its committed offset."""

    def __init__(self, base: int, runs: Sequence[int]) -> None:
        self._bounds = list(accumulate(runs, initial=base))
        self.end = self._bounds[-1]

    def __contains__(self, offset: int) -> bool:
        """Whether the offset was finished. Ask in rising order: that makes it cheap."""
        bounds = self._bounds
        while len(bounds) > 2 and bounds[2] <= offset:
            del bounds[:2]
        return len(bounds) > 2 and bounds[1] <= offset < bounds[2]

    def from_on(self, position: int) -> Iterator[tuple[int, int]]:
        """The part that was not asked for yet: where each finished run begins, and the offset behind it."""
        for start, end in zip(self._bounds[1::2], self._bounds[2::2], strict=True):
            if end > position:
                yield max(start, position), end


def encode(
    base: int, runs: Sequence[int], cluster_id: str, topic_id: str | None = None, bytes_max: int = METADATA_BYTES_MAX
) -> Encoded:
    """Runs: unfinished, finished, unfinished, finished …; an even number of them. What does not fit is left out.

    If there is no room for the topic's id, there is no text at all.
    """
    assert len(runs) % 2 == 0
    head = _WITHOUT_ID if topic_id is None else f"{_VERSION}{topic_id}."
    packed_bytes_max = (bytes_max - len(head)) // 4 * 3 - 4
    nothing = _sealed(head, b"", base, cluster_id) if topic_id is not None and packed_bytes_max >= 0 else ""
    kept = len(runs) if packed_bytes_max > 0 else 0
    while kept:
        packed = _packed(varints(runs[:kept]))
        if len(packed) <= packed_bytes_max:
            return Encoded(_sealed(head, packed, base, cluster_id), kept)
        # Shorten in proportion, so that few tries are enough.
        kept = min(kept - 2, kept * packed_bytes_max // len(packed)) // 2 * 2
    return Encoded(nothing, 0)


def decode(text: str | None, base: int, cluster_id: str) -> Decoded:
    """What an earlier owner wrote. What it calls finished counts only for exactly this offset of this cluster."""
    if not text:
        return Decoded(None, None, is_ours=True)
    version, rest = text[:1], text[1:]
    if version not in (_WITHOUT_ID, _VERSION) or len(text) > METADATA_BYTES_MAX:
        return Decoded(None, None, is_ours=False)
    topic_id, dot, runs = rest.partition(".") if version == _VERSION else ("", "", rest)
    packed = _unsealed(f"{version}{topic_id}{dot}", runs, base, cluster_id)
    if packed is None:
        return Decoded(None, None, is_ours=False)
    before = _finished_before(packed, base)
    return Decoded(topic_id or None, before, is_ours=before is not None or not packed)


def _sealed(head: str, packed: bytes, base: int, cluster_id: str) -> str:
    checksum = _checksum(_bound(head) + packed, base, cluster_id).to_bytes(4, "big")
    return head + base64.b64encode(checksum + packed).decode()


def _unsealed(head: str, text: str, base: int, cluster_id: str) -> bytes | None:
    try:
        raw = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    is_ours = int.from_bytes(raw[:4], "big") == _checksum(_bound(head) + raw[4:], base, cluster_id)
    return raw[4:] if is_ours and len(raw) >= 4 else None


def _bound(head: str) -> bytes:
    """What the checksum covers of the text's beginning. Version 1 had nothing there."""
    return b"" if head == _WITHOUT_ID else head.encode()


def _finished_before(packed: bytes, base: int) -> FinishedBefore | None:
    try:
        inflater = zlib.decompressobj()
        runs = _from_varints(inflater.decompress(packed, _UNPACKED_BYTES_MAX))
    except (binascii.Error, ValueError, zlib.error):
        return None
    return FinishedBefore(base, runs) if runs and len(runs) % 2 == 0 and not inflater.unconsumed_tail else None


def _packed(data: bytes) -> bytes:
    # Runs hardly repeat themselves. Huffman codes alone are a sixth smaller, and faster.
    compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(data) + compressor.flush()


def _checksum(packed: bytes, base: int, cluster_id: str) -> int:
    return zlib.crc32(f"{cluster_id} {base} ".encode() + packed)


def varints(numbers: Iterable[int]) -> bytes:
    """Numbers that are not negative, seven bits a byte, the lowest first; the highest bit says that more follows."""
    out = bytearray()
    for number in numbers:
        rest = number
        while rest > 0x7F:
            out.append(rest & 0x7F | 0x80)
            rest >>= 7
        out.append(rest)
    return bytes(out)


def _from_varints(data: bytes) -> list[int]:
    numbers, number, shift = [], 0, 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers
