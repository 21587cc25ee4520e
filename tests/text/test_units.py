"""Sizes: what Fluvio's crate (bytesize 1.3.3) takes and prints, and what is refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflare_cli.errors import UsageError
from dataflare_cli.text.units import SIZE_BYTES_MAX, format_bytes, parse_bytes

# Printed by the crate itself.
SHOWN = {
    0: "0 B",
    86: "86 B",
    999: "999 B",
    1000: "1.0 KB",
    1049: "1.0 KB",
    1050: "1.1 KB",
    1500: "1.5 KB",
    9999: "10.0 KB",
    99_949: "99.9 KB",
    99_950: "100.0 KB",
    999_999: "1000.0 KB",
    1_000_001: "1000.0 KB",
    1_048_576: "1048.6 KB",
    1_500_000: "1.5 MB",
    1_000_000_000: "1000.0 MB",
    1_073_741_824: "1073.7 MB",
    107_374_182_400: "107.4 GB",
    123_456_789_012_345: "123.5 TB",
    10**18: "1000.0 PB",
    2**64 - 1: "18.4 EB",
}

# Taken by the crate, with what it makes of them.
TAKEN = {
    "0": 0,
    "500000": 500_000,
    "007": 7,
    "10 b": 10,
    "10 B": 10,
    "1.9 b": 1,
    "1K": 1000,
    "3 KB": 3000,
    "1.KB": 1000,
    ".5k": 500,
    "1 Ki": 1024,
    "2 Ki": 2048,
    "1.5KiB": 1536,
    "16kib": 16_384,
    "1\tKB": 1000,
    "1 m": 10**6,
    "1GiB": 2**30,
    "100 GiB": 100 * 2**30,
    "88TB": 88 * 10**12,
    "12 PiB": 12 * 2**50,
    "8P": 8 * 10**15,
    "1.2 EB": 12 * 10**17,  # not by the crate, which prints it
}

REFUSED = [
    "", " ", "a124GB", "-5", "1.9", "1e3", "1_000", "0x10", "1 k B", "1 5KB", "1ZB", "KB", ".",
    ". KB", "1..2k",
    "\N{ARABIC-INDIC DIGIT ONE}", "9223372036854775808", "99999999 PB", "1 KBs",
]  # fmt: skip


@pytest.mark.parametrize(("size", "text"), SHOWN.items())
def test_sizes_are_shown_as_fluvio_shows_them(size, text):
    """Decimal, one digit, and the crate's odd limits between units."""
    assert text == format_bytes(size)


@pytest.mark.parametrize(("text", "size"), TAKEN.items())
def test_what_fluvio_takes_is_taken(text, size):
    """Units of 1000 and 1024, any case, with and without blanks, fractions."""
    assert size == parse_bytes(text)
    assert size == parse_bytes(f" {text} ")


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_size_is_refused(text):
    """Also sizes beyond 63 bits, which the crate would cut to 64."""
    with pytest.raises(UsageError, match="invalid size"):
        parse_bytes(text)


def test_fractions_are_exact():
    """0.29 KB is 290 bytes, although 0.29 has no float of its own."""
    assert 290 == parse_bytes("0.29 KB")
    assert 4_611_686_018_427_387_905 == parse_bytes("4611686018427387.905 k")


@given(st.integers(0, SIZE_BYTES_MAX))
def test_a_shown_size_is_read_back_to_a_digit(size):
    """Invariants: what is printed can be parsed, and means the same to one decimal."""
    back = parse_bytes(format_bytes(size))
    assert size == back or abs(size - back) <= size * 0.05
