"""CRC-32C (Castagnoli), the checksum of frames and batches; hides who computes it."""

from dataflare_cli.codec.engine import Bytes


def crc32c(data: Bytes, value: int = 0) -> int:
    """Return the CRC-32C of bytes, or of what `value` is the CRC-32C of and these."""
    # Late: it loads in about 3 ms.
    from google_crc32c import extend

    # The extension takes nothing but bytes.
    return int(extend(value, bytes(data)))
