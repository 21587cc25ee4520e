"""Records inside a batch: the bytes behind its header, uncompressed.

    length varint, then so many bytes:
    attributes i8 = 0 | timestamp delta varlong | offset delta varint
    key: length varint (-1 null), bytes | value: the same
    header count varint, for each: name (length varint, UTF-8) | value: length (-1 null), bytes

Invariants
- Decoding is strict: a batch has one spelling, so what is decoded encodes to the same bytes.
- The work is linear in the bytes, whatever they say about lengths and counts.
"""

from collections.abc import Sequence

from dataflare_cli.codec.frame import BatchHeader
from dataflare_cli.codec.varint import (
    decode_varint,
    decode_varlong,
    encode_varint,
    encode_varlong,
)
from dataflare_cli.errors import Corruption, DataError
from dataflare_cli.model import Headers, Record, TimestampType

TIMESTAMP_MIN, TIMESTAMP_MAX = -(2**63), 2**63 - 1
# Length, attributes, two deltas, two lengths and a header count.
RECORD_BYTES_MIN = 7
_HEADER_BYTES_MIN = 2


def encode_records(records: Sequence[Record], base_timestamp_ms: int) -> bytes:
    """Encode records with the offset deltas 0, 1, 2, ...; their offsets are not looked at.

    Raises:
        DataError: a timestamp that is not within 64 bits of the base, or a header name
            that is not UTF-8.
    """
    return b"".join(
        encode_record(record, base_timestamp_ms, index) for index, record in enumerate(records)
    )


def encode_record(record: Record, base_timestamp_ms: int, index: int) -> bytes:
    """Encode a batch's record of an offset delta; errors as in `encode_records`."""
    body = b"".join(
        (
            b"\0",
            encode_varlong(_timestamp_delta(record.timestamp_ms, base_timestamp_ms)),
            encode_varint(index),
            _encode_bytes(record.key),
            _encode_bytes(record.value),
            encode_headers(record.headers) if record.headers else b"\0",
        )
    )
    return encode_varint(len(body)) + body


def encode_headers(headers: Headers) -> bytes:
    """Encode what ends a record: the header count and the headers.

    Raises:
        DataError: a name that is not UTF-8.
    """
    parts = [encode_varint(len(headers))]
    for name, value in headers:
        try:
            name.decode()
        except UnicodeDecodeError as exc:
            raise DataError(f"a header's name is not UTF-8: {name!r}") from exc
        parts += (encode_varint(len(name)), name, _encode_bytes(value))
    return b"".join(parts)


def _encode_bytes(data: bytes | None) -> bytes:
    return b"\1" if data is None else encode_varint(len(data)) + data


def _timestamp_delta(timestamp_ms: int, base_timestamp_ms: int) -> int:
    delta = timestamp_ms - base_timestamp_ms
    if not (
        TIMESTAMP_MIN <= timestamp_ms <= TIMESTAMP_MAX and TIMESTAMP_MIN <= delta <= TIMESTAMP_MAX
    ):
        raise DataError(
            f"timestamp {timestamp_ms} can't share a batch with {base_timestamp_ms}: "
            "their difference has more than 64 bits"
        )
    return delta


def decode_records(plain: bytes, header: BatchHeader, where: str = "batch") -> list[Record]:
    """Decode the uncompressed records of a canonical batch.

    Raises:
        Corruption: anything but the one spelling of these records.
    """
    records = decode_sparse_records(plain, header, where)
    last_offset = header.base_offset + header.record_count - 1
    # Ascending from the base on, so the last one tells about all.
    if not records or records[-1].offset != last_offset:
        raise Corruption(where, expected=f"offsets to {last_offset}", found="gaps")
    if header.timestamp_type is TimestampType.CREATE:
        largest = max(record.timestamp_ms for record in records)
        if largest != header.max_timestamp_ms:
            raise Corruption(
                where, expected=f"timestamps to {header.max_timestamp_ms}", found=largest
            )
    # Byte 0 may be the first of a longer length.
    at = decode_varint(plain, 0)[1]
    if plain[at + 1] != 0:
        raise Corruption(where, expected="the first record's timestamp as base", found="another")
    return records


def decode_sparse_records(plain: bytes, header: BatchHeader, where: str = "batch") -> list[Record]:
    """Decode the records of a batch that may have gaps, as compaction leaves them.

    Raises:
        Corruption: the records are damaged, or not in the order of their offsets.
    """
    if header.record_count * RECORD_BYTES_MIN > len(plain):
        expected = f"{header.record_count} records"
        raise Corruption(where, expected=expected, found=f"{len(plain)} bytes")
    records: list[Record] = []
    at, offset = 0, header.base_offset - 1
    for _ in range(header.record_count):
        record, at = _decode_record(plain, at, header, where)
        if not offset < record.offset < header.next_offset:
            expected = f"an offset between {offset} and {header.next_offset}"
            raise Corruption(where, expected=expected, found=record.offset)
        offset = record.offset
        records.append(record)
    if at != len(plain):
        raise Corruption(where, expected="the end", found=f"{len(plain) - at} more bytes")
    return records


def _decode_record(plain: bytes, at: int, header: BatchHeader, where: str) -> tuple[Record, int]:
    """Return a record and the place after it."""
    length, at = decode_varint(plain, at, where)
    end = at + length
    if length < RECORD_BYTES_MIN - 1 or end > len(plain):
        raise Corruption(where, expected="a record's length", found=length)
    if plain[at] != 0:
        raise Corruption(where, expected="record attributes 0", found=plain[at])
    delta, at = decode_varlong(plain, at + 1, where)
    offset_delta, at = decode_varint(plain, at, where)
    key, at = _decode_bytes(plain, at, end, where)
    value, at = _decode_bytes(plain, at, end, where)
    count, at = decode_varint(plain, at, where)
    headers: Headers = ()
    if count:
        headers, at = _decode_headers(plain, at, end, count, where)
    if at != end:
        raise Corruption(where, expected=f"a record of {length} bytes", found=length + at - end)
    timestamp_ms = header.base_timestamp_ms + delta
    if not TIMESTAMP_MIN <= timestamp_ms <= TIMESTAMP_MAX:
        raise Corruption(where, expected="a timestamp of 64 bits", found=timestamp_ms)
    timestamp_type = header.timestamp_type
    if timestamp_type is TimestampType.APPEND:
        timestamp_ms = header.max_timestamp_ms
    offset = header.base_offset + offset_delta
    return Record(value, key, headers, timestamp_ms, offset, timestamp_type), at


def _decode_bytes(plain: bytes, at: int, end: int, where: str) -> tuple[bytes | None, int]:
    length, at = decode_varint(plain, at, where)
    if length == -1:
        return None, at
    if not 0 <= length <= end - at:
        raise Corruption(where, expected=f"a length up to {end - at}", found=length)
    return plain[at : at + length], at + length


def _decode_headers(plain: bytes, at: int, end: int, count: int, where: str) -> tuple[Headers, int]:
    if not 0 <= count <= (end - at) // _HEADER_BYTES_MIN:
        raise Corruption(where, expected="a header count", found=count)
    headers: list[tuple[bytes, bytes | None]] = []
    for _ in range(count):
        name, at = _decode_bytes(plain, at, end, where)
        if name is None or not _is_utf8(name):
            raise Corruption(where, expected="a header name in UTF-8", found=name)
        value, at = _decode_bytes(plain, at, end, where)
        headers.append((name, value))
    return tuple(headers), at


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True
