"""What the log stores, made by hand: keys, frames, flat runs; and damage to them."""

from collections.abc import Iterator, Sequence

import msgspec

from dataflare_cli import codec
from dataflare_cli.codec.checksum import crc32c
from dataflare_cli.model import Codec, Record, TimestampType

PARTITION_ID = 3
APPENDED_MS = 1_700_000_000_123

# The worked example of kafka-batch.md, section 10, and as aiokafka builds it.
EXAMPLE = [
    Record(b"hello", b"k1", ((b"h", b"x"),), 1_700_000_000_000),
    Record(None, None, (), 1_700_000_000_005),
]
EXAMPLE_BATCH = bytes.fromhex(
    "0000000000000000 0000004a ffffffff 02 bc85ccad 0000 00000001 0000018bcfe56800"
    "0000018bcfe56805 ffffffffffffffff ffff ffffffff 00000002 2200000004 6b310a"
    "68656c6c6f 0202680278 0c000a02010100"
)


def log_key(base_offset: int, partition_id: int = PARTITION_ID) -> bytes:
    return partition_id.to_bytes(4, "big") + base_offset.to_bytes(8, "big")


def stored(
    records: Sequence[Record],
    base_offset: int = 0,
    compression: Codec = Codec.NONE,
    timestamp_type: TimestampType = TimestampType.CREATE,
) -> tuple[bytes, bytes]:
    """Return one entry of the log: key and frame."""
    frame = codec.encode_frame(records, compression, timestamp_type)
    codec.stamp(frame, base_offset=base_offset, appended_ms=APPENDED_MS)
    return log_key(base_offset), bytes(frame)


def flat_run(
    batches: Sequence[Sequence[Record]],
    base_offset: int = 0,
    codecs: Sequence[Codec] = (Codec.NONE,),
    timestamp_type: TimestampType = TimestampType.CREATE,
) -> list[bytes]:
    """Return the entries of neighbouring batches; codecs are taken in turn."""
    flat: list[bytes] = []
    for number, records in enumerate(batches):
        compression = codecs[number % len(codecs)]
        flat += stored(records, base_offset, compression, timestamp_type)
        base_offset += len(records)
    return flat


def read_back(
    records: Sequence[Record],
    base_offset: int = 0,
    timestamp_type: TimestampType = TimestampType.CREATE,
) -> list[Record]:
    """Return records as they should come back from a stored batch."""
    appended_ms = max(record.timestamp_ms for record in records)
    return [
        msgspec.structs.replace(
            record,
            offset=base_offset + index,
            timestamp_type=timestamp_type,
            timestamp_ms=appended_ms
            if timestamp_type is TimestampType.APPEND
            else record.timestamp_ms,
        )
        for index, record in enumerate(records)
    ]


def with_right_crcs(frame: bytes) -> bytes:
    """Return a frame whose checksums hold, whatever is in it: damage by an enemy."""
    fixed = bytearray(frame)
    fixed[16:20] = crc32c(fixed[:16]).to_bytes(4, "big")
    fixed[37:41] = crc32c(fixed[41:]).to_bytes(4, "big")
    return bytes(fixed)


def with_records(frame: bytes, records: bytes) -> bytes:
    """Return a frame with other bytes for records; length and checksums hold."""
    changed = bytearray(frame[:81]) + records
    changed[28:32] = (len(changed) - 32).to_bytes(4, "big")
    return with_right_crcs(bytes(changed))


def flips(data: bytes, masks: Sequence[int] = (1, 0x80, 0xFF)) -> Iterator[tuple[int, bytes]]:
    """Yield (place, data with that byte changed) for every place and mask."""
    for at in range(len(data)):
        for mask in masks:
            changed = bytearray(data)
            changed[at] ^= mask
            yield at, bytes(changed)
