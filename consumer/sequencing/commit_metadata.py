"""What is finished above the committed offset, as text in the commit's metadata. Pure.

Without it, one user whose event fails for an hour would have everything behind it sent again after a crash. The text
holds the lengths of the runs, unfinished and finished in turn, from the committed offset on:

    "1" base64( crc32 · zlib( varint… ) )     with the cluster's id and the offset itself in the checksum

Brokers take 4096 bytes (offset.metadata.max.bytes). What does not fit is left out from the end; that costs duplicates
after a crash, and is counted (OffsetTracker.unrecorded). Tools that mirror a cluster copy the text beside an offset
that they translate, so it counts only for the offset and the cluster it was made for.
"""

from __future__ import annotations

import base64
import binascii
import zlib
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Final, NamedTuple

METADATA_BYTES_MAX: Final = 4096
_VERSION: Final = "1"
_PACKED_BYTES_MAX: Final = (METADATA_BYTES_MAX - len(_VERSION)) // 4 * 3 - 4
_UNPACKED_BYTES_MAX: Final = 1_000_000


class Encoded(NamedTuple):
    """The text, and how many of the runs are in it."""

    text: str
    runs: int


class FinishedBefore:
    """Offsets that an earlier owner of the partition had finished, above its committed offset."""

    def __init__(self, base: int, runs: Sequence[int]) -> None:
        self._bounds = list(accumulate(runs, initial=base))
        self.end = self._bounds[-1]

    def __contains__(self, offset: int) -> bool:
        """Whether the offset was finished. Asked in rising order, which makes it cheap."""
        bounds = self._bounds
        while len(bounds) > 2 and bounds[2] <= offset:
            del bounds[:2]
        return len(bounds) > 2 and bounds[1] <= offset < bounds[2]

    def from_on(self, position: int) -> Iterator[tuple[int, int]]:
        """What of it was not asked for yet: where each finished run begins, and the offset behind it."""
        for start, end in zip(self._bounds[1::2], self._bounds[2::2], strict=True):
            if end > position:
                yield max(start, position), end


def encode(base: int, runs: Sequence[int], cluster_id: str, bytes_max: int = _PACKED_BYTES_MAX) -> Encoded:
    """Runs: unfinished, finished, unfinished, finished ...; an even number of them. Leaves out what does not fit."""
    assert len(runs) % 2 == 0
    kept = len(runs)
    while kept:
        packed = _packed(_varints(runs[:kept]))
        if len(packed) <= bytes_max:
            checksum = _checksum(packed, base, cluster_id).to_bytes(4, "big")
            return Encoded(_VERSION + base64.b64encode(checksum + packed).decode(), kept)
        # Shorten in proportion, so that few tries are enough.
        kept = min(kept - 2, kept * bytes_max // len(packed)) // 2 * 2
    return Encoded("", 0)


def decode(text: str | None, base: int, cluster_id: str) -> FinishedBefore | None:
    """What an earlier owner wrote for exactly this offset of this cluster; None for anything else."""
    if not text or not text.startswith(_VERSION) or len(text) > METADATA_BYTES_MAX:
        return None
    try:
        raw = base64.b64decode(text[len(_VERSION) :], validate=True)
        packed = raw[4:]
        if int.from_bytes(raw[:4], "big") != _checksum(packed, base, cluster_id):
            return None
        inflater = zlib.decompressobj()
        runs = _from_varints(inflater.decompress(packed, _UNPACKED_BYTES_MAX))
    except (binascii.Error, ValueError, zlib.error):
        return None
    return FinishedBefore(base, runs) if runs and len(runs) % 2 == 0 and not inflater.unconsumed_tail else None


def _packed(data: bytes) -> bytes:
    # Runs have no repeating strings worth looking for: Huffman codes alone are a sixth smaller, and faster.
    compressor = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS, 9, zlib.Z_HUFFMAN_ONLY)
    return compressor.compress(data) + compressor.flush()


def _checksum(packed: bytes, base: int, cluster_id: str) -> int:
    return zlib.crc32(f"{cluster_id} {base} ".encode() + packed)


def _varints(numbers: Iterable[int]) -> bytes:
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
