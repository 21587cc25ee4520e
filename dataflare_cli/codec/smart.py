"""Records as SmartModules see them, and what becomes of their output.

A window is a stretch of a run that is given to modules in one call. What comes back is
attached to it: offset, timestamp and headers, which the modules' format does not have,
are those of the record that an output's offset delta names; a null value, which went in
as empty, is null again if it comes back empty.

    u32 count, then for each record (big-endian; varints are zig-zag LEB128):
    body length varint, then so many bytes:
    attributes i8 | timestamp delta varint | offset delta varint
    key tag u8: 0 none, 1: length varint, key | value length varint, value
    header count varint = 0

`open_window` is the door: a run in the kernel has windows there, with equal results.

Invariants
- Timestamps of one window are within 32 bits of the first one's: SDKs corrupt others.
- What a module gives is not trusted: it is records to the last byte, or a `NotRecordsError`.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple, Protocol

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.frame import FRAME_HEADER_BYTES, PREFIX_BYTES
from dataflare_cli.codec.program import Program, render
from dataflare_cli.codec.records import TIMESTAMP_MIN, encode_headers, encode_record
from dataflare_cli.codec.runs import RENDER_BYTES_MAX, Run
from dataflare_cli.codec.varint import encode_varint
from dataflare_cli.model import MIB, Record

# Of one call: stays in a core's cache, and costs little beside a call's own price.
WINDOW_BYTES_MAX = MIB
WINDOW_RECORDS_MAX = 16_384
_COUNT_BYTES = 4
# What a record takes beside key, value and headers, at most: the kernel makes sure of as much.
_INPUT_HEAD_BYTES_MAX = 28
_PACKED_HEAD_BYTES_MAX = 31
_INT32_MIN, _INT32_MAX = -(2**31), 2**31 - 1
_VARINT_BITS_MAX = 64


class NotRecordsError(ValueError):
    """A module's output is not records; its catchers know the module, and say which."""


class Checked(NamedTuple):
    """What a module's output begins with: so many records, up to `end`.

    Of one source, as long as its outputs follow each other: the most records and bytes.
    """

    record_count: int
    end: int
    source_records_max: int = 0
    source_bytes_max: int = 0


class Written(NamedTuple):
    """Text of outputs; `data` is valid until the next call. Go on at `next_index`."""

    data: Bytes
    next_index: int


class Packed(NamedTuple):
    """A blank frame's records, as `seal` wants them. Go on at `next_index`."""

    frame: bytearray
    record_count: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    next_index: int


class Outputs(Protocol):
    """What came out of a window."""

    record_count: int

    def render(self, program: Program, *, partition: int, first: int, count_max: int) -> Written:
        """Run a program over outputs from `first` on; may stop early, but not at once."""
        ...

    def pack(self, *, first: int, batch_bytes_max: int) -> Packed:
        """Write outputs from `first` on as one batch; a larger single record is one of its own."""
        ...

    def records(self, first: int = 0) -> Iterator[Record]:
        """Yield the outputs as records, with the offsets of their sources."""
        ...

    def offset_of(self, index: int) -> int:
        """Return the offset of an output's source."""
        ...


class Window(Protocol):
    """Records with the offsets [base_offset, next_offset), as a module is given them."""

    base_offset: int
    base_timestamp_ms: int  # -1 for none
    next_offset: int
    record_count: int
    is_uniform: bool  # all have the same timestamp and headers
    has_some_nulls: bool  # and values that are not null
    raw: Bytes  # valid until the next run is loaded in this thread

    def check(self, raw: Bytes) -> Checked:
        """Look what a module's output begins with.

        Raises:
            NotRecordsError: it is not records of this window.
        """
        ...

    def attach(self, raw: Bytes | None = None) -> Outputs:
        """Give outputs their sources; None: those that were checked last.

        Raises:
            NotRecordsError: as `check`.
        """
        ...


