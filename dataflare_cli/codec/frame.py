"""The frame: a prefix of our own and one canonical Kafka RecordBatch v2.

Hides where header fields lie; FORMAT.md draws both parts. Writing is two steps: `seal`
knows the records, `stamp` the place in the log. Reading trusts nothing.

Invariants
- Every flipped byte of a stored frame is Corruption: the prefix and the batch have a
  CRC-32C each, and what these don't cover is in the key or has one value only.
"""

import struct
from typing import NamedTuple

from dataflare_cli.codec.checksum import crc32c
from dataflare_cli.codec.compression import compress, decompress
from dataflare_cli.codec.engine import Bytes
from dataflare_cli.errors import Corruption, UnsupportedFormat
from dataflare_cli.model import OFFSET_MAX, UNPACKED_BYTES_MAX, Codec, TimestampType

PREFIX_BYTES = 20
HEADER_BYTES = 61
FRAME_HEADER_BYTES = PREFIX_BYTES + HEADER_BYTES
KEY_BYTES = 12

CODEC_MASK = 0x07
TIMESTAMP_TYPE_BIT = 0x08
TRANSACTIONAL_BIT = 0x10
CONTROL_BIT = 0x20
HORIZON_BIT = 0x40

FRAME_VERSION = 1
MAGIC = 2
# Of what follows the field batchLength, which is 12 bytes from the start.
LENGTH_BEGIN = 12
CRC_AT = 17
CRC_BEGIN = 21
NO_PRODUCER = -1

_KEY = struct.Struct(">IQ")
# version, flags, reserved, key id, appended
_PREFIX = struct.Struct(">BBHIq")
_HEADER = struct.Struct(">qiibIhiqqqhii")
_CRC = struct.Struct(">I")
_BASE_OFFSET = struct.Struct(">q")
_COUNT, _COUNT_AT = struct.Struct(">i"), 57

assert _KEY.size == KEY_BYTES
assert _PREFIX.size + _CRC.size == PREFIX_BYTES
assert _HEADER.size == HEADER_BYTES


class BatchHeader(NamedTuple):
    """The fields before a batch's records, in their order."""

    base_offset: int
    batch_length: int
    leader_epoch: int
    magic: int
    crc: int
    attributes: int
    last_offset_delta: int
    base_timestamp_ms: int
    max_timestamp_ms: int
    producer_id: int
    producer_epoch: int
    base_sequence: int
    record_count: int

    @property
    def codec(self) -> Codec:
        """How the records are compressed; of a checked header only."""
        return Codec(self.attributes & CODEC_MASK)

    @property
    def timestamp_type(self) -> TimestampType:
        """Who set the timestamps."""
        is_append = self.attributes & TIMESTAMP_TYPE_BIT
        return TimestampType.APPEND if is_append else TimestampType.CREATE

    @property
    def keeps_records(self) -> bool:
        """Whether the records are canonical, and may stay as they are: no gaps, no markers."""
        is_dense = 0 < self.record_count == self.last_offset_delta + 1
        return is_dense and not self.attributes & (CONTROL_BIT | HORIZON_BIT)

    @property
    def next_offset(self) -> int:
        """The offset after the last one of the batch, whether that record is there or not."""
        return self.base_offset + self.last_offset_delta + 1


def read_header(data: Bytes, at: int = 0) -> BatchHeader:
    """Return the fields of a batch's header, unverified."""
    if len(data) - at < HEADER_BYTES:
        raise Corruption("batch", expected=f"{HEADER_BYTES} bytes", found=max(len(data) - at, 0))
    return BatchHeader._make(_HEADER.unpack_from(data, at))


def record_count_of(frame: Bytes) -> int:
    """Return how many records a frame of ours says it has."""
    count: int = _COUNT.unpack_from(frame, PREFIX_BYTES + _COUNT_AT)[0]
    return count


def seal(
    frame: bytearray,
    *,
    record_count: int,
    base_timestamp_ms: int,
    max_timestamp_ms: int,
    codec: Codec = Codec.NONE,
    timestamp_type: TimestampType = TimestampType.CREATE,
) -> bytearray:
    """Fill in the batch of a frame (81 blank bytes and plain records), and return it.

    Compresses the records if the codec says so. Prefix and base offset are for `stamp`.
    """
    assert record_count > 0
    if codec is not Codec.NONE:
        frame[FRAME_HEADER_BYTES:] = compress(codec, frame[FRAME_HEADER_BYTES:])
    attributes = codec | (TIMESTAMP_TYPE_BIT if timestamp_type is TimestampType.APPEND else 0)
    _fill(frame, attributes, record_count, base_timestamp_ms, max_timestamp_ms)
    return frame


