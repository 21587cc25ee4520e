"""Hexdumps in Fluvio's layout, and what counts as binary.

    00000000  68 65 6c 6c 6f 0a 77 6f  72 6c 64 00 ff 20 61 6e  |hello.world   an|
    00000010  64 20 6d 6f 72 65                                 |d more          |
    ------------------------------------------------------------------------------

Every row is 78 wide. In the right column 0x20 to 0x7e stand as they are, a newline is
a dot, everything else a blank.
"""

_ROW_BYTES = 16
_ROW_WIDTH = 78
_SEPARATOR = "-" * _ROW_WIDTH + "\n"
_ASCII = bytes(
    byte if 0x20 <= byte <= 0x7E else ord("." if byte == ord("\n") else " ") for byte in range(256)
)

# What content_inspector, which Fluvio asks, looks at.
_INSPECTED_BYTES = 1024
_BYTE_ORDER_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_BINARY_STARTS = (b"%PDF", b"\x89PNG")


def is_binary(data: bytes) -> bool:
    """Tell whether Fluvio would call this binary: a NUL near the start, or a PDF or PNG."""
    if data.startswith(_BYTE_ORDER_MARKS):
        return False
    return b"\0" in data[:_INSPECTED_BYTES] or data.startswith(_BINARY_STARTS)


def hexdump(data: bytes) -> str:
    """Return the rows and, below them, a line of dashes; every line ends in a newline."""
    rows = [_row(data, at) for at in range(0, len(data), _ROW_BYTES)]
    return "".join(rows) + _SEPARATOR


def _row(data: bytes, at: int) -> str:
    row = data[at : at + _ROW_BYTES]
    left, right = row[:8].hex(" "), row[8:].hex(" ")
    shown = row.translate(_ASCII).decode("ascii")
    return f"{at:08x}  {left:<23}  {right:<23}  |{shown:<16}|\n"