def open_window(
    run: Run,
    start: int,
    end: int,
    *,
    records_max: int = WINDOW_RECORDS_MAX,
    bytes_max: int = WINDOW_BYTES_MAX,
    timestamp_min_ms: int = TIMESTAMP_MIN,
) -> Window:
    """Return what a module is given of a run's offsets [start, end): at least one record.

    Records that are older than `timestamp_min_ms` are passed over; if all are, there is none.

    Raises:
        Corruption: the batch at `start` is damaged inside.
    """
    from dataflare_cli.codec.runs import PythonRun

    assert start < end
    limits = {
        "records_max": records_max,
        "bytes_max": bytes_max,
        "timestamp_min_ms": timestamp_min_ms,
    }
    if isinstance(run, PythonRun):
        return PythonWindow(run, start, end, **limits)
    from dataflare_cli.codec.kernel_smart import KernelWindow

    return KernelWindow(run, start, end, **limits)


class PythonWindow:
    """The readable reference of a window."""

    def __init__(
        self,
        run: Run,
        start: int,
        end: int,
        *,
        records_max: int,
        bytes_max: int,
        timestamp_min_ms: int,
    ) -> None:
        records: list[Record] = []
        parts: list[bytes] = []
        size = _COUNT_BYTES
        self.next_offset = start
        for record in run.records(start, end):
            if len(records) == records_max:
                break
            if record.timestamp_ms < timestamp_min_ms:
                self.next_offset = record.offset + 1
                continue
            base_ms = records[0].timestamp_ms if records else record.timestamp_ms
            delta = record.timestamp_ms - base_ms
            offset_delta = record.offset - (records[0].offset if records else record.offset)
            if not _INT32_MIN <= delta <= _INT32_MAX or offset_delta > _INT32_MAX:
                break
            if records and size + _input_bytes_max(record) > bytes_max:
                break
            parts.append(encode_input(record, delta, offset_delta))
            size += len(parts[-1])
            records.append(record)
            self.next_offset = record.offset + 1
        self._sources = records
        self._checked = b""
        first = records[0] if records else Record(None, offset=start)
        self.base_offset = first.offset
        self.base_timestamp_ms = first.timestamp_ms
        self.record_count = len(records)
        self.is_uniform = all(
            (each.timestamp_ms, each.headers) == (first.timestamp_ms, first.headers)
            for each in records
        )
        self.has_some_nulls = len({record.value is None for record in records}) > 1
        self.raw: Bytes = join_records(parts)

    def check(self, raw: Bytes) -> Checked:
        """Look what a module's output begins with."""
        self._checked = bytes(raw)
        found = [
            (record.offset, end) for record, end in scan_records(self._checked, self.record_count)
        ]
        begin, records_max, bytes_max = _COUNT_BYTES, 0, 0
        for _, outputs in groupby(found, key=itemgetter(0)):
            ends = [end for _, end in outputs]
            records_max = max(records_max, len(ends))
            bytes_max = max(bytes_max, ends[-1] - begin)
            begin = ends[-1]
        return Checked(len(found), begin, records_max, bytes_max)

    def attach(self, raw: Bytes | None = None) -> Outputs:
        """Give outputs their sources."""
        data = self._checked if raw is None else bytes(raw)
        return PythonOutputs(data, self._sources)


class PythonOutputs:
    """The readable reference of outputs."""

    def __init__(self, raw: bytes, sources: Sequence[Record]) -> None:
        self._records = [
            _attached(output, sources[output.offset])
            for output, _ in scan_records(raw, len(sources))
        ]
        self.record_count = len(self._records)

    def render(self, program: Program, *, partition: int, first: int, count_max: int) -> Written:
        """Run a program over outputs from `first` on."""
        parts: list[bytes] = []
        size, index = 0, first
        for record in self._records[first : first + count_max]:
            parts.append(render(program, record, partition))
            size += len(parts[-1])
            index += 1
            if size >= RENDER_BYTES_MAX:
                break
        return Written(b"".join(parts), index)

    def pack(self, *, first: int, batch_bytes_max: int) -> Packed:
        """Write outputs from `first` on as one batch."""
        frame = bytearray(FRAME_HEADER_BYTES)
        base_ms = largest_ms = self._records[first].timestamp_ms
        index = first
        for record in self._records[first:]:
            room = batch_bytes_max - (len(frame) - PREFIX_BYTES)
            delta = record.timestamp_ms - base_ms
            if index > first and (_packed_bytes_max(record) > room or not _is_int64(delta)):
                break
            frame += encode_record(record, base_ms, index - first)
            largest_ms = max(largest_ms, record.timestamp_ms)
            index += 1
        return Packed(frame, index - first, base_ms, largest_ms, index)

    def records(self, first: int = 0) -> Iterator[Record]:
        """Yield the outputs as records."""
        return iter(self._records[first:])

    def offset_of(self, index: int) -> int:
        """Return the offset of an output's source."""
        return self._records[index].offset


