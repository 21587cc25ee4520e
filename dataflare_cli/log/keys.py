"""Keys of the log and its time index, and where a partition's entries lie.

Log: partition id u32, base offset u64. Times: partition id u32, running maximum of
the timestamps as offset binary u64, base offset u64. All big-endian, so that LMDB's
order is the order of offsets, and of running maxima (see FORMAT.md).
"""

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import lmdb

LOG_KEY = struct.Struct(">IQ")
TIME_KEY = struct.Struct(">IQQ")
_SIGN = 1 << 63


def log_key(partition_id: int, base_offset: int) -> bytes:
    """Return the key of a batch."""
    return LOG_KEY.pack(partition_id, base_offset)


def time_key(partition_id: int, running_max_ms: int, base_offset: int) -> bytes:
    """Return the time index's key of a batch."""
    return TIME_KEY.pack(partition_id, running_max_ms + _SIGN, base_offset)


def split_time_key(key: bytes) -> tuple[int, int]:
    """Return (running maximum in ms, base offset)."""
    _, biased, base_offset = TIME_KEY.unpack(key)
    return biased - _SIGN, base_offset


def seek_last(cursor: "lmdb.Cursor", partition_id: int) -> bool:
    """Put a cursor of either database on a partition's last entry; False if it has none."""
    found = cursor.set_range((partition_id + 1).to_bytes(4, "big"))
    if not (cursor.prev() if found else cursor.last()):
        return False
    return on_partition(cursor, partition_id)


def seek_first(cursor: "lmdb.Cursor", partition_id: int) -> bool:
    """Put a cursor of either database on a partition's first entry; False if it has none."""
    if not cursor.set_range(partition_id.to_bytes(4, "big")):
        return False
    return on_partition(cursor, partition_id)


def seek_batch(cursor: "lmdb.Cursor", partition_id: int, offset: int) -> bool:
    """Put a log cursor on the last batch that begins at or before `offset`, else the first."""
    wanted = log_key(partition_id, offset)
    if cursor.set_range(wanted):
        if cursor.key() == wanted:
            return True
        if cursor.prev() and on_partition(cursor, partition_id):
            return True
    elif cursor.last() and on_partition(cursor, partition_id):
        return True
    return seek_first(cursor, partition_id)


def on_partition(cursor: "lmdb.Cursor", partition_id: int) -> bool:
    """Tell whether the cursor's entry belongs to a partition."""
    return bytes(cursor.key()[:4]) == partition_id.to_bytes(4, "big")