def stamp(frame: bytearray, *, base_offset: int, appended_ms: int) -> None:
    """Give a sealed frame its place: fill in the prefix and the base offset."""
    _PREFIX.pack_into(frame, 0, FRAME_VERSION, 0, 0, 0, appended_ms)
    _CRC.pack_into(frame, _PREFIX.size, crc32c(frame[: _PREFIX.size]))
    _BASE_OFFSET.pack_into(frame, PREFIX_BYTES, base_offset)


def rewrap(batch: Bytes) -> bytearray:
    """Make a sealed frame of a batch from elsewhere whose records are canonical.

    The records stay as they are, compressed or not; the insides are not looked at.

    Raises:
        Corruption: it does not verify.
        UnsupportedFormat: it has to be decoded and encoded again: it has gaps, is a
            control batch, or its base timestamp means something else.
    """
    return renewed(check_batch(batch), batch)


def renewed(header: BatchHeader, batch: Bytes) -> bytearray:
    """Do what `rewrap` does with a batch that `check_batch` has seen.

    Raises:
        UnsupportedFormat: as `rewrap`.
    """
    if not header.keeps_records:
        raise UnsupportedFormat("a batch with gaps, control records or a delete horizon")
    frame = bytearray(PREFIX_BYTES) + batch
    _fill(
        frame,
        header.attributes & (CODEC_MASK | TIMESTAMP_TYPE_BIT),
        header.record_count,
        header.base_timestamp_ms,
        header.max_timestamp_ms,
    )
    return frame


def outgoing(frame: Bytes, producer_id: int, producer_epoch: int, base_sequence: int) -> bytearray:
    """Return a sealed frame's batch as a broker wants it of a producer: base offset 0.

    Source: KIP-98; a batch that kept foreign numbers would be dropped as a duplicate.
    """
    batch = bytearray(frame[PREFIX_BYTES:])
    header = read_header(batch)._replace(
        base_offset=0,
        leader_epoch=-1,
        producer_id=producer_id,
        producer_epoch=producer_epoch,
        base_sequence=base_sequence,
    )
    _HEADER.pack_into(batch, 0, *header)
    _CRC.pack_into(batch, CRC_AT, crc32c(batch[CRC_BEGIN:]))
    return batch


def _fill(
    frame: bytearray,
    attributes: int,
    record_count: int,
    base_timestamp_ms: int,
    max_timestamp_ms: int,
) -> None:
    """Write the canonical header; base offset 0."""
    header = BatchHeader(
        base_offset=0,
        batch_length=len(frame) - PREFIX_BYTES - LENGTH_BEGIN,
        leader_epoch=0,
        magic=MAGIC,
        crc=0,
        attributes=attributes,
        last_offset_delta=record_count - 1,
        base_timestamp_ms=base_timestamp_ms,
        max_timestamp_ms=max_timestamp_ms,
        producer_id=NO_PRODUCER,
        producer_epoch=NO_PRODUCER,
        base_sequence=NO_PRODUCER,
        record_count=record_count,
    )
    _HEADER.pack_into(frame, PREFIX_BYTES, *header)
    _CRC.pack_into(frame, PREFIX_BYTES + CRC_AT, crc32c(frame[PREFIX_BYTES + CRC_BEGIN :]))


def name_place(key: Bytes) -> str:
    """Return what errors call the batch of a key."""
    if len(key) != KEY_BYTES:
        return f"a batch with the key {bytes(key).hex()}"
    partition_id, base_offset = _KEY.unpack(key)
    return f"partition id {partition_id}, offset {base_offset}"


def check_frame(key: Bytes, frame: Bytes, where: str = "") -> BatchHeader:
    """Verify everything of a stored frame but its records' insides; return the header.

    Raises:
        Corruption: any byte is not as it was written.
    """
    where = where or name_place(key)
    header = check_head(key, frame, where)
    _check_crc(header, frame, PREFIX_BYTES, where)
    return header


def check_head(key: Bytes, frame: Bytes, where: str = "") -> BatchHeader:
    """Verify what can be of a frame's first 81 bytes without reading the rest of it.

    For decisions that move nothing but whole batches: how old they are.

    Raises:
        Corruption: the prefix's CRC is wrong, or a field is not what it has to be.
    """
    where = where or name_place(key)
    if len(frame) < FRAME_HEADER_BYTES:
        raise Corruption(where, expected=f"at least {FRAME_HEADER_BYTES} bytes", found=len(frame))
    _check_prefix(frame, where)
    return check_header(key, frame, where)