def join_records(parts: Sequence[bytes]) -> bytes:
    """Return encoded records as a module is given them, and gives them."""
    return len(parts).to_bytes(_COUNT_BYTES, "big") + b"".join(parts)


def encode_input(record: Record, timestamp_delta_ms: int, offset_delta: int) -> bytes:
    """Encode one record as a module is given it."""
    body = b"".join(
        (
            b"\0",
            encode_varint(timestamp_delta_ms),
            encode_varint(offset_delta),
            b"\0" if record.key is None else b"\1" + _sized(record.key),
            _sized(record.value or b""),
            b"\0",
        )
    )
    return encode_varint(len(body)) + body


def scan_records(raw: Bytes, source_count: int) -> Iterator[tuple[Record, int]]:
    """Yield a module's records, and where each one ends; the offset is the offset delta.

    Raises:
        NotRecordsError: what follows is none, or has no source.
    """
    if len(raw) < _COUNT_BYTES:
        raise NotRecordsError(f"{len(raw)} bytes are no record count")
    # The decoders of Fluvio read a signed number, and a negative one as 0.
    data = bytes(raw)
    count = int.from_bytes(data[:_COUNT_BYTES], "big", signed=True)
    at = _COUNT_BYTES
    for number in range(count):
        try:
            record, at = _scan_record(data, at, source_count)
        except (IndexError, ValueError) as exc:
            raise NotRecordsError(f"record {number} of {count}: {exc}") from exc
        yield record, at


def _scan_record(raw: bytes, at: int, source_count: int) -> tuple[Record, int]:
    size, at = _read_varint(raw, at, len(raw))
    end = at + size
    if not 0 < size <= len(raw) - at:
        raise ValueError(f"{size} bytes of {len(raw) - at}")
    _, at = _read_varint(raw, at + 1, end)
    source, at = _read_varint(raw, at, end)
    if not 0 <= source < source_count:
        raise ValueError(f"offset delta {source} of {source_count} records")
    if at == end or raw[at] > 1:
        raise ValueError("no key tag")
    key, at = (None, at + 1) if raw[at] == 0 else _read_bytes(raw, at + 1, end)
    value, at = _read_bytes(raw, at, end)
    header_count, at = _read_varint(raw, at, end)
    if header_count or at != end:
        raise ValueError("it does not end where it says")
    return Record(value=value, key=key, offset=source), end


def _read_bytes(raw: bytes, at: int, end: int) -> tuple[bytes, int]:
    size, at = _read_varint(raw, at, end)
    if not 0 <= size <= end - at:
        raise ValueError(f"{size} bytes of {end - at}")
    return raw[at : at + size], at + size


def _read_varint(raw: bytes, at: int, end: int) -> tuple[int, int]:
    """Return a number of at most 64 bits, not necessarily in its shortest form."""
    number = shift = 0
    while at < end and shift < _VARINT_BITS_MAX:
        byte = raw[at]
        at += 1
        number |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if number >> _VARINT_BITS_MAX:
                break
            return (number >> 1) ^ -(number & 1), at
    raise ValueError("a number that does not end")


def _attached(output: Record, source: Record) -> Record:
    value = None if not output.value and source.value is None else output.value
    return Record(
        value=value,
        key=output.key,
        headers=source.headers,
        timestamp_ms=source.timestamp_ms,
        offset=source.offset,
        timestamp_type=source.timestamp_type,
    )


def _sized(data: bytes) -> bytes:
    return encode_varint(len(data)) + data


def _is_int64(number: int) -> bool:
    return -(2**63) <= number < 2**63


def _input_bytes_max(record: Record) -> int:
    return _INPUT_HEAD_BYTES_MAX + len(record.key or b"") + len(record.value or b"")


def _packed_bytes_max(record: Record) -> int:
    tail = len(encode_headers(record.headers))
    return _PACKED_HEAD_BYTES_MAX + len(record.key or b"") + len(record.value or b"") + tail
