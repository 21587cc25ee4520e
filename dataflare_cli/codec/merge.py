"""Merging: many small batches, as slow input makes them, become one."""

from collections.abc import Sequence

from dataflare_cli.codec.batch import encode_frame
from dataflare_cli.codec.engine import Bytes, Engine, wants_kernel
from dataflare_cli.codec.frame import PREFIX_BYTES, check_frame
from dataflare_cli.codec.runs import PythonRun
from dataflare_cli.errors import DataError
from dataflare_cli.model import BATCH_BYTES_MAX, TimestampType


def merge_entries(flat: Sequence[Bytes], *, engine: Engine = "auto") -> bytearray | None:
    """Return one sealed frame with the same records, offsets and timestamps.

    None if they can't be one batch: other codecs, timestamps set by the log, timestamps too
    far apart, or too large together.
    """
    # A few hundred small batches: not worth loading the kernel for, but worth its use.
    if wants_kernel(engine, is_large=False):
        from dataflare_cli.codec import kernel

        return kernel.merge_entries(flat)
    headers = [check_frame(flat[at], flat[at + 1]) for at in range(0, len(flat), 2)]
    if len({header.codec for header in headers}) != 1:
        return None
    if any(header.timestamp_type != TimestampType.CREATE for header in headers):
        return None  # each batch has one append time of its own
    try:
        frame = encode_frame(list(PythonRun(flat).records()), headers[0].codec)
    except DataError:
        return None
    return frame if len(frame) - PREFIX_BYTES <= BATCH_BYTES_MAX else None