def check_header(key: Bytes, frame: Bytes, where: str = "") -> BatchHeader:
    """Verify the fields of a frame's batch header that can have one value only.

    For where a batch ends; its prefix and its CRC are not looked at.

    Raises:
        Corruption: a field is not what it has to be.
    """
    where = where or name_place(key)
    if len(key) != KEY_BYTES:
        raise Corruption(where, expected=f"{KEY_BYTES} bytes", found=len(key))
    if len(frame) < FRAME_HEADER_BYTES:
        raise Corruption(where, expected=f"at least {FRAME_HEADER_BYTES} bytes", found=len(frame))
    header = read_header(frame, PREFIX_BYTES)
    base_offset: int = _KEY.unpack(key)[1]
    wanted = _canonical(header)._replace(
        base_offset=base_offset, batch_length=len(frame) - PREFIX_BYTES - LENGTH_BEGIN
    )
    if header != wanted:
        raise _differs(header, wanted, where)
    if header.record_count < 1 or not 0 <= base_offset <= OFFSET_MAX - header.record_count:
        raise Corruption(
            where, expected="at least one record", found=f"{header.record_count} records"
        )
    _check_codec(header, where)
    return header


def check_batch(batch: Bytes, where: str = "batch") -> BatchHeader:
    """Verify the header and CRC of one whole batch from elsewhere, canonical or not.

    Raises:
        Corruption: it does not verify.
        UnsupportedFormat: another version of the format, or attributes from the future.
    """
    header = read_header(batch)
    if header.magic != MAGIC:
        raise UnsupportedFormat(f"{where} has format version {header.magic}, not {MAGIC}")
    if header.batch_length != len(batch) - LENGTH_BEGIN:
        found = len(batch) - LENGTH_BEGIN
        raise Corruption(where, expected=f"length {header.batch_length}", found=found)
    _check_crc(header, batch, 0, where)
    known = CODEC_MASK | TIMESTAMP_TYPE_BIT | TRANSACTIONAL_BIT | CONTROL_BIT | HORIZON_BIT
    if header.attributes & ~known or header.attributes & CODEC_MASK > max(Codec):
        raise UnsupportedFormat(f"{where} has unknown attributes {header.attributes:#06x}")
    if not 0 <= header.record_count <= header.last_offset_delta + 1:
        expected = f"at most {header.last_offset_delta + 1} records"
        raise Corruption(where, expected=expected, found=header.record_count)
    if not 0 <= header.base_offset <= OFFSET_MAX - header.last_offset_delta - 1:
        raise Corruption(where, expected="a base offset", found=header.base_offset)
    return header


def unpack_records(header: BatchHeader, records: Bytes, where: str) -> bytes:
    """Return the records part of a checked batch, uncompressed."""
    return decompress(header.codec, records, UNPACKED_BYTES_MAX, where)


def _check_prefix(frame: Bytes, where: str) -> None:
    found = crc32c(frame[: _PREFIX.size])
    expected: int = _CRC.unpack_from(frame, _PREFIX.size)[0]
    if found != expected:
        raise _bad_crc(where + ", prefix", expected, found)
    version, flags, reserved, key_id, _ = _PREFIX.unpack_from(frame)
    if (version, flags, reserved, key_id) != (FRAME_VERSION, 0, 0, 0):
        raise Corruption(
            where,
            expected=f"frame version {FRAME_VERSION}, no flags and no encryption key",
            found=f"version {version}, flags {flags:#x}, {reserved:#x}, key {key_id}",
            hint="it may be of a newer release: upgrade dataflare",
        )


def _canonical(header: BatchHeader) -> BatchHeader:
    """Return a header with the values that fields have to have."""
    return header._replace(
        leader_epoch=0,
        magic=MAGIC,
        attributes=header.attributes & (CODEC_MASK | TIMESTAMP_TYPE_BIT),
        last_offset_delta=header.record_count - 1,
        producer_id=NO_PRODUCER,
        producer_epoch=NO_PRODUCER,
        base_sequence=NO_PRODUCER,
    )


def _differs(header: BatchHeader, wanted: BatchHeader, where: str) -> Corruption:
    """Name the first field that is not as it should be."""
    for name, expected, found in zip(header._fields, wanted, header, strict=True):
        if expected != found:
            return Corruption(where, expected=f"{name} {expected}", found=found)
    raise AssertionError("nothing differs")


def _check_codec(header: BatchHeader, where: str) -> None:
    if header.attributes & CODEC_MASK > max(Codec):
        found = header.attributes & CODEC_MASK
        raise Corruption(where, expected=f"a codec up to {max(Codec):d}", found=found)


def _check_crc(header: BatchHeader, data: Bytes, begin: int, where: str) -> None:
    found = crc32c(data[begin + CRC_BEGIN :])
    if found != header.crc:
        raise _bad_crc(where, header.crc, found)


def _bad_crc(where: str, expected: int, found: int) -> Corruption:
    return Corruption(where, expected=f"CRC-32C {expected:08x}", found=f"{found:08x}")
