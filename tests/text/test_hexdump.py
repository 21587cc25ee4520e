"""Hexdumps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.text.hexdump import hexdump, is_binary


def test_the_layout_is_fluvios():
    """Rows of 16 with a gap in the middle, the text beside them, dashes below."""
    expected = (
        "00000000  68 65 6c 6c 6f 0a 77 6f  72 6c 64 00 ff 20 61 6e  |hello.world   an|\n"
        "00000010  64 20 6d 6f 72 65                                 |d more          |\n"
        + "-" * 78
        + "\n"
    )

    assert expected == hexdump(b"hello\nworld\0\xff and more")
    assert "-" * 78 + "\n" == hexdump(b"")


@given(st.binary(max_size=100))
def test_a_hexdump_keeps_every_byte(data):
    """Invariants: each row is 78 wide; the columns of digits are the data; text is ASCII."""
    rows = hexdump(data).splitlines()

    assert {78} == {len(row) for row in rows}
    assert data == b"".join(bytes.fromhex(row[10:58]) for row in rows[:-1])
    assert [16 * index for index in range(len(rows) - 1)] == [int(row[:8], 16) for row in rows[:-1]]
    assert all(row.isascii() and row.isprintable() for row in rows)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", False),
        (b"text", False),
        (b"\xff\xfe\0\0", False),
        (b"\xef\xbb\xbf\0", False),
        (b"caf\xe9", False),
        (b"a\0b", True),
        (b"a" * 1023 + b"\0", True),
        (b"a" * 1024 + b"\0", False),
        (b"%PDF-1.7", True),
        (b"\x89PNG\r\n", True),
    ],
)
def test_what_is_binary(data, expected):
    """A NUL in the first 1024 bytes, a PDF or a PNG; a byte order mark makes it text."""
    assert expected == is_binary(data)
