"""Batches as they come from a broker: a Fetch response's bytes into frames, and what to pass over.

Hides compaction's gaps, control batches and aborted transactions. Source: Kafka's message
format (kafka.apache.org/documentation, section 5.3), KIP-98 for transactions.

Invariants
- Every batch is verified before anything is made of it.
- A record keeps its offset. Where offsets have a gap, a run ends: others begin behind it.
- `next_offset` is behind the last whole batch, whether its records are there or not; so a
  reader always gets on.
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from itertools import groupby
from typing import NamedTuple

from dataflare_cli.codec.batch import decode_batch, encode_frame
from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.frame import (
    CONTROL_BIT,
    HEADER_BYTES,
    LENGTH_BEGIN,
    TRANSACTIONAL_BIT,
    BatchHeader,
    check_batch,
    read_header,
    renewed,
    stamp,
    unpack_records,
)
from dataflare_cli.codec.records import decode_records
from dataflare_cli.errors import Corruption

_KEY = struct.Struct(">IQ")
_LENGTH = struct.Struct(">i")
_LENGTH_AT = 8
_MARKER = struct.Struct(">hh")
_ABORT = 0


class Aborted(NamedTuple):
    """A transaction that was aborted: whose, and the offset of its first record."""

    producer_id: int
    first_offset: int


class Incoming(NamedTuple):
    """What a Fetch response has of one partition.

    Each of `runs` is flat, as `load_run` takes it: key, frame, key, frame, … without a gap.
    """

    runs: list[list[Bytes]]
    next_offset: int


def take_batches(
    data: Bytes, partition_id: int, start_offset: int, aborted: Sequence[Aborted] = ()
) -> Incoming:
    """Return the batches in a Fetch response for `start_offset`, as frames of a partition.

    The first one may begin before `start_offset`; a last one that is cut off is left out.
    Give what the response says is aborted to read what is committed.

    Raises:
        Corruption: a batch does not verify.
        UnsupportedFormat: a batch of another version of the format.
    """
    runs: list[list[Bytes]] = []
    following = -1
    next_offset = start_offset
    transactions = _Transactions(aborted)
    for batch in _whole_batches(data):
        header = check_batch(batch)
        next_offset = max(next_offset, header.next_offset)
        if transactions.hides(header, batch):
            continue
        for base_offset, frame, count in _frames(header, batch):
            if not runs or base_offset != following:
                runs.append([])
            stamp(frame, base_offset=base_offset, appended_ms=0)
            runs[-1] += (_KEY.pack(partition_id, base_offset), frame)
            following = base_offset + count
    return Incoming(runs, next_offset)


class _Transactions:
    """Which batches belong to aborted transactions, in the order of their offsets."""

    def __init__(self, aborted: Sequence[Aborted]) -> None:
        self._ahead = sorted(aborted, key=lambda each: each.first_offset, reverse=True)
        self._open: set[int] = set()

    def hides(self, header: BatchHeader, batch: Bytes) -> bool:
        """Tell whether no record of a batch is for applications."""
        while self._ahead and self._ahead[-1].first_offset < header.next_offset:
            self._open.add(self._ahead.pop().producer_id)
        if header.attributes & CONTROL_BIT:
            if _is_abort(header, batch):
                self._open.discard(header.producer_id)
            return True
        is_transactional = header.attributes & TRANSACTIONAL_BIT
        return bool(is_transactional) and header.producer_id in self._open


def _is_abort(header: BatchHeader, batch: Bytes) -> bool:
    """Tell whether a control batch is the end of an aborted transaction."""
    if not header.record_count:
        return False
    plain = unpack_records(header, batch[HEADER_BYTES:], "control batch")
    key = decode_records(plain, header, "control batch")[0].key or b""
    return len(key) >= _MARKER.size and _MARKER.unpack_from(key)[1] == _ABORT


def _frames(header: BatchHeader, batch: Bytes) -> list[tuple[int, bytearray, int]]:
    """Return (base offset, sealed frame, record count) of what is in a batch."""
    if header.keeps_records:
        return [(header.base_offset, renewed(header, batch), header.record_count)]
    frames = []
    records = decode_batch(batch)
    for _, group in groupby(enumerate(records), key=lambda each: each[1].offset - each[0]):
        members = [record for _, record in group]
        frame = encode_frame(members, header.codec, header.timestamp_type)
        frames.append((members[0].offset, frame, len(members)))
    return frames


def next_offset_of(data: Bytes, start_offset: int) -> int:
    """Return what `take_batches` would, without a look at anything but lengths and counts."""
    next_offset = start_offset
    with suppress(Corruption):  # whoever takes the batches is told
        for batch in _whole_batches(data):
            next_offset = max(next_offset, read_header(batch).next_offset)
    return next_offset


def _whole_batches(data: Bytes) -> Iterator[memoryview]:
    """Yield the batches of a response; one that is cut off at its end is left out.

    Raises:
        Corruption: a length that no batch has.
    """
    view = memoryview(data)
    at = 0
    while len(view) - at >= LENGTH_BEGIN:
        size = LENGTH_BEGIN + _LENGTH.unpack_from(view, at + _LENGTH_AT)[0]
        if size < HEADER_BYTES:
            raise Corruption("batch", expected=f"{HEADER_BYTES} bytes", found=size)
        if size > len(view) - at:
            return
        yield view[at : at + size]
        at += size
