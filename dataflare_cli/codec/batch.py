"""Batches as values: records to a sealed frame or a bare Kafka batch, and back."""

from collections.abc import Sequence

from dataflare_cli.codec.engine import Bytes
from dataflare_cli.codec.frame import (
    CONTROL_BIT,
    FRAME_HEADER_BYTES,
    HEADER_BYTES,
    PREFIX_BYTES,
    check_batch,
    check_frame,
    name_place,
    seal,
    unpack_records,
)
from dataflare_cli.codec.records import decode_records, decode_sparse_records, encode_records
from dataflare_cli.model import Codec, Record, TimestampType

# On its way to a broker a batch has none (-1).
_LEADER_EPOCH = slice(PREFIX_BYTES + 12, PREFIX_BYTES + 16)


def encode_frame(
    records: Sequence[Record],
    codec: Codec = Codec.NONE,
    timestamp_type: TimestampType = TimestampType.CREATE,
) -> bytearray:
    """Encode records (one at least) as a sealed frame; `stamp` gives it its place.

    With append time, every record reads back with the largest timestamp of all.

    Raises:
        DataError: as `encode_records`.
    """
    assert records
    base_timestamp_ms = records[0].timestamp_ms
    frame = bytearray(FRAME_HEADER_BYTES)
    frame += encode_records(records, base_timestamp_ms)
    return seal(
        frame,
        record_count=len(records),
        base_timestamp_ms=base_timestamp_ms,
        max_timestamp_ms=max(record.timestamp_ms for record in records),
        codec=codec,
        timestamp_type=timestamp_type,
    )


def decode_frame(key: Bytes, frame: Bytes) -> list[Record]:
    """Decode a stored frame, verifying all of it.

    Raises:
        Corruption: any byte is not as it was written.
    """
    where = name_place(key)
    header = check_frame(key, frame, where)
    return decode_records(unpack_records(header, frame[FRAME_HEADER_BYTES:], where), header, where)


def encode_batch(
    records: Sequence[Record],
    codec: Codec = Codec.NONE,
    timestamp_type: TimestampType = TimestampType.CREATE,
) -> bytes:
    """Encode records as the Kafka batch of a Produce request: base offset 0, no producer."""
    frame = encode_frame(records, codec, timestamp_type)
    # The CRC does not cover it.
    frame[_LEADER_EPOCH] = b"\xff" * 4
    return bytes(frame[PREFIX_BYTES:])


def decode_batch(batch: Bytes, where: str = "batch") -> list[Record]:
    """Decode one whole Kafka batch, as a Fetch response has it: it may have gaps.

    Control records are not for applications: their batch has none.

    Raises:
        Corruption: it does not verify.
        UnsupportedFormat: another version of the format.
    """
    header = check_batch(batch, where)
    if header.attributes & CONTROL_BIT:
        return []
    plain = unpack_records(header, batch[HEADER_BYTES:], where)
    return decode_sparse_records(plain, header, where)
